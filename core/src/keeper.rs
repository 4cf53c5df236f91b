//! One thing that perishes, a token or keys: whether it is good for another exchange, and its renewal.
//!
//! ```text
//!            now                                             its life ends
//!  ───────────┼────────────────┬────────────────┬────────────────┼──────────▶ server's clock
//!     good: granted            │ soft_margin    │ interval       │ dead:
//!                              │ one renews,    │ one renews,    │ nothing goes
//!                              │ others go on   │ others wait    │ without a
//!                              │                │                │ new one
//! ```
//!
//! While more than half of its life is left it is good, whatever the margin and the interval: so there
//! are at most two renewals in the time that one lives. Where the interval is longer than that half, the
//! second quarter from the end is the margin and the last one the interval.
//!
//! ```text
//!            ┌──────────── cancelled, or its time has come ─────────────┐
//!            ▼                                                          │
//!  Idle ── renew ──▶ Sent ── fails on the way, 5xx, 429 ──▶ Backoff ────┤
//!   ▲                 │ │ └─ denied, or makes no sense ───▶ Denied ─────┘
//!   └──── a new one ──┘ └─ something else first ─▶ Next ─▶ Sent
//! ```
//!
//! While the old one lives, a failed renewal keeps nobody from using it. Who waits takes part in a few
//! renewals at most: it is told the denial that ends one, however shortly denials are remembered, and
//! given what came, however short its life. What the caller looks up (a
//! file, a process) may take its time: it is `Looking` then, and whoever asks asks it again. What was over
//! when it came is used until the server refuses it: by whose clock it was over nobody knows.
//!
//! All who wait are woken by what all of them may go on with, a new one or a denial. Where one of them has
//! to do something first, one is; should it be gone, the next one.

use std::collections::VecDeque;
use std::fmt;
use std::task::Waker;
use std::time::Duration;

use http::StatusCode;
#[cfg(feature = "swift")]
use http::header::AGE;
use http::header::DATE;

use crate::contract::{Grant, Lease, Notice, Wish};
use crate::error::{Cause, Error};
use crate::http::{Completion, Draft, Reply};
use crate::now::{Now, Timestamp, Wait, WaitReason};
use crate::retry::{Attempts, RetryDecision, RetryPolicy};
use crate::waiters::{Position, Waiters};

/// Where what is kept comes from.
pub(crate) trait Supply: Send {
    /// What is kept.
    type Item: Perishable;
    /// What it is called in errors.
    const WHAT: &'static str;
    /// Whether a renewal that can't even be begun is remembered as one that was denied.
    const REMEMBERS: bool = false;

    /// A new one is wanted. `waker` is woken when a [`Supplied::Pending`] is worth asking again.
    fn renew(&mut self, now: Now, waker: &Waker) -> Result<Supplied<Self::Item>, Error>;

    /// What was asked for last has been answered, whatever the status.
    fn answered(&mut self, now: Now, reply: &Reply) -> Result<Supplied<Self::Item>, Error>;

    /// What was asked for last has no answer.
    fn failed(&mut self, now: Now, error: Error) -> Result<Supplied<Self::Item>, Error>;

    /// Whether one that was had earlier is what would be asked for now. What has just come and is not
    /// is an error.
    fn fits(&self, item: &Self::Item) -> bool {
        let _ = item;
        true
    }

    /// Whether a refusal with a status is worth another attempt.
    fn decision(&self, error: &Error) -> RetryDecision;
}

/// A step on the way to a new one.
pub(crate) enum Supplied<T> {
    /// This has to be asked first.
    Ask(Box<Draft>),
    /// Something is looked up: ask again when woken.
    Pending,
    /// Here it is.
    Item(Box<T>),
}

/// What ends.
pub(crate) trait Perishable {
    /// When.
    fn span(&self) -> Span;
}

/// From when to when something lives, as far as it says so itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    pub(crate) lifetime: Option<Duration>,
    pub(crate) issued: Option<Timestamp>,
    pub(crate) expires: Option<Timestamp>,
}

