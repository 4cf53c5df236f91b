//! Responses that come too early, are about something else, or contradict themselves.

use std::time::Duration;

use apus_conformance::server::{
    AtHead, BodyReading, Cut, Ending, Framing, Reply, Request, Scripted,
};
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::machine::{DownloadOptions, S3Download};
use apus_core::s3::{ByteRange, GetObject, HeadObject, ListObjectsV2, PutObject};
use apus_core::{Error, Kind};

use crate::client::{Client, Setup, Target, Via, pattern};

both! {
    a_success_before_the_body_was_sent_is_none,
    a_refusal_is_what_its_status_says,
    an_answer_with_two_ends_is_an_error,
    a_header_field_on_two_lines_is_read,
    a_call_gets_the_range_that_it_asked_for,
    no_coding_is_asked_for,
    a_coding_that_a_gateway_adds_is_found_out,
    a_longer_answer_than_a_call_collects_is_not_read,
    whatever_a_server_says_of_an_object_nothing_else_is_delivered,
    chunks_that_are_none_are_an_error,
    a_success_whose_body_is_cut_before_the_request_was_sent_is_none,
    a_success_that_is_no_response_to_a_read_of_an_object_is_none,
    the_whole_object_is_not_its_second_part,
    lengths_that_are_none_are_not_taken_from_a_head,
}

fn client(server: &Scripted, via: Via) -> Client {
    let setup = Setup::of(server).with(|config| {
        config.retry_policy.attempts = 2;
        config.timeouts.idle = Some(Duration::from_millis(500));
    });
    setup.client(via)
}

/// Runs a download of concurrency 1; returns its result and the bytes of the sink.
fn download(client: &Client) -> (Result<u64, Error>, Vec<u8>) {
    let get = GetObject::new("bucket", "key");
    let options = DownloadOptions { concurrency: 1, ..DownloadOptions::default() };
    let download = S3Download::new(get, client.service.clone(), options, 7);
    let (result, sink) = client.run_into(download, Target::Memory);
    (result.map(|done| done.bytes), sink)
}

fn a_success_before_the_body_was_sent_is_none(via: Via) {
    let body = pattern(16 << 20);
    let intakes = [
        BodyReading::Drain,
        BodyReading::Ignore,
        BodyReading::Refuse(Ending::Close),
        BodyReading::Refuse(Ending::Reset),
    ];
    for intake in intakes {
        let server =
            Scripted::start(AtHead(move |_: &Request| Reply::new(200).intake(intake))).unwrap();
        let put = PutObject::new("bucket", "key", body.clone());
        match client(&server, via).call(put) {
            // The server may still be reading what was handed over.
            Ok(_) => {
                assert_eq!(intake, BodyReading::Drain);
                let received = || server.requests().last().is_some_and(|put| put.complete);
                while !received() {
                    std::thread::yield_now();
                }
            }
            Err(error) => {
                assert_eq!(error.kind(), Kind::Transport, "{intake:?}: {error}");
                assert_eq!(error.attempts(), 2, "{intake:?}: {error}");
            }
        }
    }
    // A request that waited for `100 Continue` and got a success has sent no body.
    if via == Via::Blocking {
        let early =
            AtHead(|_: &Request| Reply::new(200).intake(BodyReading::Refuse(Ending::Close)));
        let server = Scripted::start(early).unwrap();
        let put = PutObject::new("bucket", "key", body);
        let error = client(&server, via).call(put).unwrap_err();
        assert_eq!(
            error.exchange_error().map(ExchangeError::kind),
            Some(ExchangeErrorKind::Unsent),
            "{error}"
        );
    }
}

