//! What programs call.

use std::any::type_name;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use apus_core::Error;
use apus_core::contract::{Machine, Operation, Service};
use apus_core::error::{Failure, Leftover};
use apus_core::http::{Completion, Exchange};
use apus_core::machine::{Call, Claim, CleanUps, GrantOnly, Observer, Party, Running, Traffic};
use apus_core::sign::Presigned;
use apus_core::waiters::Position;
use apus_host::clock;
use http::HeaderValue;

use crate::cancel::CancelToken;
use crate::config::TransportConfig;
use crate::connect::Connector;
use crate::ends::Ends;
use crate::exchange::Flight;
use crate::pool::Pool;
use crate::reader::Reader;
use crate::run::drive;
use crate::sink::Sink;
use crate::source::Source;

/// Connections, and how they are made. Clones share them.
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
    /// A transport without any connections yet.
    ///
    /// # Errors
    ///
    /// A TLS setting that makes no sense.
    pub fn new(config: TransportConfig) -> Result<Self, Error> {
        Ok(Self(Arc::new(Shared {
            connector: Connector::new(&config)?,
            pool: Arc::new(Pool::new(config.idle_age, config.idle_connections)),
            keep: if config.reread { 0 } else { config.in_memory_part_limit },
            expect_above: config.expect_above,
            user_agent: HeaderValue::try_from(config.user_agent)
                .map_err(|_| Error::caller("the user agent has a control character"))?,
        })))
    }

    /// Performs one exchange: no retries, no limits but its own. Must be called in a tokio runtime
    /// with I/O and time enabled, as all that follows.
    pub async fn perform(&self, exchange: Exchange, source: &Source, sink: &Sink) -> Completion {
        let workers = match source.begin(exchange.draft().needs().memory()).await {
            Ok(workers) => workers,
            Err(failure) => return exchange.fail(failure),
        };
        let pass = workers.as_ref().map(|workers| Arc::clone(workers.pass()));
        let (source, sink) = (source.clone(), sink.clone());
        let ends = Ends { source, pass, sink, ..Ends::default() };
        let done = Flight::new(exchange, None).perform(self.shared(), &ends).await;
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

/// A service, and who we are to it. Clones share connections, limits and what was learnt.
pub struct Client<S> {
    transport: Transport,
    service: Arc<S>,
    /// One at least.
    parties: Arc<[Party]>,
    traffic: Arc<Traffic>,
    observer: Option<Arc<dyn Observer>>,
    seeds: Arc<AtomicU64>,
    cleanups: CleanUps,
}

impl<S: Service> Client<S> {
    /// Calls `service` as `party`.
    pub fn new(transport: Transport, service: S, party: Party) -> Self {
        Self {
            transport,
            service: Arc::new(service),
            parties: [party].into(),
            traffic: Arc::default(),
            observer: None,
            seeds: Arc::new(AtomicU64::new(clock::seed())),
            cleanups: CleanUps::new(),
        }
    }

    /// Adds an identity: the second one added is party 1 of drafts, and so on.
    #[must_use]
    pub fn with_party(mut self, party: Party) -> Self {
        self.parties = self.parties.iter().cloned().chain([party]).collect();
        self
    }

    /// Keeps these limits, which other clients may share. Without this there are
    /// [`Traffic::AT_ONCE`] requests at once (256), and the rest wait, first in, first out.
    #[must_use]
    pub fn with_traffic(mut self, traffic: impl Into<Arc<Traffic>>) -> Self {
        self.traffic = traffic.into();
        self
    }

    /// Tells this observer what happens in all calls and runs.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The service, to make machines with.
    pub fn service(&self) -> &Arc<S> {
        &self.service
    }

    /// The transport, which other clients may share.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Another number to start a machine's jitter from.
    pub fn seed(&self) -> u64 {
        self.seeds.fetch_add(SEED_STEP, Ordering::Relaxed)
    }

    /// Calls an operation that moves no bytes but its own.
    ///
    /// # Errors
    ///
    /// The operation's, after what retries could do.
    pub async fn call<O: Operation<Service = S>>(&self, operation: O) -> Result<O::Output, Error> {
        self.exchange(operation, Source::none()).await
    }

    /// Calls an operation whose body is a range of `source`.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), and the source's.
    pub async fn call_from<O: Operation<Service = S>>(
        &self,
        operation: O,
        source: impl Into<Source>,
    ) -> Result<O::Output, Error> {
        self.exchange(operation, source.into()).await
    }

    /// A URL that carries its own proof for `expires`, 1 second to 7 days, and the headers that have
    /// to be sent with it. Keys that are renewed are asked for first, where it is time to; the URL
    /// is good for no longer than the keys that signed it.
    ///
    /// # Errors
    ///
    /// A duration out of bounds; there are no keys to be had; the operation's.
    pub async fn presign<O: Operation<Service = S>>(
        &self,
        operation: O,
        expires: Duration,
    ) -> Result<Presigned, Error> {
        let of_operation = |error: Error| error.in_operation(O::NAME);
        let draft = operation.draft(&self.service).map_err(of_operation)?;
        self.call(GrantOnly::new()).await?;
        self.parties[0].presign(draft, expires, clock::now()).map_err(of_operation)
    }

    /// Runs a machine: says what from, where to and by whom it may be stopped, and then
    /// [`go`](Run::go)es.
    pub fn run<M: Machine>(&self, machine: M) -> Run<M> {
        let ends = self.ends(Source::none(), Sink::none());
        let (transport, parties) = (self.transport.clone(), self.parties.clone());
        Run::new(type_name::<M>(), machine, transport, parties, ends, &self.cleanups)
    }

    /// Runs a machine that downloads; the bytes are there to be read as they come.
    pub fn reader<M>(&self, machine: M) -> Reader<M::Output>
    where
        M: Machine + Send + 'static,
        M::Output: Send + 'static,
    {
        self.run(machine).reader()
    }

    /// Waits until all runs have cleaned up that were dropped, or whose [`Reader`] was, before their
    /// end: no longer than `deadline`. What is still on the server then is returned, each once it is
    /// sure: what could not be removed, what a runtime that ended kept from being removed, and what has
    /// yet to be removed.
    ///
    /// Call it before the runtime ends, which ends all cleaning up; or afterwards in another one, to be
    /// told what was left. Runs whose callers still wait are not stopped, and tell their own errors.
    pub async fn shutdown(&self, deadline: Duration) -> Vec<Leftover> {
        shutdown(&self.cleanups, deadline).await
    }

    /// In the caller's own task: a call leaves nothing behind when it is dropped.
    async fn exchange<O: Operation<Service = S>>(
        &self,
        operation: O,
        source: Source,
    ) -> Result<O::Output, Error> {
        // Boxed, because a machine is moved several times before it runs.
        let call = Box::new(Call::new(operation, Arc::clone(&self.service), self.seed()));
        let ends = self.ends(source, Sink::none());
        let driven = drive(call, &self.transport, self.parties.clone(), ends, Vec::new(), None);
        spanned(O::NAME, driven).await
    }

    fn ends(&self, source: Source, sink: Sink) -> Ends {
        let traffic = Some(Arc::clone(&self.traffic));
        Ends { source, pass: None, sink, traffic, observer: self.observer.clone() }
    }
}

impl<S> Clone for Client<S> {
    fn clone(&self) -> Self {
        Self {
            transport: self.transport.clone(),
            service: Arc::clone(&self.service),
            parties: self.parties.clone(),
            traffic: Arc::clone(&self.traffic),
            observer: self.observer.clone(),
            seeds: Arc::clone(&self.seeds),
            cleanups: self.cleanups.clone(),
        }
    }
}

impl<S> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client(..)")
    }
}

