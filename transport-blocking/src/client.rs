//! The client: calls operations and runs machines.

use std::fmt;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use apus_core::Error;
use apus_core::contract::{Driven, Handle, IntoMachine, Operation, Paged, Pages, Service, Started};
use apus_core::error::Leftover;
use apus_core::machine::{
    Auth, BoxedCall, CleanUps, GrantOnly, Observer, PresignKeys, RateLimits, observe_both,
};
use apus_core::sign::Presigned;
use apus_host::clock;
#[cfg(feature = "clouds")]
use apus_host::surroundings::FromCloud;
#[cfg(any(feature = "credentials", feature = "clouds"))]
use apus_host::surroundings::FromEnv;

use crate::builder::ClientBuilder;
use crate::exchange::Transport;
use crate::pages::{Items, PageIter};
use crate::run::{Run, RunContext};
use crate::sink::Sink;
use crate::source::Source;

/// A service, the authenticators for it, and a transport. Clones share connections, limits and what
/// was learned about the service.
pub struct Client<S: Service> {
    service: Arc<S>,
    context: RunContext,
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
    /// # fn main() -> Result<(), apus_blocking::Error> {
    /// use apus_blocking::{Client, swift};
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
    /// use apus_blocking::{Client, Keys, Transport, TransportConfig, s3};
    ///
    /// # fn main() -> Result<(), apus_blocking::Error> {
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
        let auths = [auth.into()].into();
        let context = RunContext {
            transport,
            auths,
            rate_limits: Arc::default(),
            observer: None,
            cleanups: CleanUps::new(),
        };
        Self { service: Arc::new(service), context }
    }

    /// Adds another authenticator, with the next number; the first one added has number 1.
    ///
    /// ```no_run
    /// # use apus_blocking::{Client, s3};
    /// use apus_blocking::Keys;
    /// use apus_blocking::s3::Download;
    ///
    /// # fn example(client: Client<s3::Service>) -> Result<(), apus_blocking::Error> {
    /// let client = client.add_auth(Keys::new("READER", "SECRET_KEY"));
    /// client.run(Download::new("bucket", "key").with_auth(1)).to_path("copy.img")?.send()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn add_auth(mut self, auth: impl Into<Auth>) -> Self {
        self.context.auths = self.context.auths.iter().cloned().chain([auth.into()]).collect();
        self
    }

    /// Applies these limits, which other clients may share. Default: at most [`RateLimits::AT_ONCE`]
    /// (256) requests at once; further requests wait, first in, first out.
    #[must_use]
    pub fn with_rate_limits(mut self, rate_limits: impl Into<Arc<RateLimits>>) -> Self {
        self.context.rate_limits = rate_limits.into();
        self
    }

    /// Adds an observer of all requests.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.context.observer = Some(observe_both(self.context.observer.take(), observer));
        self
    }

    /// Reports what its runs have begun and not removed to this set, which others may share: one
    /// place tells a program that must end at once what is left.
    ///
    /// ```no_run
    /// # #[cfg(feature = "store")]
    /// # mod example {
    /// # use apus_blocking::{Client, Stores, s3};
    /// # fn example(stores: Stores, client: Client<s3::Service>) -> Client<s3::Service> {
    /// // `stores.remaining()` has then what the client's uploads leave, too:
    /// client.with_cleanups(stores.cleanups().clone())
    /// # }
    /// # }
    /// ```
    #[must_use]
    pub fn with_cleanups(mut self, cleanups: CleanUps) -> Self {
        self.context.cleanups = cleanups;
        self
    }

    /// Returns the service.
    pub fn service(&self) -> &Arc<S> {
        &self.service
    }

    /// Returns the transport.
    pub fn transport(&self) -> &Transport {
        &self.context.transport
    }

    /// Returns another seed for the jitter of a machine's delays.
    ///
    /// ```no_run
    /// # use apus_blocking::{Client, s3};
    /// use std::sync::Arc;
    ///
    /// use apus_blocking::apus_core::machine::Call;
    /// use apus_blocking::s3::HeadBucket;
    ///
    /// # fn example(client: Client<s3::Service>) -> Result<(), apus_blocking::Error> {
    /// // A machine made by hand, which `run` takes in place of a task:
    /// let call = Call::new(HeadBucket::new("bucket"), Arc::clone(client.service()), client.seed());
    /// client.run(call).send()?;
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
    pub fn call<O: Operation<Service = S>>(&self, operation: O) -> Result<O::Output, Error> {
        self.operation(operation).send().map(|output| *output)
    }

    /// Calls an operation whose body is a range of `source`.
    ///
    /// ```no_run
    /// # use apus_blocking::{Client, s3};
    /// use std::fs::File;
    ///
    /// use apus_blocking::s3::PutObject;
    /// use apus_blocking::{Body, Source};
    ///
    /// # fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
    /// let source = Source::file(File::open("disk.img")?);
    /// let length = source.length()?.ok_or("it has no length")?;
    /// let body = Body::Source { range: 0..length, rewindable: source.is_rewindable() };
    /// client.call_from(PutObject::from_body("bucket", "key", body), source)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call); the source can't be read.
    pub fn call_from<'a, O: Operation<Service = S>>(
        &self,
        operation: O,
        source: impl Into<Source<'a>>,
    ) -> Result<O::Output, Error> {
        self.operation(operation).body(source).send().map(|output| *output)
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
    pub fn presign<O: Operation<Service = S>>(
        &self,
        operation: O,
        expires: Duration,
    ) -> Result<Presigned, Error>
    where
        S: PresignKeys,
    {
        let of_operation = |error: Error| error.in_operation(O::NAME);
        let draft = operation.draft(&self.service).map_err(of_operation)?;
        let key = match self.context.auths[0].needs_presign_key() {
            true => {
                let key = self.service.presign_key(&draft, self.seed()).map_err(of_operation)?;
                Some(self.run(key).send()?)
            }
            false => {
                self.call(GrantOnly::new())?;
                None
            }
        };
        self.context.auths[0]
            .presign(draft, key.as_ref(), expires, clock::now())
            .map_err(of_operation)
    }

    /// Returns a [`Run`] of a task, such as an upload, or of a machine: set its source or its sink,
    /// then call [`send`](Run::send).
    pub fn run<'a, T: IntoMachine<S>>(&self, task: T) -> Run<'a, T, S> {
        self.named(short_name::<T>(), self.seed(), task)
    }

    /// Begins a transfer whose steps the caller drives: a multipart upload, by
    /// [`CreateMultipartUpload`](crate::s3::CreateMultipartUpload).
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call).
    pub fn start<O>(&self, operation: O) -> Result<Started<O::Handle>, Error>
    where
        O: Driven<Service = S>,
        S: Send + Sync + 'static,
    {
        let handle = operation.clone().handle(self.call(operation)?);
        let client = self.clone();
        Ok(Started::new(handle, move |handle| client.abandon(&handle)))
    }

    /// Removes what a transfer has begun, and reports what is left.
    fn abandon<H: Handle<S>>(&self, handle: &H) {
        let Some(task) = handle.abandon() else { return };
        let (running, _claim) = self.context.cleanups.begin();
        if self.run(task).send().is_err() {
            running.tell(handle.leftovers());
        }
    }

    /// Lists the pages of `first` and of the requests after it. Ends after an error.
    ///
    /// # Errors
    ///
    /// Each page is a result: those of [`call`](Self::call).
    pub fn pages<O: Paged<Service = S>>(&self, first: O) -> PageIter<O> {
        PageIter::new(self.clone(), Pages::new(first))
    }

    /// Lists the items of all pages. Ends after an error. A list of more than one kind of item,
    /// such as keys and common prefixes, is an error: use [`pages`](Self::pages).
    ///
    /// # Errors
    ///
    /// Each item is a result: those of [`call`](Self::call).
    pub fn items<O: Paged<Service = S>>(&self, first: O) -> Items<O> {
        Items::new(self.pages(first))
    }

    /// Waits, for `deadline` at most, until all runs whose [`Reader`](crate::Reader) was dropped before their end
    /// have cleaned up. Returns the leftovers: what could not be removed, and what is not removed
    /// yet.
    ///
    /// Call it before the process ends, because the end of the process stops all cleaning up. Runs
    /// whose callers still wait are not stopped; they report their own errors.
    pub fn shutdown(&self, deadline: Duration) -> Vec<Leftover> {
        shutdown(&self.context.cleanups, deadline)
    }

    fn operation<'a, O: Operation<Service = S>>(&self, operation: O) -> Run<'a, BoxedCall<O>, S> {
        let seed = clock::seed();
        // Boxed, because a machine is moved several times before it runs, and its output after it.
        self.named(O::NAME, seed, BoxedCall::of(operation, Arc::clone(&self.service), seed))
    }

    fn named<'a, T>(&self, name: &'static str, seed: u64, task: T) -> Run<'a, T, S> {
        Run {
            task,
            service: Arc::clone(&self.service),
            seed,
            context: self.context.clone(),
            name,
            source: Source::none(),
            sink: Sink::none(),
            token: None,
            running: None,
        }
    }
}

impl<S: Service> Clone for Client<S> {
    fn clone(&self) -> Self {
        Self { service: Arc::clone(&self.service), context: self.context.clone() }
    }
}

impl<S: Service> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("auths", &self.context.auths.len()).finish_non_exhaustive()
    }
}

/// Waits for runs that clean up, and returns what is left.
pub(crate) fn shutdown(cleanups: &CleanUps, deadline: Duration) -> Vec<Leftover> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (begun, mut place) = (Instant::now(), None);
    while !cleanups.is_idle(&waker, &mut place) {
        let Some(left) = deadline.checked_sub(begun.elapsed()).filter(|left| !left.is_zero())
        else {
            break;
        };
        thread::park_timeout(left);
    }
    cleanups.leave(place);
    cleanups.leftovers()
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Returns `Upload` for `apus_core::machine::upload::Upload<..>`.
fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}
