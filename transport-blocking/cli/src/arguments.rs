//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use apus_core::checksum::{Algorithm, Hashers};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use clap_complete::Shell;

use crate::exit::{CODES, Exit, Failure};
use crate::locations::Locations;
use crate::output::{Output, redacted};
use crate::settings::Which;
use crate::sign::Method;

/// Objects in S3 and OpenStack Swift, by the configuration of an image service.
///
/// LOCATION is what an image service keeps (s3+https://host/bucket/key,
/// swift+config://reference/container/object), the name of an object in the backend, or
/// BACKEND:NAME for the name of an object in another one.
#[derive(Debug, Parser)]
#[command(name = "apus", version, after_help = CODES, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) which: Which,

    /// The id of the backend to use; default: the default backend
    #[arg(short, long, global = true, value_name = "ID")]
    pub(crate) backend: Option<String>,

    /// The bucket or container to use in place of that of the backend
    #[arg(long, global = true, value_name = "NAME", visible_alias = "container")]
    pub(crate) bucket: Option<String>,

    /// Write results and errors as JSON, one document per line
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Report requests, retries and renewed tokens
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Write only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Store a file
    ///
    /// Prints the location of the object. An object that exists already is not replaced (exit code 4).
    Put {
        /// The file to store; - is standard input
        file: PathBuf,

        /// The id of the image, used as the object's name; default: the file's name
        ///
        /// With --recursive: what the names of the objects begin with, before their paths; default:
        /// nothing.
        #[arg(long)]
        id: Option<String>,

        /// Expected size in bytes; with another size the command fails and leaves no object
        #[arg(long)]
        size: Option<u64>,

        /// The algorithm of the multihash that is printed; none computes neither it nor the MD5, which
        /// an image service records
        #[arg(long, value_name = "ALGORITHM", default_value = "SHA512", value_parser = multihash(), ignore_case = true)]
        hash: Multihash,

        /// Continue an upload that ended early, and keep what was sent if this one does
        ///
        /// For files that are sent in parts. The state is kept in ~/.local/state/apus.
        #[arg(long, conflicts_with = "recursive")]
        resume: bool,

        #[command(flatten)]
        objects: crate::sync::PutObjects,
    },

    /// Download an object, and compare it with what is known of it
    ///
    /// The bytes are compared with the checksum or the ETag of the server where it is one of them, and
    /// with --expect and --size. What differs is an error (exit code 8).
    Get(crate::get::Get),

    /// Make a prefix of a backend equal to a directory, or a directory to a prefix
    ///
    /// Names are compared, then sizes, then ETags, or times where an ETag proves nothing. What is
    /// equal is not transferred: a command that was interrupted is run again.
    Sync(crate::sync::Sync),

    /// List the objects of the backend: size, time, name
    Ls(crate::list::Ls),

    /// Add up the sizes of the objects of the backend: bytes, number, prefix
    Du(crate::list::Du),

    /// Write objects to standard output, one after another
    Cat {
        /// The objects' locations, or their names in the backend
        #[arg(required = true, value_name = "LOCATION")]
        locations: Vec<String>,
    },

    /// Create a bucket or a container
    Mb {
        /// Its name; default: that of the backend
        name: Option<String>,
    },

    /// Remove an empty bucket or container
    Rb {
        /// Its name
        name: String,
    },

    /// Show the properties of objects
    Stat(crate::stat::Stat),

    /// Remove objects
    Rm(crate::remove::Rm),

    /// Create a temporary URL for an object in S3, usable without credentials
    Presign {
        /// The object's location, or its name in the backend
        location: String,

        /// The method that the URL permits
        #[arg(short, long, value_enum, ignore_case = true, default_value = "GET")]
        method: Method,

        /// How long the URL is valid: seconds, or 15m, 2h, 7d
        #[arg(short = 'x', long, value_name = "TIME", default_value = "1h", value_parser = crate::sign::duration)]
        expires: Duration,
    },

    /// Create a temporary URL for an object in Swift, usable without credentials
    Tempurl {
        /// The object's location, or its name in the backend
        location: String,

        /// The method that the URL permits
        #[arg(short, long, value_enum, ignore_case = true, default_value = "GET")]
        method: Method,

        /// How long the URL is valid: seconds, or 15m, 2h, 7d
        #[arg(short = 'x', long, value_name = "TIME", default_value = "1h", value_parser = crate::sign::duration)]
        expires: Duration,

        /// A file with the key; default: the key of the container, or of the account
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
    },

    /// Copy objects into another backend or bucket, and compare them on both sides
    ///
    /// What is read is compared with the checksum or ETag of its server; the stored copy with the
    /// digests of what was read: by its size and ETag, or where the ETag is no MD5 (an object in
    /// parts), by reading the copy again.
    Copy(crate::copy::Copy),

    /// Copy objects to another place or name, and remove the sources
    ///
    /// An object is removed only once its copy is compared as by `copy`, or where that compared the size
    /// alone, by the bytes of both, and if it has not changed meanwhile. If it can't be removed, both
    /// are named (exit code 9).
    Mv(crate::copy::Mv),

    /// Test what the server of each backend supports, and print the options that result
    ///
    /// Tests reachability, TLS, clock, authentication, addressing, each checksum in each place,
    /// aws-chunked, conditional writes, multipart uploads, large objects, temporary URLs and the
    /// proxy. Uses objects of its own, which it removes. --verbose prints each result immediately.
    Doctor,

    /// List, abort and expire multipart uploads in progress
    #[command(subcommand)]
    Uploads(crate::uploads::Uploads),

    /// List and remove segments in Swift that no manifest names
    ///
    /// Without --yes it only prints them. Segments are objects with the names that apus, swiftclient
    /// and glance_store give them, in the backend's containers and in those with _segments after the
    /// name. The manifests of all containers of the account are read: if one can't be, nothing is
    /// removed.
    Orphans(crate::orphans::Orphans),

    /// Check and migrate stored locations
    #[command(subcommand)]
    Locations(Locations),

    /// Check the configuration
    #[command(subcommand)]
    Config(Config),

    /// Write a shell completion script
    Completions {
        /// The shell
        shell: Shell,
    },

    /// Print the words that a completion script offers
    #[command(hide = true)]
    Complete {
        #[arg(value_enum)]
        what: crate::completions::Completed,
        #[arg(default_value = "", allow_hyphen_values = true)]
        prefix: String,
        /// The words of the command line so far
        #[arg(last = true)]
        words: Vec<OsString>,
    },

    /// Write the manual page
    Man {
        /// Write a page for each command into this directory instead
        #[arg(value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check the whole configuration and the files that it names, and print every error
    ///
    /// The exit code is 0 if there are no errors, else 6. Warnings are printed and do not count.
    Check,
}

