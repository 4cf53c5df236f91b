//! The machines: uploads, downloads, copies, deletion of many.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use apus_core::contract::{Machine, OnFailure, Step, StreamWindow};
use apus_core::http::Completion;
use apus_core::machine::{
    Call, Checkpoint, DeleteManyOptions, DownloadOptions, Event, Observer, PartLimits, S3Copy,
    S3DeleteMany, S3Download, S3Upload, ServerCopyOptions, UploadOptions, UploadSource,
};
use apus_core::s3::{
    ByteRange, Conditions, CopyObject, CopySource, DeleteBucketPolicy, GetObject, HeadObject,
    ListMultipartUploads, ListObjectsV2, Properties, PutBucketPolicy, PutObject, Service,
};
use apus_core::{Error, Now};

use super::buckets::read_policy;
use super::{payload, refused};
use crate::live::proxy::{Plan, Proxy};
use crate::live::stage::Stage;
use crate::live::store::{Feed, Store};
use crate::live::{Case, Refusal};

pub const CASES: &[Case] = &[
    Case::ok("Upload in parts, source in memory", upload_memory),
    Case::ok("Upload in parts, stream of known length", upload_known),
    Case::ok("Upload in parts, stream of unknown length", upload_unknown),
    Case::ok("Upload in one request", upload_small),
    Case::ok("Upload with If-None-Match: *", upload_if_absent),
    Case::ok("Upload in parts with If-None-Match: *", upload_in_parts_if_absent),
    Case::ok("Upload resumed from its checkpoint", upload_resumed),
    Case::ok("Upload that fails leaves nothing", upload_failing),
    Case::ok("Download in one stream", download_stream),
    Case::ok("Download in parallel ranges", download_parallel),
    Case::ok("Download of a range", download_range),
    Case::ok("Download resumed after a cut connection", download_resumed),
    Case::ok("Copy on the server", copy),
    Case::ok("Copy on the server in parts", copy_in_parts),
    Case::ok("Copy on the server between two accounts", copy_between_accounts).of_two(),
    Case::ok("Copy on the server in parts between two accounts, by ACL", copy_parts_by_acl)
        .of_two(),
    Case::ok(
        "Copy on the server in parts between two accounts, by bucket policy",
        copy_parts_by_policy,
    )
    .of_two()
    .or(|_| Refusal::plain("403 AccessDenied")),
    Case::ok("a machine with two authorities copies between two accounts", ferry).of_two(),
    Case::ok("DeleteMany", delete_many),
];

const PART: usize = 5 << 20;

/// Copies in parts what a single request would copy too.
const SMALL_COPIES: ServerCopyOptions = ServerCopyOptions {
    threshold: 1 << 20,
    part_size: PART as u64,
    concurrency: 4,
    limits: PartLimits { parts: 10_000, smallest: 5 << 20, largest: 5 << 30, object: 5 << 40 },
    on_failure: OnFailure::Abort,
};

fn options() -> UploadOptions {
    UploadOptions {
        threshold: 1 << 20,
        part_size: PART as u64,
        concurrency: 2,
        properties: Properties::content_type("application/x-image"),
        ..UploadOptions::default()
    }
}

/// Uploads through the machine.
pub fn upload(
    store: &Store,
    bucket: &str,
    key: &str,
    feed: Feed,
    bytes: &[u8],
    options: UploadOptions,
) -> Result<apus_core::machine::Uploaded, Error> {
    let source = match feed {
        Feed::Memory => UploadSource::Seekable(bytes.len() as u64),
        Feed::Known => UploadSource::Stream(Some(bytes.len() as u64)),
        Feed::Unknown => UploadSource::Stream(None),
    };
    let service = Arc::clone(store.service());
    let upload = S3Upload::new(bucket, key, source, options, service, 1)?;
    store.run_from(upload, feed, bytes)
}

/// Downloads through the machine.
pub fn download(store: &Store, get: GetObject, options: DownloadOptions) -> Result<Vec<u8>, Error> {
    let download = S3Download::new(get, Arc::clone(store.service()), options, 1);
    let (output, bytes) = store.run_into(download)?;
    assert_eq!(output.bytes, bytes.len() as u64);
    Ok(bytes)
}

