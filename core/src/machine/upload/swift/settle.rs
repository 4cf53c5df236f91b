//! The wait for a dynamic large object, from its manifest until it is complete.
//!
//! ```text
//!  Head ── size and ETag as sent ─────────────────────────▶ over
//!   ▲ │
//!   │ ├─ size as sent, but not the ETag; no size ─▶ List ── every segment as it was sent ─▶ over
//!   │ └─ another size, not found                     │
//!   └───────────── later, up to a limit ◀────────────┘ segments are missing
//! ```
//!
//! The object consists of what the container's listing shows, and the listing is updated after the
//! segments are stored. An object that lacks segments must not be reported as stored: a reader
//! would get fewer bytes.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::sweep::With;
use crate::contract::{Machine, OnFailure, Operation, Step};
use crate::error::{Error, ExchangeError};
use crate::http::Completion;
use crate::machine::{
    Call,
    compose::{nest, seed},
    segments::Listed,
};
use crate::now::{Now, Wait, WaitReason};
use crate::swift::{
    HeadObject, ListedObject, ObjectHead, ObjectSegment, Prefix, PutDlo, Segment, Service, slo_etag,
};

/// Waits until the object is complete.
#[derive(Debug)]
pub(super) struct Settle {
    head: HeadObject,
    prefix: Prefix,
    segments: Vec<Segment>,
    size: u64,
    with: With,
    /// How long to wait.
    within: Duration,
    until: Option<Duration>,
    pause: Duration,
    looks: u32,
    /// Whether the head had a size. It has none if the object has more segments than a page of a
    /// listing.
    sized: bool,
    phase: Phase,
    /// What the last check showed, for the error.
    seen: String,
    cancelled: bool,
}

#[derive(Debug)]
enum Phase {
    Head(Box<Call<HeadObject>>),
    List(Box<Listed>),
    Pause(Wait),
}

impl Settle {
    /// Waits up to `within` for the object of `head`, which consists of these segments.
    pub(super) fn new(
        head: HeadObject,
        prefix: Prefix,
        segments: Vec<Segment>,
        size: u64,
        within: Duration,
        with: With,
    ) -> Self {
        let phase = Phase::Head(Box::new(call(&with, head.clone(), 0)));
        Self {
            head,
            prefix,
            segments,
            size,
            with,
            within,
            until: None,
            pause: FIRST_PAUSE,
            looks: 0,
            sized: false,
            phase,
            seen: String::new(),
            cancelled: false,
        }
    }

    /// Checks once, without waiting.
    pub(super) fn at_once(mut self) -> Self {
        self.cancelled = true;
        self
    }

    /// Returns whether the object is complete according to its head; `None` if the listing has to
    /// decide.
    fn looked(&mut self, head: &ObjectHead) -> Option<bool> {
        if head.dlo.as_ref() != Some(&self.prefix) {
            "HEAD shows a different object".clone_into(&mut self.seen);
            return Some(false);
        }
        let ours = slo_etag(&self.segments);
        let tag = ours.as_deref().zip(head.etag.as_ref());
        let same = tag.is_some_and(|(ours, theirs)| theirs.opaque().eq_ignore_ascii_case(ours));
        match head.size {
            Some(size) if size != self.size => {
                self.seen.clear();
                let _ = write!(self.seen, "HEAD states {size} bytes");
                Some(false)
            }
            Some(_) if same => Some(true),
            _ => None,
        }
    }

    /// Returns whether the listing has exactly the segments that were sent.
    fn listed(&mut self, objects: &[ListedObject], pages: u32) -> bool {
        let missing = self.segments.iter().filter(|segment| match segment {
            Segment::Object(one) => {
                let at = objects.binary_search_by(|listed| listed.name.as_str().cmp(&one.object));
                at.ok().and_then(|at| objects.get(at)).is_none_or(|listed| !is_like(one, listed))
            }
            Segment::Data(_) => false,
        });
        let missing = missing.count();
        self.seen.clear();
        let _ = match (missing, objects.len() == self.segments.len()) {
            (0, true) if self.sized || pages > 1 => return true,
            (0, true) => write!(self.seen, "HEAD states no size"),
            (0, false) => write!(self.seen, "the listing has more objects than its segments"),
            (some, _) => write!(self.seen, "the listing lacks {some} of its segments"),
        };
        false
    }

    /// Schedules the next check, or gives up.
    fn later(&mut self, now: Now) -> Result<Phase, Error> {
        let until = *self.until.get_or_insert(now.tick.saturating_add(self.within));
        if now.tick >= until {
            return Err(self.lags());
        }
        let next = now.tick.saturating_add(self.pause).min(until);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(Phase::Pause(Wait { until: next, reason: WaitReason::Listing }))
    }

