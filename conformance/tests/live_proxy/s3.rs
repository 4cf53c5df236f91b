//! S3 through a proxy, over http and https.

use std::env;
use std::sync::Arc;

use apus_conformance::server::{EmbeddedS3, Options};
use apus_core::Kind;
use apus_core::credentials::Credentials;
use apus_core::machine::{
    Auth, DownloadOptions, S3Download, S3Upload, UploadOptions, UploadSource,
};
use apus_core::proxy::{Proxies, Proxy};
use apus_core::s3::{
    BaseUrl, Config, CreateBucket, DeleteBucket, DeleteObject, EndpointConfig, GetObject,
    PutObject, Service,
};
use apus_core::sign::Keys;

use crate::site::{Site, TRANSPORTS, through_each};
use crate::store::{Feed, Store, Transport};

const BUCKET: &str = "through-a-proxy";
const PART: u64 = 5 << 20;

/// A server, and our credentials there.
struct Place {
    url: String,
    ca: Vec<u8>,
    keys: Keys,
}

impl Place {
    fn of(server: &EmbeddedS3) -> Self {
        let keys = Keys::new(server.access_key(), server.secret_key());
        let ca = server.ca_pem().unwrap_or_default().as_bytes().to_vec();
        Self { url: server.endpoint(), ca, keys }
    }

    /// Ceph's gateway, if the environment names it.
    fn live() -> Option<[Self; 2]> {
        let variable = |name| env::var(name).ok();
        let ca = std::fs::read(variable("APUS_LIVE_S3_CA")?).unwrap();
        let (access, secret) =
            (variable("APUS_LIVE_S3_ACCESS_KEY")?, variable("APUS_LIVE_S3_SECRET_KEY")?);
        let at = |url| {
            let keys = Keys::new(access.clone(), secret.clone());
            Some(Self { url: variable(url)?, ca: ca.clone(), keys })
        };
        Some([at("APUS_LIVE_S3_HTTP")?, at("APUS_LIVE_S3_HTTPS")?])
    }

    fn authority(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    fn store(&self, proxy: impl Into<Proxies>, transport: Transport) -> Store {
        let url = BaseUrl::parse(&self.url).unwrap();
        let mut config = Config::new(EndpointConfig::custom(url, "us-east-1"));
        config.retry_policy.base = std::time::Duration::from_millis(2);
        let auth = Auth::new(Credentials::new(self.keys.clone()));
        Store::through(proxy, transport, Service::new(config).unwrap(), &self.ca, vec![auth])
    }
}

/// An upload in parts from a pipe, and a download in ranges.
fn there_and_back(store: &Store) {
    let bytes: Vec<u8> = (0..PART + 12_345).map(|at| (at ^ (at >> 9)) as u8).collect();
    store.call(CreateBucket::new(BUCKET)).unwrap();
    let options = UploadOptions { threshold: PART, part_size: PART, ..UploadOptions::default() };
    let service = Arc::clone(store.service());
    let source = UploadSource::Stream(None);
    let upload = S3Upload::new(BUCKET, "a/b c", source, options, service, 7).unwrap();
    store.run_from(upload, Feed::Unknown, &bytes).unwrap();
    let get = GetObject::new(BUCKET, "a/b c");
    let options = DownloadOptions::default();
    let download = S3Download::new(get, Arc::clone(store.service()), options, 7);
    let (_, back) = store.run_into(download).unwrap();
    assert!(back == bytes);
    store.call(PutObject::new(BUCKET, "small", "meow")).unwrap();
    assert_eq!(store.call(GetObject::new(BUCKET, "small")).unwrap().body, "meow");
    let missing = store.call(GetObject::new(BUCKET, "missing")).unwrap_err();
    assert_eq!((missing.kind(), missing.code()), (Kind::Refused, Some("NoSuchKey")), "{missing}");
    store.call(DeleteObject::new(BUCKET, "a/b c")).unwrap();
    store.call(DeleteObject::new(BUCKET, "small")).unwrap();
    store.call(DeleteBucket::new(BUCKET)).unwrap();
}

/// What the proxy saw of it: of https where it leads, and nothing else; of http everything.
fn check_log(site: &Site, url: &str, since: usize) -> usize {
    let authority = url.split_once("://").unwrap().1;
    let https = url.starts_with("https");
    let log = site.log_of(authority, since + if https { 1 } else { 10 });
    let new = &log[since..];
    assert!(!new.is_empty(), "nothing of {url} went through {}", site.name);
    for line in new {
        assert_eq!(line.user.as_deref(), Some(&*site.user), "{line:?}");
        if https {
            assert_eq!((&*line.method, &*line.target), ("CONNECT", authority), "{line:?}");
            assert_eq!(line.authorization, None, "{line:?}");
        } else {
            assert!(line.target.starts_with(&format!("{url}/{BUCKET}")), "{line:?}");
            let signed = line.authorization.as_deref().unwrap_or_default();
            assert!(signed.starts_with("AWS4-HMAC-SHA256"), "{line:?}");
        }
    }
    log.len()
}

#[test]
fn objects_go_there_and_back() {
    through_each("objects_go_there_and_back", |site, proxy, transport| {
        for tls in [false, true] {
            let options = Options::new().tls(tls).only_from(site.source);
            let server = EmbeddedS3::start(options).unwrap();
            let place = Place::of(&server);
            let before = site.log_of(place.authority(), 0).len();
            // What leads around the proxy is hung up on.
            let direct = place.store(Proxies::default(), transport);
            let error = direct.call(CreateBucket::new(BUCKET)).unwrap_err();
            assert_eq!((error.kind(), error.status()), (Kind::Transport, None), "{error}");
            let store = place.store(proxy.clone(), transport);
            there_and_back(&store);
            drop(store);
            check_log(site, &place.url, before);
        }
    });
}

#[test]
fn what_is_bypassed_is_reached_directly() {
    for site in Site::all("what_is_bypassed_is_reached_directly") {
        for transport in TRANSPORTS {
            for tls in [false, true] {
                let server = EmbeddedS3::start(Options::new().tls(tls).bucket("mine")).unwrap();
                let place = Place::of(&server);
                let authority = place.authority();
                // Ports are used again.
                let before = site.log_of(authority, 0).len();
                let bypassing = |list: &str| site.proxy().bypass([list]).unwrap();
                for list in [authority, "*", "localhost, 127.0.0.0/8"] {
                    let store = place.store(bypassing(list), transport);
                    store.call(PutObject::new("mine", "key", "direct")).unwrap();
                }
                assert_eq!(site.log_of(authority, 0).len(), before, "{}", site.name);
                let store = place.store(bypassing("localhost:1, example.org"), transport);
                store.call(PutObject::new("mine", "key", "through")).unwrap();
                drop(store);
                let after = site.log_of(authority, before + 1).len();
                assert_eq!(after, before + 1, "{}", site.name);
            }
        }
    }
}

#[test]
fn a_real_server_is_reached() {
    let test = "a_real_server_is_reached";
    let (Ok(site), Some(places)) = (Site::squid(), Place::live()) else {
        eprintln!("{test}: not run, it wants conformance/live/proxy and conformance/live/ceph");
        return;
    };
    for place in places {
        let mut seen = site.log_of(place.authority(), 0).len();
        for transport in TRANSPORTS {
            for proxy in [site.proxy(), site.tls_proxy()] {
                let proxy: Proxy = proxy;
                let store = place.store(proxy, transport);
                there_and_back(&store);
                drop(store);
                seen = check_log(&site, &place.url, seen);
            }
        }
    }
}
