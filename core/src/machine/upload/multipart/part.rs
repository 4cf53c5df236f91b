//! One part of a multipart upload, sent or copied on the server.

use std::ops::Range;

use super::{Multipart, PartsFrom};
use crate::checksum::{Algorithm, Declared, Value};
use crate::contract::{Machine, OnFailure, Operation as _, Step};
use crate::http::{Body, Completion};
use crate::machine::Call;
use crate::machine::call::UnderWay;
use crate::machine::compose::done;
use crate::machine::upload::flight::{SendsPart, StoredPart};
use crate::machine::upload::tag;
use crate::now::Now;
use crate::s3::{UploadPart, UploadPartCopy};

#[derive(Debug)]
pub(super) struct Part {
    size: u64,
    /// The algorithm of the checksum that is kept.
    algorithm: Option<Algorithm>,
    /// Whether its ETag is compared.
    verify_etag: bool,
    call: PartCall,
}

#[derive(Debug)]
enum PartCall {
    Send(Call<UploadPart>),
    Copy(Call<UploadPartCopy>),
}

impl Multipart {
    pub(super) fn part(&self, number: u32, range: Range<u64>) -> Part {
        let (job, id) = (&self.job, self.upload_id.clone().unwrap_or_default());
        let size = range.end - range.start;
        let call = match &self.from {
            PartsFrom::Seekable | PartsFrom::Stream => {
                let body = Body::Source { range, rewindable: true };
                let mut part = UploadPart::from_body(&job.bucket, &job.key, id, number, body);
                part.checksum.overrides = job.checksum.overrides;
                // Not named where the service decides: it may have learnt that the server refuses it.
                let own = self.service.algorithm_of_parts(&job.checksum.overrides);
                let is_named = job.checksum.algorithm.is_some()
                    || own.is_some_and(|own| Some(own) != job.algorithm);
                part.checksum.algorithm = job.algorithm.filter(|_| is_named);
                part.checksum.digests.clone_from(&job.checksum.digests);
                part.checksum.md5_if_uncovered = job.checksum.md5_if_uncovered;
                part.customer_key = job.customer_key();
                part.common.clone_from(&job.common);
                PartCall::Send(self.call(part, SEED + number))
            }
            PartsFrom::Object(source) => {
                let mut part =
                    UploadPartCopy::new(&job.bucket, &job.key, id, number, (**source).clone());
                part.source_range = Some(range);
                part.customer_key = job.customer_key();
                part.common.clone_from(&job.common);
                PartCall::Copy(self.call(part, SEED + number))
            }
        };
        Part { size, algorithm: job.algorithm, verify_etag: job.verify_etag, call }
    }
}

impl SendsPart for Part {
    fn under_way(&self) -> UnderWay {
        match &self.call {
            PartCall::Send(call) => call.under_way(),
            PartCall::Copy(call) => call.under_way(),
        }
    }
}

impl Machine for Part {
    type Output = StoredPart;

    fn poll(&mut self, now: Now) -> Step<StoredPart> {
        let (size, algorithm) = (self.size, self.algorithm);
        let kept = |value: &Value| Some(value.algorithm()) == algorithm;
        match &mut self.call {
            PartCall::Send(call) => {
                let stored = match call.poll(now) {
                    Step::Done(result) => result,
                    Step::Send(draft) => return Step::Send(draft),
                    Step::Wait(wait) => return Step::Wait(wait),
                };
                let checked = stored.and_then(|stored| match self.verify_etag {
                    true => tag::confirm(&stored, call.computed()).map(|()| stored),
                    false => Ok(stored),
                });
                Step::Done(checked.map_err(|error| error.in_operation(UploadPart::NAME)).map(
                    |stored| {
                        let told = full_object(&stored.checksums);
                        let checksum = call.computed().iter().copied().chain(told).find(kept);
                        StoredPart { etag: stored.etag, size, checksum }
                    },
                ))
            }
            PartCall::Copy(call) => done(call.poll(now), |copied| {
                let checksum = full_object(&copied.stored.checksums).find(kept);
                StoredPart { etag: copied.stored.etag, size, checksum }
            }),
        }
    }

    fn complete(&mut self, now: Now, done: Completion) {
        match &mut self.call {
            PartCall::Send(call) => call.complete(now, done),
            PartCall::Copy(call) => call.complete(now, done),
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        match &mut self.call {
            PartCall::Send(call) => call.cancel(now, on_failure),
            PartCall::Copy(call) => call.cancel(now, on_failure),
        }
    }
}

pub(super) fn full_object(declared: &[Declared]) -> impl Iterator<Item = Value> {
    declared.iter().filter_map(|declared| match declared {
        Declared::FullObject(value) => Some(*value),
        Declared::Composite(_) => None,
    })
}

/// The seed of part n is derived from this plus n.
const SEED: u32 = 16;
