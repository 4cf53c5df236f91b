//! Downloads of large Swift objects: validated segment by segment, with missing segments and with
//! wrong manifests.

use apus_core::Kind;
use apus_core::checksum::{Algorithm, NotValidatedReason, Validation};
use apus_core::http::ByteRange;
use apus_core::machine::{DownloadOptions, SwiftDownload};
use apus_core::swift::GetObject;
use bytes::Bytes;
use http::request;

use crate::support::swift::{LOST, Store, Tokens, md5, service};
use crate::support::{Answer, Run, Sim, object};

const LENGTHS: [usize; 5] = [300, 300, 1, 300, 99];

fn get(options: DownloadOptions, set: impl FnOnce(&mut GetObject)) -> SwiftDownload {
    let mut get = GetObject::new("c", "o");
    set(&mut get);
    SwiftDownload::new(get, service(), options, 7)
}

fn run(
    machine: SwiftDownload,
    script: impl FnMut(&request::Parts, &[u8]) -> Answer,
) -> Run<SwiftDownload> {
    Sim::with_auth(machine, Tokens::auth()).run(script)
}

fn serve(machine: SwiftDownload, store: &mut Store) -> Run<SwiftDownload> {
    run(machine, |head, body| store.answer(head, body))
}

fn wide(concurrency: usize, range_size: u64) -> DownloadOptions {
    DownloadOptions { concurrency, range_size, ..DownloadOptions::default() }
}

fn slo(bytes: &Bytes) -> Store {
    let mut store = Store::new();
    store.put_slo("c/o", bytes, &LENGTHS);
    store
}

fn dlo(bytes: &Bytes) -> Store {
    let mut store = Store::new();
    store.put_dlo("c/o", bytes, &LENGTHS);
    store
}

/// A segment of it.
fn dlo_segment(number: &str) -> String {
    format!("s/o/1767322800.123456/1000/{}/{number}", LENGTHS.iter().max().unwrap())
}

/// GETs of the object itself.
fn gets(requests: &[String]) -> Vec<&str> {
    let get = "GET /v1/AUTH_a/c/o";
    let gets = requests.iter().filter_map(|request| request.strip_prefix(get));
    gets.filter(|rest| !rest.starts_with('?')).map(str::trim).collect()
}

#[test]
fn a_static_large_object_is_checked_by_the_md5_of_each_segment() {
    let bytes = object(1000);
    let digests = vec![Algorithm::Sha512, Algorithm::Md5];
    let options = DownloadOptions { digests, ..DownloadOptions::default() };
    let run = serve(get(options, |_| {}), &mut slo(&bytes));
    assert_eq!(
        run.requests,
        ["HEAD /v1/AUTH_a/c/o", "GET /v1/AUTH_a/c/o?multipart-manifest=get", "GET /v1/AUTH_a/c/o"]
    );
    let done = run.result.unwrap();
    assert!(run.sink == bytes);
    assert_eq!(done.validation, Validation::Validated(Algorithm::Md5));
    let whole = Algorithm::Sha512.digest(&bytes).unwrap();
    assert_eq!(done.digests.value(Algorithm::Sha512), Some(&whole));
    assert_eq!(done.digests.value(Algorithm::Md5).unwrap().hex(), md5(&bytes));
}

#[test]
fn cuts_anywhere_do_not_disturb_the_check() {
    let bytes = object(1000);
    for mut store in [slo(&bytes), dlo(&bytes)] {
        for (concurrency, range_size) in [(1, 10), (3, 300)] {
            let mut cuts = [0, 299, 1, 2, 3, 77].into_iter();
            let run = run(get(wide(concurrency, range_size), |_| {}), |head, body| {
                let bytes = head.uri.query().is_none() && head.method == "GET";
                let answer = store.answer(head, body);
                match bytes.then(|| cuts.next()).flatten() {
                    Some(after) => answer.cut(after),
                    None => answer,
                }
            });
            assert!(run.sink == bytes && run.peak == concurrency);
            assert!(run.result.unwrap().validation.is_validated());
        }
    }
}

