//! One backend.

use super::connection::Connection;
use super::s3::S3Store;
use super::swift::SwiftStore;

/// One backend of an image service.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoreBackend {
    /// A bucket in S3.
    S3(S3Store),
    /// Containers in Swift.
    Swift(SwiftStore),
}

impl StoreBackend {
    /// Its id: the name of its section, or in single-store mode that of the entry in `stores`.
    pub fn id(&self) -> &str {
        match self {
            Self::S3(store) => store.id(),
            Self::Swift(store) => store.id(),
        }
    }

    /// What all locations in it begin with, without credentials; in both modes. None for a store of
    /// several tenants whose accounts are not known beforehand.
    pub fn prefix(&self) -> Option<String> {
        match self {
            Self::S3(store) => Some(store.prefix()),
            Self::Swift(store) => store.prefix(),
        }
    }

    /// How its servers are reached.
    pub fn connection(&self) -> &Connection {
        match self {
            Self::S3(store) => store.connection(),
            Self::Swift(store) => store.connection(),
        }
    }
}
