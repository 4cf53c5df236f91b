//! What a file has besides content, owner and mode: access lists and extended attributes.

use std::fs::File;
use std::path::Path;

/// Copies the extended attributes of the file at `path`, including access lists, to `file`. Returns
/// the names of those that could not be copied.
///
/// Attributes that are valid for the old content only are not copied: hashes, and capabilities,
/// whose name is returned.
#[cfg(all(target_os = "linux", feature = "attributes"))]
pub(crate) fn keep(path: &Path, file: &File) -> Vec<String> {
    use rustix::fs::{XattrFlags, fgetxattr, fsetxattr, getxattr, listxattr};

    let Some(names) = read(|room| listxattr(path, room)) else { return Vec::new() };
    let names = names.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    let mut lost = Vec::new();
    for name in names {
        let told = String::from_utf8_lossy(name).into_owned();
        if MEASURED.contains(&told.as_str()) {
            continue;
        }
        let Some(value) = read(|room| getxattr(path, name, room)) else {
            lost.push(told);
            continue;
        };
        // The directory may have given the file the same attribute, which not every process may set
        // itself.
        let has = || read(|room| fgetxattr(file, name, room)).is_some_and(|has| has == value);
        let is_kept = told != CAPABILITIES
            && (has() || fsetxattr(file, name, &value, XattrFlags::empty()).is_ok());
        if !is_kept {
            lost.push(told);
        }
    }
    lost
}

#[cfg(all(unix, not(all(target_os = "linux", feature = "attributes"))))]
pub(crate) fn keep(_: &Path, _: &File) -> Vec<String> {
    Vec::new()
}

/// Returns what `read` puts into a buffer; `None` if there is nothing, or it can't be read.
#[cfg(all(target_os = "linux", feature = "attributes"))]
fn read(read: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> Option<Vec<u8>> {
    let mut bytes = vec![0; MOST];
    let length = read(&mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

/// Hashes that the kernel computes over the content.
#[cfg(all(target_os = "linux", feature = "attributes"))]
const MEASURED: [&str; 2] = ["security.ima", "security.evm"];
/// Capabilities, which were granted to the old content.
#[cfg(all(target_os = "linux", feature = "attributes"))]
const CAPABILITIES: &str = "security.capability";
/// The most bytes of an attribute, and of all names together (xattr(7)).
#[cfg(all(target_os = "linux", feature = "attributes"))]
const MOST: usize = 64 << 10;
