//! Swift under Keystone and a virtual clock: tokens that end, clocks that differ, and refusals at
//! every point.
//!
//! What is shown: no transfer fails that could have succeeded; nobody logs in while the token at
//! hand would do; and nothing is left behind that the error does not name.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use apus_conformance::server::{
    Admission, Ending, Fault, Gate, Limits, OpenStackModel, OpenStackOperation as Operation, Plan,
    Reply, Request,
};
use apus_conformance::sim::{Sim, Simulated};
use apus_core::contract::Leave;
use apus_core::error::Leftover;
use apus_core::keystone::{
    self, Domain, Identity, Login, Scope, Session, SessionOptions, TrustSlot, User,
};
use apus_core::machine::{
    Delegated, Delegation, DownloadOptions, Entrusted, LargeObject, Party, SegmentsIn, SwiftDelete,
    SwiftDeleteOptions, SwiftDownload, SwiftUpload, SwiftUploadOptions, SwiftUploaded, Trusted,
    UploadSource,
};
use apus_core::swift::{Config, GetObject, Service};
use apus_core::{Error, Kind};
use bytes::Bytes;
use proptest::prelude::*;

const SEGMENT: usize = 1 << 10;
const DAY: i64 = 86_400;
const INTERVAL: Duration = Duration::from_secs(10);

/// A cloud whose tokens are all revoked just before some of its requests, counted from 1.
struct Revoking {
    model: OpenStackModel,
    before: BTreeSet<u64>,
}

impl Simulated for Revoking {
    type Admitted = Admission;

    fn set_now(&mut self, unix: Duration) {
        self.model.set_now(unix);
    }

    fn head(&mut self, head: &Request) -> Result<Admission, Box<Reply>> {
        if self.before.contains(&(self.model.requests() + 1)) {
            self.model.revoke_all();
        }
        match self.model.head(head) {
            Gate::Answered(reply) => Err(Box::new(reply)),
            Gate::Open(admission) => Ok(admission),
        }
    }

    fn body(&mut self, admitted: Admission, request: &Request) -> Reply {
        self.model.body(admitted, request)
    }
}

fn model(life: u64) -> OpenStackModel {
    OpenStackModel::new()
        .with_token_life(Duration::from_secs(life))
        .with_container("demo", "images")
}

fn service() -> Arc<Service> {
    Arc::new(Service::new(Config::default()).unwrap())
}

fn login(user: &str, scope: Scope) -> Login {
    let identity =
        Identity::password(User::named(user, Domain::default_id()), format!("{user}-secret"));
    Login::new("http://keystone.test:5000/v3", identity, scope).unwrap()
}

fn project(name: &str) -> Scope {
    Scope::project_named(name, Domain::default_id())
}

fn session_options(interval: Duration) -> SessionOptions {
    SessionOptions { expire_soon_interval: interval, ..SessionOptions::default() }
}

/// The session of a single tenant.
fn demo(interval: Duration) -> Vec<Party> {
    vec![Party::new(Session::new(login("demo", project("demo")), session_options(interval)))]
}

/// Bytes that differ from segment to segment.
fn object(segments: usize) -> Bytes {
    (0..segments * SEGMENT - 100).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

fn options() -> SwiftUploadOptions {
    SwiftUploadOptions {
        threshold: SEGMENT as u64,
        segment_size: SEGMENT as u64,
        ..SwiftUploadOptions::default()
    }
}

fn upload(length: usize, options: SwiftUploadOptions, name: &str, seed: u64) -> SwiftUpload {
    let source = UploadSource::Seekable(length as u64);
    SwiftUpload::new("images", name, source, options, service(), seed).unwrap()
}

/// All that is there: names with their containers.
fn present(model: &OpenStackModel) -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    for container in ["images", "images_segments"] {
        let names = model.names_of("demo", container).into_iter();
        all.extend(names.map(|name| (container.to_owned(), name.to_owned())));
    }
    all
}

/// The object is what was sent, and there is nothing but it and its segments.
#[track_caller]
fn stored(model: &OpenStackModel, source: &Bytes, name: &str) {
    let content = model.content_of("demo", "images", name);
    assert!(content.as_deref() == Some(source), "{name} is what was sent");
    let object = model.object_of("demo", "images", name).unwrap();
    let segments = object.segments().iter().filter_map(|segment| segment.name.clone());
    let mut expected: BTreeSet<_> = segments.collect();
    expected.insert(("images".to_owned(), name.to_owned()));
    assert_eq!(present(model), expected);
}

/// Whatever is there, the error names it.
#[track_caller]
fn named(model: &OpenStackModel, error: &Error) {
    let named: BTreeSet<_> = error
        .leftovers()
        .iter()
        .filter_map(|leftover| match leftover {
            Leftover::Object { bucket, key } => Some((bucket.clone(), key.clone())),
            _ => None,
        })
        .collect();
    let left: Vec<_> = present(model).difference(&named).cloned().collect();
    assert!(left.is_empty(), "{left:?} is left, and the error says {error}");
    for trust in model.live_trusts() {
        assert!(error.to_string().contains(&trust.id), "trust {} is left: {error}", trust.id);
    }
}

/// Nobody logged in while the token at hand had more than the interval to live. What is known of
/// its life is less than it is: by a second of the clock's, and by how long the login took.
#[track_caller]
fn no_login_too_many(model: &OpenStackModel, life: u64, interval: Duration) {
    let times: Vec<u64> = model.logins().iter().map(|login| login.at).collect();
    let least = life - interval.as_secs() - 2;
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= least, "logins at {times:?}");
    }
}

