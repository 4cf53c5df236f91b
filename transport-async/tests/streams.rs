//! A source of unknown length is read as far as the machine allows, and sent in parts.

mod common;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use apus_async::{CancelToken, Source};
use apus_core::Now;
use apus_core::checksum::{Algorithm, Hashers};
use apus_core::error::ExchangeErrorKind;
use apus_core::machine::{Event, Observer};
use common::machines::Parts;
use common::{Ask, Server, client, noise, ok};
use tokio::io::{AsyncRead, ReadBuf};

/// Bodies, by the position in the query.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<BTreeMap<u64, Vec<u8>>>>);

impl Kept {
    fn parts(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().values().cloned().collect()
    }
}

/// Keeps the bodies of PUTs.
fn store() -> (Server, Kept) {
    let parts = Kept::default();
    let kept = parts.clone();
    let server = Server::start(move |peer| {
        while let Some((head, body)) = peer.request() {
            let query = head.split_whitespace().nth(1).unwrap().split('?').nth(1).unwrap();
            if let Ok(start) = query.parse() {
                kept.0.lock().unwrap().insert(start, body);
            }
            peer.say(ok(""));
        }
    });
    (server, parts)
}

fn methods(server: &Server) -> Vec<String> {
    let heads = server.heads();
    heads.iter().map(|head| head.split_whitespace().next().unwrap().to_owned()).collect()
}

