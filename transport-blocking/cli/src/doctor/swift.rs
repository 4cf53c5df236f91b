//! Checks an account of Swift, and its Keystone.

use std::sync::PoisonError;
use std::time::Duration;

use apus_blocking::{Sink, Source};
use apus_core::checksum::Algorithm;
use apus_core::error::Kind;
use apus_core::http::{Draft, Exchange};
use apus_core::now::Timestamp;
use apus_core::store::SwiftStore;
use apus_core::swift::{
    BodyCheck, BulkDelete, ByteRange, ContainerSettings, DeleteContainer, DeleteObject, DeleteSlo,
    Digest, ETag, GetContainer, GetInfo, GetObject, HeadContainer, Info, ObjectSegment, Prefix,
    PutContainer, PutDlo, PutObject, PutSlo, Segment, TempUrl,
};
use apus_core::{Error, Secret};

use super::reach::{short, try_server};
use super::trial::{Trial, bytes};
use super::{Answer, Report};
use crate::exit::Failure;
use crate::open::{Account, Open};

pub(super) fn examine(open: &Open, store: &SwiftStore, report: &mut Report) -> Result<(), Failure> {
    if store.options().swift_store_multi_tenant {
        let why =
            "a multi-tenant store requires tokens of users, which the command line does not have";
        report.tell("authentication", "", Answer::Untried, why);
        return Ok(());
    }
    let account = open.service_account(store)?;
    let seed = account.client.seed();
    let check =
        AccountCheck { open, store, account, trial: Trial::new(seed), own: own_container(seed) };
    let mut made = false;
    check.examine(report, &mut made)?;
    check.clean(report, made);
    Ok(())
}

/// An account that is being checked.
struct AccountCheck<'a> {
    open: &'a Open,
    store: &'a SwiftStore,
    account: Account,
    trial: Trial,
    /// The name of a container for the trial, if one can be created.
    own: String,
}

