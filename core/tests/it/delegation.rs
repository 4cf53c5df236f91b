//! A transfer under a trust: how the trust is created, used and revoked, and what happens if it
//! can't be.

use std::sync::Arc;
use std::time::Duration;

use apus_core::Error;
use apus_core::contract::Notice;
use apus_core::error::{ExchangeErrorKind, Leftover};
use apus_core::keystone::{Domain, Identity, Login, Scope, Service, Session, TrustSlot, User};
use apus_core::machine::{Auth, Delegation, TrustOutcome, TrustScoped, TrustUse};
use apus_core::now::Timestamp;

use crate::cloud::{Answer, Cloud, Puts, World, interval, session};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The user's fixed token, which lives so long, and the two sessions of the service user's.
fn auths(cloud: &mut Cloud, life: Duration) -> (Vec<Auth>, Delegation) {
    let slot = TrustSlot::empty();
    let token = cloud.give("demo", crate::cloud::START, life);
    let user = Session::fixed_at("http://swift:8080/v1/AUTH_p", token).unwrap();
    let user = user.with_auth_url("http://keystone:5000").unwrap();
    let trust = session("glance", Scope::Trust(slot.clone()), interval(10));
    let service = session("glance", Scope::project("service"), interval(10));
    (vec![Auth::new(user), Auth::new(service), Auth::new(trust)], Delegation::new(slot))
}

fn world(
    mut cloud: Cloud,
    life: Duration,
    puts: Puts,
    set: impl FnOnce(&mut Delegation),
) -> World<TrustScoped<Puts>> {
    let (auths, mut delegation) = auths(&mut cloud, life);
    set(&mut delegation);
    let machine = TrustScoped::new(puts, delegation, Arc::new(Service::default()), 7);
    World::new(cloud, vec![machine], &auths)
}

fn run(world: &mut World<TrustScoped<Puts>>) -> Result<TrustOutcome<u32>, Error> {
    world.run().remove(0).unwrap()
}

fn told(world: &World<TrustScoped<Puts>>) -> Vec<&'static str> {
    let names = world.notices().into_iter().filter_map(|notice| match notice {
        Notice::TrustCreated { .. } => Some("created"),
        Notice::TrustRefused { .. } => Some("refused"),
        Notice::TrustRevoked { .. } => Some("revoked"),
        _ => None,
    });
    names.collect()
}

fn living(ttl: u64) -> Cloud {
    Cloud { ttl: secs(ttl), ..Cloud::default() }
}

#[test]
fn a_transfer_outlives_the_users_token_and_the_trust_is_gone_afterwards() {
    let mut world = world(living(30), secs(15), Puts::new(100, 2), |_| {});
    world.takes = secs(2);
    let done = run(&mut world).unwrap();
    assert_eq!(done.output, 100);
    let TrustUse::ByTrust { id, leftover: None } = done.trust else { panic!("{:?}", done.trust) };
    assert_eq!(id, "trust-1");
    assert_eq!(told(&world), ["created", "revoked"]);
    assert!(world.cloud.trusts.is_empty());
    let log = &world.cloud.log;
    let setup: Vec<_> = log.iter().take(7).map(String::as_str).collect();
    assert_eq!(
        setup,
        [
            "GET /v3/auth/tokens demo",
            "POST /v3/auth/tokens -",
            "GET /v3/auth/tokens glance",
            "POST /v3/OS-TRUST/trusts demo",
            "POST /v3/auth/tokens -",
            "GET /v3/OS-TRUST/trusts/trust-1 demo",
            "PUT /v1/AUTH_p/c/o-1 demo",
        ]
    );
    // The user's token has expired by now; a token obtained with the trust revokes it.
    let end: Vec<_> = log.iter().filter(|line| line.starts_with("DELETE")).collect();
    assert_eq!(
        end,
        ["DELETE /v3/OS-TRUST/trusts/trust-1 -", "DELETE /v3/OS-TRUST/trusts/trust-1 demo"]
    );
    assert_eq!(world.cloud.count("PUT"), 100, "nothing was refused");
}

