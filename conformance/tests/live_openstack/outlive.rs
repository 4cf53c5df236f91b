//! Transfers that last longer than their tokens.
//!
//! ```text
//!  client ──▶ proxy, so slow that it takes more than six lifetimes; cuts downloads ──▶ Swift
//!     └─────────────────────────────────── logins, trusts ──────────────────────────▶ Keystone
//! ```
//!
//! All transfers of a test run at the same time, since they mostly wait.

use std::fmt::Write as _;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use apus_core::Error;
use apus_core::contract::{Machine, Notice};
use apus_core::keystone::{
    EndpointFilter, Login, Scope, ServiceToken, Session, SessionOptions, TrustSlot,
};
use apus_core::machine::{
    Auth, Delegation, DownloadOptions, LargeObject, SegmentsIn, SwiftDownload, SwiftUpload,
    SwiftUploadOptions, TrustScoped, TrustUse, UploadSource,
};
use apus_core::swift::{GetObject, HeadAccount, PutObject, Service};

use crate::cases::identity::Shared;
use crate::cases::keystone::trusts;
use crate::cases::payload;
use crate::proxy::{Plan, Proxy};
use crate::site::{People, Server, Site, in_project, named};
use crate::stage::{Place, Stage, names, sweep};
use crate::store::{Feed, Store};
use crate::suite::{places, told_by};
use crate::table;
use crate::watch::Watch;

/// By whose right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// The user's own, who can log in again.
    Own,
    /// A service user's, by a trust of the user's, of whom there is one token.
    Trust,
}

/// A transfer, and what has to be reported of it.
pub struct Job {
    what: String,
    right: Right,
    run: fn(&Outliving<'_>) -> String,
    large_object: Option<LargeObject>,
    feed: Feed,
}

/// A job at its place.
struct Outliving<'a> {
    job: &'a Job,
    stage: Stage<'a>,
}

/// Everything by which a transfer can go.
pub fn uploads() -> Vec<Job> {
    let mut jobs = Vec::new();
    for right in [Right::Own, Right::Trust] {
        for large_object in [LargeObject::Static, LargeObject::Dynamic] {
            for feed in [Feed::Memory, Feed::Unknown] {
                let kind = if large_object == LargeObject::Static { "SLO" } else { "DLO" };
                let length = if feed == Feed::Unknown { "unknown" } else { "known" };
                let what = format!("upload, {kind}, {length} length");
                let large_object = Some(large_object);
                jobs.push(Job { what, right, run: upload, large_object, feed });
            }
        }
    }
    jobs
}

/// Downloads of a plain and of a large object.
pub fn downloads() -> Vec<Job> {
    let mut jobs = Vec::new();
    for right in [Right::Own, Right::Trust] {
        for large_object in [None, Some(LargeObject::Static)] {
            let kind = if large_object.is_some() { "SLO" } else { "a plain object" };
            let what = format!("download of {kind}, cut {CUTS} times");
            jobs.push(Job { what, right, run: download, large_object, feed: Feed::Memory });
        }
    }
    jobs
}

/// The user's token is taken for long after its end, where a service's token comes with it.
pub fn service_token() {
    for site in Site::all("service token").iter().filter(|site| site.server == Server::Swift) {
        if is_long(site, "service token") {
            return;
        }
        for place in places(site) {
            let stage = Stage::open(site, place, "service-token");
            let people = People::read().unwrap();
            let service = people.login(
                &people.service_user,
                &people.service_password,
                &people.service_project,
            );
            let service = ServiceToken::new(service, site.options());
            let once = || SessionOptions { renews: false, ..site.options() };
            let session = || Session::new(site.login(place.https), once());
            let with = stage.client(vec![Auth::new(session().with_service_token(service))]);
            let without = stage.client(vec![Auth::new(session())]);
            let head = || HeadAccount::new();
            with.call(head()).unwrap();
            without.call(head()).unwrap();
            thread::sleep(site.life + Duration::from_secs(1));
            with.call(head()).unwrap();
            let error = without.call(head()).unwrap_err();
            assert_eq!(error.status().map(|status| status.as_u16()), Some(401), "{error}");
            stage.close();
        }
    }
}

