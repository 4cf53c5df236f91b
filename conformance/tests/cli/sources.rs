//! The sources of `put`, also when they change while they are sent, and what `get` and `copy`
//! compare.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use apus_conformance::program::APUS;
use apus_conformance::server::{
    Fault, FaultyS3, Operation, Plan, Reply, Request, S3Model, Scripted,
};
use apus_core::checksum::Algorithm;
use serde_json::Value;

use crate::program::Program;

/// Not the same in any two places.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

fn options(endpoint: &str, bucket: &str) -> String {
    format!(
        "s3_store_host = {endpoint}\ns3_store_access_key = AK\ns3_store_secret_key = a/secret\n\
         s3_store_bucket = {bucket}\ns3_store_large_object_size = 6\n\
         s3_store_large_object_chunk_size = 5\ns3_store_thread_pools = 1\n"
    )
}

fn program(endpoint: &str) -> Program {
    Program::new()
        .with_backend("fast", "s3", &options(endpoint, "images"))
        .with_backend("other", "s3", &options(endpoint, "copies"))
        .with_secret("a/secret")
}

fn model() -> S3Model {
    S3Model::new().with_bucket("images").with_bucket("copies")
}

/// A model of S3, and something that is done when a request has arrived.
fn watched(
    model: S3Model,
    mut arrived: impl FnMut(&Request) + Send + 'static,
) -> (Scripted, Arc<Mutex<S3Model>>) {
    let model = Arc::new(Mutex::new(model));
    let shared = Arc::clone(&model);
    let server = Scripted::start(move |request: &Request| -> Reply {
        arrived(request);
        shared.lock().unwrap().handle(request)
    });
    (server.unwrap(), model)
}

fn hex(algorithm: Algorithm, bytes: &[u8]) -> String {
    algorithm.digest(bytes).unwrap().hex()
}

#[track_caller]
fn tells_of(told: &Value, bytes: &[u8]) {
    assert_eq!(told["size"], bytes.len());
    assert_eq!(told["md5"], hex(Algorithm::Md5, bytes));
    assert_eq!(told["os_hash_value"], hex(Algorithm::Sha512, bytes));
}

