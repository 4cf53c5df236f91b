//! Swift: transfers of one real file that take longer than a token lives.

use std::error::Error;
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use apus_blocking::{Client, Sink, Source, Transport, TransportConfig};
use apus_conformance::server::{
    EmbeddedOpenStack, Ending, Fault, OpenStackModel, OpenStackOperation, Plan,
};
use apus_core::Now;
use apus_core::checksum::Validation;
use apus_core::contract::{Machine, Notice};
use apus_core::keystone::{
    self, Domain, Identity, Login, Scope, Session, SessionOptions, TrustSlot, User,
};
use apus_core::machine::{
    Auth, Delegation, DownloadOptions, Event, Observer, RateLimits, SwiftDelete,
    SwiftDeleteOptions, SwiftDownload, SwiftUpload, SwiftUploadOptions, TrustOutcome, TrustScoped,
    TrustUse, UploadSource,
};
use apus_core::swift::{Config, GetObject, Service};

use crate::bar::Bar;
use crate::image::{self, Image};

/// How long a token lives, and how long each transfer is slowed to take.
const TOKEN_LIFE: Duration = Duration::from_secs(2);
const TRANSFER: u64 = 9;
/// A token that lives less than this is renewed before it is used.
const EXPIRE_SOON: Duration = Duration::from_millis(700);
const SEGMENTS: u64 = 24;
const CONTAINER: &str = "images";
const OBJECT: &str = "images/apus ü@#?.img";

/// Uses a Keystone and a Swift of our own. Returns how many rows failed, and of how many.
pub(super) fn run(image: &Image) -> Result<(usize, usize), Box<dyn Error>> {
    let rows = [Tenancy::Single, Tenancy::ByTrust].map(|tenancy| work(tenancy, image));
    let rows = rows.into_iter().collect::<Result<Vec<_>, _>>()?;
    print_table(&rows);
    Ok((rows.iter().filter(|row| row.verdict.is_err()).count(), rows.len()))
}

/// The identity of the store for Swift.
#[derive(Clone, Copy)]
enum Tenancy {
    /// It stores in its own account, with a password.
    Single,
    /// It stores in the account of a user, of whom it has only a token.
    ByTrust,
}

impl Tenancy {
    fn name(self) -> &'static str {
        match self {
            Self::Single => "single tenant",
            Self::ByTrust => "by trust",
        }
    }

    /// Returns the user whose account stores the objects.
    fn owner(self) -> &'static str {
        match self {
            Self::Single => "glance",
            Self::ByTrust => "demo",
        }
    }
}

/// Runs one tenancy, from the upload to the deletion.
fn work(tenancy: Tenancy, image: &Image) -> Result<Row, Box<dyn Error>> {
    let cut =
        |nth| (nth, Fault::CutBody(usize::try_from(image.size / 4).unwrap_or(1), Ending::Reset));
    let plan = [1, 2, 3]
        .into_iter()
        .map(cut)
        .fold(Plan::new(), |plan, (nth, fault)| plan.on(OpenStackOperation::GetObject, nth, fault));
    let model = OpenStackModel::new()
        .with_token_life(TOKEN_LIFE)
        .with_plan(plan)
        .with_container(tenancy.owner(), CONTAINER);
    let cloud = EmbeddedOpenStack::start(model)?;
    let watch = Arc::new(Watch::new(tenancy.name(), image.size));
    let transfers = transfer(&cloud, tenancy, &watch, image);
    watch.bar.clear();
    let verdict = transfers.and_then(|transfers| {
        // Whose trust it was does not matter for what is to be seen now.
        let left = left_behind(&cloud, tenancy);
        if left.is_empty() { Ok(transfers) } else { Err(format!("left behind: {left}").into()) }
    });
    let (segments, up, down) = match &verdict {
        Ok(transfers) => (transfers.segments, transfers.up, transfers.down),
        Err(_) => (0, 0.0, 0.0),
    };
    let model = cloud.model();
    Ok(Row {
        tenancy: tenancy.name(),
        segments,
        logins: model.logins().len(),
        renewals: watch.renewals.load(Ordering::Relaxed),
        requests: watch.requests.load(Ordering::Relaxed),
        resumed: model.count(OpenStackOperation::GetObject).saturating_sub(1),
        refused: watch.refused.load(Ordering::Relaxed),
        trusts: *watch.trusts.lock().unwrap(),
        up,
        down,
        verdict: verdict.map(|transfers| transfers.checked).map_err(|error| error.to_string()),
    })
}