fn is_long(site: &Site, test: &str) -> bool {
    let long = site.life > Duration::from_secs(10);
    if long {
        eprintln!(
            "{test}: not run, tokens live {} s: TOKEN_TTL=5 conformance/live/openstack up",
            site.life.as_secs()
        );
    }
    long
}

/// Does all of it, at every place where tokens live shortly.
pub fn run(test: &str, title: &'static str, jobs: &[Job]) {
    let mut wrong = Vec::new();
    let mut out =
        format!("### {title}\n\n| what | where | by | seconds | tokens | 401s | trust |\n");
    out.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
    let sites = Site::all(test);
    for site in &sites {
        if is_long(site, test) {
            continue;
        }
        // Those under a trust begin when the machine has less to do.
        for right in [Right::Own, Right::Trust] {
            let jobs = jobs.iter().filter(|job| job.right == right && fits(site, job));
            for row in together(site, jobs.collect(), test) {
                match row {
                    Ok(row) => out.push_str(&row),
                    Err(told) => wrong.push(told),
                }
            }
        }
    }
    if out.lines().count() > 4 {
        table::publish(title, out);
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Runs each transfer over both transports; returns the results.
fn together(site: &Site, jobs: Vec<&Job>, test: &str) -> Vec<Result<String, String>> {
    let at_places = jobs
        .into_iter()
        .flat_map(|job| places(site).filter(|place| !place.https).map(move |place| (job, place)));
    thread::scope(|scope| {
        let mut all = Vec::new();
        for (number, (job, place)) in at_places.enumerate() {
            // One login after the other.
            thread::sleep(Duration::from_millis(300));
            let name = format!("{test}-{number}-{:?}", job.right).to_lowercase();
            all.push(scope.spawn(move || one(site, place, job, &name)));
        }
        all.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

/// Ceph knows no trusts, and gives away no manifest.
fn fits(site: &Site, job: &Job) -> bool {
    let own = job.right == Right::Own;
    site.server == Server::Swift
        || own && job.feed == Feed::Unknown
        || own && job.large_object.is_none()
}

fn one(site: &Site, place: Place, job: &Job, name: &str) -> Result<String, String> {
    let at = format!("{} on {place} by {:?}", job.what, job.right);
    let attempt = std::panic::AssertUnwindSafe(|| {
        let outliving = Outliving { job, stage: Stage::open(site, place, name) };
        let row = (job.run)(&outliving);
        outliving.stage.close();
        row
    });
    let row =
        std::panic::catch_unwind(attempt).map_err(|panic| format!("{at}: {}", told_by(&*panic)))?;
    let right = match job.right {
        Right::Own => "single tenant",
        Right::Trust => "trust",
    };
    let server = format!("{:?}, {:?}", place.server, place.transport).to_lowercase();
    Ok(format!("| {} | {server} | {right} | {row} |\n", job.what))
}

fn upload(this: &Outliving<'_>) -> String {
    let (stage, job) = (&this.stage, this.job);
    let bytes = payload(BYTES);
    let way = this.way(Plan { pace: Some(pace(stage)), ..Plan::default() });
    let segment = match stage.site.server {
        Server::Swift => BYTES / 12,
        // Its tokens say nothing of their end, so that a segment is sent again when they are over;
        // another life has to do for that.
        Server::Ceph => BYTES / 50,
    } as u64;
    let options = SwiftUploadOptions {
        threshold: segment,
        segment_size: segment,
        concurrency: 2,
        large_object: job.large_object,
        segments_in: SegmentsIn::Container(beside(stage)),
        ..SwiftUploadOptions::default()
    };
    let source = match job.feed {
        Feed::Unknown => UploadSource::Stream(None),
        _ => UploadSource::Seekable(bytes.len() as u64),
    };
    let service = Arc::clone(way.store.service());
    let machine =
        SwiftUpload::new(&stage.container, "image", source, options, service, seed(stage)).unwrap();
    let began = Instant::now();
    let run = |store: &Store<Service>| match job.right {
        Right::Own => (store.run_from(machine, job.feed, &bytes), None),
        Right::Trust => entrusted(store.run_from(way.delegated(machine), job.feed, &bytes)),
    };
    let (uploaded, trust) = run(&way.store);
    let uploaded = uploaded.unwrap();
    let took = began.elapsed();
    assert!(took > LIVES * stage.site.life, "it took only {took:?}");
    assert_eq!(uploaded.size, bytes.len() as u64);
    assert_eq!(uploaded.leftovers, []);

    // Asked by another session: the object is right, and nothing else is there.
    let stored = stage.call(GetObject::new(&stage.container, "image")).unwrap();
    assert!(stored.body == bytes, "the object is not what was uploaded");
    assert_eq!(stage.names().unwrap(), ["image"]);
    let segments = names(&stage.store, &beside(stage)).unwrap();
    assert_eq!(segments.len(), uploaded.segments as usize, "{segments:?}");
    sweep(&stage.store, &beside(stage)).unwrap();
    way.row(stage, took, trust, LIVES)
}

fn download(this: &Outliving<'_>) -> String {
    let (stage, job) = (&this.stage, this.job);
    let bytes = payload(BYTES);
    match job.large_object {
        None => drop(stage.call(PutObject::new(&stage.container, "image", bytes.clone())).unwrap()),
        Some(large_object) => {
            let options = SwiftUploadOptions {
                threshold: 1000,
                segment_size: BYTES as u64 / 4,
                large_object: Some(large_object),
                segments_in: SegmentsIn::Container(beside(stage)),
                ..SwiftUploadOptions::default()
            };
            let source = UploadSource::Seekable(bytes.len() as u64);
            let service = Arc::clone(stage.store.service());
            let machine =
                SwiftUpload::new(&stage.container, "image", source, options, service, seed(stage));
            stage.store.run_from(machine.unwrap(), Feed::Memory, &bytes).unwrap();
        }
    }
    let pace =
        bytes.len() as f64 / (LIVES * stage.site.life + Duration::from_secs(2)).as_secs_f64();
    let after = bytes.len() / (CUTS + 2);
    let way = this.way(Plan { cuts: CUTS, after, pace: Some(pace as u64) });
    let get = GetObject::new(&stage.container, "image");
    let service = Arc::clone(way.store.service());
    let machine = SwiftDownload::new(get, service, DownloadOptions::default(), seed(stage));
    let began = Instant::now();
    let (result, trust) = match job.right {
        Right::Own => (way.store.run_into(machine), None),
        Right::Trust => match way.store.run_into(way.delegated(machine)) {
            Ok((entrusted_output, sunk)) => {
                let (downloaded, trust) = entrusted(Ok(entrusted_output));
                (downloaded.map(|downloaded| (downloaded, sunk)), trust)
            }
            Err(error) => (Err(error), None),
        },
    };
    let (downloaded, sunk) = result.unwrap();
    let took = began.elapsed();
    assert!(took > LIVES * stage.site.life, "it took only {took:?}");
    assert!(sunk == bytes, "what came is not what is stored");
    assert_eq!(downloaded.bytes, bytes.len() as u64);
    assert!(matches!(downloaded.validation, apus_core::checksum::Validation::Validated(_)));
    assert!(way.watch.launched("GetObject") as usize > CUTS);
    if job.large_object.is_some() {
        sweep(&stage.store, &beside(stage)).unwrap();
    }
    // One for each attempt.
    way.row(stage, took, trust, CUTS as u32 + 1)
}

/// The connection of a transfer: through a proxy, with one authenticator or three.
struct Way {
    store: Store<Service>,
    watch: Arc<Watch>,
    slot: TrustSlot,
    _proxy: Proxy,
}

impl Outliving<'_> {
    fn way(&self, plan: Plan) -> Way {
        let stage = &self.stage;
        let probe = Shared::new(stage.site.session(stage.place.https));
        // A new token: a trust has to be created before it expires.
        stage.client(vec![probe.auth()]).call(HeadAccount::new()).unwrap();
        let proxy = Proxy::before(&storage_url(stage, &probe), plan);
        let there = || EndpointFilter::at(&*proxy.endpoint);
        let slot = TrustSlot::empty();
        let options =
            SessionOptions { expire_soon_interval: INTERVAL, ..SessionOptions::default() };
        let auths = match self.job.right {
            Right::Own => {
                let login = stage.site.login(stage.place.https);
                vec![Session::new(login, options).with_endpoint(there())]
            }
            Right::Trust => {
                let people = People::read().unwrap();
                let service = || {
                    apus_core::keystone::Identity::password(
                        named(&people.service_user),
                        &*people.service_password,
                    )
                };
                let login = |scope| Login::new(&people.keystone, service(), scope).unwrap();
                let token = probe.export().token().secret().clone();
                let user = Session::fixed_at(&*proxy.endpoint, token).unwrap();
                vec![
                    user.with_auth_url(&people.keystone).unwrap(),
                    Session::new(login(in_project(&people.service_project)), options.clone()),
                    Session::new(login(Scope::Trust(slot.clone())), options).with_endpoint(there()),
                ]
            }
        };
        let watch = Watch::new();
        let auths = auths.into_iter().map(Auth::new).collect();
        let store = stage.client(auths).with_observer(watch.clone());
        Way { store, watch, slot, _proxy: proxy }
    }
}

impl Way {
    fn delegated<M: Machine>(&self, machine: M) -> TrustScoped<M> {
        TrustScoped::new(machine, Delegation::new(self.slot.clone()), Arc::default(), 1)
    }

    /// What is to be said, once it is known that the trust is gone and that there were so many
    /// tokens at least.
    fn row(&self, stage: &Stage<'_>, took: Duration, trust: Option<String>, tokens: u32) -> String {
        let trust = trust.map_or("", |id| {
            let left = trusts(stage.site, stage.place).unwrap();
            assert!(left.iter().all(|trust| trust.id != id), "the trust is still there");
            let told = |of: fn(&Notice) -> bool| self.watch.notices().iter().any(of);
            assert!(told(|notice| matches!(notice, Notice::TrustCreated { .. })));
            assert!(told(|notice| matches!(notice, Notice::TrustRevoked { .. })));
            "gone"
        });
        let mut row = String::new();
        let (logins, refused) = (self.watch.logins(), self.watch.answered(401));
        let _ = write!(row, "{} | {logins} | {refused} | {trust}", took.as_secs());
        assert!(logins >= tokens, "{row}");
        row
    }
}

/// The output, and the id of the trust that it was had by.
fn entrusted<T>(
    result: Result<apus_core::machine::TrustOutcome<T>, Error>,
) -> (Result<T, Error>, Option<String>) {
    match result {
        Err(error) => (Err(error), None),
        Ok(entrusted) => match entrusted.trust {
            TrustUse::ByTrust { id, leftover: None } => (Ok(entrusted.output), Some(id)),
            other => panic!("not by a trust that is gone: {other:?}"),
        },
    }
}

fn storage_url(stage: &Stage<'_>, session: &Shared) -> String {
    match stage.site.server {
        Server::Swift => People::read().unwrap().storage_url,
        Server::Ceph => session.storage_url().expect("v1 authentication tells one"),
    }
}

/// Bytes per second that make it last.
fn pace(stage: &Stage<'_>) -> u64 {
    BYTES as u64 / (LIVES * stage.site.life + Duration::from_secs(2)).as_secs()
}

fn beside(stage: &Stage<'_>) -> String {
    format!("{}-segments", stage.container)
}

fn seed(stage: &Stage<'_>) -> u64 {
    u64::from(std::process::id()) << 32 | stage.container.len() as u64
}

const LIVES: u32 = 6;
const CUTS: usize = 4;
const BYTES: usize = (3 << 19) + 12_345;
/// Tokens are renewed when they have this long to live.
const INTERVAL: Duration = Duration::from_secs(1);
