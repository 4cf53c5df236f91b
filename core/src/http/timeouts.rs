//! The timeouts of an exchange.

use std::time::Duration;

use super::pace::LeastRate;
use crate::error::{ExchangeError, ExchangeErrorKind};

/// The timeouts of one exchange. `None` means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection is open, including TLS.
    pub connect: Option<Duration>,
    /// From the last byte sent to the end of the response's head. Informational responses (100 to
    /// 199) do not restart it.
    pub first_byte: Option<Duration>,
    /// The longest pause between two pieces of a body, in either direction.
    pub idle: Option<Duration>,
    /// The least rate of a body, in either direction. Not applied to a collected response: during a
    /// copy or a completion, servers send a space from time to time.
    pub rate: Option<LeastRate>,
    /// From the head of a collected response to its end.
    pub document: Option<Duration>,
    /// From the head of a response that is not a success to its end.
    pub refusal: Option<Duration>,
    /// The whole exchange.
    pub whole: Option<Duration>,
}

impl Timeouts {
    /// No limits.
    pub const NONE: Self = Self {
        connect: None,
        first_byte: None,
        idle: None,
        rate: None,
        document: None,
        refusal: None,
        whole: None,
    };

    /// Whether an attempt that received this many bytes of `left`, and may have been cut, made
    /// progress. An attempt that timed out before it had kept the least rate for one window made
    /// none: otherwise a server that sends single bytes would be asked forever. Nor did one that
    /// was cut before a sixteenth of the rest and before [`ENOUGH`] bytes: a server that closes
    /// each connection after single bytes would be asked as often.
    pub(crate) fn is_progress(
        &self,
        bytes: u64,
        left: Option<u64>,
        cut: Option<&ExchangeError>,
    ) -> bool {
        let Some(cut) = cut else { return bytes > 0 };
        let late = cut.kind() == ExchangeErrorKind::Timeout;
        let least = self.rate.filter(|_| late).map_or(1, LeastRate::least);
        let enough = left.map_or(1, |left| (left / 16).min(ENOUGH));
        bytes >= least.max(enough)
    }
}

impl Default for Timeouts {
    /// 10 s to connect, 60 s for the head, 60 s between pieces of a body and 1 KiB per second over
    /// 60 s, one hour for a collected response, 60 s for a response that is not a success, no limit
    /// on the whole. The hour is for servers that send the head at once and continue to work: S3
    /// while it copies or completes, Swift while it deletes in bulk.
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

/// More bytes than this are progress, however long the object is.
const ENOUGH: u64 = 64 * 1024;
