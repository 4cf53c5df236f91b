//! What a terminal of 80 columns shows: recorded with `script`, of util-linux.

use std::process::Command;

use apus_conformance::program::APUS;
use apus_conformance::server::{EmbeddedS3, Options, Reply, Request, Scripted};

use crate::program::Program;

/// Runs in a terminal of 80 columns, and returns what it was sent.
fn recorded(program: &Program, arguments: &str) -> String {
    recorded_in(80, program, arguments)
}

fn recorded_in(columns: usize, program: &Program, arguments: &str) -> String {
    recorded_by("xterm", columns, program, arguments)
}

fn recorded_by(term: &str, columns: usize, program: &Program, arguments: &str) -> String {
    let line = format!(
        "stty cols {columns} rows 24; exec {} --config {} {arguments}",
        APUS.display(),
        program.path("glance-api.conf").display()
    );
    let output = Command::new("script")
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .current_dir(program.path(""))
        .env("TERM", term)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

/// The lines that the terminal had, one after another, without the sequences that move the cursor.
fn lines(recorded: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = recorded.chars().peekable();
    while let Some(char) = rest.next() {
        if char == '\u{1b}' && rest.next_if_eq(&'[').is_some() {
            while rest.next().is_some_and(|char| !char.is_ascii_alphabetic()) {}
            plain.push('\n');
        } else {
            plain.push(char);
        }
    }
    let lines = plain.split(['\r', '\n']).filter(|line| !line.trim().is_empty());
    lines.map(str::to_owned).collect()
}

#[test]
fn progress_has_name_total_rate_and_eta_and_fits_into_80_columns() {
    let server = EmbeddedS3::start(Options::new().bucket("images")).unwrap();
    let program = Program::new().with_s3("fast", &server, "images");
    let id = "debian-13-generic-amd64-20261201-2100.qcow2";
    program.write("image", &vec![7; 3 << 20]);
    let put = recorded(&program, &format!("--limit-rate 1M put image --id {id}"));
    let get = recorded(&program, &format!("--limit-rate 1M get {id} -o copy"));
    for (what, said) in [("put", put), ("get", get)] {
        assert!(!said.contains("100%"), "{what}: {said}");
        // No colour.
        assert!(!said.contains("\u{1b}[3"), "{what}: {said}");
        let lines = lines(&said);
        let bars: Vec<&String> = lines.iter().filter(|line| line.contains("% ")).collect();
        assert!(bars.len() > 2, "{what}: {lines:?}");
        for line in &bars {
            assert!(line.chars().count() <= 80, "{what}: {line:?}");
            assert!(line.trim_end().chars().count() < 80, "{what}: {line:?}");
            assert!(line.contains("debian-13-") && line.contains("of 3.00 MiB"), "{line:?}");
        }
        assert!(bars.iter().any(|line| line.contains("/s") && line.contains("ETA")), "{lines:?}");
    }
}

/// Each ideograph has two columns; a line that is too long would stay on the terminal.
#[test]
fn progress_fits_into_a_narrow_terminal_and_with_a_wide_name() {
    let server = EmbeddedS3::start(Options::new().bucket("images")).unwrap();
    let program = Program::new().with_s3("fast", &server, "images");
    program.write("image", &vec![7; 2 << 20]);
    for columns in [40, 80] {
        let arguments = "--limit-rate 1M put image --replace --id 二〇二六年十二月の写真";
        let said = recorded_in(columns, &program, arguments);
        let width = |line: &str| -> usize {
            line.chars().map(|letter| if letter < '\u{3000}' { 1 } else { 2 }).sum()
        };
        let lines = lines(&said);
        let bars: Vec<&String> = lines.iter().filter(|line| line.contains("% ")).collect();
        assert!(bars.len() > 2, "{lines:?}");
        for line in lines.iter().filter(|line| !line.contains("stored")) {
            assert!(line.contains("s3://") || width(line) < columns, "{columns}: {line:?}");
        }
    }
}

#[test]
fn progress_says_what_it_waits_for() {
    let server = Scripted::start(|_: &Request| Reply::new(503).header("Retry-After", "3"));
    let server = server.unwrap();
    let options = format!(
        "s3_store_host = {}\ns3_store_access_key = AK\ns3_store_secret_key = a/secret\n\
         s3_store_bucket = images\ns3_store_retries = 1\n",
        server.endpoint()
    );
    let program = Program::new().with_backend("fast", "s3", &options);
    let line = format!("{} --config glance-api.conf put image --id x || true", APUS.display());
    program.write("image", &vec![7; 3 << 20]);
    let output = Command::new("script")
        .args(["-q", "-c", &format!("stty cols 80; {line}"), "/dev/null"])
        .current_dir(program.path(""))
        .env("TERM", "xterm")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        lines(&said).iter().any(|line| line.contains("waiting") && line.contains(" s: ")),
        "{said}"
    );
}

#[test]
fn nothing_of_it_is_on_a_pipe_and_no_colour_without_leave() {
    let server = EmbeddedS3::start(Options::new().bucket("images")).unwrap();
    let program = Program::new().with_s3("fast", &server, "images");
    program.write("image", &vec![7; 3 << 20]);
    let ran = program.run(&["--limit-rate", "2M", "put", "image"]).ends(0);
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    let said = recorded(&program, "-q --limit-rate 2M get image -o copy");
    assert_eq!(lines(&said), Vec::<String>::new());
    let usage = format!("NO_COLOR=1 {} lss || true", APUS.display());
    let output = Command::new("script").args(["-q", "-c", &usage, "/dev/null"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("lss") && !said.contains('\u{1b}'), "{said:?}");
}

/// A terminal that can't return to the beginning of a line, as that of an editor.
#[test]
fn a_dumb_terminal_shows_no_progress() {
    let server = EmbeddedS3::start(Options::new().bucket("images")).unwrap();
    let program = Program::new().with_s3("fast", &server, "images");
    program.write("image", &vec![7; 2 << 20]);
    let put = recorded_by("dumb", 80, &program, "--limit-rate 1M put image");
    assert!(put.contains("2.00 MiB stored") && !put.contains('%'), "{put:?}");
    let get = recorded_by("dumb", 80, &program, "--limit-rate 1M get image -o copy");
    assert!(!get.contains('%') && !get.contains('\u{1b}'), "{get:?}");
}
