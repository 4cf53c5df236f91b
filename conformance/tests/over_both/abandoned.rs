//! Runs of every kind in Swift that are dropped at any time: what they stored is removed, or named.
//!
//! ```text
//!   run ── launched, launched, … ──▶ it is dropped after the n-th ──▶ shutdown: nothing is left
//!                                          │                          shutdown again: returns nothing
//!                                          └─ its client is dropped ▶ nothing is left, a little later
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use apus_conformance::server::{
    EmbeddedOpenStack, Fault, OpenStackModel, OpenStackOperation as Operation, Plan,
};
use apus_core::contract::Machine;
use apus_core::error::Leftover;
use apus_core::keystone::{
    self, Domain, Identity, Login, Scope, Session, SessionOptions, TrustSlot, User,
};
use apus_core::machine::{
    Auth, Delegation, DownloadOptions, Event, LargeObject, Observer, SwiftDownload, SwiftUpload,
    SwiftUploadOptions, TrustScoped, UploadSource,
};
use apus_core::now::Now;
use apus_core::swift::{Config, GetObject, Service};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use crate::client::{Kind, Origin, Via, pattern};

both! {
    whoever_goes_leaves_nothing_in_swift,
    a_client_that_goes_too_leaves_nothing,
    what_can_not_be_removed_is_named_once,
    a_shutdown_while_runs_begin_stops_none,
}

/// What is run.
#[derive(Clone, Copy, Debug)]
enum Job {
    Upload(LargeObject),
    UploadByTrust,
    Download,
    DownloadByTrust,
}

const JOBS: [Job; 5] = [
    Job::Upload(LargeObject::Static),
    Job::Upload(LargeObject::Dynamic),
    Job::UploadByTrust,
    Job::Download,
    Job::DownloadByTrust,
];

/// Says when so many exchanges have been launched.
struct Count {
    launched: AtomicUsize,
    wanted: usize,
    reached: Notify,
    told: mpsc::SyncSender<()>,
}

impl Observer for Count {
    fn event(&self, _: Now, event: &Event<'_>) {
        let is_launch = matches!(event, Event::Launched { .. });
        if is_launch && self.launched.fetch_add(1, Ordering::AcqRel) + 1 == self.wanted {
            self.reached.notify_one();
            let _ = self.told.try_send(());
        }
    }
}

enum Client {
    Blocking(apus_blocking::Client<Service>),
    Async(apus_async::Client<Service>, Runtime),
}

/// A cloud, a client of it, and what is there: `images/object`, in segments.
struct Stage {
    cloud: EmbeddedOpenStack,
    client: Client,
    slot: TrustSlot,
}

fn session(cloud: &EmbeddedOpenStack, user: &str, scope: Scope) -> Auth {
    let name = User::named(user, Domain::default_id());
    let identity = Identity::password(name, format!("{user}-secret"));
    let login = Login::new(&cloud.auth_url(), identity, scope).unwrap();
    Auth::new(Session::new(login, SessionOptions::default()))
}

impl Stage {
    fn new(via: Via) -> Self {
        let cloud =
            EmbeddedOpenStack::start(OpenStackModel::new().with_container("demo", "images"));
        let cloud = cloud.unwrap();
        let slot = TrustSlot::empty();
        let project = |name: &str| Scope::project_named(name, Domain::default_id());
        let auths = [
            session(&cloud, "demo", project("demo")),
            session(&cloud, "glance", project("service")),
            session(&cloud, "glance", Scope::Trust(slot.clone())),
        ];
        let mut config = Config::default();
        config.retry_policy.base = Duration::from_millis(2);
        config.retry_policy.attempts = 2;
        let service = Service::new(config).unwrap();
        macro_rules! client {
            ($transport:ident) => {{
                let config = $transport::TransportConfig::new();
                let transport = $transport::Transport::new(config).unwrap();
                let [first, second, third] = auths;
                let client = $transport::Client::with_transport(transport, service, first);
                client.add_auth(second).add_auth(third)
            }};
        }
        let client = match via {
            Via::Blocking => Client::Blocking(client!(apus_blocking)),
            Via::Async => {
                let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
                Client::Async(client!(apus_async), runtime.unwrap())
            }
        };
        let stage = Self { cloud, client, slot };
        let upload = stage.upload("object", LargeObject::Static);
        match &stage.client {
            Client::Blocking(client) => client.run(upload).body(origin().blocking()).send(),
            Client::Async(client, runtime) => {
                runtime.block_on(client.run(upload).body(origin().hyper()).send())
            }
        }
        .unwrap();
        stage
    }

