//! Uploads under a virtual clock, against a simulated S3 with faults.

use std::sync::Arc;
use std::time::Duration;

use apus_conformance::server::{Ending, Fault, Manners, Operation, Plan, S3Model};
use apus_conformance::sim::Sim;
use apus_core::checksum::{Algorithm, Policy, RequestChecksumCalculation};
use apus_core::contract::OnFailure;
use apus_core::credentials::Credentials;
use apus_core::machine::{Auth, PartLimits, Pump, S3Upload, UploadOptions, UploadSource};
use apus_core::s3::{BaseUrl, Conditions, Config, EndpointConfig, Service};
use apus_core::sign::Keys;
use apus_core::{Error, Kind};
use bytes::Bytes;
use proptest::prelude::*;

const MIB: usize = 1 << 20;

fn service(policy: Policy) -> Arc<Service> {
    let url = BaseUrl::parse("http://s3.test:9000").unwrap();
    let mut config = Config::new(EndpointConfig::custom(url, "us-east-1"));
    config.checksum = policy;
    Arc::new(Service::new(config).unwrap())
}

fn checksums(algorithm: Algorithm) -> Policy {
    Policy {
        enable_data_integrity_protection: true,
        request: RequestChecksumCalculation::WhenSupported,
        algorithm,
        ..Policy::default()
    }
}

fn auths() -> Vec<Auth> {
    vec![Auth::new(Credentials::new(Keys::new("AKID", "secret")))]
}

/// Small parts, so that a simulated object of some hundred KiB has many.
fn options() -> UploadOptions {
    UploadOptions {
        threshold: 64 << 10,
        part_size: 32 << 10,
        limits: PartLimits { smallest: 1 << 10, ..PartLimits::default() },
        ..UploadOptions::default()
    }
}

fn model(plan: Plan) -> S3Model {
    S3Model::new()
        .with_manners(Manners::aws().with_min_part_size(1 << 10))
        .with_bucket("bucket")
        .with_plan(plan)
}

/// Bytes that differ from part to part.
fn object(length: usize) -> Bytes {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

fn upload(
    sim: &mut Sim,
    source: UploadSource,
    options: UploadOptions,
    policy: Policy,
) -> Result<apus_core::machine::Uploaded, Error> {
    let upload = S3Upload::new("bucket", "key", source, options, service(policy), 7)?;
    sim.run(upload, auths())
}

fn seekable(sim: &Sim) -> UploadSource {
    UploadSource::Seekable(sim.source.len() as u64)
}

#[track_caller]
fn stored(sim: &Sim) {
    let object = sim.model.object("bucket", "key").expect("the object is there");
    assert!(object.body == sim.source, "the object is what was sent");
    assert!(sim.model.open_uploads().is_empty(), "no upload is left open");
}

#[track_caller]
fn nothing_left(sim: &Sim) {
    assert!(sim.model.object("bucket", "key").is_none(), "there is no object");
    assert!(sim.model.open_uploads().is_empty(), "no upload is left open");
}

#[test]
fn what_is_not_above_the_threshold_goes_in_one_request() {
    for length in [0, 1, 64 << 10] {
        let mut sim = Sim::new(model(Plan::new()), object(length), 1);
        let source = seekable(&sim);
        let done = upload(&mut sim, source, options(), Policy::default()).unwrap();
        assert_eq!((done.parts, done.size), (0, length as u64));
        assert_eq!(sim.launched, 1);
        stored(&sim);
    }
}

#[test]
fn larger_ones_go_in_parts_and_no_more_at_once_than_the_width() {
    let mut sim = Sim::new(model(Plan::new()), object(MIB + 17), 1);
    let source = seekable(&sim);
    let options = UploadOptions { concurrency: 3, ..options() };
    let done = upload(&mut sim, source, options, Policy::default()).unwrap();
    assert_eq!(done.parts, 33);
    assert_eq!(sim.peak, 3);
    // Create, the parts, Complete.
    assert_eq!(sim.launched, 35);
    assert_eq!(done.etag.opaque(), sim.model.object("bucket", "key").unwrap().etag);
    stored(&sim);
}

#[test]
fn streams_of_any_length_become_what_they_were() {
    for length in [0, 1, 64 << 10, (64 << 10) + 1, 96 << 10, (96 << 10) + 1, MIB] {
        for source in [UploadSource::Stream(None), UploadSource::Stream(Some(length as u64))] {
            let mut sim = Sim::new(model(Plan::new()), object(length), 3);
            let done = upload(&mut sim, source, options(), Policy::default()).unwrap();
            assert_eq!(done.size, length as u64, "{source:?}");
            stored(&sim);
        }
    }
}

#[test]
fn a_stream_is_held_within_its_bound() {
    let mut sim = Sim::new(model(Plan::new()), object(8 * MIB), 3);
    let options = UploadOptions { concurrency: 4, ..options() };
    let part = options.part_size;
    upload(&mut sim, UploadSource::Stream(None), options, Policy::default()).unwrap();
    assert!(sim.held <= part * 5 + 1, "held {} bytes with parts of {part}", sim.held);
    stored(&sim);
}

#[test]
fn growing_parts_narrow_the_width_and_then_stop() {
    // Parts double every ten; memory for two of the largest.
    let limits = PartLimits { parts: 100, smallest: 1 << 10, ..PartLimits::default() };
    let options = UploadOptions {
        threshold: 1 << 10,
        part_size: 1 << 10,
        memory: 16 << 10,
        concurrency: 4,
        limits,
        ..options()
    };
    let upload = |length: usize| {
        let mut sim = Sim::new(model(Plan::new()), object(length), 3);
        let service = service(Policy::default());
        let machine =
            S3Upload::new("bucket", "key", UploadSource::Stream(None), options.clone(), service, 1)
                .unwrap();
        let reach = machine.max_object_size();
        (sim.run(machine, auths()), reach, sim)
    };
    let (done, reach, sim) = upload(300 << 10);
    done.unwrap();
    assert!(sim.held <= 16 << 10, "{}", sim.held);
    stored(&sim);
    // 10 parts each of 1, 2 and 4 KiB, and 70 of 8 KiB.
    assert_eq!(reach, (10 + 20 + 40 + 560) << 10);
    let (done, _, sim) = upload((reach + 1) as usize);
    let error = done.unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidInput);
    assert!(error.to_string().contains("645120 bytes"), "{error}");
    nothing_left(&sim);
}

