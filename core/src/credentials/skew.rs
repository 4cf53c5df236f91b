//! The offset of the server's clock.

use http::header::{AGE, DATE};
use http::{Method, StatusCode};

use crate::http::{Completion, Reply};
use crate::now::{Now, Timestamp};
use crate::s3;

/// The offset of the server's clock in seconds, learnt from responses.
#[derive(Debug, Default)]
pub(super) struct Skew {
    pub(super) offset: i64,
}

impl Skew {
    pub(super) fn correct(&self, now: Now) -> Timestamp {
        let unix = Timestamp::from_duration(now.unix).unix();
        Timestamp::from_unix(unix.saturating_add(self.offset))
    }

    /// Learns the offset from a refusal. Returns true if the time of the request's signature was
    /// off by more than servers accept.
    pub(super) fn learn(&mut self, now: Now, done: &Completion, reply: &Reply) -> bool {
        let code = s3::error_code(reply);
        let told = code.as_deref().is_some_and(|code| CODES.contains(&code));
        // The response to a HEAD has no document, only a date.
        let silent = code.is_none()
            && reply.status() == StatusCode::FORBIDDEN
            && done.draft().head.method == Method::HEAD;
        if !(told || silent) {
            return false;
        }
        // A response from a cache may have an old date.
        if reply.head.headers.contains_key(AGE) {
            return false;
        }
        // A gateway may remove the date, or write its own.
        let told_time = s3::server_time(reply);
        let date = || reply.header(&DATE).and_then(Timestamp::parse_http);
        let Some(server) = told_time.or_else(date) else { return false };
        let sealed = Timestamp::from_duration(done.sealed_at().unix).unix();
        // The server wrote its date between sending and receiving: take the middle.
        let elapsed = now.tick.saturating_sub(done.sealed_at().tick).as_secs();
        let middle = sealed.saturating_add_unsigned(elapsed / 2);
        let offset = server.unix().saturating_sub(middle);
        // Another exchange may have corrected the offset while this one was in flight. What counts
        // is whether this request was signed with a time that the server rejects.
        let signed_with = done.draft().head.headers.get("x-amz-date");
        let signed_at = signed_with
            .and_then(|value| value.to_str().ok())
            .and_then(Timestamp::parse_amz)
            .map_or(sealed, Timestamp::unix);
        let off = server.unix().saturating_sub(signed_at).unsigned_abs();
        if off <= FORGIVEN {
            return false;
        }
        // A refusal that does not name the time may have another reason. The date of a server whose
        // clock is wrong, or that lies, must not be used for every later signature.
        if !told && offset.unsigned_abs() > PLAUSIBLE {
            return false;
        }
        self.offset = offset;
        true
    }
}

/// The error codes for a request whose time is off.
const CODES: [&str; 3] = ["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"];

/// Seconds of difference that every server accepts; most accept 15 minutes.
const FORGIVEN: u64 = 240;

/// The largest offset in seconds that is learnt from a refusal that does not name the time: one
/// day, which covers a clock that was set to the wrong time zone.
const PLAUSIBLE: u64 = 24 * 60 * 60;