/// The results of the transfers of one row.
struct Transfers {
    segments: u32,
    up: f64,
    down: f64,
    checked: Validation,
}

/// Uploads, downloads, compares and deletes, each as a request of its own to the store, with a new
/// token of the user.
fn transfer(
    cloud: &EmbeddedOpenStack,
    tenancy: Tenancy,
    watch: &Arc<Watch>,
    image: &Image,
) -> Result<Transfers, Box<dyn Error>> {
    let store = || Store::new(cloud, tenancy, watch, image.size / TRANSFER);
    let began = Instant::now();
    watch.bar.begin("up");
    let segments = store()?.upload(image)?;
    let up = began.elapsed().as_secs_f64();

    let began = Instant::now();
    watch.bar.begin("down");
    let checked = store()?.download(image)?;
    let down = began.elapsed().as_secs_f64();

    store()?.delete(segments)?;
    Ok(Transfers { segments, up, down, checked })
}

/// The store during one request to it.
struct Store {
    client: Client<Service>,
    /// The trust that the third of the client's authenticators uses.
    slot: TrustSlot,
    tenancy: Tenancy,
}

impl Store {
    fn new(
        cloud: &EmbeddedOpenStack,
        tenancy: Tenancy,
        watch: &Arc<Watch>,
        bytes_per_second: u64,
    ) -> Result<Self, Box<dyn Error>> {
        let slot = TrustSlot::empty();
        let options = SessionOptions { expire_soon_interval: EXPIRE_SOON, ..Default::default() };
        let session = |user: &str, scope: Scope, options: &SessionOptions| {
            let password = cloud.model().user(user).password.clone();
            let user = User::named(user, Domain::default_id());
            let login = Login::new(&cloud.auth_url(), Identity::password(user, password), scope)?;
            Ok::<_, apus_core::Error>(Auth::new(Session::new(login, options.clone())))
        };
        let project = |name| Scope::project_named(name, Domain::default_id());
        // The store has a token of the user and can't renew it.
        let once = SessionOptions { renews: false, ..options.clone() };
        let owner = match tenancy {
            Tenancy::Single => session("glance", project("service"), &options)?,
            Tenancy::ByTrust => session("demo", project("demo"), &once)?,
        };
        let traffic = RateLimits::default().bytes_per_second(bytes_per_second.max(1));
        let transport = Transport::new(TransportConfig::new())?;
        let client = Client::with_transport(transport, Service::new(Config::default())?, owner)
            .add_auth(session("glance", project("service"), &options)?)
            .add_auth(session("glance", Scope::Trust(slot.clone()), &options)?)
            .with_rate_limits(traffic)
            .with_observer(watch.clone());
        Ok(Self { client, slot, tenancy })
    }

    /// The number of segments.
    fn upload(&self, image: &Image) -> Result<u32, Box<dyn Error>> {
        let options = SwiftUploadOptions {
            threshold: image.size / 2,
            segment_size: image.size.div_ceil(SEGMENTS).max(1),
            ..SwiftUploadOptions::default()
        };
        let source = UploadSource::Seekable(image.size);
        let service = Arc::clone(self.client.service());
        let seed = self.client.seed();
        let upload = SwiftUpload::new(CONTAINER, OBJECT, source, options, service, seed)?;
        let run = self.client.run(self.entrusted(upload));
        let uploaded = checked(run.body(Source::file(File::open(&image.path)?)).send()?)?;
        if uploaded.size != image.size {
            return Err(format!("{} of {} bytes were stored", uploaded.size, image.size).into());
        }
        Ok(uploaded.segments)
    }

    /// What its bytes were compared with.
    fn download(&self, image: &Image) -> Result<Validation, Box<dyn Error>> {
        let get = GetObject::new(CONTAINER, OBJECT);
        let (service, seed) = (Arc::clone(self.client.service()), self.client.seed());
        let download = SwiftDownload::new(get, service, DownloadOptions::default(), seed);
        let copy = image::copy()?;
        let run = self.client.run(self.entrusted(download));
        let downloaded = checked(run.write_to(Sink::file(copy.try_clone()?)).send()?)?;
        if downloaded.bytes != image.size || !image.is_same(copy)? {
            return Err("what came back is not what was stored".into());
        }
        Ok(downloaded.validation)
    }

    /// A deletion is short: the user's token is enough.
    fn delete(&self, segments: u32) -> Result<(), Box<dyn Error>> {
        let (service, seed) = (Arc::clone(self.client.service()), self.client.seed());
        let options = SwiftDeleteOptions::default();
        let delete = SwiftDelete::new(CONTAINER, OBJECT, service, options, seed);
        let deleted = self.client.run(delete).send()?.deleted;
        if deleted != u64::from(segments) + 1 {
            return Err(format!("{deleted} objects were deleted").into());
        }
        Ok(())
    }

