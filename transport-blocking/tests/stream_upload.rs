//! Bodies from sources of all kinds.

mod support;

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use apus_blocking::{Source, TransportConfig};
use apus_core::checksum::{Algorithm, Hashers};
use apus_core::error::{ExchangeErrorKind, Kind};
use apus_core::http::{Body, BodyChecksum, Encoding, Framing, Payload};
use apus_core::http::{Draft, Exchange, decode_aws_chunked};
use bytes::Bytes;
use http::header::HeaderName;
use support::machines::Parts;
use support::server::{Server, Then};
use support::{Ask, Plain, cause, client, client_with};

const LENGTH: usize = 2_500_000;

fn bytes() -> Vec<u8> {
    (0..LENGTH).map(|at| (at * 11 % 251) as u8).collect()
}

fn store() -> Server {
    Server::start(|_, peer| {
        peer.answer("200 OK", &[], "");
        Then::Keep
    })
}

/// What `Parts` has sent, joined.
fn stored(server: &Server) -> Vec<u8> {
    let mut parts: Vec<_> = server
        .seen()
        .into_iter()
        .filter_map(|seen| {
            Some((seen.target().strip_prefix("/upload/")?.parse::<u64>().unwrap(), seen.body))
        })
        .collect();
    parts.sort();
    parts.dedup_by_key(|(start, _)| *start);
    parts.into_iter().flat_map(|(_, body)| body).collect()
}

fn file(content: &[u8], name: &str) -> File {
    let path = std::env::temp_dir().join(format!("apus-{name}-{}", std::process::id()));
    std::fs::write(&path, content).unwrap();
    let file = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file
}

#[test]
fn a_stream_goes_out_in_parts_however_wide() {
    for concurrency in [1, 4] {
        let server = store();
        let machine = Parts::new(Plain::new(server.base()), 300_000, concurrency);
        let source = Source::stream(Cursor::new(bytes()));
        let length = client(server.base()).run(machine).body(source).send().unwrap();
        assert_eq!(length, LENGTH as u64);
        assert!(stored(&server) == bytes());
    }
}

#[test]
fn a_machine_that_streams_takes_any_source() {
    for source in [Source::file(file(&bytes(), "any")), Source::bytes(bytes())] {
        let server = store();
        let source = source.tap(Hashers::new([Algorithm::Sha1]).unwrap());
        let machine = Parts::new(Plain::new(server.base()), 300_000, 2);
        client(server.base()).run(machine).body(&source).send().unwrap();
        assert!(stored(&server) == bytes());
        let digests = source.digests().unwrap();
        assert_eq!(
            *digests.value(Algorithm::Sha1).unwrap(),
            Algorithm::Sha1.digest(&bytes()).unwrap()
        );
    }
}

#[test]
fn a_part_is_sent_again_from_memory() {
    let refused = AtomicUsize::new(0);
    let server = Server::start(move |_, peer| {
        match refused.fetch_add(1, Ordering::SeqCst) % 2 {
            0 => peer.answer("500 Internal Server Error", &[], ""),
            _ => peer.answer("200 OK", &[], ""),
        }
        Then::Keep
    });
    let machine = Parts::new(Plain::new(server.base()), 300_000, 1);
    let source = Source::stream(Cursor::new(bytes()));
    client(server.base()).run(machine).body(source).send().unwrap();
    assert_eq!(server.seen().len(), 18);
    assert!(stored(&server) == bytes());
}

/// Counts the bytes read.
struct Counted<R>(R, Arc<AtomicU64>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.fetch_add(read as u64, Ordering::SeqCst);
        Ok(read)
    }
}

