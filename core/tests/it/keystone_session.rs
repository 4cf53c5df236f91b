//! When a session renews its token, which callers wait for it, and what follows from failures.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use apus_core::contract::Notice;
use apus_core::error::{ExchangeErrorKind, Kind};
use apus_core::http::Draft;
use apus_core::keystone::{
    CachedToken, Domain, EndpointFilter, Identity, Login, Scope, ServiceToken, Session,
    SessionOptions, TrustSlot, User, ValidateToken,
};
use apus_core::machine::{Auth, Call, GrantOnly};
use apus_core::{Now, keystone};
use proptest::prelude::*;

use crate::cloud::{Answer, Cloud, Puts, World, interval, login, session};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn demo(options: SessionOptions) -> Auth {
    Auth::new(session("demo", Scope::project("p"), options))
}

fn living(ttl: u64) -> Cloud {
    Cloud { ttl: secs(ttl), ..Cloud::default() }
}

fn keystone() -> Arc<keystone::Service> {
    Arc::default()
}

fn count(notices: &[Notice], which: fn(&Notice) -> bool) -> usize {
    notices.iter().filter(|notice| which(notice)).count()
}

fn is_renewed(notice: &Notice) -> bool {
    matches!(notice, Notice::Renewed { .. })
}

fn is_failed(notice: &Notice) -> bool {
    matches!(notice, Notice::RenewalFailed { .. })
}

#[test]
fn a_token_serves_until_the_interval_before_its_end() {
    let mut world = World::new(living(120), vec![Puts::new(200, 1)], &[demo(interval(50))]);
    assert_eq!(world.run()[0].as_ref().unwrap().as_ref().unwrap(), &200);
    // 200 s of requests, of which each token serves 70 s and the second in which that passes.
    assert_eq!(world.cloud.logins, 3);
    assert_eq!(world.cloud.count("PUT"), 200, "no request was refused");
    let notices = world.notices();
    assert_eq!(count(&notices, is_renewed), 3);
    assert_eq!(notices.len(), 3, "{notices:?}");
}

#[test]
fn an_interval_above_two_minutes_holds() {
    let mut world = World::new(living(1850), vec![Puts::new(2000, 1)], &[demo(interval(900))]);
    world.run()[0].as_ref().unwrap().as_ref().unwrap();
    assert_eq!(world.cloud.logins, 3);
}

#[test]
fn many_machines_make_one_renewal() {
    let machines = (0..64).map(|_| Puts::new(50, 2)).collect();
    let mut world = World::new(living(30), machines, &[demo(interval(10))]);
    for result in world.run() {
        assert_eq!(result.unwrap().unwrap(), 50);
    }
    // 25 s of requests; a token serves 20 of them.
    assert_eq!(world.cloud.logins, 2);
    assert_eq!(world.cloud.count("PUT"), 64 * 50);
}

#[test]
fn neither_the_difference_of_the_clocks_nor_a_jump_matters() {
    for (skew, jump) in [(86_400, 0), (-86_400, 0), (0, 86_400), (0, -86_400), (3600, -3600)] {
        let mut world = World::new(living(120), vec![Puts::new(200, 1)], &[demo(interval(50))]);
        world.skew = skew;
        world.jump = Some((secs(80), jump));
        world.run()[0].as_ref().unwrap().as_ref().unwrap();
        assert_eq!(world.cloud.logins, 3, "{skew} {jump}");
        assert_eq!(world.cloud.count("PUT"), 200, "{skew} {jump}");
    }
}

#[test]
fn without_a_date_the_time_of_issue_counts() {
    let cloud = Cloud { dates: false, ..living(120) };
    let mut world = World::new(cloud, vec![Puts::new(200, 1)], &[demo(interval(50))]);
    world.skew = 86_400;
    world.run()[0].as_ref().unwrap().as_ref().unwrap();
    assert_eq!(world.cloud.logins, 3);
}

