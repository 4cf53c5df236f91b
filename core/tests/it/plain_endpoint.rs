//! A Keystone over https whose catalogue has an endpoint over http, to which the token would be
//! sent in clear text.

use apus_core::Kind;
use apus_core::keystone::{
    Domain, EndpointFilter, Identity, Login, Scope, Session, SessionOptions, TokenFacts, User,
};
use apus_core::machine::Auth;

use crate::cloud::{Answer, Cloud, Puts, World};

fn session(auth_url: &str) -> Session {
    let user = User::named("demo", Domain::default_id());
    let login = Login::new(auth_url, Identity::password(user, "hunter2"), Scope::Unstated);
    Session::new(login.unwrap(), SessionOptions::default())
}

fn put(session: Session, cloud: Cloud) -> (Result<u32, apus_core::Error>, usize) {
    let mut world = World::new(cloud, vec![Puts::new(1, 1)], &[Auth::new(session)]);
    let result = world.run().remove(0).unwrap();
    (result, world.cloud.count("PUT"))
}

#[test]
fn it_is_refused_before_anything_is_sent() {
    for auth_url in ["https://keystone:5000/v3", "https://keystone:5000/v3/"] {
        let (result, puts) = put(session(auth_url), Cloud::default());
        let error = result.unwrap_err();
        assert_eq!((error.kind(), puts), (Kind::Auth, 0));
        assert_eq!(
            error.message(),
            "the object-store endpoint http://swift:8080/v1/AUTH_p uses http, which would send the \
             token unencrypted, while Keystone uses https"
        );
        assert!(error.hint().unwrap().contains("swift_store_endpoint"));
    }
    // And where v1 says so.
    let mut cloud = Cloud::default();
    let answer = Answer::new(200).header("x-auth-token", "secret-token");
    let answer = answer.header("x-storage-url", "http://swift:8080/v1/AUTH_p");
    cloud.scripted.insert("GET /auth/v1.0".into(), vec![answer]);
    let identity = Identity::v1("test:tester", "hunter2");
    let login = Login::new("https://swift:8080/auth/v1.0", identity, Scope::Unstated).unwrap();
    let (result, puts) = put(Session::new(login, SessionOptions::default()), cloud);
    assert_eq!((result.unwrap_err().kind(), puts), (Kind::Auth, 0));
}

#[test]
fn who_says_so_by_an_override_gets_it() {
    let filter = EndpointFilter::at("http://swift:8080/v1/AUTH_%(project_id)s");
    let secure = session("https://keystone:5000/v3").with_endpoint(filter);
    let (result, puts) = put(secure, Cloud::default());
    assert_eq!((result.unwrap(), puts), (1, 1));
}

#[test]
fn a_keystone_over_http_has_nothing_to_lose() {
    let (result, puts) = put(session("http://keystone:5000/v3"), Cloud::default());
    assert_eq!((result.unwrap(), puts), (1, 1));
    // Neither has an unknown Keystone, or a store over https.
    let facts = |url: &str| TokenFacts { storage_url: Some(url.into()), ..TokenFacts::default() };
    let filter = EndpointFilter::default();
    let keystone = |url| apus_core::BaseUrl::parse_as(url, "auth_url").unwrap();
    assert!(filter.resolve_beside(&facts("http://swift/v1/a"), None).is_ok());
    let secure = keystone("https://keystone/v3");
    assert!(filter.resolve_beside(&facts("https://swift/v1/a"), Some(&secure)).is_ok());
    assert!(filter.resolve_beside(&facts("http://swift/v1/a"), Some(&secure)).is_err());
}
