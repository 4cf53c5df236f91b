//! Operations on one object.

mod get_object;
mod head;
mod head_object;
mod put_object;

pub use self::get_object::{GetObject, GetObjectOutput, ResponseOverrides};
pub(super) use self::head::Headers;
pub use self::head::{ObjectHead, Stored};
pub use self::head_object::HeadObject;
pub use self::put_object::PutObject;
