//! The machines: uploads, downloads, copies, deletion of many.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use apus_core::contract::{Intake, Leave, Machine, Step};
use apus_core::http::Completion;
use apus_core::machine::{
    Call, Checkpoint, Copy, CopyOptions, DeleteMany, DeleteManyOptions, Download, DownloadOptions,
    Event, Observer, Upload, UploadOptions, UploadSource,
};
use apus_core::s3::{
    ByteRange, Conditions, CopyObject, CopySource, GetObject, HeadObject, ListMultipartUploads,
    ListObjectsV2, Properties, PutBucketPolicy, PutObject, Service,
};
use apus_core::{Error, Now};

use super::buckets::read_policy;
use super::{payload, refused};
use crate::live::Case;
use crate::live::stage::Stage;
use crate::live::store::{Feed, Store};

pub const CASES: &[Case] = &[
    Case::ok("Upload in parts, source in memory", upload_memory),
    Case::ok("Upload in parts, stream of known length", upload_known),
    Case::ok("Upload in parts, stream of unknown length", upload_unknown),
    Case::ok("Upload in one request", upload_small),
    Case::ok("Upload with If-None-Match: *", upload_if_absent),
    Case::ok("Upload resumed from its checkpoint", upload_resumed),
    Case::ok("Upload that fails leaves nothing", upload_failing),
    Case::ok("Download in one stream", download_stream),
    Case::ok("Download in parallel ranges", download_parallel),
    Case::ok("Download of a range", download_range),
    Case::ok("Download resumed after a cut connection", download_resumed),
    Case::ok("Copy on the server", copy),
    Case::ok("Copy on the server in parts", copy_in_parts),
    Case::ok("Copy on the server between two accounts", copy_between_accounts),
    Case::ok("a machine with two authorities copies between two accounts", ferry),
    Case::ok("DeleteMany", delete_many),
];

const PART: usize = 5 << 20;