#[test]
fn a_token_that_is_too_short_for_the_interval_is_renewed_when_half_of_it_is_over() {
    let machines = (0..10).map(|_| Puts::new(60, 1)).collect();
    let mut world = World::new(living(30), machines, &[demo(interval(60))]);
    for result in world.run() {
        assert_eq!(result.unwrap().unwrap(), 60);
    }
    // 60 s of requests, of which each token serves 15 s and the second in which that passes.
    assert_eq!(world.cloud.logins, 4);
    assert_eq!(world.cloud.count("PUT"), 600);
    let short = |notice: &Notice| matches!(notice, Notice::ShortLived { .. });
    assert_eq!(count(&world.notices(), short), 1);
}

#[test]
fn a_token_that_is_over_when_it_comes_is_tried_all_the_same() {
    // What the cloud says of its life is wrong; what it does is right.
    let mut world = World::new(living(0), vec![Puts::new(3, 1)], &[demo(interval(60))]);
    let result = world.run().remove(0).unwrap();
    assert_eq!(result.unwrap_err().status().map(|it| it.as_u16()), Some(401));
    assert!(world.cloud.logins <= 4, "{}", world.cloud.logins);
}

#[test]
fn a_refused_token_is_renewed_once_for_all_who_met_the_refusal() {
    let machines: Vec<_> = (0..10).map(|_| Puts::new(3, 4)).collect();
    let mut cloud = living(300);
    cloud
        .scripted
        .insert("PUT /v1/AUTH_p/c/o-1".into(), (0..10).map(|_| Answer::new(401)).collect());
    let mut world = World::new(cloud, machines, &[demo(interval(60))]);
    for result in world.run() {
        assert_eq!(result.unwrap().unwrap(), 3);
    }
    assert_eq!(world.cloud.logins, 2);
}

#[test]
fn what_is_refused_with_the_new_token_too_is_told_and_does_not_burn_the_token() {
    let mut cloud = living(300);
    cloud
        .scripted
        .insert("PUT /v1/AUTH_p/c/o-1".into(), (0..9).map(|_| Answer::new(401)).collect());
    let machines = vec![Puts::new(1, 1), Puts::new(2, 1)];
    let mut world = World::new(cloud, machines, &[demo(interval(60))]);
    for result in world.run() {
        assert_eq!(result.unwrap().unwrap_err().status().map(|it| it.as_u16()), Some(401));
    }
    // The first token, and the one that the refusal led to.
    assert_eq!(world.cloud.logins, 2);
}

/// The answers to a first request with `answers`, and what the second one costs: logins and requests.
fn cost_after(answers: &[(&str, usize)], first: Puts) -> (u32, usize) {
    let auth = demo(interval(60));
    let mut cloud = living(300);
    for (object, refusals) in answers {
        let refusals = (0..*refusals).map(|_| Answer::new(401)).collect();
        cloud.scripted.insert(format!("PUT /v1/AUTH_p/c/{object}"), refusals);
    }
    let mut world = World::new(cloud, vec![first], std::slice::from_ref(&auth));
    world.run().remove(0).unwrap().unwrap_err();
    assert_eq!(world.cloud.logins, 2);
    let mut cloud = world.cloud;
    cloud.log.clear();
    // From now on the store accepts the token of the newest login alone.
    cloud.scripted.clear();
    cloud.tokens.retain(|token, _| token == "secret-token-3");
    let mut world = World::new(cloud, vec![Puts::new(1, 1)], &[auth]);
    world.start_at(secs(2));
    assert_eq!(world.run().remove(0).unwrap().unwrap(), 1);
    (world.cloud.logins, world.cloud.count("PUT"))
}

#[test]
fn a_renewed_token_that_was_only_refused_is_not_sent_again() {
    assert_eq!(cost_after(&[("o-1", 2)], Puts::new(1, 1)), (3, 1));
    assert_eq!(cost_after(&[("o-1", 2), ("o-2", 2)], Puts::new(2, 2)), (3, 1));
}

#[test]
fn a_renewed_token_with_which_another_request_succeeded_is_sent_again() {
    // One login and one more request: what the refusal of this very request costs.
    assert_eq!(cost_after(&[("o-1", 1), ("o-2", 2)], Puts::new(2, 2)), (3, 2));
}

