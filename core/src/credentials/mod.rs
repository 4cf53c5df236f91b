//! Who signs S3 requests.
//!
//! [`Credentials`] is the [`Authority`] of an S3 client: it signs with the keys it was given, or
//! not at all, and keeps the offset between the server's clock and ours, which all machines that go
//! under it share.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::{AGE, DATE};

use crate::contract::{Authority, Grant, Lease, Standing, Wish};
use crate::error::Error;
use crate::http::{Completion, Draft, Exchange, Reply, Sealing};
use crate::now::{Now, Timestamp};
use crate::s3;
use crate::sign::{KeyCache, Keys, Presign, Presigned, Rule, Signing};

/// Signs S3 requests with fixed keys, or leaves them anonymous.
#[derive(Debug)]
pub struct Credentials {
    cache: Option<KeyCache>,
    skew: Skew,
    generation: u64,
}

impl Credentials {
    /// Signs with these keys.
    pub fn new(keys: Keys) -> Self {
        Self { cache: Some(KeyCache::new(Arc::new(keys))), skew: Skew::default(), generation: 0 }
    }

    /// Signs nothing: what a public bucket takes.
    pub fn anonymous() -> Self {
        Self { cache: None, skew: Skew::default(), generation: 0 }
    }

    /// Replaces the keys, as a rotation does. Requests in flight keep theirs.
    pub fn rotate(&mut self, keys: Keys) {
        self.cache = Some(KeyCache::new(Arc::new(keys)));
        self.generation += 1;
    }

    /// How far the server's clock was found to be ahead of ours, in seconds; negative where it is
    /// behind.
    pub fn clock_offset(&self) -> i64 {
        self.skew.offset
    }

    /// Signs `draft` at this time, without a pump: the whole of an operation for callers who send
    /// requests by themselves.
    ///
    /// # Errors
    ///
    /// A key, token, region or header that can't be signed.
    pub fn sign(&self, draft: Draft, now: Now) -> Result<Exchange, Error> {
        match self.signing(&draft, now)? {
            Some(signing) => Ok(Exchange::signed(draft, now, self.generation, signing)),
            None => Ok(Exchange::open(draft, now, self.generation)),
        }
    }

    /// A URL that carries its own proof for `expires`, 1 second to 7 days, and the headers that
    /// have to be sent with it.
    ///
    /// # Errors
    ///
    /// A duration out of bounds; anonymous credentials.
    pub fn presign(&self, draft: Draft, expires: Duration, now: Now) -> Result<Presigned, Error> {
        let Some(signing) = self.signing(&draft, now)? else {
            return Err(Error::caller("anonymous credentials can't presign"));
        };
        let uri = &draft.head.uri;
        let host = draft.head.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or(uri.host()).unwrap_or_default();
        signing.presign(&Presign {
            method: &draft.head.method,
            scheme: uri.scheme().unwrap_or(&http::uri::Scheme::HTTPS),
            host,
            target: draft.target(),
            headers: &draft.head.headers,
            expires,
            payload: crate::sign::Payload::Unsigned,
        })
    }

    /// What signs a form or another thing of these keys' at this time.
    ///
    /// # Errors
    ///
    /// Anonymous credentials; a key, token or region that can't be signed with.
    pub fn signing_at(&self, region: &str, now: Now) -> Result<Signing, Error> {
        let Some(cache) = &self.cache else {
            return Err(Error::caller("anonymous credentials can't sign"));
        };
        cache.signing(self.skew.correct(now), region, "s3", Rule::S3)
    }

    fn signing(&self, draft: &Draft, now: Now) -> Result<Option<Signing>, Error> {
        match (&self.cache, &draft.sealing) {
            (Some(cache), Sealing::SigV4 { region, service }) => {
                cache.signing(self.skew.correct(now), region, service, Rule::S3).map(Some)
            }
            (None, _) | (_, Sealing::Open) => Ok(None),
            (Some(_), Sealing::Token(_) | Sealing::TokenAsSubject) => {
                Err(Error::caller("S3 keys can't give the token that this request needs"))
            }
        }
    }
}

impl Authority for Credentials {
    fn lease(&mut self, _: Now, _: &mut Wish<'_>) -> Lease {
        Lease::Granted(Grant { generation: self.generation })
    }

    fn seal(&mut self, _: Grant, draft: Draft, now: Now) -> Result<Exchange, Error> {
        self.sign(draft, now)
    }

    /// A request refused for its time is worth sealing anew once the offset is known; so is one
    /// that went out with keys that were replaced in the meantime.
    fn judge(&mut self, now: Now, done: &Completion) -> Standing {
        let Ok(reply) = done.outcome() else { return Standing::Accepted };
        if !matches!(reply.status(), StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST) {
            return Standing::Accepted;
        }
        if done.generation() < self.generation {
            return Standing::Refused;
        }
        if self.cache.is_some() && self.skew.learn(now, done, reply) {
            return Standing::Refused;
        }
        Standing::Accepted
    }

    fn renewed(&mut self, _: Now, _: Completion) {}
}

