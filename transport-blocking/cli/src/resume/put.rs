//! An upload that another run continues.

use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, SystemTime};

use apus_blocking::Source;
use apus_core::checksum::{Algorithm, Hashers};
use apus_core::contract::OnFailure;
use apus_core::error::Leftover;
use apus_core::location::SwiftLocation;
use apus_core::machine::{Checkpoint, SwiftCheckpoint, UploadSource};
use apus_core::store::{S3Store, StoreBackend, StoredImage, SwiftStore};
use apus_core::{api, checksum::Digests};
use serde::{Deserialize, Serialize};

use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::open::Open;
use crate::place::Place;

/// The state of an upload.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct State {
    file: PathBuf,
    facts: Facts,
    checkpoint: Kept,
}

/// What is different after a file was changed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Facts {
    /// In bytes.
    size: u64,
    modified: Option<SystemTime>,
    /// Which file it is, and when it was changed in any way, which no program can set (Unix).
    changed: Option<(u64, i64, i64)>,
}

impl Facts {
    fn of(found: &Metadata) -> Self {
        Self { size: found.len(), modified: found.modified().ok(), changed: changed(found) }
    }
}

#[cfg(unix)]
fn changed(found: &Metadata) -> Option<(u64, i64, i64)> {
    use std::os::unix::fs::MetadataExt;
    Some((found.ino(), found.ctime(), found.ctime_nsec()))
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> Option<(u64, i64, i64)> {
    None
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kept {
    S3(Checkpoint),
    Swift(SwiftCheckpoint),
}

impl Kept {
    /// Says what is on the server.
    fn told(&self) -> String {
        match self {
            Self::S3(checkpoint) => {
                let left = Leftover::MultipartUpload {
                    bucket: checkpoint.bucket.clone(),
                    key: checkpoint.key.clone(),
                    upload_id: checkpoint.upload_id.clone(),
                };
                format!("{left} ({} bytes)", checkpoint.acknowledged())
            }
            Self::Swift(checkpoint) => format!(
                "{} segments of object {}/{} ({} bytes)",
                checkpoint.segments.len(),
                checkpoint.container,
                checkpoint.object,
                checkpoint.acknowledged()
            ),
        }
    }
}

/// What was stored.
pub(crate) struct Stored {
    pub(crate) url: String,
    pub(crate) size: u64,
    pub(crate) digests: Digests,
    pub(crate) leftovers: Vec<Leftover>,
}

/// Returns the file with the state of an upload to this place.
fn state_of(place: &Place) -> Option<PathBuf> {
    let mut hashers = Hashers::new([Algorithm::Sha256]).ok()?;
    hashers.update(place.to_string().as_bytes());
    let hex = hashers.finish().value(Algorithm::Sha256)?.hex();
    Some(super::folder()?.join(format!("put-{}.json", hex.get(..32)?)))
}

/// Says what an earlier upload to this place has left, if a state of it was kept.
pub(crate) fn tell_left(stage: &Stage, place: &Place) {
    let state = state_of(place).and_then(|path| super::read::<State>(&path));
    if let Some(state) = state {
        stage.output.remark(format_args!(
            "left behind by an earlier upload: {}; to continue it: put {} --resume",
            state.checkpoint.told(),
            state.file.display()
        ));
    }
}

/// Stores a file, or continues to store it.
pub(crate) fn run(
    stage: &Stage,
    open: &Open,
    place: &Place,
    path: &Path,
    id: &str,
    hash: Algorithm,
) -> Result<Stored, Failure> {
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    let failed = |error: std::io::Error| Failure::file(path, &error);
    let found = file.metadata().map_err(failed)?;
    if !found.is_file() {
        return Err(Failure::usage(format!("{}: --resume requires a file", path.display())));
    }
    let (facts, size) = (Facts::of(&found), found.len());
    let again = file.try_clone().map_err(failed)?;
    let kept_in = state_of(place)
        .ok_or_else(|| Failure::configuration("--resume requires HOME or XDG_STATE_HOME"))?;
    let known = super::read::<State>(&kept_in);
    let same = known.as_ref().filter(|state| state.facts == facts);
    if let (Some(state), None) = (&known, same) {
        stage.output.remark(format_args!(
            "the file has changed, so its upload begins anew; left behind: {}",
            state.checkpoint.told()
        ));
    }
    let from = same.map(|state| state.checkpoint.clone());
    if let Some(kept) = &from {
        stage.output.remark(format_args!("continuing: {}", kept.told()));
    }
    let absolute = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let state = |checkpoint| State { file: absolute.clone(), facts: facts.clone(), checkpoint };
    open.interrupt.keep();
    let is_new = from.is_none();
    let mut source = Source::file(file);
    if is_new {
        source = source.tap(Hashers::new([Algorithm::Md5, hash])?);
    }
    let shown = open.watch.show(id, Some(size));
    let target = Target { open, source: source.clone(), size, id };
    let result = match open.backend()? {
        StoreBackend::S3(store) => target.upload_s3(store, from, &kept_in, &state),
        StoreBackend::Swift(store) => target.upload_swift(store, from, &kept_in, &state),
        _ => Err(Failure::usage("this kind of backend has no uploads to continue")),
    };
    drop(shown);
    let (url, size, leftovers) = result.map_err(|failure| {
        let failure = failure.at(place);
        match kept_in.exists() && failure.exit != Exit::Usage {
            true => {
                let message = format!("{}; to continue: --resume", failure.message);
                Failure { message, ..failure }
            }
            false => failure,
        }
    })?;
    let _ = fs::remove_file(&kept_in);
    let digests = match source.digests().filter(|_| is_new) {
        Some(digests) => digests,
        // An earlier run has sent some of the bytes: this file has them, unless it was changed.
        None => {
            let digests = super::digests(&again, vec![Algorithm::Md5, hash])?;
            if Facts::of(&again.metadata().map_err(failed)?) != facts {
                let what = format!("{}: the file was changed while it was stored", path.display());
                let stored = StoredImage::new(url.as_str(), Some(open.backend()?.id()));
                return Err(open.removed(&stored, Failure::new(Exit::Integrity, what)));
            }
            digests
        }
    };
    Ok(Stored { url, size, digests, leftovers })
}

struct Target<'a> {
    open: &'a Open,
    source: Source<'static>,
    size: u64,
    id: &'a str,
}

type Ended = Result<(String, u64, Vec<Leftover>), Failure>;

impl Target<'_> {
    fn upload_s3(
        self,
        store: &S3Store,
        from: Option<Kept>,
        kept_in: &Path,
        state: &(dyn Fn(Kept) -> State + Sync),
    ) -> Ended {
        let bucket = self.open.bucket(store)?;
        let url = store.options().place()?.location(self.id).to_string();
        let quirks = bucket.client.service().config().quirks;
        if from.is_none() && !(quirks.conditional_put && quirks.conditional_complete) {
            // The server ignores the condition, so an object is looked for before.
            let stored = StoredImage::new(url.as_str(), Some(store.id()));
            if self.open.stores.exists(&stored)?.outcome {
                let what = format!("object {} exists already", self.id);
                return Err(Failure::new(Exit::Duplicate, what));
            }
        }
        let mut options = store.upload_options(UploadSource::Seekable(self.size));
        options.on_failure = OnFailure::Keep;
        let task = match from {
            Some(Kept::S3(checkpoint)) => api::s3::Upload::resume(checkpoint),
            _ => api::s3::Upload::new(&bucket.name, self.id),
        };
        let task = task.options(options);
        let checkpoints = task.checkpoints();
        let latest = || checkpoints.latest().map(Kept::S3);
        let run = bucket.client.run(task).body(self.source).cancel_on(bucket.token.clone());
        let uploaded = keeping(kept_in, &latest, state, || run.send())?;
        Ok((url, uploaded.size, uploaded.leftovers))
    }

    fn upload_swift(
        self,
        store: &SwiftStore,
        from: Option<Kept>,
        kept_in: &Path,
        state: &(dyn Fn(Kept) -> State + Sync),
    ) -> Ended {
        let options = store.options();
        if options.swift_store_multi_tenant {
            let what = "--resume is not supported with swift_store_multi_tenant";
            return Err(Failure::usage(what));
        }
        let account = self.open.account(store)?;
        let container = options.container(self.id);
        let mut upload = options.upload(false);
        upload.on_failure = OnFailure::Keep;
        let task = match from {
            Some(Kept::Swift(checkpoint)) => api::swift::Upload::resume(checkpoint),
            _ => api::swift::Upload::new(&container, self.id),
        };
        let task = task.options(upload);
        let checkpoints = task.checkpoints();
        let latest = || checkpoints.latest().map(Kept::Swift);
        let run = account.client.run(task).body(self.source).cancel_on(account.token.clone());
        let uploaded = keeping(kept_in, &latest, state, || run.send())?;
        let reference = &options.default_swift_reference;
        let url = SwiftLocation::of_reference(reference, container, self.id).to_string();
        Ok((url, uploaded.size, uploaded.leftovers))
    }
}

/// Runs an upload, and writes its newest checkpoint into a file until it ends.
fn keeping<T>(
    kept_in: &Path,
    latest: &(dyn Fn() -> Option<Kept> + Sync),
    state: &(dyn Fn(Kept) -> State + Sync),
    run: impl FnOnce() -> T,
) -> T {
    thread::scope(|scope| {
        let (ended, wait) = mpsc::channel::<()>();
        scope.spawn(move || {
            let mut written = None;
            loop {
                let is_over = wait.recv_timeout(OFTEN) == Err(RecvTimeoutError::Disconnected);
                let newest = latest();
                if newest.is_some() && newest != written {
                    // A checkpoint that can't be written costs no more than a resumption.
                    let _ = newest.clone().map(|kept| super::write(kept_in, &state(kept)));
                    written = newest;
                }
                if is_over {
                    return;
                }
            }
        });
        let result = run();
        drop(ended);
        result
    })
}

/// How often the checkpoint is looked at.
const OFTEN: Duration = Duration::from_millis(200);
