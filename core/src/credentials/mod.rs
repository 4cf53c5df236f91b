//! Signing of S3 requests: keys, where they come from, and their renewal.
//!
//! [`Credentials`] is the authenticator ([`Authenticator`](crate::contract::Authenticator)) of an S3
//! client. It signs with fixed keys, with keys that it renews before they expire, or not at all. It
//! also keeps the offset between the server's clock and ours, which all machines that use it share.

//!
//! ```text
//!  config, credentials ── AwsConfig ──┐
//!                                     ├─ Resolver ─▶ Source ─▶ Provider ─▶ Credentials
//!  AWS_… ──────────────── Environment ┘                        └ Lookup: the caller reads files
//!                                                                and runs processes
//! ```

mod authenticator;
#[cfg(feature = "credentials")]
mod config;
#[cfg(feature = "credentials")]
mod document;
#[cfg(feature = "credentials")]
mod environment;
#[cfg(feature = "credentials")]
mod ini;
#[cfg(feature = "credentials")]
mod metadata;
#[cfg(feature = "credentials")]
mod named;
#[cfg(feature = "credentials")]
mod places;
#[cfg(feature = "credentials")]
mod provider;
mod renewal;
#[cfg(feature = "credentials")]
mod resolve;
mod skew;
#[cfg(feature = "credentials")]
mod source;
#[cfg(feature = "credentials")]
mod sso;
#[cfg(feature = "credentials")]
mod sts;
#[cfg(feature = "credentials")]
mod words;

pub use self::authenticator::Credentials;
pub use self::renewal::{ExpiringKeys, KeySource, KeyStep, RenewalOptions};
#[cfg(feature = "credentials")]
pub use self::{
    config::{AwsConfig, Profile, S3Settings},
    environment::Environment,
    ini::AwsConfigError,
    named::CredentialSource,
    provider::{Lookup, NoLookup, Provider},
    resolve::Resolver,
    source::{
        AssumeRole, Authorization, Container, Instance, Process, Source, Sso, Sts, WebIdentity,
    },
    words::split as split_words,
};
