//! Downloads of plain Swift objects: resumed, validated, never short without an error.

use std::time::Duration;

use apus_core::Kind;
use apus_core::checksum::{Algorithm, NotValidatedReason, Validation};
use apus_core::contract::OnFailure;
use apus_core::error::ExchangeErrorKind;
use apus_core::http::ByteRange;
use apus_core::machine::{DownloadOptions, SwiftDownload};
use apus_core::swift::GetObject;
use bytes::Bytes;

use crate::support::swift::{Store, Tokens, md5, service};
use crate::support::{Answer, Run, Sim, object};

fn get(options: DownloadOptions, set: impl FnOnce(&mut GetObject)) -> SwiftDownload {
    let mut get = GetObject::new("c", "o");
    set(&mut get);
    SwiftDownload::new(get, service(), options, 7)
}

fn sim(machine: SwiftDownload) -> Sim<SwiftDownload> {
    Sim::with_auth(machine, Tokens::auth())
}

fn store(bytes: &Bytes) -> Store {
    let mut store = Store::new();
    store.put("c/o", bytes.clone());
    store
}

/// Cut after these many bytes, one GET after the other, then served.
fn cutting(machine: SwiftDownload, store: &mut Store, cuts: &[usize]) -> Run<SwiftDownload> {
    let mut cuts = cuts.iter();
    sim(machine).run(|head, body| {
        let answer = store.answer(head, body);
        match (head.method == "GET").then(|| cuts.next()).flatten() {
            Some(after) => answer.cut(*after),
            None => answer,
        }
    })
}

fn wide(concurrency: usize, range_size: u64) -> DownloadOptions {
    DownloadOptions { concurrency, range_size, ..DownloadOptions::default() }
}

#[test]
fn a_plain_object_is_checked_against_its_md5() {
    let bytes = object(1000);
    let run = cutting(get(DownloadOptions::default(), |_| {}), &mut store(&bytes), &[]);
    let done = run.result.unwrap();
    assert_eq!(run.requests, ["HEAD /v1/AUTH_a/c/o", "GET /v1/AUTH_a/c/o"]);
    assert!(run.sink == bytes && done.bytes == 1000);
    assert_eq!(done.validation, Validation::Validated(Algorithm::Md5));
    assert_eq!(done.digests.value(Algorithm::Md5).unwrap().hex(), md5(&bytes));
    assert_eq!(done.head.etag.unwrap().opaque(), md5(&bytes));
}

#[test]
fn what_was_cut_goes_on_after_the_last_byte_if_the_object_is_the_same() {
    let bytes = object(1000);
    let tag = md5(&bytes);
    let mut store = store(&bytes);
    let mut cuts = [None, Some(0), Some(300), Some(1), None].into_iter();
    let run = sim(get(DownloadOptions::default(), |_| {})).run(|head, body| {
        if head.method == "GET" {
            assert_eq!(head.headers["if-match"].to_str().unwrap().trim_matches('"'), tag);
            assert!(!head.headers.contains_key("if-range"), "Swift ignores it");
        }
        let answer = store.answer(head, body);
        match cuts.next().unwrap() {
            Some(after) => answer.cut(after),
            None => answer,
        }
    });
    let get = "GET /v1/AUTH_a/c/o";
    let expected = [get.to_owned(), get.to_owned(), format!("{get} bytes=300-")];
    assert_eq!(run.requests[1..4], expected);
    assert_eq!(run.requests[4..], [format!("{get} bytes=301-")]);
    assert!(run.sink == bytes);
    assert!(run.result.unwrap().validation.is_validated());
}

#[test]
fn each_attempt_has_a_token_of_its_own() {
    let bytes = object(1000);
    let mut store = store(&bytes);
    let (mut valid, mut refused) = (0, 0);
    let run = sim(get(DownloadOptions::default(), |_| {})).run(|head, body| {
        if head.headers["x-auth-token"] != valid.to_string().as_str() {
            refused += 1;
            return Answer::new(401);
        }
        // Every token is valid for one request.
        valid += 1;
        store.answer(head, body).cut(100)
    });
    assert!(run.sink == bytes);
    assert!(run.result.unwrap().validation.is_validated());
    // The HEAD's first token was good; each of the ten GETs met an old one first.
    assert_eq!((valid, refused), (11, 10));
}

#[test]
fn another_object_is_never_glued_to_the_first_one() {
    let (first, second) = (object(1000), Bytes::from(vec![7; 1000]));
    // Obeying `If-Match`, ignoring it, and ignoring `Range` as well.
    for how in 0..3 {
        let mut store = store(&first);
        let mut requests = 0;
        let run = sim(get(DownloadOptions::default(), |_| {})).run(|head, body| {
            requests += 1;
            if requests < 3 {
                return store.answer(head, body).cut(400);
            }
            store.put("c/o", second.clone());
            let mut head = head.clone();
            if how > 0 {
                head.headers.remove("if-match");
            }
            if how > 1 {
                head.headers.remove("range");
            }
            store.answer(&head, body)
        });
        assert_eq!(run.result.unwrap_err().kind(), Kind::Integrity, "{how}");
        assert!(run.requests.len() == 3 && run.sink == first[..400], "{how}");
    }
}