#[test]
fn the_trust_is_for_the_users_roles_and_project_and_ends() {
    let mut world = world(living(300), secs(300), Puts::new(1, 1), |it| {
        it.lifetime = Some(secs(7200));
        it.remaining_uses = Some(9);
    });
    run(&mut world).unwrap();
    let trust = &world.cloud.asked[0];
    assert_eq!(trust["trustor_user_id"], "demo-id");
    assert_eq!(trust["trustee_user_id"], "glance-id");
    assert_eq!(trust["project_id"], "p");
    assert_eq!(trust["impersonation"], true);
    assert_eq!(trust["remaining_uses"], 9);
    assert_eq!(trust["roles"], serde_json::json!([{"id": "r1"}, {"id": "r2"}]));
    // Two hours after the cloud's noon and a quarter, and up to an hour more.
    let end = trust["expires_at"].as_str().unwrap();
    let end = Timestamp::parse_iso8601(end).unwrap().unix();
    let now = 1_767_322_800 + 1000;
    assert!((now + 7200..=now + 7200 + 3601).contains(&end), "{end}");
}

#[test]
fn a_subset_of_the_roles_is_delegated_where_it_is_chosen() {
    let one = |it: &mut Delegation| it.roles = vec!["swiftoperator".into()];
    let mut world = world(living(300), secs(300), Puts::new(1, 1), one);
    run(&mut world).unwrap();
    assert_eq!(world.cloud.asked[0]["roles"], serde_json::json!([{"id": "r2"}]));
}

#[test]
fn a_role_that_the_user_does_not_have_is_not_delegated_tacitly() {
    let other = |it: &mut Delegation| it.roles = vec!["swiftoperator".into(), "admin".into()];
    let mut world = world(living(300), secs(300), Puts::new(1, 1), other);
    let TrustUse::OwnToken { why } = run(&mut world).unwrap().trust else { panic!() };
    assert_eq!(why.to_string(), "CreateTrust: the user does not have all the roles to delegate");
    assert!(world.cloud.asked.is_empty());
    assert_eq!(told(&world), ["refused"]);
}

#[test]
fn where_no_trust_can_be_made_the_users_own_token_is_used_and_that_is_said() {
    let refused = Answer::error(403, "Forbidden", "Delegated tokens cannot manage trusts.");
    let mut cloud = living(300);
    cloud.scripted.insert("POST /v3/OS-TRUST/trusts".into(), vec![refused]);
    let mut world = world(cloud, secs(300), Puts::new(5, 1), |_| {});
    let done = run(&mut world).unwrap();
    assert_eq!(done.output, 5);
    let TrustUse::OwnToken { why } = done.trust else { panic!("{:?}", done.trust) };
    assert_eq!(
        why.to_string(),
        "CreateTrust: the server refused the request: 403 Forbidden: Delegated tokens cannot \
         manage trusts."
    );
    assert_eq!(told(&world), ["refused"]);
    assert_eq!(world.cloud.count("PUT"), 5);
}

#[test]
fn a_trust_that_gives_no_token_is_revoked_and_the_users_own_is_used() {
    let mut cloud = living(300);
    let (mut auths, delegation) = auths(&mut cloud, secs(300));
    let user = User::named("glance", Domain::default_id());
    let scope = Scope::Trust(delegation.slot.clone());
    let wrong =
        Login::new("http://keystone:5000/v3", Identity::password(user, "wrong"), scope).unwrap();
    auths[2] = Auth::new(Session::new(wrong, interval(10)));
    let machine = TrustScoped::new(Puts::new(5, 1), delegation, Arc::default(), 7);
    let mut world = World::new(cloud, vec![machine], &auths);
    let done = run(&mut world).unwrap();
    assert!(matches!(done.trust, TrustUse::OwnToken { why } if why.is_denied()));
    assert_eq!(told(&world), ["created", "refused", "revoked"]);
    assert!(world.cloud.trusts.is_empty());
}