    fn lags(&self) -> Error {
        let Self { size, segments, within, seen, prefix, head, .. } = self;
        Error::invalid_response(format!(
            "the dynamic large object is incomplete after {} s: {seen}, but {size} bytes in {} \
             segments were sent; the listing of container `{}` lags behind",
            within.as_secs(),
            segments.len(),
            prefix.container
        ))
        .in_operation(PutDlo::NAME)
        .with_outcome_unknown(format!(
            "the length of {}/{}: it is complete at {size} bytes",
            head.container, head.object
        ))
    }

    fn look(&mut self) -> Phase {
        self.looks = self.looks.wrapping_add(1);
        Phase::Head(Box::new(call(&self.with, self.head.clone(), self.looks)))
    }
}

impl Machine for Settle {
    type Output = ();

    fn poll(&mut self, now: Now) -> Step<()> {
        loop {
            self.until.get_or_insert(now.tick.saturating_add(self.within));
            if self.cancelled && matches!(self.phase, Phase::Pause(_)) {
                return Step::Done(Err(ExchangeError::cancelled().into()));
            }
            let next = match &mut self.phase {
                Phase::Pause(wait) if now.tick < wait.until => return Step::Wait(Some(*wait)),
                Phase::Pause(_) => Ok(self.look()),
                Phase::Head(call) => match nest(call.poll(now), HEAD) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(Ok(head)) => match self.looked(&head) {
                        Some(true) => return Step::Done(Ok(())),
                        Some(false) => self.later(now),
                        None => {
                            self.sized = head.size.is_some();
                            let With { service, auth, seed: outer, .. } = &self.with;
                            let seed = seed(*outer, self.looks);
                            let listed =
                                Listed::new(self.prefix.clone(), Arc::clone(service), seed);
                            Ok(Phase::List(Box::new(listed.with_auth(*auth))))
                        }
                    },
                    ControlFlow::Continue(Err(error)) if error.is_not_found() => {
                        "HEAD does not find it".clone_into(&mut self.seen);
                        self.later(now)
                    }
                    ControlFlow::Continue(Err(error)) => Err(self.unseen(error)),
                },
                Phase::List(listed) => {
                    let pages = listed.pages();
                    match nest(listed.poll(now), LIST) {
                        ControlFlow::Break(step) => return step,
                        ControlFlow::Continue(Ok(objects)) => {
                            if self.listed(&objects, pages) {
                                return Step::Done(Ok(()));
                            }
                            self.later(now)
                        }
                        ControlFlow::Continue(Err(error)) => Err(self.unseen(error)),
                    }
                }
            };
            match next {
                Ok(phase) => self.phase = phase,
                Err(error) => return Step::Done(Err(error)),
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        match (done.route(), &mut self.phase) {
            (Some(HEAD), Phase::Head(call)) => call.complete(now, done),
            (Some(LIST), Phase::List(listed)) => listed.complete(now, done),
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.cancelled = true;
        match &mut self.phase {
            Phase::Head(call) => call.cancel(now, on_failure),
            Phase::List(listed) => listed.cancel(now, on_failure),
            Phase::Pause(_) => {}
        }
    }
}

impl Settle {
    /// Completes the error of a check that failed.
    fn unseen(&self, error: Error) -> Error {
        let HeadObject { container, object, .. } = &self.head;
        let size = self.size;
        error.with_outcome_unknown(format!(
            "the length of {container}/{object}: it is complete at {size} bytes"
        ))
    }
}

/// Whether the object that is listed under the name of a segment has its size and ETag, as far as
/// these are known.
fn is_like(segment: &ObjectSegment, listed: &ListedObject) -> bool {
    let size = listed.bytes.is_none() || listed.bytes == segment.size;
    let tags = segment.etag.as_ref().zip(listed.hash.as_ref());
    size && tags.is_none_or(|(a, b)| a.opaque().eq_ignore_ascii_case(b.opaque()))
}

fn call<O: Operation<Service = Service>>(with: &With, operation: O, looks: u32) -> Call<O> {
    Call::new(operation, Arc::clone(&with.service), seed(with.seed, looks)).with_auth(with.auth)
}

const HEAD: u32 = 0;
const LIST: u32 = 1;

/// The time from the first check to the second; it doubles each time, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_segment_has_both_the_size_and_the_tag_that_were_sent() {
        let segment =
            ObjectSegment::stored("s", "o/1", "5d41402abc4b2a76b9719d911017c592".into(), 5);
        let listed = |bytes, hash: Option<&str>| ListedObject {
            name: "o/1".into(),
            bytes,
            hash: hash.map(Into::into),
            ..ListedObject::default()
        };
        let (ours, other) =
            ("5D41402ABC4B2A76B9719D911017C592", "d41d8cd98f00b204e9800998ecf8427e");
        for (bytes, hash, alike) in [
            (Some(5), Some(ours), true),
            (None, Some(ours), true),
            (Some(5), None, true),
            (Some(6), Some(ours), false),
            (Some(5), Some(other), false),
            (Some(6), None, false),
            (None, Some(other), false),
        ] {
            assert_eq!(is_like(&segment, &listed(bytes, hash)), alike, "{bytes:?} {hash:?}");
        }
    }
}
