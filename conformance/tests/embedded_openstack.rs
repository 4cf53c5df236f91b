//! Transfers to the embedded Swift over both transports, http and TLS, with tokens that live two
//! seconds.

#![expect(unreachable_pub, reason = "the modules are this test's alone")]

#[path = "live/store.rs"]
mod store;

use std::sync::Arc;
use std::time::Duration;

use apus_conformance::server::{
    EmbeddedOpenStack, Ending, Fault, OpenStackModel, OpenStackOperation as Operation, Plan,
};
use apus_core::Error;
use apus_core::keystone::{
    self, Domain, Identity, Login, Scope, Session, SessionOptions, TrustSlot, User,
};
use apus_core::machine::{
    Auth, Delegation, DownloadOptions, LargeObject, SwiftDelete, SwiftDeleteOptions, SwiftDownload,
    SwiftUpload, SwiftUploadOptions, TrustScoped, TrustUse, UploadSource,
};
use apus_core::swift::{Config, GetObject, PutObject, Service};

use self::store::{Feed, Store, Transport};

const SEGMENT: usize = 64 << 10;
const TRANSPORTS: [Transport; 2] = [Transport::Blocking, Transport::Async];

fn model(plan: Plan<Operation>) -> OpenStackModel {
    OpenStackModel::new()
        .with_token_life(Duration::from_secs(2))
        .with_container("demo", "images")
        .with_plan(plan)
}

fn session(server: &EmbeddedOpenStack, user: &str, scope: Scope) -> Session {
    let identity =
        Identity::password(User::named(user, Domain::default_id()), format!("{user}-secret"));
    let login = Login::new(&server.auth_url(), identity, scope).unwrap();
    let interval = Duration::from_millis(500);
    let options = SessionOptions { expire_soon_interval: interval, ..SessionOptions::default() };
    Session::new(login, options)
}

fn project(name: &str) -> Scope {
    Scope::project_named(name, Domain::default_id())
}

fn store(server: &EmbeddedOpenStack, transport: Transport, auths: Vec<Auth>) -> Store<Service> {
    let mut config = Config::default();
    config.retry_policy.base = Duration::from_millis(2);
    config.retry_policy.throttled = Duration::from_millis(4);
    let ca = server.ca_pem().unwrap_or_default();
    Store::new(transport, Service::new(config).unwrap(), ca.as_bytes(), auths)
}

fn demo(server: &EmbeddedOpenStack, transport: Transport) -> Store<Service> {
    store(server, transport, vec![Auth::new(session(server, "demo", project("demo")))])
}

