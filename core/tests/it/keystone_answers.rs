//! Requests to Keystone and to v1 authentication, and how their responses are read.

use std::time::Duration;

use apus_core::contract::Operation;
use apus_core::error::Kind;
use apus_core::http::{Body, Draft, Reply};
use apus_core::keystone::{
    CreateTrust, DeleteTrust, Domain, Identity, Interface, ListTrusts, Login, Project, RevokeToken,
    Role, Scope, SecondFactor, Service, ShowTrust, Sourced, Subject, Token, TokenSource, TrustSlot,
    User, ValidateToken,
};
use apus_core::now::Timestamp;
use apus_core::{Error, Now, Secret};
use bytes::Bytes;
use serde_json::{Value, json};

fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
    let mut head = http::Response::builder().status(status);
    for (name, value) in headers {
        head = head.header(*name, *value);
    }
    Reply::new(head.body(()).unwrap().into_parts().0, body.into())
}

fn asked(login: &mut Login) -> Box<Draft> {
    let now = Now::new(Duration::from_secs(5), Duration::from_secs(1_440_938_160));
    match login.renew(now) {
        Ok(Sourced::Ask(draft)) => draft,
        other => panic!("{other:?}"),
    }
}

fn body(draft: &Draft) -> Value {
    match &draft.body {
        Body::Bytes(bytes) => serde_json::from_slice(bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn login(url: &str, identity: Identity, scope: Scope) -> Result<Login, Error> {
    Login::new(url, identity, scope)
}

fn read(login: &mut Login, reply: &Reply) -> Result<Token, Error> {
    match login.answered(reply)? {
        Sourced::Token(token) => Ok(*token),
        other => panic!("{other:?}"),
    }
}

fn password() -> Identity {
    Identity::password(User::Id("ee4dfb6e5540447cb3741905149d9b6e".into()), "devstacker")
}

const V3: &str = "http://keystone/v3";

#[test]
fn a_password_with_a_project_as_the_api_reference_has_it() {
    let scope = Scope::project("a6944d763bf64ee6a275f1263fae0352");
    let draft = asked(&mut login(V3, password(), scope).unwrap());
    assert_eq!(draft.head.uri, "http://keystone/v3/auth/tokens");
    assert_eq!(draft.head.method, "POST");
    assert_eq!(draft.head.headers["content-type"], "application/json");
    // "Password authentication with scoped authorization", Identity API v3.
    assert_eq!(
        body(&draft),
        json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "id": "ee4dfb6e5540447cb3741905149d9b6e", "password": "devstacker"}}},
            "scope": {"project": {"id": "a6944d763bf64ee6a275f1263fae0352"}}}})
    );
    assert!(!format!("{draft:?}").contains("devstacker"));
}

#[test]
fn every_scope_is_written_as_its_own() {
    let domain = || Domain::Name("Default".into());
    for (scope, want) in [
        (Scope::Unstated, Value::Null),
        (Scope::Unscoped, json!("unscoped")),
        (
            Scope::Project(Project::named("p", domain())),
            json!({"project": {"name": "p", "domain": {"name": "Default"}}}),
        ),
        (Scope::Domain(Domain::default_id()), json!({"domain": {"id": "default"}})),
        (Scope::System, json!({"system": {"all": true}})),
        (Scope::trust("de0945a"), json!({"OS-TRUST:trust": {"id": "de0945a"}})),
    ] {
        let draft = asked(&mut login(V3, password(), scope).unwrap());
        assert_eq!(body(&draft)["auth"].get("scope").cloned().unwrap_or_default(), want);
    }
}

