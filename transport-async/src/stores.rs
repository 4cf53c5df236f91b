//! The backends of an image service, and the verbs on images in them.
//!
//! ```text
//!  core's Stores ──▶ a job: machine, authorities, backend, hashers
//!                      │                           │        └─ the source is tapped for them
//!                      ▼                           └─ whose transport: CA file, proxy
//!                     Run ──▶ Placed + digests = Added, Got, …, or a StoreError
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use apus_core::Error;
use apus_core::contract::Machine;
use apus_core::error::Leftover;
use apus_core::machine::{CleanUps, Observer, Traffic, UploadSource};
use apus_core::store::config::Configuration;
use apus_core::store::{
    self, Access, Acls, Add, Added, Connection, Get, Got, Job, StoreError, Stored, TenantContext,
    Verb,
};
use apus_host::clock;

use crate::cancel::CancelToken;
use crate::client::{Run, Transport};
use crate::config::TransportConfig;
use crate::ends::Ends;
use crate::reader::Reader;
use crate::sink::Sink;
use crate::source::Source;

/// All backends of an image service, with a [`Transport`] for each. Cheap to clone; clones share
/// connections, limits, and what was learnt of the servers.
#[derive(Clone)]
pub struct Stores {
    stores: store::Stores,
    transports: Arc<BTreeMap<String, Transport>>,
    traffic: Arc<Traffic>,
    observer: Option<Arc<dyn Observer>>,
    token: Option<CancelToken>,
    cleanups: CleanUps,
}

impl Stores {
    /// These backends; the files of certificates that their options name are read here.
    ///
    /// # Errors
    ///
    /// A file that can't be read or holds no certificate, or a proxy that is none; the error names
    /// the backend.
    pub fn new(stores: store::Stores) -> Result<Self, Error> {
        Self::with_transports(stores, &TransportConfig::new())
    }