#[test]
fn segments_are_read_in_parallel_where_they_are_short_enough() {
    let bytes = object(1000);
    for mut store in [slo(&bytes), dlo(&bytes)] {
        let run = serve(get(wide(3, 300), |_| {}), &mut store);
        let expected =
            ["bytes=0-299", "bytes=300-599", "bytes=600-600", "bytes=601-900", "bytes=901-999"];
        assert_eq!(gets(&run.requests), expected);
        assert!(run.sink == bytes && run.result.unwrap().validation.is_validated());
        // One stream, so that no more than was allowed is held.
        let run = serve(get(wide(3, 299), |_| {}), &mut store);
        assert_eq!((gets(&run.requests), run.peak), (vec![""], 1));
        assert!(run.sink == bytes && run.result.unwrap().validation.is_validated());
        let run = serve(get(wide(3, 100), |get| get.unchecked = true), &mut store);
        assert_eq!((gets(&run.requests).len(), run.peak), (10, 3));
        assert_eq!(
            run.result.unwrap().validation,
            Validation::NotValidated(NotValidatedReason::NotAsked)
        );
    }
}

#[test]
fn a_segment_that_comes_damaged_is_named() {
    let bytes = object(1000);
    for mut store in [slo(&bytes), dlo(&bytes)] {
        let run = run(get(DownloadOptions::default(), |_| {}), |head, body| {
            let answer = store.answer(head, body);
            if head.uri.query().is_some() || head.method == "HEAD" {
                return answer;
            }
            let mut body = answer.body.to_vec();
            body[650] ^= 1;
            Answer { body: body.into(), ..answer }
        });
        let error = run.result.unwrap_err();
        assert_eq!(error.kind(), Kind::Integrity);
        let error = error.to_string();
        assert!(error.contains("segment 4 (s/") && error.contains("/00000003)"), "{error}");
    }
}

#[test]
fn a_segment_that_the_server_has_lost_ends_it_by_name() {
    let bytes = object(1000);
    for (concurrency, at) in [(1, 601), (1, 0), (3, 601)] {
        let mut store = slo(&bytes);
        store.remove(if at == 0 { "s/c-o/00000000" } else { "s/c-o/00000003" });
        let run = serve(get(wide(concurrency, 300), |_| {}), &mut store);
        let error = run.result.unwrap_err();
        assert_eq!((error.kind(), error.status().unwrap().as_u16()), (Kind::Integrity, 409));
        let number = if at == 0 { 1 } else { 4 };
        let named = format!("segment {number} of the object (s/c-o/0000000{})", number - 1);
        assert!(error.to_string().contains(&named), "{error}");
        assert!(error.to_string().contains(&format!("byte {at}")), "{error}");
        assert!(run.sink == bytes[..at] && gets(&run.requests).len() <= 5, "{:?}", run.requests);
        // Without the manifest too.
        let run = serve(get(wide(1, 300), |get| get.unchecked = true), &mut store);
        let error = run.result.unwrap_err();
        assert!(error.to_string().contains("a segment of the object was removed"), "{error}");
        assert!(!error.is_not_found() && gets(&run.requests).len() <= 2, "{:?}", run.requests);
    }
}

