//! CPU time to transfer a large object in parts of 8 MiB, four at a time, with CRC64NVME, compared
//! with the bare HTTP clients for the same bytes and requests: `large [MIB] [ROUNDS]`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use apus_benches::bare::{self, Hyper};
use apus_benches::machine::{Side, pin};
use apus_benches::race::{Racer, Role, argument, load, print, race, verdict};
use apus_benches::server::{Server, serve_if_told};
use apus_benches::transfer::{CONCURRENCY, PART, download, upload};
use apus_core::checksum::{Algorithm, Placement, Validation};
use apus_core::http::Timeouts;
use apus_core::machine::{Auth, Downloaded};
use apus_core::s3::{ByteRange, ChecksumOptions, GetObject, Service, UploadPart};
use bytes::Bytes;
use http::header::{EXPECT, HeaderValue};
use http::request;
use tokio::runtime::Builder;

fn main() {
    serve_if_told();
    pin(Side::Client);
    let (mebibytes, rounds) = (argument(1, 1024), argument(2, 5));
    let bytes = Bytes::from(vec![7; mebibytes << 20]);
    for scheme in ["http", "https"] {
        let server = Server::start(scheme, bytes.len() as u64);
        // Up and down.
        let budget = if scheme == "http" { (1.35, 1.35) } else { (1.10, 1.05) };
        println!("\nlarge: {rounds} rounds of {mebibytes} MiB over {scheme}, load {}", load());
        over_hyper(&server, scheme, &bytes, rounds, budget);
        over_ureq(&server, scheme, &bytes, rounds, budget);
    }
}

fn over_hyper(server: &Server, scheme: &str, bytes: &Bytes, rounds: usize, budget: (f64, f64)) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut config = apus_async::TransportConfig::new();
    if !server.certificate.is_empty() {
        config = config.ca_bundle(server.certificate.as_bytes()).unwrap();
    }
    let transport = apus_async::Transport::new(config).unwrap();
    let auth = Auth::new(bare::credentials());
    let client = apus_async::Client::with_transport(transport, bare::service(server), auth);
    let work = Arc::new(Work::new(client.service(), bytes, false));
    let bare = |up| {
        let (work, runtime) = (&work, &runtime);
        move |_| {
            let next = Arc::new(AtomicU64::new(0));
            runtime.block_on(async {
                let mut tasks = tokio::task::JoinSet::new();
                for _ in 0..CONCURRENCY {
                    let (work, next) = (Arc::clone(work), Arc::clone(&next));
                    let mut connection = Hyper::connect(server).await;
                    tasks.spawn(async move {
                        while let Some((head, body)) = work.next(&next, up) {
                            connection.ask(head, body).await;
                        }
                    });
                }
                tasks.join_all().await;
            });
        }
    };
    let ours = |placement| {
        let (client, runtime) = (&client, &runtime);
        move |_| {
            let upload = upload(bytes.len() as u64, checksum(placement), client.service());
            let run = client.run(upload).body(bytes.clone());
            runtime.block_on(run.send()).unwrap();
        }
    };
    let mut up = [
        Racer::ours("apus-async, in a header", ours(Placement::Header)),
        Racer::ours("apus-async, in a trailer", ours(Placement::Trailer)),
        Racer::peer("hyper", bare(true)),
    ];
    race(&mut up, rounds, 1);
    report(&format!("upload over hyper, {scheme}"), &up, budget.0, bytes);
    let mut down = [
        Racer::ours("apus-async", |_| {
            let download = download(client.service());
            let run = client.run(download).write_to(apus_async::Sink::discard());
            check(runtime.block_on(run.send()).unwrap(), bytes);
        }),
        Racer::peer("hyper", bare(false)),
    ];
    race(&mut down, rounds, 1);
    report(&format!("download over hyper, {scheme}"), &down, budget.1, bytes);
}