    /// The same, with transports made like this one, but for what the options of each backend say.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_transports(stores: store::Stores, like: &TransportConfig) -> Result<Self, Error> {
        let mut transports = BTreeMap::new();
        for backend in stores.ids().filter_map(|id| stores.backend(id)) {
            let transport = transport(backend.connection(), like.clone()).map_err(|error| {
                Error::caller(format!("backend {}: {}", backend.id(), error.what()))
            })?;
            transports.insert(backend.id().to_owned(), transport);
        }
        Ok(Self {
            stores,
            transports: Arc::new(transports),
            traffic: Arc::default(),
            observer: None,
            token: None,
            cleanups: CleanUps::new(),
        })
    }

    /// The backends of a configuration, with all files that it names read: of references, of
    /// certificates, and those of the AWS SDKs where keys come from there.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); a file of references that can't be read, and everything that is wrong
    /// with it.
    pub fn of_configuration(configuration: &Configuration) -> Result<Self, Error> {
        let references = configuration.references(read)?;
        let stores = store::Stores::new(configuration, &references)?;
        Self::new(stores.with_credentials(crate::credentials::named)?)
    }

    /// For the user of one request: where images lie in the accounts of users.
    #[must_use]
    pub fn for_tenant(&self, context: TenantContext) -> Self {
        Self { stores: self.stores.for_tenant(context), ..self.clone() }
    }

    /// Keeps these limits, which others may share. Without this there are
    /// [`Traffic::AT_ONCE`] requests at once (256), and the rest wait, first in, first out.
    #[must_use]
    pub fn with_traffic(mut self, traffic: impl Into<Arc<Traffic>>) -> Self {
        self.traffic = traffic.into();
        self
    }

    /// Tells this observer what happens.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Stops what runs when this token is cancelled.
    #[must_use]
    pub fn cancel_on(mut self, token: CancelToken) -> Self {
        self.token = Some(token);
        self
    }

    /// The backends, and where a row leads to.
    pub fn core(&self) -> &store::Stores {
        &self.stores
    }

    /// The way to a backend: for what goes beyond the verbs.
    pub fn transport(&self, backend: &str) -> Option<&Transport> {
        self.transports.get(backend)
    }

    /// Waits for jobs that were dropped and clean up, and tells what is left: as
    /// [`Client::shutdown`](crate::Client::shutdown).
    pub async fn shutdown(&self, deadline: Duration) -> Vec<Leftover> {
        crate::client::shutdown(&self.cleanups, deadline).await
    }

    /// Stores an image in the backend named, or in the default one. The bytes are those of `source`,
    /// whatever the image says of its own; MD5 and multihash are computed as they are read.
    ///
    /// # Errors
    ///
    /// The image service's word for what went wrong; nothing is left behind then, or the error lists
    /// it.
    pub async fn add(
        &self,
        backend: Option<&str>,
        mut image: Add,
        source: impl Into<Source>,
    ) -> Result<Added, StoreError> {
        let mut source = source.into();
        let wrong = |error| Verb::Add.error(error);
        image.source = upload_source(&source).map_err(wrong)?;
        let mut job = self.stores.add(backend, &image, clock::seed())?;
        let hashers = std::mem::take(&mut job.hashers);
        if !hashers.is_empty() {
            source = source.tap(hashers);
        }
        let placed = self.run(job)?.from(source.clone()).go().await.map_err(wrong)?;
        placed.with_digests(&source.digests().unwrap_or_default()).map_err(wrong)
    }

    /// Reads an image, or a range of it, into `sink`. What is cut is resumed.
    ///
    /// # Errors
    ///
    /// The image service's word for what went wrong; what the sink got by then stays there.
    pub async fn get(
        &self,
        stored: &Stored,
        get: &Get,
        sink: impl Into<Sink>,
    ) -> Result<Access<Got>, StoreError> {
        let Access { outcome: job, migration } = self.stores.get(stored, get, clock::seed())?;
        let got = self.run(job)?.into_sink(sink).go().await;
        let outcome = got.map_err(|error| Verb::Get.error(error))?;
        Ok(Access { outcome, migration })
    }

    /// Reads an image, or a range of it, in a task of its own, for who wants to read it.
    ///
    /// # Errors
    ///
    /// The location is not used. What goes wrong later is an error of the reader.
    pub fn reader(&self, stored: &Stored, get: &Get) -> Result<Access<Reader<Got>>, StoreError> {
        let Access { outcome: job, migration } = self.stores.get(stored, get, clock::seed())?;
        Ok(Access { outcome: self.run(job)?.reader(), migration })
    }

    /// The size of an image in bytes.
    ///
    /// # Errors
    ///
    /// The image service's word for what went wrong.
    pub async fn size(&self, stored: &Stored) -> Result<Access<u64>, StoreError> {
        self.access(self.stores.size(stored, clock::seed())?).await
    }

    /// Whether an image is there.
    ///
    /// # Errors
    ///
    /// The image service's word for what went wrong; who may not know is forbidden to ask.
    pub async fn exists(&self, stored: &Stored) -> Result<Access<bool>, StoreError> {
        self.access(self.stores.exists(stored, clock::seed())?).await
    }

    /// Removes an image.
    ///
    /// # Errors
    ///
    /// The image service's word for what went wrong.
    pub async fn delete(&self, stored: &Stored) -> Result<Access<()>, StoreError> {
        self.access(self.stores.delete(stored, clock::seed())?).await
    }

    /// Says who may use an image that lies in the account of the user who stored it.
    ///
    /// # Errors
    ///
    /// The image service's word for what went wrong.
    pub async fn set_acls(&self, stored: &Stored, acls: &Acls) -> Result<Access<()>, StoreError> {
        self.access(self.stores.set_acls(stored, acls, clock::seed())?).await
    }

    async fn access<T: Send + 'static>(
        &self,
        access: Access<Job<T>>,
    ) -> Result<Access<T>, StoreError> {
        let Access { outcome: job, migration } = access;
        let verb = job.verb;
        let outcome = self.run(job)?.go().await.map_err(|error| verb.error(error))?;
        Ok(Access { outcome, migration })
    }

    fn run<T>(&self, job: Job<T>) -> Result<Run<JobMachine<T>>, StoreError> {
        let verb = job.verb;
        let transport = self.transports.get(&job.backend).ok_or_else(|| {
            verb.error(Error::caller(format!("there is no transport to backend {:?}", job.backend)))
        })?;
        let ends = Ends {
            traffic: Some(Arc::clone(&self.traffic)),
            observer: self.observer.clone(),
            ..Ends::default()
        };
        let transport = transport.clone();
        let cleanups = &self.cleanups;
        let run = Run::new(verb.name(), job.machine, transport, job.parties, ends, cleanups);
        Ok(match &self.token {
            Some(token) => run.cancel_on(token.clone()),
            None => run,
        })
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").field("backends", &self.transports.keys()).finish_non_exhaustive()
    }
}

type JobMachine<T> = Box<dyn Machine<Output = T> + Send>;

fn upload_source(source: &Source) -> Result<UploadSource, Error> {
    let length = source
        .length()
        .map_err(|error| Error::caller(format!("the source does not tell its length: {error}")))?;
    Ok(match length {
        Some(length) if source.is_rewindable() => UploadSource::Seekable(length),
        length => UploadSource::Stream(length),
    })
}

/// A transport as the options of a backend want it.
fn transport(connection: &Connection, mut config: TransportConfig) -> Result<Transport, Error> {
    if let Some(path) = &connection.ca_file {
        config = config.ca_bundle(&read(path)?)?;
    }
    if connection.insecure {
        config = config.danger_accept_invalid_certs(true);
    }
    if let Some(proxy) = connection.proxy_with(read)? {
        config = config.proxy(proxy);
    }
    Transport::new(config)
}

fn read(path: &str) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|error| Error::caller(format!("{path}: {error}")))
}
