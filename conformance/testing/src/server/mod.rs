//! Servers for tests: each runs inside the process, on a loopback port of its own.
//!
//! | server | what it is | for |
//! | --- | --- | --- |
//! | [`Scripted`] | sends what its script says, records what it received | faults of connections |
//! | [`FaultyS3`] | [`S3Model`] behind a [`Scripted`] | machines, and what they leave |
//! | [`EmbeddedOpenStack`] | [`OpenStackModel`] behind two [`Scripted`] | sessions, and all of Swift |
//!
//! ```text
//!   Scripted ──── wire ──┬── a closure, or a list of `Reply`s
//!                        └── S3Model + Plan of faults        = FaultyS3
//! ```
//!
//! [`S3Model`] and [`OpenStackModel`] are pure: the simulator calls them without a socket, and gets
//! the same responses and faults. All servers stop when dropped.

mod dates;
mod digest;
mod faulty;
mod message;
mod openstack;
mod plan;
mod s3_model;
mod scripted;
mod tls;
mod wire;

pub use self::faulty::FaultyS3;
pub use self::message::{BodyReading, Cut, Ending, Framing, Pace, Reply, Request};
pub use self::openstack::{
    Account, Admission, ApplicationCredential, Container, EmbeddedOpenStack, HeadOutcome, Lag,
    Limits, Login, OpenStackModel, OpenStackOperation, Segment, SwiftObject, Token, Trust, User,
};
pub use self::plan::{Fault, Operation, Plan};
pub use self::s3_model::{
    Checksum, ChecksumType, CompleteEtag, Manners, Object, OpenUpload, S3Model,
};
pub use self::scripted::{AtHead, Script, Scripted};
pub use self::tls::Identity;

/// Decodes the percent-encoding of a path; returns `None` where the result is no UTF-8.
pub(crate) fn unescape(path: &str) -> Option<String> {
    message::decode(path, false)
}
