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

/// Which token a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Subject {
    /// The session's own.
    #[default]
    Own,
    /// Another one. Who asks needs a role for that.
    Other(Secret),
}

/// What a token is good for: whose it is, with which roles, until when. "Validate and show
/// information for token".
///
/// A token that was had by a trust is refused its own facts (403, seen on Keystone 30); so is
/// everybody but administrators and services those of another's. A token that is unknown or over is
/// 404.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValidateToken {
    /// Which token.
    pub subject: Subject,
    /// Leaves the catalogue out.
    pub nocatalog: bool,
    /// Takes a token that has expired not long ago; only services are told.
    pub allow_expired: bool,
}

/// The answer to [`ValidateToken`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidatedToken {
    /// What the token says of itself.
    pub facts: TokenFacts,
    /// The time by Keystone's clock.
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
            // A token that was revoked a moment ago may be let ask, and then not find itself (seen
            // on Keystone 30).
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

/// Ends a token before its time. "Revoke token". A token that is not known any more counts as ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevokeToken {
    /// Which token.
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

/// The reply, unless it is a refusal. The message of a 404 is left out: older Keystones put the
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