    fn service(&self) -> Arc<Service> {
        match &self.client {
            Client::Blocking(client) => Arc::clone(client.service()),
            Client::Async(client, _) => Arc::clone(client.service()),
        }
    }

    fn upload(&self, object: &str, large_object: LargeObject) -> SwiftUpload {
        let options = SwiftUploadOptions {
            threshold: SEGMENT,
            segment_size: SEGMENT,
            concurrency: 2,
            large_object: Some(large_object),
            ..SwiftUploadOptions::default()
        };
        let source = UploadSource::Seekable(LENGTH as u64);
        SwiftUpload::new("images", object, source, options, self.service(), 7).unwrap()
    }

    /// Begins the job, and goes after so many exchanges have been launched; false where it ended
    /// before.
    fn abandon(&self, job: Job, after: usize) -> bool {
        let download = || {
            let get = GetObject::new("images", "object");
            let options =
                DownloadOptions { range_size: SEGMENT, concurrency: 2, ..Default::default() };
            SwiftDownload::new(get, self.service(), options, 7)
        };
        let delegation = || Delegation::new(self.slot.clone());
        match job {
            Job::Upload(kind) => self.begin(self.upload("new", kind), after),
            Job::UploadByTrust => {
                let upload = self.upload("new", LargeObject::Static);
                self.begin(TrustScoped::new(upload, delegation(), keystone(), 7), after)
            }
            Job::Download => self.begin(download(), after),
            Job::DownloadByTrust => {
                self.begin(TrustScoped::new(download(), delegation(), keystone(), 7), after)
            }
        }
    }

    fn begin<M>(&self, machine: M, after: usize) -> bool
    where
        M: Machine<Output: Send> + Send + 'static,
    {
        let (told, reached) = mpsc::sync_channel(1);
        let count =
            Count { launched: AtomicUsize::new(0), wanted: after, reached: Notify::new(), told };
        let count = Arc::new(count);
        match &self.client {
            Client::Blocking(client) => {
                let run = client.run(machine).body(origin().blocking()).with_observer(count);
                // What it reads fits between it and its reader. The sender goes with the run.
                let reader = run.reader();
                let goes = reached.recv().is_ok();
                drop(reader);
                goes
            }
            Client::Async(client, runtime) => runtime.block_on(async {
                let run = client.run(machine).body(origin().hyper());
                let run = run.write_to(apus_async::Sink::discard());
                let run = run.with_observer(Arc::clone(&count) as _);
                tokio::select! {
                    biased;
                    () = count.reached.notified() => true,
                    _ = run.send() => false,
                }
            }),
        }
    }

    fn shutdown(&self, deadline: Duration) -> Vec<Leftover> {
        match &self.client {
            Client::Blocking(client) => client.shutdown(deadline),
            Client::Async(client, runtime) => runtime.block_on(client.shutdown(deadline)),
        }
    }
}

/// What is there that belongs to no whole object: segments and trusts.
fn left(cloud: &EmbeddedOpenStack) -> Vec<String> {
    let model = cloud.model();
    let there = model.names_of("demo", "images");
    let is_whole =
        |segment: &str| there.iter().any(|object| segment.starts_with(&format!("{object}/")));
    let segments = match model.container_of("demo", "images_segments") {
        Some(_) => model.names_of("demo", "images_segments"),
        None => Vec::new(),
    };
    let left = segments.into_iter().filter(|segment| !is_whole(segment)).map(str::to_owned);
    left.chain(model.live_trusts().iter().map(|trust| trust.id.clone())).collect()
}

