//! A download under random faults.

use std::time::Duration;

use apus_core::checksum::Algorithm;
use apus_core::error::ExchangeErrorKind;
use apus_core::http::ContentRange;
use apus_core::s3::{ByteRange, GetObject};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use crate::support::stored::{Stored, get, wide};
use crate::support::{Answer, Sim};

/// What goes wrong with one request.
#[derive(Clone, Debug)]
enum Fault {
    None,
    Cut(usize),
    Lost(ExchangeErrorKind),
    Status(u16, &'static str),
    Slow(u64),
    /// A range that was not asked for.
    Shifted,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::None),
        4 => (0usize..900).prop_map(Fault::Cut),
        2 => prop_oneof![Just(ExchangeErrorKind::Closed), Just(ExchangeErrorKind::Timeout), Just(ExchangeErrorKind::Connect)]
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
        concurrency in 1usize..5,
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
            let sim = Sim::new(get(wide(concurrency, range_size), set, |_| {}));
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
        proptest::prop_assert_eq!(run.pump.machine().delivered(), run.sink.len() as u64);
        proptest::prop_assert!(run.peak <= concurrency, "{} at once", run.peak);
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
                proptest::prop_assert_eq!((run.beyond, run.dismissed), (0, 0));
                let validated = validate && algorithm.is_some()
                    && matches!(range, None | Some(ByteRange::From(0)));
                proptest::prop_assert_eq!(done.validation.is_validated(), validated);
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
