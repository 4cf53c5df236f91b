//! Responses to logins that are no tokens, tokens that no request can carry, and endpoints that lead
//! nowhere: an error says so, and no request is sent with the token.

use std::sync::Arc;

use apus_core::error::ExchangeErrorKind;
use apus_core::keystone::{Domain, Identity, Login, Scope, Session, SessionOptions, User};
use apus_core::machine::{Auth, Call};
use apus_core::swift::{Config, HeadContainer, Service};
use apus_core::{Error, Kind};
use serde_json::{Value, json};

use crate::support::{Answer, Sim};

const V1: &str = "https://swift/auth/v1.0";
const V2: &str = "https://keystone:5000/v2.0";
const V3: &str = "https://keystone:5000/v3";
const V3_TOKENS: &str = "https://keystone:5000/v3/auth/tokens";
const ENDPOINT: &str = "https://swift/v1/AUTH_p";

/// Asks for a container, after logins at `auth_url` that are answered so. Returns the number of logins,
/// and the target of the request with the token.
fn asked(auth_url: &str, answer: &Answer) -> (Result<String, Error>, usize) {
    let user = || User::named("demo", Domain::default_id());
    let identity = match auth_url {
        V1 => Identity::v1("demo:demo", "hunter2"),
        V2 => Identity::V2Password { user: user(), password: "hunter2".into() },
        _ => Identity::password(user(), "hunter2"),
    };
    let login = Login::new(auth_url, identity, Scope::Unstated).unwrap();
    let auth = Auth::new(Session::new(login, SessionOptions::default()));
    let service = Arc::new(Service::new(Config::default()).unwrap());
    let call = Call::new(HeadContainer::new("c"), service, 1);
    let (mut logins, mut sent) = (0, String::new());
    let run = Sim::with_auth(call, auth).run(|head, _| {
        let uri = head.uri.to_string();
        if uri.starts_with(auth_url) {
            logins += 1;
            return answer.clone();
        }
        assert!(!head.headers["x-auth-token"].as_bytes().trim_ascii().is_empty());
        sent = uri;
        let counts = ["x-container-object-count", "x-container-bytes-used"];
        counts.iter().fold(Answer::new(204), |answer, name| answer.header(name, 1))
    });
    match run.result {
        Ok(_) => (Ok(sent), logins),
        Err(error) => {
            assert_eq!(sent, "", "{error}");
            (Err(error), logins)
        }
    }
}

