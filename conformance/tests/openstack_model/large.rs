//! Large objects, static and dynamic.

use serde_json::{Value, json};

use super::stage::Stage;

/// A stage with segments `s1` (hello) and `s2` (world).
fn set(test: &str) -> Stage {
    let stage = Stage::set(test);
    for (name, body) in [("/s1", "hello"), ("/s2", "world")] {
        stage.call("PUT", name, &[("Content-Type", "text/plain")], body).is(201);
    }
    stage
}

fn both(stage: &Stage) -> Value {
    json!([{"path": path(stage, "s1")}, {"path": path(stage, "s2")}])
}

fn path(stage: &Stage, name: &str) -> String {
    format!("/{}/{name}", stage.container)
}

fn put(
    stage: &Stage,
    query: &str,
    headers: &[(&str, &str)],
    manifest: &Value,
) -> super::raw::Answer {
    let path = format!("/slo?multipart-manifest=put{query}");
    stage.call("PUT", &path, headers, &manifest.to_string())
}

#[test]
fn a_manifest_becomes_what_its_segments_are() {
    let stage = set("slo");
    let manifest = json!([
        {"path": path(&stage, "s1"), "etag": HELLO, "size_bytes": 5},
        {"path": &path(&stage, "s2")[1..]},
    ]);
    let headers = [("Content-Type", "a/b"), ("X-Object-Meta-Colour", "blue")];
    let done = put(&stage, "", &headers, &manifest).is(201);
    assert_eq!(done.header("etag"), Some(&*quoted(BOTH)));
    let get = stage.get("/slo").is(200);
    assert_eq!(get.text(), "helloworld");
    let head = stage.call("HEAD", "/slo", &[], "").is(200);
    for answer in [&get, &head] {
        for (name, value) in [
            ("etag", &*quoted(BOTH)),
            ("content-length", "10"),
            ("content-type", "a/b"),
            ("x-static-large-object", "True"),
            ("x-object-meta-colour", "blue"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
    }
    let list = stage.get("?format=json&prefix=slo").is(200).json();
    assert_eq!((&list[0]["bytes"], &list[0]["slo_etag"]), (&json!(10), &json!(quoted(BOTH))));
    assert_eq!(list[0]["hash"], *head.header("x-manifest-etag").unwrap());

    stage.call("POST", "/slo", &[("X-Object-Meta-Size", "1")], "").is(202);
    assert_eq!(stage.get("/slo").is(200).text(), "helloworld");
    stage.call("DELETE", "/slo", &[], "").is(204);
    stage.get("/s1").is(200);
}

#[test]
fn a_manifest_is_read_in_parts() {
    let stage = set("slo-parts");
    put(&stage, "", &[], &both(&stage)).is(201);
    let get = |path: &str, headers: &[(&str, &str)]| stage.call("GET", path, headers, "");
    let ranged = get("/slo", &[("Range", "bytes=3-6"), ("If-Match", BOTH)]).is(206);
    assert_eq!(ranged.header("content-range"), Some("bytes 3-6/10"));
    assert_eq!(ranged.text(), "lowo");
    get("/slo", &[("If-Match", &quoted(BOTH))]).is(200);
    get("/slo", &[("If-Match", "nonsense"), ("Range", "bytes=3-6")]).is(412);
    get("/slo", &[("If-None-Match", BOTH)]).is(304);
    let beyond = get("/slo", &[("Range", "bytes=10-")]).is(416);
    assert_eq!(beyond.header("content-range"), Some("bytes */10"));

    let part = get("/slo?part-number=2", &[]).is(206);
    assert_eq!(part.text(), "world");
    assert_eq!(part.header("content-range"), Some("bytes 5-9/10"));
    assert_eq!(part.header("x-parts-count"), Some("2"));
    let head = stage.call("HEAD", "/slo?part-number=2", &[], "").is(206);
    assert_eq!(head.header("content-length"), Some("5"));
    get("/slo?part-number=3", &[]).is(416);
    get("/slo?part-number=0", &[]).is(400);
    get("/s1?part-number=2", &[]).is(200);

    let stored = get("/slo?multipart-manifest=get", &[]).is(200);
    assert_eq!(stored.header("content-type"), Some("application/json; charset=utf-8"));
    let list = stored.json();
    assert_eq!(list[0]["name"], path(&stage, "s1"));
    assert_eq!((&list[0]["bytes"], &list[0]["hash"]), (&json!(5), &json!(HELLO)));
    let raw = get("/slo?multipart-manifest=get&format=raw", &[]).is(200).json();
    let expected = json!({"path": path(&stage, "s1"), "etag": HELLO, "size_bytes": 5});
    assert_eq!(raw[0], expected);
    put(&stage, "", &[], &raw).is(201);
}

#[test]
fn manifests_lead_to_manifests_ranges_and_bytes() {
    let stage = set("slo-nested");
    put(&stage, "", &[], &both(&stage)).is(201);
    let manifest = json!([
        {"path": path(&stage, "slo")},
        {"data": "aGV5"},
        {"path": path(&stage, "s1"), "range": "1-2"},
        {"path": path(&stage, "s1"), "range": "-1"},
    ]);
    let put = stage.call("PUT", "/outer?multipart-manifest=put", &[], &manifest.to_string());
    // MD5 of the tags: the inner ETag, MD5 of `hey`, and twice that of `hello` with a range.
    assert_eq!(put.is(201).header("etag"), Some("\"a81059c9c229fbcafa1318af6ac120ac\""));
    assert_eq!(stage.get("/outer").is(200).text(), "helloworldheyelo");
    let ranged = stage.call("GET", "/outer", &[("Range", "bytes=8-12")], "").is(206);
    assert_eq!(ranged.text(), "ldhey");
    assert_eq!(stage.get("/outer?part-number=2").is(206).text(), "hey");
    let list = stage.get("/outer?multipart-manifest=get").is(200).json();
    assert_eq!((&list[0]["sub_slo"], &list[0]["hash"]), (&json!(true), &json!(BOTH)));
    assert_eq!(list[1], json!({"data": "aGV5"}));
    assert_eq!((&list[2]["range"], &list[3]["range"]), (&json!("1-2"), &json!("4-4")));
}

#[test]
fn a_manifest_is_examined() {
    let stage = set("slo-refused");
    stage.put("/empty", "").is(201);
    let (s1, s2, none) = (path(&stage, "s1"), path(&stage, "s2"), path(&stage, "none"));
    let bad = json!([{"path": s1, "etag": "bad"}, {"path": s2, "size_bytes": 9}, {"path": none}]);
    let text = put(&stage, "", &[], &bad).is(400).text();
    // They are checked in parallel, and reported as they finish.
    let mut problems: Vec<&str> = text.strip_prefix("Errors:\n").unwrap().lines().collect();
    problems.sort_unstable();
    let expected = [
        format!("{none}, 404 Not Found"),
        format!("{s1}, Etag Mismatch"),
        format!("{s2}, Size Mismatch"),
    ];
    assert_eq!(problems, expected);
    let json = [("Accept", "application/json")];
    let errors = put(&stage, "", &json, &json!([{"path": none}])).is(400).json();
    assert_eq!(errors, json!({"Errors": [[none, "404 Not Found"]]}));

    let says = |manifest: Value| put(&stage, "", &[], &manifest).is(400).text();
    assert_eq!(says(json!({})), "Manifest must be a list.\n");
    assert_eq!(says(json!([{"path": s1, "foo": 1}])), "Index 0: extraneous keys \"foo\"\n");
    assert_eq!(
        says(json!([{"path": "s1"}])),
        "Index 0: path does not refer to an object. Path must be of the form /container/object.\n"
    );
    assert_eq!(says(json!([{"path": s1, "size_bytes": "x"}])), "Index 0: invalid size_bytes\n");
    assert_eq!(
        says(json!([{"path": path(&stage, "slo")}])),
        "Index 0: manifest must not include itself as a segment\n"
    );
    assert_eq!(
        says(json!([{"data": "aGV5"}])),
        "Inline data segments require at least one object-backed segment.\n"
    );
    assert_eq!(says(json!([{"path": s1}, {"data": "!"}])), "Index 1: data must be valid base64\n");
    assert_eq!(
        says(json!([{"path": s1, "range": "1-2,3-4"}])),
        "Index 0: multiple ranges (only one allowed)\n"
    );
    let unsatisfiable = format!("Errors:\n{s1}, Unsatisfiable Range\n");
    assert_eq!(says(json!([{"path": s1, "range": "9-"}])), unsatisfiable);
    let empty = path(&stage, "empty");
    let small = format!("Errors:\n{empty}, Too small; each segment must be at least 1 byte.\n");
    assert_eq!(says(json!([{"path": empty}, {"path": s1}])), small);
    put(&stage, "", &[], &json!([{"path": s1}, {"path": empty}])).is(201);
    put(&stage, "", &[], &json!([])).is(201);
    let many: Value = (0..1001).map(|_| json!({"path": s1})).collect();
    put(&stage, "", &[], &many).is(413);
    put(&stage, "", &[("ETag", HELLO)], &both(&stage)).is(422);
    put(&stage, "", &[("ETag", BOTH)], &both(&stage)).is(201);
    put(&stage, "", &[("If-None-Match", "*")], &both(&stage)).is(412);
}

#[test]
fn with_heartbeat_the_status_is_in_the_body() {
    let stage = set("heartbeat");
    let json = [("Accept", "application/json")];
    let none = path(&stage, "none");
    let said = |headers: &[(&str, &str)], manifest: &Value| {
        let answer = put(&stage, "&heartbeat=on", headers, manifest).is(202);
        assert_eq!(answer.header("etag"), None);
        answer.text()
    };
    let text = said(&json, &both(&stage));
    assert!(text.starts_with(" \r\n\r\n{"), "{text:?}");
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["Response Status"], "201 Created");
    assert_eq!((&document["Etag"], &document["Errors"]), (&json!(quoted(BOTH)), &json!([])));
    assert!(document["Last Modified"].is_string());

    let text = said(&json, &json!([{"path": none}]));
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["Response Status"], "400 Bad Request");
    assert_eq!(document["Errors"], json!([[none, "404 Not Found"]]));
    let text = said(&[json[0], ("ETag", HELLO)], &both(&stage));
    assert!(text.contains("\"422 Unprocessable Entity\""), "{text}");

    let text = said(&[], &json!([{"path": none}]));
    let status = format!("Response Status: 400 Bad Request\nErrors:\n{none}, 404 Not Found\n");
    assert!(text.starts_with(" \r\n\r\nResponse Body: Bad Request\n"), "{text:?}");
    assert!(text.ends_with(&status), "{text:?}");
    let text = said(&[], &both(&stage));
    assert!(text.ends_with("Response Body: \nResponse Status: 201 Created\nErrors:\n"), "{text:?}");
    // What is no manifest is refused before that.
    let path = "/slo?multipart-manifest=put&heartbeat=on";
    let answer = stage.call("PUT", path, &[], "x").is(400);
    assert_eq!(answer.text(), "Manifest must be valid JSON.\n");
}

