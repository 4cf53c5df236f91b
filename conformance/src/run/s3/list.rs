//! The operations that list objects and versions.

use apus_core::s3::{
    DeleteMarker, ListObjectVersions, ListObjects, ListObjectsV2, Object, ObjectVersion,
};

use super::bucket::owner;
use super::members::common;
use super::output::{Members, each, members};
use super::params::Params;
use super::{Found, call};

/// Returns the operation of this name, if it is one of these.
pub(super) fn read(operation: &str, p: &mut Params) -> Found {
    Ok(Some(match operation {
        "ListObjectsV2" => call(
            ListObjectsV2 {
                bucket: p.take("Bucket")?,
                prefix: p.take("Prefix")?,
                delimiter: p.take("Delimiter")?,
                max_keys: p.take("MaxKeys")?,
                start_after: p.take("StartAfter")?,
                continuation_token: p.take("ContinuationToken")?,
                fetch_owner: p.take("FetchOwner")?,
                restore_status: restore_status(p)?,
                raw_keys: raw_keys(p, false)?,
                common: common(p)?,
            },
            |output| {
                members()
                    .with("CommonPrefixes", &prefixes(&output.common_prefixes))
                    .with("Contents", &each(&output.contents, object))
                    .with("ContinuationToken", &output.continuation_token)
                    .with("Delimiter", &output.delimiter)
                    .with("EncodingType", &output.encoding_type)
                    .with("IsTruncated", &output.is_truncated)
                    .with("KeyCount", &output.key_count)
                    .with("MaxKeys", &output.max_keys)
                    .with("Name", &output.name)
                    .with("NextContinuationToken", &output.next_continuation_token)
                    .with("Prefix", &output.prefix)
                    .with("RequestCharged", &output.request_charged)
                    .with("StartAfter", &output.start_after)
            },
        ),
        "ListObjects" => call(
            ListObjects {
                bucket: p.take("Bucket")?,
                prefix: p.take("Prefix")?,
                delimiter: p.take("Delimiter")?,
                max_keys: p.take("MaxKeys")?,
                marker: p.take("Marker")?,
                restore_status: restore_status(p)?,
                raw_keys: raw_keys(p, false)?,
                common: common(p)?,
            },
            |output| {
                members()
                    .with("CommonPrefixes", &prefixes(&output.common_prefixes))
                    .with("Contents", &each(&output.contents, object))
                    .with("Delimiter", &output.delimiter)
                    .with("EncodingType", &output.encoding_type)
                    .with("IsTruncated", &output.is_truncated)
                    .with("Marker", &output.marker)
                    .with("MaxKeys", &output.max_keys)
                    .with("Name", &output.name)
                    .with("NextMarker", &output.next_marker)
                    .with("Prefix", &output.prefix)
                    .with("RequestCharged", &output.request_charged)
            },
        ),
        "ListObjectVersions" => call(
            ListObjectVersions {
                bucket: p.take("Bucket")?,
                prefix: p.take("Prefix")?,
                delimiter: p.take("Delimiter")?,
                max_keys: p.take("MaxKeys")?,
                key_marker: p.take("KeyMarker")?,
                version_id_marker: p.take("VersionIdMarker")?,
                restore_status: restore_status(p)?,
                raw_keys: raw_keys(p, false)?,
                common: common(p)?,
            },
            |output| {
                members()
                    .with("CommonPrefixes", &prefixes(&output.common_prefixes))
                    .with("DeleteMarkers", &each(&output.delete_markers, delete_marker))
                    .with("Delimiter", &output.delimiter)
                    .with("EncodingType", &output.encoding_type)
                    .with("IsTruncated", &output.is_truncated)
                    .with("KeyMarker", &output.key_marker)
                    .with("MaxKeys", &output.max_keys)
                    .with("Name", &output.name)
                    .with("NextKeyMarker", &output.next_key_marker)
                    .with("NextVersionIdMarker", &output.next_version_id_marker)
                    .with("Prefix", &output.prefix)
                    .with("RequestCharged", &output.request_charged)
                    .with("VersionIdMarker", &output.version_id_marker)
                    .with("Versions", &each(&output.versions, version))
            },
        ),
        _ => return Ok(None),
    }))
}

/// Reads `EncodingType`: keys are raw where it is not requested and botocore does not `ask` by
/// itself.
pub(super) fn raw_keys(p: &mut Params, raw: bool) -> Result<bool, String> {
    match p.take::<Option<String>>("EncodingType")?.as_deref() {
        None => Ok(raw),
        Some("url") => Ok(false),
        Some(other) => Err(format!("member EncodingType: {other:?} is unknown")),
    }
}

fn restore_status(p: &mut Params) -> Result<bool, String> {
    let words: Vec<String> = p.take("OptionalObjectAttributes")?;
    match words.iter().find(|word| *word != "RestoreStatus") {
        None => Ok(!words.is_empty()),
        Some(word) => Err(format!("member OptionalObjectAttributes: {word:?} is unknown")),
    }
}

pub(super) fn prefixes(prefixes: &[String]) -> Vec<Members> {
    each(prefixes, |prefix| members().with("Prefix", prefix))
}

fn object(object: &Object) -> Members {
    let restore = object.restore_status.map(|status| {
        members()
            .with("IsRestoreInProgress", &status.is_restore_in_progress)
            .with("RestoreExpiryDate", &status.restore_expiry_date)
    });
    members()
        .with("ChecksumAlgorithm", &object.checksum_algorithms)
        .with("ChecksumType", &object.checksum_type)
        .with("ETag", &object.etag)
        .with("Key", &object.key)
        .with("LastModified", &object.last_modified)
        .with("Owner", &object.owner.as_ref().map(owner))
        .with("RestoreStatus", &restore)
        .with("Size", &object.size)
        .with("StorageClass", &object.storage_class)
}

fn version(version: &ObjectVersion) -> Members {
    object(&version.object)
        .with("IsLatest", &version.is_latest)
        .with("VersionId", &version.version_id)
}

fn delete_marker(marker: &DeleteMarker) -> Members {
    members()
        .with("IsLatest", &marker.is_latest)
        .with("Key", &marker.key)
        .with("LastModified", &marker.last_modified)
        .with("Owner", &marker.owner.as_ref().map(owner))
        .with("VersionId", &marker.version_id)
}
