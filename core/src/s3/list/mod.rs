//! Lists of objects, a page at a time.
//!
//! ```text
//! let mut list = Some(ListObjectsV2::new("bucket"));
//! while let Some(page) = list {              send page's draft, parse the answer
//!     list = page.next(&answer)?;            the operation that gets the next page
//! }
//! ```
//!
//! Keys are asked for percent-encoded, because XML can't hold every key, and decoded where the
//! answer says that they are. A list that is truncated without a way to go on is an error: what is
//! not listed must not pass for what is not there.

mod entry;
mod objects;
mod objects_v2;
mod versions;

pub use self::entry::{Object, RestoreStatus};
pub use self::objects::{ListObjects, ListObjectsOutput};
pub use self::objects_v2::{ListObjectsV2, ListObjectsV2Output};
pub use self::versions::{
    DeleteMarker, ListObjectVersions, ListObjectVersionsOutput, ObjectVersion,
};
