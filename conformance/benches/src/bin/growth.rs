//! How what one item costs grows with their number, from 64 to 10,000: `growth [MOST]`.
//!
//! Bytes and events are counted, and fail the program if an item among many costs more than 1.2 times
//! an item among 64. CPU times are printed only.

use std::alloc::System;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use apus_async::keystone::{Domain, Scope, Session, User};
use apus_async::swift::{HeadContainer, LargeObject, SwiftUploadOptions, Upload};
use apus_benches::bare;
use apus_benches::race::{argument, load};
use apus_benches::server::{Server, serve_if_told};
use apus_core::Now;
use apus_core::credentials::Credentials;
use apus_core::http::{Completion, Exchange};
use apus_core::machine::{
    Auth, PartLimits, Pump, RateLimits, S3Upload, Turn, UploadOptions, UploadSource,
};
use apus_core::s3::{BaseUrl, Config, EndpointConfig, GetObject, Service};
use apus_core::task::s3::Download;
use apus_testing::server::{EmbeddedOpenStack, Limits, OpenStackModel};
use rustix::time::{ClockId, clock_gettime};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    serve_if_told();
    let most = argument(1, 10_000);
    println!("growth from {FEW} to {most}, load {}", load());
    let mut table = Table { failed: false };
    table.counted("bytes a part of a file of checkpoint changes", most, |parts| {
        checkpoints(parts).0
    });
    table.printed("the same, of a file of whole checkpoints", most.min(1_000), |parts| {
        checkpoints(parts).1
    });
    table.counted("bytes that a blocking call holds while it waits", most.min(512), blocking);
    let server = Server::start("http", 1024);
    let mut calls = |calls| through_limits(&server, calls);
    table.printed("ns of CPU of an async call, 16 at once, one token", most, &mut calls);
    table.counted("bytes that a run holds while it waits for the limit", most, waiting_runs);
    table.bounded("logins in the life of a token, tasks on one session", most, 2.5, logins);
    table.bounded(
        "1 KiB segments of those asked for that are not made",
        most,
        0.0,
        segments_missing,
    );
    match table.failed {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

const FEW: usize = 64;
const RATIO: f64 = 1.2;

struct Table {
    failed: bool,
}

impl Table {
    fn counted(&mut self, title: &str, most: usize, each: impl FnMut(usize) -> f64) {
        let ratio = self.printed(title, most, each);
        if ratio > RATIO {
            println!("    more than {RATIO}");
            self.failed = true;
        }
    }

    fn bounded(
        &mut self,
        title: &str,
        most: usize,
        bound: f64,
        mut each: impl FnMut(usize) -> f64,
    ) {
        let (few, many) = (each(FEW), each(most));
        println!("  {title:<55} {few:>9.1} of {FEW}, {many:>9.1} of {most}");
        if few.max(many) > bound {
            println!("    more than {bound}");
            self.failed = true;
        }
    }

    fn printed(&mut self, title: &str, most: usize, mut each: impl FnMut(usize) -> f64) -> f64 {
        let (few, many) = (each(FEW), each(most));
        let ratio = many / few;
        println!("  {title:<55} {few:>9.0} of {FEW}, {many:>9.0} of {most}: {ratio:.2}");
        ratio
    }
}

/// Uploads so many parts, and looks at the checkpoint after each: bytes of the changes, and of all
/// checkpoints, a part.
fn checkpoints(parts: usize) -> (f64, f64) {
    let source = UploadSource::Seekable(8 * parts as u64);
    let options = UploadOptions {
        threshold: 0,
        part_size: 8,
        limits: PartLimits { smallest: 1, ..PartLimits::default() },
        ..UploadOptions::default()
    };
    let service = Arc::new(service("http://127.0.0.1:1"));
    let upload = S3Upload::new("bucket", "key", source, options, service, 1).unwrap();
    let checkpoints = upload.checkpoints();
    let auth = Auth::new(Credentials::anonymous());
    let mut pump = Pump::new(upload, vec![auth], Waker::noop().clone());
    let (mut position, mut changes, mut whole) = (0, 0, 0);
    loop {
        match pump.turn(NOW) {
            Turn::Launch(exchange) => pump.complete(NOW, answer(exchange)),
            Turn::Park(_) => panic!("nothing is awaited"),
            Turn::Done(result) => {
                result.unwrap();
                return (changes as f64 / parts as f64, whole as f64 / parts as f64);
            }
        }
        let news = checkpoints.since(position);
        position = news.position;
        changes += news.changes.iter().map(|change| format!("{change:?}").len()).sum::<usize>();
        // A square: only where there are few.
        if parts <= 1_000 {
            whole += checkpoints.latest().map_or(0, |one| format!("{one:?}").len());
        }
    }
}

/// A success, with what the upload needs in it.
fn answer(mut exchange: Exchange) -> Completion {
    let body = vec![0; usize::try_from(exchange.draft().body.len()).unwrap()];
    if exchange.measures() {
        exchange.load(body.clone().into()).unwrap();
    }
    let mut encoder = exchange.encoder().unwrap();
    for piece in body.chunks(encoder.frame_size().unwrap_or(usize::MAX)) {
        encoder.frame(piece).unwrap();
    }
    encoder.end().unwrap();
    let document = match exchange.operation() {
        "CreateMultipartUpload" => {
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
        }
        "CompleteMultipartUpload" => {
            "<CompleteMultipartUploadResult><ETag>tag</ETag></CompleteMultipartUploadResult>"
        }
        _ => "",
    };
    let etag = "\"9b2cf535f27731c974343645a3985328\"";
    let head = http::Response::builder().header("etag", etag).body(()).unwrap();
    let mut receiving = exchange.respond(head.into_parts().0);
    receiving.push(document.as_bytes()).unwrap();
    receiving.finish(None)
}

/// Lets so many blocking calls wait for a response: the bytes that each holds.
fn blocking(calls: usize) -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let service = service(&format!("http://{}", listener.local_addr().unwrap()));
    let transport = apus_blocking::Transport::new(apus_blocking::TransportConfig::new()).unwrap();
    let limits = RateLimits::new(u32::try_from(calls).unwrap());
    let auth = Auth::new(bare::credentials());
    let client = apus_blocking::Client::with_transport(transport, service, auth);
    let client = client.with_rate_limits(limits);
    let before = held();
    let callers: Vec<_> = (0..calls)
        .map(|_| {
            let client = client.clone();
            thread::spawn(move || client.call(GetObject::new("bucket", "small")).unwrap())
        })
        .collect();
    let mut streams = Vec::new();
    for _ in 0..calls {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
        while !seen.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut piece).unwrap();
            seen.extend_from_slice(&piece[..read]);
        }
        streams.push(stream);
    }
    let after = held();
    for mut stream in streams {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    }
    callers.into_iter().for_each(|caller| drop(caller.join().unwrap()));
    (after.saturating_sub(before)) as f64 / calls as f64
}

