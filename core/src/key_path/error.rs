//! Why a key has no path.

use std::error::Error;
use std::fmt;

use crate::one_line::OneLine;

/// Why a key has no path below a directory. Its text does not contain the whole key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyPathError {
    /// The key does not begin with the prefix.
    OutsidePrefix {
        /// The prefix.
        prefix: String,
    },
    /// The key is the prefix.
    Empty,
    /// The key ends with `/`: it marks a directory and has no file.
    Directory,
    /// The key begins with `/` after the prefix.
    Absolute,
    /// The key has two `/` without a name between them.
    EmptyName,
    /// A name is `.` or `..`.
    Dots {
        /// The name.
        name: String,
    },
    /// A name has NUL or another control character.
    ControlCharacter {
        /// The name.
        name: String,
        /// The first such character.
        char: char,
    },
    /// A name is longer than 255 bytes.
    NameTooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// The key without the prefix is longer than 4,095 bytes.
    PathTooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// Windows does not store a file under this name.
    Windows {
        /// The name.
        name: String,
        /// What is wrong with the name.
        why: &'static str,
    },
    /// The path is a directory of a key that was given before.
    IsDirectory {
        /// The path.
        path: String,
    },
    /// One of the key's directories is the file of a key that was given before.
    IsFile {
        /// The path of that file.
        path: String,
    },
    /// A file or directory of a key that was given before has a name that differs only by case, by
    /// Unicode normalisation form, or by invisible characters.
    SameName {
        /// The path of this key, or of one of its directories.
        path: String,
        /// The path that was there before.
        other: String,
    },
    /// The names of all keys take more memory than the limit.
    Memory {
        /// The limit in bytes.
        bytes: usize,
    },
}

impl KeyPathError {
    pub(super) fn outside(prefix: &str) -> Self {
        Self::OutsidePrefix { prefix: prefix.to_owned() }
    }
}

impl fmt::Display for KeyPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = OneLine::new;
        match self {
            Self::OutsidePrefix { prefix } => {
                write!(f, "the key does not begin with the prefix `{}`", quoted(prefix))
            }
            Self::Empty => f.write_str("the key has no name after the prefix"),
            Self::Directory => {
                f.write_str("the key ends with `/`: it marks a directory and has no file")
            }
            Self::Absolute => f.write_str("the key begins with `/` after the prefix"),
            Self::EmptyName => f.write_str("the key has an empty name between two `/`"),
            Self::Dots { name } => write!(f, "the name `{name}` refers to another directory"),
            Self::ControlCharacter { name, char } => {
                let char = u32::from(*char);
                write!(f, "the name `{}` has the control character U+{char:04X}", quoted(name))
            }
            Self::NameTooLong { bytes } => {
                write!(f, "a name has {bytes} bytes, and file systems store at most 255")
            }
            Self::PathTooLong { bytes } => {
                write!(f, "the path has {bytes} bytes, and systems open at most 4095")
            }
            Self::Windows { name, why } => {
                write!(f, "the name `{}` is not possible on Windows: {why}", quoted(name))
            }
            Self::IsDirectory { path } => {
                write!(f, "`{}` is a directory of another key", quoted(path))
            }
            Self::IsFile { path } => {
                write!(f, "the directory `{}` is the file of another key", quoted(path))
            }
            Self::SameName { path, other } => write!(
                f,
                "`{}` and `{}` of another key are the same name on file systems that ignore case \
                 or Unicode normalisation",
                quoted(path),
                quoted(other)
            ),
            Self::Memory { bytes } => {
                write!(f, "the names of all keys take more than the limit of {bytes} bytes")
            }
        }
    }
}

impl Error for KeyPathError {}
