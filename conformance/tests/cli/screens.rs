//! What a terminal of 80 columns shows in the end of a day's work, compared with a file in
//! `snapshots/`: recorded with `script`, of util-linux, and drawn as a terminal draws it.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use apus_conformance::program::APUS;
use apus_conformance::server::{EmbeddedOpenStack, FaultyS3, OpenStackModel, S3Model};

use crate::program::Program;
use crate::snapshots::compare;

const COLUMNS: usize = 80;

/// The lines of a terminal that never scrolls.
#[derive(Default)]
struct Screen {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
}

impl Screen {
    fn of(sent: &str) -> Self {
        let mut screen = Self::default();
        let mut rest = sent.chars().peekable();
        while let Some(char) = rest.next() {
            match char {
                '\r' => screen.column = 0,
                '\n' => screen.row += 1,
                '\u{1b}' if rest.next_if_eq(&'[').is_some() => {
                    let mut digits = String::new();
                    let end = loop {
                        match rest.next() {
                            Some(char) if char.is_ascii_alphabetic() => break char,
                            Some(char) => digits.push(char),
                            None => return screen,
                        }
                    };
                    screen.control(end, digits.parse().ok());
                }
                char => screen.put(char),
            }
        }
        screen
    }

    /// ECMA-48: EL, CUU and CUD; SGR and modes show nothing.
    fn control(&mut self, end: char, number: Option<usize>) {
        match end {
            'K' => {
                let (column, whole) = (self.column, number == Some(2));
                self.line().truncate(if whole { 0 } else { column });
            }
            'A' => self.row = self.row.saturating_sub(number.unwrap_or(1).max(1)),
            'B' => self.row += number.unwrap_or(1).max(1),
            'm' | 'h' | 'l' => {}
            other => panic!("an unknown sequence: {other}"),
        }
    }

    fn put(&mut self, char: char) {
        if self.column == COLUMNS {
            (self.row, self.column) = (self.row + 1, 0);
        }
        let column = self.column;
        let line = self.line();
        line.resize(line.len().max(column + 1), ' ');
        line[column] = char;
        self.column += 1;
    }

    fn line(&mut self) -> &mut Vec<char> {
        let row = self.row;
        self.lines.resize_with(self.lines.len().max(row + 1), Vec::new);
        &mut self.lines[row]
    }

