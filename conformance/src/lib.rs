//! Conformance of apus.

pub mod server;
pub mod sim;
