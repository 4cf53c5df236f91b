//! `apus get`: fetches an object.

use std::io;
use std::path::Path;

use apus_blocking::Sink;
use apus_core::http::ByteRange;
use apus_core::store::Get;
use serde_json::json;

use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::locations::is_dash;
use crate::watch::human;

pub(crate) fn run(
    stage: &Stage,
    location: &str,
    output: Option<&Path>,
    range: Option<ByteRange>,
) -> Result<Exit, Failure> {
    let open = stage.open()?;
    let stored = open.stored(location)?;
    let path = output.filter(|path| !is_dash(path));
    let get =
        Get { range, concurrency: if path.is_some() { CONCURRENCY } else { 1 }, ..Get::default() };
    let sink = match path {
        Some(path) => Sink::path(path)?,
        None => Sink::writer(io::stdout()),
    };
    let shown = open.watch.show("get", None);
    let got = open.stores.get(&stored, &get, &sink)?.outcome;
    drop(shown);
    for remark in sink.remarks() {
        stage.output.remark(&remark);
    }
    let checked = got.validation.to_string();
    if stage.output.is_json() && path.is_some() {
        let told = json!({ "bytes": got.bytes, "size": got.size, "checked": checked });
        stage.output.result(&told, "")?;
    } else {
        stage.output.remark(format_args!("{} read; {checked}", human(got.bytes)));
    }
    Ok(Exit::Done)
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

const CONCURRENCY: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

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