fn object(segments: usize) -> Vec<u8> {
    (0..segments * SEGMENT - 100).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

fn upload(store: &Store<Service>, source: UploadSource) -> SwiftUpload {
    let options = SwiftUploadOptions {
        threshold: SEGMENT as u64,
        segment_size: SEGMENT as u64,
        ..SwiftUploadOptions::default()
    };
    let service = Arc::clone(store.service());
    SwiftUpload::new("images", "object", source, options, service, 7).unwrap()
}

fn download(store: &Store<Service>) -> Result<Vec<u8>, Error> {
    let get = GetObject::new("images", "object");
    let service = Arc::clone(store.service());
    let machine = SwiftDownload::new(get, service, DownloadOptions::default(), 7);
    store.run_into(machine).map(|(_, bytes)| bytes)
}

#[test]
fn what_goes_up_comes_down_and_goes_away() {
    for transport in TRANSPORTS {
        for tls in [false, true] {
            let start = if tls { EmbeddedOpenStack::start_tls } else { EmbeddedOpenStack::start };
            let server = start(model(Plan::new())).unwrap();
            let store = demo(&server, transport);
            let bytes = object(20);
            let length = bytes.len() as u64;
            for (feed, source) in [
                (Feed::Memory, UploadSource::Seekable(length)),
                (Feed::Unknown, UploadSource::Stream(None)),
            ] {
                let done = store.run_from(upload(&store, source), feed, &bytes).unwrap();
                assert_eq!(done.large_object, Some(LargeObject::Static), "{transport:?} {tls}");
                assert!(download(&store).unwrap() == bytes, "{transport:?} {tls}");
            }
            let service = Arc::clone(store.service());
            let options = SwiftDeleteOptions::default();
            store.run(SwiftDelete::new("images", "object", service, options, 7)).unwrap();
            let model = server.model();
            assert!(model.names_of("demo", "images").is_empty());
            assert!(model.names_of("demo", "images_segments").is_empty());
        }
    }
}

#[test]
fn faults_of_the_wire_are_got_over() {
    for transport in TRANSPORTS {
        let plan = Plan::new()
            .on(Operation::Authenticate, 1, Fault::Lost(Ending::Reset))
            .on(Operation::PutObject, 2, Fault::RefuseEarly(401, ""))
            .on(Operation::PutObject, 5, Fault::SlowDown(None))
            .on(Operation::PutObject, 7, Fault::AnswerLost(Ending::Close))
            .on(Operation::PutSlo, 1, Fault::ErrorIn200("503 Service Unavailable"))
            .on(Operation::GetObject, 1, Fault::CutBody(1000, Ending::Reset))
            .on(Operation::GetObject, 3, Fault::CutBody(70_000, Ending::Close))
            .on(Operation::GetObject, 4, Fault::RefuseEarly(401, ""));
        let server = EmbeddedOpenStack::start(model(plan)).unwrap();
        let store = demo(&server, transport);
        let bytes = object(12);
        let source = UploadSource::Seekable(bytes.len() as u64);
        store.run_from(upload(&store, source), Feed::Memory, &bytes).unwrap();
        assert!(download(&store).unwrap() == bytes, "{transport:?}");
        let content = server.model().content_of("demo", "images", "object");
        assert!(content.as_ref() == Some(&bytes), "{transport:?}");
    }
}

#[test]
fn tokens_that_ended_are_renewed() {
    for transport in TRANSPORTS {
        let server = EmbeddedOpenStack::start(model(Plan::new())).unwrap();
        let store = demo(&server, transport);
        for at in 0..3 {
            store.call(PutObject::new("images", format!("object-{at}"), "hello")).unwrap();
            std::thread::sleep(Duration::from_millis(2100));
        }
        let model = server.model();
        assert_eq!((model.logins().len(), model.live_tokens().len()), (3, 0), "{transport:?}");
        // None of them met 401.
        assert_eq!(model.count(Operation::PutObject), 3, "{transport:?}");
    }
}

#[test]
fn a_trust_is_made_and_revoked() {
    for transport in TRANSPORTS {
        let server = EmbeddedOpenStack::start(model(Plan::new())).unwrap();
        let slot = TrustSlot::empty();
        let by_trust = Scope::Trust(slot.clone());
        let auths = vec![
            Auth::new(session(&server, "demo", project("demo"))),
            Auth::new(session(&server, "glance", project("service"))),
            Auth::new(session(&server, "glance", by_trust)),
        ];
        let store = store(&server, transport, auths);
        let bytes = object(12);
        let inner = upload(&store, UploadSource::Seekable(bytes.len() as u64));
        let service = Arc::new(keystone::Service::default());
        let machine = TrustScoped::new(inner, Delegation::new(slot), service, 7);
        let done = store.run_from(machine, Feed::Memory, &bytes).unwrap();
        let trusted = matches!(done.trust, TrustUse::ByTrust { leftover: None, .. });
        assert!(trusted, "{transport:?}: {:?}", done.trust);
        let model = server.model();
        let content = model.content_of("demo", "images", "object");
        assert!(content.as_ref() == Some(&bytes), "{transport:?}");
        assert_eq!((model.trusts().len(), model.live_trusts().len()), (1, 0), "{transport:?}");
    }
}

#[test]
fn a_refusal_costs_no_body() {
    for transport in TRANSPORTS {
        let plan = Plan::new().always(Operation::PutObject, Fault::RefuseEarly(403, ""));
        let server = EmbeddedOpenStack::start(model(plan)).unwrap();
        let store = demo(&server, transport);
        let bytes = vec![7; 64 << 20];
        let length = bytes.len();
        let error = store.call(PutObject::new("images", "object", bytes)).unwrap_err();
        assert_eq!(error.status().map(|status| status.as_u16()), Some(403), "{transport:?}");
        let requests = server.storage().requests();
        let taken: usize = requests.iter().map(|request| request.body.len()).sum();
        assert!(taken < length, "{transport:?}: {taken} bytes were sent");
    }
}

// Nothing else is asked of Keystone than what one renewal for each request can change.
#[test]
fn tokens_that_are_over_when_they_come_end_in_an_error() {
    for transport in TRANSPORTS {
        let model = OpenStackModel::new().with_token_life(Duration::ZERO);
        let server = EmbeddedOpenStack::start(model.with_container("demo", "images")).unwrap();
        let store = demo(&server, transport);
        for calls in 1..=3 {
            let error = store.call(PutObject::new("images", "object", "hello")).unwrap_err();
            assert_eq!(error.status().map(|status| status.as_u16()), Some(401), "{error}");
            let logins = server.model().logins().len();
            assert!(logins <= 2 * calls, "{transport:?}: {logins} logins for {calls} calls");
        }
        assert!(server.model().names_of("demo", "images").is_empty());
    }
}
