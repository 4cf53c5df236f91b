//! Many calls at once on one client: `many [ROUNDS] [TASKS] [DELAY]`.
//!
//! So many tasks, 9,000 by default, get an object of 1 KiB from a server that answers after DELAY
//! ms, twice a round. Two clients keep a connection for each task, so that each process must be
//! allowed twice as many open files. Then, once, the memory of as many calls that wait, and how
//! limits adapt to a server that answers 16 or 64 requests at once and refuses the rest with 503.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use apus_async::{Client, Transport, TransportConfig};
use apus_benches::bare;
use apus_benches::delayed::{Delayed, HELD, allow_many_files, serve_delayed_if_told};
use apus_benches::machine::{Side, pin};
use apus_benches::race::{Racer, argument, load, print, race};
use apus_core::Error;
use apus_core::machine::RateLimits;
use apus_core::s3::{BaseUrl, Config, EndpointConfig, GetObject, Service};
use bytes::Bytes;
use http::{Request, request};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client as HyperUtil;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

fn main() {
    serve_delayed_if_told();
    grow_if_told();
    pin(Side::Client);
    allow_many_files();
    let (rounds, tasks, delay) = (argument(1, 5), argument(2, 9_000), argument(3, 50));
    println!("many: {rounds} rounds of {tasks} tasks, {delay} ms, load {}", load());
    let delay = Duration::from_millis(delay);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let server = Delayed::start(delay, usize::MAX);
    let most = tasks.try_into().unwrap();
    let raised =
        client(&server, RateLimits::new(most), TransportConfig::new().idle_connections(tasks));
    let usual = client(&server, RateLimits::default(), TransportConfig::new());
    let peer = peer();
    let head = bare::head(&object("small"), raised.service());
    let mut racers = [
        Racer::ours("apus-async, limits raised", |n| calls(&runtime, &raised, tasks, n)),
        Racer::ours("apus-async, 256 at once", |n| calls(&runtime, &usual, tasks, n)),
        Racer::peer("hyper-util", |n| requests(&runtime, &peer, &head, tasks, n)),
    ];
    race(&mut racers, rounds, tasks * 2);
    print(&format!("{tasks} calls at once, {} ms", delay.as_millis()), &racers, 1e3, "µs");
    for racer in &racers[..2] {
        println!("  throughput, {}: {:.2}", racer.name(), racers[2].wall() / racer.wall());
    }
    memory(tasks);
    for places in [16, 64] {
        adaptive(&runtime, delay, places);
    }
}

fn client(server: &Delayed, limits: RateLimits, config: TransportConfig) -> Client<Service> {
    let endpoint = EndpointConfig::custom(BaseUrl::parse(&server.url).unwrap(), "us-east-1");
    let service = Service::new(Config::new(endpoint)).unwrap();
    let builder = Client::builder(service, bare::credentials());
    builder.transport_config(config).rate_limits(Arc::new(limits)).build().unwrap()
}

fn peer() -> HyperUtil<HttpConnector, Empty<Bytes>> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    HyperUtil::builder(TokioExecutor::new()).build(connector)
}

fn object(key: &str) -> GetObject {
    GetObject::new("bucket", key)
}

/// `count` calls in all, by `tasks` tasks.
fn calls(runtime: &Runtime, client: &Client<Service>, tasks: usize, count: usize) {
    each(runtime, tasks, || {
        let client = client.clone();
        async move {
            for _ in 0..count / tasks {
                assert_eq!(client.call(object("small")).await.unwrap().body.len(), 1024);
            }
        }
    });
}

fn requests(
    runtime: &Runtime,
    client: &HyperUtil<HttpConnector, Empty<Bytes>>,
    head: &request::Parts,
    tasks: usize,
    count: usize,
) {
    each(runtime, tasks, || {
        let (client, head) = (client.clone(), head.clone());
        async move {
            for _ in 0..count / tasks {
                let request = Request::from_parts(head.clone(), Empty::new());
                let answer = client.request(request).await.unwrap();
                assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().len(), 1024);
            }
        }
    });
}

fn each<F: Future<Output = ()> + Send + 'static>(
    runtime: &Runtime,
    tasks: usize,
    mut task: impl FnMut() -> F,
) {
    runtime.block_on(async {
        let mut all = JoinSet::new();
        (0..tasks).for_each(|_| drop(all.spawn(task())));
        while let Some(ended) = all.join_next().await {
            ended.unwrap();
        }
    });
}

