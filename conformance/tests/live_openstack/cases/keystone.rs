//! Requests to Keystone itself: tokens and trusts.

use apus_core::contract::Operation;
use apus_core::keystone::{
    CreateTrust, DeleteTrust, Identity, ListTrusts, Login, RevokeToken, Role, Scope, Service,
    Session, ShowTrust, Subject, Trust, ValidateToken,
};
use apus_core::machine::Auth;
use apus_core::swift::{GetObject, HeadContainer, PutObject};
use apus_core::{Error, Kind};

use super::identity::Shared;
use crate::site::{People, Site};
use crate::stage::{Place, Stage};
use crate::store::Store;
use crate::suite::Case;
use crate::watch::Watch;

pub const CASES: &[Case] = &[
    Case::keystone("ValidateToken", validate),
    Case::keystone("RevokeToken", revoke),
    Case::keystone("CreateTrust, ShowTrust, ListTrusts, DeleteTrust", trust),
    Case::keystone("what is done by a trust is the user's", by_trust),
    Case::keystone("CreateTrust by an application credential", trust_by_credential),
];

/// A client of Keystone's own operations.
pub fn keystone(place: Place, session: Session) -> Store<Service> {
    Store::new(place.transport, Service::default(), &[], vec![Auth::new(session)])
}

/// The trusts of the user that Keystone knows.
pub fn trusts(site: &Site, place: Place) -> Result<Vec<Trust>, Error> {
    let trustor_user_id = Some(people().user_id);
    let list = ListTrusts { trustor_user_id, trustee_user_id: None };
    keystone(place, site.session(false)).call(list)
}

fn people() -> People {
    People::read().expect("a site under Keystone has people")
}

fn call<O: Operation<Service = Service>>(
    stage: &Stage<'_>,
    operation: O,
) -> Result<O::Output, Error> {
    keystone(stage.place, stage.site.session(false)).call(operation)
}

fn validate(stage: &Stage<'_>) -> Result<(), Error> {
    let people = people();
    let own = call(stage, ValidateToken::default())?.facts;
    assert_eq!(own.user.as_ref().map(|user| &user.id), Some(&people.user_id));
    assert_eq!(own.project.as_ref().map(|project| &project.id), Some(&people.project_id));
    assert!(own.roles.iter().any(|role| role.name == people.role), "{:?}", own.roles);
    assert!(own.catalogue.is_some() && own.expires_at.is_some() && own.issued_at.is_some());
    let bare = ValidateToken { nocatalog: true, ..ValidateToken::default() };
    assert_eq!(call(stage, bare)?.facts.catalogue, None);
    let unknown = ValidateToken {
        subject: Subject::Other("nobody's".to_owned().into()),
        ..ValidateToken::default()
    };
    let error = call(stage, unknown).unwrap_err();
    assert!(!error.to_string().contains("nobody's"), "{error}");
    Ok(())
}

fn revoke(stage: &Stage<'_>) -> Result<(), Error> {
    let session = Shared::new(stage.site.session(false));
    let watch = Watch::new();
    let store = stage.client(vec![session.auth()]).with_observer(watch.clone());
    store.call(HeadContainer::new(&stage.container))?;
    let own = Store::new(stage.place.transport, Service::default(), &[], vec![session.auth()]);
    own.call(RevokeToken::default())?;
    // It is no longer valid, and a new one is obtained.
    store.call(HeadContainer::new(&stage.container))?;
    assert_eq!((watch.logins(), watch.answered(401)), (2, 1));
    Ok(())
}

fn new_trust(people: &People) -> CreateTrust {
    CreateTrust {
        trustor_user_id: people.user_id.clone(),
        trustee_user_id: people.service_user_id.clone(),
        project_id: people.project_id.clone(),
        roles: vec![Role { id: None, name: people.role.clone() }],
        impersonation: true,
        expires_at: None,
        microseconds: 0,
        remaining_uses: None,
    }
}

fn trust(stage: &Stage<'_>) -> Result<(), Error> {
    let people = people();
    let trust = call(stage, new_trust(&people))?;
    assert_eq!(trust.trustor_user_id, people.user_id);
    assert_eq!(trust.trustee_user_id, people.service_user_id);
    assert!(trust.impersonation && trust.remaining_uses.is_none());
    let shown = call(stage, ShowTrust { id: trust.id.clone() })?;
    assert_eq!((&shown.id, shown.roles.len()), (&trust.id, 1));
    let listed =
        || Ok::<_, Error>(trusts(stage.site, stage.place)?.iter().any(|t| t.id == trust.id));
    assert!(listed()?);
    call(stage, DeleteTrust { id: trust.id.clone() })?;
    assert!(!listed()?);
    let gone = call(stage, ShowTrust { id: trust.id.clone() }).unwrap_err();
    assert!(gone.is_not_found(), "{gone}");
    Ok(())
}

fn by_trust(stage: &Stage<'_>) -> Result<(), Error> {
    let people = people();
    let trust = call(stage, new_trust(&people))?;
    let identity =
        Identity::password(crate::site::named(&people.service_user), &*people.service_password);
    let login = Login::new(&people.keystone, identity.clone(), Scope::trust(&trust.id))?;
    let session = || Session::new(login.clone(), stage.site.options());
    let entrusted = stage.client(vec![Auth::new(session())]);
    entrusted.call(PutObject::new(&stage.container, "by trust", "as demo"))?;
    let bytes = stage.call(GetObject::new(&stage.container, "by trust"))?.body;
    assert_eq!(bytes, "as demo");
    // The service user by itself may not.
    let own = Login::new(&people.keystone, identity, crate::site::in_project(&people.project))?;
    let own = Auth::new(Session::new(own, stage.site.options()));
    let error = stage.client(vec![own]).call(HeadContainer::new(&stage.container)).unwrap_err();
    assert_eq!(error.kind(), Kind::Auth, "{error}");

    call(stage, DeleteTrust { id: trust.id })?;
    let put = PutObject::new(&stage.container, "by trust", "too late");
    let error = entrusted.call(put.clone()).unwrap_err();
    assert!(error.is_denied(), "{error}");
    let error = stage.client(vec![Auth::new(session())]).call(put).unwrap_err();
    assert_eq!(error.kind(), Kind::Auth, "{error}");
    Ok(())
}

fn trust_by_credential(stage: &Stage<'_>) -> Result<(), Error> {
    let people = people();
    let identity =
        Identity::application_credential(&*people.credential_id, &*people.credential_secret);
    let login = Login::new(&people.keystone, identity, Scope::Unstated)?;
    let store = keystone(stage.place, Session::new(login, stage.site.options()));
    let error = store.call(new_trust(&people)).unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(403), "{error}");
    // As a trustee it is refused before any request is sent.
    let identity = Identity::application_credential(people.credential_id, people.credential_secret);
    let error = Login::new(&people.keystone, identity, Scope::trust("any")).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidInput, "{error}");
    Ok(())
}
