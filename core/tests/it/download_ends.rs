//! Bodies whose end proves nothing, and bodies with another coding than the stored object.

use apus_core::machine::{Call, DownloadOptions, S3Download};
use apus_core::s3::{ByteRange, GetObject};
use apus_core::{Error, Kind};
use bytes::Bytes;

use crate::support::stored::{Stored, download, get, wide};
use crate::support::{Answer, Run, Sim, service};

/// The answer without anything that tells how long it is.
fn endless(mut answer: Answer, after: usize) -> Answer {
    answer.headers.retain(|(name, _)| name != "content-length");
    answer.body.truncate(after);
    answer.closed()
}

/// GETs are answered without a length, the first of them with its first `after` bytes alone; a HEAD so.
fn reading(
    machine: S3Download,
    stored: &Stored,
    after: usize,
    head: Option<Answer>,
) -> Run<S3Download> {
    let mut first = true;
    Sim::new(machine).run(|request, _| match &head {
        Some(head) if request.method == "HEAD" => head.clone(),
        _ if request.method == "HEAD" => stored.answer(request),
        _ if std::mem::take(&mut first) => endless(stored.answer(request), after),
        _ => stored.answer(request),
    })
}

#[test]
fn a_head_tells_what_the_end_of_a_connection_does_not() {
    let stored = Stored::new(1000);
    let run = reading(download(wide(1, 100)), &stored, 1000, None);
    let done = run.result.unwrap();
    assert!(done.end_is_certain && run.sink == stored.bytes);
    assert_eq!(run.requests, ["GET /bucket/key", "HEAD /bucket/key"]);
    // What is missing is asked for.
    let run = reading(download(wide(1, 100)), &stored, 300, None);
    let done = run.result.unwrap();
    assert!(done.end_is_certain && run.sink == stored.bytes);
    assert_eq!(run.requests[2..], ["GET /bucket/key bytes=300-"]);
    // Of several ranges each tells its length.
    let run = reading(download(wide(4, 100)), &stored, 1000, None);
    assert!(run.result.unwrap().end_is_certain && run.sink == stored.bytes);
}

/// A server that denies one range of several, whose ends it told: the others are in flight meanwhile.
#[test]
fn a_denied_range_of_several_ends_the_download() {
    let stored = Stored::new(1000);
    for denied in 2..=10 {
        let mut gets = 0;
        let run = Sim::new(download(wide(4, 100))).run(|request, _| {
            gets += usize::from(request.method == "GET");
            match gets == denied {
                true => Answer::error(416, "InvalidRange"),
                false => stored.answer(request),
            }
        });
        let error = run.result.unwrap_err();
        assert_eq!(error.kind(), Kind::Integrity, "{denied}: {error}");
    }
}

/// A HEAD told the length before the first range, as where the last bytes are asked for.
#[test]
fn a_refused_range_is_no_end_of_an_object_whose_length_is_known() {
    let stored = Stored::new(423);
    let last = |get: &mut GetObject| get.range = Some(ByteRange::Last(255));
    for told in [None, Some("bytes */168"), Some("bytes */423")] {
        let mut heads = 0;
        let run = Sim::new(get(wide(1, 100), last, |_| {})).run(|request, _| {
            heads += usize::from(request.method == "HEAD");
            match (request.method.as_str(), heads, told) {
                ("HEAD", 1, _) => stored.answer(request),
                (_, _, Some(told)) => {
                    Answer::error(416, "InvalidRange").header("content-range", told)
                }
                _ => Answer::error(416, "InvalidRange"),
            }
        });
        let error = run.result.unwrap_err();
        assert_eq!(error.kind(), Kind::Integrity, "{told:?}: {error}");
        assert_eq!(run.requests, ["HEAD /bucket/key", "GET /bucket/key bytes=168-"]);
    }
}

#[test]
fn an_end_that_nobody_tells_is_said_to_be_uncertain() {
    let stored = Stored::new(1000);
    for head in [Answer::new(200).closed(), Answer::error(403, "AccessDenied")] {
        let run = reading(download(wide(1, 100)), &stored, 300, Some(head));
        let done = run.result.unwrap();
        assert_eq!((done.end_is_certain, done.bytes), (false, 300));
    }
    // The caller may know.
    let known = DownloadOptions { size: Some(1000), ..wide(1, 100) };
    let run = reading(download(known), &stored, 300, Some(Answer::error(403, "AccessDenied")));
    assert!(run.result.unwrap().end_is_certain && run.sink == stored.bytes);
    assert_eq!(run.requests[1..], ["GET /bucket/key bytes=300-"]);
    let other = Answer::new(200).header("etag", "\"v2\"").header("content-length", 300);
    let run = reading(download(wide(1, 100)), &stored, 300, Some(other));
    assert_eq!(run.result.unwrap_err().kind(), Kind::Integrity);
    let shorter = Answer::new(200).header("content-length", 200);
    let run = reading(download(wide(1, 100)), &stored, 300, Some(shorter));
    assert_eq!(run.result.unwrap_err().kind(), Kind::Integrity);
}

