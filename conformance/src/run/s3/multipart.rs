//! The operations of multipart uploads.

use apus_core::checksum::{Declared, Overrides};
use apus_core::s3::{
    AbortMultipartUpload, ByteRange, CompleteMultipartUpload, CompletedPart, CreateMultipartUpload,
    ListMultipartUploads, ListParts, MultipartUpload, Part, UploadPart, UploadPartCopy,
};

use super::bucket::owner;
use super::copy_delete::{RESULT, copy_source};
use super::list::{prefixes, raw_keys};
use super::members::{
    body, checksum, checksum_texts, checksum_values, common, customer_key, properties,
};
use super::object::stored;
use super::output::{Members, each, members};
use super::params::Params;
use super::{Found, call};

/// Returns the operation of this name, if it is one of these.
pub(super) fn read(operation: &str, p: &mut Params) -> Found {
    Ok(Some(match operation {
        "CreateMultipartUpload" => call(
            CreateMultipartUpload {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                properties: properties(p)?,
                checksum_algorithm: p.take("ChecksumAlgorithm")?,
                checksum_type: p.take("ChecksumType")?,
                overrides: Overrides::default(),
                common: common(p)?,
            },
            |output| {
                stored(&output.stored)
                    .with("AbortDate", &output.abort_date)
                    .with("AbortRuleId", &output.abort_rule_id)
                    .with("Bucket", &output.bucket)
                    .with("ChecksumAlgorithm", &output.checksum_algorithm)
                    .with("Key", &output.key)
                    .with("UploadId", &output.upload_id)
            },
        ),
        "UploadPart" => call(
            UploadPart {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                upload_id: p.take("UploadId")?,
                part_number: p.take("PartNumber")?,
                body: body(p)?,
                checksum: checksum(p)?,
                customer_key: customer_key(p, "")?,
                common: common(p)?,
            },
            stored,
        ),
        "UploadPartCopy" => call(
            UploadPartCopy {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                upload_id: p.take("UploadId")?,
                part_number: p.take("PartNumber")?,
                source: copy_source(p)?,
                source_range: match p.take("CopySourceRange")? {
                    None => None,
                    Some(ByteRange::Span(range)) => Some(range),
                    Some(other) => return Err(format!("member CopySourceRange: {other}")),
                },
                customer_key: customer_key(p, "")?,
                common: common(p)?,
            },
            |output| {
                let (head, result) = stored(&output.stored).split(&RESULT);
                let result = result.with("LastModified", &output.last_modified);
                head.with("CopyPartResult", &result)
                    .with("CopySourceVersionId", &output.source_version_id)
            },
        ),
        "CompleteMultipartUpload" => call(
            CompleteMultipartUpload {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                upload_id: p.take("UploadId")?,
                parts: p.inside("MultipartUpload", |p| p.each("Parts", completed_part))?,
                checksum: declared(p)?,
                checksum_type: p.take("ChecksumType")?,
                object_size: p.take("MpuObjectSize")?,
                if_match: p.take("IfMatch")?,
                if_none_match: p.take("IfNoneMatch")?,
                customer_key: customer_key(p, "")?,
                common: common(p)?,
            },
            |output| {
                stored(&output.stored)
                    .with("Bucket", &output.bucket)
                    .with("Key", &output.key)
                    .with("Location", &output.location)
            },
        ),
        "AbortMultipartUpload" => call(
            AbortMultipartUpload {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                upload_id: p.take("UploadId")?,
                if_match_initiated_time: p.take("IfMatchInitiatedTime")?,
                common: common(p)?,
            },
            |charged| members().with("RequestCharged", charged),
        ),
        "ListParts" => call(
            ListParts {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                upload_id: p.take("UploadId")?,
                max_parts: p.take("MaxParts")?,
                part_number_marker: p.take("PartNumberMarker")?,
                customer_key: customer_key(p, "")?,
                common: common(p)?,
            },
            |output| {
                members()
                    .with("AbortDate", &output.abort_date)
                    .with("AbortRuleId", &output.abort_rule_id)
                    .with("Bucket", &output.bucket)
                    .with("ChecksumAlgorithm", &output.checksum_algorithm)
                    .with("ChecksumType", &output.checksum_type)
                    .with("Initiator", &output.initiator.as_ref().map(owner))
                    .with("IsTruncated", &output.is_truncated)
                    .with("Key", &output.key)
                    .with("MaxParts", &output.max_parts)
                    .with("NextPartNumberMarker", &output.next_part_number_marker)
                    .with("Owner", &output.owner.as_ref().map(owner))
                    .with("PartNumberMarker", &output.part_number_marker)
                    .with("Parts", &each(&output.parts, part))
                    .with("RequestCharged", &output.request_charged)
                    .with("StorageClass", &output.storage_class)
                    .with("UploadId", &output.upload_id)
            },
        ),
        "ListMultipartUploads" => call(
            ListMultipartUploads {
                bucket: p.take("Bucket")?,
                prefix: p.take("Prefix")?,
                delimiter: p.take("Delimiter")?,
                max_uploads: p.take("MaxUploads")?,
                key_marker: p.take("KeyMarker")?,
                upload_id_marker: p.take("UploadIdMarker")?,
                // Botocore does not request encoded keys of this list by itself.
                raw_keys: raw_keys(p, true)?,
                common: common(p)?,
            },
            |output| {
                members()
                    .with("Bucket", &output.bucket)
                    .with("CommonPrefixes", &prefixes(&output.common_prefixes))
                    .with("Delimiter", &output.delimiter)
                    .with("EncodingType", &output.encoding_type)
                    .with("IsTruncated", &output.is_truncated)
                    .with("KeyMarker", &output.key_marker)
                    .with("MaxUploads", &output.max_uploads)
                    .with("NextKeyMarker", &output.next_key_marker)
                    .with("NextUploadIdMarker", &output.next_upload_id_marker)
                    .with("Prefix", &output.prefix)
                    .with("RequestCharged", &output.request_charged)
                    .with("UploadIdMarker", &output.upload_id_marker)
                    .with("Uploads", &each(&output.uploads, upload))
            },
        ),
        _ => return Ok(None),
    }))
}

fn completed_part(p: &mut Params) -> Result<CompletedPart, String> {
    Ok(CompletedPart {
        part_number: p.take("PartNumber")?,
        etag: p.take("ETag")?,
        checksums: checksum_values(p)?,
    })
}

/// Returns the one checksum of the whole upload.
fn declared(p: &mut Params) -> Result<Option<Declared>, String> {
    let mut texts = checksum_texts(p)?;
    let first = texts.pop();
    if !texts.is_empty() {
        return Err("there are several checksums of one upload".into());
    }
    let read = |(algorithm, text): (_, String)| Declared::parse(algorithm, &text);
    first.map(read).transpose().map_err(|error| error.to_string())
}

fn part(part: &Part) -> Members {
    members()
        .checksums(&part.checksums)
        .with("ETag", &part.etag)
        .with("LastModified", &part.last_modified)
        .with("PartNumber", &part.part_number)
        .with("Size", &part.size)
}

fn upload(upload: &MultipartUpload) -> Members {
    members()
        .with("ChecksumAlgorithm", &upload.checksum_algorithm)
        .with("ChecksumType", &upload.checksum_type)
        .with("Initiated", &upload.initiated)
        .with("Initiator", &upload.initiator.as_ref().map(owner))
        .with("Key", &upload.key)
        .with("Owner", &upload.owner.as_ref().map(owner))
        .with("StorageClass", &upload.storage_class)
        .with("UploadId", &upload.upload_id)
}
