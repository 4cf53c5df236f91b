//! The caller's digests are those of the bytes that were sent, even if the source changes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use apus_conformance::server::{
    EmbeddedOpenStack, Fault, FaultyS3, OpenStackModel, Operation, Plan, S3Model,
};
use apus_core::checksum::{Algorithm, Digests, Hashers};
use apus_core::machine::{Event, Observer, S3Upload, UploadOptions, UploadSource, Uploaded};
use apus_core::store::{
    Add, AddResult, StoreError, Stores,
    config::{Configuration, OsloConfig, Reference},
};
use apus_core::{Error, Kind as Blame, Now};
use tokio::runtime::Builder;

use crate::client::{Client, Kind, Origin, Setup, Token, Via, Wire, pattern};
use crate::uploads::{options, server, stored};

both! {
    digests_are_those_of_what_was_stored_while_the_file_is_written_to,
    a_part_that_is_sent_again_has_to_be_the_same,
    a_part_that_is_sent_again_unchanged_is_hashed_once,
    what_is_measured_and_read_again_has_to_be_the_same,
    nothing_is_left_to_compute_after_complete,
    parts_that_were_stored_before_are_hashed_too,
    segments_in_swift_are_hashed_as_they_are_sent,
}

const LENGTH: usize = 1 << 20;

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Uploads a tapped file in parts.
fn upload(
    client: &Client,
    file: &File,
    options: UploadOptions,
) -> (Result<Uploaded, Error>, Option<Digests>) {
    let length = file.metadata().unwrap().len();
    let service = Arc::clone(&client.service);
    let source = UploadSource::Seekable(length);
    let machine = S3Upload::new("bucket", "key", source, options, service, 7).unwrap();
    run(client, machine, file)
}

fn run(
    client: &Client,
    machine: S3Upload,
    file: &File,
) -> (Result<Uploaded, Error>, Option<Digests>) {
    let hashers = Hashers::new([Algorithm::Md5, Algorithm::Sha256]).unwrap();
    let file = file.try_clone().unwrap();
    match &client.wire {
        Wire::Blocking(client) => {
            let source = apus_blocking::Source::file(file).tap(hashers);
            (client.run(machine).body(&source).send(), source.digests())
        }
        Wire::Async(client, runtime) => {
            let source = apus_async::Source::file(file).tap(hashers);
            (runtime.block_on(client.run(machine).body(&source).send()), source.digests())
        }
    }
}

#[track_caller]
fn told_of(digests: Option<Digests>, bytes: &[u8]) {
    let digests = digests.expect("the source was read to its end");
    for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
        assert_eq!(digests.value(algorithm), Some(&algorithm.digest(bytes).unwrap()));
    }
}

#[track_caller]
fn changed(server: &FaultyS3, error: &Error) {
    assert_eq!(error.kind(), Blame::InvalidInput, "{error}");
    assert!(error.exchange_error().is_some_and(|failure| failure.is_source_changed()), "{error}");
    assert!(error.leftovers().is_empty(), "{error}");
    let model = server.model();
    assert!(model.object("bucket", "key").is_none() && model.open_uploads().is_empty(), "{error}");
}

fn digests_are_those_of_what_was_stored_while_the_file_is_written_to(via: Via) {
    for (tls, threshold) in [(false, LENGTH as u64), (true, LENGTH as u64), (true, 64 << 10)] {
        let file = file_of(&pattern(LENGTH));
        let (written, done) = (file.try_clone().unwrap(), Arc::new(AtomicBool::new(false)));
        let over = Arc::clone(&done);
        let writing = std::thread::spawn(move || {
            for round in 0.. {
                for at in (0..LENGTH as u64).step_by(4097) {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    written.write_all_at(&[round as u8], at).unwrap();
                }
            }
        });
        for _ in 0..8 {
            let server = server(tls, Plan::new());
            let client = Setup::of(&server).client(via);
            let (result, digests) =
                upload(&client, &file, UploadOptions { threshold, ..options() });
            match result {
                Ok(_) => {
                    let body = server.model().object("bucket", "key").unwrap().body.clone();
                    told_of(digests, &body);
                }
                Err(error) => changed(&server, &error),
            }
        }
        done.store(true, Ordering::SeqCst);
        writing.join().unwrap();
    }
}

