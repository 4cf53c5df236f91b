//! A client over either transport, so that each check is written once.

#![allow(dead_code, reason = "a suite takes of it what it needs")]

use std::io::Cursor;
use std::sync::{Arc, LazyLock};

use apus_core::Error;
use apus_core::contract::{Machine, Operation, Service};
use apus_core::http::{Draft, Exchange, Reply};
use apus_core::machine::{Auth, Observer};
use apus_core::proxy::Proxies;
use apus_core::s3;
use tokio::runtime::Runtime;

/// Which of the two crates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    Blocking,
    Async,
}

/// The client of a service.
pub enum Store<S: Service = s3::Service> {
    Blocking(apus_blocking::Client<S>),
    Async(apus_async::Client<S>),
}

/// Where the bytes of a body come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Memory, to be read anywhere and again.
    Memory,
    /// A reader of known length: once, in order.
    Known,
    /// A reader of unknown length.
    Unknown,
}

impl<S> Store<S>
where
    S: Service + Send + Sync + 'static,
{
    /// A client that trusts `ca` alone, or, where that is empty, as the transport does by itself.
    pub fn new(transport: Transport, service: S, ca: &[u8], auths: Vec<Auth>) -> Self {
        Self::made(transport, service, ca, auths, |config| config, |config| config)
    }

    /// Creates a client that sends a body of more than 64 KiB only after `100 Continue`.
    pub fn expecting(transport: Transport, service: S, ca: &[u8], auths: Vec<Auth>) -> Self {
        let above = Some(1 << 16);
        let blocking = |config: apus_blocking::TransportConfig| config.expect_continue_above(above);
        let asynchronous =
            |config: apus_async::TransportConfig| config.expect_continue_above(above);
        Self::made(transport, service, ca, auths, blocking, asynchronous)
    }

    /// Creates a client that uses a proxy and expects as [`expecting`](Self::expecting) does.
    pub fn through(
        proxy: impl Into<Proxies>,
        transport: Transport,
        service: S,
        ca: &[u8],
        auths: Vec<Auth>,
    ) -> Self {
        let (proxies, above) = (proxy.into(), Some(1 << 16));
        let copy = proxies.clone();
        let blocking = |config: apus_blocking::TransportConfig| {
            config.proxy(proxies).expect_continue_above(above)
        };
        let asynchronous =
            |config: apus_async::TransportConfig| config.proxy(copy).expect_continue_above(above);
        Self::made(transport, service, ca, auths, blocking, asynchronous)
    }

    fn made(
        transport: Transport,
        service: S,
        ca: &[u8],
        auths: Vec<Auth>,
        blocking: impl FnOnce(apus_blocking::TransportConfig) -> apus_blocking::TransportConfig,
        asynchronous: impl FnOnce(apus_async::TransportConfig) -> apus_async::TransportConfig,
    ) -> Self {
        let mut auths = auths.into_iter();
        let first = auths.next().expect("a client has one auth at least");
        match transport {
            Transport::Blocking => {
                let mut config = blocking(apus_blocking::TransportConfig::new());
                if !ca.is_empty() {
                    config = config.ca_bundle(ca).unwrap();
                }
                let transport = apus_blocking::Transport::new(config).unwrap();
                let client = apus_blocking::Client::with_transport(transport, service, first);
                Self::Blocking(auths.fold(client, apus_blocking::Client::add_auth))
            }
            Transport::Async => {
                let mut config = asynchronous(apus_async::TransportConfig::new());
                if !ca.is_empty() {
                    config = config.ca_bundle(ca).unwrap();
                }
                let transport = apus_async::Transport::new(config).unwrap();
                let client = apus_async::Client::with_transport(transport, service, first);
                Self::Async(auths.fold(client, apus_async::Client::add_auth))
            }
        }
    }

    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        match self {
            Self::Blocking(client) => Self::Blocking(client.with_observer(observer)),
            Self::Async(client) => Self::Async(client.with_observer(observer)),
        }
    }

    pub fn service(&self) -> &Arc<S> {
        match self {
            Self::Blocking(client) => client.service(),
            Self::Async(client) => client.service(),
        }
    }

    pub fn call<O: Operation<Service = S>>(&self, operation: O) -> Result<O::Output, Error> {
        match self {
            Self::Blocking(client) => client.call(operation),
            Self::Async(client) => RUNTIME.block_on(client.call(operation)),
        }
    }

    /// The operation's body is these bytes.
    pub fn call_from<O: Operation<Service = S>>(
        &self,
        operation: O,
        feed: Feed,
        bytes: &[u8],
    ) -> Result<O::Output, Error> {
        match self {
            Self::Blocking(client) => client.call_from(operation, blocking_source(feed, bytes)),
            Self::Async(client) => {
                RUNTIME.block_on(client.call_from(operation, async_source(feed, bytes)))
            }
        }
    }

    pub fn run<M>(&self, machine: M) -> Result<M::Output, Error>
    where
        M: Machine + Send + 'static,
        M::Output: Send + 'static,
    {
        match self {
            Self::Blocking(client) => client.run(machine).send(),
            Self::Async(client) => RUNTIME.block_on(client.run(machine).send()),
        }
    }

    /// What the machine sends is these bytes.
    pub fn run_from<M>(&self, machine: M, feed: Feed, bytes: &[u8]) -> Result<M::Output, Error>
    where
        M: Machine + Send + 'static,
        M::Output: Send + 'static,
    {
        match self {
            Self::Blocking(client) => client.run(machine).body(blocking_source(feed, bytes)).send(),
            Self::Async(client) => {
                RUNTIME.block_on(client.run(machine).body(async_source(feed, bytes)).send())
            }
        }
    }

    /// What the machine receives is kept in memory.
    pub fn run_into<M>(&self, machine: M) -> Result<(M::Output, Vec<u8>), Error>
    where
        M: Machine + Send + 'static,
        M::Output: Send + 'static,
    {
        match self {
            Self::Blocking(client) => {
                let sink = apus_blocking::Sink::memory();
                let output = client.run(machine).write_to(&sink).send()?;
                Ok((output, sink.take()))
            }
            Self::Async(client) => {
                let sink = apus_async::Sink::memory();
                let output = RUNTIME.block_on(client.run(machine).write_to(&sink).send())?;
                Ok((output, sink.take()))
            }
        }
    }

    /// One request as it is, unsigned: what the holder of a URL or of a form sends.
    pub fn send(&self, draft: Box<Draft>) -> Reply {
        let exchange = Exchange::open(draft, apus_blocking::now(), 0);
        let done = match self {
            Self::Blocking(client) => {
                let (source, sink) = (apus_blocking::Source::none(), apus_blocking::Sink::none());
                client.transport().perform(exchange, &source, &sink)
            }
            Self::Async(client) => {
                let (source, sink) = (apus_async::Source::none(), apus_async::Sink::none());
                RUNTIME.block_on(client.transport().perform(exchange, &source, &sink))
            }
        };
        done.into_parts().1.unwrap()
    }
}

fn blocking_source(feed: Feed, bytes: &[u8]) -> apus_blocking::Source<'static> {
    let length = bytes.len() as u64;
    let bytes = bytes.to_vec();
    match feed {
        Feed::Memory => apus_blocking::Source::bytes(bytes),
        Feed::Known => apus_blocking::Source::reader(Cursor::new(bytes), length),
        Feed::Unknown => apus_blocking::Source::stream(Cursor::new(bytes)),
    }
}

fn async_source(feed: Feed, bytes: &[u8]) -> apus_async::Source {
    let length = bytes.len() as u64;
    let bytes = bytes.to_vec();
    match feed {
        Feed::Memory => apus_async::Source::bytes(bytes),
        Feed::Known => apus_async::Source::reader(Cursor::new(bytes), length),
        Feed::Unknown => apus_async::Source::stream(Cursor::new(bytes)),
    }
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});
