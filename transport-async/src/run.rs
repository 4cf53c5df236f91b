//! A task that is about to run, and its result.

use std::fmt;
use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use apus_core::Error;
use apus_core::contract::{IntoMachine, Machine, OpensHead, Start};
use apus_core::error::ExchangeError;
use apus_core::machine::{Auth, Claim, CleanUps, Observer, Running, observe_both};
use tokio::sync::oneshot;

use crate::cancel::CancelToken;
use crate::client::Transport;
use crate::drive::{DriveContext, Peek, drive, spanned};
use crate::ends::Ends;
use crate::opening::Opening;
use crate::reader::{Reader, channel};
use crate::sink::Sink;
use crate::source::Source;

/// A task that is about to run, and what it runs with.
#[must_use = "nothing runs before `send`"]
pub struct Run<T, S = ()> {
    name: &'static str,
    task: T,
    service: Arc<S>,
    seed: u64,
    transport: Transport,
    auths: Arc<[Auth]>,
    ends: Ends,
    tokens: Vec<CancelToken>,
    cleanups: CleanUps,
}

/// What the machine of a task returns.
pub(crate) type Output<T, S> = <<T as IntoMachine<S>>::Machine as Machine>::Output;

/// The metadata of what is downloaded, and a reader of the bytes.
pub(crate) type Open<T, S> =
    (<<T as IntoMachine<S>>::Machine as OpensHead>::Head, Reader<Output<T, S>>);

impl<T, S> Run<T, S> {
    pub(crate) fn new(
        name: &'static str,
        task: T,
        (service, seed): (Arc<S>, u64),
        transport: Transport,
        auths: impl Into<Arc<[Auth]>>,
        ends: Ends,
        cleanups: &CleanUps,
    ) -> Self {
        let (auths, tokens, cleanups) = (auths.into(), Vec::new(), cleanups.clone());
        Self { name, task, service, seed, transport, auths, ends, tokens, cleanups }
    }

    /// Sends the bytes of `source`: a file, memory, or a reader.
    pub fn body(mut self, source: impl Into<Source>) -> Self {
        self.ends.source = source.into();
        self
    }

    /// Writes the response bodies that the machine passes on to `sink`.
    pub fn write_to(mut self, sink: impl Into<Sink>) -> Self {
        self.ends.sink = sink.into();
        self
    }

    /// Adds an observer of this run to those of the client.
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.ends.observer = Some(observe_both(self.ends.observer.take(), observer));
        self
    }

    /// Writes the response bodies that the machine passes on to a file, completely or not at all:
    /// see [`Sink::path`].
    ///
    /// # Errors
    ///
    /// Those of [`Sink::path`].
    pub fn to_path(self, path: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(self.write_to(Sink::path(path)?))
    }

    /// Stops when `token` is cancelled. May be called several times; each token stops the run.
    pub fn cancel_on(mut self, token: CancelToken) -> Self {
        self.tokens.push(token);
        self
    }
}

