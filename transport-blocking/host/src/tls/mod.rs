//! The TLS settings of both transports, from PEM that is checked when it is passed: which servers
//! are trusted, and the client certificate.

mod accept_any;
#[cfg(feature = "native-roots")]
mod native;
mod trusted;

use std::fmt;
use std::sync::Arc;

use apus_core::Error;
#[cfg(feature = "clouds")]
use apus_core::keystone::clouds::CloudTls;
use apus_core::proxy::Proxy;
#[cfg(feature = "store")]
use apus_core::store::Connection;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use self::accept_any::AcceptAny;
use self::trusted::Trusted;

/// The TLS settings of a transport. The default trusts Mozilla's list of authorities, and has no
/// client certificate.
///
/// The cryptography is that of [`crypto_provider`](Self::crypto_provider), or else what the process
/// installed with `CryptoProvider::install_default` before [`config`](Self::config) is called, or
/// else that of ring, with the cargo feature `ring`.
#[derive(Clone)]
pub struct Tls {
    roots: Arc<RootCertStore>,
    /// What a proxy without certificates of its own is verified with.
    public: Arc<RootCertStore>,
    /// The roots that are in a bundle of the caller's.
    bundle: Vec<CertificateDer<'static>>,
    client: Option<Arc<Client>>,
    accept_any: bool,
    ready: Option<Arc<ClientConfig>>,
    provider: Option<Arc<CryptoProvider>>,
}

struct Client {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Tls {
    /// Returns settings for this proxy, with the cryptography of these. They trust the certificates
    /// given for the proxy, or by default Mozilla's list or [`native_roots`](Self::native_roots);
    /// those given for endpoints are not trusted.
    ///
    /// # Errors
    ///
    /// The proxy's certificates can't be read.
    pub fn of_proxy(&self, proxy: &Proxy) -> Result<Self, Error> {
        let tls = Self { provider: self.provider(), ..Self::of(Arc::clone(&self.public)) };
        proxy.ca_pem().map_or(Ok(tls.clone()), |pem| tls.trust_only(pem)).map_err(|error| {
            Error::invalid_input(format!("the proxy's certificates: {}", error.message()))
        })
    }

    /// Trusts the certificates that the operating system trusts, and no others: of Linux and the
    /// BSDs the files where OpenSSL finds them, of macOS the keychains, of Windows the store of
    /// root certificates. `SSL_CERT_FILE` and `SSL_CERT_DIR` take their place. They are read now,
    /// and verified by rustls on every system.
    ///
    /// # Errors
    ///
    /// No certificate was found; the error says why.
    #[cfg(feature = "native-roots")]
    pub fn native_roots(mut self) -> Result<Self, Error> {
        self.public = native::roots()?;
        self.roots = Arc::clone(&self.public);
        self.bundle.clear();
        Ok(self)
    }

    /// Trusts the certificates of this PEM bundle, and no others.
    ///
    /// # Errors
    ///
    /// The bundle holds no certificate, or one that can't be read; the error says which.
    pub fn trust_only(mut self, pem: &[u8]) -> Result<Self, Error> {
        self.roots = Arc::new(RootCertStore::empty());
        self.bundle.clear();
        self.trust(pem)
    }

    /// Trusts the certificates of this PEM bundle in addition to those trusted already.
    ///
    /// # Errors
    ///
    /// Those of [`trust_only`](Self::trust_only).
    pub fn trust(mut self, pem: &[u8]) -> Result<Self, Error> {
        let roots = Arc::make_mut(&mut self.roots);
        for (at, certificate) in certificates(pem, BUNDLE)?.into_iter().enumerate() {
            roots
                .add(certificate.clone())
                .map_err(|error| Error::invalid_input(format!("{}: {error}", nth(at, BUNDLE))))?;
            self.bundle.push(certificate);
        }
        Ok(self)
    }

