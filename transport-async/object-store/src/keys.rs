//! Paths as keys: what is below a store's prefix.

/// The prefix of a store: empty, or with a slash at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    /// Returns the keys below this path; all keys if it is empty.
    pub(crate) fn below(path: &str) -> Self {
        Self { prefix: directory(path) }
    }

    /// Returns the prefix without the slash at its end.
    pub(crate) fn path(&self) -> &str {
        self.prefix.strip_suffix('/').unwrap_or_default()
    }

    /// Returns the key of a path.
    pub(crate) fn key(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// Returns the prefix of all keys that are below this path.
    pub(crate) fn all_below(&self, path: &str) -> String {
        format!("{}{}", self.prefix, directory(path))
    }

    /// Returns the path of a key; `None` where the key is not below the prefix.
    pub(crate) fn strip<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(&self.prefix)
    }
}

fn directory(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}/") }
}

/// Whether a path can name a key: it is the key after all that a path removes, which are slashes at
/// its ends.
pub(crate) fn is_path(key: &str) -> bool {
    !key.is_empty() && !key.starts_with('/') && !key.ends_with('/')
}

/// Whether an object marks a directory for programs that show one: it has no bytes, and a slash at
/// the end of its key.
pub(crate) fn is_marker(key: &str, size: Option<u64>) -> bool {
    size == Some(0) && key.ends_with('/')
}
