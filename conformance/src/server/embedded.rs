//! s3s-fs in this process: an S3 server that checks signatures and checksums.
//!
//! It runs on a thread and a tokio runtime of its own, so that blocking and async callers can both
//! use it. It supports no conditional requests, no tagging and no versioning (501).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc;
use std::thread;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::auth::SimpleAuth;
use s3s::host::MultiDomain;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Identity;

/// The settings of an [`EmbeddedS3`].
#[derive(Debug, Clone, Default)]
pub struct Options {
    tls: bool,
    buckets: Vec<String>,
    only_from: Option<IpAddr>,
}

impl Options {
    /// Creates settings for http, without buckets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses TLS, with a new certificate: see [`EmbeddedS3::ca_pem`].
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// Creates this bucket at the start.
    pub fn bucket(mut self, name: impl Into<String>) -> Self {
        self.buckets.push(name.into());
        self
    }

    /// Closes connections from other addresses.
    pub fn only_from(mut self, peer: IpAddr) -> Self {
        self.only_from = Some(peer);
        self
    }
}

/// A running S3 server; dropping it stops it and removes its data.
pub struct EmbeddedS3 {
    address: SocketAddr,
    identity: Option<Identity>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    _data: TempDir,
}

impl EmbeddedS3 {
    /// Starts a server on a free loopback port; it is ready when this returns.
    ///
    /// # Errors
    /// The port, the thread or the temporary folder is not available, or a bucket's name is not
    /// valid for a folder.
    pub fn start(options: Options) -> io::Result<Self> {
        let data = tempfile::Builder::new().prefix("apus-s3-").tempdir()?;
        for bucket in &options.buckets {
            std::fs::create_dir(data.path().join(bucket))?;
        }
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let service = service(&data, address)?;
        let identity = options.tls.then(Identity::generate);
        let tls = identity.as_ref().map(|identity| TlsAcceptor::from(identity.config()));

        let only_from = options.only_from;
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = mpsc::channel();
        let thread = thread::Builder::new().name("embedded-s3".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => {
                    runtime.block_on(serve(listener, tls, service, only_from, stopped, ready))
                }
                Err(error) => _ = ready.send(Err(error)),
            }
        })?;
        started.recv().map_err(io::Error::other)??;
        Ok(Self { address, identity, stop: Some(stop), thread: Some(thread), _data: data })
    }

    /// Returns scheme, host and port, such as `http://127.0.0.1:40123`; over TLS the host is
    /// `localhost`.
    pub fn endpoint(&self) -> String {
        match self.identity {
            Some(_) => format!("https://localhost:{}", self.address.port()),
            None => format!("http://{}", self.address),
        }
    }

    /// Returns the address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the certificate of the CA to trust, in PEM; `None` over http.
    pub fn ca_pem(&self) -> Option<&str> {
        self.identity.as_ref().map(Identity::ca_pem)
    }

    /// Returns the only access key that is valid.
    pub fn access_key(&self) -> &'static str {
        ACCESS_KEY
    }

    /// Returns the secret key of [`access_key`](Self::access_key).
    pub fn secret_key(&self) -> &'static str {
        SECRET_KEY
    }
}

impl Drop for EmbeddedS3 {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server's thread was already printed.
            _ = thread.join();
        }
    }
}

fn service(data: &TempDir, address: SocketAddr) -> io::Result<S3Service> {
    let files = FileSystem::new(data.path()).map_err(|e| io::Error::other(format!("{e:?}")))?;
    let port = address.port();
    let domains = [format!("localhost:{port}"), format!("127.0.0.1:{port}")];
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    builder.set_host(MultiDomain::new(&domains).map_err(io::Error::other)?);
    Ok(builder.build())
}

async fn serve(
    listener: std::net::TcpListener,
    tls: Option<TlsAcceptor>,
    service: S3Service,
    only_from: Option<IpAddr>,
    mut stopped: oneshot::Receiver<()>,
    ready: mpsc::Sender<io::Result<()>>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            _ = ready.send(Err(error));
            return;
        }
    };
    _ = ready.send(Ok(()));
    // Dropping the set ends the connections that are still open.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = &mut stopped => return,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        // A connection that was closed before it was accepted is no fault of the server.
        let Ok((stream, peer)) = accepted else { continue };
        if only_from.is_some_and(|only| only != peer.ip()) {
            continue;
        }
        _ = stream.set_nodelay(true);
        let (service, tls) = (service.clone(), tls.clone());
        connections.spawn(async move {
            match tls {
                None => converse(stream, service).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, service).await;
                    }
                }
            }
        });
    }
}

/// Serves one connection, until the client closes it.
async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, service: S3Service) {
    _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

const ACCESS_KEY: &str = "EMBEDDEDACCESSKEY001";
// With characters that AWS secrets may have and that are easily escaped wrongly.
const SECRET_KEY: &str = "embedded+secret/key0000000000000000000=1";
