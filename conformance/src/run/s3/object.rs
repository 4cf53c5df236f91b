//! The operations that read and write one object.

use apus_core::s3::{GetObject, HeadObject, ObjectHead, PutObject, Stored};

use super::members::{body, checksum, common, conditions, customer_key, properties, response};
use super::output::{Answer, Members, members};
use super::params::Params;
use super::{Found, call};

/// Returns the operation of this name, if it is one of these.
pub(super) fn read(operation: &str, p: &mut Params) -> Found {
    Ok(Some(match operation {
        "GetObject" => call(
            GetObject {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                version_id: p.take("VersionId")?,
                part_number: p.take("PartNumber")?,
                range: p.take("Range")?,
                conditions: conditions(p)?,
                response: response(p)?,
                customer_key: customer_key(p, "")?,
                checksum_mode: checksum_mode(p)?,
                checksum: Default::default(),
                collect_limit: None,
                common: common(p)?,
            },
            |output| Answer {
                output: object_head(&output.head).with("Body", &output.body),
                verdict: Some(output.validation),
            },
        ),
        "HeadObject" => call(
            HeadObject {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                version_id: p.take("VersionId")?,
                part_number: p.take("PartNumber")?,
                range: p.take("Range")?,
                conditions: conditions(p)?,
                response: response(p)?,
                customer_key: customer_key(p, "")?,
                checksum_mode: checksum_mode(p)?,
                common: common(p)?,
            },
            object_head,
        ),
        "PutObject" => call(
            PutObject {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                body: body(p)?,
                properties: properties(p)?,
                conditions: conditions(p)?,
                checksum: checksum(p)?,
                write_offset: p.take("WriteOffsetBytes")?,
                common: common(p)?,
            },
            stored,
        ),
        _ => return Ok(None),
    }))
}

pub(super) fn checksum_mode(p: &mut Params) -> Result<bool, String> {
    match p.take::<Option<String>>("ChecksumMode")?.as_deref() {
        None => Ok(false),
        Some("ENABLED") => Ok(true),
        Some(other) => Err(format!("member ChecksumMode: {other:?} is unknown")),
    }
}

/// Returns the metadata of an object or an annotation.
pub(super) fn object_head(head: &ObjectHead) -> Members {
    members()
        .with("AcceptRanges", &head.accept_ranges)
        .with("ArchiveStatus", &head.archive_status)
        .with("BucketKeyEnabled", &head.bucket_key_enabled)
        .with("CacheControl", &head.cache_control)
        .with("ChecksumType", &head.checksum_type)
        .with("ContentDisposition", &head.content_disposition)
        .with("ContentEncoding", &head.content_encoding)
        .with("ContentLanguage", &head.content_language)
        .with("ContentLength", &head.content_length)
        .with("ContentRange", &head.content_range)
        .with("ContentType", &head.content_type)
        .with("DeleteMarker", &head.delete_marker)
        .with("ETag", &head.etag)
        .with("Expiration", &head.expiration)
        .with("LastModified", &head.last_modified)
        .with("Metadata", &head.metadata)
        .with("MissingMeta", &head.missing_meta)
        .with("ObjectLockEventHold", &head.event_hold)
        .with("ObjectLockEventHoldDurationDays", &head.event_hold_days)
        .with("ObjectLockEventHoldDurationYears", &head.event_hold_years)
        .with("ObjectLockLegalHoldStatus", &head.legal_hold)
        .with("ObjectLockMode", &head.lock_mode)
        .with("ObjectLockRetainUntilDate", &head.lock_retain_until)
        .with("PartsCount", &head.parts_count)
        .with("ReplicationStatus", &head.replication_status)
        .with("RequestCharged", &head.request_charged)
        .with("Restore", &head.restore)
        .with("SSECustomerAlgorithm", &head.customer_algorithm)
        .with("SSECustomerKeyMD5", &head.customer_key_md5)
        .with("SSEKMSKeyId", &head.kms_key_id)
        .with("ServerSideEncryption", &head.server_side_encryption)
        .with("StorageClass", &head.storage_class)
        .with("TagCount", &head.tag_count)
        .with("VersionId", &head.version_id)
        .with("WebsiteRedirectLocation", &head.website_redirect_location)
        .checksums(&head.checksums)
}

/// Returns the output of a write.
pub(super) fn stored(stored: &Stored) -> Members {
    members()
        .with("BucketKeyEnabled", &stored.bucket_key_enabled)
        .with("ChecksumType", &stored.checksum_type)
        .with("ETag", &stored.etag)
        .with("Expiration", &stored.expiration)
        .with("RequestCharged", &stored.request_charged)
        .with("SSECustomerAlgorithm", &stored.customer_algorithm)
        .with("SSECustomerKeyMD5", &stored.customer_key_md5)
        .with("SSEKMSEncryptionContext", &stored.kms_context)
        .with("SSEKMSKeyId", &stored.kms_key_id)
        .with("ServerSideEncryption", &stored.server_side_encryption)
        .with("Size", &stored.size)
        .with("VersionId", &stored.version_id)
        .checksums(&stored.checksums)
}
