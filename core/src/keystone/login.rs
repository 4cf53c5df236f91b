//! Tokens from Keystone and from Swift's v1 authentication.

use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::http::{Reply, Timeouts};
use crate::keystone::{
    discovery, error,
    identity::Identity,
    scope::Scope,
    source::{Sourced, TokenSource},
    token::Token,
    v1, v2, v3,
};
use crate::now::Now;

/// A source of tokens: requests them at an auth URL, for an identity and a scope.
///
/// For the Identity API v3, an auth URL that ends in `/v3` is used as it is; at any other, one
/// request asks for the versions. For the Identity API v2.0, `/v2.0` is appended where it is
/// missing. For v1, the URL is used as it is.
#[derive(Clone, Debug)]
pub struct Login {
    auth: BaseUrl,
    /// The auth URL with its version, once that is known.
    versioned: Option<BaseUrl>,
    /// `versioned`, or the auth URL with `/v3` appended while the version is not known.
    usual: BaseUrl,
    identity: Identity,
    scope: Scope,
    nocatalog: bool,
    timeouts: Timeouts,
    discovering: bool,
    /// The trust of the last request for a token.
    asked: Option<String>,
    /// The target of the last request, after the URL that it is relative to.
    target: String,
    /// How many redirects the present renewal has followed.
    redirects: usize,
}

impl Login {
    /// Creates a source that requests tokens at `auth_url`.
    ///
    /// # Errors
    ///
    /// `auth_url` is not a valid URL, or ends in a version that is not the identity's; the identity
    /// can't request this scope.
    pub fn new(auth_url: &str, identity: Identity, scope: Scope) -> Result<Self, Error> {
        let auth = BaseUrl::parse_as(auth_url, "auth_url")?;
        check(&identity, &scope)?;
        let versioned = versioned(&auth, &identity)?;
        let usual = versioned.clone().unwrap_or_else(|| discovery::usual(&auth));
        Ok(Self {
            auth,
            versioned,
            usual,
            identity,
            scope,
            nocatalog: false,
            timeouts: Timeouts::default(),
            discovering: false,
            asked: None,
            target: String::new(),
            redirects: 0,
        })
    }

    /// Requests tokens without the catalogue (Identity API v3), which an endpoint override does not
    /// need.
    #[must_use]
    pub fn without_catalogue(self) -> Self {
        Self { nocatalog: true, ..self }
    }

    /// Sets the timeouts of each request.
    #[must_use]
    pub fn with_timeouts(self, limits: Timeouts) -> Self {
        Self { timeouts: limits, ..self }
    }

    fn authenticate(&mut self, base: &BaseUrl) -> Result<Sourced, Error> {
        // Another trust may be put into the slot before the response arrives.
        let scope = match &self.scope {
            Scope::Trust(slot) => Scope::trust(slot.id().ok_or_else(no_trust)?),
            scope => scope.clone(),
        };
        if let Scope::Trust(slot) = &scope {
            self.asked = slot.id();
        }
        let mut draft = match &self.identity {
            Identity::V1 { user, key } => v1::draft(base, user, key)?,
            Identity::V2Password { user, password } => v2::draft(base, user, password, &scope)?,
            identity => v3::draft(base, identity, &scope, self.nocatalog)?,
        };
        draft.timeouts = self.timeouts;
        let target = draft.target().strip_prefix(base.path()).unwrap_or_default();
        let target = target.split('?').next().unwrap_or_default().trim_end_matches('/');
        self.target = target.to_owned();
        Ok(Sourced::Ask(draft))
    }

    /// Follows a redirect as keystoneauth does, with the same method and body, but to no other host:
    /// the request holds a password. Keystone is at the new place from then on.
    fn redirected(&mut self, reply: &Reply) -> Result<Sourced, Error> {
        let refusal = error::refusal(reply);
        let Some(location) = reply.header(&http::header::LOCATION) else { return Err(refusal) };
        let asked = match self.discovering {
            true => self.auth.clone(),
            false => self.identity_address().cloned().unwrap_or_else(|| self.auth.clone()),
        };
        let path = location.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let url = match path.starts_with('/') && !path.starts_with("//") {
            true => format!("{}{path}", asked.origin()),
            false => path.to_owned(),
        };
        let base = url.strip_suffix(&self.target).unwrap_or(&url);
        let is_same = |to: &BaseUrl| {
            let is_upgrade = to.is_tls() && !asked.is_tls();
            let has_port = to.port_or_default() == asked.port_or_default();
            to.host().eq_ignore_ascii_case(asked.host())
                && (is_upgrade || (to.is_tls() == asked.is_tls() && has_port))
        };
        let to = BaseUrl::parse_as(base, "the Location").ok().filter(is_same);
        let fits = url.ends_with(&self.target);
        let Some(to) = to.filter(|_| fits && self.redirects < MOST_REDIRECTS) else {
            return Err(refusal);
        };
        self.redirects += 1;
        if self.discovering {
            self.usual = discovery::usual(&to);
            self.auth = to;
            return self.discover();
        }
        self.usual = to.clone();
        self.versioned = Some(to.clone());
        self.authenticate(&to)
    }

