//! Which servers are trusted, and who we are to them.

use std::sync::Arc;

use apus_core::Error;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::accept_any::AcceptAny;
use crate::trusted::Trusted;

/// The TLS half of a configuration.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) accept_any: bool,
    pub(crate) ready: Option<Arc<ClientConfig>>,
    /// Mozilla's, unless told otherwise.
    roots: RootCertStore,
    /// Those of them that we were told of.
    bundle: Vec<CertificateDer<'static>>,
    identity: Option<Arc<Identity>>,
}

struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            accept_any: false,
            ready: None,
            roots: webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
            bundle: Vec::new(),
            identity: None,
        }
    }
}

impl Tls {
    /// Trusts the authorities of a PEM bundle alone.
    pub(crate) fn trust_only(&mut self, pem: &[u8]) -> Result<(), Error> {
        self.roots = RootCertStore::empty();
        self.bundle.clear();
        self.trust(pem)
    }

    /// Also trusts the authorities of a PEM bundle.
    pub(crate) fn trust(&mut self, pem: &[u8]) -> Result<(), Error> {
        for (at, certificate) in certificates(pem, "the CA bundle")?.into_iter().enumerate() {
            self.roots.add(certificate.clone()).map_err(|error| {
                Error::caller(format!("certificate {} of the CA bundle: {error}", at + 1))
            })?;
            self.bundle.push(certificate);
        }
        Ok(())
    }

    /// Takes our own certificate and its key.
    pub(crate) fn identify(&mut self, chain: &[u8], key: &[u8]) -> Result<(), Error> {
        let chain = certificates(chain, "the client certificate")?;
        // The parser's error could quote what it found, and that may be the key.
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| Error::caller("the client certificate's key: no PEM private key in it"))?;
        self.identity = Some(Arc::new(Identity { chain, key }));
        Ok(())
    }

    /// What rustls is configured with.
    pub(crate) fn build(self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(ready) = self.ready {
            return Ok(ready);
        }
        let provider = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::caller(format!("TLS: {error}")))?;
        let builder = if self.accept_any {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny { algorithms }))
        } else if self.bundle.is_empty() {
            builder.with_root_certificates(self.roots)
        } else {
            let trusted = Trusted::new(Arc::new(self.roots), self.bundle, provider)?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(trusted))
        };
        let mut config = match self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
                .map_err(|error| Error::caller(format!("the client certificate: {error}")))?,
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certificates(pem: &[u8], whose: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let mut certificates = Vec::new();
    for (at, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        certificates.push(certificate.map_err(|error| {
            Error::caller(format!("{whose}: certificate {} is broken: {error}", at + 1))
        })?);
    }
    if certificates.is_empty() {
        return Err(Error::caller(format!("{whose}: no PEM certificate in it")));
    }
    Ok(certificates)
}
