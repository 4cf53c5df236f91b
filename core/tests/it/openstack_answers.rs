//! What servers of OpenStack's protocols send: listings, refusals, redirects, waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use apus_core::contract::Operation;
use apus_core::http::{Body, Reply};
use apus_core::keystone::{
    Catalogue, Domain, EndpointFilter, Identity, Login, Scope, Session, SessionOptions, Sourced,
    TokenFacts, TokenSource, User,
};
use apus_core::machine::{Auth, Call, Event, Observer, Pump, Turn};
use apus_core::now::WaitReason;
use apus_core::swift::{
    Config, Digest, GetAccount, GetContainer, GetObject, Info, Manifest, ObjectSegment, PutObject,
    PutSlo, Segment, Service, TempUrlLimits,
};
use apus_core::{Error, Kind, Now};
use serde_json::{Value, json};

/// A response: the seconds that it takes, status, headers, body.
type Answer<'a> = (u64, u16, &'a [(&'a str, &'a str)], &'a str);

#[derive(Default)]
struct Heard(Mutex<Vec<(WaitReason, Duration)>>);

impl Observer for Heard {
    fn event(&self, _: Now, event: &Event<'_>) {
        if let Event::Waiting { reason, length } = event {
            self.0.lock().unwrap().push((*reason, *length));
        }
    }
}

struct Ran<T> {
    tokens: Vec<String>,
    result: Result<T, Error>,
    waits: Vec<(WaitReason, Duration)>,
    lasted: Duration,
}