fn upload_and_compare(stage: &Stage<'_>, key: &str, feed: Feed) -> Result<(), Error> {
    let bytes = payload(2 * PART + 12_345);
    let uploaded = upload(&stage.store, &stage.bucket, key, feed, &bytes, options())?;
    assert_eq!((uploaded.size, uploaded.parts), (bytes.len() as u64, 3));
    let answer = stage.call(GetObject::new(&stage.bucket, key))?;
    assert!(answer.body == bytes);
    assert_eq!(answer.head.content_type.as_deref(), Some("application/x-image"));
    assert_eq!(answer.head.content_encoding, None);
    Ok(())
}

fn upload_memory(stage: &Stage<'_>) -> Result<(), Error> {
    upload_and_compare(stage, "upload/ü memory+", Feed::Memory)
}

fn upload_known(stage: &Stage<'_>) -> Result<(), Error> {
    upload_and_compare(stage, "upload/known", Feed::Known)
}

fn upload_unknown(stage: &Stage<'_>) -> Result<(), Error> {
    upload_and_compare(stage, "upload/unknown", Feed::Unknown)
}

fn upload_small(stage: &Stage<'_>) -> Result<(), Error> {
    for feed in [Feed::Memory, Feed::Known, Feed::Unknown] {
        for length in [0, 100_000] {
            let bytes = payload(length);
            let done = upload(&stage.store, &stage.bucket, "small", feed, &bytes, options())?;
            assert_eq!((done.size, done.parts), (length as u64, 0));
            assert!(stage.call(GetObject::new(&stage.bucket, "small"))?.body == bytes);
        }
    }
    Ok(())
}

fn upload_if_absent(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = payload(1000);
    let go = || {
        let options = UploadOptions { conditions: Conditions::absent(), ..options() };
        upload(&stage.store, &stage.bucket, "absent", Feed::Memory, &bytes, options)
    };
    go()?;
    refused(go(), 412, "PreconditionFailed");
    Ok(())
}

/// Ceph 16.2 ignores the condition on CompleteMultipartUpload.
fn upload_in_parts_if_absent(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = payload(PART + 1);
    let go = |bytes: &[u8]| {
        let conditions = Conditions::absent();
        let options = UploadOptions { threshold: 0, conditions, ..options() };
        upload(&stage.store, &stage.bucket, "absent-in-parts", Feed::Memory, bytes, options)
    };
    go(&bytes)?;
    refused(go(&payload(PART + 2)), 412, "PreconditionFailed");
    assert!(stage.call(GetObject::new(&stage.bucket, "absent-in-parts"))?.body == bytes);
    Ok(())
}

fn upload_resumed(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = payload(3 * PART + 1);
    let source = UploadSource::Seekable(bytes.len() as u64);
    let service = Arc::clone(stage.store.service());
    let options = UploadOptions { concurrency: 1, ..options() };
    let inner = S3Upload::new(&stage.bucket, "resumed", source, options.clone(), service, 1)?;
    let kept = Arc::new(Mutex::new(None));
    let stopped = Stopped { inner, parts: 2, kept: Arc::clone(&kept) };
    let error = stage.store.run_from(stopped, Feed::Memory, &bytes).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    let checkpoint: Checkpoint = kept.lock().unwrap().take().unwrap();
    assert_eq!(checkpoint.acknowledged(), 2 * PART as u64);

    // As another process would, with a client of its own.
    let store = stage.client(vec![stage.site.first.auth()]);
    let sent = Arc::new(Sent::default());
    let store = store.with_observer(sent.clone());
    let service = Arc::clone(store.service());
    let upload = S3Upload::resume(checkpoint, source, options, service, 2)?;
    store.run_from(upload, Feed::Memory, &bytes)?;
    // The third may have arrived before the first process ended.
    let parts = sent.parts.lock().unwrap().clone();
    assert!(parts == [3, 4] || parts == [4], "{parts:?} were sent");
    assert!(stage.call(GetObject::new(&stage.bucket, "resumed"))?.body == bytes);
    Ok(())
}

