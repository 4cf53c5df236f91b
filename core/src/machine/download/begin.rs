//! What is asked for before the first byte.
//!
//! ```text
//!  one stream, or ranges that nobody checks ──────────────────────────────────────▶ GET
//!  the last bytes, or ranges whose checksums combine ──▶ HEAD ────────────────────▶ GETs
//!  ranges of a checksum over parts ────────────────────▶ HEAD ──▶ attributes* ────▶ GETs
//! ```

use std::sync::Arc;

use super::check::{self, Tally};
use super::object::Object;
use super::plan::Plan;
use super::{Download, Phase};
use crate::checksum::{Composite, Declared, Hashers};
use crate::contract::Operation as _;
use crate::error::Error;
use crate::machine::Call;
use crate::s3::{
    ByteRange, GetObject, GetObjectAttributes, GetObjectAttributesOutput, HeadObject,
    ObjectAttribute, ObjectHead,
};

impl Download {
    /// Decides how the bytes are read.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        let wrong = |what: &'static str| Err(Error::caller(what).in_operation(GetObject::NAME));
        match &self.get.range {
            _ if self.get.part_number.is_some() => {
                return wrong(
                    "a download reads ranges, which can't be asked for with a part number",
                );
            }
            Some(ByteRange::Span(span)) if span.is_empty() => return wrong("the range is empty"),
            Some(ByteRange::Last(0)) => return wrong("the range is empty"),
            // All of it: asked for so, an empty object would be refused.
            Some(ByteRange::From(0)) => self.get.range = None,
            _ => {}
        }
        self.hashers = Hashers::new(self.options.digests.iter().copied())?;
        let until = match &self.get.range {
            Some(ByteRange::Span(span)) => Some(span.end),
            _ => None,
        };
        let last = matches!(self.get.range, Some(ByteRange::Last(_)));
        if last || self.width > 1 && self.validates && self.is_whole() {
            self.ask();
            return Ok(());
        }
        self.phase = Phase::Reading;
        if self.width > 1 {
            let first = self.start.saturating_add(self.options.range_size.max(1));
            self.read(self.start, Some(until.map_or(first, |until| until.min(first))));
        } else {
            self.read(self.start, until);
        }
        Ok(())
    }

    /// Asks for size, ETag and checksum.
    fn ask(&mut self) {
        let get = self.get.clone();
        let head = HeadObject {
            version_id: get.version_id,
            conditions: get.conditions,
            customer_key: get.customer_key,
            checksum_mode: self.validates,
            common: get.common,
            ..HeadObject::new(get.bucket, get.key)
        };
        let call = Call::new(head, Arc::clone(&self.service), self.seed).under(self.party);
        self.phase = Phase::Asking(Box::new(call));
    }

    /// The answer to that.
    pub(super) fn asked(&mut self, head: ObjectHead) -> Result<(), Error> {
        let object = Object::new(head);
        let size = object.size;
        if let Some(ByteRange::Last(length)) = self.get.range {
            let size = size.ok_or_else(|| {
                Error::broken("the answer to a HEAD does not tell the length of the object")
            })?;
            self.start = size.saturating_sub(length);
        }
        let declared = check::declared(&object.head).filter(|_| self.validates && self.is_whole());
        self.object = Some(object);
        match declared {
            Some(Declared::FullObject(value)) => {
                self.hashers = self.hashers.with(value.algorithm())?;
                if !value.algorithm().combines() {
                    self.width = 1;
                }
            }
            Some(Declared::Composite(composite))
                if self.width > 1 && composite.parts() <= MOST_PARTS =>
            {
                let mut attributes =
                    GetObjectAttributes::new(self.get.bucket.clone(), self.get.key.clone());
                attributes.attributes = vec![ObjectAttribute::ETag, ObjectAttribute::ObjectParts];
                attributes.version_id.clone_from(&self.get.version_id);
                attributes.customer_key.clone_from(&self.get.customer_key);
                attributes.common.clone_from(&self.get.common);
                self.measure(attributes, composite, Vec::new());
                return Ok(());
            }
            Some(Declared::Composite(_)) | None => {}
        }
        self.begin_ranges(self.options.range_size, &[]);
        Ok(())
    }

    /// Asks for the sizes of the parts behind those that are known.
    fn measure(&mut self, operation: GetObjectAttributes, composite: Composite, sizes: Vec<u64>) {
        let call = Call::new(operation, Arc::clone(&self.service), self.seed).under(self.party);
        self.phase = Phase::Measuring(Box::new(Measuring { call, composite, sizes }));
    }

    /// The answer to that. Not every server has one, and not everybody may ask.
    pub(super) fn measured(
        &mut self,
        answer: Result<GetObjectAttributesOutput, Error>,
    ) -> Result<(), Error> {
        let Phase::Measuring(measuring) = std::mem::replace(&mut self.phase, Phase::Reading) else {
            return Ok(());
        };
        let Measuring { call, composite, mut sizes } = *measuring;
        let most = usize::try_from(composite.parts()).unwrap_or(usize::MAX);
        if let Ok(answer) = answer {
            for part in answer.parts.iter().flat_map(|parts| &parts.parts) {
                sizes.push(part.size.unwrap_or(0));
            }
            let same = self.object.as_ref().is_some_and(|object| object.is_tagged(&answer));
            if same
                && sizes.len() < most
                && let Ok(Some(next)) = call.operation().next(&answer)
            {
                self.measure(next, composite, sizes);
                return Ok(());
            }
            if same && sizes.len() == most && self.fits(&sizes) {
                return self.begin_parts(composite, sizes);
            }
        }
        self.begin_ranges(self.options.range_size, &[]);
        Ok(())
    }

    /// Whether these can be the parts of the object.
    fn fits(&self, sizes: &[u64]) -> bool {
        let size = sizes.iter().try_fold(0u64, |sum, size| sum.checked_add(*size));
        size.is_some() && size == self.object.as_ref().and_then(|object| object.size)
    }

    /// Reads ranges that don't cross the ends of parts. Where their checksums don't combine either,
    /// a range is a part, and parts that are too long to be held are read one after the other.
    fn begin_parts(&mut self, composite: Composite, sizes: Vec<u64>) -> Result<(), Error> {
        let algorithm = composite.algorithm();
        self.hashers = self.hashers.with(algorithm)?;
        let mut step = self.options.range_size;
        if !algorithm.combines() {
            if sizes.iter().any(|size| *size > step) {
                self.width = 1;
            }
            step = u64::MAX;
        }
        self.tally = Tally::with_parts(composite, sizes.clone());
        self.begin_ranges(step, &sizes);
        Ok(())
    }

    /// Reads ranges of at most `step` bytes which cross no end of these parts.
    fn begin_ranges(&mut self, step: u64, parts: &[u64]) {
        self.phase = Phase::Reading;
        let size = self.object.as_ref().and_then(|object| object.size);
        match size {
            // An empty object has no range that could be asked for.
            Some(size) if size > self.start && (self.width > 1 || !parts.is_empty()) => {
                self.plan = Plan::new(self.start..size, step).along(parts);
            }
            _ => self.read(self.start, None),
        }
    }
}

/// The sizes of an object's parts being asked for, up to 1,000 at a time.
#[derive(Debug)]
pub(super) struct Measuring {
    pub(super) call: Call<GetObjectAttributes>,
    composite: Composite,
    sizes: Vec<u64>,
}

/// Parts of a multipart upload.
const MOST_PARTS: u32 = 10_000;