fn a_part_that_is_sent_again_has_to_be_the_same(via: Via) {
    // The first part of several, and all of it in one request.
    for (operation, threshold) in
        [(Operation::UploadPart, 64 << 10), (Operation::PutObject, 4 << 20)]
    {
        for (tls, concurrency) in [(false, 1), (true, 1), (true, 4)] {
            let server = server(tls, Plan::new().on(operation, 1, Fault::InternalError));
            let file = file_of(&pattern(LENGTH));
            let mut setup = Setup::of(&server);
            let rewrites = RewritesAfterFailure(Mutex::new(Some(file.try_clone().unwrap())));
            setup.observer = Some(Arc::new(rewrites));
            let client = setup.client(via);
            let options = UploadOptions { threshold, concurrency, ..options() };
            let (result, digests) = upload(&client, &file, options);
            changed(&server, &result.unwrap_err());
            assert_eq!(digests, None);
        }
    }
}

/// Writes all bytes anew after a response of status 500.
struct RewritesAfterFailure(Mutex<Option<File>>);

impl Observer for RewritesAfterFailure {
    fn event(&self, _: Now, event: &Event<'_>) {
        let Event::Ended { status: Some(status), .. } = event else { return };
        if status.as_u16() == 500
            && let Some(file) = self.0.lock().unwrap().take()
        {
            file.write_all_at(&vec![0xEE; LENGTH], 0).unwrap();
        }
    }
}

fn a_part_that_is_sent_again_unchanged_is_hashed_once(via: Via) {
    let plan = Plan::new()
        .on(Operation::UploadPart, 1, Fault::InternalError)
        .on(Operation::UploadPart, 4, Fault::Lost(apus_conformance::server::Ending::Reset))
        .on(Operation::UploadPart, 9, Fault::SlowDown(None));
    for (tls, concurrency) in [(false, 1), (true, 1), (false, 4), (true, 4)] {
        let server = server(tls, plan.clone());
        let bytes = pattern(LENGTH + 77);
        let client = Setup::of(&server).client(via);
        let (result, digests) =
            upload(&client, &file_of(&bytes), UploadOptions { concurrency, ..options() });
        result.unwrap();
        stored(&server, &bytes);
        told_of(digests, &bytes);
    }
}

fn what_is_measured_and_read_again_has_to_be_the_same(via: Via) {
    // Over http what is sent is signed: it is read once for its hash, and once more to be sent
    // where it is too long to be kept.
    let server = server(false, Plan::new());
    let file = file_of(&pattern(8 << 20));
    let written = file.try_clone().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&over);
    // The last byte is measured long after the first; whichever pass meets the change, the other
    // does not.
    let writing = std::thread::spawn(move || {
        for round in 0u64.. {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            written.write_all_at(&round.to_le_bytes(), 5).unwrap();
            std::thread::yield_now();
        }
    });
    let mut setup = Setup::of(&server);
    setup.config.retry_policy.attempts = 1;
    setup.reread = true;
    let client = setup.client(via);
    let (result, digests) =
        upload(&client, &file, UploadOptions { threshold: 16 << 20, ..options() });
    over.store(true, Ordering::SeqCst);
    writing.join().unwrap();
    changed(&server, &result.unwrap_err());
    assert_eq!(digests, None);
}

/// Cancels when the response to CompleteMultipartUpload, or to the only PUT, has come.
struct CancelsWhenStored(Token);

impl Observer for CancelsWhenStored {
    fn event(&self, _: Now, event: &Event<'_>) {
        let Event::Ended { operation, status: Some(status), .. } = event else { return };
        let stores = matches!(*operation, "CompleteMultipartUpload" | "PutObject");
        if stores && status.is_success() {
            self.0.cancel_with(apus_core::contract::OnFailure::Abort);
        }
    }
}

fn nothing_is_left_to_compute_after_complete(via: Via) {
    for (megabytes, kind) in
        [(1, Kind::File), (24, Kind::File), (24, Kind::Bytes), (24, Kind::Stream)]
    {
        let server = FaultyS3::start(S3Model::new().with_bucket("images")).unwrap();
        let bytes = pattern(megabytes << 20);
        let token = Token::default();
        let observer = Arc::new(CancelsWhenStored(token.clone()));
        let added = add(via, s3(&server), Origin::new(kind, bytes.clone()), observer, &token);
        let added = added.unwrap_or_else(|error| panic!("{kind:?}, {megabytes} MiB: {error}"));
        let model = server.model();
        assert!(model.object("images", "image-1").unwrap().body == bytes);
        assert_eq!(added.size, bytes.len() as u64);
        assert_eq!(added.md5, Algorithm::Md5.digest(&bytes).unwrap().hex());
        assert_eq!(added.multihash, Algorithm::Sha512.digest(&bytes).unwrap().hex());
    }
}

