//! The authenticator for Keystone: one token for all machines that use the session.

use std::time::Duration;
use std::{fmt, iter};

use http::StatusCode;
use http::header::{HOST, HeaderName, HeaderValue};

use crate::base_url::BaseUrl;
use crate::contract::{
    AuthOutcome, Authenticator, Lease, LeaseGeneration, LeaseRequest, Notice, PresignKey,
};
use crate::error::Error;
use crate::http::{Completion, Draft, Exchange, Sealing, UrlRoot};
use crate::keystone::{
    cached::CachedToken,
    discovery,
    endpoint_filter::EndpointFilter,
    identity::{Identity, User},
    login::Login,
    refresh::{Kept, Refresher, SessionOptions},
    scope::Scope,
    source::TokenSource,
    token::{AUTH_TOKEN, Token, TokenFacts},
};
use crate::now::{Now, Timestamp};
use crate::secret::Secret;
use crate::sign::Presigned;
use crate::swift::{Digest, TempUrl};
use crate::waiters::Positions;

/// An authenticator that adds a token to requests, and renews the token in time.
///
/// Before each exchange the session checks whether the token is valid for it; if not, one caller
/// renews it and the others wait. The token's remaining life is measured by the server's clock from
/// the request for it, so neither a difference of the clocks nor a jump of the local clock matters.
/// A 401 renews a token once, however many requests got the 401 with it, and those requests are
/// sent again.
///
/// ```
/// use apus_core::keystone::{Domain, Identity, Login, Scope, Session, SessionOptions, User};
/// use apus_core::machine::Auth;
///
/// # fn main() -> Result<(), apus_core::Error> {
/// let user = User::named("glance", Domain::default_id());
/// let scope = Scope::project_named("service", Domain::default_id());
/// let login =
///     Login::new("http://127.0.0.1:5000/v3", Identity::password(user, "PASSWORD"), scope)?;
/// let auth = Auth::new(Session::new(login, SessionOptions::default()));
/// # Ok(())
/// # }
/// ```
pub struct Session {
    user: Refresher,
    service: Option<Refresher>,
    endpoint: EndpointFilter,
    /// Keystone's URL, for a session whose tokens come from elsewhere.
    identity: Option<BaseUrl>,
    /// The key of temporary URLs, if the caller gave one.
    temp_url_key: Option<PresignKey>,
    /// The storage URL by the token of this generation.
    storage: Option<(u64, Result<BaseUrl, Error>)>,
}

/// The token of a service that acts for users, sent in `X-Service-Token` beside the user's token. A
/// server that accepts it also accepts a user's token that has expired, for 48 hours unless
/// Keystone's `allow_expired_window` says otherwise.
pub struct ServiceToken(Refresher);

impl ServiceToken {
    /// Creates a service token that is obtained and renewed from this source.
    pub fn new(source: impl TokenSource + 'static, options: SessionOptions) -> Self {
        Self(Refresher::new(Some(Box::new(source)), options.into()))
    }
}

impl Session {
    /// Creates a session that obtains tokens from this source, usually a
    /// [`Login`](crate::keystone::Login).
    pub fn new(source: impl TokenSource + 'static, options: SessionOptions) -> Self {
        Self::of(Refresher::new(Some(Box::new(source)), options.into()))
    }

    /// Creates a session that logs in at `auth_url` with a user's password.
    ///
    /// ```
    /// use apus_core::keystone::{Domain, Scope, Session, User};
    ///
    /// let user = User::named("glance", Domain::default_id());
    /// let scope = Scope::project_named("service", Domain::default_id());
    /// let session = Session::password("http://127.0.0.1:5000/v3", user, "PASSWORD", scope)?;
    /// # Ok::<(), apus_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `auth_url` is not a valid URL.
    pub fn password(
        auth_url: &str,
        user: User,
        password: impl Into<Secret>,
        scope: Scope,
    ) -> Result<Self, Error> {
        let login = Login::new(auth_url, Identity::password(user, password), scope)?;
        Ok(Self::new(login, SessionOptions::default()))
    }

    /// Creates a session with this one token, which is never renewed. After the server has refused
    /// it, every request is denied without being sent.
    ///
    /// # Errors
    ///
    /// The token is empty, or has characters that a header can't hold.
    pub fn fixed(token: Token) -> Result<Self, Error> {
        let mut refresher = Refresher::new(None, SessionOptions::default().into());
        refresher.adopt(Kept::new(token)?, 0);
        Ok(Self::of(refresher))
    }

