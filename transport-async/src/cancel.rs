//! Stopping a run from outside, and the waker of a run.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use apus_core::contract::OnFailure;
use apus_core::http::{Completion, Opened};
use apus_core::waiters::{Position, Waiters};

/// Stops the runs that it was passed to. Clones stop the same runs.
///
/// A stopped run breaks off the exchanges that move the caller's bytes, waits for the others,
/// cleans up on the server as its machine requires, and ends with an error that [is
/// cancelled](apus_core::Error::is_cancelled).
#[derive(Clone, Default)]
pub struct CancelToken(Arc<State>);

#[derive(Default)]
struct State {
    request: Mutex<Request>,
    parent: Option<CancelToken>,
}

#[derive(Default)]
struct Request {
    on_failure: Option<OnFailure>,
    waiting: Waiters,
}

impl CancelToken {
    /// Returns a token that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a token that is cancelled with this one. Cancelling the child does not cancel this
    /// one.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(Arc::new(State { parent: Some(self.clone()), ..State::default() }))
    }

    /// Stops the runs, and leaves nothing on the server.
    pub fn cancel(&self) {
        self.cancel_with(OnFailure::Abort);
    }

    /// Stops the runs, and leaves on the server what `leave` says. Of several calls the first
    /// counts.
    ///
    /// ```no_run
    /// # use apus_async::{Client, s3};
    /// use std::fs::File;
    ///
    /// use apus_async::s3::Upload;
    /// use apus_async::{CancelToken, OnFailure};
    ///
    /// # async fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
    /// let all = CancelToken::new();
    /// for name in ["a.img", "b.img"] {
    ///     let run = client.run(Upload::new("bucket", name)).body(File::open(name)?);
    ///     run.cancel_on(all.child()).send().await?;
    /// }
    /// // Elsewhere, when the program ends: what was sent stays there, to be resumed.
    /// all.cancel_with(OnFailure::Keep);
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel_with(&self, on_failure: OnFailure) {
        let waiting = {
            let mut request = lock(&self.0.request);
            request.on_failure.get_or_insert(on_failure);
            request.waiting.drain()
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Returns whether the token was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.on_failure().is_some()
    }

    /// Returns what to leave on the server, if the token was cancelled.
    pub(crate) fn on_failure(&self) -> Option<OnFailure> {
        let own = lock(&self.0.request).on_failure;
        own.or_else(|| self.0.parent.as_ref()?.on_failure())
    }

    /// Returns how many listeners wait.
    #[cfg(test)]
    pub(crate) fn listening(&self) -> usize {
        lock(&self.0.request).waiting.len()
    }

    /// Returns a listener, which waits until the token is cancelled.
    pub(crate) fn listen(&self) -> Listener {
        let parent = self.0.parent.as_ref().map(|parent| Box::new(parent.listen()));
        Listener { token: self.clone(), place: None, parent }
    }
}

/// Waits for a token. Dropping it removes it from the token.
pub(crate) struct Listener {
    token: CancelToken,
    place: Option<Position>,
    parent: Option<Box<Listener>>,
}

impl Listener {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<OnFailure> {
        let mut request = lock(&self.token.0.request);
        if let Some(on_failure) = request.on_failure {
            return Poll::Ready(on_failure);
        }
        let waits = self.place.is_some_and(|place| request.waiting.renew(place, cx.waker()));
        if !waits {
            self.place = Some(request.waiting.join(cx.waker()));
        }
        drop(request);
        match &mut self.parent {
            Some(parent) => parent.poll(cx),
            None => Poll::Pending,
        }
    }

    /// Ready when one of the tokens was cancelled.
    pub(crate) fn poll_any(listeners: &mut [Self], cx: &mut Context<'_>) -> Poll<OnFailure> {
        let on_failure = listeners.iter_mut().find_map(|listener| match listener.poll(cx) {
            Poll::Ready(on_failure) => Some(on_failure),
            Poll::Pending => None,
        });
        on_failure.map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            lock(&self.token.0.request).waiting.leave(place);
        }
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken").field("cancelled", &self.is_cancelled()).finish()
    }
}

/// What arrives from a worker.
#[allow(clippy::large_enum_variant, reason = "each is moved once, and few wait at a time")]
pub(crate) enum Arrival {
    /// The head of the response.
    Head(Opened),
    /// The end of the exchange.
    End(Completion),
}

