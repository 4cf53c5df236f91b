//! When an exchange is complete: the whole request was sent, and the whole response received.

use std::time::Duration;

use apus_core::checksum::Hashers;
use apus_core::error::{ExchangeError, ExchangeErrorKind, Kind};
use apus_core::http::{
    Body, Completion, Draft, End, Exchange, Expect, Framing, Incoming, Receiving, Reply,
};
use apus_core::{Error, Now};
use bytes::Bytes;
use http::{Method, Version, response};

const NOW: Now = Now { tick: Duration::ZERO, unix: Duration::ZERO };

fn draft(method: Method, uri: &'static str) -> Box<Draft> {
    Draft::new("Test", method, http::Uri::from_static(uri))
}

fn get() -> Box<Draft> {
    draft(Method::GET, "http://localhost/bucket/key")
}

fn head(status: u16, headers: &[(&str, &str)]) -> response::Parts {
    let mut answer = http::Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(()).unwrap().into_parts().0
}

/// The answer to this draft, after `body`.
fn answered(draft: Box<Draft>, head: response::Parts, body: &[u8]) -> Receiving {
    let mut receiving = Exchange::open(draft, NOW, 0).respond(head);
    if receiving.has_body() {
        receiving.push(body).unwrap();
    }
    receiving
}

fn reply(done: Completion) -> Reply {
    done.into_parts().1.unwrap()
}

fn cut() -> End {
    End::Cut(ExchangeError::new(ExchangeErrorKind::Cut, "reset"))
}

/// A PUT of ten bytes in pieces of three, of which `sent` left when this was answered.
fn put(body: Body, framing: Option<Framing>, sent: usize, ended: bool, status: u16) -> Completion {
    let mut draft = draft(Method::PUT, "http://localhost/bucket/key");
    (draft.body, draft.framing) = (body, framing);
    let mut exchange = Exchange::open(draft, NOW, 0);
    exchange.request().unwrap();
    let mut encoder = exchange.encoder().unwrap();
    if sent > 0 {
        encoder.frame(&[7; 10][..sent]).unwrap();
    }
    if ended {
        encoder.end().unwrap();
    }
    exchange.respond(head(status, &[])).finish(None)
}

fn source() -> Body {
    Body::Source { range: 0..10, rewindable: true }
}

#[test]
fn a_success_before_the_body_left_is_none() {
    for body in [source(), Body::Bytes(Bytes::from_static(&[7; 10]))] {
        for sent in [0, 9] {
            let done = put(body.clone(), None, sent, false, 200);
            let error = done.outcome().unwrap_err();
            assert_eq!(
                error.exchange_error().map(ExchangeError::kind),
                Some(ExchangeErrorKind::Unsent),
                "{sent}"
            );
            assert_eq!((error.kind(), error.status().unwrap().as_u16()), (Kind::Transport, 200));
            assert_eq!(done.sent(), sent as u64);
        }
        assert!(put(body.clone(), None, 10, false, 200).outcome().is_ok());
        // What is no success says what it says, however early.
        let refused = put(body, None, 0, false, 503);
        assert_eq!(refused.outcome().unwrap().status().as_u16(), 503);
    }
    assert!(put(Body::Empty, None, 0, false, 200).outcome().is_ok());
}

// The last frame has the checksum: without it nothing was promised.
#[test]
fn a_framed_body_is_sent_with_its_last_frame() {
    let framing = || Some(Framing { chunk_size: 16 << 10, trailer: None });
    assert!(put(source(), framing(), 10, false, 200).outcome().is_err());
    assert!(put(source(), framing(), 10, true, 200).outcome().is_ok());
}

#[test]
fn a_transport_that_can_not_tell_says_so() {
    let whole = |body, says: bool| {
        let mut draft = draft(Method::PUT, "http://localhost/bucket/key");
        draft.body = body;
        let mut exchange = Exchange::open(draft, NOW, 0);
        if says {
            exchange.sends_unseen();
        }
        exchange.respond(head(200, &[])).finish(None).outcome().is_ok()
    };
    assert!(!whole(source(), false));
    assert!(whole(source(), true));
    assert!(whole(Body::Bytes(Bytes::from_static(b"all of it")), false));
}

