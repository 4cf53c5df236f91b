//! Object keys as relative paths of files, for a caller that restores objects into a directory.
//!
//! A key is any text that somebody else chose. [`KeyPaths`] returns a path only for a key whose file
//! is below the directory and is not the file of another key; for every other key it returns a
//! [`KeyPathError`].
//!
//! ```
//! use apus_core::key_path::{KeyPathError, KeyPaths};
//!
//! let mut paths = KeyPaths::new("backup/");
//! assert_eq!(paths.path("backup/photos/1.jpg").unwrap().as_str(), "photos/1.jpg");
//! assert!(matches!(paths.path("backup/../../etc/passwd"), Err(KeyPathError::Dots { .. })));
//! assert!(matches!(paths.path("backup/Photos/2.jpg"), Err(KeyPathError::SameName { .. })));
//! ```
//!
//! `apus_host::files::create_parents` creates the directories of such a path and follows no symbolic
//! link while it does so.

mod error;
mod fold;
mod windows;

use std::collections::BTreeMap;
use std::path::Path;

pub use self::error::KeyPathError;

/// The relative paths of the keys of one restore.
///
/// It keeps the name of each file and directory that it returned, since whether a key has a path
/// depends on the keys before it. It counts 192 bytes for each name and the name's length in bytes
/// twice, and refuses keys beyond [`memory`](Self::memory).
#[derive(Debug)]
pub struct KeyPaths {
    prefix: String,
    windows: bool,
    exact: bool,
    memory: usize,
    held: usize,
    names: BTreeMap<Slot, Name>,
    directories: u64,
}

/// A directory by its number, and a name in it as file systems compare names.
type Slot = (u64, Box<str>);

#[derive(Debug)]
struct Name {
    name: Box<str>,
    /// The number of the directory; a file has none.
    directory: Option<u64>,
}

/// A relative path of a file, with `/` between its components: no component is empty, `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPath(Box<str>);

