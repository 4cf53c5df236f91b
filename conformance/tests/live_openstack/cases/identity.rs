//! Authentication and access: identities, scopes, endpoints, tokens that are passed on.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use apus_core::keystone::{
    CachedToken, Domain, EndpointFilter, Identity, Interface, Login, Scope, SecondFactor, Session,
    User,
};
use apus_core::machine::Auth;
use apus_core::swift::{GetContainer, HeadContainer, PutObject};
use apus_core::{Error, Kind};
use sha1::{Digest as _, Sha1};

use super::refused;
use crate::site::{People, Server, Site, in_project, named};
use crate::stage::Stage;
use crate::suite::Case;
use crate::watch::Watch;

pub const CASES: &[Case] = &[
    Case::ok("the user of all checks", enters),
    Case::keystone("password by names", password_by_names),
    Case::keystone("password without a scope: the default project", password_without_scope),
    Case::keystone("password, unscoped", unscoped),
    Case::keystone("password and TOTP", totp),
    Case::keystone("token, rescoped", token),
    Case::keystone("application credential by id", credential_by_id),
    Case::keystone("application credential by name", credential_by_name),
    Case::keystone("discovery at an auth URL without a version", discovery),
    Case::keystone("internal endpoint of a region", internal),
    Case::keystone("a region that is not in the catalogue", no_region),
    Case::keystone("endpoint override with a placeholder", overridden),
    Case::ok("wrong password", wrong_password),
    Case::keystone("unknown user, unknown project", unknown),
    Case::keystone("a reader's PutObject", reader),
    Case::keystone("somebody else's container", other),
    Case::ok("a token handed to another process", handed_on),
    Case::ok("a token that the server refuses is renewed once", refused_token),
];

/// The container is the user's: only a session of that user sees it.
fn enter(stage: &Stage<'_>, session: Session) -> Result<(), Error> {
    let store = stage.client(vec![Auth::new(session)]);
    store.call(HeadContainer::new(&stage.container)).map(drop)
}

fn enter_as(stage: &Stage<'_>, identity: Identity, scope: Scope) -> Result<(), Error> {
    let login = Login::new(stage.site.address(stage.place.https), identity, scope)?;
    enter(stage, Session::new(login, stage.site.options()))
}

fn people() -> People {
    People::read().expect("a site under Keystone has people")
}

fn enters(stage: &Stage<'_>) -> Result<(), Error> {
    enter(stage, stage.site.session(stage.place.https))
}

fn password_by_names(stage: &Stage<'_>) -> Result<(), Error> {
    let people = people();
    let login = people.login(&people.user, &people.password, &people.project);
    enter(stage, Session::new(login, stage.site.options()))?;
    let domain = || Domain::Name("Default".into());
    let user = User::named(&*people.user, domain());
    let scope = Scope::project_named(&*people.project, domain());
    enter_as(stage, Identity::password(user, people.password), scope)
}

fn password_without_scope(stage: &Stage<'_>) -> Result<(), Error> {
    let people = people();
    let identity = Identity::password(named(&people.user), people.password);
    enter_as(stage, identity, Scope::Unstated)
}

fn unscoped(stage: &Stage<'_>) -> Result<(), Error> {
    let people = people();
    let identity = || Identity::password(named(&people.user), &*people.password);
    let error = enter_as(stage, identity(), Scope::Unscoped).unwrap_err();
    assert_eq!(error.kind(), Kind::Auth, "{error}");
    assert!(error.to_string().contains("catalogue"), "{error}");
    let login = Login::new(&people.keystone, identity(), Scope::Unscoped)?;
    let session = Session::new(login, stage.site.options())
        .with_endpoint(EndpointFilter::at(&people.storage_url));
    refused(enter(stage, session), 403);
    Ok(())
}

fn totp(stage: &Stage<'_>) -> Result<(), Error> {
    let people = people();
    let identity = |passcode: String| Identity::Password {
        user: User::Id(people.user_id.clone()),
        password: people.password.clone().into(),
        second_factor: Some(SecondFactor::Passcode(passcode.into())),
    };
    let scope = || Scope::project(&people.project_id);
    let error = enter_as(stage, identity("000000".into()), scope()).unwrap_err();
    assert_eq!(error.kind(), Kind::Auth, "{error}");
    enter_as(stage, identity(passcode(&people.totp_secret)), scope())
}

