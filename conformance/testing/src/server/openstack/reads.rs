//! Reads of objects: conditions, ranges, and the bytes.

use std::ops::Range;

use bytes::Bytes;

use super::super::dates::http_date;
use super::super::message::{Cut, Ending, Reply};
use super::conditions::{self, Verdict};
use super::listing::timestamp;
use super::operation::{Call, Target};
use super::reply::{self, Refusal};
use super::{Answer, OpenStackModel, SwiftObject};

/// The result of a read, before conditions and ranges.
pub(super) struct Readable {
    /// Without quotes.
    pub(super) etag: String,
    /// Whether its ETag is shown in quotes.
    pub(super) quoted: bool,
    pub(super) length: u64,
    /// Whether it is the stored object, and not the content of a manifest.
    pub(super) stored: bool,
    /// Headers that only a large object has.
    pub(super) extra: Vec<(&'static str, String)>,
}

/// Bytes of an object, or those before a segment that has changed.
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    pub(super) whole: bool,
}

impl OpenStackModel {
    /// Handles GetObject, HeadObject and GetManifest.
    pub(super) fn get_object(&self, call: &Call<'_>, target: &Target) -> Answer {
        let object = self.find(target)?;
        let stored = call.query("multipart-manifest") == Some("get");
        if stored && let Some(slo) = &object.slo {
            return Ok(self.slo_manifest(call, object, slo));
        }
        let what = match stored {
            true => Readable::of_object(object),
            false => self.readable(target, object)?,
        };
        if let (Some(slo), Some(number)) = (&object.slo, call.query("part-number")) {
            let what = what.with_parts(slo);
            return self.slo_part(call, target, object, &what, number);
        }
        self.read(call, target, object, &what, None)
    }

    /// Returns the result of a plain GET of an object.
    pub(super) fn readable(
        &self,
        target: &Target,
        object: &SwiftObject,
    ) -> Result<Readable, Refusal> {
        match &object.slo {
            Some(slo) => Ok(Readable::of_slo(object, slo)),
            None if object.header("x-object-manifest").is_some() => self.dlo(target, object),
            None => Ok(Readable::of_object(object)),
        }
    }

