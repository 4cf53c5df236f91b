//! `apus put`: stores a file.

use std::fs::File;
use std::path::Path;

use apus_blocking::Source;
use apus_core::checksum::{Algorithm, Value};
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::machine::UploadSource;
use apus_core::store::{Add, AddResult, StoreBackend, StoreError, StoreErrorKind};
use serde_json::json;

use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::locations::is_dash;
use crate::open::Open;
use crate::place::Place;
use crate::progress::human;
use crate::{resume, stdin};

pub(crate) fn run(
    stage: &Stage,
    file: &Path,
    id: Option<&str>,
    size: Option<u64>,
    hash: Option<Algorithm>,
    resume: bool,
) -> Result<Exit, Failure> {
    let id = match (id, is_dash(file)) {
        (Some(id), _) => id.to_owned(),
        (None, true) => return Err(Failure::usage("standard input has no name: set --id")),
        (None, false) => name_of(file)?,
    };
    let source = if is_dash(file) {
        Source::stream(stdin::opened()?)
    } else {
        let opened = File::open(file).map_err(|error| Failure::file(file, &error))?;
        if opened.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(Failure::usage(format!("{}: is a directory", file.display())));
        }
        Source::file(opened)
    };
    let open = stage.open()?;
    let place = Place::of_new(open.backend()?, &id);
    open.named_user(open.backend()?)?;
    if resume {
        if is_dash(file) {
            return Err(Failure::usage("--resume requires a file"));
        }
        return resumed(stage, &open, &place, file, &id, (size, hash));
    }
    let is_told = resume::put::tell_left(stage, &place);
    let backend = open.backend()?.id().to_owned();
    let length = source.length().map_err(|error| Failure::file(file, &error))?.or(size);
    let left = match !is_told && in_parts(open.backend()?, length) {
        true => resume::left::earlier(&open, open.backend()?, &id),
        false => Vec::new(),
    };
    let shown = open.watch.show(&id, length);
    let added = match hash {
        Some(hash) => {
            let image = Add::new(id.as_str()).with_size(size).with_hash(hash);
            open.stores.add(Some(&backend), image, source).map(Added::Image).map_err(Failed::Image)
        }
        None => {
            resume::put::plain(&open, source, size, &id).map(Added::Plain).map_err(Failed::Plain)
        }
    };
    drop(shown);
    // Segments of an object that exists are its own.
    if !added.as_ref().is_err_and(Failed::is_duplicate) {
        for left in left {
            stage.output.remark(format_args!("left behind by an earlier upload: {left}"));
        }
    }
    let added = added.map_err(|failed| {
        let of_source = failed.is_of_source();
        let failure = failed.into_failure();
        let name = if is_dash(file) { "standard input".into() } else { file.display().to_string() };
        match of_source {
            true => Failure { message: format!("{name}: {}", failure.message), ..failure },
            false => failure.at(&place),
        }
    })?;
    let (url, size, leftovers) = match &added {
        Added::Image(added) => (&added.url, added.size, &added.leftovers),
        Added::Plain(stored) => (&stored.url, stored.size, &stored.leftovers),
    };
    let value = match (&added, hash) {
        (Added::Image(added), Some(hash)) => told(added, hash),
        _ => json!({ "url": url, "size": size, "metadata": { "store": backend } }),
    };
    let done = format_args!("the image is stored as {url}");
    stage.output.of_done(&value, url, done)?;
    match (&added, hash) {
        (Added::Image(added), Some(hash)) => stage.output.remark(format_args!(
            "{} stored; MD5 {}, {hash} {}",
            human(size),
            added.md5,
            added.multihash
        )),
        _ => stage.output.remark(format_args!("{} stored", human(size))),
    }
    for leftover in leftovers {
        stage.output.remark(format_args!("left behind: {leftover}"));
    }
    Ok(Exit::Done)
}

/// What was stored.
enum Added {
    Image(AddResult),
    /// Without digests.
    Plain(resume::put::Stored),
}

/// Why nothing was stored.
enum Failed {
    Image(StoreError),
    Plain(Failure),
}

impl Failed {
    fn is_duplicate(&self) -> bool {
        match self {
            Self::Image(error) => error.kind() == StoreErrorKind::Duplicate,
            Self::Plain(failure) => failure.exit == Exit::Duplicate,
        }
    }

    /// Whether the file could not be read, or has another size.
    fn is_of_source(&self) -> bool {
        let (is_size, error) = match self {
            Self::Image(error) => {
                (error.kind() == StoreErrorKind::InvalidSize, Some(error.protocol()))
            }
            Self::Plain(failure) => (false, failure.error.as_ref()),
        };
        let cause = error.and_then(apus_core::Error::exchange_error).map(ExchangeError::kind);
        is_size || matches!(cause, Some(ExchangeErrorKind::Source | ExchangeErrorKind::Length))
    }

    fn into_failure(self) -> Failure {
        match self {
            Self::Image(error) => Failure::from(error),
            Self::Plain(failure) => failure,
        }
    }
}

/// Whether an object of this length may be sent in parts, which a killed process leaves.
fn in_parts(backend: &StoreBackend, length: Option<u64>) -> bool {
    let Some(length) = length else { return true };
    let source = UploadSource::Seekable(length);
    match backend {
        StoreBackend::S3(store) => length > store.upload_options(source).threshold,
        StoreBackend::Swift(store) => length > store.options().upload(false).threshold,
        _ => false,
    }
}

/// Stores a file by an upload that can be continued.
fn resumed(
    stage: &Stage,
    open: &Open,
    place: &Place,
    file: &Path,
    id: &str,
    (size, hash): (Option<u64>, Option<Algorithm>),
) -> Result<Exit, Failure> {
    let has = std::fs::metadata(file).map_err(|error| Failure::file(file, &error))?.len();
    if let Some(size) = size.filter(|size| *size != has) {
        let what = format!("{}: has {has} bytes instead of {size}", file.display());
        return Err(Failure::new(Exit::Integrity, what));
    }
    let stored = resume::put::run(stage, open, place, file, id, hash)?;
    let backend = open.backend()?.id();
    let mut told = json!({
        "url": stored.url, "size": stored.size, "metadata": { "store": backend },
    });
    let mut remark = format!("{} stored", human(stored.size));
    if let Some(hash) = hash {
        let hex = |algorithm| stored.digests.value(algorithm).map(Value::hex).unwrap_or_default();
        let (md5, multihash) = (hex(Algorithm::Md5), hex(hash));
        remark += &format!("; MD5 {md5}, {hash} {multihash}");
        told["md5"] = json!(md5);
        told["os_hash_algo"] = json!(hash.to_string().to_lowercase());
        told["os_hash_value"] = json!(multihash);
    }
    let done = format_args!("the image is stored as {}", stored.url);
    stage.output.of_done(&told, &stored.url, done)?;
    stage.output.remark(remark);
    for leftover in &stored.leftovers {
        stage.output.remark(format_args!("left behind: {leftover}"));
    }
    Ok(Exit::Done)
}

/// Returns what an image service records.
pub(crate) fn told(added: &AddResult, hash: Algorithm) -> serde_json::Value {
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
