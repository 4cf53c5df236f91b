//! The operations on buckets.

use apus_core::s3::{
    CreateBucket, DeleteBucket, GetBucketLocation, HeadBucket, ListBuckets, Owner, Tags,
};

use super::members::{access, tag_list};
use super::output::{Members, each, members, nothing};
use super::params::Params;
use super::{Found, call};

/// Returns the operation of this name, if it is one of these.
pub(super) fn read(operation: &str, p: &mut Params) -> Found {
    Ok(Some(match operation {
        "ListBuckets" => call(
            ListBuckets {
                max_buckets: p.take("MaxBuckets")?,
                continuation_token: p.take("ContinuationToken")?,
                prefix: p.take("Prefix")?,
                bucket_region: p.take("BucketRegion")?,
            },
            |output| {
                let buckets = each(&output.buckets, |bucket| {
                    members()
                        .with("BucketArn", &bucket.arn)
                        .with("BucketRegion", &bucket.region)
                        .with("CreationDate", &bucket.creation_date)
                        .with("Name", &bucket.name)
                });
                members()
                    .with("Buckets", &buckets)
                    .with("ContinuationToken", &output.continuation_token)
                    .with("Owner", &output.owner.as_ref().map(owner))
                    .with("Prefix", &output.prefix)
            },
        ),
        "HeadBucket" => call(
            HeadBucket {
                bucket: p.take("Bucket")?,
                expected_bucket_owner: p.take("ExpectedBucketOwner")?,
            },
            |output| {
                members()
                    .with("AccessPointAlias", &output.access_point_alias)
                    .with("BucketArn", &output.arn)
                    .with("BucketLocationName", &output.location_name)
                    .with("BucketLocationType", &output.location_type)
                    .with("BucketRegion", &output.region)
            },
        ),
        "CreateBucket" => {
            // Without a configuration the request has no location; by default, ours has its region.
            let (location, tags) = p
                .inside_if("CreateBucketConfiguration", |p| {
                    Ok((p.take("LocationConstraint")?, tag_list(p.take("Tags")?)?))
                })?
                .unwrap_or_else(|| (Some(String::new()), Tags::default()));
            call(
                CreateBucket {
                    bucket: p.take("Bucket")?,
                    location_constraint: location,
                    access: access(p)?,
                    object_ownership: p.take("ObjectOwnership")?,
                    object_lock_enabled: p.take("ObjectLockEnabledForBucket")?,
                    tags,
                },
                |output| {
                    members().with("BucketArn", &output.arn).with("Location", &output.location)
                },
            )
        }
        "DeleteBucket" => call(
            DeleteBucket {
                bucket: p.take("Bucket")?,
                expected_bucket_owner: p.take("ExpectedBucketOwner")?,
            },
            nothing,
        ),
        "GetBucketLocation" => call(
            GetBucketLocation {
                bucket: p.take("Bucket")?,
                expected_bucket_owner: p.take("ExpectedBucketOwner")?,
            },
            |output| members().with("LocationConstraint", &output.location_constraint),
        ),
        _ => return Ok(None),
    }))
}

pub(super) fn owner(owner: &Owner) -> Members {
    members().with("DisplayName", &owner.display_name).with("ID", &owner.id)
}
