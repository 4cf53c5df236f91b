//! Keystone and Swift through a proxy, over http and https.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use apus_conformance::server::{EmbeddedOpenStack, OpenStackModel, Scripted};
use apus_core::Kind;
use apus_core::keystone::{Domain, Identity, Login, Scope, Session, SessionOptions, User};
use apus_core::machine::{
    Auth, DownloadOptions, SwiftDelete, SwiftDeleteOptions, SwiftDownload, SwiftUpload,
    SwiftUploadOptions, UploadSource,
};
use apus_core::proxy::Proxies;
use apus_core::swift::{Config, DeleteContainer, GetObject, PutContainer, Service};

use crate::site::{Site, TRANSPORTS, through_each};
use crate::store::{Feed, Store, Transport};

const CONTAINER: &str = "through-a-proxy";
const SEGMENT: u64 = 1 << 20;

fn store(
    login: Login,
    ca: &[u8],
    proxy: impl Into<Proxies>,
    transport: Transport,
) -> Store<Service> {
    let mut config = Config::default();
    config.retry_policy.base = Duration::from_millis(2);
    let auth = Auth::new(Session::new(login, SessionOptions::default()));
    Store::through(proxy, transport, Service::new(config).unwrap(), ca, vec![auth])
}

/// An upload in segments from a pipe, and a download.
fn there_and_back(store: &Store<Service>) {
    let bytes: Vec<u8> = (0..3 * SEGMENT + 12_345).map(|at| (at ^ (at >> 9)) as u8).collect();
    store.call(PutContainer::new(CONTAINER)).unwrap();
    let options = SwiftUploadOptions {
        threshold: SEGMENT,
        segment_size: SEGMENT,
        ..SwiftUploadOptions::default()
    };
    let service = || Arc::clone(store.service());
    let source = UploadSource::Stream(None);
    let upload = SwiftUpload::new(CONTAINER, "a/../b c%", source, options, service(), 7).unwrap();
    store.run_from(upload, Feed::Unknown, &bytes).unwrap();
    let get = GetObject::new(CONTAINER, "a/../b c%");
    let download = SwiftDownload::new(get, service(), DownloadOptions::default(), 7);
    let (_, back) = store.run_into(download).unwrap();
    assert!(back == bytes);
    let options = SwiftDeleteOptions::default();
    let delete = SwiftDelete::new(CONTAINER, "a/../b c%", service(), options, 7);
    store.run(delete).unwrap();
}

#[test]
fn objects_go_there_and_back_with_a_token() {
    through_each("objects_go_there_and_back_with_a_token", |site, proxy, transport| {
        for tls in [false, true] {
            let model = OpenStackModel::new();
            let server = match tls {
                false => EmbeddedOpenStack::start(model).unwrap(),
                true => EmbeddedOpenStack::start_tls(model).unwrap(),
            };
            let host =
                |server: &Scripted| server.endpoint().split_once("://").unwrap().1.to_owned();
            let servers = [server.identity(), server.storage()];
            let before = servers.map(|server| site.log_of(&host(server), 0).len());
            server.identity().only_from(site.source);
            server.storage().only_from(site.source);
            let login = || {
                let user = User::named("demo", Domain::default_id());
                let identity = Identity::password(user, "demo-secret");
                let scope = Scope::project_named("demo", Domain::default_id());
                Login::new(&server.auth_url(), identity, scope).unwrap()
            };
            let ca = server.ca_pem().unwrap_or_default().as_bytes();
            // What leads around the proxy is hung up on.
            let direct = store(login(), ca, Proxies::default(), transport);
            let error = direct.call(PutContainer::new(CONTAINER)).unwrap_err();
            assert_eq!(error.status(), None, "{error}");
            assert_ne!(error.kind(), Kind::Refused, "{error}");
            let through = store(login(), ca, proxy.clone(), transport);
            there_and_back(&through);
            drop(through);
            for (server, before) in servers.into_iter().zip(before) {
                let log = site.log_of(&host(server), before + 1);
                assert!(log.len() > before, "nothing of {} went through", server.endpoint());
                for line in &log[before..] {
                    assert_eq!(line.user.as_deref(), Some(&*site.user), "{line:?}");
                    assert_eq!(line.method == "CONNECT", tls, "{line:?}");
                }
                let requests = server.requests();
                assert!(requests.iter().all(|seen| seen.header("proxy-authorization").is_none()));
            }
        }
    });
}

#[test]
fn a_real_keystone_and_a_real_swift_are_reached() {
    let variable = |name: &str| env::var(format!("APUS_LIVE_OPENSTACK{name}")).ok();
    let (Ok(site), Some(keystone)) = (Site::squid(), variable("")) else {
        eprintln!("a real Swift: not run, it wants conformance/live/proxy and live/openstack");
        return;
    };
    let of = |name: &str| variable(name).unwrap_or_else(|| panic!("{name} is not set"));
    let storage = of("_STORAGE_URL");
    let host = |url: &str| url.split('/').nth(2).unwrap_or_default().to_owned();
    for transport in TRANSPORTS {
        for proxy in [site.proxy(), site.tls_proxy()] {
            let before = [&keystone, &storage].map(|url| site.log_of(&host(url), 0).len());
            let identity = Identity::password(User::Id(of("_USER_ID")), of("_PASSWORD"));
            let login = Login::new(&keystone, identity, Scope::project(of("_PROJECT_ID"))).unwrap();
            let through = store(login, b"", proxy, transport);
            there_and_back(&through);
            through.call(DeleteContainer::new(CONTAINER)).map(drop).unwrap_or_default();
            drop(through);
            let logins = site.log_of(&host(&keystone), before[0] + 1);
            assert_eq!(logins.len(), before[0] + 1, "one login, through the proxy");
            // Segments, manifest, reads and removals.
            assert!(site.log_of(&host(&storage), before[1] + 10).len() >= before[1] + 10);
        }
    }
}
