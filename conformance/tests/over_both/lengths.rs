//! Sources and sinks: they have to be given, have the announced length, and are read to their end.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use apus_conformance::server::{FaultyS3, Plan};
use apus_core::checksum::Algorithm;
use apus_core::contract::Machine;
use apus_core::error::ExchangeErrorKind;
use apus_core::http::Body;
use apus_core::machine::{
    DownloadOptions, Event, Observer, S3Download, S3Upload, UploadOptions, UploadSource,
};
use apus_core::s3::{GetObject, PutObject};
use apus_core::{Error, Kind as Blame, Now};
use bytes::Bytes;
use tempfile::TempDir;

use crate::client::{Client, Kind, Origin, Setup, Via, Wire, pattern};
use crate::uploads::{options, server, stored};

both! {
    nothing_is_sent_without_a_source,
    nothing_is_fetched_without_a_sink,
    a_source_of_another_length_than_was_said_is_refused,
    a_reader_has_no_parts,
    a_reader_that_is_longer_or_shorter_than_it_said_is_an_error,
    a_file_is_read_from_its_start_whatever_its_cursor_says,
    what_has_no_length_is_read_to_its_end,
    a_directory_is_no_source,
    a_file_that_grows_or_shrinks_while_it_is_sent_is_an_error,
}

/// Runs a machine over either transport, after `$dress` has given its run what it needs.
macro_rules! go {
    ($client:expr, $machine:expr) => {
        match &$client.wire {
            Wire::Blocking(client) => client.run($machine).send(),
            Wire::Async(client, runtime) => runtime.block_on(client.run($machine).send()),
        }
    };
    ($client:expr, $machine:expr, |$run:ident, $transport:ident| $dressed:expr) => {
        match &$client.wire {
            Wire::Blocking(client) => {
                use apus_blocking as $transport;
                let $run = client.run($machine);
                $dressed.send()
            }
            Wire::Async(client, runtime) => {
                use apus_async as $transport;
                let $run = client.run($machine);
                runtime.block_on($dressed.send())
            }
        }
    };
}

fn machine_of(client: &Client, source: UploadSource, options: UploadOptions) -> S3Upload {
    S3Upload::new("bucket", "key", source, options, Arc::clone(&client.service), 7).unwrap()
}

/// Nothing is stored, and nothing is left open.
#[track_caller]
fn nothing_stored(server: &FaultyS3, error: &Error) {
    assert!(error.leftovers().is_empty(), "{error}");
    let model = server.model();
    assert!(model.object("bucket", "key").is_none(), "{error}");
    assert!(model.open_uploads().is_empty(), "{error}");
}

#[track_caller]
fn is_of(error: &Error, cause: ExchangeErrorKind) {
    let found = error.exchange_error().map(|failure| failure.kind());
    assert_eq!((error.kind(), found), (Blame::InvalidInput, Some(cause)), "{error}");
}

fn nothing_is_sent_without_a_source(via: Via) {
    let server = server(false, Plan::new());
    let client = Setup::of(&server).client(via);
    let sources = [
        UploadSource::Seekable(0),
        UploadSource::Seekable(10),
        UploadSource::Seekable(1_000_000),
        UploadSource::Stream(Some(10)),
        UploadSource::Stream(None),
    ];
    for source in sources {
        let error = go!(client, machine_of(&client, source, options())).unwrap_err();
        is_of(&error, ExchangeErrorKind::Source);
        assert!(
            error.to_string().contains("the call requires a source, but none was given"),
            "{source:?}: {error}"
        );
    }
    // Neither by an operation whose body is a range of one.
    let body = Body::Source { range: 0..10, rewindable: true };
    let error = client.call(PutObject::from_body("bucket", "key", body)).unwrap_err();
    assert!(
        error.to_string().contains("the call requires a source, but none was given"),
        "{error}"
    );
    assert_eq!(server.server().requests().len(), 0);
    // An empty source is one.
    let empty = Origin::new(Kind::Bytes, Bytes::new());
    client.run(machine_of(&client, UploadSource::Seekable(0), options()), empty).unwrap();
    stored(&server, &Bytes::new());
}

