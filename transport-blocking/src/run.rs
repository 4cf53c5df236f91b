//! Runs a machine to its end.
//!
//! ```text
//!        ┌───────── complete ◀── a worker, or this thread if the machine's concurrency is 1
//!        ▼                                                     ▲
//!      turn ──▶ Launch ──▶ the exchange and its bytes ─────────┘
//!        │ └──▶ Park ────▶ read the source ahead, or wait: completion, waker, deadline, token
//!        ▼
//!      Done
//! ```

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::thread::{self, Scope};
use std::time::Duration;

use apus_core::Error;
use apus_core::contract::{IntoMachine, Machine, OnFailure, OpensHead, Start};
use apus_core::error::ExchangeError;
use apus_core::http::{Exchange, Opened, Outgoing};
use apus_core::machine::{Auth, CleanUps, Observer, Pump, RateLimits, Running, Turn, observe_both};
use apus_core::now::Wait;
use apus_host::clock::now;
use apus_host::trace;
use bytes::Bytes;

use crate::body_reader::BodyReader;
use crate::cancel::{CancelToken, Stop};
use crate::exchange::{Notify, Performed, Transport};
use crate::meter::Watch;
use crate::passes::OnePass;
use crate::reader::Reader;
use crate::sink::Sink;
use crate::source::Source;
use crate::spool::Spool;

/// A task that is about to run, and what it runs with.
#[must_use = "nothing happens before `send`"]
pub struct Run<'a, T, S = ()> {
    pub(crate) task: T,
    pub(crate) service: Arc<S>,
    pub(crate) seed: u64,
    pub(crate) context: RunContext,
    pub(crate) name: &'static str,
    pub(crate) source: Source<'a>,
    pub(crate) sink: Sink<'a>,
    pub(crate) token: Option<CancelToken>,
    /// Is told the leftovers, if the caller may drop the run before it ends.
    pub(crate) running: Option<Running>,
}

/// What a client shares with its runs.
#[derive(Clone)]
pub(crate) struct RunContext {
    pub(crate) transport: Transport,
    /// At least one.
    pub(crate) auths: Arc<[Auth]>,
    pub(crate) rate_limits: Arc<RateLimits>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) cleanups: CleanUps,
}

/// Is shown the machine after every step, until it returns true.
pub(crate) type Peek<'a, M> = Box<dyn FnMut(&M) -> bool + 'a>;

impl<'a, T, S> Run<'a, T, S> {
    /// Sends the bytes of `source`: a file, memory, or a reader.
    pub fn body(mut self, source: impl Into<Source<'a>>) -> Self {
        self.source = source.into();
        self
    }

    /// Writes the response bodies that the machine passes on to `sink`.
    pub fn write_to(mut self, sink: impl Into<Sink<'a>>) -> Self {
        self.sink = sink.into();
        self
    }

    /// Adds an observer of this run to those of the client.
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.context.observer = Some(observe_both(self.context.observer.take(), observer));
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

    /// Stops when `token` is cancelled. A second call replaces the token.
    pub fn cancel_on(mut self, token: CancelToken) -> Self {
        self.token = Some(token);
        self
    }
}

impl<'a, T: IntoMachine<S>, S> Run<'a, T, S> {
    /// Runs the machine to its end, on this thread and, while the machine has several exchanges in
    /// flight, on a thread for each.
    ///
    /// This thread reads a source of unknown length: while a read blocks, no exchange is launched,
    /// and a cancelled token is not noticed.
    ///
    /// # Errors
    ///
    /// The task's options are invalid; the machine's, after it has cleaned up; or those of the
    /// source or the sink.
    ///
    /// # Panics
    ///
    /// With the panic of a reader, a writer or an observer, after the machine was cancelled and has
    /// cleaned up.
    pub fn send(self) -> Result<Output<T, S>, Error> {
        self.drive(None)
    }

    /// Runs in a thread of its own, and returns a reader of what the machine downloads. The reader
    /// replaces the sink.
    ///
    /// # Errors
    ///
    /// The task's options are invalid. Later failures are errors of the reader.
    pub fn reader(self) -> Result<Reader<Output<T, S>>, Error>
    where
        T::Machine: Send + 'static,
        S: Send + Sync + 'static,
        Output<T, S>: Send + 'static,
        'a: 'static,
    {
        Ok(Reader::spawn::<_, _, ()>(self.prepare()?, |_| None, None))
    }

