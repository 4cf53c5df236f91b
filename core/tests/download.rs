//! Reading an object: resumed, in ranges, checked, never short and never mixed.
//!
//! The server behaves as RFC 9110 (sections 13 to 15) and the S3 API reference say; where real ones
//! don't, the test names what they do instead.

mod support;

use std::time::Duration;

use apus_core::checksum::{Algorithm, Composite, ResponseChecksumValidation, Verdict, Why};
use apus_core::contract::Leave;
use apus_core::error::Cause;
use apus_core::http::ContentRange;
use apus_core::machine::{Download, DownloadOptions, Downloaded};
use apus_core::s3::{ByteRange, Conditions, Config, ETag, GetObject};
use apus_core::{Error, Kind};
use bytes::Bytes;
use http::request;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use self::support::{Answer, Run, Sim, object, service};

/// An object as a server keeps it.
#[derive(Clone)]
struct Stored {
    bytes: Bytes,
    etag: Option<&'static str>,
    checksum: Option<(Algorithm, String)>,
    /// Whether `If-Match` is obeyed.
    conditional: bool,
    /// Whether `Range` is.
    ranges: bool,
}

impl Stored {
    fn new(length: usize) -> Self {
        let bytes = object(length);
        Self { bytes, etag: Some("\"v1\""), checksum: None, conditional: true, ranges: true }
    }

    fn with(self, algorithm: Algorithm) -> Self {
        let value = algorithm.digest(&self.bytes).unwrap().base64();
        Self { checksum: Some((algorithm, value)), ..self }
    }

    fn answer(&self, head: &request::Parts) -> Answer {
        let text = |name| head.headers.get(name).map(|value| value.to_str().unwrap());
        let mut answer = Answer::new(200);
        if let Some(etag) = self.etag {
            answer = answer.header("etag", etag);
        }
        if let Some(tag) = text("if-match").filter(|_| self.conditional) {
            if Some(tag) != self.etag {
                return Answer::error(412, "PreconditionFailed");
            }
        }
        let length = self.bytes.len();
        let range = text("range").filter(|_| self.ranges).map(|range| {
            let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
            let start = first.parse().unwrap();
            start..last.parse().map_or(length, |last: usize| last + 1).min(length)
        });
        if let Some((algorithm, value)) = &self.checksum {
            answer = answer.header(algorithm.header().as_str(), value);
        }
        match range {
            None if head.method == "HEAD" => answer.header("content-length", length),
            None => answer.body(self.bytes.clone()),
            // Without Content-Range, as Ceph answers.
            Some(range) if range.start >= length => Answer::error(416, "InvalidRange"),
            Some(range) => {
                let told = format!("bytes {}-{}/{length}", range.start, range.end - 1);
                answer.status = 206;
                answer.header("content-range", told).body(self.bytes.slice(range))
            }
        }
    }
}

fn download(options: DownloadOptions) -> Download {
    get(options, |_| {}, |_| {})
}

fn get(
    options: DownloadOptions,
    set: impl FnOnce(&mut GetObject),
    config: impl FnOnce(&mut Config),
) -> Download {
    let mut get = GetObject::new("bucket", "key");
    set(&mut get);
    Download::new(get, service(config), options, 7)
}

fn wide(width: usize, range_size: u64) -> DownloadOptions {
    DownloadOptions { width, range_size, ..DownloadOptions::default() }
}

fn checked(get: &mut GetObject) {
    get.checksum_mode = true;
}

fn serve(machine: Download, stored: &Stored) -> Run<Downloaded> {
    Sim::new(machine).run(|head, _| stored.answer(head))
}

/// Cut after these many bytes, one request after the other, then served.
fn cutting(machine: Download, stored: &Stored, cuts: &[usize]) -> Run<Downloaded> {
    let mut cuts = cuts.iter();
    Sim::new(machine).run(|head, _| match cuts.next() {
        Some(after) => stored.answer(head).cut(*after),
        None => stored.answer(head),
    })
}

fn failure(run: Run<Downloaded>) -> Error {
    run.result.expect_err("should fail")
}

#[test]
fn one_request_is_enough_where_nothing_goes_wrong() {
    let stored = Stored::new(5000);
    let run = serve(download(DownloadOptions::default()), &stored);
    let done = run.result.unwrap();
    assert_eq!(run.requests, ["GET /bucket/key"]);
    assert_eq!(run.sink, stored.bytes);
    assert_eq!((done.bytes, done.head.size), (5000, Some(5000)));
    assert_eq!(done.verdict, Verdict::NotValidated(Why::NotAsked));
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
        assert_eq!(run.result.unwrap().verdict, Verdict::Validated(algorithm));
    }
}

