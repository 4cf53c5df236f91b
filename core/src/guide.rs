//! Guide: how to use the library, by subject. This module contains only documentation.
//!
//! # Errors
//!
//! Every call returns [`Error`](crate::Error). [`kind`](crate::Error::kind) says who has to act:
//!
//! | kind | what to do |
//! | --- | --- |
//! | [`InvalidInput`](crate::Kind::InvalidInput) | correct the call, the configuration or the source |
//! | [`Refused`](crate::Kind::Refused) | the server understood the request and refused it: see `status` and `code` |
//! | [`InvalidResponse`](crate::Kind::InvalidResponse) | the server, or something in between, is faulty |
//! | [`Transport`](crate::Kind::Transport) | the network, a proxy or a timeout: try again later |
//! | [`Integrity`](crate::Kind::Integrity) | the bytes are not the expected ones: discard them |
//! | [`Auth`](crate::Kind::Auth) | there are no valid credentials |
//!
//! Branch on predicates: [`is_not_found`](crate::Error::is_not_found),
//! [`is_precondition_failed`](crate::Error::is_precondition_failed),
//! [`is_denied`](crate::Error::is_denied). If
//! [`outcome_unknown`](crate::Error::outcome_unknown) is true, the server may have carried out the
//! call: [`look_at`](crate::Error::look_at) says where to find out. What is left on the server is in
//! [`leftovers`](crate::Error::leftovers).
//!
//! ```
//! use apus_core::{Error, Kind};
//! use http::StatusCode;
//!
//! fn report(error: &Error) -> String {
//!     if error.is_not_found() {
//!         return "there is no such object".to_owned();
//!     }
//!     if let Some(place) = error.look_at() {
//!         return format!("the write may have succeeded: look at {place}");
//!     }
//!     match error.kind() {
//!         Kind::Transport => format!("try again later: {error}"),
//!         Kind::Auth => format!("renew the credentials: {error}"),
//!         _ => error.to_string(),
//!     }
//! }
//!
//! let absent = Error::refused(StatusCode::NOT_FOUND, Some("NoSuchKey".to_owned()), None);
//! assert_eq!(report(&absent), "there is no such object");
//! let lost = Error::invalid_response("the connection was closed")
//!     .with_outcome_unknown("the object images/debian");
//! assert_eq!(report(&lost), "the write may have succeeded: look at the object images/debian");
//! ```
//!
//! # Retries
//!
//! Calls and transfers repeat what may be repeated: [`RetryPolicy`](crate::retry::RetryPolicy) says
//! how often and how soon, and honours `Retry-After`. A write whose response was lost is repeated
//! only if that can't do harm, or after a look at the server has proven that it was not carried out.
//! Do not wrap calls in retries of your own: raise the policy instead.
//!
//! ```
//! use std::time::Duration;
//!
//! use apus_core::retry::RetryPolicy;
//!
//! // For the builder of a client: ten attempts, delays up to a minute.
//! let policy =
//!     RetryPolicy { attempts: 10, longest: Duration::from_secs(60), ..RetryPolicy::default() };
//! assert_eq!(policy.longest_retry_after, Duration::from_secs(300));
//! ```
//!
//! A client has at most [`RateLimits::AT_ONCE`](crate::machine::RateLimits::AT_ONCE) requests in
//! flight, and fewer while the server answers 503 or 429. Further requests wait, first in, first
//! out. A download is in flight until its last byte was read.
//!
//! # Sources
//!
//! An upload takes the kind and the length of its source from the source itself.
//!
//! | source | read |
//! | --- | --- |
//! | bytes, text | from memory, without a copy |
//! | a regular file, a block device | ranges, in parallel, from offset 0 |
//! | a pipe, standard input, a reader, a stream, an HTTP body | once, in order; parts are kept in memory until they are stored |
//!
//! A source that changes while it is sent is an error, and nothing is stored.
//!
//! # Sinks
//!
//! A path is written completely or not at all: the bytes go to a temporary file beside it, which
//! takes its place when everything has arrived and was validated. `open` returns the metadata first
//! and then a reader of the bytes: for a web service that has to send a head of its own.
//!
//! # Object keys as paths
//!
//! A key may be `../../etc/passwd`. With the feature `key-paths`, `KeyPaths` turns keys into relative
//! paths that stay below a directory, and reports keys that have none.
//!
#![cfg_attr(
    feature = "key-paths",
    doc = r#"