fn options() -> UploadOptions {
    UploadOptions {
        threshold: 1 << 20,
        part_size: PART as u64,
        width: 2,
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
    let upload = Upload::new(bucket, key, source, options, service, 1)?;
    store.run_from(upload, feed, bytes)
}

/// Downloads through the machine.
pub fn download(store: &Store, get: GetObject, options: DownloadOptions) -> Result<Vec<u8>, Error> {
    let download = Download::new(get, Arc::clone(store.service()), options, 1);
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

fn upload_resumed(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = payload(3 * PART + 1);
    let source = UploadSource::Seekable(bytes.len() as u64);
    let service = Arc::clone(stage.store.service());
    let options = UploadOptions { width: 1, ..options() };
    let inner = Upload::new(&stage.bucket, "resumed", source, options.clone(), service, 1)?;
    let kept = Arc::new(Mutex::new(None));
    let stopped = Stopped { inner, parts: 2, kept: Arc::clone(&kept) };
    let error = stage.store.run_from(stopped, Feed::Memory, &bytes).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    let checkpoint: Checkpoint = kept.lock().unwrap().take().unwrap();
    assert_eq!(checkpoint.acknowledged(), 2 * PART as u64);

    // As another process would, with a client of its own.
    let store = stage.client(vec![stage.site.first.party()]);
    let sent = Arc::new(Sent::default());
    let store = store.observed(sent.clone());
    let service = Arc::clone(store.service());
    let upload = Upload::resume(checkpoint, source, options, service, 2)?;
    store.run_from(upload, Feed::Memory, &bytes)?;
    assert_eq!(sent.parts.load(Ordering::Relaxed), 2, "the first two parts were sent again");
    assert!(stage.call(GetObject::new(&stage.bucket, "resumed"))?.body == bytes);
    Ok(())
}

fn upload_failing(stage: &Stage<'_>) -> Result<(), Error> {
    // Fewer bytes than announced.
    let bytes = payload(PART + 1000);
    let source = UploadSource::Stream(Some(2 * PART as u64));
    let service = Arc::clone(stage.store.service());
    let upload = Upload::new(&stage.bucket, "failing", source, options(), service, 1)?;
    let error = stage.store.run_from(upload, Feed::Known, &bytes).unwrap_err();
    assert_eq!(error.leftovers(), []);
    assert_eq!(stage.call(ListMultipartUploads::new(&stage.bucket))?.uploads, []);
    let head = stage.call(HeadObject::new(&stage.bucket, "failing"));
    assert!(head.unwrap_err().is_not_found());
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
    let options = DownloadOptions { range_size: 1 << 20, width: 4, ..DownloadOptions::default() };
    assert!(download(&stage.store, get, options.clone())? == bytes);
    stage.call(PutObject::new(&stage.bucket, "download/empty", ""))?;
    let get = GetObject::new(&stage.bucket, "download/empty");
    assert!(download(&stage.store, get, options)?.is_empty());
    Ok(())
}

fn download_range(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = large(stage, "download/range")?;
    for width in [1, 3] {
        for (range, expected) in [
            (ByteRange::Span(1000..PART as u64 + 77), &bytes[1000..PART + 77]),
            (ByteRange::From(PART as u64), &bytes[PART..]),
            (ByteRange::Last(2_000_000), &bytes[bytes.len() - 2_000_000..]),
        ] {
            let get =
                GetObject { range: Some(range), ..GetObject::new(&stage.bucket, "download/range") };
            let options =
                DownloadOptions { range_size: 1 << 20, width, ..DownloadOptions::default() };
            assert!(download(&stage.store, get, options)? == expected);
        }
    }
    Ok(())
}

fn download_resumed(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = large(stage, "download/resumed")?;
    let endpoint =
        cutting_once(if stage.place.https { &stage.site.https } else { &stage.site.http }, 3 << 20);
    let config = stage.place.config_at(&endpoint);
    let party = vec![stage.site.first.party()];
    let ended = Arc::new(Sent::default());
    let store =
        Store::new(stage.place.transport, config, &stage.site.ca, party).observed(ended.clone());
    let get = GetObject::new(&stage.bucket, "download/resumed");
    assert!(download(&store, get, DownloadOptions::default())? == bytes);
    assert_eq!(ended.gets.load(Ordering::Relaxed), 2);
    Ok(())
}

fn copy(stage: &Stage<'_>) -> Result<(), Error> {
    copy_with(stage, CopyOptions::default(), 0)
}

fn copy_in_parts(stage: &Stage<'_>) -> Result<(), Error> {
    let (threshold, part_size) = (1 << 20, PART as u64);
    copy_with(stage, CopyOptions { threshold, part_size, ..CopyOptions::default() }, 3)
}

fn copy_with(stage: &Stage<'_>, options: CopyOptions, parts: u32) -> Result<(), Error> {
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
    let copied = stage.store.run(Copy::new(copy, options, service, 1))?;
    assert_eq!((copied.size, copied.parts), (bytes.len() as u64, parts));
    let answer = stage.call(GetObject::new(&stage.bucket, "copy/to +"))?;
    assert!(answer.body == bytes);
    assert_eq!(answer.head.content_type.as_deref(), Some("application/x-image"));
    assert_eq!(answer.head.metadata["sensor"], "left");
    Ok(())
}

/// The second account may read the first one's objects, and copies them into a bucket of its own.
fn copy_between_accounts(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = payload(PART + 1000);
    stage.call(PutObject::new(&stage.bucket, "shared", bytes.clone()))?;
    let site = stage.site;
    let theirs = Stage::create(site, stage.place, "theirs", site.second.party(), |_| {});
    let both = stage.client(vec![site.first.party(), site.second.party()]);
    for threshold in [5 << 30, 1 << 20] {
        let source = CopySource::new(&stage.bucket, "shared");
        let copy = CopyObject::new(&theirs.bucket, "copied", source);
        let part_size = PART as u64;
        let options = CopyOptions { threshold, part_size, ..CopyOptions::default() };
        let service = Arc::clone(both.service());
        let copy = move || Copy::new(copy.clone(), options, Arc::clone(&service), 1).under(1);
        if threshold > PART as u64 {
            // HEAD is refused, and has no document that could tell a code.
            let error = both.run(copy()).unwrap_err();
            assert!(error.is_denied(), "{error}");
            let policy = read_policy(&stage.bucket, "second");
            stage.call(PutBucketPolicy::new(&stage.bucket, policy))?;
        }
        both.run(copy())?;
        assert!(theirs.call(GetObject::new(&theirs.bucket, "copied"))?.body == bytes);
    }
    theirs.close();
    Ok(())
}

/// Neither account may see the other's bucket; the machine reads as one and writes as the other.
fn ferry(stage: &Stage<'_>) -> Result<(), Error> {
    let site = stage.site;
    let theirs = Stage::create(site, stage.place, "ferry", site.second.party(), |_| {});
    stage.call(PutObject::new(&stage.bucket, "ferried", "over the river"))?;
    refused(stage.call(PutObject::new(&theirs.bucket, "ferried", "")), 403, "AccessDenied");
    let both = stage.client(vec![site.first.party(), site.second.party()]);
    let service = Arc::clone(both.service());
    let get = GetObject::new(&stage.bucket, "ferried");
    let to = theirs.bucket.clone();
    let leg = Leg::Get(Box::new(Call::new(get, Arc::clone(&service), 1).under(0)));
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
    let options = DeleteManyOptions { batch: 7, width: 2, ..DeleteManyOptions::default() };
    let service = Arc::clone(stage.store.service());
    let count = keys.len() as u64;
    let many = DeleteMany::new(&stage.bucket, keys, service, options, 1);
    let done = stage.store.run(many)?;
    assert_eq!((done.deleted, done.errors), (count, Vec::new()));
    let left = stage.call(ListObjectsV2::new(&stage.bucket).prefix("many/"))?;
    assert_eq!(left.contents, []);
    Ok(())
}

/// An upload that is stopped once some parts are acknowledged, as by the end of a process.
struct Stopped {
    inner: Upload,
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
                self.inner.cancel(now, Leave::Keep);
            }
            *self.kept.lock().unwrap() = Some(checkpoint);
        }
    }

    fn cancel(&mut self, now: Now, leave: Leave) {
        self.inner.cancel(now, leave);
    }

    fn width(&self) -> usize {
        self.inner.width()
    }

    fn intake(&mut self) -> Option<&mut Intake> {
        self.inner.intake()
    }
}

