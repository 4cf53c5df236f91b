//! What an image service calls: its backends, as its configuration names them.

pub mod config;
