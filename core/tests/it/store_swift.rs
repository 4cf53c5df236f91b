//! Images in Swift for one tenant: the requests, and the locations that are stored.
//!
//! Responses are those of Swift 2.38 and Keystone 30.

use std::collections::BTreeMap;

use apus_core::error::Leftover;
use apus_core::http::ByteRange;
use apus_core::machine::UploadSource;
use apus_core::store::{Acls, Add, Get, StoreErrorKind, Stores, Verb};
use bytes::Bytes;
use http::request;

use crate::images::keystone::Keystone;
use crate::images::{add, add_stream, header, kind, row, run, settled, stores_with};
use crate::support::{Answer, object};

const MD5_OF_HELLO: &str = "5d41402abc4b2a76b9719d911017c592";

/// One backend, `cold`, whose references are in a file.
fn cold(options: &str) -> Stores {
    stores_with(
        &format!(
            "[DEFAULT]\nenabled_backends = cold:swift\n[glance_store]\ndefault_backend = cold\n\
             [cold]\nswift_store_config_file = refs\nswift_store_thread_pools = 1\n{options}"
        ),
        &[("refs", REFERENCES)],
    )
}

const REFERENCES: &str = "\
[ref1]
auth_address = http://keystone:5000/v3
user = service:glance
key = password of glance
[ref2]
auth_address = http://keystone:5000/v3
user = service:old
key = password of old
";

