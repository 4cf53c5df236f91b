//! A new certificate authority and server certificate.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A server certificate for `localhost` and `127.0.0.1`, with the CA that signed it.
#[derive(Clone)]
pub struct Identity {
    ca_pem: String,
    config: Arc<ServerConfig>,
}

impl Identity {
    /// Creates a CA and a certificate signed by it (ECDSA P-256, HTTP/1.1 only).
    ///
    /// # Panics
    /// The machine gives no random bytes.
    pub fn generate() -> Self {
        Self::try_generate().expect("fixed certificate parameters are valid")
    }

    /// Creates a self-signed certificate for `name` that is also a CA's (`CA:TRUE`), as
    /// `openssl req -x509` makes them: expired a year ago, or valid.
    ///
    /// # Panics
    /// The machine gives no random bytes.
    pub fn of_an_authority(name: &str, is_over: bool) -> Self {
        Self::try_self_signed(name, is_over).expect("fixed certificate parameters are valid")
    }

    fn try_self_signed(name: &str, is_over: bool) -> Result<Self, Box<dyn std::error::Error>> {
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        if is_over {
            params.not_after = time::OffsetDateTime::now_utc() - time::Duration::days(365);
        }
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let config = serving(certificate.der().clone(), &key)?;
        Ok(Self { ca_pem: certificate.pem(), config })
    }

    /// Returns the CA's certificate in PEM, which a client has to trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Returns the server side's configuration, for a server of your own.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    fn try_generate() -> Result<Self, Box<dyn std::error::Error>> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name.push(DnType::CommonName, "apus test authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

        let key = KeyPair::generate()?;
        let names = ["localhost", "*.localhost", "127.0.0.1"].map(String::from);
        let mut server = CertificateParams::new(names)?;
        server.distinguished_name.push(DnType::CommonName, "localhost");
        server.use_authority_key_identifier_extension = true;
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = server.signed_by(&key, &authority)?;

        let config = serving(certificate.der().clone(), &key)?;
        Ok(Self { ca_pem: authority.pem(), config })
    }
}

fn serving(
    certificate: CertificateDer<'static>,
    key: &KeyPair,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