/// Prints the memory of each kind of call that waits, in a process of its own.
fn memory(tasks: usize) {
    println!("\nmemory of a call that waits, in bytes, of {tasks}");
    for kind in KINDS {
        let this = std::env::current_exe().unwrap();
        let done = Command::new(this).args([GROWN, kind, &tasks.to_string()]).status();
        assert!(done.unwrap().success());
    }
}

/// Prints how many bytes this process grows by for each call that waits, if the command line says
/// so.
fn grow_if_told() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [first, kind, tasks] = &arguments[..] else { return };
    if first != GROWN {
        return;
    }
    allow_many_files();
    let tasks = tasks.parse().unwrap();
    let server = Delayed::start(Duration::ZERO, usize::MAX);
    let at_once = if kind == KINDS[1] { 1 } else { tasks };
    let limits = RateLimits::new(at_once.try_into().unwrap());
    let client = client(&server, limits, TransportConfig::new());
    if kind == KINDS[2] {
        let (head, peer) = (bare::head(&object("held"), client.service()), peer());
        grown(kind, tasks, || {
            let request = peer.request(Request::from_parts(head.clone(), Empty::new()));
            async move { drop(request.await) }
        });
    } else {
        grown(kind, tasks, || {
            let client = client.clone();
            async move { drop(client.call(object("held")).await) }
        });
    }
    drop(server);
    std::process::exit(0);
}

fn grown<F: Future<Output = ()> + Send + 'static>(
    name: &str,
    tasks: usize,
    mut task: impl FnMut() -> F,
) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let before = resident();
    runtime.block_on(async {
        (0..tasks).for_each(|_| drop(tokio::spawn(task())));
        tokio::time::sleep(HELD * 3 / 4).await;
        println!("  {name:<34} {:>8}", resident().saturating_sub(before) / tasks as u64);
    });
}

/// Returns the bytes of memory that this process uses.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok())
        .map_or(0, |kib: u64| kib << 10)
}

/// Prints how many calls succeed in five seconds, and how many requests are refused, with a limit
/// that adapts and with a fixed one.
fn adaptive(runtime: &Runtime, delay: Duration, places: usize) {
    let (tasks, span) = (256, Duration::from_secs(5));
    let server = Delayed::start(delay, places);
    println!("\n{tasks} tasks, {places} places, {span:?}: calls, errors, responses of 503");
    let shared =
        client(&server, RateLimits::new(256), TransportConfig::new().idle_connections(tasks));
    let transport = Transport::new(TransportConfig::new().idle_connections(tasks)).unwrap();
    // A limit of one at once adapts to nothing: 256 clients of it are a fixed limit of 256.
    let single = || {
        let endpoint = EndpointConfig::custom(BaseUrl::parse(&server.url).unwrap(), "us-east-1");
        let builder =
            Client::builder(Service::new(Config::new(endpoint)).unwrap(), bare::credentials());
        builder
            .transport(transport.clone())
            .rate_limits(Arc::new(RateLimits::new(1)))
            .build()
            .unwrap()
    };
    let fixed: Vec<_> = (0..tasks).map(|_| single()).collect();
    let shared = vec![shared; tasks];
    for (name, clients) in [("adaptive, from 256", shared), ("fixed at 256", fixed)] {
        let (done, failed) = runtime.block_on(async {
            let until = Instant::now() + span;
            let mut all = JoinSet::new();
            for client in clients.iter().cloned() {
                all.spawn(async move {
                    let (mut done, mut failed) = (0, 0);
                    while Instant::now() < until {
                        match client.call(object("small")).await {
                            Ok(_) => done += 1,
                            Err(_) => failed += 1,
                        }
                    }
                    (done, failed)
                });
            }
            let mut sum = (0, 0);
            while let Some(ended) = all.join_next().await {
                let (done, failed) = ended.unwrap();
                sum = (sum.0 + done, sum.1 + failed);
            }
            sum
        });
        let refused = runtime.block_on(refused(&clients[0])).unwrap();
        println!("  {name:<34} {done:>8} {failed:>8} {refused:>8}");
    }
}

/// Returns how many requests the server has refused since it was last asked.
async fn refused(client: &Client<Service>) -> Result<String, Error> {
    let answer = client.call(object("count")).await?;
    Ok(String::from_utf8_lossy(&answer.body).into_owned())
}

const KINDS: [&str; 3] =
    ["apus-async, for its response", "apus-async, for a place", "hyper-util, for its response"];
const GROWN: &str = "--grown";
