//! `--resume`: a transfer whose process was killed is continued by another run.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use apus_conformance::program::APUS;
use apus_conformance::server::{
    EmbeddedOpenStack, FaultyS3, OpenStackModel, OpenStackOperation, Operation, Request, S3Model,
};

use crate::program::{Program, Ran};

fn apus(program: &Program, arguments: &[&str]) -> Command {
    let mut command = Command::new(&*APUS);
    command.arg("--config").arg(program.path("glance-api.conf")).args(arguments);
    command.current_dir(program.path("")).env("XDG_STATE_HOME", program.path("state"));
    command
}

fn run(program: &Program, arguments: &[&str]) -> Ran {
    program.finish(apus(program, arguments), b"")
}

fn start(program: &Program, arguments: &[&str]) -> Child {
    let mut command = apus(program, arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn wait(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(90), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// SIGKILL, after which no process can do anything.
fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Whether the state of an upload was written.
fn has_state(program: &Program) -> bool {
    let is_state = |path: &Path| path.extension().is_some_and(|it| it == "json");
    fs::read_dir(program.path("state/apus"))
        .is_ok_and(|mut all| all.any(|entry| is_state(&entry.unwrap().path())))
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).map(Iterator::count).unwrap_or_default()
}

fn s3() -> (FaultyS3, Program, Vec<u8>) {
    let server = FaultyS3::start(S3Model::new().with_bucket("images")).unwrap();
    let options = format!(
        "s3_store_host = {}\ns3_store_access_key = AK\ns3_store_secret_key = a/secret\n\
         s3_store_bucket = images\ns3_store_large_object_size = 1\n\
         s3_store_large_object_chunk_size = 5\ns3_store_thread_pools = 1\n",
        server.endpoint()
    );
    let program = Program::new().with_backend("fast", "s3", &options).with_secret("a/secret");
    let image: Vec<u8> = (0..22_u32 << 20).map(|at| (at % 251) as u8).collect();
    program.write("image", &image);
    (server, program, image)
}

fn store(server: &FaultyS3, bytes: Vec<u8>) {
    let put = Request::new("PUT", "/images/image").with_body(bytes);
    assert_eq!(server.model().handle(&put).status, 200);
}

#[test]
fn an_upload_to_s3_goes_on_after_its_parts() {
    let (server, program, image) = s3();
    let put = ["put", "image", "--resume"];
    let child = start(&program, &[&["--limit-rate", "4M"], &put[..]].concat());
    let parts = || server.model().open_uploads().first().map_or(0, |upload| upload.parts.len());
    wait("no second part", || parts() >= 2);
    wait("no state", || has_state(&program));
    // The state is looked at five times in a second.
    thread::sleep(Duration::from_millis(400));
    kill(child);
    let (id, had) = {
        let model = server.model();
        let upload = model.open_uploads()[0];
        (upload.id.clone(), upload.parts.len() as u64)
    };
    let sent = server.model().count(Operation::UploadPart);
    // A run that does not continue it names it.
    run(&program, &["put", "image", "--id", "image", "--size", "1"]).says(&id).says("--resume");
    let ran = run(&program, &put).ends(0).says(&format!("continuing: multipart upload {id}"));
    assert!(ran.out.ends_with("/images/image\n"), "{ran:?}");
    let model = server.model();
    assert_eq!(model.object("images", "image").unwrap().body, image);
    assert!(model.open_uploads().is_empty());
    assert!(model.count(Operation::UploadPart) - sent <= 5 - had + 1, "all parts were sent again");
    drop(model);
    assert_eq!(files(&program.path("state/apus")), 0);
}

#[test]
fn a_file_that_was_changed_is_not_mixed_with_its_old_parts() {
    let (server, program, _) = s3();
    let put = ["put", "image", "--resume"];
    let child = start(&program, &[&["--limit-rate", "4M"], &put[..]].concat());
    wait("no state", || has_state(&program));
    kill(child);
    let other = vec![9; 12 << 20];
    program.write("image", &other);
    run(&program, &put).ends(0).says("begins anew").says("left behind: multipart upload");
    assert_eq!(server.model().object("images", "image").unwrap().body, other);
}

/// As a tool does that restores times: neither size nor time says that the bytes are others.
#[cfg(unix)]
#[test]
fn a_file_of_the_same_size_and_time_is_not_mixed_with_its_old_parts() {
    let (server, program, image) = s3();
    let put = ["put", "image", "--resume"];
    let child = start(&program, &[&["--limit-rate", "4M"], &put[..]].concat());
    let parts = || server.model().open_uploads().first().map_or(0, |upload| upload.parts.len());
    wait("no part", || parts() >= 1 && has_state(&program));
    thread::sleep(Duration::from_millis(400));
    kill(child);
    let path = program.path("image");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    let other = vec![9; image.len()];
    fs::write(&path, &other).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    run(&program, &put).ends(0).says("begins anew");
    assert_eq!(server.model().object("images", "image").unwrap().body, other);
}

/// Some servers ignore `If-None-Match`.
#[test]
fn an_object_that_exists_is_not_replaced_whatever_the_server_heeds() {
    let (server, program, _) = s3();
    let conf = program.path("glance-api.conf");
    let text = fs::read_to_string(&conf).unwrap();
    for provider in ["", "s3_store_provider = alibaba\ns3_store_bucket_url_format = path\n"] {
        fs::write(&conf, format!("{text}{provider}")).unwrap();
        store(&server, vec![1; 100]);
        run(&program, &["put", "image", "--resume"]).ends(4);
        assert_eq!(server.model().object("images", "image").unwrap().body, vec![1; 100]);
        assert!(server.model().open_uploads().is_empty());
    }
}

#[cfg(unix)]
#[test]
fn a_link_beside_the_file_is_not_followed() {
    let (server, program, image) = s3();
    store(&server, image);
    let victim = program.write("victim", b"of somebody else");
    std::os::unix::fs::symlink(&victim, program.path(".copy.apus-part")).unwrap();
    run(&program, &["get", "image", "-o", "copy", "--resume"]).ends(1).says(".copy.apus-part");
    assert_eq!(fs::read(&victim).unwrap(), b"of somebody else");
    assert!(!program.path("copy").exists());
}

#[test]
fn an_upload_to_swift_goes_on_after_its_segments() {
    let model = OpenStackModel::new().with_container("glance", "images");
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    let program = Program::new().with_swift("cold", &cloud, "images");
    let conf = program.path("glance-api.conf");
    let text = fs::read_to_string(&conf).unwrap();
    let sizes = "swift_store_large_object_size = 1\nswift_store_large_object_chunk_size = 4\n\
                 swift_store_thread_pools = 1\n";
    fs::write(&conf, text + sizes).unwrap();
    let image: Vec<u8> = (0..20_u32 << 20).map(|at| (at % 253) as u8).collect();
    program.write("image", &image);
    let put = ["put", "image", "--resume"];
    let child = start(&program, &[&["--limit-rate", "4M"], &put[..]].concat());
    let puts = || cloud.model().count(OpenStackOperation::PutObject);
    wait("no third segment", || puts() >= 3);
    wait("no state", || has_state(&program));
    thread::sleep(Duration::from_millis(400));
    kill(child);
    let sent = puts();
    run(&program, &put).ends(0).says("continuing: ").says("segments of object images/image");
    assert_eq!(cloud.model().content_of("glance", "images", "image").unwrap(), image);
    assert!(puts() - sent <= 4, "{} requests after {sent}", puts() - sent);
}

#[test]
fn a_download_goes_on_after_its_last_byte() {
    let (server, program, image) = s3();
    store(&server, image.clone());
    let get = ["get", "image", "-o", "copy", "--resume"];
    let part = program.path(".copy.apus-part");
    let has = || fs::metadata(&part).map_or(0, |facts| facts.len());
    let child = start(&program, &[&["--limit-rate", "4M"], &get[..]].concat());
    wait("no bytes", || has() > 4 << 20);
    kill(child);
    let kept = has();
    assert!(kept < image.len() as u64 && !program.path("copy").exists());
    // A run that does not continue it names it.
    run(&program, &["get", "none", "-o", "copy"]).ends(3).says(".copy.apus-part");
    let ran = run(&program, &get).ends(0);
    ran.says(&format!("continuing after {kept} of {} bytes", image.len()));
    assert!(fs::read(program.path("copy")).unwrap() == image);
    assert!(!part.exists() && !program.path(".copy.apus-resume").exists());

    // Another object of that name is read anew, and bytes that are not the expected ones are no file.
    let child = start(&program, &[&["--limit-rate", "4M"], &get[..]].concat());
    wait("no bytes", || has() > 4 << 20);
    kill(child);
    store(&server, vec![1; 100]);
    run(&program, &get).ends(0).says("read anew");
    assert_eq!(fs::read(program.path("copy")).unwrap(), vec![1; 100]);
    let expect = format!("md5:{}", "0".repeat(32));
    run(&program, &[&get[..], &["--expect", &expect]].concat()).ends(8);
    assert_eq!(fs::read(program.path("copy")).unwrap(), vec![1; 100]);
    run(&program, &["get", "image", "--resume"]).ends(2);
}

#[test]
fn a_plain_upload_whose_process_was_killed_is_named_by_the_next_one() {
    let (server, program, image) = s3();
    let put = ["put", "image"];
    let child = start(&program, &[&["--limit-rate", "4M"], &put[..]].concat());
    let uploads = || server.model().open_uploads().first().map_or(0, |upload| upload.parts.len());
    wait("no part", || uploads() >= 1);
    kill(child);
    let id = server.model().open_uploads()[0].id.clone();
    let ran = run(&program, &put).ends(0);
    ran.says(&format!("left behind by an earlier upload: multipart upload {id} of images/image"))
        .says("uploads abort image --yes");
    assert_eq!(server.model().object("images", "image").unwrap().body, image);
    run(&program, &["uploads", "abort", "image", "--older-than", "0", "--yes"]).ends(0);
    assert!(server.model().open_uploads().is_empty());
}

/// Of a process that was killed before it had a state, and of one that was killed while it wrote it.
#[test]
fn the_lock_of_a_killed_upload_is_removed_by_the_next_one() {
    let (server, program, _) = s3();
    let child = start(&program, &["--limit-rate", "4M", "put", "image", "--resume"]);
    wait("no state", || has_state(&program));
    thread::sleep(Duration::from_millis(400));
    kill(child);
    let state = program.path("state/apus");
    let named: Vec<String> = fs::read_dir(&state)
        .unwrap()
        .map(|entry| entry.unwrap().path().display().to_string())
        .collect();
    let ending = |end: &str| named.iter().find(|path| path.ends_with(end)).unwrap();
    let (json, lock) = (ending(".json"), ending(".lock"));
    fs::write(json.replace(".json", ".1.new"), "{").unwrap();
    program.write("small", b"bytes");
    for id in ["other", "third"] {
        // The state is still of use, and so is its lock.
        run(&program, &["put", "small", "--id", id]).ends(0);
        assert_eq!(files(&state), 2, "{named:?}");
    }
    run(&program, &["put", "image", "--id", "image", "--size", "1"]).says(json);
    fs::remove_file(json).unwrap();
    // Another one that is held stays.
    let held = fs::File::create(state.join("put-0.lock")).unwrap();
    held.lock().unwrap();
    run(&program, &["put", "small", "--id", "last"]).ends(0);
    assert!(!Path::new(lock).exists());
    assert_eq!(files(&state), 1);
    drop(held);
    run(&program, &["put", "small", "--id", "small", "--resume"]).ends(0);
    assert_eq!(files(&state), 0);
    assert_eq!(server.model().open_uploads().len(), 1);
    let mut man = Command::new(&*APUS);
    man.arg("man");
    program.finish(man, b"").ends(0).prints("put\\-*.lock");
}

#[test]
fn a_resumable_upload_creates_the_bucket_where_the_configuration_says_so() {
    let server = FaultyS3::start(S3Model::new()).unwrap();
    let with = |more: &str| {
        let options = format!(
            "s3_store_host = {}\ns3_store_access_key = AK\ns3_store_secret_key = a/secret\n\
             s3_store_bucket = images\ns3_store_large_object_size = 1\n\
             s3_store_large_object_chunk_size = 5\n{more}",
            server.endpoint()
        );
        let program = Program::new().with_backend("fast", "s3", &options).with_secret("a/secret");
        program.write("image", &[7; 6 << 20]);
        program
    };
    let ran = run(&with(""), &["put", "image", "--resume"]).ends(3);
    ran.says("s3_store_create_bucket_on_put");
    run(&with("s3_store_create_bucket_on_put = true\n"), &["put", "image", "--resume"]).ends(0);
    assert_eq!(server.model().object("images", "image").unwrap().body.len(), 6 << 20);
}
