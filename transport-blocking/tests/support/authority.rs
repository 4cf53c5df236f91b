//! Certificates, and servers that show them.

use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{CipherSuite, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::server::{Server, Then, Wire};

pub type Suites = Arc<Mutex<Vec<CipherSuite>>>;

/// An authority, and servers with its certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    pub fn ders(&self) -> [CertificateDer<'static>; 1] {
        [self.0.der().clone()]
    }

    pub fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    /// A server with a certificate for 127.0.0.1, which requests a certificate of `clients`.
    pub fn server(&self, clients: Option<&Authority>) -> Server {
        self.server_with_suites(clients).0
    }

    /// The same, and the cipher suites that were negotiated, one for each connection.
    pub fn server_with_suites(&self, clients: Option<&Authority>) -> (Server, Suites) {
        let suites = Suites::default();
        let negotiated = Arc::clone(&suites);
        let (certificate, key) = self.issue("127.0.0.1");
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.0.der().clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let config = Arc::new(config);
        let wire = move |mut stream: TcpStream| -> Option<Box<dyn Wire>> {
            let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            if tls.complete_io(&mut stream).is_err() {
                // If the connection is closed with unread bytes, it is reset and the alert is lost.
                stream.shutdown(Shutdown::Write).ok()?;
                std::io::copy(&mut stream, &mut std::io::sink()).ok()?;
                return None;
            }
            let suite = tls.negotiated_cipher_suite().unwrap().suite();
            negotiated.lock().unwrap().push(suite);
            Some(Box::new(StreamOwned::new(tls, stream)))
        };
        let server = Server::with_wire(true, wire, |seen, peer| {
            peer.answer("200 OK", &[], &seen.body);
            Then::Keep
        });
        (server, suites)
    }
}