    /// Creates a session with a token from elsewhere, for this storage URL.
    ///
    /// # Errors
    ///
    /// As [`fixed`](Self::fixed).
    pub fn fixed_at(
        storage_url: impl Into<String>,
        token: impl Into<Secret>,
    ) -> Result<Self, Error> {
        let facts = TokenFacts { storage_url: Some(storage_url.into()), ..TokenFacts::default() };
        Self::fixed(Token::new(token, facts))
    }

    fn of(user: Refresher) -> Self {
        let endpoint = EndpointFilter::default();
        Self { user, service: None, endpoint, identity: None, temp_url_key: None, storage: None }
    }

    /// Uses this endpoint of the catalogue, or its override.
    #[must_use]
    pub fn with_endpoint(self, endpoint: EndpointFilter) -> Self {
        Self { endpoint, storage: None, ..self }
    }

    /// Sets Keystone's URL; `/v3` is appended where it is missing. For operations of Keystone in a
    /// session whose token came from elsewhere.
    ///
    /// # Errors
    ///
    /// `auth_url` is not a valid http or https URL.
    pub fn with_auth_url(self, auth_url: &str) -> Result<Self, Error> {
        let address = BaseUrl::parse_as(auth_url, "auth_url")?;
        let versioned = address.path().ends_with("/v3");
        let address = if versioned { address } else { discovery::usual(&address) };
        Ok(Self { identity: Some(address), ..self })
    }

    /// Sends a service's token beside the user's.
    #[must_use]
    pub fn with_service_token(self, service: ServiceToken) -> Self {
        Self { service: Some(service.0), ..self }
    }

    /// Starts with a token that another session [exported](Self::export).
    ///
    /// # Errors
    ///
    /// The token is empty, or has characters that a header can't hold.
    pub fn with_cached(mut self, cached: CachedToken) -> Result<Self, Error> {
        self.user.adopt(Kept::new(cached.token)?, cached.offset);
        Ok(self)
    }

    /// Signs temporary URLs with this key, instead of reading the key of the container or the
    /// account from the server.
    #[must_use]
    pub fn with_temp_url_key(self, key: PresignKey) -> Self {
        Self { temp_url_key: Some(key), ..self }
    }

    /// Returns the facts about the token; `None` before there is one.
    pub fn facts(&self) -> Option<&TokenFacts> {
        token(&self.user).map(Token::facts)
    }

    /// Returns how long the token is still valid, by the server's clock; `None` where that is not
    /// known, or before there is a token.
    pub fn remaining(&self, now: Now) -> Option<Duration> {
        self.user.remaining(now)
    }

    /// Returns the token for use in another process or after a restart; `None` before there is one.
    pub fn export(&self, now: Now) -> Option<CachedToken> {
        let token = token(&self.user)?;
        let local = Timestamp::from_duration(now.unix).unix();
        let left = self.user.remaining(now).map(|left| i64::try_from(left.as_secs()));
        let left = left.and_then(Result::ok);
        let mut facts = token.facts().clone();
        let offset = match (facts.expires_at, left) {
            (Some(expires), Some(left)) => {
                expires.unix().saturating_sub(left).saturating_sub(local)
            }
            (None, Some(left)) => {
                facts.expires_at = Some(Timestamp::from_unix(local.saturating_add(left)));
                facts.lifetime = None;
                0
            }
            _ => 0,
        };
        Some(CachedToken { token: Token::new(token.secret().clone(), facts), offset })
    }

    fn tokens(&mut self) -> impl Iterator<Item = &mut Refresher> {
        iter::once(&mut self.user).chain(&mut self.service)
    }

    fn generation(&self) -> u64 {
        joined(self.user.generation(), self.service.as_ref().map_or(0, Refresher::generation))
    }

    /// Returns the storage URL of the token.
    ///
    /// # Errors
    ///
    /// There is no token yet; the endpoint can't be [resolved](EndpointFilter::resolve_beside).
    pub fn storage_url(&mut self) -> Result<BaseUrl, Error> {
        self.storage().cloned()
    }

    /// Returns the storage URL, which is resolved once for each token.
    fn storage(&mut self) -> Result<&BaseUrl, Error> {
        let generation = self.user.generation();
        let known = self.storage.take().filter(|(of, _)| *of == generation);
        let known = known.unwrap_or_else(|| (generation, self.resolved()));
        let (_, address) = self.storage.insert(known);
        address.as_ref().map_err(|error| error.clone())
    }

