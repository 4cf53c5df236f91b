//! The stores, compiled once for each version of object_store.

mod attributes;
mod errors;
mod list;
mod open;
mod read;
mod s3;
mod s3_multipart;
mod sign;
#[cfg(feature = "swift")]
mod swift;
#[cfg(feature = "swift")]
mod swift_multipart;
#[cfg(feature = "swift")]
mod swift_upload;
mod write;
mod writer;

pub use self::open::{Registry, parse_url, parse_url_opts};
pub use self::s3::S3Store;
#[cfg(feature = "swift")]
pub use self::swift::SwiftStore;
pub use self::writer::Writer;

use super::{get_result, list_result, object_store, put_result};