impl KeyPaths {
    /// Returns the paths of keys that begin with `prefix`, which is removed. The prefix is compared
    /// as text, as in a listing, and usually ends with `/`.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            windows: cfg!(windows),
            exact: false,
            memory: MEMORY,
            held: 0,
            names: BTreeMap::new(),
            directories: 0,
        }
    }

    /// Also refuses what a file system of Windows doesn't store under the same name if `refuse` is
    /// true: the characters `<>:"|?*\`, device names such as `NUL` and `com1.txt`, a dot or a space
    /// at the end, and the form of short names (`PROGRA~1`). By default only a program for Windows
    /// refuses them, and it always does.
    ///
    /// Linux and macOS need it for a directory on a file system of Windows (FAT, NTFS, SMB).
    #[must_use]
    pub fn windows(mut self, refuse: bool) -> Self {
        self.windows = refuse || cfg!(windows);
        self
    }

    /// Accepts names that differ only by case or by their Unicode normalisation form if `exact` is
    /// true. By default the second of two such names is refused, since Windows and macOS store them
    /// in one file. Only for a directory on a file system that compares bytes, such as ext4 or XFS
    /// without `casefold`.
    #[must_use]
    pub fn exact_names(mut self, exact: bool) -> Self {
        self.exact = exact;
        self
    }

    /// Sets how many bytes the names of all files and directories may take: 1 GiB by default, which
    /// is enough for four million names of 30 bytes. A key whose names do not fit is refused.
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// Returns the path of the key's file. A key that was already given has the same path again.
    ///
    /// Not checked are the names that exist in the directory, and the length of its own path.
    ///
    /// # Errors
    ///
    /// The key has no path; the error says why. A refused key changes nothing for other keys.
    pub fn path(&mut self, key: &str) -> Result<KeyPath, KeyPathError> {
        let Some(rest) = key.strip_prefix(self.prefix.as_str()) else {
            return Err(KeyPathError::outside(&self.prefix));
        };
        let components = self.components(key, rest)?;
        let added = self.check(&components)?;
        self.add(added);
        Ok(KeyPath(rest.into()))
    }

    /// Splits a key without its prefix; checks all that does not depend on other keys.
    fn components<'a>(&self, key: &str, rest: &'a str) -> Result<Vec<&'a str>, KeyPathError> {
        if rest.starts_with('/') {
            return Err(KeyPathError::Absolute);
        }
        if rest.len() > PATH_BYTES {
            return Err(KeyPathError::PathTooLong { bytes: rest.len() });
        }
        let names = rest.strip_suffix('/').unwrap_or(rest);
        if names.is_empty() {
            let marker = key.ends_with('/');
            return Err(if marker { KeyPathError::Directory } else { KeyPathError::Empty });
        }
        let components: Vec<_> = names.split('/').collect();
        for name in &components {
            self.check_name(name)?;
        }
        if rest.ends_with('/') { Err(KeyPathError::Directory) } else { Ok(components) }
    }

    fn check_name(&self, name: &str) -> Result<(), KeyPathError> {
        if name.is_empty() {
            return Err(KeyPathError::EmptyName);
        }
        if name == "." || name == ".." {
            return Err(KeyPathError::Dots { name: name.to_owned() });
        }
        if let Some(char) = name.chars().find(|char| char.is_control()) {
            return Err(KeyPathError::ControlCharacter { name: name.to_owned(), char });
        }
        if name.len() > NAME_BYTES {
            return Err(KeyPathError::NameTooLong { bytes: name.len() });
        }
        match windows::fault(name).filter(|_| self.windows) {
            Some(why) => Err(KeyPathError::Windows { name: name.to_owned(), why }),
            None => Ok(()),
        }
    }

    /// Checks the path against those of other keys; returns the names that it adds.
    fn check(&self, components: &[&str]) -> Result<Vec<(Slot, Name)>, KeyPathError> {
        let mut added = Vec::new();
        let (mut at, mut directories, mut bytes) = (ROOT, self.directories, 0);
        for (depth, &name) in components.iter().enumerate() {
            let is_file = depth + 1 == components.len();
            let slot = (at, if self.exact { name.into() } else { fold::fold(name) });
            let earlier = || components[..=depth].join("/");
            let Some(found) = self.names.get(&slot) else {
                directories += 1;
                at = directories;
                bytes += NAME_MEMORY + name.len() + slot.1.len();
                added.push((slot, Name { name: name.into(), directory: (!is_file).then_some(at) }));
                continue;
            };
            if *found.name != *name {
                let mut other = components[..depth].join("/");
                if depth > 0 {
                    other.push('/');
                }
                other.push_str(&found.name);
                return Err(KeyPathError::SameName { path: earlier(), other });
            }
            match found.directory {
                Some(_) if is_file => return Err(KeyPathError::IsDirectory { path: earlier() }),
                Some(directory) => at = directory,
                None if is_file => {}
                None => return Err(KeyPathError::IsFile { path: earlier() }),
            }
        }
        if bytes > self.memory.saturating_sub(self.held) {
            return Err(KeyPathError::Memory { bytes: self.memory });
        }
        Ok(added)
    }

    fn add(&mut self, added: Vec<(Slot, Name)>) {
        for (slot, name) in added {
            self.held += NAME_MEMORY + name.name.len() + slot.1.len();
            self.directories += 1;
            self.names.insert(slot, name);
        }
    }
}

impl KeyPath {
    /// Returns the path, with `/` between its components on every system.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the names of the directories and of the file, in this order.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl AsRef<Path> for KeyPath {
    fn as_ref(&self) -> &Path {
        Path::new(&*self.0)
    }
}

/// The number of the directory that the paths are relative to.
const ROOT: u64 = 0;

/// The longest name of ext4, XFS, APFS and NTFS (which counts UTF-16 units, never more than bytes).
const NAME_BYTES: usize = 255;

/// Linux opens no longer path: `PATH_MAX` with the NUL at the end.
const PATH_BYTES: usize = 4095;

/// What a name takes in the map besides its own bytes, with room for half-empty nodes.
const NAME_MEMORY: usize = 192;

const MEMORY: usize = 1 << 30;
