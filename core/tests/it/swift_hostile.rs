//! Servers that send arbitrary responses: a download and a deletion end, all bytes are accounted
//! for, and only what the responses name is deleted.

use std::time::Duration;

use apus_core::contract::OnFailure;
use apus_core::error::ExchangeErrorKind;
use apus_core::http::ByteRange;
use apus_core::keystone::Session;
use apus_core::machine::{
    Auth, Call, DownloadOptions, SwiftDelete, SwiftDeleteOptions, SwiftDownload,
};
use apus_core::secret::Secret;
use apus_core::swift::{GetObject, ObjectSegment, PutSlo, Segment};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Strategy, any};
use proptest::sample::select;

use crate::support::swift::{Tokens, service};
use crate::support::{Answer, Sim};

const STATUSES: [u16; 18] =
    [200, 200, 200, 200, 200, 202, 204, 206, 206, 301, 400, 401, 404, 409, 412, 416, 500, 503];

const HEADERS: [(&str, &str); 20] = [
    ("content-length", "0"),
    ("content-length", "5"),
    ("content-length", "18446744073709551615"),
    ("content-length", "-1"),
    ("content-range", "bytes 0-4/5"),
    ("content-range", "bytes 2-4/5"),
    ("content-range", "bytes */5"),
    ("content-range", "bytes 4-2/18446744073709551615"),
    ("etag", "5d41402abc4b2a76b9719d911017c592"),
    ("etag", "\"d41d8cd98f00b204e9800998ecf8427e\""),
    ("etag", "W/\"\""),
    ("x-static-large-object", "True"),
    ("x-static-large-object", "no"),
    ("x-object-manifest", "s/p"),
    ("x-object-manifest", "%ff%fe/%"),
    ("x-object-manifest", "/"),
    ("x-object-manifest", "c/"),
    ("retry-after", "99999999999999999999"),
    ("retry-after", "1"),
    ("x-trans-id", "tx\u{e9}"),
];

const BODIES: [&str; 16] = [
    "",
    "hello",
    "[]",
    "{}",
    "[[]]",
    r#"[{"name": "/s/p1", "bytes": 5, "hash": "5d41402abc4b2a76b9719d911017c592"}]"#,
    r#"[{"name": "/s/p1", "bytes": 18446744073709551615, "hash": "x"}, {"name": "/s/p2", "bytes": 2}]"#,
    r#"[{"name": "/c/o", "sub_slo": true, "bytes": 5, "hash": "5d41402abc4b2a76b9719d911017c592"}]"#,
    r#"[{"name": "p1", "bytes": 5, "hash": "5d41402abc4b2a76b9719d911017c592"}, {"name": "p2"}]"#,
    r#"[{"name": "p2", "bytes": 1}, {"name": "p1", "bytes": 1}]"#,
    r#"[{"name": "elsewhere", "bytes": 1}]"#,
    r#"[{"subdir": "p"}]"#,
    r#"[{"data": "aGVsbG8="}, {"name": "/s/p1", "bytes": 0, "range": "5-1"}]"#,
    r#"{"Response Status": "200 OK", "Number Deleted": 18446744073709551615, "Errors": []}"#,
    r#"{"Response Status": "400 Bad Request", "Errors": [["/c/o", "409 Conflict"], ["x", "?"]]}"#,
    r#"{"bulk_delete": {"max_deletes_per_request": 0}}"#,
];