/// A container that has everything, and nothing yet of what is asked for.
fn empty(head: &request::Parts, body: &[u8]) -> Answer {
    match (head.method.as_str(), head.uri.path()) {
        ("GET", "/info") => Answer::new(200).body(r#"{"swift": {}, "slo": {}}"#),
        ("HEAD", path) if path.matches('/').count() > 3 => Answer::new(404),
        ("HEAD", _) => Answer::new(204),
        ("PUT", _) if head.uri.query().is_some() => Answer::new(201),
        ("PUT", _) => Answer::new(201).header("etag", md5(body)),
        ("DELETE", _) => Answer::new(204),
        other => panic!("nobody asks for {other:?}"),
    }
}

fn md5(bytes: &[u8]) -> String {
    apus_core::checksum::Algorithm::Md5.digest(bytes).unwrap().hex()
}

#[test]
fn an_image_is_stored_under_a_reference_and_the_token_is_kept() {
    let stores = cold("swift_store_multiple_containers_seed = 2\n");
    let mut keystone = Keystone::default();
    let hello = Bytes::from_static(b"hello");
    for login in [1, 0] {
        let (added, requests) = add(&stores, &hello, |head, body| {
            keystone.or(head, body, |head, body| {
                assert_eq!(header(head, "x-auth-token"), Some("token-of-glance"));
                if head.method == "PUT" {
                    assert_eq!(header(head, "if-none-match"), Some("*"));
                    assert_eq!(header(head, "etag"), Some(MD5_OF_HELLO));
                    assert_eq!(body, b"hello");
                }
                empty(head, body)
            })
        });
        let added = added.unwrap();
        assert_eq!(added.url, "swift+config://ref1/glance_id/id");
        assert_eq!((added.size, &*added.md5), (5, MD5_OF_HELLO));
        assert_eq!(added.metadata["store"], "cold");
        let all = [
            "POST /v3/auth/tokens",
            "HEAD /v1/AUTH_glance/glance_id",
            "HEAD /v1/AUTH_glance/glance_id/id",
            "PUT /v1/AUTH_glance/glance_id/id",
        ];
        assert_eq!(requests, all[1 - login..]);
        let prefix = stores.default_backend().unwrap().prefix().unwrap();
        assert!(added.url.starts_with(&prefix), "{prefix}");
    }
    assert_eq!(keystone.logins, ["http://keystone:5000/v3/auth/tokens glance service"]);
}

/// Units of 1,024,000 bytes; the last segment is announced as long as it is.
#[test]
fn from_the_threshold_on_an_image_goes_in_segments() {
    let options = "swift_store_large_object_size = 2\nswift_store_large_object_chunk_size = 1\n";
    for (size, lengths) in [
        (2 * 1_024_000 - 1, vec![2 * 1_024_000 - 1]),
        (2 * 1_024_000, vec![1_024_000, 1_024_000]),
        (2_500_000, vec![1_024_000, 1_024_000, 452_000]),
    ] {
        for kind in ["", "swift_store_large_object_kind = dynamic\n"] {
            let stores = cold(&format!("{options}{kind}"));
            let mut keystone = Keystone::default();
            let mut sent = Vec::new();
            let mut manifests = Vec::new();
            // What a dynamic large object is, once it is there.
            let (mut shown, mut tags) = (None, BTreeMap::new());
            let (added, _) = add(&stores, &object(size), |head, body| {
                keystone.or(head, body, |head, body| {
                    if let ("HEAD", Some(manifest)) = (head.method.as_str(), &shown) {
                        let tags: String = tags.values().map(String::as_str).collect();
                        let answer = Answer::new(200).header("x-object-manifest", manifest);
                        let answer = answer.header("etag", md5(tags.as_bytes()));
                        return answer.header("content-length", size);
                    }
                    let is_manifest = head.uri.query().is_some()
                        || head.headers.contains_key("x-object-manifest");
                    if head.method == "PUT" && is_manifest {
                        let of_container = header(head, "x-object-manifest");
                        shown = of_container.map(str::to_owned);
                        manifests
                            .push(of_container.map(|it| it.split('/').next().unwrap().to_owned()));
                        assert_eq!(header(head, "if-none-match"), Some("*"));
                        assert_eq!(head.uri.path(), "/v1/AUTH_glance/glance/id");
                    } else if head.method == "PUT" {
                        assert_eq!(header(head, "content-length"), Some(&*body.len().to_string()));
                        assert!(head.uri.path().starts_with("/v1/AUTH_glance/glance/id"));
                        sent.push(body.len());
                        tags.insert(head.uri.path().to_owned(), md5(body));
                    }
                    empty(head, body)
                })
            });
            assert_eq!(added.unwrap().size, size as u64);
            assert_eq!(sent, lengths);
            let manifest = if kind.is_empty() { None } else { Some("glance".to_owned()) };
            let expected = if lengths.len() > 1 { vec![manifest] } else { vec![] };
            assert_eq!(manifests, expected, "{size} {kind}");
        }
    }
}

#[test]
fn a_container_that_is_missing_is_made_where_that_is_allowed() {
    let hello = Bytes::from_static(b"hello");
    let missing = |head: &request::Parts, body: &[u8]| match head.method.as_str() {
        "HEAD" => Answer::new(404),
        _ => empty(head, body),
    };
    let mut keystone = Keystone::default();
    let (added, requests) =
        add(&cold("swift_store_create_container_on_put = true\n"), &hello, |head, body| {
            keystone.or(head, body, missing)
        });
    added.unwrap();
    assert_eq!(
        requests[1..],
        [
            "HEAD /v1/AUTH_glance/glance",
            "PUT /v1/AUTH_glance/glance",
            "HEAD /v1/AUTH_glance/glance/id",
            "PUT /v1/AUTH_glance/glance/id",
        ]
    );
    let (added, requests) = add(&cold(""), &hello, |head, body| keystone.or(head, body, missing));
    let error = added.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::BadStoreConfiguration);
    assert!(error.to_string().contains("swift_store_create_container_on_put"), "{error}");
    assert_eq!(requests[1..], ["HEAD /v1/AUTH_glance/glance"]);
    // Who may write objects need not be allowed to look at their container.
    let (added, _) = add(&cold(""), &hello, |head, body| {
        keystone.or(head, body, |head, body| match head.uri.path() {
            "/v1/AUTH_glance/glance" => Answer::new(403),
            _ => empty(head, body),
        })
    });
    added.unwrap();
}

#[test]
fn what_the_server_refuses_is_said_in_the_image_services_words() {
    let hello = Bytes::from_static(b"hello");
    for (method, status, is) in [
        ("HEAD", 200, StoreErrorKind::Duplicate),
        ("PUT", 412, StoreErrorKind::Duplicate),
        ("PUT", 409, StoreErrorKind::Duplicate),
        ("PUT", 413, StoreErrorKind::StorageFull),
        ("PUT", 507, StoreErrorKind::StorageFull),
        ("PUT", 403, StoreErrorKind::Forbidden),
        ("PUT", 503, StoreErrorKind::BackendUnavailable),
        ("PUT", 422, StoreErrorKind::Corrupt),
    ] {
        let mut keystone = Keystone::default();
        let (added, _) = add(&cold("swift_store_retries = 0\n"), &hello, |head, body| {
            keystone.or(head, body, |head, body| {
                let is_object = head.uri.path() == "/v1/AUTH_glance/glance/id";
                if is_object && head.method == method {
                    return Answer::new(status).header("content-length", 0);
                }
                empty(head, body)
            })
        });
        assert_eq!(added.unwrap_err().kind(), is, "{method} {status}");
    }
    // A wrong password, and a catalogue that leads nowhere.
    for (options, references, is) in [
        ("", REFERENCES.replace("of glance", "of nobody"), StoreErrorKind::Forbidden),
        ("swift_store_region = far\n", REFERENCES.into(), StoreErrorKind::BadStoreConfiguration),
    ] {
        let text =
            format!("[glance_store]\nstores = swift\nswift_store_config_file = refs\n{options}");
        let stores = stores_with(&text, &[("refs", &*references)]);
        let mut keystone = Keystone::default();
        let (added, requests) = add(&stores, &hello, |head, body| keystone.or(head, body, empty));
        let error = added.unwrap_err();
        assert_eq!(error.kind(), is, "{error}");
        assert_eq!(requests, ["POST /v3/auth/tokens"]);
        assert!(!error.to_string().contains("password of"), "{error}");
    }
}

