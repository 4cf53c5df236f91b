//! The requests before the first byte.

use std::sync::Arc;

use http::StatusCode;

use super::layout::Layout;
use super::{Phase, SwiftDownload, object};
use crate::checksum::Algorithm;
use crate::contract::Operation as _;
use crate::error::{Error, Kind};
use crate::http::ByteRange;
use crate::machine::Call;
use crate::machine::download::ranges::Ranges;
use crate::machine::download::tally::Tally;
use crate::machine::numbered::Naming;
use crate::machine::segments::Listed;
use crate::swift::{GetManifest, GetObject, HeadObject, ListedObject, Manifest, ObjectHead};

impl SwiftDownload {
    /// Requests size, tag and kind of the object.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        if self.ranges.dialect.get.part_number.is_some() {
            let what = "a download requests ranges, which can't be combined with a part number";
            return Err(Error::invalid_input(what).in_operation(GetObject::NAME));
        }
        self.ranges.check()?;
        let Ranges { dialect, auth, seed, .. } = &self.ranges;
        let get = dialect.get.clone();
        let head = HeadObject {
            conditions: get.conditions,
            newest: get.newest,
            ..HeadObject::new(get.container, get.object)
        };
        let call = Call::new(head, Arc::clone(&dialect.service), *seed).with_auth(*auth);
        self.phase = Phase::Asking(Box::new(call));
        Ok(())
    }

    /// Handles the response to the HEAD.
    pub(super) fn asked(&mut self, head: ObjectHead) -> Result<(), Error> {
        let ranges = &mut self.ranges;
        let object = object(head);
        let is_slo = object.head.is_slo;
        ranges.dialect.is_large = object.head.is_large();
        let prefix = object.head.dlo.clone();
        if let (Some(prefix), Some(size)) = (&prefix, object.size) {
            Naming::of(&ranges.dialect.get.object, prefix).check_size(prefix, size)?;
        }
        let is_md5 = object.head.md5().is_ok();
        let checks = ranges.is_whole() && !ranges.dialect.get.unchecked;
        let endless = prefix.is_some() && object.size.is_none();
        if let Some(prefix) = prefix.filter(|_| endless || checks) {
            ranges.object = Some(object);
            let Ranges { dialect, auth, seed, .. } = &self.ranges;
            let listed = Listed::new(prefix, Arc::clone(&dialect.service), *seed).with_auth(*auth);
            self.phase = Phase::Listing(Box::new(listed));
            return Ok(());
        }
        ranges.pin(object)?;
        self.starts_within()?;
        if checks && is_slo {
            let Ranges { dialect, auth, seed, .. } = &self.ranges;
            let get = GetManifest::new(&dialect.get.container, &dialect.get.object);
            let call = Call::new(get, Arc::clone(&dialect.service), *seed).with_auth(*auth);
            self.phase = Phase::Manifest(Box::new(call));
            return Ok(());
        }
        if checks && is_md5 {
            // An MD5 is computed over the bytes in order.
            self.ranges.hashers = self.ranges.hashers.with(Algorithm::Md5)?;
            self.ranges.concurrency = 1;
        }
        self.read(self.ranges.options.range_size, &[]);
        Ok(())
    }

    /// Handles the manifest of a static large object. Not all credentials may read it: without it,
    /// the bytes are not validated.
    pub(super) fn manifest(&mut self, answer: Result<Manifest, Error>) -> Result<(), Error> {
        let layout = match answer {
            Ok(manifest) => Layout::of_manifest(&manifest.segments, self.head())?,
            Err(error) if is_unheard(&error) => return Err(error),
            Err(_) => None,
        };
        match layout {
            Some(layout) => self.along(layout),
            None => {
                self.read(self.ranges.options.range_size, &[]);
                Ok(())
            }
        }
    }

    /// Handles the listing of the segments of a dynamic large object.
    pub(super) fn listed(&mut self, answer: Result<Vec<ListedObject>, Error>) -> Result<(), Error> {
        let Some(mut object) = self.ranges.object.take() else { return Ok(()) };
        let endless = object.size.is_none();
        let (mut layout, entries) = match answer {
            Ok(entries) => {
                let container = object.head.dlo.as_ref().map(|prefix| prefix.container.as_str());
                (Layout::of_listing(container.unwrap_or_default(), &entries)?, entries)
            }
            Err(error) if endless || is_unheard(&error) => return Err(error),
            Err(_) => {
                self.ranges.pin(object)?;
                self.starts_within()?;
                self.read(self.ranges.options.range_size, &[]);
                return Ok(());
            }
        };
        let same = layout.is_of(&object.head);
        if (endless || same)
            && let Some(prefix) = &object.head.dlo
        {
            layout.check(&self.ranges.dialect.get.object, prefix, &entries)?;
        }
        if endless {
            object.size = Some(layout.size());
        }
        self.ranges.pin(object)?;
        self.starts_within()?;
        self.ranges.dialect.apart = endless;
        if endless || same {
            return self.along(layout);
        }
        self.read(self.ranges.options.range_size, &[]);
        Ok(())
    }

    /// Starts to read a large object whose segments are known.
    fn along(&mut self, layout: Layout) -> Result<(), Error> {
        let ranges = &mut self.ranges;
        let lengths = layout.lengths();
        let apart = ranges.dialect.apart;
        let checks = ranges.is_whole() && !ranges.dialect.get.unchecked;
        let mut step = ranges.options.range_size;
        if checks {
            // The MD5 of a segment is computed over its bytes in order.
            if lengths.iter().any(|length| *length > step) {
                ranges.concurrency = 1;
            }
            step = u64::MAX;
        }
        ranges.dialect.layout = Some(layout);
        if ranges.concurrency == 1 {
            ranges.tally = Tally::running();
            if checks {
                ranges.hashers = ranges.hashers.in_sections(Algorithm::Md5, lengths.clone())?;
            }
        } else if checks {
            ranges.hashers = ranges.hashers.with(Algorithm::Md5)?;
            ranges.tally = Tally::with_parts(Algorithm::Md5, lengths.clone());
        }
        let along = apart || ranges.concurrency > 1 && checks;
        self.read(step, if along { &lengths } else { &[] });
        Ok(())
    }

    fn read(&mut self, step: u64, parts: &[u64]) {
        self.ranges.begin_along(step, parts);
        self.phase = Phase::Reading;
    }

    fn head(&self) -> Option<&ObjectHead> {
        self.ranges.object.as_ref().map(|object| &object.head)
    }

    /// Refuses, as the server would, a range that starts at or after the end of the object.
    fn starts_within(&self) -> Result<(), Error> {
        let size = self.ranges.object.as_ref().and_then(|object| object.size);
        let begins = matches!(self.ranges.wanted, Some(ByteRange::From(_) | ByteRange::Span(_)));
        if begins && size.is_some_and(|size| self.ranges.start >= size) {
            let status = StatusCode::RANGE_NOT_SATISFIABLE;
            return Err(Error::refused(status, None, None).in_operation(GetObject::NAME));
        }
        Ok(())
    }
}

/// Returns whether the error is not an error response of Swift.
fn is_unheard(error: &Error) -> bool {
    matches!(error.kind(), Kind::Auth | Kind::Transport)
}
