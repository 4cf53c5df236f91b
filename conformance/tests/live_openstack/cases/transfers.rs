//! The machines: uploads, downloads, deletion with segments; and how much a refusal transfers.

use std::sync::{Arc, Mutex};

use apus_core::checksum::Validation;
use apus_core::contract::{Machine, OnFailure, Step, StreamWindow};
use apus_core::http::Completion;
use apus_core::keystone::{EndpointFilter, Session};
use apus_core::machine::{
    Auth, DownloadOptions, LargeObject, SegmentsIn, SwiftCheckpoint, SwiftDelete,
    SwiftDeleteOptions, SwiftDownload, SwiftUpload, SwiftUploadOptions, SwiftUploaded,
    UploadSource,
};
use apus_core::swift::{
    ByteRange, ContainerSettings, DeleteContainer, DeleteObject, GetObject, HeadObject,
    PutContainer, PutObject, Service,
};
use apus_core::{Error, Kind, Now};

use super::identity::Shared;
use super::{payload, refused};
use crate::proxy::{Plan, Proxy};
use crate::site::{People, Server};
use crate::stage::{Stage, config, names, sweep};
use crate::store::{Feed, Store};
use crate::suite::Case;
use crate::watch::Watch;

pub const CASES: &[Case] = &[
    Case::ok("SwiftUpload in one request", upload_small),
    Case::ok("SwiftUpload as SLO, source in memory", |stage| {
        upload_large(stage, STATIC, Feed::Memory)
    }),
    Case::ok("SwiftUpload as SLO, stream of known length", |stage| {
        upload_large(stage, STATIC, Feed::Known)
    }),
    Case::ok("SwiftUpload as SLO, stream of unknown length", |stage| {
        upload_large(stage, STATIC, Feed::Unknown)
    }),
    Case::ok("SwiftUpload as DLO, source in memory", |stage| {
        upload_large(stage, DYNAMIC, Feed::Memory)
    }),
    Case::ok("SwiftUpload as DLO, stream of known length", |stage| {
        upload_large(stage, DYNAMIC, Feed::Known)
    }),
    Case::ok("SwiftUpload as DLO, stream of unknown length", |stage| {
        upload_large(stage, DYNAMIC, Feed::Unknown)
    }),
    Case::ok("SwiftUpload as /info says, segments in the same container", upload_same),
    Case::keystone("SwiftUpload with If-None-Match: *", upload_absent),
    Case::ok("SwiftUpload resumed from its checkpoint", upload_resumed),
    Case::ok("SwiftUpload of too few or too many bytes leaves nothing", upload_failing),
    Case::keystone("SwiftUpload into a quota leaves nothing", upload_quota),
    // Ceph does not tell what the replaced object was made of.
    Case::keystone("SwiftUpload removes what it replaces", upload_replacing),
    Case::ok("SwiftDownload of a plain object", download_plain),
    Case::ok("SwiftDownload of an SLO and a DLO, by several requests", download_large),
    Case::ok("SwiftDownload of a range", download_range),
    Case::ok("SwiftDownload resumed after cut connections", download_cut),
    Case::ok("SwiftDelete of a plain object, an SLO, a DLO", delete),
    Case::ok("a refused head costs no body", refused_head),
];

const STATIC: Option<LargeObject> = Some(LargeObject::Static);
const DYNAMIC: Option<LargeObject> = Some(LargeObject::Dynamic);
const SEGMENT: usize = 300_000;

fn beside(stage: &Stage<'_>) -> String {
    format!("{}-segments", stage.container)
}

fn options(stage: &Stage<'_>, large_object: Option<LargeObject>) -> SwiftUploadOptions {
    SwiftUploadOptions {
        threshold: 100_000,
        segment_size: SEGMENT as u64,
        concurrency: 3,
        large_object,
        segments_in: SegmentsIn::Container(beside(stage)),
        ..SwiftUploadOptions::default()
    }
}

