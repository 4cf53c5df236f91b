//! Stopping a run early, and the bell that wakes one.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use apus_core::contract::Leave;
use apus_core::http::Completion;

/// Stops runs: give clones to as many as should stop together.
///
/// A run that is stopped gives up the exchanges that move the caller's bytes, waits for others,
/// cleans up on the server what its machine promises to clean up, and then ends with an error that
/// [is cancelled](apus_core::Error::is_cancelled).
#[derive(Clone, Default)]
pub struct CancelToken(Arc<Mutex<Request>>);

#[derive(Default)]
struct Request {
    leave: Option<Leave>,
    waiting: Vec<Waker>,
}

impl CancelToken {
    /// A token that nobody has used yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops, and leaves nothing on the server.
    pub fn cancel(&self) {
        self.cancel_with(Leave::Abort);
    }

    /// Stops, and leaves on the server what `leave` says. The first call counts.
    pub fn cancel_with(&self, leave: Leave) {
        let waiting = {
            let mut request = lock(&self.0);
            request.leave.get_or_insert(leave);
            std::mem::take(&mut request.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether it was used.
    pub fn is_cancelled(&self) -> bool {
        lock(&self.0).leave.is_some()
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Leave> {
        let mut request = lock(&self.0);
        match request.leave {
            Some(leave) => Poll::Ready(leave),
            None => {
                if !request.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                    // Wakers of tasks that have ended are never woken, so they would pile up.
                    if request.waiting.len() >= CROWD {
                        request.waiting.drain(..).for_each(Waker::wake);
                    }
                    request.waiting.push(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken").field("cancelled", &self.is_cancelled()).finish()
    }
}

/// What wakes a run: completions of its workers, and the pump's waker.
#[derive(Default)]
pub(crate) struct Bell(Mutex<Desk>);

#[derive(Default)]
struct Desk {
    rung: bool,
    done: VecDeque<Completion>,
    waker: Option<Waker>,
}

impl Bell {
    /// A worker hands in how its exchange ended.
    pub(crate) fn hand_in(&self, done: Completion) {
        lock(&self.0).done.push_back(done);
        self.ring();
    }

    /// The next completion that was handed in.
    pub(crate) fn take(&self) -> Option<Completion> {
        lock(&self.0).done.pop_front()
    }

    /// Says that something happened.
    pub(crate) fn ring(&self) {
        let waker = {
            let mut desk = lock(&self.0);
            desk.rung = true;
            desk.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ready once for everything that happened since it last was.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut desk = lock(&self.0);
        if std::mem::take(&mut desk.rung) {
            return Poll::Ready(());
        }
        desk.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

/// Locks; what a panic left behind is as good as before, for no section here can be left half done.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// More wakers than a token's runs have workers.
const CROWD: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cancellation_counts() {
        let token = CancelToken::new();
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(token.poll(&mut cx), Poll::Pending);
        token.cancel_with(Leave::Keep);
        token.cancel();
        assert_eq!(token.poll(&mut cx), Poll::Ready(Leave::Keep));
        assert!(token.clone().is_cancelled());
    }

    #[test]
    fn a_bell_rung_before_it_is_listened_to_is_heard() {
        let bell = Bell::default();
        let mut cx = Context::from_waker(Waker::noop());
        bell.ring();
        bell.ring();
        assert!(bell.poll(&mut cx).is_ready());
        assert!(bell.poll(&mut cx).is_pending());
    }
}
