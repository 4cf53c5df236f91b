//! S3 and OpenStack Swift as a pure protocol.

pub mod checksum;
pub mod contract;
pub mod credentials;
pub mod error;
pub mod escape;
pub mod http;
pub mod machine;
pub mod now;
pub mod quirks;
pub mod s3;
pub mod secret;
pub mod sign;
pub mod xml;

pub use self::error::{Error, Kind};
pub use self::now::Now;
pub use self::secret::Secret;
