//! One client over either transport.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use apus_conformance::server::{EmbeddedS3, FaultyS3, Scripted};
use apus_core::Error;
use apus_core::contract::{Machine, OnFailure, Operation};
use apus_core::credentials::Credentials;
use apus_core::http::{Completion, Exchange};
use apus_core::machine::{Auth, Observer, RateLimits, UploadSource};
use apus_core::s3::{BaseUrl, Config, EndpointConfig, Service};
use apus_core::sign::{Keys, Presigned};
use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::runtime::{Builder, Runtime};

/// Which transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Blocking,
    Async,
}

/// A server that a client can be made for.
pub(crate) trait Server {
    fn url(&self) -> String;

    fn ca(&self) -> Option<&str>;

    fn keys(&self) -> Keys {
        Keys::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    }
}

impl Server for EmbeddedS3 {
    fn url(&self) -> String {
        self.endpoint()
    }

    fn ca(&self) -> Option<&str> {
        self.ca_pem()
    }

    fn keys(&self) -> Keys {
        Keys::new(self.access_key(), self.secret_key())
    }
}

impl Server for FaultyS3 {
    fn url(&self) -> String {
        self.endpoint()
    }

    fn ca(&self) -> Option<&str> {
        self.ca_pem()
    }
}

impl Server for Scripted {
    fn url(&self) -> String {
        self.endpoint()
    }

    fn ca(&self) -> Option<&str> {
        self.ca_pem()
    }
}

/// What a client is made of.
pub(crate) struct Setup {
    pub(crate) config: Config,
    /// Each a auth of its own.
    pub(crate) keys: Vec<Keys>,
    /// In place of the first of them.
    pub(crate) auth: Option<Auth>,
    pub(crate) ca: Option<String>,
    pub(crate) rate_limits: Arc<RateLimits>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    /// What is hashed before it is sent is read twice, and not kept in memory.
    pub(crate) reread: bool,
    /// Above which length of a body `100 Continue` is awaited, if not by default.
    pub(crate) expects_above: Option<u64>,
}

impl Setup {
    /// For this server, with short delays between attempts.
    pub(crate) fn of(server: &impl Server) -> Self {
        let url = BaseUrl::parse(&server.url()).unwrap();
        let mut config = Config::new(EndpointConfig::custom(url, "us-east-1"));
        config.retry_policy.base = Duration::from_millis(2);
        config.retry_policy.throttled = Duration::from_millis(4);
        config.timeouts.first_byte = Some(Duration::from_secs(20));
        config.timeouts.idle = Some(Duration::from_secs(20));
        let ca = server.ca().map(str::to_owned);
        let (keys, rate_limits) = (vec![server.keys()], Arc::default());
        Self {
            config,
            keys,
            auth: None,
            ca,
            rate_limits,
            observer: None,
            reread: false,
            expects_above: None,
        }
    }

    /// The same with another configuration.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    pub(crate) fn client(self, via: Via) -> Client {
        let Self { config, keys, auth, ca, rate_limits, observer, reread, expects_above } = self;
        let service = Service::new(config).unwrap();
        let mut auths = keys.into_iter().map(|keys| Auth::new(Credentials::new(keys)));
        let first = auths.next().unwrap();
        let first = auth.unwrap_or(first);
        macro_rules! client {
            ($transport:ident) => {{
                let mut config = $transport::TransportConfig::new().reread(reread);
                if expects_above.is_some() {
                    config = config.expect_continue_above(expects_above);
                }
                if let Some(ca) = &ca {
                    config = config.ca_bundle(ca.as_bytes()).unwrap();
                }
                let transport = $transport::Transport::new(config).unwrap();
                let client = $transport::Client::with_transport(transport, service.clone(), first);
                let client = auths.fold(client, |client, auth| client.add_auth(auth));
                let client = client.with_rate_limits(rate_limits);
                match observer {
                    Some(observer) => client.with_observer(observer),
                    None => client,
                }
            }};
        }
        let wire = match via {
            Via::Blocking => Wire::Blocking(client!(apus_blocking)),
            Via::Async => {
                let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
                Wire::Async(client!(apus_async), runtime.unwrap())
            }
        };
        Client { service: Arc::new(service), wire }
    }
}

