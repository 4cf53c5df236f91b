//! Hedged requests: two for the same bytes, of which one passes them to the sink.
//!
//! ```text
//!   first request  ─────────────────────────────────────────┐ overtaken: it is cancelled
//!   second request            ───────────▶ head of a success │
//!                                          └─ passes its body to the sink
//! ```

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// One of two requests for the same bytes. The one whose success arrives first passes its body to
/// the sink. The other is overtaken: its body is not passed on, and a transport cancels it, so that
/// it completes without delay.
#[derive(Clone, Debug)]
pub struct Hedged {
    shared: Arc<Shared>,
    second: bool,
}

#[derive(Debug, Default)]
struct Shared {
    /// [`NONE`], or the request whose response came first: 1 or 2.
    first: AtomicUsize,
    /// The wakers of the two requests.
    wakers: Mutex<[Option<Waker>; 2]>,
}

impl Hedged {
    /// Begins with the first request.
    pub(crate) fn new() -> Self {
        Self { shared: Arc::default(), second: false }
    }

    /// Returns the second request for the same bytes.
    pub(crate) fn second(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), second: true }
    }

    /// Whether a success has arrived to either request.
    pub(crate) fn is_answered(&self) -> bool {
        self.shared.first.load(Ordering::Acquire) != NONE
    }

    /// Whether the success to this request came first.
    pub(crate) fn is_first(&self) -> bool {
        self.shared.first.load(Ordering::Acquire) == self.number()
    }

    /// Whether the success to the other request came first.
    pub fn is_overtaken(&self) -> bool {
        self.is_answered() && !self.is_first()
    }

    /// Ready when the request [is overtaken](Self::is_overtaken).
    pub fn poll_overtaken(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_answered() {
            let mut wakers = self.shared.wakers.lock().unwrap_or_else(PoisonError::into_inner);
            wakers[usize::from(self.second)] = Some(cx.waker().clone());
        }
        // Again, because the response may have come before the waker was there.
        if self.is_overtaken() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Records that a success to this request has arrived. Returns whether it is the first.
    pub(crate) fn answer(&self) -> bool {
        let (old, new) = (NONE, self.number());
        let first = &self.shared.first;
        if let Err(before) = first.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire) {
            return before == new;
        }
        let wakers = {
            let mut wakers = self.shared.wakers.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *wakers)
        };
        let [one, two] = wakers;
        if let Some(waker) = if self.second { one } else { two } {
            waker.wake();
        }
        true
    }

    fn number(&self) -> usize {
        1 + usize::from(self.second)
    }
}

const NONE: usize = 0;

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_first_success_counts_and_the_other_request_is_woken() {
        for second_wins in [false, true] {
            let first = Hedged::new();
            let second = first.second();
            let counts = [Arc::new(Count::default()), Arc::new(Count::default())];
            for (hedged, count) in [&first, &second].into_iter().zip(&counts) {
                let waker = Waker::from(Arc::clone(count));
                assert!(hedged.poll_overtaken(&mut Context::from_waker(&waker)).is_pending());
            }
            let (winner, other) = if second_wins { (&second, &first) } else { (&first, &second) };
            assert!(winner.answer());
            assert!(!other.answer());
            assert!(winner.answer() && winner.is_first() && !winner.is_overtaken());
            assert!(other.is_overtaken());
            let mut cx = Context::from_waker(Waker::noop());
            assert!(other.poll_overtaken(&mut cx).is_ready());
            assert!(winner.poll_overtaken(&mut cx).is_pending());
            let woken = counts.map(|count| count.0.load(Ordering::Relaxed));
            assert_eq!(woken, if second_wins { [1, 0] } else { [0, 1] });
        }
    }
}
