//! Tokens that expire, are refused or can't be obtained for a while; clocks that differ.

use std::collections::BTreeSet;
use std::time::Duration;

use apus_conformance::server::{
    Ending, Fault, Limits, OpenStackModel, OpenStackOperation as Operation, Plan,
};
use apus_conformance::sim::Sim;
use apus_core::Kind;
use apus_core::keystone::{Domain, Identity, Login, Session, SessionOptions, User};
use apus_core::machine::{Auth, LargeObject};

use crate::cloud::{
    DAY, INTERVAL, Revoking, SEGMENT, demo, long_enough, model, no_login_too_many, no_refusal,
    object, options, project, stored, upload,
};

#[test]
fn a_thousand_segments_outlive_many_tokens() {
    let source = object(1000);
    let mut sim = Sim::new(model(30), source.clone(), 1);
    // Each segment takes a second, four go at once.
    sim.rate = Some(SEGMENT as u64);
    let done = sim.run(upload(source.len(), options(), "large", 1), demo(INTERVAL)).unwrap();
    assert_eq!((done.segments, done.large_object), (1000, Some(LargeObject::Static)));
    stored(&sim.model, &source, "large");
    assert_eq!(sim.model.count(Operation::PutObject), 1000);
    assert_eq!(sim.peak, 4);
    no_refusal(&sim);
    no_login_too_many(&sim.model, 30, INTERVAL);
    long_enough(&sim.model, INTERVAL);
    // The manifest is one long request at the end.
    let last = sim.trace.iter().rfind(|(name, ..)| *name == "PutObject").unwrap().1;
    let elapsed = last.as_secs() - 1000;
    assert!(elapsed > 240, "{elapsed}");
    let logins = sim.model.logins().len() as u64;
    assert!((elapsed / 20..=elapsed / 18 + 1).contains(&logins), "{logins} in {elapsed} s");
}

#[test]
fn a_segment_may_outlive_its_token() {
    // Each takes 25 s of the 30 that a token lives; it is looked at when the head arrives.
    let source = object(12);
    let mut sim = Sim::new(model(30), source.clone(), 1);
    sim.rate = Some(SEGMENT as u64 / 25);
    sim.run(upload(source.len(), options(), "slow", 1), demo(INTERVAL)).unwrap();
    stored(&sim.model, &source, "slow");
    assert_eq!(sim.model.count(Operation::PutObject), 12);
    no_refusal(&sim);
    no_login_too_many(&sim.model, 30, INTERVAL);
    long_enough(&sim.model, INTERVAL);
}

#[test]
fn tokens_that_live_less_than_the_interval_are_renewed_twice_in_their_life() {
    let source = object(120);
    let mut sim = Sim::new(model(30), source.clone(), 1);
    sim.rate = Some(SEGMENT as u64);
    let interval = Duration::from_secs(60);
    sim.run(upload(source.len(), options(), "short", 1), demo(interval)).unwrap();
    stored(&sim.model, &source, "short");
    no_refusal(&sim);
    halfway(&sim.model, 30);
}

#[test]
fn many_machines_share_tokens_that_live_for_seconds() {
    for life in [2, 20] {
        let source = object(100);
        let mut sim = Sim::new(model(life), source.clone(), 1);
        sim.rate = Some(SEGMENT as u64 * 2);
        let machines = (0..24)
            .map(|number| upload(source.len(), options(), &format!("object-{number}"), number))
            .collect();
        for done in sim.race(machines, demo(Duration::from_secs(60))) {
            assert_eq!(done.unwrap().segments, 100);
        }
        halfway(&sim.model, life);
    }
}

/// No login came before half of the life of the token before it was over: what is known of that may
/// be a second short.
#[track_caller]
fn halfway(model: &OpenStackModel, life: u64) {
    let times: Vec<u64> = model.logins().iter().map(|login| login.at).collect();
    assert!(times.len() > 1, "{times:?}");
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] + 1 >= life / 2, "logins at {times:?}");
    }
}

#[test]
fn many_uploads_share_one_session() {
    let source = object(30);
    let mut sim = Sim::new(model(30), source.clone(), 1);
    sim.rate = Some(SEGMENT as u64 / 2);
    let machines = (0..64)
        .map(|number| upload(source.len(), options(), &format!("object-{number}"), number))
        .collect();
    for done in sim.race(machines, demo(INTERVAL)) {
        assert_eq!(done.unwrap().segments, 30);
    }
    for number in 0..64 {
        let content = sim.model.content_of("demo", "images", &format!("object-{number}"));
        assert!(content.as_deref() == Some(&source), "object {number} is what was sent");
    }
    assert_eq!(sim.model.names_of("demo", "images").len(), 64);
    assert_eq!(sim.model.names_of("demo", "images_segments").len(), 64 * 30);
    no_refusal(&sim);
    no_login_too_many(&sim.model, 30, INTERVAL);
    long_enough(&sim.model, INTERVAL);
}

#[test]
fn many_uploads_that_meet_401_at_once_log_in_once() {
    let source = object(4);
    let model = Revoking { model: model(3600), before: BTreeSet::from([100]) };
    let mut sim = Sim::new(model, source.clone(), 1);
    let machines = (0..64)
        .map(|number| upload(source.len(), options(), &format!("object-{number}"), number))
        .collect();
    for done in sim.race(machines, demo(INTERVAL)) {
        assert_eq!(done.unwrap().segments, 4);
    }
    assert_eq!(sim.model.model.logins().len(), 2);
}