impl<T, S> Run<T, S>
where
    T: IntoMachine<S, Machine: Send + 'static>,
    Output<T, S>: Send + 'static,
{
    /// Runs the machine to its end, in a task of its own. Dropping this future cancels the run; the
    /// task goes on until the machine has cleaned up.
    /// [`Client::shutdown`](crate::Client::shutdown) waits for that and returns the leftovers.
    ///
    /// # Errors
    ///
    /// The task's options are invalid; the machine's, after it has cleaned up; or those of the
    /// source or the sink.
    pub async fn send(self) -> Result<Output<T, S>, Error> {
        let token = CancelToken::new();
        let (running, claim) = self.cleanups.begin();
        let guard = DropGuard { token: token.clone(), claim: Some(claim) };
        let task = tokio::spawn(self.cancel_on(token).drive(running, None)?);
        guard.join(task.await)
    }

    /// Runs in a task of its own, and returns a reader of what the machine downloads. The reader
    /// replaces the sink.
    ///
    /// # Errors
    ///
    /// The task's options are invalid. Later failures are errors of the reader.
    pub fn reader(self) -> Result<Reader<Output<T, S>>, Error> {
        let (sink, pieces) = channel();
        Ok(Reader::of(pieces, self.begin(sink, None)?))
    }

    /// Waits until the metadata of what is downloaded is known, and returns it with a reader of the
    /// bytes, which are received in a task of its own. The reader replaces the sink.
    ///
    /// # Errors
    ///
    /// The run has failed before any metadata was known: the object does not exist, a condition is
    /// not met.
    pub async fn open(mut self) -> Result<Open<T, S>, Error>
    where
        T::Machine: OpensHead<Head: Clone + Send + 'static>,
    {
        self.ends.heads = true;
        let (sender, mut head) = oneshot::channel();
        let mut sender = Some(sender);
        let peek: Peek<T::Machine> = Box::new(move |machine| match machine.head() {
            Some(head) => {
                sender.take().map(|sender| sender.send(head.clone()));
                true
            }
            None => false,
        });
        let (sink, pieces) = channel();
        let mut opening = self.begin(sink, Some(peek))?;
        let head = poll_fn(|cx| {
            let polled = opening.poll(cx);
            match head.try_recv() {
                Ok(head) => Poll::Ready(Some(head)),
                Err(_) => polled.map(|()| None),
            }
        })
        .await;
        let reader = Reader::of(pieces, opening);
        match head {
            Some(head) => Ok((head, reader)),
            // The run has ended.
            None => Err(match reader.finish().await {
                Err(error) => error,
                Ok(_) => Error::invalid_response("the download ended without metadata"),
            }),
        }
    }

    /// Returns the run, which has not begun.
    fn begin(
        self,
        sink: Sink,
        peek: Option<Peek<T::Machine>>,
    ) -> Result<Opening<Output<T, S>>, Error> {
        let token = CancelToken::new();
        let (running, claim) = self.cleanups.begin();
        let guard = DropGuard { token: token.clone(), claim: Some(claim) };
        let run = self.write_to(sink).cancel_on(token).drive(running, peek)?;
        Ok(Opening::new(run, guard))
    }

    /// Makes the machine. The span begins in the caller's span, in whichever task the future runs.
    pub(crate) fn drive(
        self,
        running: Running,
        peek: Option<Peek<T::Machine>>,
    ) -> Result<impl Future<Output = Result<Output<T, S>, Error>> + Send + 'static + use<T, S>, Error>
    {
        let Self { name, task, service, seed, transport, auths, ends, tokens, .. } = self;
        let start = Start { service: &service, source: ends.source.given()?, seed };
        let machine = task.into_machine(start)?;
        let with = DriveContext { auths, ends, tokens, running: Some(running), peek };
        Ok(spanned(name, async move { drive(machine, &transport, with).await }))
    }
}

impl<T, S> IntoFuture for Run<T, S>
where
    T: IntoMachine<S, Machine: Send + 'static> + Send + 'static,
    S: Send + Sync + 'static,
    Output<T, S>: Send + 'static,
{
    type Output = Result<Output<T, S>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Does what [`send`](Self::send) does.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl<T, S> fmt::Debug for Run<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Cancels a run that is no longer waited for.
pub(crate) struct DropGuard {
    token: CancelToken,
    /// Absent after the result has arrived.
    claim: Option<Claim>,
}

impl DropGuard {
    /// Ends the wait for a run whose result the caller has.
    pub(crate) fn settle(mut self) {
        self.claim.take().map(Claim::settle);
    }

    /// Returns the result of the task; resumes its panic.
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
                // The runtime of the run has ended, while the caller's runtime goes on.
                Err(_) => {
                    let left = self.claim.take().map(Claim::settle).unwrap_or_default();
                    let cancelled = Error::from(ExchangeError::cancelled());
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
