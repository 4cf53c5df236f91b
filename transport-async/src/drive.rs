//! The loop that runs a machine.
//!
//! ```text
//!          ┌──────────────────────────────────────────────────────┐
//!          ▼                                                      │
//!        turn ── Launch ─▶ perform: here, or as a task ── complete┤
//!          ├──── Park ───▶ wait: completion, time, source, cancel ┘
//!          └──── Done ───▶ the result
//! ```

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use apus_core::Error;
use apus_core::contract::{GivenSource, Machine, OnFailure};
use apus_core::error::ExchangeError;
use apus_core::http::{Completion, Exchange};
use apus_core::machine::{Auth, Pump, Running, Turn};
use apus_core::now::Wait;
use apus_host::{clock, trace};
use tokio::time::{Sleep, sleep_until};

use crate::cancel::{Arrival, CancelToken, Listener, RunWaker};
use crate::client::Transport;
use crate::ends::Ends;
use crate::exchange::ExchangeInProgress;
use crate::pipe::Inflow;
use crate::source::Spooling;

/// Is shown the machine after every step, until it returns true.
pub(crate) type Peek<M> = Box<dyn FnMut(&M) -> bool + Send>;

/// What a run is driven with, besides its machine.
pub(crate) struct DriveContext<M> {
    pub(crate) auths: Arc<[Auth]>,
    pub(crate) ends: Ends,
    pub(crate) tokens: Vec<CancelToken>,
    pub(crate) running: Option<Running>,
    /// Waits for the head of a download.
    pub(crate) peek: Option<Peek<M>>,
}

/// Drives `machine` until it is done, and ends the sink.
pub(crate) async fn drive<M: Machine>(
    machine: M,
    transport: &Transport,
    with: DriveContext<M>,
) -> Result<M::Output, Error> {
    let sink = with.ends.sink.clone();
    let result = drive_into(machine, transport, with).await;
    sink.end(result).await
}

/// Drives a machine that performs one exchange after the other, without source or sink, until it is
/// done. Separate from [`Driver`], whose state and code are those of transfers.
pub(crate) async fn drive_call<M: Machine>(
    machine: M,
    transport: &Transport,
    auths: Arc<[Auth]>,
    ends: &Ends,
) -> Result<M::Output, Error> {
    machine.needs().check(GivenSource::Missing, false)?;
    let waker = Arc::new(RunWaker::default());
    let mut pump = pump(machine, auths, &waker, ends);
    let mut now = clock::now();
    loop {
        match pump.turn(now) {
            Turn::Launch(exchange) => {
                let mut flight = ExchangeInProgress::new(exchange, None);
                let done = flight.perform(transport.shared(), ends).await;
                now = clock::now();
                pump.complete(now, done);
            }
            Turn::Park(wait) => {
                // Boxed, because few calls wait.
                Box::pin(park(&waker, wait)).await;
                now = clock::now();
            }
            Turn::Done(result) => return result,
        }
    }
}

