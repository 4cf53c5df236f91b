//! Temporary URLs and access lists.

use std::time::Duration;

use apus_core::Error;
use apus_core::http::{Body, Draft, Reply};
use apus_core::now::Timestamp;
use apus_core::swift::{
    Acl, AclEntry, ContainerSettings, Digest, GetObject, HeadContainer, PostContainer, PutObject,
    TempUrl,
};
use http::Method;

use super::refused;
use crate::site::People;
use crate::stage::Stage;
use crate::suite::Case;

pub const CASES: &[Case] = &[
    Case::keystone("TempURL, GET and HEAD", temp_url),
    Case::keystone("TempURL, PUT", temp_url_put),
    Case::keystone("TempURL that has expired, or with a wrong key", temp_url_refused),
    Case::keystone("TempURL of a prefix", temp_url_prefix),
    Case::keystone("TempURL for an address", temp_url_address),
    Case::keystone("TempURL with the container's key", temp_url_container),
    Case::keystone("an access list for everybody", public),
    Case::keystone("an access list for a project", project),
];

fn people() -> People {
    People::read().expect("a site under Keystone has people")
}

fn soon() -> Timestamp {
    Timestamp::from_duration(apus_blocking::now().unix + Duration::from_secs(60))
}

/// `/v1/AUTH_project`, and what is before it.
fn storage() -> (String, String) {
    let url = people().storage_url;
    let at = url.find("/v1/").expect("a storage URL of version 1");
    (url[at..].to_owned(), url[..at].to_owned())
}

fn object(stage: &Stage<'_>, method: Method, name: &str) -> TempUrl {
    TempUrl::object(method, &storage().0, &stage.container, name, soon())
}

fn key() -> apus_core::secret::Secret {
    people().tempurl_key.into()
}

/// Sends what the holder of a URL sends, who has no token.
fn send(stage: &Stage<'_>, method: Method, target: &str, body: &'static str) -> Reply {
    let uri = format!("{}{target}", storage().1).parse().unwrap();
    let mut draft = Draft::new("temporary", method, uri);
    draft.body = Body::Bytes(body.into());
    stage.store.send(draft)
}

fn get(stage: &Stage<'_>, target: &str) -> (u16, String) {
    let reply = send(stage, Method::GET, target, "");
    (reply.status().as_u16(), String::from_utf8_lossy(&reply.body).into_owned())
}

fn temp_url(stage: &Stage<'_>) -> Result<(), Error> {
    let name = "temporary/ü +%";
    stage.call(PutObject::new(&stage.container, name, "for a while"))?;
    for digest in [Digest::Sha1, Digest::Sha256, Digest::Sha512] {
        for iso8601 in [false, true] {
            let url = TempUrl { digest, iso8601, ..object(stage, Method::GET, name) };
            let target = url.sign(&key())?;
            assert_eq!(get(stage, &target), (200, "for a while".into()), "{digest:?}");
            assert_eq!(send(stage, Method::HEAD, &target, "").status(), 200);
            assert_eq!(send(stage, Method::PUT, &target, "no").status(), 401);
        }
    }
    Ok(())
}

fn temp_url_put(stage: &Stage<'_>) -> Result<(), Error> {
    let target = object(stage, Method::PUT, "temporary put").sign(&key())?;
    assert_eq!(send(stage, Method::PUT, &target, "from outside").status(), 201);
    let stored = stage.call(GetObject::new(&stage.container, "temporary put"))?;
    assert_eq!(stored.body, "from outside");
    Ok(())
}

fn temp_url_refused(stage: &Stage<'_>) -> Result<(), Error> {
    stage.call(PutObject::new(&stage.container, "refused", "not for you"))?;
    let past = Timestamp::from_duration(apus_blocking::now().unix - Duration::from_secs(5));
    let late = TempUrl { expires: past, ..object(stage, Method::GET, "refused") };
    assert_eq!(get(stage, &late.sign(&key())?).0, 401);
    let wrong = object(stage, Method::GET, "refused").sign(&"another key".to_owned().into())?;
    assert_eq!(get(stage, &wrong).0, 401);
    Ok(())
}

