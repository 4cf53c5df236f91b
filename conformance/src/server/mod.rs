//! Servers for tests that need a runtime, beside those of [`apus_testing`].
//!
//! | server | what it is | for |
//! | --- | --- | --- |
//! | [`EmbeddedS3`] | s3s-fs: checks every signature and checksum | what a real server accepts |
//! | [`ScriptedProxy`] | an HTTP proxy that requires a password and logs | requests through a proxy |
//!
//! ```text
//!   EmbeddedS3 ── hyper ── s3s-fs ── a temporary folder
//! ```
//!
//! All servers stop when dropped.

mod embedded;
mod proxy;

pub use apus_testing::server::*;

pub use self::embedded::{EmbeddedS3, Options};
pub use self::proxy::{Passed, ScriptedProxy};
