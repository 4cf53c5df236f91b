//! Transfers whose steps the caller drives.

use super::{IntoMachine, Operation};
use crate::error::Leftover;

/// An operation that begins a transfer of several steps, such as a multipart upload.
pub trait Driven: Operation + Clone {
    /// What the steps are made from.
    type Handle: Handle<Self::Service> + Clone + Send + Sync + 'static;

    /// Returns the handle of the transfer that this operation began with this output.
    fn handle(self, output: Self::Output) -> Self::Handle;
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