#[test]
fn a_stream_of_another_size_leaves_nothing_behind() {
    let options = "swift_store_large_object_size = 1\nswift_store_large_object_chunk_size = 1\n";
    for announced in [2_000_000, 3_000_000] {
        let mut keystone = Keystone::default();
        let mut there = std::collections::BTreeSet::new();
        let (added, _) =
            add_stream(&cold(options), &object(2_500_000), Some(announced), |head, body| {
                keystone.or(head, body, |head, body| {
                    let name = head.uri.path().to_owned();
                    match head.method.as_str() {
                        "PUT" => drop(there.insert(name)),
                        "DELETE" => drop(there.remove(&name)),
                        _ => {}
                    }
                    empty(head, body)
                })
            });
        assert_eq!(added.unwrap_err().kind(), StoreErrorKind::InvalidSize, "{announced}");
        assert!(there.is_empty(), "{there:?}");
    }
    // An image of unknown size is read to its end.
    let mut keystone = Keystone::default();
    let (added, _) = add_stream(&cold(options), &object(2_500_000), None, |head, body| {
        keystone.or(head, body, empty)
    });
    assert_eq!(added.unwrap().size, 2_500_000);
}

#[test]
fn a_download_goes_on_as_often_as_the_option_says_and_is_never_short() {
    let bytes = object(1000);
    let tag = md5(&bytes);
    let row = row("swift+config://ref1/glance/id", Some("cold"));
    for (retries, cuts, whole) in [(0, 0, true), (0, 1, false), (1, 1, true), (1, 2, false)] {
        let stores = cold(&format!("swift_store_retry_get_count = {retries}\n"));
        let job = settled(stores.get(&row, &Get::default(), 1));
        let mut keystone = Keystone::default();
        let mut asked = 0;
        let run = run(job, |head, body| {
            keystone.or(head, body, |head, _| {
                let answer = Answer::new(200).header("etag", &tag);
                if head.method == "HEAD" {
                    return answer.header("content-length", 1000);
                }
                asked += 1;
                let from = header(head, "range").map_or(0, |range| {
                    assert_eq!(header(head, "if-match"), Some(&*tag));
                    let range = range.trim_start_matches("bytes=");
                    range.split('-').next().unwrap().parse().unwrap()
                });
                let mut answer = answer.body(bytes.slice(from..));
                if from > 0 {
                    answer.status = 206;
                    answer = answer.header("content-range", format!("bytes {from}-999/1000"));
                }
                if asked <= cuts { answer.cut(100) } else { answer }
            })
        });
        assert_eq!(asked, if whole { cuts + 1 } else { cuts }, "{retries} {cuts}");
        match run.result {
            Ok(got) => {
                assert!(whole);
                assert_eq!((got.bytes, got.size), (1000, Some(1000)));
                assert_eq!(run.sink, bytes);
                assert!(got.validation.to_string().contains("MD5"), "{}", got.validation);
            }
            Err(error) => {
                assert!(!whole, "{error}");
                assert_eq!(Verb::Get.error(error).kind(), StoreErrorKind::BackendUnavailable);
            }
        }
    }
    let range = Get { range: Some(ByteRange::Span(10..20)), ..Get::default() };
    let job = settled(cold("").get(&row, &range, 1));
    let mut keystone = Keystone::default();
    let run = run(job, |head, body| {
        keystone.or(head, body, |head, _| {
            if head.method == "HEAD" {
                return Answer::new(200).header("etag", &tag).header("content-length", 1000);
            }
            assert_eq!(header(head, "range"), Some("bytes=10-19"));
            let mut answer = Answer::new(200).header("etag", &tag).body(bytes.slice(10..20));
            answer.status = 206;
            answer.header("content-range", "bytes 10-19/1000")
        })
    });
    assert_eq!(run.result.unwrap().bytes, 10);
    assert_eq!(run.sink, bytes.slice(10..20));
}

