//! A run that begins in the caller's task.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use apus_core::Error;
use tokio::runtime::Handle;

use crate::run::DropGuard;

/// A run that is polled in the caller's task, until it is known enough to go on in a task of its
/// own. If it is dropped before, it is cancelled, and goes on in a task until the machine has
/// cleaned up.
pub(crate) struct Opening<T: Send + 'static> {
    state: State<T>,
    guard: Option<DropGuard>,
}

pub(crate) enum State<T> {
    Running(Driven<T>),
    Ended(Result<T, Error>),
    Taken,
}

pub(crate) type Driven<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

impl<T: Send + 'static> Opening<T> {
    pub(crate) fn new(
        run: impl Future<Output = Result<T, Error>> + Send + 'static,
        guard: DropGuard,
    ) -> Self {
        Self { state: State::Running(Box::pin(run)), guard: Some(guard) }
    }

    /// Ready when the run has ended.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let State::Running(run) = &mut self.state {
            let polled = run.as_mut().poll(cx);
            let Poll::Ready(result) = polled else { return Poll::Pending };
            self.state = State::Ended(result);
        }
        Poll::Ready(())
    }

    /// Returns what there is to go on with.
    pub(crate) fn into_parts(mut self) -> (State<T>, Option<DropGuard>) {
        (mem::replace(&mut self.state, State::Taken), self.guard.take())
    }
}

impl<T: Send + 'static> Drop for Opening<T> {
    fn drop(&mut self) {
        let (State::Running(run), Some(guard)) =
            (mem::replace(&mut self.state, State::Taken), self.guard.take())
        else {
            return;
        };
        drop(guard);
        // A run that has panicked can't be polled.
        if let (false, Ok(runtime)) = (std::thread::panicking(), Handle::try_current()) {
            runtime.spawn(run);
        }
    }
}