/// What a call gets where GETs and HEADs are answered so, and how often it asked.
fn call(first: Answer, head: Answer) -> (Result<Bytes, Error>, Vec<String>) {
    let call = Call::new(GetObject::new("bucket", "key"), service(|_| {}), 1);
    let run = Sim::new(call).run(|request, _| match request.method.as_str() {
        "HEAD" => head.clone(),
        _ => first.clone(),
    });
    (run.result.map(|output| output.body), run.requests)
}

#[test]
fn a_call_gives_no_beginning_for_the_whole() {
    let whole = Answer::new(200).header("content-length", 5);
    let cut = endless(Answer::new(200).body("hello"), 3);
    let (result, requests) = call(cut.clone(), whole.clone());
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (Kind::Transport, 5), "{error}");
    assert_eq!(requests.len(), 10);
    let all = endless(Answer::new(200).body("hello"), 5);
    let (result, requests) = call(all.clone(), whole);
    assert_eq!(result.unwrap(), "hello");
    assert_eq!(requests, ["GET /bucket/key", "HEAD /bucket/key"]);
    // If nothing proves that the body is complete, the call fails.
    for head in [Answer::new(200), Answer::error(403, "AccessDenied")] {
        assert_eq!(call(all.clone(), head).0.unwrap_err().kind(), Kind::Transport);
    }
    let another = Answer::new(200).header("content-length", 5).header("etag", "\"v2\"");
    let tagged = endless(Answer::new(200).header("etag", "\"v1\"").body("hello"), 5);
    assert!(call(tagged, another).0.is_err());
}

fn coded(body: &'static str, coding: &str) -> Answer {
    Answer::new(200).header("content-encoding", coding).body(body)
}

#[test]
fn an_object_that_is_stored_coded_comes_as_it_is_stored() {
    let stored = Answer::new(200).header("content-encoding", "gzip").header("content-length", 5);
    let (result, requests) = call(coded("hello", "gzip"), stored.clone());
    assert_eq!(result.unwrap(), "hello");
    assert_eq!(requests.len(), 2);
    let run = Sim::new(download(wide(1, 100))).run(|request, _| match request.method.as_str() {
        "HEAD" => stored.clone(),
        _ => coded("hello", "gzip"),
    });
    assert!(run.result.is_ok() && run.sink == b"hello");
    assert_eq!(run.requests, ["GET /bucket/key", "HEAD /bucket/key", "GET /bucket/key"]);
    // A coding that the caller asked for says nothing.
    let set = |get: &mut GetObject| get.response.content_encoding = Some("gzip".into());
    let run = Sim::new(get(wide(1, 100), set, |_| {})).run(|_, _| coded("hello", "gzip"));
    assert_eq!((run.sink.len(), run.requests.len()), (5, 1));
}

#[test]
fn a_coding_that_was_added_since_is_an_error() {
    let stored = Answer::new(200).header("content-length", 3000);
    let answers = [
        coded("39 bytes", "gzip"),
        coded("39 bytes", "br, gzip"),
        Answer::new(200).header("warning", "214 proxy \"transformed\"").body("x"),
        Answer::new(200).header("x-goog-stored-content-encoding", "gzip").body("x"),
    ];
    for answer in answers {
        let (result, _) = call(answer.clone(), stored.clone());
        assert_eq!(result.unwrap_err().kind(), Kind::Integrity, "{answer:?}");
        let run =
            Sim::new(download(wide(1, 100))).run(|request, _| match request.method.as_str() {
                "HEAD" => stored.clone(),
                _ => answer.clone(),
            });
        assert_eq!(run.result.unwrap_err().kind(), Kind::Integrity, "{answer:?}");
        assert!(run.sink.is_empty());
    }
}

#[test]
fn more_than_a_call_collects_is_for_a_download() {
    let of = |limit, default| {
        let get = GetObject { collect_limit: limit, ..GetObject::new("bucket", "key") };
        let call = Call::new(get, service(|config| config.collect_limit = default), 1);
        let run = Sim::new(call).run(|_, _| Answer::new(200).body("hello"));
        (run.result.map(|output| output.body), run.requests.len())
    };
    assert_eq!(of(Some(5), 4).0.unwrap(), "hello");
    assert_eq!(of(None, 5).0.unwrap(), "hello");
    for (limit, default) in [(Some(4), 5), (None, 4)] {
        let (result, requests) = of(limit, default);
        let error = result.unwrap_err();
        assert_eq!((error.kind(), requests), (Kind::InvalidInput, 1), "{error}");
        assert!(error.to_string().contains("Download"), "{error}");
    }
}

/// A server that closes each connection early: what each request gains decides how many there are.
#[test]
fn single_bytes_are_no_progress() {
    let every = |size: usize, gains: usize| {
        let stored = Stored::new(size);
        Sim::new(download(wide(1, 1 << 30))).run(|request, _| stored.answer(request).cut(gains))
    };
    for (size, gains) in [(1000, 5), (100_000, 1000), (4 << 20, 30_000)] {
        let run = every(size, gains);
        let error = run.result.unwrap_err();
        assert_eq!(error.kind(), Kind::Transport, "{error}");
        assert_eq!((run.requests.len(), run.sink.len()), (5, 5 * gains));
    }
    // A tenth, or 64 KiB, are.
    for (size, gains) in [(1000, 100), (4 << 20, 65_536)] {
        let run = every(size, gains);
        run.result.unwrap();
        assert_eq!(run.requests.len(), size / gains + usize::from(size % gains > 0));
    }
}
