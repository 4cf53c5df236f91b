//! One token: whether it is good for another exchange, and its renewal.
//!
//! ```text
//!            now                                             the token ends
//!  ───────────┼────────────────┬────────────────┬────────────────┼──────────▶ server's clock
//!     good: granted            │ soft_margin    │ expire_soon_   │ dead:
//!                              │ one renews,    │ interval       │ nothing goes
//!                              │ others go on   │ one renews,    │ without a
//!                              │                │ others wait    │ new one
//!
//!            ┌──────────── cancelled, or its time has come ─────────────┐
//!            ▼                                                          │
//!  Idle ── renew ──▶ Sent ── fails on the way, 5xx, 429 ──▶ Backoff ────┤
//!   ▲                 │ │ └─ denied, or makes no sense ───▶ Denied ─────┘
//!   └──── token ──────┘ └─ something else first ─▶ Next ─▶ Sent
//! ```
//!
//! While the old token lives, a failed renewal keeps nobody from using it.

use std::collections::VecDeque;
use std::fmt;
use std::task::Waker;
use std::time::Duration;

use http::HeaderValue;
use http::header::{AGE, DATE};

use crate::contract::{Grant, Lease, Notice, Reason, Verdict, Wait, Wish};
use crate::error::{Cause, Error};
use crate::http::{Completion, Draft, Reply, header_value};
use crate::keystone::error;
use crate::keystone::source::{Sourced, TokenSource};
use crate::keystone::token::Token;
use crate::machine::{Attempts, Budget, Patience};
use crate::now::{Now, Timestamp};

/// How a session keeps its token.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// A token that lives less than this is renewed before the next exchange. Any length holds; one
    /// that is longer than tokens live makes every exchange renew.
    pub expire_soon_interval: Duration,
    /// Before that interval: how long one caller renews while the others go on with the old token.
    pub soft_margin: Duration,
    /// How long a denied renewal is remembered, so that a wrong password is not tried for every
    /// request.
    pub denied_for: Duration,
    /// How often and how soon a renewal is tried again that failed on the way.
    pub patience: Patience,
    /// Whether there is ever a second token. Without, the first is used until it is refused.
    pub renews: bool,
    /// Decides the jitter of delays.
    pub seed: u64,
}

impl Default for SessionOptions {
    /// 60 s of interval, no margin, denials remembered for 5 s, eight attempts from half a second
    /// up to 20 s.
    fn default() -> Self {
        Self {
            expire_soon_interval: Duration::from_secs(60),
            soft_margin: Duration::ZERO,
            denied_for: Duration::from_secs(5),
            patience: Patience {
                attempts: 8,
                base: Duration::from_millis(500),
                // One renewal at a time drowns nobody.
                budget: Budget::unlimited().into(),
                ..Patience::default()
            },
            renews: true,
            seed: 0,
        }
    }
}

/// Keeps one token.
pub(super) struct Keeper {
    source: Option<Box<dyn TokenSource>>,
    options: SessionOptions,
    held: Option<Held>,
    generation: u64,
    renewal: Renewal,
    attempts: Attempts,
    /// The attempts counted are those since there was no token left to use.
    desperate: bool,
    waiting: Vec<Waker>,
    notices: VecDeque<Notice>,
    told_short: bool,
}

/// A token that was had.
struct Held {
    token: Token,
    header: HeaderValue,
    life: Life,
    /// The server said 401 to it.
    refused: bool,
    /// It was over when it came, by the clocks: whether that is so, the server has to say.
    stillborn: bool,
    /// It ends when the one before it did: another one would not live longer.
    last: bool,
}

/// How long a token lives.
#[derive(Clone, Copy, Debug)]
enum Life {
    /// Until it is refused.
    Unknown,
    /// Until this tick. The server's clock was read when the token came, and ours may jump.
    Tick(Duration),
    /// Until this time on a clock that is `offset` seconds ahead of ours.
    Unix { expires: i64, offset: i64 },
}

