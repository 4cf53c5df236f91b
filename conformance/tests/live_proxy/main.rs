//! S3, Swift and Keystone through an HTTP proxy: one in this process, and squid.
//!
//! ```text
//! conformance/live/proxy install && conformance/live/proxy up
//! eval "$(conformance/live/proxy env)"
//! cargo test -p apus-conformance --test live_proxy
//! ```
//!
//! ```text
//!   apus-blocking ─┐  127.0.0.1   ┌─ squid ──────────┐  127.0.0.77   ┌─ embedded S3, Keystone, Swift:
//!   apus-async ────┴─────────────▶└─ ScriptedProxy ──┴──────────────▶└─ they hang up on any other peer
//! ```
//!
//! So that a connection that leads around the proxy comes to nothing. Without the settings of squid
//! each test says that it was not run with it, and passes with the other one. With the settings of
//! `conformance/live/ceph` and `conformance/live/openstack`, those servers are gone to as well; that
//! no request of theirs led around the proxy is seen in its log.

#![expect(clippy::print_stderr, reason = "what was not run is for people")]
#![expect(unreachable_pub, reason = "the modules are this test's alone")]

mod http;
mod refusals;
mod s3;
mod site;
#[path = "../live/store.rs"]
mod store;
mod swift;