#[test]
fn a_stream_that_breaks_its_promise_leaves_nothing() {
    for (announced, says) in [(MIB + 1, "ended after"), (MIB - 1, "more than")] {
        let mut sim = Sim::new(model(Plan::new()), object(MIB), 3);
        let source = UploadSource::Stream(Some(announced as u64));
        let error = upload(&mut sim, source, options(), Policy::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidInput);
        assert!(error.to_string().contains(says), "{error}");
        nothing_left(&sim);
    }
}

#[test]
fn a_part_that_is_refused_for_good_aborts_the_upload() {
    let plan = Plan::new().from(Operation::UploadPart, 5, Fault::Refuse(403, "AccessDenied"));
    let mut sim = Sim::new(model(plan), object(MIB), 3);
    let source = seekable(&sim);
    let error = upload(&mut sim, source, options(), Policy::default()).unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Refused, Some("AccessDenied")));
    assert_eq!(error.operation(), Some("UploadPart"));
    nothing_left(&sim);
    assert_eq!(sim.model.count(Operation::AbortMultipartUpload), 1);
    assert_eq!(sim.model.count(Operation::ListParts), 1);
}

#[test]
fn a_part_that_never_gets_an_answer_aborts_the_upload() {
    let plan = Plan::new().from(Operation::UploadPart, 5, Fault::Lost(Ending::Reset));
    let mut sim = Sim::new(model(plan), object(MIB), 3);
    let source = seekable(&sim);
    let error = upload(&mut sim, source, options(), Policy::default()).unwrap_err();
    assert_eq!((error.kind(), error.operation()), (Kind::Transport, Some("UploadPart")));
    nothing_left(&sim);
    assert_eq!(sim.model.count(Operation::AbortMultipartUpload), 1);
    // Complete is not tried with some of the parts.
    assert_eq!(sim.model.count(Operation::CompleteMultipartUpload), 0);
}

#[test]
fn a_completion_that_is_refused_for_good_aborts_the_upload() {
    let plan =
        Plan::new().always(Operation::CompleteMultipartUpload, Fault::Refuse(403, "AccessDenied"));
    let mut sim = Sim::new(model(plan), object(MIB), 3);
    let source = seekable(&sim);
    let error = upload(&mut sim, source, options(), Policy::default()).unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Refused, Some("AccessDenied")));
    assert_eq!(error.operation(), Some("CompleteMultipartUpload"));
    nothing_left(&sim);
    assert_eq!(sim.model.count(Operation::AbortMultipartUpload), 1);
}

