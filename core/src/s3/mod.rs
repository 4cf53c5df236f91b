//! Placeholder.

pub mod endpoint;
