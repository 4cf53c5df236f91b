//! The operations on configurations of a bucket.

use apus_core::s3::{
    BucketVersioning, CorsRule, DeleteBucketCors, DeleteBucketLifecycle, DeleteBucketPolicy,
    DeleteBucketTagging, GetBucketCors, GetBucketLifecycleConfiguration, GetBucketPolicy,
    GetBucketTagging, GetBucketVersioning, LifecycleExpiration, LifecycleFilter, LifecycleRule,
    NoncurrentVersionExpiration, NoncurrentVersionTransition, PutBucketCors,
    PutBucketLifecycleConfiguration, PutBucketPolicy, PutBucketTagging, PutBucketVersioning,
    Transition,
};

use super::members::{checksum, tag_list, tag_members, tag_set};
use super::output::{Members, each, members, nothing};
use super::params::Params;
use super::{Found, call};

/// Returns an operation with a bucket, its expected owner, and further members.
macro_rules! on_bucket {
    ($p:ident, $operation:ident { $($members:tt)* }) => {
        $operation {
            bucket: $p.take("Bucket")?,
            expected_bucket_owner: $p.take("ExpectedBucketOwner")?,
            $($members)*
        }
    };
}

/// Returns the operation of this name, if it is one of these.
pub(super) fn read(operation: &str, p: &mut Params) -> Found {
    Ok(Some(match operation {
        "GetBucketVersioning" => call(on_bucket!(p, GetBucketVersioning {}), |versioning| {
            members().with("MFADelete", &versioning.mfa_delete).with("Status", &versioning.status)
        }),
        "PutBucketVersioning" => {
            let versioning = p.inside("VersioningConfiguration", |p| {
                Ok(BucketVersioning { status: p.take("Status")?, mfa_delete: p.take("MFADelete")? })
            })?;
            let (mfa, checksum) = (p.take("MFA")?, checksum(p)?);
            call(on_bucket!(p, PutBucketVersioning { versioning, mfa, checksum }), nothing)
        }
        "GetBucketLifecycleConfiguration" => {
            call(on_bucket!(p, GetBucketLifecycleConfiguration {}), |output| {
                members()
                    .with("Rules", &each(&output.rules, rule))
                    .with(MINIMUM, &output.transition_default_minimum_object_size)
            })
        }
        "PutBucketLifecycleConfiguration" => call(
            on_bucket!(
                p,
                PutBucketLifecycleConfiguration {
                    rules: p.inside("LifecycleConfiguration", |p| p.each("Rules", read_rule))?,
                    transition_default_minimum_object_size: p.take(MINIMUM)?,
                    checksum: checksum(p)?,
                }
            ),
            |minimum| members().with(MINIMUM, minimum),
        ),
        "DeleteBucketLifecycle" => call(on_bucket!(p, DeleteBucketLifecycle {}), nothing),
        "GetBucketTagging" => call(on_bucket!(p, GetBucketTagging {}), tag_set),
        "PutBucketTagging" => {
            let tags = p.inside("Tagging", |p| tag_list(p.take("TagSet")?))?;
            call(on_bucket!(p, PutBucketTagging { tags, checksum: checksum(p)? }), nothing)
        }
        "DeleteBucketTagging" => call(on_bucket!(p, DeleteBucketTagging {}), nothing),
        "GetBucketCors" => call(on_bucket!(p, GetBucketCors {}), |rules| {
            members().with("CORSRules", &each(rules, cors))
        }),
        "PutBucketCors" => {
            let rules = p.inside("CORSConfiguration", |p| p.each("CORSRules", read_cors))?;
            call(on_bucket!(p, PutBucketCors { rules, checksum: checksum(p)? }), nothing)
        }
        "DeleteBucketCors" => call(on_bucket!(p, DeleteBucketCors {}), nothing),
        "GetBucketPolicy" => {
            call(on_bucket!(p, GetBucketPolicy {}), |policy| members().with("Policy", policy))
        }
        "PutBucketPolicy" => call(
            on_bucket!(
                p,
                PutBucketPolicy {
                    policy: p.take("Policy")?,
                    confirm_remove_self_bucket_access: p.take("ConfirmRemoveSelfBucketAccess")?,
                    checksum: checksum(p)?,
                }
            ),
            nothing,
        ),
        "DeleteBucketPolicy" => call(on_bucket!(p, DeleteBucketPolicy {}), nothing),
        _ => return Ok(None),
    }))
}

fn read_cors(p: &mut Params) -> Result<CorsRule, String> {
    Ok(CorsRule {
        id: p.take("ID")?,
        allowed_origins: p.take("AllowedOrigins")?,
        allowed_methods: p.take("AllowedMethods")?,
        allowed_headers: p.take("AllowedHeaders")?,
        expose_headers: p.take("ExposeHeaders")?,
        max_age_seconds: p.take("MaxAgeSeconds")?,
    })
}