#[test]
fn what_has_no_length_is_read_to_its_end() {
    let server = FaultyS3::start(model()).unwrap();
    let program = program(&server.endpoint());
    let version = fs::read("/proc/version").unwrap();
    let told = program.json(&["put", "/proc/version"]).remove(0);
    tells_of(&told, &version);
    let fifo = program.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for length in [0, 7 << 20] {
        let (bytes, path) = (pattern(length), fifo.clone());
        let feed = bytes.clone();
        let feeding = std::thread::spawn(move || fs::write(path, feed).unwrap());
        let id = format!("fifo-{length}");
        let told = program.json(&["put", fifo.to_str().unwrap(), "--id", &id]).remove(0);
        feeding.join().unwrap();
        tells_of(&told, &bytes);
        assert!(server.model().object("images", &id).unwrap().body == bytes);
    }
    // A volume, where a loop device can be made: its metadata says 0 bytes.
    let volume = program.write("volume", &pattern(6 << 20));
    let made = Command::new("losetup").args(["--find", "--show"]).arg(volume).output();
    if let Some(made) = made.ok().filter(|made| made.status.success()) {
        let device = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        let told = program.json(&["put", &device, "--id", "volume"]);
        assert!(Command::new("losetup").args(["--detach", &device]).status().unwrap().success());
        tells_of(&told[0], &pattern(6 << 20));
    }
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_not_stored() {
    for change in ["another byte", "more bytes", "fewer bytes"] {
        let path = std::env::temp_dir().join(format!("apus-changes-{}", std::process::id()));
        fs::write(&path, pattern(12 << 20)).unwrap();
        let changed = path.clone();
        let mut parts = 0;
        // The first part is refused, so that it is read and sent again.
        let plan = Plan::new().on(Operation::UploadPart, 1, Fault::InternalError);
        let (server, model) = watched(model().with_plan(plan), move |request| {
            let is_part = request.method == "PUT" && request.query().contains("partNumber=");
            parts += usize::from(is_part);
            if is_part && parts == 1 {
                let mut file = OpenOptions::new().append(true).open(&changed).unwrap();
                match change {
                    "another byte" => File::options()
                        .write(true)
                        .open(&changed)
                        .unwrap()
                        .write_all_at(&[0xEE], 77)
                        .unwrap(),
                    "more bytes" => file.write_all(b"more").unwrap(),
                    _ => file.set_len((12 << 20) - 1).unwrap(),
                }
            }
        });
        let program = program(&server.endpoint());
        let ran = program.run(&["put", path.to_str().unwrap(), "--id", "image"]);
        fs::remove_file(&path).unwrap();
        let ran = ran.ends(8).says("changed during the transfer").says(path.to_str().unwrap());
        assert!(!ran.err.contains("left behind"), "{change}: {ran:?}");
        let model = model.lock().unwrap();
        assert!(model.keys("images").is_empty() && model.open_uploads().is_empty(), "{change}");
    }
}

#[test]
fn an_interruption_after_the_object_is_complete_is_none() {
    let child = Arc::new(Mutex::new(None::<u32>));
    let id = Arc::clone(&child);
    let (server, model) = watched(model(), move |request| {
        // The request is applied, and its response sent, after this.
        if request.method == "POST" && request.query().contains("uploadId=") {
            let id = id.lock().unwrap().expect("it runs");
            let killed = Command::new("kill").args(["-INT", &id.to_string()]).status();
            assert!(killed.unwrap().success());
        }
    });
    let program = program(&server.endpoint());
    let bytes = pattern(24 << 20);
    let file = program.write("image", &bytes);
    let mut running = child.lock().unwrap();
    let put = Command::new(&*APUS)
        .arg("--config")
        .arg(program.path("glance-api.conf"))
        .args(["--json", "put"])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    *running = Some(put.id());
    drop(running);
    let output = put.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    tells_of(&told, &bytes);
    assert!(model.lock().unwrap().object("images", "image").unwrap().body == bytes);
}

#[test]
fn what_can_be_compared_is_by_default() {
    let server = FaultyS3::start(model()).unwrap();
    let program = program(&server.endpoint());
    let bytes = pattern(100_000);
    let file = program.write("image", &bytes);
    program.json(&["put", file.to_str().unwrap()]);
    let copy = program.path("copy");
    let told = program.json(&["get", "image", "-o", copy.to_str().unwrap()]);
    assert_eq!(told[0]["checked"], "validated by CRC64NVME");
    assert!(fs::read(&copy).unwrap() == bytes);
    let told = program.json(&["copy", "image", "--to", "other", "--read-again"]);
    assert_eq!(told[0]["checked"], "validated by CRC64NVME");
    assert!(server.model().object("copies", "image").unwrap().body == bytes);
}

#[test]
fn bytes_that_are_not_the_objects_are_neither_kept_nor_copied() {
    let server = FaultyS3::start(model()).unwrap();
    let program = program(&server.endpoint());
    let file = program.write("image", &pattern(100_000));
    program.json(&["put", file.to_str().unwrap()]);
    server.model().set_plan(Plan::new().always(Operation::GetObject, Fault::Corrupt));
    let copy = program.path("copy");
    program.run(&["get", "image", "-o", copy.to_str().unwrap()]).ends(8).says("CRC64NVME");
    assert!(!copy.exists());
    program.run(&["copy", "image", "--to", "other"]).ends(8).says("CRC64NVME");
    let model = server.model();
    assert!(model.keys("copies").is_empty() && model.open_uploads().is_empty());
}

#[test]
fn a_copy_that_is_read_again_with_other_bytes_is_removed() {
    let server = FaultyS3::start(model()).unwrap();
    let program = program(&server.endpoint());
    let file = program.write("image", &pattern(100_000));
    program.json(&["put", file.to_str().unwrap()]);
    // The first GET is that of the image.
    server.model().set_plan(Plan::new().from(Operation::GetObject, 2, Fault::Corrupt));
    program
        .run(&["copy", "image", "--to", "other", "--read-again"])
        .ends(8)
        .says("the object was removed");
    assert!(server.model().keys("copies").is_empty());
    assert_eq!(server.model().keys("images"), ["image"]);
}

#[test]
fn what_ends_too_early_names_itself() {
    let server = FaultyS3::start(model()).unwrap();
    let program = program(&server.endpoint());
    // The writer of the pipe dies: only the size shows it.
    let fifo = program.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for length in [1000, 8 << 20] {
        let mut writer = Command::new("sh")
            .args(["-c", "head -c \"$1\" /dev/zero > \"$2\"; kill -KILL $$", "sh"])
            .arg(length.to_string())
            .arg(&fifo)
            .spawn()
            .unwrap();
        let size = (9 << 20).to_string();
        let ran = program.run(&["put", fifo.to_str().unwrap(), "--id", "x", "--size", &size]);
        writer.wait().unwrap();
        ran.ends(8).says(fifo.to_str().unwrap()).says(&length.to_string());
        let model = server.model();
        assert!(model.keys("images").is_empty() && model.open_uploads().is_empty());
    }
    let file = program.write("file", &[7; 10]);
    let ran = program.run(&["put", file.to_str().unwrap(), "--size", "11"]);
    ran.ends(8).says(file.to_str().unwrap());
    let ran = program.run_with(&["put", "-", "--id", "x", "--size", "11"], &[7; 10]);
    ran.ends(8).says("standard input: ");
    program.run(&["put", "/proc", "--id", "x"]).ends(2).says("/proc: is a directory");
    program.run(&["put", "nothing", "--id", "x"]).ends(1).says("nothing: No such file");
    assert!(server.model().keys("images").is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn no_standard_input_is_no_empty_image() {
    let server = FaultyS3::start(model()).unwrap();
    let program = program(&server.endpoint());
    let run = |redirection: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec \"$@\" {redirection}"), "sh"]).arg(&*APUS);
        command.arg("--config").arg(program.path("glance-api.conf"));
        program.finish(
            {
                command.args(["put", "-", "--id", "x"]);
                command
            },
            b"",
        )
    };
    run("<&-").ends(1).says("standard input is closed");
    assert!(server.model().keys("images").is_empty());
    // Who says so has an empty image.
    run("< /dev/null").ends(0);
    assert!(server.model().object("images", "x").unwrap().body.is_empty());
}
