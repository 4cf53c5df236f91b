//! Parallel ranges are delivered in order, in bounded memory, and no faster than they are read.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apus_async::Sink;
use apus_core::error::ExchangeErrorKind;
use apus_core::machine::{Event, Observer, RateLimits};
use apus_core::{Kind, Now};
use common::machines::Ranges;
use common::{Peer, Server, answer, client, noise, ok};
use tokio::io::AsyncReadExt;

/// Serves `/…?start-end` of `bytes`; calls `before` before each response.
fn ranges(bytes: Vec<u8>, before: impl Fn(&mut Peer, usize) + Send + Sync + 'static) -> Server {
    Server::start(move |peer| {
        while let Some((head, _)) = peer.request() {
            let query = head.split_whitespace().nth(1).unwrap().split('?').nth(1).unwrap();
            let (start, end) = query.split_once('-').unwrap();
            let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
            before(peer, start);
            peer.say(ok(&bytes[start..end]));
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranges_that_arrive_in_any_order_are_written_in_order() {
    let bytes = noise(400_000);
    let server = ranges(bytes.clone(), |_, start| {
        // Of every four ranges the first is the slowest.
        std::thread::sleep(Duration::from_millis(40 - 10 * (start as u64 / 10_000 % 4)));
    });
    let (writer, mut reader) = tokio::io::duplex(1000);
    let machine = Ranges::new(server.url(), 400_000, 10_000, 4);
    let client = client(server.url());
    let run = tokio::spawn(client.run(machine).write_to(Sink::writer(writer)).send());
    let mut got = Vec::new();
    reader.read_to_end(&mut got).await.unwrap();
    run.await.unwrap().unwrap();
    assert!(got == bytes);
    assert!(server.connections() <= 4, "no more connections than ranges at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_and_files_take_ranges_as_they_come() {
    let bytes = noise(300_000);
    let server = ranges(bytes.clone(), |_, _| {});
    let client = client(server.url());
    let machine = || Ranges::new(server.url(), 300_000, 70_000, 3);
    let memory = Sink::memory();
    client.run(machine()).write_to(&memory).send().await.unwrap();
    assert!(memory.take() == bytes);
    let path = std::env::temp_dir().join(format!("apus-async-sink-{}", std::process::id()));
    let file = std::fs::File::create(&path).unwrap();
    client.run(machine()).write_to(file).send().await.unwrap();
    let written = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(written == bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_the_width_are_in_flight() {
    let (now, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let server = ranges(noise(20_000), move |_, _| {
        seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(5));
        now.fetch_sub(1, Ordering::SeqCst);
    });
    let client = client(server.url());
    let run = client.run(Ranges::new(server.url(), 20_000, 1_000, 3));
    run.write_to(Sink::discard()).send().await.unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_range_that_fails_lets_those_that_wait_for_it_go() {
    // The second and third range have arrived and wait for the first, which never does.
    let bytes = noise(30_000);
    let server = Server::start(move |peer| {
        while let Some((head, _)) = peer.request() {
            if head.contains("?0-") {
                std::thread::sleep(Duration::from_millis(100));
                peer.say(answer("403 Forbidden", "no"));
            } else {
                peer.say(ok(&bytes[..10_000]));
            }
        }
    });
    let machine = Ranges::new(server.url(), 30_000, 10_000, 3);
    let sink = Sink::writer(tokio::io::sink());
    let run = client(server.url()).run(machine).write_to(sink).send();
    let error = tokio::time::timeout(Duration::from_secs(20), run).await.unwrap().unwrap_err();
    assert_eq!(error.status().unwrap(), 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_that_wait_for_their_turn_do_not_hold_up_who_is_next() {
    // One request at once for two machines, each of which needs two: if no exchange could end, they
    // would wait for each other.
    let bytes = noise(40_000);
    let server = ranges(bytes.clone(), |_, _| {});
    let client = client(server.url()).with_rate_limits(RateLimits::new(1));
    let runs = [(); 2].map(|()| {
        let (writer, reader) = tokio::io::duplex(50_000);
        let machine = Ranges::new(server.url(), 40_000, 10_000, 2);
        let sink = Sink::writer(writer);
        (tokio::spawn(client.run(machine).write_to(sink).send()), reader)
    });
    for (run, mut reader) in runs {
        tokio::time::timeout(Duration::from_secs(20), run).await.unwrap().unwrap().unwrap();
        let mut got = Vec::new();
        reader.read_to_end(&mut got).await.unwrap();
        assert!(got == bytes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_fails_ends_the_run() {
    let server = ranges(noise(100_000), |_, _| {});
    let (writer, reader) = tokio::io::duplex(100);
    drop(reader);
    let machine = Ranges::new(server.url(), 100_000, 10_000, 3);
    let run = client(server.url()).run(machine).write_to(Sink::writer(writer)).send();
    let error = run.await.unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidInput);
    assert_eq!(error.exchange_error().unwrap().kind(), ExchangeErrorKind::Sink);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_reads_it_all_and_then_tells_what_the_machine_came_to() {
    let bytes = noise(500_000);
    let server = ranges(bytes.clone(), |_, _| {});
    let client = client(server.url());
    let mut reader = client.run(Ranges::new(server.url(), 500_000, 60_000, 3)).reader().unwrap();
    let mut got = Vec::new();
    reader.read_to_end(&mut got).await.unwrap();
    assert!(got == bytes);
    assert_eq!(reader.finish().await.unwrap().len(), 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_readers_error_comes_after_what_arrived() {
    let server = Server::start(|peer| {
        peer.request();
        peer.say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345");
    });
    let mut reader =
        client(server.url()).run(Ranges::new(server.url(), 10, 10, 1)).reader().unwrap();
    let mut got = Vec::new();
    let error = reader.read_to_end(&mut got).await.unwrap_err();
    assert_eq!(got, b"12345");
    let error = error.get_ref().unwrap().downcast_ref::<apus_core::Error>().unwrap();
    assert_eq!(error.exchange_error().unwrap().kind(), ExchangeErrorKind::Cut);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_is_dropped_stops_the_download() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let server = ranges(noise(10_000_000), move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let mut reader = client(server.url())
        .run(Ranges::new(server.url(), 10_000_000, 100_000, 2))
        .reader()
        .unwrap();
    let mut first = [0; 10];
    reader.read_exact(&mut first).await.unwrap();
    drop(reader);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let after = asked.load(Ordering::SeqCst);
    assert!(after < 30, "{after} of 100 ranges were asked for");
}

struct Count(Mutex<(u64, usize)>);

impl Observer for Count {
    fn event(&self, _: Now, event: &Event<'_>) {
        let mut count = self.0.lock().unwrap();
        match event {
            Event::Received { bytes } => count.0 += bytes,
            Event::Ended { .. } => count.1 += 1,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_is_told_of_every_byte() {
    let server = ranges(noise(500_000), |_, _| {});
    let count = Arc::new(Count(Mutex::default()));
    let machine = Ranges::new(server.url(), 500_000, 150_000, 2);
    let run = client(server.url()).run(machine).with_observer(count.clone());
    run.write_to(Sink::discard()).send().await.unwrap();
    assert_eq!(*count.0.lock().unwrap(), (500_000, 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_move_no_faster_than_they_may() {
    // The bytes of a second may be sent at once; the rest is paced.
    let server = ranges(noise(300_000), |_, _| {});
    let client =
        client(server.url()).with_rate_limits(RateLimits::new(4).bytes_per_second(200_000));
    let began = std::time::Instant::now();
    let run = client.run(Ranges::new(server.url(), 300_000, 50_000, 2));
    run.write_to(Sink::discard()).send().await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(450), "{:?}", began.elapsed());
}
