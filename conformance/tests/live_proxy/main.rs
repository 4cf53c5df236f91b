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
//! A connection that bypasses the proxy fails. Without the settings of squid each test prints that
//! it was not run with it, and passes with the other one. With the settings of
//! `conformance/live/ceph` and `conformance/live/openstack`, the tests use those servers as well;
//! the proxy's log then shows that no request bypassed the proxy.

#![expect(clippy::print_stderr, reason = "what was not run is for people")]
#![expect(unreachable_pub, reason = "the modules are this test's alone")]

mod http;
mod refusals;
mod s3;
mod site;
#[path = "../live/store.rs"]
mod store;
mod swift;