/// The offset of the server's clock, learnt from answers.
#[derive(Debug, Default)]
struct Skew {
    offset: i64,
}

impl Skew {
    fn correct(&self, now: Now) -> Timestamp {
        let unix = Timestamp::from_duration(now.unix).unix();
        Timestamp::from_unix(unix.saturating_add(self.offset))
    }

    /// Learns from a refusal. True when the request was signed with an offset that is off by more
    /// than servers forgive.
    fn learn(&mut self, now: Now, done: &Completion, reply: &Reply) -> bool {
        let code = s3::error_code(reply);
        let told = code.as_deref().is_some_and(|code| CODES.contains(&code));
        // The answer to a HEAD has no document, only a date.
        let silent = code.is_none() && reply.status() == StatusCode::FORBIDDEN;
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
        self.offset = offset;
        true
    }
}

/// What servers call a request whose time is off.
const CODES: [&str; 3] = ["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"];

/// Seconds that every server forgives; most forgive 15 minutes.
const FORGIVEN: u64 = 240;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{Method, Uri};

    use super::*;

    fn now(unix: i64) -> Now {
        Now::new(Duration::from_secs(5), Duration::from_secs(unix.unsigned_abs()))
    }

    fn draft() -> Draft {
        let uri = Uri::from_static("http://127.0.0.1:9000/bucket/key");
        let mut draft = Draft::new("GetObject", Method::GET, uri);
        draft.header(http::header::HOST, "127.0.0.1:9000").unwrap();
        draft.sealing = Sealing::SigV4 { region: "us-east-1".into(), service: "s3" };
        draft
    }

    fn refused(credentials: &Credentials, at: i64, date: i64, code: &str) -> Completion {
        let mut exchange = credentials.sign(draft(), now(at)).unwrap();
        exchange.request().unwrap();
        let head = http::Response::builder()
            .status(403)
            .header("date", Timestamp::from_unix(date).http_date())
            .body(())
            .unwrap()
            .into_parts()
            .0;
        let mut receiving = exchange.respond(head);
        receiving.push(format!("<Error><Code>{code}</Code></Error>").as_bytes()).unwrap();
        receiving.finish(None)
    }

    const NOON: i64 = 1_440_938_160;

    #[test]
    fn a_skewed_clock_is_corrected_once_and_for_all() {
        let mut credentials = Credentials::new(Keys::new("AKID", "secret"));
        let late = NOON - 3600;
        let (first, second) = (
            refused(&credentials, late, NOON, "RequestTimeTooSkewed"),
            refused(&credentials, late, NOON, "RequestTimeTooSkewed"),
        );
        assert_eq!(credentials.judge(now(late), &first), Standing::Refused);
        assert_eq!(credentials.clock_offset(), 3600);
        // Sent before the first was answered: it is worth another attempt too.
        assert_eq!(credentials.judge(now(late), &second), Standing::Refused);
        let mut exchange = credentials.sign(draft(), now(late)).unwrap();
        let date = &exchange.request().unwrap().headers["x-amz-date"];
        assert_eq!(date, "20150830T123600Z");
        // Refused for its time although the time is right: nothing to be learnt.
        let third = refused(&credentials, late, NOON, "RequestTimeTooSkewed");
        assert_eq!(credentials.judge(now(late), &third), Standing::Accepted);
    }

    #[test]
    fn other_refusals_teach_nothing() {
        let mut credentials = Credentials::new(Keys::new("AKID", "secret"));
        let done = refused(&credentials, NOON - 3600, NOON, "AccessDenied");
        assert_eq!(credentials.judge(now(NOON), &done), Standing::Accepted);
        assert_eq!(credentials.clock_offset(), 0);
    }

    #[test]
    fn what_went_out_with_replaced_keys_is_worth_sealing_anew() {
        let mut credentials = Credentials::new(Keys::new("AKID", "secret"));
        let done = refused(&credentials, NOON, NOON, "InvalidAccessKeyId");
        credentials.rotate(Keys::new("AKID2", "secret2"));
        assert_eq!(credentials.judge(now(NOON), &done), Standing::Refused);
    }

    #[test]
    fn anonymous_requests_carry_no_proof() {
        let mut exchange = Credentials::anonymous().sign(draft(), now(NOON)).unwrap();
        let headers = &exchange.request().unwrap().headers;
        assert!(!headers.contains_key("authorization") && !headers.contains_key("x-amz-date"));
    }

    #[test]
    fn a_body_in_memory_is_hashed_when_the_head_is_asked_for() {
        let mut draft = draft();
        draft.head.method = Method::PUT;
        draft.body = crate::http::Body::Bytes(Bytes::from_static(b"hello"));
        let credentials = Credentials::new(Keys::new("AKID", "secret"));
        let mut exchange = credentials.sign(draft, now(NOON)).unwrap();
        let headers = &exchange.request().unwrap().headers;
        assert_eq!(headers["content-length"], "5");
        // The SHA-256 of `hello`.
        assert_eq!(
            headers["x-amz-content-sha256"],
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        );
    }
}
