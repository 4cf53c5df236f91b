//! Runs that are dropped before their end, and what `shutdown` returns for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use apus_conformance::server::{Fault, FaultyS3, Operation, Plan};
use apus_core::error::Leftover;
use apus_core::machine::{Event, Observer};
use apus_core::now::Now;
use tokio::runtime::Builder;
use tokio::sync::Notify;

use crate::client::{Client, Kind, Origin, Setup, Via, Wire, pattern};
use crate::uploads::{machine, options, server};

both! {
    shutdown_waits_for_runs_that_clean_up,
    what_can_not_be_removed_is_returned_once,
    what_has_yet_to_be_removed_is_named_at_the_deadline,
    shutdowns_at_once_return_each_leftover_once,
}

/// Says when so many exchanges have been launched.
struct Count {
    launched: AtomicUsize,
    wanted: usize,
    reached: Notify,
    told: mpsc::SyncSender<()>,
}

impl Observer for Count {
    fn event(&self, _: Now, event: &Event<'_>) {
        let is_launch = matches!(event, Event::Launched { .. });
        if is_launch && self.launched.fetch_add(1, Ordering::AcqRel) + 1 == self.wanted {
            self.reached.notify_one();
            let _ = self.told.try_send(());
        }
    }
}

/// Begins an upload, and drops it when this many exchanges were launched.
fn abandon(client: &Client, after: usize) {
    let (told, reached) = mpsc::sync_channel(1);
    let count =
        Count { launched: AtomicUsize::new(0), wanted: after, reached: Notify::new(), told };
    let count = Arc::new(count);
    let origin = Origin::new(Kind::Bytes, pattern(400_000));
    let upload = machine(&origin, options(), &client.service);
    match &client.wire {
        Wire::Blocking(client) => {
            let run = client.run(upload).body(origin.blocking()).with_observer(count);
            let reader = run.reader();
            reached.recv().unwrap();
            drop(reader);
        }
        Wire::Async(client, runtime) => runtime.block_on(async {
            let run =
                client.run(upload).body(origin.hyper()).with_observer(Arc::clone(&count) as _);
            tokio::select! {
                biased;
                () = count.reached.notified() => {}
                // With answers that are there already, one poll of the run may go on to its end.
                done = run.send() => assert!(
                    count.launched.load(Ordering::Acquire) >= after,
                    "{done:?} before it was dropped"
                ),
            }
        }),
    }
}

fn shutdown(client: &Client, deadline: Duration) -> Vec<Leftover> {
    match &client.wire {
        Wire::Blocking(client) => client.shutdown(deadline),
        Wire::Async(client, runtime) => runtime.block_on(client.shutdown(deadline)),
    }
}

fn open(server: &FaultyS3) -> Vec<String> {
    server.model().open_uploads().iter().map(|open| open.id.clone()).collect()
}

/// Uploads do not come to their end before they are dropped; aborts meet this fault.
fn slow_parts(abort: Fault) -> Plan {
    let slow = Fault::Delay(Duration::from_millis(200));
    Plan::new().always(Operation::UploadPart, slow).always(Operation::AbortMultipartUpload, abort)
}

fn shutdown_waits_for_runs_that_clean_up(via: Via) {
    let server = server(false, slow_parts(Fault::Delay(Duration::from_millis(300))));
    let client = Setup::of(&server).client(via);
    assert!(shutdown(&client, LONG).is_empty());
    for after in [1, 2, 4] {
        abandon(&client, after);
    }
    assert_eq!(shutdown(&client, LONG), []);
    assert_eq!(open(&server), Vec::<String>::new());
    assert!(server.model().object("bucket", "key").is_none());
    assert!(server.model().count(Operation::AbortMultipartUpload) >= 2);
}

fn what_can_not_be_removed_is_returned_once(via: Via) {
    let server = server(false, slow_parts(Fault::Refuse(403, "AccessDenied")));
    let client = Setup::of(&server).client(via);
    abandon(&client, 3);
    let left = shutdown(&client, LONG);
    let [Leftover::MultipartUpload { bucket, key, upload_id }] = &left[..] else {
        panic!("{left:?}")
    };
    assert_eq!((bucket.as_str(), key.as_str()), ("bucket", "key"));
    assert_eq!(open(&server), std::slice::from_ref(upload_id));
    assert!(shutdown(&client, LONG).is_empty());
}

