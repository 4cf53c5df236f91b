//! `--json`: each line of every command, on both streams, is one JSON document, whether the command
//! succeeds or fails. What is no document: the bytes of an object, a completion script and a manual page.

use std::collections::BTreeSet;
use std::fs;

use apus_conformance::server::{EmbeddedOpenStack, FaultyS3, OpenStackModel, S3Model};
use serde_json::Value;

use crate::program::{Program, Ran};
use crate::snapshots::COMMANDS;

fn stage() -> (FaultyS3, EmbeddedOpenStack, Program) {
    let model = S3Model::new().with_bucket("images").with_bucket("copies");
    let server = FaultyS3::start(model.with_object("images", "a/1", "one")).unwrap();
    let cloud = EmbeddedOpenStack::start(OpenStackModel::new().with_container("glance", "images"));
    let cloud = cloud.unwrap();
    let program = Program::new()
        .with_endpoint("fast", &server.endpoint(), "images")
        .with_endpoint("cold", &server.endpoint(), "copies")
        .with_swift("swift", &cloud, "images")
        .with_endpoint("shut", "http://127.0.0.1:1", "images");
    program.write("image", b"bytes");
    program.write("key", b"the key\n");
    program.write("rows", b"{\"id\": 1, \"url\": \"s3://h.example/b/k\", \"metadata\": {}}\n");
    fs::create_dir(program.path("dir")).unwrap();
    program.write("dir/file", b"1");
    (server, cloud, program)
}

#[track_caller]
fn are_documents(lines: &str, ran: &Ran, command: &[&str]) {
    for line in lines.lines() {
        let is = serde_json::from_str::<Value>(line).is_ok_and(|it| it.is_object());
        assert!(is, "{line:?} of {command:?}: {ran:?}");
    }
}

#[test]
fn each_line_of_every_command_is_one_document() {
    let (_server, _cloud, program) = stage();
    let mut seen = BTreeSet::new();
    for (command, code) in [
        (&["put", "image"][..], 0),
        (&["put", "image"], 4),
        (&["put", "image", "--id", "resumed", "--resume"], 0),
        (&["put", "-R", "dir", "--id", "d/"], 0),
        (&["put", "-R", "dir", "--id", "d/"], 9),
        (&["put", "none"], 1),
        (&["get", "image", "-o", "copy", "--digest", "md5"], 0),
        (&["get", "image", "-o", "copy", "--size", "4"], 8),
        (&["get", "-R", "d/", "-o", "down"], 0),
        (&["get", "none", "-o", "none"], 3),
        (&["sync", "dir", "fast:s/", "-n"], 0),
        (&["sync", "dir", "fast:s/"], 0),
        (&["sync", "fast:s/", "synced", "--delete"], 0),
        (&["sync", "dir", "dir"], 2),
        (&["ls", "-v"], 0),
        (&["ls", "--delimiter", "/"], 0),
        (&["ls", "--backends"], 0),
        (&["ls", "--buckets"], 0),
        (&["-b", "shut", "-v", "ls"], 7),
        (&["du", "--delimiter", "/"], 0),
        (&["-b", "shut", "du"], 7),
        (&["cat", "none"], 3),
        (&["mb", "new"], 0),
        (&["mb", "new"], 4),
        (&["rb", "new"], 0),
        (&["rb", "new"], 3),
        (&["stat", "image"], 0),
        (&["stat", "image", "none"], 9),
        (&["stat", "-R", "a/"], 0),
        (&["presign", "image", "--method", "PUT"], 0),
        (&["presign", "image", "--expires", "8d"], 2),
        (&["-b", "swift", "put", "image", "--id", "t"], 0),
        (&["-b", "swift", "tempurl", "t", "--key-file", "key"], 0),
        (&["-b", "swift", "tempurl", "t"], 6),
        (&["copy", "image", "--to", "cold"], 0),
        (&["copy", "image", "--to", "cold"], 4),
        (&["copy", "-R", "a/", "--to", "swift", "-n"], 0),
        (&["copy", "-R", "a/", "--to", "cold"], 0),
        (&["copy", "-R", "a/", "--to", "cold"], 9),
        (&["mv", "cold:image", "--to", "fast", "--id", "moved", "-n"], 0),
        (&["mv", "cold:image", "--to", "fast", "--id", "moved"], 0),
        (&["mv", "cold:image", "--to", "fast", "--id", "moved"], 3),
        (&["-b", "fast", "doctor"], 0),
        (&["-b", "swift", "-v", "doctor"], 0),
        (&["-b", "shut", "doctor"], 7),
        (&["uploads", "ls"], 0),
        (&["uploads", "abort"], 0),
        (&["uploads", "expire", "--days", "7", "-n"], 1),
        (&["-b", "swift", "uploads", "ls"], 2),
        (&["-b", "swift", "orphans"], 0),
        (&["-b", "swift", "orphans", "--older-than", "0", "--yes"], 0),
        (&["orphans"], 2),
        (&["locations", "check", "rows"], 10),
        (&["locations", "migrate", "rows"], 9),
        (&["locations", "migrate", "none"], 1),
        (&["config", "check"], 0),
        (&["-c", "none.conf", "config", "check"], 6),
        (&["rm", "-n", "image"], 0),
        (&["rm", "image", "none"], 9),
        (&["rm", "-R", "s/"], 0),
        (&["rm", "-R", ""], 2),
        (&["completions", "csh"], 2),
        (&["man", "image/pages"], 1),
    ] {
        let ran = program.run(&[&["--json"], command].concat());
        are_documents(&ran.out, &ran, command);
        are_documents(&ran.err, &ran, command);
        assert_eq!(ran.code, code, "{command:?}: {ran:?}");
        // Their results say what failed.
        if !matches!(code, 0 | 9 | 10) && !command.contains(&"doctor") {
            let last = ran.err.lines().last().unwrap_or_default();
            let error: Value = serde_json::from_str(last).unwrap_or_default();
            assert_eq!(error["error"]["code"], code, "{command:?}: {ran:?}");
        }
        let words: Vec<&str> = command.iter().copied().filter(|it| !it.starts_with('-')).collect();
        seen.extend(words);
    }
    let ran = program.run(&["--json", "cat", "a/1"]).ends(0);
    assert_eq!(ran.out, "one");
    are_documents(&ran.err, &ran, &["cat"]);
    for command in COMMANDS {
        assert!(command.iter().all(|word| seen.contains(word)), "{command:?} was not run");
    }
}
