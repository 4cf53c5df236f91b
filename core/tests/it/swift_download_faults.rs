//! A download from Swift under random faults.

use std::time::Duration;

use apus_core::checksum::Algorithm;
use apus_core::error::ExchangeErrorKind;
use apus_core::http::ByteRange;
use apus_core::machine::{DownloadOptions, SwiftDownload};
use apus_core::swift::GetObject;
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use crate::support::swift::{Store, Tokens, service};
use crate::support::{Answer, Sim, object};

/// What goes wrong with one request.
#[derive(Clone, Debug)]
enum Fault {
    None,
    Cut(usize),
    Lost(ExchangeErrorKind),
    Status(u16),
    Slow(u64),
    /// The token is refused, and the next one.
    Refused,
    /// A segment, or the object, is another one from now on.
    Changed,
    /// A segment, or the object, is missing from now on.
    Gone,
    /// Headers with conditions and ranges are lost before they reach the server.
    Unheard,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        6 => Just(Fault::None),
        6 => (0usize..900).prop_map(Fault::Cut),
        3 => prop_oneof![Just(ExchangeErrorKind::Closed), Just(ExchangeErrorKind::Timeout), Just(ExchangeErrorKind::Connect)]
            .prop_map(Fault::Lost),
        3 => prop_oneof![
            9 => prop_oneof![Just(503), Just(500), Just(498), Just(408), Just(429)],
            1 => prop_oneof![Just(403), Just(404), Just(409), Just(412), Just(416)],
        ].prop_map(Fault::Status),
        3 => (0u64..5000).prop_map(Fault::Slow),
        3 => Just(Fault::Refused),
        1 => Just(Fault::Changed),
        1 => Just(Fault::Gone),
        1 => Just(Fault::Unheard),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Plain,
    Static,
    Dynamic,
    /// With more segments than a page.
    Paged,
}

