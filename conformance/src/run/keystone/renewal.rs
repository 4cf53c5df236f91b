//! `token-renewal`.

use std::task::Waker;

use apus_core::Now;
use apus_core::contract::{Authenticator, Lease, LeaseRequest};
use apus_core::http::{Draft, Exchange};
use apus_core::keystone::{Identity, Login, Scope, Session, SessionOptions, User};
use apus_core::waiters::Positions;
use serde::Deserialize;
use serde_json::json;

use super::reply;
use crate::run::{
    compare::{Check, Header},
    value::{Fields, Time},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    version: Version,
    issued_at: Option<String>,
    expires_at: Option<String>,
    expires_in: Option<u64>,
    server_date: Option<Time>,
    local_clock: Time,
    interval: u64,
    ask_at: Time,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Version {
    V1,
    V2,
    V3,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    renew: bool,
}

pub(in crate::run) fn renewal(
    input: Fields,
    expect: Fields,
    check: &mut Check,
) -> Result<(), String> {
    let (input, expected): (Input, Expected) = (input.rest()?, expect.rest()?);
    let mut session = input.session()?;
    let then = input.local_clock.now();
    let Lease::Renew(draft) = ask(&mut session, then) else {
        return Err("the session has a token before it has asked for one".into());
    };
    input.bring(&mut session, draft, then)?;
    match ask(&mut session, input.ask_at.now()) {
        Lease::Granted(_) => check.same("renew", &expected.renew.to_string(), "false"),
        Lease::Renew(_) => check.same("renew", &expected.renew.to_string(), "true"),
        Lease::Wait(_) => check.differs("renew", expected.renew, "somebody else does"),
        Lease::Denied(error) => check.differs("renew", expected.renew, error),
    }
    Ok(())
}

/// Returns the lease of a request at this time.
fn ask(session: &mut Session, now: Now) -> Lease {
    session.lease(
        now,
        &mut LeaseRequest {
            waker: Waker::noop(),
            stale: &mut None,
            places: &mut Positions::default(),
            retry_policy: None,
        },
    )
}

impl Input {
    fn session(&self) -> Result<Session, String> {
        let (user, password) = (User::Id("u".into()), "p".into());
        let login = match self.version {
            Version::V1 => Login::new("http://auth/v1.0", Identity::v1("u", "p"), Scope::Unstated),
            Version::V2 => {
                let identity = Identity::V2Password { user, password };
                Login::new("http://identity/v2.0", identity, Scope::Unstated)
            }
            Version::V3 => {
                let identity = Identity::password(user, password);
                Login::new("http://identity/v3", identity, Scope::Unstated)
            }
        };
        let options = SessionOptions {
            expire_soon_interval: std::time::Duration::from_secs(self.interval),
            ..SessionOptions::default()
        };
        Ok(Session::new(login.map_err(|error| error.to_string())?, options))
    }

    /// Returns the response to the session's request, which comes at once.
    fn bring(&self, session: &mut Session, draft: Box<Draft>, now: Now) -> Result<(), String> {
        let (headers, body) = self.answer();
        let head = reply(200, &headers, "")?.head;
        let mut receiving = Exchange::open(draft, now, 0).respond(head);
        if receiving.has_body() {
            receiving.push(body.as_bytes()).map_err(|error| format!("{error:?}"))?;
        }
        session.renewed(now, receiving.finish(None));
        Ok(())
    }

    fn answer(&self) -> (Vec<Header>, String) {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let date = self.server_date.map(|date| header("date", &date.0.http_date()));
        let mut headers: Vec<Header> = date.into_iter().collect();
        let (expires, issued) = (&self.expires_at, &self.issued_at);
        let body = match self.version {
            Version::V1 => {
                headers.push(header("x-storage-url", "http://swift/v1/AUTH_a"));
                headers.push(header("x-auth-token", "t"));
                let expires_in = self.expires_in.map(|seconds| seconds.to_string());
                headers.extend(expires_in.map(|seconds| header("x-auth-token-expires", &seconds)));
                return (headers, String::new());
            }
            Version::V2 => {
                json!({ "access": { "token": { "id": "t", "expires": expires, "issued_at": issued } } })
            }
            Version::V3 => {
                headers.push(header("x-subject-token", "t"));
                json!({ "token": { "expires_at": expires, "issued_at": issued } })
            }
        };
        (headers, body.to_string())
    }
}