/// A client over either transport.
pub(crate) struct Client {
    pub(crate) service: Arc<Service>,
    pub(crate) wire: Wire,
}

pub(crate) enum Wire {
    Blocking(apus_blocking::Client<Service>),
    Async(apus_async::Client<Service>, Runtime),
}

impl Client {
    pub(crate) fn call<O>(&self, operation: O) -> Result<O::Output, Error>
    where
        O: Operation<Service = Service>,
    {
        match &self.wire {
            Wire::Blocking(client) => client.call(operation),
            Wire::Async(client, runtime) => runtime.block_on(client.call(operation)),
        }
    }

    pub(crate) fn presign<O>(&self, operation: O, expires: Duration) -> Result<Presigned, Error>
    where
        O: Operation<Service = Service>,
    {
        match &self.wire {
            Wire::Blocking(client) => client.presign(operation, expires),
            Wire::Async(client, runtime) => runtime.block_on(client.presign(operation, expires)),
        }
    }

    pub(crate) fn call_from<O>(&self, operation: O, origin: Origin) -> Result<O::Output, Error>
    where
        O: Operation<Service = Service>,
    {
        match &self.wire {
            Wire::Blocking(client) => client.call_from(operation, origin.blocking()),
            Wire::Async(client, runtime) => {
                runtime.block_on(client.call_from(operation, origin.hyper()))
            }
        }
    }

    /// Runs a machine that sends, or does neither.
    pub(crate) fn run<M>(&self, machine: M, origin: Origin) -> Result<M::Output, Error>
    where
        M: Machine<Output: Send> + Send + 'static,
    {
        self.run_until(machine, origin, &Token::default())
    }

    /// Runs a machine that sends, until it ends or is cancelled. What it reads is dropped.
    pub(crate) fn run_until<M>(
        &self,
        machine: M,
        origin: Origin,
        token: &Token,
    ) -> Result<M::Output, Error>
    where
        M: Machine<Output: Send> + Send + 'static,
    {
        match &self.wire {
            Wire::Blocking(client) => {
                let run = client.run(machine).body(origin.blocking());
                let run = run.write_to(apus_blocking::Sink::discard());
                run.cancel_on(token.blocking.clone()).send()
            }
            Wire::Async(client, runtime) => {
                let run = client.run(machine).body(origin.hyper());
                let run = run.write_to(apus_async::Sink::discard());
                runtime.block_on(run.cancel_on(token.hyper.clone()).send())
            }
        }
    }

    /// Runs a machine that reads; returns the result, and the bytes of the target.
    pub(crate) fn run_into<M>(
        &self,
        machine: M,
        target: Target,
    ) -> (Result<M::Output, Error>, Vec<u8>)
    where
        M: Machine<Output: Send> + Send + 'static,
    {
        let shared = SharedWriter::default();
        let mut file = tempfile::tempfile().unwrap();
        macro_rules! sink {
            ($transport:ident) => {
                match target {
                    Target::Memory => $transport::Sink::memory(),
                    Target::File => $transport::Sink::file(file.try_clone().unwrap()),
                    Target::Writer => $transport::Sink::writer(shared.clone()),
                }
            };
        }
        let (result, memory) = match &self.wire {
            Wire::Blocking(client) => {
                let sink = sink!(apus_blocking);
                let result = client.run(machine).write_to(&sink).send();
                (result, sink.take())
            }
            Wire::Async(client, runtime) => {
                let sink = sink!(apus_async);
                let result = runtime.block_on(client.run(machine).write_to(&sink).send());
                (result, sink.take())
            }
        };
        let bytes = match target {
            Target::Memory => memory,
            Target::Writer => shared.0.lock().unwrap().clone(),
            Target::File => {
                let mut bytes = Vec::new();
                file.rewind().unwrap();
                file.read_to_end(&mut bytes).unwrap();
                bytes
            }
        };
        (result, bytes)
    }

