//! CPU time and memory behind the trait `object_store::ObjectStore`, ours and object_store's own S3
//! client on the same server, each with its defaults, and ours with checksums: `stores [ROUNDS]
//! [COUNT] [MIB]`.
//!
//! Small objects, listings, ranges, and a multipart upload by `BufWriter` and by `WriteMultipart`,
//! over http and https. The peak of memory is that of a process that does nothing else.

use std::process::{Command, Stdio};
use std::sync::Arc;

use apus_benches::bare;
use apus_benches::machine::{Side, pin};
use apus_benches::race::{Racer, argument, load, print, race};
use apus_benches::server::{Server, serve_if_told};
use apus_core::checksum::RequestChecksumCalculation;
use apus_core::s3::{BaseUrl, Config, EndpointConfig, Service};
use apus_object_store::v0_14::S3Store;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::aws::AmazonS3Builder;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{Certificate, ClientOptions, ObjectStore, ObjectStoreExt as _, WriteMultipart};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::runtime::{Builder, Runtime};

fn main() {
    serve_if_told();
    rustls::crypto::ring::default_provider().install_default().unwrap();
    if std::env::args().nth(1).as_deref() == Some(MEMORY) {
        return memory_of(&argument::<String>(2, String::new()), &argument(3, String::new()));
    }
    pin(Side::Client);
    let (rounds, count, mebibytes) = (argument(1, 11), argument(2, 500), argument(3, 512));
    println!("stores: {rounds} rounds, load {}", load());
    for scheme in ["http", "https"] {
        let server = Server::start(scheme, (mebibytes as u64) << 20);
        let stores = [ours(&server, false), ours(&server, true), theirs(&server)];
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let race_of = |title: &str, task: Task, rounds, count, unit: (f64, &str)| {
            let mut racers: Vec<_> = stores
                .iter()
                .zip(NAMES)
                .map(|(store, name)| {
                    let (runtime, store) = (&runtime, Arc::clone(store));
                    let run =
                        move |count| runtime.block_on(perform(task, &store, count, mebibytes));
                    if name == THEIRS { Racer::peer(name, run) } else { Racer::ours(name, run) }
                })
                .collect();
            race(&mut racers, rounds, count);
            print(&format!("{scheme}: {title}"), &racers, unit.0, unit.1);
        };
        race_of("GET of 1 KiB", Task::Get, rounds, count, US);
        race_of("PUT of 1 KiB", Task::Put, rounds, count, US);
        race_of("range of 64 KiB", Task::Range, rounds, count, US);
        race_of("list of 1,000", Task::List, rounds, count / 20, US);
        let gibibyte = (1e9 * (mebibytes << 20) as f64 / (1 << 30) as f64, "s/GiB");
        let rounds = rounds.min(7);
        race_of("ranges of 8 MiB, four at a time", Task::Ranges, rounds, 1, gibibyte);
        race_of("the whole as a stream", Task::Stream, rounds, 1, gibibyte);
        race_of("WriteMultipart, four at a time", Task::Parts, rounds, 1, gibibyte);
        race_of("BufWriter", Task::Writer, rounds, 1, gibibyte);
        for task in TASKS {
            let task_name = format!("{task:?}");
            let peaks = [NAMES[0], THEIRS].map(|name| peak(&server, name, &task_name, mebibytes));
            let [ours, theirs] = peaks.map(|kibibytes| kibibytes as f64 / 1024.0);
            let ratio = ours / theirs;
            println!(
                "{scheme}: memory of {task:?}: {ours:.1} MiB, {THEIRS} {theirs:.1} MiB, {ratio:.2}"
            );
        }
        let own = peak(&server, NAMES[0], OWN_WRITER, mebibytes) as f64 / 1024.0;
        println!("{scheme}: memory of S3Store::writer: {own:.1} MiB");
    }
}

/// What is done through the trait.
#[derive(Clone, Copy, Debug)]
enum Task {
    Get,
    Put,
    Range,
    List,
    Ranges,
    Stream,
    /// `WriteMultipart`, whose caller waits.
    Parts,
    Writer,
    /// `WriteMultipart`, whose caller does not wait: all parts are begun at once.
    Begun,
}

async fn perform(task: Task, store: &Arc<dyn ObjectStore>, count: usize, mebibytes: usize) {
    let (small, large) = (Path::from("small"), Path::from("large"));
    let size = (mebibytes as u64) << 20;
    match task {
        Task::Get => {
            for _ in 0..count {
                let got = store.get(&small).await.unwrap().bytes().await.unwrap();
                assert_eq!(got.len(), 1024);
            }
        }
        Task::Put => {
            for _ in 0..count {
                store.put(&small, BODY.into()).await.unwrap();
            }
        }
        Task::Range => {
            for at in 0..count as u64 {
                let start = (at * 100_003) % (size - RANGE);
                let got = store.get_range(&large, start..start + RANGE).await.unwrap();
                assert_eq!(got.len() as u64, RANGE);
            }
        }
        Task::List => {
            for _ in 0..count.max(1) {
                let all: Vec<_> = store.list(None).try_collect().await.unwrap();
                assert_eq!(all.len(), 1_000);
            }
        }
        Task::Ranges => {
            let part = PART as u64;
            let ranges = (0..size.div_ceil(part)).map(|at| at * part..size.min((at + 1) * part));
            let reads = stream::iter(ranges)
                .map(|range| async { store.get_range(&large, range).await.unwrap().len() as u64 });
            let got = reads.buffered(CONCURRENCY).fold(0, async |sum, length| sum + length).await;
            assert_eq!(got, size);
        }
        Task::Stream => {
            let mut stream = store.get(&large).await.unwrap().into_stream();
            let mut got = 0;
            while let Some(piece) = stream.try_next().await.unwrap() {
                got += piece.len() as u64;
            }
            assert_eq!(got, size);
        }
        Task::Parts | Task::Begun => {
            let upload = store.put_multipart(&large).await.unwrap();
            let mut write = WriteMultipart::new_with_chunk_size(upload, PART);
            for _ in 0..mebibytes.div_ceil(PART >> 20) {
                if let Task::Parts = task {
                    write.wait_for_capacity(CONCURRENCY - 1).await.unwrap();
                }
                write.put(vec![7; PART].into());
            }
            write.finish().await.unwrap();
        }
        Task::Writer => {
            write_all(BufWriter::new(Arc::clone(store), large), mebibytes).await;
        }
    }
}

