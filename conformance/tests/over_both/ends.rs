//! Every way in which a connection can end, at every place of a response.
//!
//! ```text
//!   place     before, in and after the head, in the body, before its last chunk, after all of it
//!   framing   Content-Length, chunks, neither
//!   ending    FIN after `close_notify` (the server half-closes), FIN alone, a reset
//!   through   TCP, TLS
//! ```
//!
//! The expected result is in the table [`Case::is_whole`], from RFC 9112, sections 6.3, 8 and 9.8.

use std::sync::{Arc, Mutex};

use apus_conformance::server::{Cut, Ending, Framing, Reply, Request, Scripted};
use apus_core::contract::{AuthOutcome, Authenticator, Lease, LeaseGeneration, LeaseRequest};
use apus_core::http::{Completion, Draft, Exchange};
use apus_core::machine::{Auth, DownloadOptions, S3Download};
use apus_core::s3::{GetObject, ListObjectsV2};
use apus_core::{Error, Now, swift};
use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};

use crate::client::{Client, Server, Setup, Target, Via, pattern};

both! {
    over_tcp_an_end_is_the_protocols_own,
    over_tls_an_end_is_the_protocols_own,
}

/// Where the response ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    BeforeHead,
    InHead,
    AfterHead,
    InBody,
    /// Chunks alone have one.
    BeforeLastChunk,
    AfterBody,
}

/// The end of one response.
#[derive(Clone, Copy, Debug)]
struct Case {
    tls: bool,
    framing: Framing,
    ending: Ending,
    place: Place,
}

impl Case {
    /// Every combination over TCP or TLS.
    fn all(tls: bool) -> Vec<Self> {
        let mut all = Vec::new();
        for framing in [Framing::Length, Framing::Chunked(500), Framing::Close] {
            for ending in [Ending::Close, Ending::Drop, Ending::Reset] {
                for place in [
                    Place::BeforeHead,
                    Place::InHead,
                    Place::AfterHead,
                    Place::InBody,
                    Place::BeforeLastChunk,
                    Place::AfterBody,
                ] {
                    all.push(Self { tls, framing, ending, place });
                }
            }
        }
        all
    }

    /// Whether the response is complete by HTTP. `None`: the reset may overtake it.
    fn is_whole(self) -> Option<bool> {
        match (self.framing, self.place, self.ending) {
            (Framing::Length, Place::AfterBody | Place::BeforeLastChunk, Ending::Reset)
            | (Framing::Chunked(_), Place::AfterBody, Ending::Reset) => None,
            (Framing::Length, Place::AfterBody | Place::BeforeLastChunk, _)
            | (Framing::Chunked(_), Place::AfterBody, _) => Some(true),
            // Ended by the connection, which has to be closed as its own protocol says. Closed so
            // too early it is whole by HTTP, and not by what a HEAD says of the object.
            (Framing::Close, Place::AfterBody | Place::BeforeLastChunk, Ending::Close) => {
                Some(true)
            }
            (Framing::Close, Place::AfterBody | Place::BeforeLastChunk, Ending::Drop) => {
                Some(!self.tls)
            }
            _ => Some(false),
        }
    }

    fn apply(self, reply: Reply) -> Reply {
        let length = reply.body.len();
        let cut = match self.place {
            Place::BeforeHead => Cut::Head(self.ending),
            Place::InHead => Cut::Within(20, self.ending),
            Place::AfterHead => Cut::Body(0, self.ending),
            Place::InBody => Cut::Body(length / 4, self.ending),
            Place::BeforeLastChunk if self.framing == Framing::Length => {
                Cut::Body(length, self.ending)
            }
            Place::BeforeLastChunk => match self.framing {
                // The size line and the end of each chunk: `1f4\r\n` and `\r\n`.
                Framing::Chunked(size) => {
                    let sizes = (0..length).step_by(size).map(|at| size.min(length - at));
                    let framed = sizes.map(|size| format!("{size:x}").len() + 4 + size);
                    Cut::Body(framed.sum(), self.ending)
                }
                _ => Cut::Body(length, self.ending),
            },
            Place::AfterBody => Cut::Body(usize::MAX, self.ending),
        };
        reply.framing(self.framing).cut(cut)
    }
}

/// What the server does with a GET.
#[derive(Clone, Copy)]
struct Plan {
    case: Option<Case>,
    /// Only the first is ended so.
    once: bool,
    gets: usize,
}