/// A machine about to run.
#[must_use = "nothing runs before `go`"]
pub struct Run<M> {
    name: &'static str,
    machine: M,
    transport: Transport,
    parties: Arc<[Party]>,
    ends: Ends,
    tokens: Vec<CancelToken>,
    cleanups: CleanUps,
}

impl<M: Machine> Run<M> {
    pub(crate) fn new(
        name: &'static str,
        machine: M,
        transport: Transport,
        parties: impl Into<Arc<[Party]>>,
        ends: Ends,
        cleanups: &CleanUps,
    ) -> Self {
        let (parties, tokens, cleanups) = (parties.into(), Vec::new(), cleanups.clone());
        Self { name, machine, transport, parties, ends, tokens, cleanups }
    }

    /// Takes the bytes of uploads from `source`.
    pub fn from(mut self, source: impl Into<Source>) -> Self {
        self.ends.source = source.into();
        self
    }

    /// Puts the bytes of downloads into `sink`.
    pub fn into_sink(mut self, sink: impl Into<Sink>) -> Self {
        self.ends.sink = sink.into();
        self
    }

    /// Tells this observer what happens, in place of the client's.
    pub fn observed(mut self, observer: Arc<dyn Observer>) -> Self {
        self.ends.observer = Some(observer);
        self
    }