impl AccountCheck<'_> {
    fn examine(&self, report: &mut Report, made: &mut bool) -> Result<(), Failure> {
        let uri = self
            .store
            .auth_address()?
            .parse()
            .map_err(|_| Failure::configuration("auth_address is not a valid URL"))?;
        let draft = Draft::new("GET", http::Method::GET, uri);
        let transport = self.account.client.transport();
        if try_server(report, transport, self.store.connection(), draft).is_none() {
            return Ok(());
        }
        if !self.authenticate(report) {
            return Ok(());
        }
        let info = self.info(report);
        let Some(container) = self.container(report, made) else { return Ok(()) };
        if let Err(error) = self.plain(report, &container) {
            report.broken("objects", "put, get", &error);
            return Ok(());
        }
        let steps =
            [Self::digest, Self::absent, Self::large, Self::temp_url, Self::bulk, Self::advise];
        for step in steps {
            if !self.open.interrupt.came() {
                step(self, report, &container, &info);
            }
        }
        Ok(())
    }

    /// Checks whether Keystone issues a token, and to which endpoint its catalog leads.
    fn authenticate(&self, report: &mut Report) -> bool {
        let container = &self.store.options().swift_store_container;
        let result = self.account.call(HeadContainer::new(container));
        if let Err(error) = &result
            && (error.kind() == Kind::Auth || self.facts().is_none())
        {
            report.broken("authentication", "Keystone", error);
            return false;
        }
        let (life, project) = self.facts().unwrap_or_default();
        let mut detail = project.map(|name| format!("project {name}")).unwrap_or_default();
        if let Some(life) = life {
            detail += &format!(", a token is valid for {} s", life.as_secs());
        }
        report.tell("authentication", "Keystone", Answer::Yes, detail.trim_start_matches(", "));
        match self.account.storage() {
            Ok(storage) => {
                let place = storage.join("").map(|uri| uri.to_string()).unwrap_or_default();
                report.tell("endpoint", place, Answer::Yes, "");
            }
            Err(failure) => {
                report.broken("endpoint", "", &Error::auth(failure.message));
                return false;
            }
        }
        match result {
            Err(error) if error.is_not_found() => {
                let creates = self.store.options().swift_store_create_container_on_put;
                let answer = if creates { Answer::No } else { Answer::Beware };
                let detail = if creates {
                    "does not exist: an upload creates it"
                } else {
                    "does not exist, and an upload does not create it: \
                     swift_store_create_container_on_put is false"
                };
                report.tell("container", container, answer, detail);
            }
            Err(error) => {
                report.broken("container", container, &error);
                return false;
            }
            Ok(_) => report.tell("container", container, Answer::Yes, ""),
        }
        true
    }

    /// Returns the remaining lifetime of the token and the name of its project.
    fn facts(&self) -> Option<(Option<Duration>, Option<String>)> {
        let session = self.account.session.lock().unwrap_or_else(PoisonError::into_inner);
        let facts = session.facts()?;
        let project = facts.project.as_ref();
        let name = project.map(|project| project.name.clone().unwrap_or(project.id.clone()));
        Some((session.remaining(apus_blocking::now()), name))
    }

    fn info(&self, report: &mut Report) -> Info {
        match self.account.call(GetInfo::new()) {
            Ok(info) => {
                let version = info.swift.version.clone();
                let version = version.map(|version| format!("Swift {version}"));
                report.tell("/info", "", Answer::Yes, version.unwrap_or_default());
                info
            }
            Err(error) => {
                report.tell("/info", "", Answer::No, short(&error));
                Info::default()
            }
        }
    }

    /// Returns a new container for the trial, or the configured one if none can be created.
    fn container(&self, report: &mut Report, made: &mut bool) -> Option<String> {
        match self.account.call(PutContainer::new(&self.own)) {
            Ok(_) => {
                *made = true;
                report.tell("container", "created for the trial", Answer::Yes, "");
                Some(self.own.clone())
            }
            Err(error) => {
                report.tell("container", "created for the trial", Answer::No, short(&error));
                let configured = self.store.options().swift_store_container.clone();
                match self.account.call(HeadContainer::new(&configured)) {
                    Ok(_) => Some(configured),
                    Err(error) => {
                        report.broken("container", configured, &error);
                        None
                    }
                }
            }
        }
    }

    fn plain(&self, report: &mut Report, container: &str) -> Result<(), Error> {
        let name = self.trial.name("plain ü+%2F@?#.bin");
        let body = bytes(70_000);
        self.account.call(PutObject::new(container, &*name, body.clone()))?;
        let got = self.account.call(GetObject::new(container, &*name))?;
        if got.body != body {
            return Err(Error::integrity("the returned bytes differ from the stored ones"));
        }
        report.tell("objects", "put, get, odd names", Answer::Yes, "");
        let range = Some(ByteRange::Span(10..20));
        let part = self.account.call(GetObject { range, ..GetObject::new(container, &*name) });
        match &part {
            Ok(part) if Some(&*part.body) == body.get(10..20) => {
                report.tell("objects", "range", Answer::Yes, "");
            }
            Ok(_) => report.tell("objects", "range", Answer::Beware, "the returned bytes differ"),
            Err(error) => report.tell("objects", "range", Answer::No, short(error)),
        }
        Ok(())
    }

    /// Checks whether an object is refused whose MD5 differs from the one sent.
    fn digest(&self, report: &mut Report, container: &str, _: &Info) {
        let md5 = Algorithm::Md5.digest(b"other bytes");
        let Ok(md5) = md5 else { return };
        let check = BodyCheck::Given(ETag::from(md5.hex().as_str()));
        let name = self.trial.name("wrong digest");
        let put = PutObject { check, ..PutObject::new(container, &*name, "bytes") };
        match self.account.call(put) {
            Err(error) if error.status().is_some() => {
                let detail = format!("a wrong digest is refused: {}", short(&error));
                report.tell("checksums", "MD5 (ETag)", Answer::Yes, detail);
            }
            Err(error) => report.tell("checksums", "MD5 (ETag)", Answer::No, short(&error)),
            Ok(_) => {
                report.tell(
                    "checksums",
                    "MD5 (ETag)",
                    Answer::Beware,
                    "a wrong digest was accepted",
                );
            }
        }
    }

    fn absent(&self, report: &mut Report, container: &str, _: &Info) {
        const WHAT: &str = "put if absent (If-None-Match)";
        let name = self.trial.name("conditional");
        let put = |body: &'static str| PutObject {
            if_absent: true,
            ..PutObject::new(container, &*name, body)
        };
        if let Err(error) = self.account.call(put("first")) {
            return report.tell("conditions", WHAT, Answer::No, short(&error));
        }
        match self.account.call(put("second")) {
            Err(error) => report.tell("conditions", WHAT, Answer::Yes, short(&error)),
            Ok(_) => {
                let detail = "ignored: the object was replaced";
                report.tell("conditions", WHAT, Answer::Beware, detail);
            }
        }
    }

    /// Checks static and dynamic large objects.
    fn large(&self, report: &mut Report, container: &str, info: &Info) {
        let limits = info.slo.unwrap_or_default();
        let least = limits.min_segment_size.unwrap_or(1).clamp(1, 4 << 20);
        let first = bytes(usize::try_from(least).unwrap_or(1) + 10);
        let whole = [first.clone(), b"second".to_vec()].concat();
        let names = ["segments/1", "segments/2"].map(|name| self.trial.name(name));
        let stored: Result<Vec<_>, Error> = names
            .iter()
            .zip([first, b"second".to_vec()])
            .map(|(name, body)| {
                let size = body.len() as u64;
                let stored = self.account.call(PutObject::new(container, &**name, body))?;
                Ok(ObjectSegment::stored(container, &**name, stored.etag, size))
            })
            .collect();
        let segments = match stored {
            Ok(segments) => segments,
            Err(error) => {
                return report.tell("large objects", "segments", Answer::No, short(&error));
            }
        };

        let name = self.trial.name("static");
        let manifest: Vec<Segment> = segments.into_iter().map(Segment::Object).collect();
        let put = self.account.call(PutSlo::new(container, &*name, manifest));
        let got = put.and_then(|_| self.account.call(GetObject::new(container, &*name)));
        let is_static = tell_large(report, "static (SLO)", &got, &whole);
        if is_static {
            let deleted = self.account.call(DeleteSlo::new(container, &*name));
            report.tried("large objects", "deleted with their segments", &deleted);
        }

        let names = ["parts/1", "parts/2"].map(|name| self.trial.name(name));
        let stored = names.iter().try_for_each(|name| {
            self.account.call(PutObject::new(container, &**name, "part")).map(drop)
        });
        let name = self.trial.name("dynamic");
        let prefix = Prefix::new(container, format!("{}parts/", self.trial.prefix()));
        let put = stored.and_then(|()| self.account.call(PutDlo::new(container, &*name, prefix)));
        let got = put.and_then(|_| self.account.call(GetObject::new(container, &*name)));
        tell_large(report, "dynamic (DLO)", &got, b"partpart");
    }

    /// Checks a temporary URL, with a key of the trial's container.
    fn temp_url(&self, report: &mut Report, container: &str, info: &Info) {
        const WHAT: &str = "temporary URL";
        if container != self.own {
            let why = "could not create a container for its key";
            return report.tell("URLs", WHAT, Answer::Untried, why);
        }
        let key = Secret::new(format!("{:032x}", u128::from(self.account.client.seed())));
        let settings =
            ContainerSettings { temp_url_keys: [Some(key.clone()), None], ..Default::default() };
        let put = PutContainer { settings, ..PutContainer::new(container) };
        if let Err(error) = self.account.call(put) {
            return report.tell("URLs", WHAT, Answer::No, short(&error));
        }
        let takes = info.temp_url.as_ref().map(|limits| limits.allowed_digests.as_slice());
        for digest in [Digest::Sha256, Digest::Sha512, Digest::Sha1] {
            let what = format!("{WHAT}, {digest}");
            // Where none are listed, what the server verifies is tried.
            let is_listed = |takes: &[String]| takes.iter().any(|name| name == digest.name());
            if takes.is_some_and(|takes| !takes.is_empty() && !is_listed(takes)) {
                report.tell("URLs", what, Answer::No, "not among allowed_digests of /info");
                continue;
            }
            match self.fetch(container, digest, &key) {
                Ok(status) if status.is_success() => report.tell("URLs", what, Answer::Yes, ""),
                Ok(status) => report.tell("URLs", what, Answer::No, status.as_u16().to_string()),
                Err(error) => report.tell("URLs", what, Answer::No, short(&error)),
            }
        }
    }

    fn fetch(
        &self,
        container: &str,
        digest: Digest,
        key: &Secret,
    ) -> Result<http::StatusCode, Error> {
        let name = self.trial.name("conditional");
        let storage = self.account.storage().map_err(|failure| Error::auth(failure.message))?;
        let until = apus_blocking::now().unix + Duration::from_secs(60);
        let until = Timestamp::from_duration(until);
        let mut signed =
            TempUrl::object(http::Method::GET, storage.path(), container, &name, until);
        signed.digest = digest;
        let uri = storage.origin().join(&signed.sign(key)?)?;
        let draft = Draft::new("temporary URL", http::Method::GET, uri);
        let exchange = Exchange::open(draft, apus_blocking::now(), 0);
        let transport = self.account.client.transport();
        let done = transport.perform(exchange, &Source::none(), &Sink::none());
        done.into_parts().1.map(|reply| reply.status())
    }

    fn bulk(&self, report: &mut Report, container: &str, _: &Info) {
        let names = ["bulk 1", "bulk 2"].map(|name| self.trial.name(name));
        let stored = names.iter().try_for_each(|name| {
            self.account.call(PutObject::new(container, &**name, "x")).map(drop)
        });
        let done = stored.and_then(|()| {
            let delete = BulkDelete::objects(container, names.iter().map(String::as_str));
            self.account.call(delete)
        });
        match &done {
            Ok(done) if done.deleted == 2 => {
                report.tell("lists", "bulk delete", Answer::Yes, "");
            }
            Ok(done) => {
                let detail = format!("{} of 2 were deleted", done.deleted);
                report.tell("lists", "bulk delete", Answer::Beware, detail);
            }
            Err(error) => report.tell("lists", "bulk delete", Answer::No, short(error)),
        }
        let prefix = Some(self.trial.prefix().to_owned());
        let list = GetContainer { prefix, ..GetContainer::new(container) };
        let page = self.account.call(list);
        report.tried("lists", "listing", &page);
    }

    /// Advises on options that do not fit the findings.
    fn advise(&self, report: &mut Report, _: &str, info: &Info) {
        let options = self.store.options();
        if let Some(largest) = info.swift.max_file_size {
            if options.segment_size() > largest {
                let value = (largest / MEGABYTE).max(1).to_string();
                let why = format!("the server accepts segments of at most {largest} bytes");
                report.advise("swift_store_large_object_chunk_size", value, why);
            }
            if options.large_object_size() > largest {
                let value = (largest / MEGABYTE).max(1).to_string();
                let why = format!("the server accepts at most {largest} bytes in one request");
                report.advise("swift_store_large_object_size", value, why);
            }
        }
        let life = self.facts().and_then(|(life, _)| life).map(|life| life.as_secs());
        if let Some(life) = life
            && life / 2 < options.swift_store_expire_soon_interval
        {
            let why = format!(
                "a token is valid for {life} s: an interval of more than half of that renews each \
                 token twice"
            );
            let value = (life / 4).max(1).to_string();
            report.advise("swift_store_expire_soon_interval", value, why);
        }
    }

    /// Removes everything that was stored, and reports the leftovers.
    fn clean(&self, report: &mut Report, made: bool) {
        let client = &self.account.client;
        let configured = self.store.options().swift_store_container.clone();
        let container = if made { self.own.clone() } else { configured };
        let mut names = self.trial.names();
        if names.is_empty() && !made {
            return;
        }
        let prefix = Some(self.trial.prefix().to_owned());
        let list = GetContainer { prefix, ..GetContainer::new(&container) };
        if let Ok(page) = client.call(list) {
            names.extend(page.objects().map(|object| object.name.clone()));
        }
        names.sort();
        names.dedup();
        for name in names {
            match client.call(DeleteObject::new(&container, &*name)) {
                Err(error) if !error.is_not_found() => {
                    report.left(format!("object {container}/{name}: {}", short(&error)));
                }
                _ => {}
            }
        }
        if made && let Err(error) = client.call(DeleteContainer::new(&container)) {
            report.left(format!("container {container}: {}", short(&error)));
        }
    }
}

fn tell_large(
    report: &mut Report,
    what: &str,
    got: &Result<apus_core::swift::GetObjectOutput, Error>,
    whole: &[u8],
) -> bool {
    match got {
        Ok(got) if got.body == whole => {
            report.tell("large objects", what, Answer::Yes, "");
            true
        }
        Ok(_) => {
            report.tell("large objects", what, Answer::Beware, "the returned bytes differ");
            false
        }
        Err(error) => {
            report.tell("large objects", what, Answer::No, short(error));
            false
        }
    }
}

fn own_container(seed: u64) -> String {
    format!("apus-doctor-{seed:016x}")
}

/// The megabyte of the options, in bytes.
const MEGABYTE: u64 = 1_024_000;
