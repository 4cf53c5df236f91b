//! Who signs S3 requests.
//!
//! [`Credentials`] is the [`Authority`](crate::contract::Authority) of an S3 client: it signs with the
//! keys it was given, with keys that are renewed in time, or not at all, and keeps the offset between
//! the server's clock and ours, which all machines that go under it share.

mod authority;
mod renewal;
mod skew;

pub use self::authority::Credentials;
pub use self::renewal::{ExpiringKeys, KeySource, KeyStep, RenewalOptions};
