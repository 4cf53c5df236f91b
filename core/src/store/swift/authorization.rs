//! The authenticators of a job.
//!
//! ```text
//!  single-tenant, or credentials in the location:
//!  auth 0   the reference, or the credentials in the location
//!
//!  multi-tenant:
//!  auth 0   the user: the token of the user's request, which cannot be renewed
//!  auth 1   the reference that users trust
//!  auth 2   the same by the trust of this user, made for this job and revoked after it
//! ```

use std::time::Duration;

use super::SwiftStore;
use crate::base_url::BaseUrl;
use crate::contract::Machine;
use crate::error::Error;
use crate::keystone::{
    EndpointFilter, Holder, Login, Role, Scope, Session, SessionOptions, Token, TokenFacts,
    TrustSlot,
};
use crate::location::{SwiftAt, SwiftCredentials, SwiftLocation, SwiftPlace};
use crate::machine::{Auth, Delegation, TrustScoped};
use crate::store::{
    config::{By, Reference, SwiftOptions},
    error::{StoreError, StoreErrorKind},
    image::TenantContext,
    job::Job,
    migration::Refusal,
    verb::Verb,
};

/// The authenticators of a job.
pub(super) struct Authorization {
    auths: Vec<Auth>,
    /// The delegation by a trust, or why there cannot be one. `None` if no trust is needed.
    delegation: Option<Result<Delegation, Error>>,
}

impl Authorization {
    pub(super) fn of_one(auth: Auth) -> Self {
        Self { auths: vec![auth], delegation: None }
    }

    /// Uses the credentials in a location, at the Keystone that it names.
    pub(super) fn of_location(
        store: &SwiftStore,
        location: &SwiftLocation,
        found: &SwiftCredentials,
    ) -> Result<Self, StoreError> {
        let mut options = SwiftOptions::clone(&store.options);
        let endpoint = options.swift_store_endpoint.as_deref().unwrap_or_default();
        // The configured account is not that of these credentials.
        if !endpoint.contains("%(") && !endpoint.contains("$(") {
            options.swift_store_endpoint = None;
        }
        let user = match &found.tenant {
            Some(project) => format!("{project}:{}", found.user),
            None => found.user.clone(),
        };
        // A location contains no domains.
        let default = store.references.get(&options.default_swift_reference);
        let reference = Reference {
            auth_address: location.url().unwrap_or_default(),
            user: Some(user),
            key: Some(found.key.clone()),
            application_credential_id: None,
            application_credential_secret: None,
            cloud: None,
            ..default.cloned().unwrap_or_default()
        };
        let session = session(&options, &reference);
        let session =
            session.map_err(|error| StoreError::of_kind(StoreErrorKind::BadStoreUri, error))?;
        Ok(Self::of_one(Auth::new(session)))
    }

    /// Uses the token of the requesting user. Returns the storage URL of the user too.
    ///
    /// With a `location`, requests go to the account that it names, which must be at the server of
    /// the user's storage URL: no token is sent to a host that only a location names.
    pub(super) fn of_user(
        store: &SwiftStore,
        context: Option<&TenantContext>,
        location: Option<&SwiftLocation>,
    ) -> Result<(Self, BaseUrl), StoreError> {
        let lacks = |error| StoreError::of_kind(StoreErrorKind::BadStoreConfiguration, error);
        let context = context.ok_or_else(|| {
            lacks(Error::invalid_input(
                "a multi-tenant store requires the user's token and account with each request",
            ))
        })?;
        let (facts, storage) = (facts(context), storage(store, context).map_err(lacks)?);
        let mut url = storage.to_string();
        if let Some((location, place)) = location.and_then(|it| Some((it, storage_of(it)?))) {
            if !SwiftPlace::storage(&storage).is_server_of(location.scheme(), place) {
                return Err(Refusal::Foreign { place: place.to_string() }.into());
            }
            url = location.url().unwrap_or(url);
        }
        let endpoint = EndpointFilter::at(url);
        let user = Session::fixed(Token::new(context.token.clone(), facts)).map_err(lacks)?;
        let mut user = user.with_endpoint(endpoint.clone());
        let trustee = &store.options.default_swift_reference;
        let delegation = match store.references.get(trustee) {
            _ if !store.options.swift_store_use_trusts => None,
            None => Some(Err(Error::auth(
                "default_swift_reference is not configured, so no trust can be created",
            ))),
            Some(reference) => {
                let address = reference.address().map_err(lacks)?.to_string();
                user = user.with_auth_url(&address).map_err(lacks)?;
                let slot = TrustSlot::empty();
                let scope = Scope::Trust(slot.clone());
                Some(login(&store.options, reference, scope).map(|login| (slot, login)))
            }
        };
        let mut auths = vec![Auth::new(user)];
        let delegation = delegation.map(|trusting| {
            let (slot, login) = trusting?;
            let login = login.without_catalogue();
            let by_trust = Session::new(login, renewal(&store.options)).with_endpoint(endpoint);
            auths.extend(store.auths.get(trustee).cloned());
            auths.push(Auth::new(by_trust));
            Ok(Delegation::new(slot))
        });
        Ok((Self { auths, delegation }, storage))
    }