/// A store that refuses every token: its Keystone is another one, for example.
#[test]
fn a_store_that_refuses_every_token_does_not_cost_a_login_for_each_request() {
    let auth = demo(interval(60));
    let mut cloud = living(3600);
    let refusals = || (0..9).map(|_| Answer::new(401)).collect();
    let mut requests = 0;
    for quarter in 0..160 {
        cloud.scripted.insert("PUT /v1/AUTH_p/c/o-1".into(), refusals());
        let mut world = World::new(cloud, vec![Puts::new(1, 1)], std::slice::from_ref(&auth));
        world.start_at(Duration::from_millis(250 * quarter));
        world.takes = Duration::from_millis(10);
        let error = world.run().remove(0).unwrap().unwrap_err();
        assert_eq!(error.status().map(|it| it.as_u16()), Some(401));
        requests += world.cloud.count("PUT");
        cloud = world.cloud;
        cloud.log.clear();
    }
    assert!(requests >= 160, "{requests}");
    // The first, and three in each ten seconds of the forty.
    assert!((4..=16).contains(&cloud.logins), "{} logins", cloud.logins);
    // It is no store's fault for ever: a token that is revoked later is replaced.
    cloud.scripted.clear();
    cloud.revocations.push(crate::cloud::START + secs(60));
    let mut world = World::new(cloud, vec![Puts::new(1, 1)], &[auth]);
    world.start_at(secs(61));
    assert_eq!(world.run().remove(0).unwrap().unwrap(), 1);
}

#[test]
fn a_token_that_is_not_found_when_it_asks_about_itself_is_renewed() {
    let mut cloud = living(300);
    let gone = Answer::error(404, "Not Found", "Failed to validate token");
    cloud.scripted.insert("GET /v3/auth/tokens".into(), vec![gone]);
    let call = Call::new(ValidateToken::default(), keystone(), 1);
    let mut world = World::new(cloud, vec![call], &[demo(interval(60))]);
    let told = world.run().remove(0).unwrap().unwrap();
    assert_eq!(told.facts.user.unwrap().id, "demo-id");
    assert_eq!(world.cloud.logins, 2);
}

#[test]
fn a_token_alone_is_had_by_one_login_and_nothing_else() {
    let auth = demo(interval(60));
    let calls = (0..3).map(|seed| Call::new(GrantOnly::new(), keystone(), seed)).collect();
    let mut world = World::new(living(300), calls, std::slice::from_ref(&auth));
    for result in world.run() {
        result.unwrap().unwrap();
    }
    assert_eq!((world.cloud.logins, world.cloud.count("")), (1, 1));
    // A token is no proof that fits into a URL.
    let draft = Draft::new("GetObject", http::Method::GET, http::Uri::from_static("/c/o"));
    let error = auth.presign(draft, None, secs(60), Now::new(secs(0), secs(0))).unwrap_err();
    assert!(error.to_string().contains("there is no key for temporary URLs"), "{error}");
}

#[test]
fn in_the_soft_margin_one_renews_and_the_others_go_on() {
    let options = SessionOptions { soft_margin: secs(20), ..interval(10) };
    let machines = (0..8).map(|_| Puts::new(100, 1)).collect();
    let mut world = World::new(living(60), machines, &[demo(options)]);
    world.cloud.login_takes = secs(5);
    world.run();
    // All waited for the first token, and none for another one.
    assert!(world.elapsed() <= secs(106), "{:?}", world.elapsed());
    assert_eq!(world.cloud.count("PUT"), 800);
}

#[test]
fn a_wrong_password_is_not_hammered() {
    let auth =
        Auth::new(Session::new(login("demo", "wrong", Scope::Unstated), SessionOptions::default()));
    let machines = (0..20).map(|_| Puts::new(5, 1)).collect();
    let mut world = World::new(living(300), machines, &[auth]);
    for result in world.run() {
        let error = result.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.is_denied()), (Kind::Auth, true));
        assert_eq!(
            error.to_string(),
            "Authenticate: could not obtain a token: http://keystone:5000/v3/auth/tokens: the \
             server refused the request: 401 Unauthorized: requires authentication."
        );
    }
    assert_eq!(world.cloud.attempts, 1);
    assert_eq!(world.cloud.count("PUT"), 0);
}

