//! CPU time compared with other S3 clients, each with its defaults: `rivals [ROUNDS] [COUNT]
//! [MIB]`.
//!
//! One small operation over a persistent connection, and a large object in parts of 8 MiB, four at
//! a time, over http. All except apus-blocking run on a tokio runtime of one thread. Over http all
//! except opendal sign the payload, which requires its SHA-256; opendal sends no checksum either.
//! Ours also runs in that way, and with CRC64NVME instead of the signed payload.
//! aws-sdk-s3-transfer-manager has threads and connections of its own, as it recommends.

use std::sync::Arc;

use apus_benches::bare;
use apus_benches::machine::{Side, pin};
use apus_benches::race::{Racer, argument, load, print, race};
use apus_benches::server::{Server, serve_if_told};
use apus_core::checksum::Algorithm;
use apus_core::machine::{
    Auth, DownloadOptions, S3Download, S3Upload, UploadOptions, UploadSource,
};
use apus_core::s3::{ChecksumOptions, Config, GetObject, PutObject, Service};
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, ResponseChecksumValidation};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_sdk_s3_transfer_manager as transfer_manager;
use aws_sdk_s3_transfer_manager::types::{ConcurrencyMode, PartSize};
use bytes::{Buf as _, Bytes};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, WriteMultipart};
use tokio::runtime::{Builder, Runtime};

fn main() {
    serve_if_told();
    pin(Side::Client);
    let (rounds, count, mebibytes) = (argument(1, 11), argument(2, 1_000), argument(3, 1024));
    println!("rivals: {rounds} rounds, load {}", load());
    let bytes = Bytes::from(vec![7; mebibytes << 20]);
    let server = Server::start("http", bytes.len() as u64);
    let clients = Clients::new(&server);
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    race_of("GET of 1 KiB", small_gets(&clients, &runtime), rounds, count, US);
    race_of("PUT of 1 KiB", small_puts(&clients, &runtime), rounds, count, US);
    // Seconds a GiB.
    let unit = (1e9 * bytes.len() as f64 / (1 << 30) as f64, "s/GiB");
    let rounds = rounds.min(5);
    race_of("upload", uploads(&clients, &runtime, &bytes), rounds, 1, unit);
    race_of("download", downloads(&clients, &runtime, bytes.len() as u64), rounds, 1, unit);
}

fn race_of(
    title: &str,
    mut racers: Vec<Racer<'_>>,
    rounds: usize,
    count: usize,
    unit: (f64, &str),
) {
    race(&mut racers, rounds, count);
    print(title, &racers, unit.0, unit.1);
}

/// One client of each kind, with the same server, bucket and keys.
struct Clients {
    apus: apus_async::Client<Service>,
    /// Payloads are not signed.
    apus_unsigned: apus_async::Client<Service>,
    apus_blocking: apus_blocking::Client<Service>,
    object_store: Arc<object_store::aws::AmazonS3>,
    opendal: opendal::Operator,
    aws: aws_sdk_s3::Client,
    transfer_manager: transfer_manager::Client,
}

