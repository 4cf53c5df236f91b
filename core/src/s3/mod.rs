//! Amazon S3 and what speaks its protocol: endpoints, operations, errors.
//!
//! ```text
//!  Config ──▶ Service ─┐                          ┌──▶ Output
//!                      ├── draft ─▶ … ─▶ parse ───┤
//!  GetObject { .. } ───┘                          └──▶ Error
//! ```
//!
//! An operation is plain data named as the S3 API reference names it, with the members of that
//! page; optional ones are `Option`s or empty. It knows how to draft its request for a [`Service`]
//! and how to read the answer, and holds no state.
//!
//! | file | operations |
//! | --- | --- |
//! | `bucket/` | buckets and their configurations: get, put and delete of one share a file |
//! | `object/` | objects, their tags, attributes and locks |
//! | `list/` | lists of objects and versions, which page with `next` |
//! | `multipart/` | uploads in parts |
//! | `raw` | [`Raw`], the way out for what is not modelled |
//!
//! `operation` has the members that operations share, and the macro that declares an operation.

pub mod endpoint;

mod bucket;
mod config;
mod error;
mod evidence;
mod list;
mod multipart;
mod object;
mod operation;
mod raw;
mod read;
mod request;
mod service;
mod types;

pub use self::bucket::*;
pub use self::config::{Config, PayloadSigning};
#[cfg(feature = "credentials")]
pub(crate) use self::endpoint::dns_suffix;
pub use self::endpoint::{Addressing, BaseUrl, EndpointConfig};
pub(crate) use self::error::{code as error_code, success};
pub(crate) use self::evidence::{Evidence, multipart_etag};
pub use self::list::*;
pub use self::multipart::*;
pub use self::object::*;
pub use self::raw::{Raw, RawOutput};
pub use self::request::ChecksumOptions;
pub use self::service::Service;
pub use self::types::*;
pub use crate::http::ETag;
