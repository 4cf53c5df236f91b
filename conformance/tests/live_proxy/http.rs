//! The bytes on both sides of a proxy.

use std::time::Duration;

use apus_conformance::server::{
    AtHead, BodyReading, Ending, Reply, Request, Scripted, ScriptedProxy,
};
use apus_core::credentials::Credentials;
use apus_core::machine::Auth;
use apus_core::proxy::{Proxies, Proxy};
use apus_core::s3::{BaseUrl, Config, EndpointConfig, GetObject, PutObject, Service};
use apus_core::sign::Keys;

use crate::site::{TRANSPORTS, through_each};
use crate::store::{Store, Transport};

/// Returns a client of S3 for a scripted server.
pub fn store(server: &Scripted, proxy: impl Into<Proxies>, transport: Transport) -> Store {
    let ca = server.ca_pem().unwrap_or_default();
    store_at(&server.endpoint(), ca, proxy, transport)
}

pub fn store_at(url: &str, ca: &str, proxy: impl Into<Proxies>, transport: Transport) -> Store {
    let mut config = Config::new(EndpointConfig::custom(BaseUrl::parse(url).unwrap(), "us-east-1"));
    config.retry_policy.base = Duration::from_millis(2);
    let auth = Auth::new(Credentials::new(Keys::new("AKIDEXAMPLE", "an+example/secret")));
    Store::through(proxy, transport, Service::new(config).unwrap(), ca.as_bytes(), vec![auth])
}

fn ok(_: &Request) -> Reply {
    Reply::new(200).header("etag", "\"d41d8cd98f00b204e9800998ecf8427e\"").body("meow")
}

fn servers(script: fn(&Request) -> Reply) -> [Scripted; 2] {
    [Scripted::start(script).unwrap(), Scripted::start_tls(script).unwrap()]
}

const KEYS: [&str; 8] = [
    "a/../b/./c",
    "a//b///",
    "..",
    "100%/%2F%2e%2E",
    "ü/日本/🦀",
    "a b+c?d#e&f=g",
    "{[(<>)]}|\\^`\"'",
    "http://elsewhere/key",
];

#[test]
fn paths_and_headers_are_the_same_on_the_other_side() {
    through_each("paths_and_headers", |site, proxy, transport| {
        for server in servers(ok) {
            let direct = store(&server, Proxies::default(), transport);
            for key in KEYS {
                direct.call(PutObject::new("bucket", key, "body")).unwrap();
            }
            drop(direct);
            server.only_from(site.source);
            let through = store(&server, proxy.clone(), transport);
            for key in KEYS {
                through.call(PutObject::new("bucket", key, "body")).unwrap();
            }
            let requests = server.requests();
            let (direct, through) = requests.split_at(KEYS.len());
            assert_eq!(direct.len(), through.len());
            for (direct, through) in direct.iter().zip(through) {
                assert_eq!(direct.target, through.target);
                assert_eq!(direct.body, through.body);
                for name in ["host", "user-agent", "content-length", "x-amz-content-sha256"] {
                    assert_eq!(direct.header(name), through.header(name), "{name}");
                }
                assert!(through.header("authorization").is_some());
                assert_eq!(through.header("proxy-authorization"), None);
                // Into a tunnel the proxy can put nothing.
                assert_eq!(through.header("via").is_some(), server.ca_pem().is_none());
            }
        }
    });
}

#[test]
fn connections_are_used_again() {
    let proxies = [false, true].map(|tls| ScriptedProxy::start(None, tls).unwrap());
    for transport in TRANSPORTS {
        for proxy in &proxies {
            for server in servers(ok) {
                server.only_from(ScriptedProxy::SOURCE);
                let url = Proxy::new(&proxy.url()).unwrap();
                let known = match proxy.ca_pem() {
                    Some(pem) => url.ca_bundle(pem.to_owned()),
                    None => url,
                };
                let before = proxy.connections();
                let store = store(&server, known, transport);
                for _ in 0..5 {
                    store.call(GetObject::new("bucket", "key")).unwrap();
                    store.call(PutObject::new("bucket", "key", vec![0; 300_000])).unwrap();
                }
                assert_eq!(proxy.connections() - before, 1, "{transport:?}");
                assert_eq!((server.connections(), server.requests().len()), (1, 10));
            }
        }
    }
}

#[test]
fn a_refusal_comes_before_the_body() {
    through_each("a_refusal_comes_before_the_body", |site, proxy, transport| {
        let script = |_: &Request| {
            Reply::xml(403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
                .intake(BodyReading::Refuse(Ending::Close))
        };
        let servers = [Scripted::start(AtHead(script)), Scripted::start_tls(AtHead(script))];
        for server in servers.map(Result::unwrap) {
            server.only_from(site.source);
            let store = store(&server, proxy.clone(), transport);
            let error = store.call(PutObject::new("bucket", "key", vec![0; 4 << 20])).unwrap_err();
            assert_eq!(error.code(), Some("AccessDenied"), "{error}");
            assert_eq!(error.status().map(|status| status.as_u16()), Some(403), "{error}");
        }
    });
}