/// Makes so many calls, begun together under one token, of which 16 may be in flight: nanoseconds
/// of CPU a call.
fn through_limits(server: &Server, calls: usize) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = asynchronous(&server.url, 16);
    let token = apus_async::CancelToken::new();
    let used = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap();
    let before = used();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..calls {
            let (client, token) = (client.clone(), token.clone());
            tasks.spawn(async move {
                let run = client.run(Download::new("bucket", "small"));
                run.write_to(apus_async::Sink::discard()).cancel_on(token).await.unwrap();
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
    });
    (used() - before).as_nanos() as f64 / calls as f64
}

/// Lets so many runs wait for the one place of a limit, which no response frees: the bytes that each
/// holds.
fn waiting_runs(calls: usize) -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (begun, begins) = mpsc::channel();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = begun.send(stream);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limits = Arc::new(RateLimits::new(1));
    let client = asynchronous(&url, 1).with_rate_limits(Arc::clone(&limits));
    let before = held();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..=calls {
            let client = client.clone();
            tasks.spawn(async move { client.call(GetObject::new("bucket", "small")).await });
        }
        while limits.waiting() < calls {
            tokio::task::yield_now().await;
        }
        let bytes = held().saturating_sub(before) as f64 / calls as f64;
        drop(begins);
        bytes
    })
}

/// Lets so many tasks use one session, whose tokens live two seconds, for three lives: logins a life.
fn logins(tasks: usize) -> f64 {
    let server = openstack(OpenStackModel::new().with_token_life(LIFE));
    let client = swift_client(&server);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let began = Instant::now();
    runtime.block_on(async {
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..tasks {
            let client = client.clone();
            running.spawn(async move {
                while began.elapsed() < 3 * LIFE {
                    client.call(HeadContainer::new("box")).await.unwrap();
                }
            });
        }
        while let Some(done) = running.join_next().await {
            done.unwrap();
        }
    });
    let lives = began.elapsed().as_secs_f64() / LIFE.as_secs_f64();
    server.model().logins().len() as f64 / lives
}

/// Asks for so many segments of 1 KiB, which the server allows: those that the object has not.
fn segments_missing(asked: usize) -> f64 {
    let limits = Limits { max_manifest_segments: Some(10_000), ..Limits::default() };
    let server = openstack(OpenStackModel::new().with_limits(limits));
    let client = swift_client(&server);
    let options = SwiftUploadOptions {
        threshold: 0,
        segment_size: 1024,
        large_object: Some(LargeObject::Static),
        ..SwiftUploadOptions::default()
    };
    let upload = Upload::new("box", "key").options(options);
    let source = apus_async::Source::bytes(vec![7; asked * 1024]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { client.run(upload).body(source).send().await.unwrap() });
    let model = server.model();
    let made = model.object_of("demo", "box", "key").unwrap().segments().len();
    asked.abs_diff(made) as f64
}

fn openstack(model: OpenStackModel) -> EmbeddedOpenStack {
    EmbeddedOpenStack::start(model.with_container("demo", "box")).unwrap()
}

fn swift_client(server: &EmbeddedOpenStack) -> apus_async::Client<apus_async::swift::Service> {
    let environment = server.environment();
    let value = |name: &str| environment[&format!("APUS_LIVE_OPENSTACK{name}")].clone();
    let user = User::named(value("_USER"), Domain::default_id());
    let scope = Scope::project_named(value("_PROJECT"), Domain::default_id());
    let session = Session::password(&server.auth_url(), user, value("_PASSWORD"), scope);
    apus_async::Client::new(apus_async::swift::Service::default(), session.unwrap()).unwrap()
}

fn asynchronous(url: &str, at_once: u32) -> apus_async::Client<Service> {
    let transport = apus_async::Transport::new(apus_async::TransportConfig::new()).unwrap();
    let auth = Auth::new(bare::credentials());
    let client = apus_async::Client::with_transport(transport, service(url), auth);
    client.with_rate_limits(RateLimits::new(at_once))
}

fn service(url: &str) -> Service {
    let endpoint = EndpointConfig::custom(BaseUrl::parse(url).unwrap(), "us-east-1");
    Service::new(Config::new(endpoint)).unwrap()
}

fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

/// How long a token lives.
const LIFE: Duration = Duration::from_secs(2);
/// A time of no importance.
const NOW: Now = Now { tick: Duration::ZERO, unix: Duration::ZERO };
