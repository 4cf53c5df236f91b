//! The key of Swift's temporary URLs.
//!
//! ```text
//!  Container ── none ──▶ Account ── none ──▶ an error
//!      │ key                │ key
//!      └────────┬───────────┘
//!               ▼
//!             Info ── which digest does the server accept? ──▶ over
//! ```

use std::ops::ControlFlow;
use std::sync::Arc;

use super::presign_key::PresignKeys;
use crate::contract::{Machine, OnFailure, Operation, PresignKey, Step};
use crate::error::Error;
use crate::http::{Completion, Draft};
use crate::machine::Call;
use crate::machine::compose::{nest, seed};
use crate::now::Now;
use crate::secret::Secret;
use crate::swift::{self, GetInfo, HeadAccount, HeadContainer, Info};

impl PresignKeys for swift::Service {
    fn presign_key(
        self: &Arc<Self>,
        draft: &Draft,
        seed: u64,
    ) -> Result<Box<dyn Machine<Output = PresignKey> + Send>, Error> {
        let path = swift::TempUrl::path_of(draft)?;
        let container = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        Ok(Box::new(SwiftPresignKey::new(container, Arc::clone(self), seed)))
    }
}

/// Reads the key of temporary URLs from the container or, if that has none, from the account, and
/// which digest the server accepts.
#[derive(Debug)]
struct SwiftPresignKey {
    service: Arc<swift::Service>,
    seed: u64,
    phase: Phase,
    key: Option<Secret>,
}

#[derive(Debug)]
enum Phase {
    Container(Box<Call<HeadContainer>>),
    Account(Box<Call<HeadAccount>>),
    Info(Box<Call<GetInfo>>),
    Over,
}

impl SwiftPresignKey {
    fn new(container: &str, service: Arc<swift::Service>, outer: u64) -> Self {
        let head = HeadContainer::new(container);
        let call = Call::new(head, Arc::clone(&service), seed(outer, CONTAINER));
        let phase = Phase::Container(Box::new(call));
        Self { service, seed: outer, phase, key: None }
    }

    /// Goes on with what a HEAD returned.
    fn found(&mut self, keys: [Option<Secret>; 2], next: Phase) -> Result<Phase, Error> {
        match keys.into_iter().flatten().next() {
            Some(key) => {
                self.key = Some(key);
                let call = self.call(GetInfo::new(), INFO);
                Ok(Phase::Info(Box::new(call)))
            }
            None if matches!(next, Phase::Over) => {
                let what = "neither the container nor the account has a key for temporary URLs";
                Err(Error::invalid_input(what).with_hint(
                    "set one by PostContainer or PostAccount, or `Session::with_temp_url_key`",
                ))
            }
            None => Ok(next),
        }
    }

    fn call<O: Operation<Service = swift::Service>>(&self, operation: O, slot: u32) -> Call<O> {
        Call::new(operation, Arc::clone(&self.service), seed(self.seed, slot))
    }

    /// Returns the key with a digest that the server accepts. A server that hides `/info` is taken
    /// for a recent one.
    fn over(&mut self, info: &Info) -> Result<PresignKey, Error> {
        let digest = info.temp_url_digest().ok_or_else(|| {
            Error::invalid_input("the server accepts no known digest for temporary URLs")
        })?;
        let secret = self.key.take().unwrap_or_else(|| Secret::new(""));
        Ok(PresignKey { secret, algorithm: digest.algorithm() })
    }
}

impl Machine for SwiftPresignKey {
    type Output = PresignKey;

    fn poll(&mut self, now: Now) -> Step<PresignKey> {
        loop {
            let next = match &mut self.phase {
                Phase::Container(call) => match nest(call.poll(now), CONTAINER) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => head.and_then(|head| {
                        let account = Box::new(self.call(HeadAccount::new(), ACCOUNT));
                        self.found(head.temp_url_keys, Phase::Account(account))
                    }),
                },
                Phase::Account(call) => match nest(call.poll(now), ACCOUNT) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(head) => {
                        head.and_then(|head| self.found(head.temp_url_keys, Phase::Over))
                    }
                },
                Phase::Info(call) => match nest(call.poll(now), INFO) {
                    ControlFlow::Break(step) => return step,
                    ControlFlow::Continue(info) => {
                        self.phase = Phase::Over;
                        return Step::Done(self.over(&info.unwrap_or_default()));
                    }
                },
                Phase::Over => return Step::Wait(None),
            };
            match next {
                Ok(phase) => self.phase = phase,
                Err(error) => {
                    self.phase = Phase::Over;
                    return Step::Done(Err(error));
                }
            }
        }
    }

    fn complete(&mut self, now: Now, mut done: Completion) {
        match (done.route(), &mut self.phase) {
            (Some(CONTAINER), Phase::Container(call)) => call.complete(now, done),
            (Some(ACCOUNT), Phase::Account(call)) => call.complete(now, done),
            (Some(INFO), Phase::Info(call)) => call.complete(now, done),
            _ => {}
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        match &mut self.phase {
            Phase::Container(call) => call.cancel(now, on_failure),
            Phase::Account(call) => call.cancel(now, on_failure),
            Phase::Info(call) => call.cancel(now, on_failure),
            Phase::Over => {}
        }
    }

    fn is_long(&self) -> bool {
        false
    }
}

const CONTAINER: u32 = 0;
const ACCOUNT: u32 = 1;
const INFO: u32 = 2;
