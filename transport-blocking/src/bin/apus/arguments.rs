//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use clap_complete::Shell;

use crate::exit::{CODES, Exit};
use crate::locations::Locations;
use crate::output::redacted;
use crate::settings::Which;

/// Objects in S3 and OpenStack Swift, by the configuration of an image service.
///
/// LOCATION is what an image service keeps (s3+https://host/bucket/key,
/// swift+config://reference/container/object), or the name of an object in the backend.
#[derive(Debug, Parser)]
#[command(name = "apus", version, after_help = CODES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) which: Which,

    /// The backend to work on, instead of the default one
    #[arg(short, long, global = true, value_name = "ID")]
    pub(crate) backend: Option<String>,

    /// Write results as JSON, one document on a line, and errors too
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Tell what happens on the way: requests, retries, renewed tokens
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Say nothing but results and why it failed
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Stored locations: what a table of them holds, and what it should hold
    #[command(subcommand)]
    Locations(Locations),

    /// The configuration
    #[command(subcommand)]
    Config(Config),

    /// Write a script that lets a shell complete the command line
    Completions {
        /// Which shell
        shell: Shell,
    },

    /// Write the manual page
    Man {
        /// A directory that gets a page for each command instead
        #[arg(value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check it whole, with the files that it names, and say everything that is wrong
    ///
    /// Ends with 0 when nothing is wrong (warnings are told and do not count), or with 6.
    Check,
}

/// Says what is wrong with a command line, or the help that was asked for. Arguments that clap
/// repeats may be locations with credentials inside.
pub(crate) fn refuse(error: &clap::Error) -> ExitCode {
    if !matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        let mut text = error.render().to_string();
        for argument in std::env::args().skip(1).filter(|argument| argument.contains("://")) {
            text = text.replace(&argument, &redacted(&argument));
        }
        crate::output::complain(text.trim_end());
        return Exit::Usage.into();
    }
    let _ = error.print();
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
}
