//! Every wait ends, whatever a server does; a slow transfer that is fast enough is not ended.
//!
//! Timeouts are scaled down. A slow server sends for longer than all of them together, and then
//! ends the connection: a client that does not time out by itself gets another error.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use apus_core::error::ExchangeErrorKind;
use apus_core::http::{Body, LeastRate, MOST_BYTES, Timeouts};
use apus_core::machine::{DownloadOptions, S3Download};
use apus_core::s3::{GetObject, ListObjectsV2, PutObject, Service};
use apus_core::{Error, Kind};
use tokio::io::AsyncWrite;

use crate::client::{Client, Kind as Bytes, Origin, Server, Setup, Target, Via, Wire, pattern};
use crate::peer::{DRIP, Peer};

both! {
    a_refusal_without_end_is_read_for_a_mebibyte,
    neither_trailers_nor_chunk_extensions_go_on_for_ever,
    a_head_has_an_end,
    a_head_has_sixty_four_kibibytes_at_most,
    two_hundred_and_fifty_six_header_fields_are_taken,
    informational_answers_are_few,
    what_comes_before_an_answer_moves_no_limit,
    a_refusal_that_drips_is_what_its_status_says,
    a_document_that_drips_is_over_in_time,
    an_object_that_drips_is_given_up,
    a_slow_object_has_all_the_time_it_takes,
    an_upload_that_nobody_reads_is_given_up,
    a_slow_upload_has_all_the_time_it_takes,
    a_slow_sink_is_not_a_slow_server,
    a_connection_that_is_never_made_has_carried_nothing_out,
}

/// Ten seconds of it.
const LONG: usize = 500;

fn ms(millis: u64) -> Option<Duration> {
    Some(Duration::from_millis(millis))
}

/// Two attempts at a server whose exchanges have these limits.
fn client(via: Via, peer: &Peer, limits: Timeouts) -> Client {
    Setup::of(peer)
        .with(|config| {
            config.timeouts = Timeouts { connect: ms(5000), ..limits };
            config.retry_policy.attempts = 2;
        })
        .client(via)
}

fn cause(error: &Error) -> Option<ExchangeErrorKind> {
    error.exchange_error().map(apus_core::error::ExchangeError::kind)
}

fn download(service: &Arc<Service>) -> S3Download {
    let get = GetObject::new("bucket", "key");
    S3Download::new(get, Arc::clone(service), DownloadOptions::default(), 7)
}

const KIB: u64 = 1 << 10;
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n\r\n";

fn a_refusal_without_end_is_read_for_a_mebibyte(via: Via) {
    for (framing, endless) in [
        (CHUNKED.to_owned(), "5\r\nhello\r\n"),
        ("Content-Length: 1000000000\r\n\r\n".to_owned(), "hello"),
        ("Connection: close\r\n\r\n".to_owned(), "hello"),
    ] {
        let peer = Peer::start(move |speech| {
            speech.say(format!("HTTP/1.1 403 Forbidden\r\n{framing}"))?;
            speech.repeat(endless)
        });
        let client = client(via, &peer, Timeouts::NONE);
        let error = client.call(GetObject::new("bucket", "key")).unwrap_err();
        assert!(error.is_denied(), "{error}");
        let (result, bytes) = client.run_into(download(&client.service), Target::Memory);
        assert!(result.unwrap_err().is_denied() && bytes.is_empty());
        // What the buffers of two sockets hold comes on top of the mebibyte.
        assert!(peer.said() / 2 < 24 * KIB * KIB, "{} bytes", peer.said());
    }
}

