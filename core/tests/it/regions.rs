//! The region of a bucket, according to responses.

use apus_core::machine::Call;
use apus_core::s3::HeadBucket;
use apus_core::sign::Keys;

use crate::support::{Answer, Sim, service};
use apus_core::credentials::Credentials;
use apus_core::machine::Auth;
use apus_core::s3::{ListObjectsV2, Service};
use std::sync::Arc;

/// The region that each request to `bucket` is signed for; those for another than `region` are told so by
/// `redirect`.
fn signed(
    service: &Arc<Service>,
    bucket: &str,
    region: &str,
    redirect: impl Fn(Answer) -> Answer,
) -> Vec<String> {
    let call = Call::new(ListObjectsV2::new(bucket), Arc::clone(service), 1);
    let mut asked = Vec::new();
    let auth = Auth::new(Credentials::new(Keys::new("AKID", "secret")));
    let run = Sim::with_auth(call, auth).run(|head, _| {
        let proof = head.headers["authorization"].to_str().unwrap();
        let signed = proof.split('/').nth(2).unwrap().to_owned();
        let is_right = signed == region;
        asked.push(signed);
        match is_right {
            true => Answer::new(200).body("<ListBucketResult></ListBucketResult>"),
            false => redirect(Answer::new(301)),
        }
    });
    run.result.unwrap();
    asked
}

fn by_header(region: &str) -> impl Fn(Answer) -> Answer {
    move |answer| answer.header("x-amz-bucket-region", region)
}

#[test]
fn a_region_that_was_learnt_is_that_bucket_s_alone() {
    let service = service(|_| {});
    let eu = || by_header("eu-west-1");
    assert_eq!(signed(&service, "far", "eu-west-1", eu()), ["us-east-1", "eu-west-1"]);
    assert_eq!(signed(&service, "far", "eu-west-1", eu()), ["eu-west-1"]);
    assert_eq!(signed(&service, "near", "us-east-1", eu()), ["us-east-1"]);
    let other = by_header("ap-south-1");
    assert_eq!(signed(&service, "farther", "ap-south-1", other), ["us-east-1", "ap-south-1"]);
    assert_eq!(signed(&service, "far", "eu-west-1", eu()), ["eu-west-1"]);
}

// "Making requests to the right Region": the header is there for every method; a body may be that of a
// proxy or a gateway in between.
#[test]
fn the_region_of_the_header_goes_before_that_of_the_body() {
    let service = service(|_| {});
    let body = "<Error><Code>PermanentRedirect</Code><Region>eu-central-1</Region></Error>";
    let both = |answer: Answer| by_header("eu-west-1")(answer).body(body);
    assert_eq!(signed(&service, "far", "eu-west-1", both), ["us-east-1", "eu-west-1"]);
    // The body's counts where the header has none.
    let alone = |answer: Answer| answer.body(body);
    assert_eq!(signed(&service, "other", "eu-central-1", alone), ["us-east-1", "eu-central-1"]);
}

#[test]
fn a_head_learns_it_too() {
    let call = Call::new(HeadBucket::new("far"), service(|_| {}), 1);
    let run = Sim::new(call).run(|head, _| {
        let _ = head;
        by_header("eu-west-1")(Answer::new(301))
    });
    let error = run.result.unwrap_err();
    assert_eq!((error.region(), run.requests.len()), (Some("eu-west-1"), 2));
}
