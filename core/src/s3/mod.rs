//! Amazon S3 and compatible servers: endpoints, operations, errors.
//!
//! ```text
//!  Config ──▶ Service ─┐                          ┌──▶ Output
//!                      ├── draft ─▶ … ─▶ parse ───┤
//!  GetObject { .. } ───┘                          └──▶ Error
//! ```
//!
//! An operation is plain data with the name and the parameters of the S3 API reference; optional
//! parameters are `Option`s or empty. It drafts its request for a [`Service`], parses the response,
//! and holds no state.
//!
//! | file | operations |
//! | --- | --- |
//! | `bucket/` | buckets and their configurations; get, put and delete of one share a file |
//! | `object/` | objects, their tags, annotations, attributes and Object Lock |
//! | `list/` | lists of objects and versions; `next` returns the request for the next page |
//! | `multipart/` | multipart uploads |
//! | `raw` | [`Raw`], for operations without a type here |
//!
//! `operation` has the parameters that operations share, and the macro that declares an operation.

pub mod endpoint;

mod bucket;
mod commit_check;
mod config;
mod error;
mod error_text;
mod hints;
mod list;
mod multipart;
mod negotiation;
mod object;
mod operation;
mod paged;
mod raw;
mod read;
mod request;
mod service;
mod types;

pub use self::bucket::*;
pub(crate) use self::commit_check::{Evidence, is_md5, multipart_etag};
pub use self::config::{Config, PayloadSigning};
#[cfg(feature = "credentials")]
pub(crate) use self::endpoint::dns_suffix;
pub use self::endpoint::{Addressing, BaseUrl, EndpointConfig};
pub(crate) use self::error::{code as error_code, server_time, success};
pub(crate) use self::hints::TOO_LARGE;
pub use self::list::*;
pub use self::multipart::*;
pub use self::object::*;
pub use self::paged::Version;
pub use self::raw::{Raw, RawOutput};
pub use self::request::ChecksumOptions;
pub use self::service::Service;
pub use self::types::*;
pub use crate::http::ETag;
