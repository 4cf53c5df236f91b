//! What the process that began a resumed upload has made, once the upload has failed: it may have
//! ended after its manifest was sent, and then the segments are those of an object.
//!
//! ```text
//!  Head ─┬─ no object, or another's ──────────────────────────────────────▶ Another
//!        ├─ a dynamic one of our segments ────────────────────────────────▶ Ours
//!        ├─ a static one ──▶ GetManifest ──┬─ names our segments ─────────▶ Ours
//!        │                                 ├─ names none of them ─────────▶ Another
//!        │                                 └─ not shown: size and ETag ───▶ any of the three
//!        └─ the HEAD failed ──────────────────────────────────────────────▶ Unknown
//! ```
//!
//! | it is | the upload |
//! | --- | --- |
//! | ours, and complete | has succeeded |
//! | another's, and no manifest of that process is in flight | has failed, and removes its segments |
//! | anything else | has failed, the outcome is unknown, and the segments stay |

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::job::Job;
use super::large_object::LargeObject;
use super::layout::Layout;
use crate::contract::{Machine, OnFailure, Proof, Step};
use crate::error::Error;
use crate::http::{Completion, ETag};
use crate::machine::Call;
use crate::machine::compose::nest;
use crate::machine::upload::flight::StoredPart;
use crate::now::Now;
use crate::swift::{
    Evidence, GetManifest, HeadObject, Manifest, ObjectHead, ObjectSegment, Segment,
};

/// Looks at the object under the name of a resumed upload.
#[derive(Debug)]
pub(super) struct Earlier {
    job: Job,
    large_object: LargeObject,
    layout: Layout,
    /// The segments as far as they are known, and whether these are all.
    segments: BTreeMap<u32, StoredPart>,
    whole: bool,
    length: Option<u64>,
    phase: Look,
}

#[derive(Debug)]
enum Look {
    Head(Box<Call<HeadObject>>),
    Manifest(Box<Call<GetManifest>>, Box<ObjectHead>),
    Over(Verdict),
}

/// Whose object there is.
#[derive(Clone, Debug, Default)]
pub(super) enum Verdict {
    /// That of this upload, with this ETag, made of these segments.
    Ours(ETag, BTreeMap<u32, StoredPart>),
    /// Another's, or none.
    Another,
    /// Nothing tells.
    #[default]
    Unknown,
}

impl Earlier {
    /// Looks at the object of this upload, of whose segments these are known; `length` is that of
    /// the source in bytes.
    pub(super) fn new(
        job: &Job,
        large_object: LargeObject,
        layout: &Layout,
        segments: BTreeMap<u32, StoredPart>,
        length: Option<u64>,
    ) -> Self {
        let phase = Look::Head(Box::new(job.call(job.head(), HEAD)));
        let (job, layout) = (job.clone(), layout.clone());
        let whole = is_whole(&segments, length);
        Self { job, large_object, layout, segments, whole, length, phase }
    }

    fn seen(&self, head: Result<ObjectHead, Error>) -> Look {
        let head = match head {
            Ok(head) => head,
            Err(error) if error.is_not_found() => return Look::Over(Verdict::Another),
            Err(_) => return Look::Over(Verdict::Unknown),
        };
        match self.large_object {
            LargeObject::Dynamic => {
                let prefix = self.layout.all();
                Look::Over(match Evidence::of_dlo(&prefix).weigh(&head) {
                    Proof::Ours => Verdict::Ours(ETag::default(), self.segments.clone()),
                    Proof::Another => Verdict::Another,
                    Proof::Unknown => Verdict::Unknown,
                })
            }
            LargeObject::Static if !head.is_slo => Look::Over(Verdict::Another),
            LargeObject::Static => {
                let manifest = GetManifest::new(&self.job.container, &self.job.object);
                let call = Box::new(self.job.call(manifest, MANIFEST));
                Look::Manifest(call, Box::new(head))
            }
        }
    }

