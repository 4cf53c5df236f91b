//! Where certificates and cryptography come from: each choice, against a server.
#![cfg(feature = "tls")]

mod common;

use std::sync::Arc;

use apus_async::{Proxy, TransportConfig};
use apus_core::error::ExchangeErrorKind;
use common::authority::{Authority, server_with_suites};
use common::{Ask, Place, client_with};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{CipherSuite, ClientConfig, RootCertStore};

async fn ask(config: TransportConfig, url: &str) -> Result<(), apus_core::Error> {
    let client = client_with(config, Place::at(url).with_attempts(1));
    client.call(Ask::get("/")).await.map(drop)
}

fn cause(error: &apus_core::Error) -> Option<ExchangeErrorKind> {
    error.exchange_error().map(|error| error.kind())
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

#[tokio::test]
async fn the_callers_own_configuration_of_rustls_is_used() {
    let authority = Authority::new();
    let (server, suites) = server_with_suites(&authority, None);
    let suite = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
    // Instead of all other settings.
    let config = TransportConfig::new().ca_bundle(Authority::new().pem().as_bytes()).unwrap();
    let config = config.rustls(trusting(&authority, provider(suite)));
    ask(config, &format!("https://localhost:{}", server.address.port())).await.unwrap();
    assert_eq!(*suites.lock().unwrap(), [suite]);
}

#[tokio::test]
async fn the_callers_cryptography_is_used_for_endpoints_and_proxies() {
    let authority = Authority::new();
    let (server, suites) = server_with_suites(&authority, None);
    let suite = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;
    let config = TransportConfig::new().ca_bundle(authority.pem().as_bytes()).unwrap();
    let config = config.crypto_provider(provider(suite).into());
    ask(config, &format!("https://localhost:{}", server.address.port())).await.unwrap();
    assert_eq!(*suites.lock().unwrap(), [suite]);

    // The proxy's certificates are its own; its cryptography is that of the endpoint.
    let proxy = Proxy::new(&format!("https://localhost:{}", server.address.port())).unwrap();
    let proxy = proxy.ca_bundle(authority.pem());
    let of_endpoint = trusting(&Authority::new(), provider(suite));
    for config in [
        TransportConfig::new().crypto_provider(provider(suite).into()),
        TransportConfig::new().rustls(of_endpoint),
    ] {
        ask(config.proxy(proxy.clone()), "http://no.such.host.invalid").await.unwrap();
    }
    assert_eq!(*suites.lock().unwrap(), [suite; 3]);
}

/// What is installed is installed for the whole process, so what comes before that is here too.
#[tokio::test]
async fn the_default_of_the_process_is_used_and_else_ring() {
    let authority = Authority::new();
    let (server, suites) = server_with_suites(&authority, None);
    let url = format!("https://localhost:{}", server.address.port());
    let config = TransportConfig::new().ca_bundle(authority.pem().as_bytes()).unwrap();
    let before = ask(config.clone(), &url).await;
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
    ask(config, &url).await.unwrap();
    assert_eq!(*suites.lock().unwrap(), [suite]);
}

/// The environment is that of a process, so each case runs in one of its own: this test again, with
/// the server's URL.
#[cfg(feature = "native-roots")]
#[tokio::test]
async fn the_store_of_the_operating_system_is_what_ssl_cert_file_names() {
    if let Ok(url) = std::env::var("APUS_TEST_URL") {
        return in_a_process_of_its_own(&url).await;
    }
    let (known, unknown) = (Authority::new(), Authority::new());
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("native_roots");
    std::fs::create_dir_all(folder.join("empty")).unwrap();
    let file = folder.join("ca.pem");
    std::fs::write(&file, known.pem()).unwrap();
    let run = |authority: &Authority, variable: &str, path: &std::path::Path| {
        let server = common::authority::server(authority, None);
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", NATIVE])
            .env_remove("SSL_CERT_FILE")
            .env_remove("SSL_CERT_DIR")
            .env("APUS_TEST_URL", format!("https://localhost:{}", server.address.port()))
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
async fn in_a_process_of_its_own(url: &str) {
    let _ = CryptoProvider::install_default(ring::default_provider());
    let native = match TransportConfig::new().native_roots() {
        Ok(native) => native,
        Err(error) => return println!("result: {}", error.message()),
    };
    match ask(native.clone(), url).await {
        Ok(()) => println!("result: trusted"),
        Err(error) => println!("result: {:?}", cause(&error)),
    }
    // It is instead of Mozilla's list and of a bundle; a bundle is instead of it, or added.
    let other = Authority::new();
    let (server, only) = (common::authority::server(&other, None), other.pem());
    let at = format!("https://localhost:{}", server.address.port());
    assert!(ask(native.clone(), &at).await.is_err());
    ask(native.clone().add_ca_bundle(only.as_bytes()).unwrap(), &at).await.unwrap();
    ask(native.ca_bundle(only.as_bytes()).unwrap(), &at).await.unwrap();
    let replaced =
        TransportConfig::new().ca_bundle(only.as_bytes()).unwrap().native_roots().unwrap();
    assert!(ask(replaced, &at).await.is_err());
}
