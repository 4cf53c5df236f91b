//! The backends of an image service, with a transport of any kind for each.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::sync::Arc;

use apus_core::Error;
use apus_core::machine::{CleanUps, Observer, RateLimits, UploadSource};
use apus_core::proxy::Proxy;
use apus_core::store::config::Configuration;
use apus_core::store::{Connection, Job, StoreError, Stores, TenantContext};

use crate::credentials;

/// The backends, the transport to each, and what all runs share. Clones share transports and
/// limits.
#[derive(Clone)]
pub struct Backends<T> {
    /// The backends, without transports; they also resolve locations.
    pub core: Stores,
    transports: Arc<BTreeMap<String, T>>,
    /// The limits that requests obey.
    pub rate_limits: Arc<RateLimits>,
    /// Gets the events of all runs.
    pub observer: Option<Arc<dyn Observer>>,
    /// The runs that clean up after their callers were dropped.
    pub cleanups: CleanUps,
}

impl<T> Backends<T> {
    /// Returns the backends, each with the transport that `connect` returns.
    ///
    /// # Errors
    ///
    /// The first error of `connect`; the error names the backend.
    pub fn new(
        core: Stores,
        connect: impl Fn(&Connection) -> Result<T, Error>,
    ) -> Result<Self, Error> {
        let mut transports = BTreeMap::new();
        for backend in core.ids().filter_map(|id| core.backend(id)) {
            let transport = connect(backend.connection()).map_err(|error| {
                Error::invalid_input(format!("backend {}: {}", backend.id(), error.message()))
            })?;
            transports.insert(backend.id().to_owned(), transport);
        }
        Ok(Self {
            core,
            transports: Arc::new(transports),
            rate_limits: Arc::default(),
            observer: None,
            cleanups: CleanUps::new(),
        })
    }

    /// Returns the backends as the user of one request sees them.
    #[must_use]
    pub fn for_tenant(&self, context: TenantContext) -> Self
    where
        T: Clone,
    {
        Self { core: self.core.for_tenant(context), ..self.clone() }
    }

    /// Returns the transport to a backend.
    pub fn transport(&self, id: &str) -> Option<&T> {
        self.transports.get(id)
    }

    /// Returns the transport that a job goes over.
    ///
    /// # Errors
    ///
    /// The job is for another set of backends.
    pub fn transport_of<U>(&self, job: &Job<U>) -> Result<&T, StoreError> {
        self.transport(&job.backend).ok_or_else(|| {
            let missing = format!(
                "the job is for backend {:?}, which is not one of these backends",
                job.backend
            );
            job.verb.error(Error::invalid_input(missing))
        })
    }
}

impl<T> fmt::Debug for Backends<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backends").field("ids", &self.transports.keys()).finish_non_exhaustive()
    }
}

/// Returns the backends of a configuration. Reads all files that it names: files of references, and
/// the files of the AWS SDKs where keys come from there.
///
/// # Errors
///
/// A file can't be read, or a file of references is invalid; the error lists everything that is
/// wrong with it.
pub fn from_config(configuration: &Configuration) -> Result<Stores, Error> {
    let references = configuration.references(read)?;
    Stores::new(configuration, &references)?.with_credentials(credentials::named)
}

/// Returns the proxy of a backend; reads the file of its certificates.
///
/// # Errors
///
/// The file can't be read.
pub fn proxy(connection: &Connection) -> Result<Option<Proxy>, Error> {
    connection.proxy_with(read)
}

/// Returns the kind of source that an upload is told: seekable with this length, or a stream.
///
/// # Errors
///
/// The source's length can't be determined.
pub fn upload_source(
    length: io::Result<Option<u64>>,
    is_rewindable: bool,
) -> Result<UploadSource, Error> {
    let length = length.map_err(|error| {
        Error::invalid_input(format!("could not determine the length of the source: {error}"))
    })?;
    Ok(match length {
        Some(length) if is_rewindable => UploadSource::Seekable(length),
        length => UploadSource::Stream(length),
    })
}

pub(crate) fn read(path: &str) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| Error::invalid_input(format!("{path}: {error}")))
}
