//! What an image service calls: its backends, as its configuration names them.

pub mod config;
mod migration;

pub use self::migration::{
    Migration, Refusal, S3Access, S3Places, SwiftAccess, SwiftPlaces, SwiftRight,
};
