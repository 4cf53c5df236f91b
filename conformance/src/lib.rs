//! Conformance of apus.

pub mod run;
pub mod server;
pub mod sim;
