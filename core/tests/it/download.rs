//! Downloads of an object: resumed, in ranges, validated, never short and never mixed.
//!
//! The server behaves as RFC 9110 (sections 13 to 15) and the S3 API reference say; if real servers
//! differ, the test says how.

use std::time::Duration;

use apus_core::checksum::{Algorithm, NotValidatedReason, Validation};
use apus_core::contract::{Machine as _, OnFailure, Step};
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::http::{Draft, Exchange, Ticket};
use apus_core::machine::{Call, DownloadOptions};
use apus_core::s3::{ByteRange, Conditions, ETag, GetObject};
use apus_core::{Kind, Now};
use bytes::Bytes;
use http::{Method, Uri, request};

use crate::support::stored::{Stored, checked, cutting, download, failure, get, serve, wide};
use crate::support::{Answer, Sim, object, service};

#[test]
fn one_request_is_enough_where_nothing_goes_wrong() {
    let stored = Stored::new(5000);
    let run = serve(download(DownloadOptions::default()), &stored);
    let done = run.result.unwrap();
    assert_eq!(run.requests, ["GET /bucket/key"]);
    assert_eq!(run.sink, stored.bytes);
    assert_eq!((done.bytes, done.head.size), (5000, Some(5000)));
    assert_eq!(done.validation, Validation::NotValidated(NotValidatedReason::NotAsked));
}

#[test]
fn a_cut_body_goes_on_after_its_last_byte_and_so_does_its_hash() {
    for algorithm in [Algorithm::Crc32, Algorithm::Sha256, Algorithm::Crc64Nvme] {
        let stored = Stored::new(5000).with(algorithm);
        let mut matches = Vec::new();
        let mut cuts = [1000, 0, 2500].into_iter();
        let machine = get(DownloadOptions::default(), checked, |_| {});
        let run = Sim::new(machine).run(|head, _| {
            matches.push(head.headers.get("if-match").cloned());
            let answer = stored.answer(head);
            match cuts.next() {
                Some(after) => answer.cut(after),
                None => answer,
            }
        });
        assert_eq!(
            run.requests,
            [
                "GET /bucket/key",
                "GET /bucket/key bytes=1000-",
                "GET /bucket/key bytes=1000-",
                "GET /bucket/key bytes=3500-",
            ]
        );
        let tag = Some("\"v1\"".parse().unwrap());
        assert_eq!(matches, [None, tag.clone(), tag.clone(), tag]);
        assert_eq!(run.sink, stored.bytes);
        assert_eq!(run.result.unwrap().validation, Validation::Validated(algorithm));
    }
}

#[test]
fn a_body_that_is_cut_behind_its_last_byte_is_complete() {
    let stored = Stored::new(500);
    let run = cutting(download(DownloadOptions::default()), &stored, &[500]);
    assert_eq!((run.requests.len(), run.result.unwrap().bytes), (1, 500));
}