fn upload(
    stage: &Stage<'_>,
    object: &str,
    feed: Feed,
    bytes: &[u8],
    options: SwiftUploadOptions,
) -> Result<SwiftUploaded, Error> {
    let source = match feed {
        Feed::Memory => UploadSource::Seekable(bytes.len() as u64),
        Feed::Known => UploadSource::Stream(Some(bytes.len() as u64)),
        Feed::Unknown => UploadSource::Stream(None),
    };
    let service = Arc::clone(stage.store.service());
    let upload = SwiftUpload::new(&stage.container, object, source, options, service, 1)?;
    stage.store.run_from(upload, feed, bytes)
}

fn upload_small(stage: &Stage<'_>) -> Result<(), Error> {
    for feed in [Feed::Memory, Feed::Known, Feed::Unknown] {
        for length in [0, 50_000] {
            let bytes = payload(length);
            let done = upload(stage, "up/small", feed, &bytes, options(stage, None))?;
            assert_eq!((done.size, done.segments, done.large_object), (length as u64, 0, None));
            let stored = stage.call(GetObject::new(&stage.container, "up/small"))?;
            assert!(stored.body == bytes && !stored.head.is_large());
        }
    }
    stage.call(DeleteObject::new(&stage.container, "up/small"))
}

/// Four segments, the last one short; whatever is in the two containers is told for.
fn upload_large(
    stage: &Stage<'_>,
    large_object: Option<LargeObject>,
    feed: Feed,
) -> Result<(), Error> {
    let bytes = payload(3 * SEGMENT + 12_345);
    let object = "up/ü large+?";
    let done = upload(stage, object, feed, &bytes, options(stage, large_object))?;
    assert_eq!((done.size, done.segments), (bytes.len() as u64, 4));
    assert_eq!((done.large_object, done.leftovers), (large_object, Vec::new()));
    let stored = stage.call(GetObject::new(&stage.container, object))?;
    assert!(stored.body == bytes);
    assert_eq!(stored.head.is_slo, large_object == STATIC);
    if large_object == STATIC {
        assert_eq!(
            stored.head.etag.map(|etag| etag.opaque().to_owned()).as_deref(),
            Some(done.etag.opaque())
        );
    }
    let segments = names(&stage.store, &beside(stage))?;
    let prefix = done.prefix.expect("a large object has one");
    assert_eq!((segments.len(), &prefix.container), (4, &beside(stage)));
    assert!(segments.iter().all(|name| name.starts_with(&prefix.prefix)), "{segments:?}");
    stage.call(DeleteObject::new(&stage.container, object))?;
    sweep(&stage.store, &beside(stage))
}

fn upload_same(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = payload(SEGMENT + 1);
    let options = SwiftUploadOptions { segments_in: SegmentsIn::Same, ..options(stage, None) };
    let done = upload(stage, "up/same", Feed::Memory, &bytes, options)?;
    // Both servers have static large objects.
    assert_eq!((done.large_object, done.segments), (STATIC, 2));
    assert!(stage.call(GetObject::new(&stage.container, "up/same"))?.body == bytes);
    Ok(())
}

fn upload_absent(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = payload(2 * SEGMENT);
    let go = || {
        let options = SwiftUploadOptions { if_absent: true, ..options(stage, STATIC) };
        upload(stage, "up/absent", Feed::Memory, &bytes, options)
    };
    go()?;
    let before = names(&stage.store, &beside(stage))?;
    let again = go();
    let after = names(&stage.store, &beside(stage))?;
    sweep(&stage.store, &beside(stage))?;
    let error = again.unwrap_err();
    assert!(error.is_precondition_failed(), "{error}");
    assert_eq!(before, after);
    Ok(())
}