fn nothing_is_fetched_without_a_sink(via: Via) {
    let server = server(false, Plan::new());
    let client = Setup::of(&server).client(via);
    let bytes = pattern(100_000);
    client.call(PutObject::new("bucket", "key", bytes.clone())).unwrap();
    for concurrency in [1, 4] {
        let before = server.server().requests().len();
        let get = GetObject::new("bucket", "key");
        let digests = vec![Algorithm::Crc32];
        let options = DownloadOptions {
            range_size: 32 << 10,
            concurrency,
            digests,
            ..DownloadOptions::default()
        };
        let machine =
            || S3Download::new(get.clone(), Arc::clone(&client.service), options.clone(), 7);
        assert!(machine().needs().sink);
        let error = go!(client, machine()).unwrap_err();
        is_of(&error, ExchangeErrorKind::Sink);
        assert!(
            error.to_string().contains("the call requires a sink, but none was given"),
            "{error}"
        );
        assert_eq!(server.server().requests().len(), before, "nothing was asked for");
        // A caller that needs only the digests says so.
        let done =
            go!(client, machine(), |run, transport| run.write_to(transport::Sink::discard()));
        let done = done.unwrap();
        assert_eq!(done.bytes, 100_000);
        let expected = Algorithm::Crc32.digest(&bytes).unwrap();
        assert_eq!(done.digests.value(Algorithm::Crc32), Some(&expected));
    }
}

fn a_source_of_another_length_than_was_said_is_refused(via: Via) {
    use UploadSource::{Seekable, Stream};

    let server = server(false, Plan::new());
    let client = Setup::of(&server).client(via);
    let cases = [
        (Kind::Bytes, Seekable(5), 10),
        (Kind::File, Seekable(5), 10),
        (Kind::File, Seekable(10), 5),
        (Kind::File, Seekable(0), 10),
        (Kind::File, Stream(Some(5)), 10),
        (Kind::Reader, Stream(Some(5)), 10),
        (Kind::Reader, Seekable(5), 10),
        (Kind::Bytes, Seekable(200_000), 200_001),
        (Kind::File, Seekable(200_000), 199_999),
        // Ranges of what has no length.
        (Kind::Stream, Seekable(10), 10),
    ];
    for (kind, said, has) in cases {
        let origin = Origin::new(kind, pattern(has));
        let error = client.run(machine_of(&client, said, options()), origin).unwrap_err();
        is_of(&error, ExchangeErrorKind::Length);
        assert_eq!(server.server().requests().len(), 0, "{kind:?} {said:?} {has}: {error}");
    }
}

// Parts are sent beside each other and again.
fn a_reader_has_no_parts(via: Via) {
    let server = server(false, Plan::new());
    let client = Setup::of(&server).client(via);
    let bytes = pattern(200_000);
    for (threshold, concurrency) in [(64 << 10, 1), (64 << 10, 4), (1 << 20, 4)] {
        let options = UploadOptions { threshold, concurrency, ..options() };
        let reader = std::io::Cursor::new(bytes.clone());
        let machine = machine_of(&client, UploadSource::Seekable(200_000), options);
        let result = go!(client, machine, |run, transport| {
            run.body(transport::Source::reader(reader, 200_000))
        });
        if threshold > bytes.len() as u64 {
            assert_eq!(result.unwrap().size, 200_000);
            continue;
        }
        let error = result.unwrap_err();
        is_of(&error, ExchangeErrorKind::Source);
        assert!(error.to_string().contains("Stream(Some(200000))"), "{error}");
        assert_eq!(server.server().requests().len(), 0, "{error}");
    }
}

