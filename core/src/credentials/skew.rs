//! The clock of the server.

use http::header::{AGE, DATE};
use http::{Method, StatusCode};

use crate::http::{Completion, Reply};
use crate::now::{Now, Timestamp};
use crate::s3;

/// The offset of the server's clock, learnt from answers.
#[derive(Debug, Default)]
pub(super) struct Skew {
    pub(super) offset: i64,
}

impl Skew {
    pub(super) fn correct(&self, now: Now) -> Timestamp {
        let unix = Timestamp::from_duration(now.unix).unix();
        Timestamp::from_unix(unix.saturating_add(self.offset))
    }

    /// Learns from a refusal. True when the request was signed with an offset that is off by more
    /// than servers forgive.
    pub(super) fn learn(&mut self, now: Now, done: &Completion, reply: &Reply) -> bool {
        let code = s3::error_code(reply);
        let told = code.as_deref().is_some_and(|code| CODES.contains(&code));
        // The answer to a HEAD has no document, only a date.
        let silent = code.is_none()
            && reply.status() == StatusCode::FORBIDDEN
            && done.draft().head.method == Method::HEAD;
        if !(told || silent) {
            return false;
        }
        // A cache answers with the date of long ago.
        if reply.head.headers.contains_key(AGE) {
            return false;
        }
        let Some(server) = reply.header(&DATE).and_then(Timestamp::parse_http) else {
            return false;
        };
        let sealed = Timestamp::from_duration(done.sealed_at().unix).unix();
        // The server wrote its date between sending and receiving: the middle is the best guess.
        let elapsed = now.tick.saturating_sub(done.sealed_at().tick).as_secs();
        let middle = sealed.saturating_add_unsigned(elapsed / 2);
        let offset = server.unix().saturating_sub(middle);
        // Another exchange may have set the offset right while this one was under way: what counts
        // is whether this one was signed with a time that the server can't take.
        let signed_with = done.draft().head.headers.get("x-amz-date");
        let signed_at = signed_with
            .and_then(|value| value.to_str().ok())
            .and_then(Timestamp::parse_amz)
            .map_or(sealed, Timestamp::unix);
        let off = server.unix().saturating_sub(signed_at).unsigned_abs();
        if off <= FORGIVEN {
            return false;
        }
        // A refusal that does not name the time may have another reason: then the date of a server
        // whose clock is wrong, or that lies, must not go into every later signature.
        if !told && offset.unsigned_abs() > PLAUSIBLE {
            return false;
        }
        self.offset = offset;
        true
    }
}

/// What servers call a request whose time is off.
const CODES: [&str; 3] = ["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"];

/// Seconds that every server forgives; most forgive 15 minutes.
const FORGIVEN: u64 = 240;

/// Seconds that a clock is taken to be off by where the server does not name the time as its reason:
/// a day, which covers a clock that was set to the wrong time zone.
const PLAUSIBLE: u64 = 24 * 60 * 60;