fn upload_resumed(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = payload(4 * SEGMENT);
    let source = UploadSource::Seekable(bytes.len() as u64);
    let options = SwiftUploadOptions { concurrency: 1, ..options(stage, STATIC) };
    let service = Arc::clone(stage.store.service());
    let inner =
        SwiftUpload::new(&stage.container, "up/resumed", source, options.clone(), service, 1)?;
    let kept = Arc::new(Mutex::new(None));
    let stopped = Stopped { inner, bytes: 2 * SEGMENT as u64, kept: Arc::clone(&kept) };
    let error = stage.store.run_from(stopped, Feed::Memory, &bytes).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    let checkpoint: SwiftCheckpoint = kept.lock().unwrap().take().unwrap();
    // As text, as another process would have it.
    let text = serde_json::to_string(&checkpoint).unwrap();
    let checkpoint = serde_json::from_str(&text).unwrap();

    let watch = Watch::new();
    let store = stage.client(vec![stage.site.auth(stage.place.https)]).with_observer(watch.clone());
    let service = Arc::clone(store.service());
    let upload = SwiftUpload::resume(checkpoint, source, options, service, 2)?;
    store.run_from(upload, Feed::Memory, &bytes)?;
    // The third may have arrived before the first process ended.
    assert!(watch.launched("PutObject") <= 2, "{} were sent", watch.launched("PutObject"));
    assert!(stage.call(GetObject::new(&stage.container, "up/resumed"))?.body == bytes);
    assert_eq!(names(&stage.store, &beside(stage))?.len(), 4);
    sweep(&stage.store, &beside(stage))
}

fn upload_failing(stage: &Stage<'_>) -> Result<(), Error> {
    for large_object in [STATIC, DYNAMIC] {
        for (announced, length) in [(3 * SEGMENT, SEGMENT + 1000), (2 * SEGMENT, 3 * SEGMENT)] {
            let bytes = payload(length);
            let source = UploadSource::Stream(Some(announced as u64));
            let service = Arc::clone(stage.store.service());
            let options = options(stage, large_object);
            let upload =
                SwiftUpload::new(&stage.container, "up/failing", source, options, service, 1)?;
            let error = stage.store.run_from(upload, Feed::Unknown, &bytes).unwrap_err();
            assert_eq!((error.kind(), error.leftovers()), (Kind::InvalidInput, &[][..]), "{error}");
            assert_eq!(names(&stage.store, &beside(stage))?, [""; 0]);
            let head = stage.call(HeadObject::new(&stage.container, "up/failing"));
            assert!(head.unwrap_err().is_not_found());
        }
    }
    stage.call(DeleteContainer::new(beside(stage)))
}

fn upload_quota(stage: &Stage<'_>) -> Result<(), Error> {
    let settings =
        ContainerSettings { quota_bytes: Some(2 * SEGMENT as u64), ..ContainerSettings::default() };
    stage.call(PutContainer { settings, ..PutContainer::new(beside(stage)) })?;
    let bytes = payload(4 * SEGMENT);
    // One at a time: Swift compares a request with what is stored when the request begins.
    let options = SwiftUploadOptions { concurrency: 1, ..options(stage, STATIC) };
    let error = upload(stage, "up/quota", Feed::Memory, &bytes, options);
    let left = names(&stage.store, &beside(stage))?;
    sweep(&stage.store, &beside(stage))?;
    let error = error.unwrap_err();
    assert_eq!((left.len(), error.leftovers()), (0, &[][..]), "{error}");
    refused::<()>(Err(error), 413);
    assert!(stage.call(HeadObject::new(&stage.container, "up/quota")).unwrap_err().is_not_found());
    Ok(())
}

fn upload_replacing(stage: &Stage<'_>) -> Result<(), Error> {
    for (first, second) in [(STATIC, STATIC), (STATIC, DYNAMIC), (DYNAMIC, STATIC)] {
        let old = payload(3 * SEGMENT);
        let one = SwiftUploadOptions { id: Some("one".into()), ..options(stage, first) };
        upload(stage, "up/replaced", Feed::Memory, &old, one)?;
        let new = payload(SEGMENT + 5);
        let two = SwiftUploadOptions { id: Some("two".into()), ..options(stage, second) };
        let done = upload(stage, "up/replaced", Feed::Memory, &new, two)?;
        assert_eq!(done.leftovers, []);
        assert!(stage.call(GetObject::new(&stage.container, "up/replaced"))?.body == new);
        let left = names(&stage.store, &beside(stage))?;
        assert_eq!(left.len(), 2, "{left:?}");
        // By a plain one too.
        upload(stage, "up/replaced", Feed::Memory, b"plain", options(stage, None))?;
        assert_eq!(names(&stage.store, &beside(stage))?, [""; 0]);
    }
    stage.call(DeleteContainer::new(beside(stage)))
}

