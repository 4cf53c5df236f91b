//! `swift-request`.

use std::task::Waker;

use apus_core::Now;
use apus_core::contract::{Authenticator, Lease, LeaseRequest};
use apus_core::error::Error;
use apus_core::http::{Draft, Exchange, Reply};
use apus_core::keystone::{
    ServiceToken, Session, SessionOptions, Sourced, Token, TokenFacts, TokenSource,
};
use apus_core::swift::{Config, Service};
use apus_core::waiters::Positions;
use serde::Deserialize;
use serde_json::Value;

use super::operation;
use super::query;
use crate::run::{
    compare::{Check, Header},
    s3::{Sent, send},
    value::{Data, Fields},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    operation: String,
    params: Fields,
    storage_url: String,
    token: String,
    service_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    method: String,
    url: String,
    headers: Vec<Header>,
    #[serde(default)]
    body: Data,
}

pub(in crate::run) fn request(
    input: Fields,
    expect: Fields,
    check: &mut Check,
) -> Result<(), String> {
    let (input, expected): (Input, Expected) = (input.rest()?, expect.rest()?);
    let service = Service::new(Config::default()).map_err(|error| error.to_string())?;
    let draft = operation::draft(&input.operation, input.params, &service)?;
    let sent = Session::fixed_at(input.storage_url, input.token.as_str()).and_then(|session| {
        let session = match input.service_token {
            Some(token) => session
                .with_service_token(ServiceToken::new(Given(token), SessionOptions::default())),
            None => session,
        };
        send(sealed(session, draft?)?, None)
    });
    match sent {
        Ok(sent) => compare(expected, sent, check),
        Err(error) => check.differs("request", "one that can be sent", error),
    }
    Ok(())
}

/// A source of one token.
struct Given(String);

impl TokenSource for Given {
    fn renew(&mut self, _: Now) -> Result<Sourced, Error> {
        let token = Token::new(self.0.as_str(), TokenFacts::default());
        Ok(Sourced::Token(Box::new(token)))
    }

    fn answered(&mut self, _: &Reply) -> Result<Sourced, Error> {
        Err(Error::invalid_input("an answer that nobody asked for"))
    }
}

/// Seals a draft with the session's token and storage URL.
fn sealed(mut session: Session, draft: Box<Draft>) -> Result<Exchange, Error> {
    let now = Now::new(Default::default(), Default::default());
    match session.lease(
        now,
        &mut LeaseRequest {
            waker: Waker::noop(),
            stale: &mut None,
            places: &mut Positions::default(),
            retry_policy: None,
        },
    ) {
        Lease::Granted(grant) => session.seal(grant, draft, now),
        Lease::Denied(error) => Err(error),
        _ => Err(Error::invalid_input("a session of one token asks for another")),
    }
}

/// A document may have another length: the head must have the length of its own body.
fn own_length(headers: &mut [Header], body: &[u8]) {
    let own = body.len().to_string();
    for (name, value) in headers {
        if name.eq_ignore_ascii_case("content-length") && *value == own {
            "the body's".clone_into(value);
        }
    }
}

fn compare(mut expected: Expected, mut sent: Sent, check: &mut Check) {
    check.same("method", &expected.method, sent.method.as_str());
    query::compare(check, &expected.url, &sent.url);
    let json = |body: &[u8]| serde_json::from_slice::<Value>(body).ok();
    match (json(&expected.body.0), json(&sent.body)) {
        (Some(document), Some(ours)) if document == ours => {
            own_length(&mut expected.headers, &expected.body.0);
            own_length(&mut sent.headers, &sent.body);
        }
        _ => check.bytes("body", &expected.body.0, &sent.body),
    }
    for name in ["accept", "x-auth-token"] {
        let named = |(other, _): &Header| other.eq_ignore_ascii_case(name);
        if !expected.headers.iter().any(named) {
            sent.headers.retain(|header| !named(header));
        }
    }
    check.headers(&expected.headers, &sent.headers);
}
