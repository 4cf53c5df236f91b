//! The head of a success, before its body.

use std::sync::Arc;

use bytes::Bytes;
use http::response;

use super::draft::Ticket;
use super::reply::Reply;
use super::sent::Sent;

/// The head of a success whose body is passed to the sink, before the first byte of the body.
#[derive(Clone, Debug)]
pub struct Opened {
    pub(super) ticket: Ticket,
    pub(super) head: response::Parts,
    pub(super) identity: Option<Arc<Sent>>,
}

impl Opened {
    /// Returns the response without its body.
    pub fn reply(&self) -> Reply {
        Reply::new(self.head.clone(), Bytes::new())
    }

    /// Returns the ticket of the draft.
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Whether it belongs to the exchange with this identity.
    pub(crate) fn is_of(&self, identity: &Arc<Sent>) -> bool {
        self.identity.as_ref().is_some_and(|own| Arc::ptr_eq(own, identity))
    }

    /// Removes the outermost level of the ticket, and returns it: the number of the machine that
    /// the head is for.
    pub fn route(&mut self) -> Option<u32> {
        let (number, inner) = self.ticket.split()?;
        self.ticket = inner;
        Some(number)
    }
}
