//! Static large objects: how a manifest is checked and stored.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::dates::iso_micros;
use super::super::digest::md5_hex;
use super::super::message::{Framing, Reply};
use super::access::Caller;
use super::manifest::{self, Wanted};
use super::objects::{SwiftObject, kept_headers};
use super::operation::{Call, OpenStackOperation, Target};
use super::reply::{self, Refusal};
use super::{Answer, OpenStackModel};

/// A manifest that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slo {
    /// The MD5 of the segments' ETags, without quotes.
    pub(super) etag: String,
    /// The size of its content, in bytes.
    pub(super) size: u64,
    pub(super) segments: Vec<Segment>,
}

/// A segment of a static large object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Container and object; `None` where the manifest has the bytes themselves.
    pub name: Option<(String, String)>,
    /// The bytes of a segment without a name.
    pub data: Vec<u8>,
    /// The MD5 that the segment had, without quotes.
    pub hash: String,
    /// The length that the segment had, in bytes.
    pub bytes: u64,
    /// The first and last byte of the segment that belong to the object.
    pub range: Option<(u64, u64)>,
    pub(super) content_type: String,
    pub(super) last_modified: u64,
    pub(super) sub_slo: bool,
}

impl SwiftObject {
    /// Returns the segments of a static large object; empty for others.
    pub fn segments(&self) -> &[Segment] {
        self.slo.as_ref().map_or(&[], |slo| &slo.segments)
    }
}

impl Slo {
    /// Returns the ETag as responses and listings show it.
    pub(super) fn quoted_etag(&self) -> String {
        format!("\"{}\"", self.etag)
    }

    fn new(segments: Vec<Segment>) -> Self {
        let tags: String = segments.iter().map(Segment::tag).collect();
        let size = segments.iter().map(Segment::length).sum();
        Self { etag: md5_hex(tags.as_bytes()), size, segments }
    }

    /// Returns the manifest as it is stored, and as `multipart-manifest=get` returns it.
    pub(super) fn stored(&self) -> String {
        let entries = self.segments.iter().map(|segment| {
            let Some((container, object)) = &segment.name else {
                return json!({"data": STANDARD.encode(&segment.data)});
            };
            let modified = iso_micros(Duration::from_secs(segment.last_modified));
            let mut entry = json!({
                "name": format!("/{container}/{object}"),
                "bytes": segment.bytes,
                "hash": segment.hash,
                "content_type": segment.content_type,
                "last_modified": modified,
            });
            if segment.sub_slo {
                entry["sub_slo"] = json!(true);
            }
            if let Some((first, last)) = segment.range {
                entry["range"] = json!(format!("{first}-{last}"));
            }
            entry
        });
        entries.collect::<Value>().to_string()
    }

    /// Returns the manifest in the form of a PUT (`format=raw`).
    pub(super) fn raw(&self) -> String {
        let entries = self.segments.iter().map(|segment| {
            let Some((container, object)) = &segment.name else {
                return json!({"data": STANDARD.encode(&segment.data)});
            };
            let mut entry = json!({
                "path": format!("/{container}/{object}"),
                "etag": segment.hash,
                "size_bytes": segment.bytes,
            });
            if let Some((first, last)) = segment.range {
                entry["range"] = json!(format!("{first}-{last}"));
            }
            entry
        });
        entries.collect::<Value>().to_string()
    }
}

impl Segment {
    /// Returns how many of its bytes belong to the object.
    pub(super) fn length(&self) -> u64 {
        self.range.map_or(self.bytes, |(first, last)| last + 1 - first)
    }

    /// Returns its part of the manifest's ETag.
    fn tag(&self) -> String {
        match self.range {
            Some((first, last)) => format!("{}:{first}-{last};", self.hash),
            None => self.hash.clone(),
        }
    }
}

impl OpenStackModel {
    /// Handles PutSlo. With `heartbeat=on` the response begins with 202 before the segments are
    /// checked, and the result is in the body.
    pub(super) fn put_slo(&mut self, call: &Call<'_>, target: &Target, caller: &Caller) -> Answer {
        let Some(most) = self.limits.max_manifest_segments else {
            // Without the middleware the parameter has no effect.
            self.authorize(caller, OpenStackOperation::PutObject, target)?;
            return self.put_object(call, target);
        };
        let chunked = call.header("transfer-encoding").is_some();
        if call.header("content-length").is_none() && !chunked {
            return Err(reply::page(411).into());
        }
        if call.request.body.len() > MAX_MANIFEST {
            return Err(reply::page(413).into());
        }
        let wanted = manifest::parse(&call.request.body, target)?;
        let objects = wanted.iter().filter(|segment| segment.data.is_none()).count();
        if objects > most {
            let text = format!("Number of object-backed segments must be <= {most}");
            return Err(reply::said(413, text).into());
        }
        if objects == 0 && !wanted.is_empty() {
            let text = "Inline data segments require at least one object-backed segment.\n";
            return Err(reply::plain(400, text).into());
        }
        let outcome = self.link(call, target, caller, &wanted);
        match call.flag("heartbeat") {
            false => outcome.map_err(|failure| failure.reply(call.wants_json())),
            true => Ok(heartbeat(call.wants_json(), outcome)),
        }
    }

