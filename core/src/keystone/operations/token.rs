//! ValidateToken and RevokeToken.

use http::header::{DATE, HeaderName};
use http::{Method, StatusCode};

use super::draft;
use crate::contract::Operation;
use crate::error::Error;
use crate::http::{Draft, Reply, Sealing, header_value};
use crate::keystone::service::Service;
use crate::keystone::token::TokenFacts;
use crate::keystone::{error, v3};
use crate::now::Timestamp;
use crate::operation::facts;
use crate::retry::Idempotency;
use crate::secret::Secret;

/// The token that a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Subject {
    /// The session's own token.
    #[default]
    Own,
    /// Another token; the session's user needs a role that allows this.
    Other(Secret),
}

/// Validates a token and shows its user, its roles and when it expires. "Validate and show
/// information for token".
///
/// A token that was issued for a trust can't validate itself (403, seen on Keystone 30). Only
/// administrators and services can validate another's token. A token that is unknown or has expired
/// is a 404.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValidateToken {
    /// The token.
    pub subject: Subject,
    /// Leaves the catalogue out.
    pub nocatalog: bool,
    /// Accepts a token that has expired not long ago; for services only.
    pub allow_expired: bool,
}

/// The response to [`ValidateToken`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatedToken {
    /// What the token's document says.
    pub facts: TokenFacts,
    /// Keystone's time at the response.
    pub date: Option<Timestamp>,
}

impl Operation for ValidateToken {
    facts!(ValidateToken: Read -> ValidatedToken);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let target = match (self.nocatalog, self.allow_expired) {
            (false, false) => "/auth/tokens",
            (true, false) => "/auth/tokens?nocatalog",
            (false, true) => "/auth/tokens?allow_expired=1",
            (true, true) => "/auth/tokens?nocatalog&allow_expired=1",
        };
        let mut draft = draft(Self::NAME, Method::GET, target, service)?;
        if self.subject == Subject::Own {
            // Keystone may accept the request of a token that was just revoked, and then not find
            // that token (seen on Keystone 30).
            draft.tells_refusal = Some(|reply| reply.status() == StatusCode::NOT_FOUND);
        }
        about(&self.subject, draft)
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<ValidatedToken, Error> {
        accepted(reply)?;
        let date = reply.header(&DATE).and_then(Timestamp::parse_http);
        Ok(ValidatedToken { facts: v3::facts(reply)?, date })
    }
}

/// Revokes a token before it expires. "Revoke token". A token that is no longer known counts as
/// revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevokeToken {
    /// The token.
    pub subject: Subject,
}

impl Operation for RevokeToken {
    facts!(RevokeToken: Idempotent -> ());

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        about(&self.subject, draft(Self::NAME, Method::DELETE, "/auth/tokens", service)?)
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<(), Error> {
        match reply.status() {
            StatusCode::NOT_FOUND => Ok(()),
            _ => accepted(reply),
        }
    }
}

fn about(subject: &Subject, mut draft: Box<Draft>) -> Result<Box<Draft>, Error> {
    match subject {
        Subject::Own => draft.sealing = Sealing::TokenAsSubject,
        Subject::Other(token) => {
            let mut value = header_value(&SUBJECT, token.expose())?;
            value.set_sensitive(true);
            draft.head.headers.insert(SUBJECT, value);
        }
    }
    Ok(draft)
}

/// Checks that the response is a success. The message of a 404 is left out: older Keystones put the
/// token into it.
fn accepted(reply: &Reply) -> Result<(), Error> {
    match error::success(reply) {
        Err(error) if error.is_not_found() => {
            let code = error.code().map(str::to_owned);
            Err(error::named(Error::refused(reply.status(), code, None), reply))
        }
        other => other,
    }
}

const SUBJECT: HeaderName = v3::SUBJECT_TOKEN;
