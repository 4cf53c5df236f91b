//! Responses that come before the body, and bodies that are never complete.

use super::raw::{Answer, Wire};
use super::stage::Stage;

/// Sends the head of a PUT of 64 MiB, and reads the response to that alone.
fn head_only(stage: &Stage, token: &str, headers: &[(&str, &str)]) -> (Answer, Wire) {
    let url = stage.url("/x");
    let mut wire = Wire::to(&url);
    let mut all = vec![("X-Auth-Token", token), ("Content-Length", "67108864")];
    all.extend_from_slice(headers);
    wire.head("PUT", &url, &all);
    (wire.answer("PUT"), wire)
}

#[test]
fn a_bad_token_is_refused_before_the_body_and_the_body_is_dropped() {
    let stage = Stage::set("early");
    let url = stage.url("/x");
    let mut wire = Wire::to(&url);
    let token = ("X-Auth-Token", "nonesuch");
    wire.head("PUT", &url, &[token, ("Content-Length", "100000")]);
    let answer = wire.answer("PUT").is(401);
    assert_eq!(answer.header("connection"), None);
    wire.send(&[b'x'; 100_000]);
    wire.head("HEAD", &stage.url(""), &[("X-Auth-Token", stage.token())]);
    wire.answer("HEAD").is(204);

    let mut wire = Wire::to(&url);
    wire.head("PUT", &url, &[token, ("Transfer-Encoding", "chunked")]);
    wire.answer("PUT").is(401);
}

#[test]
fn with_expect_a_refusal_ends_the_connection() {
    let stage = Stage::set("expect");
    stage.put("/x", "hello").is(201);
    let expect = ("Expect", "100-continue");
    for (token, header, status) in [
        ("nonesuch", ("X", "1"), 401),
        (stage.token(), ("If-None-Match", "*"), 412),
        (stage.token(), ("X-Delete-At", "5"), 400),
    ] {
        let (answer, mut wire) = head_only(&stage, token, &[expect, header]);
        assert_eq!(answer.is(status).header("connection"), Some("close"));
        assert!(wire.is_closed());
    }
    let (answer, mut wire) = head_only(&stage, stage.token(), &[("If-None-Match", "*")]);
    assert_eq!(answer.is(412).header("connection"), None);
    assert!(!wire.is_closed());

    let url = stage.account("/nonesuch-container/x");
    let mut wire = Wire::to(&url);
    let token = ("X-Auth-Token", stage.token());
    wire.head("PUT", &url, &[token, ("Content-Length", "5"), expect]);
    wire.answer("PUT").is(404);
    assert!(wire.is_closed());
    let url = stage.url("/x");
    let mut wire = Wire::to(&url);
    wire.head("PUT", &url, &[token, ("Content-Length", "5368709123"), expect]);
    assert_eq!(wire.answer("PUT").is(413).text(), "Your request is too large.");
    assert!(wire.is_closed());
}

#[test]
fn with_expect_a_good_request_is_told_to_go_on() {
    let stage = Stage::set("continue");
    let url = stage.url("/x");
    let mut wire = Wire::to(&url);
    let token = ("X-Auth-Token", stage.token());
    let expect = ("Expect", "100-continue");
    wire.head("PUT", &url, &[token, ("Content-Length", "5"), expect]);
    wire.answer("PUT").is(100);
    wire.send(b"hello");
    wire.answer("PUT").is(201);
    wire.head("GET", &url, &[token]);
    assert_eq!(wire.answer("GET").is(200).text(), "hello");
}

#[test]
fn a_length_is_required_and_chunks_are_one() {
    let stage = Stage::set("length");
    let url = stage.url("/x");
    let token = ("X-Auth-Token", stage.token());
    let mut wire = Wire::to(&url);
    wire.head("PUT", &url, &[token]);
    assert_eq!(wire.answer("PUT").is(411).text(), "Missing Content-Length header.");
    let mut wire = Wire::to(&url);
    wire.head("PUT", &url, &[token, ("Transfer-Encoding", "chunked")]);
    wire.send(b"5\r\nhello\r\n0\r\n\r\n");
    wire.answer("PUT").is(201);
    assert_eq!(stage.get("/x").is(200).text(), "hello");
}

#[test]
fn a_short_body_stores_nothing() {
    let stage = Stage::set("short");
    let url = stage.url("/x");
    let mut wire = Wire::to(&url);
    wire.head("PUT", &url, &[("X-Auth-Token", stage.token()), ("Content-Length", "100")]);
    wire.send(&[b'x'; 50]);
    wire.finish();
    wire.answer("PUT").is(499);
    assert!(wire.is_closed());
    stage.get("/x").is(404);
}

#[test]
fn a_token_is_looked_at_once() {
    let stage = Stage::set("once");
    let token = stage.login(&stage.password("demo", "demo"));
    let url = stage.url("/x");
    let mut wire = Wire::to(&url);
    wire.head("PUT", &url, &[("X-Auth-Token", &token), ("Content-Length", "10")]);
    wire.send(b"hello");
    std::thread::sleep(std::time::Duration::from_millis(300));
    let headers = [("X-Auth-Token", &*token), ("X-Subject-Token", &token)];
    stage.ask_bare("DELETE", "/auth/tokens", &headers).is(204);
    std::thread::sleep(std::time::Duration::from_millis(300));
    stage.call_as(&token, "HEAD", "", &[], "").is(401);
    wire.send(b"world");
    wire.answer("PUT").is(201);
    assert_eq!(stage.get("/x").is(200).text(), "helloworld");
}
