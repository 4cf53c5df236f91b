//! The backends of an image service, and the operations on images in them.
//!
//! ```text
//!   core's Stores ──▶ a job: machine, authenticators, backend, hashers
//!                      │                              │        └─ fed with what the source yields
//!                      ▼                              └─ names the transport: CA file, proxy
//!                     Run ──▶ Placed + digests = Added, Got, …, or a StoreError
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use apus_core::Error;
use apus_core::contract::Machine;
use apus_core::error::Leftover;
use apus_core::machine::{CleanUps, Observer, RateLimits};
use apus_core::store::config::Configuration;
use apus_core::store::{
    self, Access, Acls, Add, AddResult, Get, GetResult, Job, StoreError, StoredImage,
    TenantContext, Verb,
};
use apus_host::backends::{self, Backends};
use apus_host::clock;

use crate::cancel::CancelToken;
use crate::client::Transport;
use crate::config::TransportConfig;
use crate::ends::Ends;
use crate::reader::Reader;
use crate::run::Run;
use crate::sink::Sink;
use crate::source::Source;

/// All backends of an image service, with a [`Transport`] for each. Cheap to clone; clones share
/// connections, limits, and what was learned about the servers.
#[derive(Clone)]
pub struct Stores {
    backends: Backends<Transport>,
    token: Option<CancelToken>,
}

impl Stores {
    /// Connects these backends; reads the certificate files that their options name.
    ///
    /// # Errors
    ///
    /// A certificate file of a backend or of its proxy can't be read or holds no certificate; the
    /// error names the backend.
    pub fn new(stores: store::Stores) -> Result<Self, Error> {
        Self::with_transports(stores, &TransportConfig::new())
    }

