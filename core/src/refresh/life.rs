//! The lifetime of a credential, by the server's clock.

use std::time::Duration;

use http::header::DATE;

use crate::http::Reply;
use crate::now::{Now, Timestamp};

/// When a credential expires.
#[derive(Clone, Copy, Debug)]
pub(super) enum Life {
    /// Not known: it is used until the server refuses it.
    Unknown,
    /// At this tick. It was computed with the server's clock when the credential arrived; our own
    /// clock may jump.
    Tick(Duration),
    /// At this time on a clock that is `offset` seconds ahead of ours.
    #[cfg(feature = "swift")]
    Unix { expires: i64, offset: i64 },
}

impl Life {
    /// Returns the remaining lifetime, zero after expiry; `None` if it is not known.
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

/// Returns the lifetime of a credential whose response has this `date`, by the server's clock.
pub(super) fn length(
    expires: Timestamp,
    issued: Option<Timestamp>,
    date: Option<i64>,
    sealed: Now,
) -> Duration {
    let issued = issued.map(Timestamp::unix);
    // No credential is issued in the future: a date before `issued` is from another clock than the
    // issuer's.
    let server = date.max(issued).unwrap_or(Timestamp::from_duration(sealed.unix).unix());
    let expires = expires.unix();
    // No credential is sent after its expiry: such a date is from another clock too.
    let server = match issued {
        Some(issued) if server >= expires && issued < expires => issued,
        _ => server,
    };
    Duration::from_secs(u64::try_from(expires.saturating_sub(server)).unwrap_or_default())
}

/// Returns the `Date` of a response, by the server's clock, in seconds since 1970.
pub(super) fn date(reply: &Reply) -> Option<i64> {
    reply.header(&DATE).and_then(Timestamp::parse_http).map(Timestamp::unix)
}