/// Whether the answer was cut, and whether it is proven to be whole.
fn ended(uri: &'static str, headers: &[(&str, &str)], body: &[u8], end: End) -> (bool, bool) {
    let reply = reply(answered(draft(Method::GET, uri), head(200, headers), body).finish(end));
    (reply.cut.is_some(), !reply.unproven)
}

// RFC 9112, section 8: a body is complete when its length was reached or its last chunk was read; one
// that ends with the connection, when that was closed in good order, of which TCP alone proves little.
#[test]
fn only_the_protocols_own_end_is_one() {
    let (http, https) = ("http://localhost/", "https://localhost/");
    let length = [("content-length", "5")];
    let chunked = [("transfer-encoding", "chunked")];
    for uri in [http, https] {
        assert_eq!(ended(uri, &length, b"hello", End::Regular), (false, true));
        assert_eq!(ended(uri, &length, b"hell", End::Regular), (true, true));
        assert_eq!(ended(uri, &length, b"hello", End::Unclear), (false, true));
        assert_eq!(ended(uri, &chunked, b"hello", End::Regular), (false, true));
        assert_eq!(ended(uri, &chunked, b"hello", End::Unclear), (false, false));
        for headers in [&length[..], &chunked, &[]] {
            assert!(ended(uri, headers, b"hell", cut()).0, "{uri} {headers:?}");
        }
        assert_eq!(ended(uri, &[], b"hello", End::Unclear), (false, false));
    }
    assert_eq!(ended(http, &[], b"hello", End::Regular), (false, false));
    assert_eq!(ended(https, &[], b"hello", End::Regular), (false, true));
    assert_eq!(ended(http, &[], b"", End::Regular), (false, false));
    // A transport that knows more than the head says so.
    assert_eq!(ended(http, &[], b"hello", End::Whole), (false, true));
    // A range tells its length by itself.
    let mut draft = get();
    draft.head.headers.insert("range", "bytes=0-4".parse().unwrap());
    let range = || head(206, &[("content-range", "bytes 0-4/9")]);
    let whole = reply(answered(draft.clone(), range(), b"hello").finish(End::Regular));
    assert!(!whole.unproven && whole.cut.is_none());
    assert!(reply(answered(draft, range(), b"hell").finish(End::Regular)).cut.is_some());
    // HTTP/2 ends a body by itself.
    let mut second = head(200, &[]);
    second.version = Version::HTTP_2;
    assert!(!reply(answered(get(), second, b"hello").finish(End::Regular)).unproven);
}

// RFC 9112, section 6.3: request smuggling and response splitting look so.
#[test]
fn a_head_with_two_ends_is_an_error() {
    let both = [("content-length", "3"), ("transfer-encoding", "chunked")];
    let receiving = Exchange::open(get(), NOW, 0).respond(head(200, &both));
    assert!(receiving.is_rejected() && !receiving.wants_more());
    let error = reply(receiving.finish(None)).rejected.unwrap();
    assert_eq!(error.kind(), Kind::InvalidResponse, "{error}");
    assert!(error.to_string().contains("Transfer-Encoding"), "{error}");
    // A refusal is reported as a refusal nevertheless, and nothing of its body is read.
    let receiving = Exchange::open(get(), NOW, 0).respond(head(404, &both));
    assert!(!receiving.wants_more());
    let reply = reply(receiving.finish(None));
    assert_eq!((reply.status().as_u16(), reply.cut.is_some()), (404, false));
}

