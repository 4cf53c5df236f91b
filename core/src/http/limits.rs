//! The timeouts of an exchange.

use std::time::Duration;

use super::pace::LeastRate;
use crate::error::{Cause, Failure};

/// Timeouts of one exchange. `None` waits without limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until the connection, TLS included, stands.
    pub connect: Option<Duration>,
    /// From the last byte sent to the end of the answer's head. Informational answers (100 to 199)
    /// before it don't move it.
    pub first_byte: Option<Duration>,
    /// The longest pause between two pieces of a body, either way.
    pub idle: Option<Duration>,
    /// The least rate at which a body moves, either way. An answer that is collected is not held to
    /// it: while a copy or a completion lasts, servers send a blank now and then.
    pub rate: Option<LeastRate>,
    /// From the head of an answer that is collected to its end.
    pub document: Option<Duration>,
    /// From the head of an answer that is no success to its end.
    pub refusal: Option<Duration>,
    /// The whole exchange.
    pub whole: Option<Duration>,
}

impl Limits {
    /// No limits at all.
    pub const NONE: Self = Self {
        connect: None,
        first_byte: None,
        idle: None,
        rate: None,
        document: None,
        refusal: None,
        whole: None,
    };

    /// Whether an attempt that brought so many bytes, and may have been cut, got anywhere. One that ran
    /// out of time before it kept the least rate for one window did not: a server that drips would be
    /// asked again for ever.
    pub(crate) fn is_progress(&self, bytes: u64, cut: Option<&Failure>) -> bool {
        let late = cut.is_some_and(|cut| cut.cause() == Cause::Timeout);
        let least = self.rate.filter(|_| late).map_or(1, LeastRate::least);
        bytes >= least
    }
}

impl Default for Limits {
    /// 10 s to connect, 60 s for the head, 60 s between pieces of a body and 1 KiB a second over 60 s,
    /// an hour for an answer that is collected and 60 s for one that is no success, no limit on the
    /// whole. The hour is for servers that answer at once and work on: S3 while it copies or
    /// completes, Swift while it deletes in bulk.
    fn default() -> Self {
        Self {
            connect: Some(Duration::from_secs(10)),
            first_byte: Some(Duration::from_secs(60)),
            idle: Some(Duration::from_secs(60)),
            rate: Some(LeastRate::default()),
            document: Some(Duration::from_secs(60 * 60)),
            refusal: Some(Duration::from_secs(60)),
            whole: None,
        }
    }
}