#[test]
fn an_application_credential_as_the_trustee_is_said_at_once() {
    let identity = Identity::application_credential("id", "hunter2");
    let scope = Scope::Trust(TrustSlot::empty());
    let why = Login::new("http://keystone:5000/v3", identity, scope).unwrap_err();
    assert_eq!(
        why.message(),
        "an application credential can't be used with a trust: its scope is always its own project"
    );
    let mut cloud = living(300);
    let (auths, _) = auths(&mut cloud, secs(300));
    let machine = TrustScoped::refused(Puts::new(1, 1), why);
    let mut world = World::new(cloud, vec![machine], &auths);
    assert!(matches!(run(&mut world).unwrap().trust, TrustUse::OwnToken { .. }));
    assert_eq!(told(&world), ["refused"]);
    assert_eq!(world.cloud.log, ["PUT /v1/AUTH_p/c/o-1 demo"]);
}

#[test]
fn where_no_trust_is_needed_keystone_is_asked_nothing() {
    let mut cloud = living(300);
    let (auths, _) = auths(&mut cloud, secs(300));
    let mut world = World::new(cloud, vec![TrustScoped::not_needed(Puts::new(2, 1))], &auths);
    assert!(matches!(run(&mut world).unwrap().trust, TrustUse::NotNeeded));
    assert!(told(&world).is_empty());
    assert_eq!(world.cloud.log, ["PUT /v1/AUTH_p/c/o-1 demo", "PUT /v1/AUTH_p/c/o-2 demo"]);
}

#[test]
fn no_trust_is_made_before_something_may_outlast_a_token() {
    let mut short = world(living(300), secs(300), Puts::new(2, 1).long_from(3), |_| {});
    assert!(matches!(run(&mut short).unwrap().trust, TrustUse::NotNeeded));
    assert_eq!(short.cloud.log, ["PUT /v1/AUTH_p/c/o-1 demo", "PUT /v1/AUTH_p/c/o-2 demo"]);

    let mut long = world(living(300), secs(300), Puts::new(6, 2).long_from(3), |_| {});
    let done = run(&mut long).unwrap();
    assert_eq!(done.output, 6);
    assert!(matches!(done.trust, TrustUse::ByTrust { leftover: None, .. }));
    let at = |line: &str| long.cloud.log.iter().position(|it| it.starts_with(line)).unwrap();
    assert!(at("PUT /v1/AUTH_p/c/o-2") < at("POST /v3/OS-TRUST/trusts"));
    assert!(at("POST /v3/OS-TRUST/trusts") < at("PUT /v1/AUTH_p/c/o-3"));
    assert_eq!(long.cloud.count("PUT"), 6);
}

#[test]
fn a_failed_transfer_revokes_its_trust() {
    let mut cloud = living(300);
    cloud.scripted.insert("PUT /v1/AUTH_p/c/o-3".into(), vec![Answer::new(507)]);
    let mut world = world(cloud, secs(300), Puts::new(9, 1), |_| {});
    let error = run(&mut world).unwrap_err();
    assert_eq!(error.status().map(|it| it.as_u16()), Some(507));
    assert!(error.leftovers().is_empty());
    assert!(world.cloud.trusts.is_empty());
    assert_eq!(told(&world), ["created", "revoked"]);
}

#[test]
fn a_cancelled_transfer_revokes_its_trust_wherever_it_was() {
    for at in 0..160 {
        let (millis, puts) = (at / 2 * 50, Puts::new(9, 2).long_from(at % 2 * 3));
        let mut world = world(living(300), secs(300), puts, |_| {});
        world.cancel = Some((Duration::from_millis(millis.into()), 0));
        let error = run(&mut world).unwrap_err();
        assert!(error.is_cancelled(), "{millis} ms: {error}");
        assert!(world.cloud.trusts.is_empty(), "{millis} ms");
        let told = told(&world);
        assert!(told.is_empty() || told == ["created", "revoked"], "{millis} ms: {told:?}");
    }
}

