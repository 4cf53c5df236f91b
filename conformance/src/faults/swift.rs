//! Transfers to and from Swift.

use std::sync::Arc;

use apus_core::error::Leftover;
use apus_core::machine::{
    Call, DownloadOptions, LargeObject, SwiftDownload, SwiftUpload, SwiftUploadOptions,
    UploadSource,
};
use apus_core::swift::{
    Config, DeleteObject, GetContainer, GetManifest, GetObject, PutContainer, Segment, Service,
};
use bytes::Bytes;

use super::client::{Client, From, Origin, Setup, Via, runtime};
use super::limits;
use super::outcome::{Outcome, There};
use super::proxy::{Proxy, Weather};
use super::site::SwiftSite;
use super::trace::Trace;
use super::transfer::{self, Transfer, Verb};

/// Runs a transfer and checks its result. An error is one of the set-up.
pub(super) fn perform(transfer: &Transfer, trace: &Arc<Trace>) -> Result<Outcome, String> {
    let site = match transfer.service {
        transfer::Service::SwiftLive => SwiftSite::live(&live_container()).ok_or(UNTOLD)?,
        _ => SwiftSite::model(transfer.tls).map_err(told)?,
    };
    let task = Task { site: &site, transfer, object: transfer.name() };
    let is_read = matches!(transfer.verb, Verb::Get | Verb::GetRanges);
    if is_read || transfer.replaces {
        let bytes = if is_read { transfer.bytes() } else { transfer.old_bytes() };
        task.place(bytes).map_err(|error| format!("what has to be there is refused: {error}"))?;
    }
    let mut random = transfer.random();
    let mut proxy = |name, upstream, share, refuses| {
        let (traffic, idle) = (transfer.traffic(), limits::IDLE);
        let weather = Weather { seed: random.next(), share, traffic, idle, refuses };
        Proxy::start(runtime(), name, upstream, weather, Arc::clone(trace)).map_err(told)
    };
    let identity = proxy("Keystone", site.identity, transfer.share / 2, None)?;
    let storage = proxy("Swift", site.storage, transfer.share, transfer.refuses)?;
    let auth = site.auth(identity.address(), storage.address());
    let observer: Arc<Trace> = Arc::clone(trace);
    let service = task.service(true)?;
    let setup = transfer.setup(&site.ca);
    let client = Client::new(&setup, service, auth, Some(observer)).map_err(told)?;
    let outcome = if is_read {
        task.read(&client)
    } else {
        task.write(&client, || {
            drop((identity, storage));
            site.settle();
        })
    };
    task.clear();
    outcome
}

/// Creates what all transfers to a real server share.
pub(super) fn prepare_live() -> Result<(), String> {
    let site = SwiftSite::live(&live_container()).ok_or(UNTOLD)?;
    let transfer = Transfer::of(0, 0, &[transfer::Service::SwiftLive]);
    let task = Task { site: &site, transfer: &transfer, object: String::new() };
    let direct = task.direct()?;
    for name in [site.container.clone(), task.segments()] {
        let call = Call::new(PutContainer::new(name), Arc::clone(direct.service()), 1);
        direct.receive(call).0.map_err(told)?;
    }
    Ok(())
}

struct Task<'a> {
    site: &'a SwiftSite,
    transfer: &'a Transfer,
    object: String,
}

