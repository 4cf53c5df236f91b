//! Runs that end early: what is left on the server, and how they are resumed.

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use apus_conformance::server::{Fault, FaultyS3, Operation, Plan, S3Model};
use apus_core::contract::{Machine, OnFailure, Step, StreamWindow};
use apus_core::http::Completion;
use apus_core::machine::{
    Checkpoint, DownloadOptions, Event, Observer, S3Download, S3Upload, Uploaded,
};
use apus_core::now::Now;
use apus_core::s3::GetObject;
use bytes::Bytes;
use tokio::io::AsyncReadExt;

use crate::client::{Client, Kind, Origin, Setup, Token, Via, Wire, pattern};
use crate::uploads::{machine, options, server, stored};

both! {
    a_cancelled_upload_leaves_nothing,
    what_was_kept_is_gone_on_with_elsewhere,
    a_cancelled_download_ends_in_time,
    a_reader_that_is_dropped_stops_its_run,
}

/// Shows the checkpoint of an upload to others, and uses a token when it has so many parts.
struct Shown {
    upload: S3Upload,
    checkpoint: Arc<Mutex<Option<Checkpoint>>>,
    parts: usize,
    token: Token,
    on_failure: OnFailure,
}

impl Machine for Shown {
    type Output = Uploaded;

    fn poll(&mut self, now: Now) -> Step<Uploaded> {
        self.upload.poll(now)
    }

    fn complete(&mut self, now: Now, done: Completion) {
        self.upload.complete(now, done);
        if let Some(checkpoint) = self.upload.checkpoint() {
            if checkpoint.parts.len() >= self.parts {
                self.token.cancel_with(self.on_failure);
            }
            *self.checkpoint.lock().unwrap() = Some(checkpoint);
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.upload.cancel(now, on_failure);
    }

    fn concurrency(&self) -> usize {
        self.upload.concurrency()
    }

    fn stream_window(&mut self) -> Option<&mut StreamWindow> {
        self.upload.stream_window()
    }
}

const LENGTH: usize = 400_000;

/// Uploads until three parts are there, and says what the last checkpoint was.
fn interrupted(client: &Client, origin: Origin, on_failure: OnFailure) -> Checkpoint {
    let (checkpoint, token) = (Arc::default(), Token::default());
    let shown = Shown {
        upload: machine(&origin, options(), &client.service),
        checkpoint: Arc::clone(&checkpoint),
        parts: 3,
        token: token.clone(),
        on_failure,
    };
    let error = client.run_until(shown, origin, &token).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert!(error.leftovers().is_empty(), "{error}");
    checkpoint.lock().unwrap().take().expect("the upload had begun")
}

fn a_cancelled_upload_leaves_nothing(via: Via) {
    for kind in Kind::ALL {
        let server = server(false, Plan::new());
        let client = Setup::of(&server).client(via);
        interrupted(&client, Origin::new(kind, pattern(LENGTH)), OnFailure::Abort);
        let model = server.model();
        assert!(model.object("bucket", "key").is_none() && model.open_uploads().is_empty());
        assert_eq!(model.count(Operation::AbortMultipartUpload), 1, "{kind:?}");
    }
}

fn what_was_kept_is_gone_on_with_elsewhere(via: Via) {
    for kind in Kind::ALL {
        let bytes = pattern(LENGTH);
        let server = server(false, Plan::new());
        let client = Setup::of(&server).client(via);
        let origin = Origin::new(kind, bytes.clone());
        let checkpoint = interrupted(&client, origin.clone(), OnFailure::Keep);
        assert_eq!(server.model().open_uploads().len(), 1, "{kind:?}");
        let text = serde_json::to_string(&checkpoint).unwrap();
        drop((client, checkpoint));

        // Only this text is passed from one process to the other.
        let checkpoint: Checkpoint = serde_json::from_str(&text).unwrap();
        let client = Setup::of(&server).client(via);
        let acknowledged: Vec<u32> = checkpoint.parts.keys().copied().collect();
        assert!(acknowledged.len() >= 3, "{kind:?}");
        let before = server.server().requests().len();
        let source = origin.upload_source();
        let service = Arc::clone(&client.service);
        let upload = S3Upload::resume(checkpoint, source, options(), service, 9).unwrap();
        let done = client.run(upload, origin).unwrap();
        assert_eq!((done.size, done.parts), (LENGTH as u64, 13), "{kind:?}");
        stored(&server, &bytes);
        // A part that was on its way may arrive now; what was acknowledged is not sent again.
        let mut sent = Vec::new();
        for request in server.server().requests().iter().skip(before) {
            let number = request.query().split('&').find_map(|one| one.strip_prefix("partNumber="));
            sent.extend(number.map(|number| number.parse::<u32>().unwrap()));
        }
        assert!(!sent.is_empty(), "{kind:?}");
        let again = sent.iter().any(|number| acknowledged.contains(number));
        assert!(!again, "{kind:?}: {sent:?} after {acknowledged:?}");
    }
}

fn a_cancelled_download_ends_in_time(via: Via) {
    let slow = Fault::Trickle(1000, Duration::from_millis(20));
    let server = slow_object(Plan::new().always(Operation::GetObject, slow));
    let client = Setup::of(&server).client(via);
    for concurrency in [1, 4] {
        let token = Token::default();
        let options = DownloadOptions { range_size: 64 << 10, concurrency, ..Default::default() };
        let get = GetObject::new("bucket", "key");
        let download = S3Download::new(get, Arc::clone(&client.service), options, 7);
        std::thread::scope(|scope| {
            let cancelled = token.clone();
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(100));
                cancelled.cancel_with(OnFailure::Abort);
            });
            let error = client.run_until(download, Origin::none(), &token).unwrap_err();
            assert!(error.is_cancelled(), "{error}");
        });
    }
}

