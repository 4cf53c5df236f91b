//! The client: calls operations and runs machines.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use apus_core::Error;
use apus_core::contract::{
    Driven, Handle, IntoMachine, Machine, Operation, Paged, Pages, Service, Started,
};
use apus_core::error::{ExchangeError, Leftover};
use apus_core::http::{Completion, Exchange};
use apus_core::machine::{
    Auth, BoxedCall, CleanUps, GrantOnly, Observer, PresignKeys, RateLimits, observe_both,
};
use apus_core::sign::Presigned;
use apus_core::waiters::Position;
use apus_host::clock;
#[cfg(feature = "clouds")]
use apus_host::surroundings::FromCloud;
#[cfg(any(feature = "credentials", feature = "clouds"))]
use apus_host::surroundings::FromEnv;
use http::HeaderValue;
use tokio::sync::oneshot;

use crate::builder::ClientBuilder;
use crate::config::TransportConfig;
use crate::connect::Connector;
use crate::drive::{DriveContext, drive, drive_call, in_span, spanned};
use crate::ends::Ends;
use crate::exchange::ExchangeInProgress;
use crate::pages::{Items, PageStream};
use crate::pool::Pool;
use crate::run::Run;
use crate::sink::Sink;
use crate::source::Source;

/// Performs exchanges over connections that are kept and used again. Cheap to clone; clones share
/// their connections.
#[derive(Clone)]
pub struct Transport(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) connector: Connector,
    pub(crate) pool: Arc<Pool>,
    /// The longest range of a file that is kept in memory between hashing and sending.
    pub(crate) keep: u64,
    pub(crate) expect_above: Option<u64>,
    pub(crate) user_agent: HeaderValue,
}

impl Transport {
    /// Returns a transport without connections.
    ///
    /// # Errors
    ///
    /// The user agent can't be sent, a TLS setting is invalid, or the proxy's certificates can't be
    /// read.
    pub fn new(config: TransportConfig) -> Result<Self, Error> {
        Ok(Self(Arc::new(Shared {
            connector: Connector::new(&config)?,
            pool: Arc::new(Pool::new(config.idle_connection, config.idle_connections)),
            keep: if config.reread { 0 } else { config.in_memory_part_limit },
            expect_above: config.expect_continue_above,
            user_agent: HeaderValue::try_from(config.user_agent)
                .map_err(|_| Error::invalid_input("the user agent has a control character"))?,
        })))
    }

    /// Returns how many bytes may wait for their turn in the digests, where a machine permits this
    /// many.
    pub(crate) fn waiting(&self, memory: u64) -> u64 {
        match self.0.keep {
            0 => memory.min(WAITING),
            _ => memory,
        }
    }

    /// Performs one exchange, without retries and with its own limits only. Must run in a tokio
    /// runtime with I/O and time enabled, as must every other async function of this crate.
    ///
    /// ```no_run
    /// use apus_async::apus_core::http::{Completion, Exchange};
    /// use apus_async::{Sink, Source, Transport};
    ///
    /// # #[allow(dead_code)]
    /// /// Performs an exchange that a machine asked for.
    /// async fn perform(transport: &Transport, exchange: Exchange) -> Completion {
    ///     transport.perform(exchange, &Source::none(), &Sink::none()).await
    /// }
    /// ```
    pub async fn perform(&self, exchange: Exchange, source: &Source, sink: &Sink) -> Completion {
        let workers = match source.begin(self.waiting(exchange.draft().needs().memory())).await {
            Ok(workers) => workers,
            Err(failure) => return exchange.fail(failure),
        };
        let pass = workers.as_ref().map(|workers| Arc::clone(workers.pass()));
        let (source, sink) = (source.clone(), sink.clone());
        let ends = Ends { source, pass, sink, ..Ends::default() };
        let done = ExchangeInProgress::new(exchange, None).perform(self.shared(), &ends).await;
        if let Some(workers) = workers {
            ends.source.settle(workers, false).await;
        }
        done
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport(..)")
    }
}

/// A service, the authenticators for it, and a transport. Clones share connections, limits and what
/// was learned about the service.
pub struct Client<S> {
    transport: Transport,
    service: Arc<S>,
    /// One at least.
    auths: Arc<[Auth]>,
    rate_limits: Arc<RateLimits>,
    observer: Option<Arc<dyn Observer>>,
    cleanups: CleanUps,
}

impl<S: Service> Client<S> {
    /// Returns a client of `service`. `auth` is what signs or authenticates requests: keys,
    /// credentials, or a session. Its transport uses no proxy and trusts Mozilla's certificates;
    /// set another one with [`builder`](Self::builder).
    ///
    /// # Errors
    ///
    /// The transport can't be configured.
    pub fn new(service: S, auth: impl Into<Auth>) -> Result<Self, Error> {
        Self::builder(service, auth).build()
    }

