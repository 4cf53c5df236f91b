//! The actions of an image service.

/// An action of an image service on an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Stores the image.
    Add,
    /// Reads the image.
    Get,
    /// Returns the size of the image.
    Size,
    /// Returns whether the image exists.
    Exists,
    /// Removes the image.
    Delete,
    /// Sets who may read and write the image.
    SetAcls,
}

impl Verb {
    /// Returns the name of the action, as in the image service's drivers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Get => "get",
            Self::Size => "size",
            Self::Exists => "exists",
            Self::Delete => "delete",
            Self::SetAcls => "set_acls",
        }
    }
}