/// Runs one call: every login gives the next token, which lives for `life` seconds, every other
/// request gets the next answer.
fn run<O: Operation<Service = Service>>(
    operation: O,
    life: u64,
    answers: &[Answer<'_>],
) -> Ran<O::Output> {
    let login =
        Login::new("http://127.0.0.1/auth/v1.0", Identity::v1("a:u", "key"), Scope::Unstated);
    let auth = Auth::new(Session::new(login.unwrap(), SessionOptions::default()));
    let service = Service::new(Config::default()).unwrap();
    let heard = Arc::new(Heard::default());
    let call = Call::new(operation, service.into(), 1);
    let mut pump = Pump::new(call, vec![auth], Waker::noop().clone())
        .with_observer(Arc::clone(&heard) as Arc<dyn Observer>);
    let mut answers = VecDeque::from(answers.to_vec());
    let mut now = Now::new(Duration::ZERO, Duration::from_secs(1_767_322_800));
    let (mut tokens, mut logins) = (Vec::new(), 0);
    loop {
        match pump.turn(now) {
            Turn::Launch(mut exchange) => {
                let head = exchange.request().unwrap();
                let mut response = http::Response::builder();
                let mut body = "";
                if head.uri.path() == "/auth/v1.0" {
                    logins += 1;
                    response = response
                        .status(200)
                        .header("x-storage-url", "http://127.0.0.1/v1/AUTH_a")
                        .header("x-auth-token-expires", life)
                        .header("x-auth-token", format!("token {logins}"));
                } else {
                    tokens.push(head.headers["x-auth-token"].to_str().unwrap().to_owned());
                    let (takes, status, headers, text) =
                        answers.pop_front().expect("one request too many");
                    now = now.after(Duration::from_secs(takes));
                    (response, body) = (response.status(status), text);
                    for (name, value) in headers {
                        response = response.header(*name, *value);
                    }
                }
                let response = response.header("content-length", body.len());
                let mut receiving = exchange.respond(response.body(()).unwrap().into_parts().0);
                receiving.push(body.as_bytes()).unwrap();
                pump.complete(now, receiving.finish(None));
            }
            Turn::Park(wait) => {
                now = now.after(wait.expect("something to wait for").until.saturating_sub(now.tick))
            }
            Turn::Done(result) => {
                let waits = heard.0.lock().unwrap().clone();
                return Ran { tokens, result, waits, lasted: now.tick };
            }
        }
    }
}

fn whole<O: Operation<Service = Service>>(operation: O, body: &str) -> Result<O::Output, Error> {
    run(operation, 3600, &[(0, 200, &[], body)]).result
}

#[test]
fn an_entry_whose_optional_fields_are_odd_is_listed_with_the_others() {
    for (field, bytes, at) in [
        (r#""last_modified": 1767322800.5"#, None, Some(1_767_322_800)),
        (r#""last_modified": 1767322800"#, None, Some(1_767_322_800)),
        (r#""last_modified": "1767322800.25""#, None, Some(1_767_322_800)),
        (r#""last_modified": "Fri, 02 Jan 2026 03:00:00 GMT""#, None, Some(1_767_322_800)),
        (r#""last_modified": "2026-01-02T03:00:00.000000""#, None, Some(1_767_322_800)),
        (r#""last_modified": "2026-01-02T03:00:00Z""#, None, Some(1_767_322_800)),
        (r#""last_modified": "2026-01-02T04:30:00.5+01:30""#, None, Some(1_767_322_800)),
        (r#""last_modified": "2026-01-02 03:00:00""#, None, Some(1_767_322_800)),
        (r#""last_modified": "2026-01-02T03:00:00 CET""#, None, None),
        (r#""last_modified": null, "hash": null, "content_type": null"#, None, None),
        (r#""last_modified": -1, "subdir": null, "new": [{"of": {}}]"#, None, None),
        (r#""last_modified": 1e300, "subdir": false"#, None, None),
        (r#""last_modified": [], "hash": 7, "content_type": {}"#, None, None),
        (r#""bytes": 1.0"#, Some(1), None),
        (r#""bytes": "12""#, Some(12), None),
        (r#""bytes": -1, "slo_etag": null, "symlink_path": false"#, None, None),
        (r#""bytes": 1.5"#, None, None),
        (r#""bytes": 1e3, "bytes": "7 ""#, Some(7), None),
        (r#""bytes": 1e30"#, None, None),
        (r#""bytes": null"#, None, None),
        (r#""bytes": true"#, None, None),
        (r#""bytes": 18446744073709551615"#, Some(u64::MAX), None),
    ] {
        let body = format!(r#"[{{"name": "a", {field}}}, {{"name": "b", "bytes": 5}}]"#);
        let page = whole(GetContainer::new("c"), &body).expect(field);
        let objects: Vec<_> = page.objects().collect();
        assert_eq!((objects.len(), objects[1].bytes), (2, Some(5)), "{field}");
        assert_eq!(objects[0].bytes, bytes, "{field}");
        assert_eq!(objects[0].last_modified.map(|at| at.unix()), at, "{field}");
        let account = body.replace("\"hash\"", "\"storage_policy\"");
        let page = whole(GetAccount::new(), &account).expect(field);
        assert_eq!((page.containers.len(), page.containers[0].bytes), (2, bytes), "{field}");
    }
}

#[test]
fn an_entry_that_is_rolled_up_is_one_whatever_it_has_besides() {
    // `shell.py` of swiftclient 4.11: an entry that has a `subdir` is one.
    let body = r#"[{"subdir": "a/"}, {"subdir": "b/", "name": "b/", "bytes": 0},
                   {"name": null, "subdir": "c/"}, {"name": "d", "subdir": null}]"#;
    let page = whole(GetContainer::new("c"), body).unwrap();
    assert_eq!(page.subdirs().collect::<Vec<_>>(), ["a/", "b/", "c/"]);
    assert_eq!(page.objects().map(|object| &object.name).collect::<Vec<_>>(), ["d"]);
}

#[test]
fn what_an_account_says_of_a_container_may_be_odd() {
    for (field, count) in [
        (r#""count": "3""#, Some(3)),
        (r#""count": 3.0"#, Some(3)),
        (r#""count": null"#, None),
        (r#""count": -1, "bytes": "none""#, None),
        (r#""last_modified": {}"#, None),
    ] {
        let body = format!(r#"[{{"name": "a", {field}}}, {{"name": "b"}}]"#);
        let page = whole(GetAccount::new(), &body).expect(field);
        let counts: Vec<_> = page.containers.iter().map(|container| container.count).collect();
        assert_eq!(counts, [count, None], "{field}");
    }
}

// A listing is read without these headers: Ceph's gateway leaves some out.
#[test]
fn the_head_of_a_listing_may_lack_its_counts_or_have_odd_ones() {
    for (headers, expected) in [
        (&[][..], None),
        (&[("x-container-object-count", ""), ("x-timestamp", "soon")][..], None),
        (&[("x-container-object-count", "-1"), ("x-container-bytes-used", "1.5")][..], None),
        (&[("x-container-object-count", "7"), ("x-timestamp", "1767322800.12345")][..], Some(7)),
    ] {
        for (status, body) in [(200, r#"[{"name": "a"}]"#), (200, "[]"), (200, " \n"), (204, "")] {
            let ran = run(GetContainer::new("c"), 3600, &[(0, status, headers, body)]);
            let page = ran.result.unwrap();
            assert_eq!(page.entries.len(), usize::from(body.contains("name")));
            assert_eq!(page.head.object_count, expected, "{headers:?}");
            let timestamp = headers.iter().find(|(name, _)| *name == "x-timestamp");
            assert_eq!(page.head.timestamp.as_deref(), timestamp.map(|(_, value)| *value));
        }
    }
}

#[test]
fn half_a_character_in_a_name_is_replaced_and_the_rest_is_listed() {
    let body =
        r#"[{"name": "x\ud800y"}, {"name": "\udfff\\ud800"}, {"name": "\ud83d\ude00\u00e9"}]"#;
    let page = whole(GetContainer::new("c"), body).unwrap();
    let names: Vec<&str> = page.objects().map(|object| object.name.as_str()).collect();
    assert_eq!(names, ["x\u{fffd}y", "\u{fffd}\\ud800", "\u{1f600}é"]);
}

#[test]
fn a_listing_that_came_whole_and_can_not_be_read_is_requested_once() {
    // Also a listing in plain text, and a control character that no JSON may have.
    for body in ["{}", "[1]", "[{}]", "[{\"name\": \"a\"", "a\nb\n", "[{\"name\": \"a\u{1}\"}]"] {
        let ran = run(GetContainer::new("c"), 3600, &[(0, 200, &[], body)]);
        assert_eq!(ran.result.unwrap_err().kind(), Kind::InvalidResponse, "{body}");
    }
}

// Ceph's gateway.
#[test]
fn a_403_renews_a_token_that_has_expired_meanwhile_and_no_other() {
    let get = || GetObject::new("c", "o");
    let ran = run(get(), 120, &[(200, 403, &[], ""), (0, 200, &[], "")]);
    assert_eq!(ran.tokens, ["token 1", "token 2"]);
    ran.result.unwrap();
    let ran = run(get(), 120, &[(200, 403, &[], ""), (0, 403, &[], "")]);
    assert_eq!(ran.tokens, ["token 1", "token 2"]);
    assert_eq!(ran.result.unwrap_err().status().unwrap(), 403);
    let ran = run(get(), 120, &[(1, 403, &[], "")]);
    assert_eq!((ran.tokens.len(), ran.result.unwrap_err().status().unwrap().as_u16()), (1, 403));
}

#[test]
fn a_wait_that_the_server_asks_for_is_reported_and_so_is_one_that_is_too_long() {
    let patient: &[(&str, &str)] = &[("retry-after", "240")];
    let ran = run(GetObject::new("c", "o"), 3600, &[(0, 429, patient, ""), (0, 200, &[], "")]);
    ran.result.unwrap();
    assert_eq!(ran.waits, [(WaitReason::RetryAfter, Duration::from_secs(240))]);
    let ran = run(GetObject::new("c", "o"), 3600, &[(0, 429, &[("retry-after", "599")], "")]);
    let error = ran.result.unwrap_err();
    assert!(error.to_string().contains("the server asks to wait for 599 s"), "{error}");
    assert_eq!((ran.waits.len(), error.retry_after()), (0, Some(Duration::from_secs(599))));
    // A number that no counter holds is a longer time still; anything else is ignored.
    let endless: &[(&str, &str)] = &[("retry-after", "99999999999999999999999")];
    let ran = run(GetObject::new("c", "o"), 3600, &[(0, 429, endless, "")]);
    assert_eq!(ran.result.unwrap_err().retry_after(), Some(Duration::from_secs(u64::MAX)));
    for none in ["-5", "+5", "", "soon", "Thu, 01 Jan 1970 00:00:00 GMT"] {
        let none: &[(&str, &str)] =
            &[("retry-after", none), ("date", "Fri, 02 Jan 2026 00:00:00 GMT")];
        let ran = run(GetObject::new("c", "o"), 3600, &[(0, 429, none, ""), (0, 200, &[], "")]);
        ran.result.unwrap();
    }
    // Two seconds are not reported.
    let short: &[(&str, &str)] = &[("retry-after", "2")];
    let ran = run(GetObject::new("c", "o"), 3600, &[(0, 503, short, ""), (0, 200, &[], "")]);
    assert!(ran.waits.is_empty() && ran.result.is_ok());
}

/// A look that is older than a wait for a token does not decide: another client may have written the
/// object meanwhile.
#[test]
fn a_repetition_that_waited_for_a_token_has_another_look() {
    let put = || PutObject { if_absent: true, ..PutObject::new("c", "o", "hello") };
    let none: &[(&str, &str)] = &[];
    // The look takes until the token is about to expire.
    let ran = run(
        put(),
        120,
        &[(0, 500, none, ""), (100, 404, none, ""), (0, 404, none, ""), (0, 201, none, "")],
    );
    assert_eq!(ran.tokens, ["token 1", "token 1", "token 2", "token 2"]);
    ran.result.unwrap();
    let ran = run(put(), 120, &[(0, 500, none, ""), (100, 404, none, ""), (0, 200, none, "")]);
    assert_eq!(ran.tokens, ["token 1", "token 1", "token 2"]);
    // The error is that of the request, and nothing was cancelled.
    let error = ran.result.unwrap_err();
    assert!(error.outcome_unknown() && !error.is_cancelled(), "{error}");
    assert_eq!(error.status().unwrap(), 500);
    // Where each look takes that long, the request is sent nevertheless.
    let slow: Vec<Answer<'_>> = std::iter::once((0, 500, none, ""))
        .chain((0..9).map(|_| (100, 404, none, "")))
        .chain([(0, 201, none, "")])
        .collect();
    let ran = run(put(), 120, &slow);
    assert_eq!(ran.tokens.len(), slow.len());
    ran.result.unwrap();
}

fn slo() -> PutSlo {
    let segments = vec![Segment::Object(ObjectSegment::new("c", "s"))];
    PutSlo { heartbeat: false, ..PutSlo::new("c", "o", segments) }
}

#[test]
fn a_manifest_whose_segments_are_not_found_yet_is_sent_again_for_some_seconds() {
    let not_yet = r#"{"Errors": [["/c/s", "404 Not Found"], ["/c/t", "409 Conflict"]]}"#;
    let late = r#" {"Response Status": "400 Bad Request", "Errors": [["/c/s", "404 Not Found"]]}"#;
    let busy = r#"{"Errors": [["/c/s", "503 Service Unavailable"]]}"#;
    for (status, body) in [(400, not_yet), (409, not_yet), (202, late), (400, busy)] {
        let ran = run(slo(), 3600, &[(0, status, &[], body), (0, 201, &[], "")]);
        assert!(ran.result.is_ok(), "{status} {body}: {:?}", ran.result);
    }
    // For good.
    let five: [Answer<'_>; 5] = [(0, 400, &[], not_yet); 5];
    let ran = run(slo(), 3600, &five);
    let error = ran.result.unwrap_err();
    assert_eq!((error.status().unwrap().as_u16(), error.attempts()), (400, 5));
    assert!((1..20).contains(&ran.lasted.as_secs()), "{:?}", ran.lasted);
}

#[test]
fn a_manifest_that_is_refused_for_another_reason_is_sent_once() {
    for (status, body) in [
        (400, r#"{"Errors": [["/c/s", "Etag Mismatch"]]}"#),
        (400, r#"{"Errors": [["/c/s", "404 Not Found"], ["/c/t", "Size Mismatch"]]}"#),
        (400, r#"{"Errors": [["/c/s", "403 Forbidden"]]}"#),
        (400, r#"{"Errors": [["/c/s", "507 Insufficient Storage"]]}"#),
        (400, r#"{"Errors": []}"#),
        (413, ""),
        (202, r#" {"Response Status": "400 Bad Request", "Errors": [["/c/s", "Etag Mismatch"]]}"#),
    ] {
        assert!(run(slo(), 3600, &[(0, status, &[], body)]).result.is_err(), "{body}");
    }
}

#[test]
fn an_endpoint_that_the_catalogue_lacks_is_told_with_those_that_it_has() {
    let endpoint = |interface: &str, region: &str| json!({"id": "e", "interface": interface, "region": region, "url": "http://s/v1"});
    let body = json!({"token": {"expires_at": "2030-01-01T00:00:00Z", "catalog": [
        {"type": "object-store", "name": "swift", "id": "s", "endpoints":
            [endpoint("public", "one"), endpoint("internal", "one"), endpoint("public", "two")]},
        {"type": "identity", "name": "keystone", "id": "k", "endpoints": []},
    ]}});
    let facts = TokenFacts { catalogue: Some(catalogue(&body)), ..TokenFacts::default() };
    let of = |filter: &EndpointFilter| filter.resolve(&facts).unwrap_err().to_string();
    let filter = EndpointFilter { region: Some("three".into()), ..EndpointFilter::default() };
    assert!(
        of(&filter).contains(
            "the catalogue has no public endpoint of object-store in region \"three\": it has \
             internal in region \"one\", public in region \"one\", public in region \"two\""
        ),
        "{}",
        of(&filter)
    );
    let filter = EndpointFilter { service_type: "s3".into(), ..EndpointFilter::default() };
    let told = "it has only the services \"identity\", \"object-store\"";
    assert!(of(&filter).contains(told), "{}", of(&filter));
}

fn catalogue(body: &Value) -> Catalogue {
    let mut login = password("http://k:5000/v3");
    asked(&mut login);
    let body = body.to_string();
    match login.answered(&reply(201, &[("x-subject-token", "t")], &body)).unwrap() {
        Sourced::Token(token) => token.facts().catalogue.clone().unwrap(),
        other => panic!("{other:?}"),
    }
}

fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut head = http::Response::builder().status(status);
    for (name, value) in headers {
        head = head.header(*name, *value);
    }
    Reply::new(head.body(()).unwrap().into_parts().0, body.to_owned().into())
}

fn password(url: &str) -> Login {
    let user = User::named("u", Domain::default_id());
    Login::new(url, Identity::password(user, "the password"), Scope::project("p")).unwrap()
}

fn asked(login: &mut Login) -> String {
    let now = Now::new(Duration::ZERO, Duration::from_secs(1_767_322_800));
    match login.renew(now).unwrap() {
        Sourced::Ask(draft) => draft.head.uri.to_string(),
        other => panic!("{other:?}"),
    }
}

// keystoneauth1 follows 301, 302, 303, 305, 307 and 308 with the same method and body.
#[test]
fn keystone_is_followed_to_another_path_and_to_https_with_the_same_request() {
    for (from, location, to) in [
        ("http://k:5000/v3", "https://k:5000/v3/auth/tokens", "https://k:5000/v3/auth/tokens"),
        ("http://k:5000/v3", "https://K/v3/auth/tokens", "https://K/v3/auth/tokens"),
        ("http://k/v3", "/identity/v3/auth/tokens", "http://k/identity/v3/auth/tokens"),
        ("https://k/v3", "https://k/id/v3/auth/tokens?x=y", "https://k/id/v3/auth/tokens"),
        ("http://k:5000", "https://k:5000/", "https://k:5000/"),
        ("http://k/identity", "https://k/identity/v3/", "https://k/identity/v3"),
    ] {
        for status in [301, 302, 303, 305, 307, 308] {
            let mut login = password(from);
            let first = asked(&mut login);
            let answer = reply(status, &[("location", location)], "");
            let Sourced::Ask(draft) = login.answered(&answer).unwrap() else { panic!() };
            let uri = draft.head.uri.to_string();
            assert!(uri.eq_ignore_ascii_case(to), "{from} {location}: {uri}");
            if first.ends_with("/auth/tokens") {
                let Body::Bytes(body) = &draft.body else { panic!() };
                assert!(String::from_utf8_lossy(body).contains("the password"));
                assert_eq!(draft.head.method, "POST");
                // Later requests go there at once.
                assert!(asked(&mut login).eq_ignore_ascii_case(to));
            }
        }
    }
}

#[test]
fn a_password_follows_keystone_to_no_other_host_and_the_location_is_said() {
    for location in [
        "https://elsewhere:5000/v3/auth/tokens",
        "https://k.evil/v3/auth/tokens",
        "//elsewhere/v3/auth/tokens",
        "http://k:5001/v3/auth/tokens",
        "https://k:5000/login?then=/v3/auth/tokens",
        "https://u:p@elsewhere/v3/auth/tokens",
        "nonsense",
    ] {
        let mut login = password("http://k:5000/v3");
        asked(&mut login);
        let error = login.answered(&reply(301, &[("location", location)], "")).unwrap_err();
        let shown = location.split('?').next().unwrap();
        let error = error.to_string();
        assert!(error.contains("301") && error.contains("it redirects to "), "{error}");
        assert!(location.contains('@') || error.contains(shown), "{error}");
        assert!(!error.contains("u:p@"), "{error}");
    }
    // Not down to http.
    let mut login = password("https://k:5000/v3");
    asked(&mut login);
    assert!(
        login.answered(&reply(301, &[("location", "http://k:5000/v3/auth/tokens")], "")).is_err()
    );
    // Not in a circle.
    let mut login = password("http://k/v3");
    asked(&mut login);
    let around = reply(302, &[("location", "http://k/v3/auth/tokens")], "");
    let followed = (0..100).take_while(|_| login.answered(&around).is_ok()).count();
    assert_eq!(followed, 30);
    let mut login = password("http://k/v3");
    asked(&mut login);
    assert!(login.answered(&reply(301, &[], "")).unwrap_err().to_string().contains("301"));
}

#[test]
fn a_temporary_url_has_a_digest_that_the_server_verifies() {
    let mut info = Info::default();
    assert_eq!(info.temp_url_digest(), Some(Digest::Sha256));
    for (listed, digest) in [
        (&[][..], Some(Digest::Sha1)),
        (&["sha1"], Some(Digest::Sha1)),
        (&["sha1", "sha256", "sha512"], Some(Digest::Sha256)),
        (&["sha512", "sha1"], Some(Digest::Sha512)),
        (&["md5"], None),
    ] {
        let mut limits = TempUrlLimits::default();
        limits.allowed_digests = listed.iter().map(|name| (*name).to_owned()).collect();
        info.temp_url = Some(limits);
        assert_eq!(info.temp_url_digest(), digest, "{listed:?}");
    }
}

/// Millions of values of a few bytes each would take gigabytes.
#[test]
fn a_document_of_millions_of_values_is_refused_before_it_is_read() {
    for value in ["{}", "[]", r#"{"a":0}"#] {
        let list = format!("[{}{value}]", format!("{value},").repeat(500_000));
        let answers = [(0, 200, &[][..], &*list); 5];
        for error in [
            run(GetContainer::new("c"), 3600, &answers).result.unwrap_err(),
            run(GetAccount::new(), 3600, &answers).result.unwrap_err(),
            Manifest::segments(list.as_bytes()).unwrap_err(),
        ] {
            assert_eq!(error.kind(), Kind::InvalidResponse, "{error}");
            assert!(error.to_string().contains("500000 values"), "{error}");
        }
    }
}
