//! Where certificates and cryptography come from: each choice, against a server.
#![cfg(feature = "tls")]

mod support;

use std::sync::Arc;

use apus_blocking::{Proxy, TransportConfig};
use apus_core::error::ExchangeErrorKind;
use rustls::crypto::{CryptoProvider, ring};
use rustls::{CipherSuite, ClientConfig, RootCertStore};
use support::authority::Authority;
use support::{Ask, Plain, cause, client_with};

fn ask(config: TransportConfig, url: &str) -> Result<(), apus_core::Error> {
    client_with(config, Plain::new(url)).call(Ask::get("/")).map(drop)
}

/// What another process installs: ring with one cipher suite, by which it is recognised.
fn provider(suite: CipherSuite) -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites.retain(|of| of.suite() == suite);
    assert_eq!(provider.cipher_suites.len(), 1);
    provider
}

fn trusting(authority: &Authority, provider: CryptoProvider) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authority.ders());
    let builder = ClientConfig::builder_with_provider(provider.into());
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

#[test]
fn the_callers_own_configuration_of_rustls_is_used() {
    let authority = Authority::new();
    let (server, suites) = authority.server_with_suites(None);
    let suite = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
    // Instead of all other settings.
    let config = TransportConfig::new().ca_bundle(&Authority::new().pem()).unwrap();
    let config = config.rustls(trusting(&authority, provider(suite)));
    ask(config, &format!("https://{}", server.address)).unwrap();
    assert_eq!(*suites.lock().unwrap(), [suite]);
}

#[test]
fn the_callers_cryptography_is_used_for_endpoints_and_proxies() {
    let authority = Authority::new();
    let (server, suites) = authority.server_with_suites(None);
    let suite = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
    let config = TransportConfig::new().ca_bundle(&authority.pem()).unwrap();
    let config = config.crypto_provider(provider(suite).into());
    ask(config, &format!("https://{}", server.address)).unwrap();
    assert_eq!(*suites.lock().unwrap(), [suite]);

    // The proxy's certificates are its own; its cryptography is that of the endpoint.
    let proxy = Proxy::new(&format!("https://{}", server.address)).unwrap();
    let proxy = proxy.ca_bundle(authority.pem());
    let of_endpoint = trusting(&Authority::new(), provider(suite));
    for config in [
        TransportConfig::new().crypto_provider(provider(suite).into()),
        TransportConfig::new().rustls(of_endpoint),
    ] {
        ask(config.proxy(proxy.clone()), "http://no.such.host.invalid").unwrap();
    }
    assert_eq!(*suites.lock().unwrap(), [suite; 3]);
}

/// What is installed is installed for the whole process, so what comes before that is here too.
#[test]
fn the_default_of_the_process_is_used_and_else_ring() {
    let authority = Authority::new();
    let (server, suites) = authority.server_with_suites(None);
    let url = format!("https://{}", server.address);
    let config = TransportConfig::new().ca_bundle(&authority.pem()).unwrap();
    let before = ask(config.clone(), &url);
    if cfg!(feature = "ring") {
        before.unwrap();
        suites.lock().unwrap().clear();
    } else {
        let error = before.unwrap_err();
        assert_eq!(cause(&error), Some(ExchangeErrorKind::Tls), "{error}");
        assert!(error.to_string().contains("the cargo feature `ring`"), "{error}");
    }
    let suite = CipherSuite::TLS13_AES_128_GCM_SHA256;
    provider(suite).install_default().unwrap();
    ask(config, &url).unwrap();
    assert_eq!(*suites.lock().unwrap(), [suite]);
}

/// The environment is that of a process, so each case runs in one of its own: this test again, with
/// the server's URL.
#[cfg(feature = "native-roots")]
#[test]
fn the_store_of_the_operating_system_is_what_ssl_cert_file_names() {
    if let Ok(url) = std::env::var("APUS_TEST_URL") {
        return in_a_process_of_its_own(&url);
    }
    let (known, unknown) = (Authority::new(), Authority::new());
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("native_roots");
    std::fs::create_dir_all(folder.join("empty")).unwrap();
    let file = folder.join("ca.pem");
    std::fs::write(&file, known.pem()).unwrap();
    let run = |authority: &Authority, variable: &str, path: &std::path::Path| {
        let server = authority.server(None);
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", NATIVE])
            .env_remove("SSL_CERT_FILE")
            .env_remove("SSL_CERT_DIR")
            .env("APUS_TEST_URL", format!("https://{}", server.address))
            .env(variable, path)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    assert!(run(&known, "SSL_CERT_FILE", &file).contains("result: trusted"));
    assert!(run(&unknown, "SSL_CERT_FILE", &file).contains("result: Some(Tls)"));
    let missing = run(&known, "SSL_CERT_FILE", &folder.join("missing.pem"));
    let said = "result: the CA certificates of the operating system can't be read: ";
    assert!(missing.contains(said) && missing.contains("missing.pem"), "{missing}");
    let empty = run(&known, "SSL_CERT_DIR", &folder.join("empty"));
    assert!(empty.contains("none was found"), "{empty}");
}

#[cfg(feature = "native-roots")]
const NATIVE: &str = "the_store_of_the_operating_system_is_what_ssl_cert_file_names";

#[cfg(feature = "native-roots")]
#[allow(clippy::print_stdout, reason = "the parent reads it")]
fn in_a_process_of_its_own(url: &str) {
    let _ = CryptoProvider::install_default(ring::default_provider());
    let native = match TransportConfig::new().native_roots() {
        Ok(native) => native,
        Err(error) => return println!("result: {}", error.message()),
    };
    match ask(native.clone(), url) {
        Ok(()) => println!("result: trusted"),
        Err(error) => println!("result: {:?}", cause(&error)),
    }
    // It is instead of Mozilla's list and of a bundle; a bundle is instead of it, or added.
    let other = Authority::new();
    let (server, only) = (other.server(None), other.pem());
    let at = format!("https://{}", server.address);
    assert!(ask(native.clone(), &at).is_err());
    ask(native.clone().add_ca_bundle(&only).unwrap(), &at).unwrap();
    ask(native.ca_bundle(&only).unwrap(), &at).unwrap();
    let replaced = TransportConfig::new().ca_bundle(&only).unwrap().native_roots().unwrap();
    assert!(ask(replaced, &at).is_err());
}
