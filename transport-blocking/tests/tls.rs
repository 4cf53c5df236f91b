//! Which servers are trusted, and client certificates.
#![cfg(feature = "ring")]

mod support;

use apus_blocking::TransportConfig;
use apus_core::error::ExchangeErrorKind;
use support::authority::Authority;
use support::server::Server;
use support::{Ask, Plain, cause, client_with};

fn ask(config: TransportConfig, server: &Server) -> Result<Vec<u8>, apus_core::Error> {
    let base = format!("https://{}", server.address);
    let client = client_with(config, Plain::new(base));
    let body: Vec<u8> = vec![7; 300_000];
    client.call(Ask::put("/", body.clone()))?;
    let reply = client.call(Ask::put("/", body))?;
    let seen = server.seen();
    assert_eq!(seen[seen.len() - 1].connection, seen[seen.len() - 2].connection);
    Ok(reply.body.to_vec())
}

#[test]
fn a_server_of_our_own_authority_is_trusted() {
    let authority = Authority::new();
    let server = authority.server(None);
    let config = TransportConfig::new().ca_bundle(&authority.pem()).unwrap();
    assert_eq!(ask(config, &server).unwrap(), vec![7; 300_000]);
}

#[test]
fn authorities_can_be_added() {
    let (one, other) = (Authority::new(), Authority::new());
    let config = TransportConfig::new().add_ca_bundle(&one.pem()).unwrap();
    let config = config.add_ca_bundle(&other.pem()).unwrap();
    ask(config.clone(), &one.server(None)).unwrap();
    ask(config, &other.server(None)).unwrap();
}

#[test]
fn a_server_of_an_unknown_authority_is_not() {
    let server = Authority::new().server(None);
    for config in
        [TransportConfig::new(), TransportConfig::new().ca_bundle(&Authority::new().pem()).unwrap()]
    {
        let error = ask(config, &server).unwrap_err();
        assert_eq!(cause(&error), Some(ExchangeErrorKind::Tls), "{error}");
    }
    assert!(server.seen().is_empty());
}

#[test]
fn a_certificate_of_another_name_is_not_trusted() {
    let authority = Authority::new();
    let server = authority.server(None);
    let config = TransportConfig::new().ca_bundle(&authority.pem()).unwrap();
    let base = format!("https://localhost:{}", server.address.port());
    let error = client_with(config, Plain::new(base)).call(Ask::get("/")).unwrap_err();
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Tls), "{error}");
}

#[test]
fn verification_can_be_switched_off() {
    let server = Authority::new().server(None);
    ask(TransportConfig::new().danger_accept_invalid_certs(true), &server).unwrap();
}

#[test]
fn a_client_shows_its_certificate() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let server = servers.server(Some(&clients));
    let config = TransportConfig::new().ca_bundle(&servers.pem()).unwrap();
    let base = format!("https://{}", server.address);
    let error = client_with(config.clone(), Plain::new(base)).call(Ask::get("/")).unwrap_err();
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Tls), "{error}");
    let (certificate, key) = clients.issue("client");
    let chain = certificate.pem();
    let config =
        config.client_certificate(chain.as_bytes(), key.serialize_pem().as_bytes()).unwrap();
    ask(config, &server).unwrap();
}

#[test]
fn what_is_wrong_with_a_pem_is_said_when_it_is_given() {
    let config = TransportConfig::new;
    let said = |result: Result<TransportConfig, apus_core::Error>| result.unwrap_err().to_string();
    assert_eq!(said(config().ca_bundle(b"")), "the CA bundle has no certificate in PEM form");
    let cut = b"-----BEGIN CERTIFICATE-----\nAAAA\n";
    assert_eq!(
        said(config().ca_bundle(cut)),
        "certificate 1 of the CA bundle: a PEM section has no end"
    );
    let nonsense = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let error = said(config().add_ca_bundle(nonsense));
    assert!(error.starts_with("certificate 1 of the CA bundle: "), "{error}");
    let authority = Authority::new();
    let (certificate, key) = authority.issue("client");
    let chain = certificate.pem();
    let error = said(config().client_certificate(chain.as_bytes(), b"no key"));
    assert_eq!(error, "the client certificate's key has no private key in PEM form");
    let (_, other) = authority.issue("other");
    let pem = other.serialize_pem();
    let error = said(config().client_certificate(chain.as_bytes(), pem.as_bytes()));
    assert!(error.starts_with("the client certificate's key: "), "{error}");
    let secret = key.serialize_pem();
    let config = config().client_certificate(chain.as_bytes(), secret.as_bytes()).unwrap();
    let shown = format!("{config:?}");
    assert!(shown.contains("client_certificate: true"), "{shown}");
    for line in secret.lines() {
        assert!(!shown.contains(line));
    }
}