#[test]
fn segments_that_are_ranges_or_large_objects_themselves_are_not_checked() {
    let bytes = object(1000);
    let mut store = Store::new();
    store.put("s/1", bytes.slice(..400));
    store.put_slo("s/inner", &bytes.slice(300..600), &[100, 200]);
    store.put("s/3", bytes.slice(600..));
    let mut part = store.segment("s/1", 400);
    part.range = Some((0, 299));
    let segments = vec![part, store.segment("s/inner", 300), store.segment("s/3", 400)];
    store.put_manifest("c/o", segments);
    for concurrency in [1, 2] {
        let done = serve(get(wide(concurrency, 400), |_| {}), &mut store);
        assert!(done.sink == bytes);
        assert_eq!(
            done.result.unwrap().validation,
            Validation::NotValidated(NotValidatedReason::Segments)
        );
        // Those that can be are.
        let damaged = run(get(wide(concurrency, 400), |_| {}), |head, body| {
            let answer = store.answer(head, body);
            if head.uri.query().is_some() || head.method == "HEAD" {
                return answer;
            }
            let (mut body, last) = (answer.body.to_vec(), answer.body.len() - 1);
            body[last] ^= 1;
            Answer { body: body.into(), ..answer }
        });
        let error = damaged.result.unwrap_err();
        assert!(error.to_string().contains("segment 3 (s/3)"), "{error}");
    }
}

#[test]
fn a_manifest_that_can_not_be_read_or_is_another_leaves_it_unchecked() {
    let bytes = object(1000);
    let other = r#"[{"name": "/s/x", "hash": "451e372e48e0f6b1114fa0724aa79fa1", "bytes": 1000}]"#;
    for answer in [
        Answer::new(403),
        Answer::new(404),
        Answer::new(200).header("x-static-large-object", "True").body("no manifest"),
        Answer::new(200).header("x-static-large-object", "True").body(other),
        Answer::new(200).body("[]"),
    ] {
        let mut store = slo(&bytes);
        let run = run(get(DownloadOptions::default(), |_| {}), |head, body| {
            if head.uri.query().is_some() { answer.clone() } else { store.answer(head, body) }
        });
        assert!(run.sink == bytes);
        assert_eq!(
            run.result.unwrap().validation,
            Validation::NotValidated(NotValidatedReason::Manifest)
        );
    }
}

#[test]
fn a_manifest_whose_lengths_are_not_those_of_the_object_is_an_error() {
    let bytes = object(1000);
    for wrong in [299, 301, u64::MAX] {
        let mut store = slo(&bytes);
        let run = run(get(DownloadOptions::default(), |_| {}), |head, body| {
            let answer = store.answer(head, body);
            if head.uri.query().is_none() {
                return answer;
            }
            let text = String::from_utf8(answer.body.to_vec()).unwrap();
            let answer = Answer::new(200).header("x-static-large-object", "True");
            answer.body(text.replacen("\"bytes\":300", &format!("\"bytes\":{wrong}"), 1))
        });
        match run.result {
            // More bytes than can be counted are none that could be checked.
            Ok(done) => {
                assert_eq!(wrong, u64::MAX);
                assert_eq!(done.validation, Validation::NotValidated(NotValidatedReason::Manifest));
            }
            Err(error) => {
                assert_eq!((error.kind(), run.sink.len()), (Kind::InvalidResponse, 0));
                assert!(error.to_string().contains("but the object has 1000"), "{error}");
            }
        }
    }
}

#[test]
fn ranges_of_large_objects() {
    let bytes = object(1000);
    for mut store in [slo(&bytes), dlo(&bytes), dlo(&bytes).paged(2)] {
        for (range, wanted) in [
            (ByteRange::From(299), 299..1000),
            (ByteRange::Span(250..650), 250..650),
            (ByteRange::Span(900..5000), 900..1000),
            (ByteRange::Last(400), 600..1000),
        ] {
            for concurrency in [1, 3] {
                let machine = get(wide(concurrency, 70), |get| get.range = Some(range.clone()));
                let run = serve(machine, &mut store);
                assert_eq!(
                    run.result.unwrap().validation,
                    Validation::NotValidated(NotValidatedReason::Partial)
                );
                assert!(run.sink == bytes[wanted.clone()], "{range:?}");
            }
        }
    }
}

