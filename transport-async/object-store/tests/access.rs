//! How a store is reached: by trusts, by presigned URLs, with tokens that expire.
#![cfg(feature = "v0_14")]

use object_store_014 as object_store;

#[path = "common/servers.rs"]
mod servers;

use std::time::{Duration, Instant};

use apus_async::Client;
use apus_async::keystone::{CreateTrust, Domain, Role, Scope, Service, Session, User};
use apus_object_store::v0_14::{S3Store, SwiftStore, parse_url_opts};
use apus_testing::server::{EmbeddedOpenStack, FaultyS3, OpenStackModel, S3Model};
use futures_util::TryStreamExt;
use http::{Method, StatusCode};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt};
use url::Url;

fn openstack(model: OpenStackModel) -> EmbeddedOpenStack {
    EmbeddedOpenStack::start(model.with_container("demo", "box")).unwrap()
}

/// Sends a request without any credentials, with a client that knows no S3 and no Swift.
async fn send(method: Method, url: Url, body: &'static str) -> (StatusCode, String) {
    _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.request(method, url).body(body).send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_presigned_url_permits_its_request_and_no_other() {
    let s3_server = FaultyS3::start(S3Model::new().with_bucket("bucket")).unwrap();
    let s3 = S3Store::new(servers::s3(&s3_server), "bucket");
    let server = openstack(OpenStackModel::new());
    let swift = SwiftStore::new(servers::swift(&server), "box");
    let life = Duration::from_secs(60);
    // Keys with what a URL has to escape.
    let path = Path::parse("a b/c+d#é%.txt").unwrap();
    let urls = async |method: Method| {
        let of_s3 = s3.presign(method.clone(), &path, life).await.unwrap();
        let of_swift = swift.presign(method.clone(), &path, life).await.unwrap();
        #[cfg(feature = "signer")]
        {
            use object_store::signer::Signer;
            let again = Signer::signed_url(&swift, method, &path, life).await.unwrap();
            assert_eq!(again.path(), of_swift.path());
        }
        [of_s3, of_swift]
    };
    for url in urls(Method::PUT).await {
        let (status, text) = send(Method::PUT, url, "hello").await;
        assert!(status.is_success(), "{status} {text}");
    }
    for store in [&s3 as &dyn ObjectStore, &swift] {
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "hello");
    }
    for url in urls(Method::GET).await {
        let (status, text) = send(Method::GET, url, "").await;
        assert_eq!((status, &*text), (StatusCode::OK, "hello"));
    }
    // The model of S3 compares no signatures.
    let [_, of_swift] = urls(Method::GET).await;
    let (status, _) = send(Method::DELETE, of_swift, "").await;
    assert!(status.is_client_error(), "{status}");
    for url in urls(Method::HEAD).await {
        assert_eq!(send(Method::HEAD, url, "").await.0, StatusCode::OK);
    }
    for url in urls(Method::DELETE).await {
        let (status, text) = send(Method::DELETE, url, "").await;
        assert!(status.is_success(), "{status} {text}");
    }
    for store in [&s3 as &dyn ObjectStore, &swift] {
        assert!(matches!(store.head(&path).await, Err(Error::NotFound { .. })), "{store}");
    }
    let refused = s3.presign(Method::POST, &path, life).await;
    assert!(matches!(refused, Err(Error::NotSupported { .. })), "{refused:?}");
    assert!(s3.presign(Method::GET, &path, Duration::from_secs(8 * 24 * 3600)).await.is_err());
}

/// A service that acts for a user by a trust, with the user's rights in the user's project.
#[tokio::test]
async fn a_store_is_opened_by_a_trust() {
    let server = openstack(OpenStackModel::new().with_token_life(Duration::from_secs(2)));
    let environment = server.environment();
    let value = |name: &str| environment[&format!("APUS_LIVE_OPENSTACK{name}")].clone();
    let user = User::named(value("_USER"), Domain::default_id());
    let scope = Scope::project_named(value("_PROJECT"), Domain::default_id());
    let session = Session::password(&server.auth_url(), user, value("_PASSWORD"), scope).unwrap();
    let create = CreateTrust {
        trustor_user_id: value("_USER_ID"),
        trustee_user_id: value("_SERVICE_USER_ID"),
        project_id: value("_PROJECT_ID"),
        roles: vec![Role { id: None, name: value("_ROLE") }],
        impersonation: true,
        expires_at: None,
        microseconds: 0,
        remaining_uses: None,
    };
    let trust = Client::new(Service::default(), session).unwrap().call(create).await.unwrap();

    let options = |trust: Option<&str>| {
        let mut options = vec![
            ("OS_AUTH_URL", server.auth_url()),
            ("OS_USERNAME", value("_SERVICE_USER")),
            ("OS_PASSWORD", value("_SERVICE_PASSWORD")),
            ("OS_USER_DOMAIN_ID", "default".to_owned()),
        ];
        match trust {
            Some(id) => options.push(("OS_TRUST_ID", id.to_owned())),
            None => options.extend([
                ("OS_PROJECT_NAME", value("_SERVICE_PROJECT")),
                ("OS_PROJECT_DOMAIN_ID", "default".to_owned()),
            ]),
        }
        options
    };
    let url = Url::parse("swift://box/a").unwrap();
    let (store, path) = parse_url_opts(&url, options(Some(&trust.id))).unwrap();
    store.put(&path, "by trust".into()).await.unwrap();
    let mut upload = store.put_multipart(&Path::from("large")).await.unwrap();
    for part in ["one", "two", "three"] {
        upload.put_part(part.into()).await.unwrap();
        // The token of the trust expires meanwhile.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    upload.complete().await.unwrap();
    let own = SwiftStore::new(servers::swift(&server), "box");
    for (name, text) in [("a", "by trust"), ("large", "onetwothree")] {
        let read = own.get(&Path::from(name)).await.unwrap().bytes().await.unwrap();
        assert_eq!(read, text, "in the account of the user");
    }
    let logins = server.identity().requests();
    let logins = logins.iter().filter(|one| one.path().ends_with("/auth/tokens")).count();
    assert!(logins >= 4, "{logins} tokens");
    // Without the trust, the service has an account of its own, in which there is no such container.
    let (store, path) = parse_url_opts(&url, options(None)).unwrap();
    assert!(matches!(store.get(&path).await, Err(Error::NotFound { .. })));
}

/// Each read of a piece takes longer than a token of two seconds has left.
#[tokio::test]
async fn a_store_outlives_its_tokens() {
    let server = openstack(OpenStackModel::new().with_token_life(Duration::from_secs(2)));
    let store = SwiftStore::new(servers::swift(&server), "box");
    let (since, mut written) = (Instant::now(), 0);
    while since.elapsed() < Duration::from_secs(5) {
        let path = Path::from(format!("part={written}/data"));
        let text = format!("bytes {written}");
        store.put(&path, text.clone().into()).await.unwrap();
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), text);
        written += 1;
        if written % 5 == 0 {
            // As an operator does: the next request is answered with 401.
            server.model().revoke_all();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    assert_eq!(listed.len(), written);
}
