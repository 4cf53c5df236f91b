//! Tasks: what a client is asked to do, as plain data.

use std::sync::Arc;

use super::{GivenSource, Machine, Operation};
use crate::error::Error;

/// What a client provides when a task becomes a machine.
#[derive(Debug)]
pub struct Start<'a, S> {
    /// The service that the requests are sent to.
    pub service: &'a Arc<S>,
    /// The source that the caller gave: whether its length is known, and whether it can be read
    /// again.
    pub source: GivenSource,
    /// Decides the jitter of delays.
    pub seed: u64,
}

/// A task: plain data that a client turns into a [`Machine`] when it knows the source. A machine is
/// its own task.
pub trait IntoMachine<S> {
    /// The machine.
    type Machine: Machine;

    /// Makes the machine.
    ///
    /// # Errors
    ///
    /// The task's options are invalid, or do not fit the source or the service.
    fn into_machine(self, start: Start<'_, S>) -> Result<Self::Machine, Error>;
}

impl<M: Machine, S> IntoMachine<S> for M {
    type Machine = M;

    fn into_machine(self, _: Start<'_, S>) -> Result<M, Error> {
        Ok(self)
    }
}

/// An operation that lists in pages.
pub trait Paged: Operation + Clone + PartialEq {
    /// What is listed.
    type Item;

    /// Returns the request for the page after this one; `None` after the last page.
    ///
    /// # Errors
    ///
    /// The page does not say where the next one starts, or says that it starts where this one did.
    fn next_page(&self, page: &Self::Output) -> Result<Option<Self>, Error>;

    /// Whether a page has nothing in it.
    fn is_empty(page: &Self::Output) -> bool;

    /// Takes the items out of a page.
    ///
    /// # Errors
    ///
    /// The page holds more than one kind of item, such as keys and common prefixes: list the pages
    /// instead.
    fn items(page: Self::Output) -> Result<Vec<Self::Item>, Error>;
}

/// The position in a list that is read page by page: which request is next, and when the server
/// does not move on.
#[derive(Clone, Debug)]
pub struct Pages<O> {
    next: Option<O>,
    empty: u32,
    /// An earlier request, and after how many more requests a later one takes its place.
    mark: Option<O>,
    left: u64,
    stride: u64,
}

impl<O: Paged> Pages<O> {
    /// Starts with this page.
    pub fn new(first: O) -> Self {
        Self { mark: Some(first.clone()), next: Some(first), empty: 0, left: 1, stride: 1 }
    }

    /// Returns the request for the next page; `None` after the last page or an error.
    pub fn request(&self) -> Option<&O> {
        self.next.as_ref()
    }

    /// Moves on past this page.
    ///
    /// # Errors
    ///
    /// Those of [`Paged::next_page`]; the pages repeat; or more than 1,000 pages in a row were empty.
    /// Then there is no next page.
    pub fn advance(&mut self, page: &O::Output) -> Result<(), Error> {
        let Some(current) = self.next.take() else { return Ok(()) };
        self.empty = if O::is_empty(page) { self.empty.saturating_add(1) } else { 0 };
        let next = current.next_page(page)?;
        if next.is_some() && self.empty > MOST_EMPTY {
            let what = format!("the server sent {} empty pages in a row", self.empty);
            return Err(Error::invalid_response(what).in_operation(O::NAME));
        }
        if next.is_some() && next == self.mark {
            let what = "the pages of the list repeat: it never ends";
            return Err(Error::invalid_response(what).in_operation(O::NAME));
        }
        // Brent's algorithm: a circle of any length meets the mark, and one request is kept.
        self.left -= 1;
        if self.left == 0 {
            self.stride = self.stride.saturating_mul(2);
            (self.left, self.mark) = (self.stride, next.clone());
        }
        self.next = next;
        Ok(())
    }

    /// Ends the list.
    pub fn end(&mut self) {
        self.next = None;
    }
}

/// How many pages in a row may be empty. Servers send some where many objects were deleted.
const MOST_EMPTY: u32 = 1_000;
