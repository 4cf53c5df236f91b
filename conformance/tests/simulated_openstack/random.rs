//! Random faults at random points.

use std::time::Duration;

use apus_conformance::server::{Ending, Fault, OpenStackOperation as Operation, Plan};
use apus_conformance::sim::Sim;
use apus_core::contract::OnFailure;
use apus_core::machine::{
    DownloadOptions, LargeObject, SegmentsIn, SwiftDownload, SwiftUploadOptions,
};
use apus_core::swift::GetObject;
use proptest::prelude::*;

use crate::cloud::{
    DAY, Revoking, SEGMENT, demo, model, named, object, options, present, service, upload,
};

/// Returns a fault of any request that a client can survive.
fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::SlowDown(None)),
        Just(Fault::SlowDown(Some(3))),
        Just(Fault::InternalError),
        Just(Fault::Lost(Ending::Reset)),
        Just(Fault::AnswerLost(Ending::Close)),
        Just(Fault::ErrorIn200("503 Service Unavailable")),
        (0usize..400).prop_map(|bytes| Fault::CutBody(bytes, Ending::Reset)),
        (1u64..40).prop_map(|seconds| Fault::Delay(Duration::from_secs(seconds))),
    ]
}

/// Returns how many tokens the cloud spoils: it revokes one, or answers so late that the token has
/// expired when it arrives. A request is repeated once because of its token.
fn spoilt(faults: &[(u64, Fault)], revoked: Option<u64>, life: u64, interval: u64) -> usize {
    let is_late =
        |fault: &Fault| matches!(fault, Fault::Delay(by) if by.as_secs() + interval >= life);
    faults.iter().filter(|(_, fault)| is_late(fault)).count() + usize::from(revoked.is_some())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Up to four faults anywhere, any life of tokens, any difference of clocks.
    #[test]
    fn no_upload_fails_that_could_have_succeeded(
        seed: u64,
        segments in 1usize..30,
        large_object in prop_oneof![Just(LargeObject::Static), Just(LargeObject::Dynamic)],
        same in any::<bool>(),
        faults in proptest::collection::vec((1u64..60, faults()), 0..4),
        revoked in proptest::option::of(2u64..60),
        life in 15u64..60,
        interval in 2u64..12,
        skew in -DAY..DAY,
    ) {
        prop_assume!(spoilt(&faults, revoked, life, interval) <= 1);
        let plan = faults.iter().fold(Plan::new(), |plan, (nth, fault)| {
            plan.on_any(*nth, fault.clone())
        });
        let source = object(segments);
        let model = model(life).with_plan(plan);
        let model = Revoking { model, before: revoked.into_iter().collect() };
        let mut sim = Sim::new(model, source.clone(), seed);
        (sim.rate, sim.skew) = (Some(SEGMENT as u64), skew);
        let segments_in = if same { SegmentsIn::Same } else { SegmentsIn::Beside };
        let options =
            SwiftUploadOptions { large_object: Some(large_object), segments_in, ..options() };
        let interval = Duration::from_secs(interval);
        let done = sim.run(upload(source.len(), options, "object", seed), demo(interval));
        let model = &sim.model.model;
        prop_assert!(done.is_ok(), "{:?}: {:?}", done, sim.trace);
        let content = model.content_of("demo", "images", "object");
        prop_assert!(content.as_deref() == Some(&source), "{:?}", sim.trace);
        prop_assert!(present(model).len() <= segments + 1, "{:?}", present(model));
    }

    /// Up to four faults anywhere, and ranges that take as long as a token lives.
    #[test]
    fn no_download_fails_that_could_have_succeeded(
        seed: u64,
        segments in 1usize..12,
        large_object in prop_oneof![Just(LargeObject::Static), Just(LargeObject::Dynamic)],
        concurrency in 1usize..4,
        faults in proptest::collection::vec((1u64..20, faults()), 0..4),
        revoked in proptest::option::of(2u64..20),
        life in 15u64..60,
        skew in -DAY..DAY,
    ) {
        prop_assume!(spoilt(&faults, revoked, life, 2) <= 1);
        let source = object(segments);
        let mut sim = Sim::new(model(life), source.clone(), seed);
        let options = SwiftUploadOptions { large_object: Some(large_object), ..options() };
        let machine = upload(source.len(), options, "object", seed);
        sim.run(machine, demo(Duration::from_secs(2))).unwrap();
        let before = sim.model.requests();
        let plan = faults.iter().fold(Plan::new(), |plan, (nth, fault)| {
            plan.on_any(before + nth, fault.clone())
        });
        let slow = Fault::Delay(Duration::from_secs(life - 1));
        let plan = plan.always(Operation::GetObject, slow);
        let revoked = revoked.map(|at| before + at);
        let model = Revoking { model: sim.model.with_plan(plan), before: revoked.into_iter().collect() };
        let mut sim = Sim::new(model, source.clone(), seed);
        sim.skew = skew;
        let options = DownloadOptions { concurrency, ..DownloadOptions::default() };
        let get = GetObject::new("images", "object");
        let machine = SwiftDownload::new(get, service(), options, seed);
        let done = sim.run(machine, demo(Duration::from_secs(2)));
        prop_assert!(done.is_ok(), "{:?}: {:?}", done, sim.trace);
        prop_assert!(sim.sink == source, "{:?}", sim.trace);
    }

    /// A fault that stays: whatever is left, the error names.
    #[test]
    fn nothing_is_left_that_the_error_does_not_name(
        seed: u64,
        operation in prop_oneof![
            Just(Operation::PutObject),
            Just(Operation::PutSlo),
            Just(Operation::PutDlo),
            Just(Operation::DeleteObject),
            Just(Operation::BulkDelete),
            Just(Operation::Authenticate),
        ],
        from in 1u64..12,
        // An object that the server denied to have can't be named.
        status in prop_oneof![Just(401u16), Just(403), Just(409), Just(413), Just(422), Just(503)],
        large_object in prop_oneof![Just(LargeObject::Static), Just(LargeObject::Dynamic)],
        cancel in proptest::option::of(0u64..9000),
    ) {
        let plan = Plan::new().from(operation, from, Fault::Refuse(status, ""));
        let source = object(12);
        let mut sim = Sim::new(model(15).with_plan(plan), source.clone(), seed);
        sim.rate = Some(SEGMENT as u64);
        sim.cancel_at = cancel
            .map(|after| (sim.now.tick + Duration::from_millis(after), OnFailure::Abort));
        let options = SwiftUploadOptions { large_object: Some(large_object), ..options() };
        let machine = upload(source.len(), options, "object", seed);
        match sim.run(machine, demo(Duration::from_secs(5))) {
            Ok(_) => {
                let content = sim.model.content_of("demo", "images", "object");
                prop_assert!(content.as_deref() == Some(&source));
            }
            Err(error) => named(&sim.model, &error),
        }
    }
}