    /// Runs in a thread of its own, waits until the metadata of what is downloaded is known, and
    /// returns it with a reader of the bytes. The reader replaces the sink.
    ///
    /// # Errors
    ///
    /// The run has failed before any metadata was known: the object does not exist, a condition is
    /// not met.
    pub fn open(self) -> Result<Open<T, S>, Error>
    where
        T::Machine: OpensHead<Head: Clone + Send + 'static> + Send + 'static,
        S: Send + Sync + 'static,
        Output<T, S>: Send + 'static,
        'a: 'static,
    {
        let (sender, heads) = mpsc::channel();
        let head = |machine: &T::Machine| machine.head().cloned();
        let reader = Reader::spawn(self.prepare()?, head, Some(sender));
        match heads.recv() {
            Ok(head) => Ok((head, reader)),
            // The run has ended.
            Err(_) => Err(match reader.finish() {
                Err(error) => error,
                Ok(_) => Error::invalid_response("the download ended without metadata"),
            }),
        }
    }

    /// Makes the machine.
    fn prepare(self) -> Result<Run<'a, T::Machine, S>, Error> {
        let Self { task, service, seed, context, name, source, sink, token, running } = self;
        let start = Start { service: &service, source: source.given()?, seed };
        let task = task.into_machine(start)?;
        Ok(Run { task, service, seed, context, name, source, sink, token, running })
    }

    pub(crate) fn drive(self, peek: Option<Peek<'_, T::Machine>>) -> Result<Output<T, S>, Error> {
        let Self { task, service, seed, context, name, source, sink, token, running } = self;
        let span = trace::run(name);
        let _entered = span.enter();
        let machine =
            task.into_machine(Start { service: &service, source: source.given()?, seed })?;
        let needs = machine.needs();
        needs.check(source.given()?, sink.is_given())?;
        let pass = source.begin(context.transport.waiting(needs.memory()))?;
        let inbox = Arc::new(Inbox::default());
        let waker = Waker::from(Arc::clone(&inbox));
        let _registration = token.as_ref().map(|token| token.register(waker.clone()));
        // Of a run that may be cancelled, what is left is known while the run lasts.
        let (running, claim) = match running {
            None if token.is_some() => {
                let (running, claim) = context.cleanups.begin();
                (Some(running), Some(claim))
            }
            running => (running, None),
        };
        let mut pump = Pump::new(machine, context.auths, waker.clone())
            .with_rate_limits(Arc::clone(&context.rate_limits));
        if let Some(observer) = trace::observe(context.observer.as_ref()) {
            pump = pump.with_observer(observer);
        }
        let spool = match pump.stream_window() {
            Some(_) => Some(Spool::new(source.in_order(pass.as_ref())?)),
            None => None,
        };
        let watch = Watch {
            observer: context.observer,
            rate_limits: Some(context.rate_limits),
            stop: Stop::new(token),
        };
        sink.begin();
        let transport = &context.transport;
        let (result, panic) = thread::scope(|scope| {
            if let Some(pass) = &pass {
                pass.start(scope);
            }
            let pass = pass.as_ref();
            let shared = Shared {
                transport,
                source: &source,
                pass,
                sink: &sink,
                watch: &watch,
                span: &span,
            };
            let _guard = StopOnDrop { shared };
            let mut drive = Drive {
                pump,
                shared,
                scope,
                inbox,
                waker,
                spool,
                told: false,
                peek,
                running,
                steps: 0,
                broken: None,
                panic: None,
            };
            let result = drive.run();
            if let Some(spool) = drive.spool {
                source.give_back(spool.into_source());
            }
            if let (Ok(_), Some(pass)) = (&result, pass) {
                source.settle(pass, needs.source.is_some());
            }
            (result, drive.panic)
        });
        if let Some(claim) = claim {
            claim.settle();
        }
        match panic {
            Some(panic) => {
                let _ = sink.end::<()>(Err(ExchangeError::cancelled().into()));
                resume_unwind(panic)
            }
            None => sink.end(result),
        }
    }
}

/// What the machine of a task returns.
pub(crate) type Output<T, S> = <<T as IntoMachine<S>>::Machine as Machine>::Output;

/// The metadata of what is downloaded, and a reader of the bytes.
pub(crate) type Open<T, S> =
    (<<T as IntoMachine<S>>::Machine as OpensHead>::Head, Reader<Output<T, S>>);

