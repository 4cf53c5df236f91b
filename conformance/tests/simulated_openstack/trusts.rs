//! Transfers by trust.

use std::sync::Arc;
use std::time::Duration;

use apus_conformance::server::{Ending, Fault, OpenStackOperation as Operation, Plan};
use apus_conformance::sim::{Sim, Simulated};
use apus_core::Error;
use apus_core::contract::OnFailure;
use apus_core::keystone::{self, Scope, Session, SessionOptions, TrustSlot};
use apus_core::machine::{
    Auth, Delegation, DownloadOptions, SwiftDownload, SwiftUploaded, TrustOutcome, TrustScoped,
    TrustUse,
};
use apus_core::swift::GetObject;

use crate::cloud::{
    INTERVAL, SEGMENT, demo, login, model, named, object, options, present, project, service,
    session_options, stored, upload,
};
use crate::points::at_every_point;

/// The auths of a transfer by trust: the user with a token of its own and no password, the
/// service user, and what it has by the trust in the slot.
fn parties_by_trust(user: Session, slot: &TrustSlot) -> Vec<Auth> {
    let by_trust = Scope::Trust(slot.clone());
    vec![
        Auth::new(user),
        Auth::new(Session::new(login("glance", project("service")), session_options(INTERVAL))),
        Auth::new(Session::new(login("glance", by_trust), session_options(INTERVAL))),
    ]
}

/// An upload in the name of a user whose token is used but never renewed.
fn by_trust<S: Simulated>(sim: &mut Sim<S>) -> Result<TrustOutcome<SwiftUploaded>, Error> {
    let slot = TrustSlot::empty();
    let options = SessionOptions { renews: false, ..session_options(INTERVAL) };
    let user = Session::new(login("demo", project("demo")), options);
    let auths = parties_by_trust(user, &slot);
    let inner = upload(sim.source.len(), self::options(), "object", 1);
    let service = Arc::new(keystone::Service::default());
    sim.run(TrustScoped::new(inner, Delegation::new(slot), service, 1), auths)
}

#[test]
fn a_trust_carries_an_upload_beyond_the_users_token_and_is_gone_afterwards() {
    let source = object(200);
    let mut sim = Sim::new(model(30), source.clone(), 1);
    sim.rate = Some(SEGMENT as u64);
    let done = by_trust(&mut sim).unwrap();
    assert!(matches!(done.trust, TrustUse::ByTrust { leftover: None, .. }), "{:?}", done.trust);
    assert_eq!(done.output.segments, 200);
    stored(&sim.model, &source, "object");
    assert!(sim.now.tick > Duration::from_secs(1040), "it lasted longer than a token");
    assert_eq!((sim.model.live_trusts().len(), sim.model.trusts().len()), (0, 1));
    // The user logged in once.
    let users = sim.model.logins().iter().filter(|login| login.who == "demo");
    assert_eq!(users.count(), 1);
}

#[test]
fn a_trust_lives_until_the_last_byte_of_a_download_that_is_gone_on_with() {
    let source = object(20);
    let mut before = Sim::new(model(30), source.clone(), 9);
    before.run(upload(source.len(), options(), "object", 9), demo(INTERVAL)).unwrap();
    // The object comes in pieces, each of them late and cut off.
    let late = (1..40).fold(Plan::new(), |plan, nth| match nth % 2 {
        0 => plan.on(Operation::GetObject, nth, Fault::SlowDown(Some(5))),
        _ => plan.on(Operation::GetObject, nth, Fault::CutBody(1_300, Ending::Reset)),
    });
    let mut sim = Sim::new(before.model.with_plan(late), source.clone(), 1);
    let slot = TrustSlot::empty();
    let options = SessionOptions { renews: false, ..session_options(INTERVAL) };
    let auths = parties_by_trust(Session::new(login("demo", project("demo")), options), &slot);
    let get = GetObject::new("images", "object");
    let inner = SwiftDownload::new(get, self::service(), DownloadOptions::default(), 1);
    let service = Arc::new(keystone::Service::default());
    let done = sim.run(TrustScoped::new(inner, Delegation::new(slot), service, 1), auths).unwrap();
    assert!(sim.now.tick > Duration::from_secs(60), "it lasted longer than a token");
    assert!(sim.sink == source, "all of it came");
    assert!(matches!(done.trust, TrustUse::ByTrust { leftover: None, .. }), "{:?}", done.trust);
    assert_eq!((sim.model.live_trusts().len(), sim.model.trusts().len()), (0, 1));
}

