//! How an exchange ended: with a response, or with the error that came instead.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::StatusCode;

use super::draft::Draft;
use super::reply::Reply;
use super::sent::{Origin, Sent};
use crate::checksum::Value;
use crate::error::Error;
use crate::few::Few;
use crate::now::Now;

/// How an exchange ended. In a [`Box`], since it is passed on by the transport, the pump and machines.
#[derive(Debug)]
pub struct Completion(Box<Ended>);

#[derive(Debug)]
struct Ended {
    draft: Box<Draft>,
    outcome: Result<Reply, Error>,
    sent: u64,
    computed: Few<Value>,
    origin: Origin,
    identity: Option<Arc<Sent>>,
    outdated: bool,
}

impl Completion {
    /// Creates the completion of an exchange that was not sent: no lease was granted, or sealing
    /// failed.
    pub fn denied(draft: Box<Draft>, now: Now, why: Error) -> Self {
        let origin = Origin { at: now, generation: 0, renewal: false, expecting: false };
        Self::new(draft, Err(why), None, Few::new(), origin)
    }

    /// Creates the completion of a draft that only requests a lease, which was granted.
    pub(crate) fn granted(draft: Box<Draft>, now: Now, generation: u64) -> Self {
        let origin = Origin { at: now, generation, renewal: false, expecting: false };
        Self::new(draft, Ok(Reply::of_none()), None, Few::new(), origin)
    }

    pub(super) fn new(
        draft: Box<Draft>,
        outcome: Result<Reply, Error>,
        identity: Option<Arc<Sent>>,
        mut computed: Few<Value>,
        origin: Origin,
    ) -> Self {
        let room = Box::new_uninit();
        let told = identity.as_deref();
        computed.extend(told.and_then(|told| told.trailer.get().copied()));
        let sent = told.map_or(0, |told| told.bytes.load(Ordering::Relaxed));
        let ended = Ended { draft, outcome, sent, computed, origin, identity, outdated: false };
        Self(Box::write(room, ended))
    }

    /// Returns the draft of the exchange.
    pub fn draft(&self) -> &Draft {
        &self.0.draft
    }

    /// Returns the response, which may have been cut, or the error that came instead.
    pub fn outcome(&self) -> Result<&Reply, &Error> {
        self.0.outcome.as_ref()
    }

    /// Returns the draft, to be sealed and sent again, and how this attempt ended.
    pub fn into_parts(self) -> (Box<Draft>, Result<Reply, Error>) {
        let Ended { draft, outcome, .. } = *self.0;
        (draft, outcome)
    }

    /// Returns how many payload bytes were sent.
    pub fn sent(&self) -> u64 {
        self.0.sent
    }

    /// Returns the checksums and digests that were computed over the body as its draft requests,
    /// sent or not.
    pub fn computed(&self) -> &[Value] {
        &self.0.computed
    }

    /// Returns when the exchange was sealed.
    pub fn sealed_at(&self) -> Now {
        self.0.origin.at
    }

    /// Returns the generation of the credentials that it was sealed with.
    pub fn generation(&self) -> u64 {
        self.0.origin.generation
    }

    /// Whether the same draft can be sent again: no byte of its body was sent, or its source can be
    /// read again.
    pub fn can_resend(&self) -> bool {
        let rewindable = match &self.0.draft.body {
            super::Body::Empty | super::Body::Bytes(_) => true,
            super::Body::Source { rewindable, .. } => *rewindable,
        };
        rewindable || self.0.sent == 0
    }

    /// Whether the server refused the expectation of `100 Continue` (417) and nothing else.
    pub(crate) fn refuses_expectation(&self) -> bool {
        self.0.origin.expecting
            && self
                .0
                .outcome
                .as_ref()
                .is_ok_and(|reply| reply.status() == StatusCode::EXPECTATION_FAILED)
    }

    pub(crate) fn is_renewal(&self) -> bool {
        self.0.origin.renewal
    }

    /// Returns it as the completion of a draft that is worth sending after another look.
    pub(crate) fn into_outdated(mut self) -> Self {
        self.0.outdated = true;
        self
    }

    /// Whether the draft, which is [sent after a look](Draft::after_look), is worth sending after
    /// another one: its credentials were refused, and there are others, or it has waited for its
    /// credentials and was not sent.
    pub(crate) fn is_outdated(&self) -> bool {
        self.0.outdated
    }

    /// Whether this is the completion of the exchange with this identity.
    pub(crate) fn is_of(&self, identity: &Arc<Sent>) -> bool {
        self.0.identity.as_ref().is_some_and(|own| Arc::ptr_eq(own, identity))
    }

    /// Removes the outermost level of the ticket, and returns it: the number of the machine that
    /// the completion is for.
    pub fn route(&mut self) -> Option<u32> {
        let (number, inner) = self.0.draft.ticket.split()?;
        self.0.draft.ticket = inner;
        Some(number)
    }
}
