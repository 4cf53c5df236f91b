//! The verbs of an image service.

/// What is done with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// It is stored.
    Add,
    /// It is read.
    Get,
    /// Its size is asked for.
    Size,
    /// It is asked whether it is there.
    Exists,
    /// It is removed.
    Delete,
    /// It is said who may use it.
    SetAcls,
}

impl Verb {
    /// Its name, as in the image service's drivers.
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