#[test]
fn a_broken_segment_is_a_conflict_or_cuts_the_answer() {
    let stage = Stage::set("slo-broken");
    let body = "x".repeat(200_000);
    for name in ["/s1", "/s2"] {
        stage.put(name, &body).is(201);
    }
    put(&stage, "", &[], &both(&stage)).is(201);
    stage.put("/s2", "another").is(201);
    assert_eq!(
        stage.call("HEAD", "/slo", &[], "").is(200).header("content-length"),
        Some("400000")
    );
    let cut = stage.get("/slo").is(200);
    assert!(!cut.whole && cut.body.len() <= 200_000, "{} bytes", cut.body.len());
    stage.call("GET", "/slo", &[("Range", "bytes=0-99")], "").is(206);
    stage.call("GET", "/slo", &[("Range", "bytes=200000-")], "").is(409);
    stage.call("DELETE", "/s1", &[], "").is(204);
    stage.get("/slo").is(409);
    // Where nothing has been sent yet, the status can still be another one.
    stage.put("/s1", "hello").is(201);
    stage.put("/s2", "world").is(201);
    put(&stage, "", &[], &both(&stage)).is(201);
    stage.put("/s2", "other").is(201);
    stage.get("/slo").is(500);
}

#[test]
fn a_copy_is_of_one_piece_unless_the_manifest_is_asked_for() {
    let stage = set("slo-copy");
    put(&stage, "", &[], &both(&stage)).is(201);
    let destination = |name: &str| format!("{}/{name}", stage.container);
    let flat = [("Destination", &*destination("flat"))];
    // MD5 of `helloworld`.
    let whole = "fc5e038d38a57032085441e7fe7010b0";
    assert_eq!(stage.call("COPY", "/slo", &flat, "").is(201).header("etag"), Some(whole));
    assert_eq!(stage.call("HEAD", "/flat", &[], "").header("x-static-large-object"), None);
    let copy = [("Destination", &*destination("copy"))];
    let done = stage.call("COPY", "/slo?multipart-manifest=get", &copy, "").is(201);
    assert_eq!(done.header("etag"), Some(&*quoted(BOTH)));
    let head = stage.call("HEAD", "/copy", &[], "").is(200);
    assert_eq!(head.header("x-static-large-object"), Some("True"));
}

