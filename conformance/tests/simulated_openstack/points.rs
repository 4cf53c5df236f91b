//! A token that is revoked before any of the requests of a machine.

use std::collections::BTreeSet;

use apus_conformance::server::{
    Ending, Fault, OpenStackModel, OpenStackOperation as Operation, Plan,
};
use apus_conformance::sim::Sim;
use apus_core::machine::{
    DownloadOptions, LargeObject, SwiftDelete, SwiftDeleteOptions, SwiftDownload,
    SwiftUploadOptions,
};
use apus_core::swift::GetObject;

use crate::cloud::{INTERVAL, Revoking, demo, model, object, options, present, service, upload};

/// Runs a job once to know how many requests it takes, and then once for each of them with all
/// tokens revoked before it.
pub(crate) fn at_every_point<T>(
    begin: impl Fn() -> OpenStackModel,
    run: impl Fn(&mut Sim<Revoking>) -> T,
    check: impl Fn(&Sim<Revoking>, T, u64),
) {
    let before = begin().requests();
    let sim = |before: BTreeSet<u64>| {
        let model = Revoking { model: begin(), before };
        let mut sim = Sim::new(model, object(7), 1);
        let done = run(&mut sim);
        (sim, done)
    };
    let (calm, done) = sim(BTreeSet::new());
    check(&calm, done, 0);
    let after = calm.model.model.requests();
    assert!(after - before > 2, "{} requests", after - before);
    // The first is a login.
    for at in before + 2..=after {
        let (sim, done) = sim(BTreeSet::from([at]));
        check(&sim, done, at);
    }
}

#[test]
fn an_upload_survives_a_401_at_every_point() {
    for large_object in [LargeObject::Static, LargeObject::Dynamic] {
        let options = SwiftUploadOptions { large_object: Some(large_object), ..options() };
        // An older object is replaced, whose segments go.
        let begin = || {
            let mut sim = Sim::new(model(3600), object(5), 9);
            let length = sim.source.len();
            sim.run(upload(length, options.clone(), "object", 9), demo(INTERVAL)).unwrap();
            sim.model
        };
        let run = |sim: &mut Sim<Revoking>| {
            sim.run(upload(sim.source.len(), options.clone(), "object", 1), demo(INTERVAL))
        };
        at_every_point(begin, run, |sim, done, at| {
            let model = &sim.model.model;
            let done = done.unwrap_or_else(|error| panic!("before request {at}: {error}"));
            assert_eq!((done.segments, &done.leftovers[..]), (7, &[][..]), "before request {at}");
            let content = model.content_of("demo", "images", "object");
            assert!(content.as_deref() == Some(&sim.source), "before request {at}");
            assert_eq!(model.names_of("demo", "images_segments").len(), 7, "before request {at}");
            // One of the older upload, the first, and one more.
            assert!(model.logins().len() <= 3, "{} before request {at}", model.logins().len());
        });
    }
}

#[test]
fn a_download_survives_a_401_at_every_point_and_cuts_besides() {
    let begin = || {
        let mut sim = Sim::new(model(3600), object(7), 9);
        let length = sim.source.len();
        sim.run(upload(length, options(), "object", 9), demo(INTERVAL)).unwrap();
        let cut = |bytes| Fault::CutBody(bytes, Ending::Reset);
        let plan = Plan::new()
            .on(Operation::GetObject, 2, cut(100))
            .on(Operation::GetObject, 4, cut(0))
            .on(Operation::GetObject, 5, Fault::Lost(Ending::Close));
        sim.model.with_plan(plan)
    };
    for concurrency in [1, 3] {
        let run = |sim: &mut Sim<Revoking>| {
            let options = DownloadOptions { concurrency, ..DownloadOptions::default() };
            let get = GetObject::new("images", "object");
            sim.run(SwiftDownload::new(get, service(), options, 1), demo(INTERVAL))
        };
        at_every_point(begin, run, |sim, done, at| {
            let done = done.unwrap_or_else(|error| panic!("before request {at}: {error}"));
            assert_eq!(done.bytes, sim.source.len() as u64, "before request {at}");
            assert!(sim.sink == sim.source, "before request {at}");
            assert!(sim.model.model.logins().len() <= 3, "before request {at}");
        });
    }
}

#[test]
fn a_deletion_survives_a_401_at_every_point() {
    for large_object in [LargeObject::Static, LargeObject::Dynamic] {
        for bulk in [true, false] {
            let begin = || {
                let mut sim = Sim::new(model(3600), object(7), 9);
                let options = SwiftUploadOptions { large_object: Some(large_object), ..options() };
                let length = sim.source.len();
                sim.run(upload(length, options, "object", 9), demo(INTERVAL)).unwrap();
                sim.model
            };
            let run = |sim: &mut Sim<Revoking>| {
                let options = SwiftDeleteOptions { bulk, ..SwiftDeleteOptions::default() };
                let machine = SwiftDelete::new("images", "object", service(), options, 1);
                sim.run(machine, demo(INTERVAL))
            };
            at_every_point(begin, run, |sim, done, at| {
                done.unwrap_or_else(|error| panic!("before request {at}: {error}"));
                let left = present(&sim.model.model);
                assert!(left.is_empty(), "before request {at}: {left:?}");
            });
        }
    }
}
