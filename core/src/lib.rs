//! S3 as a pure protocol: what to send, when, signed how, and what an answer means.
//!
//! Nothing in here touches a socket, a clock, a thread, a file, the environment or a random source.
//! Time, bytes, seeds and configuration are arguments; requests and waits are return values. Two
//! crates run it, `apus-blocking` and `apus-async`; anything else that can send an HTTP request can
//! do so too.
//!
//! There are three ways in:
//!
//! - **An operation** ([`s3::GetObject`] and the others): plain data that [drafts](contract::Operation)
//!   a request and reads its answer. With [`credentials::Credentials`] to sign, that is all it takes
//!   to send requests by oneself.
//! - **A machine** ([`machine::Call`], [`machine::Upload`], [`machine::Download`], …): a conversation of
//!   several requests, driven through a [`machine::Pump`].
//! - **A transport**, which is a loop around the pump.
//!
//! # The loop
//!
//! ```
//! use std::task::Waker;
//! use std::time::Duration;
//!
//! use apus_core::credentials::Credentials;
//! use apus_core::machine::{Call, Party, Pump, Turn};
//! use apus_core::s3::{BaseUrl, Config, EndpointConfig, GetObject, Service};
//! use apus_core::sign::Keys;
//! use apus_core::{Error, Now};
//!
//! # fn main() -> Result<(), Error> {
//! let endpoint = EndpointConfig::custom(BaseUrl::parse("http://127.0.0.1:9000")?, "us-east-1");
//! let service = Service::new(Config::new(endpoint))?;
//! let party = Party::new(Credentials::new(Keys::new("ACCESS_KEY", "SECRET_KEY")));
//! let call = Call::new(GetObject::new("bucket", "key"), service.into(), 42);
//! let mut pump = Pump::new(call, vec![party], Waker::noop().clone());
//!
//! let mut now = Now::new(Duration::ZERO, Duration::from_secs(1_767_322_800));
//! let mut answers = [503, 200].into_iter();
//! let output = loop {
//!     match pump.turn(now) {
//!         // Send it: here, on a thread, as a task. Exactly one completion must come of it.
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
//! 1. After [`complete`](machine::Pump::complete), call [`turn`](machine::Pump::turn) until it stops
//!    saying `Launch`.
//! 2. Every launched exchange yields exactly one completion; one that is given up completes as
//!    [cancelled](error::Cause::Cancelled).
//! 3. `Done` is said once, when nothing is in flight. A machine that fails waits for what is in
//!    flight, cleans up, and then says the first error. Cleaning up is bounded, and what could not be
//!    removed [stands in the error](Error::leftovers).
//! 4. Equal construction, seed and events give equal output.
//! 5. No input panics a machine: completions that are unknown, late or repeated are ignored.
//! 6. No secret is in any `Debug`, `Display`, `Serialize`, error or event.
//! 7. Memory is bounded and told beforehand.
//! 8. What was sent can be sent again, or the error says that it can't.
//! 9. An upload gives a [checkpoint](machine::Checkpoint), and goes on from it in another process,
//!    believing the server's list of parts.
//! 10. A machine never waits for ever with nothing in flight and no source left to read.

mod base_url;
pub mod checksum;
pub mod contract;
pub mod credentials;
pub mod error;
pub mod escape;
mod few;
pub mod http;
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
pub mod waiters;
pub mod xml;

pub use self::base_url::BaseUrl;
pub use self::error::{Error, Kind};
pub use self::few::Few;
pub use self::now::Now;
pub use self::secret::Secret;
