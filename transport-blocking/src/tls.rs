//! Certificates and keys from PEM, checked when they are given.

use std::fmt;
use std::sync::Arc;

use apus_core::Error;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

/// Whom to trust and who we are.
#[derive(Clone, Default)]
pub(crate) struct Tls {
    /// Nothing here: the roots of Mozilla's list, which ureq holds in a shorter form.
    roots: Option<Arc<Vec<Certificate<'static>>>>,
    client: Option<ClientCert>,
    unverified: bool,
}

impl Tls {
    pub(crate) fn with_roots(mut self, pem: &[u8], besides: bool) -> Result<Self, Error> {
        let mut roots = match (besides, &self.roots) {
            (false, _) => Vec::new(),
            (true, Some(roots)) => Vec::clone(roots),
            (true, None) => {
                let mozilla = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
                mozilla.map(|root| Certificate::from_der(root)).collect()
            }
        };
        let mut store = RootCertStore::empty();
        for (at, certificate) in certificates(pem, "the CA bundle")?.into_iter().enumerate() {
            store.add(certificate.clone()).map_err(|error| {
                Error::caller(format!("certificate {} of the CA bundle: {error}", at + 1))
            })?;
            roots.push(Certificate::from_der(&certificate).to_owned());
        }
        self.roots = Some(Arc::new(roots));
        Ok(self)
    }

    pub(crate) fn with_client(mut self, chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let chain = certificates(chain, "the client certificate")?;
        let der = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| unreadable("the client certificate's key", "private key", &error))?;
        // ureq panics on a key that doesn't fit.
        CertifiedKey::from_der(chain.clone(), der, &ring::default_provider())
            .map_err(|error| Error::caller(format!("the client certificate's key: {error}")))?;
        let chain: Vec<_> =
            chain.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
        let key = PrivateKey::from_pem(key)
            .map_err(|_| Error::caller("the client certificate's key can't be read"))?;
        self.client = Some(ClientCert::new_with_certs(&chain, key));
        Ok(self)
    }

    pub(crate) fn without_verification(mut self, accept: bool) -> Self {
        self.unverified = accept;
        self
    }

    pub(crate) fn config(&self) -> TlsConfig {
        let roots = match &self.roots {
            Some(roots) => RootCerts::Specific(Arc::clone(roots)),
            None => RootCerts::WebPki,
        };
        TlsConfig::builder()
            .root_certs(roots)
            .client_cert(self.client.clone())
            .disable_verification(self.unverified)
            .build()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("roots", &self.roots.as_ref().map(|roots| roots.len()))
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
