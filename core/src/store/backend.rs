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
    /// Returns the id: the name of the section, or in single-store mode that of the entry in
    /// `stores`.
    pub fn id(&self) -> &str {
        match self {
            Self::S3(store) => store.id(),
            Self::Swift(store) => store.id(),
        }
    }

    /// Returns the prefix of all locations in this backend, without credentials.
    ///
    /// `None` for a multi-tenant backend whose accounts are not at one configured URL.
    pub fn prefix(&self) -> Option<String> {
        match self {
            Self::S3(store) => Some(store.prefix()),
            Self::Swift(store) => store.prefix(),
        }
    }

    /// Returns the transport settings.
    pub fn connection(&self) -> &Connection {
        match self {
            Self::S3(store) => store.connection(),
            Self::Swift(store) => store.connection(),
        }
    }
}