/// The algorithm of a multihash; `None` if no digest is computed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Multihash(pub(crate) Option<Algorithm>);

fn multihash() -> impl TypedValueParser<Value = Multihash> {
    let names = Algorithm::ALL.into_iter().filter(|one| Hashers::new([*one]).is_ok());
    let names = names.map(Algorithm::name).chain(["none"]);
    PossibleValuesParser::new(names.map(PossibleValue::new)).try_map(|name| {
        match name.eq_ignore_ascii_case("none") {
            true => Ok(Multihash(None)),
            false => name.parse::<Algorithm>().map(|algorithm| Multihash(Some(algorithm))),
        }
    })
}

/// The names of the digests that can be computed, which completions know.
pub(crate) fn algorithm() -> impl TypedValueParser<Value = Algorithm> {
    let names = Algorithm::ALL.into_iter().filter(|one| Hashers::new([*one]).is_ok());
    PossibleValuesParser::new(names.map(|name| PossibleValue::new(name.name())))
        .try_map(|name| name.parse::<Algorithm>())
}

/// Prints what is wrong with a command line, or the help that was requested. Redacts the arguments
/// that clap repeats, because they may be locations with credentials inside.
pub(crate) fn refuse(error: &clap::Error) -> ExitCode {
    // Before `--`, as clap found no valid command line to say so.
    let mut given = std::env::args_os().skip(1).take_while(|argument| argument != "--");
    let json = given.any(|argument| argument == "--json");
    let asks = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let lacks = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if asks || (lacks && !json) {
        let printed = error.print();
        return match printed.map_err(Failure::from) {
            // Nobody has read it.
            Err(failure) if !error.use_stderr() && failure.exit != Exit::Done => {
                Output::new(json, 0, false).fail(&failure).into()
            }
            _ if error.use_stderr() => Exit::Usage.into(),
            _ => Exit::Done.into(),
        };
    }
    let mut text = match lacks {
        true => "missing command: see `apus --help`".to_owned(),
        false => error.render().to_string(),
    };
    for argument in std::env::args_os().skip(1) {
        let argument = argument.to_string_lossy();
        if argument.contains("://") {
            text = text.replace(&*argument, &redacted(&argument));
        }
    }
    crate::output::complain(text.trim_end(), json);
    Exit::Usage.into()
}
