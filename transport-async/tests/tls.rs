//! Which servers are trusted, and client certificates.
#![cfg(feature = "ring")]

mod common;

use apus_async::{Client, Proxy, TransportConfig};
use apus_core::error::ExchangeErrorKind;
use apus_core::{Error, Secret};
use common::authority::{Authority, server};
use common::{Ask, Place, Server, client_with, header, noise};

fn client(config: TransportConfig, server: &Server) -> Client<Place> {
    let url = format!("https://localhost:{}", server.address.port());
    client_with(config, Place::at(url).with_attempts(1))
}

async fn cause(client: Client<Place>) -> ExchangeErrorKind {
    let error: Error = client.call(Ask::get("/a")).await.unwrap_err();
    error.exchange_error().unwrap_or_else(|| panic!("{error}")).kind()
}

#[tokio::test]
async fn our_own_authority_is_trusted_where_it_is_named() {
    let authority = Authority::new();
    let server = server(&authority, None);
    let config = TransportConfig::new().ca_bundle(authority.pem().as_bytes()).unwrap();
    let client = client(config, &server);
    let bytes = noise(1_000_000);
    for _ in 0..2 {
        assert!(client.call(Ask::put("/a", bytes.clone())).await.unwrap().body == bytes);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn who_is_not_trusted_is_refused() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = server(&theirs, None);
    assert_eq!(cause(client(TransportConfig::new(), &server)).await, ExchangeErrorKind::Tls);
    let config = TransportConfig::new().add_ca_bundle(ours.pem().as_bytes()).unwrap();
    assert_eq!(cause(client(config, &server)).await, ExchangeErrorKind::Tls);
    assert!(server.heads().is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    let server = server(&authority, None);
    let config = TransportConfig::new().ca_bundle(authority.pem().as_bytes()).unwrap();
    let url = format!("https://127.0.0.1:{}", server.address.port());
    let client = client_with(config, Place::at(url).with_attempts(1));
    assert_eq!(cause(client).await, ExchangeErrorKind::Tls);
}

#[tokio::test]
async fn anyone_is_accepted_where_that_was_asked_for() {
    let server = server(&Authority::new(), None);
    let config = TransportConfig::new().danger_accept_invalid_certs(true);
    client(config, &server).call(Ask::get("/a")).await.unwrap();
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_who_asks() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = server(&authority, Some(&clients));
    let trusting = || TransportConfig::new().ca_bundle(authority.pem().as_bytes()).unwrap();
    let (certificate, key) = clients.issue("somebody");
    let (chain, key) = (certificate.pem(), key.serialize_pem());
    let config = trusting().client_certificate(chain.as_bytes(), key.as_bytes()).unwrap();
    client(config, &server).call(Ask::get("/a")).await.unwrap();
    // In TLS 1.3, the refusal arrives after the client's part of the handshake is done.
    assert_eq!(cause(client(trusting(), &server)).await, ExchangeErrorKind::Tls);
}

#[test]
fn what_is_wrong_with_pem_is_said_when_it_is_given() {
    let said = |result: Result<TransportConfig, Error>| result.unwrap_err().to_string();
    let new = TransportConfig::new;
    assert!(said(new().ca_bundle(b"nothing")) == "the CA bundle has no certificate in PEM form");
    let torn = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
    assert!(
        said(new().add_ca_bundle(torn.as_bytes()))
            == "certificate 1 of the CA bundle: a PEM section is not base64"
    );
    let hollow = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(said(new().ca_bundle(hollow.as_bytes())).contains("certificate 1 of the CA bundle"));
    let (certificate, _) = Authority::new().issue("somebody");
    let no_key = new().client_certificate(certificate.pem().as_bytes(), b"hunter2");
    let said = said(no_key);
    assert!(said == "the client certificate's key has no private key in PEM form", "{said}");
}

/// Makes a tunnel for a client with the password.
fn proxy(to: std::net::SocketAddr) -> Server {
    Server::start(move |peer| {
        let Some(head) = peer.head() else { return };
        if header(&head, "proxy-authorization") != Some("Basic dXNlcjpwOiBhc3M=") {
            return peer.say("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
        }
        assert!(head.starts_with("CONNECT"), "{head}");
        peer.say("HTTP/1.1 200 Connection established\r\n\r\n");
        peer.splice(std::net::TcpStream::connect(to).unwrap());
    })
}

#[tokio::test]
async fn https_goes_through_the_proxys_tunnel() {
    let authority = Authority::new();
    let server = server(&authority, None);
    let proxy = proxy(server.address);
    let through = Proxy::at("127.0.0.1", proxy.address.port()).unwrap();
    let trusting = || TransportConfig::new().ca_bundle(authority.pem().as_bytes()).unwrap();
    let known = through.clone().credentials("user", Secret::new("p: ass")).unwrap();
    let client_of = |proxy| client(trusting().proxy(proxy), &server);
    let reply = client_of(known).call(Ask::put("/a", "through")).await.unwrap();
    assert_eq!(reply.body, "through");
    let connect = format!("CONNECT localhost:{} HTTP/1.1", server.address.port());
    assert!(proxy.heads()[0].starts_with(&connect));
    let error = client_of(through).call(Ask::get("/a")).await.unwrap_err();
    assert_eq!(error.exchange_error().unwrap().kind(), ExchangeErrorKind::Proxy);
    assert!(error.to_string().contains("407"), "{error}");
}