    fn text(&self) -> String {
        let lines = self.lines.iter().map(|line| line.iter().collect::<String>());
        lines.map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

/// The command that a shell in a terminal of 80 columns is to run.
fn script(program: &Program, arguments: &str) -> Command {
    let line = format!(
        "stty cols {COLUMNS} rows 24; exec {} --config glance-api.conf {arguments}",
        APUS.display()
    );
    let mut script = Command::new("script");
    script.args(["-q", "-e", "-c", &line, "/dev/null"]);
    script.current_dir(program.path("")).env("TERM", "xterm").env("NO_COLOR", "1");
    script.env("XDG_STATE_HOME", program.path("state"));
    script
}

fn stage() -> (FaultyS3, EmbeddedOpenStack, Program) {
    let model = S3Model::new().with_bucket("images").with_bucket("copies");
    let server = FaultyS3::start(model).unwrap();
    let cloud = EmbeddedOpenStack::start(OpenStackModel::new().with_container("glance", "images"));
    let cloud = cloud.unwrap();
    let parts = "s3_store_large_object_size = 6\ns3_store_large_object_chunk_size = 5\n\
                 s3_store_thread_pools = 1\n";
    let s3 = |bucket: &str| {
        format!(
            "s3_store_host = {}\ns3_store_access_key = AK\ns3_store_secret_key = a/secret\n\
             s3_store_bucket = {bucket}\ns3_store_retries = 1\n{parts}",
            server.endpoint()
        )
    };
    let program = Program::new()
        .with_backend("fast", "s3", &s3("images"))
        .with_backend("copies", "s3", &s3("copies"))
        .with_swift("cold", &cloud, "images")
        .with_secret("a/secret");
    std::fs::create_dir_all(program.path("dir/sub")).unwrap();
    program.write("dir/a.txt", b"1");
    program.write("dir/sub/b.txt", b"22");
    program.write("debian-13-generic-amd64.qcow2", &vec![7; 12 << 20]);
    (server, cloud, program)
}

#[test]
fn a_days_work_fits_into_80_columns() {
    let (server, cloud, program) = stage();
    let mut all = String::new();
    for arguments in [
        "--limit-rate 8M put debian-13-generic-amd64.qcow2",
        "put debian-13-generic-amd64.qcow2",
        "stat debian-13-generic-amd64.qcow2",
        "--limit-rate 8M get debian-13-generic-amd64.qcow2 -o back --expect md5:00",
        "--limit-rate 8M get debian-13-generic-amd64.qcow2 -o back --digest md5",
        "get debian-13-generic-amd64.qcow2 -o back --size 1",
        "get debian-13-generic-amd64.qcow2 -o back --resume",
        "copy debian-13-generic-amd64.qcow2 --to copies",
        "copy debian-13-generic-amd64.qcow2 --to cold --id debian",
        "sync dir fast:d/ --exclude a.txt --dry-run",
        "sync dir fast:d/ --exclude a.txt",
        "sync fast:d/ down --delete --dry-run",
        "put -R dir --id p/ --exclude '*.txt' --include 'sub/*'",
        "get -R p/ -o got",
        "ls --backends",
        "ls --buckets",
        "du --delimiter /",
        "cat d/sub/b.txt",
        "get d/sub/b.txt",
        "mb logs",
        "rb logs",
        "uploads ls",
        "uploads abort",
        "-b cold orphans",
        "rm -R d/ --dry-run",
        "rm -R d/",
        "rm -R ''",
        "rm none",
        "config check",
        "ls --bukets",
    ] {
        let output = script(&program, arguments).output().unwrap();
        let sent = without_ids(String::from_utf8(output.stdout).unwrap());
        let shown = Screen::of(&sent).text();
        assert!(!sent.contains("a/secret"), "{shown}");
        let code = output.status.code().unwrap();
        let _ = write!(all, "$ apus {arguments}\n{shown}exit code {code}\n\n");
    }
    for (address, name) in [(server.endpoint(), "S3"), (cloud.auth_url(), "KEYSTONE")] {
        let address = address.split_once("://").unwrap().1.trim_end_matches("/v3").to_owned();
        // Of the same length, so that the lines are as long as they were.
        let name = format!("{name}{}", ".".repeat(address.len().saturating_sub(name.len())));
        all = all.replace(&address, &name);
    }
    compare("screens.txt", &without_times(&all));
}

/// The ids of requests, which are numbers, of the same length.
fn without_ids(mut text: String) -> String {
    let mut from = 0;
    while let Some(at) = text[from..].find("[request ").map(|at| from + at + 9) {
        let end = at + text[at..].find(']').unwrap();
        text.replace_range(at..end, &"0".repeat(end - at));
        from = end;
    }
    text
}

/// The times of the listings, which differ each time.
fn without_times(text: &str) -> String {
    let is_time = |word: &str| {
        let shape: String =
            word.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
        shape.starts_with("0000-00-00T00:00:00")
    };
    let line = |line: &str| {
        let words = line.split(' ').map(|word| if is_time(word) { "TIME" } else { word });
        words.collect::<Vec<_>>().join(" ") + "\n"
    };
    text.lines().map(line).collect()
}

/// Ctrl-C in a terminal: it says that it stops and removes what was begun, and the line is gone.
#[test]
fn who_presses_ctrl_c_sees_that_it_cleans_up() {
    let (server, _cloud, program) = stage();
    let mut command = script(&program, "--limit-rate 2M put debian-13-generic-amd64.qcow2");
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    let begun = Instant::now();
    while server.model().open_uploads().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no upload");
        thread::sleep(Duration::from_millis(50));
    }
    thread::sleep(Duration::from_millis(500));
    // The key as the terminal has it.
    let mut keys = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut keys, b"\x03").unwrap();
    let output = child.wait_with_output().unwrap();
    drop(keys);
    let sent = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{sent:?}");
    assert!(sent.contains("stopping: what was begun is removed first"), "{sent:?}");
    let shown = Screen::of(&sent).text();
    assert!(!shown.contains("ETA") && !shown.contains("% "), "{shown}{sent:?}");
    assert!(server.model().open_uploads().is_empty());
}
