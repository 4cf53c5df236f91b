//! S3, Swift and Keystone as pure protocols: which requests to send, when, how they are signed, and
//! what their responses mean.
//!
//! Nothing in this crate uses a socket, a clock, a thread, a file, the environment or a random
//! source. Time, bytes, seeds and configuration are arguments; requests and waits are return
//! values. Two transports run it, `apus-blocking` and `apus-async`; any other program that can send
//! an HTTP request can do so too.
//!
//! There are three ways to use it:
//!
//! - **An operation** ([`s3::GetObject`] and the others): plain data that
//!   [drafts](contract::Operation) a request and parses its response. With
//!   [`credentials::Credentials`] to sign, it is enough to send requests with your own HTTP client.
//! - **A machine** ([`machine::Call`], [`machine::S3Upload`], [`machine::S3Download`], …): a state
//!   machine of one or more operations, driven through a [`machine::Pump`]. A [`task`] is a machine
//!   as plain data.
//! - **A transport**: a loop around the pump that performs the exchanges.
//!
//! # The loop
//!
//! ```
//! use std::task::Waker;
//! use std::time::Duration;
//!
//! use apus_core::credentials::Credentials;
//! use apus_core::machine::{Call, Auth, Pump, Turn};
//! use apus_core::s3::{BaseUrl, Config, EndpointConfig, GetObject, Service};
//! use apus_core::sign::Keys;
//! use apus_core::{Error, Now};
//!
//! # fn main() -> Result<(), Error> {
//! let endpoint = EndpointConfig::custom(BaseUrl::parse("http://127.0.0.1:9000")?, "us-east-1");
//! let service = Service::new(Config::new(endpoint))?;
//! let auth = Auth::new(Credentials::new(Keys::new("ACCESS_KEY", "SECRET_KEY")));
//! let call = Call::new(GetObject::new("bucket", "key"), service.into(), 42);
//! let mut pump = Pump::new(call, vec![auth], Waker::noop().clone());
//!
//! let mut now = Now::new(Duration::ZERO, Duration::from_secs(1_767_322_800));
//! let mut answers = [503, 200].into_iter();
//! let output = loop {
//!     match pump.turn(now) {
//!         // Send it: here, on another thread, or in a task. It must yield exactly one completion.
//!         Turn::Launch(mut exchange) => {
//!             assert_eq!(exchange.request()?.uri, "http://127.0.0.1:9000/bucket/key");
//!             let status = answers.next().unwrap_or(500);
//!             let answer = http::Response::builder().status(status).body(()).unwrap();
//!             let mut receiving = exchange.respond(answer.into_parts().0);
//!             let for_the_sink = receiving.push(b"the bytes").unwrap();
//!             assert!(for_the_sink.is_empty(), "a call collects its answer");
//!             pump.complete(now, receiving.finish(None));
//!         }
//!         // Wait for a completion, or until then; this loop has nothing else to wait for.
//!         Turn::Park(wait) => now = now.after(wait.unwrap().until.saturating_sub(now.tick)),
//!         Turn::Done(output) => break output?,
//!     }
//! };
//! assert_eq!(output.body, "the bytes");
//! # Ok(())
//! # }
//! ```
//!
//! # The laws
//!
//! 1. After [`complete`](machine::Pump::complete), call [`turn`](machine::Pump::turn) until it no
//!    longer returns `Launch`.
//! 2. Every launched exchange yields exactly one completion; an exchange that the transport gives
//!    up completes as [cancelled](error::ExchangeErrorKind::Cancelled).
//! 3. `Done` is returned once, when nothing is in flight. A machine that fails waits for what is in
//!    flight, cleans up, and then returns the first error. The cleanup is bounded; the error
//!    [lists](Error::leftovers) what could not be removed.
//! 4. Equal construction, seed and events give equal output.
//! 5. No input makes a machine panic: unknown, late or repeated completions are ignored.
//! 6. No `Debug`, `Display`, `Serialize`, error or event contains a secret.
//! 7. Memory is bounded, and the bound is known beforehand.
//! 8. What was sent can be sent again, or the error says that it can't.
//! 9. An upload provides a [checkpoint](machine::Checkpoint), from which another process can
//!    continue it; the server's list of parts decides what is stored.
//! 10. A machine never waits forever with nothing in flight and no source left to read.

pub mod api;
mod base_url;
pub mod checksum;
#[cfg(feature = "content-type")]
pub mod content_type;
pub mod contract;
pub mod credentials;
pub mod error;
pub mod escape;
mod few;
pub mod guide;
pub mod http;
#[cfg(feature = "key-paths")]
pub mod key_path;
#[cfg(feature = "swift")]
pub mod keystone;
#[cfg(feature = "store")]
pub mod location;
pub mod machine;
pub mod now;
mod one_line;
mod operation;
pub mod proxy;
pub mod quirks;
mod refresh;
mod request;
pub mod retry;
pub mod s3;
pub mod secret;
pub mod sign;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "swift")]
pub mod swift;
pub mod task;
pub mod waiters;
pub mod xml;

pub use self::base_url::BaseUrl;
pub use self::error::{Error, Kind};
pub use self::now::{Now, Timestamp};
pub use self::secret::Secret;
