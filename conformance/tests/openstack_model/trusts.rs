//! Trusts, their tokens, and how both end.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::raw::{Answer, exchange};
use super::stage::{Stage, instant};

#[test]
fn a_trust_lends_a_role_until_it_is_deleted() {
    let stage = Stage::set("trust");
    let created = stage.create_trust(stage.token(), json!({})).is(201).json();
    let trust = &created["trust"];
    assert_eq!(trust["impersonation"], true);
    for member in ["expires_at", "remaining_uses", "deleted_at"] {
        assert_eq!(trust[member], Value::Null);
    }
    let role = stage.var("_ROLE");
    assert_eq!(trust["roles"].as_array().unwrap().len(), 1);
    assert_eq!(trust["roles"][0]["name"], *role);
    let id = trust["id"].as_str().unwrap();

    let answer = stage.authenticate(&stage.by_trust("glance", id)).is(201);
    let token = &answer.json()["token"];
    assert_eq!(token["user"]["id"], *stage.var("_USER_ID"));
    assert_eq!(token["project"]["id"], *stage.var("_PROJECT_ID"));
    assert_eq!(token["roles"].as_array().unwrap().len(), 1);
    assert_eq!(token["OS-TRUST:trust"]["id"], *id);
    assert_eq!(token["OS-TRUST:trust"]["trustee_user"]["id"], *stage.var("_SERVICE_USER_ID"));
    let lent = answer.header("x-subject-token").unwrap();
    stage.call_as(lent, "PUT", "/by-trust", &[], "x").is(201);
    let own = stage.login(&stage.password_for("glance", Value::Null));
    stage.call_as(&own, "PUT", "/by-trust", &[], "x").is(403);

    // A token of a trust makes no trust and no other token.
    let refused = stage.create_trust(lent, json!({})).is(403).json();
    let what = "You are not authorized to perform the requested action";
    assert_eq!(refused["error"]["message"], format!("{what}."));
    let identity = json!({"methods": ["token"], "token": {"id": lent}});
    let scope = json!({"project": {"id": stage.var("_PROJECT_ID")}});
    stage.authenticate(&json!({"auth": {"identity": identity, "scope": scope}})).is(403);
    // And the trustee may use their own token instead of the password.
    let identity = json!({"methods": ["token"], "token": {"id": own}});
    let scope = json!({"OS-TRUST:trust": {"id": id}});
    stage.authenticate(&json!({"auth": {"identity": identity, "scope": scope}})).is(201);
    stage.authenticate(&stage.by_trust("alt", id)).is(403);

    named(&stage, "DELETE", stage.token(), id).is(204);
    sleep(Duration::from_millis(300));
    stage.call_as(lent, "PUT", "/by-trust", &[], "x").is(401);
    stage.authenticate(&stage.by_trust("glance", id)).is(401);
    for method in ["GET", "DELETE"] {
        let error = named(&stage, method, stage.token(), id).is(404).json();
        assert_eq!(error["error"]["message"], format!("Could not find trust: {id}."));
    }
}

#[test]
fn who_sees_a_trust_and_who_deletes_it() {
    let stage = Stage::set("trust-access");
    let id = stage.trust(json!({}));
    let trustee = stage.login(&stage.password_for("glance", Value::Null));
    let other = stage.login(&stage.password_for("alt", Value::Null));
    named(&stage, "GET", stage.token(), &id).is(200);
    named(&stage, "GET", &trustee, &id).is(200);
    named(&stage, "GET", &other, &id).is(403);
    named(&stage, "GET", "nonesuch", &id).is(401);
    named(&stage, "DELETE", &trustee, &id).is(403);

    let list = |token: &str, query: &str| {
        let headers = [("X-Auth-Token", token)];
        stage.ask_bare("GET", &format!("/OS-TRUST/trusts{query}"), &headers)
    };
    list(stage.token(), "").is(403);
    let given = format!("?trustor_user_id={}", stage.var("_USER_ID"));
    let taken = format!("?trustee_user_id={}", stage.var("_SERVICE_USER_ID"));
    list(stage.token(), &taken).is(403);
    for (token, query) in [(stage.token(), given), (&trustee, taken)] {
        let trusts = list(token, &query).is(200).json();
        let trusts = trusts["trusts"].as_array().unwrap();
        assert!(trusts.iter().any(|trust| trust["id"] == *id && trust["roles"].is_null()));
    }
    // The token that the trust itself gave may delete it.
    let lent = stage.login(&stage.by_trust("glance", &id));
    named(&stage, "DELETE", &lent, &id).is(204);
}

