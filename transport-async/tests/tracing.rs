//! What is traced, in which span, and what is not.
#![cfg(feature = "tracing")]

mod common;

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use apus_async::{CancelToken, Client, Sink, Transport, TransportConfig};
use apus_core::credentials::Credentials;
use apus_core::machine::{Auth, RateLimits, S3Upload, UploadOptions, UploadSource};
use apus_core::s3::{self, BaseUrl, EndpointConfig};
use apus_core::sign::Keys;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tokio::runtime::{Builder, Runtime};
use tracing::dispatcher::{self, Dispatch};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Instrument, Metadata, Subscriber, info_span};
use tracing_core::span::Current;

use common::machines::Ranges;
use common::{Ask, Server, answer, client, noise};

#[test]
fn each_attempt_of_a_call_is_told_in_its_span() {
    let server = Server::start(|peer| {
        let mut requests = 0;
        while peer.request().is_some() {
            requests += 1;
            peer.say(if requests == 1 {
                answer("503 Service Unavailable", "sesame")
            } else {
                b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-secret: sesame\r\n\r\nhello".to_vec()
            });
        }
    });
    let notes = traced(async {
        let mut ask = Ask::put("/path?signature=sesame", "sesame");
        ask.change = |draft| {
            let sesame = HeaderValue::from_static("sesame");
            draft.head.headers.insert(AUTHORIZATION, sesame.clone());
            draft.head.headers.insert(HeaderName::from_static("x-auth-token"), sesame);
        };
        client(server.url()).call(ask).await.unwrap();
    });
    let [first, second] = notes.attempts()[..] else { panic!("{notes:?}") };
    for (told, status, received) in [(first, 503, 6), (second, 200, 5)] {
        assert_eq!(told.span, "caller > apus rpc.method=\"Ask\"", "{notes:?}");
        let start = format!(
            "rpc.method=\"Ask\" http.request.method=\"PUT\" http.response.status_code={status} \
             http.request.body.size=6 http.response.body.size={received} elapsed_ms="
        );
        assert!(told.text.contains(&start), "{notes:?}");
        assert!(!told.text.contains("error.type"), "{notes:?}");
    }
    notes.are_silent_about(&["sesame", "path", &server.address.to_string()]);
}

#[test]
fn what_was_cut_or_never_came_is_told_with_its_cause() {
    let server = Server::start(|peer| {
        peer.request();
        peer.say("HTTP/1.1 200 OK\r\ncontent-length: 9\r\nx-secret: sesame\r\n\r\nhello");
    });
    let cut = traced(async {
        common::once(server.url()).call(Ask::get("/path?signature=sesame")).await.unwrap_err();
    });
    let [told] = &cut.told[..] else { panic!("{cut:?}") };
    assert!(
        told.text.contains("status_code=200") && told.text.contains("error.type=\"Cut\""),
        "{cut:?}"
    );

    let refused = traced(async {
        let ask = Ask::get("/path?signature=sesame");
        common::once("http://127.0.0.1:1").call(ask).await.unwrap_err();
    });
    let [told] = &refused.told[..] else { panic!("{refused:?}") };
    assert!(told.text.contains("error.type=\"Connect\""), "{refused:?}");
    assert!(!told.text.contains("status_code="), "{refused:?}");
    for notes in [cut, refused] {
        notes.are_silent_about(&["sesame", "path", "127.0.0.1"]);
    }
}

