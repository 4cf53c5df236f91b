//! Transfers whose steps the caller drives.

use std::fmt;
use std::ops::Deref;

use super::{IntoMachine, Operation};
use crate::error::Leftover;

/// An operation that begins a transfer of several steps, such as a multipart upload.
pub trait Driven: Operation + Clone {
    /// What the steps are made from.
    type Handle: Handle<Self::Service> + Clone + Send + Sync + 'static;

    /// Returns the handle of the transfer that this operation began with this output.
    fn handle(self, output: Self::Output) -> Self::Handle;

    /// Returns what may be on the server while the response has not arrived.
    fn leftovers(&self) -> Vec<Leftover>;
}

/// A transfer that has begun, as plain data: its methods return tasks. A client that drops it before
/// its end runs [`abandon`](Self::abandon).
pub trait Handle<S> {
    /// Removes what was begun, in one attempt.
    type Abandon: IntoMachine<S>;

    /// Returns the task that removes what was begun; `None` after the transfer was completed or
    /// aborted.
    fn abandon(&self) -> Option<Self::Abandon>;

    /// Returns what is on the server until then.
    fn leftovers(&self) -> Vec<Leftover>;
}

/// A transfer whose steps the caller drives, from a client's `start`. It dereferences to its
/// [`Handle`], whose methods return tasks for the client's `run`.
///
/// Dropping it before its end removes what was begun, in one attempt: over ureq on this thread; over
/// hyper in a task of its own, and not without a runtime. The client's `shutdown` waits for that, and
/// returns what was not removed.
pub struct Started<H: Clone> {
    handle: H,
    abandon: Option<Abandon<H>>,
}

/// Removes what an abandoned transfer has left on the server.
type Abandon<H> = Box<dyn FnOnce(H) + Send + Sync>;

impl<H: Clone> Started<H> {
    /// Makes it, for a client: `abandon` is called when it is dropped.
    pub fn new(handle: H, abandon: impl FnOnce(H) + Send + Sync + 'static) -> Self {
        Self { handle, abandon: Some(Box::new(abandon)) }
    }
}

impl<H: Clone> Deref for Started<H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.handle
    }
}

impl<H: Clone> Drop for Started<H> {
    fn drop(&mut self) {
        if let Some(abandon) = self.abandon.take() {
            abandon(self.handle.clone());
        }
    }
}

impl<H: Clone + fmt::Debug> fmt::Debug for Started<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Started").field(&self.handle).finish()
    }
}