#[test]
fn a_source_that_breaks_aborts_the_upload() {
    let mut sim = Sim::new(model(Plan::new()), object(MIB), 3);
    sim.source_breaks_at = Some(500_000);
    let source = seekable(&sim);
    let error = upload(&mut sim, source, options(), Policy::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidInput);
    nothing_left(&sim);
}

#[test]
fn an_upload_that_can_not_be_removed_is_named_in_the_error() {
    let plan = Plan::new()
        .from(Operation::UploadPart, 2, Fault::Refuse(403, "AccessDenied"))
        .always(Operation::AbortMultipartUpload, Fault::Refuse(403, "AccessDenied"));
    let mut sim = Sim::new(model(plan), object(MIB), 3);
    let source = seekable(&sim);
    let error = upload(&mut sim, source, options(), Policy::default()).unwrap_err();
    let id = sim.model.open_uploads()[0].id.clone();
    assert_eq!(error.leftovers().len(), 1);
    assert!(error.to_string().contains(&id), "{error}");
    // The first error, not that of the cleaning up.
    assert_eq!(error.operation(), Some("UploadPart"));
}

#[test]
fn cancelling_aborts_or_keeps_what_a_checkpoint_needs() {
    for on_failure in [OnFailure::Abort, OnFailure::Keep] {
        let mut sim = Sim::new(model(Plan::new()), object(4 * MIB), 3);
        sim.cancel_at = Some((sim.now.tick + Duration::from_millis(300), on_failure));
        let machine = S3Upload::new(
            "bucket",
            "key",
            seekable(&sim),
            options(),
            service(Policy::default()),
            7,
        )
        .unwrap();
        let mut pump = Pump::new(machine, auths(), std::task::Waker::noop().clone());
        let error = sim.drive(&mut pump).unwrap_err();
        assert!(error.is_cancelled(), "{error}");
        if on_failure == OnFailure::Abort {
            nothing_left(&sim);
            continue;
        }
        let checkpoint = pump.machine().checkpoint().expect("the upload had begun");
        assert_eq!(pump.machine().checkpoints().latest().as_ref(), Some(&checkpoint));
        assert!(checkpoint.acknowledged() > 0);
        assert_eq!(sim.model.open_uploads().len(), 1);
        let before = sim.model.count(Operation::UploadPart);
        sim.cancel_at = None;
        let resumed = S3Upload::resume(
            checkpoint.clone(),
            seekable(&sim),
            options(),
            service(Policy::default()),
            8,
        );
        let resumed = resumed.unwrap();
        let checkpoints = resumed.checkpoints();
        let done = sim.run(resumed, auths()).unwrap();
        assert_eq!(checkpoints.latest(), None, "there is nothing to go on with");
        assert_eq!(u64::from(done.parts), 128);
        stored(&sim);
        let sent = sim.model.count(Operation::UploadPart) - before;
        assert_eq!(
            sent,
            128 - checkpoint.parts.len() as u64,
            "acknowledged parts are not sent again"
        );
    }
}

#[test]
fn resuming_believes_the_server_where_the_checkpoint_says_otherwise() {
    let mut sim = Sim::new(model(Plan::new()), object(MIB), 3);
    sim.cancel_at = Some((sim.now.tick + Duration::from_millis(200), OnFailure::Keep));
    let machine = S3Upload::new(
        "bucket",
        "key",
        seekable(&sim),
        options(),
        service(checksums(Algorithm::Crc32c)),
        7,
    )
    .unwrap();
    let mut pump = Pump::new(machine, auths(), std::task::Waker::noop().clone());
    sim.drive(&mut pump).unwrap_err();
    let mut checkpoint = pump.machine().checkpoint().unwrap();
    let honest = checkpoint.parts.len();
    // It forgets one part, makes another one up, and has a third with another tag.
    let first = *checkpoint.parts.keys().next().unwrap();
    let part = checkpoint.parts.remove(&first).unwrap();
    checkpoint.parts.insert(30, part);
    let (_, third) = checkpoint.parts.iter_mut().next().unwrap();
    third.etag = "\"0123456789abcdef0123456789abcdef\"".into();
    sim.cancel_at = None;
    let before = sim.model.count(Operation::UploadPart);
    let resumed = S3Upload::resume(
        checkpoint,
        seekable(&sim),
        options(),
        service(checksums(Algorithm::Crc32c)),
        8,
    );
    sim.run(resumed.unwrap(), auths()).unwrap();
    stored(&sim);
    let sent = sim.model.count(Operation::UploadPart) - before;
    assert_eq!(sent, 32 - honest as u64, "what the server has is not sent again");
}

