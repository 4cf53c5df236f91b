//! The parts in flight: which is next, how many at once, how far a stream may be read.

use std::ops::{ControlFlow, Range};

use super::{Multipart, PartsFrom, StoredPart};
use crate::checksum::{Declared, Value};
use crate::contract::{Machine, Step, Wait};
use crate::error::Error;
use crate::http::Body;
use crate::machine::Call;
use crate::machine::nest::nest;
use crate::machine::upload::multipart::{FIRST, Uploaded};
use crate::now::Now;
use crate::s3::{ETag, Stored, UploadPart, UploadPartCopy, UploadPartCopyOutput};

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) number: u32,
    pub(super) range: Range<u64>,
    pub(super) call: PartCall,
}

#[derive(Debug)]
pub(super) enum PartCall {
    Send(Call<UploadPart>),
    Copy(Call<UploadPartCopy>),
}

impl Multipart {
    /// The positions of the next part to be sent, if its bytes are there.
    pub(super) fn next_range(&mut self) -> Result<Option<(u32, Range<u64>)>, Error> {
        while self.stored.contains_key(&self.next) {
            self.next += 1;
        }
        let number = self.next;
        let known = match self.from {
            PartsFrom::Stream => self.intake.has_ended().then(|| self.intake.supplied()),
            PartsFrom::Seekable | PartsFrom::Object(_) => self.plan.length(),
        };
        let whole = self.plan.range(number);
        let range = match known {
            Some(end) => self.plan.range_until(number, end),
            None if self.intake.supplied() >= whole.end => Some(whole.clone()),
            None => None,
        };
        let parts_end = number > self.plan.parts() && (range.is_some() || known.is_none());
        if parts_end || self.intake.supplied() > self.plan.reach() {
            return Err(Error::caller(format!(
                "the source is longer than {} bytes, the most that parts of these sizes hold",
                self.plan.reach()
            ))
            .with_hint("allow more memory or larger parts"));
        }
        Ok(range.map(|range| (number, range)))
    }

    /// How many parts of this size may be in flight. A stream is bounded by what it may be read.
    pub(super) fn width_at(&self, size: u64) -> usize {
        if matches!(self.from, PartsFrom::Stream) {
            return self.job.width;
        }
        let room = usize::try_from(self.job.memory / size.max(1)).unwrap_or(usize::MAX);
        self.job.width.min(room).max(1)
    }

    /// Says how far a stream may be read: one part more than may be in flight, and no further
    /// than the memory goes.
    pub(super) fn allow(&mut self) {
        let in_flight = self.slots.iter().map(|slot| slot.number).min();
        let first = in_flight.unwrap_or(self.next).min(self.next);
        let low = self.plan.range(first).start;
        let width = u32::try_from(self.job.width).unwrap_or(u32::MAX);
        let fits = |last: &u32| self.plan.range(*last).end - low <= self.job.memory;
        let last = (first..=first.saturating_add(width)).take_while(fits).last();
        let high = self.plan.range(last.unwrap_or(first)).end;
        // One byte more than the parts hold tells that the source goes on.
        self.intake.allow(low, high.min(self.plan.reach().saturating_add(1)));
    }

    pub(super) fn poll_parts(&mut self, now: Now) -> ControlFlow<Step<Uploaded>> {
        let mut wait = None;
        let mut at = 0;
        while let Some(slot) = self.slots.get_mut(at) {
            let number = slot.number;
            let polled = match &mut slot.call {
                PartCall::Send(call) => match nest(call.poll(now), FIRST + number) {
                    ControlFlow::Break(step) => ControlFlow::Break(step),
                    ControlFlow::Continue(result) => {
                        ControlFlow::Continue(result.map(|stored| sent_part(stored, call)))
                    }
                },
                PartCall::Copy(call) => match nest(call.poll(now), FIRST + number) {
                    ControlFlow::Break(step) => ControlFlow::Break(step),
                    ControlFlow::Continue(result) => ControlFlow::Continue(result.map(copied_part)),
                },
            };
            match polled {
                ControlFlow::Break(Step::Wait(until)) => {
                    wait = Wait::earlier(wait, until);
                    at += 1;
                }
                ControlFlow::Break(step) => return ControlFlow::Break(step),
                ControlFlow::Continue(result) => {
                    let slot = self.slots.swap_remove(at);
                    match result {
                        Ok((etag, checksum)) => {
                            let size = slot.range.end - slot.range.start;
                            let checksum = checksum
                                .into_iter()
                                .find(|value| Some(value.algorithm()) == self.job.algorithm);
                            self.stored.insert(number, StoredPart { etag, size, checksum });
                        }
                        Err(error) => self.fail(now, error),
                    }
                    // A failure cancels the others: look at all of them again.
                    (wait, at) = (None, 0);
                }
            }
        }
        if self.failure.is_some() {
            if self.slots.is_empty() {
                self.phase = self.cleanup();
                return ControlFlow::Continue(());
            }
            return ControlFlow::Break(Step::Wait(wait));
        }
        let next = match self.next_range() {
            Ok(next) => next,
            Err(error) => {
                self.fail(now, error);
                return ControlFlow::Continue(());
            }
        };
        let stream = matches!(self.from, PartsFrom::Stream);
        if let Some((number, range)) = next {
            if self.slots.len() < self.width_at(range.end - range.start) {
                self.slots.push(self.part(number, range));
                self.next = number + 1;
                return ControlFlow::Continue(());
            }
        } else if self.slots.is_empty() && (!stream || self.intake.has_ended()) {
            if stream {
                self.plan.end_at(self.intake.supplied());
            }
            self.complete_upload(now);
            return ControlFlow::Continue(());
        }
        if stream {
            self.allow();
        }
        ControlFlow::Break(Step::Wait(wait))
    }

    pub(super) fn part(&self, number: u32, range: Range<u64>) -> Slot {
        let (job, id) = (&self.job, self.upload_id.clone().unwrap_or_default());
        let call = match &self.from {
            PartsFrom::Seekable | PartsFrom::Stream => {
                let body = Body::Source { range: range.clone(), rewindable: true };
                let mut part = UploadPart::from_body(&job.bucket, &job.key, id, number, body);
                part.checksum.overrides = job.checksum.overrides;
                part.checksum.algorithm = job.algorithm;
                part.checksum.digests.clone_from(&job.checksum.digests);
                part.customer_key = job.customer_key();
                part.common.clone_from(&job.common);
                PartCall::Send(self.call(part, FIRST + number))
            }
            PartsFrom::Object(source) => {
                let mut part =
                    UploadPartCopy::new(&job.bucket, &job.key, id, number, (**source).clone());
                part.source_range = Some(range.clone());
                part.customer_key = job.customer_key();
                part.common.clone_from(&job.common);
                PartCall::Copy(self.call(part, FIRST + number))
            }
        };
        Slot { number, range, call }
    }
}

fn sent_part(stored: Stored, call: &Call<UploadPart>) -> (ETag, Vec<Value>) {
    let told = full_object(&stored.checksums);
    (stored.etag, call.stamped().iter().copied().chain(told).collect())
}

fn copied_part(copied: UploadPartCopyOutput) -> (ETag, Vec<Value>) {
    let told = full_object(&copied.stored.checksums).collect();
    (copied.stored.etag, told)
}

pub(super) fn full_object(declared: &[Declared]) -> impl Iterator<Item = Value> {
    declared.iter().filter_map(|declared| match declared {
        Declared::FullObject(value) => Some(*value),
        Declared::Composite(_) => None,
    })
}