fn a_refusal_is_what_its_status_says(via: Via) {
    let document = "<Error><Code>NoSuchKey</Code></Error>";
    let long = format!("{document}{}", " ".repeat(3 << 20));
    let two_ends = Reply::xml(404, document).framing(Framing::Chunked(9));
    let answers = [
        Reply::xml(404, long.clone()),
        Reply::xml(404, long.clone()).framing(Framing::Chunked(64 << 10)),
        Reply::xml(404, long).framing(Framing::Close),
        Reply::xml(404, document).cut(Cut::Body(0, Ending::Reset)),
        Reply::xml(404, document).cut(Cut::Body(20, Ending::Reset)),
        Reply::xml(404, document).cut(Cut::Body(20, Ending::Drop)),
        Reply::xml(404, document).framing(Framing::Chunked(9)).cut(Cut::Body(20, Ending::Close)),
        Reply::xml(404, document).framing(Framing::Chunked(9)).cut(Cut::Body(20, Ending::Hang)),
        two_ends.header("Content-Length", "3"),
    ];
    for answer in answers {
        let what = format!("{:?} {:?}", answer.framing, answer.cut);
        let reply = answer.clone();
        let server = Scripted::start(move |_: &Request| reply.clone()).unwrap();
        let client = client(&server, via);
        for error in [
            client.call(GetObject::new("bucket", "key")).unwrap_err(),
            client.call(ListObjectsV2::new("bucket")).unwrap_err(),
            download(&client).0.unwrap_err(),
        ] {
            assert!(error.is_not_found() && error.kind() == Kind::Refused, "{what}: {error}");
        }
        assert_eq!(server.requests().len(), 3, "{what}");
    }
    // And a temporary error is tried again.
    let busy = Reply::xml(503, document).cut(Cut::Body(20, Ending::Reset));
    let server = Scripted::replay(vec![busy, Reply::new(200).body("hello")]).unwrap();
    let output = client(&server, via).call(GetObject::new("bucket", "key")).unwrap();
    assert_eq!(output.body, "hello");
}

/// The head has all that a success needs, and came before the body was sent.
fn a_success_whose_body_is_cut_before_the_request_was_sent_is_none(via: Via) {
    let body = pattern(16 << 20);
    for cut in [Cut::Body(0, Ending::Close), Cut::Body(3, Ending::Reset)] {
        let early = AtHead(move |_: &Request| {
            Reply::new(200)
                .header("ETag", "\"5d41402abc4b2a76b9719d911017c592\"")
                .body("0123456789")
                .cut(cut)
                .intake(BodyReading::Ignore)
        });
        let server = Scripted::start(early).unwrap();
        let put = PutObject::new("bucket", "key", body.clone());
        let error = client(&server, via).call(put).unwrap_err();
        assert_eq!(error.kind(), Kind::Transport, "{cut:?}: {error}");
        assert!(server.requests().iter().all(|put| !put.complete), "{cut:?}");
    }
}

/// RFC 9110, section 15.3: of all successes only 200 and 206 have the object as it is stored; 203
/// has what a proxy made of it.
fn a_success_that_is_no_response_to_a_read_of_an_object_is_none(via: Via) {
    for status in [201, 202, 203, 204, 205, 207, 226, 299] {
        let server = Scripted::start(move |request: &Request| {
            let reply = Reply::new(status).header("ETag", "\"tag\"");
            match &*request.method {
                "HEAD" => reply.header("Content-Length", "5"),
                _ if status == 204 => reply,
                _ => reply.body("hello"),
            }
        })
        .unwrap();
        let client = client(&server, via);
        let error = client.call(GetObject::new("bucket", "key")).unwrap_err();
        assert_eq!(error.status().map(|told| told.as_u16()), Some(status), "{error}");
        let (result, sink) = download(&client);
        let error = result.unwrap_err();
        assert!(sink.is_empty(), "{status}: {error}");
        assert_eq!(error.status().map(|told| told.as_u16()), Some(status), "{error}");
    }
}

/// Ceph 16 ignores `partNumber`.
fn the_whole_object_is_not_its_second_part(via: Via) {
    let server = Scripted::start(|_: &Request| Reply::new(200).body("hello")).unwrap();
    let client = client(&server, via);
    let part = |number| GetObject { part_number: Some(number), ..GetObject::new("bucket", "key") };
    // The only part of an object that has one is all of it.
    assert_eq!(client.call(part(1)).unwrap().body, "hello");
    let error = client.call(part(2)).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidResponse, "{error}");
}