#[test]
fn every_identity_is_written_as_its_own() {
    let user = || User::named("demo", Domain::Name("Default".into()));
    let named = json!({"name": "demo", "domain": {"name": "Default"}});
    let with = |name: &str, value: &str| {
        let mut user = named.clone();
        user[name] = value.into();
        json!({ "user": user })
    };
    let second = SecondFactor::Passcode("123456".into());
    for (identity, want) in [
        (
            Identity::Password { user: user(), password: "pw".into(), second_factor: Some(second) },
            json!({"methods": ["password", "totp"], "password": with("password", "pw"),
                   "totp": with("passcode", "123456")}),
        ),
        (
            Identity::Totp { user: user(), passcode: "123456".into() },
            json!({"methods": ["totp"], "totp": with("passcode", "123456")}),
        ),
        (Identity::Token("gAAAA".into()), json!({"methods": ["token"], "token": {"id": "gAAAA"}})),
        (
            Identity::application_credential("id", "s"),
            json!({"methods": ["application_credential"],
                   "application_credential": {"id": "id", "secret": "s"}}),
        ),
        (
            Identity::NamedApplicationCredential {
                name: "monitoring".into(),
                user: user(),
                secret: "s".into(),
            },
            json!({"methods": ["application_credential"],
                   "application_credential": {"name": "monitoring", "secret": "s", "user": named}}),
        ),
    ] {
        let draft = asked(&mut login(V3, identity, Scope::Unstated).unwrap());
        assert_eq!(body(&draft), json!({"auth": {"identity": want}}));
    }
}

#[test]
fn what_keystone_would_refuse_is_said_beforehand() {
    let credential = || Identity::application_credential("id", "s");
    let v1 = || Identity::v1("test:tester", "testing");
    let v2 = || Identity::V2Password { user: User::Id("u".into()), password: "pw".into() };
    for (url, identity, scope, want) in [
        (
            V3,
            credential(),
            Scope::project("p"),
            "an application credential can't be used with a scope",
        ),
        (
            V3,
            credential(),
            Scope::trust("t"),
            "an application credential can't be used with a trust",
        ),
        (
            "http://s/auth/v1.0",
            v1(),
            Scope::project("p"),
            "v1 authentication does not support a scope",
        ),
        (
            "http://k",
            v2(),
            Scope::System,
            "the Identity API v2.0 supports no scope other than a project",
        ),
        (V3, v2(), Scope::Unstated, "auth_url ends in /v3, but the identity is one of"),
        ("http://k/v2.0", password(), Scope::Unstated, "auth_url ends in /v2.0, but the identity"),
        ("keystone:5000", password(), Scope::Unstated, "auth_url is not an http or https URL"),
    ] {
        let error = login(url, identity, scope).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidInput);
        assert!(error.message().starts_with(want), "{error}");
    }
    let mut empty = login(V3, password(), Scope::Trust(TrustSlot::empty())).unwrap();
    let now = Now::new(Duration::ZERO, Duration::ZERO);
    assert_eq!(empty.renew(now).unwrap_err().kind(), Kind::Auth);
}

/// The answer to "Password authentication with scoped authorization", Identity API v3, cut down.
fn v3_token() -> Value {
    json!({"token": {
        "methods": ["password"],
        "roles": [{"id": "51cc68287d524c759f47c811e6463340", "name": "admin"}],
        "expires_at": "2015-11-07T02:58:43.578887Z",
        "project": {"domain": {"id": "default", "name": "Default"},
                    "id": "a6944d763bf64ee6a275f1263fae0352", "name": "admin"},
        "is_domain": false,
        "catalog": [
            {"endpoints": [{"region_id": "RegionOne", "url": "http://example.com/v1/AUTH_a6",
                "region": "RegionOne", "interface": "public", "id": "068d1b359ee84b438266cb736d81de97"}],
             "type": "object-store", "id": "050726f278654128aba89757ae25950c", "name": "swift"},
            {"endpoints": [], "id": "4363ae44bdf34a3981fde3b823cb9aa2", "name": "typeless"}],
        "user": {"domain": {"id": "default", "name": "Default"},
                 "id": "ee4dfb6e5540447cb3741905149d9b6e", "name": "admin"},
        "audit_ids": ["3T2dc1CGQxyJsHdDu1xkcw"],
        "issued_at": "2015-11-07T01:58:43.578929Z"}})
}

