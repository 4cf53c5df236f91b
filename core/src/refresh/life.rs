//! How long a credential lives, by the server's clock.

use std::time::Duration;

use http::header::DATE;

use crate::http::Reply;
use crate::now::{Now, Timestamp};

/// How long it lives.
#[derive(Clone, Copy, Debug)]
pub(super) enum Life {
    /// Until it is refused.
    Unknown,
    /// Until this tick. The server's clock was read when it came, and ours may jump.
    Tick(Duration),
    /// Until this time on a clock that is `offset` seconds ahead of ours.
    #[cfg(feature = "swift")]
    Unix { expires: i64, offset: i64 },
}

impl Life {
    /// How long it lasts yet, zero when it is over; none where that is not known.
    pub(super) fn remaining(self, now: Now) -> Option<Duration> {
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

/// How long something lives that came with an answer of this date, by the server's clock.
pub(super) fn length(
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

/// The date of an answer, by the server's clock, in seconds since 1970.
pub(super) fn date(reply: &Reply) -> Option<i64> {
    reply.header(&DATE).and_then(Timestamp::parse_http).map(Timestamp::unix)
}
