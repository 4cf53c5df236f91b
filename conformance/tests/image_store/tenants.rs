//! Images in the accounts of the users who store them.

use std::sync::{Arc, Mutex};

use apus_core::keystone::{Domain, Identity, Login, Scope, Session, SessionOptions, User};
use apus_core::machine::Auth;
use apus_core::store::{Acls, Get, StoreErrorKind, TenantContext};
use apus_core::swift::{Config, HeadAccount, Service};

use crate::site::Site;
use crate::stores::{From, Stores, Via, pattern, row};

everywhere! {
    images_lie_in_the_accounts_of_their_users,
    who_may_use_an_image_is_said_in_its_container,
}

fn images_lie_in_the_accounts_of_their_users(site: &Site, via: Via) {
    let stores = Stores::open(site, via);
    let unknown = stores.add("users", "nobody's", None, From::Memory, &pattern(1)).unwrap_err();
    assert_eq!(unknown.kind(), StoreErrorKind::BadStoreConfiguration, "{unknown}");

    let (context, storage) = user(site, "");
    let stores = stores.for_tenant(context);
    // The large image is uploaded by trust.
    for size in [70_000, 12_000_001] {
        let id = format!("{}-{via:?}-{size}", site.name).to_lowercase();
        let bytes = pattern(size);
        let added = stores.add("users", &id, Some(size as u64), From::Memory, &bytes).unwrap();
        let (_, account) = storage.split_once("://").unwrap();
        assert!(
            added.url.ends_with(&format!("{account}/{}_{id}/{id}", site.name)),
            "{}",
            added.url
        );
        assert_eq!(added.metadata.get("store").map(String::as_str), Some("users"));
        let (_, whole) = stores.get(&row(&added), &Get::default()).unwrap();
        assert!(whole == bytes);
        assert_eq!(stores.size(&row(&added)).unwrap().outcome, size as u64);
        stores.delete(&row(&added)).unwrap();
        let gone = stores.size(&row(&added)).unwrap_err();
        assert_eq!(gone.kind(), StoreErrorKind::NotFound, "{gone}");
    }
}

fn who_may_use_an_image_is_said_in_its_container(site: &Site, via: Via) {
    let stores = Stores::open(site, via).for_tenant(user(site, "").0);
    let id = format!("{}-{via:?}-shared", site.name).to_lowercase();
    let added = stores.add("users", &id, None, From::Memory, &pattern(70_000)).unwrap();
    let other = site.openstack("_OTHER_PROJECT_ID").to_owned();
    let theirs = Stores::open(site, via).for_tenant(user(site, "_OTHER").0);
    let may_read = || theirs.get(&row(&added), &Get::default()).map(|(_, bytes)| bytes.len());

    assert_eq!(may_read().unwrap_err().kind(), StoreErrorKind::Forbidden);
    let acls = Acls { read: vec![other], ..Acls::default() };
    stores.set_acls(&row(&added), &acls).unwrap();
    assert_eq!(may_read().unwrap(), 70_000);
    stores.set_acls(&row(&added), &Acls::default()).unwrap();
    assert_eq!(may_read().unwrap_err().kind(), StoreErrorKind::Forbidden);
    stores.set_acls(&row(&added), &Acls { public: true, ..Acls::default() }).unwrap();
    assert_eq!(may_read().unwrap(), 70_000);
    stores.delete(&row(&added)).unwrap();
}

/// What an image service knows of a user who asks for something, and where the user's account is.
fn user(site: &Site, which: &str) -> (TenantContext, String) {
    let of = |name: &str| site.openstack(&format!("{which}{name}"));
    let user = User::named(of("_USER"), Domain::default_id());
    let scope = Scope::project_named(of("_PROJECT"), Domain::default_id());
    let identity = Identity::password(user, of("_PASSWORD"));
    let login = Login::new(site.openstack(""), identity, scope).unwrap();
    let session = Arc::new(Mutex::new(Session::new(login, SessionOptions::default())));
    let transport = apus_blocking::Transport::new(apus_blocking::TransportConfig::new()).unwrap();
    let service = Service::new(Config::default()).unwrap();
    let auth = Auth::from_shared(session.clone());
    apus_blocking::Client::with_transport(transport, service, auth)
        .call(HeadAccount::new())
        .unwrap();

    let session = session.lock().unwrap();
    let facts = session.facts().unwrap();
    let cached = session.export(apus_blocking::now()).unwrap();
    let context = TenantContext {
        token: cached.token().secret().clone(),
        user_id: facts.user.as_ref().map(|user| user.id.clone()),
        project_id: facts.project.as_ref().map(|project| project.id.clone()),
        roles: facts.roles.iter().map(|role| role.name.clone()).collect(),
        catalogue: facts.catalogue.clone().unwrap_or_default(),
    };
    let storage = match which {
        "" => site.openstack("_STORAGE_URL").to_owned(),
        _ => String::new(),
    };
    (context, storage)
}
