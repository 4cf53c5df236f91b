//! Buckets and their configurations.
//!
//! Get, put and delete of one configuration share a file.

mod cors;
mod create_bucket;
mod delete_bucket;
mod head_bucket;
mod lifecycle;
mod lifecycle_rule;
mod list_buckets;
mod location;
mod policy;
mod tagging;
mod versioning;

pub use self::cors::{CorsRule, DeleteBucketCors, GetBucketCors, PutBucketCors};
pub use self::create_bucket::{CreateBucket, CreateBucketOutput};
pub use self::delete_bucket::DeleteBucket;
pub use self::head_bucket::{HeadBucket, HeadBucketOutput};
pub use self::lifecycle::{
    DeleteBucketLifecycle, GetBucketLifecycleConfiguration, GetBucketLifecycleConfigurationOutput,
    PutBucketLifecycleConfiguration,
};
pub use self::lifecycle_rule::{
    LifecycleExpiration, LifecycleFilter, LifecycleRule, NoncurrentVersionExpiration,
    NoncurrentVersionTransition, Transition,
};
pub use self::list_buckets::{Bucket, ListBuckets, ListBucketsOutput};
pub use self::location::{BucketLocation, GetBucketLocation};
pub use self::policy::{DeleteBucketPolicy, GetBucketPolicy, PutBucketPolicy};
pub use self::tagging::{DeleteBucketTagging, GetBucketTagging, PutBucketTagging};
pub use self::versioning::{BucketVersioning, GetBucketVersioning, PutBucketVersioning};