#[track_caller]
fn no_refusal<S>(sim: &Sim<S>) {
    let refused: Vec<_> = sim.trace.iter().filter(|(_, _, how)| how == "401").collect();
    assert!(refused.is_empty(), "{refused:?}");
}

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
}

#[test]
fn tokens_that_live_less_than_the_interval_are_renewed_for_every_exchange() {
    let source = object(40);
    let mut sim = Sim::new(model(30), source.clone(), 1);
    sim.rate = Some(SEGMENT as u64);
    let interval = Duration::from_secs(60);
    sim.run(upload(source.len(), options(), "short", 1), demo(interval)).unwrap();
    stored(&sim.model, &source, "short");
    no_refusal(&sim);
    let others = sim.model.requests() - sim.model.count(Operation::Authenticate);
    let logins = sim.model.logins().len() as u64;
    assert!(logins <= others, "{logins} logins for {others} requests");
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
    }
}

#[test]
fn a_wrong_password_ends_it_before_anything_is_sent() {
    let source = object(10);
    let mut sim = Sim::new(model(3600), source.clone(), 1);
    let identity = Identity::password(User::named("demo", Domain::default_id()), "wrong");
    let login = Login::new("http://keystone.test:5000/v3", identity, project("demo")).unwrap();
    let parties = vec![Party::new(Session::new(login, SessionOptions::default()))];
    let machines = (0..8).map(|at| upload(source.len(), options(), "none", at)).collect();
    for done in sim.race(machines, parties) {
        assert_eq!(done.unwrap_err().kind(), Kind::Authority);
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
        let parties = demo(Duration::from_secs(20));
        sim.run(upload(source.len(), options(), "patient", 1), parties).unwrap();
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

/// Runs a job once to know how many requests it takes, and then once for each of them with all
/// tokens revoked before it.
fn at_every_point<T>(
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
    for width in [1, 3] {
        let run = |sim: &mut Sim<Revoking>| {
            let options = DownloadOptions { width, ..DownloadOptions::default() };
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

/// The parties of a transfer by trust: the user with a token of its own and no password, the
/// service user, and what it has by the trust in the slot.
fn parties_by_trust<S: Simulated>(sim: &mut Sim<S>, user: Session, slot: &TrustSlot) -> Vec<Party> {
    _ = sim;
    let by_trust = Scope::Trust(slot.clone());
    vec![
        Party::new(user),
        Party::new(Session::new(login("glance", project("service")), session_options(INTERVAL))),
        Party::new(Session::new(login("glance", by_trust), session_options(INTERVAL))),
    ]
}

/// An upload in the name of a user whose token is used but never renewed.
fn by_trust<S: Simulated>(sim: &mut Sim<S>) -> Result<Entrusted<SwiftUploaded>, Error> {
    let slot = TrustSlot::empty();
    let options = SessionOptions { renews: false, ..session_options(INTERVAL) };
    let user = Session::new(login("demo", project("demo")), options);
    let parties = parties_by_trust(sim, user, &slot);
    let inner = upload(sim.source.len(), self::options(), "object", 1);
    let service = Arc::new(keystone::Service::default());
    sim.run(Delegated::new(inner, Delegation::new(slot), service, 1), parties)
}

#[test]
fn a_trust_carries_an_upload_beyond_the_users_token_and_is_gone_afterwards() {
    let source = object(200);
    let mut sim = Sim::new(model(30), source.clone(), 1);
    sim.rate = Some(SEGMENT as u64);
    let done = by_trust(&mut sim).unwrap();
    assert!(matches!(done.trust, Trusted::ByTrust { leftover: None, .. }), "{:?}", done.trust);
    assert_eq!(done.output.segments, 200);
    stored(&sim.model, &source, "object");
    assert!(sim.now.tick > Duration::from_secs(1040), "it lasted longer than a token");
    assert_eq!((sim.model.live_trusts().len(), sim.model.trusts().len()), (0, 1));
    // The user logged in once.
    let users = sim.model.logins().iter().filter(|login| login.who == "demo");
    assert_eq!(users.count(), 1);
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
        sim.cancel_at = Some((sim.now.tick + Duration::from_millis(after), Leave::Abort));
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
fn where_no_trust_can_be_had_the_users_own_token_is_used_and_not_renewed() {
    let plan = Plan::new().always(Operation::CreateTrust, Fault::Refuse(403, ""));
    let source = object(8);
    let mut sim = Sim::new(model(30).with_plan(plan.clone()), source.clone(), 1);
    let done = by_trust(&mut sim).unwrap();
    assert!(matches!(done.trust, Trusted::OwnToken { .. }), "{:?}", done.trust);
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
    let user = Party::new(Session::new(user, SessionOptions::default()));
    let trustee = login("glance", project("service"));
    let trustee = Party::new(Session::new(trustee, SessionOptions::default()));
    let mut parties = vec![user, trustee];
    let mut machines = Vec::new();
    for number in 0..16 {
        let slot = TrustSlot::empty();
        let by_trust = login("glance", Scope::Trust(slot.clone()));
        parties.push(Party::new(Session::new(by_trust, SessionOptions::default())));
        let inner = upload(source.len(), options(), &format!("object-{number}"), number);
        let delegation = Delegation { trust: parties.len() - 1, ..Delegation::new(slot) };
        let service = Arc::new(keystone::Service::default());
        machines.push(Delegated::new(inner, delegation, service, number));
    }
    for done in sim.race(machines, parties) {
        let done = done.unwrap();
        assert!(matches!(done.trust, Trusted::ByTrust { leftover: None, .. }), "{:?}", done.trust);
    }
    assert_eq!((sim.model.live_trusts().len(), sim.model.trusts().len()), (0, 16));
}