fn neither_trailers_nor_chunk_extensions_go_on_for_ever(via: Via) {
    for (status, start, endless) in [
        ("200 OK", "5\r\nhello\r\n0\r\n", "x: y\r\n"),
        ("200 OK", "5\r\nhello\r\n0\r\nx:", "y"),
        ("200 OK", "5;", "x"),
        ("403 Forbidden", "0\r\n", "x: y\r\n"),
    ] {
        let peer = Peer::start(move |speech| {
            speech.say(format!("HTTP/1.1 {status}\r\n{CHUNKED}{start}"))?;
            speech.repeat(endless)
        });
        let client = client(via, &peer, Timeouts::NONE);
        let error = client.call(ListObjectsV2::new("bucket")).unwrap_err();
        let known =
            error.is_denied() || matches!(error.kind(), Kind::Transport | Kind::InvalidResponse);
        assert!(known, "{status} {start:?}: {error}");
        assert!(peer.said() / 2 < 24 * KIB * KIB, "{} bytes", peer.said());
    }
}

fn a_head_has_an_end(via: Via) {
    for (start, endless) in [("", "x: y\r\n"), ("x: ", "y"), ("x", "y")] {
        let peer = Peer::start(move |speech| {
            speech.say(format!("HTTP/1.1 200 OK\r\n{start}"))?;
            speech.repeat(endless)
        });
        let error = client(via, &peer, Timeouts::NONE).call(ListObjectsV2::new("b")).unwrap_err();
        assert_eq!(cause(&error), Some(ExchangeErrorKind::Protocol), "{error}");
        assert!(error.to_string().contains("head"), "{error}");
        assert!(peer.said() / 2 < 24 * KIB * KIB, "{} bytes", peer.said());
    }
}

fn a_head_has_sixty_four_kibibytes_at_most(via: Via) {
    // In fields of a few kibibytes, as no single one need be longer.
    let head = |status: &str, length: usize| {
        let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n");
        while head.len() + 2 < length {
            let left = length - head.len() - 2;
            let field = if left <= 4000 { left } else { 3000 };
            head += &format!("a: {}\r\n", "v".repeat(field - 5));
        }
        assert_eq!(head.len() + 2, length);
        head + "\r\n"
    };
    for (before, length, fits) in [
        ("", MOST_BYTES, true),
        ("", MOST_BYTES + 1, false),
        ("", 300 << 10, false),
        ("103", MOST_BYTES, true),
        ("103", MOST_BYTES + 1, false),
    ] {
        let peer = Peer::start(move |speech| {
            if before.is_empty() {
                return speech.say(head("200", length));
            }
            speech.say(head(before, length))?;
            speech.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        });
        let result = client(via, &peer, Timeouts::NONE).call(GetObject::new("bucket", "key"));
        match result {
            Ok(_) => assert!(fits, "{before} {length}"),
            Err(error) => {
                assert!(!fits, "{before} {length}: {error}");
                assert_eq!(cause(&error), Some(ExchangeErrorKind::Protocol), "{error}");
                let limit = format!("exceeds {MOST_BYTES} bytes");
                assert!(error.to_string().contains(&limit), "{error}");
            }
        }
    }
}

fn two_hundred_and_fifty_six_header_fields_are_taken(via: Via) {
    for fields in [255, 256] {
        let peer = Peer::start(move |speech| {
            let metadata: String =
                (0..fields).map(|n| format!("x-amz-meta-{n}: {n}\r\n")).collect();
            speech.say(format!("HTTP/1.1 200 OK\r\n{metadata}Content-Length: 4\r\n\r\nbody"))
        });
        let result = client(via, &peer, Timeouts::NONE).call(GetObject::new("bucket", "key"));
        if fields == 255 {
            let output = result.unwrap();
            assert_eq!(output.body, "body");
            let metadata = (0..fields).map(|n| (n.to_string(), n.to_string())).collect();
            assert_eq!(output.head.metadata, metadata);
        } else {
            let error = result.unwrap_err();
            assert!(error.to_string().contains("more than 256 header fields"), "{error}");
        }
    }
}

