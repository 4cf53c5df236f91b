//! Ctrl-C: a running command is cancelled, and leaves nothing behind.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use apus_conformance::program::APUS;
use apus_conformance::server::{
    EmbeddedOpenStack, EmbeddedS3, FaultyS3, OpenStackModel, Options, S3Model,
};

use crate::program::Program;

/// Interrupts a program that gets bytes until it ends; returns its exit code and output.
fn interrupted(program: &Program, arguments: &[&str]) -> (Option<i32>, String) {
    let mut child = Command::new(&*APUS)
        .arg("--config")
        .arg(program.path("glance-api.conf"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || while stdin.write_all(&[7; 64 << 10]).is_ok() {});
    std::thread::sleep(Duration::from_secs(2));
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn an_upload_to_s3_is_aborted() {
    let server = FaultyS3::start(S3Model::new().with_bucket("images")).unwrap();
    let options = format!(
        "s3_store_host = {}\ns3_store_access_key = AK\ns3_store_secret_key = a/secret\n\
         s3_store_bucket = images\ns3_store_large_object_size = 1\n\
         s3_store_large_object_chunk_size = 5\n",
        server.endpoint()
    );
    let program = Program::new().with_backend("fast", "s3", &options).with_secret("a/secret");
    let (code, said) = interrupted(&program, &["put", "-", "--id", "endless"]);
    assert_eq!(code, Some(130), "{said}");
    assert!(!said.contains("left behind"), "{said}");
    let model = server.model();
    assert!(model.open_uploads().is_empty() && model.keys("images").is_empty());
}

#[test]
fn the_doctor_removes_what_it_made() {
    let model = OpenStackModel::new().with_container("glance", "images");
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    let server = EmbeddedS3::start(Options::new().bucket("images")).unwrap();
    let program =
        Program::new().with_s3("fast", &server, "images").with_swift("cold", &cloud, "images");
    let (code, said) = interrupted(&program, &["doctor"]);
    assert!(matches!(code, Some(130 | 0)), "{code:?} {said}");
    assert!(program.json(&["ls"]).is_empty());
    assert!(program.json(&["-b", "cold", "ls"]).is_empty());
}
