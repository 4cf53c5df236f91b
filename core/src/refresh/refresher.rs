//! One credential: whether it can be used for another exchange, and when it is renewed.

use std::collections::VecDeque;
use std::fmt;
use std::task::Waker;
use std::time::Duration;

use http::StatusCode;
#[cfg(feature = "swift")]
use http::header::AGE;

use super::life::Life;
#[cfg(feature = "swift")]
use super::life::date;
#[cfg(feature = "swift")]
use super::source::{Expiring, Span};
use super::source::{RenewalSource, RenewalStep, fitting};
use crate::contract::{Lease, LeaseGeneration, LeaseRequest, Notice};
use crate::error::Error;
use crate::http::Draft;
#[cfg(feature = "swift")]
use crate::http::{Completion, Reply};
use crate::now::{Now, Wait};
use crate::retry::{Attempts, RetryPolicy};
use crate::waiters::{Position, Waiters};

/// When a credential is renewed.
#[derive(Clone, Debug)]
pub(crate) struct RefreshTerms {
    /// With a shorter remaining lifetime, it is renewed before the next exchange.
    pub(crate) interval: Duration,
    /// The time before that interval in which one caller renews while the others continue.
    pub(crate) soft_margin: Duration,
    /// How long a denied renewal is remembered.
    pub(crate) denied_for: Duration,
    /// The retry policy of a renewal. `None`: the policy of the draft that needs it.
    pub(crate) retry_policy: Option<RetryPolicy>,
    /// Whether the credential can be renewed after the first one.
    pub(crate) renews: bool,
    /// Determines the jitter of delays.
    pub(crate) seed: u64,
}

/// Renews one credential before it expires, and grants leases of it.
pub(crate) struct Refresher<S: RenewalSource> {
    pub(super) source: Option<S>,
    pub(super) terms: RefreshTerms,
    pub(super) held: Option<Held<S::Item>>,
    pub(super) generation: u64,
    /// How many renewals have ended, with a credential or a denial.
    pub(super) rounds: u64,
    pub(super) renewal: Renewal,
    pub(super) attempts: Attempts,
    /// The policy of the present renewal.
    pub(super) retry_policy: RetryPolicy,
    /// Whether the counted attempts began when no usable credential was left.
    pub(super) no_usable_token: bool,
    /// The refusals that led to renewals.
    refusals: Refusals,
    waiting: Waiters,
    pub(super) notices: VecDeque<Notice>,
    pub(super) told_short: bool,
}

/// A credential that was obtained.
pub(super) struct Held<T> {
    pub(super) item: T,
    pub(super) life: Life,
    /// The lifetime at its arrival, if known.
    whole: Option<Duration>,
    /// Whether the server refused it.
    refused: bool,
    /// Whether the server accepted it.
    accepted: bool,
    /// Whether it expires at the same time as the one before: another one would not live longer.
    pub(super) last: bool,
}

#[derive(Default)]
pub(super) enum Renewal {
    #[default]
    Idle,
    Sent,
    Looking,
    /// The next request, and since when it is ready.
    Next(Box<Draft>, Duration),
    Backoff(Wait),
    Denied {
        error: Error,
        until: Duration,
    },
}

/// The first step of a renewal.
enum Begun {
    Ask(Box<Draft>),
    Looking,
    Had,
}

/// How the credential can be used at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fitness {
    Good,
    Soft,
    Soon,
    Dead,
}

/// How many renewals refusals have led to since a time.
#[derive(Debug, Default)]
struct Refusals {
    since: Duration,
    renewals: u32,
    /// The credential that was refused last.
    last: Option<u64>,
}

impl<S: RenewalSource> Refresher<S> {
    pub(crate) fn new(source: Option<S>, terms: RefreshTerms) -> Self {
        Self {
            source,
            attempts: Attempts::new(terms.seed),
            retry_policy: terms.retry_policy.clone().unwrap_or_default(),
            terms,
            held: None,
            generation: 0,
            rounds: 0,
            renewal: Renewal::Idle,
            no_usable_token: false,
            refusals: Refusals::default(),
            waiting: Waiters::new(),
            notices: VecDeque::new(),
            told_short: false,
        }
    }

    /// Takes a credential that was obtained elsewhere, and expires by a clock `offset` seconds
    /// ahead of ours.
    #[cfg(feature = "swift")]
    pub(crate) fn adopt(&mut self, item: S::Item, offset: i64) {
        let Span { lifetime, issued, expires } = item.span();
        let life = match expires {
            Some(expires) => Life::Unix { expires: expires.unix(), offset },
            None => Life::Unknown,
        };
        let seconds = issued.zip(expires).map(|(from, to)| to.unix().saturating_sub(from.unix()));
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        self.hold(item, life, lifetime.or(seconds.map(Duration::from_secs)));
    }

    pub(crate) fn item(&self) -> Option<&S::Item> {
        self.held.as_ref().map(|held| &held.item)
    }

    #[cfg(feature = "swift")]
    pub(crate) fn source(&self) -> Option<&S> {
        self.source.as_ref()
    }

