//! What is asked for before the first byte.
//!
//! ```text
//!  one stream, or ranges that nobody checks ──────────────────────────────────────▶ GET
//!  the last bytes, or ranges whose checksums combine ──▶ HEAD ────────────────────▶ GETs
//!  ranges of a checksum over parts ────────────────────▶ HEAD ──▶ attributes* ────▶ GETs
//!  ranges, and the ETag is to be compared ─────────────▶ HEAD ─ it is an MD5 ─────▶ GET
//! ```

use std::sync::Arc;

use super::{Download, Phase, check, object};
use crate::checksum::{Algorithm, Composite, Declared};
use crate::contract::Operation as _;
use crate::error::{Error, Kind};
use crate::machine::Call;
use crate::machine::download::ranges::Ranges;
use crate::machine::download::tally::Tally;
use crate::s3::{
    ByteRange, GetObject, GetObjectAttributes, GetObjectAttributesOutput, HeadObject,
    ObjectAttribute, ObjectHead,
};

impl Download {
    /// Decides how the bytes are read.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        let ranges = &mut self.ranges;
        if ranges.dialect.get.part_number.is_some() {
            let what = "a download reads ranges, which can't be asked for with a part number";
            return Err(Error::caller(what).in_operation(GetObject::NAME));
        }
        ranges.check()?;
        ranges.coded = ranges.dialect.get.response.content_encoding.is_none();
        let last = matches!(ranges.wanted, Some(ByteRange::Last(_)));
        let checks = ranges.dialect.validates || ranges.compares_tag();
        if last || ranges.width > 1 && checks && ranges.is_whole() {
            self.ask();
        } else {
            ranges.begin();
            self.phase = Phase::Reading;
        }
        Ok(())
    }

    /// Asks for size, ETag, checksum and coding.
    pub(super) fn ask(&mut self) {
        self.phase = Phase::Asking(Box::new(self.head()));
    }

    /// A HEAD of the object.
    pub(super) fn head(&self) -> Call<HeadObject> {
        let Ranges { dialect, party, seed, .. } = &self.ranges;
        let get = dialect.get.clone();
        let head = HeadObject {
            version_id: get.version_id,
            conditions: get.conditions,
            customer_key: get.customer_key,
            checksum_mode: dialect.validates,
            common: get.common,
            ..HeadObject::new(get.bucket, get.key)
        };
        Call::new(head, Arc::clone(&dialect.service), *seed).under(*party)
    }

    /// The answer that shows whether what came is all of the object. Refused, it shows nothing.
    pub(super) fn ended(&mut self, head: Result<ObjectHead, Error>) -> Result<(), Error> {
        match head {
            Ok(head) => self.ranges.settle(Some(object(head))),
            Err(error) if error.kind() == Kind::Refused => self.ranges.settle(None),
            Err(error) => Err(error),
        }
    }

    /// The answer to that.
    pub(super) fn asked(&mut self, head: ObjectHead) -> Result<(), Error> {
        let object = object(head);
        let ranges = &mut self.ranges;
        let wanted = ranges.dialect.validates && ranges.is_whole();
        let declared = check::declared(&object.head).filter(|_| wanted);
        let is_md5 = check::md5_tag(&object.head).is_some();
        ranges.pin(object)?;
        match declared {
            Some(Declared::FullObject(value)) => {
                ranges.hashers = ranges.hashers.with(value.algorithm())?;
                if !value.algorithm().combines() {
                    ranges.width = 1;
                }
            }
            Some(Declared::Composite(composite))
                if ranges.width > 1 && composite.parts() <= MOST_PARTS =>
            {
                let get = &ranges.dialect.get;
                let mut attributes = GetObjectAttributes::new(get.bucket.clone(), get.key.clone());
                attributes.attributes = vec![ObjectAttribute::ETag, ObjectAttribute::ObjectParts];
                attributes.version_id.clone_from(&get.version_id);
                attributes.customer_key.clone_from(&get.customer_key);
                attributes.common.clone_from(&get.common);
                self.measure(attributes, composite, Vec::new());
                return Ok(());
            }
            // The tag is the only evidence: it wants the bytes in order.
            None if ranges.compares_tag() && is_md5 => {
                ranges.hashers = ranges.hashers.with(Algorithm::Md5)?;
                ranges.width = 1;
            }
            Some(Declared::Composite(_)) | None => {}
        }
        self.begin_along(None, &[]);
        Ok(())
    }

    /// Asks for the sizes of the parts behind those that are known.
    fn measure(&mut self, operation: GetObjectAttributes, composite: Composite, sizes: Vec<u64>) {
        let Ranges { dialect, party, seed, .. } = &self.ranges;
        let call = Call::new(operation, Arc::clone(&dialect.service), *seed).under(*party);
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
            let same = self.is_of(&answer);
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
        self.begin_along(None, &[]);
        Ok(())
    }

    /// Whether these are attributes of this object and not of one that was written since.
    fn is_of(&self, attributes: &GetObjectAttributesOutput) -> bool {
        let Some(object) = &self.ranges.object else { return false };
        match (&object.head.etag, &attributes.etag) {
            (Some(had), Some(has)) => had == has,
            _ => true,
        }
    }

    /// Whether these can be the parts of the object.
    fn fits(&self, sizes: &[u64]) -> bool {
        let size = sizes.iter().try_fold(0u64, |sum, size| sum.checked_add(*size));
        size.is_some() && size == self.ranges.object.as_ref().and_then(|object| object.size)
    }

    /// Reads ranges that don't cross the ends of parts. Where their checksums don't combine either,
    /// a range is a part, and parts that are too long to be held are read one after the other.
    fn begin_parts(&mut self, composite: Composite, sizes: Vec<u64>) -> Result<(), Error> {
        let ranges = &mut self.ranges;
        let algorithm = composite.algorithm();
        ranges.hashers = ranges.hashers.with(algorithm)?;
        let mut step = None;
        if !algorithm.combines() {
            if sizes.iter().any(|size| *size > ranges.options.range_size) {
                ranges.width = 1;
            }
            step = Some(u64::MAX);
        }
        ranges.tally = Tally::with_parts(algorithm, sizes.clone());
        self.begin_along(step, &sizes);
        Ok(())
    }

    fn begin_along(&mut self, step: Option<u64>, parts: &[u64]) {
        let step = step.unwrap_or(self.ranges.options.range_size);
        self.ranges.begin_along(step, parts);
        self.phase = Phase::Reading;
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
