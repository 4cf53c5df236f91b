//! Runs apus-core's machines on hyper and tokio.
//!
//! A [`Client`] has methods that call an operation or run a machine. A [`Source`] is where the
//! bytes of a request come from, a [`Sink`] where those of a response go; a [`Transport`] performs
//! exchanges and keeps connections. This crate knows neither S3 nor Swift: the core decides what is
//! sent and when, and what a response means.
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
//! Nothing is read from the environment unless a function is called that says so. The transport
//! follows no redirect, repeats no request and decodes no body: that is for the machines.
//!
//! A machine that has one exchange in flight at a time runs in the caller's own task, including its
//! connection, and its body is not copied; so a call costs little more than hyper itself.

mod builder;
mod cancel;
mod client;
mod config;
mod connect;
mod ends;
mod exchange;
mod file;
mod http_connection;
mod incoming;
mod ordered_writer;
mod pages;
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
mod stream;

pub use self::builder::ClientBuilder;
pub use self::cancel::CancelToken;
pub use self::client::{Client, Run, Transport};
pub use self::config::TransportConfig;
pub use self::pages::{Items, PageStream};
pub use self::reader::Reader;
pub use self::sink::Sink;
pub use self::source::Source;
#[cfg(feature = "store")]
pub use self::stores::Stores;
pub use apus_core::api::s3;
#[cfg(feature = "swift")]
pub use apus_core::api::swift;
pub use apus_core::checksum::Hashers;
pub use apus_core::credentials::Credentials;
pub use apus_core::http::Timeouts;
#[cfg(feature = "swift")]
pub use apus_core::keystone;
pub use apus_core::machine::{Auth, Event, Observer, RateLimits};
pub use apus_core::proxy::{Proxies, Proxy};
pub use apus_core::retry::RetryPolicy;
pub use apus_core::sign::Keys;
pub use apus_core::{Error, Kind, Secret};
#[cfg(feature = "credentials")]
pub use apus_host::credentials;
pub use apus_host::files::create_parents;
#[cfg(feature = "clouds")]
pub use apus_host::openstack;
pub use bytes::Bytes;
pub use http;