fn answer() -> impl Strategy<Value = Answer> {
    let lost = option::weighted(
        0.1,
        select(vec![
            ExchangeErrorKind::Closed,
            ExchangeErrorKind::Timeout,
            ExchangeErrorKind::Protocol,
        ]),
    );
    let cut = option::weighted(0.2, 0usize..6);
    let headers = vec(select(HEADERS.to_vec()), 0..5);
    (select(STATUSES.to_vec()), headers, select(BODIES.to_vec()), lost, cut).prop_map(
        |(status, headers, body, lost, cut)| {
            let mut answer = Answer::new(status);
            for (name, value) in headers {
                answer.headers.retain(|(had, _)| had != name);
                answer = answer.header(name, value);
            }
            Answer { body: body.into(), lost, cut_after: cut, ..answer }
        },
    )
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(1500))]

    #[test]
    fn a_download_ends(
        answers in vec(answer(), 1..40),
        concurrency in 1usize..4,
        range_size in 0u64..9,
        unchecked in any::<bool>(),
        range in option::of(select(vec![
            ByteRange::From(0), ByteRange::From(2), ByteRange::Span(1..4), ByteRange::Last(3),
            ByteRange::Span(u64::MAX - 1..u64::MAX), ByteRange::Last(u64::MAX),
        ])),
        cancel in option::of(0u64..200),
    ) {
        let get = GetObject { range, unchecked, ..GetObject::new("c", "o") };
        let options = DownloadOptions { concurrency, range_size, ..DownloadOptions::default() };
        let sim = Sim::with_auth(SwiftDownload::new(get, service(), options, 7), Tokens::auth());
        let sim = match cancel {
            Some(at) => sim.cancel_at(Duration::from_millis(at), OnFailure::Abort),
            None => sim,
        };
        let mut script = answers.iter().cycle();
        let run = sim.run(|_, _| script.next().unwrap().clone());
        proptest::prop_assert_eq!(run.pump.machine().delivered(), run.sink.len() as u64);
        if let Ok(done) = run.result {
            proptest::prop_assert_eq!(done.bytes, run.sink.len() as u64);
            proptest::prop_assert_eq!(run.beyond, 0);
        }
    }

    #[test]
    fn a_deletion_ends_and_deletes_only_what_it_was_led_to(
        answers in vec(answer(), 1..40),
        concurrency in 1usize..4,
        bulk in any::<bool>(),
        cancel in option::of(0u64..200),
    ) {
        let options = SwiftDeleteOptions { concurrency, bulk, ..SwiftDeleteOptions::default() };
        let delete = SwiftDelete::new("c", "o", service(), options, 7);
        let sim = Sim::with_auth(delete, Tokens::auth());
        let sim = match cancel {
            Some(at) => sim.cancel_at(Duration::from_millis(at), OnFailure::Abort),
            None => sim,
        };
        let mut script = answers.iter().cycle();
        let run = sim.run(|_, _| script.next().unwrap().clone());
        for request in run.requests.iter().filter_map(|line| line.strip_prefix("DELETE /v1/AUTH_a/")) {
            let known = ["c/o", "c/o?multipart-manifest=delete", "s/p1", "s/p2"];
            proptest::prop_assert!(known.contains(&request), "{request}");
        }
    }
}

/// The report of PutSlo follows a 202.
#[test]
fn a_report_that_repeats_the_token_of_the_request_does_not_show_it() {
    let token = Secret::new("gAAAAABl-token");
    let auth = Auth::new(Session::fixed_at("http://swift:8080/v1/AUTH_p", token).unwrap());
    let segment =
        ObjectSegment::stored("segments", "1", "d41d8cd98f00b204e9800998ecf8427e".into(), 1);
    let put = PutSlo::new("container", "object", vec![Segment::Object(segment)]);
    let call = Call::new(put, service(), 1);
    let run = Sim::with_auth(call, auth).run(|head, _| {
        let token = head.headers["x-auth-token"].to_str().unwrap();
        Answer::new(202).body(format!(
            r#"{{"Response Status": "403 Forbidden", "Errors": [["/segments/1", "no such {token}"]]}}"#
        ))
    });
    let error = run.result.unwrap_err();
    let shown = format!("{error} {error:?} {:?}", error.server_message());
    assert!(shown.contains("no such") && !shown.contains("gAAAAABl"), "{shown}");
}