/// Wakes a run: for completions of its workers, and as the pump's waker.
#[derive(Default)]
pub(crate) struct RunWaker(Mutex<RunEvents>);

#[derive(Default)]
struct RunEvents {
    woken: bool,
    arrived: VecDeque<Arrival>,
    waker: Option<Waker>,
}

impl RunWaker {
    /// Adds the completion of a worker's exchange.
    pub(crate) fn hand_in(&self, done: Completion) {
        self.arrive(Arrival::End(done));
    }

    /// Adds the head of the response to a worker's exchange.
    pub(crate) fn hand_in_head(&self, opened: Opened) {
        self.arrive(Arrival::Head(opened));
    }

    fn arrive(&self, arrival: Arrival) {
        lock(&self.0).arrived.push_back(arrival);
        self.notify();
    }

    /// Takes what arrived first.
    pub(crate) fn take(&self) -> Option<Arrival> {
        lock(&self.0).arrived.pop_front()
    }

    /// Wakes the run.
    pub(crate) fn notify(&self) {
        let waker = {
            let mut state = lock(&self.0);
            state.woken = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ready once for everything that happened since it was ready last.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.0);
        if std::mem::take(&mut state.woken) {
            return Poll::Ready(());
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Wake for RunWaker {
    fn wake(self: Arc<Self>) {
        self.notify();
    }
}

/// Locks, also after a panic: no critical section leaves its data inconsistent.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_child_goes_with_its_parent_and_not_the_other_way() {
        let parent = CancelToken::new();
        let (one, other) = (parent.child(), parent.child());
        let mut cx = Context::from_waker(Waker::noop());
        let mut listener = other.listen();
        one.cancel_with(OnFailure::Keep);
        assert_eq!(one.listen().poll(&mut cx), Poll::Ready(OnFailure::Keep));
        assert!(one.is_cancelled() && !parent.is_cancelled() && !other.is_cancelled());
        assert_eq!((listener.poll(&mut cx), parent.listening()), (Poll::Pending, 1));
        parent.cancel();
        assert_eq!(listener.poll(&mut cx), Poll::Ready(OnFailure::Abort));
        assert!(other.is_cancelled() && other.on_failure() == Some(OnFailure::Abort));
        drop(listener);
        assert_eq!((parent.listening(), other.listening()), (0, 0));
    }

    #[test]
    fn the_first_cancellation_counts() {
        let token = CancelToken::new();
        let mut cx = Context::from_waker(Waker::noop());
        let mut listener = token.listen();
        assert_eq!(listener.poll(&mut cx), Poll::Pending);
        token.cancel_with(OnFailure::Keep);
        token.cancel();
        assert_eq!(listener.poll(&mut cx), Poll::Ready(OnFailure::Keep));
        assert!(token.clone().is_cancelled());
    }

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn ten_thousand_listeners_are_woken_by_a_cancellation_and_by_nothing_else() {
        let (token, count) = (CancelToken::new(), Arc::new(Count::default()));
        let wakers: Vec<Waker> =
            (0..10_000).map(|_| Waker::from(Arc::new(Own(Arc::clone(&count))))).collect();
        let mut listeners: Vec<Listener> = wakers.iter().map(|_| token.listen()).collect();
        for _ in 0..3 {
            for (listener, waker) in listeners.iter_mut().zip(&wakers) {
                assert!(listener.poll(&mut Context::from_waker(waker)).is_pending());
            }
        }
        assert_eq!((count.0.load(Ordering::Relaxed), token.listening()), (0, 10_000));
        listeners.truncate(5_000);
        assert_eq!(token.listening(), 5_000, "who stopped listening is kept");
        token.cancel();
        assert_eq!((count.0.load(Ordering::Relaxed), token.listening()), (5_000, 0));
    }

    /// A waker of its own, counted with the others.
    struct Own(Arc<Count>);

    impl Wake for Own {
        fn wake(self: Arc<Self>) {
            Arc::clone(&self.0).wake();
        }
    }

    #[test]
    fn a_bell_rung_before_it_is_listened_to_is_heard() {
        let run_waker = RunWaker::default();
        let mut cx = Context::from_waker(Waker::noop());
        run_waker.notify();
        run_waker.notify();
        assert!(run_waker.poll(&mut cx).is_ready());
        assert!(run_waker.poll(&mut cx).is_pending());
    }
}
