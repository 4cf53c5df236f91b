//! Servers for tests: each runs inside the process, on a loopback port of its own.
//!
//! | server | what it is | for |
//! | --- | --- | --- |
//! | [`EmbeddedS3`] | s3s-fs: checks every signature and checksum | does a real server take it |
//! | [`Scripted`] | says exactly what it is told, records exactly what it got | faults of the wire |
//! | [`FaultyS3`] | [`S3Model`] behind a [`Scripted`] | machines, and what they leave behind |
//! | [`EmbeddedOpenStack`] | [`OpenStackModel`] behind two [`Scripted`] | sessions, and all of Swift |
//! | [`ScriptedProxy`] | an HTTP proxy that wants a password and logs | what passes through a proxy |
//!
//! ```text
//!   EmbeddedS3 ── hyper ── s3s-fs ── a temporary folder
//!
//!   Scripted ──── wire ──┬── a closure, or a list of `Reply`s
//!                        └── S3Model + Plan of faults        = FaultyS3
//! ```
//!
//! [`S3Model`] and [`OpenStackModel`] are pure: a simulator calls them without any socket, and meets
//! the very same answers and faults. All servers stop when dropped.

mod dates;
mod digest;
mod embedded;
mod faulty;
mod message;
mod openstack;
mod plan;
mod proxy;
mod s3_model;
mod scripted;
mod tls;
mod wire;

pub use self::embedded::{EmbeddedS3, Options};
pub use self::faulty::FaultyS3;
pub use self::message::{Cut, Ending, Framing, Intake, Pace, Reply, Request};
pub use self::openstack::{
    Account, Admission, ApplicationCredential, Container, EmbeddedOpenStack, Gate, Lag, Limits,
    Login, OpenStackModel, OpenStackOperation, Segment, SwiftObject, Token, Trust, User,
};
pub use self::plan::{Fault, Operation, Plan};
pub use self::proxy::{Passed, ScriptedProxy};
pub use self::s3_model::{
    Checksum, ChecksumType, CompleteEtag, Manners, Object, OpenUpload, S3Model,
};
pub use self::scripted::{AtHead, Script, Scripted};
pub use self::tls::Identity;

/// Takes percent-encoding off a path; none where it is no UTF-8.
pub(crate) fn unescape(path: &str) -> Option<String> {
    message::decode(path, false)
}
