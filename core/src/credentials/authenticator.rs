//! The authenticator of S3: it signs with keys, fixed or renewed.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::renewal::{ExpiringKeys, KeySource, RenewalOptions};
use super::skew::Skew;
use crate::contract::{
    AuthOutcome, Authenticator, Lease, LeaseGeneration, LeaseRequest, Notice, PresignKey,
};
use crate::error::Error;
use crate::http::{Completion, Draft, Exchange, Sealing};
use crate::now::Now;
use crate::refresh::Refresher;
use crate::s3;
use crate::sign::{KeyCache, Keys, Presign, Presigned, Rule, Signing};
use crate::waiters::Positions;

/// Signs S3 requests with fixed keys, with keys that are renewed, or leaves them anonymous.
#[derive(Debug)]
pub struct Credentials {
    cache: Option<KeyCache>,
    skew: Skew,
    generation: u64,
    refresher: Option<Refresher<Box<dyn KeySource>>>,
}

impl Credentials {
    /// Signs with these keys.
    pub fn new(keys: Keys) -> Self {
        Self { cache: Some(KeyCache::new(Arc::new(keys))), ..Self::anonymous() }
    }

    /// Signs nothing, as for a public bucket.
    pub fn anonymous() -> Self {
        Self { cache: None, skew: Skew::default(), generation: 0, refresher: None }
    }

    /// Signs with keys from this source, and renews them before they expire.
    ///
    /// One exchange renews the keys, however many requests wait. Valid keys are used while a
    /// renewal fails. A request that is refused because its keys have expired is sent once more
    /// with new ones.
    pub fn renewed_from(source: impl KeySource + 'static, options: RenewalOptions) -> Self {
        let source: Box<dyn KeySource> = Box::new(source);
        Self { refresher: Some(Refresher::new(Some(source), options.into())), ..Self::anonymous() }
    }

    /// Returns how long the present keys remain valid, and `None` if there are none or it is
    /// unknown.
    pub fn remaining(&self, now: Now) -> Option<Duration> {
        self.refresher.as_ref()?.remaining(now)
    }

    /// Replaces the keys, and removes a source of keys. Requests in flight keep the old keys.
    pub fn rotate(&mut self, keys: Keys) {
        self.refresher = None;
        self.cache = Some(KeyCache::new(Arc::new(keys)));
        self.generation += 1;
    }

    /// Returns the offset of the server's clock in seconds: positive if it is ahead of ours,
    /// negative if it is behind.
    pub fn clock_offset(&self) -> i64 {
        self.skew.offset
    }

    /// Signs `draft` at this time, without a pump, for callers who send requests themselves.
    ///
    /// # Errors
    ///
    /// A key, token, region or header cannot be used in a signature.
    pub fn sign(&self, draft: Box<Draft>, now: Now) -> Result<Exchange, Error> {
        match self.signing(&draft, now)? {
            Some(signing) => Ok(Exchange::signed(draft, now, self.generation, signing)),
            None => Ok(Exchange::open(draft, now, self.generation)),
        }
    }