    fn resolved(&self) -> Result<BaseUrl, Error> {
        let facts = token(&self.user).map(Token::facts);
        let source = self.user.source().and_then(|source| source.identity_address());
        let keystone = self.identity.as_ref().or(source);
        let facts = facts.ok_or_else(|| Error::auth("no token has been obtained yet"))?;
        self.endpoint.resolve_beside(facts, keystone)
    }

    fn address(&mut self, place: UrlRoot) -> Result<BaseUrl, Error> {
        match place {
            UrlRoot::Storage => self.storage().cloned(),
            UrlRoot::StorageHost => self.storage().map(BaseUrl::unversioned),
            UrlRoot::Identity => {
                let source = self.user.source().and_then(|source| source.identity_address());
                self.identity.as_ref().or(source).cloned().ok_or_else(|| {
                    Error::auth(
                        "the URL of Keystone is unknown: the session was created from a fixed \
                         token alone",
                    )
                })
            }
        }
    }
}

impl Authenticator for Session {
    fn lease(&mut self, now: Now, request: &mut LeaseRequest<'_>) -> Lease {
        let Some(service) = &mut self.service else { return self.user.lease(now, request) };
        let (mut first, mut second) = match *request.stale {
            Some(stale) => (Some(stale & LOW), Some(stale >> 32)),
            None => (None, None),
        };
        let mut behind = Positions { own: request.places.service.take(), service: None };
        let LeaseRequest { waker, retry_policy, .. } = *request;
        let mut part =
            LeaseRequest { waker, stale: &mut first, places: request.places, retry_policy };
        let mut lease = self.user.lease(now, &mut part);
        if let Lease::Granted(_) = lease {
            let mut part =
                LeaseRequest { waker, stale: &mut second, places: &mut behind, retry_policy };
            lease = service.lease(now, &mut part);
            if let Lease::Renew(draft) = &mut lease {
                draft.operation = SERVICE;
            }
        } else if let Some(place) = behind.own.take() {
            // A caller waits for one of the two tokens at a time.
            service.leave(place);
        }
        request.places.service = behind.own;
        if first.is_some() || second.is_some() {
            let user = first.unwrap_or(self.user.rounds());
            *request.stale = Some(joined(user, second.unwrap_or(service.rounds())));
        }
        match lease {
            Lease::Granted(_) => Lease::Granted(LeaseGeneration { generation: self.generation() }),
            other => other,
        }
    }

    fn seal(
        &mut self,
        grant: LeaseGeneration,
        mut draft: Box<Draft>,
        now: Now,
    ) -> Result<Exchange, Error> {
        let (place, subject) = match &draft.sealing {
            Sealing::Open | Sealing::GrantOnly => {
                return Ok(Exchange::open(draft, now, grant.generation));
            }
            Sealing::SigV4 { .. } => {
                return Err(Error::invalid_input(
                    "the request requires a SigV4 signature, but the credentials are a Keystone \
                     token",
                ));
            }
            Sealing::Token(place) => (*place, false),
            Sealing::TokenAsSubject => (UrlRoot::Identity, true),
        };
        if draft.head.uri.scheme().is_none() {
            draft.head.uri = self.address(place)?.join(draft.target())?;
        }
        let token =
            header(&self.user).ok_or_else(|| Error::auth("no token has been obtained yet"))?;
        let headers = &mut draft.head.headers;
        headers.insert(AUTH_TOKEN, token.clone());
        if subject {
            headers.insert(super::v3::SUBJECT_TOKEN, token.clone());
        }
        if let Some(token) = self.service.as_ref().and_then(header) {
            headers.insert(SERVICE_TOKEN, token.clone());
        }
        Ok(Exchange::open(draft, now, grant.generation))
    }