#[test]
fn what_is_asked_of_a_trust_is_examined() {
    let stage = Stage::set("trust-refused");
    let refused = |members: Value| {
        let answer = stage.create_trust(stage.token(), members);
        let message = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        (answer.status, message)
    };
    assert_eq!(refused(json!({"roles": [{"name": "admin"}]})).0, 404);
    assert_eq!(
        refused(json!({"roles": [{"name": "nonesuch"}]})),
        (404, "Role nonesuch is not defined".to_owned())
    );
    let (status, message) = refused(json!({"roles": []}));
    assert_eq!(status, 403);
    assert!(message.ends_with("At least one role should be specified."), "{message}");
    assert_eq!(
        refused(json!({"trustee_user_id": "nobody"})),
        (404, "Could not find user: nobody.".to_owned())
    );
    let (status, message) = refused(json!({"expires_at": "2020-01-01T00:00:00.000000Z"}));
    assert_eq!(status, 400);
    assert!(message.starts_with("The 'expires_at' must not be before now."), "{message}");
    assert_eq!(refused(json!({"remaining_uses": 0})).0, 400);
    let trustee = stage.login(&stage.password_for("glance", Value::Null));
    stage.create_trust(&trustee, json!({})).is(403);
    stage.create_trust("nonesuch", json!({})).is(401);
}

#[test]
fn a_token_ends_with_its_trust() {
    let stage = Stage::set("trust-expiry");
    let end = instant(3);
    let id = stage.trust(json!({"expires_at": end}));
    let answer = stage.authenticate(&stage.by_trust("glance", &id)).is(201);
    assert_eq!(answer.json()["token"]["expires_at"], *end);
    let lent = answer.header("x-subject-token").unwrap();
    stage.call_as(lent, "PUT", "/x", &[], "x").is(201);
    sleep(Duration::from_millis(3200));
    stage.call_as(lent, "PUT", "/x", &[], "x").is(401);
    stage.authenticate(&stage.by_trust("glance", &id)).is(401);
}

#[test]
fn a_trust_that_is_spent_gives_no_more_tokens_and_can_not_be_deleted() {
    let stage = Stage::set("trust-uses");
    let id = stage.trust(json!({"remaining_uses": 1}));
    let lent = stage.login(&stage.by_trust("glance", &id));
    stage.authenticate(&stage.by_trust("glance", &id)).is(401);
    named(&stage, "GET", stage.token(), &id).is(404);
    named(&stage, "DELETE", stage.token(), &id).is(404);
    sleep(Duration::from_millis(300));
    // So that nothing but its expiry ends the token.
    stage.call_as(&lent, "PUT", "/x", &[], "x").is(201);
}

#[test]
fn no_two_trusts_of_the_same_two_end_at_the_same_instant() {
    let stage = Stage::set("trust-twice");
    let end = instant(60 * 60 + u64::from(std::process::id()));
    let id = stage.trust(json!({"expires_at": end}));
    let twice = |end: &str| stage.create_trust(stage.token(), json!({"expires_at": end}));
    let error = twice(&end).is(409).json();
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("Duplicate entry found"), "{message}");
    named(&stage, "DELETE", stage.token(), &id).is(204);
    twice(&end).is(409);
    // They differ by a microsecond, although it is not stored.
    let other = end.replace(".000000Z", ".000001Z");
    let created = twice(&other).is(201).json();
    assert_eq!(created["trust"]["expires_at"], *end);
    named(&stage, "DELETE", stage.token(), created["trust"]["id"].as_str().unwrap()).is(204);
}

fn named(stage: &Stage, method: &str, token: &str, id: &str) -> Answer {
    let url = stage.keystone(&format!("/OS-TRUST/trusts/{id}"));
    exchange(method, &url, &[("X-Auth-Token", token)], None)
}
