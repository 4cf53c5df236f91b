//! Lists of hostile servers, and deletions of what they list.

use apus_core::Kind;
use apus_core::contract::{Operation, Pages};
use apus_core::machine::{Call, DeleteManyOptions, S3DeletePrefix};
use apus_core::s3::{GetObjectAttributes, ListObjectsV2, ListObjectsV2Output, ListParts};
use http::Method;

use crate::support::{Answer, Sim, service};

fn page(keys: &[&str], token: Option<&str>) -> String {
    let keys: String =
        keys.iter().map(|key| format!("<Contents><Key>{key}</Key></Contents>")).collect();
    let next = match token {
        Some(token) => format!(
            "<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
        ),
        None => "<IsTruncated>false</IsTruncated>".to_owned(),
    };
    format!("<ListBucketResult>{keys}{next}</ListBucketResult>")
}

fn output(keys: &[&str], token: Option<&str>) -> ListObjectsV2Output {
    let answer = http::Response::builder().body(()).unwrap().into_parts().0;
    let reply = apus_core::http::Reply::new(answer, page(keys, token).into());
    ListObjectsV2::new("bucket").parse(&service(|_| {}), &reply).unwrap()
}

// A server, or a gateway in front of it, that does not support `prefix` lists the whole bucket.
#[test]
fn what_does_not_begin_with_the_prefix_is_not_deleted() {
    for versions in [false, true] {
        let options = DeleteManyOptions::default();
        let delete = S3DeletePrefix::new("bucket", "logs/", versions, service(|_| {}), options, 7);
        let run = Sim::new(delete).run(|head, _| {
            assert_eq!(head.method, Method::GET, "nothing may be deleted");
            let objects = page(&["logs/1", "other"], None);
            let version = |key| format!("<Version><Key>{key}</Key></Version>");
            let all = format!("{}{}", version("logs/1"), version("other"));
            Answer::new(200).body(match versions {
                false => objects,
                true => format!("<ListVersionsResult>{all}</ListVersionsResult>"),
            })
        });
        let error = run.result.unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidResponse);
        assert!(error.to_string().contains("\"other\""), "{error}");
    }
}

#[test]
fn pages_that_go_round_end_in_an_error() {
    for length in [1, 2, 3, 7, 50] {
        let mut pages = Pages::new(ListObjectsV2::new("bucket"));
        let error = (0..1_000).find_map(|at| {
            let token = format!("token-{}", at % length);
            pages.advance(&output(&["key"], Some(&token))).err().map(|error| (at, error))
        });
        let (at, error) = error.expect("it ends");
        assert_eq!(error.kind(), Kind::InvalidResponse, "{error}");
        assert!(at <= 4 * length + 4, "{length}: after {at} pages");
        assert!(pages.request().is_none());
    }
}

/// Lists that a machine reads by itself: the parts of an upload and of an object.
#[test]
fn a_list_of_parts_that_goes_back_is_an_error() {
    let list = ListParts { part_number_marker: Some(5), ..ListParts::new("bucket", "key", "id") };
    let mut attributes = GetObjectAttributes::new("bucket", "key");
    attributes.part_number_marker = Some(5);
    for (next, goes_on) in [(4, false), (5, false), (6, true)] {
        let page = format!(
            "<R><IsTruncated>true</IsTruncated><NextPartNumberMarker>{next}</NextPartNumberMarker>\
             <UploadId>id</UploadId></R>"
        );
        let page = Sim::new(Call::new(list.clone(), service(|_| {}), 1))
            .run(|_, _| Answer::new(200).body(page.clone()));
        assert_eq!(list.next(&page.result.unwrap()).is_ok(), goes_on, "{next}");
        let page = format!(
            "<GetObjectAttributesOutput><ObjectParts><IsTruncated>true</IsTruncated>\
             <NextPartNumberMarker>{next}</NextPartNumberMarker></ObjectParts>\
             </GetObjectAttributesOutput>"
        );
        let page = Sim::new(Call::new(attributes.clone(), service(|_| {}), 1))
            .run(|_, _| Answer::new(200).body(page.clone()));
        assert_eq!(attributes.next(&page.result.unwrap()).is_ok(), goes_on, "{next}");
    }
}

#[test]
fn a_thousand_empty_pages_are_borne_and_no_more() {
    let mut pages = Pages::new(ListObjectsV2::new("bucket"));
    let ended = (0..5_000).find(|at| {
        let token = format!("token-{at}");
        pages.advance(&output(&[], Some(&token))).is_err()
    });
    assert_eq!(ended, Some(1_000));
    let mut pages = Pages::new(ListObjectsV2::new("bucket"));
    for at in 0..5_000 {
        let keys: &[&str] = if at % 900 == 0 { &["key"] } else { &[] };
        pages.advance(&output(keys, Some(&format!("token-{at}")))).unwrap();
    }
}

#[cfg(feature = "swift")]
#[test]
fn what_swift_lists_outside_of_the_prefix_is_not_deleted() {
    use apus_core::machine::{SwiftDeleteMany, SwiftDeleteOptions};

    use crate::support::swift::{Tokens, service};

    let options = SwiftDeleteOptions::default();
    let delete = SwiftDeleteMany::prefix("c", "logs/", service(), options, 7);
    let run = Sim::with_auth(delete, Tokens::auth()).run(|head, _| {
        assert_eq!(head.method, Method::GET, "nothing may be looked at or deleted");
        Answer::new(200).body(r#"[{"name": "logs/1"}, {"name": "other"}]"#)
    });
    let error = run.result.unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidResponse);
    assert!(error.to_string().contains("\"other\""), "{error}");
}
