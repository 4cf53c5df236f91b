//! Runs recorded vectors against the core.
//!
//! ```text
//! PATH... ──▶ *.json ──▶ Vectors { suite, cases } ──suite's function──▶ Check ──▶ Report
//!                                                   one per case        what differs
//! ```
//!
//! A file is `{"suite", "source", "cases": [{"name", "input", "expect"}]}`. Everything is strict:
//! an unknown suite, an unknown field and a value of the wrong kind are failures and never skipped.
//! A case is skipped only where it says so itself (`"skip": "why"`).
//!
//! Not compared are: the order of headers and of query pairs; the bytes of XML documents, and the
//! digests that follow from them (they must be right for our bytes); members of an output that are
//! false or empty, which count as absent; and the text of a refused endpoint. The suites of Swift
//! have further exceptions, which their modules state.

mod aws_config;
mod checksum;
mod compare;
mod endpoint;
mod keystone;
mod location;
mod location_encryption;
mod migration;
mod operator_files;
mod oslo_config;
mod post_policy;
mod report;
mod s3;
mod sigv4;
mod swift;
mod value;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use self::compare::Check;
pub use self::report::{Report, Tally};
use self::value::Fields;

/// Runs every `*.json` file under these paths, in the order of their names.
///
/// A path that is a file is run whatever its name. What can't be read is a failure of the report.
pub fn run(paths: &[PathBuf], selection: &Selection) -> Report {
    let mut report = Report::default();
    for path in paths {
        let mut files = Vec::new();
        match collect(path, &mut files) {
            Err(error) => report.broken(path, error),
            Ok(()) if files.is_empty() => report.broken(path, "there is no *.json file"),
            Ok(()) => {
                for file in files {
                    run_file(&file, selection, &mut report);
                }
            }
        }
    }
    report
}

/// Returns the output that the response of an `s3-response` case is parsed to, as JSON with the
/// names of S3's API.
///
/// # Errors
///
/// The input can't be read, or the response is an error.
pub fn s3_output(input: serde_json::Value) -> Result<serde_json::Value, String> {
    s3::output(serde_json::from_value(input).map_err(|error| error.to_string())?)
}

/// The suites to run.
#[derive(Clone, Debug, Default)]
pub struct Selection(Vec<&'static str>);

impl Selection {
    /// Selects the suites of these names; all where the list is empty.
    ///
    /// # Errors
    ///
    /// No suite has one of the names.
    pub fn of(names: &[String]) -> Result<Self, String> {
        let known = |name: &String| {
            let suite = SUITES.iter().find(|(known, _)| known == name);
            suite.map(|(known, _)| *known).ok_or_else(|| format!("there is no suite {name:?}"))
        };
        names.iter().map(known).collect::<Result<_, _>>().map(Self)
    }

    fn takes(&self, suite: &str) -> bool {
        self.0.is_empty() || self.0.contains(&suite)
    }
}

/// One file of vectors.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    suite: String,
    /// The origin of the cases, for readers of the file.
    #[serde(rename = "source")]
    _source: Option<String>,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    input: Fields,
    expect: Fields,
    skip: Option<String>,
}

/// Runs one case: finds differences, or returns why the case can't be read.
type Suite = fn(Fields, Fields, &mut Check) -> Result<(), String>;

const SUITES: &[(&str, Suite)] = &[
    ("sigv4-header", sigv4::header),
    ("sigv4-query", sigv4::query),
    ("sigv4-chunked", sigv4::chunked),
    ("checksum", checksum::checksum),
    ("checksum-parts", checksum::parts),
    ("aws-chunked", checksum::aws_chunked),
    ("s3-request", s3::request),
    ("s3-response", s3::response),
    ("s3-presign", s3::presign),
    ("s3-endpoint", endpoint::endpoint),
    ("s3-host-region", endpoint::host_region),
    ("s3-post-policy", post_policy::post_policy),
    ("location-s3", location::s3),
    ("location-swift", location::swift),
    ("location-encryption", location_encryption::run),
    ("migration", migration::migration),
    ("oslo-config", oslo_config::oslo_config),
    ("swift-references", operator_files::references),
    ("enabled-backends", operator_files::enabled_backends),
    ("aws-config", aws_config::aws_config),
    ("keystone-auth", keystone::auth),
    ("keystone-catalog", keystone::catalog),
    ("token-renewal", keystone::renewal),
    ("clouds-yaml", keystone::clouds),
    ("swift-request", swift::request),
    ("swift-response", swift::response),
    ("swift-tempurl", swift::temp_url),
    ("swift-manifest", swift::manifest),
];

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), std::io::Error> {
    if !fs::metadata(path)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries: Result<Vec<_>, _> = fs::read_dir(path)?.collect();
    let mut paths: Vec<PathBuf> = entries?.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    Ok(())
}

fn run_file(file: &Path, selection: &Selection, report: &mut Report) {
    let vectors: Vectors = match fs::read(file) {
        Err(error) => return report.broken(file, error),
        Ok(text) => match serde_json::from_slice(&text) {
            Err(error) => return report.broken(file, error),
            Ok(vectors) => vectors,
        },
    };
    if !selection.takes(&vectors.suite) {
        return;
    }
    let Some((suite, run)) = SUITES.iter().find(|(name, _)| *name == vectors.suite) else {
        return report.broken(file, format!("there is no suite {:?}", vectors.suite));
    };
    let tally = report.suite(suite);
    for case in vectors.cases {
        if case.skip.is_some() {
            tally.skipped += 1;
            continue;
        }
        let mut check = Check::default();
        if let Err(why) = run(case.input, case.expect, &mut check) {
            check.differs("case", "one that can be read", why);
        }
        tally.count(file, case.name, check.into_differences());
    }
}