fn ids(left: &[Leftover]) -> Vec<String> {
    let id = |left: &Leftover| match left {
        Leftover::MultipartUpload { upload_id, .. } => upload_id.clone(),
        other => panic!("{other:?}"),
    };
    left.iter().map(id).collect()
}

fn shutdowns_at_once_return_each_leftover_once(via: Via) {
    let server = server(false, slow_parts(Fault::Refuse(403, "AccessDenied")));
    let client = Setup::of(&server).client(via);
    abandon(&client, 3);
    abandon(&client, 3);
    let left = match &client.wire {
        Wire::Blocking(client) => std::thread::scope(|scope| {
            let one = scope.spawn(|| client.shutdown(LONG));
            let other = client.shutdown(LONG);
            [one.join().unwrap(), other].concat()
        }),
        Wire::Async(client, runtime) => runtime.block_on(async {
            let dropped = async {
                tokio::select! {
                    biased;
                    left = client.shutdown(LONG) => left,
                    () = tokio::task::yield_now() => Vec::new(),
                }
            };
            let (a, b, c) = tokio::join!(client.shutdown(LONG), dropped, client.shutdown(LONG));
            [a, b, c].concat()
        }),
    };
    let mut named = ids(&left);
    let mut open = open(&server);
    named.sort();
    open.sort();
    assert_eq!(open.len(), 2);
    assert_eq!(named, open);
    assert_eq!(shutdown(&client, LONG), []);
}

fn what_has_yet_to_be_removed_is_named_at_the_deadline(via: Via) {
    let server = server(false, slow_parts(Fault::Delay(Duration::from_secs(2))));
    let client = Setup::of(&server).client(via);
    abandon(&client, 3);
    // Until the abort has been sent, at least.
    let left = std::iter::repeat_with(|| shutdown(&client, Duration::from_millis(5)))
        .find(|left| !left.is_empty())
        .unwrap();
    let named = matches!(&left[..], [Leftover::MultipartUpload { upload_id, .. }]
        if !upload_id.is_empty());
    assert!(named, "{left:?}");
    // It continues nevertheless.
    assert!(shutdown(&client, LONG).is_empty());
    assert_eq!(open(&server), Vec::<String>::new());
}

/// Uploads are dropped after a random number of requests, and the runtime ends: before, in or after
/// a shutdown. What the server has then is named.
#[test]
fn nothing_is_left_unnamed_when_the_runtime_ends_at_any_time() {
    let mut random = 11_u64;
    let mut pick = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % below
    };
    let (mut named_ever, mut clean) = (0, 0);
    for round in 0..40 {
        let slow = Fault::Delay(Duration::from_millis(pick(20)));
        let plan = Plan::new().always(Operation::AbortMultipartUpload, slow.clone()).from(
            Operation::UploadPart,
            2,
            slow,
        );
        let server = server(false, plan);
        let client = Setup::of(&server).client(Via::Async);
        for _ in 0..=pick(2) {
            abandon(&client, 1 + pick(8) as usize);
        }
        let Client { wire: Wire::Async(hyper, runtime), .. } = client else { unreachable!() };
        let mut named = match pick(4) {
            0 => Vec::new(),
            1 => runtime.block_on(hyper.shutdown(Duration::ZERO)),
            2 => runtime.block_on(hyper.shutdown(Duration::from_millis(pick(30)))),
            _ => {
                let left = runtime.block_on(hyper.shutdown(LONG));
                assert_eq!(left, [], "round {round}");
                clean += 1;
                left
            }
        };
        runtime.shutdown_background();
        // Dropped tasks report what they leave, and nothing of them runs on.
        let another = Builder::new_current_thread().enable_all().build().unwrap();
        named.extend(another.block_on(hyper.shutdown(LONG)));
        for id in open(&server) {
            let is_named = named.iter().any(|left| {
                matches!(left, Leftover::MultipartUpload { upload_id, .. }
                    if *upload_id == id || upload_id.is_empty())
            });
            assert!(is_named, "round {round}: upload {id} is left, and {named:?} are named");
            named_ever += 1;
        }
    }
    assert!(named_ever > 0 && clean > 0, "{named_ever} were left, {clean} rounds were clean");
}

const LONG: Duration = Duration::from_secs(30);