/// Parts are sent in parallel, on several threads; nevertheless each attempt is in the span of the
/// upload, which is in the caller's.
#[test]
fn each_attempt_of_an_upload_is_told_in_its_span() {
    let refusals = AtomicUsize::new(0);
    let server = Server::start(move |peer| {
        while let Some((head, _)) = peer.request() {
            let line = head.lines().next().unwrap();
            peer.say(if line.starts_with("POST") && line.contains("uploads") {
                answer(
                    "200 OK",
                    "<InitiateMultipartUploadResult><UploadId>sesame-upload</UploadId>\
                     </InitiateMultipartUploadResult>",
                )
            } else if line.contains("partNumber=2&") && refusals.fetch_add(1, Ordering::SeqCst) < 2
            {
                answer("503 Slow Down", "<Error><Code>SlowDown</Code></Error>")
            } else if line.starts_with("PUT") {
                b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\netag: \"sesame\"\r\n\r\n".to_vec()
            } else {
                answer(
                    "200 OK",
                    "<CompleteMultipartUploadResult><ETag>\"sesame-3\"</ETag>\
                     </CompleteMultipartUploadResult>",
                )
            });
        }
    });
    let notes = traced(async {
        let endpoint = EndpointConfig::custom(BaseUrl::parse(&server.url()).unwrap(), "region");
        let mut config = s3::Config::new(endpoint);
        config.retry_policy.base = std::time::Duration::from_millis(1);
        config.retry_policy.throttled = std::time::Duration::from_millis(1);
        let service = s3::Service::new(config).unwrap();
        let keys = Keys {
            session_token: Some("sesame-token".into()),
            ..Keys::new("sesame-key", "sesame-secret")
        };
        let auth = Auth::new(Credentials::new(keys));
        let client =
            Client::with_transport(Transport::new(TransportConfig::new()).unwrap(), service, auth);
        let bytes = noise(2 * PART + 1000);
        let options = UploadOptions {
            threshold: 1 << 20,
            part_size: PART as u64,
            concurrency: 3,
            ..UploadOptions::default()
        };
        let source = UploadSource::Seekable(bytes.len() as u64);
        let service = Arc::clone(client.service());
        let upload = S3Upload::new("sesame-bucket", "path", source, options, service, 1).unwrap();
        let uploaded = client.run(upload).body(bytes).send().await.unwrap();
        assert_eq!(uploaded.parts, 3);
    });
    let span = "caller > apus rpc.method=\"S3Upload\"".to_owned();
    assert!(notes.told.iter().all(|told| told.span == span), "{notes:?}");
    let mut told = Vec::new();
    for (operation, status, sent) in [
        ("CreateMultipartUpload", 200, 0),
        ("UploadPart", 503, PART),
        ("UploadPart", 200, PART),
        ("UploadPart", 200, 1000),
    ] {
        let parts = [
            format!("rpc.method={operation:?} "),
            format!("status_code={status} "),
            format!("request.body.size={sent} "),
        ];
        let is = |told: &&Told| parts.iter().all(|part| told.text.contains(part));
        told.push(notes.told.iter().filter(is).count());
    }
    assert_eq!(told, [1, 2, 2, 1], "{notes:?}");
    let last = &notes.told.last().unwrap().text;
    assert!(
        last.contains("rpc.method=\"CompleteMultipartUpload\"") && last.contains("status_code=200"),
        "{notes:?}"
    );
    assert_eq!(notes.attempts().len(), 7, "{notes:?}");
    let authority = server.address.to_string();
    notes.are_silent_about(&["sesame", "path", "AWS4", "Signature", &authority]);
}

#[test]
fn what_is_cancelled_is_told() {
    let token = CancelToken::new();
    let cancel = token.clone();
    let server = Server::start(move |peer| {
        peer.request();
        cancel.cancel();
        peer.wait_for_end();
    });
    let notes = traced(async {
        let ranges = Ranges::new(format!("{}/path", server.url()), 10, 10, 2);
        let run = client(server.url()).run(ranges).write_to(Sink::memory()).cancel_on(token);
        assert!(run.send().await.unwrap_err().is_cancelled());
    });
    let [told] = &notes.told[..] else { panic!("{notes:?}") };
    assert!(told.span.starts_with("caller > apus rpc.method="), "{notes:?}");
    assert!(told.text.contains("rpc.method=\"Range\""), "{notes:?}");
    assert!(told.text.contains("error.type=\"Cancelled\""), "{notes:?}");
}

