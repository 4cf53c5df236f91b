//! Certificates, and servers that show them.

use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{CipherSuite, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::{Server, ok};

pub(crate) type Suites = Arc<Mutex<Vec<CipherSuite>>>;

/// An authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn ders(&self) -> [CertificateDer<'static>; 1] {
        [self.0.der().clone()]
    }

    /// A certificate for `name`, and its key.
    pub(crate) fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

/// Responds to every request with its own body, over TLS.
pub(crate) fn server(authority: &Authority, clients: Option<&Authority>) -> Server {
    server_with_suites(authority, clients).0
}

/// The same, and the cipher suites that were negotiated, one for each connection.
pub(crate) fn server_with_suites(
    authority: &Authority,
    clients: Option<&Authority>,
) -> (Server, Suites) {
    let suites = Suites::default();
    let negotiated = Arc::clone(&suites);
    let (certificate, key) = authority.issue("localhost");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            let der: CertificateDer<'static> = clients.0.der().clone();
            roots.add(der).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap());
    let server = Server::start_over(
        move |mut socket| {
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            // Of a handshake that failed, the script gets the error.
            let _ = connection.complete_io(&mut socket);
            negotiated
                .lock()
                .unwrap()
                .extend(connection.negotiated_cipher_suite().map(|of| of.suite()));
            Some(Box::new(StreamOwned::new(connection, socket)))
        },
        |peer| {
            while let Some((_, body)) = peer.request() {
                peer.say(ok(body));
            }
        },
    );
    (server, suites)
}