#[test]
fn clocks_that_are_a_day_apart_change_nothing() {
    for skew in [-DAY, -61, 61, DAY] {
        let source = object(100);
        let mut sim = Sim::new(model(30), source.clone(), 1);
        (sim.rate, sim.skew) = (Some(SEGMENT as u64), skew);
        sim.run(upload(source.len(), options(), "skewed", 1), demo(INTERVAL)).unwrap();
        stored(&sim.model, &source, "skewed");
        no_refusal(&sim);
        no_login_too_many(&sim.model, 30, INTERVAL);
        long_enough(&sim.model, INTERVAL);
    }
}

#[test]
fn a_wrong_password_ends_it_before_anything_is_sent() {
    let source = object(10);
    let mut sim = Sim::new(model(3600), source.clone(), 1);
    let identity = Identity::password(User::named("demo", Domain::default_id()), "wrong");
    let login = Login::new("http://keystone.test:5000/v3", identity, project("demo")).unwrap();
    let auths = vec![Auth::new(Session::new(login, SessionOptions::default()))];
    let machines = (0..8).map(|at| upload(source.len(), options(), "none", at)).collect();
    for done in sim.race(machines, auths) {
        assert_eq!(done.unwrap_err().kind(), Kind::Auth);
    }
    // A wrong password is tried once, and not by each of them.
    assert_eq!((sim.model.requests(), sim.model.logins().len()), (1, 1));
}

#[test]
fn renewals_that_fail_for_a_while_disturb_nobody_while_the_token_lives() {
    let source = object(100);
    for fault in [
        Fault::SlowDown(None),
        Fault::InternalError,
        Fault::Lost(Ending::Reset),
        Fault::Delay(Duration::from_secs(3)),
    ] {
        let plan = (2..5)
            .fold(Plan::new(), |plan, nth| plan.on(Operation::Authenticate, nth, fault.clone()));
        let mut sim = Sim::new(model(40).with_plan(plan), source.clone(), 1);
        sim.rate = Some(SEGMENT as u64);
        let auths = demo(Duration::from_secs(20));
        sim.run(upload(source.len(), options(), "patient", 1), auths).unwrap();
        stored(&sim.model, &source, "patient");
        no_refusal(&sim);
    }
}

#[test]
fn renewals_that_fail_for_longer_than_the_token_lives_are_waited_for() {
    let source = object(100);
    // With half a second doubling to twenty, six failures last beyond the token.
    let plan = (2..8).fold(Plan::new(), |plan, nth| {
        plan.on(Operation::Authenticate, nth, Fault::SlowDown(None))
    });
    let mut sim = Sim::new(model(20).with_plan(plan), source.clone(), 1);
    sim.rate = Some(SEGMENT as u64);
    sim.run(upload(source.len(), options(), "waiting", 1), demo(Duration::from_secs(5))).unwrap();
    stored(&sim.model, &source, "waiting");
}

#[test]
fn first_tokens_may_be_refused() {
    let source = object(20);
    for operations in [
        &[Operation::GetInfo, Operation::HeadObject, Operation::PutContainer][..],
        &[Operation::PutObject],
        &[Operation::PutSlo],
    ] {
        let refused = |plan: Plan<Operation>, operation: &Operation| {
            plan.on(*operation, 1, Fault::RefuseEarly(401, ""))
        };
        let plan = operations.iter().fold(Plan::new(), refused);
        let mut sim = Sim::new(model(3600).with_plan(plan), source.clone(), 1);
        sim.run(upload(source.len(), options(), "refused", 1), demo(INTERVAL)).unwrap();
        stored(&sim.model, &source, "refused");
        assert!(sim.model.logins().len() <= 1 + operations.len());
    }
}

#[test]
fn a_second_login_within_a_second_is_as_good_as_any() {
    // Both tokens end at the same instant.
    for at in 2..6 {
        let source = object(200);
        let model = Revoking { model: model(30), before: BTreeSet::from([at]) };
        let mut sim = Sim::new(model, source.clone(), 1);
        sim.rate = Some(SEGMENT as u64);
        sim.run(upload(source.len(), options(), "object", 1), demo(INTERVAL)).unwrap();
        let model = &sim.model.model;
        stored(model, &source, "object");
        long_enough(model, INTERVAL);
        let refused = sim.trace.iter().filter(|(_, _, how)| how == "401").count();
        assert!(refused <= 4, "{refused} were refused");
    }
}

#[test]
fn where_there_are_no_static_large_objects_a_dynamic_one_is_made() {
    let source = object(100);
    let limits = Limits { max_manifest_segments: None, ..Limits::default() };
    let mut sim = Sim::new(model(30).with_limits(limits), source.clone(), 1);
    sim.rate = Some(SEGMENT as u64);
    let done = sim.run(upload(source.len(), options(), "dynamic", 1), demo(INTERVAL)).unwrap();
    assert_eq!((done.segments, done.large_object), (100, Some(LargeObject::Dynamic)));
    let content = sim.model.content_of("demo", "images", "dynamic");
    assert!(content.as_deref() == Some(&source));
    assert_eq!(sim.model.names_of("demo", "images_segments").len(), 100);
    no_refusal(&sim);
    no_login_too_many(&sim.model, 30, INTERVAL);
}
