//! Lists of objects, one page per request.
//!
//! ```text
//! let mut list = Some(ListObjectsV2::new("bucket"));
//! while let Some(page) = list {              send page's draft, parse the response
//!     list = page.next(&output)?;            the request for the next page
//! }
//! ```
//!
//! Requests ask for percent-encoded keys, because XML can't represent every key. Keys are decoded
//! where the response says that they are encoded. A truncated list that can't be continued is an
//! error: otherwise unlisted objects would count as absent.

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