#[test]
fn a_v3_token_is_read() {
    let answer = reply(201, &[("x-subject-token", "MIIFvg")], v3_token().to_string());
    let token = read(&mut login(V3, password(), Scope::Unstated).unwrap(), &answer).unwrap();
    assert_eq!(token.secret(), &Secret::new("MIIFvg"));
    let facts = token.facts();
    assert_eq!(facts.expires_at.map(Timestamp::iso8601).unwrap(), "2015-11-07T02:58:43Z");
    assert_eq!(facts.issued_at.map(Timestamp::iso8601).unwrap(), "2015-11-07T01:58:43Z");
    assert_eq!(facts.roles[0].name, "admin");
    assert_eq!(facts.project.as_ref().unwrap().domain_id.as_deref(), Some("default"));
    let services = &facts.catalogue.as_ref().unwrap().services;
    assert_eq!(services.len(), 1, "what has no type is passed over");
    assert_eq!(services[0].endpoints[0].interface, Interface::Public);
    assert!(!format!("{token:?}").contains("MIIFvg"));
}

#[test]
fn a_v2_token_is_read() {
    let identity = Identity::V2Password {
        user: User::named("u", Domain::default_id()),
        password: "pw".into(),
    };
    let scope = Scope::project_named("t", Domain::default_id());
    let mut login = login("https://k:35357/identity/", identity, scope).unwrap();
    let draft = asked(&mut login);
    assert_eq!(draft.head.uri, "https://k:35357/identity/v2.0/tokens");
    let credentials = json!({"username": "u", "password": "pw"});
    assert_eq!(
        body(&draft),
        json!({"auth": {"passwordCredentials": credentials, "tenantName": "t"}})
    );
    // "Authenticate", Identity API v2.0, cut down.
    let document = json!({"access": {
        "token": {"issued_at": "2014-01-30T15:30:58.819584", "expires": "2014-01-31T15:30:58Z",
                  "id": "aaaaa-bbbbb-ccccc-dddd",
                  "tenant": {"enabled": true, "id": "fc394f2ab2df4114bde39905f800dc57", "name": "demo"}},
        "serviceCatalog": [{"endpoints": [{"adminURL": "http://a:8080/", "region": "RegionOne",
                "internalURL": "http://i:8080/v1/AUTH_fc", "publicURL": "http://p:8080/v1/AUTH_fc"}],
            "type": "object-store", "name": "swift"}],
        "user": {"username": "demo", "id": "9a6590b2ab024747bc2167c4e064d00d", "name": "demo",
                 "roles": [{"name": "Member"}]}}});
    let token = read(&mut login, &reply(200, &[], document.to_string())).unwrap();
    assert_eq!(token.secret(), &Secret::new("aaaaa-bbbbb-ccccc-dddd"));
    assert_eq!(token.facts().project.as_ref().unwrap().id, "fc394f2ab2df4114bde39905f800dc57");
    let endpoints = &token.facts().catalogue.as_ref().unwrap().services[0].endpoints;
    assert_eq!(endpoints[0].url, "http://p:8080/v1/AUTH_fc");
    assert_eq!(endpoints[2].interface, Interface::Admin);
}

#[test]
fn v1_is_headers_both_ways() {
    let identity = Identity::v1("test:tester", "testing");
    let mut login = login("http://127.0.0.1:8080/auth/v1.0", identity, Scope::Unstated).unwrap();
    let draft = asked(&mut login);
    assert_eq!(draft.head.method, "GET");
    assert_eq!(draft.head.uri, "http://127.0.0.1:8080/auth/v1.0");
    assert_eq!(draft.head.headers["x-auth-user"], "test:tester");
    assert_eq!(draft.head.headers["x-auth-key"], "testing");
    assert!(!format!("{draft:?}").contains("testing"));
    let url = ("x-storage-url", "http://127.0.0.1:8080/v1/AUTH_test");
    for (headers, token, lifetime) in [
        (vec![url, ("x-auth-token", "AUTH_tk1")], "AUTH_tk1", None),
        (
            vec![
                url,
                ("x-auth-token", "AUTH_tk1"),
                ("x-storage-token", "AUTH_tk2"),
                ("x-auth-token-expires", "86399"),
            ],
            "AUTH_tk2",
            Some(Duration::from_secs(86_399)),
        ),
    ] {
        let read = read(&mut login, &reply(200, &headers, "")).unwrap();
        assert_eq!(read.secret(), &Secret::new(token));
        assert_eq!(read.facts().lifetime, lifetime);
        assert_eq!(read.facts().storage_url.as_deref(), Some(url.1));
    }
    for (headers, want) in [
        (vec![("x-auth-token", "t")], "the v1 authentication response has no X-Storage-Url"),
        (vec![url], "the v1 authentication response has no X-Auth-Token"),
        (
            vec![url, ("x-auth-token", "t"), ("x-auth-token-expires", "soon")],
            "X-Auth-Token-Expires of the v1 authentication response is not a number of seconds",
        ),
    ] {
        let error = read(&mut login, &reply(200, &headers, "<html>welcome")).unwrap_err();
        assert_eq!((error.kind(), error.message()), (Kind::InvalidResponse, want));
    }
    assert!(read(&mut login, &reply(403, &[], "AccessDenied")).unwrap_err().is_denied());
}