impl<T, S> fmt::Debug for Run<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("name", &self.name)
            .field("source", &self.source)
            .field("sink", &self.sink)
            .finish_non_exhaustive()
    }
}

/// What the threads of a run share.
#[derive(Clone, Copy)]
struct Shared<'r, 'a> {
    transport: &'r Transport,
    source: &'r Source<'a>,
    pass: Option<&'r Arc<OnePass>>,
    sink: &'r Sink<'a>,
    watch: &'r Watch,
    span: &'r trace::Span,
}

/// Wakes all waiting threads when the loop has ended, failed or panicked.
struct StopOnDrop<'r, 'a> {
    shared: Shared<'r, 'a>,
}

impl Drop for StopOnDrop<'_, '_> {
    fn drop(&mut self) {
        self.shared.watch.stop.raise();
        self.shared.sink.stir();
        if let Some(pass) = self.shared.pass {
            pass.close();
        }
    }
}

/// What arrives from the thread of an exchange.
enum Arrival {
    /// The head of its response.
    Head(Opened),
    /// Its end.
    End(Performed),
}

/// What wakes the loop: completed exchanges, and its waker.
#[derive(Default)]
struct Inbox {
    state: Mutex<InboxState>,
    filled: Condvar,
}

#[derive(Default)]
struct InboxState {
    queue: VecDeque<Arrival>,
    woken: bool,
}

impl Inbox {
    fn hand_in(&self, arrival: Arrival) {
        self.lock().queue.push_back(arrival);
        self.filled.notify_one();
    }

    /// Takes what arrived first.
    fn take(&self) -> Option<Arrival> {
        let mut state = self.lock();
        state.woken = false;
        state.queue.pop_front()
    }