impl Clients {
    fn new(server: &Server) -> Self {
        let config = apus_async::TransportConfig::new();
        let transport = apus_async::Transport::new(config).unwrap();
        let auth = Auth::new(bare::credentials());
        let apus =
            apus_async::Client::with_transport(transport.clone(), service(server), auth.clone());
        let apus_unsigned =
            apus_async::Client::with_transport(transport, bare::service(server), auth);
        let config = apus_blocking::TransportConfig::new();
        let transport = apus_blocking::Transport::new(config).unwrap();
        let auth = Auth::new(bare::credentials());
        let apus_blocking = apus_blocking::Client::with_transport(transport, service(server), auth);
        let object_store = AmazonS3Builder::new()
            .with_endpoint(&server.url)
            .with_allow_http(true)
            .with_region(REGION)
            .with_bucket_name(BUCKET)
            .with_access_key_id(KEY)
            .with_secret_access_key(SECRET)
            .build()
            .unwrap();
        opendal::install_default();
        let opendal = opendal::services::S3::default()
            .endpoint(&server.url)
            .region(REGION)
            .bucket(BUCKET)
            .access_key_id(KEY)
            .secret_access_key(SECRET)
            .disable_config_load();
        let opendal = opendal::Operator::new(opendal).unwrap();
        let aws = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&server.url)
            .force_path_style(true)
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new(KEY, SECRET, None, None, "bench"))
            // The server sends the checksum of the whole object with ranges too.
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        let transfer_manager = transfer_manager::Config::builder()
            .s3_config(aws.to_builder())
            .part_size(PartSize::Target(PART as u64))
            .concurrency(ConcurrencyMode::Explicit(CONCURRENCY))
            .build();
        let transfer_manager = transfer_manager::Client::new(transfer_manager);
        let aws = aws_sdk_s3::Client::from_conf(aws);
        Self {
            apus,
            apus_unsigned,
            apus_blocking,
            object_store: Arc::new(object_store),
            opendal,
            aws,
            transfer_manager,
        }
    }
}

/// With the defaults, as all others.
fn service(server: &Server) -> Service {
    Service::new(Config::new(bare::endpoint(server))).unwrap()
}

fn small_gets<'a>(clients: &'a Clients, runtime: &'a Runtime) -> Vec<Racer<'a>> {
    let path = Path::from(SMALL);
    vec![
        Racer::ours("apus-async", |n| {
            runtime.block_on(async {
                for _ in 0..n {
                    let got = clients.apus.call(GetObject::new(BUCKET, SMALL)).await.unwrap();
                    assert_eq!(got.body.len(), 1024);
                }
            });
        }),
        Racer::ours("apus-blocking", |n| {
            for _ in 0..n {
                let got = clients.apus_blocking.call(GetObject::new(BUCKET, SMALL)).unwrap();
                assert_eq!(got.body.len(), 1024);
            }
        }),
        Racer::peer("object_store", move |n| {
            runtime.block_on(async {
                for _ in 0..n {
                    let got = clients.object_store.get(&path).await.unwrap();
                    assert_eq!(got.bytes().await.unwrap().len(), 1024);
                }
            });
        }),
        Racer::peer("opendal", |n| {
            runtime.block_on(async {
                for _ in 0..n {
                    assert_eq!(clients.opendal.read(SMALL).await.unwrap().len(), 1024);
                }
            });
        }),
        Racer::peer("aws-sdk-s3", |n| {
            runtime.block_on(async {
                for _ in 0..n {
                    let got = clients.aws.get_object().bucket(BUCKET).key(SMALL).send().await;
                    let body = got.unwrap().body.collect().await.unwrap().into_bytes();
                    assert_eq!(body.len(), 1024);
                }
            });
        }),
    ]
}

fn small_puts<'a>(clients: &'a Clients, runtime: &'a Runtime) -> Vec<Racer<'a>> {
    let path = Path::from(SMALL);
    vec![
        Racer::ours("apus-async", |n| {
            runtime.block_on(async {
                for _ in 0..n {
                    clients.apus.call(PutObject::new(BUCKET, SMALL, BODY)).await.unwrap();
                }
            });
        }),
        Racer::ours("apus-blocking", |n| {
            for _ in 0..n {
                clients.apus_blocking.call(PutObject::new(BUCKET, SMALL, BODY)).unwrap();
            }
        }),
        Racer::peer("object_store", move |n| {
            runtime.block_on(async {
                for _ in 0..n {
                    clients.object_store.put(&path, BODY.into()).await.unwrap();
                }
            });
        }),
        Racer::peer("opendal", |n| {
            runtime.block_on(async {
                for _ in 0..n {
                    clients.opendal.write(SMALL, BODY).await.unwrap();
                }
            });
        }),
        Racer::peer("aws-sdk-s3", |n| {
            runtime.block_on(async {
                for _ in 0..n {
                    let put = clients.aws.put_object().bucket(BUCKET).key(SMALL);
                    put.body(ByteStream::from(BODY)).send().await.unwrap();
                }
            });
        }),
    ]
}