#[test]
fn a_refusal_keeps_what_keystone_says_of_it() {
    // Seen on Keystone 30.
    let body = r#"{"error":{"code":401,"identity":{},"message":"Error authenticating with application credential: Application credentials cannot request a scope.","title":"Unauthorized"}}"#;
    let answer = reply(401, &[("x-openstack-request-id", "req-250b")], body);
    let error = read(&mut login(V3, password(), Scope::Unstated).unwrap(), &answer).unwrap_err();
    assert_eq!((error.code(), error.request_id()), (Some("Unauthorized"), Some("req-250b")));
    assert!(error.server_message().unwrap().ends_with("cannot request a scope."));
}

fn draft<O: Operation<Service = Service>>(operation: &O) -> String {
    let draft = operation.draft(&Service::default()).unwrap();
    format!("{} {}", draft.head.method, draft.head.uri)
}

#[test]
fn operations_are_asked_for_where_the_api_reference_says() {
    let validate = ValidateToken { nocatalog: true, ..ValidateToken::default() };
    assert_eq!(draft(&validate), "GET /auth/tokens?nocatalog");
    assert_eq!(draft(&RevokeToken::default()), "DELETE /auth/tokens");
    assert_eq!(draft(&ShowTrust { id: "a/b".into() }), "GET /OS-TRUST/trusts/a%2Fb");
    assert_eq!(draft(&DeleteTrust { id: "1ff900".into() }), "DELETE /OS-TRUST/trusts/1ff900");
    let list = ListTrusts { trustor_user_id: Some("u".into()), trustee_user_id: Some("v".into()) };
    assert_eq!(draft(&list), "GET /OS-TRUST/trusts?trustor_user_id=u&trustee_user_id=v");
    let empty = DeleteTrust::default().draft(&Service::default()).unwrap_err();
    assert_eq!(empty.kind(), Kind::InvalidInput);
}

#[test]
fn the_token_of_another_is_hidden_and_so_is_what_a_404_says_of_it() {
    let revoke = RevokeToken { subject: Subject::Other("hunter2".into()) };
    let draft = revoke.draft(&Service::default()).unwrap();
    assert_eq!(draft.head.headers["x-subject-token"], "hunter2");
    assert!(!format!("{draft:?} {revoke:?}").contains("hunter2"));
    let message = json!({"error": {"code": 404, "title": "Not Found",
        "message": "Could not find token: hunter2"}});
    let answer = reply(404, &[], message.to_string());
    let error = ValidateToken::default().parse(&Service::default(), &answer).unwrap_err();
    assert!(error.is_not_found() && !error.to_string().contains("hunter2"));
    // What is not known any more is revoked.
    revoke.parse(&Service::default(), &answer).unwrap();
}

