//! Objects: what is kept, what is refused, and copies.

use std::time::{SystemTime, UNIX_EPOCH};

use super::stage::Stage;

#[test]
fn an_object_is_given_back() {
    let stage = Stage::set("object");
    let headers = [
        ("Content-Type", "text/plain"),
        ("X-Object-Meta-Colour", "blue"),
        ("Cache-Control", "no-cache"),
    ];
    let put = stage.call("PUT", "/x", &headers, "hello").is(201);
    assert_eq!(put.header("etag"), Some(HELLO), "without quotes");
    assert_eq!(put.header("content-length"), Some("0"));
    let get = stage.get("/x").is(200);
    assert_eq!(get.text(), "hello");
    let head = stage.call("HEAD", "/x", &[], "").is(200);
    for answer in [&get, &head] {
        for (name, value) in [
            ("content-length", "5"),
            ("etag", HELLO),
            ("content-type", "text/plain"),
            ("x-object-meta-colour", "blue"),
            ("cache-control", "no-cache"),
            ("accept-ranges", "bytes"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        assert_eq!(answer.header("last-modified"), put.header("last-modified"));
    }
    stage.call("DELETE", "/x", &[], "").is(204);
    assert_eq!(stage.call("DELETE", "/x", &[], "").is(404).text(), NOT_FOUND);
    assert_eq!(stage.call("HEAD", "/x", &[], "").is(404).header("content-length"), Some("0"));
    stage.get("/x").is(404);
}

#[test]
fn a_checksum_is_compared_and_a_wrong_one_stores_nothing() {
    let stage = Stage::set("checksum");
    let put = |etag: &str| stage.call("PUT", "/x", &[("ETag", etag)], "hello");
    let refused = put("00000000000000000000000000000000").is(422);
    assert!(refused.text().contains("Unprocessable Entity"));
    put("no MD5").is(422);
    stage.get("/x").is(404);
    put(HELLO).is(201);
    put(&format!("\"{HELLO}\"")).is(201);
}

#[test]
fn a_put_is_conditional_upon_absence_alone() {
    let stage = Stage::set("absence");
    let put = |name: &str, value: &str| stage.call("PUT", "/x", &[(name, value)], "hello");
    put("If-None-Match", "*").is(201);
    put("If-None-Match", "*").is(412);
    let refused = put("If-None-Match", HELLO).is(400);
    assert_eq!(refused.text(), "If-None-Match only supports *");
    put("If-Match", "nonsense").is(201);
}

#[test]
fn what_is_posted_is_all_that_is_left() {
    let stage = Stage::set("post");
    let headers = [
        ("Content-Type", "text/plain"),
        ("X-Object-Meta-Colour", "blue"),
        ("Cache-Control", "no-cache"),
        ("Content-Encoding", "gzip"),
        ("X-Delete-After", "1000"),
    ];
    stage.call("PUT", "/x", &headers, "hello").is(201);
    stage.call("POST", "/x", &[("X-Object-Meta-Size", "1")], "").is(202);
    let head = stage.call("HEAD", "/x", &[], "").is(200);
    for (name, value) in [
        ("content-type", Some("text/plain")),
        ("x-object-meta-size", Some("1")),
        ("x-object-meta-colour", None),
        ("cache-control", None),
        ("content-encoding", None),
        ("x-delete-at", None),
        ("etag", Some(HELLO)),
    ] {
        assert_eq!(head.header(name), value, "{name}");
    }
    stage.call("POST", "/nonesuch", &[], "").is(404);
}

#[test]
fn an_object_ends_when_it_is_told_to() {
    let stage = Stage::set("expiry");
    let put = |name: &str, value: &str| stage.call("PUT", "/x", &[(name, value)], "hello");
    assert_eq!(put("X-Delete-At", "5").is(400).text(), "X-Delete-At in past");
    assert_eq!(put("X-Delete-At", "x").is(400).text(), "Non-integer X-Delete-At");
    assert_eq!(put("X-Delete-After", "0").is(400).text(), "X-Delete-After in past");
    put("X-Delete-After", "2").is(201);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let head = stage.call("HEAD", "/x", &[], "").is(200);
    let at: u64 = head.header("x-delete-at").unwrap().parse().unwrap();
    assert!((now..=now + 3).contains(&at), "{at} is not within {now} and 3 s");
    std::thread::sleep(std::time::Duration::from_secs(3));
    stage.call("HEAD", "/x", &[], "").is(404);
    // It is listed until the server tidies up.
    assert_eq!(stage.get("").is(200).text(), "x\n");
    // To delete it is not to find it, and to tidy up.
    stage.call("DELETE", "/x", &[], "").is(404);
    stage.get("").is(204);
}

#[test]
fn metadata_has_its_limits() {
    let stage = Stage::set("metadata");
    let put = |name: &str, value: &str| stage.call("PUT", "/x", &[(name, value)], "");
    let name = format!("X-Object-Meta-{}", "n".repeat(129));
    assert!(put(&name, "1").is(400).text().starts_with("Metadata name too long"));
    let answer = put("X-Object-Meta-A", &"v".repeat(257)).is(400);
    assert!(answer.text().starts_with("Metadata value longer than 256"));
    put("X-Object-Meta-A", &"v".repeat(256)).is(201);
}

#[test]
fn objects_are_copied() {
    let stage = Stage::set("copy");
    let headers = [("Content-Type", "text/plain"), ("X-Object-Meta-Colour", "blue")];
    stage.call("PUT", "/x", &headers, "hello").is(201);
    let container = &stage.container;
    let destination = format!("{container}/y");
    let copy = |headers: &[(&str, &str)]| stage.call("COPY", "/x", headers, "");
    let done = copy(&[("Destination", &destination), ("X-Object-Meta-Size", "1")]).is(201);
    assert_eq!(done.header("etag"), Some(HELLO));
    assert_eq!(done.header("x-copied-from"), Some(&*format!("{container}/x")));
    let head = stage.call("HEAD", "/y", &[], "").is(200);
    assert_eq!(head.header("x-object-meta-colour"), Some("blue"));
    assert_eq!(head.header("x-object-meta-size"), Some("1"));
    assert_eq!(head.header("content-type"), Some("text/plain"));

    let ranged = copy(&[("Destination", &destination), ("Range", "bytes=1-2")]).is(201);
    assert_eq!(ranged.header("etag"), Some(EL));
    assert_eq!(stage.get("/y").is(200).text(), "el");
    copy(&[("Destination", "nonesuch-container/y")]).is(404);
    assert_eq!(copy(&[]).is(412).text(), "Destination header required");
    stage.call("COPY", "/nonesuch", &[("Destination", &destination)], "").is(404);

    let source = format!("{container}/x");
    let put = |source: &str, body: &str| stage.call("PUT", "/z", &[("X-Copy-From", source)], body);
    put(&source, "").is(201);
    assert_eq!(stage.get("/z").is(200).text(), "hello");
    assert_eq!(put(&source, "x").is(400).text(), "Copy requests require a zero byte body");
    put("no-slash", "").is(412);
    put(&format!("{source}?x"), "").is(404);
    stage.call_as("nonesuch", "COPY", "/x", &[("Destination", &destination)], "").is(401);
}

#[test]
fn other_methods_are_not_allowed() {
    let stage = Stage::set("methods");
    stage.call("FOO", "/x", &[], "").is(405);
}

const HELLO: &str = "5d41402abc4b2a76b9719d911017c592";
/// MD5 of `el`.
const EL: &str = "65c10911d8b8591219a21ebacf46da01";
const NOT_FOUND: &str = "<html><h1>Not Found</h1><p>The resource could not be found.</p></html>";