fn informational_answers_are_few(via: Via) {
    for (line, endless) in [
        ("103 Early Hints\r\nLink: </a>\r\n\r\n", true),
        ("100 Continue\r\n\r\n", true),
        ("102 Processing\r\n\r\n", false),
    ] {
        let peer = Peer::start(move |speech| {
            let line = format!("HTTP/1.1 {line}");
            if endless {
                return speech.repeat(&line);
            }
            speech.say(line.repeat(20))?;
            speech.say("HTTP/1.1 204 No Content\r\n\r\n")
        });
        let client = client(via, &peer, Timeouts::NONE);
        let put = PutObject::new("bucket", "key", pattern(100));
        let result = client.call(put);
        if endless {
            let error = result.unwrap_err();
            assert!(error.to_string().contains("more than 64 informational"), "{error}");
        } else {
            result.unwrap();
        }
    }
}

fn what_comes_before_an_answer_moves_no_limit(via: Via) {
    let limits = Timeouts { first_byte: ms(300), idle: ms(300), ..Timeouts::NONE };
    for text in ["HTTP/1.1 102 Processing\r\n\r\n", "H", ""] {
        let peer = Peer::start(move |speech| match text {
            "H" => {
                speech.say("HTTP/1.1 200 OK\r\nx-slow: ")?;
                speech.drip("s", LONG)
            }
            _ => speech.drip(text, 60),
        });
        let error = client(via, &peer, limits).call(ListObjectsV2::new("bucket")).unwrap_err();
        assert_eq!(cause(&error), Some(ExchangeErrorKind::Timeout), "{text:?}: {error}");
    }
}

fn a_refusal_that_drips_is_what_its_status_says(via: Via) {
    let limits = Timeouts { idle: ms(2000), refusal: ms(300), ..Timeouts::NONE };
    let peer = Peer::start(|speech| {
        speech.say(format!("HTTP/1.1 403 Forbidden\r\n{CHUNKED}"))?;
        speech.drip("1\r\n<\r\n", LONG)
    });
    let client = client(via, &peer, limits);
    assert!(client.call(GetObject::new("bucket", "key")).unwrap_err().is_denied());
    let (result, _) = client.run_into(download(&client.service), Target::Memory);
    assert!(result.unwrap_err().is_denied());
    assert_eq!(peer.asked.load(Ordering::SeqCst), 2);
}

fn a_document_that_drips_is_over_in_time(via: Via) {
    let limits = Timeouts { idle: ms(2000), document: ms(300), ..Timeouts::NONE };
    let peer = Peer::start(|speech| {
        speech.say(format!("HTTP/1.1 200 OK\r\n{CHUNKED}"))?;
        speech.drip("1\r\n \r\n", LONG)
    });
    let error = client(via, &peer, limits).call(ListObjectsV2::new("bucket")).unwrap_err();
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Timeout), "{error}");
    // And is not held to a rate before: servers send blanks while they work.
    let rate = Some(LeastRate { bytes: 1 << 20, over: Duration::from_millis(100) });
    let limits = Timeouts { idle: ms(2000), document: ms(30_000), rate, ..Timeouts::NONE };
    let peer = Peer::start(|speech| {
        speech.say(format!("HTTP/1.1 200 OK\r\n{CHUNKED}"))?;
        speech.drip("1\r\n \r\n", 25)?;
        let document = "<ListBucketResult></ListBucketResult>";
        speech.say(format!("{:x}\r\n{document}\r\n0\r\n\r\n", document.len()))
    });
    client(via, &peer, limits).call(ListObjectsV2::new("bucket")).unwrap();
}

/// What an object is framed by, and a piece of it of `size` bytes.
fn framings(size: usize, pieces: usize) -> [(String, String); 2] {
    let piece = "x".repeat(size);
    [
        (format!("Content-Length: {}\r\n\r\n", size * pieces), piece.clone()),
        (CHUNKED.to_owned(), format!("{size:x}\r\n{piece}\r\n")),
    ]
}

