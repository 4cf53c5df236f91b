//! The events that are planned.

use std::collections::BTreeMap;
use std::time::Duration;

use apus_core::http::{Completion, Exchange};
use bytes::Bytes;

use crate::server::Request;

/// Events, by their time and the number of the exchange, with the pump that they belong to.
pub(super) struct Agenda<A>(pub(super) BTreeMap<(Duration, u64), (usize, Event<A>)>);

/// An event.
pub(super) enum Event<A> {
    Arrives(Exchange, Bytes),
    Read(Exchange, A, Request),
    Answered(Completion),
}

impl<A> Agenda<A> {
    /// Returns how many exchanges of one pump are in flight.
    pub(super) fn of(&self, index: usize) -> usize {
        self.operations_of(index).count()
    }

    pub(super) fn operations_of(&self, index: usize) -> impl Iterator<Item = &'static str> {
        self.0.values().filter(move |(of, _)| *of == index).map(|(_, event)| match event {
            Event::Arrives(exchange, _) | Event::Read(exchange, ..) => exchange.operation(),
            Event::Answered(done) => done.draft().operation,
        })
    }
}
