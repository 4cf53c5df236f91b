//! The requests before the first byte.
//!
//! ```text
//!  one stream, or ranges without validation ──────────────────────────────────────▶ GET
//!  the last bytes, or ranges whose checksums combine ──▶ HEAD ────────────────────▶ GETs
//!  ranges, and the checksum is one over parts ─────────▶ HEAD ──▶ attributes* ────▶ GETs
//!  ranges, and the ETag is compared ───────────────────▶ HEAD ─ it is an MD5 ─────▶ GET
//! ```

use std::sync::Arc;

use super::{Phase, S3Download, check, object};
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

impl S3Download {
    /// Determines how the bytes are read.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        let ranges = &mut self.ranges;
        if ranges.dialect.get.part_number.is_some() {
            let what = "a download requests ranges, which can't be combined with a part number";
            return Err(Error::invalid_input(what).in_operation(GetObject::NAME));
        }
        ranges.check()?;
        ranges.coded = ranges.dialect.get.response.content_encoding.is_none();
        let last = matches!(ranges.wanted, Some(ByteRange::Last(_)));
        let checks = ranges.dialect.validates || ranges.compares_tag();
        if last || ranges.concurrency > 1 && checks && ranges.is_whole() {
            self.ask();
        } else {
            ranges.begin();
            self.phase = Phase::Reading;
        }
        Ok(())
    }

    /// Requests size, ETag, checksum and coding.
    pub(super) fn ask(&mut self) {
        self.phase = Phase::Asking(Box::new(self.head()));
    }

    /// Makes a HEAD of the object.
    pub(super) fn head(&self) -> Call<HeadObject> {
        let Ranges { dialect, auth, seed, .. } = &self.ranges;
        let get = dialect.get.clone();
        let head = HeadObject {
            version_id: get.version_id,
            conditions: get.conditions,
            customer_key: get.customer_key,
            checksum_mode: dialect.validates,
            common: get.common,
            ..HeadObject::new(get.bucket, get.key)
        };
        Call::new(head, Arc::clone(&dialect.service), *seed).with_auth(*auth)
    }

    /// Handles the response to the HEAD at the end, which states whether the object is complete. An
    /// error response states nothing.
    pub(super) fn ended(&mut self, head: Result<ObjectHead, Error>) -> Result<(), Error> {
        match head {
            Ok(head) => self.ranges.settle(Some(object(head))),
            Err(error) if error.kind() == Kind::Refused => self.ranges.settle(None),
            Err(error) => Err(error),
        }
    }

    /// Handles the response to [`ask`](Self::ask).
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
                    ranges.concurrency = 1;
                }
            }
            Some(Declared::Composite(composite))
                if ranges.concurrency > 1 && composite.parts() <= MOST_PARTS =>
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
            // Only the ETag can be compared: its MD5 needs the bytes in order.
            None if ranges.compares_tag() && is_md5 => {
                ranges.hashers = ranges.hashers.with(Algorithm::Md5)?;
                ranges.concurrency = 1;
            }
            Some(Declared::Composite(_)) | None => {}
        }
        self.begin_along(None, &[]);
        Ok(())
    }

    /// Requests the sizes of the parts after the known ones.
    fn measure(&mut self, operation: GetObjectAttributes, composite: Composite, sizes: Vec<u64>) {
        let Ranges { dialect, auth, seed, .. } = &self.ranges;
        let call = Call::new(operation, Arc::clone(&dialect.service), *seed).with_auth(*auth);
        self.phase = Phase::Measuring(Box::new(Measuring { call, composite, sizes }));
    }

    /// Handles the response to [`measure`](Self::measure). Not every server supports the operation,
    /// and not all credentials permit it.
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

    /// Returns whether these are the attributes of this object, not of one written since.
    fn is_of(&self, attributes: &GetObjectAttributesOutput) -> bool {
        let Some(object) = &self.ranges.object else { return false };
        match (&object.head.etag, &attributes.etag) {
            (Some(had), Some(has)) => had == has,
            _ => true,
        }
    }

    /// Returns whether these sizes add up to that of the object.
    fn fits(&self, sizes: &[u64]) -> bool {
        let size = sizes.iter().try_fold(0u64, |sum, size| sum.checked_add(*size));
        size.is_some() && size == self.ranges.object.as_ref().and_then(|object| object.size)
    }

    /// Reads ranges that do not cross the ends of parts.
    ///
    /// If the checksums do not combine, each range is a part. If a part is longer than
    /// `range_size`, the parts are then read one after the other.
    fn begin_parts(&mut self, composite: Composite, sizes: Vec<u64>) -> Result<(), Error> {
        let ranges = &mut self.ranges;
        let algorithm = composite.algorithm();
        ranges.hashers = ranges.hashers.with(algorithm)?;
        let mut step = None;
        if !algorithm.combines() {
            if sizes.iter().any(|size| *size > ranges.options.range_size) {
                ranges.concurrency = 1;
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

/// The request for the sizes of an object's parts, up to 1,000 at a time.
#[derive(Debug)]
pub(super) struct Measuring {
    pub(super) call: Call<GetObjectAttributes>,
    composite: Composite,
    sizes: Vec<u64>,
}

/// The maximum number of parts of a multipart upload.
const MOST_PARTS: u32 = 10_000;
