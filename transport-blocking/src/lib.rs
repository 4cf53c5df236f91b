//! Runs apus-core's machines over blocking HTTP: ureq 3 and, for https, rustls.
//!
//! A [`Client`] has methods that call an operation or run a task: an upload, a download. A
//! [`Source`] is where the bytes of a request come from, a [`Sink`] where those of a response go; a
//! [`Transport`] performs exchanges and keeps connections. This crate knows neither S3 nor Swift:
//! it re-exports the modules [`s3`], [`swift`] and [`keystone`] of the core, and its [`guide`].
//!
//! # Cookbook
//!
//! Make a client:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use apus_blocking::{Client, Keys, RetryPolicy, TransportConfig, s3};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = s3::Service::custom("https://s3.example.com", "us-east-1")?;
//! let client = Client::new(service, Keys::new("ACCESS_KEY", "SECRET_KEY"))?;
//!
//! // Region, endpoint, profile and keys as the AWS SDKs find them:
//! let client: Client<s3::Service> = Client::from_env()?;
//!
//! // With a proxy, and fewer attempts:
//! let service = s3::Service::aws("eu-central-1")?;
//! let client = Client::builder(service, Keys::new("ACCESS_KEY", "SECRET_KEY"))
//!     .transport_config(TransportConfig::new().proxy_from_environment()?)
//!     .retry_policy(RetryPolicy { attempts: 2, ..RetryPolicy::default() })
//!     .build()?;
//! # Ok(())
//! # }
//! ```
//!
//! Store and read small objects:
//!
//! ```no_run
//! # use apus_blocking::{Client, s3};
//! use apus_blocking::s3::{GetObject, PutObject};
//!
//! # fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! client.call(PutObject::new("bucket", "key", "hello"))?;
//! let body = client.call(GetObject::new("bucket", "key"))?.body;
//! # Ok(())
//! # }
//! ```
//!
//! Upload a file, and a stream of unknown length:
//!
//! ```no_run
//! # use apus_blocking::{Client, s3};
//! use std::fs::File;
//!
//! use apus_blocking::s3::Upload;
//!
//! # fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! client.run(Upload::new("bucket", "key")).body(File::open("disk.img")?).send()?;
//! let upload = Upload::new("bucket", "key").content_type("image/qcow2").metadata("os", "debian");
//! client.run(upload).body(std::io::stdin()).send()?;
//! # Ok(())
//! # }
//! ```
//!
//! Download to a file, which is written completely or not at all; or learn the size first:
//!
//! ```no_run
//! # use apus_blocking::{Client, s3};
//! use apus_blocking::s3::Download;
//!
//! # fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! let done = client.run(Download::new("bucket", "key")).to_path("copy.img")?.send()?;
//! println!("{} bytes, {}", done.bytes, done.validation);
//!
//! let (head, reader) = client.run(Download::new("bucket", "key")).open()?;
//! println!("{:?} bytes of {:?}", head.size, head.content_type);
//! // `reader` is a `std::io::Read`.
//! # Ok(())
//! # }
//! ```
//!
//! List, delete, copy:
//!
//! ```no_run
//! # use apus_blocking::{Client, s3};
//! use apus_blocking::s3::{DeleteMany, ListObjectsV2, ServerCopy};
//!
//! # fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! for object in client.items(ListObjectsV2::new("bucket").prefix("logs/")) {
//!     println!("{}", object?.key);
//! }
//! client.run(DeleteMany::prefix("bucket", "logs/")).send()?;
//! client.run(ServerCopy::new(("bucket", "key"), ("backup", "key"))).send()?;
//! # Ok(())
//! # }
//! ```
//!
//! Send the parts of a multipart upload yourself, in any order; dropped before its end, it is
//! aborted:
//!
//! ```no_run
//! # use apus_blocking::{Client, s3};
//! use apus_blocking::s3::CreateMultipartUpload;
//!
//! # fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! let upload = client.start(CreateMultipartUpload::new("bucket", "key"))?;
//! client.run(upload.part(2)).body("the last part").send()?;
//! client.run(upload.part(1)).body(vec![0; 5 << 20]).send()?;
//! client.run(upload.complete()).send()?;
//! # Ok(())
//! # }
//! ```
//!
//! Presign a URL, and end in good order:
//!
//! ```no_run
//! # use apus_blocking::{Client, s3};
//! use std::time::Duration;
//!
//! use apus_blocking::s3::GetObject;
//!
//! # fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! let get = GetObject::new("bucket", "key");
//! println!("{}", client.presign(get, Duration::from_secs(3600))?.url);
//! for leftover in client.shutdown(Duration::from_secs(10)) {
//!     eprintln!("left on the server: {leftover}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Swift, the same way:
//!
//! ```no_run
//! # #[cfg(feature = "swift")]
//! # mod example {
//! use std::fs::File;
//! use std::time::Duration;
//!
//! use apus_blocking::keystone::{Domain, Scope, Session, User};
//! use apus_blocking::{Client, swift};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let user = User::named("backup", Domain::default_id());
//! let scope = Scope::project_named("service", Domain::default_id());
//! let session = Session::password("https://keystone.example.com/v3", user, "PASSWORD", scope)?;
//! let client = Client::new(swift::Service::default(), session)?;
//! client.run(swift::Upload::new("images", "debian")).body(File::open("debian.img")?).send()?;
//! let get = swift::GetObject::new("images", "debian");
//! let temporary = client.presign(get, Duration::from_secs(3600))?.url;
//! # let _ = temporary;
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! Nothing is read from the environment unless a function is called that says so. The transport
//! follows no redirect, repeats no request and decodes no body: that is for the machines.
//!
//! Set what the transport does:
//!
//! ```no_run
//! # #[cfg(feature = "tls")]
//! # mod example {
//! use std::fs;
//! use std::time::Duration;
//!
//! use apus_blocking::{Proxy, TransportConfig};
//!
//! # fn example() -> Result<TransportConfig, Box<dyn std::error::Error>> {
//! let config = TransportConfig::new()
//!     .proxy(Proxy::new("http://proxy.example.com:3128")?)
//!     .user_agent("backup/1.0")
//!     .idle_connections(8)
//!     .idle_connection_timeout(Duration::from_secs(30))
//!     .expect_continue_above(Some(1 << 20))
//!     .in_memory_part_limit(16 << 20);
//! // Trust these certificates instead of Mozilla's, and show our own:
//! let config = config
//!     .ca_bundle(&fs::read("ca.pem")?)?
//!     .client_certificate(&fs::read("client.pem")?, &fs::read("client.key")?)?;
//! # Ok(config)
//! # }
//! # }
//! ```
//!
//! Limit, watch and cancel:
//!
//! ```no_run
//! # use apus_blocking::{Client, s3};
//! use std::fs::File;
//! use std::sync::Arc;
//!
//! use apus_blocking::s3::Upload;
//! use apus_blocking::{CancelToken, Event, Now, Observer, RateLimits};
//!
//! struct Print;
//!
//! impl Observer for Print {
//!     fn event(&self, _: Now, event: &Event<'_>) {
//!         eprintln!("{event:?}");
//!     }
//! }
//!
//! # fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! let client = client.with_rate_limits(RateLimits::new(16)).with_observer(Arc::new(Print));
//! let token = CancelToken::new();
//! // Elsewhere, when a user gives up: `token.cancel()`.
//! let run = client.run(Upload::new("bucket", "key")).body(File::open("disk.img")?);
//! match run.cancel_on(token.clone()).send() {
//!     Err(error) if error.is_cancelled() => println!("nothing is left on the server"),
//!     result => println!("{}", result?.size),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Other sources and sinks:
//!
//! ```no_run
//! # use apus_blocking::{Client, s3};
//! use apus_blocking::checksum::{Algorithm, Hashers};
//! use apus_blocking::s3::{Download, Upload};
//! use apus_blocking::{Bytes, Sink, Source};
//!
//! # fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! // Several pieces without a copy, and the digest of what was sent:
//! let pieces = Source::pieces([Bytes::from("one"), Bytes::from("two")]);
//! let source = pieces.tap(Hashers::new([Algorithm::Sha256])?);
//! client.run(Upload::new("bucket", "key")).body(source.clone()).send()?;
//! println!("{:?}", source.digests());
//! // A reader of known length, in one request:
//! client.run(Upload::new("bucket", "log")).body(Source::reader(std::io::stdin(), 1000)).send()?;
//! // Into a writer; into memory; only to validate it:
//! client.run(Download::new("bucket", "key")).write_to(Sink::writer(std::io::stdout())).send()?;
//! let memory = Sink::memory();
//! client.run(Download::new("bucket", "key")).write_to(memory.clone()).send()?;
//! println!("{} bytes", memory.take().len());
//! client.run(Download::new("bucket", "key")).write_to(Sink::discard()).send()?;
//! # Ok(())
//! # }
//! ```
//!
//! The images of an image service:
//!
//! ```no_run
//! # #[cfg(feature = "store")]
//! # mod example {
//! use apus_blocking::Stores;
//! use apus_blocking::store::{Get, StoredImage};
//!
//! # fn example(stores: Stores) -> Result<(), Box<dyn std::error::Error>> {
//! let image = StoredImage::new("s3+https://s3.example.com/images/0e0b3f0c", Some("fast"));
//! if stores.exists(&image)?.outcome {
//!     println!("{} bytes", stores.size(&image)?.outcome);
//!     let got = stores.get(&image, &Get::default(), apus_blocking::Sink::path("copy.img")?)?;
//!     println!("{}", got.outcome.validation);
//!     stores.delete(&image)?;
//! }
//! # Ok(())
//! # }
//! # }
//! ```
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
mod buffers;
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
mod pipe;
mod proxy;
mod reader;
mod request_head;
mod run;
mod sink;
mod source;
mod spare;
mod spool;
#[cfg(feature = "store")]
mod stores;
mod substitute;
mod tcp;
#[cfg(feature = "tls")]
mod tls_stream;

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
pub use apus_core;
pub use apus_core::api::s3;
#[cfg(feature = "swift")]
pub use apus_core::api::swift;
pub use apus_core::checksum::{self, Hashers};
#[cfg(feature = "content-type")]
pub use apus_core::content_type;
pub use apus_core::contract::{OnFailure, Started};
pub use apus_core::credentials::Credentials;
pub use apus_core::error::Leftover;
pub use apus_core::guide;
pub use apus_core::http::{Body, ByteRange, Conditions, ETag, Timeouts};
#[cfg(feature = "key-paths")]
pub use apus_core::key_path::{self, KeyPaths};
#[cfg(feature = "swift")]
pub use apus_core::keystone;
pub use apus_core::machine::{Auth, CleanUps, Event, Observer, RateLimits};
pub use apus_core::proxy::{Proxies, Proxy};
pub use apus_core::retry::RetryPolicy;
pub use apus_core::sign::Keys;
pub use apus_core::{Error, Kind, Now, Secret, Timestamp};
#[cfg(feature = "store")]
pub use apus_core::{location, store};
pub use apus_host::clock::now;
#[cfg(feature = "credentials")]
pub use apus_host::credentials;
pub use apus_host::files::create_parents;
#[cfg(feature = "clouds")]
pub use apus_host::openstack;
pub use bytes::Bytes;
pub use http;