#[track_caller]
fn refused(auth_url: &str, answer: &Answer, told: &str) {
    let (result, logins) = asked(auth_url, answer);
    let error = result.expect_err(told);
    assert!(error.to_string().contains(told), "{told}: {error}");
    assert_eq!((error.kind(), error.attempts(), logins), (Kind::Auth, 1, 1), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

fn v2(id: Value, expires: &str, url: &str) -> Answer {
    Answer::new(200).body(
        json!({"access": {"token": {"id": id, "expires": expires}, "serviceCatalog": [
            {"type": "object-store", "endpoints": [{"publicURL": url, "region": "R"}]}]}})
        .to_string(),
    )
}

fn v3(token: &str, expires: Value, url: &str) -> Answer {
    let document = json!({"token": {"expires_at": expires, "catalog": [
        {"type": "object-store", "endpoints": [{"interface": "public", "url": url}]}]}});
    Answer::new(201).header("x-subject-token", token).body(document.to_string())
}

fn v1(token: &str, expires: &str, url: &str) -> Answer {
    let answer = Answer::new(200).header("x-storage-url", url).header("x-auth-token", token);
    answer.header("x-auth-token-expires", expires)
}

const LATER: &str = "2015-08-30T15:36:00Z";

#[test]
fn a_token_that_is_empty_is_none() {
    for blank in ["", " ", " \t "] {
        refused(V2, &v2(json!(blank), LATER, ENDPOINT), "the token is empty");
        refused(V1, &v1(blank, "60", ENDPOINT), "has no X-Auth-Token");
        let error = Session::fixed_at(ENDPOINT, blank).err().unwrap();
        assert_eq!(error.message(), "the token is empty");
    }
    refused(V3, &v3("", json!(LATER), ENDPOINT), "has no X-Subject-Token");
    refused(V3, &v3(" ", json!(LATER), ENDPOINT), "the token is empty");
    for odd in ["a\nb", "tök"] {
        refused(V2, &v2(json!(odd), LATER, ENDPOINT), "not allowed in a header");
    }
}

#[test]
fn a_token_that_is_not_ascii_is_not_said_to_be_missing() {
    // `HeaderValue::from_bytes` takes these bytes, as both transports do.
    for odd in ["tök", "€"] {
        let told = "of the response has characters other than visible ASCII";
        refused(V3, &v3(odd, json!(LATER), ENDPOINT), &format!("x-subject-token {told}"));
        refused(V1, &v1(odd, "60", ENDPOINT), &format!("x-auth-token {told}"));
        refused(V1, &v1("token", "60", odd), &format!("x-storage-url {told}"));
        refused(V1, &v1("token", odd, ENDPOINT), &format!("x-auth-token-expires {told}"));
    }
}

#[test]
fn an_error_of_a_login_names_its_url_once() {
    for (url, asked) in [(V1, V1), (V2, "https://keystone:5000/v2.0/tokens"), (V3, V3_TOKENS)] {
        let named = format!("could not obtain a token: {asked}: ");
        for answer in [Answer::new(401), Answer::new(200).body("<html>"), Answer::new(404)] {
            refused(url, &answer, &named);
        }
        for kind in [ExchangeErrorKind::Cut, ExchangeErrorKind::Closed, ExchangeErrorKind::Tls] {
            let (result, _) = self::asked(url, &Answer::lost(kind));
            let error = result.unwrap_err().to_string();
            let host = if url == V1 { "swift" } else { "keystone:5000" };
            assert_eq!(error.matches(host).count(), 1, "{kind:?}: {error}");
        }
    }
}

#[test]
fn an_end_that_is_no_date_is_told() {
    for odd in [json!(null), json!(1_440_950_000), json!(""), json!("soon"), json!("2015-13-45")] {
        refused(V3, &v3("token", odd, ENDPOINT), "expires_at");
    }
    for odd in ["", "soon", "2015-08-30T99:99:99Z"] {
        refused(V2, &v2(json!("token"), odd, ENDPOINT), "`expires` that is not a date");
    }
    for odd in ["-1", "1.5", "18446744073709551616"] {
        refused(V1, &v1("token", odd, ENDPOINT), "not a number of seconds");
    }
}

#[test]
fn any_date_and_any_number_of_seconds_is_an_end() {
    for date in [
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "2015-08-30T15:36:00+02:00",
        "2015-08-30T15:36:00-0500",
        "2015-08-30T15:36:00.123456789Z",
        "2015-08-30T15:36:00",
    ] {
        for (url, answer) in
            [(V3, v3("token", json!(date), ENDPOINT)), (V2, v2(json!("token"), date, ENDPOINT))]
        {
            assert_eq!(asked(url, &answer).0.unwrap(), "https://swift/v1/AUTH_p/c", "{date}");
        }
    }
    for seconds in ["0", "18446744073709551615"] {
        let (sent, logins) = asked(V1, &v1("token", seconds, ENDPOINT));
        assert_eq!((sent.unwrap().as_str(), logins), ("https://swift/v1/AUTH_p/c", 1));
    }
}

#[test]
fn an_endpoint_that_is_no_url_is_told_at_once() {
    for (url, told) in [
        ("ftp://swift/v1", "a scheme that is neither https nor http"),
        ("swift/v1", "is not an http or https URL"),
        ("//swift/v1", "is not an http or https URL"),
        ("https://swift/v1/AUTH p", "not percent-encoded"),
        ("https://swift/v1/AUTH_%(tenant_id)s", "not percent-encoded"),
        ("https://swift:99999/v1", "a port that is not a number from 1 to 65535"),
        ("https://u:hunter2@swift/v1", "contains a user"),
        ("https://swift/v1#x", "has a fragment"),
        ("https://swift/v1?x=hunter2", "has a query"),
        ("http://swift/v1", "would send the token unencrypted"),
    ] {
        refused(V3, &v3("token", json!(LATER), url), told);
        refused(V2, &v2(json!("token"), LATER, url), told);
        refused(V1, &v1("token", "60", url), told);
    }
    for url in
        ["https://swift/v1/AUTH_p/", " https://swift/v1/AUTH_p// ", "HTTPS://SWIFT/v1/AUTH_p"]
    {
        let (sent, _) = asked(V3, &v3("token", json!(LATER), url));
        assert_eq!(sent.unwrap(), "https://swift/v1/AUTH_p/c", "{url:?}");
    }
}

#[test]
fn a_page_of_a_gateway_is_no_token() {
    for url in [V1, V2, V3] {
        for status in [200, 204, 300, 302, 307, 401, 404, 511] {
            let page = Answer::new(status).body("<html>Welcome to the hotel</html>");
            let (result, logins) = asked(url, &page);
            let error = result.unwrap_err();
            assert_eq!((error.kind(), logins), (Kind::Auth, 1), "{url} {status}: {error}");
        }
    }
    let page = Answer::new(200).header("x-subject-token", "token").body("<html>");
    refused(V3, &page, "not valid JSON");
}