fn lengths_that_are_none_are_not_taken_from_a_head(via: Via) {
    let twice = |first: &str, second: &str| {
        let (first, second) = (first.to_owned(), second.to_owned());
        move |_: &Request| {
            Reply::new(200)
                .framing(Framing::Close)
                .header("Content-Length", first.clone())
                .header("Content-Length", second.clone())
        }
    };
    let size = |reply: Reply| {
        let server = Scripted::start(move |_: &Request| reply.clone()).unwrap();
        client(&server, via).call(HeadObject::new("bucket", "key")).ok().and_then(|head| head.size)
    };
    let of = |length: &str| {
        size(Reply::new(200).framing(Framing::Close).header("Content-Length", length))
    };
    assert_eq!(of("5"), Some(5));
    for length in ["+5", "-5", "5 5", "0x5", "5.0", "5, 6", "18446744073709551616"] {
        assert_eq!(of(length), None, "{length}");
    }
    let server = Scripted::start(twice("5", "6")).unwrap();
    let head = client(&server, via).call(HeadObject::new("bucket", "key"));
    assert_eq!(head.ok().and_then(|head| head.size), None);
}

// RFC 9112, section 6.3.
fn an_answer_with_two_ends_is_an_error(via: Via) {
    for length in ["3", "5", "9"] {
        let both = Reply::new(200).body("hello").framing(Framing::Chunked(9));
        let both = both.header("Content-Length", length);
        let server = Scripted::start(move |_: &Request| both.clone()).unwrap();
        let client = client(&server, via);
        let (result, sink) = download(&client);
        assert!(sink.is_empty());
        for error in [result.unwrap_err(), client.call(GetObject::new("b", "k")).unwrap_err()] {
            assert_eq!(error.kind(), Kind::InvalidResponse, "{length}: {error}");
        }
        // Nothing is sent over a connection whose state is unknown.
        assert_eq!(server.connections(), server.requests().len(), "{length}");
    }
}

// RFC 9112, section 5.2: spaces replace the fold.
fn a_header_field_on_two_lines_is_read(via: Via) {
    let reply = |_: &Request| {
        let folded = "one\r\n  two\r\n\tthree";
        Reply::new(200).header("x-amz-meta-note", folded).header("etag", "\"e\"").body("bytes")
    };
    let server = Scripted::start(reply).unwrap();
    let output = client(&server, via).call(GetObject::new("bucket", "key")).unwrap();
    assert_eq!(output.head.metadata["note"], "one two three");
    assert_eq!(output.body, "bytes");
}

fn a_call_gets_the_range_that_it_asked_for(via: Via) {
    let part =
        |range: &str, body: &'static str| Reply::new(206).header("Content-Range", range).body(body);
    let asked = |range: Option<ByteRange>, answer: Reply| {
        let server = Scripted::start(move |_: &Request| answer.clone()).unwrap();
        let get = GetObject { range, ..GetObject::new("bucket", "key") };
        client(&server, via).call(get).map(|output| output.body)
    };
    let span = || Some(ByteRange::Span(2..5));
    assert_eq!(asked(span(), part("bytes 2-4/9", "llo")).unwrap(), "llo");
    for (range, answer) in [
        (None, part("bytes 0-4/9", "hello")),
        (None, Reply::new(206).body("hello")),
        (span(), part("bytes 1-4/9", "ello")),
        (span(), part("bytes 2-5/9", "llo ")),
        (span(), Reply::new(206).body("llo")),
        (span(), Reply::new(200).body("hello all")),
        (Some(ByteRange::Last(3)), part("bytes 0-2/9", "hel")),
    ] {
        let error = asked(range, answer).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidResponse, "{error}");
    }
}

fn no_coding_is_asked_for(via: Via) {
    let server = Scripted::start(|_: &Request| Reply::new(200)).unwrap();
    let client = client(&server, via);
    client.call(GetObject::new("bucket", "key")).unwrap();
    client.call(PutObject::new("bucket", "key", "hello")).unwrap();
    for request in server.requests() {
        assert_eq!(request.header("accept-encoding"), Some("identity"));
        let signature = request.header("authorization").unwrap();
        assert!(!signature.contains("accept-encoding"), "{signature}");
    }
}