fn uploads<'a>(clients: &'a Clients, runtime: &'a Runtime, bytes: &'a Bytes) -> Vec<Racer<'a>> {
    vec![
        Racer::ours("apus-async", |_| {
            let upload = upload(clients.apus.service(), bytes, None);
            runtime.block_on(clients.apus.run(upload).body(bytes.clone()).send()).unwrap();
        }),
        Racer::ours("apus-async, unsigned", |_| {
            let client = &clients.apus_unsigned;
            let upload = upload(client.service(), bytes, None);
            runtime.block_on(client.run(upload).body(bytes.clone()).send()).unwrap();
        }),
        Racer::ours("apus-async, unsigned, CRC64NVME", |_| {
            let client = &clients.apus_unsigned;
            let upload = upload(client.service(), bytes, Some(Algorithm::Crc64Nvme));
            runtime.block_on(client.run(upload).body(bytes.clone()).send()).unwrap();
        }),
        Racer::ours("apus-blocking", |_| {
            let upload = upload(clients.apus_blocking.service(), bytes, None);
            clients.apus_blocking.run(upload).body(bytes.clone()).send().unwrap();
        }),
        Racer::peer("object_store", |_| {
            runtime.block_on(async {
                let path = Path::from(LARGE);
                let upload = clients.object_store.put_multipart(&path).await.unwrap();
                let mut write = WriteMultipart::new_with_chunk_size(upload, PART);
                for part in parts(bytes) {
                    write.wait_for_capacity(CONCURRENCY - 1).await.unwrap();
                    write.put(part);
                }
                write.finish().await.unwrap();
            });
        }),
        Racer::peer("opendal", |_| {
            runtime.block_on(async {
                let writer = clients.opendal.writer_with(LARGE).chunk(PART).concurrent(CONCURRENCY);
                let mut writer = writer.await.unwrap();
                for part in parts(bytes) {
                    writer.write(part).await.unwrap();
                }
                writer.close().await.unwrap();
            });
        }),
        Racer::peer("aws-sdk-s3", |_| {
            runtime.block_on(aws_upload(&clients.aws, bytes));
        }),
        Racer::peer("aws-sdk-s3-transfer-manager", |_| {
            runtime.block_on(async {
                let upload = clients.transfer_manager.upload().bucket(BUCKET).key(LARGE);
                let upload = upload.body(bytes.clone().into()).initiate().unwrap();
                upload.join().await.unwrap();
            });
        }),
    ]
}

async fn aws_upload(client: &aws_sdk_s3::Client, bytes: &Bytes) {
    let made = client.create_multipart_upload().bucket(BUCKET).key(LARGE).send().await.unwrap();
    let id = made.upload_id().unwrap();
    let sent = stream::iter(parts(bytes).enumerate()).map(|(number, part)| async move {
        let number = number as i32 + 1;
        let request = client.upload_part().bucket(BUCKET).key(LARGE).upload_id(id);
        let request = request.part_number(number).body(ByteStream::from(part));
        let stored = request.send().await.unwrap();
        let part = CompletedPart::builder().part_number(number);
        part.set_e_tag(stored.e_tag).set_checksum_crc32(stored.checksum_crc32).build()
    });
    let sent = sent.buffered(CONCURRENCY).collect::<Vec<_>>().await;
    let all = CompletedMultipartUpload::builder().set_parts(Some(sent)).build();
    let complete = client.complete_multipart_upload().bucket(BUCKET).key(LARGE).upload_id(id);
    complete.multipart_upload(all).send().await.unwrap();
}