fn download(
    store: &Store<Service>,
    get: GetObject,
    options: DownloadOptions,
) -> Result<(Vec<u8>, Validation), Error> {
    let download = SwiftDownload::new(get, Arc::clone(store.service()), options, 1);
    let (output, bytes) = store.run_into(download)?;
    assert_eq!(output.bytes, bytes.len() as u64);
    Ok((bytes, output.validation))
}

fn download_plain(stage: &Stage<'_>) -> Result<(), Error> {
    for length in [0, 1_000_000] {
        let bytes = payload(length);
        stage.call(PutObject::new(&stage.container, "down/plain", bytes.clone()))?;
        let get = GetObject::new(&stage.container, "down/plain");
        let (got, verdict) = download(&stage.store, get, DownloadOptions::default())?;
        assert!(got == bytes && matches!(verdict, Validation::Validated(_)), "{verdict:?}");
    }
    Ok(())
}

fn download_large(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = payload(3 * SEGMENT + 777);
    for large_object in [STATIC, DYNAMIC] {
        upload(stage, "down/large", Feed::Memory, &bytes, options(stage, large_object))?;
        let get = || GetObject::new(&stage.container, "down/large");
        for concurrency in [1, 4] {
            let options =
                DownloadOptions { range_size: 100_000, concurrency, ..DownloadOptions::default() };
            let (got, verdict) = download(&stage.store, get(), options)?;
            assert!(got == bytes, "{large_object:?}, {concurrency}");
            // Ceph gives away no manifest to check against.
            let checked = matches!(verdict, Validation::Validated(_));
            let blind = stage.site.server == Server::Ceph && large_object == STATIC;
            assert!(checked || blind, "{verdict:?}");
        }
        stage.call(DeleteObject::new(&stage.container, "down/large"))?;
        sweep(&stage.store, &beside(stage))?;
    }
    Ok(())
}

fn download_range(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = payload(2 * SEGMENT);
    stage.call(PutObject::new(&stage.container, "down/range", bytes.clone()))?;
    upload(stage, "down/range slo", Feed::Memory, &bytes, options(stage, STATIC))?;
    for object in ["down/range", "down/range slo"] {
        for (range, expected) in [
            (ByteRange::Span(1000..SEGMENT as u64 + 77), &bytes[1000..SEGMENT + 77]),
            (ByteRange::From(SEGMENT as u64), &bytes[SEGMENT..]),
            (ByteRange::Last(5000), &bytes[bytes.len() - 5000..]),
        ] {
            let get = GetObject { range: Some(range), ..GetObject::new(&stage.container, object) };
            assert!(download(&stage.store, get, DownloadOptions::default())?.0 == expected);
        }
    }
    stage.call(DeleteObject::new(&stage.container, "down/range slo"))?;
    sweep(&stage.store, &beside(stage))
}

/// A client that reaches the storage through a proxy.
fn through(stage: &Stage<'_>, plan: Plan) -> Result<(Store<Service>, Proxy), Error> {
    let url = match stage.site.server {
        Server::Swift => People::read().unwrap().storage_url,
        Server::Ceph => {
            let probe = Shared::new(stage.site.session(stage.place.https));
            stage.client(vec![probe.auth()]).call(HeadObject::new(&stage.container, "-")).ok();
            probe.storage_url().expect("v1 authentication tells one")
        }
    };
    let proxy = Proxy::before(&url, plan);
    let session = stage.site.session(stage.place.https);
    let session = session.with_endpoint(EndpointFilter::at(&*proxy.endpoint));
    Ok((stage.client(vec![Auth::new(session)]), proxy))
}

