//! Runs apus-core's machines over blocking HTTP: ureq 3 and, for https, rustls with ring.
//!
//! A [`Client`] has methods that call an operation or run a machine. A [`Source`] is where the
//! bytes of a request come from, a [`Sink`] where those of a response go; a [`Transport`] performs
//! exchanges and keeps connections. This crate knows neither S3 nor Swift.
//!
//! ```no_run
//! use std::fs::File;
//! use std::sync::Arc;
//!
//! use apus_blocking::{Client, Sink, Transport, TransportConfig};
//! use apus_core::credentials::Credentials;
//! use apus_core::machine::{
//!     Download, DownloadOptions, Auth, Upload, UploadOptions, UploadSource,
//! };
//! use apus_core::s3::{Config, EndpointConfig, GetObject, Service};
//! use apus_core::sign::Keys;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = Service::new(Config::new(EndpointConfig::aws("eu-central-1")))?;
//! let keys = Keys::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
//! let transport = Transport::new(TransportConfig::new())?;
//! let client = Client::with_transport(transport, service, Auth::new(Credentials::new(keys)));
//!
//! let image = File::open("image.qcow2")?;
//! let source = UploadSource::Seekable(image.metadata()?.len());
//! let (options, service) = (UploadOptions::default(), Arc::clone(client.service()));
//! let upload = Upload::new("images", "debian", source, options, service, client.seed())?;
//! client.run(upload).body(image).send()?;
//!
//! let mut copy = Vec::new();
//! let (get, service) = (GetObject::new("images", "debian"), Arc::clone(client.service()));
//! let download = Download::new(get, service, DownloadOptions::default(), client.seed());
//! client.run(download).write_to(Sink::writer(&mut copy)).send()?;
//! # Ok(())
//! # }
//! ```
//!
//! Nothing is read from the environment unless a function is called that says so. The transport
//! follows no redirect, repeats no request and decodes no body: that is for the machines.
//!
//! # What ureq decides
//!
//! - A request's body is sent to its end before the response is read. An early refusal is seen
//!   where the body waits for `100 Continue`
//!   ([`expect_continue_above`](TransportConfig::expect_continue_above)), or else after the body.
//!   If a server closes the connection instead of reading the rest of the body, the error is a lost
//!   connection.
//! - The operating system resolves the host name for every request, with the cache that it has.
//! - ureq, which logs heads at the level `TRACE`, sees neither the heads of requests nor responses:
//!   they bypass it, and its cargo features (`gzip`, `brotli`, `charset`) do not change them.

mod answer;
mod body_reader;
mod body_writer;
mod builder;
mod cancel;
mod client;
mod config;
mod connecting;
mod exchange;
mod failure;
mod meter;
mod pages;
mod passes;
mod proxy;
mod reader;
mod request_head;
mod run;
mod sink;
mod source;
mod spool;
#[cfg(feature = "store")]
mod stores;
mod substitute;
#[cfg(feature = "tls")]
mod tls_stream;
mod trace;

pub use self::builder::ClientBuilder;
pub use self::cancel::CancelToken;
pub use self::client::Client;
pub use self::config::TransportConfig;
pub use self::exchange::Transport;
pub use self::pages::{Items, PageIter};
pub use self::reader::Reader;
pub use self::run::Run;
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
pub use apus_host::clock::now;
#[cfg(feature = "credentials")]
pub use apus_host::credentials;
pub use apus_host::files::create_parents;
#[cfg(feature = "clouds")]
pub use apus_host::openstack;
pub use bytes::Bytes;
pub use http;