#[test]
fn a_keystone_that_is_away_for_a_while_is_waited_for() {
    let mut cloud = living(30);
    let start = crate::cloud::START;
    cloud.outage = Some((start + secs(20), start + secs(36)));
    let machines = (0..8).map(|_| Puts::new(60, 1)).collect();
    let mut world = World::new(cloud, machines, &[demo(interval(10))]);
    for result in world.run() {
        assert_eq!(result.unwrap().unwrap(), 60);
    }
    let notices = world.notices();
    assert!(count(&notices, is_failed) >= 1);
    // Single file, with growing delays: nowhere near one attempt for each of 8 requests a second.
    assert!(world.cloud.attempts <= 14, "{}", world.cloud.attempts);
}

#[test]
fn a_renewal_that_fails_is_no_error_while_the_token_lives() {
    let mut cloud = living(100);
    let start = crate::cloud::START;
    cloud.outage = Some((start + secs(35), start + secs(90)));
    let mut world = World::new(cloud, vec![Puts::new(120, 1)], &[demo(interval(60))]);
    assert_eq!(world.run()[0].as_ref().unwrap().as_ref().unwrap(), &120);
    assert!(world.elapsed() < secs(125), "{:?}", world.elapsed());
    assert_eq!(world.cloud.count("PUT"), 120, "nothing was refused");
}

#[test]
fn nor_is_a_renewal_that_is_denied_while_the_token_lives() {
    let mut cloud = living(100);
    let start = crate::cloud::START;
    cloud.denial = Some((start + secs(35), start + secs(80)));
    let mut world = World::new(cloud, vec![Puts::new(120, 1)], &[demo(interval(60))]);
    assert_eq!(world.run()[0].as_ref().unwrap().as_ref().unwrap(), &120);
    assert_eq!(world.cloud.count("PUT"), 120, "nothing was refused");
    // Remembered for five seconds each.
    assert!((2..=12).contains(&world.cloud.attempts), "{}", world.cloud.attempts);
    assert!(count(&world.notices(), is_failed) >= 5);
}

#[test]
fn a_denial_is_remembered_for_a_moment_only() {
    let mut cloud = living(300);
    cloud.denial = Some((Duration::ZERO, crate::cloud::START + secs(3)));
    let auth = demo(interval(60));
    let mut world = World::new(cloud, vec![Puts::new(1, 1)], std::slice::from_ref(&auth));
    assert!(world.run().remove(0).unwrap().unwrap_err().is_denied());
    for (from, attempts, denied) in [(4, 1, true), (6, 2, false)] {
        let mut later = World::new(world.cloud, vec![Puts::new(1, 1)], std::slice::from_ref(&auth));
        later.start_at(secs(from));
        assert_eq!(later.run().remove(0).unwrap().is_err(), denied, "{from}");
        assert_eq!(later.cloud.attempts, attempts, "{from}");
        world = later;
    }
}

#[test]
fn a_token_by_another_trust_is_another_token() {
    let slot = TrustSlot::empty();
    let auth = Auth::new(session("glance", Scope::Trust(slot.clone()), interval(60)));
    let run = |cloud| {
        let mut world = World::new(cloud, vec![Puts::new(2, 1)], std::slice::from_ref(&auth));
        let result = world.run().remove(0).unwrap();
        (world.cloud, result)
    };
    let (mut cloud, result) = run(living(300));
    assert_eq!(
        result.unwrap_err().message(),
        "can't request a token by trust: the trust has not been created"
    );
    assert!(cloud.log.is_empty());
    for number in 1..=2 {
        let Answer { status: 201, .. } = cloud.trust(b"{\"trust\": {}}") else { panic!() };
        slot.set(Some(format!("trust-{number}")));
        let result;
        (cloud, result) = run(cloud);
        assert_eq!((result.unwrap(), cloud.logins), (2, number));
        let result;
        (cloud, result) = run(cloud);
        assert_eq!((result.unwrap(), cloud.logins), (2, number));
    }
}