    /// Waits until there is something to take or the waker was called, but not longer than `limit`.
    fn wait(&self, limit: Option<Duration>) {
        let is_empty = |state: &mut InboxState| state.queue.is_empty() && !state.woken;
        let (state, filled) = (self.lock(), &self.filled);
        match limit {
            None => drop(filled.wait_while(state, is_empty)),
            Some(limit) => drop(filled.wait_timeout_while(state, limit, is_empty)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, InboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Inbox {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.lock().woken = true;
        self.filled.notify_one();
    }
}

/// The loop.
struct Drive<'scope, 'env, 'a, M: Machine> {
    pump: Pump<M>,
    shared: Shared<'scope, 'a>,
    scope: &'scope Scope<'scope, 'env>,
    inbox: Arc<Inbox>,
    waker: Waker,
    spool: Option<Spool<'a>>,
    /// The machine was told that it is cancelled.
    told: bool,
    /// Waits for the head of the download.
    peek: Option<Peek<'env, M>>,
    running: Option<Running>,
    /// How many steps of cleaning up pass before the leftovers are reported again.
    steps: usize,
    /// Why the source could not be read.
    broken: Option<ExchangeError>,
    panic: Option<Box<dyn Any + Send>>,
}

impl<'scope, 'a: 'scope, M: Machine> Drive<'scope, '_, 'a, M> {
    fn run(&mut self) -> Result<M::Output, Error> {
        let result = loop {
            while let Some(arrival) = self.inbox.take() {
                match arrival {
                    Arrival::Head(opened) => self.pump.opened(now(), opened),
                    Arrival::End(performed) => self.land(performed),
                }
                self.peek();
            }
            self.heed_token();
            self.tell();
            match self.pump.turn(now()) {
                Turn::Launch(exchange) => self.launch(exchange),
                // While a source blocks, this run would keep a place that other runs wait for.
                Turn::Park(_) if !self.pump.is_in_line() && self.read_ahead() => {}
                Turn::Park(wait) => self.park(wait),
                Turn::Done(result) => break result,
            }
            self.peek();
        };
        self.peek();
        if let Some(running) = self.running.take() {
            let left = result.as_ref().err().map(|error| error.leftovers().to_vec());
            running.tell(left.unwrap_or_default());
        }
        match (self.broken.take(), result) {
            (Some(failure), Err(error)) => {
                let left = error.leftovers().iter().cloned();
                Err(left.fold(Error::from(failure), Error::with_leftover))
            }
            (_, result) => result,
        }
    }

    /// Shows the machine to the caller that waits for its head.
    fn peek(&mut self) {
        let machine = self.pump.machine();
        self.peek.take_if(|peek| peek(machine));
    }

    /// Reports what cleaning up has yet to remove; the more there is, the less often. Before a read
    /// that may block for ever, reports what has been begun.
    fn tell(&mut self) {
        let may_block = self.spool.is_some();
        let Some(running) = self.running.as_ref().filter(|_| self.told || may_block) else {
            return;
        };
        if self.steps > 0 {
            self.steps -= 1;
            return;
        }
        let left = self.pump.machine().leftovers();
        self.steps = left.len() / 16;
        running.tell(left);
    }

    fn launch(&mut self, exchange: Exchange) {
        let awaited = self.peek.is_some();
        let alone =
            !awaited && self.pump.machine().concurrency() <= 1 && self.pump.in_flight() <= 1;
        self.shared.sink.expect(&exchange.draft().incoming);
        let feed = match self.feed(&exchange, alone) {
            Ok(feed) => feed,
            Err(failure) => {
                self.pump.complete(now(), exchange.fail(failure));
                if self.panic.is_some() {
                    self.cancel(OnFailure::Abort);
                }
                return;
            }
        };
        let Shared { transport, sink, watch, .. } = self.shared;
        if alone {
            let performed = transport.fly(exchange, feed, sink.outlet(), Notify::default(), watch);
            return self.land(performed);
        }
        let (inbox, waker, span) = (Arc::clone(&self.inbox), self.waker.clone(), self.shared.span);
        self.scope.spawn(move || {
            let _entered = span.enter();
            let head = |opened| inbox.hand_in(Arrival::Head(opened));
            let reports = awaited || exchange.hedged().is_some();
            let notify =
                Notify { waker: Some(&waker), head: reports.then_some(&head as &dyn Fn(Opened)) };
            let performed = transport.fly(exchange, feed, sink.outlet(), notify, watch);
            // The loop does not end before all exchanges have queue.
            inbox.hand_in(Arrival::End(performed));
        });
    }

    fn feed(&mut self, exchange: &Exchange, alone: bool) -> Result<BodyReader<'a>, ExchangeError> {
        let Shared { source, pass, sink, .. } = self.shared;
        exchange.draft().needs().check(source.presence(), sink.is_given())?;
        match (exchange.outgoing(), &self.spool) {
            (Outgoing::Empty, _) => Ok(BodyReader::bytes(Bytes::new())),
            (Outgoing::Bytes(bytes), _) => Ok(BodyReader::bytes(bytes.clone())),
            (Outgoing::Source { range }, Some(spool)) => spool.feed(range.clone()),
            (Outgoing::Source { range }, None) => {
                caught(&mut self.panic, || source.feed(range.clone(), alone, pass))
            }
        }
    }

    fn land(&mut self, performed: Performed) {
        self.pump.complete(now(), performed.completion);
        if let Some(panic) = performed.panic {
            self.panic.get_or_insert(panic);
            self.cancel(OnFailure::Abort);
        }
    }

    /// Reads a piece of a source that can be read only once, if the machine allows it. True if the
    /// machine must be polled again.
    fn read_ahead(&mut self) -> bool {
        let (Some(spool), Some(window)) = (&mut self.spool, self.pump.stream_window()) else {
            return false;
        };
        if self.told {
            return false;
        }
        match caught(&mut self.panic, || spool.advance(window)) {
            Ok(read) => read,
            Err(failure) => {
                self.broken = Some(failure);
                self.cancel(OnFailure::Abort);
                true
            }
        }
    }

    fn park(&mut self, wait: Option<Wait>) {
        if wait.is_none() {
            self.shared.sink.unblock(self.pump.in_flight());
        }
        self.inbox.wait(wait.map(|wait| wait.until.saturating_sub(now().tick)));
    }

    fn heed_token(&mut self) {
        if let Some(on_failure) = self.shared.watch.stop.token().and_then(CancelToken::on_failure) {
            self.cancel(on_failure);
        }
    }

    fn cancel(&mut self, on_failure: OnFailure) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        self.shared.watch.stop.raise();
        self.shared.sink.stir();
        self.pump.cancel(now(), on_failure);
    }
}

/// Calls `work`, which runs the caller's code, and keeps its panic for later.
fn caught<T>(
    panic: &mut Option<Box<dyn Any + Send>>,
    work: impl FnOnce() -> Result<T, ExchangeError>,
) -> Result<T, ExchangeError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        panic.get_or_insert(payload);
        Err(ExchangeError::cancelled())
    })
}