#[test]
fn a_trust_that_can_not_be_revoked_is_named() {
    for fails in [false, true] {
        let mut cloud = living(300);
        let broken = || Answer::error(500, "Internal Server Error", "no");
        let key = "DELETE /v3/OS-TRUST/trusts/trust-1".to_owned();
        cloud.scripted.insert(key, (0..99).map(|_| broken()).collect());
        if fails {
            cloud.scripted.insert("PUT /v1/AUTH_p/c/o-3".into(), vec![Answer::new(507)]);
        }
        let mut world = world(cloud, secs(300), Puts::new(9, 1), |_| {});
        let trust = Leftover::Trust { id: "trust-1".into() };
        match run(&mut world) {
            Ok(done) => {
                let TrustUse::ByTrust { leftover: Some(error), .. } = done.trust else { panic!() };
                assert_eq!(error.leftovers(), [trust]);
                assert!(!fails);
            }
            Err(error) => {
                assert_eq!(error.status().map(|it| it.as_u16()), Some(507));
                assert_eq!(error.leftovers(), [trust]);
                assert!(error.to_string().ends_with("; left behind: trust trust-1"), "{error}");
            }
        }
        // Five attempts under each of the two tokens that may.
        assert_eq!(world.cloud.count("DELETE"), 10);
        assert_eq!(told(&world), ["created"]);
    }
}

#[test]
fn a_revocation_that_fails_for_a_while_is_repeated() {
    let mut cloud = living(300);
    let key = "DELETE /v3/OS-TRUST/trusts/trust-1".to_owned();
    cloud.scripted.insert(key, vec![Answer::lost(ExchangeErrorKind::Closed), Answer::new(503)]);
    let mut world = world(cloud, secs(300), Puts::new(1, 1), |_| {});
    run(&mut world).unwrap();
    assert!(world.cloud.trusts.is_empty());
    assert_eq!(told(&world), ["created", "revoked"]);
}

#[test]
fn a_trust_whose_creation_was_answered_into_the_void_is_found_again() {
    let mut cloud = living(300);
    // The answer that the request below gets is lost; what it did is done.
    let key = "POST /v3/OS-TRUST/trusts".to_owned();
    cloud.scripted.insert(key, vec![Answer::lost(ExchangeErrorKind::Cut)]);
    cloud.loses_trusts = true;
    let mut world = world(cloud, secs(300), Puts::new(3, 1), |_| {});
    let done = run(&mut world).unwrap();
    assert!(matches!(done.trust, TrustUse::ByTrust { leftover: None, .. }));
    assert_eq!(world.cloud.asked.len(), 1);
    assert!(world.cloud.trusts.is_empty());
}

#[test]
fn a_trust_whose_creation_says_nothing_readable_is_found_and_not_made_again() {
    let says = |body: &str| Answer { body: body.into(), ..Answer::new(201) };
    for (body, lifetime) in [
        ("", Some(secs(86_400))),
        ("<html>", Some(secs(86_400))),
        ("{\"trust\": {}}", None),
        ("[]", None),
    ] {
        let mut cloud = living(300);
        cloud.scripted.insert("POST /v3/OS-TRUST/trusts".into(), vec![says(body)]);
        cloud.loses_trusts = true;
        let mut world = world(cloud, secs(300), Puts::new(3, 1), |it| it.lifetime = lifetime);
        let done = run(&mut world).unwrap();
        assert!(matches!(done.trust, TrustUse::ByTrust { leftover: None, .. }), "{body}");
        assert_eq!(world.cloud.count("POST /v3/OS-TRUST/trusts"), 1, "{body}");
        assert!(world.cloud.trusts.is_empty());
    }
}

/// A trust of the same users and project, without an end.
fn endless(cloud: &mut Cloud) {
    cloud.trust(
        br#"{"trust": {"trustor_user_id": "demo-id", "trustee_user_id": "glance-id",
            "project_id": "p", "impersonation": true}}"#,
    );
}

#[test]
fn a_trust_without_an_end_is_told_from_older_ones() {
    for older in [0, 1, 3] {
        let mut cloud = living(300);
        (0..older).for_each(|_| endless(&mut cloud));
        let lost = vec![Answer::lost(ExchangeErrorKind::Closed)];
        cloud.scripted.insert("POST /v3/OS-TRUST/trusts".into(), lost);
        cloud.loses_trusts = true;
        let mut world = world(cloud, secs(300), Puts::new(3, 1), |it| it.lifetime = None);
        let done = run(&mut world).unwrap();
        assert!(matches!(done.trust, TrustUse::ByTrust { leftover: None, .. }), "{older}");
        let left: Vec<String> = (1..=older).map(|at| format!("trust-{at}")).collect();
        assert_eq!(world.cloud.trusts, left, "ours alone is gone");
    }
}

