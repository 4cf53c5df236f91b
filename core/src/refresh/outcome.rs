//! The end of a renewal, and what follows.

use std::time::Duration;

use super::life::{Life, date, length};
use super::refresher::{Fitness, Refresher, Renewal};
use super::source::{Expiring, RenewalSource, RenewalStep, fitting};
use crate::contract::Notice;
use crate::error::Error;
use crate::http::{Completion, Reply};
use crate::now::{Now, Wait, WaitReason};
use crate::retry::RetryDecision;

impl<S: RenewalSource> Refresher<S> {
    pub(crate) fn renewed(&mut self, now: Now, done: Completion) {
        if !self.renewal.is_sent() {
            return;
        }
        self.renewal = Renewal::Idle;
        let sealed = done.sealed_at();
        let url = done.draft().head.uri.clone();
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
            Ok(RenewalStep::Ask(draft)) => {
                self.renewal = Renewal::Next(draft, now.tick);
                self.wake_one();
            }
            Ok(RenewalStep::Pending) => {
                self.renewal = Renewal::Looking;
                self.wake_one();
            }
            Ok(RenewalStep::Item(item)) => self.gained(*item, now, sealed, date),
            Err(error) => self.lost(now, error.at_url(&url, S::SHOWS_PATH)),
        }
    }

    pub(super) fn gained(&mut self, item: S::Item, now: Now, sealed: Now, date: Option<i64>) {
        let span = item.span();
        let length = match (span.lifetime, span.expires) {
            (Some(length), _) => Some(length),
            (None, Some(expires)) => Some(length(expires, span.issued, date, sealed)),
            (None, None) => None,
        };
        let last = self.held.as_ref().is_some_and(|held| {
            let before = held.item.span();
            // Two logins in the same second have the same expiry but are different credentials.
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
        self.no_usable_token = false;
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

    /// Decides whether a failed renewal is repeated.
    fn decision(&self, error: &Error) -> RetryDecision {
        RetryDecision::of_failure(error).unwrap_or_else(|| match (error.status(), &self.source) {
            (Some(_), Some(source)) => source.decision(error),
            _ => RetryDecision::Final,
        })
    }

    pub(super) fn lost(&mut self, now: Now, error: Error) {
        let error = error.with_attempts(self.attempts.made());
        let lives = self.fitness(now, 0) != Fitness::Dead;
        let retry_policy = &self.retry_policy;
        let again = match self.decision(&error) {
            RetryDecision::Final | RetryDecision::Elsewhere | RetryDecision::Otherwise => None,
            decision => self.attempts.next(now, retry_policy, decision, &error).or_else(|| {
                // No hurry: the old credential is still valid.
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
                    // When it expires, the renewal is urgent.
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
                Renewal::Denied { error: error.without_credentials(S::OBTAINED), until }
            }
        };
    }
}