    fn shown(&self, head: &ObjectHead, manifest: Option<Manifest>) -> Verdict {
        let etag = head.etag.clone().unwrap_or_default();
        let segments = manifest.map(|manifest| manifest.segments).unwrap_or_default();
        if segments.is_empty() {
            return self.weigh(head, etag);
        }
        let ours = segments.iter().filter_map(|segment| match segment {
            Segment::Object(one) if one.container == self.layout.container => {
                let number = self.layout.number(&one.object)?;
                let (etag, size) = (one.etag.clone().unwrap_or_default(), one.size?);
                Some((number, StoredPart { etag, size, checksum: None }))
            }
            _ => None,
        });
        let ours: BTreeMap<u32, StoredPart> = ours.collect();
        match ours.len() {
            0 => Verdict::Another,
            some if some == segments.len() => Verdict::Ours(etag, ours),
            _ => Verdict::Unknown,
        }
    }

    /// Decides about a static large object whose manifest is not shown.
    fn weigh(&self, head: &ObjectHead, etag: ETag) -> Verdict {
        if self.length.zip(head.size).is_some_and(|(ours, theirs)| ours != theirs) {
            return Verdict::Another;
        }
        let Layout { container, .. } = &self.layout;
        let segments = self.segments.iter().map(|(number, part)| {
            let (name, etag) = (self.layout.name(*number), part.etag.clone());
            Segment::Object(ObjectSegment::stored(container, name, etag, part.size))
        });
        let segments: Vec<Segment> = segments.collect();
        match Evidence::of_slo(&segments).weigh(head) {
            Proof::Ours => Verdict::Ours(etag, self.segments.clone()),
            // The object may have segments that are not known.
            Proof::Another if self.length.is_some() && self.whole => Verdict::Another,
            Proof::Another | Proof::Unknown => Verdict::Unknown,
        }
    }
}

impl Machine for Earlier {
    type Output = Verdict;

    fn poll(&mut self, now: Now) -> Step<Verdict> {
        loop {
            match &mut self.phase {
                Look::Head(call) => match nest(call.poll(now), HEAD) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => self.phase = self.seen(head),
                },
                Look::Manifest(call, head) => match nest(call.poll(now), MANIFEST) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(manifest) => {
                        let head = std::mem::take(&mut **head);
                        self.phase = Look::Over(self.shown(&head, manifest.ok()));
                    }
                },
                Look::Over(verdict) => return Step::Done(Ok(std::mem::take(verdict))),
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        match (&mut self.phase, done.route()) {
            (Look::Head(call), Some(HEAD)) => call.complete(now, done),
            (Look::Manifest(call, _), Some(MANIFEST)) => call.complete(now, done),
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        match &mut self.phase {
            Look::Head(call) => call.cancel(now, on_failure),
            Look::Manifest(call, _) => call.cancel(now, on_failure),
            Look::Over(_) => {}
        }
    }
}

/// Returns whether these are all segments of a source of this length in bytes. Of a source of
/// unknown length nothing but a manifest tells.
pub(super) fn is_whole(segments: &BTreeMap<u32, StoredPart>, length: Option<u64>) -> bool {
    let size = segments.values().try_fold(0u64, |sum, part| sum.checked_add(part.size));
    let follow = segments.keys().copied().eq(1..=u32::try_from(segments.len()).unwrap_or(u32::MAX));
    follow && length.is_none_or(|length| size == Some(length)) && !segments.is_empty()
}

/// Returns whether these are the same bytes, as far as sizes and ETags tell.
pub(super) fn is_alike(one: &StoredPart, other: &StoredPart) -> bool {
    let untold = one.etag.is_empty() || other.etag.is_empty();
    let same = one.etag.opaque().eq_ignore_ascii_case(other.etag.opaque());
    one.size == other.size && (untold || same)
}

const HEAD: u32 = 0;
const MANIFEST: u32 = 1;