#[test]
fn a_dynamic_large_object_is_checked_where_the_listing_is_that_of_its_tag() {
    let bytes = object(1000);
    let run = serve(get(DownloadOptions::default(), |_| {}), &mut dlo(&bytes));
    assert!(run.sink == bytes);
    assert_eq!(run.requests[0], "HEAD /v1/AUTH_a/c/o");
    let listing = "GET /v1/AUTH_a/s?format=json&prefix=o%2F1767322800.123456%2F1000%2F";
    assert!(run.requests[1].starts_with(listing), "{}", run.requests[1]);
    assert_eq!(gets(&run.requests), [""]);
    assert_eq!(run.result.unwrap().validation, Validation::Validated(Algorithm::Md5));
    // Another state of the container, and one that may not be seen.
    for listing in [None, Some(403)] {
        let mut store = dlo(&bytes);
        let run = self::run(get(DownloadOptions::default(), |_| {}), |head, body| {
            match (head.uri.query(), listing) {
                (Some(_), Some(status)) => Answer::new(status),
                (Some(_), None) => {
                    let mut other = store.clone();
                    other.put(&dlo_segment("00000009"), "new");
                    other.answer(head, body)
                }
                (None, _) => store.answer(head, body),
            }
        });
        assert!(run.sink == bytes);
        assert_eq!(
            run.result.unwrap().validation,
            Validation::NotValidated(NotValidatedReason::Manifest)
        );
    }
}

#[test]
fn more_segments_than_a_page_are_read_one_by_one() {
    let bytes = object(1000);
    for (concurrency, range_size) in [(1, 100), (3, 300), (3, 100)] {
        for unchecked in [false, true] {
            let mut store = dlo(&bytes).paged(2);
            let mut cuts = 0;
            let options = DownloadOptions {
                digests: if concurrency == 1 { vec![Algorithm::Sha256] } else { Vec::new() },
                ..wide(concurrency, range_size)
            };
            let run = run(get(options, |get| get.unchecked = unchecked), |head, body| {
                cuts += 1;
                let segment = head.uri.path().contains("/s/");
                let answer = store.answer(head, body);
                if segment && cuts % 2 == 0 { answer.cut(50) } else { answer }
            });
            assert!(run.sink == bytes && run.beyond == 0);
            assert_eq!(gets(&run.requests), [""; 0]);
            let done = run.result.unwrap();
            assert_eq!((done.validation.is_validated(), done.bytes), (!unchecked, 1000));
            let whole = Algorithm::Sha256.digest(&bytes).unwrap();
            let told = done.digests.value(Algorithm::Sha256).copied();
            assert_eq!(told, (concurrency == 1).then_some(whole));
        }
    }
}

#[test]
fn more_segments_than_a_page_never_end_short() {
    let bytes = object(1000);
    for gone in ["00000000", "00000003", "00000004"] {
        for (concurrency, unchecked) in [(1, false), (1, true), (3, false)] {
            let mut store = dlo(&bytes).paged(2);
            store.stuck.insert(dlo_segment(gone), LOST);
            // A GET of the object itself would end in good order, but short, without a sign of it.
            let run =
                run(get(wide(concurrency, 300), |get| get.unchecked = unchecked), |head, body| {
                    if head.uri.path().ends_with(gone) {
                        return Answer::new(404);
                    }
                    store.answer(head, body)
                });
            let error = run.result.unwrap_err();
            assert!(error.to_string().contains(gone), "{error}");
            assert_eq!((error.kind(), error.is_not_found()), (Kind::Integrity, false));
        }
    }
    // And if the length can't be obtained at all.
    let mut store = dlo(&bytes).paged(2);
    let run = run(get(DownloadOptions::default(), |_| {}), |head, body| {
        if head.uri.query().is_some() { Answer::new(403) } else { store.answer(head, body) }
    });
    assert!(run.result.unwrap_err().is_denied() && run.sink.is_empty());
}

