//! Downloads of every concurrency into every kind of sink.

use std::io::Read;
use std::sync::Arc;

use apus_conformance::server::{FaultyS3, Plan};
use apus_core::checksum::Algorithm;
use apus_core::machine::{DownloadOptions, S3Download};
use apus_core::s3::{ByteRange, ChecksumOptions, GetObject, PutObject, Service};
use bytes::Bytes;
use tokio::io::AsyncReadExt;

use crate::client::{Client, Setup, Target, Via, Wire, pattern};
use crate::uploads;

both! {
    every_width_fills_every_sink,
    ranges_of_the_object_are_read,
    readers_give_the_bytes_in_order,
}

/// A server with one object of this length, which has a CRC32 over its bytes.
pub(crate) fn server(via: Via, length: usize, plan: Plan) -> (FaultyS3, Bytes) {
    let server = uploads::server(false, Plan::new());
    let bytes = pattern(length);
    let mut put = PutObject::new("bucket", "key", bytes.clone());
    put.checksum = ChecksumOptions::algorithm(Algorithm::Crc32);
    Setup::of(&server).client(via).call(put).unwrap();
    server.model().set_plan(plan);
    (server, bytes)
}

pub(crate) fn download(get: GetObject, concurrency: usize, service: &Arc<Service>) -> S3Download {
    let options =
        DownloadOptions { range_size: 32 << 10, concurrency, ..DownloadOptions::default() };
    S3Download::new(get, Arc::clone(service), options, 7)
}

/// The object, and its checksum is checked.
pub(crate) fn whole() -> GetObject {
    GetObject { checksum_mode: true, ..GetObject::new("bucket", "key") }
}

fn client(server: &FaultyS3, via: Via) -> Client {
    Setup::of(server).client(via)
}

fn every_width_fills_every_sink(via: Via) {
    for length in [0, 1, 32 << 10, 300_000] {
        let (server, bytes) = server(via, length, Plan::new());
        let client = client(&server, via);
        for (concurrency, target) in [1, 4]
            .into_iter()
            .flat_map(|concurrency| Target::ALL.map(|target| (concurrency, target)))
        {
            let download = download(whole(), concurrency, &client.service);
            let (result, read) = client.run_into(download, target);
            let what = format!("{length} bytes, {concurrency} at once, {target:?}");
            let done = result.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(read == bytes, "{what}");
            assert_eq!(done.bytes, length as u64, "{what}");
            assert!(done.validation.is_validated(), "{what}: {:?}", done.validation);
            let expected = Algorithm::Crc32.digest(&bytes).unwrap();
            assert_eq!(done.digests.value(Algorithm::Crc32), Some(&expected), "{what}");
        }
        assert!(server.server().peak_concurrency() <= 4);
    }
}

fn ranges_of_the_object_are_read(via: Via) {
    let (server, bytes) = server(via, 200_000, Plan::new());
    let client = client(&server, via);
    let ranges = [
        (ByteRange::Span(10..150_000), &bytes[10..150_000]),
        (ByteRange::From(100_000), &bytes[100_000..]),
        (ByteRange::Last(70_000), &bytes[130_000..]),
        (ByteRange::Span(199_999..200_000), &bytes[199_999..]),
    ];
    for (range, expected) in ranges {
        for concurrency in [1, 3] {
            let get = GetObject { range: Some(range.clone()), ..GetObject::new("bucket", "key") };
            let (result, read) =
                client.run_into(download(get, concurrency, &client.service), Target::Writer);
            assert_eq!(result.unwrap().bytes, expected.len() as u64, "{range} {concurrency}");
            assert!(read == expected, "{range} {concurrency}");
        }
    }
}

fn readers_give_the_bytes_in_order(via: Via) {
    let (server, bytes) = server(via, 300_000, Plan::new());
    let client = client(&server, via);
    for concurrency in [1, 4] {
        let download = download(whole(), concurrency, &client.service);
        let mut read = Vec::new();
        let done = match &client.wire {
            Wire::Blocking(client) => {
                let mut reader = client.run(download).reader().unwrap();
                reader.read_to_end(&mut read).unwrap();
                reader.finish()
            }
            Wire::Async(client, runtime) => runtime.block_on(async {
                let mut reader = client.run(download).reader().unwrap();
                reader.read_to_end(&mut read).await.unwrap();
                reader.finish().await
            }),
        };
        assert!(read == bytes, "{concurrency} at once");
        assert!(done.unwrap().validation.is_validated());
    }
}
