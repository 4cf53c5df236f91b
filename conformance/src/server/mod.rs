//! Servers for tests: those of [`apus_testing`], and two that want a runtime.
//!
//! | server | what it is | for |
//! | --- | --- | --- |
//! | [`EmbeddedS3`] | s3s-fs: checks every signature and checksum | does a real server take it |
//! | [`ScriptedProxy`] | an HTTP proxy that wants a password and logs | what passes through a proxy |
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