#[test]
fn a_segment_that_changes_meanwhile_is_an_error() {
    let bytes = object(1000);
    let mut store = dlo(&bytes).paged(2);
    let run = run(get(DownloadOptions::default(), |_| {}), |head, body| {
        if head.uri.path().ends_with("/00000001") {
            store.put(&dlo_segment("00000003"), vec![1; 300]);
        }
        store.answer(head, body)
    });
    assert_eq!(run.result.unwrap_err().kind(), Kind::Integrity);
    assert!(run.sink == bytes[..601]);
}

#[test]
fn a_listing_that_goes_round_in_circles_ends() {
    let page = |names: &[&str]| {
        let entries = names.iter().map(|name| {
            format!(
                "{{\"name\": \"{name}\", \"bytes\": 1, \"hash\": \"{}\"}}",
                md5(name.as_bytes())
            )
        });
        Answer::new(200).body(format!("[{}]", entries.collect::<Vec<_>>().join(",")))
    };
    for names in [&["c-o/1", "c-o/2"][..], &["c-o/2", "c-o/1"], &["c-o/1", "c-o/1"], &["x"]] {
        let mut store = dlo(&object(1000)).paged(2);
        let run = run(get(DownloadOptions::default(), |_| {}), |head, body| {
            if head.uri.query().is_some() { page(names) } else { store.answer(head, body) }
        });
        let error = run.result.unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidResponse, "{error}");
        assert!(run.requests.len() < 15, "{:?}", run.requests);
    }
}

#[test]
fn large_objects_without_a_segment_are_empty() {
    let empty = Bytes::new();
    let mut first = Store::new();
    first.put_slo("c/o", &empty, &[]);
    let mut second = Store::new();
    second.put_dlo("c/o", &empty, &[]);
    let mut third = Store::new();
    third.put_slo("c/o", &object(10), &[0, 5, 0, 0, 5, 0]);
    for (mut store, length) in [(first, 0), (second, 0), (third, 10)] {
        for concurrency in [1, 3] {
            let run = serve(get(wide(concurrency, 5), |_| {}), &mut store);
            let done = run.result.unwrap();
            assert_eq!(done.validation, Validation::Validated(Algorithm::Md5));
            assert_eq!((done.bytes, run.sink.len()), (length, length as usize));
        }
    }
}

#[test]
fn a_gateway_that_knows_large_objects_by_another_tag_is_read_by_the_tags_it_tells() {
    let bytes = object(1000);
    for (is_static, mut store) in [(true, slo(&bytes)), (false, dlo(&bytes))] {
        store.gateway = true;
        for (concurrency, unchecked) in [(1, false), (3, false), (3, true)] {
            let mut cuts = [100, 3].into_iter();
            let run =
                run(get(wide(concurrency, 300), |get| get.unchecked = unchecked), |head, body| {
                    let answer = store.answer(head, body);
                    match (answer.status < 300
                        && head.method == "GET"
                        && head.uri.query().is_none())
                    .then(|| cuts.next())
                    .flatten()
                    {
                        Some(after) => answer.cut(after),
                        None => answer,
                    }
                });
            assert!(run.sink == bytes);
            let validated = run.result.unwrap().validation.is_validated();
            assert_eq!(validated, !is_static && !unchecked);
        }
        // Another object is detected nevertheless.
        let mut other = store.clone();
        other.put(&dlo_segment("00000004"), vec![9; 99]);
        if is_static {
            other.put_slo("c/o", &object(999), &[900, 99]);
        }
        let mut cut = false;
        let run = run(get(DownloadOptions::default(), |_| {}), |head, body| {
            if cut {
                return other.answer(head, body);
            }
            let answer = store.answer(head, body);
            cut = head.method == "GET" && answer.status < 300 && head.uri.query().is_none();
            if cut { answer.cut(400) } else { answer }
        });
        let error = run.result.unwrap_err();
        assert_eq!(error.kind(), Kind::Integrity, "{error}");
        assert!(error.to_string().contains("changed"), "{error}");
        assert!(run.sink == bytes[..400], "{:?}", run.requests);
    }
}