#[test]
fn a_lost_answer_to_complete_is_no_failure() {
    let plan =
        Plan::new().on(Operation::CompleteMultipartUpload, 1, Fault::AnswerLost(Ending::Close));
    for conditions in [Conditions::default(), Conditions::absent()] {
        let mut sim = Sim::new(model(plan.clone()), object(MIB), 3);
        let source = seekable(&sim);
        let options = UploadOptions { conditions, ..options() };
        let done = upload(&mut sim, source, options, Policy::default()).unwrap();
        assert_eq!(done.size, MIB as u64);
        stored(&sim);
    }
}

#[test]
fn a_lost_answer_to_a_conditional_put_is_no_failure() {
    let plan = Plan::new().on(Operation::PutObject, 1, Fault::AnswerLost(Ending::Reset));
    let mut sim = Sim::new(model(plan), object(5000), 3);
    let source = seekable(&sim);
    let options = UploadOptions { conditions: Conditions::absent(), ..options() };
    let done = upload(&mut sim, source, options, Policy::default()).unwrap();
    assert!(done.recovered);
    stored(&sim);
}

#[test]
fn an_object_of_somebody_else_is_a_failure_of_the_condition() {
    // The first request is lost before it is applied, and meanwhile another client writes.
    let plan = Plan::new().on(Operation::PutObject, 1, Fault::Lost(Ending::Reset));
    for length in [5000, MIB] {
        let model = model(plan.clone()).with_object("bucket", "key", object(length - 1));
        let mut sim = Sim::new(model, object(length), 3);
        let source = seekable(&sim);
        let options = UploadOptions { conditions: Conditions::absent(), ..options() };
        let error = upload(&mut sim, source, options, Policy::default()).unwrap_err();
        assert!(error.is_precondition_failed(), "{error}");
        assert!(sim.model.open_uploads().is_empty());
        assert_eq!(sim.model.object("bucket", "key").unwrap().body, object(length - 1));
    }
}

#[test]
fn nothing_is_replaced_that_is_there_where_the_server_ignores_the_condition_on_complete() {
    // As Ceph 16.2 does.
    let manners =
        Manners { conditional_writes: false, ..Manners::aws().with_min_part_size(1 << 10) };
    for kind in [UploadSource::Seekable(MIB as u64), UploadSource::Stream(None)] {
        let model = model(Plan::new()).with_manners(manners.clone());
        let mut sim = Sim::new(model.with_object("bucket", "key", object(5)), object(MIB), 3);
        let options = || UploadOptions { conditions: Conditions::absent(), ..options() };
        let error = upload(&mut sim, kind, options(), Policy::default()).unwrap_err();
        assert!(error.is_precondition_failed(), "{error}");
        assert!(error.leftovers().is_empty() && !error.outcome_unknown(), "{error}");
        assert_eq!(sim.model.object("bucket", "key").unwrap().body, object(5));
        assert_eq!(sim.model.count(Operation::CreateMultipartUpload), 0);

        let mut sim =
            Sim::new(self::model(Plan::new()).with_manners(manners.clone()), object(MIB), 3);
        upload(&mut sim, kind, options(), Policy::default()).unwrap();
        stored(&sim);
    }
}

#[test]
fn a_look_that_is_denied_leaves_the_condition_to_the_server() {
    let conditional = || UploadOptions { conditions: Conditions::absent(), ..options() };
    let denied = Plan::new().on(Operation::HeadObject, 1, Fault::Refuse(403, "AccessDenied"));
    let mut sim = Sim::new(model(denied.clone()), object(MIB), 3);
    let source = seekable(&sim);
    upload(&mut sim, source, conditional(), Policy::default()).unwrap();
    stored(&sim);
    let model = model(denied).with_object("bucket", "key", object(5));
    let mut sim = Sim::new(model, object(MIB), 3);
    let error = upload(&mut sim, source, conditional(), Policy::default()).unwrap_err();
    assert!(error.is_precondition_failed(), "{error}");
    assert!(sim.model.open_uploads().is_empty());
    assert_eq!(sim.model.object("bucket", "key").unwrap().body, object(5));
}

#[test]
fn an_error_inside_an_answer_of_200_is_repeated() {
    let plan =
        Plan::new().on(Operation::CompleteMultipartUpload, 1, Fault::ErrorIn200("InternalError"));
    let mut sim = Sim::new(model(plan), object(MIB), 3);
    let source = seekable(&sim);
    upload(&mut sim, source, options(), Policy::default()).unwrap();
    assert_eq!(sim.model.count(Operation::CompleteMultipartUpload), 2);
    stored(&sim);
}

