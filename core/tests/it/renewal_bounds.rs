//! The cost of a source of tokens or keys that fails: every request causes a bounded number of
//! renewal attempts and then ends, whatever the responses and the clocks are.

use std::time::Duration;

use apus_core::credentials::{Instance, NoLookup, Process, Source};
use apus_core::error::Kind;
use apus_core::keystone::{
    Scope, ServiceToken, Session, SessionOptions, TokenFacts, TokenSource, TrustSlot,
};
use apus_core::keystone::{Sourced, Token};
use apus_core::machine::Auth;
use apus_core::now::Timestamp;
use apus_core::{Error, Now};
use http::{Method, Uri};
use serde_json::{Value, json};

use crate::aws::{Disk, Sent, metadata, say};
use crate::cloud::{Answer, Cloud, Puts, World, interval, login, session};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn living(ttl: u64) -> Cloud {
    Cloud { ttl: secs(ttl), ..Cloud::default() }
}

fn iso(unix: u64) -> String {
    Timestamp::from_unix(unix as i64).iso8601()
}

/// So many machines of one request each; they share a session.
fn requests(cloud: Cloud, many: usize, session: Session) -> World<Puts> {
    let machines = (0..many).map(|_| Puts::new(1, 1)).collect();
    World::new(cloud, machines, &[Auth::new(session)])
}

fn errors(world: &mut World<Puts>) -> Vec<Error> {
    world.run().into_iter().map(|result| result.unwrap().unwrap_err()).collect()
}

/// A token document that lives for an hour and was had by this trust, or by none.
fn token(trust: Option<&str>) -> Answer {
    let mut token = json!({
        "user": {"id": "demo-id"}, "project": {"id": "p"},
        "issued_at": iso(EPOCH + 1000), "expires_at": iso(EPOCH + 4600),
        "catalog": [{"type": "object-store", "endpoints": [
            {"interface": "public", "region": "RegionOne", "url": "http://swift:8080/v1/AUTH_p"}
        ]}],
    });
    if let Some(id) = trust {
        token["OS-TRUST:trust"] = json!({"id": id, "impersonation": true});
    }
    Answer::json(201, &json!({ "token": token })).header("x-subject-token", "secret-token")
}

#[test]
fn a_token_that_does_not_fit_the_trust_is_an_error_for_all_who_wait() {
    for (came, want) in [(None, "without a trust"), (Some("trust-9"), "by trust \"trust-9\"")] {
        let mut cloud = living(300);
        cloud.trouble = (0..50).map(|_| token(came)).collect();
        let session = session("glance", Scope::trust("trust-1"), interval(60));
        let mut world = requests(cloud, 8, session);
        let errors = errors(&mut world);
        assert_eq!((world.cloud.attempts, world.cloud.count("PUT")), (1, 0), "{came:?}");
        for error in errors {
            let what = format!(
                "could not obtain a token: http://keystone:5000/v3/auth/tokens: requested a token by \
                 trust \"trust-1\", but Keystone issued a token {want}"
            );
            assert_eq!((error.kind(), error.message()), (Kind::Auth, what.as_str()));
            assert_eq!(error.status().map(|status| status.as_u16()), Some(201));
        }
    }
}

#[test]
fn another_trust_put_in_while_a_token_is_asked_for_is_asked_for_next() {
    let mut cloud = living(300);
    for _ in 0..2 {
        cloud.trust(b"{\"trust\": {}}");
    }
    cloud.login_takes = secs(2);
    let slot = TrustSlot::of("trust-1");
    let mut world = requests(cloud, 1, session("glance", Scope::Trust(slot.clone()), interval(60)));
    // The answers are on their way when the first of them is looked at.
    world.meanwhile = Some((secs(1), Box::new(move || slot.set(Some("trust-2".into())))));
    assert_eq!(world.run().remove(0).unwrap().unwrap(), 1);
    assert_eq!((world.cloud.logins, world.cloud.attempts), (2, 2));
}

/// Gives tokens that it finds unfit itself.
struct Fickle;

