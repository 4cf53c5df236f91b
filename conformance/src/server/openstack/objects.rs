//! Objects: put, post, delete, and what is read of them.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use super::super::dates::http_date;
use super::super::digest::md5_hex;
use super::super::message::{Cut, Ending, Reply};
use super::conditions::{self, Verdict};
use super::headers::Headers;
use super::listing::timestamp;
use super::operation::{Call, OpenStackOperation, Target};
use super::reply::{self, Refusal};
use super::slo::Slo;
use super::{Answer, OpenStackModel};

/// An object, or the manifest of a large one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwiftObject {
    /// Its bytes; of a static large object, its manifest as it is stored.
    pub body: Bytes,
    /// MD5 of the bytes, without quotes.
    pub etag: String,
    /// Seconds since 1970 at which it is no longer there.
    pub delete_at: Option<u64>,
    pub(super) headers: Headers,
    pub(super) changed: Duration,
    pub(super) slo: Option<Slo>,
}

/// What a read gives, before conditions and ranges.
pub(super) struct Readable {
    /// Without quotes.
    pub(super) etag: String,
    /// Whether its ETag is shown in quotes.
    pub(super) quoted: bool,
    pub(super) length: u64,
    /// Whether it is what is stored, and not what a manifest leads to.
    pub(super) stored: bool,
    /// Headers that only a large object has.
    pub(super) extra: Vec<(&'static str, String)>,
}

/// Bytes of an object, or those before a segment that is not what it was.
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    pub(super) whole: bool,
}

impl SwiftObject {
    /// A header that it keeps (`Content-Type`, `X-Object-Meta-Colour`, `X-Object-Manifest`).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// Whether it is a static large object.
    pub fn is_slo(&self) -> bool {
        self.slo.is_some()
    }

    /// Its media type.
    pub fn content_type(&self) -> &str {
        self.headers.get("content-type").unwrap_or(OCTETS)
    }

    /// Its length in bytes as listings tell it: of a static large object, that of its content; of
    /// a dynamic one, nothing.
    pub fn size(&self) -> u64 {
        self.slo.as_ref().map_or(self.body.len() as u64, |slo| slo.size)
    }

    pub(super) fn last_modified(&self) -> u64 {
        ceiling(self.changed)
    }
}

impl OpenStackModel {
    /// The object that a request is about, unless it has expired.
    pub(super) fn find(&self, target: &Target) -> Result<&SwiftObject, Refusal> {
        let object = self.container(target).and_then(|found| found.objects.get(&target.object));
        let object =
            object.filter(|object| object.delete_at.is_none_or(|at| at > self.now.as_secs()));
        object.ok_or_else(|| reply::page(404).into())
    }

    /// What is refused about a PUT before any of its body is read.
    pub(super) fn admit_put(&self, call: &Call<'_>, target: &Target) -> Result<(), Refusal> {
        if call.header("if-none-match").is_some_and(|value| value.trim() != "*") {
            return Err(reply::plain(400, "If-None-Match only supports *").into());
        }
        let length = call.header("content-length").map(str::parse::<u64>);
        let chunked = call.header("transfer-encoding").is_some();
        if call.operation != OpenStackOperation::CopyObject {
            match length {
                None if !chunked => {
                    return Err(reply::plain(411, "Missing Content-Length header.").into());
                }
                Some(Ok(length)) if length > self.limits.max_file_size => {
                    return Err(reply::plain(413, "Your request is too large.").into());
                }
                _ => {}
            }
        }
        let name = target.object.len();
        if name > MAX_NAME {
            let text = format!("Object name length of {name} longer than {MAX_NAME}");
            return Err(reply::plain(400, text).into());
        }
        self.delete_at(call)?;
        check_metadata(call)?;
        super::dlo::check_manifest(call)?;
        if call.operation == OpenStackOperation::CopyObject {
            return Ok(());
        }
        self.container(target).ok_or_else(|| reply::page(404))?;
        self.check_absent(call, target)
    }

    /// `If-None-Match: *`.
    pub(super) fn check_absent(&self, call: &Call<'_>, target: &Target) -> Result<(), Refusal> {
        match call.header("if-none-match") {
            Some(_) if self.find(target).is_ok() => Err(reply::page(412).into()),
            _ => Ok(()),
        }
    }

    /// PutObject and PutDlo.
    pub(super) fn put_object(&mut self, call: &Call<'_>, target: &Target) -> Answer {
        let body = call.request.body.clone();
        if body.len() as u64 > self.limits.max_file_size {
            return Err(reply::page(413).into());
        }
        let etag = md5_hex(&body);
        let wanted = call.header("etag").map(|wanted| wanted.trim().trim_matches('"'));
        if wanted.is_some_and(|wanted| !wanted.eq_ignore_ascii_case(&etag)) {
            return Err(reply::page(422).into());
        }
        let object = SwiftObject {
            body,
            etag,
            delete_at: self.delete_at(call)?,
            headers: kept_headers(call),
            changed: Duration::ZERO,
            slo: None,
        };
        self.store(target, object)
    }

