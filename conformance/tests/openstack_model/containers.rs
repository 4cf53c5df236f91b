//! Accounts and containers: metadata, access and listings.

use serde_json::{Value, json};

use super::raw::exchange;
use super::stage::{Stage, escape};

#[test]
fn a_container_is_made_once_and_deleted_empty() {
    let stage = Stage::set("container");
    assert_eq!(stage.call("PUT", "", &[], "").is(202).text(), ACCEPTED);
    let policy = [("X-Storage-Policy", "nonesuch")];
    let refused = stage.call("PUT", "", &policy, "").is(400);
    assert_eq!(refused.text(), "Invalid X-Storage-Policy 'nonesuch'");
    stage.put("/x", "hello").is(201);
    stage.call("DELETE", "", &[], "").is(409);
    stage.call("DELETE", "/x", &[], "").is(204);
    stage.call("DELETE", "", &[], "").is(204);
    for method in ["HEAD", "GET", "POST", "DELETE"] {
        let answer = stage.call(method, "", &[], "").is(404);
        assert!(answer.header("x-trans-id").unwrap().starts_with("tx"));
        assert_eq!(answer.header("x-trans-id"), answer.header("x-openstack-request-id"));
    }
    stage.put("/x", "hello").is(404);
    let long = stage.account(&format!("/{}", "c".repeat(257)));
    let answer = exchange("PUT", &long, &[("X-Auth-Token", stage.token())], Some(b"")).is(400);
    assert_eq!(answer.text(), "Container name length of 257 longer than 256");
    stage.call("PUT", "", &[], "").is(201);
}

#[test]
fn what_a_container_says_of_itself() {
    let stage = Stage::set("container-head");
    stage.put("/x", "hello").is(201);
    let colour = [("X-Container-Meta-Colour", "blue"), ("X-Container-Meta-Size", "1")];
    stage.call("POST", "", &colour, "").is(204);
    stage.call("POST", "", &[("X-Container-Meta-Colour", "red")], "").is(204);
    stage.call("POST", "", &[("X-Remove-Container-Meta-Size", "x")], "").is(204);
    let head = stage.call("HEAD", "", &[], "").is(204);
    assert_eq!(head.header("content-length"), Some("0"));
    for (name, value) in [
        ("x-container-object-count", Some("1")),
        ("x-container-bytes-used", Some("5")),
        ("x-container-meta-colour", Some("red")),
        ("x-container-meta-size", None),
        ("x-storage-policy", Some(stage.var("_POLICY"))),
        ("accept-ranges", Some("bytes")),
    ] {
        assert_eq!(head.header(name), value, "{name}");
    }
    assert!(head.header("x-timestamp").unwrap().contains('.'));
}

#[test]
fn an_account_is_there_when_it_is_asked_for() {
    let stage = Stage::set("account");
    let token = [("X-Auth-Token", stage.token())];
    let ask = |method: &str, path: &str| exchange(method, &stage.account(path), &token, None);
    let head = ask("HEAD", "").is(204);
    for name in ["x-account-container-count", "x-account-object-count", "x-account-bytes-used"] {
        assert!(head.header(name).unwrap().parse::<u64>().is_ok());
    }
    let colour = [token[0], ("X-Account-Meta-Colour", "blue")];
    exchange("POST", &stage.account(""), &colour, Some(b"")).is(204);
    assert_eq!(ask("HEAD", "").header("x-account-meta-colour"), Some("blue"));
    let none = [token[0], ("X-Account-Meta-Colour", "")];
    exchange("POST", &stage.account(""), &none, Some(b"")).is(204);
    assert_eq!(ask("HEAD", "").header("x-account-meta-colour"), None);

    let list = ask("GET", "?format=json").is(200).json();
    let own = list.as_array().unwrap().iter().find(|known| known["name"] == stage.container);
    let own = own.unwrap();
    assert_eq!(own["storage_policy"], *stage.var("_POLICY"));
    assert!(own["count"].is_u64() && own["bytes"].is_u64());
    let prefix = format!("?prefix={}", stage.container);
    assert_eq!(ask("GET", &prefix).is(200).text(), format!("{}\n", stage.container));
    ask("GET", "?limit=10001").is(412);
}