#[test]
fn no_more_is_read_than_the_machine_allows() {
    let read = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&read);
    let most = Arc::new(AtomicU64::new(0));
    let seen_most = Arc::clone(&most);
    let stored = AtomicU64::new(0);
    let server = Server::start(move |seen, peer| {
        // Bytes that were read and are not stored yet are in memory.
        let held = counter.load(Ordering::SeqCst) - stored.load(Ordering::SeqCst);
        seen_most.fetch_max(held, Ordering::SeqCst);
        stored.fetch_add(seen.body.len() as u64, Ordering::SeqCst);
        peer.answer("200 OK", &[], "");
        Then::Keep
    });
    let machine = Parts::new(Plain::new(server.base()), 100_000, 2);
    let source = Source::stream(Counted(io::repeat(1).take(5_000_000), read));
    client(server.base()).run(machine).body(source).send().unwrap();
    let most = most.load(Ordering::SeqCst);
    assert!(most <= 300_000, "{most}");
}

/// An error of the caller's.
#[derive(Debug)]
struct Torn(u8);

impl std::fmt::Display for Torn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the tape is torn")
    }
}

impl std::error::Error for Torn {}

/// Finds it among the sources of an error.
fn torn(error: &apus_core::Error) -> Option<u8> {
    let first: Option<&dyn std::error::Error> = Some(error);
    let mut chain = std::iter::successors(first, |error| error.source());
    chain.find_map(|error| error.downcast_ref::<Torn>()).map(|torn| torn.0)
}

#[test]
fn a_stream_that_fails_ends_the_run_and_cleans_up() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other(Torn(7)))
        }
    }
    let server = store();
    let machine = Parts::new(Plain::new(server.base()), 300_000, 2);
    let source = Source::stream(Cursor::new(vec![1; 700_000]).chain(Broken));
    let error = client(server.base()).run(machine).body(source).send().unwrap_err();
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Source), "{error}");
    assert!(error.to_string().contains("the tape is torn"), "{error}");
    assert_eq!(torn(&error), Some(7));
    let source = Source::reader(Cursor::new(vec![1; 10]).chain(Broken), 20);
    let error = client(server.base()).call_from(Ask::put_source("/", 20), source).unwrap_err();
    assert_eq!(torn(&error), Some(7), "{error}");
    // The server may see a broken-off request afterwards, because it uses another connection.
    assert!(server.seen().iter().any(|seen| seen.line == "DELETE /upload HTTP/1.1"));
}

#[test]
fn a_reader_that_ends_early_is_the_sources_fault() {
    let server = store();
    let source = Source::reader(Cursor::new(vec![1; 10]), 20);
    let ask = Ask::put_source("/", 20);
    let error = client(server.base()).call_from(ask, source).unwrap_err();
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Length), "{error}");
    assert_eq!(error.kind(), Kind::InvalidInput);
}

#[test]
fn a_reader_can_be_read_once_only() {
    let server = store();
    let source = Source::reader(Cursor::new(vec![1; 20]), 20);
    let client = client(server.base());
    client.call_from(Ask::put_source("/", 20), &source).unwrap();
    let error = client.call_from(Ask::put_source("/", 20), &source).unwrap_err();
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Source), "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn a_range_that_the_source_does_not_have_is_refused() {
    let server = store();
    for source in [Source::bytes(vec![1; 10]), Source::none(), Source::file(file(b"short", "s"))] {
        let error = client(server.base()).call_from(Ask::put_source("/", 11), source).unwrap_err();
        assert_eq!(cause(&error), Some(ExchangeErrorKind::Source), "{error}");
    }
}

fn stamped(length: u64) -> Ask {
    let checksums = vec![BodyChecksum {
        algorithm: Algorithm::Crc32c,
        name: HeaderName::from_static("x-checksum"),
        encoding: Encoding::Base64,
    }];
    Ask { checksums, ..Ask::put_source("/", length) }
}