    /// Stops when `token` is used. There may be several.
    pub fn cancel_on(mut self, token: CancelToken) -> Self {
        self.tokens.push(token);
        self
    }
}

impl<M> Run<M>
where
    M: Machine + Send + 'static,
    M::Output: Send + 'static,
{
    /// Runs the machine to its end, in a task of its own: who drops this future cancels the run, and
    /// the task goes on until what the machine promises to clean up is cleaned up.
    /// [`Client::shutdown`] waits for that, and tells what was left.
    ///
    /// # Errors
    ///
    /// The machine's, and the source's or sink's.
    pub async fn go(self) -> Result<M::Output, Error> {
        let token = CancelToken::new();
        let (running, claim) = self.cleanups.begin();
        let guard = DropGuard { token: token.clone(), claim: Some(claim) };
        let task = tokio::spawn(self.cancel_on(token).drive(running));
        guard.join(task.await)
    }

    /// Runs a machine that downloads; the bytes are there to be read as they come. Replaces the
    /// sink.
    pub fn reader(self) -> Reader<M::Output> {
        Reader::spawn(|sink| {
            let token = CancelToken::new();
            let (running, claim) = self.cleanups.begin();
            let guard = DropGuard { token: token.clone(), claim: Some(claim) };
            let run = self.into_sink(sink).cancel_on(token);
            (tokio::spawn(run.drive(running)), guard)
        })
    }

    /// The span begins here, in the caller's, whatever task the future goes to.
    fn drive(
        self,
        running: Running,
    ) -> impl Future<Output = Result<M::Output, Error>> + Send + use<M> {
        let Self { name, machine, transport, parties, ends, tokens, .. } = self;
        spanned(name, async move {
            drive(machine, &transport, parties, ends, tokens, Some(running)).await
        })
    }
}

/// Cancels what nobody waits for any more.
pub(crate) struct DropGuard {
    token: CancelToken,
    /// Gone once the result has come.
    claim: Option<Claim>,
}

impl DropGuard {
    /// What came of the task; its panic goes on here.
    pub(crate) fn join<T>(
        mut self,
        joined: Result<Result<T, Error>, tokio::task::JoinError>,
    ) -> Result<T, Error> {
        match joined {
            Ok(result) => {
                self.claim.take().map(Claim::settle);
                result
            }
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime of the run has ended, and not that of its caller.
                Err(_) => {
                    let left = self.claim.take().map(Claim::settle).unwrap_or_default();
                    let cancelled = Error::from(Failure::cancelled());
                    Err(left.into_iter().fold(cancelled, Error::with_leftover))
                }
            },
        }
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

/// Waits for runs that clean up; what is left.
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

#[cfg(feature = "tracing")]
fn spanned<F: Future>(operation: &'static str, driven: F) -> impl Future<Output = F::Output> {
    tracing::Instrument::instrument(driven, tracing::info_span!("apus", operation))
}

#[cfg(not(feature = "tracing"))]
fn spanned<F: Future>(_: &'static str, driven: F) -> F {
    driven
}

/// Far apart: a machine may count on from its seed.
const SEED_STEP: u64 = 0x9E37_79B9_7F4A_7C15;
