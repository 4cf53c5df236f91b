//! The PUT of one segment.

use std::ops::Range;

use crate::checksum::Algorithm;
use crate::contract::{Machine, OnFailure, Step};
use crate::http::{Body, Completion, ETag};
use crate::machine::Call;
use crate::machine::call::UnderWay;
use crate::machine::compose::done;
use crate::machine::upload::flight::{SendsPart, StoredPart};
use crate::now::Now;
use crate::swift::PutObject;

/// A PUT of a segment: an ordinary object, whose MD5 is sent before its body and compared with the
/// ETag of the response.
#[derive(Debug)]
pub(super) struct Part(Call<PutObject>);

impl Part {
    pub(super) fn new(call: Call<PutObject>) -> Self {
        Self(call)
    }

    /// Returns the range of the source as a body that can be sent again.
    pub(super) fn body(range: Range<u64>) -> Body {
        match range.is_empty() {
            true => Body::Empty,
            false => Body::Source { range, rewindable: true },
        }
    }
}

impl SendsPart for Part {
    fn under_way(&self) -> UnderWay {
        self.0.under_way()
    }
}

impl Machine for Part {
    type Output = StoredPart;

    fn poll(&mut self, now: Now) -> Step<StoredPart> {
        let step = self.0.poll(now);
        let Self(call) = self;
        done(step, |stored| {
            let md5 = call.computed().iter().find(|value| value.algorithm() == Algorithm::Md5);
            let etag = if stored.etag.is_empty() {
                md5.map(|md5| ETag::from(md5.hex())).unwrap_or_default()
            } else {
                stored.etag
            };
            StoredPart { etag, size: call.operation().body.len(), checksum: md5.copied() }
        })
    }

    fn complete(&mut self, now: Now, done: Completion) {
        self.0.complete(now, done);
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.0.cancel(now, on_failure);
    }
}
