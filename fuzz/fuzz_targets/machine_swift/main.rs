//! Whatever happens to a machine of Swift's and to the sessions that it uses: it keeps the laws and
//! ends.
//!
//! The same as `machine` for S3, whose `world.rs` and `answer.rs` it uses; the responses of Swift and
//! Keystone are in `server.rs`. Some of the responses issue, renew and refuse tokens.
#![no_main]

#[path = "../machine/answer.rs"]
mod answer;
mod server;
#[path = "../machine/world.rs"]
mod world;

use std::fmt::Debug;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use apus_core::contract::{Machine, OnFailure};
use apus_core::http::ByteRange;
use apus_core::keystone::{
    Domain, EndpointFilter, Identity, Login, Scope, ServiceToken, Session, SessionOptions,
    TrustSlot, User,
};
use apus_core::machine::*;
use apus_core::swift::{Config, Expiry, GetObject, Properties, Service};
use apus_core::{Error, Now, keystone};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

use self::answer::Answer;
use self::server::{STORAGE, good};
use self::world::{End, Event, Length, SECRET, World};

fuzz_target!(|script: Script| {
    let run = || script.run();
    let end = run();
    if script.setup.twice {
        assert_eq!(end, run(), "law 4: equal input, another run");
    }
});

#[derive(Arbitrary, Debug)]
struct Script {
    subject: Subject,
    trust: Trust,
    setup: Setup,
    events: Vec<Event>,
}

/// The machine.
#[derive(Arbitrary, Debug)]
enum Subject {
    Upload { stream: bool, announced: Option<Length>, length: Length, resumes: bool },
    Download { range: Option<Span>, attempts: Option<u8>, unchecked: bool },
    Delete { segments: bool, bulk: bool },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Span {
    From(Length),
    Between(Length, Length),
    Last(Length),
}

/// Whether it goes under a trust.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Trust {
    Never,
    NotNeeded,
    Refused,
    Wanted { known: bool, ends: bool, role: Option<bool> },
}

/// How the user's tokens are obtained.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Right {
    Given,
    Password { discovers: bool, serves: bool },
    V1,
}

/// What the server's object is.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Kind {
    Plain,
    Static,
    Dynamic,
}

/// What all machines have in common, and the server's object.
#[derive(Arbitrary, Debug)]
pub(crate) struct Setup {
    right: Right,
    /// Seconds that a token must live yet.
    soon: u8,
    soft: Option<u8>,
    renews: bool,
    /// The storage URL is known without the catalogue.
    located: bool,
    concurrency: u8,
    threshold: Length,
    part_size: Length,
    memory: Option<Length>,
    pub(crate) parts: u8,
    limits: bool,
    large: Option<bool>,
    same: bool,
    verify: bool,
    if_absent: bool,
    remove_replaced: bool,
    expires: Option<u8>,
    keeps: bool,
    pub(crate) at_once: Option<u8>,
    twice: bool,
    pub(crate) object: Length,
    pub(crate) kind: Kind,
    count: u8,
    ending: Answer,
}

impl Script {
    fn run(&self) -> End {
        let setup = &self.setup;
        let service = setup.service();
        match &self.subject {
            Subject::Upload { stream, announced, length, resumes } => {
                let source = match stream {
                    true => UploadSource::Stream(announced.map(Length::get)),
                    false => UploadSource::Seekable(length.get()),
                };
                let new = || setup.upload(source, *resumes, &service);
                if new().is_err() {
                    return End::default();
                }
                self.entrust(length.get(), || new().expect("as before"))
            }
            Subject::Download { range, attempts, unchecked } => {
                let range = range.map(|range| match range {
                    Span::From(start) => ByteRange::From(start.get()),
                    Span::Between(start, end) => ByteRange::Span(start.get()..end.get()),
                    Span::Last(length) => ByteRange::Last(length.get()),
                });
                let unchecked = *unchecked;
                let get = GetObject { range, unchecked, ..GetObject::new("c", "o") };
                let options = DownloadOptions {
                    range_size: setup.part_size.get(),
                    concurrency: setup.concurrency.into(),
                    digests: Vec::new(),
                    total_attempts: attempts.map(u32::from),
                    ..DownloadOptions::default()
                };
                self.entrust(0, || {
                    SwiftDownload::new(get.clone(), Arc::clone(&service), options.clone(), 7)
                })
            }
            Subject::Delete { segments, bulk } => {
                let (segments, bulk) = (*segments, *bulk);
                let options =
                    SwiftDeleteOptions { concurrency: setup.concurrency.into(), segments, bulk };
                self.entrust(0, || SwiftDelete::new("c", "o", Arc::clone(&service), options, 7))
            }
        }
    }

    fn entrust<M>(&self, source: u64, machine: impl Fn() -> M) -> End
    where
        M: Machine + Debug,
        M::Output: Debug,
    {
        let slot = TrustSlot::empty;
        match self.trust {
            Trust::Never => self.drive(source, || (machine(), slot())),
            Trust::NotNeeded => self.drive(source, || (TrustScoped::not_needed(machine()), slot())),
            Trust::Refused => {
                let why = || Error::auth("no trust can be created");
                self.drive(source, || (TrustScoped::refused(machine(), why()), slot()))
            }
            Trust::Wanted { known, ends, role } => self.drive(source, || {
                let slot = slot();
                let mut delegation = Delegation::new(slot.clone());
                delegation.trustee_user_id = known.then(|| "s".to_owned());
                delegation.lifetime = delegation.lifetime.filter(|_| ends);
                let role = role.map(|has| if has { "member" } else { "reader" });
                delegation.roles = role.into_iter().map(str::to_owned).collect();
                let service = Arc::new(keystone::Service::default());
                (TrustScoped::new(machine(), delegation, service, 7), slot)
            }),
        }
    }

