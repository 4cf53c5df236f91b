//! What a proxy refuses, and what it can't do.

use std::net::TcpListener;

use apus_conformance::server::{Reply, Request, Scripted};
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::proxy::Proxy;
use apus_core::s3::GetObject;
use apus_core::{Error, Kind};

use crate::http::{store, store_at};
use crate::site::{Site, through_each};
use crate::store::Transport;

fn get(url: &str, proxy: Proxy, transport: Transport) -> Error {
    let store = store_at(url, "", proxy, transport);
    store.call(GetObject::new("bucket", "key")).map(drop).unwrap_err()
}

#[track_caller]
fn of_the_proxy<'e>(error: &'e Error, proxy: &Proxy) -> &'e ExchangeError {
    let failure = error.exchange_error().unwrap_or_else(|| panic!("{error}"));
    assert_eq!(failure.kind(), ExchangeErrorKind::Proxy, "{error}");
    assert!(error.to_string().contains(&proxy.to_string()), "{error}");
    failure
}

fn both_schemes(port: u16) -> [String; 2] {
    ["http", "https"].map(|scheme| format!("{scheme}://127.0.0.1:{port}"))
}

/// Returns a port on which nothing listens.
fn closed() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_wrong_password_is_called_one_and_not_tried_again() {
    through_each("a_wrong_password", |site, proxy, transport| {
        for url in both_schemes(closed()) {
            let authority = url.split_once("://").unwrap().1;
            let before = site.log_of(authority, 0).len();
            let wrong = site.with_password(proxy.clone(), "Wrong-Password-4711");
            let error = get(&url, wrong, transport);
            assert!(of_the_proxy(&error, &proxy).is_lasting(), "{error}");
            let text = format!("{error} {error:?}");
            assert!(text.contains("refuses the user or the password (407"), "{text}");
            assert!(!text.contains("4711"), "{text}");
            let log = site.log_of(authority, before + 1);
            assert_eq!((log.len(), log[before].status), (before + 1, 407), "{log:?}");
        }
    });
}

#[test]
fn a_missing_password_is_called_missing() {
    through_each("a_missing_password", |_, proxy, transport| {
        let bare = Proxy::new(&proxy.to_string()).unwrap();
        let bare = match proxy.ca_pem() {
            Some(pem) => bare.ca_bundle(pem.to_vec()),
            None => bare,
        };
        for url in both_schemes(closed()) {
            let error = get(&url, bare.clone(), transport);
            of_the_proxy(&error, &proxy);
            assert!(error.to_string().contains("none are set (407"), "{error}");
        }
    });
}

#[test]
fn what_the_proxy_forbids_is_not_the_servers_word() {
    through_each("what_the_proxy_forbids", |site, proxy, transport| {
        for url in ["http://forbidden.invalid", "https://forbidden.invalid"] {
            let error = get(url, proxy.clone(), transport);
            assert!(of_the_proxy(&error, &proxy).is_lasting(), "{error}");
            assert!(error.to_string().contains("403"), "{error}");
        }
        // And the other way round, even with a squid of the server's own.
        let script = |_: &Request| {
            Reply::xml(403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
                .header("X-Squid-Error", "ERR_ACCESS_DENIED 0")
                .header("Via", "1.1 near, 1.1 far (squid/5.7)")
        };
        for server in [Scripted::start(script), Scripted::start_tls(script)].map(Result::unwrap) {
            server.only_from(site.source);
            let store = store(&server, proxy.clone(), transport);
            let error = store.call(GetObject::new("bucket", "key")).map(drop).unwrap_err();
            assert_eq!((error.kind(), error.code()), (Kind::Refused, Some("AccessDenied")));
        }
    });
}

#[test]
fn a_server_that_the_proxy_does_not_reach_may_be_there_the_next_time() {
    through_each("a_server_that_is_not_reached", |_, proxy, transport| {
        let [http, https] = both_schemes(closed());
        let error = get(&https, proxy.clone(), transport);
        assert!(!of_the_proxy(&error, &proxy).is_lasting(), "{error}");
        assert!(error.to_string().contains("503"), "{error}");
        let error = get(&http, proxy, transport);
        assert_eq!(error.status().map(|status| status.as_u16()), Some(503), "{error}");
    });
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    for transport in crate::site::TRANSPORTS {
        for url in both_schemes(9) {
            for host in [format!("127.0.0.1:{}", closed()), "apus.invalid:8080".into()] {
                let proxy = Proxy::new(&format!("http://{host}")).unwrap();
                of_the_proxy(&get(&url, proxy.clone(), transport), &proxy);
            }
        }
    }
}

#[test]
fn a_proxys_certificate_is_verified_by_its_own_authorities() {
    for site in Site::all("a_proxys_certificate") {
        for transport in crate::site::TRANSPORTS {
            for url in both_schemes(9) {
                let proxy = site.untrusted_proxy();
                let error = get(&url, proxy.clone(), transport);
                assert!(of_the_proxy(&error, &proxy).is_lasting(), "{error}");
                assert!(error.to_string().contains("TLS"), "{error}");
            }
        }
    }
}
