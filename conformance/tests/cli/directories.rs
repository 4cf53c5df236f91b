//! Directories that can be read or written in part only, and objects that no file can be.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use apus_conformance::server::{FaultyS3, S3Model};

use crate::files::as_nobody;
use crate::program::Program;

fn stage(objects: &[(&str, &'static str)]) -> (FaultyS3, Program) {
    let model = S3Model::new().with_bucket("images");
    let model =
        objects.iter().fold(model, |model, (key, bytes)| model.with_object("images", key, *bytes));
    let server = FaultyS3::start(model).unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    (server, program)
}

fn deny(program: &Program, path: &str) {
    fs::set_permissions(program.path(path), Permissions::from_mode(0o000)).unwrap();
}

fn allow(program: &Program, path: &str) {
    fs::set_permissions(program.path(path), Permissions::from_mode(0o755)).unwrap();
}

/// As a shared directory is, of which another user's files are a part.
#[test]
fn what_can_not_be_read_is_named_and_the_others_are_sent() {
    let (server, program) = stage(&[("s/old", "1")]);
    for path in ["dir/a/1", "dir/locked/2", "dir/secret", "dir/z"] {
        let path = program.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "1").unwrap();
    }
    deny(&program, "dir/locked");
    deny(&program, "dir/secret");
    let sent = |prefix: &str| [format!("{prefix}/a/1"), format!("{prefix}/z")];
    let ran = as_nobody(&program, &["put", "-R", "dir", "--id", "p"]).ends(9);
    ran.says("dir/locked: Permission denied")
        .says("dir/secret: Permission denied")
        .says("2 failed");
    assert_eq!(server.model().keys("images"), [&sent("p")[..], &["s/old".to_owned()]].concat());
    // What is below it is not known to be removed.
    let ran = as_nobody(&program, &["sync", "dir", "fast:s", "--delete"]).ends(9);
    ran.says("dir/locked: Permission denied").says("nothing was removed");
    let keys = server.model().keys("images").len();
    assert_eq!(keys, 5);
    // A dry run says so too; what is left out need not be read.
    as_nobody(&program, &["sync", "dir", "fast:s", "-n"]).ends(9).says("dir/locked");
    let out = ["--exclude", "locked/*", "--exclude", "secret"];
    as_nobody(&program, &[&["sync", "dir", "fast:s"][..], &out].concat()).ends(0);
    let only = ["--include", "a/*", "--exclude", "*"];
    as_nobody(&program, &[&["sync", "dir", "fast:s"][..], &only].concat()).ends(0);
    as_nobody(&program, &["put", "-R", "dir/locked"]).ends(1).says("Permission denied");

    // Of a target too: nothing is removed from it.
    fs::create_dir_all(program.path("down/s/b")).unwrap();
    program.write("down/extra", b"1");
    deny(&program, "down/s/b");
    let ran = as_nobody(&program, &["sync", "fast:", "down", "--delete"]).ends(9);
    ran.says("down/s/b: Permission denied").says("nothing was removed");
    assert!(program.path("down/extra").exists());
    for path in ["dir/locked", "down/s/b"] {
        allow(&program, path);
    }
}

/// Consoles make an empty object with `/` at its end for a directory. One with bytes is an object
/// like others.
#[test]
fn an_object_that_has_the_name_of_a_directory_is_not_left_out_silently() {
    let (_server, program) =
        stage(&[("b/", ""), ("b/empty/", ""), ("b/bytes/", "123"), ("b/file", "1")]);
    let ran = program.run(&["get", "-R", "fast:b", "-o", "down"]).ends(9);
    let ran = ran.says("skipped b/bytes/: it has bytes").says("1 skipped");
    assert!(!ran.err.contains("empty"), "{ran:?}");
    program.run(&["get", "fast:b/bytes/", "-o", "bytes"]).ends(0);
    let only = ["--exclude", "bytes/"];
    program.run(&[&["get", "-R", "fast:b", "-o", "down"][..], &only].concat()).ends(0);
    // A key that is also a directory of another one.
    let (_server, program) = stage(&[("a", "1"), ("a/b", "2")]);
    for command in [&["get", "-R", "fast:", "-o", "down"][..], &["sync", "fast:", "down"]] {
        let ran = program.run(command).ends(9).says("skipped a/b: ");
        ran.says("the directory `a` is the file of another key");
        assert_eq!(fs::read(program.path("down/a")).unwrap(), b"1");
    }
}

#[test]
fn a_target_that_is_no_directory_is_said_once() {
    let (server, program) = stage(&[("a", "1"), ("b", "2")]);
    program.write("file", b"old");
    for command in [&["get", "-R", "fast:", "-o", "file"][..], &["sync", "fast:", "file"]] {
        let before = server.model().requests();
        let ran = program.run(command).ends(2).says("file: is not a directory");
        assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
        assert_eq!(server.model().requests(), before);
    }
    assert_eq!(fs::read(program.path("file")).unwrap(), b"old");
    program.run(&["get", "-R", "fast:", "-o", "-"]).ends(2).says("set --output to a directory");
    assert!(!program.path("-").exists());
}

/// The client that stores an object chooses its name, and could state another error with it.
#[test]
fn a_name_with_a_line_end_is_in_one_line_of_an_error() {
    let (_server, program) = stage(&[("d/a\napus: b", "1")]);
    let ran = program.run(&["get", "-R", "fast:d", "-o", "down"]).ends(9);
    let ran = ran.says("apus: skipped d/a\\napus: b: the name");
    assert_eq!(ran.err.lines().filter(|line| line.starts_with("apus: ")).count(), 2, "{ran:?}");
    let ran = program.run(&["put", "missing\nfile"]).ends(1);
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    let ran = program.run(&["get", "d/a\napus: b", "-o", "none\ndir/file"]).ends(1);
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    let ran = program.run(&["stat", "x\ny", "x\nz"]).ends(9);
    assert_eq!(ran.err.lines().count(), 3, "{ran:?}");
}