/// A megabyte, which comes slowly under most plans of these tests.
fn slow_object(plan: Plan) -> FaultyS3 {
    let model = S3Model::new().with_bucket("bucket");
    FaultyS3::start(model.with_object("bucket", "key", pattern(1 << 20)).with_plan(plan)).unwrap()
}

/// Lives as long as its owner.
struct Witness;

impl Observer for Witness {
    fn event(&self, _: Now, _: &Event<'_>) {}
}

fn a_reader_that_is_dropped_stops_its_run(via: Via) {
    // Read to its end, it would take minutes.
    let slow = Fault::Trickle(1000, Duration::from_millis(100));
    let server = slow_object(Plan::new().always(Operation::GetObject, slow));
    let witness = Arc::new(Witness);
    let mut setup = Setup::of(&server);
    setup.observer = Some(witness.clone());
    let client = setup.client(via);
    let before = Arc::strong_count(&witness);
    let options = DownloadOptions { range_size: 256 << 10, concurrency: 2, ..Default::default() };
    let get = GetObject::new("bucket", "key");
    let download = S3Download::new(get, Arc::clone(&client.service), options, 7);
    let mut first = [0; 1000];
    match &client.wire {
        Wire::Blocking(client) => {
            client.run(download).reader().unwrap().read_exact(&mut first).unwrap()
        }
        Wire::Async(client, runtime) => runtime.block_on(async {
            client.run(download).reader().unwrap().read_exact(&mut first).await.unwrap();
        }),
    }
    assert_eq!(first[..], pattern(1000)[..]);
    let until = Instant::now() + Duration::from_secs(10);
    while Arc::strong_count(&witness) > before {
        assert!(Instant::now() < until, "the run goes on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Only a future can be dropped.
#[test]
fn dropping_an_async_upload_leaves_nothing() {
    let slow = Fault::Delay(Duration::from_millis(100));
    let server = server(false, Plan::new().from(Operation::UploadPart, 3, slow));
    let client = Setup::of(&server).client(Via::Async);
    let Wire::Async(hyper, runtime) = &client.wire else { unreachable!("it was asked for") };
    let bytes: Bytes = pattern(LENGTH);
    for kind in Kind::ALL {
        let origin = Origin::new(kind, bytes.clone());
        let upload = machine(&origin, options(), &client.service);
        let before = server.model().count(Operation::UploadPart);
        runtime.block_on(async {
            let run = hyper.run(upload).body(origin.hyper()).send();
            let begun = async {
                while server.model().count(Operation::UploadPart) < before + 3 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::select! {
                done = run => panic!("{done:?} before it was dropped"),
                () = begun => {}
            }
        });
        let until = Instant::now() + Duration::from_secs(10);
        while !server.model().open_uploads().is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        let model = server.model();
        assert!(model.open_uploads().is_empty(), "{kind:?}");
        assert!(model.object("bucket", "key").is_none(), "{kind:?}");
    }
}
