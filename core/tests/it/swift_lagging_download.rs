//! A dynamic large object whose listing leaves out segments: never shorter than the object without
//! an error, and never validated if nothing proves that it is complete.
//!
//! Swift's containers are updated after its objects, and a DLO is what a listing shows: "Dynamic
//! Large Objects" and "Eventual Consistency" in Swift's documentation.

use apus_core::Kind;
use apus_core::checksum::{Algorithm, NotValidatedReason, Validation};
use apus_core::http::ByteRange;
use apus_core::machine::{DownloadOptions, SwiftDownload};
use apus_core::swift::GetObject;
use bytes::Bytes;

use crate::support::swift::{Store, Tokens, service};
use crate::support::{Run, Sim, object};

fn get(concurrency: usize) -> SwiftDownload {
    let options = DownloadOptions { concurrency, range_size: 100, ..DownloadOptions::default() };
    SwiftDownload::new(GetObject::new("c", "o"), service(), options, 1)
}

fn serve(machine: SwiftDownload, store: &mut Store) -> Run<SwiftDownload> {
    Sim::with_auth(machine, Tokens::auth()).run(|head, body| store.answer(head, body))
}

/// Segments under this prefix, and the manifest that names it.
fn dlo(prefix: &str, bytes: &Bytes, lengths: &[usize]) -> (Store, Vec<String>) {
    let mut store = Store::new();
    let names = store.put_under(&format!("s/{prefix}"), bytes, lengths);
    store.put_pointer("c/o", &format!("s/{prefix}"));
    (store, names.into_iter().map(|(name, _)| name).collect())
}

#[test]
fn what_the_prefix_tells_is_missed_wherever_it_is_missing() {
    let bytes = object(500);
    let prefix = "o/1767322800.123456/500/100/";
    let (whole, names) = dlo(prefix, &bytes, &[100; 5]);
    let done = serve(get(1), &mut whole.clone()).result.unwrap();
    assert_eq!(done.validation, Validation::Validated(Algorithm::Md5));
    for missing in [&names[0..1], &names[2..3], &names[4..5], &names[1..4], &names[..]] {
        for page in [10_000, 3] {
            for (concurrency, unchecked, range) in
                [(1, false, None), (4, false, None), (1, true, None), (1, false, Some(10))]
            {
                let mut store = whole.clone().paged(page);
                missing.iter().for_each(|name| store.remove(name));
                let mut get_object = GetObject::new("c", "o");
                get_object.unchecked = unchecked;
                get_object.range = range.map(ByteRange::From);
                let options =
                    DownloadOptions { concurrency, range_size: 100, ..DownloadOptions::default() };
                let machine = SwiftDownload::new(get_object, service(), options, 1);
                let run = serve(machine, &mut store);
                let error = run.result.unwrap_err();
                assert_eq!(
                    error.kind(),
                    Kind::Integrity,
                    "{missing:?} {page} {concurrency}: {error}"
                );
                assert!(run.sink.is_empty() && error.hint().is_some());
            }
        }
    }
}

#[test]
fn a_gap_in_the_numbers_of_glance_or_of_a_stream_is_missed() {
    let bytes = object(500);
    for prefix in ["o-", "o/0123abcd/stream/100/"] {
        let (whole, names) = dlo(prefix, &bytes, &[100; 5]);
        for at in [1, 2, 3] {
            let mut store = whole.clone();
            store.remove(&names[at]);
            let error = serve(get(1), &mut store).result.unwrap_err();
            assert_eq!(error.kind(), Kind::Integrity);
            assert!(error.to_string().contains(&format!("segment {at} is not listed")), "{error}");
        }
        let mut store = whole.clone();
        names.iter().for_each(|name| store.remove(name));
        assert_eq!(serve(get(1), &mut store).result.unwrap_err().kind(), Kind::Integrity);
    }
}

#[test]
fn where_nothing_tells_the_last_segment_nothing_is_validated() {
    let bytes = object(500);
    for prefix in ["o-", "o/0123abcd/stream/100/", "backups/", "o/2024/12/"] {
        for (page, concurrency) in [(10_000, 1), (10_000, 4), (3, 1)] {
            let (store, names) = dlo(prefix, &bytes, &[100; 5]);
            for missing in [false, true] {
                let mut store = store.clone().paged(page);
                if missing {
                    store.remove(&names[4]);
                }
                let run = serve(get(concurrency), &mut store);
                let done = run.result.unwrap();
                assert_eq!(
                    done.validation,
                    Validation::NotValidated(NotValidatedReason::Listing),
                    "{prefix}"
                );
                assert!(run.sink == bytes[..if missing { 400 } else { 500 }]);
            }
        }
    }
}

#[test]
fn nothing_listed_is_no_empty_object() {
    let (mut store, names) = dlo("backups/", &object(100), &[100]);
    store.remove(&names[0]);
    let error = serve(get(1), &mut store).result.unwrap_err();
    assert_eq!(error.kind(), Kind::Integrity);
    assert!(
        error.message().contains("no segment of the dynamic large object is listed"),
        "{error}"
    );
}