    /// Applies conditions and ranges, and returns the bytes.
    pub(super) fn read(
        &self,
        call: &Call<'_>,
        target: &Target,
        object: &SwiftObject,
        what: &Readable,
        part: Option<Range<u64>>,
    ) -> Answer {
        let verdict = match part {
            Some(range) => Verdict::Parts(vec![range]),
            None => conditions::judge(call, &what.etag, object.last_modified(), what.length),
        };
        let head_only = call.request.method == "HEAD" && call.query("part-number").is_none();
        let verdict = match verdict {
            // HEAD ignores a range, except one beyond the end of a dynamic large object.
            Verdict::Parts(_) if head_only => Verdict::Whole,
            Verdict::Unsatisfiable if head_only && (object.is_slo() || !what.quoted) => {
                Verdict::Whole
            }
            verdict => verdict,
        };
        let head = |status: u16| self.object_head(status, object, what);
        let parts = match verdict {
            Verdict::NotModified => return Ok(head(304)),
            Verdict::Failed => {
                return Ok(head(412)
                    .replace_header("Content-Type", "text/html; charset=UTF-8")
                    .body(Bytes::new()));
            }
            Verdict::Unsatisfiable => {
                let page = reply::page(416).body;
                let range = format!("bytes */{}", what.length);
                return Ok(head(416).header("Content-Range", range).body(page));
            }
            Verdict::Whole => {
                let reply = head(200);
                return self.send(call, reply, target, object, what, 0..what.length);
            }
            Verdict::Parts(parts) => parts,
        };
        let tell = |range: &Range<u64>| {
            let last = range.end.saturating_sub(1);
            format!("bytes {}-{last}/{}", range.start, what.length)
        };
        if let [range] = &parts[..] {
            let reply = head(206).header("Content-Range", tell(range));
            return self.send(call, reply, target, object, what, range.clone());
        }
        let mut body = Vec::new();
        for range in parts {
            let told = tell(&range);
            let start = format!(
                "--{BOUNDARY}\r\nContent-Type: {}\r\nContent-Range: {told}\r\n\r\n",
                object.content_type()
            );
            body.extend_from_slice(start.as_bytes());
            body.extend_from_slice(&self.piece(target, object, what, range)?.bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--").as_bytes());
        let kind = format!("multipart/byteranges;boundary={BOUNDARY}");
        Ok(head(206).replace_header("Content-Type", kind).body(body))
    }

    /// Sends the bytes of a range. The response ends before a segment that has changed; if nothing
    /// was sent by then, the status is 500.
    fn send(
        &self,
        call: &Call<'_>,
        reply: Reply,
        target: &Target,
        object: &SwiftObject,
        what: &Readable,
        range: Range<u64>,
    ) -> Answer {
        let length = range.end - range.start;
        if call.request.method == "HEAD" {
            return Ok(reply.header("Content-Length", length.to_string()));
        }
        let piece = self.piece(target, object, what, range)?;
        if piece.whole {
            return Ok(reply.body(piece.bytes));
        }
        if piece.bytes.len() < FIRST_WRITE {
            let missing = length - piece.bytes.len() as u64;
            let text =
                format!("Traceback (most recent call last):\nExpected another {missing} bytes");
            return Err(reply::plain(500, text).header("Connection", "close").into());
        }
        let cut = Cut::Body(piece.bytes.len(), Ending::Close);
        Ok(reply.header("Content-Length", length.to_string()).body(piece.bytes).cut(cut))
    }

    /// Returns all bytes that a GET returns.
    pub(super) fn content(&self, target: &Target) -> Option<Vec<u8>> {
        let object = self.find(target).ok()?;
        let what = self.readable(target, object).ok()?;
        let piece =
            self.piece(target, object, &what, 0..what.length).ok().filter(|piece| piece.whole)?;
        Some(piece.bytes.to_vec())
    }

    pub(super) fn piece(
        &self,
        target: &Target,
        object: &SwiftObject,
        what: &Readable,
        range: Range<u64>,
    ) -> Result<Piece, Refusal> {
        match &object.slo {
            Some(slo) if !what.stored => self.slo_piece(target, slo, range, 0),
            None if !what.stored => self.dlo_piece(target, object, range),
            _ => Ok(Piece { bytes: slice(&object.body, range), whole: true }),
        }
    }

    pub(super) fn object_head(&self, status: u16, object: &SwiftObject, what: &Readable) -> Reply {
        let mut reply = object.headers.dress(Reply::new(status));
        if let Some(at) = object.delete_at {
            reply = reply.header("X-Delete-At", at.to_string());
        }
        let etag = if what.quoted { format!("\"{}\"", what.etag) } else { what.etag.clone() };
        reply = reply
            .header("Etag", etag)
            .header("Last-Modified", http_date(object.last_modified()))
            .header("X-Timestamp", timestamp(object.changed))
            .header("Accept-Ranges", "bytes");
        for (name, value) in &what.extra {
            reply = reply.header(*name, value);
        }
        reply
    }
}

impl Readable {
    pub(super) fn of_object(object: &SwiftObject) -> Self {
        Self {
            etag: object.etag.clone(),
            quoted: false,
            length: object.body.len() as u64,
            stored: true,
            extra: Vec::new(),
        }
    }
}

pub(super) fn slice(body: &Bytes, range: Range<u64>) -> Bytes {
    let bound = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
    body.slice(bound(range.start)..bound(range.end))
}

const BOUNDARY: &str = "634755c5e4ae5a3e139c9ead74071022";
/// The number of bytes of a response that are collected before its head is sent.
const FIRST_WRITE: usize = 4096;
