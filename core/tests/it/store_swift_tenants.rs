//! Images in Swift in the accounts of the users that upload them: tokens, trusts, containers and
//! their access rights.
//!
//! Responses are those of Swift 2.38 and Keystone 30.

use apus_core::error::ExchangeErrorKind;
use apus_core::machine::UploadSource;
use apus_core::store::{Acls, Add, Get, StoreErrorKind, StoredImage, Stores, Verb};
use bytes::Bytes;
use http::request;

use crate::images::keystone::{Keystone, demo};
use crate::images::{add, add_stream, header, kind, row, run, settled, sim, stores_with};
use crate::support::{Answer, object};

/// One backend, `tenants`, for a user of whom there is a token.
fn tenants(options: &str) -> Stores {
    many(options).for_tenant(demo())
}

/// The same before anybody asks. Its users trust the reference of a file.
fn many(options: &str) -> Stores {
    stores_with(
        &format!(
            "[DEFAULT]\nenabled_backends = tenants:swift\n[tenants]\n\
             swift_store_multi_tenant = true\nswift_store_create_container_on_put = true\n\
             swift_store_thread_pools = 1\n{options}"
        ),
        &[("refs", REFERENCES)],
    )
}

const REFERENCES: &str = "\
[ref1]
auth_address = http://keystone:5000/v3
user = service:glance
key = password of glance
[app]
auth_address = http://keystone:5000/v3
application_credential_id = i
application_credential_secret = password of app
";
/// Segments of one megabyte, and whom users trust.
const LARGE: &str = "swift_store_large_object_size = 1\nswift_store_large_object_chunk_size = 1\n\
                     swift_store_config_file = refs\n";
const PATH: &str = "/v1/AUTH_demo/glance_id";

