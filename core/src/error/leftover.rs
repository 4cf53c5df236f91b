//! What a failed operation left on the server.

use std::fmt;

use crate::one_line::OneLine;

/// Something on the server that a failed operation could not remove.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Leftover {
    /// A multipart upload that was neither completed nor aborted.
    MultipartUpload {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
        /// The id by which it can be listed and aborted; empty if it is not known.
        upload_id: String,
    },
    /// An object that should have been deleted.
    Object {
        /// Its bucket or container.
        bucket: String,
        /// Its key or name.
        key: String,
    },
    /// A container that was created for an object that was not stored.
    Container {
        /// Its name.
        container: String,
    },
    /// A user's trust that was not revoked.
    Trust {
        /// Its id; empty if it is not known.
        id: String,
    },
    /// Something that may exist: the response to the request that creates it was lost, and nothing
    /// proves that it does not exist.
    Perhaps {
        /// What it is, and where to look for it.
        look_at: String,
    },
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MultipartUpload { bucket, key, upload_id } => {
                let (bucket, key, id) =
                    (OneLine::new(bucket), OneLine::new(key), OneLine::new(upload_id));
                match upload_id.is_empty() {
                    true => write!(f, "multipart upload of {bucket}/{key} (id unknown)"),
                    false => write!(f, "multipart upload {id} of {bucket}/{key}"),
                }
            }
            Self::Object { bucket, key } => {
                write!(f, "object {}/{}", OneLine::new(bucket), OneLine::new(key))
            }
            Self::Container { container } => write!(f, "container {}", OneLine::new(container)),
            Self::Trust { id } if id.is_empty() => f.write_str("trust (id unknown)"),
            Self::Trust { id } => write!(f, "trust {}", OneLine::new(id)),
            Self::Perhaps { look_at } => write!(f, "possibly {}", OneLine::new(look_at)),
        }
    }
}