/// A server with one object, which is listed, and its plan.
fn server(tls: bool, bytes: &Bytes) -> (Scripted, Arc<Mutex<Plan>>) {
    let plan = Arc::new(Mutex::new(Plan { case: None, once: false, gets: 0 }));
    let (shared, bytes) = (Arc::clone(&plan), bytes.clone());
    let script = move |request: &Request| {
        if request.method == "HEAD" {
            let length = bytes.len().to_string();
            return Reply::new(200).header("Content-Length", length);
        }
        let mut plan = shared.lock().unwrap();
        plan.gets += 1;
        let reply = if request.query().contains("list-type") {
            Reply::xml(200, listing())
        } else {
            object(request, &bytes)
        };
        match plan.case {
            Some(case) if !plan.once || plan.gets == 1 => case.apply(reply),
            _ => reply,
        }
    };
    let started = if tls { Scripted::start_tls(script) } else { Scripted::start(script) };
    (started.unwrap(), plan)
}

fn object(request: &Request, bytes: &Bytes) -> Reply {
    let Some(range) = request.header("range") else { return Reply::new(200).body(bytes.clone()) };
    let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let first: usize = first.parse().unwrap();
    if first >= bytes.len() {
        return Reply::new(416);
    }
    let end = last.parse().map_or(bytes.len(), |last: usize| last + 1).min(bytes.len());
    let told = format!("bytes {first}-{}/{}", end - 1, bytes.len());
    Reply::new(206).header("Content-Range", told).body(bytes.slice(first..end))
}

fn listing() -> String {
    let contents: String = (0..KEYS)
        .map(|at| {
            format!("<Contents><Key>key-{at}</Key><Size>{at}</Size><ETag>e</ETag></Contents>")
        })
        .collect();
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>")
}

/// Who reads.
#[derive(Clone, Copy, Debug)]
enum Reader {
    Call,
    Download(usize),
    Listing,
    Swift,
    SwiftDownload(usize),
}

const READERS: [Reader; 7] = [
    Reader::Call,
    Reader::Download(1),
    Reader::Download(4),
    Reader::Listing,
    Reader::Swift,
    Reader::SwiftDownload(1),
    Reader::SwiftDownload(4),
];

/// A client for each of the readers.
struct Clients {
    s3: Client,
    swift: SwiftClient,
}

impl Clients {
    fn of(server: &Scripted, via: Via) -> Self {
        let s3 = Setup::of(server).with(|config| config.retry_policy.attempts = 3).client(via);
        Self { s3, swift: SwiftClient::of(server, via) }
    }

    /// Whether what came is what is there.
    fn read(&self, reader: Reader, bytes: &Bytes) -> Result<bool, Error> {
        let options =
            |concurrency| DownloadOptions { range_size: 500, concurrency, ..Default::default() };
        match reader {
            Reader::Call => {
                let get = self.s3.call(GetObject::new("bucket", "key"));
                get.map(|output| output.body == *bytes)
            }
            Reader::Download(concurrency) => {
                let get = GetObject::new("bucket", "key");
                let service = Arc::clone(&self.s3.service);
                let download = S3Download::new(get, service, options(concurrency), 7);
                let (result, sink) = self.s3.run_into(download, Target::Memory);
                result.map(|done| done.end_is_certain && sink == *bytes)
            }
            Reader::Listing => {
                let list = self.s3.call(ListObjectsV2::new("bucket"));
                list.map(|output| output.contents.len() == KEYS)
            }
            Reader::Swift => self.swift.get().map(|body| body == *bytes),
            Reader::SwiftDownload(concurrency) => {
                self.swift.download(options(concurrency)).map(|sink| sink == *bytes)
            }
        }
    }
}

pub(crate) enum SwiftClient {
    Blocking(apus_blocking::Client<swift::Service>),
    Async(apus_async::Client<swift::Service>, Runtime),
}

impl SwiftClient {
    pub(crate) fn of(server: &impl Server, via: Via) -> Self {
        let mut config = swift::Config::at(format!("{}/v1/AUTH_a", server.url()));
        config.retry_policy.base = std::time::Duration::from_millis(2);
        config.retry_policy.attempts = 3;
        let service = swift::Service::new(config).unwrap();
        macro_rules! client {
            ($transport:ident) => {{
                let mut config = $transport::TransportConfig::new();
                if let Some(ca) = server.ca() {
                    config = config.ca_bundle(ca.as_bytes()).unwrap();
                }
                let transport = $transport::Transport::new(config).unwrap();
                $transport::Client::with_transport(transport, service, Auth::new(Nobody))
            }};
        }
        match via {
            Via::Blocking => Self::Blocking(client!(apus_blocking)),
            Via::Async => {
                let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
                let runtime = runtime.unwrap();
                let client = runtime.block_on(async { client!(apus_async) });
                Self::Async(client, runtime)
            }
        }
    }