#[test]
fn a_body_that_is_cut_behind_its_last_byte_is_complete() {
    let stored = Stored::new(500);
    let run = cutting(download(DownloadOptions::default()), &stored, &[500]);
    assert_eq!((run.requests.len(), run.result.unwrap().bytes), (1, 500));
}

#[test]
fn bytes_that_differ_from_the_servers_checksum_are_told() {
    for options in [DownloadOptions::default(), wide(3, 1000)] {
        let mut stored = Stored::new(5000).with(Algorithm::Crc32c);
        stored.bytes = object(5001).slice(1..);
        let run = serve(get(options, checked, |_| {}), &stored);
        let error = failure(run);
        assert_eq!(error.kind(), Kind::Integrity);
        assert!(error.what().contains("CRC32C"), "{error}");
    }
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
            let error = failure(run);
            assert_eq!(error.kind(), Kind::Integrity, "{error}");
            assert!(error.what().contains("changed"), "{error}");
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
fn before_the_first_byte_an_object_may_change() {
    let first = Stored::new(5000).with(Algorithm::Crc32);
    let second = Stored { etag: Some("\"v2\""), ..Stored::new(800).with(Algorithm::Sha1) };
    let mut requests = 0;
    let run = Sim::new(get(DownloadOptions::default(), checked, |_| {})).run(|head, _| {
        requests += 1;
        if requests == 1 { first.answer(head).cut(0) } else { second.answer(head) }
    });
    assert_eq!(run.sink, second.bytes);
    assert_eq!(run.result.unwrap().verdict, Verdict::Validated(Algorithm::Sha1));
}

#[test]
fn a_resume_that_is_answered_with_the_whole_object_is_an_error() {
    let stored = Stored { ranges: false, ..Stored::new(5000) };
    let run = cutting(download(DownloadOptions::default()), &stored, &[700]);
    assert_eq!((run.requests.len(), run.sink.len()), (2, 700));
    let error = failure(run);
    assert_eq!(error.kind(), Kind::Broken);
    assert!(error.hint().unwrap().contains("ignores `Range`"), "{error}");
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
fn checksums_of_ranges_combine_to_that_of_the_object() {
    for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
        let stored = Stored::new(10_500).with(algorithm);
        let mut conditions = 0;
        let machine = get(wide(4, 1000), checked, |_| {});
        let run = Sim::new(machine).run(|head, _| {
            let asks = head.headers.contains_key("x-amz-checksum-mode");
            assert!(head.method != "HEAD" || asks);
            conditions += usize::from(head.headers.contains_key("if-match"));
            stored.answer(head)
        });
        assert_eq!(run.requests[0], "HEAD /bucket/key");
        assert_eq!((run.requests.len(), conditions, run.peak), (12, 11, 4));
        let done = run.result.unwrap();
        assert_eq!(done.verdict, Verdict::Validated(algorithm));
        assert_eq!(done.digests.value(algorithm), algorithm.digest(&stored.bytes).ok().as_ref());
        assert_eq!(run.sink, stored.bytes);
    }
}

#[test]
fn a_checksum_that_does_not_combine_is_computed_over_one_stream() {
    let stored = Stored::new(10_500).with(Algorithm::Sha256);
    let run = cutting(get(wide(4, 1000), checked, |_| {}), &stored, &[0, 3000]);
    assert_eq!(
        run.requests,
        ["HEAD /bucket/key", "GET /bucket/key", "GET /bucket/key bytes=3000-"]
    );
    assert_eq!(run.result.unwrap().verdict, Verdict::Validated(Algorithm::Sha256));
}

#[test]
fn digests_of_the_callers_choice() {
    let stored = Stored::new(4000);
    let of = |digests: &[Algorithm], width| {
        let options = DownloadOptions { digests: digests.to_vec(), ..wide(width, 1000) };
        let run = serve(download(options), &stored);
        let done = run.result.unwrap();
        for algorithm in digests {
            let expected = algorithm.digest(&stored.bytes).ok();
            assert_eq!(done.digests.value(*algorithm), expected.as_ref());
        }
        run.requests.len()
    };
    assert_eq!(of(&[Algorithm::Crc32, Algorithm::Crc64Nvme], 4), 4);
    assert_eq!(of(&[Algorithm::Md5, Algorithm::Sha512], 1), 1);
    // MD5 only goes forward, so that one stream is read.
    assert_eq!(of(&[Algorithm::Md5], 4), 1);
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
    assert_eq!(run.result.unwrap().verdict, Verdict::Validated(Algorithm::Crc32));
    let all = |get: &mut GetObject| get.range = Some(ByteRange::From(0));
    let run = serve(get(DownloadOptions::default(), all, |_| {}), &stored);
    assert_eq!((run.requests.len(), run.result.unwrap().bytes), (1, 0));
}

#[test]
fn a_server_without_ranges_is_read_in_one_stream() {
    let stored = Stored { ranges: false, ..Stored::new(5000) };
    let run = serve(download(wide(4, 1000)), &stored);
    assert_eq!(run.requests, ["GET /bucket/key bytes=0-999", "GET /bucket/key"]);
    assert_eq!(run.sink, stored.bytes);
    assert_eq!(run.result.unwrap().bytes, 5000);
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
            assert_eq!(done.verdict, Verdict::NotValidated(Why::Partial));
            assert!(run.peak <= options.width);
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
        assert_eq!(failure(run).kind(), Kind::Caller);
    }
    let part = |get: &mut GetObject| get.part_number = Some(1);
    assert_eq!(
        failure(serve(get(DownloadOptions::default(), part, |_| {}), &stored)).kind(),
        Kind::Caller
    );
    for options in [DownloadOptions::default(), wide(3, 400)] {
        let beyond = |get: &mut GetObject| get.range = Some(ByteRange::From(6000));
        let error = failure(serve(get(options, beyond, |_| {}), &stored));
        assert_eq!((error.kind(), error.code()), (Kind::Refused, Some("InvalidRange")));
    }
}

