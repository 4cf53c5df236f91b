//! Commands whose output is not read, or can't be written: the work is done nevertheless, and the
//! exit code is that of the work. Where the output is the only place of a result, that is a
//! failure.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use apus_conformance::program::APUS;
use apus_conformance::server::{EmbeddedS3, Options};

use crate::program::{Program, Ran};

/// The target of standard output.
#[derive(Clone, Copy, Debug)]
enum Out {
    /// A pipe without a reader.
    Closed,
    /// A disk without room.
    Full,
}

fn run(program: &Program, arguments: &[&str], out: Out) -> Ran {
    let mut command = Command::new(&*APUS);
    command.arg("--config").arg(program.path("glance-api.conf")).args(arguments);
    command.current_dir(program.path("")).stdin(Stdio::null()).stderr(Stdio::piped());
    match out {
        Out::Closed => {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            command.stdout(writer);
        }
        Out::Full => {
            command.stdout(File::options().write(true).open("/dev/full").unwrap());
        }
    }
    let output = command.output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    Ran { code: output.status.code().unwrap_or(-1), out: String::new(), err }
}

fn stage() -> (EmbeddedS3, Program) {
    let server = EmbeddedS3::start(Options::new().bucket("images")).unwrap();
    let program = Program::new().with_s3("fast", &server, "images");
    for id in ["a", "b", "c"] {
        program.run_with(&["-q", "put", "-", "--id", id], &[7; 1000]).ends(0);
    }
    (server, program)
}