    /// Checks every segment, and stores the manifest.
    fn link(
        &mut self,
        call: &Call<'_>,
        target: &Target,
        caller: &Caller,
        wanted: &[Wanted],
    ) -> Result<Reply, Failure> {
        let mut problems = Vec::new();
        let mut segments = Vec::new();
        for (at, segment) in wanted.iter().enumerate() {
            let last = at + 1 == wanted.len();
            match self.segment(target, caller, segment, last) {
                Ok(segment) => segments.push(segment),
                Err(problem) => problems.push((segment.path.clone(), problem)),
            }
        }
        if !problems.is_empty() {
            return Err(Failure::Segments(problems));
        }
        let slo = Slo::new(segments);
        let tag = call.header("etag").map(|wanted| wanted.trim().trim_matches('"'));
        if tag.is_some_and(|wanted| wanted != slo.etag) {
            return Err(Failure::Checksum);
        }
        self.authorize(caller, OpenStackOperation::PutObject, target)?;
        self.container(target).ok_or_else(|| Refusal::from(reply::page(404)))?;
        self.check_absent(call, target)?;
        let body = slo.stored();
        let object = SwiftObject {
            etag: md5_hex(body.as_bytes()),
            body: body.into(),
            delete_at: self.delete_at(call)?,
            headers: kept_headers(call),
            changed: Duration::ZERO,
            listed: Duration::ZERO,
            slo: Some(slo),
        };
        Ok(self.store(target, object)?)
    }

    fn segment(
        &self,
        target: &Target,
        caller: &Caller,
        wanted: &Wanted,
        last: bool,
    ) -> Result<Segment, String> {
        if let Some(data) = &wanted.data {
            return Ok(Segment {
                name: None,
                hash: md5_hex(data),
                bytes: data.len() as u64,
                data: data.clone(),
                range: None,
                content_type: String::new(),
                last_modified: 0,
                sub_slo: false,
            });
        }
        let at = target.sibling(&wanted.container, &wanted.object);
        let found = self
            .authorize(caller, OpenStackOperation::HeadObject, &at)
            .and_then(|()| self.find(&at))
            .and_then(|object| Ok((object, self.readable(&at, object)?)));
        let (object, what) =
            found.map_err(|refusal| reply::status_line(refusal.into_reply().status))?;
        if wanted.etag.as_ref().is_some_and(|etag| *etag != what.etag) {
            return Err("Etag Mismatch".to_owned());
        }
        if wanted.size.is_some_and(|size| size != what.length) {
            return Err("Size Mismatch".to_owned());
        }
        let range = match wanted.range {
            None => None,
            Some(range) => {
                let range = manifest::resolve(range, what.length);
                Some(range.ok_or_else(|| "Unsatisfiable Range".to_owned())?)
            }
        };
        if what.length == 0 && !last {
            return Err("Too small; each segment must be at least 1 byte.".to_owned());
        }
        Ok(Segment {
            name: Some((wanted.container.clone(), wanted.object.clone())),
            data: Vec::new(),
            hash: what.etag,
            bytes: what.length,
            range,
            content_type: object.content_type().to_owned(),
            last_modified: object.last_modified(),
            sub_slo: object.is_slo(),
        })
    }
}

/// Why a manifest was not stored.
enum Failure {
    /// Invalid segments, with the fault of each.
    Segments(Vec<(String, String)>),
    /// The announced ETag is wrong.
    Checksum,
    Refused(Refusal),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Failure {
    fn reply(self, json: bool) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Checksum => reply::page(422).into(),
            Self::Segments(problems) if json => {
                let document = json!({"Errors": problems});
                reply::document(400, &document).into()
            }
            Self::Segments(problems) => reply::plain(400, lines(&problems)).into(),
        }
    }
}

/// Returns the response whose head was sent before the result was known.
fn heartbeat(json: bool, outcome: Result<Reply, Failure>) -> Reply {
    let said = |status: u16| {
        let (title, text) = reply::words(status).unwrap_or_default();
        format!("{title}\n{text}")
    };
    let mut etag = None;
    let mut modified = None;
    let (status, body, problems) = match outcome {
        Ok(reply) => {
            etag = reply.find_header("etag").map(str::to_owned);
            modified = reply.find_header("last-modified").map(str::to_owned);
            (reply.status, String::new(), Vec::new())
        }
        Err(Failure::Segments(problems)) => (400, said(400), problems),
        Err(Failure::Checksum) => (422, said(422), Vec::new()),
        Err(Failure::Refused(refusal)) => {
            let reply = refusal.into_reply();
            (reply.status, String::from_utf8_lossy(&reply.body).into_owned(), Vec::new())
        }
    };
    let status = reply::status_line(status);
    let text = if json {
        let mut document =
            json!({"Response Status": status, "Response Body": body, "Errors": problems});
        if let (Some(etag), Some(modified)) = (etag, modified) {
            document["Etag"] = json!(etag);
            document["Last Modified"] = json!(modified);
        }
        document.to_string()
    } else {
        let facts = match (etag, modified) {
            (Some(etag), Some(modified)) => format!("Etag: {etag}\nLast Modified: {modified}\n"),
            _ => String::new(),
        };
        let problems = lines(&problems);
        format!("{facts}Response Body: {body}\nResponse Status: {status}\n{problems}")
    };
    let kind = if json { "application/json" } else { "text/plain" };
    Reply::new(202)
        .header("Content-Type", kind)
        .body(format!(" \r\n\r\n{text}"))
        .framing(Framing::Chunked(64 << 10))
}

/// Returns the faults as text.
pub(super) fn lines(problems: &[(String, String)]) -> String {
    let lines: String =
        problems.iter().map(|(path, problem)| format!("{path}, {problem}\n")).collect();
    format!("Errors:\n{lines}")
}

const MAX_MANIFEST: usize = 8 << 20;