fn a_coding_that_a_gateway_adds_is_found_out(via: Via) {
    let stored = |coding: Option<&'static str>| {
        move |request: &Request| {
            let coded = |reply: Reply, coding| reply.header("Content-Encoding", coding);
            if request.method == "HEAD" {
                let head = Reply::new(200).header("Content-Length", "39");
                return coding.map_or(head.clone(), |coding| coded(head, coding));
            }
            coded(Reply::new(200), "gzip").body(pattern(39))
        }
    };
    let server = Scripted::start(stored(None)).unwrap();
    let client = self::client(&server, via);
    let (result, sink) = download(&client);
    assert!(sink.is_empty());
    for error in [result.unwrap_err(), client.call(GetObject::new("b", "k")).unwrap_err()] {
        assert_eq!(error.kind(), Kind::Integrity, "{error}");
    }
    // What is stored so comes as it is stored.
    let server = Scripted::start(stored(Some("gzip"))).unwrap();
    let client = self::client(&server, via);
    assert!(download(&client).1 == pattern(39));
    assert_eq!(client.call(GetObject::new("b", "k")).unwrap().body, pattern(39));
}

fn a_longer_answer_than_a_call_collects_is_not_read(via: Via) {
    for framing in [Framing::Length, Framing::Chunked(1000), Framing::Close] {
        let answer = Reply::new(200).body(pattern(100_000)).framing(framing);
        let server = Scripted::start(move |_: &Request| answer.clone()).unwrap();
        let get = GetObject { collect_limit: Some(99_999), ..GetObject::new("bucket", "key") };
        let error = client(&server, via).call(get).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidInput, "{framing:?}: {error}");
        assert!(error.to_string().contains("Download"), "{error}");
        assert_eq!(server.requests().len(), 1, "{framing:?}");
    }
}

/// Returns a wrong response to a GET of 3000 bytes.
type Lie = fn(&Request, Reply) -> Reply;

fn whatever_a_server_says_of_an_object_nothing_else_is_delivered(via: Via) {
    fn told(reply: Reply, range: &str) -> Reply {
        reply.replace_header("Content-Range", range)
    }
    fn only_gets(request: &Request, reply: Reply, lie: impl Fn(Reply) -> Reply) -> Reply {
        if request.method == "GET" { lie(reply) } else { reply }
    }
    let lies: [(&str, Lie); 14] = [
        ("the truth", |_, reply| reply),
        ("HEAD says more", |request, reply| match &*request.method {
            "HEAD" => reply.replace_header("Content-Length", "3001"),
            _ => reply,
        }),
        ("HEAD says less", |request, reply| match &*request.method {
            "HEAD" => reply.replace_header("Content-Length", "2999"),
            _ => reply,
        }),
        ("HEAD says nothing", |request, reply| match &*request.method {
            "HEAD" => reply.replace_header("Content-Length", "0"),
            _ => reply,
        }),
        ("another start", |request, reply| {
            only_gets(request, reply, |reply| told(reply, "bytes 1-500/3000"))
        }),
        ("another end", |request, reply| {
            only_gets(request, reply, |reply| told(reply, "bytes 0-2000/3000"))
        }),
        ("a shorter whole", |request, reply| {
            only_gets(request, reply, |reply| told(reply, "bytes 0-499/499"))
        }),
        ("no range", |request, reply| {
            only_gets(request, reply, |reply| told(reply, "bytes */3000"))
        }),
        ("a range the wrong way round", |request, reply| {
            only_gets(request, reply, |reply| told(reply, "bytes 499-0/3000"))
        }),
        ("a range beyond all numbers", |request, reply| {
            only_gets(request, reply, |reply| {
                told(reply, "bytes 0-18446744073709551616/18446744073709551617")
            })
        }),
        ("another unit", |request, reply| {
            only_gets(request, reply, |reply| told(reply, "items 0-499/3000"))
        }),
        ("a byte too few", |request, reply| {
            only_gets(request, reply, |reply| {
                let body = reply.body.slice(..reply.body.len() - 1);
                reply.body(body)
            })
        }),
        ("a byte too many", |request, reply| {
            only_gets(request, reply, |reply| {
                let body = [&reply.body[..], b"x"].concat();
                reply.body(body)
            })
        }),
        ("another ETag each time", |request, reply| {
            let tag = format!("\"{:032x}\"", request.sequence + 100 * request.connection);
            reply.replace_header("ETag", tag)
        }),
    ];
    let bytes = pattern(3000);
    for (name, lie) in lies {
        let object = bytes.clone();
        let server = Scripted::start(move |request: &Request| {
            let reply = match request.header("range") {
                _ if request.method == "HEAD" => Reply::new(200).header("Content-Length", "3000"),
                None => Reply::new(200).body(object.clone()),
                Some(range) => {
                    let (first, last) = range["bytes=".len()..].split_once('-').unwrap();
                    let first: usize = first.parse().unwrap();
                    let end = last.parse().map_or(3000, |last: usize| last + 1).min(3000);
                    if first >= end {
                        return Reply::new(416).header("Content-Range", "bytes */3000");
                    }
                    Reply::new(206)
                        .header("Content-Range", format!("bytes {first}-{}/3000", end - 1))
                        .body(object.slice(first..end))
                }
            };
            lie(request, reply.header("ETag", "\"5d41402abc4b2a76b9719d911017c592\""))
        })
        .unwrap();
        let client = client(&server, via);
        for concurrency in [1, 4] {
            let get = GetObject::new("bucket", "key");
            let options =
                DownloadOptions { concurrency, range_size: 500, ..DownloadOptions::default() };
            let download = S3Download::new(get, client.service.clone(), options, 7);
            let (result, sink) = client.run_into(download, Target::Memory);
            match result {
                Ok(_) => {
                    // Without ranges only the response itself shows its length.
                    let whole = sink == bytes || concurrency == 1 && name.starts_with("a byte");
                    assert!(whole, "{name} {concurrency}: {} bytes", sink.len());
                }
                Err(error) => {
                    assert_ne!(name, "the truth", "{concurrency}: {error}");
                    assert_ne!(error.kind(), Kind::InvalidInput, "{name} {concurrency}: {error}");
                }
            }
        }
    }
}