#[test]
fn a_trust_that_can_not_be_found_again_is_said_to_be_possible() {
    for fails in [true, false] {
        let mut cloud = living(300);
        let lost = vec![Answer::lost(ExchangeErrorKind::Closed)];
        cloud.scripted.insert("POST /v3/OS-TRUST/trusts".into(), lost);
        cloud.loses_trusts = true;
        // The last answer is the first: a list before, and one that does not come.
        let refused = (0..8).map(|_| Answer::new(403)).collect();
        if fails {
            cloud.scripted.insert("GET /v3/OS-TRUST/trusts".into(), refused);
        }
        // Each request is refused, and so is the transfer.
        let puts = if fails { 1 } else { 2 };
        let no = |status| (0..9).map(|_| Answer::new(status)).collect::<Vec<_>>();
        cloud.scripted.insert("PUT /v1/AUTH_p/c/o-1".into(), no(403));
        let mut world = world(cloud, secs(300), Puts::new(puts, 1), |_| {});
        let error = run(&mut world).unwrap_err();
        assert_eq!(error.outcome_unknown(), fails, "{error}");
        let refusals = world.notices().into_iter().filter_map(|notice| match notice {
            Notice::TrustRefused { error } => Some(error),
            _ => None,
        });
        let look_at: Vec<_> = refusals.map(|error| error.look_at().map(str::to_owned)).collect();
        if fails {
            let look_at = look_at[0].as_ref().unwrap();
            let trusts = "the trusts of user demo-id for user glance-id in project p that expire \
                          at ";
            assert!(look_at.starts_with(trusts), "{look_at}");
            assert!(error.to_string().contains(trusts), "{error}");
            assert_eq!(world.cloud.trusts.len(), 1);
        } else {
            assert!(look_at.is_empty() && world.cloud.trusts.is_empty());
        }
    }
}

#[test]
fn another_trust_with_the_same_end_is_got_out_of_the_way_of() {
    let mut cloud = living(300);
    let conflict = Answer::error(409, "Conflict", "Duplicate entry found");
    cloud.scripted.insert("POST /v3/OS-TRUST/trusts".into(), vec![conflict]);
    let mut world = world(cloud, secs(300), Puts::new(3, 1), |_| {});
    assert!(matches!(run(&mut world).unwrap().trust, TrustUse::ByTrust { .. }));
    assert_eq!(world.cloud.count("POST /v3/OS-TRUST/trusts"), 2);
}

/// Not the server alone answers with an error: a gateway does, while the server makes the trust. The
/// next attempt conflicts with it.
#[test]
fn a_trust_that_was_made_before_an_error_is_found_by_the_conflict_with_it() {
    for status in [408, 429, 503] {
        let mut cloud = living(300);
        let made = Answer::error(status, "Error", "created despite the error");
        let conflict = Answer::error(409, "Conflict", "Duplicate entry found");
        // The last is the first.
        cloud.scripted.insert("POST /v3/OS-TRUST/trusts".into(), vec![conflict, made]);
        cloud.loses_trusts = true;
        let mut world = world(cloud, secs(300), Puts::new(1, 1), |_| {});
        let done = run(&mut world).unwrap();
        assert!(matches!(done.trust, TrustUse::ByTrust { leftover: None, .. }), "{status}");
        assert_eq!(told(&world), ["created", "revoked"], "{status}");
        assert_eq!(world.cloud.count("POST /v3/OS-TRUST/trusts"), 2, "{status}");
        assert!(world.cloud.trusts.is_empty(), "{status}: a trust is left that no error names");
    }
}

#[test]
fn the_service_users_id_is_not_asked_where_it_is_known() {
    let known = |it: &mut Delegation| it.trustee_user_id = Some("glance-id".into());
    let mut world = world(living(300), secs(300), Puts::new(1, 1), known);
    run(&mut world).unwrap();
    assert_eq!(world.cloud.logins, 1);
    assert_eq!(world.cloud.asked[0]["trustee_user_id"], "glance-id");
}
