//! `swift-request` and `swift-response`, `swift-tempurl`, `swift-manifest`: operations of Swift and
//! their outputs, signed URLs, and the manifests of large objects.
//!
//! The values of a query are compared decoded, since servers decode them. JSON bodies are compared
//! as JSON, and then their lengths are not. What we send beyond the recorded client is not
//! compared: `Accept: application/json`, with which reports are JSON, and the token of `/info`,
//! which needs no token.

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