#[test]
fn a_trust_is_asked_for_and_read() {
    let create = CreateTrust {
        trustor_user_id: "71134d".into(),
        trustee_user_id: "9d26a4".into(),
        project_id: "37e3c1".into(),
        roles: vec![
            Role { id: Some("3580f5".into()), name: "swiftoperator".into() },
            Role { id: None, name: "member".into() },
        ],
        impersonation: true,
        expires_at: Timestamp::parse_iso8601("2026-11-22T06:09:54Z"),
        microseconds: 123,
        remaining_uses: Some(3),
    };
    let draft = create.draft(&Service::default()).unwrap();
    assert_eq!(
        body(&draft),
        json!({"trust": {"trustor_user_id": "71134d", "trustee_user_id": "9d26a4",
            "project_id": "37e3c1", "impersonation": true, "remaining_uses": 3,
            "roles": [{"id": "3580f5"}, {"name": "member"}],
            "expires_at": "2026-11-22T06:09:54.000123Z"}})
    );
    // Seen on Keystone 30, cut down.
    let answer = r#"{"trust": {"roles": [{"id": "3580f5", "name": "swiftoperator", "domain_id": null,
        "options": {}}], "id": "b33630", "trustor_user_id": "71134d", "trustee_user_id": "9d26a4",
        "project_id": "37e3c1", "impersonation": true, "expires_at": "2026-11-22T06:09:54.000000Z",
        "remaining_uses": null, "deleted_at": null, "redelegation_count": 0}}"#;
    let trust = create.parse(&Service::default(), &reply(201, &[], answer)).unwrap();
    assert_eq!((trust.id.as_str(), trust.impersonation), ("b33630", true));
    assert_eq!(trust.expires_at, create.expires_at);
    assert_eq!(trust.remaining_uses, None);
    let list = format!("{{\"trusts\": [{}]}}", &answer[10..answer.len() - 1]);
    let list = ListTrusts::default().parse(&Service::default(), &reply(200, &[], list)).unwrap();
    assert_eq!(list, [trust]);
    let error = ListTrusts::default().parse(&Service::default(), &reply(200, &[], "{}"));
    assert_eq!(error.unwrap_err().message(), "Keystone's response has no list `trusts`");
}

proptest::proptest! {
    #[test]
    fn no_answer_panics(
        status in 100u16..600,
        body: Vec<u8>,
        names in proptest::collection::vec(0usize..5, 0..5),
        value in "[ -~]{0,20}",
        which in 0usize..4,
    ) {
        const NAMES: [&str; 5] = ["x-subject-token", "x-storage-url", "x-auth-token", "date", "retry-after"];
        let headers: Vec<_> = names.iter().map(|at| (NAMES[*at], value.as_str())).collect();
        let mut login = match which {
            0 => login(V3, password(), Scope::Unstated),
            1 => login("http://k", password(), Scope::Unstated),
            2 => login("http://k", Identity::v1("u", "k"), Scope::Unstated),
            _ => login("http://k", Identity::V2Password { user: User::Id("u".into()), password: "p".into() }, Scope::Unstated),
        }.unwrap();
        asked(&mut login);
        let answer = reply(status, &headers, body);
        let _ = login.answered(&answer);
        let _ = ListTrusts::default().parse(&Service::default(), &answer);
        let _ = ShowTrust::default().parse(&Service::default(), &answer);
        let _ = ValidateToken::default().parse(&Service::default(), &answer);
    }

    #[test]
    fn no_document_of_the_right_shape_panics(at in 0usize..24, value in 0usize..6) {
        // One member of a good document is replaced by something else.
        let mut document = v3_token();
        let mut left = at;
        replace(&mut document, &mut left, &[json!(null), json!(7), json!("x"), json!([]), json!([1]), json!({})][value]);
        let answer = reply(201, &[("x-subject-token", "t")], document.to_string());
        let mut login = login(V3, password(), Scope::Unstated).unwrap();
        if let Err(error) = login.answered(&answer) {
            proptest::prop_assert_eq!(error.kind(), Kind::InvalidResponse);
        }
    }
}

fn replace(value: &mut Value, left: &mut usize, with: &Value) {
    if *left == 0 {
        *value = with.clone();
        *left = usize::MAX;
        return;
    }
    *left -= 1;
    let children: Vec<&mut Value> = match value {
        Value::Object(members) => members.values_mut().collect(),
        Value::Array(elements) => elements.iter_mut().collect(),
        _ => Vec::new(),
    };
    for child in children {
        if *left != usize::MAX {
            replace(child, left, with);
        }
    }
}
