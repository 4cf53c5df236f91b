//! The rate at which pages of ListObjectsV2 are read: `listing [ROUNDS] [COUNT]`.
//!
//! A page has 1,000 keys, in the form that Amazon S3 writes. Ours checks and converts all of it; the
//! peers deserialize the four elements that object_store reads, by the same crate and in the same
//! way, or only read the page's events.

use std::hint::black_box;

use apus_benches::machine::{Side, pin};
use apus_benches::race::{Racer, argument, load, print, race, verdict};
use apus_core::contract::Operation as _;
use apus_core::http::Reply;
use apus_core::s3::{BaseUrl, Config, EndpointConfig, ListObjectsV2, Service};
use bytes::{Buf as _, Bytes};
use http::Response;
use quick_xml::events::Event;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

fn main() {
    pin(Side::Client);
    let (rounds, count) = (argument(1, 21), argument(2, 200));
    let page = page();
    println!("listing: {rounds} rounds of {count} pages of {} bytes, load {}", page.len(), load());
    let base = BaseUrl::parse("https://s3.example.com").unwrap();
    let service = Service::new(Config::new(EndpointConfig::custom(base, "us-east-1"))).unwrap();
    let list = ListObjectsV2::new("bucket").prefix("logs/");
    let (head, ()) = Response::new(()).into_parts();
    let reply = Reply::new(head, page.clone());
    let mut racers = [
        Racer::ours("apus: ListObjectsV2", |n| {
            for _ in 0..n {
                let output = list.parse(&service, black_box(&reply)).unwrap();
                assert_eq!(black_box(output).contents.len(), KEYS);
            }
        }),
        Racer::peer("quick-xml and serde, as object_store", |n| {
            for _ in 0..n {
                let read = quick_xml::de::from_reader::<_, Page>(black_box(&page).clone().reader());
                let objects = read.unwrap().contents.into_iter().map(Entry::converted);
                assert_eq!(black_box(objects.collect::<Vec<_>>()).len(), KEYS);
            }
        }),
    ];
    race(&mut racers, rounds, count);
    print("A page of 1,000 keys", &racers, 1e3, "µs");
    // Not a peer: it returns nothing.
    let mut floor = [Racer::peer("quick-xml: events alone", |n| {
        for _ in 0..n {
            black_box(events(black_box(&page)));
        }
    })];
    race(&mut floor, rounds, count);
    println!();
    for racer in racers.iter().chain(&floor) {
        println!("  {:<40} {:>6.0} MB/s", racer.name(), page.len() as f64 * 1e3 / racer.median());
    }
    verdict("of 300 MB/s", racers[0].median() / 1e3, page.len() as f64 / 300.0, "µs a page");
}

fn page() -> Bytes {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>bucket</Name>\
         <Prefix>logs/</Prefix><NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4v\
         </NextContinuationToken><KeyCount>1000</KeyCount><MaxKeys>1000</MaxKeys>\
         <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>",
    );
    for at in 0..KEYS {
        let hash = (at as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        let (day, host, second, size) = (1 + at % 28, at % 97, at % 60, 4096 + at * 7919);
        text += &format!(
            "<Contents><Key>logs/2026/05/{day:02}/host-{host:04}/part-{at:05}.parquet</Key>\
             <LastModified>2026-05-{day:02}T08:12:{second:02}.000Z</LastModified>\
             <ETag>&quot;{hash:032x}&quot;</ETag>\
             <ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>\
             <ChecksumType>FULL_OBJECT</ChecksumType><Size>{size}</Size>\
             <StorageClass>STANDARD</StorageClass></Contents>"
        );
    }
    text += "</ListBucketResult>";
    text.into()
}

fn events(page: &[u8]) -> usize {
    let mut reader = quick_xml::Reader::from_str(std::str::from_utf8(page).unwrap());
    let mut count = 0;
    while !matches!(reader.read_event().unwrap(), Event::Eof) {
        count += 1;
    }
    count
}

#[derive(Deserialize)]
struct Page {
    #[serde(rename = "Contents", default)]
    contents: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    key: String,
    size: u64,
    last_modified: String,
    #[serde(rename = "ETag")]
    etag: Option<String>,
}

impl Entry {
    fn converted(self) -> (String, u64, OffsetDateTime, Option<String>) {
        let modified = OffsetDateTime::parse(&self.last_modified, &Rfc3339).unwrap();
        (self.key, self.size, modified, self.etag)
    }
}

const KEYS: usize = 1_000;