    /// Returns the remaining lifetime; `None` if it is not known, or there is no credential.
    pub(crate) fn remaining(&self, now: Now) -> Option<Duration> {
        self.held.as_ref()?.life.remaining(now)
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns how many renewals have ended, with a credential or a denial.
    #[cfg(feature = "swift")]
    pub(crate) fn rounds(&self) -> u64 {
        self.rounds
    }

    pub(crate) fn notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    pub(crate) fn lease(&mut self, now: Now, request: &mut LeaseRequest<'_>) -> Lease {
        let lease = self.decide(now, request);
        if !matches!(lease, Lease::Wait(_))
            && let Some(place) = request.places.own.take()
        {
            self.waiting.leave(place);
        }
        lease
    }

    /// Removes the waiter at this place. It may have been woken to start a renewal that others wait
    /// for.
    pub(crate) fn leave(&mut self, place: Position) {
        self.waiting.leave(place);
        if !self.renewal.is_sent() {
            self.wake_one();
        }
    }

    pub(super) fn wake_one(&mut self) {
        if let Some(waker) = self.waiting.pop() {
            waker.wake();
        }
    }

    pub(super) fn wake_all(&mut self) {
        self.waiting.drain().into_iter().for_each(Waker::wake);
    }

    fn decide(&mut self, now: Now, request: &mut LeaseRequest<'_>) -> Lease {
        let waited = request.stale.map_or(0, |stale| self.rounds.saturating_sub(stale));
        let fitness = self.fitness(now, waited);
        let granted = Lease::Granted(LeaseGeneration { generation: self.generation });
        if fitness == Fitness::Good {
            return granted;
        }
        if !self.can_renew() {
            let what = format!(
                "the server refused the {}, and no source is configured to renew it",
                S::WHAT
            );
            return Lease::Denied(Error::auth(what).with_status(StatusCode::UNAUTHORIZED));
        }
        let lives = fitness != Fitness::Dead;
        if fitness != Fitness::Soft {
            request.stale.get_or_insert(self.rounds);
        }
        match &self.renewal {
            Renewal::Sent if fitness == Fitness::Soft => granted,
            Renewal::Sent => self.wait(request, None),
            Renewal::Backoff(wait) if now.tick < wait.until => {
                let wait = *wait;
                if lives { granted } else { self.wait(request, Some(wait)) }
            }
            Renewal::Denied { error, until } if now.tick < *until || waited > 0 => {
                if lives {
                    granted
                } else {
                    Lease::Denied(error.clone())
                }
            }
            _ => match self.begin(now, lives, request) {
                Ok(Begun::Ask(draft)) => Lease::Renew(draft),
                Ok(Begun::Had) => Lease::Granted(LeaseGeneration { generation: self.generation }),
                Ok(Begun::Looking) if fitness == Fitness::Soft => granted,
                Ok(Begun::Looking) => self.wait(request, None),
                Err(_) if lives => granted,
                Err(error) => Lease::Denied(error),
            },
        }
    }

    /// Records that a request with the credential had this status: a success and "not found" show
    /// that the server accepts the credential.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        if let Some(held) = &mut self.held {
            held.accepted |= status.is_success() || status == StatusCode::NOT_FOUND;
        }
    }

    /// Records that the server refused a request which was sent again with the credential. A server
    /// may refuse that request with any credential, so this counts only while the server has accepted
    /// the credential for no other request.
    pub(crate) fn refuse_again(&mut self, now: Now) {
        if self.held.as_ref().is_some_and(|held| !held.accepted) {
            self.refuse(now);
        }
    }

    /// Records that the server refused the credential. Returns true if another one can be obtained.
    ///
    /// After [`MOST_REFUSALS`] renewals because of refusals within [`REFUSALS_WITHIN`] there is no
    /// other: a server that refuses every credential would cost a renewal for each request.
    pub(crate) fn refuse(&mut self, now: Now) -> bool {
        let refusals = &mut self.refusals;
        if refusals.last != Some(self.generation) {
            if now.tick.saturating_sub(refusals.since) >= REFUSALS_WITHIN {
                *refusals = Refusals { since: now.tick, ..Refusals::default() };
            }
            if refusals.renewals == MOST_REFUSALS {
                return false;
            }
            refusals.renewals += 1;
            refusals.last = Some(self.generation);
        }
        if let Some(held) = &mut self.held {
            held.refused = true;
        }
        self.can_renew()
    }

    /// Computes the expiry of an adopted credential from the `Date` of a response to an exchange
    /// that used it.
    #[cfg(feature = "swift")]
    pub(crate) fn learn(&mut self, done: &Completion, reply: &Reply) {
        let Some(held) = &mut self.held else { return };
        if let Life::Unix { expires, .. } = held.life
            && !reply.head.headers.contains_key(AGE)
            && let Some(date) = date(reply)
        {
            let left = u64::try_from(expires.saturating_sub(date)).unwrap_or_default();
            let from = done.sealed_at().tick;
            held.life = Life::Tick(from.saturating_add(Duration::from_secs(left)));
        }
    }

    /// Records that the request in flight will get no response: the next caller may send one.
    #[cfg(feature = "swift")]
    pub(crate) fn given_up(&mut self) {
        if self.renewal.is_sent() {
            self.renewal = Renewal::Idle;
            self.wake_one();
        }
    }

    /// Returns how the credential can be used by a caller that has waited for `waited` renewals.
    pub(super) fn fitness(&self, now: Now, waited: u64) -> Fitness {
        let Some(held) = self.held.as_ref().filter(|held| self.is_usable(held)) else {
            return Fitness::Dead;
        };
        let Some(remaining) = held.life.remaining(now).filter(|_| self.can_renew()) else {
            return Fitness::Good;
        };
        let lives = !remaining.is_zero();
        let enough = lives || waited >= ENOUGH;
        let half = held.whole.map_or(Duration::MAX, |whole| whole / 2);
        let (soon, soft) = self.terms.margins(half);
        if waited > 0 && enough || held.last && lives {
            Fitness::Good
        } else if !lives {
            Fitness::Dead
        } else if remaining < soon {
            Fitness::Soon
        } else if remaining < soft {
            Fitness::Soft
        } else {
            Fitness::Good
        }
    }

    fn is_usable(&self, held: &Held<S::Item>) -> bool {
        let fits = self.source.as_ref().is_none_or(|source| source.fits(&held.item));
        !held.refused && fits
    }

    /// Whether a credential can be obtained, the first one included.
    fn can_renew(&self) -> bool {
        self.source.is_some() && (self.terms.renews || self.held.is_none())
    }

    fn wait(&mut self, request: &mut LeaseRequest<'_>, until: Option<Wait>) -> Lease {
        let place = request.places.own.filter(|place| self.waiting.renew(*place, request.waker));
        request.places.own = place.or_else(|| Some(self.waiting.join(request.waker)));
        Lease::Wait(until)
    }

    /// Starts or continues a renewal.
    fn begin(&mut self, now: Now, lives: bool, request: &LeaseRequest<'_>) -> Result<Begun, Error> {
        if !lives && !std::mem::replace(&mut self.no_usable_token, true)
            || matches!(self.renewal, Renewal::Denied { .. })
        {
            self.attempts.reset();
        }
        if let (None, Some(asked)) = (&self.terms.retry_policy, request.retry_policy) {
            self.retry_policy = asked.clone();
        }
        let renewal = std::mem::replace(&mut self.renewal, Renewal::Idle);
        if let Renewal::Next(draft, since) = renewal
            && now.tick.saturating_sub(since) < STALE
        {
            self.renewal = Renewal::Sent;
            return Ok(Begun::Ask(draft));
        }
        let source = self.source.as_mut();
        let step = match source {
            Some(source) => {
                let step = source.renew(now, request.waker);
                fitting(source, step)
            }
            None => Err(Error::auth(format!("no source of {} is configured", S::WHAT))),
        };
        match step {
            Ok(RenewalStep::Ask(draft)) => {
                self.attempts.sent();
                self.renewal = Renewal::Sent;
                Ok(Begun::Ask(draft))
            }
            Ok(RenewalStep::Pending) => {
                self.renewal = Renewal::Looking;
                Ok(Begun::Looking)
            }
            Ok(RenewalStep::Item(item)) => {
                self.gained(*item, now, now, None);
                Ok(Begun::Had)
            }
            Err(error) => {
                if !S::REMEMBERS {
                    self.wake_all();
                    return Err(error);
                }
                self.lost(now, error.clone());
                Err(error.without_credentials(S::OBTAINED))
            }
        }
    }

    pub(super) fn hold(&mut self, item: S::Item, life: Life, whole: Option<Duration>) {
        self.generation += 1;
        let (refused, accepted, last) = (false, false, false);
        self.held = Some(Held { item, life, whole, refused, accepted, last });
    }
}

impl RefreshTerms {
    /// For a lifetime of twice `half`: returns the remaining lifetime below which others wait for a
    /// renewal, and that below which one caller renews.
    fn margins(&self, half: Duration) -> (Duration, Duration) {
        if self.interval > half {
            return (half / 2, half);
        }
        (self.interval, self.interval.saturating_add(self.soft_margin).min(half))
    }
}

impl Renewal {
    pub(super) fn is_sent(&self) -> bool {
        matches!(self, Self::Sent)
    }
}

impl<S: RenewalSource> fmt::Debug for Refresher<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresher")
            .field("generation", &self.generation)
            .field("life", &self.held.as_ref().map(|held| held.life))
            .finish_non_exhaustive()
    }
}

/// How long the next request of a renewal may be kept: it is signed, or contains a token.
const STALE: Duration = Duration::from_secs(60);
/// A caller that took part in this many renewals gets what there is, even if it has expired.
const ENOUGH: u64 = 3;
/// How many renewals refusals lead to within a time: several servers of one store may refuse a
/// first credential, each another.
const MOST_REFUSALS: u32 = 3;
const REFUSALS_WITHIN: Duration = Duration::from_secs(10);
