//! `apus get`: fetches an object.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use apus_blocking::Sink;
use apus_core::checksum::{Algorithm, Digests, Value};
use apus_core::http::ByteRange;
use apus_core::store::{self, StoredImage};
use clap::Args;
use serde_json::{Map, json};

use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::locations::is_dash;
use crate::open::Open;
use crate::place::Place;
use crate::progress::human;
use crate::resume;

/// The arguments.
#[derive(Args, Clone, Debug)]
pub(crate) struct Get {
    /// The object's location, or its name in the backend
    pub(crate) location: String,

    /// The file to write to; default: standard output
    ///
    /// The file is replaced after the whole object was received and checked. If the command
    /// fails, the file is unchanged. Owner and mode are kept, and links are followed. A FIFO or a
    /// device is written directly.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Only these bytes: FIRST-LAST, FIRST- or -LENGTH
    #[arg(short, long, value_parser = range, allow_hyphen_values = true, conflicts_with = "expect")]
    range: Option<ByteRange>,

    /// A digest of the whole object, as ALGORITHM:HEX; another one is an error
    ///
    /// Can be repeated. To standard output the bytes are written before the last one is compared.
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    expect: Vec<Value>,

    /// The size of the whole object in bytes; another one is an error before anything is written
    #[arg(long, value_name = "BYTES")]
    size: Option<u64>,

    /// Continue a download that ended early, and keep what was read if this one does
    ///
    /// The bytes are kept beside the file, in .FILE.apus-part. They are compared with the object's
    /// ETag where it is an MD5, and with --expect, after the last one.
    #[arg(long, requires = "output", conflicts_with = "range")]
    resume: bool,

    /// Print the digest of the bytes by this algorithm, as --expect takes it
    ///
    /// Can be repeated. On standard output if the object goes to a file, else on standard error.
    #[arg(long, value_name = "ALGORITHM", value_parser = crate::arguments::algorithm(), ignore_case = true)]
    digest: Vec<Algorithm>,

    #[command(flatten)]
    pub(crate) objects: crate::sync::GetObjects,
}

pub(crate) fn run(stage: &Stage, arguments: &Get) -> Result<Exit, Failure> {
    let open = stage.open_to_read()?;
    let stored = open.stored(&arguments.location)?;
    let path = arguments.output.as_deref().filter(|path| !is_dash(path));
    let get = store::Get {
        range: arguments.range.clone(),
        concurrency: if path.is_some() { stage.which.limits.ranges() } else { 1 },
        size: arguments.size,
        expected: arguments.expect.clone(),
        digests: arguments.digest.clone(),
    };
    match (path, arguments.resume) {
        (Some(path), true) => {
            let read = resume::get::run(stage, &open, &stored, path, &get)?;
            read.remarks.iter().for_each(|remark| stage.output.remark(remark));
            let checked = (read.checked, read.is_validated);
            return told(stage, arguments, (read.size, Some(read.size)), &read.digests, checked);
        }
        (None, true) => return Err(Failure::usage("--resume requires a file: set --output")),
        (Some(path), false) => resume::get::tell_left(stage, path),
        (None, false) => {}
    }
    let name = path.map_or("standard output".into(), |path| path.display().to_string());
    let sink = match path {
        Some(path) => Sink::path(path).map_err(|error| Failure::from(error).of_output(&name))?,
        None => Sink::writer(io::stdout()),
    };
    let place = Place::of_stored(&open, &stored);
    let total = length(stage, &open, &stored, arguments);
    // A terminal that shows the bytes shows no progress between them.
    let is_apart = path.is_some() || !io::stdout().is_terminal();
    let shown = is_apart.then(|| open.watch.show(place.key().unwrap_or("get"), total));
    let got = open.stores.get(&stored, &get, &sink);
    let got = got.map_err(|error| open.at(&stored)(error).of_output(&name))?.outcome;
    drop(shown);
    for remark in sink.remarks() {
        stage.output.remark(&remark);
    }
    let checked = (got.validation.to_string(), got.validation.is_validated());
    told(stage, arguments, (got.bytes, got.size), &got.digests, checked)
}

