//! Signals at any moment: at each request of a command in turn, once and twice. What a command had
//! begun is removed or named, files are whole or as they were, and nothing panics.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use apus_conformance::program::APUS;
use apus_conformance::server::{Request, S3Model, Scripted};

use crate::program::{Program, Ran};

/// What happens when the request of this number has arrived, before it is applied.
#[derive(Clone, Copy, Debug)]
struct Moment {
    request: u64,
    signal: &'static str,
    /// A second signal follows, while the request is in flight.
    again: bool,
}

/// A server that sends signals to the program that uses it.
struct Stage {
    program: Program,
    model: Arc<Mutex<S3Model>>,
    aim: Arc<Aim>,
    _server: Scripted,
}

#[derive(Default)]
struct Aim {
    moment: Mutex<Option<Moment>>,
    process: AtomicU32,
    arrived: AtomicU64,
}

impl Aim {
    fn at_request(&self) {
        let number = self.arrived.fetch_add(1, Ordering::SeqCst) + 1;
        let moment = *self.moment.lock().unwrap();
        let Some(moment) = moment.filter(|moment| moment.request == number) else { return };
        // The test stores the number of the process after it started it.
        let process = wait(|| Some(self.process.load(Ordering::SeqCst)).filter(|id| *id > 0));
        let signal = || {
            let _ = Command::new("kill")
                .args([&format!("-{}", moment.signal), &process.to_string()])
                .stderr(Stdio::null())
                .status();
            thread::sleep(Duration::from_millis(100));
        };
        signal();
        if moment.again {
            signal();
        }
    }
}

fn wait<T>(what: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = what() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(30));
        thread::sleep(Duration::from_millis(2));
    }
}

impl Stage {
    fn new() -> Self {
        let model = Arc::new(Mutex::new(S3Model::new()));
        let aim = Arc::new(Aim::default());
        let (shared, aimed) = (Arc::clone(&model), Arc::clone(&aim));
        let server = Scripted::start(move |request: &Request| {
            aimed.at_request();
            shared.lock().unwrap().handle(request)
        });
        let server = server.unwrap();
        let mut program = Program::new();
        for (id, bucket) in [("fast", "images"), ("other", "copies")] {
            let options = format!(
                "s3_store_host = {}\ns3_store_access_key = AK\ns3_store_secret_key = a/secret\n\
                 s3_store_bucket = {bucket}\ns3_store_large_object_size = 6\n\
                 s3_store_large_object_chunk_size = 5\ns3_store_thread_pools = 2\n",
                server.endpoint()
            );
            program = program.with_backend(id, "s3", &options);
        }
        let program = program.with_secret("a/secret");
        program.write("image", &vec![7; 11 << 20]);
        program.write("small", &[7; 1000]);
        for at in 0..4 {
            fs::create_dir_all(program.path("dir/sub")).unwrap();
            program.write(&format!("dir/sub/{at}"), &[at; 1000]);
        }
        fs::copy(program.path("image"), program.path("dir/image")).unwrap();
        Self { program, model, aim, _server: server }
    }

    /// Puts the server and the folder `out` into the state in which each run begins.
    fn reset(&self) {
        let model = S3Model::new().with_bucket("images").with_bucket("copies");
        let model = model.with_object("images", "stored", vec![3; 11 << 20]);
        let model = (0..4_u8).fold(model, |model, at| {
            model.with_object("images", &format!("a/{at}"), vec![at; 1000])
        });
        *self.model.lock().unwrap() = model;
        let _ = fs::remove_dir_all(self.program.path("out"));
        fs::create_dir(self.program.path("out")).unwrap();
        self.program.write("out/file", b"old");
    }

    /// Runs a command; returns whether the moment came.
    fn run(&self, arguments: &[&str], moment: Moment) -> (Ran, bool) {
        self.run_by(Command::new(&*APUS), arguments, moment)
    }