fn names(program: &Program) -> Vec<String> {
    let listed = program.json(&["ls"]);
    listed.iter().map(|told| told["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_object_that_nobody_reads_is_not_read() {
    let (_server, program) = stage();
    let ran = run(&program, &["get", "a"], Out::Closed).ends(1).says("Broken pipe");
    assert!(!ran.err.contains("read;"), "{ran:?}");
    let ran = run(&program, &["get", "a", "-o", "/dev/stdout"], Out::Closed).ends(1);
    assert!(!ran.err.contains("read;"), "{ran:?}");
    if cfg!(target_os = "linux") {
        let ran = run(&program, &["get", "a"], Out::Full).ends(11);
        assert!(ran.err.starts_with("apus: standard output: No space left"), "{ran:?}");
        let ran = run(&program, &["cat", "a"], Out::Full).ends(11);
        assert!(ran.err.starts_with("apus: standard output: No space left"), "{ran:?}");
    }
    // Who has read enough of a list has it.
    let ran = run(&program, &["ls"], Out::Closed).ends(0);
    assert_eq!(ran.err, "");
}

#[test]
fn where_an_image_is_stored_is_told_one_way_or_the_other() {
    let (server, program) = stage();
    program.write("image", b"an image");
    let outs =
        [("closed", Out::Closed, "Broken pipe", 1), ("full", Out::Full, "No space left", 11)];
    for (id, out, why, code) in outs {
        if matches!(out, Out::Full) && !cfg!(target_os = "linux") {
            continue;
        }
        let ran = run(&program, &["put", "image", "--id", id], out).ends(code).says(why);
        let host = server.endpoint().replace("http://", "");
        let told = format!(
            "the image is stored as s3://{host}/images/{id}, but could not write to standard output"
        );
        let ran = ran.says(&told);
        assert!(!ran.err.contains("MD5"), "{ran:?}");
        assert!(names(&program).iter().any(|name| name == id));
    }
}

#[test]
fn what_nobody_hears_is_done_all_the_same() {
    let (server, program) = stage();
    run(&program, &["rm", "a", "b"], Out::Closed).ends(0);
    assert_eq!(names(&program), ["c"]);
    run(&program, &["rm", "c", "nothing"], Out::Closed).ends(9);
    assert!(names(&program).is_empty());

    let host = server.endpoint().replace("http://", "");
    let secret = "old/secret";
    let mut rows = String::new();
    for id in 0..3000 {
        let url = format!("s3://AK:{secret}@{host}/images/{id}");
        rows += &format!("{{\"id\": {id}, \"url\": \"{url}\", \"metadata\": {{}}}}\n");
    }
    let program = program.with_secret(secret);
    program.write("rows", rows.as_bytes());
    run(&program, &["locations", "check", "rows"], Out::Closed).ends(10);
    rows += "no row\n";
    program.write("rows", rows.as_bytes());
    run(&program, &["locations", "migrate", "rows", "--write", "out"], Out::Closed).ends(9);
    assert_eq!(fs::read_to_string(program.path("out")).unwrap().lines().count(), 3001);
    // Rows that are lost are no success.
    let ran = run(&program, &["locations", "migrate", "rows", "--write", "-"], Out::Closed);
    ran.ends(1).says("standard output: could not write all rows: Broken pipe");

    let broken = program.with_backend("slow", "s3", "s3_store_host = x\ns3_store_retries = many\n");
    run(&broken, &["config", "check"], Out::Closed).ends(6);
}

#[test]
fn rows_that_are_not_all_written_are_told_of() {
    let (server, program) = stage();
    let host = server.endpoint().replace("http://", "");
    let secret = "old/secret";
    let row = format!("{{\"id\": 1, \"url\": \"s3://AK:{secret}@{host}/images/a\"}}\n");
    let program = program.with_secret(secret);
    program.write("rows", row.repeat(20_000).as_bytes());
    // A reader that has enough after a while.
    let fifo = program.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let reader = {
        let fifo = fifo.clone();
        std::thread::spawn(move || {
            use std::io::Read;
            File::open(fifo).unwrap().read_exact(&mut [0; 10]).unwrap();
        })
    };
    let ran = program.run(&["locations", "migrate", "rows", "--write", "fifo"]);
    reader.join().unwrap();
    ran.ends(1).says("fifo: could not write all rows: Broken pipe");
}

/// `apus … | head -1` of whatever is longer than a pipe.
#[test]
fn every_command_ends_quietly_when_its_reader_has_enough() {
    let (_server, program) = stage();
    let big = vec![b'\n'; 1 << 20];
    program.run_with(&["-q", "put", "-", "--id", "big"], &big).ends(0);
    for at in 0..4 {
        let folder = program.path("dir");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("f{at}")), b"bytes").unwrap();
    }
    // What is done is done, and a list that was read in part is no failure.
    for command in [
        &["ls"][..],
        &["ls", "--human-readable"],
        &["--json", "ls"],
        &["du"],
        &["stat", "-R", "fast:"],
        &["sync", "dir", "fast:s/"],
        &["copy", "-R", "s/", "--to", "fast", "--id", "t/"],
        &["rm", "-R", "fast:t/"],
        &["presign", "a"],
        &["config", "check"],
        &["--help"],
        &["help", "get"],
        &["--version"],
        &["completions", "bash"],
        &["man"],
    ] {
        let ran = run(&program, command, Out::Closed);
        assert!(!ran.err.contains("panicked"), "{command:?} {ran:?}");
        assert_eq!(ran.code, 0, "{command:?} {ran:?}");
        assert!(!ran.err.contains("Broken pipe"), "{command:?} {ran:?}");
    }
    // What is nowhere else is not complete.
    for command in [&["cat", "big"][..], &["cat", "a", "b", "big"]] {
        let ran = run(&program, command, Out::Closed);
        assert!(!ran.err.contains("panicked"), "{command:?} {ran:?}");
        ran.ends(1).says("Broken pipe");
    }
    let names = names(&program);
    assert!(names.contains(&"s/f3".to_owned()) && !names.contains(&"t/f3".to_owned()));
}

