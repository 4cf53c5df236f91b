//! Downloads that are cut, slow, corrupt or of another object than requested.

use std::time::Duration;

use apus_conformance::server::{Ending, Fault, Operation, Plan};
use apus_core::checksum::Algorithm;
use apus_core::machine::Downloaded;
use apus_core::s3::{ChecksumOptions, GetObject, PutObject};
use apus_core::{Error, Kind};

use crate::client::{Kind as Source, Origin, Setup, Target, Via};
use crate::downloads::{download, server, whole};
use crate::uploads;

both! {
    what_was_cut_goes_on_after_its_last_byte,
    what_is_wrong_is_never_passed_on_as_right,
    an_object_that_changes_is_an_error,
    a_server_that_ignores_ranges_is_read_at_once,
    a_server_that_stored_something_else_is_found_out,
}

const LENGTH: usize = 200_000;

/// Downloads with this plan; returns the result, and whether the sink has the object.
fn read(
    via: Via,
    plan: Plan,
    get: GetObject,
    concurrency: usize,
) -> (Result<Downloaded, Error>, bool, u64) {
    let (server, bytes) = server(via, LENGTH, plan);
    let setup = Setup::of(&server).with(|config| {
        let limit = Some(Duration::from_millis(400));
        (config.timeouts.first_byte, config.timeouts.idle) = (limit, limit);
    });
    let client = setup.client(via);
    let machine = download(get, concurrency, &client.service);
    let (result, read) = client.run_into(machine, Target::Writer);
    let count = server.model().count(Operation::GetObject);
    (result, read == bytes, count)
}

fn what_was_cut_goes_on_after_its_last_byte(via: Via) {
    let faults = [
        Fault::CutBody(0, Ending::Reset),
        Fault::CutBody(1, Ending::Close),
        Fault::CutBody(20_000, Ending::Close),
        Fault::CutBody(20_000, Ending::Reset),
        Fault::CutBody(20_000, Ending::Hang),
        Fault::Trickle(10_000, Duration::from_secs(30)),
        Fault::Lost(Ending::Reset),
        Fault::InternalError,
        Fault::SlowDown(None),
    ];
    for fault in faults {
        for concurrency in [1, 4] {
            let plan = Plan::new()
                .on(Operation::GetObject, 1, fault.clone())
                .on(Operation::GetObject, 2, fault.clone())
                .on(Operation::GetObject, 4, fault.clone());
            let (result, whole, count) = read(via, plan, whole(), concurrency);
            let what = format!("{fault:?}, {concurrency} at once");
            let done = result.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(whole && done.validation.is_validated(), "{what}");
            assert!(count >= 3, "{what}: {count}");
        }
    }
    // Cut at every tenth of it: as long as there is progress, the download is resumed.
    let plan = Plan::new().always(Operation::GetObject, Fault::CutBody(20_000, Ending::Close));
    let (result, whole, count) = read(via, plan, self::whole(), 1);
    assert!(result.unwrap().validation.is_validated() && whole);
    assert_eq!(count, LENGTH as u64 / 20_000);
    // Without any, it does not.
    let plan = Plan::new().from(Operation::GetObject, 2, Fault::CutBody(0, Ending::Close));
    let plan = plan.on(Operation::GetObject, 1, Fault::CutBody(1000, Ending::Close));
    let (result, whole, _) = read(via, plan, self::whole(), 1);
    assert_eq!((result.unwrap_err().kind(), whole), (Kind::Transport, false));
}

fn what_is_wrong_is_never_passed_on_as_right(via: Via) {
    let faults = [
        (Fault::Corrupt, 1, Kind::Integrity),
        (Fault::Corrupt, 4, Kind::Integrity),
        (Fault::WrongChecksum, 1, Kind::Integrity),
        (Fault::WrongContentRange, 4, Kind::InvalidResponse),
    ];
    for (fault, concurrency, kind) in faults {
        let plan = Plan::new().always(Operation::GetObject, fault.clone());
        let (result, _, _) = read(via, plan, whole(), concurrency);
        let error = result.expect_err("it is wrong");
        assert_eq!(error.kind(), kind, "{fault:?}, {concurrency} at once: {error}");
    }
    // The range of the request after a cut.
    let plan = Plan::new().on(Operation::GetObject, 1, Fault::CutBody(10_000, Ending::Close)).from(
        Operation::GetObject,
        2,
        Fault::WrongContentRange,
    );
    let (result, whole, _) = read(via, plan, GetObject::new("bucket", "key"), 1);
    let error = result.unwrap_err();
    assert_eq!((error.kind(), whole), (Kind::InvalidResponse, false), "{error}");
}

fn an_object_that_changes_is_an_error(via: Via) {
    let (server, _) = server(via, LENGTH, Plan::new());
    let plan = Plan::new().on(Operation::GetObject, 1, Fault::CutBody(10_000, Ending::Close));
    let plan = plan.on(Operation::GetObject, 2, Fault::Refuse(412, "PreconditionFailed"));
    server.model().set_plan(plan);
    let client = Setup::of(&server).client(via);
    let machine = download(whole(), 1, &client.service);
    let (result, _) = client.run_into(machine, Target::Memory);
    let error = result.unwrap_err();
    assert!(error.is_precondition_failed(), "{error}");
    let requests = server.server().requests();
    let second = requests.last().unwrap();
    assert_eq!(second.header("range"), Some("bytes=10000-"));
    let etag = server.model().object("bucket", "key").unwrap().etag.clone();
    assert_eq!(second.header("if-match").map(|tag| tag.trim_matches('"')), Some(etag.as_str()));
}

fn a_server_that_ignores_ranges_is_read_at_once(via: Via) {
    let plan = Plan::new().always(Operation::GetObject, Fault::RangeIgnored);
    let (result, whole, _) = read(via, plan, GetObject::new("bucket", "key"), 4);
    assert_eq!(result.unwrap().bytes, LENGTH as u64);
    assert!(whole);
    // After a cut there is no way on, for the sink has the first bytes already.
    let plan = Plan::new().on(Operation::GetObject, 1, Fault::CutBody(10_000, Ending::Close)).from(
        Operation::GetObject,
        2,
        Fault::RangeIgnored,
    );
    let (result, whole, _) = read(via, plan, GetObject::new("bucket", "key"), 1);
    assert!(whole || result.is_err(), "{result:?}");
}

fn a_server_that_stored_something_else_is_found_out(via: Via) {
    let plan = Plan::new().on(Operation::PutObject, 2, Fault::WrongChecksum);
    let (server, bytes) = server(via, LENGTH, plan);
    let client = Setup::of(&server).client(via);
    let mut put = PutObject::new("bucket", "other", bytes.clone());
    put.checksum = ChecksumOptions::algorithm(Algorithm::Sha256);
    let error = client.call(put).unwrap_err();
    assert_eq!(error.kind(), Kind::Integrity, "{error}");

    server.model().set_plan(Plan::new().on(Operation::UploadPart, 3, Fault::WrongChecksum));
    let mut options = uploads::options();
    options.checksum = ChecksumOptions::algorithm(Algorithm::Crc64Nvme);
    let origin = Origin::new(Source::Stream, bytes);
    let error = uploads::upload(&client, origin, options).unwrap_err();
    assert_eq!(error.kind(), Kind::Integrity, "{error}");
    assert!(server.model().open_uploads().is_empty());
}
