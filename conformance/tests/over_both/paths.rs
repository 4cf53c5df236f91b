//! Downloads to a path: the file is complete or as it was, and no other file is left.

#![cfg(unix)]

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use apus_conformance::server::{Ending, Fault, Operation, Plan};
use apus_core::Error;
use apus_core::contract::Machine;
use apus_core::error::ExchangeErrorKind;
use apus_core::machine::{Event, Observer};
use apus_core::now::Now;
use apus_core::s3::GetObject;
use tempfile::TempDir;

use crate::client::{Client, Setup, Token, Via, Wire};
use crate::downloads::{download, server, whole};

both! {
    a_file_is_there_as_a_whole_with_the_mode_it_had,
    what_is_not_there_creates_nothing,
    what_fails_midway_leaves_the_old_file,
    what_is_cancelled_midway_leaves_the_old_file,
    two_downloads_into_one_file_leave_a_whole_one,
    a_fifo_is_written_through_in_order,
    a_full_disk_is_said,
    other_names_of_the_file_are_told_of,
}

/// The result of a run into a path, and the notices.
fn into_path<M>(
    client: &Client,
    machine: M,
    path: &Path,
    token: &Token,
) -> (Result<M::Output, Error>, Vec<String>)
where
    M: Machine<Output: Send> + Send + 'static,
{
    match &client.wire {
        Wire::Blocking(client) => {
            let sink = apus_blocking::Sink::path(path).unwrap();
            let run = client.run(machine).write_to(&sink).cancel_on(token.blocking());
            (run.send(), sink.remarks())
        }
        Wire::Async(client, runtime) => {
            let sink = apus_async::Sink::path(path).unwrap();
            let run = client.run(machine).write_to(&sink).cancel_on(token.hyper());
            (runtime.block_on(run.send()), sink.remarks())
        }
    }
}

fn names(folder: &TempDir) -> Vec<String> {
    let names = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A folder with a file in it that only its owner may read, and one that looks like ours.
fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("image");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(folder.path().join("image.part"), "theirs").unwrap();
    (folder, path)
}

fn a_file_is_there_as_a_whole_with_the_mode_it_had(via: Via) {
    for length in [0, 1, 300_000] {
        let (server, bytes) = server(via, length, Plan::new());
        let client = Setup::of(&server).client(via);
        for concurrency in [1, 4] {
            let (folder, path) = folder();
            let machine = download(whole(), concurrency, &client.service);
            let (result, remarks) = into_path(&client, machine, &path, &Token::default());
            result.unwrap();
            assert!(fs::read(&path).unwrap() == bytes, "{length} {concurrency}");
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!((mode & 0o7777, remarks), (0o600, vec![]));
            assert_eq!(names(&folder), ["image", "image.part"]);
        }
    }
}

fn what_is_not_there_creates_nothing(via: Via) {
    let (server, _) = server(via, 10, Plan::new());
    let client = Setup::of(&server).client(via);
    let (folder, path) = folder();
    let new = folder.path().join("new");
    for path in [&path, &new] {
        let machine = download(GetObject::new("bucket", "nothing"), 1, &client.service);
        let error = into_path(&client, machine, path, &Token::default()).0.unwrap_err();
        assert_eq!(error.status().map(|status| status.as_u16()), Some(404));
    }
    assert_eq!((names(&folder).len(), fs::read_to_string(&path).unwrap().as_str()), (2, "old"));
}

fn what_fails_midway_leaves_the_old_file(via: Via) {
    for concurrency in [1, 4] {
        let plan = Plan::new()
            .on(Operation::GetObject, 1, Fault::CutBody(20_000, Ending::Close))
            .from(Operation::GetObject, 2, Fault::Refuse(403, "AccessDenied"));
        let (server, _) = server(via, 300_000, plan);
        let client = Setup::of(&server).client(via);
        let (folder, path) = folder();
        let machine = download(whole(), concurrency, &client.service);
        into_path(&client, machine, &path, &Token::default()).0.unwrap_err();
        assert_eq!((names(&folder).len(), fs::read_to_string(&path).unwrap().as_str()), (2, "old"));
    }
}

