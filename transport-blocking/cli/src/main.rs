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

mod address;
mod arguments;
mod buckets;
mod cat;
mod check;
mod completions;
mod copy;
mod doctor;
mod exit;
mod get;
mod head;
mod interrupt;
mod list;
mod locations;
mod man;
mod many;
mod names;
mod objects;
mod open;
mod orphans;
mod output;
mod place;
mod pool;
mod progress;
mod put;
mod remove;
mod resume;
mod settings;
mod sign;
mod stat;
mod stdin;
mod sync;
mod tenant;
mod uploads;
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
    let Arguments { mut which, backend, bucket, json, verbose, quiet, command } = arguments;
    if let Command::Put { file, .. } = &command
        && !std::fs::metadata(file).is_ok_and(|found| found.is_file())
    {
        which.limits.hold_parts();
    }
    let other = match &command {
        Command::Copy(copy) => copy.other(),
        Command::Mv(mv) => mv.copy.other(),
        _ => None,
    };
    let stage = Stage { which, backend, bucket, other, output: Output::new(json, verbose, quiet) };
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
    /// The bucket or container in place of that backend's.
    bucket: Option<String>,
    /// The id of a backend, and the bucket or container of it that is used too.
    other: Option<(String, String)>,
    output: Output,
}

impl Stage {
    fn run(&self, command: Command) -> Result<Exit, Failure> {
        match command {
            Command::Put { file, id, objects, .. } if objects.is_given() => {
                sync::put(self, &file, id.as_deref(), &objects)
            }
            Command::Put { file, id, size, hash, resume, .. } => {
                put::run(self, &file, id.as_deref(), size, hash.0, resume)
            }
            Command::Get(get) if get.objects.is_given() => {
                sync::get(self, &get.location, get.output.as_deref(), &get.objects)
            }
            Command::Get(get) => get::run(self, &get),
            Command::Sync(sync) => sync::run(self, &sync),
            Command::Ls(ls) => list::ls(self, &ls),
            Command::Du(du) => list::du(self, &du),
            Command::Cat { locations } => cat::run(self, &locations),
            Command::Mb { name } => buckets::mb(self, name.as_deref()),
            Command::Rb { name } => buckets::rb(self, &name),
            Command::Stat(stat) => stat::run(self, &stat),
            Command::Rm(rm) => remove::run(self, &rm),
            Command::Presign { location, method, expires } => {
                sign::presign(self, &location, method, expires)
            }
            Command::Tempurl { location, method, expires, key_file } => {
                sign::tempurl(self, &location, method, expires, key_file.as_deref())
            }
            Command::Copy(copy) => copy::run(self, &copy),
            Command::Mv(mv) => copy::mv(self, &mv),
            Command::Doctor => doctor::run(self),
            Command::Uploads(command) => uploads::run(self, &command),
            Command::Orphans(orphans) => orphans::run(self, &orphans),
            Command::Locations(command) => locations::run(self, &command),
            Command::Config(command) => check::run(self, &command),
            Command::Completions { shell } => completions::run(self, shell),
            Command::Complete { what, prefix, words } => {
                completions::complete(self, what, &prefix, &words)
            }
            Command::Man { directory } => man::run(self, directory.as_deref()),
        }
    }

    /// Installs the signal handler: from now on, a signal cancels all runs.
    fn interrupt(&self) -> Result<Interrupt, Failure> {
        Interrupt::listen(self.output)
    }
}
