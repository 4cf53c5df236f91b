//! Operations on objects.

mod copy_object;
mod delete_object;
mod get_object;
mod head;
mod head_object;
mod post_object;
mod put_object;

pub use self::copy_object::{Copied, CopyObject};
pub use self::delete_object::DeleteObject;
pub use self::get_object::{GetObject, GetObjectOutput};
pub use self::head::{ObjectHead, Prefix, Stored};
pub(super) use self::head::{is_md5, same_md5};
pub use self::head_object::HeadObject;
pub use self::post_object::PostObject;
pub use self::put_object::PutObject;
pub use crate::swift::request::BodyCheck;