fn segments_in_swift_are_hashed_as_they_are_sent(via: Via) {
    let model = OpenStackModel::new().with_container("demo", "images");
    let server = EmbeddedOpenStack::start(model).unwrap();
    let text = "[glance_store]\nstores = swift\ndefault_store = swift\n\
                swift_store_config_file = swift.conf\nswift_store_container = images\n\
                swift_store_large_object_size = 2\nswift_store_large_object_chunk_size = 1\n";
    let references = format!(
        "[ref1]\nauth_address = {}\nuser = demo:demo\nkey = demo-secret\n",
        server.auth_url()
    );
    let config = OsloConfig::parse([("glance-api.conf", text)]).unwrap();
    let references = Reference::read_all("swift.conf", &references).unwrap();
    let files = BTreeMap::from([("swift.conf".to_owned(), references)]);
    let core = Stores::new(&Configuration::of_oslo(&config).unwrap(), &files).unwrap();
    let bytes = pattern((5 << 20) + 3);
    let token = Token::default();
    // The token is of no use: the last request of a large object is a manifest.
    let observer = Arc::new(CancelsWhenStored(Token::default()));
    let origin = Origin::new(Kind::File, bytes.clone());
    let added = add(via, core, origin, observer, &token).unwrap();
    assert_eq!(added.size, bytes.len() as u64);
    assert_eq!(added.md5, Algorithm::Md5.digest(&bytes).unwrap().hex());
    assert_eq!(added.multihash, Algorithm::Sha512.digest(&bytes).unwrap().hex());
}

fn s3(server: &FaultyS3) -> Stores {
    let text = format!(
        "[glance_store]\nstores = s3\ndefault_store = s3\ns3_store_host = {}\n\
         s3_store_access_key = AKID\ns3_store_secret_key = secret\ns3_store_bucket = images\n\
         s3_store_large_object_size = 10\ns3_store_large_object_chunk_size = 5\n",
        server.endpoint()
    );
    let config = OsloConfig::parse([("glance-api.conf", text.as_str())]).unwrap();
    Stores::new(&Configuration::of_oslo(&config).unwrap(), &Default::default()).unwrap()
}

fn add(
    via: Via,
    core: Stores,
    origin: Origin,
    observer: Arc<dyn Observer>,
    token: &Token,
) -> Result<AddResult, StoreError> {
    let image = Add::new("image-1");
    match via {
        Via::Blocking => apus_blocking::Stores::new(core)
            .unwrap()
            .with_observer(observer)
            .cancel_on(token.blocking.clone())
            .add(None, image, origin.blocking()),
        Via::Async => {
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.unwrap().block_on(async {
                let stores = apus_async::Stores::new(core).unwrap().with_observer(observer);
                stores.cancel_on(token.hyper.clone()).add(None, image, origin.hyper()).await
            })
        }
    }
}

fn parts_that_were_stored_before_are_hashed_too(via: Via) {
    // Where more than may be held waits for them, they are read before the rest is sent.
    for (memory, stored_before) in [(256 << 20, 9), (64 << 10, 9), (64 << 10, 20)] {
        hashes_what_was_stored_before(via, memory, stored_before);
    }
}

fn hashes_what_was_stored_before(via: Via, memory: u64, stored_before: u64) {
    let denied = Fault::Refuse(403, "AccessDenied");
    let plan = Plan::new().from(Operation::UploadPart, stored_before, denied);
    let server = server(false, plan);
    let client = Setup::of(&server).client(via);
    let bytes = pattern(LENGTH);
    let file = file_of(&bytes);
    let source = UploadSource::Seekable(LENGTH as u64);
    let on_failure = apus_core::contract::OnFailure::Keep;
    let kept = UploadOptions { on_failure, memory, ..options() };
    let service = || Arc::clone(&client.service);
    let machine = S3Upload::new("bucket", "key", source, kept.clone(), service(), 7).unwrap();
    let checkpoints = machine.checkpoints();
    let (result, digests) = run(&client, machine, &file);
    assert!(result.is_err() && digests.is_none());
    server.model().set_plan(Plan::new());
    let checkpoint = checkpoints.latest().unwrap();
    let machine = S3Upload::resume(checkpoint, source, kept, service(), 7).unwrap();
    let (result, digests) = run(&client, machine, &file);
    result.unwrap();
    stored(&server, &bytes);
    told_of(digests, &bytes);
}