#[test]
fn an_object_that_changes_while_it_is_read_is_an_error_and_never_a_mixture() {
    // Obeys If-Match; or does not, and answers another ETag; or tells no ETag, but another length.
    let cases: [(Option<&'static str>, bool, usize); 3] =
        [(Some("\"v2\""), true, 5000), (Some("\"v2\""), false, 5000), (None, false, 5001)];
    for options in [DownloadOptions::default(), wide(2, 1000)] {
        for (etag, conditional, length) in cases {
            let first = Stored { etag: etag.and(Some("\"v1\"")), ..Stored::new(5000) };
            let second =
                Stored { etag, conditional, bytes: vec![0xFF; length].into(), ..first.clone() };
            let mut requests = 0;
            let run = Sim::new(download(options.clone())).run(|head, _| {
                requests += 1;
                if requests == 1 { first.answer(head).cut(700) } else { second.answer(head) }
            });
            assert_eq!(run.sink, first.bytes[..700]);
            assert!(run.requests.len() <= 1 + options.concurrency, "it is not tried again");
            let error = failure(run);
            assert_eq!(error.kind(), Kind::Integrity, "{error}");
            assert!(error.message().contains("changed"), "{error}");
        }
    }
}

/// Two objects of one length, on a server that sends no ETag.
#[test]
fn an_object_without_an_etag_has_changed_where_it_was_modified_since() {
    let stored = Stored { etag: None, ..Stored::new(5000) };
    let other = Stored { bytes: vec![0xFF; 5000].into(), ..stored.clone() };
    let first = "Wed, 21 Oct 2015 07:28:00 GMT";
    for (options, cut) in [(DownloadOptions::default(), Some(700)), (wide(2, 1000), None)] {
        for (then, changes) in
            [(Some(first), false), (Some("Wed, 21 Oct 2015 07:28:01 GMT"), true), (None, false)]
        {
            let mut requests = 0;
            let run = Sim::new(download(options.clone())).run(|head, _| {
                requests += 1;
                match (requests, then) {
                    (1, _) => {
                        let answer = stored.answer(head).header("last-modified", first);
                        cut.map_or(answer.clone(), |at| answer.cut(at))
                    }
                    (_, Some(time)) if changes => other.answer(head).header("last-modified", time),
                    (_, Some(time)) => stored.answer(head).header("last-modified", time),
                    (_, None) => stored.answer(head),
                }
            });
            if changes {
                assert_eq!(run.sink, stored.bytes[..cut.unwrap_or(1000)]);
                let error = failure(run);
                assert_eq!(error.kind(), Kind::Integrity, "{error}");
                assert!(error.message().contains("changed"), "{error}");
            } else {
                assert_eq!((run.result.unwrap().bytes, run.sink), (5000, stored.bytes.to_vec()));
            }
        }
    }
}

#[test]
fn an_object_that_shrinks_below_what_was_read_has_changed() {
    let (first, second) = (Stored::new(5000), Stored { conditional: false, ..Stored::new(600) });
    let mut requests = 0;
    let run = Sim::new(download(DownloadOptions::default())).run(|head, _| {
        requests += 1;
        if requests == 1 { first.answer(head).cut(700) } else { second.answer(head) }
    });
    assert_eq!(failure(run).kind(), Kind::Integrity);
}

#[test]
fn an_object_that_is_longer_than_its_head_said_is_not_begun() {
    // SHA-256 is computed over one stream; no ETag tells that it is another object.
    let first = Stored { etag: None, ..Stored::new(5000).with(Algorithm::Sha256) };
    let second = Stored { bytes: object(5001), ..first.clone() };
    let run = Sim::new(get(wide(2, 1000), checked, |_| {})).run(|head, _| {
        if head.method == Method::HEAD { first.answer(head) } else { second.answer(head) }
    });
    assert_eq!((run.requests.len(), run.sink.len()), (2, 0));
    assert_eq!(failure(run).kind(), Kind::Integrity);
}

#[test]
fn more_bytes_than_the_range_has_never_reach_the_sink() {
    let stored = Stored::new(5000);
    let run = Sim::new(download(wide(2, 1000))).run(|head, _| {
        let mut answer = stored.answer(head);
        answer.headers.retain(|(name, _)| name != "content-length");
        answer.body = object(1300);
        answer
    });
    assert!(run.sink.len() <= 1000 && run.beyond == 0);
    assert_eq!(failure(run).kind(), Kind::InvalidResponse);
}

#[test]
fn before_the_first_byte_an_object_may_change() {
    let first = Stored::new(5000).with(Algorithm::Crc32);
    let second = Stored { etag: Some("\"v2\""), ..Stored::new(800).with(Algorithm::Sha1) };
    let mut requests = 0;
    let run = Sim::new(get(DownloadOptions::default(), checked, |_| {})).run(|head, _| {
        requests += 1;
        if requests == 1 { first.answer(head).cut(0) } else { second.answer(head) }
    });
    assert_eq!(run.sink, second.bytes);
    assert_eq!(run.result.unwrap().validation, Validation::Validated(Algorithm::Sha1));
}

#[test]
fn a_resume_that_is_answered_with_the_whole_object_is_an_error() {
    let stored = Stored { ranges: false, ..Stored::new(5000) };
    let run = cutting(download(DownloadOptions::default()), &stored, &[700]);
    assert_eq!((run.requests.len(), run.sink.len()), (2, 700));
    let error = failure(run);
    assert_eq!(error.kind(), Kind::InvalidResponse);
    assert!(error.hint().unwrap().contains("ignores `Range`"), "{error}");
}

// The response of a gateway, which is not known to be of the object.
#[test]
fn a_response_that_may_be_of_another_object_says_nothing_of_ranges() {
    let stored = Stored::new(5000);
    let mut answers = 0;
    let run = Sim::new(download(DownloadOptions::default())).run(|head, _| {
        answers += 1;
        let untagged = || Answer::new(200).body(stored.bytes.clone());
        if answers == 1 { stored.answer(head).cut(700) } else { untagged() }
    });
    let error = failure(run);
    assert!(error.to_string().contains("no ETag"), "{error}");
    assert!(error.hint().is_none_or(|hint| !hint.contains("Range")), "{error}");
}

#[test]
fn a_weak_etag_is_compared_and_never_sent() {
    let stored = Stored { etag: Some("W/\"v1\""), ..Stored::new(5000) };
    let mut cuts = [700].into_iter();
    let run = Sim::new(download(DownloadOptions::default())).run(|head, _| {
        assert!(!head.headers.contains_key("if-match"));
        let answer = stored.answer(head);
        cuts.next().map_or(answer.clone(), |after| answer.cut(after))
    });
    assert_eq!(run.sink, stored.bytes);
}

#[test]
fn a_body_of_untold_length_ends_where_it_ends() {
    let bytes = object(3000);
    let untold = |bytes: &Bytes| {
        let mut answer = Answer::new(200).header("etag", "x").body(bytes.clone());
        answer.headers.retain(|(name, _)| name != "content-length");
        answer
    };
    let run = Sim::new(download(DownloadOptions::default())).run(|_, _| untold(&bytes));
    assert_eq!((run.result.unwrap().bytes, run.sink), (3000, bytes.to_vec()));
    // Cut, the second answer tells the length, by `Content-Range` alone.
    let stored = Stored { etag: Some("x"), bytes: bytes.clone(), ..Stored::new(0) };
    let mut requests = 0;
    let run = Sim::new(download(DownloadOptions::default())).run(|head, _| {
        requests += 1;
        if requests == 1 {
            return untold(&bytes).cut(100);
        }
        let mut answer = stored.answer(head);
        answer.headers.retain(|(name, _)| name != "content-length");
        if requests == 2 { Answer { body: answer.body.slice(..50), ..answer } } else { answer }
    });
    assert_eq!((run.requests.len(), run.sink), (3, bytes.to_vec()));
}

#[test]
fn ranges_in_parallel_need_no_request_more_and_keep_the_width() {
    let stored = Stored::new(10_500);
    for ordered in [false, true] {
        let sim = Sim::new(download(wide(4, 1000)));
        let sim = if ordered { sim.ordered() } else { sim };
        let run = sim.run(|head, _| stored.answer(head));
        assert_eq!(run.requests.len(), 11);
        assert_eq!(run.requests[0], "GET /bucket/key bytes=0-999");
        assert_eq!(run.requests[10], "GET /bucket/key bytes=10000-10499");
        assert_eq!((run.peak, run.sink), (4, stored.bytes.to_vec()));
        assert_eq!(run.result.unwrap().head.size, Some(10_500));
    }
}

#[test]
fn a_small_object_is_one_request_in_parallel_too() {
    for length in [1, 999, 1000] {
        for ranges in [true, false] {
            let stored = Stored { ranges, ..Stored::new(length) };
            let run = serve(download(wide(4, 1000)), &stored);
            assert_eq!((run.requests.len(), run.sink), (1, stored.bytes.to_vec()));
        }
    }
}

#[test]
fn an_empty_object() {
    let stored = Stored::new(0).with(Algorithm::Crc32);
    let run = serve(download(DownloadOptions::default()), &stored);
    assert_eq!((run.requests.len(), run.result.unwrap().bytes), (1, 0));
    let run = serve(download(wide(4, 1000)), &stored);
    assert_eq!(run.requests, ["GET /bucket/key bytes=0-999", "GET /bucket/key"]);
    assert_eq!(run.result.unwrap().bytes, 0);
    let run = serve(get(wide(4, 1000), checked, |_| {}), &stored);
    assert_eq!(run.requests, ["HEAD /bucket/key", "GET /bucket/key"]);
    assert_eq!(run.result.unwrap().validation, Validation::Validated(Algorithm::Crc32));
    let all = |get: &mut GetObject| get.range = Some(ByteRange::From(0));
    let run = serve(get(DownloadOptions::default(), all, |_| {}), &stored);
    assert_eq!((run.requests.len(), run.result.unwrap().bytes), (1, 0));
}

// No range of an empty object exists: some servers respond with an empty 206 nevertheless.
#[test]
fn an_empty_206_without_a_range_is_an_empty_object() {
    for range in [None, Some("bytes */0"), Some("bytes 0--1/0"), Some("bytes 0-0/0")] {
        let part = |_: &request::Parts, _: &[u8]| {
            let answer = Answer::new(206).header("content-length", 0).header("etag", "\"e\"");
            range.map_or(answer.clone(), |range| answer.header("content-range", range))
        };
        let run = Sim::new(download(wide(4, 1000))).run(part);
        assert_eq!((run.requests.len(), run.result.unwrap().bytes), (1, 0), "{range:?}");
        for range in [ByteRange::From(0), ByteRange::Last(10)] {
            let call = GetObject { range: Some(range), ..GetObject::new("bucket", "key") };
            let run = Sim::new(Call::new(call, service(|_| {}), 1)).run(part);
            let head = run.result.unwrap().head;
            assert_eq!(head.size, Some(0));
        }
    }
    // Not where there is more than nothing, or where it begins elsewhere.
    let run = Sim::new(download(wide(4, 1000))).run(|_, _| Answer::new(206).body("a"));
    assert_eq!(failure(run).kind(), Kind::InvalidResponse);
    let empty = |range: Option<&str>| {
        let answer = Answer::new(206).header("content-length", 0);
        range.map_or(answer.clone(), |range| answer.header("content-range", range))
    };
    let run = Sim::new(download(wide(4, 1000))).run(|_, _| empty(Some("bytes 0-0/10")));
    assert_eq!(failure(run).kind(), Kind::InvalidResponse);
    let call = GetObject { range: Some(ByteRange::From(5)), ..GetObject::new("bucket", "key") };
    let run = Sim::new(Call::new(call, service(|_| {}), 1)).run(|_, _| empty(None));
    assert_eq!(run.result.unwrap_err().kind(), Kind::InvalidResponse);
}

#[test]
fn a_server_without_ranges_is_read_in_one_stream() {
    let stored = Stored { ranges: false, ..Stored::new(5000) };
    for told in [true, false] {
        let run = Sim::new(download(wide(4, 1000))).run(|head, _| {
            let mut answer = stored.answer(head);
            answer.headers.retain(|(name, _)| told || name != "content-length");
            answer
        });
        assert_eq!(run.requests, ["GET /bucket/key bytes=0-999", "GET /bucket/key"]);
        assert_eq!(run.sink, stored.bytes);
        assert_eq!(run.result.unwrap().bytes, 5000);
    }
    // After a HEAD ranges are asked for at once; that they are ignored is told, with what helps.
    let run = serve(get(wide(4, 1000), checked, |_| {}), &stored);
    assert_eq!((run.requests.len(), run.sink.len(), run.beyond), (5, 0, 0));
    let error = failure(run);
    assert!(
        error.kind() == Kind::InvalidResponse && error.hint().unwrap().contains("concurrency to 1")
    );
}

#[test]
fn ranges_of_the_caller_are_kept_in_both_modes() {
    let stored = Stored::new(5000).with(Algorithm::Crc32);
    for options in [DownloadOptions::default(), wide(3, 400)] {
        for (range, expected) in [
            (ByteRange::From(1234), 1234..5000),
            (ByteRange::Span(100..1500), 100..1500),
            (ByteRange::Span(4000..9000), 4000..5000),
            (ByteRange::Last(1300), 3700..5000),
            (ByteRange::Last(9000), 0..5000),
        ] {
            let set = |get: &mut GetObject| {
                get.range = Some(range.clone());
                get.checksum_mode = true;
            };
            // The whole object's checksum comes with a part of it, as some gateways send it.
            let run = cutting(get(options.clone(), set, |_| {}), &stored, &[11, 22, 33]);
            let done = run.result.unwrap();
            assert_eq!(run.sink, stored.bytes[expected.clone()], "{range:?}");
            assert_eq!(done.bytes, expected.len() as u64);
            assert_eq!(done.validation, Validation::NotValidated(NotValidatedReason::Partial));
            assert!(run.peak <= options.concurrency);
        }
    }
}

#[test]
fn ranges_that_can_not_be() {
    let stored = Stored::new(5000);
    #[expect(clippy::reversed_empty_ranges, reason = "a caller may write it")]
    for range in [ByteRange::Span(7..7), ByteRange::Span(7..3), ByteRange::Last(0)] {
        let set = |get: &mut GetObject| get.range = Some(range);
        let run = serve(get(DownloadOptions::default(), set, |_| {}), &stored);
        assert!(run.requests.is_empty());
        assert_eq!(failure(run).kind(), Kind::InvalidInput);
    }
    let part = |get: &mut GetObject| get.part_number = Some(1);
    assert_eq!(
        failure(serve(get(DownloadOptions::default(), part, |_| {}), &stored)).kind(),
        Kind::InvalidInput
    );
    for options in [DownloadOptions::default(), wide(3, 400)] {
        let beyond = |get: &mut GetObject| get.range = Some(ByteRange::From(6000));
        let error = failure(serve(get(options, beyond, |_| {}), &stored));
        assert_eq!((error.kind(), error.code()), (Kind::Refused, Some("InvalidRange")));
    }
}

#[test]
fn a_refusal_is_final_and_a_condition_of_the_callers_is_one() {
    let stored = Stored::new(5000);
    let other = |get: &mut GetObject| get.conditions = Conditions::matches(ETag::from("\"v0\""));
    for options in [DownloadOptions::default(), wide(3, 1000)] {
        let run = Sim::new(download(options.clone())).run(|_, _| Answer::error(404, "NoSuchKey"));
        assert_eq!(run.requests.len(), 1);
        let error = failure(run);
        assert_eq!((error.code(), error.operation()), (Some("NoSuchKey"), Some("GetObject")));
        let error = failure(serve(get(options, other, |_| {}), &stored));
        assert!(error.kind() == Kind::Refused && error.is_precondition_failed(), "{error}");
    }
}

#[test]
fn throttling_waits_as_long_as_the_server_says() {
    let stored = Stored::new(100);
    let mut requests = 0;
    let run = Sim::new(download(DownloadOptions::default())).run(|head, _| {
        requests += 1;
        if requests == 1 {
            return Answer::error(503, "SlowDown").header("retry-after", 7);
        }
        stored.answer(head)
    });
    assert_eq!((run.requests.len(), run.sink), (2, stored.bytes.to_vec()));
    assert_eq!(run.elapsed, Duration::from_millis(7020));
}

#[test]
fn a_redirect_to_the_buckets_region_is_followed_once() {
    for (options, known) in [(DownloadOptions::default(), true), (wide(3, 1000), true)] {
        let stored = Stored::new(2500);
        let mut requests = 0;
        let run = Sim::new(download(options)).run(|head, _| {
            requests += 1;
            if requests == 1 {
                let answer = Answer::error(301, "PermanentRedirect");
                return answer.header("x-amz-bucket-region", "eu-west-1");
            }
            stored.answer(head)
        });
        assert_eq!(run.result.is_ok(), known);
        assert_eq!(run.sink, stored.bytes);
    }
    let mut regions = ["eu-west-1", "eu-west-2", "eu-west-3"].into_iter();
    let run = Sim::new(download(DownloadOptions::default())).run(|_, _| {
        let region = regions.next().unwrap();
        Answer::error(301, "PermanentRedirect").header("x-amz-bucket-region", region)
    });
    assert_eq!(run.requests.len(), 2);
    assert_eq!(failure(run).status().unwrap(), 301);
}

#[test]
fn attempts_count_from_the_last_progress() {
    let options = DownloadOptions::default;
    // More cuts with a sixteenth of the rest each than a client's budget has, which cost it nothing
    // in the end.
    let stored = Stored::new(1_000_000);
    let (mut left, mut cuts) = (1_000_000, Vec::new());
    while left > 1 {
        cuts.push((left / 16).max(1));
        left -= cuts[cuts.len() - 1];
    }
    assert!(cuts.len() > 100);
    let run = cutting(download(options()), &stored, &cuts);
    assert_eq!((run.requests.len(), run.result.unwrap().bytes), (cuts.len() + 1, 1_000_000));
    // Five without.
    let stored = Stored::new(1000);
    let run = cutting(download(options()), &stored, &[100, 0, 0, 0, 0, 0]);
    assert_eq!(run.requests.len(), 6);
    let error = failure(run);
    assert_eq!((error.kind(), error.attempts()), (Kind::Transport, 6));
    // The caller's limit of attempts holds, with and without progress.
    let limited = DownloadOptions { total_attempts: Some(3), ..options() };
    let run = cutting(download(limited), &stored, &[1; 30]);
    assert_eq!((run.requests.len(), run.sink.len()), (3, 3));
    assert_eq!(run.pump.machine().delivered(), 3);
    assert_eq!(failure(run).exchange_error().unwrap().kind(), ExchangeErrorKind::Cut);
}

#[test]
fn cancelling_waits_for_what_is_in_flight_and_asks_for_no_more() {
    let stored = Stored::new(100_000);
    for (set, options) in [
        (checked as fn(&mut GetObject), wide(4, 1000)),
        (|_| {}, wide(4, 1000)),
        (|_| {}, DownloadOptions::default()),
    ] {
        for at in [0, 5, 15, 25, 35] {
            let machine = get(options.clone(), set, |_| {});
            let sim = Sim::new(machine).cancel_at(Duration::from_millis(at), OnFailure::Abort);
            let slow = Duration::from_millis(10);
            let run = sim.run(|head, _| stored.answer(head).after(slow).cut(400));
            assert!(run.result.unwrap_err().is_cancelled(), "{at} {:?}", run.requests);
            assert!(run.elapsed <= Duration::from_millis(at + 10));
        }
    }
}

#[test]
fn the_range_that_is_waited_for_can_always_be_asked_for_again() {
    // The sink takes bytes in order, so that ranges behind a cut one stay in flight until it has
    // come.
    let stored = Stored::new(20_000);
    let mut cut = 0;
    let run = Sim::new(download(wide(3, 1000))).ordered().run(|head, _| {
        let answer = stored.answer(head);
        cut += 1;
        if cut % 3 == 0 { answer.cut(500).after(Duration::from_millis(1)) } else { answer }
    });
    assert_eq!((run.peak, run.dismissed, run.sink), (3, 0, stored.bytes.to_vec()));
}

#[test]
fn completions_that_nobody_waits_for_are_ignored() {
    let now = Now::new(Duration::from_secs(1), Duration::from_secs(2));
    let stray = |number: u32| {
        let mut draft = Draft::new("GetObject", Method::GET, Uri::from_static("http://localhost/"));
        draft.ticket = Ticket::new(1).nested(number);
        Exchange::open(draft, now, 0).fail(ExchangeError::cancelled())
    };
    let mut machine = get(wide(2, 1000), checked, |_| {});
    for number in 0..4 {
        machine.complete(now, stray(number));
    }
    let Step::Send(head) = machine.poll(now) else { panic!("it starts with a HEAD") };
    for number in 1..4 {
        machine.complete(now, stray(number));
    }
    assert!(matches!(machine.poll(now), Step::Wait(None)));
    machine.complete(now, Exchange::open(head, now, 0).fail(ExchangeError::cancelled()));
    let Step::Done(result) = machine.poll(now) else { panic!("its HEAD was given up") };
    assert!(result.unwrap_err().is_cancelled());
    for number in 0..4 {
        machine.complete(now, stray(number));
    }
    assert!(matches!(machine.poll(now), Step::Wait(None)));
}

#[test]
fn it_goes_under_the_authority_that_it_is_told() {
    for set in [checked as fn(&mut GetObject), |_| {}] {
        let run = serve(get(wide(2, 1000), set, |_| {}).with_auth(3), &Stored::new(10));
        assert!(run.requests.is_empty());
        assert!(failure(run).message().contains("position 3"));
    }
}
