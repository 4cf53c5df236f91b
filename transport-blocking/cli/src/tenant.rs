//! The user of backends that store objects in the accounts of their users.
//!
//! ```text
//!  --token-file FILE, OS_TOKEN ──▶ ValidateToken, at Keystone ──┐
//!  --from-environment, OS_*    ──▶ a login there ───────────────┴──▶ token, project, roles, catalogue
//! ```

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use apus_blocking::{CancelToken, Client, Stores};
use apus_core::contract::Authenticator;
use apus_core::keystone::{self, Session, SessionOptions, Token, TokenFacts, ValidateToken};
use apus_core::machine::{Auth, Call, GrantOnly};
use apus_core::store::{StoreBackend, SwiftStore, TenantContext};
use apus_core::{Error, Secret};

use crate::exit::Failure;
use crate::place::Place;
use crate::settings::User;

/// Returns the user of a backend, and the user's token.
pub(crate) fn context(
    stores: &Stores,
    store: &SwiftStore,
    user: &User,
    token: &CancelToken,
) -> Result<TenantContext, Failure> {
    let place = || Place::of_backend(&StoreBackend::Swift(store.clone()));
    let context = match user {
        User::Token(secret) => validated(stores, store, secret, token),
        User::Cloud(cloud) => logged_in(stores, store, cloud, token),
    };
    context.map_err(|error| Failure::from(error).at(&place()))
}

/// Reads what Keystone says about a token.
fn validated(
    stores: &Stores,
    store: &SwiftStore,
    secret: &Secret,
    token: &CancelToken,
) -> Result<TenantContext, Error> {
    let own = Token::new(secret.clone(), TokenFacts::default());
    let session = Session::fixed(own)?.with_auth_url(store.auth_address()?)?;
    let client = client(stores, store, Auth::new(session))?;
    let validate = Call::new(ValidateToken::default(), Arc::clone(client.service()), client.seed());
    let facts = client.run(validate).cancel_on(token.clone()).send()?.facts;
    Ok(of_facts(secret, &facts))
}

/// Obtains a token.
fn logged_in(
    stores: &Stores,
    store: &SwiftStore,
    cloud: &keystone::clouds::Cloud,
    token: &CancelToken,
) -> Result<TenantContext, Error> {
    let session = Session::new(cloud.login()?, SessionOptions::default());
    let session = Arc::new(Mutex::new(session));
    let shared = Arc::clone(&session) as Arc<Mutex<dyn Authenticator>>;
    let client = client(stores, store, Auth::from_shared(shared))?;
    let login = Call::new(GrantOnly::new(), Arc::clone(client.service()), client.seed());
    client.run(login).cancel_on(token.clone()).send()?;
    let session = session.lock().unwrap_or_else(PoisonError::into_inner);
    let cached = session.export(apus_blocking::now());
    let cached = cached.ok_or_else(|| Error::auth("the login gave no token"))?;
    Ok(of_facts(cached.token().secret(), cached.token().facts()))
}

fn client(
    stores: &Stores,
    store: &SwiftStore,
    auth: Auth,
) -> Result<Client<keystone::Service>, Error> {
    let transport = stores.transport(store.id()).cloned();
    let transport =
        transport.ok_or_else(|| Error::invalid_input("the backend has no transport"))?;
    Ok(Client::with_transport(transport, store.options().keystone(), auth))
}

fn of_facts(token: &Secret, facts: &TokenFacts) -> TenantContext {
    TenantContext {
        token: token.clone(),
        user_id: facts.user.as_ref().map(|user| user.id.clone()),
        project_id: facts.project.as_ref().map(|project| project.id.clone()),
        roles: facts.roles.iter().map(|role| role.name.clone()).collect(),
        catalogue: facts.catalogue.clone().unwrap_or_default(),
    }
}

/// Reads a token from a file.
pub(crate) fn token_of(path: &Path) -> Result<Secret, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
    match text.trim() {
        "" => Err(Failure::usage(format!("{}: the file is empty", path.display()))),
        token => Ok(Secret::new(token)),
    }
}

/// The failure of a command that needs to know the user.
pub(crate) fn nobody(store: &SwiftStore) -> Failure {
    Failure::usage(format!(
        "backend {} stores objects in the accounts of its users (swift_store_multi_tenant): name \
         the user with --token-file FILE, or with --from-environment and the OS_* variables",
        store.id()
    ))
}