fn cors(rule: &CorsRule) -> Members {
    members()
        .with("AllowedHeaders", &rule.allowed_headers)
        .with("AllowedMethods", &rule.allowed_methods)
        .with("AllowedOrigins", &rule.allowed_origins)
        .with("ExposeHeaders", &rule.expose_headers)
        .with("ID", &rule.id)
        .with("MaxAgeSeconds", &rule.max_age_seconds)
}

fn read_rule(p: &mut Params) -> Result<LifecycleRule, String> {
    Ok(LifecycleRule {
        id: p.take("ID")?,
        status: p.take("Status")?,
        filter: p.inside_if("Filter", |p| match p.inside_if("And", read_filter)? {
            Some(filter) => Ok(filter),
            None => read_filter(p),
        })?,
        prefix: p.take("Prefix")?,
        expiration: p.inside_if("Expiration", |p| {
            Ok(LifecycleExpiration {
                days: p.take("Days")?,
                date: p.take("Date")?,
                expired_object_delete_marker: p.take("ExpiredObjectDeleteMarker")?,
            })
        })?,
        transitions: p.each("Transitions", |p| {
            Ok(Transition {
                days: p.take("Days")?,
                date: p.take("Date")?,
                storage_class: p.take("StorageClass")?,
            })
        })?,
        noncurrent_version_transitions: p.each("NoncurrentVersionTransitions", |p| {
            Ok(NoncurrentVersionTransition {
                noncurrent_days: p.take("NoncurrentDays")?,
                newer_noncurrent_versions: p.take("NewerNoncurrentVersions")?,
                storage_class: p.take("StorageClass")?,
            })
        })?,
        noncurrent_version_expiration: p.inside_if("NoncurrentVersionExpiration", |p| {
            Ok(NoncurrentVersionExpiration {
                noncurrent_days: p.take("NoncurrentDays")?,
                newer_noncurrent_versions: p.take("NewerNoncurrentVersions")?,
            })
        })?,
        abort_incomplete_multipart_upload_days: p
            .inside_if("AbortIncompleteMultipartUpload", |p| p.take("DaysAfterInitiation"))?,
    })
}

fn read_filter(p: &mut Params) -> Result<LifecycleFilter, String> {
    let mut tags: Vec<Params> = p.take("Tags")?;
    tags.extend(p.take::<Option<Params>>("Tag")?);
    Ok(LifecycleFilter {
        prefix: p.take("Prefix")?,
        tags: tag_list(tags)?,
        object_size_greater_than: p.take("ObjectSizeGreaterThan")?,
        object_size_less_than: p.take("ObjectSizeLessThan")?,
    })
}

fn rule(rule: &LifecycleRule) -> Members {
    let abort = rule.abort_incomplete_multipart_upload_days;
    let expiration = rule.expiration.map(|expiration| {
        members()
            .with("Date", &expiration.date)
            .with("Days", &expiration.days)
            .with("ExpiredObjectDeleteMarker", &expiration.expired_object_delete_marker)
    });
    let transitions = each(&rule.transitions, |transition| {
        members()
            .with("Date", &transition.date)
            .with("Days", &transition.days)
            .with("StorageClass", &transition.storage_class)
    });
    let noncurrent = each(&rule.noncurrent_version_transitions, |transition| {
        members()
            .with("NewerNoncurrentVersions", &transition.newer_noncurrent_versions)
            .with("NoncurrentDays", &transition.noncurrent_days)
            .with("StorageClass", &transition.storage_class)
    });
    let noncurrent_expiration = rule.noncurrent_version_expiration.map(|expiration| {
        members()
            .with("NewerNoncurrentVersions", &expiration.newer_noncurrent_versions)
            .with("NoncurrentDays", &expiration.noncurrent_days)
    });
    members()
        .with(
            "AbortIncompleteMultipartUpload",
            &abort.map(|days| members().with("DaysAfterInitiation", &days)),
        )
        .with("Expiration", &expiration)
        .with("Filter", &rule.filter.as_ref().map(filter))
        .with("ID", &rule.id)
        .with("NoncurrentVersionExpiration", &noncurrent_expiration)
        .with("NoncurrentVersionTransitions", &noncurrent)
        .with("Prefix", &rule.prefix)
        .with("Status", &rule.status)
        .with("Transitions", &transitions)
}

/// Returns a flat filter: ours does not show whether a single condition was in an `And`.
fn filter(filter: &LifecycleFilter) -> Members {
    members()
        .with("ObjectSizeGreaterThan", &filter.object_size_greater_than)
        .with("ObjectSizeLessThan", &filter.object_size_less_than)
        .with("Prefix", &filter.prefix)
        .with("Tags", &tag_members(&filter.tags))
}

const MINIMUM: &str = "TransitionDefaultMinimumObjectSize";
