//! What the workloads on Swift share.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use apus_core::Error;
use apus_core::error::Leftover;
use apus_core::keystone::{Domain, Identity, Login, Scope, Session, SessionOptions, User};
use apus_core::machine::{
    Auth, LargeObject, SegmentsIn, SwiftUpload, SwiftUploadOptions, UploadSource,
};
use apus_core::swift::{Config, Service};
use bytes::Bytes;

use super::s3::retry_policy;
use crate::server::OpenStackModel;
use crate::sim::{
    chance::Chance, drive::End, ends::Source, host::Host, judge::leaves_open, schedule::Schedule,
    world::World,
};

/// The age of what a workload finds.
pub(super) const BEFORE: Duration = Duration::from_secs(936_000);

/// Bytes of a segment.
pub(super) const SEGMENT: u64 = 1 << 10;

pub(super) fn model(life: u64) -> OpenStackModel {
    OpenStackModel::new()
        .with_token_life(Duration::from_secs(life))
        .with_container("demo", "images")
}

/// Returns the life of tokens, in seconds.
pub(super) fn life(chance: &mut Chance) -> u64 {
    chance.pick(&[3600, 3600, 600, 60, 25])
}

pub(super) fn service(chance: &mut Chance) -> Arc<Service> {
    let config = Config { retry_policy: retry_policy(chance), ..Config::default() };
    Arc::new(Service::new(config).expect("it is a configuration"))
}

pub(super) fn login(user: &str, scope: Scope) -> Login {
    let named = User::named(user, Domain::default_id());
    let identity = Identity::password(named, format!("{user}-secret"));
    Login::new("http://keystone.test:5000/v3", identity, scope).expect("it is a URL")
}

pub(super) fn project(name: &str) -> Scope {
    Scope::project_named(name, Domain::default_id())
}

/// A token with a shorter remaining life is renewed.
pub(super) const INTERVAL: Duration = Duration::from_secs(8);

pub(super) fn session(user: &str, scope: Scope) -> Session {
    let options = SessionOptions { expire_soon_interval: INTERVAL, ..SessionOptions::default() };
    Session::new(login(user, scope), options)
}

pub(super) fn demo() -> Vec<Auth> {
    vec![Auth::new(session("demo", project("demo")))]
}

/// Returns a world with this cloud.
pub(super) fn world(schedule: &Schedule, chance: &mut Chance, cloud: OpenStackModel) -> World {
    let mut world = World::new(schedule, Host::cloud(cloud));
    world.pace = chance.pick(&[1, 1, 1, 60]);
    world.skew = chance.pick(&[0, 0, 0, 86_000, -86_000, 30]);
    world.revocable = true;
    // The server's dates are in whole seconds, and requests take time.
    world.renews_before = Some(INTERVAL.as_secs() - 3);
    world
}

pub(super) fn options(chance: &mut Chance, kind: Option<LargeObject>) -> SwiftUploadOptions {
    SwiftUploadOptions {
        threshold: if kind.is_some() { SEGMENT } else { 1 << 20 },
        segment_size: chance.pick(&[SEGMENT, 1500]),
        concurrency: chance.pick(&[1, 2, 4]),
        memory: 2 << 20,
        large_object: kind,
        segments_in: match chance.percent(25) {
            true => SegmentsIn::Same,
            false => SegmentsIn::Beside,
        },
        ..SwiftUploadOptions::default()
    }
}

/// Adds an object to the cloud, without any fault.
pub(super) fn with_object(
    cloud: OpenStackModel,
    bytes: &Bytes,
    options: SwiftUploadOptions,
    seed: u64,
) -> OpenStackModel {
    let calm = Schedule { seed, workload: "before", faults: Vec::new(), stop: None, size: 0 };
    let mut world = World::new(&calm, Host::cloud(cloud));
    world.now.unix -= BEFORE;
    world.source = Source::seekable(bytes.clone());
    let source = UploadSource::Seekable(bytes.len() as u64);
    let service = Arc::new(Service::new(Config::default()).expect("it is a configuration"));
    let upload = SwiftUpload::new("images", "object", source, options, service, seed);
    let end = world.run(upload.expect("it can be"), demo());
    assert!(matches!(end, End::Done(Ok(_))), "without a fault it is done: {}", world.trace);
    match world.host {
        Host::Cloud(model) => *model,
        Host::S3(_) => unreachable!("it is a cloud"),
    }
}

/// A container and a name in it.
pub(super) type Name = (String, String);

/// Returns the names of all objects.
pub(super) fn present(model: &OpenStackModel) -> BTreeSet<Name> {
    let mut all = BTreeSet::new();
    for container in ["images", "images_segments"] {
        let names = model.names_of("demo", container).into_iter();
        all.extend(names.map(|name| (container.to_owned(), name.to_owned())));
    }
    all
}

/// Returns the leftovers that an error or a success names.
pub(super) fn named(leftovers: &[Leftover]) -> BTreeSet<Name> {
    let objects = leftovers.iter().filter_map(|leftover| match leftover {
        Leftover::Object { bucket, key } => Some((bucket.clone(), key.clone())),
        _ => None,
    });
    objects.collect()
}

pub(super) fn object_name() -> Name {
    ("images".to_owned(), "object".to_owned())
}

impl World {
    /// Checks that a GET of the object in Swift now returns these bytes.
    pub(super) fn must_read(&mut self, bytes: &[u8]) {
        let there = self.host.cloud_model().content_of("demo", "images", "object");
        let other = self.intruder.clone();
        match there {
            Some(there) if there == bytes => {}
            Some(there) if self.record.replaced && Some(&there[..]) == other.as_deref() => {}
            Some(there) => self.wrong(format!(
                "it said yes, and the object reads as {} other bytes where {} were sent",
                there.len(),
                bytes.len()
            )),
            None => self.wrong("it said yes, and the object can't be read"),
        }
    }

    /// Checks that no object exists except those from before, the object with its segments, and
    /// what is named.
    pub(super) fn nothing_but(
        &mut self,
        before: &BTreeSet<Name>,
        told: &BTreeSet<Name>,
        what: &str,
    ) {
        let model = self.host.cloud_model();
        let mut fine: BTreeSet<Name> = before.union(told).cloned().collect();
        fine.extend(self.record.landed_objects.iter().cloned());
        fine.insert(object_name());
        if let Some(object) = model.object_of("demo", "images", "object") {
            fine.extend(object.segments().iter().filter_map(|segment| segment.name.clone()));
            if let Some(prefix) = object.header("x-object-manifest") {
                let prefix = prefix.replace("%20", " ");
                let under =
                    |(container, name): &&Name| format!("{container}/{name}").starts_with(&prefix);
                fine.extend(present(model).iter().filter(under).cloned());
            }
        }
        let left: Vec<Name> = present(model).difference(&fine).cloned().collect();
        if !left.is_empty() && self.record.lies < 1 {
            self.wrong(format!("{left:?} are left, and {what}"));
        }
    }

    /// Checks that a write to Swift which failed with a known outcome has stored nothing.
    pub(super) fn not_read_unless_said(&mut self, error: &Error, bytes: &[u8]) {
        let there = self.host.cloud_model().content_of("demo", "images", "object");
        let told = named(error.leftovers()).contains(&object_name());
        let ours = there.as_deref() == Some(bytes) && !bytes.is_empty();
        let excused = self.record.lies > 0 || self.record.acted_late > 0;
        if ours && !leaves_open(error) && !told && !excused {
            self.wrong(format!("the object is ours, and the error says that it is not: {error}"));
        }
    }
}