fn upload_failing(stage: &Stage<'_>) -> Result<(), Error> {
    // Fewer bytes than announced.
    let bytes = payload(PART + 1000);
    let source = UploadSource::Stream(Some(2 * PART as u64));
    let service = Arc::clone(stage.store.service());
    let upload = S3Upload::new(&stage.bucket, "failing", source, options(), service, 1)?;
    let error = stage.store.run_from(upload, Feed::Known, &bytes).unwrap_err();
    assert_eq!(error.leftovers(), []);
    let head = stage.call(HeadObject::new(&stage.bucket, "failing"));
    assert!(head.unwrap_err().is_not_found());
    assert_eq!(stage.call(ListMultipartUploads::new(&stage.bucket))?.uploads, []);
    Ok(())
}

fn large(stage: &Stage<'_>, key: &str) -> Result<Vec<u8>, Error> {
    let bytes = payload(2 * PART + 12_345);
    stage.call(PutObject::new(&stage.bucket, key, bytes.clone()))?;
    Ok(bytes)
}

fn download_stream(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = large(stage, "download/stream")?;
    let get = GetObject::new(&stage.bucket, "download/stream");
    assert!(download(&stage.store, get, DownloadOptions::default())? == bytes);
    stage.call(PutObject::new(&stage.bucket, "download/empty", ""))?;
    let get = GetObject::new(&stage.bucket, "download/empty");
    assert!(download(&stage.store, get, DownloadOptions::default())?.is_empty());
    Ok(())
}

fn download_parallel(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = large(stage, "download/parallel")?;
    let get = GetObject::new(&stage.bucket, "download/parallel");
    let options =
        DownloadOptions { range_size: 1 << 20, concurrency: 4, ..DownloadOptions::default() };
    assert!(download(&stage.store, get, options.clone())? == bytes);
    stage.call(PutObject::new(&stage.bucket, "download/empty", ""))?;
    let get = GetObject::new(&stage.bucket, "download/empty");
    assert!(download(&stage.store, get, options)?.is_empty());
    Ok(())
}

fn download_range(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = large(stage, "download/range")?;
    for concurrency in [1, 3] {
        for (range, expected) in [
            (ByteRange::Span(1000..PART as u64 + 77), &bytes[1000..PART + 77]),
            (ByteRange::From(PART as u64), &bytes[PART..]),
            (ByteRange::Last(2_000_000), &bytes[bytes.len() - 2_000_000..]),
        ] {
            let get =
                GetObject { range: Some(range), ..GetObject::new(&stage.bucket, "download/range") };
            let options =
                DownloadOptions { range_size: 1 << 20, concurrency, ..DownloadOptions::default() };
            assert!(download(&stage.store, get, options)? == expected);
        }
    }
    Ok(())
}

fn download_resumed(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = large(stage, "download/resumed")?;
    let endpoint = if stage.place.https { &stage.site.https } else { &stage.site.http };
    let proxy = Proxy::before(endpoint, Plan { cuts: 1, after: 3 << 20, pace: None });
    let service = Service::new(stage.place.config_at(&proxy.endpoint)).unwrap();
    let auth = vec![stage.site.first.auth()];
    let ended = Arc::new(Sent::default());
    let store = Store::new(stage.place.transport, service, &stage.site.ca, auth)
        .with_observer(ended.clone());
    let get = GetObject::new(&stage.bucket, "download/resumed");
    assert!(download(&store, get, DownloadOptions::default())? == bytes);
    assert_eq!(ended.gets.load(Ordering::Relaxed), 2);
    Ok(())
}

fn copy(stage: &Stage<'_>) -> Result<(), Error> {
    copy_with(stage, ServerCopyOptions::default(), 0)
}

fn copy_in_parts(stage: &Stage<'_>) -> Result<(), Error> {
    copy_with(stage, SMALL_COPIES, 3)
}