fn downloads<'a>(clients: &'a Clients, runtime: &'a Runtime, size: u64) -> Vec<Racer<'a>> {
    vec![
        Racer::ours("apus-async", move |_| {
            let run = clients.apus.run(download(clients.apus.service()));
            let run = run.write_to(apus_async::Sink::discard());
            assert_eq!(runtime.block_on(run.send()).unwrap().bytes, size);
        }),
        Racer::ours("apus-blocking", move |_| {
            let run = clients.apus_blocking.run(download(clients.apus_blocking.service()));
            let run = run.write_to(apus_blocking::Sink::discard());
            assert_eq!(run.send().unwrap().bytes, size);
        }),
        Racer::peer("object_store", move |_| {
            let path = &Path::from(LARGE);
            let got = runtime.block_on(async {
                let ranges = stream::iter(ranges(size)).map(|range| async move {
                    clients.object_store.get_range(path, range).await.unwrap().len() as u64
                });
                ranges.buffered(CONCURRENCY).fold(0, async |sum, length| sum + length).await
            });
            assert_eq!(got, size);
        }),
        Racer::peer("opendal", move |_| {
            let got = runtime.block_on(async {
                let reader = clients.opendal.reader_with(LARGE).chunk(PART).concurrent(CONCURRENCY);
                let mut stream = reader.await.unwrap().into_stream(0..size).await.unwrap();
                let mut got = 0;
                while let Some(buffer) = stream.try_next().await.unwrap() {
                    got += buffer.len() as u64;
                }
                got
            });
            assert_eq!(got, size);
        }),
        Racer::peer("aws-sdk-s3", move |_| {
            let got = runtime.block_on(async {
                let ranges = stream::iter(ranges(size)).map(|range| async move {
                    let range = format!("bytes={}-{}", range.start, range.end - 1);
                    let get = clients.aws.get_object().bucket(BUCKET).key(LARGE).range(range);
                    let mut body = get.send().await.unwrap().body;
                    let mut got = 0;
                    while let Some(piece) = body.try_next().await.unwrap() {
                        got += piece.len() as u64;
                    }
                    got
                });
                ranges.buffered(CONCURRENCY).fold(0, async |sum, length| sum + length).await
            });
            assert_eq!(got, size);
        }),
        Racer::peer("aws-sdk-s3-transfer-manager", move |_| {
            let got = runtime.block_on(async {
                let download = clients.transfer_manager.download().bucket(BUCKET).key(LARGE);
                let mut download = download.initiate().unwrap();
                let mut got = 0;
                while let Some(chunk) = download.body_mut().next().await {
                    got += chunk.unwrap().data.remaining() as u64;
                }
                got
            });
            assert_eq!(got, size);
        }),
    ]
}

fn upload(service: &Arc<Service>, bytes: &Bytes, algorithm: Option<Algorithm>) -> S3Upload {
    let checksum = ChecksumOptions { algorithm, ..ChecksumOptions::default() };
    let options = UploadOptions {
        part_size: PART as u64,
        concurrency: CONCURRENCY,
        checksum,
        ..UploadOptions::default()
    };
    let source = UploadSource::Seekable(bytes.len() as u64);
    S3Upload::new(BUCKET, LARGE, source, options, Arc::clone(service), 1).unwrap()
}

fn download(service: &Arc<Service>) -> S3Download {
    let options = DownloadOptions {
        range_size: PART as u64,
        concurrency: CONCURRENCY,
        ..DownloadOptions::default()
    };
    S3Download::new(GetObject::new(BUCKET, LARGE), Arc::clone(service), options, 1)
}

fn parts(bytes: &Bytes) -> impl Iterator<Item = Bytes> {
    ranges(bytes.len() as u64).map(|range| bytes.slice(range.start as usize..range.end as usize))
}

fn ranges(size: u64) -> impl Iterator<Item = std::ops::Range<u64>> {
    let part = PART as u64;
    (0..size.div_ceil(part)).map(move |at| at * part..size.min((at + 1) * part))
}

const US: (f64, &str) = (1e3, "µs");
const REGION: &str = "us-east-1";
const BUCKET: &str = "bucket";
const SMALL: &str = "small";
const LARGE: &str = "large";
const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const BODY: Bytes = Bytes::from_static(&[7; 1024]);
const PART: usize = 8 << 20;
const CONCURRENCY: usize = 4;