/// Waits until `waker` is woken, or until the given time.
async fn park(waker: &RunWaker, wait: Option<Wait>) {
    let mut timer = pin!(wait.map(|wait| sleep_until(clock::instant(wait.until).into())));
    poll_fn(|cx| {
        let due = timer.as_mut().as_pin_mut().map(|timer| timer.poll(cx));
        match waker.poll(cx).is_ready() || due.is_some_and(|due| due.is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

/// Returns a pump with the limits and the observers of a run.
fn pump<M: Machine>(machine: M, auths: Arc<[Auth]>, waker: &Arc<RunWaker>, ends: &Ends) -> Pump<M> {
    let mut pump = Pump::new(machine, auths, Waker::from(Arc::clone(waker)));
    if let Some(rate_limits) = &ends.rate_limits {
        pump = pump.with_rate_limits(Arc::clone(rate_limits));
    }
    if let Some(observer) = trace::observe(ends.observer.as_ref()) {
        pump = pump.with_observer(observer);
    }
    pump
}

/// Drives `machine` until it is done; the sink is not committed yet.
async fn drive_into<M: Machine>(
    machine: M,
    transport: &Transport,
    with: DriveContext<M>,
) -> Result<M::Output, Error> {
    let DriveContext { auths, mut ends, tokens, running, peek } = with;
    let needs = machine.needs();
    needs.check(ends.source.given()?, ends.sink.is_given())?;
    let workers = ends.source.begin(transport.waiting(needs.memory())).await?;
    ends.pass = workers.as_ref().map(|workers| Arc::clone(workers.pass()));
    let mut driver = Driver::new(machine, auths, &ends);
    driver.listeners = tokens.iter().map(CancelToken::listen).collect();
    (driver.tokens, driver.running, driver.peek) = (tokens, running, peek);
    let alone = driver.peek.is_none()
        && driver.pump.machine().concurrency() <= 1
        && driver.pump.stream_window().is_none();
    let result = if alone {
        driver.run_here(transport, &ends).await
    } else {
        driver.open_source(&ends)?;
        driver.run_crew(transport, &Arc::new(ends.clone())).await
    };
    let output = driver.verdict(result)?;
    ends.sink.flush().await?;
    if let Some(workers) = workers {
        // The run can't be cancelled any more.
        ends.source.settle(workers, needs.source.is_some()).await;
    }
    Ok(output)
}

struct Driver<M: Machine> {
    pump: Pump<M>,
    waker: Arc<RunWaker>,
    /// The tokens that may cancel the run; empty after one did.
    tokens: Vec<CancelToken>,
    /// The listeners to these tokens.
    listeners: Vec<Listener>,
    /// Stops the workers that move the caller's bytes.
    stop: Option<CancelToken>,
    inflow: Option<Inflow>,
    /// The error that ended the run, if it is not the machine's own.
    failed: Option<Error>,
    /// Is told the leftovers; absent after the result has them.
    running: Option<Running>,
    peek: Option<Peek<M>>,
    /// The exchange that is performed in this task.
    first: Option<Pin<Box<dyn Future<Output = Completion> + Send>>>,
    cancelled: bool,
    /// How many steps of cleaning up pass before the leftovers are reported again.
    steps: usize,
}

/// What woke a parked run.
enum Event {
    Woken,
    Time,
    Cancelled(OnFailure),
    Supplied(u64, bool),
    Failed(ExchangeError),
}

impl<M: Machine> Driver<M> {
    /// Returns a driver that nothing cancels.
    fn new(machine: M, auths: Arc<[Auth]>, ends: &Ends) -> Self {
        let waker = Arc::new(RunWaker::default());
        Self {
            pump: pump(machine, auths, &waker, ends),
            waker,
            tokens: Vec::new(),
            listeners: Vec::new(),
            stop: None,
            inflow: None,
            failed: None,
            running: None,
            peek: None,
            first: None,
            cancelled: false,
            steps: 0,
        }
    }

    /// Performs one exchange after the other, in this task.
    async fn run_here(&mut self, transport: &Transport, ends: &Ends) -> Result<M::Output, Error> {
        let mut now = clock::now();
        loop {
            match self.pump.turn(now) {
                Turn::Launch(exchange) => {
                    self.tell();
                    let mut flight = ExchangeInProgress::new(exchange, None);
                    let stop = if flight.moves_bytes() { &self.tokens[..] } else { &[] };
                    let done = fly(&mut flight, transport, ends, stop).await;
                    if let Some(on_failure) = self.tokens.iter().find_map(CancelToken::on_failure) {
                        self.cancel(on_failure);
                    }
                    now = clock::now();
                    self.pump.complete(now, done);
                }
                Turn::Park(wait) => {
                    self.pause(wait).await;
                    now = clock::now();
                }
                Turn::Done(result) => return result,
            }
        }
    }

    /// Performs each exchange in a task of its own; but in this task one that brings the head which
    /// the caller waits for, so that a small object is received without a task.
    async fn run_crew(
        &mut self,
        transport: &Transport,
        ends: &Arc<Ends>,
    ) -> Result<M::Output, Error> {
        ends.sink.attach(&self.waker);
        self.stop = Some(CancelToken::new());
        loop {
            let turn = self.pump.turn(clock::now());
            self.peek();
            match turn {
                Turn::Launch(exchange) => self.launch(exchange, transport, ends),
                Turn::Park(wait) => {
                    let flying = self.pump.in_flight();
                    if wait.is_none() && flying > 0 && ends.sink.waiting() == flying {
                        // The next range is not in flight: it is launched after one of these has
                        // ended.
                        ends.sink.settle();
                    }
                    self.pause(wait).await;
                }
                Turn::Done(result) => return result,
            }
        }
    }

    /// Shows the machine to the caller that waits for its head.
    fn peek(&mut self) {
        let machine = self.pump.machine();
        self.peek.take_if(|peek| peek(machine));
    }

    fn launch(&mut self, exchange: Exchange, transport: &Transport, ends: &Arc<Ends>) {
        let (waker, transport, ends) =
            (Arc::clone(&self.waker), transport.clone(), Arc::clone(ends));
        let mut flight = ExchangeInProgress::new(exchange, Some(Arc::clone(&waker)));
        let stop = self.stop.clone().filter(|_| flight.moves_bytes());
        // When the future is done, it has dropped the flight and the ends: the run may end with this
        // completion, so what it lent must be returned first.
        let flown = async move { fly(&mut flight, &transport, &ends, stop.as_slice()).await };
        if self.peek.is_some() && self.first.is_none() {
            self.first = Some(Box::pin(flown));
        } else {
            tokio::spawn(in_span(async move {
                let done = flown.await;
                waker.hand_in(done);
            }));
        }
    }

    /// Opens the source for a machine that reads it through its stream window.
    fn open_source(&mut self, ends: &Ends) -> Result<(), Error> {
        let Some(window) = self.pump.stream_window() else { return Ok(()) };
        match ends.source.spool()? {
            Spooling::Whole(length) => window.supply(length, true),
            Spooling::Pipe(inflow) => self.inflow = Some(inflow),
        }
        Ok(())
    }

    async fn pause(&mut self, wait: Option<Wait>) {
        self.tell();
        let window = self.pump.stream_window().map(|window| (window.low(), window.high()));
        if let (Some((low, _)), Some(inflow)) = (window, &self.inflow) {
            inflow.release(low);
        }
        let high = window.map_or(0, |(_, high)| high);
        let mut timer = wait.map(|wait| Box::pin(sleep_until(clock::instant(wait.until).into())));
        let event = poll_fn(|cx| self.poll_event(cx, high, timer.as_mut())).await;
        match event {
            Event::Time => {}
            Event::Woken => {
                while let Some(arrival) = self.waker.take() {
                    match arrival {
                        Arrival::Head(opened) => self.pump.opened(clock::now(), opened),
                        Arrival::End(done) => self.pump.complete(clock::now(), done),
                    }
                    self.peek();
                }
            }
            Event::Cancelled(on_failure) => self.cancel(on_failure),
            Event::Supplied(until, ended) => {
                if let Some(window) = self.pump.stream_window() {
                    window.supply(until, ended);
                }
            }
            Event::Failed(failure) => {
                self.failed = Some(failure.into());
                self.cancel(OnFailure::Abort);
            }
        }
    }

    fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        high: u64,
        timer: Option<&mut Pin<Box<Sleep>>>,
    ) -> Poll<Event> {
        if let Some(Poll::Ready(done)) = self.first.as_mut().map(|first| first.as_mut().poll(cx)) {
            self.first = None;
            self.waker.hand_in(done);
        }
        if self.waker.poll(cx).is_ready() {
            return Poll::Ready(Event::Woken);
        }
        if let Poll::Ready(on_failure) = Listener::poll_any(&mut self.listeners, cx) {
            return Poll::Ready(Event::Cancelled(on_failure));
        }
        if let Some(inflow) = self.inflow.as_mut().filter(|inflow| !inflow.has_ended()) {
            match inflow.poll_fill(cx, high) {
                Poll::Ready(Ok((until, ended))) => {
                    return Poll::Ready(Event::Supplied(until, ended));
                }
                Poll::Ready(Err(failure)) => return Poll::Ready(Event::Failed(failure)),
                Poll::Pending => {}
            }
        }
        match timer.map(|timer| timer.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Event::Time),
            _ => Poll::Pending,
        }
    }

    /// Stops what moves bytes, and lets the machine clean up.
    fn cancel(&mut self, on_failure: OnFailure) {
        self.cancelled = true;
        self.tokens.clear();
        self.listeners.clear();
        self.inflow = None;
        if let Some(stop) = self.stop.take() {
            stop.cancel();
        }
        self.pump.cancel(clock::now(), on_failure);
    }

    /// Reports what cleaning up has yet to remove; the more there is, the less often.
    fn tell(&mut self) {
        let Some(running) = self.running.as_ref().filter(|_| self.cancelled) else { return };
        if self.steps > 0 {
            self.steps -= 1;
            return;
        }
        let left = self.pump.machine().leftovers();
        self.steps = left.len() / 16;
        running.tell(left);
    }

    /// Returns the run's own error instead of the machine's, which only says that it was cancelled.
    fn verdict(&mut self, result: Result<M::Output, Error>) -> Result<M::Output, Error> {
        let result = self.reason(result);
        if let Some(running) = self.running.take() {
            let left = result.as_ref().err().map(|error| error.leftovers().to_vec());
            running.tell(left.unwrap_or_default());
        }
        result
    }

    fn reason(&mut self, result: Result<M::Output, Error>) -> Result<M::Output, Error> {
        let Some(mut failed) = self.failed.take() else { return result };
        if let Err(error) = result {
            for leftover in error.leftovers() {
                failed = failed.with_leftover(leftover.clone());
            }
        }
        Err(failed)
    }
}

impl<M: Machine> Drop for Driver<M> {
    /// Drops without a result: the runtime ends, or the machine has panicked.
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.tell(self.pump.machine().leftovers());
        }
    }
}

