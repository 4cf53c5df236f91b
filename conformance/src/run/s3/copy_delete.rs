//! The operations that copy and delete objects.

use apus_core::s3::{
    CopyObject, CopySource, DeleteObject, DeleteObjects, Directive, ObjectIdentifier,
};

use super::members::{checksum, common, conditions, copy_conditions, customer_key, properties};
use super::object::stored;
use super::output::{each, members};
use super::params::Params;
use super::{Found, call};

/// Returns the operation of this name, if it is one of these.
pub(super) fn read(operation: &str, p: &mut Params) -> Found {
    Ok(Some(match operation {
        "CopyObject" => call(
            CopyObject {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                source: copy_source(p)?,
                metadata_directive: directive(p, "MetadataDirective")?,
                tagging_directive: directive(p, "TaggingDirective")?,
                properties: properties(p)?,
                conditions: conditions(p)?,
                checksum_algorithm: p.take("ChecksumAlgorithm")?,
                common: common(p)?,
            },
            |output| {
                let (head, result) = stored(&output.stored).split(&RESULT);
                let result = result.with("LastModified", &output.last_modified);
                head.with("CopyObjectResult", &result)
                    .with("CopySourceVersionId", &output.source_version_id)
            },
        ),
        "DeleteObject" => call(
            DeleteObject {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                version_id: p.take("VersionId")?,
                mfa: p.take("MFA")?,
                bypass_governance_retention: p.take("BypassGovernanceRetention")?,
                if_match: p.take("IfMatch")?,
                if_match_last_modified_time: p.take("IfMatchLastModifiedTime")?,
                if_match_size: p.take("IfMatchSize")?,
                common: common(p)?,
            },
            |output| {
                members()
                    .with("DeleteMarker", &output.delete_marker)
                    .with("RequestCharged", &output.request_charged)
                    .with("VersionId", &output.version_id)
            },
        ),
        "DeleteObjects" => {
            let (objects, quiet) = p.inside("Delete", |p| {
                Ok((p.each("Objects", object_identifier)?, p.take("Quiet")?))
            })?;
            call(
                DeleteObjects {
                    bucket: p.take("Bucket")?,
                    objects,
                    quiet,
                    mfa: p.take("MFA")?,
                    bypass_governance_retention: p.take("BypassGovernanceRetention")?,
                    checksum: checksum(p)?,
                    common: common(p)?,
                },
                |output| {
                    let deleted = each(&output.deleted, |object| {
                        members()
                            .with("DeleteMarker", &object.delete_marker)
                            .with("DeleteMarkerVersionId", &object.delete_marker_version_id)
                            .with("Key", &object.key)
                            .with("VersionId", &object.version_id)
                    });
                    let errors = each(&output.errors, |error| {
                        members()
                            .with("Code", &error.code)
                            .with("Key", &error.key)
                            .with("Message", &error.message)
                            .with("VersionId", &error.version_id)
                    });
                    members()
                        .with("Deleted", &deleted)
                        .with("Errors", &errors)
                        .with("RequestCharged", &output.request_charged)
                },
            )
        }
        _ => return Ok(None),
    }))
}

/// Returns the source of a copy, in `CopyObject` and `UploadPartCopy`.
pub(super) fn copy_source(p: &mut Params) -> Result<CopySource, String> {
    let (bucket, key, version_id) =
        p.inside("CopySource", |p| Ok((p.take("Bucket")?, p.take("Key")?, p.take("VersionId")?)))?;
    Ok(CopySource {
        bucket,
        key,
        version_id,
        conditions: copy_conditions(p)?,
        customer_key: customer_key(p, "CopySource")?,
        expected_bucket_owner: p.take("ExpectedSourceBucketOwner")?,
    })
}

fn directive(p: &mut Params, name: &str) -> Result<Option<Directive>, String> {
    let word: Option<String> = p.take(name)?;
    let Some(word) = word else { return Ok(None) };
    let known = [Directive::Copy, Directive::Replace].into_iter();
    let found = known.into_iter().find(|known| known.name() == word);
    found.map(Some).ok_or_else(|| format!("member {name}: {word:?} is unknown"))
}

fn object_identifier(p: &mut Params) -> Result<ObjectIdentifier, String> {
    Ok(ObjectIdentifier {
        key: p.take("Key")?,
        version_id: p.take("VersionId")?,
        etag: p.take("ETag")?,
        last_modified: p.take("LastModifiedTime")?,
        size: p.take("Size")?,
    })
}

/// The members of a write's output that responses to copies have in their document.
pub(super) const RESULT: [&str; 12] = [
    "ETag",
    "ChecksumType",
    "ChecksumCRC32",
    "ChecksumCRC32C",
    "ChecksumCRC64NVME",
    "ChecksumSHA1",
    "ChecksumSHA256",
    "ChecksumSHA512",
    "ChecksumMD5",
    "ChecksumXXHASH64",
    "ChecksumXXHASH3",
    "ChecksumXXHASH128",
];