    /// Performs one exchange without keys.
    pub(crate) fn perform(&self, exchange: Exchange) -> Completion {
        match &self.wire {
            Wire::Blocking(client) => {
                let (source, sink) = (apus_blocking::Source::none(), apus_blocking::Sink::none());
                client.transport().perform(exchange, &source, &sink)
            }
            Wire::Async(client, runtime) => {
                let (source, sink) = (apus_async::Source::none(), apus_async::Sink::none());
                runtime.block_on(client.transport().perform(exchange, &source, &sink))
            }
        }
    }
}

/// Where bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bytes,
    File,
    /// Of known length, read once.
    Reader,
    /// Of unknown length.
    Stream,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Bytes, Self::File, Self::Reader, Self::Stream];
}

/// Bytes, and how they are read.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) kind: Kind,
    pub(crate) bytes: Bytes,
}

impl Origin {
    pub(crate) fn new(kind: Kind, bytes: impl Into<Bytes>) -> Self {
        Self { kind, bytes: bytes.into() }
    }

    pub(crate) fn none() -> Self {
        Self::new(Kind::Bytes, Bytes::new())
    }

    pub(crate) fn upload_source(&self) -> UploadSource {
        let length = self.bytes.len() as u64;
        match self.kind {
            Kind::Bytes | Kind::File => UploadSource::Seekable(length),
            Kind::Reader => UploadSource::Stream(Some(length)),
            Kind::Stream => UploadSource::Stream(None),
        }
    }

    fn file(&self) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&self.bytes).unwrap();
        file
    }

    pub(crate) fn blocking(self) -> apus_blocking::Source<'static> {
        let length = self.bytes.len() as u64;
        match self.kind {
            Kind::Bytes => apus_blocking::Source::bytes(self.bytes),
            Kind::File => apus_blocking::Source::file(self.file()),
            Kind::Reader => apus_blocking::Source::reader(Cursor::new(self.bytes), length),
            Kind::Stream => apus_blocking::Source::stream(Cursor::new(self.bytes)),
        }
    }

    pub(crate) fn hyper(self) -> apus_async::Source {
        let length = self.bytes.len() as u64;
        match self.kind {
            Kind::Bytes => apus_async::Source::bytes(self.bytes),
            Kind::File => apus_async::Source::file(self.file()),
            Kind::Reader => apus_async::Source::reader(Cursor::new(self.bytes), length),
            Kind::Stream => apus_async::Source::stream(Cursor::new(self.bytes)),
        }
    }
}

/// Where bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Memory,
    File,
    Writer,
}

impl Target {
    pub(crate) const ALL: [Self; 3] = [Self::Memory, Self::File, Self::Writer];
}

/// Stops runs over either transport.
#[derive(Clone, Debug, Default)]
pub(crate) struct Token {
    pub(crate) blocking: apus_blocking::CancelToken,
    pub(crate) hyper: apus_async::CancelToken,
}

impl Token {
    pub(crate) fn cancel_with(&self, on_failure: OnFailure) {
        self.blocking.cancel_with(on_failure);
        self.hyper.cancel_with(on_failure);
    }

    pub(crate) fn blocking(&self) -> apus_blocking::CancelToken {
        self.blocking.clone()
    }

    pub(crate) fn hyper(&self) -> apus_async::CancelToken {
        self.hyper.clone()
    }
}

/// Bytes that differ from one range to the next.
pub(crate) fn pattern(length: usize) -> Bytes {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

/// Keeps what is written to any of its clones.
#[derive(Clone, Default)]
struct SharedWriter(Arc<Mutex<Vec<u8>>>);

impl Write for SharedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncWrite for SharedWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
