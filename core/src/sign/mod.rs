//! AWS Signature Version 4: authenticates a request by an HMAC over its canonical form.
//!
//! ```text
//! Keys ──► KeyCache ──► Signing ─┬─ sign ────────► headers with `authorization` (its Signature
//!          one HMAC     one      │                 is the seed of a ChunkSigner)
//!          state a day  request  ├─ presign ─────► a presigned URL
//!                                └─ PostPolicy ──► the fields of an HTML form
//!
//! method, target, headers, payload ──canonical──► SHA-256 ──string to sign──► HMAC ──► Signature
//! ```
//!
//! A [`Signing`] is owned and `Send`. It is created when a request is planned, at almost no cost,
//! and used by the worker that sends the request. Everything is signed exactly as it is sent;
//! headers that proxies and HTTP stacks add or change are not signed.
//!
//! The documents followed are "AWS Signature Version 4 for API requests" of the IAM user guide and
//! "Authenticating Requests (AWS Signature Version 4)" of the Amazon S3 API reference.

mod canonical;
mod chunked;
#[cfg(test)]
mod examples;
mod header;
mod key;
mod key_cache;
mod post_policy;
mod presign;
mod signature;
mod v4;

pub use self::canonical::Rule;
pub use self::chunked::ChunkSigner;
pub use self::key::Keys;
pub use self::key_cache::KeyCache;
pub use self::post_policy::{Condition, PostForm, PostPolicy};
pub use self::presign::{Presign, Presigned};
pub use self::signature::Signature;
pub use self::v4::{Payload, Signing};
