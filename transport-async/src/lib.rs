//! Runs apus-core's machines on hyper and tokio.
//!
//! [`Transport`] owns connections and performs exchanges; [`Client`] joins one to a service and to who
//! we are, and calls operations and runs machines. Bytes come from a [`Source`] and go to a [`Sink`].
//! Nothing in here knows S3 or Swift: what is sent, when, and what an answer means is the core's.
//!
//! ```text
//!   Client ── run: turn / complete ──▶ Pump, in the core
//!                 │ Exchange
//!                 ▼
//!             exchange ──▶ link (one HTTP/1.1 connection) ──▶ wire (TCP, TLS)
//!              ▲    │        ▲
//!       Source ┘    └▶ Sink  └ pool
//! ```
//!
//! What a call costs beside hyper itself is kept small: a machine that has one exchange in flight at
//! a time is driven in the caller's own task, connection included, and its body is not copied.

mod cancel;
mod client;
mod config;
mod connect;
mod ends;
mod exchange;
mod file;
mod link;
mod passes;
mod pipe;
mod pool;
mod proxy;
mod reader;
mod run;
mod sending;
mod sink;
mod source;
mod spool;
#[cfg(feature = "store")]
mod stores;
mod turnstile;
mod wire;

pub use self::cancel::CancelToken;
pub use self::client::{Client, Run, Transport};
pub use self::config::TransportConfig;
pub use self::reader::Reader;
pub use self::sink::Sink;
pub use self::source::Source;
#[cfg(feature = "store")]
pub use self::stores::Stores;
pub use apus_core::proxy::{Proxies, Proxy};
#[cfg(feature = "credentials")]
pub use apus_host::credentials;
#[cfg(feature = "clouds")]
pub use apus_host::openstack;