    /// Puts an object in its place, and says so.
    pub(super) fn store(&mut self, target: &Target, mut object: SwiftObject) -> Answer {
        object.changed = self.stamp();
        let etag = object.slo.as_ref().map_or_else(|| object.etag.clone(), Slo::quoted_etag);
        let changed = http_date(object.last_modified());
        self.container_mut(target)?.objects.insert(target.object.clone(), object);
        Ok(reply::said(201, "").header("Etag", etag).header("Last-Modified", changed))
    }

    /// PostObject: what is not named is gone, but for the media type.
    pub(super) fn post_object(&mut self, call: &Call<'_>, target: &Target) -> Answer {
        check_metadata(call)?;
        super::dlo::check_manifest(call)?;
        let delete_at = self.delete_at(call)?;
        self.find(target)?;
        let now = self.stamp();
        let objects = &mut self.container_mut(target)?.objects;
        let object = objects.get_mut(&target.object).ok_or_else(|| reply::page(404))?;
        object.headers.retain(|name| name.eq_ignore_ascii_case("content-type"));
        object.headers.update(call.request, is_kept);
        object.delete_at = delete_at;
        object.changed = now;
        Ok(reply::page(202))
    }

    /// DeleteObject: a manifest's segments stay.
    pub(super) fn delete_object(&mut self, target: &Target) -> Answer {
        self.find(target)?;
        self.container_mut(target)?.objects.remove(&target.object);
        Ok(reply::said(204, ""))
    }

    /// GetObject, HeadObject and GetManifest.
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

    /// What a plain GET of an object gives.
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

    /// Conditions, ranges, and the bytes.
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

    /// The bytes of a range. When a segment is not what it was the answer breaks off there; where
    /// nothing has been sent by then, it turns into 500.
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
            return Err(reply::plain(500, text).into());
        }
        let cut = Cut::Body(piece.bytes.len(), Ending::Close);
        Ok(reply.header("Content-Length", length.to_string()).body(piece.bytes).cut(cut))
    }

    /// All bytes of what a GET gives.
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

    /// `X-Delete-At`, or `X-Delete-After` from now.
    pub(super) fn delete_at(&self, call: &Call<'_>) -> Result<Option<u64>, Refusal> {
        let now = self.now.as_secs();
        let refuse = |text: &str| Refusal::from(reply::plain(400, text));
        if let Some(after) = call.header("x-delete-after") {
            let after: u64 = after.parse().map_err(|_| refuse("Non-integer X-Delete-After"))?;
            if after == 0 {
                return Err(refuse("X-Delete-After in past"));
            }
            return Ok(Some(now + after));
        }
        let Some(at) = call.header("x-delete-at").filter(|at| !at.is_empty()) else {
            return Ok(None);
        };
        let at: u64 = at.parse().map_err(|_| refuse("Non-integer X-Delete-At"))?;
        match at > now {
            true => Ok(Some(at)),
            false => Err(refuse("X-Delete-At in past")),
        }
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

/// The headers of a request that its object keeps.
pub(super) fn kept_headers(call: &Call<'_>) -> Headers {
    let mut headers = Headers::default();
    headers.set("Content-Type", call.header("content-type").unwrap_or(OCTETS));
    headers.update(call.request, is_kept);
    headers
}

/// Whether an object keeps a header of this name, which is in lower case.
pub(super) fn is_kept(name: &str) -> bool {
    name.starts_with("x-object-meta-") || KEPT.contains(&name)
}

/// Instants are told in whole seconds, rounded up.
pub(super) fn ceiling(at: Duration) -> u64 {
    at.as_secs() + u64::from(at.subsec_nanos() > 0)
}

pub(super) fn slice(body: &Bytes, range: Range<u64>) -> Bytes {
    let bound = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
    body.slice(bound(range.start)..bound(range.end))
}

fn check_metadata(call: &Call<'_>) -> Result<(), Refusal> {
    for (name, value) in &call.request.headers {
        let name = name.to_ascii_lowercase();
        let Some(short) = name.strip_prefix("x-object-meta-") else { continue };
        if short.len() > 128 {
            let text = format!("Metadata name too long: {name}");
            return Err(reply::plain(400, text).into());
        }
        if value.len() > 256 {
            let text = format!("Metadata value longer than 256: {name}");
            return Err(reply::plain(400, text).into());
        }
    }
    Ok(())
}

const OCTETS: &str = "application/octet-stream";
const MAX_NAME: usize = 1024;
const BOUNDARY: &str = "634755c5e4ae5a3e139c9ead74071022";
/// So many bytes of an answer are gathered before its head is sent.
const FIRST_WRITE: usize = 4096;
const KEPT: [&str; 8] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-object-manifest",
    "x-robots-tag",
];
