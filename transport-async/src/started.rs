//! Transfers whose steps the caller drives.

use std::fmt;
use std::ops::Deref;

/// A transfer whose steps the caller drives, from [`Client::start`](crate::Client::start). Its
/// methods are those of the handle: they return tasks for [`Client::run`](crate::Client::run).
///
/// Dropping it before its end removes what was begun, in one attempt in a task of its own;
/// [`Client::shutdown`](crate::Client::shutdown) waits for that, and returns what it could not
/// remove. Without a runtime nothing is removed.
pub struct Started<H: Clone> {
    handle: H,
    abandon: Option<Abandon<H>>,
}

/// Removes what an abandoned transfer has left on the server.
type Abandon<H> = Box<dyn FnOnce(H) + Send + Sync>;

impl<H: Clone> Started<H> {
    pub(crate) fn new(handle: H, abandon: impl FnOnce(H) + Send + Sync + 'static) -> Self {
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