#[test]
fn who_may_what() {
    let stage = Stage::set("access");
    stage.put("/x", "hello").is(201);
    let reader = stage.login(&stage.password("reader", "demo"));
    let other = stage.login(&stage.password_for("alt", Value::Null));
    stage.call_as(&reader, "GET", "/x", &[], "").is(200);
    stage.call_as(&reader, "GET", "", &[], "").is(200);
    stage.call_as(&reader, "PUT", "/y", &[], "").is(403);
    stage.call_as(&reader, "DELETE", "/x", &[], "").is(403);
    for method in ["GET", "PUT", "POST", "DELETE"] {
        assert_eq!(stage.call_as(&other, method, "/x", &[], "").is(403).text(), FORBIDDEN);
    }
    // An account that is not there is as little one's own.
    let (base, _) = stage.var("_STORAGE_URL").rsplit_once('/').unwrap();
    let url = format!("{base}/AUTH_nonesuch");
    exchange("HEAD", &url, &[("X-Auth-Token", stage.token())], None).is(403);

    let nobody = |method: &str, path: &str| exchange(method, &stage.url(path), &[], None);
    let refused = nobody("GET", "/x").is(401);
    let (_, account) = stage.var("_STORAGE_URL").rsplit_once('/').unwrap();
    let challenges: Vec<_> = refused.all("www-authenticate").collect();
    let keystone = stage.var("").trim_end_matches("/v3");
    let realm = format!("Swift realm=\"{account}\"");
    assert_eq!(challenges, [realm, format!("Keystone uri=\"{keystone}\"")]);
    assert_eq!(nobody("HEAD", "/x").is(401).header("content-length"), Some("0"));

    stage.call("POST", "", &[("X-Container-Read", ".r:*")], "").is(204);
    nobody("GET", "/x").is(200);
    nobody("GET", "").is(401);
    stage.call("POST", "", &[("X-Container-Read", ".r:*, .rlistings")], "").is(204);
    let head = stage.call("HEAD", "", &[], "");
    assert_eq!(head.header("x-container-read"), Some(".r:*,.rlistings"));
    let seen = nobody("GET", "").is(200);
    assert_eq!(seen.text(), "x\n");
    assert_eq!(seen.header("x-container-read"), None, "access lists are the owner's to see");
    nobody("DELETE", "/x").is(401);

    let token = stage.authenticate(&stage.password_for("alt", Value::Null)).is(201).json();
    let project = token["token"]["project"]["id"].as_str().unwrap();
    stage.call("POST", "", &[("X-Container-Write", &format!("{project}:*"))], "").is(204);
    stage.call_as(&other, "PUT", "/y", &[], "").is(201);
    stage.call_as(&other, "POST", "", &[], "").is(403);
    stage.call("POST", "", &[("X-Remove-Container-Write", "x")], "").is(204);
    stage.call_as(&other, "PUT", "/y", &[], "").is(403);
}

#[test]
fn a_quota_is_kept_before_the_body() {
    let stage = Stage::set("quota");
    let quota = |name: &str, value: &str| {
        stage.call("POST", "", &[(name, value)], "").is(204);
    };
    quota("X-Container-Meta-Quota-Bytes", "10");
    stage.put("/x", "1234567890").is(201);
    assert_eq!(stage.put("/y", "1").is(413).text(), "Upload exceeds quota.");
    stage.put("/y", "").is(201);
    quota("X-Container-Meta-Quota-Bytes", "");
    quota("X-Container-Meta-Quota-Count", "2");
    stage.put("/z", "").is(413);
}

