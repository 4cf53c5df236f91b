//! The same stores over either transport.

use std::fmt;
use std::fs;
use std::io::Cursor;

use apus_core::store::config::{Configuration, OsloConfig};
use apus_core::store::{
    self, Access, Acls, Add, AddResult, Get, GetResult, StoreError, StoredImage, TenantContext,
};
use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};

use crate::site::Site;

/// Over which transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Blocking,
    Async,
}

/// What an image is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Memory,
    /// A stream that does not tell how long it is.
    Stream,
}

/// The stores of a site.
pub(crate) enum Stores {
    Blocking(apus_blocking::Stores),
    Async(apus_async::Stores, Runtime),
}

/// Calls the verb of either.
macro_rules! verb {
    ($self:ident . $verb:ident ( $($argument:expr),* )) => {
        match $self {
            Stores::Blocking(stores) => stores.$verb($($argument),*),
            Stores::Async(stores, runtime) => runtime.block_on(stores.$verb($($argument),*)),
        }
    };
}

impl Stores {
    pub(crate) fn open(site: &Site, via: Via) -> Self {
        let path = site.configuration();
        let text = fs::read_to_string(&path).unwrap();
        let oslo = OsloConfig::parse([(path.to_str().unwrap(), text.as_str())]).unwrap();
        let configuration = Configuration::of_oslo(&oslo).unwrap();
        // The tenants' backend takes its service user from the file, which Glance refuses.
        let mut warnings = configuration.warnings.iter();
        let left = warnings.find(|warning| {
            (warning.section.as_str(), warning.option.as_deref())
                != ("users", Some("swift_store_config_file"))
        });
        assert_eq!(left, None);
        match via {
            Via::Blocking => {
                Self::Blocking(apus_blocking::Stores::from_config(&configuration).unwrap())
            }
            Via::Async => {
                let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
                Self::Async(apus_async::Stores::from_config(&configuration).unwrap(), runtime)
            }
        }
    }

    pub(crate) fn for_tenant(self, context: TenantContext) -> Self {
        match self {
            Self::Blocking(stores) => Self::Blocking(stores.for_tenant(context)),
            Self::Async(stores, runtime) => Self::Async(stores.for_tenant(context), runtime),
        }
    }

    pub(crate) fn core(&self) -> &store::Stores {
        match self {
            Self::Blocking(stores) => stores.core(),
            Self::Async(stores, _) => stores.core(),
        }
    }

    pub(crate) fn add(
        &self,
        backend: &str,
        id: &str,
        size: Option<u64>,
        from: From,
        bytes: &Bytes,
    ) -> Result<AddResult, StoreError> {
        let image = Add::new(id).with_size(size);
        let bytes = bytes.clone();
        match self {
            Self::Blocking(stores) => {
                let source = match from {
                    From::Memory => apus_blocking::Source::bytes(bytes),
                    From::Stream => apus_blocking::Source::stream(Cursor::new(bytes)),
                };
                stores.add(Some(backend), image, source)
            }
            Self::Async(stores, runtime) => {
                let source = match from {
                    From::Memory => apus_async::Source::bytes(bytes),
                    From::Stream => apus_async::Source::stream(Cursor::new(bytes)),
                };
                runtime.block_on(stores.add(Some(backend), image, source))
            }
        }
    }

    pub(crate) fn get(
        &self,
        stored: &StoredImage,
        get: &Get,
    ) -> Result<(Access<GetResult>, Vec<u8>), StoreError> {
        match self {
            Self::Blocking(stores) => {
                let sink = apus_blocking::Sink::memory();
                let got = stores.get(stored, get, &sink)?;
                Ok((got, sink.take()))
            }
            Self::Async(stores, runtime) => {
                let sink = apus_async::Sink::memory();
                let got = runtime.block_on(stores.get(stored, get, &sink))?;
                Ok((got, sink.take()))
            }
        }
    }

    pub(crate) fn size(&self, stored: &StoredImage) -> Result<Access<u64>, StoreError> {
        verb!(self.size(stored))
    }

    pub(crate) fn exists(&self, stored: &StoredImage) -> Result<Access<bool>, StoreError> {
        verb!(self.exists(stored))
    }

    pub(crate) fn delete(&self, stored: &StoredImage) -> Result<Access<()>, StoreError> {
        verb!(self.delete(stored))
    }

    pub(crate) fn set_acls(
        &self,
        stored: &StoredImage,
        acls: &Acls,
    ) -> Result<Access<()>, StoreError> {
        verb!(self.set_acls(stored, acls))
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocking(stores) => stores.fmt(f),
            Self::Async(stores, _) => stores.fmt(f),
        }
    }
}

/// The row of an image that was stored.
pub(crate) fn row(added: &AddResult) -> StoredImage {
    StoredImage::new(added.url.as_str(), added.metadata.get("store").map(String::as_str))
}

/// Bytes that repeat only after a prime number of them.
pub(crate) fn pattern(length: usize) -> Bytes {
    (0..length).map(|at| (at % 251) as u8).collect()
}