    /// Presents this client certificate to servers that request one: a PEM chain, the client's own
    /// certificate first, and its PEM key.
    ///
    /// # Errors
    ///
    /// The chain or the key can't be read, or the key does not belong to the certificate.
    pub fn client_certificate(mut self, chain: &[u8], key: &[u8]) -> Result<Self, Error> {
        let chain = certificates(chain, CLIENT)?;
        // The parser's error could quote its input, which may be the key.
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            pem::Error::NoItemsFound => {
                Error::invalid_input(format!("{KEY} has no private key in PEM form"))
            }
            error => Error::invalid_input(format!("{KEY}: {}", told(&error))),
        })?;
        if let Some(provider) = self.provider() {
            CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider)
                .map_err(|error| Error::invalid_input(format!("{KEY}: {error}")))?;
        }
        self.client = Some(Arc::new(Client { chain, key }));
        Ok(self)
    }

    /// Accepts every certificate if `accept` is true; otherwise verifies them.
    #[must_use]
    pub fn accept_any(mut self, accept: bool) -> Self {
        self.accept_any = accept;
        self
    }

    /// Uses this cryptography.
    #[must_use]
    pub fn crypto_provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Uses this configuration instead of all other settings.
    #[must_use]
    pub fn rustls(mut self, config: Arc<ClientConfig>) -> Self {
        self.ready = Some(config);
        self
    }

    /// Applies the TLS settings of a cloud: trusts its certificates and presents its client
    /// certificate. Reads the files that the settings name.
    ///
    /// # Errors
    ///
    /// A file can't be read, or holds no certificate or key.
    #[cfg(feature = "clouds")]
    pub fn with_cloud(self, cloud: &CloudTls) -> Result<Self, Error> {
        let read = |path: &str| {
            let path = crate::files::home(path);
            crate::read::file(&path).map_err(|error| crate::read::unreadable(&path, &error))
        };
        let mut tls = self;
        if cloud.insecure {
            tls = tls.accept_any(true);
        } else if let Some(cacert) = &cloud.cacert {
            tls = tls.trust_only(read(cacert)?.expose().as_bytes())?;
        }
        let Some(cert) = &cloud.cert else { return Ok(tls) };
        let chain = read(cert)?;
        let key = cloud.key.as_deref().map(read).transpose()?;
        let key = key.as_ref().unwrap_or(&chain);
        tls.client_certificate(chain.expose().as_bytes(), key.expose().as_bytes())
    }

    /// Trusts the certificates of a backend's options; reads the file that they name.
    ///
    /// # Errors
    ///
    /// The file can't be read, or holds no certificate.
    #[cfg(feature = "store")]
    pub fn with_connection(self, connection: &Connection) -> Result<Self, Error> {
        let tls = match &connection.ca_file {
            Some(path) => self.trust_only(&crate::backends::read(path)?)?,
            None => self,
        };
        Ok(if connection.insecure { tls.accept_any(true) } else { tls })
    }

    /// Returns the configuration of rustls, which offers no protocol but `http/1.1`; `None` if
    /// there is no cryptography, so that only requests over https fail, with [`NO_PROVIDER`].
    ///
    /// # Errors
    ///
    /// The settings contradict each other.
    pub fn config(&self) -> Result<Option<Arc<ClientConfig>>, Error> {
        if let Some(ready) = &self.ready {
            return Ok(Some(Arc::clone(ready)));
        }
        let Some(provider) = self.provider() else { return Ok(None) };
        let algorithms = provider.signature_verification_algorithms;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::invalid_input(format!("TLS: {error}")))?;
        let builder = if self.accept_any {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny { algorithms }))
        } else if self.bundle.is_empty() {
            builder.with_root_certificates(Arc::clone(&self.roots))
        } else {
            let trusted = Trusted::new(Arc::clone(&self.roots), self.bundle.clone(), provider)?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(trusted))
        };
        let mut config = match &self.client {
            None => builder.with_no_client_auth(),
            Some(client) => builder
                .with_client_auth_cert(client.chain.clone(), client.key.clone_key())
                .map_err(|error| Error::invalid_input(format!("{CLIENT}: {error}")))?,
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Arc::new(config)))
    }

    fn provider(&self) -> Option<Arc<CryptoProvider>> {
        let ready = self.ready.as_ref().map(|config| config.crypto_provider());
        let chosen = ready.or(self.provider.as_ref()).or_else(|| CryptoProvider::get_default());
        #[cfg(feature = "ring")]
        let default = || Some(Arc::new(rustls::crypto::ring::default_provider()));
        #[cfg(not(feature = "ring"))]
        let default = || None;
        chosen.cloned().or_else(default)
    }

    fn of(roots: Arc<RootCertStore>) -> Self {
        Self {
            public: Arc::clone(&roots),
            roots,
            bundle: Vec::new(),
            client: None,
            accept_any: false,
            ready: None,
            provider: None,
        }
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self::of(Arc::new(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("roots", &self.roots.len())
            .field("client_certificate", &self.client.is_some())
            .field("accept_any", &self.accept_any)
            .finish_non_exhaustive()
    }
}

fn certificates(pem: &[u8], whose: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates = CertificateDer::pem_slice_iter(pem).enumerate().map(|(at, certificate)| {
        let wrong = |error| Error::invalid_input(format!("{}: {}", nth(at, whose), told(&error)));
        certificate.map_err(wrong)
    });
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>()?;
    match certificates.is_empty() {
        true => Err(Error::invalid_input(format!("{whose} has no certificate in PEM form"))),
        false => Ok(certificates),
    }
}

fn nth(at: usize, whose: &str) -> String {
    format!("certificate {} of {whose}", at + 1)
}

/// Says what is wrong with PEM, without quoting it.
fn told(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a PEM section has no end",
        pem::Error::IllegalSectionStart { .. } => "a PEM section has a malformed first line",
        pem::Error::Base64Decode(_) => "a PEM section is not base64",
        _ => "not valid PEM",
    }
}

/// Why a request over https fails where [`Tls::config`] returned `None`.
pub const NO_PROVIDER: &str = "https needs cryptography: enable the cargo feature `ring`, install a \
     default `CryptoProvider` of rustls, or pass one to `TransportConfig::crypto_provider`";

const BUNDLE: &str = "the CA bundle";
const CLIENT: &str = "the client certificate";
const KEY: &str = "the client certificate's key";