fn chunks_that_are_none_are_an_error(via: Via) {
    for (chunks, is_right) in [
        ("5\r\nhello\r\n0\r\n\r\n", true),
        ("5\r\nhello\r\n0\r\nx-amz-checksum-crc32: NhCmhg==\r\nx: y\r\n\r\n", true),
        ("005;a=b\r\nhello\r\n0;c\r\n\r\n", true),
        ("5\r\nhelloX\r\n0\r\n\r\n", false),
        ("4\r\nhello\r\n0\r\n\r\n", false),
        ("6\r\nhello\r\n0\r\n\r\n", false),
        ("-5\r\nhello\r\n0\r\n\r\n", false),
        ("0x5\r\nhello\r\n0\r\n\r\n", false),
        ("\r\nhello\r\n0\r\n\r\n", false),
        ("five\r\nhello\r\n0\r\n\r\n", false),
        ("10000000000000005\r\nhello\r\n0\r\n\r\n", false),
        ("5\r\nhello\r\n", false),
        ("5\r\nhello\r\n0\r\n", false),
        ("5\r\nhello\r\n0\r\nx: y\r\n", false),
    ] {
        let answer = Reply::new(200).header("Transfer-Encoding", "chunked").body(chunks);
        let answer = answer.framing(Framing::Close);
        let server = Scripted::start(move |_: &Request| answer.clone()).unwrap();
        let client = client(&server, via);
        let called = client.call(GetObject::new("bucket", "key")).map(|output| output.body);
        let (downloaded, sink) = download(&client);
        match is_right {
            true => {
                assert_eq!((called.unwrap().as_ref(), &sink[..]), (&b"hello"[..], &b"hello"[..]))
            }
            false => {
                for error in [called.unwrap_err(), downloaded.unwrap_err()] {
                    let known = matches!(error.kind(), Kind::InvalidResponse | Kind::Transport);
                    assert!(known, "{chunks:?}: {error}");
                }
            }
        }
    }
}
