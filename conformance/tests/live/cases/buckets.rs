//! Buckets and their configurations.

use apus_core::Error;
use apus_core::s3::{
    BucketVersioning, CorsRule, CreateBucket, DeleteBucket, DeleteBucketCors,
    DeleteBucketLifecycle, DeleteBucketPolicy, DeleteBucketTagging, GetBucketCors,
    GetBucketLifecycleConfiguration, GetBucketLocation, GetBucketPolicy, GetBucketTagging,
    GetBucketVersioning, HeadBucket, LifecycleExpiration, LifecycleFilter, LifecycleRule,
    ListBuckets, NoncurrentVersionExpiration, PutBucketCors, PutBucketLifecycleConfiguration,
    PutBucketPolicy, PutBucketTagging, PutBucketVersioning, Raw, Tags,
};

use super::refused;
use crate::live::Case;
use crate::live::stage::Stage;

pub const CASES: &[Case] = &[
    Case::ok("CreateBucket", create),
    Case::ok("CreateBucket of a bucket that is the caller's already", create_again),
    Case::ok("HeadBucket", head),
    Case::ok("DeleteBucket", delete),
    Case::denied(
        "CreateBucket with an unknown LocationConstraint",
        elsewhere,
        "400 InvalidLocationConstraint",
    ),
    Case::ok("ListBuckets", list),
    Case::ok("GetBucketLocation", location),
    Case::ok("Get/PutBucketVersioning", versioning),
    Case::ok("Get/Put/DeleteBucketLifecycle", lifecycle),
    Case::ok("Get/Put/DeleteBucketTagging", tagging),
    Case::ok("Get/Put/DeleteBucketCors", cors),
    Case::ok("Get/Put/DeleteBucketPolicy", policy),
    Case::ok("Raw (GetBucketAcl)", raw),
];

fn create(stage: &Stage<'_>) -> Result<(), Error> {
    let bucket = format!("{}-new", stage.bucket);
    stage.call(CreateBucket::new(&bucket))?;
    stage.call(DeleteBucket::new(&bucket))
}

/// In us-east-1 S3 responds with 200.
fn create_again(stage: &Stage<'_>) -> Result<(), Error> {
    stage.call(CreateBucket::new(&stage.bucket)).map(drop)
}

fn head(stage: &Stage<'_>) -> Result<(), Error> {
    stage.call(HeadBucket::new(&stage.bucket))?;
    let missing = stage.call(HeadBucket::new("apus-there-is-no-such-bucket"));
    assert!(missing.unwrap_err().is_not_found());
    Ok(())
}

fn delete(stage: &Stage<'_>) -> Result<(), Error> {
    let bucket = format!("{}-gone", stage.bucket);
    stage.call(CreateBucket::new(&bucket))?;
    stage.call(DeleteBucket::new(&bucket))?;
    refused(stage.call(DeleteBucket::new(&bucket)), 404, "NoSuchBucket");
    Ok(())
}

fn elsewhere(stage: &Stage<'_>) -> Result<(), Error> {
    let mut create = CreateBucket::new(format!("{}-elsewhere", stage.bucket));
    create.location_constraint = Some("eu-atlantis-1".into());
    stage.call(create).map(drop)
}

fn list(stage: &Stage<'_>) -> Result<(), Error> {
    let answer = stage.call(ListBuckets::new())?;
    assert!(answer.buckets.iter().any(|bucket| bucket.name == stage.bucket));
    Ok(())
}

fn location(stage: &Stage<'_>) -> Result<(), Error> {
    let answer = stage.call(GetBucketLocation::new(&stage.bucket))?;
    assert_eq!(answer.location_constraint, stage.site.location);
    Ok(())
}

fn versioning(stage: &Stage<'_>) -> Result<(), Error> {
    let get = || GetBucketVersioning::new(&stage.bucket);
    assert_eq!(stage.call(get())?.status, None);
    stage.call(PutBucketVersioning::new(&stage.bucket, BucketVersioning::enabled()))?;
    assert!(stage.call(get())?.is_enabled());
    stage.call(PutBucketVersioning::new(&stage.bucket, BucketVersioning::suspended()))?;
    assert_eq!(stage.call(get())?.status.as_deref(), Some("Suspended"));
    Ok(())
}

