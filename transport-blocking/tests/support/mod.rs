//! A server that does what a test specifies, and a service without a protocol.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

#[cfg(feature = "tls")]
pub mod authority;
pub mod machines;
pub mod server;

use std::sync::Arc;

use apus_blocking::{Client, Transport, TransportConfig};
use apus_core::contract::{
    AuthOutcome, Authenticator, Lease, LeaseGeneration, LeaseRequest, Operation, Service,
};
use apus_core::http::{
    Body, BodyChecksum, Completion, Draft, Exchange, Expect, Incoming, Reply, Timeouts,
};
use apus_core::machine::Auth;
use apus_core::retry::{Idempotency, RetryDecision, RetryPolicy};
use apus_core::{Error, Now};
use http::{HeaderMap, Method};

/// A service for plain requests.
pub struct Plain {
    pub base: String,
    pub retry_policy: RetryPolicy,
}

impl Plain {
    /// Makes one attempt only.
    pub fn new(base: impl Into<String>) -> Self {
        Self {
            base: base.into(),
            retry_policy: RetryPolicy { attempts: 1, ..RetryPolicy::default() },
        }
    }
}

impl Service for Plain {
    fn judge(&self, error: &Error, _: Idempotency) -> RetryDecision {
        match error.status() {
            Some(status) if status.is_server_error() => RetryDecision::Transient,
            _ => RetryDecision::Final,
        }
    }

    fn learn(&self, _: &str, _: &Error) -> bool {
        false
    }

    fn retry_policy(&self) -> &RetryPolicy {
        &self.retry_policy
    }
}

/// A request without credentials.
pub struct Anyone;

impl Authenticator for Anyone {
    fn lease(&mut self, _: Now, _: &mut LeaseRequest<'_>) -> Lease {
        Lease::Granted(LeaseGeneration { generation: 0 })
    }

    fn seal(
        &mut self,
        grant: LeaseGeneration,
        draft: Box<Draft>,
        now: Now,
    ) -> Result<Exchange, Error> {
        Ok(Exchange::open(draft, now, grant.generation))
    }

    fn judge(&mut self, _: Now, _: &Completion) -> AuthOutcome {
        AuthOutcome::Accepted
    }

    fn renewed(&mut self, _: Now, _: Completion) {}
}

/// A request that the test specifies; its output is the whole response.
#[derive(Clone)]
pub struct Ask {
    pub method: Method,
    pub target: String,
    pub headers: HeaderMap,
    pub body: Body,
    pub checksums: Vec<BodyChecksum>,
    pub incoming: Incoming,
    pub limits: Timeouts,
}

impl Ask {
    pub fn new(method: Method, target: &str) -> Self {
        Self {
            method,
            target: target.into(),
            headers: HeaderMap::new(),
            body: Body::Empty,
            checksums: Vec::new(),
            incoming: Incoming::Collect { limit: 1 << 20 },
            limits: Timeouts::default(),
        }
    }

    pub fn get(target: &str) -> Self {
        Self::new(Method::GET, target)
    }

    pub fn put(target: &str, body: impl Into<bytes::Bytes>) -> Self {
        Self { body: Body::Bytes(body.into()), ..Self::new(Method::PUT, target) }
    }

    pub fn put_source(target: &str, length: u64) -> Self {
        let body = Body::Source { range: 0..length, rewindable: false };
        Self { body, ..Self::new(Method::PUT, target) }
    }

    pub fn streamed(self) -> Self {
        let incoming = Incoming::Stream {
            at: 0,
            hashers: apus_core::checksum::Hashers::default(),
            declared: false,
            tag: false,
            expect: Expect::default(),
        };
        Self { incoming, ..self }
    }

    pub fn draft(&self, service: &Plain) -> Box<Draft> {
        let uri = format!("{}{}", service.base, self.target).parse().unwrap();
        let mut draft = Draft::new("Ask", self.method.clone(), uri);
        draft.head.headers = self.headers.clone();
        draft.body = self.body.clone();
        self.checksums.iter().cloned().for_each(|checksum| draft.add_checksum(checksum));
        draft.incoming = self.incoming.clone();
        draft.timeouts = self.limits;
        draft
    }
}

impl Operation for Ask {
    type Service = Plain;
    type Output = Reply;
    const NAME: &'static str = "Ask";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Plain) -> Result<Box<Draft>, Error> {
        Ok(Ask::draft(self, service))
    }

    fn parse(&self, _: &Plain, reply: &Reply) -> Result<Reply, Error> {
        match &reply.rejected {
            Some(error) => Err(error.clone()),
            None if reply.status().is_success() || reply.status().is_redirection() => {
                Ok(reply.clone())
            }
            None => Err(Error::refused(reply.status(), None, None)),
        }
    }
}

pub fn client(base: impl Into<String>) -> Client<Plain> {
    client_with(TransportConfig::new(), Plain::new(base))
}

pub fn client_with(config: TransportConfig, service: Plain) -> Client<Plain> {
    Client::with_transport(Transport::new(config).unwrap(), service, Auth::new(Anyone))
}

/// The cause of a failure on the wire.
pub fn cause(error: &Error) -> Option<apus_core::error::ExchangeErrorKind> {
    error.exchange_error().map(apus_core::error::ExchangeError::kind)
}

/// An observer that calls a closure.
pub struct Told<F>(pub F);

impl<F: Fn(&apus_core::machine::Event<'_>) + Send + Sync> apus_core::machine::Observer for Told<F> {
    fn event(&self, _: Now, event: &apus_core::machine::Event<'_>) {
        (self.0)(event);
    }
}

pub fn told<F>(tell: F) -> Arc<dyn apus_core::machine::Observer>
where
    F: Fn(&apus_core::machine::Event<'_>) + Send + Sync + 'static,
{
    Arc::new(Told(tell))
}