#[test]
fn all_of_it_instead_of_the_rest_is_an_error_of_integrity() {
    let bytes = object(1000);
    let mut store = store(&bytes);
    let mut requests = 0;
    let run = sim(get(DownloadOptions::default(), |_| {})).run(|head, body| {
        requests += 1;
        let mut head = head.clone();
        head.headers.remove("range");
        store.answer(&head, body).cut(400)
    });
    let error = run.result.unwrap_err();
    assert_eq!(error.kind(), Kind::Integrity);
    assert!(error.to_string().contains("the whole object, but the rest"), "{error}");
    assert_eq!((error.request_id(), run.requests.len()), (Some("tx1"), 3));
    assert!(run.sink == bytes[..400]);
}

#[test]
fn damaged_bytes_are_an_error_and_an_encrypting_gateway_can_be_left_unchecked() {
    let bytes = object(1000);
    let damaged = |unchecked| {
        let mut store = store(&bytes);
        let machine = get(DownloadOptions::default(), |get| get.unchecked = unchecked);
        sim(machine).run(|head, body| {
            let answer = store.answer(head, body);
            let mut body = answer.body.to_vec();
            if let Some(byte) = body.get_mut(500) {
                *byte ^= 1;
            }
            Answer { body: body.into(), ..answer }
        })
    };
    let error = damaged(false).result.unwrap_err();
    assert_eq!(error.kind(), Kind::Integrity);
    assert!(error.to_string().contains(&md5(&bytes)), "{error}");
    let done = damaged(true).result.unwrap();
    assert_eq!(done.validation, Validation::NotValidated(NotValidatedReason::Unasked));
}

#[test]
fn a_tag_in_quotes_is_an_md5_too_and_another_one_says_nothing() {
    let bytes = object(100);
    for (tag, verdict) in [
        (format!("\"{}\"", md5(&bytes)), Validation::Validated(Algorithm::Md5)),
        (md5(&bytes).to_uppercase(), Validation::Validated(Algorithm::Md5)),
        (
            "\"8f481cede6d2ddc07cb36aa084d9a64d-3\"".to_owned(),
            Validation::NotValidated(NotValidatedReason::Absent),
        ),
        (String::new(), Validation::NotValidated(NotValidatedReason::Absent)),
    ] {
        let mut store = store(&bytes);
        let run = sim(get(DownloadOptions::default(), |_| {})).run(|head, body| {
            let mut head = head.clone();
            head.headers.remove("if-match");
            let mut answer = store.answer(&head, body);
            answer.headers.retain(|(name, _)| name != "etag");
            if tag.is_empty() { answer } else { answer.header("etag", &tag) }
        });
        assert_eq!(run.result.unwrap().validation, verdict, "{tag}");
    }
}

#[test]
fn ranges_are_read_and_said_to_be_unchecked() {
    let bytes = object(1000);
    for (range, wanted) in [
        (ByteRange::From(0), 0..1000),
        (ByteRange::From(990), 990..1000),
        (ByteRange::Span(10..20), 10..20),
        (ByteRange::Span(990..5000), 990..1000),
        (ByteRange::Last(10), 990..1000),
        (ByteRange::Last(5000), 0..1000),
    ] {
        for concurrency in [1, 3] {
            let machine = get(wide(concurrency, 4), |get| get.range = Some(range.clone()));
            let run = cutting(machine, &mut store(&bytes), &[0, 3, 1]);
            let done = run.result.unwrap();
            assert!(run.sink == bytes[wanted.clone()], "{range:?}");
            let whole = range == ByteRange::From(0);
            assert_eq!(done.validation.is_validated(), whole, "{range:?}");
        }
    }
    for range in [ByteRange::From(1000), ByteRange::From(5000), ByteRange::Span(1000..1001)] {
        let machine = get(wide(1, 4), |get| get.range = Some(range.clone()));
        let error = cutting(machine, &mut store(&bytes), &[]).result.unwrap_err();
        assert_eq!((error.kind(), error.status().unwrap().as_u16()), (Kind::Refused, 416));
    }
    for range in [ByteRange::Last(0), ByteRange::Span(5..5)] {
        let machine = get(wide(1, 4), |get| get.range = Some(range.clone()));
        let error = cutting(machine, &mut store(&bytes), &[]).result.unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidInput);
    }
}

