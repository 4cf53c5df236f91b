//! `apus-conformance run PATH... [--suite NAME]... [--json]`: see [`apus_conformance::run`].
//!
//! `apus-conformance faults --transfers N --seed S [--only NUMBER]`: see
//! [`apus_conformance::faults`].
//!
//! `apus-conformance operators [FILE]`: see [`apus_conformance::operators`].
//!
//! `apus-conformance simulate [--schedules N] [--seed S] [--only NAME]`: see
//! [`apus_conformance::sim`].

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what a command does")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use apus_conformance::run::{self, Selection};
use apus_conformance::{faults, operators, sim};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next();
    match command.as_deref() {
        Some("run") => match Arguments::parse(arguments) {
            Ok(arguments) => start(&arguments),
            Err(what) => wrong(&what),
        },
        Some("faults") => match fault_options(arguments) {
            Ok(options) => transfer(&options),
            Err(what) => wrong(&what),
        },
        Some("operators") => match write_reference(arguments.next().as_deref().map(Path::new)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(what) => wrong(&what),
        },
        Some("simulate") => match Simulation::parse(arguments) {
            Ok(wanted) => simulate(&wanted),
            Err(what) => wrong(&what),
        },
        Some("--help" | "-h" | "help") => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Some(other) => wrong(&format!("there is no command {other:?}")),
        None => wrong("there is no command"),
    }
}

struct Arguments {
    paths: Vec<PathBuf>,
    selection: Selection,
    json: bool,
}

impl Arguments {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut paths, mut suites, mut json) = (Vec::new(), Vec::new(), false);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--json" => json = true,
                "--suite" => suites.push(arguments.next().ok_or("--suite needs a name")?),
                option if option.starts_with("--suite=") => {
                    suites.push(option["--suite=".len()..].to_owned());
                }
                option if option.starts_with('-') => {
                    return Err(format!("there is no option {option:?}"));
                }
                path => paths.push(path.into()),
            }
        }
        if paths.is_empty() {
            return Err("there is no path to run".into());
        }
        Ok(Self { paths, selection: Selection::of(&suites)?, json })
    }
}

/// The arguments of `simulate`: how many schedules, from which seed on, of which workload.
struct Simulation {
    schedules: u64,
    seed: u64,
    only: Option<String>,
    /// Whether the trace of a successful schedule is shown.
    traces: bool,
}

impl Simulation {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut this = Self { schedules: 10_000, seed: 1, only: None, traces: false };
        while let Some(argument) = arguments.next() {
            if argument == "--trace" {
                this.traces = true;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
            let number = || value.parse().map_err(|_| format!("{value:?} is no number"));
            match argument.as_str() {
                "--schedules" => this.schedules = number()?,
                "--seed" => this.seed = number()?,
                "--replay" => (this.schedules, this.seed) = (1, number()?),
                "--only" => this.only = Some(value),
                other => return Err(format!("there is no option {other:?}")),
            }
        }
        Ok(this)
    }
}

fn simulate(wanted: &Simulation) -> ExitCode {
    if let (true, Some(only)) = (wanted.traces, &wanted.only) {
        match sim::trace(wanted.seed, only) {
            Ok(trace) => print!("{trace}"),
            Err(what) => return wrong(&what),
        }
    }
    let began = std::time::Instant::now();
    match sim::simulate(wanted.schedules, wanted.seed, wanted.only.as_deref()) {
        Ok(report) => {
            print!("{report}");
            println!("{:.1} s", began.elapsed().as_secs_f64());
            if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(what) => wrong(&what),
    }
}

fn start(arguments: &Arguments) -> ExitCode {
    let report = run::run(&arguments.paths, &arguments.selection);
    if arguments.json {
        println!("{}", report.json());
    } else {
        print!("{report}");
    }
    if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn fault_options(mut arguments: impl Iterator<Item = String>) -> Result<faults::Options, String> {
    let mut options = faults::Options { transfers: 200, seed: 1, only: None, jobs: 6 };
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let value = arguments.next().ok_or(format!("{argument} needs a number"))?;
            value.parse().map_err(|_| format!("{argument} needs a number, and has {value:?}"))
        };
        match argument.as_str() {
            "--transfers" => options.transfers = number()?,
            "--seed" => options.seed = number()?,
            "--only" => options.only = Some(number()?),
            "--jobs" => options.jobs = usize::try_from(number()?).unwrap_or(usize::MAX),
            _ => return Err(format!("there is no option {argument:?}")),
        }
    }
    Ok(options)
}

fn transfer(options: &faults::Options) -> ExitCode {
    match faults::run(options, |story| println!("{story}")) {
        Ok(report) => {
            print!("{report}");
            if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(what) => {
            eprintln!("apus-conformance: {what}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the reference of options, or updates it in a document.
fn write_reference(document: Option<&Path>) -> Result<(), String> {
    let Some(path) = document else {
        print!("{}", operators::reference());
        return Ok(());
    };
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(told)?;
    let text = operators::updated(&text)
        .ok_or_else(|| format!("{}: no reference of options is in it", path.display()))?;
    std::fs::write(path, text).map_err(told)
}

fn wrong(what: &str) -> ExitCode {
    eprintln!("apus-conformance: {what}\n{USAGE}");
    ExitCode::from(2)
}

const USAGE: &str = "usage: apus-conformance run PATH... [--suite NAME]... [--json]
       apus-conformance faults [--transfers N] [--seed S] [--only NUMBER] [--jobs N]
       apus-conformance operators [FILE]
       apus-conformance simulate [--schedules N] [--seed S] [--only NAME] [--trace] [--replay SEED]";
