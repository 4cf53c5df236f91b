//! Ranges in parallel, delivered in order.

mod support;

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, LazyLock, Mutex};
use std::time::Duration;

use apus_blocking::{Sink, TransportConfig};
use apus_core::error::ExchangeErrorKind;
use apus_core::machine::RateLimits;
use support::machines::Ranges;
use support::server::{Peer, Seen, Server, Then};
use support::{Plain, cause, client, client_with};

const LENGTH: usize = 1_000_000;

fn object() -> &'static [u8] {
    static OBJECT: LazyLock<Vec<u8>> =
        LazyLock::new(|| (0..LENGTH).map(|at| (at * 7 % 253) as u8).collect());
    &OBJECT
}

fn send_range(seen: &Seen, peer: &mut Peer<'_>, most: usize) -> Then {
    let range = seen.range();
    let body = object();
    peer.send(format!(
        "HTTP/1.1 206 Partial Content\r\ncontent-length: {}\r\ncontent-range: bytes {}-{}/{LENGTH}\r\n\r\n",
        range.len(),
        range.start,
        range.end - 1
    ));
    let sent = range.len().min(most);
    peer.send(&body[range.start..range.start + sent]);
    if sent < range.len() { Then::Close } else { Then::Keep }
}

fn ranges(server: &Server, concurrency: usize) -> Ranges {
    Ranges::new(Plain::new(server.base()), LENGTH as u64, 70_001, concurrency)
}

#[test]
fn a_writer_gets_the_bytes_in_order_however_they_arrive() {
    // The response with the first range is the last.
    let answered = Arc::new((Mutex::new(0), Condvar::new()));
    let server = Server::start(move |seen, peer| {
        let (count, changed) = &*answered;
        if seen.range().start == 0 {
            let wait = changed.wait_while(count.lock().unwrap(), |count| *count < 3);
            drop(wait.unwrap());
        }
        let then = send_range(seen, peer, usize::MAX);
        *count.lock().unwrap() += 1;
        changed.notify_all();
        then
    });
    let mut out = Vec::new();
    client(server.base()).run(ranges(&server, 4)).write_to(Sink::writer(&mut out)).send().unwrap();
    assert!(out == object());
}

#[test]
fn memory_and_files_get_the_same() {
    let server = Server::start(|seen, peer| send_range(seen, peer, usize::MAX));
    let client = client(server.base());
    let sink = Sink::memory();
    client.run(ranges(&server, 3)).write_to(&sink).send().unwrap();
    assert!(sink.take() == object());
    let path = std::env::temp_dir().join(format!("apus-download-{}", std::process::id()));
    let file = std::fs::File::create(&path).unwrap();
    client.run(ranges(&server, 3)).write_to(file).send().unwrap();
    let have = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(have == object());
}

#[test]
fn cut_ranges_go_on_where_they_were_cut() {
    let server = Server::start(|seen, peer| send_range(seen, peer, 50_000));
    let mut out = Vec::new();
    let run = client(server.base()).run(ranges(&server, 4)).write_to(Sink::writer(&mut out));
    let cut = run.send().unwrap();
    assert_eq!(cut, 14);
    assert!(out == object());
}