/// How it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// What lives less than this is renewed before the next exchange.
    pub(crate) interval: Duration,
    /// Before that interval: how long one renews while the others go on.
    pub(crate) soft_margin: Duration,
    /// How long a denied renewal is remembered.
    pub(crate) denied_for: Duration,
    /// How often and how soon a renewal is tried again that failed on the way.
    /// `None`: as what first asks for it is repeated.
    pub(crate) retry_policy: Option<RetryPolicy>,
    /// Whether there is ever a second one.
    pub(crate) renews: bool,
    /// Decides the jitter of delays.
    pub(crate) seed: u64,
}

/// Keeps one.
pub(crate) struct Keeper<S: Supply> {
    source: Option<S>,
    terms: Terms,
    held: Option<Held<S::Item>>,
    generation: u64,
    /// How many renewals have ended, well or denied.
    rounds: u64,
    renewal: Renewal,
    attempts: Attempts,
    /// The policy of the renewal at hand.
    retry_policy: RetryPolicy,
    /// The attempts counted are those since there was no token left to use.
    desperate: bool,
    waiting: Waiters,
    notices: VecDeque<Notice>,
    told_short: bool,
}

/// One that was had.
struct Held<T> {
    item: T,
    life: Life,
    /// How long it lived when it came, where that is known.
    whole: Option<Duration>,
    /// The server said 401 to it.
    refused: bool,
    /// It ends when the one before it did: another one would not live longer.
    last: bool,
}

/// How long it lives.
#[derive(Clone, Copy, Debug)]
enum Life {
    /// Until it is refused.
    Unknown,
    /// Until this tick. The server's clock was read when it came, and ours may jump.
    Tick(Duration),
    /// Until this time on a clock that is `offset` seconds ahead of ours.
    #[cfg(feature = "swift")]
    Unix { expires: i64, offset: i64 },
}

#[derive(Default)]
enum Renewal {
    #[default]
    Idle,
    Sent,
    Looking,
    /// The draft, and since when.
    Next(Box<Draft>, Duration),
    Backoff(Wait),
    Denied {
        error: Error,
        until: Duration,
    },
}

/// What a renewal began with.
enum Begun {
    Ask(Box<Draft>),
    Looking,
    Had,
}

/// What it is good for at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fitness {
    Good,
    Soft,
    Soon,
    Dead,
}

impl<S: Supply> Keeper<S> {
    pub(crate) fn new(source: Option<S>, terms: Terms) -> Self {
        Self {
            source,
            attempts: Attempts::new(terms.seed),
            retry_policy: terms.retry_policy.clone().unwrap_or_default(),
            terms,
            held: None,
            generation: 0,
            rounds: 0,
            renewal: Renewal::Idle,
            desperate: false,
            waiting: Waiters::new(),
            notices: VecDeque::new(),
            told_short: false,
        }
    }

    /// Takes one that was had elsewhere, and lives by a clock `offset` seconds ahead of ours.
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

