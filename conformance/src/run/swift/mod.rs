//! `swift-request` and `swift-response`, `swift-tempurl`, `swift-manifest`: operations of Swift and
//! what is read from their answers, signed URLs, and what large objects are made of.
//!
//! What is compared loosely, and why: the values of a query are compared decoded, since servers
//! decode them; JSON bodies as JSON, and then not their lengths. What we send beyond the recorded
//! client does not count: `Accept: application/json`, with which reports come as JSON, and the token
//! of `/info`, which needs none.

mod manifest;
mod operation;
mod query;
mod request;
mod response;
mod temp_url;

pub(super) use self::manifest::manifest;
pub(super) use self::request::request;
pub(super) use self::response::response;
pub(super) use self::temp_url::temp_url;