#[test]
fn as_many_as_the_width_at_once_and_no_more() {
    let (flying, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let (seen_most, together) = (Arc::clone(&most), Barrier::new(3));
    let server = Server::start(move |seen, peer| {
        seen_most.fetch_max(flying.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // The first three responses are sent only when all three requests have arrived.
        if seen.range().start < 3 * 70_001 {
            together.wait();
        }
        flying.fetch_sub(1, Ordering::SeqCst);
        send_range(seen, peer, usize::MAX)
    });
    client(server.base()).run(ranges(&server, 3)).write_to(Sink::discard()).send().unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[test]
fn a_range_that_fails_for_good_does_not_leave_the_others_waiting() {
    let server = Server::start(|seen, peer| {
        if seen.range().start == 0 {
            std::thread::sleep(Duration::from_millis(50));
            peer.answer("200 OK", &[], vec![0; 100_000]);
            return Then::Keep;
        }
        send_range(seen, peer, usize::MAX)
    });
    let mut out = Vec::new();
    let run = client(server.base()).run(ranges(&server, 4)).write_to(Sink::writer(&mut out));
    let error = run.send().unwrap_err();
    assert!(error.to_string().contains("the response has the whole object"), "{error}");
    assert!(out.is_empty());
}

#[test]
fn a_limit_of_requests_does_not_lock_out_the_range_that_is_next() {
    // Two at once. The first range is cut and must be requested again before the second one, which
    // is in memory by then, may be written.
    let server = Server::start(|seen, peer| {
        if seen.range().start == 0 {
            std::thread::sleep(Duration::from_millis(50));
        }
        send_range(seen, peer, 50_000)
    });
    let service = Plain::new(server.base());
    let client = client_with(TransportConfig::new(), service).with_rate_limits(RateLimits::new(2));
    let mut out = Vec::new();
    client.run(ranges(&server, 4)).write_to(Sink::writer(&mut out)).send().unwrap();
    assert!(out == object());
}

#[test]
fn a_second_run_writes_on_where_the_first_one_ended() {
    let server = Server::start(|seen, peer| send_range(seen, peer, usize::MAX));
    let mut out = Vec::new();
    let sink = Sink::writer(&mut out);
    client(server.base()).run(ranges(&server, 2)).write_to(&sink).send().unwrap();
    client(server.base()).run(ranges(&server, 1)).write_to(&sink).send().unwrap();
    drop(sink);
    assert!(out == [object(), object()].concat());
}

/// Takes some bytes, and then no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 < bytes.len() {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is full"));
        }
        self.0 -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_fails_is_said_to_have_failed() {
    let server = Server::start(|seen, peer| send_range(seen, peer, usize::MAX));
    for concurrency in [1, 4] {
        let run = client(server.base()).run(ranges(&server, concurrency));
        let error = run.write_to(Sink::writer(Full(100_000))).send().unwrap_err();
        assert_eq!(cause(&error), Some(ExchangeErrorKind::Sink), "{error}");
        assert!(error.to_string().contains("the disk is full"), "{error}");
    }
}

#[test]
fn a_download_can_be_read() {
    let server = Server::start(|seen, peer| send_range(seen, peer, 50_000));
    let mut reader = client(server.base()).run(ranges(&server, 4)).reader().unwrap();
    let mut out = Vec::new();
    reader.read_to_end(&mut out).unwrap();
    assert!(out == object());
    assert_eq!(reader.finish().unwrap(), 14);
}

#[test]
fn a_download_that_fails_is_an_error_of_the_read_and_no_early_end() {
    let server = Server::start(|seen, peer| {
        if seen.range().start > 300_000 {
            peer.answer("404 Not Found", &[], "");
            return Then::Keep;
        }
        send_range(seen, peer, usize::MAX)
    });
    let mut reader = client(server.base()).run(ranges(&server, 1)).reader().unwrap();
    let mut out = Vec::new();
    let error = reader.read_to_end(&mut out).unwrap_err();
    let error = error.downcast::<apus_core::Error>().unwrap();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(404));
    assert!(out == object()[..350_005]);
}

#[test]
fn a_reader_that_is_dropped_ends_its_run() {
    let over = Arc::new((Mutex::new(false), Condvar::new()));
    let server = Server::start(|seen, peer| send_range(seen, peer, usize::MAX));
    /// Signals that it was dropped, which happens when the run has ended.
    struct Witness(Arc<(Mutex<bool>, Condvar)>);
    impl Drop for Witness {
        fn drop(&mut self) {
            *self.0.0.lock().unwrap() = true;
            self.0.1.notify_all();
        }
    }
    let witness = Witness(Arc::clone(&over));
    let observer = support::told(move |_| _ = &witness);
    let client = client(server.base());
    let mut reader = client.run(ranges(&server, 4)).with_observer(observer).reader().unwrap();
    reader.read_exact(&mut [0; 10]).unwrap();
    drop(reader);
    drop(over.1.wait_while(over.0.lock().unwrap(), |over| !*over).unwrap());
}