/// Counts requests.
#[derive(Default)]
struct Sent {
    parts: AtomicU32,
    gets: AtomicU32,
}

impl Observer for Sent {
    fn event(&self, _: Now, event: &Event<'_>) {
        if let Event::Launched { draft } = event {
            match draft.operation {
                "UploadPart" => self.parts.fetch_add(1, Ordering::Relaxed),
                "GetObject" => self.gets.fetch_add(1, Ordering::Relaxed),
                _ => 0,
            };
        }
    }
}

/// Gets under party 0, puts under party 1.
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
                        let call = Call::new(put, Arc::clone(&self.service), 2).under(1);
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

    fn cancel(&mut self, now: Now, leave: Leave) {
        match &mut self.leg {
            Leg::Get(call) => call.cancel(now, leave),
            Leg::Put(call) => call.cancel(now, leave),
        }
    }
}

/// The endpoint of a forwarder on the loopback interface that cuts its first connection once so
/// many bytes came back, and leaves the second alone.
fn cutting_once(endpoint: &str, after: usize) -> String {
    let (scheme, server) = endpoint.split_once("://").expect("an endpoint is a URL");
    let (scheme, server) = (scheme.to_owned(), server.to_owned());
    let host = server.split(':').next().unwrap_or_default().to_owned();
    let listener = TcpListener::bind((host.as_str(), 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for limit in [after, usize::MAX] {
            let Ok((client, _)) = listener.accept() else { return };
            let upstream = TcpStream::connect(&server).unwrap();
            let (from, to) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            std::thread::spawn(move || forward(from, to, usize::MAX));
            std::thread::spawn(move || forward(upstream, client, limit));
        }
    });
    format!("{scheme}://{host}:{port}")
}

fn forward(mut from: TcpStream, mut to: TcpStream, mut limit: usize) {
    let mut buffer = [0; 1 << 14];
    while limit > 0 {
        let Ok(read @ 1..) = from.read(&mut buffer) else { break };
        let read = read.min(limit);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
        limit -= read;
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
