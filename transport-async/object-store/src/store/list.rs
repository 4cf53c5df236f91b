//! Keys of a listing as paths.

use super::object_store::path::Path;
use super::object_store::{Error, Result};
use crate::keys::{Keys, is_path};

/// Returns the path of a listed key. A key that no path can name is an error: read as a path, it
/// would name another object.
pub(super) fn path(store: &'static str, keys: &Keys, key: &str) -> Result<Path> {
    let Some(stripped) = keys.strip(key) else {
        let what = format!("the listing has the key {key:?}, which is not below {:?}", keys.path());
        return Err(super::errors::generic(store, what));
    };
    if !is_path(stripped) {
        let path = key.to_owned();
        let source = super::object_store::path::Error::EmptySegment { path };
        return Err(Error::InvalidPath { source });
    }
    Ok(Path::parse(stripped)?)
}

/// Returns the path of a common prefix, which ends with a slash; that of another delimiter as it is.
pub(super) fn prefix(store: &'static str, keys: &Keys, prefix: &str) -> Result<Path> {
    path(store, keys, prefix.strip_suffix('/').unwrap_or(prefix))
}