    fn drive<M>(&self, source: u64, machine: impl Fn() -> (M, TrustSlot)) -> End
    where
        M: Machine + Debug,
        M::Output: Debug,
    {
        let pump = || {
            let (machine, slot) = machine();
            let auths = self.setup.auths(slot).expect("sessions");
            Pump::new(machine, auths, Waker::noop().clone())
        };
        World::new(&self.setup, source, pump).run(&self.events, &self.setup.ending)
    }
}

impl Setup {
    fn service(&self) -> Arc<Service> {
        let config = if self.located { Config::at(STORAGE) } else { Config::default() };
        Arc::new(Service::new(config).expect("a service"))
    }

    /// The user, the service user, and the service user by the trust in `slot`.
    fn auths(&self, slot: TrustSlot) -> Result<Vec<Auth>, Error> {
        let project = || Scope::project("p");
        let user = match self.right {
            Right::Given => Session::fixed_at(STORAGE, token())?.with_auth_url(KEYSTONE)?,
            Right::Password { discovers, serves } => {
                let url = if discovers { "http://keystone:5000" } else { KEYSTONE };
                let session = Session::new(login(url, project())?, self.options());
                match serves {
                    true => session.with_service_token(ServiceToken::new(
                        login(KEYSTONE, project())?,
                        self.options(),
                    )),
                    false => session,
                }
            }
            Right::V1 => {
                let identity = Identity::v1("a:u", token());
                let login = Login::new("http://swift:8080/auth/v1.0", identity, Scope::Unstated)?;
                Session::new(login, self.options()).with_auth_url(KEYSTONE)?
            }
        };
        let trustee = Session::new(login(KEYSTONE, project())?, self.options());
        let by_trust = Session::new(login(KEYSTONE, Scope::Trust(slot))?, self.options())
            .with_endpoint(EndpointFilter::default());
        Ok(vec![Auth::new(user), Auth::new(trustee), Auth::new(by_trust)])
    }

    fn options(&self) -> SessionOptions {
        SessionOptions {
            expire_soon_interval: Duration::from_secs(self.soon.into()),
            soft_margin: Duration::from_secs(self.soft.unwrap_or(0).into()),
            renews: self.renews,
            ..SessionOptions::default()
        }
    }

    /// How many segments the server's object has, and the bytes of each.
    pub(crate) fn segments(&self) -> (u64, u64) {
        let count = u64::from(self.count % 4) + 1;
        (count, self.object.get() / count)
    }

    pub(crate) fn on_failure(&self) -> OnFailure {
        if self.keeps { OnFailure::Keep } else { OnFailure::Abort }
    }

    fn upload(
        &self,
        source: UploadSource,
        resumes: bool,
        service: &Arc<Service>,
    ) -> Result<SwiftUpload, Error> {
        let parts = self.parts.into();
        let limits = || PartLimits { parts, smallest: 1, largest: u64::MAX, object: u64::MAX };
        let expiry = self.expires.map(|after| Expiry::After(after.into()));
        let options = SwiftUploadOptions {
            threshold: self.threshold.get(),
            segment_size: self.part_size.get(),
            concurrency: self.concurrency.into(),
            memory: self.memory.map_or(1 << 10, Length::get),
            large_object: self
                .large
                .map(|slo| if slo { LargeObject::Static } else { LargeObject::Dynamic }),
            limits: self.limits.then(limits),
            segments_in: if self.same { SegmentsIn::Same } else { SegmentsIn::Beside },
            id: Some("id".to_owned()),
            properties: Properties { expiry, ..Properties::default() },
            if_absent: self.if_absent,
            verify: self.verify,
            remove_replaced: self.remove_replaced,
            on_failure: self.on_failure(),
            ..SwiftUploadOptions::default()
        };
        let service = Arc::clone(service);
        if resumes {
            let checkpoint = self.checkpoint(source, &options, &service)?;
            return SwiftUpload::resume(checkpoint, source, options, service, 7);
        }
        SwiftUpload::new("c", "o", source, options, service, 7)
    }

    /// A checkpoint of an upload that got as far as its segments.
    fn checkpoint(
        &self,
        source: UploadSource,
        options: &SwiftUploadOptions,
        service: &Arc<Service>,
    ) -> Result<SwiftCheckpoint, Error> {
        let options = SwiftUploadOptions { threshold: 0, ..options.clone() };
        let upload = SwiftUpload::new("c", "o", source, options, Arc::clone(service), 7)?;
        let auth = Auth::new(Session::fixed_at(STORAGE, token())?);
        let mut pump = Pump::new(upload, vec![auth], Waker::noop().clone());
        if let Some(window) = pump.stream_window() {
            window.supply(1, false);
        }
        let now = Now::new(Duration::ZERO, Duration::ZERO);
        while let Turn::Launch(exchange) = pump.turn(now) {
            if let Some(checkpoint) = pump.machine().checkpoint() {
                return Ok(checkpoint);
            }
            let reply = good(exchange.draft(), self, 0, 0);
            let mut receiving = exchange.respond(reply.head);
            if receiving.has_body() {
                receiving.push(&reply.body).map_err(Error::from)?;
            }
            pump.complete(now, receiving.finish(None));
        }
        pump.machine().checkpoint().ok_or_else(|| Error::invalid_input("it has no segments"))
    }
}

fn login(url: &str, scope: Scope) -> Result<Login, Error> {
    let user = User::named("glance", Domain::default_id());
    Login::new(url, Identity::password(user, token()), scope)
}

fn token() -> String {
    format!("{SECRET}-given")
}

const KEYSTONE: &str = "http://keystone:5000/v3";