fn a_reader_that_is_longer_or_shorter_than_it_said_is_an_error(via: Via) {
    let server = server(false, Plan::new());
    let client = Setup::of(&server).client(via);
    let cases = [(10, 11), (10, 9), (10, 0), (0, 1), (200_000, 200_001), (200_000, 199_999)];
    for (said, has) in cases {
        let bytes = pattern(has);
        let sources = [
            UploadSource::Stream(None),
            UploadSource::Stream(Some(said)),
            UploadSource::Seekable(said),
        ];
        for source in sources {
            // All of it in one request, and in parts, which are no ranges of what is read once.
            let ranges = matches!(source, UploadSource::Seekable(_));
            for threshold in [1 << 20, if ranges { 1 << 20 } else { 64 << 10 }] {
                let options = UploadOptions { threshold, ..options() };
                let reader = std::io::Cursor::new(bytes.clone());
                let error = go!(client, machine_of(&client, source, options), |run, transport| {
                    run.body(transport::Source::reader(reader, said))
                })
                .unwrap_err();
                is_of(&error, ExchangeErrorKind::Length);
                nothing_stored(&server, &error);
            }
        }
        if said == 0 {
            continue;
        }
        let body = Body::Source { range: 0..said, rewindable: false };
        let put = PutObject::from_body("bucket", "key", body);
        let reader = std::io::Cursor::new(bytes);
        let error = match &client.wire {
            Wire::Blocking(client) => {
                client.call_from(put, apus_blocking::Source::reader(reader, said))
            }
            Wire::Async(client, runtime) => {
                runtime.block_on(client.call_from(put, apus_async::Source::reader(reader, said)))
            }
        };
        let error = error.unwrap_err();
        is_of(&error, ExchangeErrorKind::Length);
        nothing_stored(&server, &error);
    }
}

/// Stores the contents of a file with a machine that gets the source's own length.
fn upload_file(client: &Client, file: File) -> Result<u64, Error> {
    macro_rules! upload {
        ($transport:ident, $client:ident, |$going:ident| $outcome:expr) => {{
            let source = $transport::Source::file(file);
            let length = source.length().unwrap();
            let told = match length {
                Some(length) if source.is_rewindable() => UploadSource::Seekable(length),
                length => UploadSource::Stream(length),
            };
            let $going = $client.run(machine_of(client, told, options())).body(&source).send();
            $outcome
        }};
    }
    let done = match &client.wire {
        Wire::Blocking(wire) => upload!(apus_blocking, wire, |going| going),
        Wire::Async(wire, runtime) => {
            // What is read by another thread needs the runtime when it is made, too.
            let _entered = runtime.enter();
            upload!(apus_async, wire, |going| runtime.block_on(going))
        }
    };
    done.map(|done| done.size)
}

fn a_file_is_read_from_its_start_whatever_its_cursor_says(via: Via) {
    let server = server(false, Plan::new());
    let client = Setup::of(&server).client(via);
    for length in [0, 1, 10_000, 300_000] {
        let bytes = pattern(length);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file.seek(SeekFrom::Start(length as u64 / 2)).unwrap();
        assert_eq!(upload_file(&client, file).unwrap(), length as u64);
        stored(&server, &bytes);
    }
}

#[cfg(unix)]
fn what_has_no_length_is_read_to_its_end(via: Via) {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    let server = server(false, Plan::new());
    let client = Setup::of(&server).client(via);
    let folder = TempDir::new().unwrap();
    for length in [0, 5, 300_000] {
        let bytes = pattern(length);
        // A FIFO.
        let path = fifo(&folder, &format!("fifo-{length}"));
        let feed = (path.clone(), bytes.clone());
        let feeding = std::thread::spawn(move || std::fs::write(feed.0, feed.1).unwrap());
        assert_eq!(upload_file(&client, File::open(path).unwrap()).unwrap(), length as u64);
        feeding.join().unwrap();
        stored(&server, &bytes);
        // A socket.
        let (mut near, far) = UnixStream::pair().unwrap();
        let feed = bytes.clone();
        let feeding = std::thread::spawn(move || near.write_all(&feed).unwrap());
        let file = File::from(OwnedFd::from(far));
        assert_eq!(upload_file(&client, file).unwrap(), length as u64);
        feeding.join().unwrap();
        stored(&server, &bytes);
    }
    // A character device.
    assert_eq!(upload_file(&client, File::open("/dev/null").unwrap()).unwrap(), 0);
    stored(&server, &Bytes::new());
    // A file system that says 0 of files that have something in them, or a page of few bytes.
    let special = ["/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"];
    for path in special.into_iter().filter(|path| std::path::Path::new(path).exists()) {
        let bytes = Bytes::from(std::fs::read(path).unwrap());
        let mut file = File::open(path).unwrap();
        file.read_exact(&mut [0; 3]).unwrap();
        assert_eq!(upload_file(&client, file).unwrap(), bytes.len() as u64, "{path}");
        stored(&server, &bytes);
    }
    // A block device, where one can be made.
    if let Some(device) = Loop::new(&folder, &pattern(512 << 10)) {
        let mut file = File::open(&device.0).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 0);
        file.seek(SeekFrom::Start(1000)).unwrap();
        assert_eq!(upload_file(&client, file).unwrap(), 512 << 10);
        stored(&server, &pattern(512 << 10));
    }
}