#[test]
fn retry_after_is_kept_when_there_is_no_token_yet() {
    let mut cloud = living(300);
    cloud.trouble = vec![
        Answer::error(429, "Too Many Requests", "later").header("retry-after", 30),
        Answer::error(503, "Service Unavailable", "later").header("retry-after", 7),
    ];
    let mut world = World::new(cloud, vec![Puts::new(1, 1)], &[demo(interval(60))]);
    assert_eq!(world.run()[0].as_ref().unwrap().as_ref().unwrap(), &1);
    assert!(world.elapsed() >= secs(38), "{:?}", world.elapsed());
    assert_eq!(world.cloud.attempts, 3);
}

#[test]
fn attempts_at_a_first_token_come_to_an_end() {
    let mut cloud = living(300);
    cloud.outage = Some((Duration::ZERO, Duration::MAX));
    let mut world = World::new(cloud, vec![Puts::new(1, 1)], &[demo(interval(60))]);
    let error = world.run().remove(0).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (Kind::Auth, 8));
    assert_eq!(world.cloud.count("POST /v3/auth/tokens"), 8);
}

#[test]
fn a_renewal_that_is_given_up_is_not_begun_again_for_the_same_request() {
    let trouble = || (0..9).map(|_| Answer::lost(ExchangeErrorKind::Cancelled)).collect();
    let cloud = Cloud { trouble: trouble(), ..living(300) };
    let mut world = World::new(cloud, vec![Puts::new(1, 1)], &[demo(interval(10))]);
    let error = world.run().remove(0).unwrap().unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert_eq!(world.cloud.attempts, 1);
    // Another request may ask anew.
    let cloud = Cloud { trouble: vec![Answer::lost(ExchangeErrorKind::Cancelled)], ..living(300) };
    let puts = vec![Puts::new(1, 1), Puts::new(1, 1)];
    let results = World::new(cloud, puts, &[demo(interval(10))]).run();
    let stored = results.iter().flatten().filter(|result| result.is_ok()).count();
    assert_eq!(stored, 1);
}

#[test]
fn a_dropped_caller_leaves_the_renewal_to_the_next() {
    let machines = vec![Puts::new(3, 1), Puts::new(3, 1)];
    let mut world = World::new(living(300), machines, &[demo(interval(60))]);
    world.cloud.login_takes = secs(10);
    world.drop = Some((secs(2), 0));
    let results = world.run();
    assert!(results[0].is_none());
    assert_eq!(results[1].as_ref().unwrap().as_ref().unwrap(), &3);
}

#[test]
fn so_it_is_with_the_renewal_of_a_service_token() {
    let mut cloud = living(300);
    let token = cloud.give("demo", crate::cloud::START, secs(3600));
    let service = ServiceToken::new(login("glance", "hunter2", Scope::Unstated), interval(20));
    let user = Session::fixed_at("http://swift:8080/v1/AUTH_p", token).unwrap();
    let auth = Auth::new(user.with_service_token(service));
    let mut world = World::new(cloud, vec![Puts::new(3, 1), Puts::new(3, 1)], &[auth]);
    world.cloud.login_takes = secs(10);
    world.drop = Some((secs(2), 0));
    assert_eq!(world.run()[1].as_ref().unwrap().as_ref().unwrap(), &3);
}

