//! Reads text files, and the variables of this process.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use apus_core::{Error, Secret};

/// Returns the variables of this process that are UTF-8; others contain no settings.
pub(crate) fn variables() -> impl Iterator<Item = (String, String)> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Reads the text of a file.
pub(crate) fn file(path: &Path) -> io::Result<Secret> {
    text(File::open(path)?)
}

/// Reads a text to its end; a text of more than 4 MiB is an error.
pub(crate) fn text(source: impl Read) -> io::Result<Secret> {
    let mut text = String::new();
    source.take(LONGEST + 1).read_to_string(&mut text)?;
    let text = Secret::from(text);
    if text.expose().len() as u64 > LONGEST {
        return Err(io::Error::other("the text exceeds 4 MiB"));
    }
    Ok(text)
}

/// Returns an error that names the file.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::invalid_input(format!("{}: {error}", path.display()))
}

/// Most bytes of a file, or of what a process prints.
const LONGEST: u64 = 4 << 20;