fn stored(what: What, bytes: &Bytes, segment: usize) -> (Store, Vec<String>) {
    let mut store = Store::new();
    let mut lengths = vec![segment; bytes.len() / segment];
    lengths.push(bytes.len() % segment);
    let under = match what {
        What::Plain | What::Static => "s/c-o/".to_owned(),
        What::Dynamic | What::Paged => {
            format!(
                "s/o/1767322800.123456/{}/{}/",
                bytes.len(),
                lengths.iter().max().unwrap().max(&1)
            )
        }
    };
    let names = (0..lengths.len()).map(|number| format!("{under}{number:08}")).collect();
    match what {
        What::Plain => {
            store.put("c/o", bytes.clone());
            return (store, vec!["c/o".into()]);
        }
        What::Static => store.put_slo("c/o", bytes, &lengths),
        What::Dynamic => store.put_dlo("c/o", bytes, &lengths),
        What::Paged => {
            store.put_dlo("c/o", bytes, &lengths);
            store = store.paged(lengths.len().div_ceil(3));
        }
    }
    (store, names)
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(600))]

    // Whatever happens, the sink has exactly the object, or the result is an error and the sink a
    // beginning of it; and twice the same happens.
    #[test]
    fn exactly_the_object_or_an_error(
        what in prop_oneof![
            Just(What::Plain), Just(What::Static), Just(What::Dynamic), Just(What::Paged),
        ],
        length in 0usize..4000,
        segment in 100usize..1000,
        concurrency in 1usize..5,
        range_size in 50u64..1500,
        faults in vec(fault(), 0..30),
        (unchecked, digest, ordered) in (any::<bool>(), any::<bool>(), any::<bool>()),
        range in prop_oneof![
            3 => Just(None),
            1 => (0u64..3000).prop_map(|at| Some(ByteRange::From(at))),
            1 => (0u64..3000, 1u64..4000).prop_map(|(at, size)| Some(ByteRange::Span(at..at + size))),
            1 => (1u64..5000).prop_map(|size| Some(ByteRange::Last(size))),
        ],
    ) {
        let bytes = object(length);
        let once = || {
            let (mut store, names) = stored(what, &bytes, segment);
            let mut get = GetObject::new("c", "o");
            (get.range, get.unchecked) = (range.clone(), unchecked);
            let digests = if digest { vec![Algorithm::Sha256] } else { Vec::new() };
            let options =
                DownloadOptions { concurrency, range_size, digests, ..DownloadOptions::default() };
            let download = SwiftDownload::new(get, service(), options, 7);
            let sim = Sim::with_auth(download, Tokens::auth());
            let sim = if ordered { sim.ordered() } else { sim };
            let mut schedule = faults.iter();
            let (mut valid, mut changes, mut heard) = (0u32, 0, true);
            let run = sim.run(|head, body| {
                let token = head.headers["x-auth-token"].to_str().unwrap();
                if token.parse::<u32>().unwrap() < valid {
                    return Answer::new(401);
                }
                let fault = schedule.next().unwrap_or(&Fault::None);
                let name = &names[changes % names.len()];
                let mut head = head.clone();
                match fault {
                    Fault::Refused => {
                        valid += 1;
                        return Answer::new(401);
                    }
                    Fault::Changed => {
                        store.put(name, vec![0xEE; segment.min(length)]);
                        changes += 1;
                    }
                    Fault::Gone if store.names().contains(name) => {
                        store.remove(name);
                        changes += 1;
                    }
                    Fault::Unheard => {
                        heard = false;
                        head.headers.remove("if-match");
                        head.headers.remove("range");
                    }
                    _ => {}
                }
                let answer = store.answer(&head, body);
                match fault {
                    Fault::Cut(after) => answer.cut(*after),
                    Fault::Lost(cause) => Answer::lost(*cause),
                    Fault::Status(status) => Answer::new(*status),
                    Fault::Slow(millis) => answer.after(Duration::from_millis(*millis)),
                    _ => answer,
                }
            });
            (run, changes, heard)
        };
        let (run, changes, heard) = once();
        proptest::prop_assert_eq!(run.pump.machine().delivered(), run.sink.len() as u64);
        proptest::prop_assert!(run.peak <= concurrency, "{} at once", run.peak);
        let within = |length: usize| match &range {
            None => 0..length,
            Some(ByteRange::From(start)) => (*start as usize).min(length)..length,
            Some(ByteRange::Span(span)) => {
                (span.start as usize).min(length)..(span.end as usize).min(length)
            }
            Some(ByteRange::Last(size)) => length.saturating_sub(*size as usize)..length,
        };
        let wanted = &bytes[within(length)];
        let other = vec![0xEE; segment.min(length)];
        match &run.result {
            Ok(done) => {
                proptest::prop_assert_eq!(done.bytes, run.sink.len() as u64);
                proptest::prop_assert_eq!((run.beyond, run.dismissed), (0, 0));
                // What changed before the first byte was asked for is another object, and whole.
                if what == What::Plain {
                    let old_or_new = run.sink == wanted || run.sink == other[within(other.len())];
                    proptest::prop_assert!(old_or_new);
                }
                if changes == 0 {
                    proptest::prop_assert!(run.sink == wanted, "{} bytes", run.sink.len());
                    let whole = matches!(range, None | Some(ByteRange::From(0)));
                    // Who may not see the segments can't check them.
                    let refusal = |fault: &Fault| matches!(fault, Fault::Status(_) | Fault::Refused);
                    let faulty = faults.iter().any(refusal);
                    if whole && !unchecked && heard && !faulty {
                        proptest::prop_assert!(done.validation.is_validated(), "{}", done.validation);
                    }
                    let alone = concurrency == 1 || done.digests.value(Algorithm::Sha256).is_some();
                    proptest::prop_assert!(!digest || alone);
                    if let Some(value) = done.digests.value(Algorithm::Sha256) {
                        proptest::prop_assert_eq!(*value, Algorithm::Sha256.digest(wanted).unwrap());
                    }
                }
            }
            Err(_) if changes == 0 => proptest::prop_assert!(wanted.starts_with(&run.sink)),
            Err(_) => {}
        }
        let (again, ..) = once();
        proptest::prop_assert_eq!(&again.requests, &run.requests);
        proptest::prop_assert_eq!(again.elapsed, run.elapsed);
        proptest::prop_assert!(again.sink == run.sink);
    }
}
