//! The operations on attributes, tags and locks of an object.

use apus_core::s3::{
    DeleteObjectTagging, EventHoldDuration, GetObjectAttributes, GetObjectLegalHold,
    GetObjectRetention, GetObjectTagging, ObjectAttribute, ObjectParts, PutObjectLegalHold,
    PutObjectRetention, PutObjectTagging, Retention,
};

use super::members::{checksum, common, customer_key, tag_list, tag_set};
use super::output::{Members, each, members};
use super::params::Params;
use super::{Found, call};

/// Returns the operation of this name, if it is one of these.
pub(super) fn read(operation: &str, p: &mut Params) -> Found {
    Ok(Some(match operation {
        "GetObjectAttributes" => call(
            GetObjectAttributes {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                attributes: attributes(p)?,
                version_id: p.take("VersionId")?,
                max_parts: p.take("MaxParts")?,
                part_number_marker: p.take("PartNumberMarker")?,
                customer_key: customer_key(p, "")?,
                common: common(p)?,
            },
            |output| {
                let checksum = members()
                    .checksums(&output.checksums)
                    .with("ChecksumType", &output.checksum_type);
                members()
                    .with("Checksum", &checksum)
                    .with("DeleteMarker", &output.delete_marker)
                    .with("ETag", &output.etag)
                    .with("LastModified", &output.last_modified)
                    .with("ObjectParts", &output.parts.as_ref().map(parts))
                    .with("ObjectSize", &output.size)
                    .with("RequestCharged", &output.request_charged)
                    .with("StorageClass", &output.storage_class)
                    .with("VersionId", &output.version_id)
            },
        ),
        "GetObjectTagging" => call(
            GetObjectTagging {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                version_id: p.take("VersionId")?,
                common: common(p)?,
            },
            |output| tag_set(&output.tags).with("VersionId", &output.version_id),
        ),
        "PutObjectTagging" => call(
            PutObjectTagging {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                tags: p.inside("Tagging", |p| tag_list(p.take("TagSet")?))?,
                version_id: p.take("VersionId")?,
                checksum: checksum(p)?,
                common: common(p)?,
            },
            |version_id| members().with("VersionId", version_id),
        ),
        "DeleteObjectTagging" => call(
            DeleteObjectTagging {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                version_id: p.take("VersionId")?,
                expected_bucket_owner: p.take("ExpectedBucketOwner")?,
            },
            |version_id| members().with("VersionId", version_id),
        ),
        "GetObjectRetention" => call(
            GetObjectRetention {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                version_id: p.take("VersionId")?,
                common: common(p)?,
            },
            |retention| {
                let duration = retention.event_hold_duration.map(|duration| {
                    members().with("Days", &duration.days).with("Years", &duration.years)
                });
                let retention = members()
                    .with("EventHold", &retention.event_hold)
                    .with("EventHoldDuration", &duration)
                    .with("Mode", &retention.mode)
                    .with("RetainUntilDate", &retention.retain_until);
                members().with("Retention", &retention)
            },
        ),
        "PutObjectRetention" => {
            let retention = p.inside("Retention", |p| {
                let duration: Option<Params> = p.take("EventHoldDuration")?;
                let duration = duration.map(|mut duration| {
                    let (days, years) = (duration.take("Days")?, duration.take("Years")?);
                    duration.end().map(|()| EventHoldDuration { days, years })
                });
                Ok(Retention {
                    mode: p.take("Mode")?,
                    retain_until: p.take("RetainUntilDate")?,
                    event_hold: p.take("EventHold")?,
                    event_hold_duration: duration.transpose()?,
                })
            })?;
            call(
                PutObjectRetention {
                    bucket: p.take("Bucket")?,
                    key: p.take("Key")?,
                    retention,
                    version_id: p.take("VersionId")?,
                    bypass_governance_retention: p.take("BypassGovernanceRetention")?,
                    checksum: checksum(p)?,
                    common: common(p)?,
                },
                |charged| members().with("RequestCharged", charged),
            )
        }
        "GetObjectLegalHold" => call(
            GetObjectLegalHold {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                version_id: p.take("VersionId")?,
                common: common(p)?,
            },
            |status| members().with("LegalHold", &members().with("Status", status)),
        ),
        "PutObjectLegalHold" => call(
            PutObjectLegalHold {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                hold: p.inside("LegalHold", hold)?,
                version_id: p.take("VersionId")?,
                checksum: checksum(p)?,
                common: common(p)?,
            },
            |charged| members().with("RequestCharged", charged),
        ),
        _ => return Ok(None),
    }))
}

fn attributes(p: &mut Params) -> Result<Vec<ObjectAttribute>, String> {
    let words: Vec<String> = p.take("ObjectAttributes")?;
    let known = |word: String| {
        let found = ObjectAttribute::ALL.into_iter().find(|known| known.name() == word);
        found.ok_or_else(|| format!("member ObjectAttributes: {word:?} is unknown"))
    };
    words.into_iter().map(known).collect()
}

fn parts(parts: &ObjectParts) -> Members {
    let list = each(&parts.parts, |part| {
        members()
            .checksums(&part.checksums)
            .with("PartNumber", &part.part_number)
            .with("Size", &part.size)
    });
    members()
        .with("IsTruncated", &parts.is_truncated)
        .with("MaxParts", &parts.max_parts)
        .with("NextPartNumberMarker", &parts.next_part_number_marker)
        .with("PartNumberMarker", &parts.part_number_marker)
        .with("Parts", &list)
        .with("TotalPartsCount", &parts.total_parts_count)
}

fn hold(p: &mut Params) -> Result<bool, String> {
    match p.take::<String>("Status")?.as_str() {
        "ON" => Ok(true),
        "OFF" => Ok(false),
        other => Err(format!("member Status: {other:?} is unknown")),
    }
}
