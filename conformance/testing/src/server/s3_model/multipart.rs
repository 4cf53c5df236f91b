//! Multipart uploads.

use std::collections::BTreeMap;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::super::dates::iso_date;
use super::super::digest::{self, Algorithm};
use super::super::message::Reply;
use super::call::Call;
use super::document::{Document, Element};
use super::objects::{copy_too_large, kept_headers, quoted, slice, too_large};
use super::payload::Payload;
use super::refusal::{self, Refusal};
use super::{
    Answer, Checksum, ChecksumType, CompleteEtag, Object, OpenUpload, S3Model, conditions,
};

/// The private state of an open upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Details {
    pub(super) initiated: u64,
    headers: Vec<(String, String)>,
    tags: String,
    checksum: Option<(Algorithm, ChecksumType)>,
    parts: BTreeMap<u32, Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    body: Bytes,
    etag: String,
    last_modified: u64,
    checksum: Option<(Algorithm, String)>,
}

impl S3Model {
    pub(super) fn create_upload(&mut self, call: &Call<'_>) -> Answer {
        self.bucket(&call.bucket)?;
        let checksum = if self.manners.checksums { upload_checksum(call)? } else { None };
        self.upload_ids += 1;
        let id = format!("2~{:016x}", self.upload_ids);
        let upload = OpenUpload {
            bucket: call.bucket.clone(),
            key: call.key.clone(),
            id: id.clone(),
            parts: BTreeMap::new(),
            details: Details {
                initiated: self.now,
                headers: kept_headers(call),
                tags: call.header("x-amz-tagging").unwrap_or_default().to_owned(),
                checksum,
                parts: BTreeMap::new(),
            },
        };
        self.uploads.insert(id.clone(), upload);
        let mut document = Document::result("InitiateMultipartUploadResult");
        document.text("Bucket", &call.bucket);
        document.text("Key", &call.key);
        document.text("UploadId", id);
        let mut reply = Reply::xml(200, document.finish());
        if let Some((algorithm, covers)) = checksum {
            reply = reply
                .header("x-amz-checksum-algorithm", algorithm.name())
                .header("x-amz-checksum-type", covers.name());
        }
        Ok(reply)
    }

    pub(super) fn upload_part(&mut self, call: &Call<'_>) -> Answer {
        self.upload(call)?;
        let payload = Payload::read(call.request, &self.manners)?;
        let part = self.put_part(call, payload)?;
        let mut reply = Reply::new(200).header("ETag", quoted(&part.etag));
        if let Some((algorithm, value)) = part.checksum {
            reply = reply.header(algorithm.header(), value);
        }
        Ok(reply)
    }

    pub(super) fn upload_part_copy(&mut self, call: &Call<'_>) -> Answer {
        self.upload(call)?;
        let source = &self.copy_source(call)?.body;
        let bytes = match call.header("x-amz-copy-source-range") {
            None => source.clone(),
            Some(range) => slice(source, copy_range(range, source.len() as u64)?),
        };
        if bytes.len() as u64 > self.manners.max_put_size {
            return Err(copy_too_large());
        }
        // The server computes the checksum of what it copies.
        let algorithm = self.upload(call)?.details.checksum.map(|(algorithm, _)| algorithm);
        let checksum = algorithm.map(|algorithm| (algorithm, algorithm.value(&bytes)));
        let part = self.put_part(call, Payload { bytes, checksum })?;
        let mut document = Document::result("CopyPartResult");
        document.text("LastModified", iso_date(part.last_modified));
        document.text("ETag", quoted(&part.etag));
        if let Some((algorithm, value)) = part.checksum {
            document.text(&format!("Checksum{}", algorithm.name()), value);
        }
        Ok(Reply::xml(200, document.finish()))
    }

    pub(super) fn complete_upload(&mut self, call: &Call<'_>) -> Answer {
        if let (true, Some(etag)) = (self.manners.complete_again, self.completed_etag(call)) {
            let reply = Reply::xml(200, self.complete_result(call, etag, None));
            return Ok(reply);
        }
        self.bucket(&call.bucket)?;
        let details = &self.upload(call)?.details;
        let listed = Element::parse(&call.request.body)
            .filter(|root| root.name == "CompleteMultipartUpload")
            .ok_or_else(refusal::malformed_xml)?;
        let parts = listed_parts(details, &listed)?;
        let (last, others) = parts.split_last().ok_or_else(refusal::malformed_xml)?;
        if let Some(small) =
            others.iter().find(|part| (part.body.len() as u64) < self.manners.min_part_size)
        {
            return Err(Refusal::new(
                400,
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
            )
            .detail("ProposedSize", small.body.len().to_string())
            .detail("ETag", &small.etag));
        }
        conditions::check_write(
            self.object(&call.bucket, &call.key),
            |name| call.header(name),
            &self.manners,
        )?;
        let all: Vec<&Part> = others.iter().chain([last]).copied().collect();
        let object = self.assemble(details, &all);
        check_whole(call, &object)?;

        let etag = object.etag.clone();
        let document = self.complete_result(call, &etag, object.checksum.as_ref());
        self.store(call, object)?;
        let id = call.query("uploadId").unwrap_or_default();
        self.ended.extend(self.uploads.remove_entry(id));
        self.completed.insert(id.to_owned(), etag);
        Ok(Reply::xml(200, document))
    }

