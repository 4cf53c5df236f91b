//! Renewal of a session's token: a [`Refresher`](crate::refresh::Refresher) over a [`TokenSource`].

use std::task::Waker;
use std::time::Duration;

use http::HeaderValue;

use crate::error::Error;
use crate::http::{Reply, header_value};
use crate::keystone::{
    error,
    source::{Sourced, TokenSource},
    token::{AUTH_TOKEN, Token},
};
use crate::now::Now;
use crate::refresh::{self, Expiring, RefreshTerms, RenewalSource, RenewalStep, Span};
use crate::retry::{RetryDecision, RetryPolicy};

/// Options for the renewal of a session's token.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// A token with less than this left is renewed before the next exchange. A token with more than
    /// half of its life left is never renewed: for a token with a short life the interval is
    /// shortened, and a [notice](crate::contract::Notice::ShortLived) says so.
    pub expire_soon_interval: Duration,
    /// How long before that interval one caller renews while the others still use the old token.
    pub soft_margin: Duration,
    /// How long a denied renewal is remembered, so that a wrong password is not tried again for
    /// every request.
    pub denied_for: Duration,
    /// How often and how soon a failed renewal is tried again. `None`: by the
    /// [policy](crate::swift::Config::retry_policy) of the service whose request needs the token.
    pub retry_policy: Option<RetryPolicy>,
    /// Whether the token is renewed. If not, the first token is used until it is refused.
    pub renews: bool,
    /// The seed for the jitter of delays.
    pub seed: u64,
}

impl Default for SessionOptions {
    /// An interval of 60 s, no margin, denials remembered for 5 s, the retry policy of the
    /// requests.
    fn default() -> Self {
        Self {
            expire_soon_interval: Duration::from_secs(60),
            soft_margin: Duration::ZERO,
            denied_for: Duration::from_secs(5),
            retry_policy: None,
            renews: true,
            seed: 0,
        }
    }
}

impl From<SessionOptions> for RefreshTerms {
    fn from(options: SessionOptions) -> Self {
        Self {
            interval: options.expire_soon_interval,
            soft_margin: options.soft_margin,
            denied_for: options.denied_for,
            retry_policy: options.retry_policy,
            renews: options.renews,
            seed: options.seed,
        }
    }
}

/// Obtains, renews and leases one token.
pub(super) type Refresher = refresh::Refresher<Box<dyn TokenSource>>;

/// A token and the header value that carries it.
pub(crate) struct Kept {
    pub(crate) token: Token,
    pub(crate) header: HeaderValue,
}

impl Kept {
    /// # Errors
    ///
    /// The token is empty, or has characters that a header can't hold. A server reads a request with
    /// an empty token as one without any, and responds with what anybody may see.
    pub(super) fn new(token: Token) -> Result<Self, Error> {
        let text = token.secret().expose();
        if text.trim().is_empty() {
            return Err(Error::invalid_response("the token is empty"));
        }
        let header = header_value(&AUTH_TOKEN, text).ok().filter(|_| text.is_ascii());
        let mut header = header.ok_or_else(|| {
            Error::invalid_response("the token has characters that are not allowed in a header")
        })?;
        header.set_sensitive(true);
        Ok(Self { token, header })
    }
}

impl Expiring for Kept {
    fn span(&self) -> Span {
        let facts = self.token.facts();
        Span { lifetime: facts.lifetime, issued: facts.issued_at, expires: facts.expires_at }
    }
}

impl RenewalSource for Box<dyn TokenSource> {
    type Item = Kept;
    const WHAT: &'static str = "token";
    const OBTAINED: &'static str = "a token";
    const SHOWS_PATH: bool = true;

    fn renew(&mut self, now: Now, _: &Waker) -> Result<RenewalStep<Kept>, Error> {
        supplied((**self).renew(now)?)
    }

    fn answered(&mut self, _: Now, reply: &Reply) -> Result<RenewalStep<Kept>, Error> {
        let step = (**self).answered(reply).and_then(supplied);
        step.map_err(|error| error.in_operation(OPERATION))
    }

    fn failed(&mut self, _: Now, error: Error) -> Result<RenewalStep<Kept>, Error> {
        let step = (**self).failed(error).and_then(supplied);
        step.map_err(|error| error.in_operation(OPERATION))
    }

    fn fits(&self, kept: &Kept) -> bool {
        (**self).fits(&kept.token)
    }

    fn decision(&self, error: &Error) -> RetryDecision {
        error::judge_status(error)
    }
}

fn supplied(step: Sourced) -> Result<RenewalStep<Kept>, Error> {
    Ok(match step {
        Sourced::Ask(draft) => RenewalStep::Ask(draft),
        Sourced::Token(token) => RenewalStep::Item(Box::new(Kept::new(*token)?)),
    })
}

const OPERATION: &str = "Authenticate";
