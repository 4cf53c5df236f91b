//! `apus`: manages the objects and locations of an image service's backends.
//!
//! ```text
//!  arguments ──▶ settings: a glance-api.conf, --store, or the environment
//!      │             │
//!      ▼             ▼
//!  a file for each command ──▶ output: text, or JSON lines
//!                          └─▶ exit: a code that scripts can use, and one line that says why
//! ```
//!
//! No output contains a secret: locations are printed without credentials, and configured secrets
//! can't be printed.

mod arguments;
mod check;
mod completions;
mod copy;
mod doctor;
mod exit;
mod get;
mod interrupt;
mod list;
mod locations;
mod man;
mod open;
mod output;
mod put;
mod remove;
mod settings;
mod sign;
mod watch;

use std::process::ExitCode;

use clap::Parser as _;

use self::arguments::{Arguments, Command};
use self::exit::{Exit, Failure};
use self::interrupt::Interrupt;
use self::output::Output;
use self::settings::Which;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return arguments::refuse(&error),
    };
    let Arguments { which, backend, json, verbose, quiet, command } = arguments;
    let stage = Stage { which, backend, output: Output::new(json, verbose, quiet) };
    match stage.run(command) {
        Ok(exit) => exit.into(),
        Err(failure) => stage.output.fail(&failure).into(),
    }
}

/// What every command gets.
struct Stage {
    which: Which,
    /// The id of the backend that was requested.
    backend: Option<String>,
    output: Output,
}

impl Stage {
    fn run(&self, command: Command) -> Result<Exit, Failure> {
        match command {
            Command::Put { file, id, size, hash } => {
                put::run(self, &file, id.as_deref(), size, hash)
            }
            Command::Get { location, output, range } => {
                get::run(self, &location, output.as_deref(), range)
            }
            Command::Ls { prefix } => list::ls(self, prefix.as_deref()),
            Command::Stat { location } => list::stat(self, &location),
            Command::Rm { locations } => remove::run(self, &locations),
            Command::Presign { location, method, expires } => {
                sign::presign(self, &location, method, expires)
            }
            Command::Tempurl { location, method, expires, key_file } => {
                sign::tempurl(self, &location, method, expires, key_file.as_deref())
            }
            Command::Copy { location, to, id, read_again } => {
                copy::run(self, &location, &to, id.as_deref(), read_again)
            }
            Command::Doctor => doctor::run(self),
            Command::Locations(command) => locations::run(self, &command),
            Command::Config(command) => check::run(self, &command),
            Command::Completions { shell } => completions::run(self, shell),
            Command::Man { directory } => man::run(self, directory.as_deref()),
        }
    }

    /// Installs the signal handler: from now on, a signal cancels all runs.
    fn interrupt(&self) -> Result<Interrupt, Failure> {
        Interrupt::listen()
    }
}