fn lifecycle(stage: &Stage<'_>) -> Result<(), Error> {
    let get = || GetBucketLifecycleConfiguration::new(&stage.bucket);
    let rule = LifecycleRule {
        id: Some("old & <odd>".into()),
        expiration: Some(LifecycleExpiration::days(30)),
        noncurrent_version_expiration: Some(NoncurrentVersionExpiration {
            noncurrent_days: Some(7),
            ..NoncurrentVersionExpiration::default()
        }),
        abort_incomplete_multipart_upload_days: Some(3),
        ..LifecycleRule::enabled(LifecycleFilter::prefix("logs/"))
    };
    stage.call(PutBucketLifecycleConfiguration::new(&stage.bucket, vec![rule.clone()]))?;
    let rules = stage.call(get())?.rules;
    assert_eq!(rules.len(), 1);
    assert_eq!(rules[0].id, rule.id);
    assert_eq!(rules[0].status.as_deref(), Some("Enabled"));
    assert_eq!(rules[0].expiration.as_ref().and_then(|after| after.days), Some(30));
    assert_eq!(rules[0].abort_incomplete_multipart_upload_days, Some(3));
    stage.call(DeleteBucketLifecycle::new(&stage.bucket))?;
    refused(stage.call(get()), 404, "NoSuchLifecycleConfiguration");
    Ok(())
}

fn tagging(stage: &Stage<'_>) -> Result<(), Error> {
    let get = || GetBucketTagging::new(&stage.bucket);
    let tags: Tags = [("team", "images"), ("a b", "c=&d")].into_iter().collect();
    stage.call(PutBucketTagging::new(&stage.bucket, tags.clone()))?;
    let mut told = stage.call(get())?.0;
    told.sort();
    let mut asked = tags.0;
    asked.sort();
    assert_eq!(told, asked);
    stage.call(DeleteBucketTagging::new(&stage.bucket))?;
    refused(stage.call(get()), 404, "NoSuchTagSet");
    Ok(())
}

fn cors(stage: &Stage<'_>) -> Result<(), Error> {
    let get = || GetBucketCors::new(&stage.bucket);
    let rule = CorsRule {
        allowed_origins: vec!["https://images.example".into()],
        allowed_methods: vec!["GET".into(), "PUT".into()],
        allowed_headers: vec!["*".into()],
        expose_headers: vec!["ETag".into()],
        max_age_seconds: Some(600),
        ..CorsRule::default()
    };
    stage.call(PutBucketCors::new(&stage.bucket, vec![rule.clone()]))?;
    let rules = stage.call(get())?;
    assert_eq!(rules.len(), 1);
    assert_eq!(rules[0].allowed_origins, rule.allowed_origins);
    assert_eq!(rules[0].expose_headers, rule.expose_headers);
    assert_eq!(rules[0].max_age_seconds, Some(600));
    stage.call(DeleteBucketCors::new(&stage.bucket))?;
    refused(stage.call(get()), 404, "NoSuchCORSConfiguration");
    Ok(())
}

fn policy(stage: &Stage<'_>) -> Result<(), Error> {
    let get = || GetBucketPolicy::new(&stage.bucket);
    let policy = read_policy(&stage.bucket, "second");
    stage.call(PutBucketPolicy::new(&stage.bucket, &policy))?;
    assert_eq!(stage.call(get())?, policy);
    stage.call(DeleteBucketPolicy::new(&stage.bucket))?;
    refused(stage.call(get()), 404, "NoSuchBucketPolicy");
    Ok(())
}

fn raw(stage: &Stage<'_>) -> Result<(), Error> {
    let mut raw = Raw::new(http::Method::GET).bucket(&stage.bucket);
    raw.query = vec![("acl".into(), None)];
    let answer = stage.call(raw)?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(text.contains("<AccessControlPolicy"), "{text}");
    Ok(())
}

/// A policy that lets a user read all objects.
pub fn read_policy(bucket: &str, user: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":["arn:aws:iam:::user/{user}"]}},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::{bucket}/*"]}}]}}"#
    )
}