    /// Stores all parts of an upload and completes it, as another client does. Returns whether the
    /// upload exists.
    pub fn complete_of_another(&mut self, id: &str, object: &Bytes, part_size: usize) -> bool {
        let Some((_, mut upload)) = self.uploads.remove_entry(id) else { return false };
        let parts = (1..).zip(object.chunks(part_size)).map(|(number, body)| {
            let (etag, body) = (digest::md5_hex(body), object.slice_ref(body));
            (number, Part { body, etag, last_modified: self.now, checksum: None })
        });
        upload.details.parts = parts.collect();
        let parts: Vec<&Part> = upload.details.parts.values().collect();
        let object = self.assemble(&upload.details, &parts);
        self.completed.insert(id.to_owned(), object.etag.clone());
        if let Some(bucket) = self.buckets.get_mut(&upload.bucket) {
            bucket.objects.insert(upload.key.clone(), object);
        }
        self.ended.insert(id.to_owned(), upload);
        true
    }

    /// Completes an upload and stores another last byte than was sent, with the checksum of that,
    /// where the upload declares a checksum of the whole.
    pub(super) fn misassemble(&mut self, call: &Call<'_>) -> Answer {
        let declared = self.upload(call)?.details.checksum;
        let reply = self.complete_upload(call)?;
        let Some((algorithm, ChecksumType::FullObject)) = declared else { return Ok(reply) };
        let object = self.bucket_mut(&call.bucket)?.objects.get_mut(&call.key);
        let Some(object) = object else { return Ok(reply) };
        let mut body = object.body.to_vec();
        if let Some(last) = body.last_mut() {
            *last ^= 1;
        }
        object.body = body.into();
        let value = algorithm.value(&object.body);
        if let Some(checksum) = &mut object.checksum {
            checksum.value = value;
        }
        let (etag, checksum) = (object.etag.clone(), object.checksum.clone());
        Ok(Reply::xml(200, self.complete_result(call, &etag, checksum.as_ref())))
    }

    /// Responds to an abort as to one that succeeded, while parts that were in flight are kept.
    pub(super) fn abort_in_vain(&self, call: &Call<'_>) -> Answer {
        self.upload(call).map(|_| Reply::new(204))
    }

    pub(super) fn abort_upload(&mut self, call: &Call<'_>) -> Answer {
        let id = self.upload(call)?.id.clone();
        self.ended.extend(self.uploads.remove_entry(&id));
        Ok(Reply::new(204))
    }

    pub(super) fn list_parts(&self, call: &Call<'_>) -> Answer {
        let upload = self.upload(call)?;
        let number = |name| call.filled(name).and_then(|value| value.parse::<usize>().ok());
        let marker = number("part-number-marker").unwrap_or(0);
        let max = number("max-parts").unwrap_or(1000).min(1000);
        let mut left = upload.details.parts.iter().filter(|(part, _)| **part as usize > marker);
        let page: Vec<_> = left.by_ref().take(max).collect();
        let mut document = Document::result("ListPartsResult");
        document.text("Bucket", &upload.bucket);
        document.text("Key", &upload.key);
        document.text("UploadId", &upload.id);
        document.text("StorageClass", "STANDARD");
        document.text("PartNumberMarker", marker.to_string());
        let next = page.last().map_or(marker, |(number, _)| **number as usize);
        document.text("NextPartNumberMarker", next.to_string());
        document.text("MaxParts", max.to_string());
        document.text("IsTruncated", left.next().is_some().to_string());
        if let Some((algorithm, covers)) = upload.details.checksum {
            document.text("ChecksumAlgorithm", algorithm.name());
            document.text("ChecksumType", covers.name());
        }
        for (number, part) in page {
            document.nest("Part", |document| {
                document.text("PartNumber", number.to_string());
                document.text("LastModified", iso_date(part.last_modified));
                document.text("ETag", quoted(&part.etag));
                document.text("Size", part.body.len().to_string());
                if let Some((algorithm, value)) = &part.checksum {
                    document.text(&format!("Checksum{}", algorithm.name()), value);
                }
            });
        }
        Ok(Reply::xml(200, document.finish()))
    }

