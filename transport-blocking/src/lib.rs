//! Runs apus-core's machines over blocking HTTP: ureq 3 and, for https, rustls with ring.
//!
//! A [`Client`] has a verb for each thing to do with an operation or a machine; a [`Source`] is where
//! bodies come from, a [`Sink`] where answers go, a [`Transport`] the connections. Nothing in here
//! knows S3 or Swift.
//!
//! Nothing is read from the environment, no redirect is followed, nothing is repeated or unpacked
//! behind the machines' back.
//!
//! # What ureq decides
//!
//! - A request's body is sent to its end before the answer is read. An early refusal is seen where
//!   the body waits for `100 Continue`
//!   ([`expect_continue_above`](TransportConfig::expect_continue_above)), or else after the body; a
//!   server that closes instead of reading on makes it a lost connection.
//! - ureq's cargo features are those of the whole program: with `gzip`, `brotli` or `charset` switched
//!   on by another crate, it unpacks answers whose `Content-Encoding` or charset says so, objects that
//!   were stored so among them.

mod cancel;
mod client;
mod clock;
mod config;
mod exchange;
mod failure;
mod meter;
mod outflow;
mod reader;
mod run;
mod sink;
mod source;
mod spool;
#[cfg(feature = "tls")]
mod tls;
mod trace;

pub use self::cancel::CancelToken;
pub use self::client::Client;
pub use self::clock::now;
pub use self::config::TransportConfig;
pub use self::exchange::Transport;
pub use self::reader::Reader;
pub use self::run::Run;
pub use self::sink::Sink;
pub use self::source::Source;
