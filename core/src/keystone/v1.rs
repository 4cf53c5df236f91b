//! Swift's own authentication: a `GET` of the auth URL, and headers. "Authentication (v1)" of
//! Swift's documentation; Ceph's gateway has it too.

use std::time::Duration;

use http::Method;
use http::header::HeaderName;

use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::http::{Draft, Incoming, Reply, header_value};
use crate::keystone::{
    error,
    token::{AUTH_TOKEN, Token, TokenFacts},
};
use crate::secret::Secret;

/// Returns the request for a token. The key's header is marked as sensitive, so that no log shows
/// it.
pub(super) fn draft(base: &BaseUrl, user: &str, key: &Secret) -> Result<Box<Draft>, Error> {
    let mut draft = Draft::new("Authenticate", Method::GET, base.join("/")?);
    draft.header(USER, user)?;
    let mut key = header_value(&KEY, key.expose())?;
    key.set_sensitive(true);
    draft.head.headers.insert(KEY, key);
    draft.incoming = Incoming::Collect { limit: LONGEST };
    Ok(draft)
}

/// Reads the token of a response: `X-Storage-Url`, `X-Storage-Token` or `X-Auth-Token`, and, where
/// present, its life in seconds in `X-Auth-Token-Expires`.
pub(super) fn token(reply: &Reply) -> Result<Token, Error> {
    error::success(reply)?;
    let broken = |what: String| Err(Error::invalid_response(what).with_status(reply.status()));
    let header = |name| -> Result<Option<&str>, Error> {
        let text = error::header(reply, &name)?;
        Ok(text.map(str::trim).filter(|text| !text.is_empty()))
    };
    let Some(storage_url) = header(STORAGE_URL)? else {
        return broken("the v1 authentication response has no X-Storage-Url".into());
    };
    let Some(secret) = header(STORAGE_TOKEN)?.or(header(AUTH_TOKEN)?) else {
        return broken("the v1 authentication response has no X-Auth-Token".into());
    };
    let lifetime = match header(EXPIRES)?.map(str::parse) {
        None => None,
        Some(Ok(seconds)) => Some(Duration::from_secs(seconds)),
        Some(Err(_)) => {
            return broken(
                "X-Auth-Token-Expires of the v1 authentication response is not a number of seconds"
                    .into(),
            );
        }
    };
    let storage_url = Some(storage_url.to_owned());
    let methods = vec!["v1".to_owned()];
    let facts = TokenFacts { lifetime, storage_url, methods, ..TokenFacts::default() };
    Ok(Token::new(Secret::new(secret), facts))
}

const USER: HeaderName = HeaderName::from_static("x-auth-user");
const KEY: HeaderName = HeaderName::from_static("x-auth-key");
const STORAGE_URL: HeaderName = HeaderName::from_static("x-storage-url");
const STORAGE_TOKEN: HeaderName = HeaderName::from_static("x-storage-token");
const EXPIRES: HeaderName = HeaderName::from_static("x-auth-token-expires");
/// In bytes. Some servers send a short text as the body.
const LONGEST: usize = 64 << 10;