    fn run_by(&self, mut command: Command, arguments: &[&str], moment: Moment) -> (Ran, bool) {
        self.reset();
        self.aim.arrived.store(0, Ordering::SeqCst);
        self.aim.process.store(0, Ordering::SeqCst);
        *self.aim.moment.lock().unwrap() = Some(moment);
        command.arg("--config").arg(self.program.path("glance-api.conf")).args(arguments);
        command.current_dir(self.program.path(""));
        command.env("XDG_STATE_HOME", self.program.path("state"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        self.aim.process.store(child.id(), Ordering::SeqCst);
        let output = child.wait_with_output().unwrap();
        *self.aim.moment.lock().unwrap() = None;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap_or(-1);
        let ran = Ran { code, out: text(output.stdout), err: text(output.stderr) };
        (ran, self.aim.arrived.load(Ordering::SeqCst) >= moment.request)
    }

    /// Files below `out`, and their lengths.
    fn files(&self) -> BTreeMap<String, u64> {
        let (mut found, mut open) = (BTreeMap::new(), vec![self.program.path("out")]);
        while let Some(next) = open.pop() {
            for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
                match entry.file_type().unwrap().is_dir() {
                    true => open.push(entry.path()),
                    false => {
                        let name = entry.file_name().into_string().unwrap();
                        found.insert(name, entry.metadata().unwrap().len());
                    }
                }
            }
        }
        found
    }

    /// Interrupts a command at each of its requests.
    fn at_each(&self, arguments: &[&str], check: impl Fn(&Ran, &str)) {
        // Both signals have one handler.
        for (signal, again, first) in [("INT", false, 1), ("TERM", false, 2), ("INT", true, 1)] {
            for request in first.. {
                let moment = Moment { request, signal, again };
                let (ran, came) = self.run(arguments, moment);
                if !came || (signal == "TERM" && request > first) {
                    assert!(request > 1, "nothing was sent: {ran:?}");
                    break;
                }
                let what = format!("{arguments:?} at {moment:?}: {ran:?}");
                assert!(matches!(ran.code, 0 | 130), "{what}");
                assert!(!ran.err.contains("panicked"), "{what}");
                // Who is stopped is told so.
                assert!(ran.code == 0 || ran.err.contains("stopp"), "{what}");
                for upload in self.model.lock().unwrap().open_uploads() {
                    // An upload whose creation was not answered has no id yet.
                    let is_known = again && upload.parts.is_empty();
                    let id = &upload.id;
                    assert!(is_known || ran.err.contains(id), "{id} of {} {what}", upload.key);
                }
                check(&ran, &what);
            }
        }
    }
}

#[test]
fn a_put_that_is_stopped_leaves_no_parts() {
    let stage = Stage::new();
    for more in [&["--hash", "none"][..], &[]] {
        stage.at_each(&[&["put", "image"][..], more].concat(), |ran, what| {
            let model = stage.model.lock().unwrap();
            let is_stored = model.object("images", "image").is_some();
            assert!(ran.code != 0 || is_stored, "{what}");
            assert!(!is_stored || ran.code == 0 || ran.err.contains("left behind"), "{what}");
        });
    }
}

#[test]
fn a_small_put_that_is_stopped_says_what_is_stored() {
    let stage = Stage::new();
    stage.at_each(&["put", "small"], |ran, what| {
        let is_stored = stage.model.lock().unwrap().object("images", "small").is_some();
        assert!(ran.code != 0 || is_stored, "{what}");
    });
}

#[test]
fn a_get_that_is_stopped_leaves_the_old_file() {
    let stage = Stage::new();
    stage.at_each(&["get", "stored", "-o", "out/file"], |ran, what| {
        let length = match ran.code {
            0 => 11 << 20,
            _ => 3,
        };
        assert_eq!(stage.files(), BTreeMap::from([("file".to_owned(), length)]), "{what}");
    });
}

#[test]
fn a_copy_that_is_stopped_leaves_no_parts() {
    let stage = Stage::new();
    stage.at_each(&["copy", "fast:stored", "--to", "other"], |ran, what| {
        let model = stage.model.lock().unwrap();
        assert!(model.object("images", "stored").is_some(), "{what}");
        let is_stored = model.object("copies", "stored").is_some();
        assert!(ran.code != 0 || is_stored, "{what}");
    });
}

#[test]
fn a_sync_that_is_stopped_goes_on_later() {
    let stage = Stage::new();
    stage.at_each(&["sync", "dir", "fast:b/"], |_, what| {
        stage.program.run(&["-q", "sync", "dir", "fast:b/"]).ends(0);
        let model = stage.model.lock().unwrap();
        assert_eq!(model.object("images", "b/image").unwrap().body.len(), 11 << 20, "{what}");
        assert_eq!(model.keys("images").len(), 10, "{what}");
    });
    stage.at_each(&["sync", "fast:", "out"], |_, what| {
        for (name, length) in stage.files() {
            let whole = match &*name {
                "file" => 3,
                "stored" => 11 << 20,
                _ => 1000,
            };
            assert!(length == whole && !name.starts_with('.'), "{name} {what}");
        }
        stage.program.run(&["-q", "sync", "fast:", "out"]).ends(0);
        assert_eq!(stage.files().len(), 6, "{what}");
    });
}

/// SIGKILL: what is left is named by the next run, and is no file of the directory.
#[test]
fn a_sync_that_is_killed_goes_on_later() {
    let stage = Stage::new();
    let (mut lefts, mut parts) = (0, 0);
    for request in 1.. {
        let moment = Moment { request, signal: "KILL", again: false };
        let (_, came) = stage.run(&["sync", "dir", "fast:b/"], moment);
        if !came {
            break;
        }
        // What it had sent is still applied.
        thread::sleep(Duration::from_millis(300));
        let left = stage.model.lock().unwrap().open_uploads().len();
        let ran = stage.program.run(&["sync", "dir", "fast:b/"]).ends(0);
        let model = stage.model.lock().unwrap();
        assert_eq!(model.object("images", "b/image").unwrap().body.len(), 11 << 20, "{moment:?}");
        assert_eq!(model.keys("images").len(), 10, "{moment:?}");
        assert_eq!(model.open_uploads().len(), left, "{moment:?}");
        let is_told = ran.err.contains("uploads ls fast:b/");
        // The object was stored, and nothing of it is sent again.
        assert!(is_told == (left > 0), "{moment:?} {ran:?}");
        lefts += left;
    }
    assert!(lefts > 0);
    for request in 1.. {
        let moment = Moment { request, signal: "KILL", again: false };
        let (_, came) = stage.run(&["sync", "fast:", "out"], moment);
        if !came {
            break;
        }
        let left: Vec<String> =
            stage.files().into_keys().filter(|name| name.starts_with('.')).collect();
        let remove: &[&str] = if request % 2 == 0 { &["--delete"] } else { &[] };
        let ran = stage.program.run(&[&["sync", "fast:", "out"], remove].concat()).ends(0);
        let up = stage.program.run(&["sync", "out", "fast:up/"]).ends(0);
        for name in &left {
            assert!(ran.err.contains(&format!("{name} is of a download")), "{moment:?} {ran:?}");
            assert!(up.err.contains(&format!("{name}: not sent")), "{moment:?} {up:?}");
        }
        let model = stage.model.lock().unwrap();
        assert!(!model.keys("images").iter().any(|key| key.contains(".apus")), "{moment:?}");
        // Another process may write them.
        assert!(left.iter().all(|name| stage.files().contains_key(name)), "{moment:?}");
        assert_eq!(stage.files()["stored"], 11 << 20);
        parts += left.len();
    }
    assert!(parts > 0);
}

#[test]
fn a_removal_that_is_stopped_says_how_far_it_got() {
    let stage = Stage::new();
    stage.at_each(&["rm", "-R", "fast:a/"], |ran, what| {
        let left = stage.model.lock().unwrap().keys("images").len();
        assert!(ran.code != 0 || left == 1, "{what}");
        assert!(left >= 1, "{what}");
    });
}

/// Ctrl-Z, and `fg` after the timeouts of its connections: what was cut off goes on.
#[test]
fn a_command_that_was_stopped_for_a_while_goes_on() {
    let stage = Stage::new();
    let timeouts = ["--read-timeout", "3", "--limit-rate", "8M"];
    for command in [&["put", "image"][..], &["get", "stored", "-o", "out/file"]] {
        stage.reset();
        stage.aim.arrived.store(0, Ordering::SeqCst);
        let mut apus = Command::new(&*APUS);
        apus.arg("--config")
            .arg(stage.program.path("glance-api.conf"))
            .args(timeouts)
            .args(command);
        apus.current_dir(stage.program.path("")).stdin(Stdio::null());
        let child = apus.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait(|| (stage.aim.arrived.load(Ordering::SeqCst) >= 2).then_some(()));
        let send = |signal: &str| {
            let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
            assert!(sent.unwrap().success());
        };
        send("-STOP");
        thread::sleep(Duration::from_secs(5));
        send("-CONT");
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{command:?} {output:?}");
        let stored = |key: &str| stage.model.lock().unwrap().object("images", key).cloned();
        match command[0] {
            "put" => assert_eq!(stored("image").unwrap().body, vec![7; 11 << 20]),
            _ => assert_eq!(fs::read(stage.program.path("out/file")).unwrap(), vec![3; 11 << 20]),
        }
        assert!(stage.model.lock().unwrap().open_uploads().is_empty(), "{output:?}");
    }
}

/// A login that ends sends SIGHUP, which `nohup` has a program ignore.
#[cfg(target_os = "linux")]
#[test]
fn under_nohup_a_login_that_ends_stops_nothing() {
    let stage = Stage::new();
    for (command, requests) in
        [(&["put", "image"][..], 3), (&["get", "stored", "-o", "out/file"], 2)]
    {
        for request in 1..=requests {
            let mut nohup = Command::new("nohup");
            nohup.arg(&*APUS);
            let moment = Moment { request, signal: "HUP", again: true };
            let (ran, came) = stage.run_by(nohup, command, moment);
            assert!(came, "{ran:?}");
            let ran = ran.ends(0);
            assert!(!ran.err.contains("stopp"), "{ran:?}");
        }
    }
    // Another signal still stops it.
    let mut nohup = Command::new("nohup");
    nohup.arg(&*APUS);
    let moment = Moment { request: 2, signal: "TERM", again: false };
    stage.run_by(nohup, &["put", "image"], moment).0.ends(130).says("stopping");
}

/// Ctrl-C in a terminal ends also the program before the pipe: its rows are not complete.
#[test]
fn a_migration_that_is_stopped_replaces_no_file() {
    let stage = Stage::new();
    stage.reset();
    for signals in [1, 2] {
        let mut command = Command::new(&*APUS);
        command.arg("--config").arg(stage.program.path("glance-api.conf"));
        command.args(["locations", "migrate", "--write", "out/file"]);
        command.current_dir(stage.program.path(""));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut rows = child.stdin.take().unwrap();
        rows.write_all(b"{\"id\": 1, \"url\": \"rbd://fsid/images/c/snap\"}\n").unwrap();
        // The file is begun after the signal handler is installed.
        wait(|| (stage.files().len() > 1).then_some(()));
        for _ in 0..signals {
            let id = child.id().to_string();
            assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
            thread::sleep(Duration::from_millis(300));
        }
        drop(rows);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{signals} {output:?}");
        assert_eq!(stage.files(), BTreeMap::from([("file".to_owned(), 3)]), "{signals} {output:?}");
    }
}