enum Renewal {
    Idle,
    Sent,
    Next(Box<Draft>),
    Backoff(Wait),
    Denied { error: Error, until: Duration },
}

/// What a token is good for at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fitness {
    Good,
    Soft,
    Soon,
    Dead,
}

impl Keeper {
    pub(super) fn new(source: Option<Box<dyn TokenSource>>, options: SessionOptions) -> Self {
        Self {
            source,
            attempts: Attempts::new(options.seed),
            options,
            held: None,
            generation: 0,
            renewal: Renewal::Idle,
            desperate: false,
            waiting: Vec::new(),
            notices: VecDeque::new(),
            told_short: false,
        }
    }

    /// Takes a token that was had elsewhere, and lives by a clock `offset` seconds ahead of ours.
    pub(super) fn adopt(&mut self, token: Token, offset: i64) -> Result<(), Error> {
        let life = match token.facts().expires_at {
            Some(expires) => Life::Unix { expires: expires.unix(), offset },
            None => Life::Unknown,
        };
        self.hold(token, life)
    }

    pub(super) fn token(&self) -> Option<&Token> {
        self.held.as_ref().map(|held| &held.token)
    }

    pub(super) fn header(&self) -> Option<&HeaderValue> {
        self.held.as_ref().map(|held| &held.header)
    }

    pub(super) fn source(&self) -> Option<&dyn TokenSource> {
        self.source.as_deref()
    }

