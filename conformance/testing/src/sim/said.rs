//! What each request must follow of what the server has said before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use apus_core::http::{Completion, Exchange};

use super::faults::{Fault, Whom};
use super::host::Host;
use super::world::{Answer, World};
use crate::server::Request;

/// What the server said that later requests have to follow.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// When a throttled request may be sent again.
    throttled: BTreeMap<Again, Duration>,
    /// The requests that were refused for their token.
    unauthorized: BTreeSet<Again>,
    /// The tokens that were refused, and when the refusal arrived.
    refused: BTreeMap<String, Duration>,
    /// The tokens that requests were refused with which had been refused before, and when.
    refused_again: BTreeMap<String, Duration>,
    /// The tokens that the server accepted, and when the first response that shows it arrived.
    accepted: BTreeMap<String, Duration>,
    /// Whether a renewal of a token was not answered as it should have been.
    renewal_failed: bool,
}

/// What distinguishes the attempts of one call from those of others: the machine, the operation, the
/// target and the range.
type Again = (usize, &'static str, String, String);

impl World {
    /// Records what a response says, which arrives at this time.
    pub(super) fn says(
        &mut self,
        index: usize,
        exchange: &Exchange,
        request: &Request,
        fault: Option<Fault>,
        at: Duration,
        answer: &Answer,
    ) {
        let operation = exchange.operation();
        if fault.is_some() && LOGINS.contains(&operation) || fault == Some(Fault::Revoked) {
            self.said.renewal_failed = true;
        }
        let Answer::Replies(reply, cut) = answer else { return };
        let token = request.header("x-auth-token").filter(|_| {
            // Nothing else has the tokens that are counted here.
            self.host.whom(&exchange.draft().head.uri) == Whom::Swift
        });
        // A manifest or a bulk deletion is refused in the body of a success.
        let refused = reply.status == 401
            || ANSWERED_LATE.contains(&operation) && has(&reply.body, b"401 Unauthorized");
        if let Some(token) = token
            && !refused
            && matches!(reply.status, 200..300 | 404)
        {
            let first = self.said.accepted.entry(token.to_owned()).or_insert(at);
            *first = at.min(*first);
        }
        if cut.is_some() {
            if refused {
                self.said.unauthorized.insert(again(index, operation, request));
            }
            return;
        }
        if exchange.hedged().is_some() {
            return;
        }
        // Another fault may have had the request answered otherwise.
        if let Some(Fault::Throttled(status, Some(seconds))) = fault
            && reply.status == status
            && REPEATED.contains(&operation)
        {
            let until = at + Duration::from_secs(seconds.into());
            self.said.throttled.insert(again(index, operation, request), until);
        }
        if let (true, Some(token)) = (refused, token) {
            // There is no other token after so many refusals.
            let recent = at.saturating_sub(REFUSALS_WITHIN);
            let said = &mut self.said;
            let tokens = said.refused.iter().chain(&said.refused_again);
            let recent = tokens.filter(|(_, at)| **at >= recent).map(|(token, _)| token);
            let many = recent.collect::<BTreeSet<_>>().len() >= MOST_REFUSALS;
            // The server may refuse a request with any token.
            let is_first = said.unauthorized.insert(again(index, operation, request));
            let list = if is_first { &mut said.refused } else { &mut said.refused_again };
            if !many {
                list.entry(token.to_owned()).or_insert(at);
            }
        }
    }

    /// Records that a token was not obtained, for whatever reason.
    pub(super) fn says_end(&mut self, done: &Completion) {
        let obtained = done.outcome().is_ok_and(|reply| reply.status().is_success());
        self.said.renewal_failed |= LOGINS.contains(&done.draft().operation) && !obtained;
    }

    /// Forgets what a process was told that has died.
    pub(super) fn forgets(&mut self) {
        self.said.throttled.clear();
    }

    /// Checks that a request which is sent now follows what the server said before.
    pub(super) fn follows(&mut self, index: usize, exchange: &Exchange, request: &Request) {
        let (now, operation) = (self.now.tick, exchange.operation());
        if let Some(until) = self.said.throttled.remove(&again(index, operation, request))
            && now < until
        {
            let early = until.saturating_sub(now).as_millis();
            self.wrong(format!("{operation} is sent again {early} ms before its Retry-After"));
        }
        let host = request.header("host").unwrap_or_default();
        let signed = ["authorization", "x-auth-token"].iter().any(|name| {
            // A signature of anonymous requests does not exist.
            request.header(name).is_some()
        });
        if signed && !OURS.iter().any(|ours| host.contains(ours)) {
            self.wrong(format!("{operation} is sent to {host} with our keys or token"));
        }
        let Some(token) = request.header("x-auth-token") else { return };
        let Said { refused, refused_again, accepted, .. } = &self.said;
        // A request that is refused a second time says nothing about a token that others use.
        let again =
            refused_again.get(token).filter(|at| accepted.get(token).is_none_or(|it| it > *at));
        if refused.get(token).or(again).is_some_and(|at| *at < now) {
            self.wrong(format!("{operation} is sent with a token that was refused before"));
        }
        self.is_not_late(operation, token);
    }

    /// Checks that a token which could have been renewed is not in its last seconds.
    fn is_not_late(&mut self, operation: &str, token: &str) {
        let (Host::Cloud(model), Some(interval)) = (&self.host, self.renews_before) else { return };
        if self.said.renewal_failed {
            return;
        }
        let Some(token) = model.tokens().into_iter().find(|known| known.id == token) else {
            return;
        };
        let server = self.now.unix.as_secs().saturating_add_signed(self.skew);
        let left = token.expires_at.saturating_sub(server);
        if left < interval {
            self.wrong(format!("{operation} is sent with a token that lives {left} s longer"));
        }
    }
}

fn has(body: &[u8], text: &[u8]) -> bool {
    body.windows(text.len()).any(|window| window == text)
}

fn again(index: usize, operation: &'static str, request: &Request) -> Again {
    let range = request.header("range").unwrap_or_default();
    (index, operation, format!("{} {}", request.method, request.target), range.to_owned())
}

/// The operations of which a machine has one call for a target and a range at a time.
const REPEATED: [&str; 9] = [
    "PutObject",
    "UploadPart",
    "UploadPartCopy",
    "GetObject",
    "CopyObject",
    "CreateMultipartUpload",
    "CompleteMultipartUpload",
    "PutSlo",
    "PutDlo",
];
/// The operations whose status is in the body.
const ANSWERED_LATE: [&str; 3] = ["PutSlo", "DeleteSlo", "BulkDelete"];
/// The operations that obtain a token.
const LOGINS: [&str; 3] = ["Authenticate", "AuthenticateService", "DiscoverVersions"];
/// How many refused tokens are renewed within a time, as the documentation of sessions says: a server
/// that refuses every token would cost a renewal for each request.
const MOST_REFUSALS: usize = 3;
const REFUSALS_WITHIN: Duration = Duration::from_secs(10);
/// Parts of the names of our servers.
const OURS: [&str; 3] = ["s3.test", "keystone", "swift"];
