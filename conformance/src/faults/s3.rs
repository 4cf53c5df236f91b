//! Transfers to and from S3.

use std::sync::Arc;

use apus_core::error::Leftover;
use apus_core::machine::{
    Call, DownloadOptions, PartLimits, S3Download, S3Upload, UploadOptions, UploadSource,
};
use apus_core::s3::{
    BaseUrl, Conditions, Config, CreateBucket, DeleteObject, EndpointConfig, GetObject,
    ListMultipartUploads, Service,
};
use bytes::Bytes;

use super::client::{Client, From, Origin, Setup, Via, runtime};
use super::limits;
use super::outcome::{Outcome, There};
use super::proxy::{Proxy, Weather};
use super::site::S3Site;
use super::trace::Trace;
use super::transfer::{self, Transfer, Verb};

/// Runs a transfer and checks its result. An error is one of the set-up.
pub(super) fn perform(transfer: &Transfer, trace: &Arc<Trace>) -> Result<Outcome, String> {
    let site = match transfer.service {
        transfer::Service::S3Files => S3Site::embedded(transfer.tls).map_err(told)?,
        transfer::Service::S3Live => S3Site::live(transfer.tls, &live_bucket()).ok_or(UNTOLD)?,
        _ => S3Site::model(transfer.tls).map_err(told)?,
    };
    let task = Task { site: &site, transfer, key: transfer.name() };
    let is_read = matches!(transfer.verb, Verb::Get | Verb::GetRanges);
    if is_read || transfer.replaces {
        let bytes = if is_read { transfer.bytes() } else { transfer.old_bytes() };
        task.place(bytes).map_err(|error| format!("what has to be there is refused: {error}"))?;
    }
    let weather = Weather {
        seed: transfer.random().next(),
        share: transfer.share,
        traffic: transfer.traffic(),
        idle: limits::IDLE,
        refuses: transfer.refuses,
    };
    let proxy = Proxy::start(runtime(), "S3", site.upstream, weather, Arc::clone(trace));
    let proxy = proxy.map_err(told)?;
    let service = task.service(&site.url(proxy.address()), true)?;
    let setup = transfer.setup(&site.ca);
    let observer: Arc<Trace> = Arc::clone(trace);
    let client = Client::new(&setup, service, site.auth(), Some(observer)).map_err(told)?;
    let outcome = if is_read {
        task.read(&client)
    } else {
        task.write(
            &client,
            || {
                drop(proxy);
                site.settle();
            },
            trace,
        )
    };
    task.clear();
    outcome
}

/// Creates what all transfers to a real server share.
pub(super) fn prepare_live() -> Result<(), String> {
    let site = S3Site::live(false, &live_bucket()).ok_or(UNTOLD)?;
    let transfer = Transfer::of(0, 0, &[transfer::Service::S3Live]);
    let task = Task { site: &site, transfer: &transfer, key: String::new() };
    let direct = task.direct()?;
    let create = CreateBucket::new(&site.bucket);
    let call = Call::new(create, Arc::clone(direct.service()), 1);
    direct.receive(call).0.map(drop).map_err(told)
}

struct Task<'a> {
    site: &'a S3Site,
    transfer: &'a Transfer,
    key: String,
}