#[test]
fn a_fixed_token_is_used_until_it_is_refused() {
    let mut cloud = living(300);
    let token = cloud.give("demo", crate::cloud::START, secs(10));
    let auth = Auth::new(Session::fixed_at("http://swift:8080/v1/AUTH_p", token).unwrap());
    let machines = vec![Puts::new(20, 1), Puts::new(20, 1)];
    let mut world = World::new(cloud, machines, &[auth]);
    let results = world.run();
    assert_eq!(world.cloud.attempts, 0);
    let statuses: Vec<_> =
        results.into_iter().map(|it| it.unwrap().unwrap_err().status()).collect();
    // The first to meet the refusal is told it, and so is who was under way at the same time.
    assert_eq!(statuses.iter().flatten().count(), 2, "{statuses:?}");
    let before = world.cloud.count("PUT");
    assert_eq!(before, 22);
}

#[test]
fn after_its_refusal_a_fixed_token_sends_nothing() {
    let auth = Auth::new(Session::fixed_at("http://swift:8080/v1/AUTH_p", "gone").unwrap());
    let mut world = World::new(living(300), vec![Puts::new(3, 1)], std::slice::from_ref(&auth));
    world.run();
    assert_eq!(world.cloud.count("PUT"), 1);
    let mut world = World::new(living(300), vec![Puts::new(3, 1)], &[auth]);
    let error = world.run().remove(0).unwrap().unwrap_err();
    assert_eq!(world.cloud.count("PUT"), 0);
    assert_eq!(
        error.message(),
        "the server refused the token, and no source is configured to renew it"
    );
}

#[test]
fn a_session_without_renewal_gets_one_token() {
    let options = SessionOptions { renews: false, ..interval(60) };
    let mut world = World::new(living(20), vec![Puts::new(40, 1)], &[demo(options)]);
    let error = world.run().remove(0).unwrap().unwrap_err();
    assert_eq!(error.status().map(|it| it.as_u16()), Some(401));
    assert_eq!(world.cloud.attempts, 1);
}

#[test]
fn a_cached_token_goes_on_in_another_process() {
    for skew in [0, 86_400, -86_400] {
        let shared = Arc::new(Mutex::new(session("demo", Scope::Unstated, interval(60))));
        let auths = [Auth::from_shared(shared.clone() as _)];
        let mut first = World::new(living(100), vec![Puts::new(10, 1)], &auths);
        first.skew = skew;
        first.run();
        let now = first.now();
        let cached = shared.lock().unwrap().export(now).unwrap();
        let text = cached.to_secret();
        assert!(text.expose().contains("secret-token"));
        assert!(!format!("{cached:?} {text:?}").contains("secret-token"));
        let cached = CachedToken::from_secret(&text).unwrap();
        let again = session("demo", Scope::Unstated, interval(60)).with_cached(cached).unwrap();
        let auths = [Auth::new(again)];
        // The second process starts when the first did: the token has the same life once more.
        let mut second = World::new(first.cloud, vec![Puts::new(60, 1)], &auths);
        second.skew = skew;
        second.run()[0].as_ref().unwrap().as_ref().unwrap();
        assert_eq!(second.cloud.logins, 2, "{skew}: the cached one, and one renewal");
        assert_eq!(second.cloud.count("PUT"), 70, "{skew}");
    }
}

#[test]
fn a_service_token_goes_along_and_is_renewed_too() {
    let mut cloud = living(50);
    let token = cloud.give("demo", crate::cloud::START, secs(3600));
    let service = ServiceToken::new(login("glance", "hunter2", Scope::Unstated), interval(20));
    let user = Session::fixed_at("http://swift:8080/v1/AUTH_p", token).unwrap();
    let auth = Auth::new(user.with_service_token(service));
    let mut world = World::new(cloud, vec![Puts::new(100, 1)], &[auth]);
    assert_eq!(world.run()[0].as_ref().unwrap().as_ref().unwrap(), &100);
    assert_eq!(world.cloud.logins, 4);
}

#[test]
fn a_token_that_can_not_be_made_to_live_longer_is_not_renewed_over_and_over() {
    let mut cloud = living(300);
    let token = cloud.give("demo", crate::cloud::START, secs(100));
    let identity = Identity::Token(token.into());
    let login = Login::new("http://keystone:5000/v3", identity, Scope::project("p")).unwrap();
    let auth = Auth::new(Session::new(login, interval(60)));
    let mut world = World::new(cloud, vec![Puts::new(98, 1)], &[auth]);
    assert_eq!(world.run()[0].as_ref().unwrap().as_ref().unwrap(), &98);
    assert_eq!(world.cloud.logins, 2);
}