impl Task<'_> {
    fn service(&self, short: bool) -> Result<Service, String> {
        let mut config = Config::default();
        if short {
            config.timeouts = limits::of_request();
            config.retry_policy.attempts = limits::ATTEMPTS;
            config.retry_policy.base = limits::PAUSE;
            config.retry_policy.longest = limits::LONGEST_PAUSE;
        }
        Service::new(config).map_err(told)
    }

    /// Returns a client that bypasses the proxies.
    fn direct(&self) -> Result<Client<Service>, String> {
        let auth = self.site.auth(self.site.identity, self.site.storage);
        let setup = Setup {
            via: Via::Blocking,
            ca: self.site.ca.clone(),
            keeps_connections: false,
            expects_above: None,
        };
        Client::new(&setup, self.service(false)?, auth, None).map_err(told)
    }

    fn place(&self, bytes: Bytes) -> Result<(), String> {
        let direct = self.direct()?;
        let origin = Origin { from: From::Bytes, bytes };
        let options = SwiftUploadOptions { if_absent: false, ..self.options() };
        let upload = self.upload(origin.upload_source(), options, 1, &direct)?;
        direct.send(upload, &origin).map(drop).map_err(told)
    }

    fn upload(
        &self,
        source: UploadSource,
        options: SwiftUploadOptions,
        seed: u64,
        client: &Client<Service>,
    ) -> Result<SwiftUpload, String> {
        let (container, service) = (&self.site.container, Arc::clone(client.service()));
        SwiftUpload::new(container, &self.object, source, options, service, seed).map_err(told)
    }

    fn options(&self) -> SwiftUploadOptions {
        let parts = matches!(self.transfer.verb, Verb::PutParts | Verb::GetRanges);
        SwiftUploadOptions {
            threshold: if parts { 0 } else { WHOLE },
            segment_size: self.transfer.part,
            large_object: Some(LargeObject::Static),
            if_absent: self.transfer.if_absent,
            ..SwiftUploadOptions::default()
        }
    }

    fn segments(&self) -> String {
        format!("{}_segments", self.site.container)
    }

    fn read(&self, client: &Client<Service>) -> Result<Outcome, String> {
        let get = GetObject::new(&self.site.container, &self.object);
        let concurrency = if self.transfer.verb == Verb::GetRanges { 4 } else { 1 };
        let options = DownloadOptions {
            concurrency,
            range_size: self.transfer.part,
            ..DownloadOptions::default()
        };
        let seed = self.transfer.random().next();
        let download = SwiftDownload::new(get, Arc::clone(client.service()), options, seed);
        let (result, had) = client.receive(download);
        Ok(Outcome::of_read(
            result.map(|done| done.bytes),
            &had,
            &self.transfer.bytes(),
            concurrency,
        ))
    }

    fn write(&self, client: &Client<Service>, settle: impl FnOnce()) -> Result<Outcome, String> {
        let origin = Origin { from: self.transfer.from, bytes: self.transfer.bytes() };
        let seed = self.transfer.random().next();
        let upload = self.upload(origin.upload_source(), self.options(), seed, client)?;
        let before = self.listed(&self.direct()?, &self.segments())?;
        let result = client.send(upload, &origin);
        settle();
        let there = self.look()?;
        let old = self.transfer.replaces.then(|| self.transfer.old_bytes());
        let leftovers = match &result {
            Ok(done) => done.leftovers.clone(),
            Err(error) => error.leftovers().to_vec(),
        };
        let result = result.map(|done| done.size);
        let if_absent = self.transfer.if_absent;
        let mut outcome = Outcome::of_write(result, there, &origin.bytes, old.as_ref(), if_absent);
        outcome.named = leftovers.len();
        self.orphans(&before, &leftovers, &mut outcome)?;
        Ok(outcome)
    }

    /// Returns the stored object.
    fn look(&self) -> Result<There, String> {
        let direct = self.direct()?;
        let get = GetObject::new(&self.site.container, &self.object);
        let service = Arc::clone(direct.service());
        let download = SwiftDownload::new(get, service, DownloadOptions::default(), 1);
        match direct.receive(download) {
            (Ok(_), bytes) => Ok(There::Object(bytes)),
            (Err(error), _) if error.is_not_found() => Ok(There::Nothing),
            (Err(error), _) => Ok(There::Unreadable(error.to_string())),
        }
    }

    /// Returns the segments that belong to no object and that nothing names.
    /// Those that were there `before` are of the object that was replaced.
    fn orphans(
        &self,
        before: &[String],
        named: &[Leftover],
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        let direct = self.direct()?;
        let container = self.segments();
        for name in self.listed(&direct, &container)? {
            let is_named = named.iter().any(|one| match one {
                Leftover::Object { bucket, key } => *bucket == container && *key == name,
                Leftover::Perhaps { look_at } => {
                    before.contains(&name) && look_at.contains(&container)
                }
                _ => false,
            });
            if !is_named && !self.uses(&direct, &container, &name) {
                let what =
                    format!("segment {name} is of no object, and the error does not name it");
                outcome.orphans.push(what);
            }
        }
        Ok(())
    }

    /// Returns the names of the segments that were stored for the object.
    fn listed(&self, direct: &Client<Service>, container: &str) -> Result<Vec<String>, String> {
        let mut list = GetContainer::new(container);
        list.prefix = Some(format!("{}/", self.object));
        let call = Call::new(list, Arc::clone(direct.service()), 1);
        match direct.receive(call).0 {
            Ok(page) => Ok(page.objects().map(|object| object.name.clone()).collect()),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(told(error)),
        }
    }

    /// Whether this segment is part of the stored object.
    fn uses(&self, direct: &Client<Service>, container: &str, name: &str) -> bool {
        let get = GetManifest::new(&self.site.container, &self.object);
        let call = Call::new(get, Arc::clone(direct.service()), 1);
        let Ok(manifest) = direct.receive(call).0 else { return false };
        manifest.segments.iter().any(|segment| {
            matches!(segment, Segment::Object(one) if one.container == container && one.object == name)
        })
    }

    /// Removes everything of the transfer from a real server.
    fn clear(&self) {
        if self.transfer.service != transfer::Service::SwiftLive {
            return;
        }
        let Ok(direct) = self.direct() else { return };
        let segments = self.segments();
        let mut objects = vec![DeleteObject::new(&self.site.container, &self.object)];
        for name in self.listed(&direct, &segments).unwrap_or_default() {
            objects.push(DeleteObject::new(&segments, name));
        }
        for object in objects {
            _ = direct.receive(Call::new(object, Arc::clone(direct.service()), 1));
        }
    }
}

fn live_container() -> String {
    format!("apus-faults-{}", std::process::id())
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// More bytes than any object has.
const WHOLE: u64 = 64 << 20;
const UNTOLD: &str = "the environment does not tell of a Keystone and a Swift";
