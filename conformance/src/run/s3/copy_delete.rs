//! The operations that copy and delete objects.

use apus_core::s3::{
    AnnotationDirective, CopyObject, CopySource, DeleteObject, DeleteObjects, Directive,
    ObjectIdentifier, RenameObject,
};

use super::members::{
    checksum, common, conditions, copy_conditions, customer_key, prefixed_conditions, properties,
};
use super::object::stored;
use super::output::{each, members, nothing};
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
                metadata_directive: directive(p, "MetadataDirective", &DIRECTIVES)?,
                tagging_directive: directive(p, "TaggingDirective", &DIRECTIVES)?,
                annotation_directive: directive(p, "AnnotationDirective", &ANNOTATIONS)?,
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
        "RenameObject" => call(
            RenameObject {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                rename_source: p.take("RenameSource")?,
                conditions: prefixed_conditions(p, "Destination")?,
                source_conditions: prefixed_conditions(p, "Source")?,
                client_token: p.take("ClientToken")?,
            },
            nothing,
        ),
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

fn directive<T: Copy>(
    p: &mut Params,
    name: &str,
    known: &[(&str, T)],
) -> Result<Option<T>, String> {
    let word: Option<String> = p.take(name)?;
    let Some(word) = word else { return Ok(None) };
    let found = known.iter().find(|(known, _)| *known == word);
    let found = found.ok_or_else(|| format!("member {name}: {word:?} is unknown"))?;
    Ok(Some(found.1))
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

const DIRECTIVES: [(&str, Directive); 2] =
    [("COPY", Directive::Copy), ("REPLACE", Directive::Replace)];
const ANNOTATIONS: [(&str, AnnotationDirective); 2] =
    [("COPY", AnnotationDirective::Copy), ("EXCLUDE", AnnotationDirective::Exclude)];

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
