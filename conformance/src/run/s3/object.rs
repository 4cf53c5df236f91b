//! Operations on one object.

use apus_core::checksum::Verdict;
use apus_core::s3::{GetObject, GetObjectOutput, HeadObject, ObjectHead, PutObject, Stored};

use super::Found;
use super::members::{body, checksum, common, conditions, customer_key, properties, response};
use super::output::{Members, Output};
use super::params::Params;

/// The operation of this name, if it is one of this group.
pub(super) fn read(operation: &str, p: &mut Params) -> Option<Found> {
    Some(match operation {
        "GetObject" => get_object(p),
        "HeadObject" => head_object(p),
        "PutObject" => put_object(p),
        _ => return None,
    })
}

fn get_object(p: &mut Params) -> Found {
    Ok(Box::new(GetObject {
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
        common: common(p)?,
    }))
}

fn head_object(p: &mut Params) -> Found {
    Ok(Box::new(HeadObject {
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
    }))
}

fn put_object(p: &mut Params) -> Found {
    Ok(Box::new(PutObject {
        bucket: p.take("Bucket")?,
        key: p.take("Key")?,
        body: body(p)?,
        properties: properties(p)?,
        conditions: conditions(p)?,
        checksum: checksum(p)?,
        write_offset: p.take("WriteOffsetBytes")?,
        common: common(p)?,
    }))
}

fn checksum_mode(p: &mut Params) -> Result<bool, String> {
    match p.take::<Option<String>>("ChecksumMode")?.as_deref() {
        None => Ok(false),
        Some("ENABLED") => Ok(true),
        Some(other) => Err(format!("member ChecksumMode: {other:?} is unknown")),
    }
}

impl Output for GetObjectOutput {
    fn members(&self) -> Members {
        self.head.members().with("Body", &self.body)
    }

    fn verdict(&self) -> Option<Verdict> {
        Some(self.verdict)
    }
}

impl Output for ObjectHead {
    fn members(&self) -> Members {
        Members::default()
            .with("AcceptRanges", &self.accept_ranges)
            .with("ArchiveStatus", &self.archive_status)
            .with("BucketKeyEnabled", &self.bucket_key_enabled)
            .with("CacheControl", &self.cache_control)
            .with("ChecksumType", &self.checksum_type)
            .with("ContentDisposition", &self.content_disposition)
            .with("ContentEncoding", &self.content_encoding)
            .with("ContentLanguage", &self.content_language)
            .with("ContentLength", &self.content_length)
            .with("ContentRange", &self.content_range)
            .with("ContentType", &self.content_type)
            .with("DeleteMarker", &self.delete_marker)
            .with("ETag", &self.etag)
            .with("Expiration", &self.expiration)
            .with("LastModified", &self.last_modified)
            .with("Metadata", &self.metadata)
            .with("MissingMeta", &self.missing_meta)
            .with("ObjectLockLegalHoldStatus", &self.legal_hold)
            .with("ObjectLockMode", &self.lock_mode)
            .with("ObjectLockRetainUntilDate", &self.lock_retain_until)
            .with("PartsCount", &self.parts_count)
            .with("ReplicationStatus", &self.replication_status)
            .with("RequestCharged", &self.request_charged)
            .with("Restore", &self.restore)
            .with("SSECustomerAlgorithm", &self.customer_algorithm)
            .with("SSECustomerKeyMD5", &self.customer_key_md5)
            .with("SSEKMSKeyId", &self.kms_key_id)
            .with("ServerSideEncryption", &self.server_side_encryption)
            .with("StorageClass", &self.storage_class)
            .with("TagCount", &self.tag_count)
            .with("VersionId", &self.version_id)
            .with("WebsiteRedirectLocation", &self.website_redirect_location)
            .checksums(&self.checksums)
    }
}

impl Output for Stored {
    fn members(&self) -> Members {
        Members::default()
            .with("BucketKeyEnabled", &self.bucket_key_enabled)
            .with("ChecksumType", &self.checksum_type)
            .with("ETag", &self.etag)
            .with("Expiration", &self.expiration)
            .with("RequestCharged", &self.request_charged)
            .with("SSECustomerAlgorithm", &self.customer_algorithm)
            .with("SSECustomerKeyMD5", &self.customer_key_md5)
            .with("SSEKMSEncryptionContext", &self.kms_context)
            .with("SSEKMSKeyId", &self.kms_key_id)
            .with("ServerSideEncryption", &self.server_side_encryption)
            .with("Size", &self.size)
            .with("VersionId", &self.version_id)
            .checksums(&self.checksums)
    }
}