/// Both streams closed, as by a daemon that starts programs without any.
#[test]
fn without_any_stream_a_command_does_its_work() {
    let (_server, program) = stage();
    program.write("image", b"an image");
    let shell = |line: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", line, "sh"]).arg(&*APUS).arg(program.path("glance-api.conf"));
        command.current_dir(program.path("")).status().unwrap().code()
    };
    let put = "\"$1\" -c \"$2\" put image <&- >&- 2>&-";
    assert!(matches!(shell(put), Some(0 | 1)));
    assert!(names(&program).contains(&"image".to_owned()));
    assert_eq!(shell("\"$1\" -c \"$2\" get image -o copy <&- >&- 2>&-"), Some(0));
    assert_eq!(fs::read(program.path("copy")).unwrap(), b"an image");
    assert_eq!(shell("\"$1\" -c \"$2\" get none -o copy <&- >&- 2>&-"), Some(3));
}

/// A disk that is full is a failure of every command whose results were not all written.
#[cfg(target_os = "linux")]
#[test]
fn no_command_succeeds_whose_output_has_no_room() {
    let (_server, program) = stage();
    fs::create_dir_all(program.path("dir")).unwrap();
    fs::write(program.path("dir/f"), b"bytes").unwrap();
    program.write("image", b"an image");
    program.write("names", b"a\nb\n");
    for command in [
        &["ls"][..],
        &["ls", "-0"],
        &["ls", "--backends"],
        &["ls", "--buckets"],
        &["--json", "ls"],
        &["du"],
        &["cat", "a"],
        &["get", "a"],
        &["get", "a", "-o", "-"],
        &["stat", "a"],
        &["stat", "-R", "fast:"],
        &["put", "image"],
        &["put", "image", "--replace", "--content-type", "text/plain"],
        &["put", "-R", "dir"],
        &["sync", "dir", "fast:s/"],
        &["sync", "-n", "dir", "fast:t/"],
        &["sync", "fast:s/", "down"],
        &["copy", "a", "--to", "fast", "--id", "a2"],
        &["copy", "-R", "s/", "--to", "fast", "--id", "c/"],
        &["rm", "-n", "a"],
        &["rm", "a2"],
        &["rm", "-R", "fast:c/"],
        &["mb", "more"],
        &["rb", "more"],
        &["presign", "a"],
        &["config", "check"],
        &["completions", "bash"],
        &["man"],
        &["--help"],
        &["--version"],
        &["ls", "--help"],
    ] {
        let ran = run(&program, command, Out::Full);
        assert!(!ran.err.contains("panicked"), "{command:?} {ran:?}");
        assert_ne!(ran.code, 0, "{command:?} {ran:?}");
    }
    assert!(names(&program).contains(&"s/f".to_owned()));
    assert_eq!(fs::read(program.path("down/f")).unwrap(), b"bytes");
}

/// `<&-`, as by a daemon: what is read from there is not empty, it is absent.
#[cfg(target_os = "linux")]
#[test]
fn without_standard_input_a_command_that_reads_it_fails() {
    let (_server, program) = stage();
    for arguments in [
        "put - --id x",
        "put - --id x --hash none",
        "rm -",
        "rm -0 -",
        "rm -n -",
        "stat -",
        "copy - --to fast",
        "mv - --to fast",
        "locations check",
        "locations migrate -",
    ] {
        let line = format!("\"$1\" -c \"$2\" {arguments} <&-");
        let mut shell = Command::new("sh");
        shell.args(["-c", &line, "sh"]).arg(&*APUS).arg(program.path("glance-api.conf"));
        let output = shell.current_dir(program.path("")).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments}: {err}");
        assert!(err.contains("standard input is closed"), "{arguments}: {err}");
    }
    assert_eq!(names(&program), ["a", "b", "c"]);
    // Nothing on standard input is not the same.
    program.run_with(&["rm", "-"], b"").ends(0).prints("removed 0 objects");
    program.run_with(&["-q", "put", "-", "--id", "empty"], b"").ends(0);
    assert_eq!(program.json(&["stat", "empty"])[0]["size"], 0);
}