    fn presign(
        &self,
        draft: Box<Draft>,
        key: Option<&PresignKey>,
        expires: Duration,
        now: Now,
    ) -> Result<Presigned, Error> {
        let Some(PresignKey { secret, algorithm }) = self.temp_url_key.as_ref().or(key) else {
            return Err(Error::invalid_input("there is no key for temporary URLs"));
        };
        let digest = Digest::of(*algorithm).ok_or_else(|| {
            Error::invalid_input(format!("temporary URLs can't be signed with {algorithm}"))
        })?;
        let until = now.unix.checked_add(expires).filter(|_| expires.as_secs() > 0);
        let until = until.map(Timestamp::from_duration).ok_or_else(|| {
            Error::invalid_input(format!(
                "a temporary URL can't be valid for {} seconds",
                expires.as_secs()
            ))
        })?;
        let storage = self.resolved()?;
        let path = format!("{}{}", storage.path().trim_end_matches('/'), TempUrl::path_of(&draft)?);
        let url = TempUrl { digest, ..TempUrl::new(draft.head.method.clone(), path, until) };
        let url = storage.origin().join(&url.sign(secret)?)?.to_string();
        let mut headers = draft.head.headers;
        headers.remove(HOST);
        Ok(Presigned { url, headers })
    }

    fn needs_presign_key(&self) -> bool {
        self.temp_url_key.is_none()
    }

    /// A 401, which may be in the body of a success, is about the token that the exchange was
    /// sealed with. If there is a newer token, the request is sent again with it; if not, the token
    /// is renewed. A second 401, of a request that was sent again with a new token, says nothing
    /// about a token that the server has accepted for another request.
    ///
    /// Ceph's gateway says 403 where a token has expired: so does a 403 count while the token has
    /// expired, or is about to by the server's clock.
    fn judge(&mut self, now: Now, done: &Completion) -> AuthOutcome {
        let Ok(reply) = done.outcome() else { return AuthOutcome::Accepted };
        if !matches!(done.draft().sealing, Sealing::Token(_) | Sealing::TokenAsSubject) {
            return AuthOutcome::Accepted;
        }
        let present = done.generation() == self.generation();
        if present {
            self.user.learn(done, reply);
        }
        let is_over = || self.user.remaining(now).is_some_and(|left| left <= ABOUT_TO_EXPIRE);
        let refused = reply.status() == StatusCode::UNAUTHORIZED
            || (reply.status() == StatusCode::FORBIDDEN && (!present || is_over()))
            || done.draft().tells_refusal.is_some_and(|tells| tells(reply));
        if !refused {
            if present {
                self.tokens().for_each(|token| token.answered(reply.status()));
            }
            return AuthOutcome::Accepted;
        }
        if !present {
            return AuthOutcome::Refused;
        }
        if done.draft().replayed {
            self.tokens().for_each(|token| token.refuse_again(now));
            return AuthOutcome::Accepted;
        }
        let renewable = self.tokens().fold(false, |renewable, token| token.refuse(now) | renewable);
        if renewable { AuthOutcome::Refused } else { AuthOutcome::Accepted }
    }

    fn renewed(&mut self, now: Now, done: Completion) {
        let Some(service) = &mut self.service else { return self.user.renewed(now, done) };
        if done.outcome().is_err_and(Error::is_cancelled) {
            // A cancelled completion may not say which of the two renewals it ends.
            self.user.given_up();
            service.given_up();
        } else if done.draft().operation == SERVICE {
            service.renewed(now, done);
        } else {
            self.user.renewed(now, done);
        }
    }

    fn notice(&mut self) -> Option<Notice> {
        let service = self.service.as_mut();
        self.user.notice().or_else(|| service.and_then(Refresher::notice))
    }

    fn leave(&mut self, places: Positions) {
        if let Some(place) = places.own {
            self.user.leave(place);
        }
        if let (Some(service), Some(place)) = (&mut self.service, places.service) {
            service.leave(place);
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("user", &self.user)
            .field("service", &self.service)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ServiceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceToken(..)")
    }
}

fn token(refresher: &Refresher) -> Option<&Token> {
    refresher.item().map(|kept| &kept.token)
}

fn header(refresher: &Refresher) -> Option<&HeaderValue> {
    refresher.item().map(|kept| &kept.header)
}

/// Combines the generations or rounds of two tokens into one number, which grows with either.
fn joined(user: u64, service: u64) -> u64 {
    service << 32 | user & LOW
}

const SERVICE_TOKEN: HeaderName = HeaderName::from_static("x-service-token");
/// The operation of a service token's renewal: its completion is recognized by this name.
const SERVICE: &str = "AuthenticateService";
/// A token with less time left may have expired by the server's clock.
const ABOUT_TO_EXPIRE: Duration = Duration::from_secs(10);
const LOW: u64 = u32::MAX as u64;
