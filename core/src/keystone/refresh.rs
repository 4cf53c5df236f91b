//! How a session keeps its token: [`Refresher`](crate::refresh::Refresher) of what a [`TokenSource`] gives.

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

/// How a session keeps its token.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// A token that lives less than this is renewed before the next exchange. While more than half of
    /// its life is left it never is: an interval that is longer than that half gives way, and a
    /// [notice](crate::contract::Notice::ShortLived) says so.
    pub expire_soon_interval: Duration,
    /// Before that interval: how long one caller renews while the others go on with the old token.
    pub soft_margin: Duration,
    /// How long a denied renewal is remembered, so that a wrong password is not tried for every
    /// request.
    pub denied_for: Duration,
    /// How often and how soon a renewal is tried again that failed on the way. `None`: as the
    /// [configuration](crate::swift::Config::retry_policy) of the service says whose request asks for it.
    pub retry_policy: Option<RetryPolicy>,
    /// Whether there is ever a second token. Without, the first is used until it is refused.
    pub renews: bool,
    /// Decides the jitter of delays.
    pub seed: u64,
}

impl Default for SessionOptions {
    /// 60 s of interval, no margin, denials remembered for 5 s, attempts as for the requests.
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

/// Keeps one token.
pub(super) type Refresher = refresh::Refresher<Box<dyn TokenSource>>;

/// A token, and the header that it goes into.
pub(crate) struct Kept {
    pub(crate) token: Token,
    pub(crate) header: HeaderValue,
}

impl Kept {
    pub(super) fn new(token: Token) -> Result<Self, Error> {
        let mut header = header_value(&AUTH_TOKEN, token.secret().expose())
            .map_err(|_| Error::broken("the token can't stand in a header"))?;
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