#[test]
fn versions_are_discovered_once() {
    let root = r#"{"versions": {"values": [{"id": "v3.14", "status": "stable",
        "links": [{"rel": "self", "href": "http://internal:5000/v3/"}]}]}}"#;
    let mut cloud = living(30);
    let answer = Answer { body: root.to_owned(), ..Answer::new(300) };
    cloud.scripted.insert("GET /".into(), vec![answer]);
    let identity = Identity::password(User::named("demo", Domain::default_id()), "hunter2");
    let login = Login::new("http://keystone:5000", identity, Scope::Unstated).unwrap();
    let auth = Auth::new(Session::new(login, interval(10)));
    let machines = (0..4).map(|_| Puts::new(60, 1)).collect();
    let mut world = World::new(cloud, machines, &[auth]);
    for result in world.run() {
        assert_eq!(result.unwrap().unwrap(), 60);
    }
    assert_eq!(world.cloud.count("GET / "), 1);
    assert_eq!(world.cloud.logins, 3);
}

#[test]
fn names_go_out_behind_the_storage_url_as_they_are() {
    let mut cloud = living(300);
    cloud.storage = "/gateway/swift/v1/AUTH_p/".into();
    let mut world = World::new(cloud, vec![Puts::new(1, 1)], &[demo(interval(60))]);
    world.run();
    assert_eq!(world.cloud.log[1], "PUT /gateway/swift/v1/AUTH_p/c/o-1 demo");
    let session = session("demo", Scope::Unstated, interval(60));
    let auth = Auth::new(session.with_endpoint(EndpointFilter::at("http://o/A_%(project_id)s")));
    let mut world = World::new(living(300), vec![Puts::new(1, 1)], &[auth]);
    world.run();
    assert_eq!(world.cloud.log[1], "PUT /A_p/c/o-1 demo");
}

#[test]
fn a_region_without_an_object_store_is_told_before_anything_is_sent() {
    let filter = EndpointFilter { region: Some("Elsewhere".into()), ..EndpointFilter::default() };
    let auth = Auth::new(session("demo", Scope::Unstated, interval(60)).with_endpoint(filter));
    let mut world = World::new(living(300), vec![Puts::new(1, 1)], &[auth]);
    let error = world.run().remove(0).unwrap().unwrap_err();
    let what = "the catalogue has no public endpoint of object-store in region \"Elsewhere\": it has \
                public in region \"RegionOne\"";
    assert_eq!((error.kind(), error.message()), (Kind::Auth, what));
    assert_eq!(world.cloud.count("PUT"), 0);
}

#[test]
fn an_answer_that_makes_no_sense_is_told() {
    let token = |body: &str| Answer { body: body.into(), ..Answer::new(201) };
    for (answer, want) in [
        (token("{\"token\": {}}"), "Keystone's response has no X-Subject-Token"),
        (
            token("<html>").header("x-subject-token", "t"),
            "Keystone's response is not valid JSON: line 1, column 1",
        ),
        (token("[]").header("x-subject-token", "t"), "Keystone's response has no `token`"),
        (
            token("{\"token\": {\"user\": {\"id\": \"u\"}}}").header("x-subject-token", "t"),
            "`token` of Keystone's response has no `expires_at`",
        ),
        (
            token("{\"token\": {\"expires_at\": \"soon\"}}").header("x-subject-token", "t"),
            "`token` of Keystone's response has an `expires_at` that is \
             not a date",
        ),
    ] {
        let mut cloud = living(300);
        cloud.trouble = vec![answer];
        let mut world = World::new(cloud, vec![Puts::new(1, 1)], &[demo(interval(60))]);
        let error = world.run().remove(0).unwrap().unwrap_err();
        let want = format!("could not obtain a token: http://keystone:5000/v3/auth/tokens: {want}");
        assert_eq!(error.message(), want);
        assert_eq!(world.cloud.attempts, 1, "{want}");
    }
}

