//! Keys of IAM Identity Center for the token of a login, and the renewal of that token.
//!
//! ```text
//!  the cached token ─ soon expired, and renewable ─▶ CreateToken ─▶ the new token, written back ─┐
//!        └────────────── valid ──────────────────────────────────────────────────────────────────┴─▶
//!                                                                                  GetRoleCredentials
//! ```
//!
//! "SSO credential provider" and "SSO token provider" of the AWS SDKs and tools reference guide, and
//! the "IAM Identity Center OIDC API Reference". As in botocore, a token is renewed when it is valid
//! for less than 15 more minutes, and used until it expires if its renewal fails.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::document::{Document, Names, bound, success};
use super::metadata::sensitive;
use super::renewal::ExpiringKeys;
use super::source::Sso;
use crate::error::Error;
use crate::escape;
use crate::http::{Body, Draft, Reply};
use crate::now::{Now, Timestamp};
use crate::secret::Secret;

/// The cached token of a login.
#[derive(Clone)]
pub(super) struct Token {
    /// The whole document, with members that are kept as they are.
    value: Value,
    access: Secret,
    expires: Option<Timestamp>,
}

impl Token {
    /// Reads the file of a token.
    pub(super) fn read(file: &Secret) -> Result<Self, Error> {
        let document = Document::parse(file.expose().as_bytes(), "the cached SSO token")?;
        let access = Secret::from(document.required("accessToken")?);
        let expires = document.date("expiresAt")?;
        Ok(Self { value: document.into_value(), access, expires })
    }

    /// Returns the one of two tokens that expires later. The file may be older than a renewal that
    /// could not be written, or newer than ours after a login.
    pub(super) fn later(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if other.expires > self.expires => other,
            _ => self,
        }
    }

    /// Returns whether the token is valid for at least this much longer.
    pub(super) fn lasts(&self, now: Now, left: Duration) -> bool {
        let until = Timestamp::from_duration(now.unix.saturating_add(left));
        self.expires.is_none_or(|expires| expires > until)
    }

    /// Returns the request for another token, and `None` if the login can't be renewed.
    pub(super) fn renewal(&self, sso: &Sso, now: Now) -> Result<Option<Box<Draft>>, Error> {
        let text = |name: &str| self.value.get(name)?.as_str().filter(|text| !text.is_empty());
        let registered = text("registrationExpiresAt").and_then(Timestamp::parse_iso8601);
        let (Some(id), Some(secret), Some(refresh), Some(oidc)) =
            (text("clientId"), text("clientSecret"), text("refreshToken"), &sso.oidc)
        else {
            return Ok(None);
        };
        if registered.is_none_or(|expires| expires <= Timestamp::from_duration(now.unix)) {
            return Ok(None);
        }
        let body = json!({
            "clientId": id,
            "clientSecret": secret,
            "grantType": "refresh_token",
            "refreshToken": refresh,
        });
        let mut draft = Draft::new(CREATE_TOKEN, Method::POST, oidc.join("/token")?);
        draft.header(CONTENT_TYPE, "application/json")?;
        draft.body = Body::Bytes(Bytes::from(body.to_string()));
        bound(&mut draft);
        Ok(Some(draft))
    }

    /// Reads the response to [`renewal`](Self::renewal).
    pub(super) fn renewed(&self, reply: &Reply, now: Now) -> Result<Self, Error> {
        let document = Document::parse(success(reply)?, "the response of the SSO token endpoint")?;
        let access = document.required("accessToken")?;
        let life = document.number("expiresIn").and_then(|life| u64::try_from(life).ok());
        let life = Duration::from_secs(life.unwrap_or(0));
        let expires = Timestamp::from_duration(now.unix.saturating_add(life));
        let mut value = self.value.clone();
        value["accessToken"] = access.into();
        value["expiresAt"] = expires.iso8601().into();
        if let Some(refresh) = document.text("refreshToken") {
            value["refreshToken"] = refresh.into();
        }
        Ok(Self { value, access: Secret::from(access), expires: Some(expires) })
    }

    /// Returns the text of the file.
    pub(super) fn file(&self) -> Secret {
        Secret::from(self.value.to_string())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// The error for a login that has expired.
pub(super) fn expired() -> Error {
    Error::auth("the SSO login has expired").with_hint(LOGIN)
}

/// Requests "GetRoleCredentials" with this token.
pub(super) fn draft(sso: &Sso, token: &Token) -> Result<Box<Draft>, Error> {
    let (role, account) = (escape::query(&sso.role_name), escape::query(&sso.account_id));
    let target = format!("/federation/credentials?role_name={role}&account_id={account}");
    let mut draft = Draft::new(SSO, Method::GET, sso.portal.join(&target)?);
    sensitive(&mut draft, BEARER, token.access.expose())?;
    bound(&mut draft);
    Ok(draft)
}

/// Reads the response of the portal.
pub(super) fn keys(reply: &Reply) -> Result<ExpiringKeys, Error> {
    let body = success(reply).map_err(|error| match reply.status() {
        StatusCode::UNAUTHORIZED => error.with_hint(LOGIN),
        _ => error,
    })?;
    let document = Document::parse(body, "the response of the SSO portal")?;
    let document = document.member("roleCredentials")?;
    let expires = document.number("expiration").map(|millis| Timestamp::from_unix(millis / 1000));
    let names = Names {
        access_key: "accessKeyId",
        secret_key: "secretAccessKey",
        session_token: "sessionToken",
    };
    document.keys(&names, expires)
}

pub(super) const SSO: &str = "GetRoleCredentials";
pub(super) const CREATE_TOKEN: &str = "CreateToken";
pub(super) const LOGIN: &str = "log in again with `aws sso login`";

/// With less than this left, a token is renewed.
pub(super) const WINDOW: Duration = Duration::from_secs(900);

const BEARER: HeaderName = HeaderName::from_static("x-amz-sso_bearer_token");