    /// Returns the machine with a trust of the user, where the user's token is not enough.
    fn entrusted<M: Machine>(&self, machine: M) -> TrustScoped<M> {
        match self.tenancy {
            Tenancy::Single => TrustScoped::not_needed(machine),
            Tenancy::ByTrust => {
                let delegation = Delegation::new(self.slot.clone());
                let service = Arc::new(keystone::Service::default());
                TrustScoped::new(machine, delegation, service, self.client.seed())
            }
        }
    }
}

/// A trust that is left, or that could not be created, is a failure of a row.
fn checked<T>(done: TrustOutcome<T>) -> Result<T, Box<dyn Error>> {
    match done.trust {
        TrustUse::ByTrust { leftover: Some(error), .. } => Err(error.into()),
        TrustUse::OwnToken { why } => Err(why.into()),
        TrustUse::ByTrust { leftover: None, .. } | TrustUse::NotNeeded => Ok(done.output),
    }
}

/// Returns what the servers still have and should not.
fn left_behind(cloud: &EmbeddedOpenStack, tenancy: Tenancy) -> String {
    let model = cloud.model();
    let mut left = Vec::new();
    for container in [CONTAINER, "images_segments"] {
        let names = model.names_of(tenancy.owner(), container);
        left.extend(names.iter().map(|name| format!("{container}/{name}")));
    }
    left.extend(model.live_trusts().iter().map(|trust| format!("trust {}", trust.id)));
    left.join(", ")
}

/// Counts events, and draws a bar on a terminal.
struct Watch {
    bar: Bar,
    requests: AtomicU64,
    renewals: AtomicU64,
    refused: AtomicU64,
    trusts: Mutex<Trusts>,
}

/// Trusts created and revoked.
#[derive(Clone, Copy, Default)]
struct Trusts {
    created: u32,
    revoked: u32,
}

impl Watch {
    fn new(name: &'static str, size: u64) -> Self {
        Self {
            bar: Bar::new(name, size),
            requests: AtomicU64::new(0),
            renewals: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            trusts: Mutex::default(),
        }
    }
}

impl Observer for Watch {
    fn event(&self, _: Now, event: &Event<'_>) {
        match event {
            Event::Launched { .. } => {
                self.requests.fetch_add(1, Ordering::Relaxed);
            }
            Event::Ended { status: Some(status), .. } if *status == 401 => {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            Event::Noticed(Notice::Renewed { .. }) => {
                self.renewals.fetch_add(1, Ordering::Relaxed);
            }
            Event::Noticed(Notice::TrustCreated { .. }) => {
                self.trusts.lock().unwrap().created += 1;
            }
            Event::Noticed(Notice::TrustRevoked { .. }) => {
                self.trusts.lock().unwrap().revoked += 1;
            }
            Event::Sent { bytes } | Event::Received { bytes } => self.bar.moved(*bytes),
            _ => {}
        }
    }
}

struct Row {
    tenancy: &'static str,
    segments: u32,
    logins: usize,
    renewals: u64,
    requests: u64,
    resumed: u64,
    refused: u64,
    trusts: Trusts,
    up: f64,
    down: f64,
    verdict: Result<Validation, String>,
}

fn print_table(rows: &[Row]) {
    println!(
        "{:<14} {:>8} {:>6} {:>8} {:>8} {:>7} {:>4} {:>15} {:>6} {:>6}  verdict (tokens of {} s)",
        "swift",
        "segments",
        "logins",
        "renewals",
        "requests",
        "resumed",
        "401s",
        "trusts made/gone",
        "up s",
        "down s",
        TOKEN_LIFE.as_secs(),
    );
    for row in rows {
        let verdict = match &row.verdict {
            Ok(checked) => format!("same bytes, nothing left behind; {checked}"),
            Err(error) => format!("FAILED: {error}"),
        };
        let trusts = format!("{}/{}", row.trusts.created, row.trusts.revoked);
        println!(
            "{:<14} {:>8} {:>6} {:>8} {:>8} {:>7} {:>4} {trusts:>15} {:>6.1} {:>6.1}  {verdict}",
            row.tenancy,
            row.segments,
            row.logins,
            row.renewals,
            row.requests,
            row.resumed,
            row.refused,
            row.up,
            row.down,
        );
    }
}
