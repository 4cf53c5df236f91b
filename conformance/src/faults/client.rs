//! A client over either transport, with timeouts short enough for a test to reach them.

use std::fs::File;
use std::io::{self, Cursor, Write};
use std::sync::{Arc, LazyLock};

use apus_core::Error;
use apus_core::contract::{Machine, Service};
use apus_core::machine::{Auth, Observer, UploadSource};
use bytes::Bytes;
use tokio::runtime::{Builder, Handle, Runtime};

/// The transport of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Via {
    Blocking,
    Async,
}

/// The settings of a transport.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) via: Via,
    pub(super) ca: Vec<u8>,
    /// Whether connections are used again.
    pub(super) keeps_connections: bool,
    /// Bodies above this size wait for `100 Continue`; `Some(None)`: none waits; `None`: the
    /// default.
    pub(super) expects_above: Option<Option<u64>>,
}

/// A client.
pub(super) enum Client<S: Service> {
    Blocking(apus_blocking::Client<S>),
    Async(apus_async::Client<S>),
}

impl<S: Service + Send + Sync + 'static> Client<S> {
    pub(super) fn new(
        setup: &Setup,
        service: S,
        auth: Auth,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Self, Error> {
        macro_rules! client {
            ($transport:ident) => {{
                let mut config = $transport::TransportConfig::new();
                if !setup.ca.is_empty() {
                    config = config.ca_bundle(&setup.ca)?;
                }
                if !setup.keeps_connections {
                    config = config.idle_connections(0);
                }
                if let Some(above) = setup.expects_above {
                    config = config.expect_continue_above(above);
                }
                let transport = $transport::Transport::new(config)?;
                let client = $transport::Client::with_transport(transport, service, auth);
                match observer {
                    Some(observer) => client.with_observer(observer),
                    None => client,
                }
            }};
        }
        Ok(match setup.via {
            Via::Blocking => Self::Blocking(client!(apus_blocking)),
            Via::Async => Self::Async(client!(apus_async)),
        })
    }

    pub(super) fn service(&self) -> &Arc<S> {
        match self {
            Self::Blocking(client) => client.service(),
            Self::Async(client) => client.service(),
        }
    }

    /// Runs a machine that sends these bytes.
    pub(super) fn send<M>(&self, machine: M, origin: &Origin) -> Result<M::Output, Error>
    where
        M: Machine<Output: Send> + Send + 'static,
    {
        let unreadable =
            |error: io::Error| Error::invalid_input(format!("no temporary file: {error}"));
        match self {
            Self::Blocking(client) => {
                let source = origin.blocking().map_err(unreadable)?;
                client.run(machine).body(source).send()
            }
            Self::Async(client) => {
                let source = origin.hyper().map_err(unreadable)?;
                RUNTIME.block_on(client.run(machine).body(source).send())
            }
        }
    }

    /// Runs a machine that receives; returns its result, and the bytes received so far.
    pub(super) fn receive<M>(&self, machine: M) -> (Result<M::Output, Error>, Vec<u8>)
    where
        M: Machine<Output: Send> + Send + 'static,
    {
        match self {
            Self::Blocking(client) => {
                let sink = apus_blocking::Sink::memory();
                let result = client.run(machine).write_to(&sink).send();
                (result, sink.take())
            }
            Self::Async(client) => {
                let sink = apus_async::Sink::memory();
                let result = RUNTIME.block_on(client.run(machine).write_to(&sink).send());
                (result, sink.take())
            }
        }
    }
}

/// The source of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum From {
    Bytes,
    File,
    /// A stream of known length.
    Reader,
    /// A stream of unknown length.
    Stream,
}

/// Bytes, and the form in which they are read.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) from: From,
    pub(super) bytes: Bytes,
}

impl Origin {
    pub(super) fn upload_source(&self) -> UploadSource {
        let length = self.bytes.len() as u64;
        match self.from {
            From::Bytes | From::File => UploadSource::Seekable(length),
            From::Reader => UploadSource::Stream(Some(length)),
            From::Stream => UploadSource::Stream(None),
        }
    }

    fn file(&self) -> io::Result<File> {
        let mut file = tempfile::tempfile()?;
        file.write_all(&self.bytes)?;
        Ok(file)
    }

    fn blocking(&self) -> io::Result<apus_blocking::Source<'static>> {
        let (bytes, length) = (self.bytes.clone(), self.bytes.len() as u64);
        Ok(match self.from {
            From::Bytes => apus_blocking::Source::bytes(bytes),
            From::File => apus_blocking::Source::file(self.file()?),
            From::Reader => apus_blocking::Source::reader(Cursor::new(bytes), length),
            From::Stream => apus_blocking::Source::stream(Cursor::new(bytes)),
        })
    }

    fn hyper(&self) -> io::Result<apus_async::Source> {
        let (bytes, length) = (self.bytes.clone(), self.bytes.len() as u64);
        Ok(match self.from {
            From::Bytes => apus_async::Source::bytes(bytes),
            From::File => apus_async::Source::file(self.file()?),
            From::Reader => apus_async::Source::reader(Cursor::new(bytes), length),
            From::Stream => apus_async::Source::stream(Cursor::new(bytes)),
        })
    }
}

/// The runtime of the proxies and of the asynchronous clients.
pub(super) fn runtime() -> &'static Handle {
    RUNTIME.handle()
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a machine that runs this can start two threads")
});