/// Reports what was read: how many bytes, of an object of which size, and how they were compared.
fn told(
    stage: &Stage,
    arguments: &Get,
    (bytes, size): (u64, Option<u64>),
    digests: &Digests,
    (mut checked, is_validated): (String, bool),
) -> Result<Exit, Failure> {
    let has_file = arguments.output.as_deref().is_some_and(|path| !is_dash(path));
    if !arguments.expect.is_empty() {
        let expected = arguments.expect.iter().map(|value| value.algorithm().to_string());
        let expected = expected.collect::<Vec<_>>().join(" and ");
        checked = format!("has the expected {expected}; {checked}");
    }
    let mut told = json!({
        "bytes": bytes, "size": size, "checked": checked,
        "validated": is_validated || !arguments.expect.is_empty(),
    });
    let digests = printed(digests, &arguments.digest);
    if !digests.is_empty() {
        let members = digests.iter().filter_map(|text| text.split_once(':'));
        let members: Map<_, _> =
            members.map(|(algorithm, hex)| (algorithm.to_owned(), json!(hex))).collect();
        told["digests"] = json!(members);
    }
    let text = format_args!("{} read; {checked}", human(bytes));
    match (stage.output.is_json(), has_file) {
        (true, true) => stage.output.result(&told, "")?,
        // Standard output has the object.
        (_, false) => {
            stage.output.remark_document(&told, text);
            let mut lines = digests.iter().filter(|_| !stage.output.is_json());
            lines.by_ref().for_each(|digest| stage.output.remark(digest));
        }
        (false, true) => {
            for digest in &digests {
                stage.output.result(&json!(null), digest)?;
            }
            stage.output.remark(text);
        }
    }
    Ok(Exit::Done)
}

/// Returns how many bytes will be read, for the progress line.
fn length(stage: &Stage, open: &Open, stored: &StoredImage, get: &Get) -> Option<u64> {
    if !stage.output.shows_progress() {
        return None;
    }
    let size = match get.size {
        Some(size) => size,
        None => open.stores.size(stored).ok()?.outcome,
    };
    let of = |range: &ByteRange| range.resolve(size).map(|range| range.end - range.start);
    get.range.as_ref().map_or(Some(size), of)
}

/// Returns `sha512:1f…` for each algorithm, each once.
fn printed(digests: &Digests, algorithms: &[Algorithm]) -> Vec<String> {
    let mut lines = Vec::new();
    for value in algorithms.iter().filter_map(|algorithm| digests.value(*algorithm)) {
        let line = format!("{}:{}", value.algorithm().to_string().to_lowercase(), value.hex());
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// Parses `sha512:1f…`.
fn digest(text: &str) -> Result<Value, String> {
    let (algorithm, hex) =
        text.split_once(':').ok_or("expected ALGORITHM:HEX, such as sha256:e3b0c442…")?;
    let algorithm: Algorithm = algorithm.parse().map_err(|error| format!("{error}"))?;
    Value::from_hex(algorithm, hex).map_err(|error| error.message().to_owned())
}

/// Parses `0-99`, `100-` or `-100`; the last byte is included, as in HTTP.
pub(crate) fn range(text: &str) -> Result<ByteRange, String> {
    let bad = || "expected FIRST-LAST, FIRST- or -LENGTH, in bytes".to_owned();
    let number = |text: &str| text.parse::<u64>().map_err(|_| bad());
    let (first, last) = text.split_once('-').ok_or_else(bad)?;
    match (first, last) {
        ("", last) => match number(last)? {
            0 => Err(bad()),
            length => Ok(ByteRange::Last(length)),
        },
        (first, "") => Ok(ByteRange::From(number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first || last == u64::MAX {
                return Err(bad());
            }
            Ok(ByteRange::Span(first..last + 1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_name_their_algorithm() {
        let md5 = "md5:d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(digest(md5).unwrap().algorithm(), Algorithm::Md5);
        for wrong in ["", "md5", "md5:", "md5:d4", "md4:d41d8cd98f00b204e9800998ecf8427e"] {
            assert!(digest(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ranges_are_read_as_http_has_them() {
        assert_eq!(range("0-99"), Ok(ByteRange::Span(0..100)));
        assert_eq!(range("7-7"), Ok(ByteRange::Span(7..8)));
        assert_eq!(range("100-"), Ok(ByteRange::From(100)));
        assert_eq!(range("-5"), Ok(ByteRange::Last(5)));
        for wrong in ["", "-", "5", "9-3", "-0", "a-b", "0-18446744073709551615", "1-2-3"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