impl TokenSource for Fickle {
    fn renew(&mut self, _: Now) -> Result<Sourced, Error> {
        let uri = Uri::from_static("http://keystone:5000/v3/auth/tokens");
        Ok(Sourced::Ask(apus_core::http::Draft::new("Ask", Method::POST, uri)))
    }

    fn answered(&mut self, _: &apus_core::http::Reply) -> Result<Sourced, Error> {
        Ok(Sourced::Token(Box::new(Token::new("secret-token", TokenFacts::default()))))
    }

    fn fits(&self, _: &Token) -> bool {
        false
    }
}

#[test]
fn so_is_one_that_the_source_itself_has_no_use_for() {
    let mut cloud = living(300);
    cloud.trouble = (0..50).map(|_| token(None)).collect();
    let mut world = requests(cloud, 8, Session::new(Fickle, interval(60)));
    for error in errors(&mut world) {
        let what = "could not obtain a token: http://keystone:5000/v3/auth/tokens: the token in the \
                    response differs from the requested one";
        assert_eq!((error.kind(), error.message()), (Kind::Auth, what));
    }
    assert_eq!(world.cloud.attempts, 1);
}

#[test]
fn a_denial_that_is_not_remembered_is_told_to_all_who_waited() {
    let options = SessionOptions { denied_for: Duration::ZERO, ..interval(60) };
    let session = Session::new(login("demo", "wrong", Scope::Unstated), options);
    let mut world = requests(living(300), 20, session);
    assert!(errors(&mut world).iter().all(Error::is_denied));
    assert_eq!(world.cloud.attempts, 1);
}

#[test]
fn a_token_that_is_over_on_arrival_is_tried_once_by_each_who_waited() {
    // A login takes longer than what it brings lives.
    let mut cloud = living(1);
    cloud.login_takes = secs(5);
    let mut world = requests(cloud, 8, session("demo", Scope::Unstated, interval(60)));
    for error in errors(&mut world) {
        assert_eq!(error.status().map(|status| status.as_u16()), Some(401));
    }
    assert_eq!((world.cloud.attempts, world.cloud.count("PUT")), (2, 16));
}

#[test]
fn dates_of_long_ago_and_far_ahead_cost_no_more() {
    let (past, ahead) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 31 Dec 9999 23:59:59 GMT");
    let ends = [iso(0), iso(EPOCH), iso(EPOCH + 1000), iso(EPOCH + 4600), iso(253_402_300_799)];
    let issues = [Value::Null, json!(iso(0)), json!(iso(EPOCH + 1000)), json!(iso(EPOCH + 9999))];
    for date in [past, ahead] {
        for (end, issued) in ends.iter().flat_map(|end| issues.iter().map(move |it| (end, it))) {
            let mut cloud = Cloud { dates: false, ..living(300) };
            let answer = || {
                let mut answer = token(None);
                let mut document: Value = serde_json::from_str(&answer.body).unwrap();
                document["token"]["expires_at"] = json!(end);
                document["token"]["issued_at"] = issued.clone();
                answer.body = document.to_string();
                answer.header("date", date)
            };
            cloud.trouble = (0..50).map(|_| answer()).collect();
            let mut world = requests(cloud, 8, session("demo", Scope::Unstated, interval(60)));
            // The store refuses all tokens: the first one and the renewed one.
            for error in errors(&mut world) {
                assert_eq!(error.status().map(|status| status.as_u16()), Some(401));
            }
            let cost = (world.cloud.attempts, world.cloud.count("PUT"));
            assert_eq!(cost, (2, 16), "{date} {end} {issued}");
        }
    }
}