#[test]
fn a_conflict_on_complete_sends_every_part_again() {
    let plan = Plan::new().on(Operation::CompleteMultipartUpload, 1, Fault::Conflict);
    let mut sim = Sim::new(model(plan), object(MIB), 3);
    let source = seekable(&sim);
    let options = UploadOptions { conditions: Conditions::absent(), ..options() };
    upload(&mut sim, source, options, Policy::default()).unwrap();
    assert_eq!(sim.model.count(Operation::CreateMultipartUpload), 2);
    assert_eq!(sim.model.count(Operation::UploadPart), 64);
    stored(&sim);
}

#[test]
fn the_checksum_of_the_whole_is_that_of_the_parts_combined() {
    for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme, Algorithm::Sha256]
    {
        let mut sim = Sim::new(model(Plan::new()), object(MIB), 3);
        let source = seekable(&sim);
        let done = upload(&mut sim, source, options(), checksums(algorithm)).unwrap();
        stored(&sim);
        // The model computes its own.
        let kept = sim.model.object("bucket", "key").unwrap().checksum.clone().unwrap();
        assert_eq!(kept.algorithm, algorithm.name());
        assert!(
            done.checksums.iter().any(|sum| sum.to_string() == kept.value),
            "{kept:?} {done:?}"
        );
    }
}

#[test]
fn a_skewed_clock_is_corrected_by_the_first_refusal() {
    let plan = Plan::new().on_any(1, Fault::ClockSkewed(7200));
    let mut sim = Sim::new(model(plan), object(MIB), 3);
    let source = seekable(&sim);
    upload(&mut sim, source, options(), Policy::default()).unwrap();
    // One refusal; everything after it is signed with the right time.
    assert_eq!(sim.launched, 35);
    stored(&sim);
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::SlowDown(None)),
        Just(Fault::SlowDown(Some(3))),
        Just(Fault::InternalError),
        Just(Fault::Lost(Ending::Reset)),
        Just(Fault::AnswerLost(Ending::Close)),
        Just(Fault::ErrorIn200("InternalError")),
        Just(Fault::Refuse(403, "AccessDenied")),
        Just(Fault::CutBody(10, Ending::Reset)),
        Just(Fault::NoSuchUpload),
        Just(Fault::Conflict),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Whatever goes wrong: either the object is whole and nothing is left open, or there is an
    /// error and what is left open is named in it.
    #[test]
    fn any_schedule_of_faults_ends_well_or_says_what_is_left(
        faults in proptest::collection::vec((1u64..60, fault()), 0..6),
        length in 0usize..(1 << 20),
        kind in 0..3,
        conditional: bool,
        seed: u64,
    ) {
        let run = || {
            let plan = faults.iter().fold(Plan::new(), |plan, (nth, fault)| plan.on_any(*nth, fault.clone()));
            let mut sim = Sim::new(model(plan), object(length), seed);
            let source = match kind {
                0 => UploadSource::Seekable(length as u64),
                1 => UploadSource::Stream(None),
                _ => UploadSource::Stream(Some(length as u64)),
            };
            let conditions = if conditional { Conditions::absent() } else { Conditions::default() };
            let options = UploadOptions { conditions, ..options() };
            let result = upload(&mut sim, source, options, Policy::default());
            (result, sim)
        };
        let (result, sim) = run();
        // A creation whose response was lost leaves an upload whose id nobody received.
        let lost = faults.iter().any(|(_, fault)| {
            matches!(fault, Fault::AnswerLost(_) | Fault::CutBody(..))
        });
        // Nor does anyone, when the server denies twice that there is such an upload.
        let denied = faults.iter().filter(|(_, fault)| *fault == Fault::NoSuchUpload).count();
        let unknown = lost || denied > 1;
        match &result {
            Ok(done) => {
                prop_assert_eq!(done.size, length as u64);
                prop_assert_eq!(&sim.model.object("bucket", "key").unwrap().body, &sim.source);
                prop_assert!(unknown || sim.model.open_uploads().is_empty());
            }
            Err(error) => {
                for open in sim.model.open_uploads() {
                    prop_assert!(unknown || error.to_string().contains(&open.id), "{}", error);
                }
            }
        }
        let (again, other) = run();
        prop_assert_eq!(format!("{result:?}"), format!("{again:?}"));
        prop_assert_eq!(&sim.trace, &other.trace);
    }
}
