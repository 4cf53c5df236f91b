//! The certificates that the operating system trusts.

use std::sync::Arc;

use apus_core::Error;
use rustls::RootCertStore;

/// Reads the operating system's store, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name. A
/// certificate of the store that rustls can't use is left out, as OpenSSL does.
pub(super) fn roots() -> Result<Arc<RootCertStore>, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added > 0 {
        return Ok(Arc::new(roots));
    }
    let why = match found.errors.first() {
        Some(error) => error.to_string(),
        None => "none was found".to_owned(),
    };
    Err(Error::invalid_input(format!(
        "the CA certificates of the operating system can't be read: {why}; install them (the \
         package `ca-certificates` on Linux), or name a file of them in SSL_CERT_FILE"
    )))
}