fn copy_with(stage: &Stage<'_>, options: ServerCopyOptions, parts: u32) -> Result<(), Error> {
    let bytes = payload(2 * PART + 12_345);
    let mut put = PutObject::new(&stage.bucket, "copy/from ü", bytes.clone());
    put.properties = Properties {
        metadata: [("sensor".to_owned(), "left".to_owned())].into(),
        ..Properties::content_type("application/x-image")
    };
    stage.call(put)?;
    let source = CopySource::new(&stage.bucket, "copy/from ü");
    let copy = CopyObject::new(&stage.bucket, "copy/to +", source);
    let service = Arc::clone(stage.store.service());
    let copied = stage.store.run(S3Copy::new(copy, options, service, 1))?;
    assert_eq!((copied.size, copied.parts), (bytes.len() as u64, parts));
    let answer = stage.call(GetObject::new(&stage.bucket, "copy/to +"))?;
    assert!(answer.body == bytes);
    assert_eq!(answer.head.content_type.as_deref(), Some("application/x-image"));
    assert_eq!(answer.head.metadata["sensor"], "left");
    Ok(())
}

fn copy_between_accounts(stage: &Stage<'_>) -> Result<(), Error> {
    share(stage, ServerCopyOptions::default(), Share::Policy)
}

fn copy_parts_by_acl(stage: &Stage<'_>) -> Result<(), Error> {
    share(stage, SMALL_COPIES, Share::Acl)
}

/// Ceph heeds a bucket's policy for HeadObject and CopyObject, and not for UploadPartCopy.
fn copy_parts_by_policy(stage: &Stage<'_>) -> Result<(), Error> {
    share(stage, SMALL_COPIES, Share::Policy)
}

/// How one account lets the other read.
enum Share {
    Policy,
    Acl,
}

/// The second account may read the first one's object, and copies it into a bucket of its own.
fn share(stage: &Stage<'_>, options: ServerCopyOptions, share: Share) -> Result<(), Error> {
    let (site, bytes) = (stage.site, payload(PART + 1000));
    let mut put = PutObject::new(&stage.bucket, "shared", bytes.clone());
    stage.call(put.clone())?;
    let theirs = Stage::create(site, stage.place, "theirs", site.second().auth(), |_| {});
    let both = stage.client(vec![site.first.auth(), site.second().auth()]);
    let copy = || {
        let source = CopySource::new(&stage.bucket, "shared");
        let copy = CopyObject::new(&theirs.bucket, "copied", source);
        both.run(S3Copy::new(copy, options, Arc::clone(both.service()), 1).with_auth(1))
    };
    let denied = copy().unwrap_err();
    assert!(denied.is_denied(), "{denied}");
    match share {
        Share::Policy => {
            let policy = read_policy(&stage.bucket, "second");
            stage.call(PutBucketPolicy::new(&stage.bucket, policy))?;
        }
        Share::Acl => {
            put.properties.access.grant_read = Some("id=\"second\"".into());
            stage.call(put)?;
        }
    }
    let copied = copy();
    stage.call(DeleteBucketPolicy::new(&stage.bucket))?;
    if copied.is_ok() {
        assert!(theirs.call(GetObject::new(&theirs.bucket, "copied"))?.body == bytes);
    }
    theirs.close();
    copied.map(drop)
}

/// Neither account may see the other's bucket; the machine reads as one and writes as the other.
fn ferry(stage: &Stage<'_>) -> Result<(), Error> {
    let site = stage.site;
    let theirs = Stage::create(site, stage.place, "ferry", site.second().auth(), |_| {});
    stage.call(PutObject::new(&stage.bucket, "ferried", "over the river"))?;
    refused(stage.call(PutObject::new(&theirs.bucket, "ferried", "")), 403, "AccessDenied");
    let both = stage.client(vec![site.first.auth(), site.second().auth()]);
    let service = Arc::clone(both.service());
    let get = GetObject::new(&stage.bucket, "ferried");
    let to = theirs.bucket.clone();
    let leg = Leg::Get(Box::new(Call::new(get, Arc::clone(&service), 1).with_auth(0)));
    both.run(Ferry { leg, to, service })?;
    assert_eq!(theirs.call(GetObject::new(&theirs.bucket, "ferried"))?.body, "over the river");
    theirs.close();
    Ok(())
}