#[test]
fn what_was_not_checked_says_why() {
    let supported = |config: &mut Config| {
        config.checksum.enable_data_integrity_protection = true;
        config.checksum.response = ResponseChecksumValidation::WhenSupported;
    };
    let never = |config: &mut Config| {
        config.checksum.enable_data_integrity_protection = true;
        config.checksum.response = ResponseChecksumValidation::Never;
    };
    let parts = [&object(5000)[..3000], &object(5000)[3000..]];
    let composite =
        Composite::of(parts.map(|part| Algorithm::Sha256.digest(part).unwrap())).unwrap();
    let composite =
        Stored { checksum: Some((Algorithm::Sha256, composite.to_string())), ..Stored::new(5000) };
    let plain = Stored::new(5000);
    let crc = Stored::new(5000).with(Algorithm::Crc32);
    let verdict = |machine, stored: &Stored| serve(machine, stored).result.unwrap().verdict;
    for options in [DownloadOptions::default(), wide(3, 1000)] {
        let of = |set: fn(&mut GetObject), config: fn(&mut Config), stored: &Stored| {
            verdict(get(options.clone(), set, config), stored)
        };
        assert_eq!(of(checked, supported, &plain), Verdict::NotValidated(Why::Absent));
        assert_eq!(of(|_| {}, supported, &crc), Verdict::Validated(Algorithm::Crc32));
        assert_eq!(of(|_| {}, |_| {}, &crc), Verdict::NotValidated(Why::Unasked));
        assert_eq!(of(|_| {}, |_| {}, &plain), Verdict::NotValidated(Why::NotAsked));
        assert_eq!(of(checked, never, &crc), Verdict::NotValidated(Why::Unasked));
        assert_eq!(of(checked, never, &plain), Verdict::NotValidated(Why::NotAsked));
        assert_eq!(of(checked, |_| {}, &composite), Verdict::NotValidated(Why::Composite));
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
    let stored = Stored::new(1000);
    let options = DownloadOptions::default;
    // Thirty cuts, with a byte each.
    let run = cutting(download(options()), &stored, &[1; 30]);
    assert_eq!((run.requests.len(), run.result.unwrap().bytes), (31, 1000));
    // Five without.
    let run = cutting(download(options()), &stored, &[1, 0, 0, 0, 0, 0]);
    assert_eq!(run.requests.len(), 6);
    let error = failure(run);
    assert_eq!((error.kind(), error.attempts()), (Kind::Wire, 6));
    // No more than the caller wants, progress or not.
    let limited = DownloadOptions { total_attempts: Some(3), ..options() };
    let run = cutting(download(limited), &stored, &[1; 30]);
    assert_eq!((run.requests.len(), run.sink.len()), (3, 3));
    assert_eq!(failure(run).failure().unwrap().cause(), Cause::Cut);
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
            let sim = Sim::new(machine).cancel_at(Duration::from_millis(at), Leave::Abort);
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
    assert_eq!((run.peak, run.sink), (3, stored.bytes.to_vec()));
}

/// What goes wrong with one request.
#[derive(Clone, Debug)]
enum Fault {
    None,
    Cut(usize),
    Lost(Cause),
    Status(u16, &'static str),
    Slow(u64),
    /// A range that was not asked for.
    Shifted,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::None),
        4 => (0usize..900).prop_map(Fault::Cut),
        2 => prop_oneof![Just(Cause::Closed), Just(Cause::Timeout), Just(Cause::Connect)]
            .prop_map(Fault::Lost),
        2 => prop_oneof![
            9 => Just(Fault::Status(503, "SlowDown")),
            9 => Just(Fault::Status(500, "InternalError")),
            1 => Just(Fault::Status(403, "AccessDenied")),
            1 => Just(Fault::Status(404, "NoSuchKey")),
        ],
        2 => (0u64..5000).prop_map(Fault::Slow),
        1 => Just(Fault::Shifted),
    ]
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(400))]

    // Whatever happens, the sink has exactly the object, or the result is an error and the sink a
    // beginning of it; and twice the same happens.
    #[test]
    fn exactly_the_object_or_an_error(
        length in 0usize..6000,
        width in 1usize..5,
        range_size in 1u64..2000,
        faults in vec(fault(), 0..25),
        changes in prop_oneof![2 => Just(usize::MAX), 1 => 0usize..15],
        algorithm in prop_oneof![
            Just(None), Just(Some(Algorithm::Crc32)), Just(Some(Algorithm::Crc64Nvme)),
            Just(Some(Algorithm::Sha1)),
        ],
        (validate, conditional, ordered) in (any::<bool>(), any::<bool>(), any::<bool>()),
        range in prop_oneof![
            3 => Just(None),
            1 => (0u64..5000).prop_map(|at| Some(ByteRange::From(at))),
            1 => (0u64..3000, 1u64..4000).prop_map(|(at, size)| Some(ByteRange::Span(at..at + size))),
            1 => (1u64..7000).prop_map(|size| Some(ByteRange::Last(size))),
        ],
    ) {
        let range_size = range_size.max(length as u64 / 40).max(1);
        let mut first = Stored { conditional, ..Stored::new(length) };
        let mut second = first.clone();
        second.etag = Some("\"v2\"");
        second.bytes = vec![0xEE; length].into();
        if let Some(algorithm) = algorithm {
            (first, second) = (first.with(algorithm), second.with(algorithm));
        }
        let once = || {
            let set = |get: &mut GetObject| {
                get.checksum_mode = validate;
                get.range = range.clone();
            };
            let mut schedule = faults.iter();
            let mut requests = 0;
            let sim = Sim::new(get(wide(width, range_size), set, |_| {}));
            let sim = if ordered { sim.ordered() } else { sim };
            sim.run(|head, _| {
                let fault = schedule.next().unwrap_or(&Fault::None);
                let stored = if requests < changes { &first } else { &second };
                requests += 1;
                let answer = stored.answer(head);
                match fault {
                    Fault::Cut(after) => answer.cut(*after),
                    Fault::Lost(cause) => Answer::lost(*cause),
                    Fault::Status(status, code) => Answer::error(*status, code),
                    Fault::Slow(millis) => answer.after(Duration::from_millis(*millis)),
                    Fault::Shifted => shifted(answer),
                    Fault::None => answer,
                }
            })
        };
        let run = once();
        proptest::prop_assert!(run.peak <= width, "{} at once", run.peak);
        let wanted = match &range {
            None => 0..length,
            Some(ByteRange::From(start)) => (*start as usize).min(length)..length,
            Some(ByteRange::Span(span)) => {
                (span.start as usize).min(length)..(span.end as usize).min(length)
            }
            Some(ByteRange::Last(size)) => length.saturating_sub(*size as usize)..length,
        };
        let (old, new) = (&first.bytes[wanted.clone()], &second.bytes[wanted]);
        match &run.result {
            Ok(done) => {
                proptest::prop_assert!(run.sink == old || run.sink == new);
                proptest::prop_assert_eq!(done.bytes, run.sink.len() as u64);
                proptest::prop_assert_eq!(run.beyond, 0);
                let validated = validate && algorithm.is_some()
                    && matches!(range, None | Some(ByteRange::From(0)));
                proptest::prop_assert_eq!(done.verdict.is_validated(), validated);
            }
            Err(_) => proptest::prop_assert!(old.starts_with(&run.sink) || new.starts_with(&run.sink)),
        }
        let again = once();
        proptest::prop_assert_eq!(&again.requests, &run.requests);
        proptest::prop_assert_eq!(again.elapsed, run.elapsed);
        proptest::prop_assert_eq!(again.sink, run.sink);
    }
}

/// The same answer, of a range one byte later.
fn shifted(mut answer: Answer) -> Answer {
    for (name, value) in &mut answer.headers {
        if name == "content-range" {
            let range = ContentRange::parse(value).and_then(|told| told.range).unwrap();
            *value = format!("bytes {}-{}/99999", range.start + 1, range.end);
        }
    }
    answer
}