#[test]
fn a_life_of_nothing_is_one_login_for_each_round_of_requests() {
    let mut cloud = living(300);
    let answer = || {
        let storage = "http://swift:8080/v1/AUTH_p";
        let answer = Answer::new(200).header("x-auth-token", "secret-token");
        answer.header("x-storage-url", storage).header("x-auth-token-expires", 0)
    };
    cloud.scripted.insert("GET /auth/v1.0".into(), (0..50).map(|_| answer()).collect());
    let stored = (0..80).map(|_| Answer::new(201)).collect();
    cloud.scripted.insert("PUT /v1/AUTH_p/c/o-1".into(), stored);
    let identity = apus_core::keystone::Identity::v1("test:tester", "hunter2");
    let auth = "http://swift:8080/auth/v1.0";
    let login = apus_core::keystone::Login::new(auth, identity, Scope::Unstated).unwrap();
    let mut world = requests(cloud, 8, Session::new(login, interval(60)));
    assert!(world.run().into_iter().all(|result| result.unwrap().is_ok()));
    assert_eq!((world.cloud.count("GET /auth/v1.0"), world.cloud.count("PUT")), (1, 8));
}

#[test]
fn two_tokens_that_outlive_no_login_do_not_renew_each_other_for_ever() {
    let mut cloud = living(3);
    cloud.login_takes = secs(2);
    let service = ServiceToken::new(login("glance", "hunter2", Scope::Unstated), interval(60));
    let user = session("demo", Scope::Unstated, interval(60)).with_service_token(service);
    let mut world = requests(cloud, 1, user);
    let _ = world.run();
    assert!(world.cloud.attempts <= 12, "{}", world.cloud.attempts);
}

#[test]
fn keys_that_are_over_when_they_come_are_not_asked_for_anew_at_once() {
    let mut world = crate::aws::World::new(
        Source::Instance(Instance::default()),
        NoLookup,
        |now, sent: &Sent| match &*sent.url {
            url if url.starts_with("http://s3") => say(200, ""),
            url if url.ends_with("/token") => say(200, "TOK"),
            url if url.ends_with("/security-credentials/") => say(200, "role"),
            _ => say(200, metadata("OLD", now - 60)),
        },
    );
    for _ in 0..3 {
        assert!(world.ask_many(8).iter().all(Result::is_ok));
        assert_eq!(world.count("http://169.254.169.254/"), 3);
    }
}

#[test]
fn so_it_is_where_s3_finds_them_over_too() {
    let mut world = crate::aws::World::new(
        Source::Instance(Instance::default()),
        NoLookup,
        |now, sent: &Sent| match &*sent.url {
            url if url.starts_with("http://s3") => {
                say(400, "<Error><Code>ExpiredToken</Code></Error>")
            }
            url if url.ends_with("/token") => say(200, "TOK"),
            url if url.ends_with("/security-credentials/") => say(200, "role"),
            _ => say(200, metadata("OLD", now - 60)),
        },
    );
    for error in world.ask_many(8) {
        assert_eq!(error.unwrap_err().code(), Some("ExpiredToken"));
    }
    assert_eq!((world.count("http://169.254.169.254/"), world.count("http://s3")), (6, 16));
}

#[test]
fn a_process_that_prints_expired_keys_is_run_once_for_each_request() {
    let document = r#"{"Version":1,"AccessKeyId":"KEY","SecretAccessKey":"S",
        "SessionToken":"T","Expiration":"2001-01-01T00:00:00Z"}"#;
    let disk = Disk::default().with("vault read", document);
    let source = Source::Process(Process { command: "vault read".into() });
    let mut world = crate::aws::World::new(source, disk.clone(), |_, _| say(200, ""));
    assert!(world.ask_many(8).iter().all(Result::is_ok));
    assert!(disk.runs.lock().unwrap().len() <= 8, "{:?}", disk.runs.lock().unwrap());
}

#[test]
fn credentials_that_are_denied_without_remembering_are_asked_for_once() {
    let options =
        apus_core::credentials::RenewalOptions { denied_for: Duration::ZERO, ..Default::default() };
    let source = Source::Instance(Instance { allow_v1: false, ..Instance::default() });
    let mut world =
        crate::aws::World::with(source, NoLookup, options, |_, _: &Sent| say(403, "no"));
    for error in world.ask_many(8) {
        assert_eq!(error.unwrap_err().kind(), Kind::Auth);
    }
    assert_eq!(world.count("http://169.254.169.254/"), 1);
}

/// The cloud's clock at tick zero.
const EPOCH: u64 = 1_767_322_800;
