//! A download that another run continues.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use apus_blocking::Sink;
use apus_core::checksum::{Algorithm, Digests, Value};
use apus_core::http::ByteRange;
use apus_core::store::{self, StoredImage};
use apus_host::files::{Output, Remark};
use serde::{Deserialize, Serialize};

use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::head::{self, Head};
use crate::open::Open;
use crate::place::Place;

/// What the bytes of a partial file are of.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct State {
    url: String,
    etag: String,
    size: u64,
}

/// What was read.
pub(crate) struct Read {
    pub(crate) size: u64,
    pub(crate) digests: Digests,
    /// By what the bytes were compared.
    pub(crate) checked: String,
    pub(crate) is_validated: bool,
    /// About the file that was replaced.
    pub(crate) remarks: Vec<Remark>,
}

/// Returns the file to write, the partial file beside it, and the file with its state.
fn partial(path: &Path) -> Result<(Output, PathBuf, PathBuf), Failure> {
    let output = Output::resumable(path, ".apus-part").map_err(|error| not_written(&error))?;
    let part = output.kept().unwrap_or(path).to_owned();
    let kept_in = part.with_extension("apus-resume");
    Ok((output, part, kept_in))
}

/// Says what an earlier download has left beside this file.
pub(crate) fn tell_left(stage: &Stage, path: &Path) {
    let Ok((_, part, state)) = partial(path) else { return };
    if let (Ok(facts), true) = (fs::symlink_metadata(&part), state.exists()) {
        stage.output.remark(format_args!(
            "left behind by an earlier download: {} ({} bytes); to continue it: get --resume",
            part.display(),
            facts.len()
        ));
    }
}

/// Reads an object into a file, or continues to do so.
pub(crate) fn run(
    stage: &Stage,
    open: &Open,
    stored: &StoredImage,
    path: &Path,
    get: &store::Get,
) -> Result<Read, Failure> {
    let is_other = fs::metadata(path).is_ok_and(|found| !found.is_file());
    if is_other {
        return Err(Failure::usage(format!("{}: --resume requires a file", path.display())));
    }
    let (output, part, kept_in) = partial(path)?;
    let head = head::of(open, stored)?;
    let Some(Head { size: Some(size), etag: Some(etag), md5, .. }) = head else {
        let what = "the server states no size or no ETag, so no download can be continued";
        return Err(Failure::new(Exit::Other, what).at(&Place::of_stored(open, stored)));
    };
    if let Some(expected) = get.size.filter(|expected| *expected != size) {
        let what = format!("the object has {size} bytes instead of {expected}");
        return Err(Failure::new(Exit::Integrity, what).at(&Place::of_stored(open, stored)));
    }
    let url = open.stores.core().access(stored)?.outcome.url;
    let state = State { url, etag, size };
    let file_failed = |error: std::io::Error| Failure::file(&part, &error);
    let known = super::read::<State>(&kept_in);
    let is_same = known.as_ref() == Some(&state);
    let file = output.file().map_err(|error| not_written(&error))?;
    let mut has = file.metadata().map_err(file_failed)?.len();
    if !is_same || has > size {
        if has > 0 {
            stage.output.remark("the object is not the one of the partial file: it is read anew");
        }
        file.set_len(0).map_err(file_failed)?;
        has = 0;
        super::write(&kept_in, &state).map_err(|error| {
            // Without its state, the file is of no use.
            output.discard();
            Failure::file(&kept_in, &error)
        })?;
    } else if has > 0 {
        stage.output.remark(format_args!("continuing after {has} of {size} bytes"));
    }
    open.interrupt.keep();
    let shown = open.watch.show(&state.url, Some(size));
    open.watch.done(has);
    if has < size || size == 0 {
        let rest = store::Get {
            range: (has > 0).then_some(ByteRange::From(has)),
            size: Some(size),
            ..store::Get::default()
        };
        (&*file).seek(SeekFrom::Start(has)).map_err(file_failed)?;
        let sink = Sink::writer(Arc::clone(&file));
        open.stores.get(stored, &rest, &sink).map_err(|error| {
            let failure = open.at(stored)(error).of_output(&path.display().to_string());
            let kept = format!("kept in {}; to continue: --resume", part.display());
            let message = format!("{}; {kept}", failure.message);
            Failure { message, ..failure }
        })?;
    }
    // The object may have been replaced between the requests.
    let after = head::of(open, stored)?.and_then(|head| head.etag);
    if after.as_deref() != Some(&state.etag) {
        output.discard();
        let _ = fs::remove_file(&kept_in);
        let what = "the object was replaced during the download: read it again";
        return Err(Failure::new(Exit::Integrity, what).at(&Place::of_stored(open, stored)));
    }
    drop(shown);
    let read = compare(&file, size, md5.as_deref(), get).map_err(|failure| {
        if failure.exit == Exit::Integrity {
            // These bytes are of no use.
            output.discard();
            let _ = fs::remove_file(&kept_in);
        }
        failure.at(&Place::of_stored(open, stored))
    })?;
    output.commit().map_err(|error| not_written(&error))?;
    let _ = fs::remove_file(&kept_in);
    Ok(Read { remarks: output.remarks(), ..read })
}

/// The error names the file.
fn not_written(error: &std::io::Error) -> Failure {
    Failure::new(Exit::of_io(error.kind()), error.to_string())
}

/// Reads the file, and compares it with the ETag that is an MD5, and with what is expected.
fn compare(file: &File, size: u64, md5: Option<&str>, get: &store::Get) -> Result<Read, Failure> {
    let mut algorithms = get.digests.clone();
    algorithms.extend(get.expected.iter().map(Value::algorithm));
    algorithms.extend(md5.map(|_| Algorithm::Md5));
    algorithms.sort_by_key(|algorithm| algorithm.to_string());
    algorithms.dedup();
    let digests = super::digests(file, algorithms)?;
    for expected in &get.expected {
        let algorithm = expected.algorithm();
        if digests.value(algorithm) != Some(expected) {
            let what = format!("the {algorithm} of the bytes is not the expected one");
            return Err(Failure::new(Exit::Integrity, what));
        }
    }
    let has_md5 = digests.value(Algorithm::Md5).map(Value::hex);
    let is_validated = md5.is_some() && md5 == has_md5.as_deref();
    let checked = match (md5, is_validated) {
        (Some(_), true) => "validated by MD5",
        // Some servers have ETags of this form that are no MD5s.
        (Some(_), false) if get.expected.is_empty() => {
            let what = "the MD5 of the bytes is not the ETag: if the ETags of this server are no \
                        MD5s, state a digest with --expect";
            return Err(Failure::new(Exit::Integrity, what));
        }
        _ => "not validated: the ETag is no MD5",
    };
    Ok(Read { size, digests, checked: checked.to_owned(), is_validated, remarks: Vec::new() })
}