#[test]
fn size_and_existence_are_asked_for() {
    let row = row("swift+config://ref1/glance/id", Some("cold"));
    let answered = |answer: Answer| {
        let stores = cold("swift_store_retries = 0\n");
        let mut keystone = Keystone::default();
        let mut script = |head: &request::Parts, body: &[u8]| {
            keystone.or(head, body, |head, _| {
                if head.method == "GET" {
                    assert!(head.uri.query().unwrap().contains("prefix=id-"), "{}", head.uri);
                    let is_first = !head.uri.query().unwrap().contains("marker");
                    let page = r#"[{"name": "id-1", "bytes": 7}, {"name": "id-2", "bytes": 8}]"#;
                    return Answer::new(200).body(if is_first { page } else { "[]" });
                }
                answer.clone()
            })
        };
        let size = run(settled(stores.size(&row, 1)), &mut script).result;
        let exists = run(settled(stores.exists(&row, 1)), &mut script).result;
        (size, exists)
    };
    let (size, exists) = answered(Answer::new(200).header("content-length", 42));
    assert_eq!((size.unwrap(), exists.unwrap()), (42, true));
    // A dynamic large object of more than a page says that it is empty.
    let paged = Answer::new(200).header("content-length", 0).header("x-object-manifest", "c/id-");
    assert_eq!(answered(paged).0.unwrap(), 15);
    let (size, exists) = answered(Answer::new(404));
    assert_eq!((kind(Verb::Size, size), exists.unwrap()), (StoreErrorKind::NotFound, false));
    // What can't be known is not said.
    let (size, exists) = answered(Answer::new(503));
    assert_eq!(kind(Verb::Size, size), StoreErrorKind::BackendUnavailable);
    assert_eq!(kind(Verb::Exists, exists), StoreErrorKind::BackendUnavailable);
    let (size, exists) = answered(Answer::new(403));
    assert_eq!(kind(Verb::Size, size), StoreErrorKind::Forbidden);
    assert_eq!(kind(Verb::Exists, exists), StoreErrorKind::Forbidden);
}

#[test]
fn an_image_is_removed_with_its_segments() {
    let row = row("swift+config://ref1/glance/id", Some("cold"));
    let mut keystone = Keystone::default();
    let deleted = run(settled(cold("").delete(&row, 1)), |head, body| {
        keystone.or(head, body, |head, _| match head.method.as_str() {
            "HEAD" => Answer::new(200).header("x-object-manifest", "glance/id-"),
            "GET" if head.uri.path() == "/info" => Answer::new(200).body(r#"{"swift": {}}"#),
            "GET" if head.uri.query().unwrap().contains("marker") => Answer::new(200).body("[]"),
            "GET" => Answer::new(200).body(r#"[{"name": "id-00001"}, {"name": "id-00002"}]"#),
            _ => Answer::new(204),
        })
    });
    deleted.result.unwrap();
    let mut requests = deleted.requests;
    requests.retain(|request| request.starts_with("DELETE"));
    assert_eq!(
        requests,
        [
            "DELETE /v1/AUTH_glance/glance/id-00001",
            "DELETE /v1/AUTH_glance/glance/id-00002",
            "DELETE /v1/AUTH_glance/glance/id",
        ]
    );
    // The container stays. What is not there is said to be so.
    let deleted = run(settled(cold("").delete(&row, 1)), |head, body| {
        keystone.or(head, body, |_, _| Answer::new(404))
    });
    assert_eq!(kind(Verb::Delete, deleted.result), StoreErrorKind::NotFound);
    // Nor can anybody else be let in.
    let refused = cold("").set_acls(&row, &Acls::default(), 1).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::NotSupported);
}

#[test]
fn a_location_brings_its_own_credentials_for_one_request() {
    let stores = cold("");
    for (url, becomes, login) in [
        // The reference has another password now, which is used.
        (
            "swift+http://service:glance:password%20of%20glance2@keystone:5000/v3/glance/id",
            Some("swift+config://ref1/glance/id"),
            "http://keystone:5000/v3/auth/tokens glance service",
        ),
        (
            "swift+http://service:old:password%20of%20old@keystone:5000/v3/glance/id",
            Some("swift+config://ref2/glance/id"),
            "http://keystone:5000/v3/auth/tokens old service",
        ),
        // Nobody would stand in for this one.
        (
            "swift+http://other:user:password%20of%20user@keystone:5000/v3/glance/id",
            None,
            "http://keystone:5000/v3/auth/tokens user other",
        ),
    ] {
        let stored = row(url, None);
        let access = stores.size(&stored, 1).unwrap();
        let migration = access.migration;
        assert_eq!(migration.as_ref().map(|it| &*it.url), becomes, "{url}");
        assert!(!format!("{migration:?}").contains("password"));
        let mut keystone = Keystone::default();
        let result = run(access.outcome, |head, body| {
            keystone.or(head, body, |_, _| Answer::new(200).header("content-length", 1))
        });
        assert_eq!(keystone.logins, [login]);
        assert_eq!(result.result.unwrap(), 1, "{url}");
        // The next request does without them.
        if let Some(migration) = migration {
            let stored = row(&migration.url, Some(&migration.store));
            let mut keystone = Keystone::default();
            let run = run(settled(stores.size(&stored, 1)), |head, body| {
                keystone.or(head, body, |_, _| Answer::new(200).header("content-length", 1))
            });
            run.result.unwrap();
        }
    }
    let foreign = row("swift+http://service:glance:k@evil:5000/v3/glance/id", Some("cold"));
    let refused = stores.size(&foreign, 1).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::BadStoreUri);
    assert!(refused.to_string().contains("swift_store_trusted_hosts"), "{refused}");
    let allowed = stores.with_foreign_hosts("cold").unwrap();
    let access = allowed.size(&foreign, 1).unwrap();
    assert_eq!((access.outcome.backend.as_str(), access.migration), ("cold", None));
}

