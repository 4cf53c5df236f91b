//! `apus put`: stores a file.

use std::fs::File;
use std::io;
use std::path::Path;

use apus_blocking::Source;
use apus_core::checksum::Algorithm;
use apus_core::error::ExchangeErrorKind;
use apus_core::store::{Add, AddResult, StoreErrorKind};
use serde_json::{Value, json};

use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::locations::is_dash;
use crate::watch::human;

pub(crate) fn run(
    stage: &Stage,
    file: &Path,
    id: Option<&str>,
    size: Option<u64>,
    hash: Algorithm,
) -> Result<Exit, Failure> {
    let id = match (id, is_dash(file)) {
        (Some(id), _) => id.to_owned(),
        (None, true) => return Err(Failure::usage("standard input has no name: set --id")),
        (None, false) => name_of(file)?,
    };
    let source = if is_dash(file) {
        if is_closed() {
            let what = "standard input is closed";
            return Err(Failure::new(Exit::Other, what));
        }
        Source::stream(io::stdin())
    } else {
        let opened = File::open(file).map_err(|error| Failure::file(file, &error))?;
        if opened.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(Failure::usage(format!("{}: is a directory", file.display())));
        }
        Source::file(opened)
    };
    let open = stage.open()?;
    let backend = open.backend()?.id().to_owned();
    let length = source.length().map_err(|error| Failure::file(file, &error))?.or(size);
    let image = Add::new(id.as_str()).with_size(size).with_hash(hash);
    let shown = open.watch.show(&id, length);
    let added = open.stores.add(Some(&backend), image, source).map_err(|error| {
        let cause = error.protocol().exchange_error().map(apus_core::error::ExchangeError::kind);
        let of_source = error.kind() == StoreErrorKind::InvalidSize
            || matches!(cause, Some(ExchangeErrorKind::Source | ExchangeErrorKind::Length));
        let failure = Failure::from(error);
        let place =
            if is_dash(file) { "standard input".into() } else { file.display().to_string() };
        match of_source {
            true => Failure { message: format!("{place}: {}", failure.message), ..failure },
            false => failure,
        }
    })?;
    drop(shown);
    let done = format_args!("the image is stored as {}", added.url);
    stage.output.of_done(&told(&added, hash), &added.url, done)?;
    stage.output.remark(format_args!(
        "{} stored; MD5 {}, {hash} {}",
        human(added.size),
        added.md5,
        added.multihash
    ));
    for leftover in &added.leftovers {
        stage.output.remark(format_args!("left behind: {leftover}"));
    }
    Ok(Exit::Done)
}

/// Whether the process was started without a standard input. The standard library then opens
/// `/dev/null` for reading and writing, which would be stored as an empty object.
#[cfg(target_os = "linux")]
fn is_closed() -> bool {
    let flags = std::fs::read_to_string("/proc/self/fdinfo/0").unwrap_or_default();
    let flags = flags.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok());
    let is_null =
        std::fs::read_link("/proc/self/fd/0").is_ok_and(|it| it == Path::new("/dev/null"));
    is_null && flags.is_some_and(|flags| flags & ACCESS == READ_WRITE)
}

#[cfg(not(target_os = "linux"))]
fn is_closed() -> bool {
    false
}

/// The bits of a descriptor's flags that say how it was opened.
#[cfg(target_os = "linux")]
const ACCESS: u32 = 3;
#[cfg(target_os = "linux")]
const READ_WRITE: u32 = 2;

/// Returns what an image service records.
pub(crate) fn told(added: &AddResult, hash: Algorithm) -> Value {
    json!({
        "url": added.url,
        "size": added.size,
        "md5": added.md5,
        "os_hash_algo": hash.to_string().to_lowercase(),
        "os_hash_value": added.multihash,
        "metadata": added.metadata,
    })
}

fn name_of(file: &Path) -> Result<String, Failure> {
    let name = file.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| {
        Failure::usage(format!("{}: the file name is not UTF-8: set --id", file.display()))
    })
}