#[test]
fn a_dynamic_one_is_what_the_listing_shows() {
    let stage = set("dlo");
    let pointer = format!("{}/s", stage.container);
    let put = |path: &str, pointer: &str| {
        stage.call("PUT", path, &[("X-Object-Manifest", pointer), ("Content-Type", "a/b")], "")
    };
    assert_eq!(put("/dlo", &pointer).is(201).header("etag"), Some(EMPTY));
    let get = stage.get("/dlo").is(200);
    assert_eq!(get.text(), "helloworld");
    let head = stage.call("HEAD", "/dlo", &[], "").is(200);
    for answer in [&get, &head] {
        for (name, value) in [
            ("etag", &*quoted(BOTH)),
            ("content-length", "10"),
            ("content-type", "a/b"),
            ("x-object-manifest", &pointer),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
    }
    let ranged = stage.call("GET", "/dlo", &[("Range", "bytes=3-6")], "").is(206);
    assert_eq!(ranged.text(), "lowo");
    let stored = stage.get("/dlo?multipart-manifest=get").is(200);
    assert_eq!((stored.text(), stored.header("etag")), (String::new(), Some(EMPTY)));
    let list = stage.get("?format=json&prefix=dlo").is(200).json();
    assert_eq!((&list[0]["bytes"], &list[0]["hash"]), (&json!(0), &json!(EMPTY)));

    put("/dlo", &format!("{}/s%32", stage.container)).is(201);
    assert_eq!(stage.get("/dlo").is(200).text(), "world");
    put("/dlo", &format!("{}/none", stage.container)).is(201);
    assert_eq!(stage.get("/dlo").is(200).header("etag"), Some(&*quoted(EMPTY)));
    put("/dlo", "nonesuch-container/s").is(201);
    stage.get("/dlo").is(404);
    for bad in [&format!("/{pointer}"), "container", "c/s?x", "c%2Fs"] {
        let answer = put("/bad", bad).is(400);
        assert_eq!(answer.text(), "X-Object-Manifest must be in the format container/prefix");
    }
    put("/dlo", &pointer).is(201);
    // A POST that does not name it makes it an object like others.
    stage.call("POST", "/dlo", &[("X-Object-Meta-A", "1")], "").is(202);
    let head = stage.call("HEAD", "/dlo", &[], "").is(200);
    assert_eq!((head.header("etag"), head.header("x-object-manifest")), (Some(EMPTY), None));
}

fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

const HELLO: &str = "5d41402abc4b2a76b9719d911017c592";
/// MD5 of the two segments' ETags.
const BOTH: &str = "ae802c1f58f394d46485b7da18c56e9b";
const EMPTY: &str = "d41d8cd98f00b204e9800998ecf8427e";