    fn upload(&self, call: &Call<'_>) -> Result<&OpenUpload, Refusal> {
        let id = call.query("uploadId").unwrap_or_default();
        self.uploads
            .get(id)
            .filter(|upload| upload.bucket == call.bucket && upload.key == call.key)
            .ok_or_else(|| refusal::no_such_upload().detail("UploadId", id))
    }

    /// Returns the ETag of a completed upload's object, if the object still exists.
    fn completed_etag(&self, call: &Call<'_>) -> Option<&str> {
        let etag = self.completed.get(call.query("uploadId")?)?;
        let object = self.object(&call.bucket, &call.key)?;
        (object.etag == *etag).then_some(etag.as_str())
    }

    fn put_part(&mut self, call: &Call<'_>, payload: Payload) -> Result<Part, Refusal> {
        let number = call.query("partNumber").and_then(|number| number.parse::<u32>().ok());
        let number = number.filter(|number| (1..=self.manners.max_parts).contains(number));
        let number = number.ok_or_else(|| {
            refusal::invalid_argument(
                "Part number must be an integer between 1 and 10000, inclusive",
            )
        })?;
        if payload.bytes.len() as u64 > self.manners.max_put_size {
            return Err(too_large());
        }
        let checksum = part_checksum(&self.upload(call)?.details, &payload)?;
        let part = Part {
            etag: digest::md5_hex(&payload.bytes),
            last_modified: self.now,
            checksum,
            body: payload.bytes,
        };
        let id = call.query("uploadId").unwrap_or_default();
        if let Some(upload) = self.uploads.get_mut(id) {
            upload.parts.insert(number, part.body.len() as u64);
            upload.details.parts.insert(number, part.clone());
        }
        Ok(part)
    }

    fn assemble(&self, details: &Details, parts: &[&Part]) -> Object {
        let body = parts.iter().map(|part| &part.body[..]).collect::<Vec<_>>().concat();
        let digests: Vec<u8> =
            parts.iter().flat_map(|part| Algorithm::Md5.digest(&part.body)).collect();
        let covers = details.checksum.or_else(|| {
            let keeps = self.manners.checksums && self.manners.default_checksum;
            keeps.then_some((Algorithm::Crc64Nvme, ChecksumType::FullObject))
        });
        let checksum = covers.map(|(algorithm, covers)| Checksum {
            algorithm: algorithm.name(),
            value: match covers {
                ChecksumType::FullObject => algorithm.value(&body),
                ChecksumType::Composite => composite(algorithm, parts),
            },
            covers,
        });
        let part_of_object = |part: &&Part| {
            let checksum = part.checksum.clone().map(|(algorithm, value)| Checksum {
                algorithm: algorithm.name(),
                value,
                covers: covers.map_or(ChecksumType::FullObject, |(_, covers)| covers),
            });
            (part.body.len() as u64, checksum)
        };
        Object {
            body: body.into(),
            etag: format!("{}-{}", digest::md5_hex(&digests), parts.len()),
            headers: details.headers.clone(),
            tags: details.tags.clone(),
            annotations: BTreeMap::new(),
            last_modified: self.now,
            checksum,
            parts: parts.iter().map(part_of_object).collect(),
        }
    }

    fn complete_result(&self, call: &Call<'_>, etag: &str, sum: Option<&Checksum>) -> String {
        let mut document = Document::result("CompleteMultipartUploadResult");
        document.text("Location", format!("http://localhost/{}/{}", call.bucket, call.key));
        document.text("Bucket", &call.bucket);
        document.text("Key", &call.key);
        document.text(
            "ETag",
            match self.manners.complete_etag {
                CompleteEtag::Quoted => quoted(etag),
                CompleteEtag::Unquoted => etag.to_owned(),
                CompleteEtag::Empty => String::new(),
            },
        );
        if let Some(sum) = sum {
            document.text(&format!("Checksum{}", sum.algorithm), &sum.value);
            document.text("ChecksumType", sum.covers.name());
        }
        document.finish()
    }
}

impl OpenUpload {
    pub(super) fn forget_parts(&mut self) {
        self.parts.clear();
        self.details.parts.clear();
    }
}

