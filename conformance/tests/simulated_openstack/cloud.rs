//! The simulated cloud, its users, and what must hold afterwards.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use apus_conformance::server::{Admission, HeadOutcome, OpenStackModel, Reply, Request};
use apus_conformance::sim::{Sim, Simulated};
use apus_core::Error;
use apus_core::error::Leftover;
use apus_core::keystone::{Domain, Identity, Login, Scope, Session, SessionOptions, User};
use apus_core::machine::{Auth, SwiftUpload, SwiftUploadOptions, UploadSource};
use apus_core::retry::{Budget, RetryPolicy};
use apus_core::swift::{Config, Service};
use bytes::Bytes;

pub(crate) const SEGMENT: usize = 1 << 10;
pub(crate) const DAY: i64 = 86_400;
pub(crate) const INTERVAL: Duration = Duration::from_secs(10);

/// A cloud whose tokens are all revoked just before some of its requests, counted from 1.
pub(crate) struct Revoking {
    pub(crate) model: OpenStackModel,
    pub(crate) before: BTreeSet<u64>,
}

impl Simulated for Revoking {
    type Admitted = Admission;

    fn set_now(&mut self, unix: Duration) {
        self.model.set_now(unix);
    }

    fn head(&mut self, head: &Request) -> Result<Admission, Box<Reply>> {
        if self.before.contains(&(self.model.requests() + 1)) {
            self.model.revoke_all();
        }
        match self.model.head(head) {
            HeadOutcome::Answered(reply) => Err(Box::new(reply)),
            HeadOutcome::Admitted(admission) => Ok(admission),
        }
    }

    fn body(&mut self, admitted: Admission, request: &Request) -> Reply {
        self.model.body(admitted, request)
    }
}

pub(crate) fn model(life: u64) -> OpenStackModel {
    OpenStackModel::new()
        .with_token_life(Duration::from_secs(life))
        .with_container("demo", "images")
}

pub(crate) fn service() -> Arc<Service> {
    Arc::new(Service::new(Config::default()).unwrap())
}

pub(crate) fn login(user: &str, scope: Scope) -> Login {
    let identity =
        Identity::password(User::named(user, Domain::default_id()), format!("{user}-secret"));
    Login::new("http://keystone.test:5000/v3", identity, scope).unwrap()
}

pub(crate) fn project(name: &str) -> Scope {
    Scope::project_named(name, Domain::default_id())
}

pub(crate) fn session_options(interval: Duration) -> SessionOptions {
    let (base, budget) = (Duration::from_millis(500), Arc::new(Budget::unlimited()));
    let retry_policy = Some(RetryPolicy { attempts: 8, base, budget, ..RetryPolicy::default() });
    SessionOptions { expire_soon_interval: interval, retry_policy, ..SessionOptions::default() }
}

/// The session of a single tenant.
pub(crate) fn demo(interval: Duration) -> Vec<Auth> {
    vec![Auth::new(Session::new(login("demo", project("demo")), session_options(interval)))]
}

/// Bytes that differ from segment to segment.
pub(crate) fn object(segments: usize) -> Bytes {
    (0..segments * SEGMENT - 100).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

pub(crate) fn options() -> SwiftUploadOptions {
    SwiftUploadOptions {
        threshold: SEGMENT as u64,
        segment_size: SEGMENT as u64,
        ..SwiftUploadOptions::default()
    }
}

pub(crate) fn upload(
    length: usize,
    options: SwiftUploadOptions,
    name: &str,
    seed: u64,
) -> SwiftUpload {
    let source = UploadSource::Seekable(length as u64);
    SwiftUpload::new("images", name, source, options, service(), seed).unwrap()
}

/// All that is there: names with their containers.
pub(crate) fn present(model: &OpenStackModel) -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    for container in ["images", "images_segments"] {
        let names = model.names_of("demo", container).into_iter();
        all.extend(names.map(|name| (container.to_owned(), name.to_owned())));
    }
    all
}

/// The object is what was sent, and there is nothing but it and its segments.
#[track_caller]
pub(crate) fn stored(model: &OpenStackModel, source: &Bytes, name: &str) {
    let content = model.content_of("demo", "images", name);
    assert!(content.as_deref() == Some(source), "{name} is what was sent");
    let object = model.object_of("demo", "images", name).unwrap();
    let segments = object.segments().iter().filter_map(|segment| segment.name.clone());
    let mut expected: BTreeSet<_> = segments.collect();
    expected.insert(("images".to_owned(), name.to_owned()));
    assert_eq!(present(model), expected);
}

/// Whatever is there, the error names it.
#[track_caller]
pub(crate) fn named(model: &OpenStackModel, error: &Error) {
    let named: BTreeSet<_> = error
        .leftovers()
        .iter()
        .filter_map(|leftover| match leftover {
            Leftover::Object { bucket, key } => Some((bucket.clone(), key.clone())),
            _ => None,
        })
        .collect();
    let left: Vec<_> = present(model).difference(&named).cloned().collect();
    assert!(left.is_empty(), "{left:?} is left, and the error says {error}");
    for trust in model.live_trusts() {
        assert!(error.to_string().contains(&trust.id), "trust {} is left: {error}", trust.id);
    }
}

/// Nobody logged in while the token at hand had more than the interval to live. What is known of
/// its life is less than it is: by a second of the clock's, and by how long the login took.
#[track_caller]
pub(crate) fn no_login_too_many(model: &OpenStackModel, life: u64, interval: Duration) {
    let times: Vec<u64> = model.logins().iter().map(|login| login.at).collect();
    let least = life - interval.as_secs() - 2;
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= least, "logins at {times:?}");
    }
}

/// No token came to Swift with less than the interval to live, but for the way there, and for the
/// second in whose course the server's `Date` stays the same.
#[track_caller]
pub(crate) fn long_enough(model: &OpenStackModel, interval: Duration) {
    let (least, way) = (model.least_left(), Duration::from_millis(1050));
    assert!(least + way >= interval, "a token came with {least:?} to live");
}

#[track_caller]
pub(crate) fn no_refusal<S>(sim: &Sim<S>) {
    let refused: Vec<_> = sim.trace.iter().filter(|(_, _, how)| how == "401").collect();
    assert!(refused.is_empty(), "{refused:?}");
}