    fn discover(&mut self) -> Result<Sourced, Error> {
        let mut draft = discovery::draft(&self.auth)?;
        draft.timeouts = self.timeouts;
        self.target = String::new();
        self.discovering = true;
        Ok(Sourced::Ask(draft))
    }

    fn discovered(&mut self, base: BaseUrl) -> Result<Sourced, Error> {
        self.discovering = false;
        let next = self.authenticate(&base);
        self.versioned = Some(base);
        next
    }

    fn unfit(&self, token: &Token) -> Error {
        let asked = self.asked.as_deref().unwrap_or_default();
        let came = match trust(token) {
            Some(trust) => format!("a token by trust {trust:?}"),
            None => "a token without a trust".to_owned(),
        };
        Error::invalid_response(format!(
            "requested a token by trust {asked:?}, but Keystone issued {came}"
        ))
    }
}

impl TokenSource for Login {
    fn renew(&mut self, _: Now) -> Result<Sourced, Error> {
        // An empty slot is reported before the request for the versions.
        if let Scope::Trust(slot) = &self.scope
            && slot.id().is_none()
        {
            return Err(no_trust());
        }
        self.discovering = false;
        self.redirects = 0;
        if let Some(base) = self.versioned.clone() {
            return self.authenticate(&base);
        }
        self.discover()
    }

    fn answered(&mut self, reply: &Reply) -> Result<Sourced, Error> {
        if matches!(reply.status().as_u16(), 301 | 302 | 303 | 305 | 307 | 308) {
            return self.redirected(reply);
        }
        if self.discovering {
            return self.discovered(discovery::v3(&self.auth, reply)?);
        }
        let token = match &self.identity {
            Identity::V1 { .. } => v1::token(reply)?,
            Identity::V2Password { .. } => v2::token(reply)?,
            _ => v3::token(reply)?,
        };
        if let Scope::Trust(slot) = &self.scope {
            if trust(&token) != self.asked.as_deref() {
                return Err(error::named(self.unfit(&token).with_status(reply.status()), reply));
            }
            if slot.id() != self.asked
                && let Some(base) = self.versioned.clone()
            {
                return self.authenticate(&base);
            }
        }
        Ok(Sourced::Token(Box::new(token)))
    }

    fn fits(&self, token: &Token) -> bool {
        match &self.scope {
            Scope::Trust(slot) => {
                trust(token).is_some_and(|trust| Some(trust) == slot.id().as_deref())
            }
            _ => true,
        }
    }

    fn identity_address(&self) -> Option<&BaseUrl> {
        self.versioned.as_ref().or(Some(&self.usual))
    }
}

/// As in keystoneauth.
const MOST_REDIRECTS: usize = 30;

/// Returns the id of the trust that a token was issued for.
fn trust(token: &Token) -> Option<&str> {
    token.facts().trust.as_ref().map(|trust| trust.id.as_str())
}

fn no_trust() -> Error {
    Error::auth("can't request a token by trust: the trust has not been created")
}

/// Refuses a scope that the identity can't request.
fn check(identity: &Identity, scope: &Scope) -> Result<(), Error> {
    if identity.is_application_credential() && !matches!(scope, Scope::Unstated) {
        let what = match scope {
            Scope::Trust(_) => {
                "an application credential can't be used with a trust: its scope is always its own \
                 project"
            }
            _ => {
                "an application credential can't be used with a scope: its scope is the project in \
                 which it was created"
            }
        };
        return Err(Error::invalid_input(what));
    }
    match (identity, scope) {
        (Identity::V1 { .. }, Scope::Unstated) => Ok(()),
        (Identity::V1 { .. }, _) => {
            Err(Error::invalid_input("v1 authentication does not support a scope"))
        }
        (Identity::V2Password { .. }, Scope::Unstated | Scope::Project(_)) => Ok(()),
        (Identity::V2Password { .. }, _) => Err(Error::invalid_input(
            "the Identity API v2.0 supports no scope other than a project",
        )),
        _ => Ok(()),
    }
}

/// Returns the auth URL with its version, where that is known without a request.
fn versioned(auth: &BaseUrl, identity: &Identity) -> Result<Option<BaseUrl>, Error> {
    let last = auth.path().rsplit('/').next().unwrap_or_default();
    let (v2, v3) = (last == "v2.0", last == "v3");
    let clash = |api: &str| {
        Error::invalid_input(format!("auth_url ends in /{last}, but the identity is one of {api}"))
    };
    match identity {
        Identity::V1 { .. } => Ok(Some(auth.clone())),
        Identity::V2Password { .. } if v3 => Err(clash("the Identity API v2.0")),
        Identity::V2Password { .. } if v2 => Ok(Some(auth.clone())),
        Identity::V2Password { .. } => Ok(Some(auth.with_path(&format!("{}/v2.0", auth.path())))),
        _ if v2 => Err(clash("the Identity API v3")),
        _ if v3 => Ok(Some(auth.clone())),
        _ => Ok(None),
    }
}
