//! The help of every command, and the most frequent errors, compared with files in `snapshots/`. A
//! change of a text is a change of its file, which a reviewer reads.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use apus_conformance::program::APUS;
use apus_conformance::server::{EmbeddedS3, Options};

use crate::program::{Program, Ran};

#[test]
fn the_help_is_that_of_the_file() {
    let program = Program::new();
    let help = |command: &[&str]| {
        let mut apus = Command::new(&*APUS);
        apus.args(command).arg("--help");
        program.finish(apus, b"").ends(0).out
    };
    let main = help(&[]);
    let listed = main.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let listed: Vec<&str> = listed.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    let known: Vec<&str> = COMMANDS.iter().filter(|it| it.len() == 1).map(|it| it[0]).collect();
    assert_eq!(listed, [&known[..], &["help"]].concat(), "COMMANDS has every command");
    let mut all = format!("$ apus --help\n{main}");
    for command in COMMANDS {
        let text = help(command);
        // The options of all commands are in the main help.
        let own = text.split("\nWhich store:").next().unwrap();
        let _ = write!(all, "\n$ apus {} --help\n{own}", command.join(" "));
    }
    compare("help.txt", &all);
}

// The system has its own words for its errors.
#[cfg(target_os = "linux")]
#[test]
fn errors_are_those_of_the_file() {
    let server = EmbeddedS3::start(Options::new().tls(false).bucket("images")).unwrap();
    let program = Program::new().with_s3("fast", &server, "images").with_backend(
        "shut",
        "s3",
        "s3_store_host = http://127.0.0.1:1\ns3_store_access_key = AK\ns3_store_secret_key = \
         shut/secret\ns3_store_bucket = b\ns3_store_retries = 0\n",
    );
    let program = program.with_secret("shut/secret").with_backend(
        "nowhere",
        "s3",
        &format!(
            "s3_store_host = {}\ns3_store_access_key = {}\ns3_store_secret_key = \
             {}\ns3_store_bucket = missing\ns3_store_retries = 0\n",
            server.endpoint(),
            server.access_key(),
            server.secret_key()
        ),
    );
    program.write("image", b"bytes");
    program.write("bad.conf", b"[DEFAULT]\nenabled_backends = a:s3\n[a]\ns3_store_hots = h\n");
    program.run(&["put", "image", "--id", "there"]).ends(0);

    let mut all = String::new();
    let mut add = |arguments: &[&str], ran: Ran| {
        let text = ran.err.replace(server.endpoint().trim_start_matches("http://"), "SERVER");
        let text = text.replace(&program.path("").display().to_string(), "FOLDER/");
        let _ = write!(all, "$ apus {}\n{}exit code {}\n\n", arguments.join(" "), text, ran.code);
    };
    for arguments in [
        &["stat", "absent"][..],
        &["get", "absent"],
        &["put", "image", "--id", "there"],
        &["put", "image", "--id", "other", "--size", "6"],
        &["put", "none", "--id", "other"],
        &["put", "-"],
        &["-b", "shut", "stat", "x"],
        &["-b", "nowhere", "ls"],
        &["-b", "other", "ls"],
        &["get", "there", "-o", "none/file"],
        &["stat", "s3://elsewhere.example/b/k"],
        &["stat", "s3://"],
        &["rm", "absent"],
        &["copy", "there", "--to", "other"],
        &["tempurl", "there"],
        &["presign", "there", "--expires", "8d"],
        &["-O", "s3_store_retries=1", "ls"],
    ] {
        add(arguments, normal(program.run(arguments)));
    }
    for arguments in [
        &["ls"][..],
        &["-c", "none.conf", "ls"],
        &["-c", "bad.conf", "ls"],
        &["-s", "h/images", "ls"],
        &["-s", "s3://AK:hunter2@h/images", "ls"],
        &["-s", "s3://h", "ls"],
        &["-s", "s3://h/images", "-O", "s3_store_secret_key=hunter2", "ls"],
        &["get", "x", "--range", "a"],
        &["lss"],
    ] {
        let mut apus = Command::new(&*APUS);
        apus.args(arguments).env_remove("APUS_STORE");
        add(arguments, program.finish(apus, b""));
    }
    compare("errors.txt", &all);
}

/// Without the ids of requests, which differ each time.
fn normal(mut ran: Ran) -> Ran {
    while let Some(at) = ran.err.find(" [request ") {
        let end = ran.err[at..].find(']').unwrap();
        ran.err.replace_range(at..=at + end, "");
    }
    ran
}

pub(crate) fn compare(name: &str, now: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/snapshots").join(name);
    if std::env::var_os("APUS_BLESS").is_some() {
        return fs::write(&file, now).unwrap();
    }
    let before = fs::read_to_string(&file).unwrap_or_default();
    let mut difference = String::new();
    for line in before.lines().filter(|line| !now.lines().any(|other| other == *line)) {
        let _ = writeln!(difference, "- {line}");
    }
    for line in now.lines().filter(|line| !before.lines().any(|other| other == *line)) {
        let _ = writeln!(difference, "+ {line}");
    }
    assert!(
        before == now,
        "the output differs from {}:\n{difference}\nIf that is intended, write the file with\n    \
         APUS_BLESS=1 cargo test -p apus-conformance --test cli snapshots\n",
        file.display()
    );
}

pub(crate) const COMMANDS: &[&[&str]] = &[
    &["put"],
    &["get"],
    &["sync"],
    &["ls"],
    &["du"],
    &["cat"],
    &["mb"],
    &["rb"],
    &["stat"],
    &["rm"],
    &["presign"],
    &["tempurl"],
    &["copy"],
    &["mv"],
    &["doctor"],
    &["uploads"],
    &["uploads", "ls"],
    &["uploads", "abort"],
    &["uploads", "expire"],
    &["orphans"],
    &["locations"],
    &["locations", "check"],
    &["locations", "migrate"],
    &["config"],
    &["config", "check"],
    &["completions"],
    &["man"],
];