    /// How long the token lives yet; none where that is not known, or there is no token.
    pub(super) fn remaining(&self, now: Now) -> Option<Duration> {
        self.held.as_ref()?.life.remaining(now)
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    pub(super) fn lease(&mut self, now: Now, wish: &mut Wish<'_>) -> Lease {
        let fitness = self.fitness(now, *wish.stale);
        let granted = Lease::Granted(Grant { generation: self.generation });
        if fitness == Fitness::Good {
            return granted;
        }
        if !self.can_renew() {
            return Lease::Denied(Error::authority(
                "the token was refused, and there is nothing to renew it with",
            ));
        }
        let lives = fitness != Fitness::Dead;
        if fitness != Fitness::Soft {
            wish.stale.get_or_insert(self.generation);
        }
        match &self.renewal {
            Renewal::Sent if fitness == Fitness::Soft => granted,
            Renewal::Sent => self.wait(wish, None),
            Renewal::Backoff(wait) if now.tick < wait.until => {
                let wait = *wait;
                if lives { granted } else { self.wait(wish, Some(wait)) }
            }
            Renewal::Denied { error, until } if now.tick < *until => {
                if lives {
                    granted
                } else {
                    Lease::Denied(error.clone())
                }
            }
            _ => match self.begin(now, lives) {
                Ok(Some(draft)) => Lease::Renew(draft),
                Ok(None) => Lease::Granted(Grant { generation: self.generation }),
                Err(_) if lives => granted,
                Err(error) => Lease::Denied(error),
            },
        }
    }

    /// The server refused what was sealed with the present token. True when another token may be
    /// had.
    pub(super) fn refuse(&mut self) -> bool {
        if let Some(held) = &mut self.held {
            held.refused = true;
        }
        self.can_renew()
    }

    /// The answer to an exchange of this token's tells the server's clock, which a token that was
    /// had elsewhere came without.
    pub(super) fn learn(&mut self, done: &Completion, reply: &Reply) {
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

    pub(super) fn renewed(&mut self, now: Now, done: Completion) {
        if !self.landed() {
            return;
        }
        let sealed = done.sealed_at();
        let outcome = done.into_parts().1;
        let Some(source) = &mut self.source else { return };
        let (step, date) = match outcome {
            Err(error) if error.is_cancelled() => return,
            Err(error) => (source.failed(error), None),
            Ok(Reply { cut: Some(cut), head, .. }) if head.status.is_success() => {
                (source.failed(Error::from(cut).with_status(head.status)), None)
            }
            Ok(reply) => (source.answered(&reply), date(&reply)),
        };
        match step {
            Ok(Sourced::Ask(draft)) => self.renewal = Renewal::Next(Box::new(draft)),
            Ok(Sourced::Token(token)) => {
                if let Err(error) = self.gained(*token, sealed, date) {
                    self.lost(now, error);
                }
            }
            Err(error) => self.lost(now, error),
        }
    }

    /// What was sent is no longer under way: the next who asks may send. False where nothing was.
    pub(super) fn landed(&mut self) -> bool {
        let sent = matches!(self.renewal, Renewal::Sent);
        if sent {
            self.renewal = Renewal::Idle;
            self.waiting.drain(..).for_each(Waker::wake);
        }
        sent
    }

    fn fitness(&self, now: Now, stale: Option<u64>) -> Fitness {
        let Some(held) = self.held.as_ref().filter(|held| self.is_usable(held)) else {
            return Fitness::Dead;
        };
        let Some(remaining) = held.life.remaining(now).filter(|_| self.can_renew()) else {
            return Fitness::Good;
        };
        let lives = !remaining.is_zero();
        let awaited = stale.is_some_and(|stale| stale < self.generation);
        let interval = self.options.expire_soon_interval;
        if awaited && (lives || held.stillborn) || held.last && lives {
            Fitness::Good
        } else if !lives {
            Fitness::Dead
        } else if remaining < interval {
            Fitness::Soon
        } else if remaining < interval.saturating_add(self.options.soft_margin) {
            Fitness::Soft
        } else {
            Fitness::Good
        }
    }

    fn is_usable(&self, held: &Held) -> bool {
        let fits = self.source.as_ref().is_none_or(|source| source.fits(&held.token));
        !held.refused && fits
    }

    /// Whether a token can still be had, the first one included.
    fn can_renew(&self) -> bool {
        self.source.is_some() && (self.options.renews || self.held.is_none())
    }

    fn wait(&mut self, wish: &Wish<'_>, until: Option<Wait>) -> Lease {
        if !self.waiting.iter().any(|waiting| waiting.will_wake(wish.waker)) {
            self.waiting.push(wish.waker.clone());
        }
        Lease::Wait(until)
    }

    /// Starts a renewal, or goes on with it. What is to be sent; nothing where the token is there
    /// at once.
    fn begin(&mut self, now: Now, lives: bool) -> Result<Option<Draft>, Error> {
        if !lives && !std::mem::replace(&mut self.desperate, true)
            || matches!(self.renewal, Renewal::Denied { .. })
        {
            self.attempts.forgive();
        }
        if let Renewal::Next(draft) = std::mem::replace(&mut self.renewal, Renewal::Idle) {
            self.renewal = Renewal::Sent;
            return Ok(Some(*draft));
        }
        let source = self.source.as_mut();
        let source = source.ok_or_else(|| Error::authority("there is no source of tokens"))?;
        match source.renew(now)? {
            Sourced::Ask(draft) => {
                self.attempts.sent();
                self.renewal = Renewal::Sent;
                Ok(Some(draft))
            }
            Sourced::Token(token) => self.gained(*token, now, None).map(|()| None),
        }
    }

    fn gained(&mut self, token: Token, sealed: Now, date: Option<i64>) -> Result<(), Error> {
        let facts = token.facts();
        let length = match (facts.lifetime, facts.expires_at) {
            (Some(length), _) => Some(length),
            (None, Some(expires)) => Some(length(expires, facts.issued_at, date, sealed)),
            (None, None) => None,
        };
        let last = self.held.as_ref().is_some_and(|held| {
            let before = held.token.facts();
            // Two logins within one second have the same end without being the same.
            let later = before.issued_at.is_some() && facts.issued_at > before.issued_at;
            let longer = facts.expires_at > before.expires_at;
            let alike = self.source.as_ref().is_some_and(|source| source.fits(&held.token));
            alike && later && before.expires_at.is_some() && !longer
        });
        let life =
            length.map_or(Life::Unknown, |length| Life::Tick(sealed.tick.saturating_add(length)));
        self.hold(token, life)?;
        if let Some(held) = &mut self.held {
            held.stillborn = length.is_some_and(|length| length.is_zero());
            held.last = last;
        }
        self.attempts.succeeded(&self.options.patience);
        self.attempts.forgive();
        self.desperate = false;
        let generation = self.generation;
        self.notices.push_back(Notice::Renewed { generation, life: length });
        let interval = self.options.expire_soon_interval;
        if let Some(life) = length.filter(|life| *life <= interval)
            && self.options.renews
            && !std::mem::replace(&mut self.told_short, true)
        {
            self.notices.push_back(Notice::ShortLived { life, interval });
        }
        Ok(())
    }

    fn hold(&mut self, token: Token, life: Life) -> Result<(), Error> {
        let mut header = header_value(&super::session::AUTH_TOKEN, token.secret().expose())
            .map_err(|_| Error::broken("the token can't stand in a header"))?;
        header.set_sensitive(true);
        self.generation += 1;
        let (refused, stillborn, last) = (false, false, false);
        self.held = Some(Held { token, header, life, refused, stillborn, last });
        Ok(())
    }

    fn lost(&mut self, now: Now, error: Error) {
        let error = error.in_operation("Authenticate").with_attempts(self.attempts.made());
        let lives = self.fitness(now, None) != Fitness::Dead;
        let patience = &self.options.patience;
        let again = match verdict(&error) {
            Verdict::Final | Verdict::Elsewhere => None,
            verdict => self.attempts.next(now, patience, verdict, &error).or_else(|| {
                // Nothing hurries: the old token lives.
                let pause = error.retry_after().unwrap_or_default().max(patience.longest);
                let wait = Wait { until: now.tick.saturating_add(pause), reason: Reason::Backoff };
                lives.then_some(wait)
            }),
        };
        if lives || again.is_some() {
            self.notices.push_back(Notice::RenewalFailed { error: error.clone() });
        }
        self.renewal = match again {
            Some(wait) => Renewal::Backoff(wait),
            None => {
                let until = now.tick.saturating_add(self.options.denied_for);
                Renewal::Denied { error: error.without_authority(), until }
            }
        };
    }
}

impl Life {
    /// How long it lasts yet, zero when it is over; none where that is not known.
    fn remaining(self, now: Now) -> Option<Duration> {
        match self {
            Self::Unknown => None,
            Self::Tick(until) => Some(until.saturating_sub(now.tick)),
            Self::Unix { expires, offset } => {
                let server = Timestamp::from_duration(now.unix).unix().saturating_add(offset);
                let left = u64::try_from(expires.saturating_sub(server)).unwrap_or_default();
                Some(Duration::from_secs(left))
            }
        }
    }
}

/// How long a token lives that came with an answer of this date, by the server's clock.
fn length(
    expires: Timestamp,
    issued: Option<Timestamp>,
    date: Option<i64>,
    sealed: Now,
) -> Duration {
    let issued = issued.map(Timestamp::unix);
    // A token is not made in the future: a date before that comes from another clock than
    // Keystone's.
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

/// Whether a failed renewal is worth another attempt.
fn verdict(error: &Error) -> Verdict {
    if let Some(failure) = error.failure() {
        return match failure.cause() {
            _ if failure.is_lasting() => Verdict::Final,
            Cause::Resolve
            | Cause::Connect
            | Cause::Proxy
            | Cause::Timeout
            | Cause::Closed
            | Cause::Cut => Verdict::Transient,
            _ => Verdict::Final,
        };
    }
    match error.status() {
        Some(_) => error::judge_status(error),
        None => Verdict::Final,
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("generation", &self.generation)
            .field("life", &self.held.as_ref().map(|held| held.life))
            .finish_non_exhaustive()
    }
}