fn delete_many(stage: &Stage<'_>) -> Result<(), Error> {
    let mut keys: Vec<String> = (0..20).map(|number| format!("many/{number} ü<&>")).collect();
    // XML has no way to write this one.
    keys.push("many/\u{1}".into());
    for key in &keys {
        stage.call(PutObject::new(&stage.bucket, key, ""))?;
    }
    keys.push("many/missing".into());
    let options = DeleteManyOptions { batch: 7, concurrency: 2, ..DeleteManyOptions::default() };
    let service = Arc::clone(stage.store.service());
    let count = keys.len() as u64;
    let many = S3DeleteMany::new(&stage.bucket, keys, service, options, 1);
    let done = stage.store.run(many)?;
    assert_eq!((done.deleted, done.errors), (count, Vec::new()));
    let left = stage.call(ListObjectsV2::new(&stage.bucket).prefix("many/"))?;
    assert_eq!(left.contents, []);
    Ok(())
}

/// An upload that is stopped once some parts are acknowledged, as by the end of a process.
struct Stopped {
    inner: S3Upload,
    parts: usize,
    kept: Arc<Mutex<Option<Checkpoint>>>,
}

impl Machine for Stopped {
    type Output = apus_core::machine::Uploaded;

    fn poll(&mut self, now: Now) -> Step<Self::Output> {
        self.inner.poll(now)
    }

    fn complete(&mut self, now: Now, done: Completion) {
        self.inner.complete(now, done);
        if let Some(checkpoint) = self.inner.checkpoint() {
            if checkpoint.parts.len() == self.parts {
                self.inner.cancel(now, OnFailure::Keep);
            }
            *self.kept.lock().unwrap() = Some(checkpoint);
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        self.inner.cancel(now, on_failure);
    }

    fn concurrency(&self) -> usize {
        self.inner.concurrency()
    }

    fn stream_window(&mut self) -> Option<&mut StreamWindow> {
        self.inner.stream_window()
    }
}

/// Takes down which parts were sent, and counts downloads.
#[derive(Default)]
struct Sent {
    parts: Mutex<Vec<u32>>,
    gets: AtomicU32,
}

impl Observer for Sent {
    fn event(&self, _: Now, event: &Event<'_>) {
        if let Event::Launched { draft } = event {
            let number = draft.target().split(['?', '&']).find_map(|pair| {
                pair.strip_prefix("partNumber=").and_then(|number| number.parse::<u32>().ok())
            });
            self.parts.lock().unwrap().extend(number);
            if draft.operation == "GetObject" {
                self.gets.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Gets under auth 0, puts under auth 1.
struct Ferry {
    leg: Leg,
    to: String,
    service: Arc<Service>,
}

enum Leg {
    Get(Box<Call<GetObject>>),
    Put(Box<Call<PutObject>>),
}

impl Machine for Ferry {
    type Output = ();

    fn poll(&mut self, now: Now) -> Step<()> {
        loop {
            match &mut self.leg {
                Leg::Get(call) => match call.poll(now) {
                    Step::Send(draft) => return Step::Send(draft),
                    Step::Wait(wait) => return Step::Wait(wait),
                    Step::Done(Err(error)) => return Step::Done(Err(error)),
                    Step::Done(Ok(answer)) => {
                        let put = PutObject::new(&self.to, "ferried", answer.body);
                        let call = Call::new(put, Arc::clone(&self.service), 2).with_auth(1);
                        self.leg = Leg::Put(Box::new(call));
                    }
                },
                Leg::Put(call) => {
                    return match call.poll(now) {
                        Step::Send(draft) => Step::Send(draft),
                        Step::Wait(wait) => Step::Wait(wait),
                        Step::Done(result) => Step::Done(result.map(drop)),
                    };
                }
            }
        }
    }

    fn complete(&mut self, now: Now, done: Completion) {
        match &mut self.leg {
            Leg::Get(call) => call.complete(now, done),
            Leg::Put(call) => call.complete(now, done),
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        match &mut self.leg {
            Leg::Get(call) => call.cancel(now, on_failure),
            Leg::Put(call) => call.cancel(now, on_failure),
        }
    }
}