    /// Returns a presigned URL that is valid for `expires`, 1 second to 7 days, and the headers
    /// that must be sent with it.
    ///
    /// # Errors
    ///
    /// The duration is out of bounds, or the credentials are anonymous.
    pub fn presign(
        &self,
        draft: Box<Draft>,
        expires: Duration,
        now: Now,
    ) -> Result<Presigned, Error> {
        let Some(signing) = self.signing(&draft, now)? else {
            return Err(Error::invalid_input("anonymous credentials can't presign a URL"));
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

    /// Returns a [`Signing`] for this time, to sign a form for example.
    ///
    /// # Errors
    ///
    /// The credentials are anonymous or not yet obtained; a key, token or region is invalid.
    pub fn signing_at(&self, region: &str, now: Now) -> Result<Signing, Error> {
        let Some(cache) = &self.cache else {
            return Err(match self.refresher {
                Some(_) => Error::auth("no keys have been obtained yet"),
                None => Error::invalid_input("anonymous credentials can't sign a request"),
            });
        };
        cache.signing(self.skew.correct(now), region, "s3", Rule::S3)
    }

    /// Adopts the refresher's keys for the following requests.
    fn adopt(&mut self) {
        let Some(refresher) = &self.refresher else { return };
        if refresher.generation() != self.generation
            && let Some(ExpiringKeys { keys, .. }) = refresher.item()
        {
            self.cache = Some(KeyCache::new(Arc::clone(keys)));
            self.generation = refresher.generation();
        }
    }

    fn signing(&self, draft: &Draft, now: Now) -> Result<Option<Signing>, Error> {
        match (&self.cache, &draft.sealing) {
            (Some(cache), Sealing::SigV4 { region, service }) => {
                cache.signing(self.skew.correct(now), region, service, Rule::S3).map(Some)
            }
            (_, Sealing::Open | Sealing::GrantOnly) => Ok(None),
            (None, _) if self.refresher.is_some() => {
                Err(Error::auth("no keys have been obtained yet"))
            }
            (None, _) => Ok(None),
            (Some(_), Sealing::Token(_) | Sealing::TokenAsSubject) => Err(Error::invalid_input(
                "the request requires a Keystone token, but the credentials are S3 keys",
            )),
        }
    }
}

impl Authenticator for Credentials {
    fn lease(&mut self, now: Now, request: &mut LeaseRequest<'_>) -> Lease {
        let Some(refresher) = &mut self.refresher else {
            return Lease::Granted(LeaseGeneration { generation: self.generation });
        };
        let lease = refresher.lease(now, request);
        self.adopt();
        lease
    }

    fn seal(&mut self, _: LeaseGeneration, draft: Box<Draft>, now: Now) -> Result<Exchange, Error> {
        self.sign(draft, now)
    }

    fn presign(
        &self,
        draft: Box<Draft>,
        _: Option<&PresignKey>,
        expires: Duration,
        now: Now,
    ) -> Result<Presigned, Error> {
        Self::presign(self, draft, expires, now)
    }

    /// A request is worth sending again if it was refused for its time and the offset is now known,
    /// or if it was signed with keys that have been replaced.
    fn judge(&mut self, now: Now, done: &Completion) -> AuthOutcome {
        let Ok(reply) = done.outcome() else { return AuthOutcome::Accepted };
        if !matches!(reply.status(), StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST) {
            if let Some(refresher) = &mut self.refresher
                && matches!(done.draft().sealing, Sealing::SigV4 { .. })
                && done.generation() == self.generation
            {
                refresher.answered(reply.status());
            }
            return AuthOutcome::Accepted;
        }
        if done.generation() < self.generation {
            return AuthOutcome::Refused;
        }
        if let Some(refresher) = &mut self.refresher
            && s3::error_code(reply).is_some_and(|code| EXPIRED.contains(&&*code))
        {
            if done.draft().replayed {
                refresher.refuse_again(now);
                return AuthOutcome::Accepted;
            }
            return if refresher.refuse(now) {
                AuthOutcome::Refused
            } else {
                AuthOutcome::Accepted
            };
        }
        if self.cache.is_some() && self.skew.learn(now, done, reply) {
            return AuthOutcome::Refused;
        }
        AuthOutcome::Accepted
    }

    fn renewed(&mut self, now: Now, done: Completion) {
        if let Some(refresher) = &mut self.refresher {
            refresher.renewed(now, done);
            self.adopt();
        }
    }

    fn notice(&mut self) -> Option<Notice> {
        self.refresher.as_mut()?.notice()
    }

    fn leave(&mut self, places: Positions) {
        if let (Some(refresher), Some(place)) = (&mut self.refresher, places.own) {
            refresher.leave(place);
        }
    }
}

/// The error codes for an expired session token.
const EXPIRED: [&str; 3] = ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"];

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{Method, Uri};

    use super::*;
    use crate::now::Timestamp;

    fn now(unix: i64) -> Now {
        Now::new(Duration::from_secs(5), Duration::from_secs(unix.unsigned_abs()))
    }

    fn draft() -> Box<Draft> {
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
        assert_eq!(credentials.judge(now(late), &first), AuthOutcome::Refused);
        assert_eq!(credentials.clock_offset(), 3600);
        // Sent before the response to the first: worth another attempt too.
        assert_eq!(credentials.judge(now(late), &second), AuthOutcome::Refused);
        let mut exchange = credentials.sign(draft(), now(late)).unwrap();
        let date = &exchange.request().unwrap().headers["x-amz-date"];
        assert_eq!(date, "20150830T123600Z");
        // Refused for its time although the time is right: nothing to learn.
        let third = refused(&credentials, late, NOON, "RequestTimeTooSkewed");
        assert_eq!(credentials.judge(now(late), &third), AuthOutcome::Accepted);
    }

    #[test]
    fn other_refusals_teach_nothing() {
        let mut credentials = Credentials::new(Keys::new("AKID", "secret"));
        let done = refused(&credentials, NOON - 3600, NOON, "AccessDenied");
        assert_eq!(credentials.judge(now(NOON), &done), AuthOutcome::Accepted);
        assert_eq!(credentials.clock_offset(), 0);
    }

    fn silently_refused(credentials: &Credentials, method: Method, date: i64) -> Completion {
        let mut draft = draft();
        draft.head.method = method;
        let mut exchange = credentials.sign(draft, now(NOON)).unwrap();
        exchange.request().unwrap();
        let date = Timestamp::from_unix(date).http_date();
        let answer = http::Response::builder().status(403).header("date", date).body(()).unwrap();
        exchange.respond(answer.into_parts().0).finish(None)
    }

    // The response to HeadObject has no document: only its date can be used.
    #[test]
    fn a_refusal_without_a_code_teaches_plausible_offsets_only() {
        let mut credentials = Credentials::new(Keys::new("AKID", "secret"));
        let in_2099 = silently_refused(&credentials, Method::HEAD, 4_086_288_000);
        assert_eq!(credentials.judge(now(NOON), &in_2099), AuthOutcome::Accepted);
        let in_1970 = silently_refused(&credentials, Method::HEAD, 0);
        assert_eq!(credentials.judge(now(NOON), &in_1970), AuthOutcome::Accepted);
        let no_head = silently_refused(&credentials, Method::GET, NOON + 3600);
        assert_eq!(credentials.judge(now(NOON), &no_head), AuthOutcome::Accepted);
        assert_eq!(credentials.clock_offset(), 0);
        let an_hour = silently_refused(&credentials, Method::HEAD, NOON + 3600);
        assert_eq!(credentials.judge(now(NOON), &an_hour), AuthOutcome::Refused);
        assert_eq!(credentials.clock_offset(), 3600);
    }

    #[test]
    fn what_went_out_with_replaced_keys_is_worth_sealing_anew() {
        let mut credentials = Credentials::new(Keys::new("AKID", "secret"));
        let done = refused(&credentials, NOON, NOON, "InvalidAccessKeyId");
        credentials.rotate(Keys::new("AKID2", "secret2"));
        assert_eq!(credentials.judge(now(NOON), &done), AuthOutcome::Refused);
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