fn over_ureq(server: &Server, scheme: &str, bytes: &Bytes, rounds: usize, budget: (f64, f64)) {
    let mut config = apus_blocking::TransportConfig::new();
    if !server.certificate.is_empty() {
        config = config.ca_bundle(server.certificate.as_bytes()).unwrap();
    }
    let transport = apus_blocking::Transport::new(config).unwrap();
    let auth = Auth::new(bare::credentials());
    let client = apus_blocking::Client::with_transport(transport, bare::service(server), auth);
    let agent = bare::ureq_agent(server, Some(Timeouts::default()));
    let work = Work::new(client.service(), bytes, true);
    let bare = |up| {
        let (work, agent) = (&work, &agent);
        move |_| {
            let next = AtomicU64::new(0);
            thread::scope(|scope| {
                for _ in 0..CONCURRENCY {
                    scope.spawn(|| {
                        let mut into = vec![0; BUFFER];
                        while let Some((head, body)) = work.next(&next, up) {
                            bare::ureq_ask(agent, head, &body, &mut into);
                        }
                    });
                }
            });
        }
    };
    let ours = |placement| {
        let client = &client;
        move |_| {
            let upload = upload(bytes.len() as u64, checksum(placement), client.service());
            client.run(upload).body(bytes.clone()).send().unwrap();
        }
    };
    let mut up = [
        Racer::ours("apus-blocking, in a header", ours(Placement::Header)),
        Racer::ours("apus-blocking, in a trailer", ours(Placement::Trailer)),
        Racer::peer("ureq", bare(true)),
    ];
    race(&mut up, rounds, 1);
    report(&format!("upload over ureq, {scheme}"), &up, budget.0, bytes);
    let mut down = [
        Racer::ours("apus-blocking", |_| {
            let run = client.run(download(client.service()));
            check(run.write_to(apus_blocking::Sink::discard()).send().unwrap(), bytes);
        }),
        Racer::peer("ureq", bare(false)),
    ];
    race(&mut down, rounds, 1);
    report(&format!("download over ureq, {scheme}"), &down, budget.1, bytes);
}

fn checksum(placement: Placement) -> ChecksumOptions {
    let mut checksum = ChecksumOptions::algorithm(Algorithm::Crc64Nvme);
    checksum.overrides.placement = Some(placement);
    checksum
}

fn check(downloaded: Downloaded, bytes: &Bytes) {
    assert_eq!(downloaded.bytes, bytes.len() as u64);
    assert_eq!(downloaded.validation, Validation::Validated(Algorithm::Crc64Nvme));
}

fn report(title: &str, racers: &[Racer<'_>], budget: f64, bytes: &Bytes) {
    // Seconds a GiB.
    let unit = 1e9 * bytes.len() as f64 / (1 << 30) as f64;
    print(title, racers, unit, "s/GiB");
    let bare = racers.iter().find(|racer| racer.role() == Role::Peer).map_or(0.0, Racer::median);
    for ours in racers.iter().filter(|racer| racer.role() == Role::Ours) {
        verdict(&format!("of {}", ours.name()), ours.median() / bare, budget, "×");
    }
}

/// Every part with the head of its request.
struct Work {
    parts: Vec<(request::Parts, request::Parts, Bytes)>,
}

impl Work {
    fn new(service: &Service, bytes: &Bytes, expects: bool) -> Self {
        let length = bytes.len() as u64;
        let parts = (0..length.div_ceil(PART)).map(|number| {
            let (start, end) = (number * PART, length.min((number + 1) * PART));
            let body = bytes.slice(start as usize..end as usize);
            let mut part =
                UploadPart::new("bucket", "large", "one", number as u32 + 1, body.clone());
            part.checksum = ChecksumOptions::algorithm(Algorithm::Crc64Nvme);
            let mut put = bare::head(&part, service);
            if expects {
                put.headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
            }
            let mut get = GetObject::new("bucket", "large");
            get.range = Some(ByteRange::Span(start..end));
            (put, bare::head(&get, service), body)
        });
        Self { parts: parts.collect() }
    }

    fn next(&self, next: &AtomicU64, up: bool) -> Option<(&request::Parts, Bytes)> {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let (put, get, body) = self.parts.get(usize::try_from(at).ok()?)?;
        Some(if up { (put, body.clone()) } else { (get, Bytes::new()) })
    }
}

const BUFFER: usize = 128 << 10;