fn an_object_that_drips_is_given_up(via: Via) {
    let rate = Some(LeastRate { bytes: KIB, over: Duration::from_millis(500) });
    let limits = Timeouts { first_byte: ms(5000), idle: ms(5000), rate, ..Timeouts::NONE };
    for (framing, piece) in framings(1, LONG) {
        let peer = Peer::start(move |speech| {
            // A request for the rest is answered at the same rate.
            let rest = speech.head.contains("range: bytes=");
            let head = match (rest, framing.starts_with("Content-Length")) {
                (false, _) => format!("HTTP/1.1 200 OK\r\nETag: \"a\"\r\n{framing}"),
                (true, _) => {
                    "HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                        .to_owned()
                }
            };
            speech.say(head)?;
            if rest { Ok(()) } else { speech.drip(&piece, LONG) }
        });
        let client = client(via, &peer, limits);
        let (result, _) = client.run_into(download(&client.service), Target::Writer);
        let error = result.unwrap_err();
        assert_eq!(error.kind(), Kind::Refused, "{error}");
        // An attempt that was too slow is no progress: two of them are all there are.
        assert_eq!(peer.asked.load(Ordering::SeqCst), 2);
        let (result, _) = {
            let once = DownloadOptions { total_attempts: Some(1), ..DownloadOptions::default() };
            let get = GetObject::new("bucket", "key");
            let machine = S3Download::new(get, Arc::clone(&client.service), once, 7);
            client.run_into(machine, Target::Writer)
        };
        let error = result.unwrap_err();
        assert_eq!(cause(&error), Some(ExchangeErrorKind::Timeout), "{error}");
        assert!(error.to_string().contains("least rate"), "{error}");
    }
}

fn a_slow_object_has_all_the_time_it_takes(via: Via) {
    // 2 KiB each 20 ms are 100 KiB a second; a fifth of it must come.
    let over = Duration::from_millis(400);
    let rate = Some(LeastRate { bytes: 20 * KIB, over });
    let short = ms(400);
    let limits = Timeouts {
        first_byte: short,
        idle: short,
        document: short,
        refusal: short,
        rate,
        ..Timeouts::NONE
    };
    for (framing, piece) in framings(2 << 10, 50) {
        let peer = Peer::start(move |speech| {
            speech.say(format!("HTTP/1.1 200 OK\r\n{framing}"))?;
            speech.drip(&piece, 50)?;
            if framing == CHUNKED { speech.say("0\r\n\r\n") } else { Ok(()) }
        });
        let client = client(via, &peer, limits);
        let (result, bytes) = client.run_into(download(&client.service), Target::Writer);
        result.unwrap();
        assert_eq!(bytes.len(), 100 << 10);
        assert_eq!(peer.asked.load(Ordering::SeqCst), 1);
    }
}

fn an_upload_that_nobody_reads_is_given_up(via: Via) {
    let rate = Some(LeastRate { bytes: 64 * KIB, over: Duration::from_millis(500) });
    let limits = Timeouts { first_byte: ms(5000), rate, ..Timeouts::NONE };
    let peer = Peer::start(|speech| {
        for _ in 0..LONG {
            speech.stream.read_exact(&mut [0])?;
            thread::sleep(DRIP);
        }
        Ok(())
    });
    // More than all buffers hold.
    let body = Origin::new(Bytes::File, pattern(12 << 20));
    let put = PutObject::from_body("bucket", "key", source(12 << 20));
    let error = client(via, &peer, limits).call_from(put, body).unwrap_err();
    assert_eq!(cause(&error), Some(ExchangeErrorKind::Timeout), "{error}");
}