    /// Uses no trust, for a job that ends before a token expires.
    pub(super) fn for_short(self) -> Self {
        Self { delegation: None, ..self }
    }

    /// Makes a job of a machine. `may_be_long`: the job may outlast a token.
    pub(super) fn job<M>(
        self,
        store: &SwiftStore,
        verb: Verb,
        machine: M,
        may_be_long: bool,
        seed: u64,
    ) -> Job<M::Output>
    where
        M: Machine + Send + 'static,
        M::Output: Send + 'static,
    {
        let Self { auths, delegation } = self;
        let machine = match delegation.filter(|_| may_be_long) {
            None => return Job::new(verb, &store.id, machine, auths),
            Some(Ok(delegation)) => {
                TrustScoped::new(machine, delegation, store.keystone.clone(), seed)
            }
            Some(Err(why)) => TrustScoped::refused(machine, why),
        };
        // Notices report what became of the trust.
        Job::new(verb, &store.id, machine, auths).map(|done| Ok(done?.output))
    }
}

/// Makes the session of a reference.
pub(super) fn session(options: &SwiftOptions, reference: &Reference) -> Result<Session, Error> {
    let endpoint = options.endpoint_by(reference);
    let session = match reference.cloud.as_ref().map(|cloud| &cloud.by) {
        Some(By::Token(token)) => {
            let url = endpoint.endpoint_override.clone().unwrap_or_default();
            Session::fixed_at(url, token.clone())?
        }
        _ => Session::new(login(options, reference, reference.scope())?, renewal(options)),
    };
    Ok(session.with_endpoint(endpoint))
}

/// Makes the session of a user, for the user's storage URL.
pub(super) fn session_of(store: &SwiftStore, context: &TenantContext) -> Result<Session, Error> {
    let endpoint = EndpointFilter::at(storage(store, context)?.to_string());
    let session = Session::fixed(Token::new(context.token.clone(), facts(context)))?;
    Ok(session.with_endpoint(endpoint))
}

fn login(options: &SwiftOptions, reference: &Reference, scope: Scope) -> Result<Login, Error> {
    let address = reference.address()?.to_string();
    let login = Login::new(&address, reference.identity()?, scope)?;
    Ok(login.with_timeouts(options.config().timeouts))
}

/// Returns the options of a session: token requests use the backend's retry policy.
fn renewal(options: &SwiftOptions) -> SessionOptions {
    SessionOptions {
        expire_soon_interval: Duration::from_secs(options.swift_store_expire_soon_interval),
        retry_policy: Some(options.config().retry_policy),
        ..SessionOptions::default()
    }
}

/// Returns the storage URL of a user: the configured one, or that of the user's catalogue.
pub(super) fn storage(store: &SwiftStore, context: &TenantContext) -> Result<BaseUrl, Error> {
    let options = &store.options;
    let reference = store.references.get(&options.default_swift_reference);
    let keystone = reference.map(|one| BaseUrl::parse_as(&one.auth_address, "auth_address"));
    let keystone = keystone.transpose()?;
    let endpoint = reference.map_or_else(|| options.endpoint(), |it| options.endpoint_by(it));
    let address = endpoint.resolve_beside(&facts(context), keystone.as_ref())?;
    BaseUrl::parse(&address.to_string())
}

/// Returns the facts about the token in the user's request.
fn facts(context: &TenantContext) -> TokenFacts {
    let holder =
        |id: &Option<String>| id.as_ref().map(|id| Holder { id: id.clone(), ..Holder::default() });
    let role = |name: &String| Role { name: name.clone(), ..Role::default() };
    TokenFacts {
        user: holder(&context.user_id),
        project: holder(&context.project_id),
        roles: context.roles.iter().map(role).collect(),
        catalogue: Some(context.catalogue.clone()),
        ..TokenFacts::default()
    }
}

fn storage_of(location: &SwiftLocation) -> Option<&crate::location::Place> {
    match location.at() {
        SwiftAt::Storage(place) => Some(place),
        SwiftAt::Auth(_) | SwiftAt::Reference(_) => None,
    }
}