    /// How long it lives yet; none where that is not known, or there is none.
    pub(crate) fn remaining(&self, now: Now) -> Option<Duration> {
        self.held.as_ref()?.life.remaining(now)
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// How many renewals have ended, well or denied.
    #[cfg(feature = "swift")]
    pub(crate) fn rounds(&self) -> u64 {
        self.rounds
    }

    pub(crate) fn notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    pub(crate) fn lease(&mut self, now: Now, wish: &mut Wish<'_>) -> Lease {
        let lease = self.decide(now, wish);
        if !matches!(lease, Lease::Wait(_))
            && let Some(place) = wish.places.own.take()
        {
            self.waiting.leave(place);
        }
        lease
    }

    /// Whoever waited here no longer does. It may have been woken to begin what others wait for.
    pub(crate) fn leave(&mut self, place: Position) {
        self.waiting.leave(place);
        if !self.renewal.is_sent() {
            self.wake_one();
        }
    }

    fn wake_one(&mut self) {
        if let Some(waker) = self.waiting.pop() {
            waker.wake();
        }
    }

    fn wake_all(&mut self) {
        self.waiting.drain().into_iter().for_each(Waker::wake);
    }

    fn decide(&mut self, now: Now, wish: &mut Wish<'_>) -> Lease {
        let waited = wish.stale.map_or(0, |stale| self.rounds.saturating_sub(stale));
        let fitness = self.fitness(now, waited);
        let granted = Lease::Granted(Grant { generation: self.generation });
        if fitness == Fitness::Good {
            return granted;
        }
        if !self.can_renew() {
            let what =
                format!("the {} was refused, and there is nothing to renew it with", S::WHAT);
            return Lease::Denied(Error::authority(what).with_status(StatusCode::UNAUTHORIZED));
        }
        let lives = fitness != Fitness::Dead;
        if fitness != Fitness::Soft {
            wish.stale.get_or_insert(self.rounds);
        }
        match &self.renewal {
            Renewal::Sent if fitness == Fitness::Soft => granted,
            Renewal::Sent => self.wait(wish, None),
            Renewal::Backoff(wait) if now.tick < wait.until => {
                let wait = *wait;
                if lives { granted } else { self.wait(wish, Some(wait)) }
            }
            Renewal::Denied { error, until } if now.tick < *until || waited > 0 => {
                if lives {
                    granted
                } else {
                    Lease::Denied(error.clone())
                }
            }
            _ => match self.begin(now, lives, wish) {
                Ok(Begun::Ask(draft)) => Lease::Renew(draft),
                Ok(Begun::Had) => Lease::Granted(Grant { generation: self.generation }),
                Ok(Begun::Looking) if fitness == Fitness::Soft => granted,
                Ok(Begun::Looking) => self.wait(wish, None),
                Err(_) if lives => granted,
                Err(error) => Lease::Denied(error),
            },
        }
    }

    /// The server refused what was sealed with the present one. True when another may be had.
    pub(crate) fn refuse(&mut self) -> bool {
        if let Some(held) = &mut self.held {
            held.refused = true;
        }
        self.can_renew()
    }

    /// The answer to an exchange under it tells the server's clock, which one that was had elsewhere
    /// came without.
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

    pub(crate) fn renewed(&mut self, now: Now, done: Completion) {
        if !self.renewal.is_sent() {
            return;
        }
        self.renewal = Renewal::Idle;
        let sealed = done.sealed_at();
        let outcome = done.into_parts().1;
        let Some(source) = &mut self.source else { return };
        let (step, date) = match outcome {
            Err(error) if error.is_cancelled() => return self.wake_one(),
            Err(error) => (source.failed(now, error), None),
            Ok(Reply { cut: Some(cut), head, .. }) if head.status.is_success() => {
                (source.failed(now, Error::from(cut).with_status(head.status)), None)
            }
            Ok(reply) => (source.answered(now, &reply), date(&reply)),
        };
        match fitting(source, step) {
            Ok(Supplied::Ask(draft)) => {
                self.renewal = Renewal::Next(draft, now.tick);
                self.wake_one();
            }
            Ok(Supplied::Pending) => {
                self.renewal = Renewal::Looking;
                self.wake_one();
            }
            Ok(Supplied::Item(item)) => self.gained(*item, now, sealed, date),
            Err(error) => self.lost(now, error),
        }
    }

    /// What was sent will not be answered: the next who asks may send.
    #[cfg(feature = "swift")]
    pub(crate) fn given_up(&mut self) {
        if self.renewal.is_sent() {
            self.renewal = Renewal::Idle;
            self.wake_one();
        }
    }

    /// For one who asks since so many renewals ended.
    fn fitness(&self, now: Now, waited: u64) -> Fitness {
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

    /// Whether one can still be had, the first included.
    fn can_renew(&self) -> bool {
        self.source.is_some() && (self.terms.renews || self.held.is_none())
    }

    fn wait(&mut self, wish: &mut Wish<'_>, until: Option<Wait>) -> Lease {
        let place = wish.places.own.filter(|place| self.waiting.renew(*place, wish.waker));
        wish.places.own = place.or_else(|| Some(self.waiting.join(wish.waker)));
        Lease::Wait(until)
    }

    /// Starts a renewal, or goes on with it.
    fn begin(&mut self, now: Now, lives: bool, wish: &Wish<'_>) -> Result<Begun, Error> {
        if !lives && !std::mem::replace(&mut self.desperate, true)
            || matches!(self.renewal, Renewal::Denied { .. })
        {
            self.attempts.reset();
        }
        if let (None, Some(asked)) = (&self.terms.retry_policy, wish.retry_policy) {
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
                let step = source.renew(now, wish.waker);
                fitting(source, step)
            }
            None => Err(Error::authority(format!("there is no source of {}", S::WHAT))),
        };
        match step {
            Ok(Supplied::Ask(draft)) => {
                self.attempts.sent();
                self.renewal = Renewal::Sent;
                Ok(Begun::Ask(draft))
            }
            Ok(Supplied::Pending) => {
                self.renewal = Renewal::Looking;
                Ok(Begun::Looking)
            }
            Ok(Supplied::Item(item)) => {
                self.gained(*item, now, now, None);
                Ok(Begun::Had)
            }
            Err(error) => {
                if !S::REMEMBERS {
                    self.wake_all();
                    return Err(error);
                }
                self.lost(now, error.clone());
                Err(error.without_authority(S::WHAT))
            }
        }
    }

    fn gained(&mut self, item: S::Item, now: Now, sealed: Now, date: Option<i64>) {
        let span = item.span();
        let length = match (span.lifetime, span.expires) {
            (Some(length), _) => Some(length),
            (None, Some(expires)) => Some(length(expires, span.issued, date, sealed)),
            (None, None) => None,
        };
        let last = self.held.as_ref().is_some_and(|held| {
            let before = held.item.span();
            // Two logins within one second have the same end without being the same.
            let later = before.issued.is_some() && span.issued > before.issued;
            let longer = span.expires > before.expires;
            let alike = self.source.as_ref().is_some_and(|source| source.fits(&held.item));
            alike && later && before.expires.is_some() && !longer
        });
        let life = match length.map(|length| Life::Tick(sealed.tick.saturating_add(length))) {
            Some(life) if life.remaining(now) != Some(Duration::ZERO) => life,
            _ => Life::Unknown,
        };
        self.hold(item, life, length);
        if let Some(held) = &mut self.held {
            held.last = last;
        }
        self.wake_all();
        self.rounds += 1;
        self.attempts.succeeded(&self.retry_policy);
        self.attempts.reset();
        self.desperate = false;
        let generation = self.generation;
        self.notices.push_back(Notice::Renewed { generation, life: length });
        let interval = self.terms.interval;
        if let Some(life) = length.filter(|life| *life / 2 < interval)
            && self.terms.renews
            && !std::mem::replace(&mut self.told_short, true)
        {
            self.notices.push_back(Notice::ShortLived { life, interval });
        }
    }

    fn hold(&mut self, item: S::Item, life: Life, whole: Option<Duration>) {
        self.generation += 1;
        let (refused, last) = (false, false);
        self.held = Some(Held { item, life, whole, refused, last });
    }

    /// Whether a failed renewal is worth another attempt.
    fn decision(&self, error: &Error) -> RetryDecision {
        if let Some(failure) = error.failure() {
            return match failure.cause() {
                _ if failure.is_lasting() => RetryDecision::Final,
                Cause::Resolve
                | Cause::Connect
                | Cause::Proxy
                | Cause::Timeout
                | Cause::Closed
                | Cause::Cut
                | Cause::Unsent => RetryDecision::Transient,
                _ => RetryDecision::Final,
            };
        }
        match (error.status(), &self.source) {
            (Some(_), Some(source)) => source.decision(error),
            _ => RetryDecision::Final,
        }
    }

    fn lost(&mut self, now: Now, error: Error) {
        let error = error.with_attempts(self.attempts.made());
        let lives = self.fitness(now, 0) != Fitness::Dead;
        let retry_policy = &self.retry_policy;
        let again = match self.decision(&error) {
            RetryDecision::Final | RetryDecision::Elsewhere => None,
            decision => self.attempts.next(now, retry_policy, decision, &error).or_else(|| {
                // Nothing hurries: the old one lives.
                let pause = error.retry_after().unwrap_or_default().max(retry_policy.longest);
                let wait =
                    Wait { until: now.tick.saturating_add(pause), reason: WaitReason::Backoff };
                lives.then_some(wait)
            }),
        };
        if lives || again.is_some() {
            self.notices.push_back(Notice::RenewalFailed { error: error.clone() });
        }
        self.renewal = match again {
            Some(mut wait) => {
                if lives {
                    // Once it is over, there is something to hurry for.
                    if wait.reason == WaitReason::Backoff
                        && let Some(left) = self.remaining(now)
                    {
                        wait.until = wait.until.min(now.tick.saturating_add(left));
                    }
                    self.wake_all();
                } else {
                    self.wake_one();
                }
                Renewal::Backoff(wait)
            }
            None => {
                self.wake_all();
                self.rounds += 1;
                let until = now.tick.saturating_add(self.terms.denied_for);
                Renewal::Denied { error: error.without_authority(S::WHAT), until }
            }
        };
    }
}

impl Terms {
    /// How much life is left where others wait for a renewal, and where one renews, of what lives twice
    /// `half`.
    fn margins(&self, half: Duration) -> (Duration, Duration) {
        if self.interval > half {
            return (half / 2, half);
        }
        (self.interval, self.interval.saturating_add(self.soft_margin).min(half))
    }
}

impl Renewal {
    fn is_sent(&self) -> bool {
        matches!(self, Self::Sent)
    }
}

impl Life {
    /// How long it lasts yet, zero when it is over; none where that is not known.
    fn remaining(self, now: Now) -> Option<Duration> {
        match self {
            Self::Unknown => None,
            Self::Tick(until) => Some(until.saturating_sub(now.tick)),
            #[cfg(feature = "swift")]
            Self::Unix { expires, offset } => {
                let server = Timestamp::from_duration(now.unix).unix().saturating_add(offset);
                let left = u64::try_from(expires.saturating_sub(server)).unwrap_or_default();
                Some(Duration::from_secs(left))
            }
        }
    }
}

/// What has just come has to be what was asked for: another one would be no other.
fn fitting<S: Supply>(
    source: &S,
    step: Result<Supplied<S::Item>, Error>,
) -> Result<Supplied<S::Item>, Error> {
    match step {
        Ok(Supplied::Item(item)) if !source.fits(&item) => {
            let what = format!("the {} that came is not what was asked for", S::WHAT);
            Err(Error::broken(what))
        }
        step => step,
    }
}

/// How long something lives that came with an answer of this date, by the server's clock.
fn length(
    expires: Timestamp,
    issued: Option<Timestamp>,
    date: Option<i64>,
    sealed: Now,
) -> Duration {
    let issued = issued.map(Timestamp::unix);
    // Nothing is made in the future: a date before that comes from another clock than that of
    // whoever made it.
    let server = date.max(issued).unwrap_or(Timestamp::from_duration(sealed.unix).unix());
    let expires = expires.unix();
    // Nor is one handed out that is over; a date that says so comes from another clock too.
    let server = match issued {
        Some(issued) if server >= expires && issued < expires => issued,
        _ => server,
    };
    Duration::from_secs(u64::try_from(expires.saturating_sub(server)).unwrap_or_default())
}

fn date(reply: &Reply) -> Option<i64> {
    reply.header(&DATE).and_then(Timestamp::parse_http).map(Timestamp::unix)
}

impl<S: Supply> fmt::Debug for Keeper<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("generation", &self.generation)
            .field("life", &self.held.as_ref().map(|held| held.life))
            .finish_non_exhaustive()
    }
}

/// What a renewal would send next is signed, or holds a token of its own, so that it does not keep.
const STALE: Duration = Duration::from_secs(60);
/// Who took part in so many renewals takes what is there, though it is over by now.
const ENOUGH: u64 = 3;
