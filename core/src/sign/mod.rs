//! AWS Signature Version 4: who sends a request, proven by an HMAC over its canonical form.
//!
//! ```text
//! Keys ──► KeyCache ──► Signing ─┬─ sign ────────► headers with `authorization` (its Signature
//!          one HMAC     one      │                 is the seed of a ChunkSigner)
//!          state a day  request  ├─ presign ─────► a URL that carries its own proof
//!                                └─ PostPolicy ──► the fields of an HTML form
//!
//! method, target, headers, payload ──canonical──► SHA-256 ──string to sign──► HMAC ──► Signature
//! ```
//!
//! A [`Signing`] is owned and `Send`: it is made when a request is planned, for next to nothing,
//! and used by the worker that sends it. Everything is signed exactly as it goes on the wire; what
//! proxies and HTTP stacks add or change on the way is not signed at all.
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
