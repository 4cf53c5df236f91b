//! Whatever happens to a machine, and in whatever order: it keeps the laws and ends.
//!
//! An input is a machine, its settings, and a list of events: answers of all kinds, losses, bytes of
//! the source, time that passes, a cancellation, a completion of somebody else's. After the last
//! event everything is answered in one way until the machine is done. The assertions are in
//! `world.rs`, the responses of a server in `answer.rs` and, for S3 only, in `server.rs`.
#![no_main]

mod answer;
mod server;
mod world;

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use apus_core::checksum::{Algorithm, Policy, RequestChecksumCalculation as Calculation};
use apus_core::checksum::{ResponseChecksumValidation as Validation, Type};
use apus_core::contract::{Machine, OnFailure};
use apus_core::credentials::Credentials;
use apus_core::http::Body;
use apus_core::machine::*;
use apus_core::s3::*;
use apus_core::sign::Keys;
use apus_core::{Error, Now};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

use self::answer::Answer;
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
    setup: Setup,
    events: Vec<Event>,
}

/// The machine.
#[derive(Arbitrary, Debug)]
enum Subject {
    Put { length: u8, once: bool },
    List,
    Create,
    Delete,
    Upload { stream: bool, announced: Option<Length>, length: Length, resumes: bool },
    Download { range: Option<Span>, attempts: Option<u8>, digest: Option<u8>, asks: bool },
    DeleteMany { keys: Vec<Key>, batch: u8 },
    Copy { replaces: bool },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Span {
    From(Length),
    Between(Length, Length),
    Last(Length),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Key {
    Plain(u8),
    Unnameable,
    Empty,
}

/// What all machines have in common, and the server's object.
#[derive(Arbitrary, Debug)]
pub(crate) struct Setup {
    concurrency: u8,
    threshold: Length,
    pub(crate) part_size: Length,
    memory: Option<Length>,
    parts: u8,
    checksum: Option<u8>,
    supported: bool,
    full_object: Option<bool>,
    unless_exists: bool,
    keeps: bool,
    anonymous: bool,
    pub(crate) at_once: Option<u8>,
    twice: bool,
    pub(crate) object: Length,
    ending: Answer,
}

impl Script {
    fn run(&self) -> End {
        let setup = &self.setup;
        let service = setup.service();
        match &self.subject {
            Subject::Put { length, once } => {
                let range = 0..u64::from(*length);
                let body = Body::Source { range, rewindable: !once };
                let put = PutObject::from_body("bucket", "key", body);
                let put = PutObject { checksum: setup.checksum(), ..put };
                self.drive((*length).into(), || Call::new(put.clone(), Arc::clone(&service), 7))
            }
            Subject::List => {
                let list = ListObjectsV2::new("bucket");
                self.drive(0, || Call::new(list.clone(), Arc::clone(&service), 7))
            }
            Subject::Create => {
                let create = CreateMultipartUpload::new("bucket", "key");
                self.drive(0, || Call::new(create.clone(), Arc::clone(&service), 7))
            }
            Subject::Delete => {
                let delete = DeleteObject::new("bucket", "key");
                self.drive(0, || Call::new(delete.clone(), Arc::clone(&service), 7))
            }
            Subject::Upload { stream, announced, length, resumes } => {
                let source = match stream {
                    true => UploadSource::Stream(announced.map(Length::get)),
                    false => UploadSource::Seekable(length.get()),
                };
                let new = || setup.upload(source, *resumes, &service);
                if new().is_err() {
                    return End::default();
                }
                self.drive(length.get(), || new().expect("as before"))
            }
            Subject::Download { range, attempts, digest, asks } => {
                let range = range.map(|range| match range {
                    Span::From(start) => ByteRange::From(start.get()),
                    Span::Between(start, end) => ByteRange::Span(start.get()..end.get()),
                    Span::Last(length) => ByteRange::Last(length.get()),
                });
                let get =
                    GetObject { range, checksum_mode: *asks, ..GetObject::new("bucket", "key") };
                let options = DownloadOptions {
                    range_size: setup.part_size.get(),
                    concurrency: setup.concurrency.into(),
                    digests: digest.map(algorithm).into_iter().collect(),
                    total_attempts: attempts.map(u32::from),
                    ..DownloadOptions::default()
                };
                self.drive(0, || {
                    S3Download::new(get.clone(), Arc::clone(&service), options.clone(), 7)
                })
            }
            Subject::DeleteMany { keys, batch } => {
                let keys = keys.iter().map(|key| match key {
                    Key::Plain(n) => format!("key{}", n % 16),
                    Key::Unnameable => "\u{1}".to_owned(),
                    Key::Empty => String::new(),
                });
                let keys: Vec<_> = keys.map(ObjectIdentifier::new).collect();
                let options = DeleteManyOptions {
                    concurrency: setup.concurrency.into(),
                    batch: (*batch).into(),
                    ..DeleteManyOptions::default()
                };
                self.drive(0, || {
                    let service = Arc::clone(&service);
                    S3DeleteMany::new("bucket", keys.clone(), service, options.clone(), 7)
                })
            }
            Subject::Copy { replaces } => {
                let mut copy = CopyObject::new("bucket", "key", CopySource::new("from", "there"));
                copy.metadata_directive = replaces.then_some(Directive::Replace);
                copy.checksum_algorithm = setup.checksum.map(algorithm);
                let options = ServerCopyOptions {
                    threshold: setup.threshold.get(),
                    part_size: setup.part_size.get(),
                    concurrency: setup.concurrency.into(),
                    limits: setup.limits(),
                    on_failure: setup.on_failure(),
                };
                self.drive(0, || S3Copy::new(copy.clone(), options, Arc::clone(&service), 7))
            }
        }
    }

    fn drive<M: Machine>(&self, source: u64, machine: impl Fn() -> M) -> End
    where
        M: std::fmt::Debug,
        M::Output: std::fmt::Debug,
    {
        let pump = || Pump::new(machine(), vec![auth(&self.setup)], Waker::noop().clone());
        World::new(&self.setup, source, pump).run(&self.events, &self.setup.ending)
    }
}

impl Setup {
    fn service(&self) -> Arc<Service> {
        let url = BaseUrl::parse("http://127.0.0.1:9000").expect("a URL");
        let mut config = Config::new(EndpointConfig::custom(url, "us-east-1"));
        if self.supported {
            config.checksum = Policy {
                enable_data_integrity_protection: true,
                request: Calculation::WhenSupported,
                response: Validation::WhenSupported,
                ..config.checksum
            };
        }
        Arc::new(Service::new(config).expect("a service"))
    }

    fn checksum(&self) -> ChecksumOptions {
        self.checksum
            .map_or(ChecksumOptions::default(), |n| ChecksumOptions::algorithm(algorithm(n)))
    }

    /// Parts of a byte are fine here, and few of them are many.
    fn limits(&self) -> PartLimits {
        PartLimits { parts: self.parts.into(), smallest: 1, largest: u64::MAX, object: u64::MAX }
    }

    pub(crate) fn on_failure(&self) -> OnFailure {
        if self.keeps { OnFailure::Keep } else { OnFailure::Abort }
    }

    fn upload(
        &self,
        source: UploadSource,
        resumes: bool,
        service: &Arc<Service>,
    ) -> Result<S3Upload, Error> {
        let mut options = UploadOptions {
            threshold: self.threshold.get(),
            part_size: self.part_size.get(),
            concurrency: self.concurrency.into(),
            memory: self.memory.map_or(1 << 10, Length::get),
            limits: self.limits(),
            checksum: self.checksum(),
            checksum_type: self
                .full_object
                .map(|full| if full { Type::FullObject } else { Type::Composite }),
            on_failure: self.on_failure(),
            ..UploadOptions::default()
        };
        if self.unless_exists {
            options.conditions.if_none_match = Some("*".into());
        }
        let service = Arc::clone(service);
        if resumes {
            let checkpoint = checkpoint(source, &options, &service)?;
            return S3Upload::resume(checkpoint, source, options, service, 7);
        }
        S3Upload::new("bucket", "key", source, options, service, 7)
    }
}

pub(crate) fn algorithm(n: u8) -> Algorithm {
    Algorithm::ALL[usize::from(n) % Algorithm::ALL.len()]
}

/// A checkpoint of an upload that got as far as its id.
fn checkpoint(
    source: UploadSource,
    options: &UploadOptions,
    service: &Arc<Service>,
) -> Result<Checkpoint, Error> {
    let options = UploadOptions { threshold: 0, ..options.clone() };
    let none = || Error::invalid_input("no multipart upload");
    let upload = S3Upload::new("bucket", "key", source, options, Arc::clone(service), 7)?;
    let auth = Auth::new(Credentials::anonymous());
    let mut pump = Pump::new(upload, vec![auth], Waker::noop().clone());
    if let Some(window) = pump.stream_window() {
        window.supply(1, false);
    }
    let now = Now::new(Duration::ZERO, Duration::ZERO);
    let Turn::Launch(exchange) = pump.turn(now) else { return Err(none()) };
    let head = http::Response::new(()).into_parts().0;
    let mut receiving = exchange.respond(head);
    let body =
        b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
    receiving.push(body).map_err(Error::from)?;
    pump.complete(now, receiving.finish(None));
    let _ = pump.turn(now);
    pump.machine().checkpoint().ok_or_else(none)
}

fn auth(setup: &Setup) -> Auth {
    Auth::new(match setup.anonymous {
        true => Credentials::anonymous(),
        false => Credentials::new(Keys::new("AKID", SECRET)),
    })
}
