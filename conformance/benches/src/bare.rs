//! The bare HTTP clients: they send ready-made requests and do not parse responses.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use apus_core::Now;
use apus_core::contract::Operation;
use apus_core::credentials::Credentials;
use apus_core::http::Timeouts;
use apus_core::s3::{BaseUrl, Config, EndpointConfig, PayloadSigning, Service};
use apus_core::sign::Keys;
use bytes::Bytes;
use http::header::{HeaderValue, USER_AGENT};
use http::{Request, Uri, request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::net::TcpStream;

use crate::server::Server;

/// Returns the service that both sides of a race use: payloads are not signed.
///
/// # Panics
///
/// The server's URL is invalid.
pub fn service(server: &Server) -> Service {
    let mut config = Config::new(endpoint(server));
    config.payload = PayloadSigning::Unsigned;
    Service::new(config).unwrap()
}

/// Returns the URL of the server.
///
/// # Panics
///
/// The server's URL is invalid.
pub fn endpoint(server: &Server) -> EndpointConfig {
    EndpointConfig::custom(BaseUrl::parse(&server.url).unwrap(), "us-east-1")
}

/// Returns the credentials that sign.
pub fn credentials() -> Credentials {
    Credentials::new(Keys::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"))
}

/// Returns the signed head that the transports send for this operation.
///
/// # Panics
///
/// The operation can't be drafted or signed.
pub fn head<O: Operation<Service = Service>>(operation: &O, service: &Service) -> request::Parts {
    let unix = std::time::SystemTime::now()
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let draft = operation.draft(service).unwrap();
    let mut exchange = credentials().sign(draft, Now::new(unix, unix)).unwrap();
    let mut head = exchange.request().unwrap().clone();
    head.headers.insert(USER_AGENT, HeaderValue::from_static("apus/0.1.0"));
    head
}

/// A connection of hyper.
pub struct Hyper(SendRequest<Full<Bytes>>);

impl Hyper {
    /// Connects, and lets the connection run as a task.
    ///
    /// # Panics
    ///
    /// The server can't be reached.
    pub async fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.authority()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        if server.certificate.is_empty() {
            return Self::over(stream).await;
        }
        let config = Arc::new(client_config(server));
        let name = "127.0.0.1".try_into().unwrap();
        let stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await.unwrap();
        Self::over(stream).await
    }

    async fn over(
        stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Sends this head and body, and reads the response. Returns its number of bytes.
    ///
    /// # Panics
    ///
    /// The request fails, or the response is no success.
    pub async fn ask(&mut self, head: &request::Parts, body: Bytes) -> u64 {
        let mut head = head.clone();
        head.uri = head.uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
        self.0.ready().await.unwrap();
        let request = Request::from_parts(head, Full::new(body));
        let mut answer = self.0.send_request(request).await.unwrap();
        assert!(answer.status().is_success());
        let mut received = 0;
        while let Some(frame) = answer.frame().await {
            received += frame.unwrap().data_ref().map_or(0, |piece| piece.len() as u64);
        }
        received
    }
}

/// ureq, set up as the transport does: without what it adds by itself, and with timeouts where
/// these are given.
///
/// # Panics
///
/// The server's certificate can't be read.
pub fn ureq_agent(server: &Server, limits: Option<Timeouts>) -> ureq::Agent {
    let mut builder = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent("")
        .accept("")
        .accept_encoding("");
    if let Some(limits) = limits {
        builder = builder
            .timeout_connect(limits.connect)
            .timeout_recv_response(limits.first_byte)
            .timeout_per_read(limits.idle)
            .timeout_per_write(limits.idle)
            .timeout_await_100(Some(Duration::from_secs(1)));
    }
    if !server.certificate.is_empty() {
        let certificate = ureq::tls::Certificate::from_pem(server.certificate.as_bytes()).unwrap();
        let roots = ureq::tls::RootCerts::new_with_certs(&[certificate]);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ureq::tls::TlsConfig::builder()
            .root_certs(roots)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        builder = builder.tls_config(tls);
    }
    builder.build().new_agent()
}

/// Sends this head and body with ureq, and reads the response. Returns its number of bytes.
///
/// # Panics
///
/// The request fails, or the response is no success.
pub fn ureq_ask(agent: &ureq::Agent, head: &request::Parts, body: &[u8], into: &mut [u8]) -> u64 {
    let head = head.clone();
    let answer = if body.is_empty() {
        agent.run(Request::from_parts(head, ())).unwrap()
    } else {
        agent.run(Request::from_parts(head, body)).unwrap()
    };
    assert!(answer.status().is_success());
    let mut reader = answer.into_body().into_reader();
    let mut received = 0;
    loop {
        match reader.read(into).unwrap() {
            0 => return received,
            read => received += read as u64,
        }
    }
}

fn client_config(server: &Server) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.certificate.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}