#[track_caller]
fn is_named(left: &[String], named: &[Leftover]) {
    for left in left {
        let is_named = named.iter().any(|one| match one {
            Leftover::Object { key, .. } => key == left,
            Leftover::Trust { id } => id == left,
            _ => false,
        });
        assert!(is_named, "{left} is left, and {named:?} are named");
    }
}

fn keystone() -> Arc<keystone::Service> {
    Arc::default()
}

fn origin() -> Origin {
    Origin::new(Kind::Bytes, pattern(LENGTH))
}

fn whoever_goes_leaves_nothing_in_swift(via: Via) {
    for job in JOBS {
        // Until the job ends before.
        for after in [1, 3, 5, 8, 12, 18] {
            let stage = Stage::new(via);
            let goes = stage.abandon(job, after);
            let named = stage.shutdown(LONG);
            let left = left(&stage.cloud);
            assert!(left.is_empty() && named.is_empty(), "{job:?} {after}: {left:?}, {named:?}");
            assert_eq!(stage.shutdown(LONG), [], "{job:?} {after}");
            if !goes {
                break;
            }
        }
    }
}

fn a_client_that_goes_too_leaves_nothing(via: Via) {
    for after in [4, 8] {
        let stage = Stage::new(via);
        assert!(stage.abandon(Job::UploadByTrust, after));
        let Stage { cloud, client, .. } = stage;
        let runtime = match client {
            Client::Blocking(client) => {
                drop(client);
                None
            }
            Client::Async(client, runtime) => {
                drop(client);
                Some(runtime)
            }
        };
        let deadline = Instant::now() + LONG;
        while !left(&cloud).is_empty() {
            assert!(Instant::now() < deadline, "{after}: {:?}", left(&cloud));
            thread::sleep(Duration::from_millis(5));
        }
        drop(runtime);
    }
}

fn what_can_not_be_removed_is_named_once(via: Via) {
    let mut named_ever = 0;
    for after in [5, 8, 10] {
        let stage = Stage::new(via);
        let no = Fault::Refuse(403, "");
        let plan = [Operation::DeleteObject, Operation::BulkDelete, Operation::DeleteTrust]
            .into_iter()
            .fold(Plan::new(), |plan, operation| plan.always(operation, no.clone()));
        stage.cloud.model().set_plan(plan);
        stage.abandon(Job::UploadByTrust, after);
        let named = stage.shutdown(LONG);
        let left = left(&stage.cloud);
        is_named(&left, &named);
        named_ever += left.len();
        assert_eq!(stage.shutdown(LONG), [], "{after}");
    }
    assert!(named_ever > 0, "{named_ever}");
}

fn a_shutdown_while_runs_begin_stops_none(via: Via) {
    let stage = Stage::new(via);
    let uploads: Vec<_> =
        (0..8).map(|at| stage.upload(&format!("new-{at}"), LargeObject::Static)).collect();
    match &stage.client {
        Client::Blocking(client) => thread::scope(|scope| {
            let runs: Vec<_> = uploads
                .into_iter()
                .map(|upload| {
                    let client = client.clone();
                    scope.spawn(move || client.run(upload).body(origin().blocking()).send())
                })
                .collect();
            while !runs.iter().all(thread::ScopedJoinHandle::is_finished) {
                assert_eq!(client.shutdown(Duration::from_millis(1)), []);
                // Nobody has gone, so that there is nothing to wait for.
                thread::sleep(Duration::from_millis(1));
            }
            for run in runs {
                run.join().unwrap().unwrap();
            }
        }),
        Client::Async(client, runtime) => runtime.block_on(async {
            let runs: Vec<_> = uploads
                .into_iter()
                .map(|upload| tokio::spawn(client.run(upload).body(origin().hyper()).send()))
                .collect();
            while !runs.iter().all(tokio::task::JoinHandle::is_finished) {
                assert_eq!(client.shutdown(Duration::from_millis(1)).await, []);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            for run in runs {
                run.await.unwrap().unwrap();
            }
        }),
    }
    assert_eq!(stage.cloud.model().names_of("demo", "images").len(), 9);
}

const SEGMENT: u64 = 32 << 10;
const LENGTH: usize = 100_000;
const LONG: Duration = Duration::from_secs(30);