/// RFC 6238 with the values that Keystone has: six digits, 30 s, SHA-1.
fn passcode(secret: &str) -> String {
    let mut bits = 0_u64;
    let mut count = 0;
    let mut key = Vec::new();
    for digit in secret.bytes() {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == digit);
        bits = bits << 5 | value.expect("base32") as u64;
        count += 5;
        if count >= 8 {
            count -= 8;
            key.push((bits >> count) as u8);
        }
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    key.resize(64, 0);
    let padded = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = Sha1::digest([&padded(0x36)[..], &(now / 30).to_be_bytes()].concat());
    let hash = Sha1::digest([&padded(0x5c)[..], &inner].concat());
    let at = usize::from(hash[19] & 15);
    let word = u32::from_be_bytes(hash[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", word % 1_000_000)
}

fn token(stage: &Stage<'_>) -> Result<(), Error> {
    let people = people();
    let identity = Identity::password(named(&people.user), &*people.password);
    let unscoped = Login::new(&people.keystone, identity, Scope::Unscoped)?;
    let session = Shared::new(
        Session::new(unscoped, stage.site.options())
            .with_endpoint(EndpointFilter::at(&people.storage_url)),
    );
    refused(stage.client(vec![session.auth()]).call(HeadContainer::new(&stage.container)), 403);
    let token = session.export().token().secret().clone();
    enter_as(stage, Identity::Token(token), in_project(&people.project))
}

fn credential_by_id(stage: &Stage<'_>) -> Result<(), Error> {
    let people = people();
    let identity = Identity::application_credential(people.credential_id, people.credential_secret);
    enter_as(stage, identity, Scope::Unstated)
}

fn credential_by_name(stage: &Stage<'_>) -> Result<(), Error> {
    let people = people();
    let identity = Identity::NamedApplicationCredential {
        name: people.credential,
        user: named(&people.user),
        secret: people.credential_secret.into(),
    };
    enter_as(stage, identity, Scope::Unstated)
}

fn discovery(stage: &Stage<'_>) -> Result<(), Error> {
    let people = people();
    let bare = people.keystone.strip_suffix("/v3").expect("an auth URL of v3");
    for auth_url in [bare.to_owned(), format!("{bare}/")] {
        let identity = Identity::password(named(&people.user), &*people.password);
        let login = Login::new(&auth_url, identity, in_project(&people.project))?;
        enter(stage, Session::new(login, stage.site.options()))?;
    }
    Ok(())
}

fn session(site: &Site) -> Session {
    site.session(false)
}

fn internal(stage: &Stage<'_>) -> Result<(), Error> {
    let filter = EndpointFilter {
        interfaces: vec![Interface::Internal],
        region: Some(people().region),
        ..EndpointFilter::default()
    };
    enter(stage, session(stage.site).with_endpoint(filter))
}

fn no_region(stage: &Stage<'_>) -> Result<(), Error> {
    let filter = EndpointFilter { region: Some("Elsewhere".into()), ..EndpointFilter::default() };
    let error = enter(stage, session(stage.site).with_endpoint(filter)).unwrap_err();
    assert_eq!(error.kind(), Kind::Auth, "{error}");
    assert!(error.to_string().contains("Elsewhere"), "{error}");
    Ok(())
}

fn overridden(stage: &Stage<'_>) -> Result<(), Error> {
    let people = people();
    let url = people.storage_url.replace(&people.project_id, "%(project_id)s");
    enter(stage, session(stage.site).with_endpoint(EndpointFilter::at(url)))
}

fn wrong_password(stage: &Stage<'_>) -> Result<(), Error> {
    let wrong = "not the password";
    let (identity, scope) = match stage.site.server {
        Server::Swift => {
            let people = people();
            let scope = in_project(&people.project);
            (Identity::password(named(&people.user), wrong), scope)
        }
        Server::Ceph => (Identity::v1("first:swift", wrong), Scope::Unstated),
    };
    let login = Login::new(stage.site.address(stage.place.https), identity, scope)?;
    let watch = Watch::new();
    let auth = Auth::new(Session::new(login, stage.site.options()));
    let store = stage.client(vec![auth]).with_observer(watch.clone());
    for _ in 0..10 {
        let error = store.call(HeadContainer::new(&stage.container)).unwrap_err();
        assert_eq!(error.kind(), Kind::Auth, "{error}");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(401), "{error}");
        assert!(!format!("{error:?} {error}").contains(wrong), "{error}");
    }
    // It is not tried again for every call.
    assert_eq!((watch.logins(), watch.launched("HeadContainer")), (1, 0));
    Ok(())
}

fn unknown(stage: &Stage<'_>) -> Result<(), Error> {
    let people = people();
    for login in [
        people.login("nobody", &people.password, &people.project),
        people.login(&people.user, &people.password, "nothing"),
    ] {
        let error = enter(stage, Session::new(login, stage.site.options())).unwrap_err();
        assert_eq!(error.kind(), Kind::Auth, "{error}");
    }
    Ok(())
}

fn reader(stage: &Stage<'_>) -> Result<(), Error> {
    let people = people();
    let login = people.login(&people.reader, &people.reader_password, &people.project);
    let auth = Auth::new(Session::new(login, stage.site.options()));
    let store = stage.client(vec![auth]);
    store.call(GetContainer::new(&stage.container))?;
    refused(store.call(PutObject::new(&stage.container, "reader", "")), 403);
    Ok(())
}

fn other(stage: &Stage<'_>) -> Result<(), Error> {
    let people = people();
    let login = people.login(&people.other, &people.other_password, &people.other_project);
    let session = Session::new(login, stage.site.options());
    refused(enter(stage, session.with_endpoint(EndpointFilter::at(people.storage_url))), 403);
    Ok(())
}

fn handed_on(stage: &Stage<'_>) -> Result<(), Error> {
    let first = Shared::new(stage.site.session(stage.place.https));
    stage.client(vec![first.auth()]).call(HeadContainer::new(&stage.container))?;
    let text = first.export().to_secret();
    // The other process.
    let session = stage.site.session(stage.place.https);
    let session = session.with_cached(CachedToken::from_secret(&text)?)?;
    let watch = Watch::new();
    let store = stage.client(vec![Auth::new(session)]).with_observer(watch.clone());
    store.call(HeadContainer::new(&stage.container))?;
    assert_eq!(watch.logins(), 0);
    Ok(())
}

fn refused_token(stage: &Stage<'_>) -> Result<(), Error> {
    let first = Shared::new(stage.site.session(stage.place.https));
    stage.client(vec![first.auth()]).call(HeadContainer::new(&stage.container))?;
    let text = first.export().to_secret();
    // A token of the same facts that the server has never heard of.
    let secret = first.export().token().secret().clone();
    let damaged: String = secret.expose().chars().rev().collect();
    let text = text.expose().replace(secret.expose(), &damaged).into();
    let session = stage.site.session(stage.place.https);
    let session = session.with_cached(CachedToken::from_secret(&text)?)?;
    let watch = Watch::new();
    let store = stage.client(vec![Auth::new(session)]).with_observer(watch.clone());
    for _ in 0..3 {
        store.call(HeadContainer::new(&stage.container))?;
    }
    assert_eq!((watch.logins(), watch.answered(401)), (1, 1));
    Ok(())
}

/// A session that can be looked at while it is used.
pub struct Shared(Arc<Mutex<Session>>);

impl Shared {
    pub fn new(session: Session) -> Self {
        Self(Arc::new(Mutex::new(session)))
    }

    pub fn auth(&self) -> Auth {
        Auth::from_shared(Arc::clone(&self.0) as _)
    }

    fn lock(&self) -> MutexGuard<'_, Session> {
        self.0.lock().unwrap()
    }

    pub fn storage_url(&self) -> Option<String> {
        self.lock().facts()?.storage_url.clone()
    }

    pub fn export(&self) -> CachedToken {
        self.lock().export(apus_blocking::now()).expect("the session has a token")
    }
}
