//! What the benchmarks share: races, the requests to sign, the server, and the bare clients that
//! transports are compared with.

pub mod bare;
pub mod delayed;
pub mod machine;
pub mod profile;
pub mod race;
pub mod sample;
pub mod server;
pub mod transfer;