    pub(crate) fn get(&self) -> Result<Bytes, Error> {
        let get = swift::GetObject::new("container", "object");
        let output = match self {
            Self::Blocking(client) => client.call(get),
            Self::Async(client, runtime) => runtime.block_on(client.call(get)),
        };
        output.map(|output| output.body)
    }

    pub(crate) fn download(&self, options: DownloadOptions) -> Result<Vec<u8>, Error> {
        use apus_core::machine::SwiftDownload;
        let get = swift::GetObject::new("container", "object");
        match self {
            Self::Blocking(client) => {
                let service = Arc::clone(client.service());
                let sink = apus_blocking::Sink::memory();
                let download = SwiftDownload::new(get, service, options, 7);
                client.run(download).write_to(&sink).send().map(|_| sink.take())
            }
            Self::Async(client, runtime) => {
                let service = Arc::clone(client.service());
                let sink = apus_async::Sink::memory();
                let download = SwiftDownload::new(get, service, options, 7);
                let done = runtime.block_on(client.run(download).write_to(&sink).send());
                done.map(|_| sink.take())
            }
        }
    }
}

/// Needs no token.
struct Nobody;

impl Authenticator for Nobody {
    fn lease(&mut self, _: Now, _: &mut LeaseRequest<'_>) -> Lease {
        Lease::Granted(LeaseGeneration { generation: 0 })
    }

    fn seal(
        &mut self,
        grant: LeaseGeneration,
        draft: Box<Draft>,
        now: Now,
    ) -> Result<Exchange, Error> {
        Ok(Exchange::open(draft, now, grant.generation))
    }

    fn judge(&mut self, _: Now, _: &Completion) -> AuthOutcome {
        AuthOutcome::Accepted
    }

    fn renewed(&mut self, _: Now, _: Completion) {}
}

fn over_tcp_an_end_is_the_protocols_own(via: Via) {
    every_end(via, false);
}

fn over_tls_an_end_is_the_protocols_own(via: Via) {
    every_end(via, true);
}

fn every_end(via: Via, tls: bool) {
    let bytes = pattern(3000);
    let (server, plan) = server(tls, &bytes);
    for reader in READERS {
        for case in Case::all(tls) {
            let run = |once| {
                // Each with a budget of retries of its own.
                let clients = Clients::of(&server, via);
                *plan.lock().unwrap() = Plan { case: Some(case), once, gets: 0 };
                let result = clients.read(reader, &bytes);
                (result, plan.lock().unwrap().gets)
            };
            // What ends too soon once is read to its end by another request.
            let (result, gets) = run(true);
            let right = result.unwrap_or_else(|error| panic!("{reader:?} {case:?}: {error}"));
            assert!(right, "{reader:?} {case:?}: wrong bytes");
            let one = !matches!(reader, Reader::Download(4) | Reader::SwiftDownload(4));
            // A HEAD gave the length, and as many bytes came.
            let all = matches!(case.place, Place::BeforeLastChunk | Place::AfterBody)
                && matches!(reader, Reader::SwiftDownload(_));
            match case.is_whole().filter(|whole| *whole || !all) {
                Some(true) => assert!(!one || gets == 1, "{reader:?} {case:?}: {gets}"),
                Some(false) => assert!(gets > 1, "{reader:?} {case:?}: {gets}"),
                None => {}
            }
            // What ends too soon each time is never taken for the whole.
            let (result, _) = run(false);
            let resumes = matches!(reader, Reader::Download(_) | Reader::SwiftDownload(_));
            match (result, case.is_whole()) {
                (Ok(right), whole) if !all => {
                    assert!(right, "{reader:?} {case:?}: wrong bytes");
                    assert!(resumes || whole != Some(false), "{reader:?} {case:?}");
                }
                (Ok(right), _) => assert!(right, "{reader:?} {case:?}: wrong bytes"),
                (Err(error), Some(true)) => panic!("{reader:?} {case:?}: {error}"),
                (Err(_), _) => {}
            }
        }
    }
}

const KEYS: usize = 40;
