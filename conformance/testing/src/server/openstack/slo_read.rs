//! Reads of a static large object: its content, a part of it, and its manifest.

use std::ops::Range;

use bytes::Bytes;

use super::super::digest::md5_hex;
use super::super::message::Reply;
use super::objects::SwiftObject;
use super::operation::{Call, Target};
use super::reads::{Piece, Readable, slice};
use super::reply::{self, Refusal};
use super::slo::{Segment, Slo};
use super::{Answer, OpenStackModel};

impl Readable {
    pub(super) fn of_slo(object: &SwiftObject, slo: &Slo) -> Self {
        Self {
            etag: slo.etag.clone(),
            quoted: true,
            length: slo.size,
            stored: false,
            extra: vec![
                ("X-Static-Large-Object", "True".to_owned()),
                ("X-Manifest-Etag", object.etag.clone()),
            ],
        }
    }

    /// Adds the header with the number of parts.
    pub(super) fn with_parts(mut self, slo: &Slo) -> Self {
        self.extra.push(("X-Parts-Count", slo.segments.len().to_string()));
        self
    }
}

impl OpenStackModel {
    /// Handles `multipart-manifest=get`, also with `format=raw`.
    pub(super) fn slo_manifest(&self, call: &Call<'_>, object: &SwiftObject, slo: &Slo) -> Reply {
        let raw = call.query("format") == Some("raw");
        let body = if raw { slo.raw() } else { slo.stored() };
        let what = Readable {
            etag: md5_hex(body.as_bytes()),
            quoted: false,
            length: body.len() as u64,
            stored: true,
            extra: vec![("X-Static-Large-Object", "True".to_owned())],
        };
        let reply = self.object_head(200, object, &what).body(body);
        match raw {
            true => reply,
            false => reply.replace_header("Content-Type", "application/json; charset=utf-8"),
        }
    }

    /// Handles `part-number`.
    pub(super) fn slo_part(
        &self,
        call: &Call<'_>,
        target: &Target,
        object: &SwiftObject,
        what: &Readable,
        number: &str,
    ) -> Answer {
        let number = number.parse::<usize>().ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| {
            Refusal::from(reply::said(400, "Part number must be an integer greater than 0"))
        })?;
        let Some(segment) = object.segments().get(number - 1) else {
            return Err(self
                .object_head(416, object, what)
                .header("Content-Range", format!("bytes */{}", what.length))
                .body("The requested part number is not satisfiable")
                .into());
        };
        let start = object.segments()[..number - 1].iter().map(Segment::length).sum::<u64>();
        self.read(call, target, object, what, Some(start..start + segment.length()))
    }

    /// Returns the bytes of a range of the content, up to the first segment that is missing or has
    /// changed. If that is the first one needed, the response is 409.
    pub(super) fn slo_piece(
        &self,
        target: &Target,
        slo: &Slo,
        range: Range<u64>,
        depth: usize,
    ) -> Result<Piece, Refusal> {
        let conflict = || Refusal::from(reply::page(409));
        if depth > MAX_DEPTH {
            return Err(conflict());
        }
        let mut bytes = Vec::new();
        let mut start = 0;
        let mut first = true;
        for segment in &slo.segments {
            let own = start..start + segment.length();
            start = own.end;
            if own.end <= range.start || own.start >= range.end {
                continue;
            }
            let offset = segment.range.map_or(0, |(first, _)| first);
            let from = range.start.max(own.start) - own.start + offset;
            let to = range.end.min(own.end) - own.start + offset;
            match self.segment_piece(target, segment, from..to, depth) {
                Some(piece) => {
                    bytes.extend_from_slice(&piece.bytes);
                    if !piece.whole {
                        return Ok(Piece { bytes: bytes.into(), whole: false });
                    }
                }
                None if first => return Err(conflict()),
                None => return Ok(Piece { bytes: bytes.into(), whole: false }),
            }
            first = false;
        }
        Ok(Piece { bytes: bytes.into(), whole: true })
    }

    fn segment_piece(
        &self,
        target: &Target,
        segment: &Segment,
        range: Range<u64>,
        depth: usize,
    ) -> Option<Piece> {
        let Some((container, object)) = &segment.name else {
            let data = Bytes::copy_from_slice(&segment.data);
            return Some(Piece { bytes: slice(&data, range), whole: true });
        };
        let at = target.sibling(container, object);
        let object = self.find(&at).ok()?;
        let what = self.readable(&at, object).ok()?;
        if what.etag != segment.hash || what.length != segment.bytes {
            return None;
        }
        match &object.slo {
            Some(slo) => self.slo_piece(&at, slo, range, depth + 1).ok(),
            None => self.piece(&at, object, &what, range).ok(),
        }
    }
}

/// The largest depth of manifests in manifests.
const MAX_DEPTH: usize = 10;