#[test]
fn a_trust_is_revoked_when_the_transfer_fails_or_is_stopped() {
    let source = object(50);
    let plan = Plan::new().from(Operation::PutObject, 20, Fault::Refuse(403, ""));
    let mut sim = Sim::new(model(30).with_plan(plan), source.clone(), 1);
    sim.rate = Some(SEGMENT as u64);
    let error = by_trust(&mut sim).unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(403));
    named(&sim.model, &error);
    assert_eq!((sim.model.live_trusts().len(), sim.model.trusts().len()), (0, 1));
    assert!(present(&sim.model).is_empty());

    for after in [0, 10, 50, 100, 200, 500, 2_000, 20_000, 60_000] {
        let mut sim = Sim::new(model(30), source.clone(), 1);
        sim.rate = Some(SEGMENT as u64);
        sim.cancel_at = Some((sim.now.tick + Duration::from_millis(after), OnFailure::Abort));
        match by_trust(&mut sim) {
            Ok(_) => stored(&sim.model, &source, "object"),
            Err(error) => {
                assert!(error.is_cancelled(), "after {after} ms: {error}");
                named(&sim.model, &error);
                assert!(present(&sim.model).is_empty(), "after {after} ms");
            }
        }
        assert_eq!(sim.model.live_trusts().len(), 0, "after {after} ms");
    }
}

#[test]
fn a_transfer_by_trust_survives_a_401_at_every_point_once_there_is_a_trust() {
    let begin = || model(3600);
    at_every_point(begin, by_trust, |sim, done, at| {
        let model = &sim.model.model;
        assert_eq!(model.live_trusts().len(), 0, "before request {at}");
        match done {
            Ok(_) => stored(model, &sim.source, "object"),
            Err(error) => {
                // The user's token was all there was, and there was no trust yet.
                assert!(model.trusts().is_empty(), "before request {at}: {error}");
                named(model, &error);
            }
        }
    });
}

#[test]
fn where_no_trust_can_be_had_the_users_own_token_is_used_and_not_renewed() {
    let plan = Plan::new().always(Operation::CreateTrust, Fault::Refuse(403, ""));
    let source = object(8);
    let mut sim = Sim::new(model(30).with_plan(plan.clone()), source.clone(), 1);
    let done = by_trust(&mut sim).unwrap();
    assert!(matches!(done.trust, TrustUse::OwnToken { .. }), "{:?}", done.trust);
    stored(&sim.model, &source, "object");

    // Beyond the life of the token the transfer can't succeed. It says so, and names what is left:
    // nothing can be removed any more.
    let source = object(200);
    let mut sim = Sim::new(model(30).with_plan(plan), source.clone(), 1);
    sim.rate = Some(SEGMENT as u64);
    let error = by_trust(&mut sim).unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(401), "{error}");
    let users = sim.model.logins().iter().filter(|login| login.who == "demo");
    assert_eq!(users.count(), 1);
    named(&sim.model, &error);
}

#[test]
fn many_transfers_each_have_a_trust_of_their_own() {
    let source = object(4);
    let mut sim = Sim::new(model(3600), source.clone(), 1);
    let user = login("demo", project("demo"));
    let user = Auth::new(Session::new(user, SessionOptions::default()));
    let trustee = login("glance", project("service"));
    let trustee = Auth::new(Session::new(trustee, SessionOptions::default()));
    let mut auths = vec![user, trustee];
    let mut machines = Vec::new();
    for number in 0..16 {
        let slot = TrustSlot::empty();
        let by_trust = login("glance", Scope::Trust(slot.clone()));
        auths.push(Auth::new(Session::new(by_trust, SessionOptions::default())));
        let inner = upload(source.len(), options(), &format!("object-{number}"), number);
        let delegation = Delegation { trust: auths.len() - 1, ..Delegation::new(slot) };
        let service = Arc::new(keystone::Service::default());
        machines.push(TrustScoped::new(inner, delegation, service, number));
    }
    for done in sim.race(machines, auths) {
        let done = done.unwrap();
        assert!(matches!(done.trust, TrustUse::ByTrust { leftover: None, .. }), "{:?}", done.trust);
    }
    assert_eq!((sim.model.live_trusts().len(), sim.model.trusts().len()), (0, 16));
}