#[test]
fn a_refusal_is_what_its_status_says() {
    let long = [("content-length", "3000000")];
    let mut receiving = Exchange::open(get(), NOW, 0).respond(head(404, &long));
    let document = b"<Error><Code>NoSuchKey</Code></Error>";
    receiving.push(document).unwrap();
    let piece = [b' '; 64 << 10];
    let mut taken = 0;
    while receiving.wants_more() {
        receiving.push(&piece).unwrap();
        taken += piece.len();
    }
    assert!(taken <= 1 << 20, "{taken}");
    let cut_off = reply(receiving.finish(None));
    assert!(cut_off.cut.is_none() && cut_off.body.starts_with(document));
    for cause in [ExchangeErrorKind::Cut, ExchangeErrorKind::Timeout, ExchangeErrorKind::Protocol] {
        let failure = ExchangeError::new(cause, "while its body was read");
        let reply = reply(answered(get(), head(404, &long), document).finish(failure));
        assert!(reply.cut.is_none() && reply.body.starts_with(document), "{cause:?}");
    }
    // Given up on purpose is another matter.
    let cancelled = answered(get(), head(404, &long), document).finish(ExchangeError::cancelled());
    assert!(reply(cancelled).cut.is_some());
}

fn collecting(limit: usize, headers: &[(&str, &str)]) -> Receiving {
    let mut draft = get();
    draft.incoming = Incoming::Collect { limit };
    draft.larger = Some("use Download");
    Exchange::open(draft, NOW, 0).respond(head(200, headers))
}

#[test]
fn more_than_the_limit_is_known_by_its_length_before_it_is_read() {
    let told = collecting(4, &[("content-length", "5")]);
    assert!(told.is_rejected());
    let mut untold = collecting(4, &[("transfer-encoding", "chunked")]);
    untold.push(b"hell").unwrap();
    assert!(!untold.is_rejected());
    let failure = untold.push(b"o").unwrap_err();
    for done in [told.finish(None), untold.finish(failure)] {
        let error = reply(done).rejected.unwrap();
        assert_eq!(
            (error.kind(), error.hint()),
            (Kind::InvalidInput, Some("use Download")),
            "{error}"
        );
    }
    assert!(!collecting(5, &[("content-length", "5")]).is_rejected());
}

/// The defaults, as `Limits` states them: an hour for a document, a minute for a refusal, and for a body
/// that goes to the caller's sink the least rate instead.
#[test]
fn each_kind_of_body_has_its_own_limit_of_time() {
    let limits = |incoming, status| {
        let mut draft = get();
        draft.incoming = incoming;
        let receiving = Exchange::open(draft, NOW, 0).respond(head(status, &[]));
        (receiving.time(), receiving.pace().wait(Duration::ZERO).is_some())
    };
    let minute = Duration::from_secs(60);
    let collect = || Incoming::Collect { limit: 10 };
    let (hashers, expect) = (Hashers::default(), Expect::default());
    let stream = || Incoming::Stream {
        at: 0,
        hashers: hashers.clone(),
        declared: false,
        tag: false,
        expect: expect.clone(),
    };
    assert_eq!(limits(collect(), 200), (Some(60 * minute), false));
    assert_eq!(limits(stream(), 200), (None, true));
    for incoming in [collect(), stream()] {
        assert_eq!(limits(incoming, 503), (Some(minute), false));
    }
}

/// Whether the answer to a request for this range is taken, by a call or by a download.
fn taken(range: Option<&str>, status: u16, headers: &[(&str, &str)]) -> Result<(), Error> {
    let mut draft = get();
    if let Some(range) = range {
        draft.head.headers.insert("range", range.parse().unwrap());
    }
    let done = Exchange::open(draft, NOW, 0).respond(head(status, headers));
    reply(done.finish(None)).rejected.map_or(Ok(()), Err)
}