#[test]
fn ranges_in_parallel_where_nothing_is_checked() {
    let bytes = object(1000);
    let machine = get(wide(4, 50), |get| get.unchecked = true);
    let run = cutting(machine, &mut store(&bytes), &[10, 0, 49, 3]);
    assert!(run.peak == 4 && run.sink == bytes);
    assert_eq!(
        run.result.unwrap().validation,
        Validation::NotValidated(NotValidatedReason::Unasked)
    );
    // An MD5 is computed in one go.
    let run = cutting(get(wide(4, 50), |_| {}), &mut store(&bytes), &[10]);
    assert_eq!((run.peak, run.requests.len()), (1, 3));
    assert!(run.sink == bytes);
    assert!(run.result.unwrap().validation.is_validated());
}

#[test]
fn an_empty_object_is_read_and_checked() {
    for concurrency in [1, 3] {
        let run = cutting(get(wide(concurrency, 10), |_| {}), &mut store(&Bytes::new()), &[]);
        let done = run.result.unwrap();
        assert_eq!((done.bytes, run.sink.len()), (0, 0));
        assert_eq!(done.validation, Validation::Validated(Algorithm::Md5));
    }
}

#[test]
fn attempts_are_counted_anew_with_progress_unless_there_is_a_total() {
    let bytes = object(1000);
    let ten = [100; 10];
    let run = cutting(get(DownloadOptions::default(), |_| {}), &mut store(&bytes), &ten);
    assert_eq!(run.requests.len(), 11);
    assert!(run.sink == bytes);
    // glance's `swift_store_retry_get_count`.
    for (retries, requests) in [(0, 2), (3, 5)] {
        let options = DownloadOptions::default().with_retries(retries);
        let run = cutting(get(options, |_| {}), &mut store(&bytes), &ten);
        let error = run.result.unwrap_err();
        assert_eq!(run.requests.len(), requests);
        assert_eq!((error.kind(), error.attempts()), (Kind::Transport, retries + 1));
        assert_eq!(error.exchange_error().unwrap().kind(), ExchangeErrorKind::Cut);
        assert_eq!(run.sink.len(), 100 * (retries as usize + 1));
    }
    // Without progress it ends after `RetryPolicy::attempts`.
    let run = cutting(get(DownloadOptions::default(), |_| {}), &mut store(&bytes), &[0; 99]);
    assert_eq!((run.result.unwrap_err().attempts(), run.requests.len()), (5, 6));
}

#[test]
fn resets_and_refusals_that_pass_are_waited_out() {
    let bytes = object(1000);
    for fault in [
        Answer::lost(ExchangeErrorKind::Closed),
        Answer::lost(ExchangeErrorKind::Timeout),
        Answer::lost(ExchangeErrorKind::Connect),
        Answer::new(503),
        Answer::new(498),
        Answer::new(429).header("retry-after", 30),
        Answer::new(408),
    ] {
        let mut store = store(&bytes);
        let mut requests = 0;
        let run = sim(get(DownloadOptions::default(), |_| {})).run(|head, body| {
            requests += 1;
            match requests {
                1 | 3 => fault.clone(),
                _ => store.answer(head, body).cut(999),
            }
        });
        assert_eq!((run.sink.len(), run.requests.len()), (1000, 5), "{fault:?}");
        assert!(run.result.unwrap().validation.is_validated());
    }
}

#[test]
fn an_object_that_is_not_there_or_may_not_be_read() {
    for (status, is) in [(404, "not found"), (403, "denied")] {
        let run = sim(get(DownloadOptions::default(), |_| {})).run(|_, _| Answer::new(status));
        let error = run.result.unwrap_err();
        assert_eq!(error.is_not_found(), is == "not found");
        assert_eq!(error.is_denied(), is == "denied");
        assert_eq!(run.requests.len(), 1);
    }
    let machine = get(DownloadOptions::default(), |get| get.part_number = Some(1));
    let run = sim(machine).run(|_, _| unreachable!("nothing is sent"));
    assert_eq!(run.result.unwrap_err().kind(), Kind::InvalidInput);
}

#[test]
fn a_cancelled_download_sends_nothing_more() {
    for millis in [0, 5, 15, 45] {
        let options =
            DownloadOptions { concurrency: 1, range_size: 10, ..DownloadOptions::default() };
        let sim = Sim::with_auth(get(options, |_| {}), Tokens::auth());
        let sim = sim.cancel_at(Duration::from_millis(millis), OnFailure::Abort);
        let run = sim.run(|head, _| {
            let head = match head.headers.get("range").map(|range| range.to_str().unwrap()) {
                None => return Answer::new(200).header("content-length", 1000),
                Some(range) => range.strip_prefix("bytes=").unwrap().to_owned(),
            };
            Answer::new(206)
                .header("content-range", format!("bytes {head}/1000"))
                .body("0123456789")
        });
        assert!(run.result.unwrap_err().is_cancelled());
        assert!(run.elapsed <= Duration::from_millis(millis + 10), "{millis}: {:?}", run.elapsed);
    }
}