fn download_cut(stage: &Stage<'_>) -> Result<(), Error> {
    let bytes = payload(8 << 20);
    stage.call(PutObject::new(&stage.container, "down/cut", bytes.clone()))?;
    let (store, _proxy) = through(stage, Plan { cuts: 3, after: 2 << 20, pace: None })?;
    let watch = Watch::new();
    let store = store.with_observer(watch.clone());
    let get = || GetObject::new(&stage.container, "down/cut");
    let (got, verdict) = download(&store, get(), DownloadOptions::default())?;
    assert!(got == bytes && matches!(verdict, Validation::Validated(_)), "{verdict:?}");
    assert_eq!(watch.launched("GetObject"), 4);
    // Where nothing is to be resumed it is an error, and not the end.
    let (store, _proxy) = through(stage, Plan { cuts: 1, after: 2 << 20, pace: None })?;
    let error = download(&store, get(), DownloadOptions::default().with_retries(0)).unwrap_err();
    assert_eq!(error.kind(), Kind::Transport, "{error}");
    Ok(())
}

fn delete(stage: &Stage<'_>) -> Result<(), Error> {
    let remove = |options: SwiftDeleteOptions| {
        let service = Arc::clone(stage.store.service());
        let delete = SwiftDelete::new(&stage.container, "delete", service, options, 1);
        stage.store.run(delete)
    };
    let bytes = payload(3 * SEGMENT);
    let every = |bulk| SwiftDeleteOptions { bulk, ..SwiftDeleteOptions::default() };
    for bulk in [true, false] {
        for (large_object, count) in [(STATIC, 4), (DYNAMIC, 4)] {
            upload(stage, "delete", Feed::Memory, &bytes, options(stage, large_object))?;
            assert_eq!(remove(every(bulk))?.deleted, count, "{large_object:?}");
            assert_eq!(names(&stage.store, &beside(stage))?, [""; 0]);
        }
        stage.call(PutObject::new(&stage.container, "delete", "plain"))?;
        assert_eq!(remove(every(bulk))?.deleted, 1);
    }
    refused(remove(every(true)), 404);
    stage.call(DeleteContainer::new(beside(stage)))
}

/// A large body, a token that is refused: what reaches the proxy is little more than the head.
fn refused_head(stage: &Stage<'_>) -> Result<(), Error> {
    let (_, proxy) = through(stage, Plan::default())?;
    let expecting = |session| {
        let service = Service::new(config()).unwrap();
        Store::expecting(stage.place.transport, service, &stage.site.ca, vec![Auth::new(session)])
    };
    let session = stage.site.session(stage.place.https);
    let good = expecting(session.with_endpoint(EndpointFilter::at(&*proxy.endpoint)));
    let bad = expecting(Session::fixed_at(&*proxy.endpoint, "no token".to_owned())?);
    let bytes = payload(16 << 20);
    let cost = |store: &Store<Service>, put: PutObject, status: u16| {
        let before = proxy.sent();
        let error = store.call(put).unwrap_err();
        assert_eq!(error.status().map(|status| status.as_u16()), Some(status), "{error}");
        let cost = proxy.sent() - before;
        assert!(cost < 1 << 20, "{status} cost {cost} bytes");
    };
    let put = |container: &str| PutObject::new(container, "refused head", bytes.clone());
    cost(&bad, put(&stage.container), 401);
    cost(&good, put("apus-missing"), 404);
    if stage.site.server == Server::Swift {
        stage.call(PutObject::new(&stage.container, "refused head", ""))?;
        cost(&good, PutObject { if_absent: true, ..put(&stage.container) }, 412);
    }
    Ok(())
}

/// An upload that is stopped once so many bytes are acknowledged, as by the end of a process.
struct Stopped {
    inner: SwiftUpload,
    bytes: u64,
    kept: Arc<Mutex<Option<SwiftCheckpoint>>>,
}

impl Machine for Stopped {
    type Output = SwiftUploaded;

    fn poll(&mut self, now: Now) -> Step<Self::Output> {
        self.inner.poll(now)
    }

    fn complete(&mut self, now: Now, done: Completion) {
        self.inner.complete(now, done);
        if let Some(checkpoint) = self.inner.checkpoint() {
            if checkpoint.acknowledged() == self.bytes {
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