#[cfg(not(unix))]
fn what_has_no_length_is_read_to_its_end(_: Via) {}

pub(crate) fn fifo(folder: &TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// A loop device with these bytes, which is let go at the end.
struct Loop(PathBuf);

impl Loop {
    fn new(folder: &TempDir, bytes: &[u8]) -> Option<Self> {
        let path = folder.path().join("volume");
        std::fs::write(&path, bytes).unwrap();
        let made = Command::new("losetup").args(["--find", "--show"]).arg(path).output().ok()?;
        let name = String::from_utf8(made.stdout).ok()?;
        made.status.success().then(|| Self(PathBuf::from(name.trim())))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.0).status();
    }
}

fn a_directory_is_no_source(via: Via) {
    let server = server(false, Plan::new());
    let client = Setup::of(&server).client(via);
    let folder = TempDir::new().unwrap();
    let open = || File::open(folder.path()).unwrap();
    let machine = machine_of(&client, UploadSource::Stream(None), options());
    let error = go!(client, machine, |run, transport| run.body(transport::Source::file(open())))
        .unwrap_err();
    is_of(&error, ExchangeErrorKind::Source);
    assert!(error.to_string().contains("directory"), "{error}");
    assert_eq!(server.server().requests().len(), 0);
}

/// Makes a file longer or shorter when the first request with a body of it is launched.
struct Resizes(Mutex<Option<File>>, u64);

impl Observer for Resizes {
    fn event(&self, _: Now, event: &Event<'_>) {
        let Event::Launched { draft } = event else { return };
        if matches!(draft.body, Body::Source { .. })
            && let Some(file) = self.0.lock().unwrap().take()
        {
            file.set_len(self.1).unwrap();
        }
    }
}

fn a_file_that_grows_or_shrinks_while_it_is_sent_is_an_error(via: Via) {
    const LENGTH: usize = 2 << 20;

    for (resized, tls) in [2 * LENGTH as u64, LENGTH as u64 + 1, LENGTH as u64 - 1, 0]
        .map(|to| (to, false))
        .into_iter()
        .chain([(LENGTH as u64 - 1, true), (LENGTH as u64 + 1, true)])
    {
        for threshold in [4 << 20, 64 << 10] {
            let server = server(tls, Plan::new());
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&pattern(LENGTH)).unwrap();
            let mut setup = Setup::of(&server);
            let resizes = Resizes(Mutex::new(Some(file.try_clone().unwrap())), resized);
            setup.observer = Some(Arc::new(resizes));
            let client = setup.client(via);
            let options = UploadOptions { threshold, ..options() };
            let machine = machine_of(&client, UploadSource::Seekable(LENGTH as u64), options);
            let error = go!(client, machine, |run, transport| {
                run.body(transport::Source::file(file.try_clone().unwrap()))
            })
            .unwrap_err();
            let what = format!("{resized} bytes, threshold {threshold}: {error}");
            is_of(&error, ExchangeErrorKind::Source);
            assert!(error.exchange_error().unwrap().is_source_changed(), "{what}");
            nothing_stored(&server, &error);
        }
    }
}