/// Uses a token when the first bytes have come, and looks at the folder then.
struct Stops {
    token: Token,
    folder: PathBuf,
    seen: Mutex<Option<usize>>,
}

impl Observer for Stops {
    fn event(&self, _: Now, event: &Event<'_>) {
        if let Event::Received { .. } = event {
            let seen = fs::read_dir(&self.folder).unwrap().count();
            self.seen.lock().unwrap().get_or_insert(seen);
            self.token.cancel_with(apus_core::contract::OnFailure::Abort);
        }
    }
}

fn what_is_cancelled_midway_leaves_the_old_file(via: Via) {
    for concurrency in [1, 4] {
        let (server, _) = server(via, 4_000_000, Plan::new());
        let (folder, path) = folder();
        let token = Token::default();
        let stops = Arc::new(Stops {
            token: token.clone(),
            folder: folder.path().to_owned(),
            seen: Mutex::default(),
        });
        let setup =
            Setup { observer: Some(Arc::clone(&stops) as Arc<dyn Observer>), ..Setup::of(&server) };
        let client = setup.client(via);
        let machine = download(whole(), concurrency, &client.service);
        let error = into_path(&client, machine, &path, &token).0.unwrap_err();
        assert!(error.is_cancelled(), "{error}");
        assert!(stops.seen.lock().unwrap().is_some());
        assert_eq!((names(&folder).len(), fs::read_to_string(&path).unwrap().as_str()), (2, "old"));
    }
}

fn two_downloads_into_one_file_leave_a_whole_one(via: Via) {
    let (server, bytes) = server(via, 2_000_000, Plan::new());
    let (folder, path) = folder();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let client = Setup::of(&server).client(via);
                let machine = download(whole(), 3, &client.service);
                into_path(&client, machine, &path, &Token::default()).0.unwrap();
            });
        }
    });
    assert!(fs::read(&path).unwrap() == bytes);
    assert_eq!(names(&folder).len(), 2);
}

fn a_fifo_is_written_through_in_order(via: Via) {
    for length in [0, 700_000] {
        let (server, bytes) = server(via, length, Plan::new());
        let client = Setup::of(&server).client(via);
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let reader = {
            let path = path.clone();
            thread::spawn(move || {
                let mut read = Vec::new();
                File::open(path).unwrap().read_to_end(&mut read).unwrap();
                read
            })
        };
        let machine = download(whole(), 4, &client.service);
        into_path(&client, machine, &path, &Token::default()).0.unwrap();
        assert!(reader.join().unwrap() == bytes);
        assert!(fs::symlink_metadata(&path).unwrap().file_type().is_fifo());
    }
}

fn a_full_disk_is_said(via: Via) {
    if !cfg!(target_os = "linux") {
        return;
    }
    let (server, _) = server(via, 100_000, Plan::new());
    let client = Setup::of(&server).client(via);
    let machine = download(whole(), 1, &client.service);
    let full = Path::new("/dev/full");
    let error = into_path(&client, machine, full, &Token::default()).0.unwrap_err();
    assert_eq!(
        error.exchange_error().map(|failure| failure.kind()),
        Some(ExchangeErrorKind::Sink),
        "{error}"
    );
    assert!(error.to_string().contains("No space left"), "{error}");
}

fn other_names_of_the_file_are_told_of(via: Via) {
    let (server, _) = server(via, 10, Plan::new());
    let client = Setup::of(&server).client(via);
    let (folder, path) = folder();
    fs::hard_link(&path, folder.path().join("other")).unwrap();
    let machine = download(whole(), 1, &client.service);
    let (result, remarks) = into_path(&client, machine, &path, &Token::default());
    result.unwrap();
    assert!(matches!(&remarks[..], [one] if one.contains("hard links: 1")), "{remarks:?}");
}