/// An account without the container of the image.
fn swift(head: &request::Parts, body: &[u8]) -> Answer {
    match (head.method.as_str(), head.uri.path()) {
        ("GET", "/info") => Answer::new(200).body(r#"{"swift": {}, "slo": {}}"#),
        ("HEAD", _) => Answer::new(404),
        ("PUT", _) if head.uri.query().is_some() || body.is_empty() => Answer::new(201),
        ("PUT", _) => {
            let md5 = apus_core::checksum::Algorithm::Md5.digest(body).unwrap();
            Answer::new(201).header("etag", md5.hex())
        }
        ("DELETE" | "POST", _) => Answer::new(204),
        other => panic!("nobody asks for {other:?}"),
    }
}

fn image() -> StoredImage {
    row("swift+http://swift:8080/v1/AUTH_demo/glance_id/id", Some("tenants"))
}

#[test]
fn an_image_goes_into_a_container_of_its_own_under_the_users_token() {
    let hello = Bytes::from_static(b"hello");
    for (options, host) in [
        ("", "swift:8080"),
        ("swift_store_region = two\n", "two:8080"),
        ("swift_store_endpoint = http://elsewhere/v1/AUTH_demo\n", "elsewhere"),
    ] {
        let (added, requests) = add(&tenants(options), &hello, |head, body| {
            assert_eq!(head.uri.authority().unwrap(), host);
            assert_eq!(header(head, "x-auth-token"), Some("token-of-demo"));
            swift(head, body)
        });
        let added = added.unwrap();
        assert_eq!(added.url, format!("swift+http://{host}{PATH}/id"));
        assert_eq!(added.metadata["store"], "tenants");
        assert_eq!(
            requests,
            [
                format!("HEAD {PATH}"),
                format!("PUT {PATH}"),
                format!("HEAD {PATH}/id"),
                format!("PUT {PATH}/id"),
            ]
        );
        // What was written is read again.
        let access = tenants(options).size(&row(&added.url, Some("tenants")), 1).unwrap();
        assert_eq!(access.migration, None);
    }
}

#[test]
fn a_container_that_was_made_for_nothing_goes_again() {
    for (made, size) in [(201, 5), (202, 5), (201, 2_000_000)] {
        let mut keystone = Keystone::default();
        let (added, requests) = add(&tenants(LARGE), &object(size), |head, body| {
            keystone.or(head, body, |head, body| match head.uri.path() {
                PATH if head.method == "PUT" => Answer::new(made),
                path if head.method == "PUT" && path.len() > PATH.len() => Answer::new(507),
                _ => swift(head, body),
            })
        });
        assert_eq!(added.unwrap_err().kind(), StoreErrorKind::StorageFull);
        let removed = requests.contains(&format!("DELETE {PATH}"));
        assert_eq!(removed, made == 201, "{requests:?}");
    }
}

/// The first answer never came, and the second says that it is there: it was not, a moment ago.
#[test]
fn a_container_that_a_request_made_which_was_never_answered_goes_again_too() {
    let mut puts = 0;
    let (added, requests) = add(&tenants(""), &object(5), |head, body| match head.uri.path() {
        PATH if head.method == "PUT" => {
            puts += 1;
            if puts == 1 { Answer::lost(ExchangeErrorKind::Closed) } else { Answer::new(202) }
        }
        path if head.method == "PUT" && path.len() > PATH.len() => Answer::new(507),
        _ => swift(head, body),
    });
    assert_eq!(added.unwrap_err().kind(), StoreErrorKind::StorageFull);
    assert!(requests.contains(&format!("DELETE {PATH}")), "{requests:?}");
}

#[test]
fn what_takes_long_is_done_by_a_trust_that_is_revoked() {
    let bytes = object(2_000_000);
    let stores = tenants(LARGE);
    let image = Add::new("id");
    let mut keystone = Keystone::default();
    let mut tokens = Vec::new();
    let job = stores.add(None, &image, UploadSource::Seekable(2_000_000), 1).unwrap();
    let added = sim(job).source(bytes).run(|head, body| {
        keystone.or(head, body, |head, body| {
            tokens
                .push((head.method.to_string(), header(head, "x-auth-token").unwrap().to_owned()));
            swift(head, body)
        })
    });
    assert_eq!(added.result.unwrap().url, format!("swift+http://swift:8080{PATH}/id"));
    // The container is made by the user; what may outlast the user's token is not.
    let by_user = tokens.iter().take_while(|(_, token)| token == "token-of-demo").count();
    assert_eq!(by_user, 2);
    assert!(tokens[by_user..].iter().all(|(_, token)| token == "token-of-demo-by-trust-1"));
    assert_eq!(
        keystone.logins,
        [
            "http://keystone:5000/v3/auth/tokens glance service",
            "http://keystone:5000/v3/auth/tokens?nocatalog glance trust-1",
        ]
    );
    assert_eq!((keystone.made, keystone.trusts.len()), (1, 0), "it is revoked");
    // The next image of the next user does without another login of the service's.
    let job =
        stores.for_tenant(demo()).add(None, &image, UploadSource::Seekable(2_000_000), 2).unwrap();
    let mut keystone = Keystone::default();
    let added = sim(job).source(object(2_000_000)).run(|head, body| keystone.or(head, body, swift));
    added.result.unwrap();
    assert_eq!(keystone.logins, ["http://keystone:5000/v3/auth/tokens?nocatalog glance trust-1"]);
}

#[test]
fn a_trust_is_no_more_than_wanted_and_not_more_than_can_be_had() {
    for (options, size, trusts) in [
        // A single request ends before a token expires.
        (LARGE, 1000, 0),
        (&*format!("{LARGE}swift_store_use_trusts = false\n"), 2_000_000, 0),
        // An application credential can't be trusted: the user's token does all of it.
        (&format!("{LARGE}default_swift_reference = app\n"), 2_000_000, 0),
        (&LARGE.replace("swift_store_config_file = refs\n", ""), 2_000_000, 0),
        (LARGE, 2_000_000, 1),
    ] {
        let mut keystone = Keystone::default();
        let (added, _) = add(&tenants(options), &object(size), |head, body| {
            keystone.or(head, body, |head, body| {
                let token = header(head, "x-auth-token").unwrap();
                assert!(trusts == 1 || token == "token-of-demo", "{token}");
                swift(head, body)
            })
        });
        assert_eq!(added.unwrap().size, size as u64);
        assert_eq!(keystone.made, trusts, "{options}");
    }
    // A stream that turns out to be long.
    let mut keystone = Keystone::default();
    let (added, _) = add_stream(&tenants(LARGE), &object(2_500_000), None, |head, body| {
        keystone.or(head, body, swift)
    });
    added.unwrap();
    assert_eq!((keystone.made, keystone.trusts.len()), (1, 0));
}

#[test]
fn a_download_is_by_trust_where_it_may_be_gone_on_with() {
    for retries in [0, 2] {
        let options = format!("{LARGE}swift_store_retry_get_count = {retries}\n");
        let mut keystone = Keystone::default();
        let job = settled(tenants(&options).get(&image(), &Get::default(), 1));
        let got = run(job, |head, body| {
            keystone.or(head, body, |head, _| {
                let by_trust = header(head, "x-auth-token") == Some("token-of-demo-by-trust-1");
                assert_eq!(by_trust, retries > 0);
                assert_eq!(head.uri.path(), format!("{PATH}/id"));
                Answer::new(200).body("hello")
            })
        });
        assert_eq!(got.result.unwrap().bytes, 5);
        assert_eq!(got.sink, b"hello");
        assert_eq!((keystone.made, keystone.trusts.len()), (usize::from(retries > 0), 0));
    }
}

#[test]
fn the_container_of_an_image_goes_with_it() {
    for (object, container, is) in [
        (204, 204, None),
        // The container is not empty, or does not exist.
        (204, 409, None),
        (204, 404, None),
        (404, 204, Some(StoreErrorKind::NotFound)),
        (404, 403, Some(StoreErrorKind::NotFound)),
        (204, 403, Some(StoreErrorKind::Forbidden)),
    ] {
        let deleted = run(settled(tenants("").delete(&image(), 1)), |head, _| {
            let path = head.uri.path();
            match head.method.as_str() {
                "HEAD" if object == 404 => Answer::new(404),
                "HEAD" => Answer::new(200),
                _ => Answer::new(if path == PATH { container } else { object }),
            }
        });
        assert!(deleted.requests.contains(&format!("DELETE {PATH}")), "{:?}", deleted.requests);
        match is {
            Some(is) => assert_eq!(kind(Verb::Delete, deleted.result), is),
            None => deleted.result.unwrap(),
        }
    }
    // An object that is still there keeps its container.
    let deleted = run(settled(tenants("").delete(&image(), 1)), |head, _| {
        Answer::new(if head.method == "HEAD" { 200 } else { 403 })
    });
    assert_eq!(kind(Verb::Delete, deleted.result), StoreErrorKind::Forbidden);
    assert!(!deleted.requests.contains(&format!("DELETE {PATH}")));
    // So does a container that is not named as one of a single image.
    let other = row("swift+http://swift:8080/v1/AUTH_demo/glance/id", Some("tenants"));
    let deleted = run(settled(tenants("").delete(&other, 1)), |_, _| Answer::new(204));
    deleted.result.unwrap();
    assert!(!deleted.requests.contains(&"DELETE /v1/AUTH_demo/glance".to_owned()));
}

/// The headers that glance_store 5.7 sends.
#[test]
fn who_may_use_an_image_is_said_as_the_old_store_said_it() {
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let admins = "swift_store_admin_tenants = admin1, admin2\n";
    for (options, public, read, write, headers) in [
        ("", true, ids(&["p"]), ids(&[]), ["*:*", ""]),
        ("", false, ids(&["matt", "mark"]), ids(&["paul"]), ["matt:*,mark:*", "paul:*"]),
        ("", false, ids(&[]), ids(&[]), ["", ""]),
        (admins, false, ids(&[]), ids(&["paul"]), ["", "paul:*,admin1:*,admin2:*"]),
    ] {
        let acls = Acls { public, read, write };
        let done = run(settled(tenants(options).set_acls(&image(), &acls, 1)), |head, _| {
            assert_eq!(header(head, "x-container-read"), Some(headers[0]));
            assert_eq!(header(head, "x-container-write"), Some(headers[1]));
            Answer::new(204)
        });
        done.result.unwrap();
        assert_eq!(done.requests, [format!("POST {PATH}")]);
    }
    let gone =
        run(settled(tenants("").set_acls(&image(), &Acls::default(), 1)), |_, _| Answer::new(404));
    assert_eq!(kind(Verb::SetAcls, gone.result), StoreErrorKind::NotFound);
}

#[test]
fn no_token_goes_to_a_host_that_a_location_brought_along() {
    for url in [
        "swift+http://evil:8080/v1/AUTH_demo/glance_id/id",
        "swift+https://swift:8080/v1/AUTH_demo/glance_id/id",
        "swift+http://swift/v1/AUTH_demo/glance_id/id",
    ] {
        let refused = tenants("").exists(&row(url, Some("tenants")), 1).unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::BadStoreUri, "{url}");
    }
    // Another account at the same server is that of a user who shares an image.
    let shared = row("swift+http://swift:8080/v1/AUTH_other/glance_id/id", Some("tenants"));
    let there = run(settled(tenants("").exists(&shared, 1)), |head, _| {
        assert_eq!(head.uri.path(), "/v1/AUTH_other/glance_id/id");
        Answer::new(200)
    });
    assert!(there.result.unwrap());
    // Without a user there is no token to request.
    let image = Add::new("id");
    let refused = many("").add(None, &image, UploadSource::Seekable(1), 1).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::BadStoreConfiguration);
    // A catalogue without Swift is no configuration that serves this user.
    let mut context = demo();
    context.catalogue.services.clear();
    let refused =
        many("").for_tenant(context).add(None, &image, UploadSource::Seekable(1), 1).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::BadStoreConfiguration);
    // An expired token is reported as such.
    let over = run(settled(tenants("").exists(&shared, 1)), |_, _| Answer::new(401));
    assert_eq!(kind(Verb::Exists, over.result), StoreErrorKind::Forbidden);
}

#[test]
fn a_row_without_a_store_gets_its_name_and_keeps_its_url() {
    let url = "swift+http://swift:8080/v1/AUTH_demo/glance_id/id";
    let access = tenants("").exists(&row(url, None), 1).unwrap();
    let migration = access.migration.unwrap();
    assert_eq!((&*migration.url, &*migration.store), (url, "tenants"));
    assert!(!migration.credentials_found);
    // An account whose name tells nothing is told by the user's own storage URL.
    let mut context = demo();
    context.catalogue.services[0].endpoints[0].url = "http://swift:8080/v1/demo".into();
    let url = "swift+http://swift:8080/v1/demo/glance_id/id";
    let job = settled(many("").for_tenant(context).exists(&row(url, Some("tenants")), 1));
    let there = run(job, |head, _| {
        assert_eq!(head.uri.path(), "/v1/demo/glance_id/id");
        Answer::new(200)
    });
    assert!(there.result.unwrap());
}
