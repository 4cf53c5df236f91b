//! Stopping a run from outside.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use apus_core::contract::OnFailure;
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
    cancelled: AtomicBool,
    order: Mutex<Order>,
    parent: Option<CancelToken>,
}

#[derive(Default)]
struct Order {
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
    /// # use apus_blocking::{Client, s3};
    /// use std::fs::File;
    ///
    /// use apus_blocking::s3::Upload;
    /// use apus_blocking::{CancelToken, OnFailure};
    ///
    /// # fn example(client: Client<s3::Service>) -> Result<(), Box<dyn std::error::Error>> {
    /// let all = CancelToken::new();
    /// for name in ["a.img", "b.img"] {
    ///     let run = client.run(Upload::new("bucket", name)).body(File::open(name)?);
    ///     run.cancel_on(all.child()).send()?;
    /// }
    /// // Elsewhere, when the program ends: what was sent stays there, to be resumed.
    /// all.cancel_with(OnFailure::Keep);
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel_with(&self, on_failure: OnFailure) {
        let mut order = self.lock();
        order.on_failure.get_or_insert(on_failure);
        self.0.cancelled.store(true, Ordering::Release);
        let wakers = order.waiting.drain();
        drop(order);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Returns whether the token was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
            || self.0.parent.as_ref().is_some_and(Self::is_cancelled)
    }

    /// Returns what to leave on the server, if the token was cancelled.
    pub(crate) fn on_failure(&self) -> Option<OnFailure> {
        let own = self.lock().on_failure;
        own.or_else(|| self.0.parent.as_ref()?.on_failure())
    }

    /// Wakes `waker` when the token is cancelled (at once if it already is), until the registration
    /// is dropped.
    pub(crate) fn register(&self, waker: Waker) -> Registration {
        let above = self.0.parent.as_ref();
        let above = above.map(|parent| Box::new(parent.register(waker.clone())));
        let mut order = self.lock();
        let place = order.waiting.join(&waker);
        drop(order);
        if self.is_cancelled() {
            waker.wake();
        }
        Registration { token: self.clone(), place, _above: above }
    }

    fn lock(&self) -> MutexGuard<'_, Order> {
        self.0.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CancelToken {{ cancelled: {} }}", self.is_cancelled())
    }
}

/// Keeps a waker registered with a token while a run lasts.
pub(crate) struct Registration {
    token: CancelToken,
    place: Position,
    _above: Option<Box<Registration>>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.token.lock().waiting.leave(self.place);
    }
}

/// Tells the workers of a run to break off the bodies that they move.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    raised: AtomicBool,
    token: Option<CancelToken>,
}

impl Stop {
    pub(crate) fn new(token: Option<CancelToken>) -> Self {
        Self { raised: AtomicBool::new(false), token }
    }

    pub(crate) fn raise(&self) {
        self.raised.store(true, Ordering::Release);
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
            || self.token.as_ref().is_some_and(CancelToken::is_cancelled)
    }

    pub(crate) fn token(&self) -> Option<&CancelToken> {
        self.token.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct CountingWaker(AtomicUsize);

    impl Wake for CountingWaker {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::AcqRel);
        }
    }

    #[test]
    fn a_child_goes_with_its_parent_and_not_the_other_way() {
        let parent = CancelToken::new();
        let (one, other) = (parent.child(), parent.child());
        let waker = Arc::new(CountingWaker::default());
        let _registration = other.register(Waker::from(Arc::clone(&waker)));
        one.cancel_with(OnFailure::Keep);
        assert_eq!(one.on_failure(), Some(OnFailure::Keep));
        assert!(one.is_cancelled() && !parent.is_cancelled() && !other.is_cancelled());
        assert_eq!((other.on_failure(), waker.0.load(Ordering::Acquire)), (None, 0));
        parent.cancel();
        assert!(other.is_cancelled());
        assert_eq!(
            (other.on_failure(), waker.0.load(Ordering::Acquire)),
            (Some(OnFailure::Abort), 1)
        );
    }

    #[test]
    fn ten_thousand_registrations_wake_on_a_cancellation_and_go_when_they_are_dropped() {
        let (token, waker) = (CancelToken::new(), Arc::new(CountingWaker::default()));
        let register = || token.register(Waker::from(Arc::clone(&waker)));
        let mut registrations: Vec<Registration> = (0..10_000).map(|_| register()).collect();
        assert_eq!((token.lock().waiting.len(), waker.0.load(Ordering::Acquire)), (10_000, 0));
        registrations.truncate(5_000);
        assert_eq!(token.lock().waiting.len(), 5_000);
        token.cancel();
        assert_eq!(waker.0.load(Ordering::Acquire), 5_000);
        drop(registrations);
        assert_eq!((token.lock().waiting.len(), Arc::strong_count(&waker)), (0, 1));
        // A later registration is woken at once.
        let late = token.register(Waker::from(Arc::clone(&waker)));
        assert_eq!(waker.0.load(Ordering::Acquire), 5_001);
        drop(late);
        assert_eq!(token.lock().waiting.len(), 0);
    }
}
