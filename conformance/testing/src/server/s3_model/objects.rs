//! Operations on single objects.

use std::ops::Range;

use bytes::Bytes;

use super::super::dates::{http_date, iso_date};
use super::super::message::{Reply, decode};
use super::call::Call;
use super::document::Document;
use super::payload::Payload;
use super::refusal::{self, Refusal};
use super::{Answer, Checksum, Object, S3Model, conditions};

impl S3Model {
    /// Handles GetObject and HeadObject.
    pub(super) fn get_object(&self, call: &Call<'_>) -> Answer {
        let object = self.find(&call.bucket, &call.key)?;
        if self.manners.conditional_reads {
            conditions::check_read(object, |name| call.header(name).map(str::to_owned), false)?;
        }
        let length = object.body.len() as u64;
        let (range, checksum) = match (call.query("partNumber"), call.range()) {
            (Some(number), _) => {
                let (range, checksum) = part_of(object, number)?;
                (Some(range).filter(|range| !range.is_empty()), checksum)
            }
            (None, Some(range)) => (conditions::range(range, length)?, None),
            (None, None) => (None, object.checksum.as_ref()),
        };
        // An invalid range is ignored.
        let checksum = if range.is_none() { object.checksum.as_ref() } else { checksum };

        let mut reply = Reply::new(if range.is_some() { 206 } else { 200 })
            .header("ETag", quoted(&object.etag))
            .header("Last-Modified", http_date(object.last_modified))
            .header("Accept-Ranges", "bytes");
        for (name, value) in &object.headers {
            let overridden = call.query(&format!("response-{name}")).unwrap_or(value);
            reply = reply.header(name, overridden);
        }
        for name in RESPONSE_OVERRIDES {
            if let (Some(value), None) =
                (call.query(&format!("response-{name}")), reply.find_header(name))
            {
                reply = reply.header(name, value);
            }
        }
        let tags = object.tags.split('&').filter(|tag| !tag.is_empty()).count();
        if tags > 0 {
            reply = reply.header("x-amz-tagging-count", tags.to_string());
        }
        if reply.find_header("content-type").is_none() {
            reply = reply.header("Content-Type", "binary/octet-stream");
        }
        if !object.parts.is_empty() && call.query("partNumber").is_some() {
            reply = reply.header("x-amz-mp-parts-count", object.parts.len().to_string());
        }
        let asked = call.header("x-amz-checksum-mode") == Some("ENABLED");
        if let (true, Some(checksum)) = (asked, checksum) {
            reply.headers.extend(checksum.headers());
        }
        let body = match range {
            None => object.body.clone(),
            Some(range) => {
                let last = range.end.saturating_sub(1);
                let content_range = format!("bytes {}-{last}/{length}", range.start);
                reply = reply.header("Content-Range", content_range);
                slice(&object.body, range)
            }
        };
        Ok(match call.is_head() {
            true => reply.header("Content-Length", body.len().to_string()),
            false => reply.body(body),
        })
    }

    pub(super) fn put_object(&mut self, call: &Call<'_>) -> Answer {
        self.bucket(&call.bucket)?;
        let payload = Payload::read(call.request, &self.manners)?;
        if payload.bytes.len() as u64 > self.manners.max_put_size {
            return Err(too_large());
        }
        conditions::check_write(
            self.object(&call.bucket, &call.key),
            |name| call.header(name),
            &self.manners,
        )?;
        let mut object = self.single(payload.bytes, kept_headers(call), payload.checksum);
        object.tags = call.header("x-amz-tagging").unwrap_or_default().to_owned();
        let mut reply = Reply::new(200).header("ETag", quoted(&object.etag));
        if let Some(checksum) = &object.checksum {
            reply.headers.extend(checksum.headers());
        }
        self.store(call, object)?;
        Ok(reply)
    }

    pub(super) fn copy_object(&mut self, call: &Call<'_>) -> Answer {
        self.bucket(&call.bucket)?;
        let source = self.copy_source(call)?.clone();
        if source.body.len() as u64 > self.manners.max_put_size {
            return Err(copy_too_large());
        }
        conditions::check_write(
            self.object(&call.bucket, &call.key),
            |name| call.header(name),
            &self.manners,
        )?;
        let headers = match call.header("x-amz-metadata-directive") {
            Some("REPLACE") => kept_headers(call),
            _ => source.headers,
        };
        let algorithm = call.checksum_algorithm()?;
        let checksum = match (algorithm, source.checksum) {
            (Some(algorithm), _) => Some((algorithm, algorithm.value(&source.body))),
            (None, kept) => kept
                .and_then(|kept| super::Algorithm::from_name(kept.algorithm))
                .map(|algorithm| (algorithm, algorithm.value(&source.body))),
        };
        let mut object =
            self.single(source.body, headers, checksum.filter(|_| self.manners.checksums));
        object.tags = match call.header("x-amz-tagging-directive") {
            Some("REPLACE") => call.header("x-amz-tagging").unwrap_or_default().to_owned(),
            _ => source.tags,
        };
        if call.header("x-amz-object-annotation-directive") != Some("EXCLUDE") {
            object.annotations = source.annotations;
        }
        let mut document = Document::result("CopyObjectResult");
        document.text("LastModified", iso_date(object.last_modified));
        document.text("ETag", quoted(&object.etag));
        if let Some(checksum) = &object.checksum {
            document.text(&format!("Checksum{}", checksum.algorithm), &checksum.value);
            document.text("ChecksumType", checksum.covers.name());
        }
        self.store(call, object)?;
        Ok(Reply::xml(200, document.finish()))
    }