#[test]
fn a_call_takes_the_range_that_it_asked_for_and_no_other() {
    let of = |range, told: &str| taken(range, 206, &[("content-range", told)]);
    assert!(of(None, "bytes 0-4/5").is_err());
    assert!(of(Some("bytes=2-4"), "bytes 2-4/9").is_ok());
    // The object ends before the range does.
    assert!(of(Some("bytes=2-9"), "bytes 2-4/5").is_ok());
    assert!(of(Some("bytes=2-"), "bytes 2-8/9").is_ok());
    assert!(of(Some("bytes=-3"), "bytes 6-8/9").is_ok());
    assert!(of(Some("bytes=-30"), "bytes 0-8/9").is_ok());
    // The length of the object may be left out (RFC 9110, section 14.4).
    assert!(of(Some("bytes=-3"), "bytes 6-8/*").is_ok());
    for (range, told) in [
        ("bytes=2-4", "bytes 1-4/9"),
        ("bytes=2-4", "bytes 3-4/9"),
        ("bytes=2-4", "bytes 2-3/9"),
        ("bytes=2-4", "bytes 2-5/9"),
        ("bytes=2-4", "bytes 0-2/9"),
        ("bytes=2-", "bytes 2-7/9"),
        ("bytes=2-", "bytes 0-8/9"),
        ("bytes=-3", "bytes 5-8/9"),
        ("bytes=-3", "bytes 0-2/9"),
        ("bytes=-3", "bytes 5-8/*"),
        ("bytes=-3", "bytes 7-8/*"),
        ("bytes=2-4", "nonsense"),
    ] {
        let error = of(Some(range), told).expect_err(told);
        assert_eq!(error.kind(), Kind::InvalidResponse, "{range} {told}: {error}");
    }
    assert!(taken(Some("bytes=2-4"), 206, &[]).is_err());
    // Two ranges have no Content-Range, and were not asked for.
    let parts = [("content-type", "multipart/byteranges; boundary=x")];
    assert!(taken(Some("bytes=2-4"), 206, &parts).is_err());
    assert!(taken(None, 206, &[]).is_err());
    let lies = [("content-range", "bytes 2-4/9"), ("content-length", "9")];
    assert!(taken(Some("bytes=2-4"), 206, &lies).is_err());
    // All of it, where that is what the range asks for.
    let length = [("content-length", "5")];
    assert!(taken(Some("bytes=0-4"), 200, &length).is_ok());
    assert!(taken(Some("bytes=0-"), 200, &length).is_ok());
    assert!(taken(Some("bytes=-5"), 200, &length).is_ok());
    assert!(taken(Some("bytes=0-3"), 200, &length).is_err());
    assert!(taken(Some("bytes=1-"), 200, &length).is_err());
    assert!(taken(Some("bytes=-4"), 200, &length).is_err());
    assert!(taken(Some("bytes=2-4"), 200, &[]).is_err());
    assert!(taken(None, 200, &[]).is_ok());
}

/// The same for what is passed on to a sink.
fn streamed(expect: Expect, status: u16, headers: &[(&str, &str)]) -> Result<(), Error> {
    let mut draft = get();
    let hashers = Hashers::default();
    draft.incoming = Incoming::Stream { at: 0, hashers, declared: false, tag: false, expect };
    let done = Exchange::open(draft, NOW, 0).respond(head(status, headers));
    reply(done.finish(None)).rejected.map_or(Ok(()), Err)
}

#[test]
fn a_sink_gets_the_range_that_was_asked_for_and_no_other() {
    let of = |told: &str| {
        let expect = Expect { range: Some(2..5), ..Expect::default() };
        streamed(expect, 206, &[("content-range", told)])
    };
    assert!(of("bytes 2-4/9").is_ok());
    for told in ["bytes 1-4/9", "bytes 3-4/9", "bytes 2-3/9", "bytes 2-5/9", "bytes 0-2/9"] {
        assert!(of(told).is_err(), "{told}");
    }
    assert!(streamed(Expect::default(), 206, &[("content-range", "bytes 0-4/5")]).is_err());
    assert!(streamed(Expect::default(), 206, &[]).is_err());
    let expect = Expect { range: Some(2..5), ..Expect::default() };
    assert!(streamed(expect, 206, &[]).is_err());
}

#[test]
fn no_coding_is_asked_for_and_the_signature_does_not_say_so() {
    let mut exchange = Exchange::open(get(), NOW, 0);
    assert_eq!(exchange.request().unwrap().headers["accept-encoding"], "identity");
    let mut draft = get();
    draft.head.headers.insert("accept-encoding", "gzip".parse().unwrap());
    let mut exchange = Exchange::open(draft, NOW, 0);
    assert_eq!(exchange.request().unwrap().headers["accept-encoding"], "gzip");
}
