//! What a failed job left on the server.

use std::fmt;

use crate::one_line::OneLine;

/// Something that a failed job could not remove from the server again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Leftover {
    /// A multipart upload that was neither completed nor aborted.
    MultipartUpload {
        /// The bucket it is in.
        bucket: String,
        /// The key it was for.
        key: String,
        /// The id under which it can be listed and aborted; empty where it was never told.
        upload_id: String,
    },
    /// An object that should have been deleted.
    Object {
        /// The bucket or container it is in.
        bucket: String,
        /// Its key or name.
        key: String,
    },
    /// A container that was made for an object that is not there.
    Container {
        /// Its name.
        container: String,
    },
    /// A trust of a user's that was not revoked.
    Trust {
        /// Its id; empty where it was never told.
        id: String,
    },
    /// Something that may be there: the answer to the request that would have made it was lost, and
    /// nothing proves that it is not.
    Perhaps {
        /// What, and where to look for it.
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
                    true => write!(f, "multipart upload of {bucket}/{key}, whose id is not known"),
                    false => write!(f, "multipart upload {id} of {bucket}/{key}"),
                }
            }
            Self::Object { bucket, key } => {
                write!(f, "object {}/{}", OneLine::new(bucket), OneLine::new(key))
            }
            Self::Container { container } => write!(f, "container {}", OneLine::new(container)),
            Self::Trust { id } if id.is_empty() => f.write_str("a trust, whose id is not known"),
            Self::Trust { id } => write!(f, "trust {}", OneLine::new(id)),
            Self::Perhaps { look_at } => write!(f, "perhaps {}", OneLine::new(look_at)),
        }
    }
}