fn temp_url_prefix(stage: &Stage<'_>) -> Result<(), Error> {
    for name in ["shared/a", "other/b"] {
        stage.call(PutObject::new(&stage.container, name, "bytes"))?;
    }
    let (path, _) = storage();
    let container = &stage.container;
    let url = TempUrl {
        prefix: Some("shared/".into()),
        ..TempUrl::new(Method::GET, format!("{path}/{container}/shared/a"), soon())
    };
    let target = url.sign(&key())?;
    assert_eq!(get(stage, &target).0, 200, "{target}");
    assert_eq!(get(stage, &target.replace("/shared/a?", "/other/b?")).0, 401);
    Ok(())
}

fn temp_url_address(stage: &Stage<'_>) -> Result<(), Error> {
    stage.call(PutObject::new(&stage.container, "from here", "bytes"))?;
    for (range, status) in [("127.0.0.1", 200), ("127.0.0.0/8", 200), ("10.0.0.0/8", 401)] {
        let ip_range = Some(range.into());
        let url = TempUrl { ip_range, ..object(stage, Method::GET, "from here") };
        assert_eq!(get(stage, &url.sign(&key())?).0, status, "{range}");
    }
    Ok(())
}

fn temp_url_container(stage: &Stage<'_>) -> Result<(), Error> {
    let own: apus_core::secret::Secret = "the container's own".to_owned().into();
    let settings = ContainerSettings {
        temp_url_keys: [None, Some(own.clone())],
        ..ContainerSettings::default()
    };
    stage.call(PostContainer { settings, ..PostContainer::new(&stage.container) })?;
    let keys = stage.call(HeadContainer::new(&stage.container))?.temp_url_keys;
    assert_eq!(keys[1].as_ref().map(|key| key.expose()), Some(own.expose()));
    stage.call(PutObject::new(&stage.container, "own key", "bytes"))?;
    assert_eq!(get(stage, &object(stage, Method::GET, "own key").sign(&own)?).0, 200);
    Ok(())
}

fn set(stage: &Stage<'_>, acl: Acl) -> Result<(), Error> {
    let settings = ContainerSettings { read_acl: Some(acl), ..ContainerSettings::default() };
    stage.call(PostContainer { settings, ..PostContainer::new(&stage.container) })
}

fn public(stage: &Stage<'_>) -> Result<(), Error> {
    stage.call(PutObject::new(&stage.container, "public", "for all"))?;
    let target = format!("{}/{}/public", storage().0, stage.container);
    assert_eq!(get(stage, &target).0, 401);
    set(stage, Acl::public())?;
    assert_eq!(get(stage, &target), (200, "for all".into()));
    let read = stage.call(HeadContainer::new(&stage.container))?.read_acl;
    assert_eq!(read.map(|acl| acl.parse()).transpose()?, Some(Acl::public()));
    set(stage, Acl::default())?;
    assert_eq!(get(stage, &target).0, 401);
    assert_eq!(stage.call(HeadContainer::new(&stage.container))?.read_acl, None);
    Ok(())
}

fn project(stage: &Stage<'_>) -> Result<(), Error> {
    use apus_core::keystone::{EndpointFilter, Session};
    use apus_core::machine::Auth;

    let people = people();
    let login = people.login(&people.other, &people.other_password, &people.other_project);
    let session = Session::new(login, stage.site.options());
    let session = session.with_endpoint(EndpointFilter::at(&people.storage_url));
    let theirs = stage.client(vec![Auth::new(session)]);
    stage.call(PutObject::new(&stage.container, "for a project", "bytes"))?;
    let get = GetObject::new(&stage.container, "for a project");
    refused(theirs.call(get.clone()), 403);
    set(stage, Acl::projects([&*people.other_project_id]))?;
    assert_eq!(theirs.call(get.clone())?.body, "bytes");
    refused(theirs.call(PutObject::new(&stage.container, "theirs", "")), 403);
    let project = people.project_id;
    let entry = AclEntry::User { project, user: "*".into() };
    set(stage, Acl::default().with(entry))?;
    refused(theirs.call(get), 403);
    Ok(())
}
