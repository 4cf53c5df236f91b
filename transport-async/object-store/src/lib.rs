//! S3 and OpenStack Swift, with Keystone, behind the trait `object_store::ObjectStore`: for DataFusion,
//! Polars, Lance, delta-rs, the `parquet` crate, and what else reads and writes through that trait.
//!
//! Open a store by a URL:
//!
//! ```no_run
//! # #[cfg(feature = "v0_14")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let url = url::Url::parse("swift://lake/tables")?;
//! let (store, path) = apus_object_store::v0_14::parse_url_opts(&url, [("OS_CLOUD", "work")])?;
//! # drop((store, path));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "v0_14"))]
//! # fn main() {}
//! ```
//!
//! Or make one of a client of [`apus_async`], with its retries, limits, timeouts, proxies, observers
//! and spans; several stores share it:
//!
//! ```no_run
//! # #[cfg(feature = "v0_14")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use apus_async::{Client, Keys, s3};
//! use apus_object_store::v0_14::S3Store;
//!
//! let service = s3::Service::custom("https://s3.example.com", "us-east-1")?;
//! let client = Client::new(service, Keys::new("ACCESS_KEY", "SECRET_KEY"))?;
//! let lake = S3Store::new(client.clone(), "lake");
//! let logs = S3Store::new(client, "logs").with_prefix(&"2026".into());
//! # drop((lake, logs));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "v0_14"))]
//! # fn main() {}
//! ```
//!
//! # Versions of object_store
//!
//! The module `v0_14`, with the feature of that name (a default one), implements the traits of
//! object_store 0.14; `v0_13` those of 0.13. Both may be used at once, over the same clients.
//!
//! # Paths and keys
//!
//! The key is the text of the `Path`, below the store's prefix: what the path holds escaped is
//! escaped in the key. `Path::from("a#b")` holds `a%23b`, and `Path::parse("a#b")` holds `a#b`: these
//! are two objects. Read existing keys with `Path::parse`.
//!
//! No path can name a key with an empty segment (`a//b`, `/a`), with a segment `.` or `..`, or with
//! a control character. A listing that has one returns `Error::InvalidPath` in its place, and never
//! the path of another object; what follows it is listed. A directory's marker, which is an object
//! without bytes whose key ends with a slash, is not listed.
//!
//! # Writes
//!
//! A write whose response was lost is settled by a look at the object. Where nothing proves whether
//! it was applied, the error is `Generic` and never `AlreadyExists` or `Precondition`, and
//! [`apus_async::Error::outcome_unknown`] of its source is true.
//!
//! Of one upload, 8 parts are in flight at most (`with_parts_in_flight`), whatever the caller begins;
//! the others wait for a place. Poll the futures of `put_part` together, since one that has a place
//! keeps it until it ends or is dropped. Nothing is copied, but `put_part` can't refuse the bytes of
//! a part that waits: the caller bounds how many there are, with `BufWriter`, which holds a
//! buffer and up to 8 parts (`with_capacity`, `with_max_concurrency`), or with
//! `WriteMultipart::wait_for_capacity`; or writes through `writer` of either store, which is no
//! part of the trait and holds about ten parts of 8 MiB at most. An upload that is dropped before its end is
//! aborted.

#![allow(
    clippy::duplicate_mod,
    reason = "the stores are compiled once for each version of object_store"
)]

#[cfg(any(feature = "v0_13", feature = "v0_14"))]
mod keys;
#[cfg(any(feature = "v0_13", feature = "v0_14"))]
mod open;
#[cfg(feature = "v0_13")]
pub mod v0_13;
#[cfg(feature = "v0_14")]
pub mod v0_14;
