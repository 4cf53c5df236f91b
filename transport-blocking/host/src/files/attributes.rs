//! What a file has besides its content, owner and mode: access lists and extended attributes.

use std::fs::File;
use std::path::Path;

/// Gives `file` the extended attributes of what is at `path`, access lists among them; the names of those
/// that it could not be given.
///
/// What says something of the content (capabilities, hashes) is not for another content: it is not kept.
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
        // The folder may have given it the same, which not every process may do itself.
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

/// What `read` puts into a buffer. `None`: there is nothing, or it can't be read.
#[cfg(all(target_os = "linux", feature = "attributes"))]
fn read(read: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> Option<Vec<u8>> {
    let mut bytes = vec![0; MOST];
    let length = read(&mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

/// What the kernel computes of the content.
#[cfg(all(target_os = "linux", feature = "attributes"))]
const MEASURED: [&str; 2] = ["security.ima", "security.evm"];
/// What a program may do that nobody has looked at since.
#[cfg(all(target_os = "linux", feature = "attributes"))]
const CAPABILITIES: &str = "security.capability";
/// Bytes of an attribute, and of all their names together (xattr(7)).
#[cfg(all(target_os = "linux", feature = "attributes"))]
const MOST: usize = 64 << 10;