```
use apus_core::key_path::KeyPaths;

let mut paths = KeyPaths::new("backup/");
assert_eq!(paths.path("backup/etc/hosts")?.as_str(), "etc/hosts");
assert!(paths.path("backup/../../etc/passwd").is_err());
# Ok::<(), apus_core::key_path::KeyPathError>(())
```
"#
)]
//!
//! # Cancelling and resuming
//!
//! A `CancelToken` cancels a run; an async run is also cancelled when it is dropped. A cancelled
//! upload is aborted, and the abort is checked. With
//! [`OnFailure::Keep`](crate::contract::OnFailure::Keep) its parts stay, and a checkpoint (from
//! `checkpoints()` of the upload task, taken before it runs) resumes it in this or in another
//! process. `latest` returns the whole checkpoint, and `since` what changed after a position: a
//! file to which that is appended grows by one line a part. `shutdown` of a client waits until everything that was dropped has been cleaned up.
//!
//! # Checksums
//!
//! [`Policy`](crate::checksum::Policy) says when a request carries a checksum, where, and of which
//! algorithm, and when responses are validated. `enable_data_integrity_protection` (off by default)
//! is the master switch: off, a checksum is sent only where S3 requires one, which every server
//! accepts. A download says whether its bytes were
//! [validated](crate::checksum::Validation), or why not.
//!
//! ```
//! use apus_core::checksum::{Algorithm, Policy, RequestChecksumCalculation};
//! use apus_core::s3::{BaseUrl, Config, EndpointConfig, Service};
//!
//! # fn main() -> Result<(), apus_core::Error> {
//! let endpoint =
//!     EndpointConfig::custom(BaseUrl::parse("https://s3.example.com")?, "us-east-1");
//! let mut config = Config::new(endpoint);
//! config.checksum = Policy {
//!     enable_data_integrity_protection: true,
//!     request: RequestChecksumCalculation::WhenSupported,
//!     algorithm: Algorithm::Crc32c,
//!     ..Policy::default()
//! };
//! assert_eq!(config.checksum.request_mode(), RequestChecksumCalculation::WhenSupported);
//! let service = Service::new(config)?;
//! # let _ = service;
//! # Ok(())
//! # }
//! ```
//!
//! # Providers
//!
//! [`Provider`](crate::quirks::Provider) names a server or a service whose differences are known, and
//! [`Config::of_provider`](crate::s3::Config::of_provider) (`s3_store_provider`) applies them: they
//! decide what the configuration leaves open. [`profile`](crate::quirks::Provider::profile) says
//! where a service is reached and what it refuses, with the pages that document it.
//!
//! | provider | endpoint | bucket in | region | refused |
//! | --- | --- | --- | --- | --- |
//! | `oci` | `https://{namespace}.compat.objectstorage.{region}.oraclecloud.com` | path | the endpoint's | virtual hosts; CRC32 with DeleteObjects |
//! | `r2` | `https://{account}.r2.cloudflarestorage.com` | path | `auto` | `x-amz-sdk-checksum-algorithm`, `STREAMING-…`, ListObjectVersions, parts of different sizes |
//! | `gcs` | `https://storage.googleapis.com` | host | | `x-amz-checksum-…`, UploadPartCopy, conditions in multipart uploads |
//! | `b2` | `https://s3.{region}.backblazeb2.com` | path | the endpoint's | http, `x-amz-sdk-checksum-algorithm`, `x-amz-tagging`, ACLs of objects |
//! | `garage` | the operator's | path | | versions, tags and ACLs of objects, bucket policies |
//! | `minio` | the operator's | path | | ListMultipartUploads without the whole key lists nothing; rules that abort uploads; ACLs |
//! | `wasabi` | `https://s3.{region}.wasabisys.com` | host | the endpoint's | |
//! | `hetzner` | `https://{region}.your-objectstorage.com` | host | the endpoint's | encryption other than SSE-C, GetObjectAttributes, PutBucketTagging |
//! | `scaleway` | `https://s3.{region}.scw.cloud` | host | the endpoint's | more than 1,000 parts |
//! | `ovh` | `https://s3.{region}.io.cloud.ovh.net` | host | the endpoint's | trailers; DeleteObjects without `Content-MD5` |
//! | `storagegrid` | the operator's | path | | `x-amz-sdk-checksum-algorithm`, trailers, `If-None-Match` where so configured |
//! | `dell` | the operator's | path | | DeleteObjects without `Content-MD5` |
//!
//! # Proxies
//!
//! `TransportConfig::proxy` sets a proxy, `proxy_from_environment` takes it from `HTTPS_PROXY`,
//! `HTTP_PROXY` and `NO_PROXY`. https goes through a tunnel, into which no password of the proxy is
//! sent.
//!
//! # Larger than one machine
//!
//! A client is one process. Work for several machines is distributed by an engine that exists: a
//! query by DataFusion with Ballista, or another engine that reads and writes through the trait
//! `object_store::ObjectStore`. The crate `apus-object-store` is that trait over S3 and Swift. Each
//! executor opens the store by the same URL and options, with a client, credentials and limits of
//! its own; tokens are renewed in each. `examples/datafusion` of that crate registers the stores with
//! DataFusion and queries a partitioned table; an executor of Ballista takes the same registry.
//!
//! An object that several machines write together is one multipart upload: one machine creates it
//! and hands out its ID and the numbers of the parts, the others send parts, and the first completes
//! it with what they return. Over the trait that is `MultipartStore`; below it,
//! [`MultipartUpload::new`](crate::task::multipart::MultipartUpload::new) continues an upload that
//! another process has created, and [`add`](crate::task::multipart::MultipartUpload::add) takes the
//! parts that others have sent. An upload of one source that moves to another machine is resumed from
//! its [`Checkpoint`](crate::machine::Checkpoint), which serializes.
//!
//! # Testing your code
//!
//! The crate `apus-testing` has servers that run inside a test: an S3, a Keystone and a Swift in
//! memory, with a plan of faults (the second PUT is a 503, the response of the third is lost), and a
//! server that sends what a script says.
//!
//! # Your own HTTP stack
//!
//! An [operation](crate::contract::Operation) drafts a request and parses its response;
//! [`Credentials::sign`](crate::credentials::Credentials::sign) signs it. A
//! [machine](crate::contract::Machine) says what to send next and when to wait; the
//! [crate's documentation](crate) has the loop. `async_swift_signer.rs` of the examples of apus-async
//! gives the requests of another client the URL of a Swift account and a token, which is renewed
//! before it expires and after a 401.
//!
//! ```
//! use std::time::Duration;
//!
//! use apus_core::Now;
//! use apus_core::contract::Operation;
//! use apus_core::credentials::Credentials;
//! use apus_core::s3::{BaseUrl, Config, EndpointConfig, HeadObject, Service};
//! use apus_core::sign::Keys;
//!
//! # fn main() -> Result<(), apus_core::Error> {
//! let endpoint = EndpointConfig::custom(BaseUrl::parse("http://127.0.0.1:9000")?, "us-east-1");
//! let service = Service::new(Config::new(endpoint))?;
//! let credentials = Credentials::new(Keys::new("ACCESS_KEY", "SECRET_KEY"));
//!
//! let draft = HeadObject::new("bucket", "key").draft(&service)?;
//! let now = Now::new(Duration::ZERO, Duration::from_secs(1_767_322_800));
//! let mut exchange = credentials.sign(draft, now)?;
//! let head = exchange.request()?;
//! assert_eq!((head.method.as_str(), head.uri.path()), ("HEAD", "/bucket/key"));
//! assert!(head.headers.contains_key("authorization"));
//! # Ok(())
//! # }
//! ```