#[test]
fn a_wait_for_the_limits_is_told() {
    let server = Server::start(|peer| {
        while peer.request().is_some() {
            peer.say(answer("200 OK", ""));
        }
    });
    let notes = traced(async {
        let limits = RateLimits::new(8).requests_per_second(20);
        let client = client(server.url()).with_rate_limits(limits);
        for _ in 0..40 {
            client.call(Ask::get("/")).await.unwrap();
        }
    });
    let queued = notes.told.iter().find(|told| told.text.contains("message=queued"));
    let queued = queued.unwrap_or_else(|| panic!("{notes:?}"));
    assert_eq!(queued.span, "caller > apus rpc.method=\"Ask\"");
    for part in ["rpc.method=\"Ask\"", "at_once=8", "waiting=0"] {
        assert!(queued.text.contains(part), "{queued:?}");
    }
}

/// All events.
#[derive(Debug, Default)]
struct Notes {
    spans: Vec<(String, &'static Metadata<'static>)>,
    told: Vec<Told>,
}

/// An event: the spans around it, from the outermost, and its fields.
#[derive(Debug)]
struct Told {
    span: String,
    text: String,
}

/// Records all events.
#[derive(Clone, Default)]
struct Scribe(Arc<Mutex<Notes>>);

struct Fields(String);

thread_local! {
    static ENTERED: RefCell<Vec<(Id, &'static Metadata<'static>)>> =
        const { RefCell::new(Vec::new()) };
}

impl Notes {
    /// Returns the events of attempts: after a 503, there are others of the wait for a place.
    fn attempts(&self) -> Vec<&Told> {
        self.told.iter().filter(|told| told.text.contains("message=attempt ")).collect()
    }

    #[track_caller]
    fn are_silent_about(&self, words: &[&str]) {
        let paths = self.spans.iter().map(|(path, _)| path);
        let all = format!("{:?} {:?}", paths.collect::<Vec<_>>(), self.told);
        for word in words {
            assert!(!all.contains(word), "{word} is in {all}");
        }
    }

    /// The path of the span that this thread is in.
    fn path(&self) -> &str {
        ENTERED.with_borrow(|entered| {
            entered.last().map_or("", |(id, _)| &self.spans[id.into_u64() as usize - 1].0)
        })
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Scribe {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("apus") || metadata.target() == module_path!()
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(span.metadata().name().to_owned());
        span.record(&mut fields);
        let mut notes = self.0.lock().unwrap();
        let path = match notes.path() {
            "" => fields.0,
            outer => format!("{outer} > {}", fields.0),
        };
        notes.spans.push((path, span.metadata()));
        Id::from_u64(notes.spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        let mut notes = self.0.lock().unwrap();
        let span = notes.path().to_owned();
        notes.told.push(Told { span, text: fields.0 });
    }

    fn enter(&self, span: &Id) {
        let metadata = self.0.lock().unwrap().spans[span.into_u64() as usize - 1].1;
        ENTERED.with_borrow_mut(|entered| entered.push((span.clone(), metadata)));
    }

    fn exit(&self, _: &Id) {
        ENTERED.with_borrow_mut(Vec::pop);
    }

    fn current_span(&self) -> Current {
        let current = ENTERED.with_borrow(|entered| entered.last().cloned());
        current.map_or_else(Current::none, |(id, metadata)| Current::new(id, metadata))
    }
}

/// Returns the events while this runs in a span of the caller's, on two threads.
fn traced(work: impl Future<Output = ()>) -> Notes {
    let scribe = Scribe::default();
    let dispatch = Dispatch::new(scribe.clone());
    dispatcher::with_default(&dispatch, || {
        runtime(&dispatch).block_on(work.instrument(info_span!("caller")));
    });
    std::mem::take(&mut *scribe.0.lock().unwrap())
}

fn runtime(dispatch: &Dispatch) -> Runtime {
    let dispatch = dispatch.clone();
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        // The thread ends with its runtime, and with it the events.
        .on_thread_start(move || std::mem::forget(dispatcher::set_default(&dispatch)))
        .build()
        .unwrap()
}

const PART: usize = 5 << 20;
