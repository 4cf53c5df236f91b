//! Verifies servers whose own certificate is in the CA bundle.

use std::fmt;
use std::sync::Arc;

use apus_core::Error;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Accepts what rustls accepts, and also a server certificate that is itself in the bundle, byte
/// for byte, although it is an authority's (`CA:TRUE`). `openssl req -x509` makes such certificates
/// by default, and OpenSSL, curl and Python accept them.
pub(crate) struct Trusted {
    verifier: Arc<WebPkiServerVerifier>,
    bundle: Vec<CertificateDer<'static>>,
}

impl Trusted {
    /// Trusts `roots`, which include the certificates of `bundle`.
    pub(crate) fn new(
        roots: Arc<RootCertStore>,
        bundle: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
        let verifier =
            verifier.map_err(|error| Error::invalid_input(format!("the CA bundle: {error}")))?;
        Ok(Self { verifier, bundle })
    }
}

impl fmt::Debug for Trusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trusted").field("bundle", &self.bundle.len()).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Trusted {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let result = self.verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now);
        match result {
            // rustls has checked the certificate's validity period before this error.
            Err(error) if is_authority(&error) => {
                if !self.bundle.iter().any(|one| one.as_ref() == end_entity.as_ref()) {
                    return Err(rustls::Error::General(NOT_IN_BUNDLE.into()));
                }
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Whether a certificate was refused because it is an authority's. rustls has no variant for it.
fn is_authority(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::InvalidCertificate(CertificateError::Other(other))
            if other.0.to_string() == "CaUsedAsEndEntity"
    )
}

const NOT_IN_BUNDLE: &str = "the server's certificate is a CA certificate (CA:TRUE) and is not \
                             itself in the CA bundle: add it to the bundle, or issue a server \
                             certificate with CA:FALSE";