/// Reads algorithm and type of a CreateMultipartUpload.
fn upload_checksum(call: &Call<'_>) -> Result<Option<(Algorithm, ChecksumType)>, Refusal> {
    let Some(algorithm) = call.checksum_algorithm()? else { return Ok(None) };
    let covers = match call.header("x-amz-checksum-type") {
        Some("FULL_OBJECT") => ChecksumType::FullObject,
        Some("COMPOSITE") => ChecksumType::Composite,
        Some(_) => {
            return Err(refusal::invalid_request("Value for x-amz-checksum-type is invalid."));
        }
        None if algorithm.composite() => ChecksumType::Composite,
        None => ChecksumType::FullObject,
    };
    let possible = match covers {
        ChecksumType::FullObject => algorithm.full_object(),
        ChecksumType::Composite => algorithm.composite(),
    };
    if !possible {
        return Err(refusal::invalid_request(
            "The checksum type cannot be used with this checksum algorithm.",
        ));
    }
    Ok(Some((algorithm, covers)))
}

/// Returns the checksum that is stored with a part.
fn part_checksum(
    details: &Details,
    payload: &Payload,
) -> Result<Option<(Algorithm, String)>, Refusal> {
    let mismatch = || {
        Err(refusal::invalid_request(
            "Checksum Type mismatch occurred, the part's is not the one of the upload.",
        ))
    };
    match (details.checksum, &payload.checksum) {
        (Some((wanted, _)), Some((algorithm, _))) if wanted != *algorithm => mismatch(),
        (Some((_, ChecksumType::Composite)), None) => mismatch(),
        (Some((algorithm, ChecksumType::FullObject)), None) => {
            Ok(Some((algorithm, algorithm.value(&payload.bytes))))
        }
        (_, given) => Ok(given.clone()),
    }
}

/// Returns the parts that a completion names, in its order, and checks that each is as it was
/// uploaded.
fn listed_parts<'a>(details: &'a Details, listed: &Element) -> Result<Vec<&'a Part>, Refusal> {
    let composite = matches!(details.checksum, Some((_, ChecksumType::Composite)));
    let mut parts = Vec::new();
    let mut previous = 0;
    for entry in listed.all("Part") {
        let number = entry.text_of("PartNumber").and_then(|number| number.parse::<u32>().ok());
        let number = number.ok_or_else(refusal::malformed_xml)?;
        if number <= previous {
            return Err(Refusal::new(
                400,
                "InvalidPartOrder",
                "The list of parts was not in ascending order. Parts must be ordered by part \
                 number.",
            ));
        }
        previous = number;
        let invalid = || refusal::invalid_part().detail("PartNumber", number.to_string());
        let part = details.parts.get(&number).ok_or_else(invalid)?;
        if entry.text_of("ETag").map(|etag| etag.trim_matches('"')) != Some(&part.etag) {
            return Err(invalid());
        }
        let named = Algorithm::ALL.into_iter().find_map(|algorithm| {
            let element = format!("Checksum{}", algorithm.name());
            Some((algorithm, entry.text_of(&element)?.to_owned()))
        });
        match named {
            None if composite => {
                return Err(refusal::invalid_request(
                    "The upload was created using a checksum. The complete request must include \
                     the checksum for each part.",
                ));
            }
            Some(named) if part.checksum.as_ref() != Some(&named) => return Err(invalid()),
            _ => parts.push(part),
        }
    }
    Ok(parts)
}

/// Checks what a completion states about the whole object.
fn check_whole(call: &Call<'_>, object: &Object) -> Result<(), Refusal> {
    if let Some(size) = call.header("x-amz-mp-object-size")
        && size.parse() != Ok(object.body.len())
    {
        return Err(refusal::invalid_request(
            "The provided 'x-amz-mp-object-size' header does not match what was computed.",
        ));
    }
    for algorithm in Algorithm::ALL {
        let Some(value) = call.header(&algorithm.header()) else { continue };
        let kept = object.checksum.as_ref();
        if kept.is_none_or(|kept| kept.algorithm != algorithm.name() || kept.value != value) {
            return Err(refusal::bad_digest());
        }
    }
    Ok(())
}

/// Returns the digest of the parts' digests.
fn composite(algorithm: Algorithm, parts: &[&Part]) -> String {
    let digests: Vec<u8> = parts.iter().flat_map(|part| algorithm.digest(&part.body)).collect();
    format!("{}-{}", STANDARD.encode(algorithm.digest(&digests)), parts.len())
}

/// Parses `x-amz-copy-source-range`, which must have both ends and be within the source.
fn copy_range(header: &str, length: u64) -> Result<Range<u64>, Refusal> {
    let bounds = header.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let bounds = bounds.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    match bounds {
        Some((first, last)) if first <= last && last < length => Ok(first..last + 1),
        Some(_) => Err(refusal::invalid_argument("Range specified is not valid for source object")),
        None => Err(refusal::invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last",
        )),
    }
}
