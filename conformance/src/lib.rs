//! Conformance of apus.

pub mod server;