/// Keys are changed in the configuration alone: rows are as they should be, before and after.
#[test]
fn rotated_keys_leave_rows_as_they_are() {
    let row = row("swift+config://mine/glance/id", Some("cold"));
    for key in ["password of glance", "password of somebody"] {
        let stores = stores_with(
            &format!(
                "[DEFAULT]\nenabled_backends = cold:swift\n[cold]\n\
                 swift_store_auth_address = http://keystone:5000/v3\nswift_store_key = {key}\n\
                 swift_store_user = service:glance\ndefault_swift_reference = mine\n"
            ),
            &[],
        );
        let prefix = stores.backend("cold").unwrap().prefix();
        assert_eq!(prefix.as_deref(), Some("swift+config://mine/glance/"));
        let mut keystone = Keystone::default();
        let run = run(settled(stores.exists(&row, 1)), |head, body| {
            keystone.or(head, body, |_, _| Answer::new(200))
        });
        assert_eq!(run.result.is_ok(), key == "password of glance");
    }
}

#[test]
fn an_application_credential_does_all_of_it() {
    let stores = stores_with(
        // Without a scheme Keystone is asked over https; the object store uses http on purpose.
        "[DEFAULT]\nenabled_backends = cold:swift\n[cold]\nswift_store_config_file = refs\n\
         swift_store_endpoint = http://swift:8080/v1/AUTH_app\n",
        &[(
            "refs",
            "[ref1]\nauth_address = keystone/v3\napplication_credential_id = i\n\
             application_credential_secret = password of app\n",
        )],
    );
    let mut keystone = Keystone::default();
    let (added, requests) =
        add(&stores, &Bytes::from_static(b"hello"), |head, body| keystone.or(head, body, empty));
    assert_eq!(added.unwrap().url, "swift+config://ref1/glance/id");
    assert_eq!(requests[1], "HEAD /v1/AUTH_app/glance");
    assert_eq!(keystone.logins, ["https://keystone/v3/auth/tokens app "]);
}

#[test]
fn what_can_not_be_removed_is_named() {
    let options = "swift_store_large_object_size = 1\nswift_store_large_object_chunk_size = 1\n\
                   swift_store_retries = 0\n";
    let mut keystone = Keystone::default();
    let stores = cold(options);
    let image = Add::new("id");
    let job = stores.add(None, &image, UploadSource::Seekable(2_000_000), 1).unwrap();
    let failed = crate::images::sim(job).source(object(2_000_000)).run(|head, body| {
        keystone.or(head, body, |head, body| match head.method.as_str() {
            "PUT" if head.uri.query().is_some() => Answer::new(507),
            "DELETE" => Answer::new(503),
            _ => empty(head, body),
        })
    });
    let error = failed.result.unwrap_err();
    let segments: Vec<_> = error.leftovers().iter().collect();
    assert_eq!(segments.len(), 2);
    assert!(segments.iter().all(|left| matches!(left, Leftover::Object { bucket, key }
        if bucket == "glance" && key.starts_with("id/"))));
    assert_eq!(Verb::Add.error(error).kind(), StoreErrorKind::StorageFull);
}