#[test]
fn a_cut_or_a_lost_answer_is_asked_for_again() {
    let mut cloud = living(300);
    cloud.trouble =
        vec![Answer::lost(ExchangeErrorKind::Closed), Answer::lost(ExchangeErrorKind::Timeout)];
    let mut world = World::new(cloud, vec![Puts::new(1, 1)], &[demo(interval(60))]);
    assert_eq!(world.run()[0].as_ref().unwrap().as_ref().unwrap(), &1);
    assert_eq!(world.cloud.attempts, 3);
}

#[derive(Clone, Debug)]
struct Weather {
    ttl: u64,
    interval: u64,
    soft: u64,
    skew: i64,
    jump: (u64, i64),
    dates: bool,
    machines: usize,
    concurrency: usize,
    takes: u64,
    login_takes: u64,
    outage: (u64, u64),
    revocation: u64,
}

fn weather() -> impl Strategy<Value = Weather> {
    let clocks = (-86_400i64..86_400, (0u64..60, -86_400i64..86_400), any::<bool>());
    let tokens = (5u64..90, 0u64..100, 0u64..20);
    let work = (1usize..6, 1usize..4, 50u64..3000, 10u64..1500);
    let trouble = ((0u64..60_000, 0u64..6000), 0u64..60_000);
    (clocks, tokens, work, trouble).prop_map(|(clocks, tokens, work, trouble)| Weather {
        ttl: tokens.0,
        interval: tokens.1,
        soft: tokens.2,
        skew: clocks.0,
        jump: clocks.1,
        dates: clocks.2,
        machines: work.0,
        concurrency: work.1,
        takes: work.2,
        login_takes: work.3,
        outage: trouble.0,
        revocation: trouble.1,
    })
}

proptest::proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// No transfer fails that could succeed, and no session logs in more often than necessary.
    #[test]
    fn whatever_the_weather(weather in weather()) {
        let mut cloud = living(weather.ttl);
        let after = |millis| crate::cloud::START + Duration::from_millis(millis);
        cloud.dates = weather.dates;
        cloud.outage = Some((after(weather.outage.0), after(weather.outage.0 + weather.outage.1)));
        cloud.revocations = vec![after(weather.revocation)];
        let options = SessionOptions { soft_margin: secs(weather.soft), ..interval(weather.interval) };
        let machines = (0..weather.machines).map(|_| Puts::new(40, weather.concurrency)).collect();
        let mut world = World::new(cloud, machines, &[demo(options)]);
        world.skew = weather.skew;
        world.jump = Some((secs(weather.jump.0), weather.jump.1));
        world.takes = Duration::from_millis(weather.takes);
        world.cloud.login_takes = Duration::from_millis(weather.login_takes);
        for result in world.run() {
            prop_assert_eq!(result.unwrap().unwrap(), 40);
        }
        let elapsed = world.elapsed().as_secs();
        let early = (weather.interval + weather.soft).min(weather.ttl / 2);
        if weather.ttl > early + 4 {
            let most = 3 + elapsed / (weather.ttl - early - 3);
            prop_assert!(u64::from(world.cloud.logins) <= most, "{} of {most}", world.cloud.logins);
        } else if weather.ttl / 2 + 1 < weather.interval {
            let short = |notice: &Notice| matches!(notice, Notice::ShortLived { .. });
            prop_assert_eq!(count(&world.notices(), short), 1);
        }
        let most = 4 + 2 * (elapsed + 1) / (weather.ttl - 2);
        prop_assert!(u64::from(world.cloud.logins) <= most, "{} of {most}", world.cloud.logins);
        // What the interval is for: only a token that was revoked is refused.
        if weather.interval > 1 && weather.ttl > weather.interval + 2 && weather.outage.1 == 0 {
            let at_once = weather.machines * weather.concurrency;
            prop_assert!(world.cloud.count("PUT") <= weather.machines * 40 + at_once);
        }
    }
}