impl Task<'_> {
    fn service(&self, url: &str, short: bool) -> Result<Service, String> {
        let url = BaseUrl::parse(url).map_err(told)?;
        let mut config = Config::new(EndpointConfig::custom(url, "us-east-1"));
        if short {
            config.timeouts = limits::of_request();
            config.retry_policy.attempts = limits::ATTEMPTS;
            config.retry_policy.base = limits::PAUSE;
            config.retry_policy.longest = limits::LONGEST_PAUSE;
        }
        Service::new(config).map_err(told)
    }

    /// Returns a client that bypasses the proxy.
    fn direct(&self) -> Result<Client<Service>, String> {
        let service = self.service(&self.site.url(self.site.upstream), false)?;
        let setup = Setup {
            via: Via::Blocking,
            ca: self.site.ca.clone(),
            keeps_connections: false,
            expects_above: None,
        };
        Client::new(&setup, service, self.site.auth(), None).map_err(told)
    }

    fn place(&self, bytes: Bytes) -> Result<(), String> {
        let direct = self.direct()?;
        let origin = Origin { from: From::Bytes, bytes };
        let source = origin.upload_source();
        let upload = self.upload(source, UploadOptions::default(), &direct)?;
        direct.send(upload, &origin).map(drop).map_err(told)
    }

    fn upload(
        &self,
        source: UploadSource,
        options: UploadOptions,
        client: &Client<Service>,
    ) -> Result<S3Upload, String> {
        let service = Arc::clone(client.service());
        let seed = self.transfer.random().next();
        S3Upload::new(&self.site.bucket, &self.key, source, options, service, seed).map_err(told)
    }

    fn options(&self) -> UploadOptions {
        let smallest = self.site.smallest_part;
        let part_size = self.transfer.part.max(smallest);
        let parts = self.transfer.verb == Verb::PutParts;
        UploadOptions {
            threshold: if parts { 0 } else { WHOLE },
            part_size,
            limits: PartLimits { smallest, ..PartLimits::default() },
            conditions: if self.transfer.if_absent && self.site.conditional {
                Conditions { if_none_match: Some("*".into()), ..Conditions::default() }
            } else {
                Conditions::default()
            },
            ..UploadOptions::default()
        }
    }

    fn read(&self, client: &Client<Service>) -> Result<Outcome, String> {
        let get = GetObject::new(&self.site.bucket, &self.key);
        let concurrency = if self.transfer.verb == Verb::GetRanges { 4 } else { 1 };
        let options = DownloadOptions {
            concurrency,
            range_size: self.transfer.part,
            ..DownloadOptions::default()
        };
        let seed = self.transfer.random().next();
        let download = S3Download::new(get, Arc::clone(client.service()), options, seed);
        let (result, had) = client.receive(download);
        Ok(Outcome::of_read(
            result.map(|done| done.bytes),
            &had,
            &self.transfer.bytes(),
            concurrency,
        ))
    }

    fn write(
        &self,
        client: &Client<Service>,
        settle: impl FnOnce(),
        trace: &Trace,
    ) -> Result<Outcome, String> {
        let origin = Origin { from: self.transfer.from, bytes: self.transfer.bytes() };
        let source = origin.upload_source();
        let options = self.options();
        let is_conditional = !options.conditions.is_empty();
        let upload = self.upload(source, options, client)?;
        let result = client.send(upload, &origin);
        settle();
        let there = self.look()?;
        let old = self.transfer.replaces.then(|| self.transfer.old_bytes());
        let leftovers = match &result {
            Ok(_) => Vec::new(),
            Err(error) => error.leftovers().to_vec(),
        };
        let result = result.map(|done| done.size);
        let mut outcome =
            Outcome::of_write(result, there, &origin.bytes, old.as_ref(), is_conditional);
        outcome.named = leftovers.len();
        self.orphans(&leftovers, trace, &mut outcome)?;
        Ok(outcome)
    }

    /// Returns the stored object.
    fn look(&self) -> Result<There, String> {
        let direct = self.direct()?;
        let get = GetObject::new(&self.site.bucket, &self.key);
        let service = Arc::clone(direct.service());
        let download = S3Download::new(get, service, DownloadOptions::default(), 1);
        match direct.receive(download) {
            (Ok(_), bytes) => Ok(There::Object(bytes)),
            (Err(error), _) if error.is_not_found() => Ok(There::Nothing),
            (Err(error), _) => Ok(There::Unreadable(error.to_string())),
        }
    }

    /// Returns the open uploads that nothing names.
    fn orphans(
        &self,
        named: &[Leftover],
        trace: &Trace,
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        let direct = self.direct()?;
        let mut list = ListMultipartUploads::new(&self.site.bucket);
        list.prefix = Some(self.key.clone());
        let call = Call::new(list, Arc::clone(direct.service()), 1);
        let open = match direct.receive(call).0 {
            Ok(open) => open.uploads,
            // s3s-fs can't list open uploads.
            Err(error) if error.status().is_some_and(|status| status == 501) => return Ok(()),
            Err(error) => return Err(told(error)),
        };
        let is_named = |id: &str| {
            named.iter().any(
                |one| matches!(one, Leftover::MultipartUpload { upload_id, .. } if upload_id == id),
            )
        };
        // The client has the id of one upload at most, once it has sent a part or aborted it.
        let known = ["UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload"];
        let known = u64::from(known.iter().any(|operation| trace.launched(operation) > 0));
        let mut lost = trace.launched("CreateMultipartUpload").saturating_sub(known);
        for upload in open {
            let id = upload.upload_id;
            if is_named(&id) {
                continue;
            }
            let mut list = apus_core::s3::ListParts::new(&self.site.bucket, &self.key, &id);
            list.max_parts = Some(1);
            let call = Call::new(list, Arc::clone(direct.service()), 1);
            let is_empty = direct.receive(call).0.is_ok_and(|page| page.parts.is_empty());
            if is_empty && lost > 0 {
                lost -= 1;
                outcome.lost_creations += 1;
            } else {
                outcome
                    .orphans
                    .push(format!("upload {id} is open, and the error does not name it"));
            }
        }
        Ok(())
    }

    /// Removes everything of the transfer from a real server.
    fn clear(&self) {
        if self.transfer.service != transfer::Service::S3Live {
            return;
        }
        if let Ok(direct) = self.direct() {
            let delete = DeleteObject::new(&self.site.bucket, &self.key);
            _ = direct.receive(Call::new(delete, Arc::clone(direct.service()), 1));
        }
    }
}

fn live_bucket() -> String {
    format!("apus-faults-{}", std::process::id())
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// More bytes than any object has.
const WHOLE: u64 = 64 << 20;
const UNTOLD: &str = "the environment does not tell of an S3 server";
