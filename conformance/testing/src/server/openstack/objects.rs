//! Objects: PUT, POST and DELETE, and their stored form.

use std::time::Duration;

use bytes::Bytes;

use super::super::dates::http_date;
use super::super::digest::md5_hex;
use super::headers::Headers;
use super::operation::{Call, OpenStackOperation, Target};
use super::reply::{self, Refusal};
use super::slo::Slo;
use super::{Answer, OpenStackModel};

/// An object, or the manifest of a large one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwiftObject {
    /// Its bytes; for a static large object, its manifest as it is stored.
    pub body: Bytes,
    /// The MD5 of the bytes, without quotes.
    pub etag: String,
    /// When it expires, in seconds since 1970.
    pub delete_at: Option<u64>,
    pub(super) headers: Headers,
    pub(super) changed: Duration,
    /// When the row of a listing was made that shows it, before the lag.
    pub(super) listed: Duration,
    pub(super) slo: Option<Slo>,
}

impl SwiftObject {
    /// Returns a stored header (`Content-Type`, `X-Object-Meta-Colour`, `X-Object-Manifest`).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// Whether it is a static large object.
    pub fn is_slo(&self) -> bool {
        self.slo.is_some()
    }

    /// Returns its media type.
    pub fn content_type(&self) -> &str {
        self.headers.get("content-type").unwrap_or(OCTETS)
    }

    /// Returns its length in bytes as listings show it: for a static large object, that of its
    /// content; for a dynamic one, 0.
    pub fn size(&self) -> u64 {
        self.slo.as_ref().map_or(self.body.len() as u64, |slo| slo.size)
    }

    pub(super) fn last_modified(&self) -> u64 {
        ceiling(self.changed)
    }
}

impl OpenStackModel {
    /// Returns the object of a request, unless it has expired.
    pub(super) fn find(&self, target: &Target) -> Result<&SwiftObject, Refusal> {
        let object = self.container(target).and_then(|found| found.objects.get(&target.object));
        let object =
            object.filter(|object| object.delete_at.is_none_or(|at| at > self.now.as_secs()));
        object.ok_or_else(|| reply::page(404).into())
    }

    /// Checks a PUT before any of its body is read.
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
        let length = length.and_then(Result::ok).unwrap_or_default();
        let container = self.container(target).ok_or_else(|| reply::page(404))?;
        let quota = |name| container.header(name).and_then(|quota| quota.parse::<u64>().ok());
        let bytes = quota("X-Container-Meta-Quota-Bytes");
        let count = quota("X-Container-Meta-Quota-Count");
        if bytes.is_some_and(|quota| container.bytes_used() + length > quota)
            || count.is_some_and(|quota| container.objects.len() as u64 + 1 > quota)
        {
            return Err(reply::said(413, "Upload exceeds quota.").into());
        }
        self.check_absent(call, target)
    }

    /// Checks `If-None-Match: *`.
    pub(super) fn check_absent(&self, call: &Call<'_>, target: &Target) -> Result<(), Refusal> {
        match call.header("if-none-match") {
            Some(_) if !self.ignores_conditions && self.find(target).is_ok() => {
                Err(reply::page(412).into())
            }
            _ => Ok(()),
        }
    }

    /// Handles PutObject and PutDlo.
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
            listed: Duration::ZERO,
            slo: None,
        };
        self.store(target, object)
    }

    /// Stores an object, and returns the response.
    pub(super) fn store(&mut self, target: &Target, mut object: SwiftObject) -> Answer {
        object.changed = self.stamp();
        let etag = object.slo.as_ref().map_or_else(|| object.etag.clone(), Slo::quoted_etag);
        let changed = http_date(object.last_modified());
        object.listed = object.changed;
        self.container_mut(target)?.put(&target.object, object);
        Ok(reply::said(201, "").header("Etag", etag).header("Last-Modified", changed))
    }

    /// Handles PostObject: removes the metadata that is not named, except the media type.
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

    /// Handles DeleteObject: a manifest's segments stay. An expired object is removed, and not
    /// found.
    pub(super) fn delete_object(&mut self, target: &Target) -> Answer {
        let found = self.find(target).map(|_| reply::said(204, ""));
        self.container_mut(target)?.objects.remove(&target.object);
        found
    }

    /// Reads `X-Delete-At`, or `X-Delete-After` from now.
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

/// Returns the headers of a request that are stored with its object.
pub(super) fn kept_headers(call: &Call<'_>) -> Headers {
    let mut headers = Headers::default();
    headers.set("Content-Type", call.header("content-type").unwrap_or(OCTETS));
    headers.update(call.request, is_kept);
    headers
}

/// Whether a header of this name, in lower case, is stored with an object.
pub(super) fn is_kept(name: &str) -> bool {
    name.starts_with("x-object-meta-") || KEPT.contains(&name)
}

/// Rounds a time up to whole seconds, as Swift's headers show it.
pub(super) fn ceiling(at: Duration) -> u64 {
    at.as_secs() + u64::from(at.subsec_nanos() > 0)
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
