//! Certificates and keys from PEM, checked when they are given.

use std::fmt;
use std::sync::Arc;

use apus_core::Error;
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::accept_any::AcceptAny;
use crate::trusted::Trusted;

/// Whom to trust and who we are.
#[derive(Clone)]
pub(crate) struct Tls {
    /// Mozilla's, unless told otherwise.
    roots: Arc<RootCertStore>,
    /// Those of them that we were told of.
    bundle: Vec<CertificateDer<'static>>,
    client: Option<Arc<Client>>,
    unverified: bool,
}

struct Client {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Tls {
    pub(crate) fn with_roots(mut self, pem: &[u8], besides: bool) -> Result<Self, Error> {
        let mut roots =
            if besides { RootCertStore::clone(&self.roots) } else { RootCertStore::empty() };
        let certificates = certificates(pem, "the CA bundle")?;
        for (at, certificate) in certificates.iter().enumerate() {
            roots.add(certificate.clone()).map_err(|error| {
                Error::caller(format!("certificate {} of the CA bundle: {error}", at + 1))
            })?;
        }
        self.roots = Arc::new(roots);
        if !besides {
            self.bundle.clear();
        }
        self.bundle.extend(certificates);
        Ok(self)
    }

    pub(crate) fn with_client(mut self, chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let chain = certificates(chain, "the client certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| unreadable("the client certificate's key", "private key", &error))?;
        CertifiedKey::from_der(chain.clone(), key.clone_key(), &ring::default_provider())
            .map_err(|error| Error::caller(format!("the client certificate's key: {error}")))?;
        self.client = Some(Arc::new(Client { chain, key }));
        Ok(self)
    }

    pub(crate) fn without_verification(mut self, accept: bool) -> Self {
        self.unverified = accept;
        self
    }

    /// What rustls is configured with.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, Error> {
        let provider = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::caller(format!("TLS: {error}")))?;
        let builder = if self.unverified {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny { algorithms }))
        } else if self.bundle.is_empty() {
            builder.with_root_certificates(Arc::clone(&self.roots))
        } else {
            let trusted = Trusted::new(Arc::clone(&self.roots), self.bundle.clone(), provider)?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(trusted))
        };
        let config = match &self.client {
            None => builder.with_no_client_auth(),
            Some(client) => builder
                .with_client_auth_cert(client.chain.clone(), client.key.clone_key())
                .map_err(|error| Error::caller(format!("the client certificate: {error}")))?,
        };
        Ok(Arc::new(config))
    }
}

impl Default for Tls {
    fn default() -> Self {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        Self { roots: Arc::new(roots), bundle: Vec::new(), client: None, unverified: false }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("roots", &self.roots.len())
            .field("client_certificate", &self.client.is_some())
            .field("accept_invalid_certs", &self.unverified)
            .finish()
    }
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable(what, "certificate", &error))?;
    if certificates.is_empty() {
        return Err(unreadable(what, "certificate", &pem::Error::NoItemsFound));
    }
    Ok(certificates)
}

/// Says what is wrong with a PEM file, and nothing of what is in it.
fn unreadable(what: &str, item: &str, error: &pem::Error) -> Error {
    Error::caller(match error {
        pem::Error::NoItemsFound => format!("{what} has no {item} in PEM form"),
        pem::Error::MissingSectionEnd { .. } => format!("{what}: a PEM section has no end"),
        pem::Error::IllegalSectionStart { .. } => format!("{what}: a PEM section starts wrongly"),
        pem::Error::Base64Decode(_) => format!("{what}: a PEM section is no base64"),
        _ => format!("{what} can't be read as PEM"),
    })
}
