//! What the benchmarks share: how things are raced, the requests that they sign, and the server
//! and the bare clients that transports are compared with.

pub mod bare;
pub mod race;
pub mod sample;
pub mod server;
