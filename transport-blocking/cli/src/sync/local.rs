//! The files below a directory, in the order of their paths as keys.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::exit::Failure;

/// A file below a directory.
#[derive(Clone, Debug)]
pub(crate) struct LocalFile {
    /// Its path below the directory, with `/`.
    pub(crate) path: String,
    pub(crate) at: PathBuf,
    pub(crate) size: u64,
    pub(crate) modified: Option<SystemTime>,
}

/// What is below a directory.
#[derive(Debug)]
pub(crate) enum Below {
    File(LocalFile),
    /// What is not taken, and why: no file of its own, or without a name that a key can have.
    Skipped(String, &'static str),
    /// What a download writes that has not ended, or has left when it was killed.
    Unfinished(String),
    /// What can't be read: a file, or with `/` at the end of the path a directory.
    Unread(String, Failure),
}

/// Walks a directory. The paths are in the order of their bytes, as keys are listed: a directory is
/// ordered as its name with a `/`. Symbolic links are not followed. One directory of each level is in
/// memory.
#[derive(Debug)]
pub(crate) struct Walk {
    /// The entries that are still to come, of each open directory in reverse.
    open: Vec<Vec<Next>>,
}

#[derive(Debug)]
struct Next {
    /// The path as a key; of a directory with `/` at the end.
    path: String,
    at: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    File,
    Directory,
    Unfinished,
    Skipped(&'static str),
}

impl Walk {
    /// Begins with a directory that is read.
    pub(crate) fn new(directory: &Path) -> Result<Self, Failure> {
        Ok(Self { open: vec![entries(directory, "")?] })
    }

    /// Begins with a directory that is written to, and need not exist.
    pub(crate) fn target(directory: &Path) -> Result<Self, Failure> {
        match directory.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { open: Vec::new() }),
            _ => Self::new(directory),
        }
    }
}

impl Below {
    /// Returns the path below the directory, with `/`.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::File(file) => &file.path,
            Self::Skipped(path, _) | Self::Unfinished(path) | Self::Unread(path, _) => path,
        }
    }
}

impl Iterator for Walk {
    type Item = Below;

    fn next(&mut self) -> Option<Below> {
        loop {
            let Some(Next { path, at, kind }) = self.open.last_mut()?.pop() else {
                self.open.pop();
                continue;
            };
            match kind {
                Kind::Unfinished => return Some(Below::Unfinished(path)),
                Kind::Skipped(why) => return Some(Below::Skipped(path, why)),
                Kind::Directory => match entries(&at, &path) {
                    Ok(below) => self.open.push(below),
                    Err(failure) => return Some(Below::Unread(path, failure)),
                },
                Kind::File => match fs::symlink_metadata(&at) {
                    // It was removed meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Some(Below::Unread(path, Failure::file(&at, &error))),
                    Ok(found) => {
                        let (size, modified) = (found.len(), found.modified().ok());
                        return Some(Below::File(LocalFile { path, at, size, modified }));
                    }
                },
            }
        }
    }
}

/// Returns the entries of a directory, the last one first.
fn entries(directory: &Path, path: &str) -> Result<Vec<Next>, Failure> {
    let failed = |error: io::Error| Failure::file(directory, &error);
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        let name = entry.file_name();
        let (shown, is_text) = match name.to_str() {
            Some(name) => (name.to_owned(), true),
            None => (name.to_string_lossy().into_owned(), false),
        };
        let mut path = format!("{path}{shown}");
        let kind = match () {
            () if !is_text => Kind::Skipped("its name is not UTF-8"),
            () if kind.is_dir() => {
                path.push('/');
                Kind::Directory
            }
            () if kind.is_symlink() => Kind::Skipped("it is a symbolic link"),
            () if !kind.is_file() => Kind::Skipped("it is not a file"),
            () if is_unfinished(&shown) => Kind::Unfinished,
            () => Kind::File,
        };
        all.push(Next { path, at: entry.path(), kind });
    }
    all.sort_unstable_by(|one, other| other.path.cmp(&one.path));
    Ok(all)
}

/// Whether a file has the name of one that a download writes, or keeps for `--resume`.
fn is_unfinished(name: &str) -> bool {
    let random = name.strip_prefix(".apus-").and_then(|rest| rest.strip_suffix(".part"));
    let is_new = |random: &str| random.len() == 16 && random.bytes().all(|b| b.is_ascii_hexdigit());
    let is_kept = name.ends_with(".apus-part") || name.ends_with(".apus-resume");
    random.is_some_and(is_new) || (name.starts_with('.') && is_kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_in_the_order_of_keys() {
        let folder = std::env::temp_dir().join(format!("apus-walk-{}", std::process::id()));
        let paths = ["a-b", "a.txt", "a/b/c", "a/b.txt", "a/b0", "b", "ü/x"];
        for path in paths {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let walked = Walk::new(&folder).unwrap().map(|below| match below {
            Below::File(file) => file.path,
            other => panic!("{other:?}"),
        });
        let walked: Vec<String> = walked.collect();
        let mut sorted = paths.map(str::to_owned).to_vec();
        sorted.sort_unstable();
        assert_eq!(walked, sorted);
        assert!(Walk::target(&folder.join("none")).unwrap().next().is_none());
        assert!(Walk::new(&folder.join("none")).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