    /// Does what [`new`](Self::new) does, with transports configured like `like`; the options of
    /// each backend take precedence.
    ///
    /// ```no_run
    /// # #[cfg(feature = "store")]
    /// # mod example {
    /// use apus_async::{Stores, TransportConfig, store};
    ///
    /// # fn example(backends: store::Stores) -> Result<(), apus_async::Error> {
    /// let like = TransportConfig::new().idle_connections(8);
    /// let stores = Stores::with_transports(backends, &like)?;
    /// # drop(stores);
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new).
    pub fn with_transports(stores: store::Stores, like: &TransportConfig) -> Result<Self, Error> {
        let connect = |connection: &_| Transport::new(like.clone().connection(connection)?);
        Ok(Self { backends: Backends::new(stores, connect)?, token: None })
    }

    /// Connects the backends of a configuration. Reads all files that it names: files of
    /// references, certificates, and the files of the AWS SDKs where keys come from there.
    ///
    /// ```no_run
    /// # #[cfg(feature = "store")]
    /// # mod example {
    /// use apus_async::Stores;
    /// use apus_async::store::config::Configuration;
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let text = std::fs::read_to_string("glance-api.conf")?;
    /// let stores = Stores::from_config(&Configuration::parse([("glance-api.conf", text.as_str())])?)?;
    /// println!("{:?}", stores.core().ids().collect::<Vec<_>>());
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new); a file of references can't be read or is invalid, and then
    /// the error lists everything that is wrong with it.
    pub fn from_config(configuration: &Configuration) -> Result<Self, Error> {
        Self::new(backends::from_config(configuration)?)
    }

    /// Returns the backends for the user of one request, where images are in the users' accounts.
    #[must_use]
    pub fn for_tenant(&self, context: TenantContext) -> Self {
        Self { backends: self.backends.for_tenant(context), token: self.token.clone() }
    }

    /// Applies these limits, which others may share. Default: at most [`RateLimits::AT_ONCE`] (256)
    /// requests at once; further requests wait, first in, first out.
    #[must_use]
    pub fn with_rate_limits(mut self, rate_limits: impl Into<Arc<RateLimits>>) -> Self {
        self.backends.rate_limits = rate_limits.into();
        self
    }

    /// Reports events to this observer.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.backends.observer = Some(observer);
        self
    }

    /// Stops the running operations when this token is cancelled.
    #[must_use]
    pub fn cancel_on(mut self, token: CancelToken) -> Self {
        self.token = Some(token);
        self
    }

    /// Returns the backends without their transports, which also resolve locations.
    pub fn core(&self) -> &store::Stores {
        &self.backends.core
    }

    /// Returns the transport of a backend, for requests that this type has no method for.
    ///
    /// ```no_run
    /// # #[cfg(feature = "store")]
    /// # mod example {
    /// use apus_async::{Client, Keys, Stores, s3};
    ///
    /// # fn example(stores: Stores) -> Result<(), Box<dyn std::error::Error>> {
    /// let transport = stores.transport("fast").ok_or("there is no such backend")?.clone();
    /// let service = s3::Service::custom("https://s3.example.com", "us-east-1")?;
    /// let client = Client::with_transport(transport, service, Keys::new("ACCESS_KEY", "SECRET_KEY"));
    /// # drop(client);
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    pub fn transport(&self, backend: &str) -> Option<&Transport> {
        self.backends.transport(backend)
    }

    /// Waits for runs that were dropped and clean up, and returns the leftovers, as
    /// [`Client::shutdown`](crate::Client::shutdown) does.
    pub async fn shutdown(&self, deadline: Duration) -> Vec<Leftover> {
        crate::client::shutdown(&self.backends.cleanups, deadline).await
    }

    /// Returns what would be left on the servers if the process ended now: what the runs that were
    /// cancelled have yet to remove, and what an upload of a stream has begun.
    ///
    /// ```no_run
    /// # #[cfg(feature = "store")]
    /// # mod example {
    /// # use apus_async::Stores;
    /// # fn example(stores: Stores) {
    /// // The program was told to end at once:
    /// for leftover in stores.remaining() {
    ///     eprintln!("left on the server: {leftover}");
    /// }
    /// # }
    /// # }
    /// ```
    pub fn remaining(&self) -> Vec<Leftover> {
        self.backends.cleanups.remaining()
    }

    /// Returns the set of the runs that [`remaining`](Self::remaining) and
    /// [`shutdown`](Self::shutdown) look at, for clients that share it.
    pub fn cleanups(&self) -> &CleanUps {
        &self.backends.cleanups
    }

    /// Stores an image in the backend `backend`, or in the default backend. MD5 and
    /// multihash are computed while the source is read.
    ///
    /// ```no_run
    /// # #[cfg(feature = "store")]
    /// # mod example {
    /// use std::fs::File;
    ///
    /// use apus_async::store::Add;
    /// use apus_async::{Source, Stores};
    ///
    /// # async fn example(stores: Stores) -> Result<(), Box<dyn std::error::Error>> {
    /// let file = File::open("debian.qcow2")?;
    /// let image = Add::new("0e0b3f0c-6f4d-4b0b-9e5f-5f1d2c3b4a59");
    /// let added = stores.add(Some("fast"), image, file).await?;
    /// println!("{} bytes at {}", added.size, added.url);
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The error that the image service expects for what failed. Nothing is left on the server, or
    /// the error lists the leftovers.
    pub async fn add(
        &self,
        backend: Option<&str>,
        image: Add,
        source: impl Into<Source>,
    ) -> Result<AddResult, StoreError> {
        let mut source = source.into();
        let wrong = |error| Verb::Add.error(error);
        let kind =
            backends::upload_source(source.length(), source.is_rewindable()).map_err(wrong)?;
        let mut job = self.backends.core.add(backend, &image, kind, clock::seed())?;
        let hashers = std::mem::take(&mut job.hashers);
        if !hashers.is_empty() {
            source = source.tap(hashers);
        }
        let placed = self.run(job)?.body(source.clone()).send().await.map_err(wrong)?;
        placed.with_digests(&source.digests().unwrap_or_default()).map_err(wrong)
    }

    /// Reads an image, or a range of it, into `sink`. Resumes when a response is cut.
    ///
    /// # Errors
    ///
    /// The error that the image service expects for what failed. What the sink has received stays
    /// there.
    pub async fn get(
        &self,
        stored: &StoredImage,
        get: &Get,
        sink: impl Into<Sink>,
    ) -> Result<Access<GetResult>, StoreError> {
        let Access { outcome: job, migration } =
            self.backends.core.get(stored, get, clock::seed())?;
        let got = self.run(job)?.write_to(sink).send().await;
        let outcome = got.map_err(|error| Verb::Get.error(error))?;
        Ok(Access { outcome, migration })
    }

    /// Reads an image, or a range of it, in a task of its own, and returns a reader of the bytes.
    ///
    /// # Errors
    ///
    /// The location is refused. Later failures are errors of the reader.
    pub fn reader(
        &self,
        stored: &StoredImage,
        get: &Get,
    ) -> Result<Access<Reader<GetResult>>, StoreError> {
        let Access { outcome: job, migration } =
            self.backends.core.get(stored, get, clock::seed())?;
        let reader = self.run(job)?.reader().map_err(|error| Verb::Get.error(error))?;
        Ok(Access { outcome: reader, migration })
    }

    /// Returns the size of an image in bytes.
    ///
    /// # Errors
    ///
    /// The error that the image service expects for what failed.
    pub async fn size(&self, stored: &StoredImage) -> Result<Access<u64>, StoreError> {
        self.access(self.backends.core.size(stored, clock::seed())?).await
    }

    /// Returns whether an image exists.
    ///
    /// # Errors
    ///
    /// The error that the image service expects for what failed:
    /// [`Forbidden`](store::StoreErrorKind::Forbidden) where S3 hides from these credentials
    /// whether the object exists.
    pub async fn exists(&self, stored: &StoredImage) -> Result<Access<bool>, StoreError> {
        self.access(self.backends.core.exists(stored, clock::seed())?).await
    }

    /// Removes an image.
    ///
    /// # Errors
    ///
    /// The error that the image service expects for what failed.
    pub async fn delete(&self, stored: &StoredImage) -> Result<Access<()>, StoreError> {
        self.access(self.backends.core.delete(stored, clock::seed())?).await
    }

    /// Sets who may read and write an image in the account of the user who stored it.
    ///
    /// ```no_run
    /// # #[cfg(feature = "store")]
    /// # mod example {
    /// use apus_async::Stores;
    /// use apus_async::store::{Acls, StoredImage, TenantContext};
    ///
    /// # async fn example(
    /// #     stores: Stores, context: TenantContext
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let stores = stores.for_tenant(context);
    /// let image = StoredImage::new("swift+https://keystone.example.com/v3/images/0e0b3f0c", None);
    /// let readers = Acls { read: vec!["a1b2c3".into()], ..Acls::default() };
    /// stores.set_acls(&image, &readers).await?;
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The error that the image service expects for what failed; in S3, and in single-tenant Swift,
    /// [`NotSupported`](store::StoreErrorKind::NotSupported).
    pub async fn set_acls(
        &self,
        stored: &StoredImage,
        acls: &Acls,
    ) -> Result<Access<()>, StoreError> {
        self.access(self.backends.core.set_acls(stored, acls, clock::seed())?).await
    }

    async fn access<T: Send + 'static>(
        &self,
        access: Access<Job<T>>,
    ) -> Result<Access<T>, StoreError> {
        let Access { outcome: job, migration } = access;
        let verb = job.verb;
        let outcome = self.run(job)?.send().await.map_err(|error| verb.error(error))?;
        Ok(Access { outcome, migration })
    }

    fn run<T>(&self, job: Job<T>) -> Result<Run<JobMachine<T>>, StoreError> {
        let verb = job.verb;
        let transport = self.backends.transport_of(&job)?.clone();
        let Backends { rate_limits, observer, cleanups, .. } = &self.backends;
        let ends = Ends {
            rate_limits: Some(Arc::clone(rate_limits)),
            observer: observer.clone(),
            ..Ends::default()
        };
        let run = Run::new(
            verb.name(),
            job.machine,
            (Arc::new(()), 0),
            transport,
            job.auths,
            ends,
            cleanups,
        );
        Ok(match &self.token {
            Some(token) => run.cancel_on(token.clone()),
            None => run,
        })
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").field("backends", &self.backends).finish_non_exhaustive()
    }
}

type JobMachine<T> = Box<dyn Machine<Output = T> + Send>;
