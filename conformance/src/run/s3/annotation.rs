//! The operations on annotations of an object.

use apus_core::s3::{
    DeleteObjectAnnotation, GetObjectAnnotation, ListObjectAnnotations, PutObjectAnnotation,
};

use super::members::{checksum, common};
use super::object::{checksum_mode, object_head, stored};
use super::output::{Answer, each, members};
use super::params::Params;
use super::{Found, call};
use crate::run::value::Data;

/// Returns the operation of this name, if it is one of these.
pub(super) fn read(operation: &str, p: &mut Params) -> Found {
    Ok(Some(match operation {
        "PutObjectAnnotation" => {
            let payload: Option<Data> = p.take("AnnotationPayload")?;
            let Data(payload) = payload.ok_or("AnnotationPayload is missing")?;
            call(
                PutObjectAnnotation {
                    bucket: p.take("Bucket")?,
                    key: p.take("Key")?,
                    annotation_name: p.take("AnnotationName")?,
                    annotation_payload: payload.into(),
                    version_id: p.take("VersionId")?,
                    object_if_match: p.take("ObjectIfMatch")?,
                    checksum: checksum(p)?,
                    common: common(p)?,
                },
                |output| {
                    stored(&output.stored)
                        .with("AnnotationName", &output.annotation_name)
                        .with("Key", &output.key)
                        .with("ObjectVersionId", &output.object_version_id)
                },
            )
        }
        "GetObjectAnnotation" => call(
            GetObjectAnnotation {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                annotation_name: p.take("AnnotationName")?,
                version_id: p.take("VersionId")?,
                checksum_mode: checksum_mode(p)?,
                checksum: Default::default(),
                common: common(p)?,
            },
            |output| Answer {
                output: object_head(&output.head)
                    .with("AnnotationPayload", &output.annotation_payload)
                    .with("ObjectVersionId", &output.object_version_id),
                verdict: Some(output.validation),
            },
        ),
        "DeleteObjectAnnotation" => call(
            DeleteObjectAnnotation {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                annotation_name: p.take("AnnotationName")?,
                version_id: p.take("VersionId")?,
                object_if_match: p.take("ObjectIfMatch")?,
                common: common(p)?,
            },
            |output| {
                members()
                    .with("ObjectVersionId", &output.object_version_id)
                    .with("RequestCharged", &output.request_charged)
            },
        ),
        "ListObjectAnnotations" => call(
            ListObjectAnnotations {
                bucket: p.take("Bucket")?,
                key: p.take("Key")?,
                version_id: p.take("VersionId")?,
                annotation_prefix: p.take("AnnotationPrefix")?,
                max_annotation_results: p.take("MaxAnnotationResults")?,
                continuation_token: p.take("ContinuationToken")?,
                common: common(p)?,
            },
            |output| {
                let annotations = each(&output.annotations, |entry| {
                    members()
                        .with("AnnotationName", &entry.annotation_name)
                        .with("ChecksumAlgorithm", &entry.checksum_algorithms)
                        .with("ETag", &entry.etag)
                        .with("LastModified", &entry.last_modified)
                        .with("ReplicationStatus", &entry.replication_status)
                        .with("Size", &entry.size)
                });
                members()
                    .with("AnnotationCount", &output.annotation_count)
                    .with("AnnotationPrefix", &output.annotation_prefix)
                    .with("Annotations", &annotations)
                    .with("Bucket", &output.bucket)
                    .with("ContinuationToken", &output.continuation_token)
                    .with("Key", &output.key)
                    .with("MaxAnnotationResults", &output.max_annotation_results)
                    .with("NextContinuationToken", &output.next_continuation_token)
                    .with("ObjectVersionId", &output.object_version_id)
                    .with("RequestCharged", &output.request_charged)
            },
        ),
        _ => return Ok(None),
    }))
}