    pub(super) fn delete_object(&mut self, call: &Call<'_>) -> Answer {
        if self.locked.contains(&(call.bucket.clone(), call.key.clone())) {
            return Err(Refusal::new(403, "AccessDenied", "Access Denied"));
        }
        self.bucket_mut(&call.bucket)?.objects.remove(&call.key);
        Ok(Reply::new(204))
    }

    /// Returns the object that `x-amz-copy-source` names, if the conditions hold.
    pub(super) fn copy_source(&self, call: &Call<'_>) -> Result<&Object, Refusal> {
        let source = call.header("x-amz-copy-source").unwrap_or_default();
        let source = decode(source.strip_prefix('/').unwrap_or(source), false);
        let (bucket, key) =
            source.as_deref().and_then(|source| source.split_once('/')).ok_or_else(|| {
                refusal::invalid_argument("Copy Source must mention the source bucket and key")
            })?;
        let object = self.find(bucket, key)?;
        conditions::check_read(object, |name| call.header(name).map(str::to_owned), true)?;
        Ok(object)
    }

    pub(super) fn store(&mut self, call: &Call<'_>, object: Object) -> Result<(), Refusal> {
        self.bucket_mut(&call.bucket)?.objects.insert(call.key.clone(), object);
        Ok(())
    }

    pub(super) fn find(&self, bucket: &str, key: &str) -> Result<&Object, Refusal> {
        let objects = &self.bucket(bucket)?.objects;
        objects.get(key).ok_or_else(|| refusal::no_such_key().detail("Key", key))
    }
}

/// Returns the headers of a request that are stored with its object.
pub(super) fn kept_headers(call: &Call<'_>) -> Vec<(String, String)> {
    let headers = call.request.headers.iter().map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        let value = if name == "content-encoding" { without_framing(value) } else { value.clone() };
        (name, value)
    });
    headers
        .filter(|(name, value)| {
            let kept = KEPT_HEADERS.contains(&name.as_str()) || name.starts_with("x-amz-meta-");
            kept && !value.is_empty()
        })
        .collect()
}

/// Returns the bytes of a part, and its checksum. An object of one piece is its own first part.
fn part_of<'a>(
    object: &'a Object,
    number: &str,
) -> Result<(Range<u64>, Option<&'a Checksum>), Refusal> {
    let number = number.parse::<usize>().ok().filter(|number| *number > 0);
    let number = number.ok_or_else(|| {
        refusal::invalid_argument("Part number must be an integer between 1 and 10000, inclusive")
    })?;
    if object.parts.is_empty() && number == 1 {
        return Ok((0..object.body.len() as u64, object.checksum.as_ref()));
    }
    let Some((length, checksum)) = object.parts.get(number - 1) else {
        return Err(Refusal::new(
            416,
            "InvalidPartNumber",
            "The requested partnumber is not satisfiable",
        ));
    };
    let start = object.parts[..number - 1].iter().map(|(length, _)| length).sum::<u64>();
    Ok((start..start + length, checksum.as_ref()))
}

pub(super) fn slice(body: &Bytes, range: Range<u64>) -> Bytes {
    let bound = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
    body.slice(bound(range.start)..bound(range.end))
}

pub(super) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

pub(super) fn too_large() -> Refusal {
    Refusal::new(
        400,
        "EntityTooLarge",
        "Your proposed upload exceeds the maximum allowed object size.",
    )
}

pub(super) fn copy_too_large() -> Refusal {
    refusal::invalid_request(
        "The specified copy source is larger than the maximum allowable size for a copy source: \
         5368709120",
    )
}

/// Returns `Content-Encoding` without `aws-chunked`.
fn without_framing(encoding: &str) -> String {
    let codings = encoding.split(',').map(str::trim);
    codings.filter(|coding| *coding != "aws-chunked").collect::<Vec<_>>().join(",")
}

const KEPT_HEADERS: [&str; 7] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-website-redirect-location",
];

const RESPONSE_OVERRIDES: [&str; 6] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
];