#[test]
fn what_stands_in_the_head_is_computed_before_it_from_every_source() {
    let content = b"123456789";
    let small = || TransportConfig::new().in_memory_part_limit(4);
    let sources = [
        (TransportConfig::new(), Source::bytes(&content[..])),
        (TransportConfig::new(), Source::file(file(content, "m"))),
        (TransportConfig::new().reread(true), Source::file(file(content, "r"))),
        (small(), Source::file(file(content, "l"))),
        (TransportConfig::new(), Source::reader(&content[..], 9)),
        (TransportConfig::new().reread(true), Source::stream(&content[..])),
    ];
    for (config, source) in sources {
        let server = store();
        let shown = format!("{source:?}");
        let client = client_with(config, Plain::new(server.base()));
        client.call_from(stamped(9), source).unwrap();
        let seen = &server.seen()[0];
        // The check value of CRC-32/ISCSI, e3069283.
        assert_eq!(seen.header("x-checksum"), Some("4waSgw=="), "{shown}");
        assert_eq!(seen.body, content, "{shown}");
    }
    let server = store();
    let client = client_with(small(), Plain::new(server.base()));
    let error = client.call_from(stamped(9), Source::reader(&content[..], 9)).unwrap_err();
    assert!(error.to_string().contains("in_memory_part_limit"), "{error}");
    assert!(server.seen().is_empty());
}

#[test]
fn frames_go_out_whole_from_every_source() {
    let content = bytes();
    let sources = [
        Source::bytes(content.clone()),
        Source::file(file(&content, "f")),
        Source::reader(Cursor::new(content.clone()), LENGTH as u64),
    ];
    for source in sources {
        let server = store();
        let client = client(server.base());
        let mut draft: Box<Draft> =
            Ask::put_source("/", LENGTH as u64).draft(&Plain::new(server.base()));
        draft.payload = Payload::Unsigned;
        draft.framing = Some(Framing {
            chunk_size: 65_536,
            trailer: Some(BodyChecksum {
                algorithm: Algorithm::Crc32,
                name: HeaderName::from_static("x-checksum"),
                encoding: Encoding::Base64,
            }),
        });
        let exchange = Exchange::open(draft, apus_blocking::now(), 0);
        let length = exchange.content_length();
        let sink = apus_blocking::Sink::none();
        let done = client.transport().perform(exchange, &source, &sink);
        done.outcome().unwrap();
        assert_eq!(done.sent(), LENGTH as u64);
        let body = &server.seen()[0].body;
        assert_eq!(body.len() as u64, length);
        let (payload, trailers) = decode_aws_chunked(body).unwrap();
        assert!(payload == content);
        let crc = Algorithm::Crc32.digest(&content).unwrap().base64();
        assert_eq!(trailers, [("x-checksum".to_owned(), crc)]);
    }
}

#[test]
fn a_tap_has_the_digests_of_the_whole() {
    let content = bytes();
    let hashers = || Hashers::new([Algorithm::Md5, Algorithm::Sha256]).unwrap();
    let sources = [
        Source::stream(Cursor::new(content.clone())),
        Source::reader(Cursor::new(content.clone()), LENGTH as u64),
    ];
    for source in sources {
        let server = store();
        let source = source.tap(hashers());
        assert!(source.digests().is_none());
        let machine = Parts::new(Plain::new(server.base()), 300_000, 3);
        client(server.base()).run(machine).body(&source).send().unwrap();
        let digests = source.digests().unwrap();
        assert_eq!(
            *digests.value(Algorithm::Md5).unwrap(),
            Algorithm::Md5.digest(&content).unwrap()
        );
    }
    for source in [Source::file(file(&content, "t")), Source::bytes(content.clone())] {
        let server = store();
        let source = source.tap(hashers());
        let ask = Ask::put_source("/", LENGTH as u64);
        client(server.base()).call_from(ask, &source).unwrap();
        let digests = source.digests().unwrap();
        assert_eq!(
            *digests.value(Algorithm::Sha256).unwrap(),
            Algorithm::Sha256.digest(&content).unwrap()
        );
    }
}

#[test]
fn bytes_of_a_draft_need_no_source() {
    let server = store();
    let body = Body::Bytes(Bytes::from_static(b"hello"));
    client(server.base()).call(Ask { body, ..Ask::put("/", "") }).unwrap();
    assert_eq!(server.seen()[0].body, b"hello");
}
