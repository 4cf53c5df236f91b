//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use apus_core::checksum::Algorithm;
use apus_core::http::ByteRange;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use clap_complete::Shell;

use crate::exit::{CODES, Exit};
use crate::locations::Locations;
use crate::output::redacted;
use crate::settings::Which;
use crate::sign::Method;

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

    /// Report requests, retries and renewed tokens
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
    /// Store a file
    ///
    /// Prints its location. An object of that name that is there already is not replaced (4).
    Put {
        /// The file; - is standard input
        file: PathBuf,

        /// The id of the image, which is the object's name; the file's name without it
        #[arg(long)]
        id: Option<String>,

        /// Bytes that there have to be; others are an error, and nothing is left
        #[arg(long)]
        size: Option<u64>,

        /// The algorithm of the multihash
        #[arg(long, value_name = "ALGORITHM", default_value = "SHA512")]
        hash: Algorithm,
    },

    /// Fetch an object
    Get {
        /// Its location, or its name in the backend
        location: String,

        /// The file that gets it; standard output without it
        ///
        /// It is replaced when all of the object is there and checked, and is what it was until then and
        /// when anything fails. Owner and mode stay, links are followed; a FIFO or a device is written
        /// through.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,

        /// These bytes alone: FIRST-LAST, FIRST- or -LENGTH
        #[arg(short, long, value_parser = crate::get::range, allow_hyphen_values = true)]
        range: Option<ByteRange>,
    },

    /// List the objects of the backend: size, time, name
    Ls {
        /// Only names that begin so
        prefix: Option<String>,
    },

    /// Tell what is known of an object
    Stat {
        /// Its location, or its name in the backend
        location: String,
    },

    /// Remove objects
    Rm {
        /// Their locations, or their names in the backend
        #[arg(required = true, value_name = "LOCATION")]
        locations: Vec<String>,
    },

    /// Make a URL to an object in S3 that anybody can use for a while
    Presign {
        /// Its location, or its name in the backend
        location: String,

        /// What may be done with it
        #[arg(short, long, value_enum, ignore_case = true, default_value = "GET")]
        method: Method,

        /// How long: seconds, or 15m, 2h, 7d
        #[arg(short = 'x', long, value_name = "TIME", default_value = "1h", value_parser = crate::sign::duration)]
        expires: Duration,
    },

    /// Make a URL to an object in Swift that anybody can use for a while
    Tempurl {
        /// Its location, or its name in the backend
        location: String,

        /// What may be done with it
        #[arg(short, long, value_enum, ignore_case = true, default_value = "GET")]
        method: Method,

        /// How long: seconds, or 15m, 2h, 7d
        #[arg(short = 'x', long, value_name = "TIME", default_value = "1h", value_parser = crate::sign::duration)]
        expires: Duration,

        /// A file with the key; that of the container or the account without it
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
    },

    /// Copy an object into another backend, and compare its digests on both sides
    Copy {
        /// Its location, or its name in the backend
        location: String,

        /// The id of the backend that gets it
        #[arg(long, value_name = "ID")]
        to: String,

        /// Its name there; the same without it
        #[arg(long)]
        id: Option<String>,

        /// Read the copy once more and compare that, too
        #[arg(long)]
        read_again: bool,
    },

    /// Try what the server of each backend really does, and say which options follow
    ///
    /// Reachability, TLS, clock, authentication, addressing, each checksum in each place, aws-chunked,
    /// conditional writes, multipart, large objects, temporary URLs, the proxy; on objects of its own,
    /// which it removes again. --verbose tells each result as it comes.
    Doctor,

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

/// Prints what is wrong with a command line, or the help that was requested. Redacts the arguments
/// that clap repeats, because they may be locations with credentials inside.
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
