//! The completions as a person uses them: typed into bash, zsh and fish in a terminal. A shell that is
//! not installed is not tried, which the test says.

use std::fs;
use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use apus_conformance::program::APUS;
use apus_conformance::server::{EmbeddedS3, Options};

use crate::program::Program;

/// A shell in a terminal, in the folder of a program.
struct Shell<'a> {
    program: &'a Program,
    child: Child,
    keys: ChildStdin,
}

impl<'a> Shell<'a> {
    /// Starts the shell, if it is installed, and types a line that loads the completions.
    #[expect(clippy::print_stdout, reason = "says what is not tried")]
    fn start(program: &'a Program, name: &str, options: &str, load: &str) -> Option<Self> {
        if Command::new(name).arg("--version").output().is_err() {
            println!("not run: completions of {name}: it is not installed");
            return None;
        }
        let mut script = Command::new(&*APUS);
        script.args(["completions", name]);
        let script = program.finish(script, b"").ends(0).out;
        let file = if name == "zsh" { "_apus".to_owned() } else { format!("apus.{name}") };
        program.write(&file, script.as_bytes());
        let path = std::env::var("PATH").unwrap();
        let mut child = Command::new("script")
            .args([
                "-q",
                "-c",
                &format!("stty cols 80 rows 24; exec {name} {options}"),
                "/dev/null",
            ])
            .current_dir(program.path(""))
            .env("PATH", format!("{}:{path}", APUS.parent().unwrap().display()))
            .env("HOME", program.path(""))
            .env("TERM", "dumb")
            .env_remove("APUS_CONFIG")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let keys = child.stdin.take().unwrap();
        let mut shell = Self { program, child, keys };
        thread::sleep(Duration::from_secs(1));
        shell.types(load, "ready");
        Some(shell)
    }

    /// Types a command, with its output into a file of this name, and returns what the file then has.
    fn types(&mut self, command: &str, file: &str) -> String {
        let keys = format!("{command} >{file}; echo >{file}.done\r");
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
        let begun = Instant::now();
        loop {
            match self.program.path(&format!("{file}.done")).exists() {
                true => return fs::read_to_string(self.program.path(file)).unwrap(),
                false if begun.elapsed() > Duration::from_secs(30) => {
                    return format!("nothing came of {keys:?}");
                }
                false => thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

impl Drop for Shell<'_> {
    fn drop(&mut self) {
        let _ = self.keys.write_all(b"\x03exit\r");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn completes(name: &str, options: &str, load: &str) {
    let server = EmbeddedS3::start(Options::new().bucket("images").bucket("cold")).unwrap();
    let program =
        Program::new().with_s3("fast", &server, "images").with_s3("slow", &server, "cold");
    for id in ["debian-12", "debian-13", "fedora", "logs/a b", "a:colon"] {
        program.run_with(&["-q", "put", "-", "--id", id], id.as_bytes()).ends(0);
    }
    program.run_with(&["-q", "-b", "slow", "put", "-", "--id", "only"], b"only").ends(0);
    let Some(mut shell) = Shell::start(&program, name, options, load) else { return };
    let apus = "apus -c glance-api.conf -q";
    let mut typed = |keys: &str, file: &str| shell.types(&format!("{apus} {keys}"), file);
    // The configuration of the line is the one that is read.
    assert_eq!(typed("cat fed\t", "1"), "fedora");
    assert_eq!(typed("cat deb\t3", "2"), "debian-13");
    assert_eq!(typed("cat fedora logs/a\t", "3"), "fedoralogs/a b", "a name with a space");
    assert_eq!(typed("cat a:c\t", "4"), "a:colon");
    assert_eq!(typed("cat slow:on\t", "5"), "only", "in another backend");
    assert_eq!(typed("-b sl\t cat on\t", "6"), "only", "of another backend");
    let told = typed("ls log\t", "7");
    assert!(told.contains("logs/a b"), "{told}");
    // The help is printed only if the name of the hash is complete.
    let told = typed("put --hash SHA5\t --help", "hash");
    assert!(told.contains("Usage"), "{told}");
    let told = typed("--json stat fedora --bo\t; apus completions --he\t", "8");
    assert!(told.contains("Usage"), "{told}");
}

#[test]
fn bash_completes_names_backends_and_options() {
    completes("bash", "--norc -i", ". ./apus.bash");
}

#[test]
fn zsh_completes_names_backends_and_options() {
    completes("zsh", "-f -i", "fpath=($PWD $fpath); autoload -U compinit; compinit -u -D");
}

#[test]
fn fish_completes_names_backends_and_options() {
    completes("fish", "--no-config -i", "source apus.fish");
}