fn a_slow_upload_has_all_the_time_it_takes(via: Via) {
    // 64 KiB each 5 ms at most, and each limit is shorter than all of it.
    let rate = Some(LeastRate { bytes: 256 * KIB, over: Duration::from_millis(1000) });
    let limits = Timeouts { first_byte: ms(5000), idle: ms(1000), rate, ..Timeouts::NONE };
    let length = 24 << 20;
    let peer = Peer::start(move |speech| {
        let mut left: usize = content_length(&speech.head);
        let mut buffer = vec![0; 64 << 10];
        if speech.head.contains("expect: 100-continue") {
            speech.say("HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        while left > 0 {
            let piece = buffer.get_mut(..left.min(64 << 10)).unwrap();
            speech.stream.read_exact(piece)?;
            left -= piece.len();
            thread::sleep(Duration::from_millis(5));
        }
        speech.say("HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 0\r\n\r\n")
    });
    let put = PutObject::from_body("bucket", "key", source(length));
    client(via, &peer, limits).call_from(put, Origin::new(Bytes::File, pattern(24 << 20))).unwrap();
    assert_eq!(peer.asked.load(Ordering::SeqCst), 1);
}

fn source(length: u64) -> Body {
    Body::Source { range: 0..length, rewindable: true }
}

fn content_length(head: &str) -> usize {
    let line = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    line.and_then(|length| length.trim().parse().ok()).unwrap_or(0)
}

/// Takes its time.
#[derive(Clone)]
struct SlowWriter;

impl Write for SlowWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        thread::sleep(Duration::from_millis(60));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl AsyncWrite for SlowWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(self.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn a_slow_sink_is_not_a_slow_server(via: Via) {
    // The writer takes 60 ms a piece: far less than the rate, were it the server's time. The window
    // is long enough for a server on a machine that has other things to do.
    let rate = Some(LeastRate { bytes: 64 << 20, over: Duration::from_millis(1000) });
    let limits = Timeouts { first_byte: ms(5000), idle: ms(5000), rate, ..Timeouts::NONE };
    let peer = Peer::start(|speech| {
        let length = 8 << 20;
        speech.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"))?;
        speech.say(vec![b'x'; length])
    });
    let client = client(via, &peer, limits);
    let machine = download(&client.service);
    let done = match &client.wire {
        Wire::Blocking(client) => {
            client.run(machine).write_to(apus_blocking::Sink::writer(SlowWriter)).send()
        }
        Wire::Async(client, runtime) => {
            let sink = apus_async::Sink::writer(SlowWriter);
            runtime.block_on(client.run(machine).write_to(&sink).send())
        }
    };
    assert_eq!(done.unwrap().bytes, 8 << 20);
    assert_eq!(peer.asked.load(Ordering::SeqCst), 1);
}

/// A server with which no TLS handshake succeeds.
struct Unmade(u16);

impl Server for Unmade {
    fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.0)
    }

    fn ca(&self) -> Option<&str> {
        None
    }
}

fn a_connection_that_is_never_made_has_carried_nothing_out(via: Via) {
    for waits in [true, false] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let hellos = Arc::new(AtomicU64::new(0));
        let counts = Arc::clone(&hellos);
        thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                if stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                    counts.fetch_add(1, Ordering::SeqCst);
                }
                if waits {
                    held.push(stream);
                }
            }
        });
        let client = Setup::of(&Unmade(port))
            .with(|config| {
                config.timeouts =
                    Timeouts { connect: ms(if waits { 300 } else { 5000 }), ..Timeouts::NONE };
                config.retry_policy.attempts = 2;
            })
            .client(via);
        // For a lost response, the client would look for an object with the ETag of no bytes.
        let put = PutObject::new("bucket", "key", "");
        let error = client.call(put).unwrap_err();
        assert_eq!(cause(&error), Some(ExchangeErrorKind::Connect), "{waits}: {error}");
        assert!(!error.outcome_unknown(), "{error}");
        assert_eq!(error.to_string().contains("the connect timeout"), waits, "{error}");
        assert_eq!(hellos.load(Ordering::SeqCst), 2, "a repetition and nothing else");
    }
}