#[test]
fn listings_are_text_or_json() {
    let stage = Stage::set("listing");
    let empty = stage.get("").is(204);
    assert_eq!(empty.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(stage.get("?format=json").is(200).text(), "[]");
    stage.call("PUT", "/a", &[("Content-Type", "text/plain")], "hello").is(201);
    let accept = [("Accept", "application/json")];
    for answer in [stage.get("?format=json"), stage.call("GET", "", &accept, "")] {
        let list = answer.is(200).json();
        let entry = &list[0];
        assert_eq!(entry["name"], "a");
        assert_eq!(entry["bytes"], 5);
        assert_eq!(entry["hash"], "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(entry["content_type"], "text/plain");
        // Microseconds, and no zone.
        let modified = entry["last_modified"].as_str().unwrap();
        assert_eq!((modified.len(), &modified[19..20]), (26, "."), "{modified}");
    }
}

#[test]
fn listings_are_cut_from_both_ends() {
    let stage = Stage::set("pages");
    for name in ["a", "d/1", "d/2", "d/e/f", "e", "e--1", "z"] {
        stage.put(&format!("/{name}"), "").is(201);
    }
    let names = |query: &str| {
        let answer = stage.get(&format!("?{query}"));
        assert!(matches!(answer.status, 200 | 204), "{answer:?}");
        answer.text().lines().collect::<Vec<_>>().join(" ")
    };
    for (query, expected) in [
        ("", "a d/1 d/2 d/e/f e e--1 z"),
        ("limit=2", "a d/1"),
        ("limit=2&marker=d/1", "d/2 d/e/f"),
        ("limit=x", "a d/1 d/2 d/e/f e e--1 z"),
        ("limit=0", ""),
        ("marker=d/2&end_marker=z", "d/e/f e e--1"),
        ("prefix=d/", "d/1 d/2 d/e/f"),
        ("delimiter=/", "a d/ e e--1 z"),
        ("delimiter=/&prefix=d/", "d/1 d/2 d/e/"),
        ("delimiter=--", "a d/1 d/2 d/e/f e e-- z"),
        ("delimiter=/&marker=d/", "e e--1 z"),
        ("delimiter=/&limit=2", "a d/"),
        ("path=d", "d/1 d/2"),
        ("reverse=on&limit=2", "z e--1"),
        ("reverse=true&marker=e&end_marker=d/1", "d/e/f d/2"),
        ("reverse=true&delimiter=/", "z e--1 e d/ a"),
    ] {
        assert_eq!(names(query), expected, "{query}");
    }
    let list = stage.get("?format=json&delimiter=/&prefix=d").is(200).json();
    assert_eq!(list, json!([{"subdir": "d/"}]));
    assert_eq!(stage.get("?limit=10001").is(412).text(), "Maximum limit is 10000");
}

#[test]
fn names_are_stored_as_they_are_sent() {
    let stage = Stage::set("names");
    let names = ["..", "x/../y", "./dot", "dir//x", "a+b", "line\nbreak", "blank ", "ü", "%2F"];
    for name in names {
        stage.put(&format!("/{}", escape(name)), name).is(201);
    }
    let list = stage.get("?format=json").is(200).json();
    let mut listed: Vec<&str> =
        list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    let mut expected = names;
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    assert_eq!(stage.get("/a+b").is(200).text(), "a+b", "a plus sign is one");
    for name in ["%00", "%ff"] {
        let answer = stage.put(&format!("/{name}"), "").is(412);
        assert_eq!(answer.text(), "Invalid UTF8 or contains NULL");
    }
    let long = stage.put(&format!("/{}", "n".repeat(1025)), "").is(400);
    assert_eq!(long.text(), "Object name length of 1025 longer than 1024");
    stage.put(&format!("/{}", "n".repeat(1024)), "").is(201);
}

#[test]
fn info_needs_no_token() {
    let stage = Stage::set("info");
    let (base, _) = stage.var("_STORAGE_URL").split_once("/v1").unwrap();
    let info = exchange("GET", &format!("{base}/info"), &[], None).is(200).json();
    for (at, expected) in [
        ("/swift/max_file_size", json!(5_368_709_122_u64)),
        ("/swift/max_object_name_length", json!(1024)),
        ("/swift/container_listing_limit", json!(10_000)),
        ("/swift/account_listing_limit", json!(10_000)),
        ("/swift/max_meta_count", json!(90)),
        ("/swift/policies/0/name", json!(stage.var("_POLICY"))),
        ("/slo/max_manifest_segments", json!(1000)),
        ("/slo/max_manifest_size", json!(8_388_608)),
        ("/slo/min_segment_size", json!(1)),
        ("/slo/yield_frequency", json!(10)),
        ("/bulk_delete/max_deletes_per_request", json!(10_000)),
        ("/tempurl/allowed_digests", json!(["sha1", "sha256", "sha512"])),
    ] {
        assert_eq!(info.pointer(at), Some(&expected), "{at}");
    }
    assert_eq!(info.get("dlo"), None);
    assert_eq!(exchange("GET", &format!("{base}/healthcheck"), &[], None).is(200).text(), "OK");
    exchange("GET", &format!("{base}/"), &[], None).is(404);
    let none = exchange("GET", &format!("{base}/v1"), &[], None).is(412);
    assert_eq!(none.text(), "Bad URL");
}

const ACCEPTED: &str =
    "<html><h1>Accepted</h1><p>The request is accepted for processing.</p></html>";
const FORBIDDEN: &str = "<html><h1>Forbidden</h1><p>Access was denied to this resource.</p></html>";
