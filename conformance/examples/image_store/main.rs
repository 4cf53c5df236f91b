//! The work of an image store on a real file: in S3 with every checksum mode, in Swift with tokens
//! that live two seconds, and as an image service with a configuration and a database.
//!
//! ```text
//! cargo run --release --example image_store \
//!   [FILE] [--endpoint URL] [--bucket NAME] [--region NAME] [--ca FILE]   # or --help
//! ```
//!
//! Without `--endpoint` it starts servers of its own on the loopback interface: S3 over http and
//! over https, a Keystone and a Swift, and an HTTP proxy. With `--endpoint` it uses that S3 server
//! alone, with the keys in `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`. The default of FILE is
//! this program.
//!
//! In S3, for each mode: upload in parallel parts, download in parallel ranges, compare byte for
//! byte, list, fetch through a presigned URL, delete. A mode that a server refuses is shown with
//! the setting that helps.
//!
//! In Swift, as a single tenant and by trust: upload in segments and download, each for longer than
//! several tokens live, the download cut three times; compare, delete, and check that neither a
//! segment nor a trust is left.
//!
//! As an image service: write a `glance-api.conf` with a backend in S3, through a proxy with a
//! password, and one in Swift; store, read, size and delete in each, and check in the proxy's log
//! that all requests to S3 used it. Then use the rows of a SQLite database in the form of older
//! services, with credentials: each is replaced by compare-and-swap, and the file is searched for
//! the credentials.
//!
//! Each part ends with a table, and the program with an error if anything failed.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program for people")]

mod bar;
mod database;
mod image;
mod s3;
mod service;
mod swift;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use self::image::{Image, MIB};
use self::service::Service;

fn main() -> ExitCode {
    let mut words: Vec<String> = Vec::new();
    for word in std::env::args_os().skip(1) {
        words.push(word.to_string_lossy().into_owned());
    }
    if words.iter().any(|word| matches!(word.as_str(), "-h" | "--help")) {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match run(words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("image_store: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: Vec<String>) -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::read(words)?;
    let path = match &arguments.file {
        Some(file) => file.clone(),
        None => std::env::current_exe()?,
    };
    let image = Image::open(path)?;
    println!("{} ({:.1} MiB)\n", image.path.display(), image.size as f64 / MIB as f64);

    let (mut failed, mut rows) = s3::run(&arguments, &image)?;
    if arguments.endpoint.is_none() {
        println!();
        let swift = swift::run(&image)?;
        println!();
        let service = Service::start()?;
        let backends = service::run(&service, &image)?;
        println!();
        let database = database::run(&service, &image)?;
        for part in [swift, backends, database] {
            failed += part.0;
            rows += part.1;
        }
    }
    match failed {
        0 => Ok(()),
        failed => Err(format!("{failed} of {rows} rows failed").into()),
    }
}

struct Arguments {
    file: Option<PathBuf>,
    endpoint: Option<String>,
    bucket: String,
    region: String,
    ca: Option<PathBuf>,
}

impl Arguments {
    fn read(words: Vec<String>) -> Result<Self, Box<dyn Error>> {
        let mut this = Self {
            file: None,
            endpoint: None,
            bucket: "apus-images".into(),
            region: "us-east-1".into(),
            ca: None,
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} requires a value"));
            match word.as_str() {
                "--endpoint" => this.endpoint = Some(value()?),
                "--bucket" => this.bucket = value()?,
                "--region" => this.region = value()?,
                "--ca" => this.ca = Some(value()?.into()),
                flag if flag.starts_with('-') => {
                    return Err(format!("unknown option {flag}: see --help").into());
                }
                file => this.file = Some(file.into()),
            }
        }
        Ok(this)
    }
}

const HELP: &str = "\
Stores, reads and removes a file as an image service does, with every checksum mode, and prints a table.

Usage: image_store [FILE] [--endpoint URL] [--bucket NAME] [--region NAME] [--ca FILE]

  FILE            the file to store; default: this program
  --endpoint URL  use this S3 server instead of servers of its own on the loopback interface;
                  requires AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
  --bucket NAME   the bucket, which is created if it does not exist; default: apus-images
  --region NAME   the region that requests are signed for; default: us-east-1
  --ca FILE       the CA certificates to trust instead of the default ones
  -h, --help      print this

The exit code is 0 if every row of the tables succeeded, else 1.";