/// Returns the peak of a process that performs the task once, in KiB.
fn peak(server: &Server, name: &str, task: &str, mebibytes: usize) -> u64 {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([MEMORY, name, task, &mebibytes.to_string(), &server.url])
        .env("STORES_CERTIFICATE", &server.certificate)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    String::from_utf8(out.stdout).unwrap().trim().parse().unwrap()
}

/// Performs a task, and prints by how much the peak is above what the process had before.
fn memory_of(name: &str, task: &str) {
    let (mebibytes, url) = (argument(4, 0), argument(5, String::new()));
    let certificate = std::env::var("STORES_CERTIFICATE").unwrap();
    let runtime: Runtime =
        Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let before = status("VmRSS");
    if task == OWN_WRITER {
        let store = ours_at(&url, &certificate, false);
        let write = async move {
            let writer = store.writer(&Path::from("large"), Default::default()).unwrap();
            write_all(writer, mebibytes).await;
        };
        runtime.block_on(async { tokio::spawn(write).await.unwrap() });
    } else {
        let store = match name {
            THEIRS => theirs_at(&url, &certificate),
            name => Arc::new(ours_at(&url, &certificate, name == CHECKED)),
        };
        let task = TASKS.into_iter().find(|one| format!("{one:?}") == task).unwrap();
        runtime.block_on(async {
            tokio::spawn(async move { perform(task, &store, 100, mebibytes).await }).await.unwrap()
        });
    }
    println!("{}", status("VmHWM") - before);
}

/// Writes as many MiB, one after the other.
async fn write_all(mut writer: impl AsyncWrite + Unpin, mebibytes: usize) {
    let piece = vec![7; 1 << 20];
    for _ in 0..mebibytes {
        writer.write_all(&piece).await.unwrap();
    }
    writer.shutdown().await.unwrap();
}

/// Returns a value of this process's status, in KiB.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn ours(server: &Server, checked: bool) -> Arc<dyn ObjectStore> {
    Arc::new(ours_at(&server.url, &server.certificate, checked))
}

fn ours_at(url: &str, certificate: &str, checked: bool) -> S3Store {
    let mut config = apus_async::TransportConfig::new();
    if !certificate.is_empty() {
        config = config.ca_bundle(certificate.as_bytes()).unwrap();
    }
    let url = BaseUrl::parse(url).unwrap();
    let mut settings = Config::new(EndpointConfig::custom(url, REGION));
    if checked {
        settings.checksum.enable_data_integrity_protection = true;
        settings.checksum.request = RequestChecksumCalculation::WhenSupported;
    }
    let service = Service::new(settings).unwrap();
    let client = apus_async::Client::builder(service, bare::credentials());
    let client = client.transport_config(config).build().unwrap();
    S3Store::new(client, BUCKET)
}

fn theirs(server: &Server) -> Arc<dyn ObjectStore> {
    theirs_at(&server.url, &server.certificate)
}

fn theirs_at(url: &str, certificate: &str) -> Arc<dyn ObjectStore> {
    let mut options = ClientOptions::new().with_allow_http(true);
    if !certificate.is_empty() {
        options =
            options.with_root_certificate(Certificate::from_pem(certificate.as_bytes()).unwrap());
    }
    let store = AmazonS3Builder::new()
        .with_endpoint(url)
        .with_region(REGION)
        .with_bucket_name(BUCKET)
        .with_access_key_id(KEY)
        .with_secret_access_key(SECRET)
        .with_client_options(options)
        .build();
    Arc::new(store.unwrap())
}

const NAMES: [&str; 3] = ["apus-object-store", CHECKED, THEIRS];
/// With a checksum of each object, so that the payload is not hashed for the signature over https.
const CHECKED: &str = "the same, CRC32";
const THEIRS: &str = "object_store";
const TASKS: [Task; 6] =
    [Task::Get, Task::Stream, Task::Ranges, Task::Writer, Task::Parts, Task::Begun];
/// A writer that object_store has not.
const OWN_WRITER: &str = "own writer";
const MEMORY: &str = "--memory";
const US: (f64, &str) = (1e3, "µs");
const REGION: &str = "us-east-1";
const BUCKET: &str = "bucket";
const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const BODY: Bytes = Bytes::from_static(&[7; 1024]);
const RANGE: u64 = 64 << 10;
const PART: usize = 8 << 20;
const CONCURRENCY: usize = 4;