/// Ready when this many requests have arrived; panics after a minute.
async fn heard(server: &Server, requests: usize) {
    let come = async {
        while server.heads().len() < requests {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), come).await;
    assert!(waited.is_ok(), "{:?}", methods(server));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_are_whole_whatever_pieces_the_stream_comes_in() {
    let bytes = noise(2_345_678);
    let (server, parts) = store();
    let client = client(server.url());
    let (writer, reader) = tokio::io::duplex(7919);
    let feed = bytes.clone();
    tokio::spawn(async move {
        let mut writer = writer;
        tokio::io::AsyncWriteExt::write_all(&mut writer, &feed).await.unwrap();
    });
    let machine = Parts::new(server.url(), 300_000, 3);
    let source = Source::stream(reader).tap(Hashers::new([Algorithm::Crc32]).unwrap());
    assert_eq!(source.digests(), None);
    let length = client.run(machine).body(&source).send().await.unwrap();
    assert_eq!(length, bytes.len() as u64);
    let parts = parts.parts();
    assert!(parts.iter().rev().skip(1).all(|part| part.len() == 300_000));
    assert!(parts.concat() == bytes);
    let digests = source.digests().unwrap();
    assert_eq!(digests.value(Algorithm::Crc32), Some(&Algorithm::Crc32.digest(&bytes).unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_of_any_kind_feed_a_machine_that_reads_from_a_stream() {
    let bytes = noise(50_000);
    for source in [
        Source::bytes(bytes.clone()),
        Source::reader(std::io::Cursor::new(bytes.clone()), 50_000),
        Source::stream(std::io::Cursor::new(bytes.clone())),
    ] {
        let (server, parts) = store();
        let machine = Parts::new(server.url(), 20_000, 1);
        client(server.url()).run(machine).body(&source).send().await.unwrap();
        let parts = parts.parts();
        assert!(parts.concat() == bytes, "{source:?}");
    }
}

/// The bytes of each event for sent bytes.
#[derive(Default)]
struct Steps(Mutex<Vec<u64>>);

impl Observer for Steps {
    fn event(&self, _: Now, event: &Event<'_>) {
        if let Event::Sent { bytes } = event {
            self.0.lock().unwrap().push(*bytes);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_of_a_large_part_is_told_often() {
    let (server, _) = store();
    let length = 8 << 20;
    let steps = Arc::new(Steps::default());
    let machine = Parts::new(server.url(), length, 1);
    let source = Source::bytes(noise(length as usize));
    client(server.url())
        .run(machine)
        .body(source)
        .with_observer(steps.clone())
        .send()
        .await
        .unwrap();
    let steps = steps.0.lock().unwrap();
    assert_eq!(steps.iter().sum::<u64>(), length);
    assert!(steps.iter().all(|bytes| *bytes <= 512 << 10), "{steps:?}");
}

/// Endless zeros, and the number of bytes read.
struct Endless(Arc<AtomicU64>);

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.0.fetch_add(buffer.remaining() as u64, Ordering::SeqCst);
        buffer.initialize_unfilled();
        buffer.set_filled(buffer.capacity());
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_is_read_than_the_machine_allows() {
    // The server accepts one part, and then nothing.
    let server = Server::start(|peer| {
        while let Some(head) = peer.head() {
            if head.starts_with("PUT") {
                peer.wait_for_end();
            } else {
                peer.say(ok(""));
            }
        }
    });
    let read = Arc::new(AtomicU64::new(0));
    let token = CancelToken::new();
    let machine = Parts::new(server.url(), 100_000, 2);
    let source = Source::stream(Endless(Arc::clone(&read)));
    let client = client(server.url());
    let run = tokio::spawn(client.run(machine).body(source).cancel_on(token.clone()).send());
    while read.load(Ordering::SeqCst) < 300_000 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Enough time for a transport that would continue.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(read.load(Ordering::SeqCst), 300_000, "a window of concurrency + 1 parts");
    token.cancel();
    assert!(run.await.unwrap().unwrap_err().is_cancelled());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_fails_is_the_error_and_what_was_begun_is_cleaned_up() {
    /// An error of the caller's.
    #[derive(Debug)]
    struct Torn(u8);
    impl std::fmt::Display for Torn {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the tape is torn")
        }
    }
    impl std::error::Error for Torn {}
    struct Broken;
    impl AsyncRead for Broken {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            Poll::Ready(Err(std::io::Error::other(Torn(7))))
        }
    }
    let (server, _) = store();
    let machine = Parts::new(server.url(), 100_000, 2);
    let error =
        client(server.url()).run(machine).body(Source::stream(Broken)).send().await.unwrap_err();
    assert_eq!(error.exchange_error().unwrap().kind(), ExchangeErrorKind::Source);
    assert!(error.to_string().contains("the tape is torn"), "{error}");
    let first: Option<&dyn std::error::Error> = Some(&error);
    let mut chain = std::iter::successors(first, |error| error.source());
    assert!(chain.any(|error| error.downcast_ref::<Torn>().is_some_and(|torn| torn.0 == 7)));
    assert!(
        matches!(methods(&server).as_slice(), [begin, end] if begin == "POST" && end == "DELETE")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_upload_is_aborted() {
    let server = Server::start(|peer| {
        while let Some(head) = peer.head() {
            if head.starts_with("PUT") {
                peer.wait_for_end();
            } else {
                peer.say(ok(""));
            }
        }
    });
    let token = CancelToken::new();
    let client = client(server.url());
    let machine = Parts::new(server.url(), 10_000, 2);
    let source = Source::bytes(noise(100_000));
    let run = tokio::spawn(client.run(machine).body(source).cancel_on(token.clone()).send());
    heard(&server, 3).await;
    token.cancel();
    assert!(run.await.unwrap().unwrap_err().is_cancelled());
    assert_eq!(methods(&server), ["POST", "PUT", "PUT", "DELETE"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_dropped_is_aborted_all_the_same() {
    let server = Server::start(|peer| {
        while let Some(head) = peer.head() {
            if head.starts_with("PUT") {
                peer.wait_for_end();
            } else {
                peer.say(ok(""));
            }
        }
    });
    let client = client(server.url());
    let machine = Parts::new(server.url(), 10_000, 1);
    let run = client.run(machine).body(Source::bytes(noise(100_000))).send();
    tokio::select! {
        done = run => panic!("{done:?}"),
        () = heard(&server, 2) => {}
    }
    heard(&server, 3).await;
    assert_eq!(methods(&server), ["POST", "PUT", "DELETE"]);
}

#[tokio::test]
async fn a_dropped_call_leaves_room_for_the_next() {
    let server = Server::start(|peer| {
        if peer.request().is_some_and(|(head, _)| head.starts_with("GET /fast")) {
            peer.say(ok("here"));
        }
        peer.wait_for_end();
    });
    let rate_limits = apus_core::machine::RateLimits::new(1);
    let client = client(server.url()).with_rate_limits(rate_limits);
    tokio::select! {
        done = client.call(Ask::get("/slow")) => panic!("{done:?}"),
        () = heard(&server, 1) => {}
    }
    let fast = tokio::time::timeout(Duration::from_secs(20), client.call(Ask::get("/fast")));
    assert_eq!(fast.await.unwrap().unwrap().body, "here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_panics_completes_as_cancelled() {
    struct Panics;
    impl AsyncRead for Panics {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            panic!("a reader of the caller's")
        }
    }
    // Read by the worker, because the machine knows the length and has no stream window.
    let server = Server::always(ok(""));
    let machine = common::machines::Put { url: server.url(), length: 10, done: None, sent: false };
    let client = client(server.url());
    let run = client.run(machine).body(Source::reader(Panics, 10)).send();
    let error = tokio::time::timeout(Duration::from_secs(20), run).await.unwrap().unwrap_err();
    assert!(error.is_cancelled(), "{error}");
}