    /// Returns a builder, which sets transport, proxy, timeouts, retries and limits.
    pub fn builder(service: S, auth: impl Into<Auth>) -> ClientBuilder<S> {
        ClientBuilder::new(service, auth.into())
    }

    /// Returns a client of the service that the environment describes, through the proxies that it
    /// names. For S3: region, endpoint, profile and keys as the AWS SDKs find them. For Swift, with
    /// the feature `clouds`: `OS_CLOUD` or `OS_*`, as openstacksdk finds them.
    ///
    /// # Errors
    ///
    /// The environment does not name what is needed, or names something invalid; a file can't be
    /// read.
    #[cfg(any(feature = "credentials", feature = "clouds"))]
    pub fn from_env() -> Result<Self, Error>
    where
        S: FromEnv,
    {
        ClientBuilder::of(S::from_env()?)?.build()
    }

    /// Returns a client of this cloud in the `clouds.yaml` that openstacksdk would read, through
    /// the proxies that the environment names.
    ///
    /// ```no_run
    /// # #[cfg(feature = "clouds")]
    /// # fn main() -> Result<(), apus_async::Error> {
    /// use apus_async::{Client, swift};
    ///
    /// let client: Client<swift::Service> = Client::from_cloud("devstack")?;
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "clouds"))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    ///
    /// There is no such file or cloud, or it is invalid.
    #[cfg(feature = "clouds")]
    pub fn from_cloud(name: &str) -> Result<Self, Error>
    where
        S: FromCloud,
    {
        ClientBuilder::of(S::from_cloud(name)?)?.build()
    }

    /// Returns a client of `service` that uses this transport and authenticator.
    ///
    /// ```no_run
    /// use apus_async::{Client, Keys, Transport, TransportConfig, s3};
    ///
    /// # fn main() -> Result<(), apus_async::Error> {
    /// // Both clients share one pool of connections:
    /// let transport = Transport::new(TransportConfig::new())?;
    /// let near = s3::Service::aws("eu-central-1")?;
    /// let near = Client::with_transport(transport, near, Keys::new("ACCESS_KEY", "SECRET_KEY"));
    /// let far = s3::Service::aws("us-east-1")?;
    /// let far = Client::builder(far, Keys::new("ACCESS_KEY", "SECRET_KEY"))
    ///     .transport(near.transport().clone())
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_transport(transport: Transport, service: S, auth: impl Into<Auth>) -> Self {
        Self {
            transport,
            service: Arc::new(service),
            auths: [auth.into()].into(),
            rate_limits: Arc::default(),
            observer: None,
            cleanups: CleanUps::new(),
        }
    }

    /// Adds another authenticator, with the next number; the first one added has number 1.
    ///
    /// ```no_run
    /// # use apus_async::{Client, s3};
    /// use apus_async::Keys;
    /// use apus_async::s3::Download;
    ///
    /// # async fn example(client: Client<s3::Service>) -> Result<(), apus_async::Error> {
    /// let client = client.add_auth(Keys::new("READER", "SECRET_KEY"));
    /// client.run(Download::new("bucket", "key").with_auth(1)).to_path("copy.img")?.send().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn add_auth(mut self, auth: impl Into<Auth>) -> Self {
        self.auths = self.auths.iter().cloned().chain([auth.into()]).collect();
        self
    }

    /// Applies these limits, which other clients may share. Default: at most [`RateLimits::AT_ONCE`]
    /// (256) requests at once; further requests wait, first in, first out.
    #[must_use]
    pub fn with_rate_limits(mut self, rate_limits: impl Into<Arc<RateLimits>>) -> Self {
        self.rate_limits = rate_limits.into();
        self
    }

    /// Reports what its runs have begun and not removed to this set, which others may share: one
    /// place tells a program that must end at once what is left.
    ///
    /// ```no_run
    /// # #[cfg(feature = "store")]
    /// # mod example {
    /// # use apus_async::{Client, Stores, s3};
    /// # fn example(stores: Stores, client: Client<s3::Service>) -> Client<s3::Service> {
    /// // `stores.remaining()` has then what the client's uploads leave, too:
    /// client.with_cleanups(stores.cleanups().clone())
    /// # }
    /// # }
    /// ```
    #[must_use]
    pub fn with_cleanups(mut self, cleanups: CleanUps) -> Self {
        self.cleanups = cleanups;
        self
    }

    /// Adds an observer of all requests.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observe_both(self.observer.take(), observer));
        self
    }

    /// Returns the service.
    pub fn service(&self) -> &Arc<S> {
        &self.service
    }

    /// Returns the transport.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Returns another seed for the jitter of a machine's delays.
    ///
    /// ```no_run
    /// # use apus_async::{Client, s3};
    /// use std::sync::Arc;
    ///
    /// use apus_async::apus_core::machine::Call;
    /// use apus_async::s3::HeadBucket;
    ///
    /// # async fn example(client: Client<s3::Service>) -> Result<(), apus_async::Error> {
    /// // A machine made by hand, which `run` takes in place of a task:
    /// let call = Call::new(HeadBucket::new("bucket"), Arc::clone(client.service()), client.seed());
    /// client.run(call).send().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn seed(&self) -> u64 {
        clock::seed()
    }

    /// Calls an operation, with retries.
    ///
    /// # Errors
    ///
    /// The server refuses the request, the exchange fails, or the operation's members are invalid.
    pub fn call<O: Operation<Service = S>>(
        &self,
        operation: O,
    ) -> impl Future<Output = Result<O::Output, Error>> + use<'_, O, S> {
        // Not in a task of its own, because a dropped call has nothing to clean up.
        let call = self.boxed(operation);
        spanned(O::NAME, async move {
            let ends = self.ends(Source::none(), Sink::none());
            let auths = Arc::clone(&self.auths);
            drive_call(call, &self.transport, auths, &ends).await.map(|output| *output)
        })
    }

    /// Calls an operation whose body is a range of `source`.
    ///
    /// ```no_run
    /// # use apus_async::{Client, s3};
    /// use std::fs::File;
    ///
    /// use apus_async::s3::PutObject;
    /// use apus_async::{Body, Source};
    ///
    /// # async fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
    /// let source = Source::file(File::open("disk.img")?);
    /// let length = source.length()?.ok_or("it has no length")?;
    /// let body = Body::Source { range: 0..length, rewindable: source.is_rewindable() };
    /// client.call_from(PutObject::from_body("bucket", "key", body), source).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call); the source can't be read.
    pub async fn call_from<O: Operation<Service = S>>(
        &self,
        operation: O,
        source: impl Into<Source>,
    ) -> Result<O::Output, Error> {
        let source = source.into();
        if !source.is_given() {
            return self.call(operation).await;
        }
        let call = self.boxed(operation);
        let (ends, auths) = (self.ends(source, Sink::none()), Arc::clone(&self.auths));
        let with = DriveContext { auths, ends, tokens: Vec::new(), running: None, peek: None };
        let driven = Box::pin(spanned(O::NAME, drive(call, &self.transport, with)));
        driven.await.map(|output| *output)
    }

    /// Returns a URL that is signed for `expires`, and the headers that must be sent with it. Renews
    /// the credentials first if that is due.
    ///
    /// S3: 1 second to 7 days; the URL is valid no longer than the keys that signed it. Swift: a
    /// temporary URL, with the key of the container or the account, which is read first.
    ///
    /// # Errors
    ///
    /// `expires` is out of bounds, no keys can be obtained, the operation's members are invalid, or
    /// a temporary URL can't express them.
    pub async fn presign<O: Operation<Service = S>>(
        &self,
        operation: O,
        expires: Duration,
    ) -> Result<Presigned, Error>
    where
        S: PresignKeys,
    {
        let of_operation = |error: Error| error.in_operation(O::NAME);
        let draft = operation.draft(&self.service).map_err(of_operation)?;
        let key = match self.auths[0].needs_presign_key() {
            true => {
                let key = self.service.presign_key(&draft, self.seed()).map_err(of_operation)?;
                Some(self.run(key).send().await?)
            }
            false => {
                self.call(GrantOnly::new()).await?;
                None
            }
        };
        self.auths[0].presign(draft, key.as_ref(), expires, clock::now()).map_err(of_operation)
    }

    /// Returns a [`Run`] of a task, such as an upload, or of a machine: set its source or its sink,
    /// then call [`send`](Run::send).
    pub fn run<T: IntoMachine<S>>(&self, task: T) -> Run<T, S> {
        let ends = self.ends(Source::none(), Sink::none());
        let (transport, auths) = (self.transport.clone(), self.auths.clone());
        let (service, seed) = (Arc::clone(&self.service), self.seed());
        let name = short_name::<T>();
        Run::new(name, task, (service, seed), transport, auths, ends, &self.cleanups)
    }

    /// Begins a transfer whose steps the caller drives: a multipart upload, by
    /// [`CreateMultipartUpload`](crate::s3::CreateMultipartUpload). Dropping this future removes what
    /// was begun; [`shutdown`](Self::shutdown) waits for that.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call).
    pub async fn start<O>(&self, operation: O) -> Result<Started<O::Handle>, Error>
    where
        O: Driven<Service = S, Output: Send> + Send + 'static,
        O::Handle:
            Handle<S, Abandon: IntoMachine<S, Machine: Machine<Output: Send> + Send + 'static>>,
        S: Send + Sync + 'static,
    {
        // Dropped in the other order: what was begun is being removed before the claim ends.
        let (running, claim) = self.cleanups.begin();
        let (sender, started) = oneshot::channel();
        running.tell(operation.leftovers());
        let client = self.clone();
        // In a task of its own: where the caller goes away before the response, what it began is
        // removed nevertheless.
        tokio::spawn(in_span(async move {
            let begun = client.call(operation.clone()).await.map(|output| {
                let handle = operation.handle(output);
                Started::new(handle, move |handle| client.abandon(&handle))
            });
            if begun.as_ref().map_or_else(|error| !error.outcome_unknown(), |_| true) {
                running.tell(Vec::new());
            }
            // Dropped here, and removed, if nobody waits for it any more.
            drop(sender.send(begun));
        }));
        let begun = started.await;
        let left = claim.settle();
        begun.unwrap_or_else(|_| {
            let cancelled = Error::from(ExchangeError::cancelled());
            Err(left.into_iter().fold(cancelled, Error::with_leftover))
        })
    }

    /// Removes what a transfer has begun, and reports what is left.
    fn abandon<H>(&self, handle: &H)
    where
        H: Handle<S, Abandon: IntoMachine<S, Machine: Machine<Output: Send> + Send + 'static>>,
    {
        let Some(task) = handle.abandon() else { return };
        let (running, _claim) = self.cleanups.begin();
        running.tell(handle.leftovers());
        if let Ok(runtime) = tokio::runtime::Handle::try_current()
            && let Ok(removal) = self.run(task).drive(running, None)
        {
            runtime.spawn(removal);
        }
    }

    /// Lists the pages of `first` and of the requests after it. Ends after an error.
    ///
    /// # Errors
    ///
    /// Each page is a result: those of [`call`](Self::call).
    pub fn pages<O>(&self, first: O) -> PageStream<O>
    where
        O: Paged<Service = S, Output: Send> + Send + 'static,
        S: Send + Sync + 'static,
    {
        PageStream::new(self.clone(), Pages::new(first))
    }

    /// Lists the items of all pages. Ends after an error. A list of more than one kind of item,
    /// such as keys and common prefixes, is an error: use [`pages`](Self::pages).
    ///
    /// # Errors
    ///
    /// Each item is a result: those of [`call`](Self::call).
    pub fn items<O>(&self, first: O) -> Items<O>
    where
        O: Paged<Service = S, Output: Send> + Send + 'static,
        S: Send + Sync + 'static,
    {
        Items { pages: self.pages(first), ready: Vec::new().into_iter() }
    }

    /// Waits, for `deadline` at most, until all runs that were dropped, or whose
    /// [`Reader`](crate::Reader) was dropped, before their end have cleaned up. Returns the leftovers: what could not be removed,
    /// because the server refused or because the runtime ended, and what is not removed yet.
    ///
    /// Call it before the runtime ends, because the end of the runtime stops all cleaning up; or
    /// afterwards in another runtime, to learn what was left. Runs whose callers still wait are not
    /// stopped; they report their own errors.
    pub async fn shutdown(&self, deadline: Duration) -> Vec<Leftover> {
        shutdown(&self.cleanups, deadline).await
    }

    /// Boxed before the future is made, because a machine is moved several times before it runs, and
    /// its output after it.
    fn boxed<O: Operation<Service = S>>(&self, operation: O) -> BoxedCall<O> {
        BoxedCall::of(operation, Arc::clone(&self.service), self.seed())
    }

    fn ends(&self, source: Source, sink: Sink) -> Ends {
        let rate_limits = Some(Arc::clone(&self.rate_limits));
        let observer = self.observer.clone();
        Ends { source, pass: None, sink, rate_limits, observer, heads: false }
    }
}

impl<S> Clone for Client<S> {
    fn clone(&self) -> Self {
        Self {
            transport: self.transport.clone(),
            service: Arc::clone(&self.service),
            auths: self.auths.clone(),
            rate_limits: Arc::clone(&self.rate_limits),
            observer: self.observer.clone(),
            cleanups: self.cleanups.clone(),
        }
    }
}

impl<S> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client(..)")
    }
}

/// Waits for runs that clean up, and returns what is left.
pub(crate) async fn shutdown(cleanups: &CleanUps, deadline: Duration) -> Vec<Leftover> {
    let mut waiting = Waiting { cleanups, place: None };
    let idle = poll_fn(|cx| match cleanups.is_idle(cx.waker(), &mut waiting.place) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    });
    let _ = tokio::time::timeout(deadline, idle).await;
    cleanups.leftovers()
}

struct Waiting<'a> {
    cleanups: &'a CleanUps,
    place: Option<Position>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.cleanups.leave(self.place.take());
    }
}

/// Returns `Upload` for `apus_core::task::s3::Upload`.
fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

/// Bytes that wait for their turn in the digests of a file that is read twice.
const WAITING: u64 = 8 << 20;
