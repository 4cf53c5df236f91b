//! The doctor: its findings on servers with known behaviour, and that it leaves nothing behind.

use std::fs;
use std::process::Command;

use apus_conformance::program::APUS;
use apus_conformance::server::{
    EmbeddedOpenStack, EmbeddedS3, FaultyS3, Manners, OpenStackModel, OpenStackOperation, Options,
    S3Model,
};
use serde_json::Value;

use crate::program::Program;

/// The result and the detail of a check.
#[track_caller]
fn answer(report: &Value, topic: &str, what: &str) -> String {
    let checks = report["checks"].as_array().unwrap();
    let found = checks
        .iter()
        .find(|check| check["topic"] == topic && check["what"].as_str().unwrap().contains(what));
    let found = found.unwrap_or_else(|| panic!("{topic} {what} is not in {report:#}"));
    found["answer"].as_str().unwrap().to_owned()
}

fn option(report: &Value, name: &str) -> Option<String> {
    let options = report["options"].as_array().unwrap();
    let found = options.iter().find(|option| option["option"] == name)?;
    found["value"].as_str().map(str::to_owned)
}

#[test]
fn s3s_verifies_checksums_in_headers_and_trailers() {
    let server = EmbeddedS3::start(Options::new().tls(true).bucket("images")).unwrap();
    let program = Program::new().with_s3("fast", &server, "images");
    let report = &program.json(&["doctor"])[0];
    for (topic, what, expect) in [
        ("reachable", "", "yes"),
        ("TLS", "", "yes"),
        ("clock", "", "yes"),
        ("authentication", "images", "yes"),
        ("addressing", "by path", "yes"),
        ("objects", "put, get", "yes"),
        ("objects", "range", "yes"),
        ("multipart", "two parts", "yes"),
        ("checksums", "CRC32 in a header", "yes"),
        ("checksums", "SHA256 in a header", "yes"),
        ("signing", "bodies", "no"),
    ] {
        assert_eq!(answer(report, topic, what), expect, "{topic} {what}: {report:#}");
    }
    let on = option(report, "s3_store_enable_data_integrity_protection");
    assert_eq!(on.as_deref(), Some("true"), "{report:#}");
    assert_eq!(option(report, "s3_store_checksum_placement").as_deref(), Some("header"));
    assert_eq!(report["left_behind"], serde_json::json!([]));
    assert!(program.json(&["ls"]).is_empty());
}

/// A wrong trailer is written and signed by `doctor` itself, which needs the keys for it.
#[test]
fn trailers_are_examined_wherever_the_keys_are_from() {
    let server = EmbeddedS3::start(Options::new().tls(true).bucket("images")).unwrap();
    let program = Program::new().with_s3("fast", &server, "images");
    let fixed = &program.json(&["doctor"])[0];
    let text = fs::read_to_string(program.path("glance-api.conf")).unwrap();
    let own =
        |line: &&str| !line.starts_with("s3_store_access") && !line.starts_with("s3_store_secret");
    let mut text = text.lines().filter(own).collect::<Vec<_>>().join("\n");
    text = text.replace("[fast]\n", "[fast]\ns3_store_credential_source = environment\n");
    program.write("glance-api.conf", text.as_bytes());
    let mut command = Command::new(&*APUS);
    command.arg("--config").arg(program.path("glance-api.conf")).args(["--json", "doctor"]);
    command.env("AWS_ACCESS_KEY_ID", server.access_key());
    command.env("AWS_SECRET_ACCESS_KEY", server.secret_key());
    let ran = program.finish(command, b"");
    let found: Value = serde_json::from_str(ran.out.lines().next().unwrap()).unwrap();
    for algorithm in ["CRC32", "SHA256"] {
        let what = format!("{algorithm} in a trailer");
        let answered = answer(fixed, "checksums", &what);
        assert_eq!(answer(&found, "checksums", &what), answered, "{found:#}");
    }
}

/// As Ceph 16 is: it stores and compares no checksum, and refuses what has a trailer.
#[test]
fn a_server_without_trailers_is_told_from_one_with() {
    let model = S3Model::new().with_bucket("images").with_manners(Manners::ceph16());
    let server = FaultyS3::start(model).unwrap();
    let options = format!(
        "s3_store_host = {}\ns3_store_access_key = AK\ns3_store_secret_key = a/secret\n\
         s3_store_bucket = images\ns3_store_retries = 0\n",
        server.endpoint()
    );
    let program = Program::new().with_backend("fast", "s3", &options).with_secret("a/secret");
    let report = &program.json(&["doctor"])[0];
    assert_eq!(answer(report, "objects", "put, get"), "yes", "{report:#}");
    assert_eq!(answer(report, "checksums", "CRC32 in a trailer"), "no", "{report:#}");
    assert_ne!(answer(report, "checksums", "CRC32 in a header"), "yes", "{report:#}");
    // Over http, whose bodies TLS does not protect.
    assert_eq!(answer(report, "signing", "bodies"), "yes", "{report:#}");
    assert_eq!(report["left_behind"], serde_json::json!([]));
    assert!(server.model().keys("images").is_empty());
    assert!(server.model().open_uploads().is_empty());
}

#[test]
fn a_server_that_is_not_there_is_said_so() {
    let program = Program::new().with_backend(
        "shut",
        "s3",
        "s3_store_host = http://127.0.0.1:1\ns3_store_access_key = AK\n\
         s3_store_secret_key = shut/secret\ns3_store_bucket = b\n",
    );
    let program = program.with_secret("shut/secret");
    program.run(&["doctor"]).ends(7).prints("BROKEN");
}

#[test]
fn swift_with_everything() {
    let model = OpenStackModel::new().with_container("glance", "images");
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    let program = Program::new().with_swift("cold", &cloud, "images");
    let report = &program.json(&["doctor"])[0];
    for (topic, what, expect) in [
        ("reachable", "", "yes"),
        ("authentication", "Keystone", "yes"),
        ("container", "images", "yes"),
        ("objects", "put, get", "yes"),
        ("checksums", "MD5", "yes"),
        ("conditions", "put if absent", "yes"),
        ("large objects", "static", "yes"),
        ("large objects", "dynamic", "yes"),
        ("URLs", "sha256", "yes"),
        ("lists", "bulk delete", "yes"),
    ] {
        assert_eq!(answer(report, topic, what), expect, "{topic} {what}: {report:#}");
    }
    assert_eq!(report["left_behind"], serde_json::json!([]));
    assert!(program.json(&["ls"]).is_empty());
    // The container that was made for the trial is gone as well.
    let model = cloud.model();
    assert_eq!(model.count(OpenStackOperation::DeleteContainer), 1);
}
