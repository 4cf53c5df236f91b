//! Runs apus-core's machines on hyper and tokio.
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
//! use apus_async::{Client, Keys, RetryPolicy, TransportConfig, s3};
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
//! # use apus_async::{Client, s3};
//! use apus_async::s3::{GetObject, PutObject};
//!
//! # async fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! client.call(PutObject::new("bucket", "key", "hello")).await?;
//! let body = client.call(GetObject::new("bucket", "key")).await?.body;
//! # Ok(())
//! # }
//! ```
//!
//! Upload a file, and a stream of unknown length:
//!
//! ```no_run
//! # use apus_async::{Client, s3};
//! use std::fs::File;
//!
//! use apus_async::s3::Upload;
//!
//! # async fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! client.run(Upload::new("bucket", "key")).body(File::open("disk.img")?).send().await?;
//! let upload = Upload::new("bucket", "key").content_type("image/qcow2").metadata("os", "debian");
//! client.run(upload).body(tokio::io::stdin()).send().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Download to a file, which is written completely or not at all; or learn the size first:
//!
//! ```no_run
//! # use apus_async::{Client, s3};
//! use apus_async::s3::Download;
//!
//! # async fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! let done = client.run(Download::new("bucket", "key")).to_path("copy.img")?.send().await?;
//! println!("{} bytes, {}", done.bytes, done.validation);
//!
//! let (head, reader) = client.run(Download::new("bucket", "key")).open().await?;
//! println!("{:?} bytes of {:?}", head.size, head.content_type);
//! // `reader` is a `Stream` of `Bytes` and an `AsyncRead`.
//! # Ok(())
//! # }
//! ```
//!
//! List, delete, copy:
//!
//! ```no_run
//! # use apus_async::{Client, s3};
//! use apus_async::s3::{DeleteMany, ListObjectsV2, ServerCopy};
//!
//! # async fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! let mut objects = client.items(ListObjectsV2::new("bucket").prefix("logs/"));
//! while let Some(object) = objects.next().await {
//!     println!("{}", object?.key);
//! }
//! client.run(DeleteMany::prefix("bucket", "logs/")).send().await?;
//! client.run(ServerCopy::new(("bucket", "key"), ("backup", "key"))).send().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Send the parts of a multipart upload yourself, in any order; dropped before its end, it is
//! aborted:
//!
//! ```no_run
//! # use apus_async::{Client, s3};
//! use apus_async::s3::CreateMultipartUpload;
//!
//! # async fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! let upload = client.start(CreateMultipartUpload::new("bucket", "key")).await?;
//! client.run(upload.part(2)).body("the last part").send().await?;
//! client.run(upload.part(1)).body(vec![0; 5 << 20]).send().await?;
//! client.run(upload.complete()).send().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Presign a URL, and end in good order:
//!
//! ```no_run
//! # use apus_async::{Client, s3};
//! use std::time::Duration;
//!
//! use apus_async::s3::GetObject;
//!
//! # async fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! let get = GetObject::new("bucket", "key");
//! println!("{}", client.presign(get, Duration::from_secs(3600)).await?.url);
//! for leftover in client.shutdown(Duration::from_secs(10)).await {
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
//! use apus_async::keystone::{Domain, Scope, Session, User};
//! use apus_async::{Client, swift};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let user = User::named("backup", Domain::default_id());
//! let scope = Scope::project_named("service", Domain::default_id());
//! let session = Session::password("https://keystone.example.com/v3", user, "PASSWORD", scope)?;
//! let client = Client::new(swift::Service::default(), session)?;
//! client.run(swift::Upload::new("images", "debian")).body(File::open("debian.img")?).send().await?;
//! let get = swift::GetObject::new("images", "debian");
//! let temporary = client.presign(get, Duration::from_secs(3600)).await?.url;
//! # let _ = temporary;
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! Open a store for DataFusion, Polars, Lance or parquet by a URL, with the crate
//! `apus-object-store`:
//!
//! ```ignore
//! let url = url::Url::parse("swift+https://keystone.example.com/v3/lake/tables")?;
//! let (store, path) = apus_object_store::v0_14::parse_url_opts(&url, std::env::vars())?;
//! let read = store.get(&path.join("part-0.parquet")).await?.bytes().await?;
//! ```
//!
//! Set what the transport does:
//!
//! ```no_run
//! # #[cfg(feature = "tls")]
//! # mod example {
//! use std::fs;
//! use std::time::Duration;
//!
//! use apus_async::{Proxy, TransportConfig};
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
//! # use apus_async::{Client, s3};
//! use std::fs::File;
//! use std::sync::Arc;
//!
//! use apus_async::s3::Upload;
//! use apus_async::{CancelToken, Event, Now, Observer, RateLimits};
//!
//! struct Print;
//!
//! impl Observer for Print {
//!     fn event(&self, _: Now, event: &Event<'_>) {
//!         eprintln!("{event:?}");
//!     }
//! }
//!
//! # async fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! let client = client.with_rate_limits(RateLimits::new(16)).with_observer(Arc::new(Print));
//! let token = CancelToken::new();
//! // Elsewhere, when a user gives up: `token.cancel()`.
//! let run = client.run(Upload::new("bucket", "key")).body(File::open("disk.img")?);
//! match run.cancel_on(token.clone()).send().await {
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
//! # use apus_async::{Client, s3};
//! use apus_async::checksum::{Algorithm, Hashers};
//! use apus_async::s3::{Download, Upload};
//! use apus_async::{Bytes, Sink, Source};
//!
//! # async fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
//! // Several pieces without a copy, and the digest of what was sent:
//! let pieces = Source::pieces([Bytes::from("one"), Bytes::from("two")]);
//! let source = pieces.tap(Hashers::new([Algorithm::Sha256])?);
//! client.run(Upload::new("bucket", "key")).body(source.clone()).send().await?;
//! println!("{:?}", source.digests());
//! // A reader of known length, in one request:
//! client.run(Upload::new("bucket", "log")).body(Source::reader(tokio::io::stdin(), 1000)).send().await?;
//! // Into a writer; into memory; only to validate it:
//! client.run(Download::new("bucket", "key")).write_to(Sink::writer(tokio::io::stdout())).send().await?;
//! let memory = Sink::memory();
//! client.run(Download::new("bucket", "key")).write_to(memory.clone()).send().await?;
//! println!("{} bytes", memory.take().len());
//! client.run(Download::new("bucket", "key")).write_to(Sink::discard()).send().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The images of an image service:
//!
//! ```no_run
//! # #[cfg(feature = "store")]
//! # mod example {
//! use apus_async::Stores;
//! use apus_async::store::{Get, StoredImage};
//!
//! # async fn example(stores: Stores) -> Result<(), Box<dyn std::error::Error>> {
//! let image = StoredImage::new("s3+https://s3.example.com/images/0e0b3f0c", Some("fast"));
//! if stores.exists(&image).await?.outcome {
//!     println!("{} bytes", stores.size(&image).await?.outcome);
//!     let got = stores.get(&image, &Get::default(), apus_async::Sink::path("copy.img")?).await?;
//!     println!("{}", got.outcome.validation);
//!     stores.delete(&image).await?;
//! }
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! # How it runs
//!
//! ```text
//!   Client ── run: turn / complete ──▶ Pump, in the core
//!                 │ Exchange
//!                 ▼
//!             exchange ──▶ http_connection (HTTP/1.1) ──▶ stream (TCP, TLS)
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
mod drive;
mod ends;
mod exchange;
mod file;
mod http_connection;
mod incoming;
mod opening;
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
pub use self::client::{Client, Transport};
pub use self::config::TransportConfig;
pub use self::pages::{Items, PageStream};
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
#[cfg(feature = "credentials")]
pub use apus_host::credentials;
pub use apus_host::files::create_parents;
#[cfg(feature = "clouds")]
pub use apus_host::openstack;
pub use bytes::Bytes;
pub use http;
