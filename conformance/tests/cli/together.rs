//! Two processes with the same target, and targets and sources that go away meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use apus_conformance::program::APUS;
use apus_conformance::server::{Fault, FaultyS3, Operation, Plan, S3Model};

use crate::program::{Program, Ran};

const LENGTH: usize = 11 << 20;

fn stage(model: S3Model) -> (FaultyS3, Program) {
    stage_at("other", model)
}

/// A server that is known as one of this provider.
fn stage_at(provider: &str, model: S3Model) -> (FaultyS3, Program) {
    let server = FaultyS3::start(model).unwrap();
    let options = format!(
        "s3_store_host = {}\ns3_store_access_key = AK\ns3_store_secret_key = a/secret\n\
         s3_store_bucket = images\ns3_store_large_object_size = 6\n\
         s3_store_large_object_chunk_size = 5\ns3_store_thread_pools = 1\n\
         s3_store_bucket_url_format = path\ns3_store_provider = {provider}\n",
        server.endpoint()
    );
    let program = Program::new().with_backend("fast", "s3", &options).with_secret("a/secret");
    program.write("image", &vec![7; LENGTH]);
    (server, program)
}

fn start(program: &Program, arguments: &[&str]) -> Child {
    Command::new(&*APUS)
        .arg("--config")
        .arg(program.path("glance-api.conf"))
        .args(arguments)
        .current_dir(program.path(""))
        .env("XDG_STATE_HOME", program.path("state"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap_or(-1);
    let ran = Ran { code, out: text(output.stdout), err: text(output.stderr) };
    assert!(!ran.err.contains("panicked"), "{ran:?}");
    ran
}

/// Runs a command in several processes at once.
fn at_once(program: &Program, arguments: &[&str]) -> Vec<Ran> {
    let children: Vec<Child> = (0..3).map(|_| start(program, arguments)).collect();
    children.into_iter().map(ended).collect()
}

fn wait(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn slowly(operation: Operation) -> Plan {
    Plan::new().always(operation, Fault::Delay(Duration::from_millis(300)))
}

#[test]
fn one_of_several_uploads_of_a_key_stores_it() {
    for more in [&[][..], &["--hash", "none"], &["--resume"]] {
        let model = S3Model::new().with_bucket("images");
        // Amazon's quirks: the condition of a completion is heeded.
        let model = model.with_plan(slowly(Operation::UploadPart));
        let (server, program) = stage_at("aws", model);
        let runs = at_once(&program, &[&["put", "image"], more].concat());
        let done = runs.iter().filter(|ran| ran.code == 0).count();
        assert_eq!(done, 1, "{runs:?}");
        // What is left, if anything is, is named.
        let model = server.model();
        assert_eq!(model.object("images", "image").unwrap().body.len(), LENGTH);
        for upload in model.open_uploads() {
            assert!(runs.iter().any(|ran| ran.err.contains(&upload.id)), "{upload:?} {runs:?}");
        }
        let state = program.path("state/apus");
        assert_eq!(fs::read_dir(state).map_or(0, Iterator::count), 0, "{runs:?}");
        for ran in runs.iter().filter(|ran| ran.code != 0) {
            let says = ran.err.contains("already exists")
                || ran.err.contains("exists already")
                || ran.err.contains("another process");
            assert!(says, "{ran:?}");
        }
    }
}

#[test]
fn an_upload_that_is_continued_by_one_process_is_not_by_another() {
    let (server, program) = stage(S3Model::new().with_bucket("images"));
    let put = ["put", "image", "--resume"];
    let mut killed = start(&program, &[&["--limit-rate", "4M"], &put[..]].concat());
    let parts = || server.model().open_uploads().first().map_or(0, |upload| upload.parts.len());
    wait("no part", || parts() >= 1);
    thread::sleep(Duration::from_millis(500));
    killed.kill().unwrap();
    killed.wait().unwrap();
    let runs = at_once(&program, &put);
    assert_eq!(runs.iter().filter(|ran| ran.code == 0).count(), 1, "{runs:?}");
    let model = server.model();
    assert_eq!(model.object("images", "image").unwrap().body.len(), LENGTH);
    assert!(model.open_uploads().is_empty(), "{runs:?}");
}

#[test]
fn one_of_several_downloads_is_continued() {
    let model = S3Model::new().with_bucket("images");
    let model = model.with_object("images", "x", vec![1; LENGTH]);
    let model = model.with_object("images", "y", vec![2; LENGTH]);
    let slow = Fault::Trickle(1 << 20, Duration::from_millis(40));
    let (_server, program) = stage(model.with_plan(Plan::new().always(Operation::GetObject, slow)));
    fs::create_dir(program.path("out")).unwrap();
    let [x, y] = ["x", "y"].map(|name| start(&program, &["get", name, "--resume", "-o", "out/f"]));
    let runs = [ended(x), ended(y)];
    let done: Vec<bool> = runs.iter().map(|ran| ran.code == 0).collect();
    let written = fs::read(program.path("out/f")).unwrap();
    assert!(written == vec![1; LENGTH] || written == vec![2; LENGTH], "mixed: {runs:?}");
    assert!(done.contains(&true), "{runs:?}");
    if let Some(refused) = runs.iter().find(|ran| ran.code != 0) {
        assert!(refused.err.contains("another process"), "{refused:?}");
    }
    assert_eq!(fs::read_dir(program.path("out")).unwrap().count(), 1);
}

#[test]
fn several_synchronisations_come_to_the_same() {
    let (server, program) = stage(S3Model::new().with_bucket("images"));
    let mut names = BTreeSet::new();
    fs::create_dir_all(program.path("dir/sub")).unwrap();
    for at in 0..20 {
        program.write(&format!("dir/sub/{at}"), &vec![at; 1000 + usize::from(at)]);
        names.insert(format!("b/sub/{at}"));
    }
    program.write("dir/large", &vec![9; LENGTH]);
    names.insert("b/large".to_owned());
    for ran in at_once(&program, &["sync", "dir", "fast:b/"]) {
        ran.ends(0);
    }
    let keys = |server: &FaultyS3| -> BTreeSet<String> {
        server.model().keys("images").into_iter().map(str::to_owned).collect()
    };
    assert_eq!(keys(&server), names);
    assert!(server.model().open_uploads().is_empty());
    for ran in at_once(&program, &["sync", "fast:b/", "copy"]) {
        ran.ends(0);
    }
    let mut compare = Command::new("diff");
    let compared = compare.args(["-r", "dir", "copy"]).current_dir(program.path("")).output();
    let compared = compared.unwrap();
    assert!(compared.status.success(), "{compared:?}");
    // What another process has removed already is no failure.
    for ran in at_once(&program, &["rm", "-R", "fast:b/"]) {
        ran.ends(0);
    }
    assert!(keys(&server).is_empty());
}

#[test]
fn a_directory_that_vanishes_is_said() {
    let model = S3Model::new().with_bucket("images").with_object("images", "x", vec![1; LENGTH]);
    let slow = Fault::Trickle(1 << 20, Duration::from_millis(100));
    let (server, program) = stage(model.with_plan(Plan::new().always(Operation::GetObject, slow)));
    for command in [&["get", "x", "-o", "out/x"][..], &["get", "x", "--resume", "-o", "out/x"]] {
        fs::create_dir(program.path("out")).unwrap();
        let gets = server.model().count(Operation::GetObject);
        let child = start(&program, command);
        wait("no request", || server.model().count(Operation::GetObject) > gets);
        thread::sleep(Duration::from_millis(200));
        fs::remove_dir_all(program.path("out")).unwrap();
        ended(child).ends(1).says("out/x");
        assert!(!program.path("out").exists());
    }
    // Of several files each is named, and those that are left are written nevertheless.
    let gets = server.model().count(Operation::GetObject);
    let child = start(&program, &["sync", "fast:", "out"]);
    wait("no request", || server.model().count(Operation::GetObject) > gets);
    thread::sleep(Duration::from_millis(200));
    fs::remove_dir_all(program.path("out")).unwrap();
    let ran = ended(child);
    assert!(matches!(ran.code, 1 | 9), "{ran:?}");
    assert!(ran.err.contains('x'), "{ran:?}");
}

#[test]
fn a_file_that_vanishes_or_shrinks_while_a_directory_is_sent_is_named() {
    let model = S3Model::new().with_bucket("images");
    let (server, program) = stage(model.with_plan(slowly(Operation::PutObject)));
    fs::create_dir(program.path("dir")).unwrap();
    for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"] {
        program.write(&format!("dir/{name}"), &[1; 1000]);
    }
    program.write("dir/large", &vec![9; LENGTH]);
    let child =
        start(&program, &["--concurrency", "1", "--limit-rate", "3M", "sync", "dir", "fast:"]);
    wait("nothing is sent", || server.model().count(Operation::CreateMultipartUpload) > 0);
    let large = fs::File::options().write(true).open(program.path("dir/large")).unwrap();
    large.set_len(100).unwrap();
    let ran = ended(child).ends(9);
    assert!(ran.err.contains("large"), "{ran:?}");
    let model = server.model();
    assert!(model.object("images", "large").is_none(), "{ran:?}");
    assert!(model.open_uploads().is_empty(), "{ran:?}");
    assert_eq!(model.keys("images").len(), 12);
}

/// Neither variable is set, as in a job of cron or in a container.
#[test]
fn without_a_home_directory_only_what_needs_one_fails() {
    let (_server, program) = stage(S3Model::new().with_bucket("images"));
    let apus = |arguments: &[&str]| {
        let mut command = Command::new(&*APUS);
        command.env_clear().arg("--config").arg(program.path("glance-api.conf")).args(arguments);
        program.finish(command, b"")
    };
    apus(&["put", "image"]).ends(0);
    apus(&["get", "image", "-o", "copy"]).ends(0);
    apus(&["get", "image", "--resume", "-o", "copy2"]).ends(0);
    apus(&["sync", "fast:", "out"]).ends(0);
    apus(&["rm", "image"]).ends(0);
    // The home directory of the user database is used, where there is one.
    let ran = apus(&["put", "image", "--resume"]);
    assert!(ran.code == 0 || ran.err.contains("XDG_STATE_HOME"), "{ran:?}");
    // A state folder that can't be written.
    let mut command = Command::new(&*APUS);
    command.arg("--config").arg(program.path("glance-api.conf"));
    command.args(["put", "image", "--id", "y", "--resume"]).env("XDG_STATE_HOME", "/proc/none");
    let ran = program.finish(command, b"");
    assert!(!ran.err.contains("panicked"), "{ran:?}");
    assert!(ran.code == 1 && ran.err.contains("/proc/none"), "{ran:?}");
}