/// Runs a future in a span of its own, in the caller's.
#[cfg(feature = "tracing")]
pub(crate) fn spanned<F: Future>(
    operation: &'static str,
    driven: F,
) -> impl Future<Output = F::Output> {
    tracing::Instrument::instrument(driven, apus_host::trace::run(operation))
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn spanned<F: Future>(_: &'static str, driven: F) -> F {
    driven
}

/// Runs a future in the span of the run, also in another task.
#[cfg(feature = "tracing")]
pub(crate) fn in_span<F: Future>(flying: F) -> impl Future<Output = F::Output> {
    tracing::Instrument::in_current_span(flying)
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn in_span<F: Future>(flying: F) -> F {
    flying
}

/// Performs an exchange until it is done, stopped, or overtaken by another for the same bytes.
async fn fly(
    flight: &mut ExchangeInProgress,
    transport: &Transport,
    ends: &Ends,
    stop: &[CancelToken],
) -> Completion {
    let hedged = flight.hedged();
    if stop.is_empty() && hedged.is_none() {
        return flight.perform(transport.shared(), ends).await;
    }
    let done = {
        let mut listeners: Vec<Listener> = stop.iter().map(CancelToken::listen).collect();
        let mut perform = pin!(flight.perform(transport.shared(), ends));
        poll_fn(|cx| {
            let is_stopped = Listener::poll_any(&mut listeners, cx).is_ready();
            let is_overtaken =
                hedged.as_ref().is_some_and(|hedged| hedged.poll_overtaken(cx).is_ready());
            match is_stopped || is_overtaken {
                true => Poll::Ready(None),
                false => perform.as_mut().poll(cx).map(Some),
            }
        })
        .await
    };
    match done {
        Some(done) => done,
        None => {
            flight.cancel().expect("a flight that was not performed to its end can be cancelled")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use apus_core::Now;
    use apus_core::contract::Step;

    use super::*;
    use crate::config::TransportConfig;

    /// Waits until it is cancelled.
    #[derive(Default)]
    struct Idle(bool);

    impl Machine for Idle {
        type Output = ();

        fn poll(&mut self, _: Now) -> Step<()> {
            if self.0 {
                Step::Done(Err(ExchangeError::cancelled().into()))
            } else {
                Step::Wait(None)
            }
        }

        fn complete(&mut self, _: Now, _: Completion) {}

        fn cancel(&mut self, _: Now, _: OnFailure) {
            self.0 = true;
        }
    }

    #[derive(Default)]
    struct Count(Arc<AtomicUsize>);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn ten_thousand_runs_that_wait_are_woken_by_a_cancellation_only() {
        let transport = Transport::new(TransportConfig::new()).unwrap();
        let (token, woken) = (CancelToken::new(), Arc::new(AtomicUsize::new(0)));
        let waker = || Waker::from(Arc::new(Count(Arc::clone(&woken))));
        let run = || {
            let tokens = vec![token.clone()];
            let with = DriveContext {
                auths: Arc::new([]),
                ends: Ends::default(),
                tokens,
                running: None,
                peek: None,
            };
            Box::pin(drive(Idle::default(), &transport, with))
        };
        let mut runs: Vec<_> = (0..10_000).map(|_| (run(), waker())).collect();
        for (run, waker) in &mut runs {
            assert!(run.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
        assert_eq!((woken.load(Ordering::Relaxed), token.listening()), (0, 10_000));
        runs.truncate(4_000);
        assert_eq!((woken.load(Ordering::Relaxed), token.listening()), (0, 4_000));
        token.cancel();
        assert_eq!(woken.load(Ordering::Relaxed), 4_000);
        for (run, waker) in &mut runs {
            let polled = run.as_mut().poll(&mut Context::from_waker(waker));
            assert!(matches!(polled, Poll::Ready(Err(error)) if error.is_cancelled()));
        }
        assert_eq!(token.listening(), 0);
    }
}
