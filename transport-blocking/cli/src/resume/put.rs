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
use apus_core::s3::CreateBucket;
use apus_core::store::{S3Store, StoreBackend, StoredImage, SwiftStore};
use apus_core::swift::{HeadContainer, PutContainer};
use apus_core::{api, checksum::Digests};
use serde::{Deserialize, Serialize};

use super::lock::Lock;
use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::open::{Account, Open};
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

/// Returns the file that is locked by the process that has the state in `kept_in`.
fn lock_of(kept_in: &Path) -> PathBuf {
    kept_in.with_extension("lock")
}

/// Removes what killed processes have left in the state folder and no run continues: the locks of
/// uploads without a state, and states that were not written to their end.
fn clear_stale() {
    let entries = super::folder().and_then(|folder| fs::read_dir(folder).ok());
    for path in entries.into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some((stem, ending)) = name.split_once('.').filter(|_| name.starts_with("put-")) else {
            continue;
        };
        let kept_in = path.with_file_name(format!("{stem}.json"));
        let lock = lock_of(&kept_in);
        if ending == "lock" && !kept_in.exists() {
            Lock::clear(&lock);
        } else if ending.ends_with(".new") && !Lock::is_held(&lock) {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Says what an earlier upload to this place has left, if a state of it was kept. Returns whether it
/// has left something.
pub(crate) fn tell_left(stage: &Stage, place: &Place) -> bool {
    clear_stale();
    let kept_in = state_of(place);
    let is_held = kept_in.as_ref().is_some_and(|path| Lock::is_held(&lock_of(path)));
    let state = kept_in.as_ref().and_then(|path| super::read::<State>(path));
    if let (Some(state), true) = (&state, is_held) {
        stage.output.remark(format_args!(
            "another process stores this object: {}",
            state.checkpoint.told()
        ));
    } else if let Some(state) = &state {
        stage.output.remark(format_args!(
            "left behind by an earlier upload: {}; to continue it: put {} --resume; its state is in {}",
            state.checkpoint.told(),
            state.file.display(),
            kept_in.as_deref().unwrap_or(Path::new("")).display()
        ));
    }
    state.is_some()
}

/// Stores a file, or continues to store it.
pub(crate) fn run(
    stage: &Stage,
    open: &Open,
    place: &Place,
    path: &Path,
    id: &str,
    hash: Option<Algorithm>,
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
    let lock = lock_of(&kept_in);
    let Some(_lock) = Lock::take(&lock).map_err(|error| Failure::file(&lock, &error))? else {
        let what = "another process stores this object with --resume";
        return Err(Failure::new(Exit::Other, format!("{place}: {what}")));
    };
    clear_stale();
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
    let algorithms: Vec<Algorithm> = hash.into_iter().flat_map(|it| [Algorithm::Md5, it]).collect();
    if is_new && !algorithms.is_empty() {
        source = source.tap(Hashers::new(algorithms.iter().copied())?);
    }
    let shown = open.watch.show(id, Some(size));
    let keeps = Keeps { kept_in: &kept_in, state: &state };
    let size = UploadSource::Seekable(size);
    let target = Target { open, source: source.clone(), size, id, keeps: Some(keeps) };
    let result = target.upload(from);
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
        None if is_new && algorithms.is_empty() => Digests::default(),
        // An earlier run has sent some of the bytes: this file has them, unless it was changed.
        None => {
            let digests = super::digests(&again, algorithms)?;
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

/// Stores a source without digests. Nothing is kept of it if it fails.
pub(crate) fn plain(
    open: &Open,
    source: Source<'static>,
    size: Option<u64>,
    id: &str,
) -> Result<Stored, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::of_io(error.kind()), error.to_string());
    let length = source.length().map_err(failed)?;
    if let (Some(length), Some(size)) = (length, size)
        && length != size
    {
        let what = format!("the source has {length} bytes instead of {size}");
        return Err(Failure::new(Exit::Integrity, what));
    }
    let size = match length {
        Some(length) => UploadSource::Seekable(length),
        None => UploadSource::Stream(size),
    };
    let (url, size, leftovers) = Target { open, source, size, id, keeps: None }.upload(None)?;
    Ok(Stored { url, size, digests: Digests::default(), leftovers })
}

struct Target<'a> {
    open: &'a Open,
    source: Source<'static>,
    size: UploadSource,
    id: &'a str,
    /// What is kept of an upload that is continued.
    keeps: Option<Keeps<'a>>,
}

#[derive(Clone, Copy)]
struct Keeps<'a> {
    kept_in: &'a Path,
    state: &'a (dyn Fn(Kept) -> State + Sync),
}

type Ended = Result<(String, u64, Vec<Leftover>), Failure>;

impl Target<'_> {
    fn upload(self, from: Option<Kept>) -> Ended {
        let id = self.id;
        let ended = match self.open.backend()? {
            StoreBackend::S3(store) => self.upload_s3(store, from),
            StoreBackend::Swift(store) => self.upload_swift(store, from),
            _ => Err(Failure::usage("this kind of backend has no plain uploads")),
        };
        ended.map_err(|failure| match (failure.exit, failure.status) {
            // The condition that it does not exist was refused.
            (Exit::Duplicate, Some(412)) => {
                let message = format!("object {id} exists already: {}", failure.message);
                Failure { message, ..failure }
            }
            _ => failure,
        })
    }

    fn upload_s3(&self, store: &S3Store, from: Option<Kept>) -> Ended {
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
        let mut options = store.upload_options(self.size);
        options.on_failure = self.on_failure();
        let upload = |from: Option<Kept>| {
            let task = match from {
                Some(Kept::S3(checkpoint)) => api::s3::Upload::resume(checkpoint),
                _ => api::s3::Upload::new(&bucket.name, self.id),
            };
            let task = task.options(options.clone());
            let checkpoints = task.checkpoints();
            let latest = || checkpoints.latest().map(Kept::S3);
            let (source, token) = (self.source.clone(), bucket.token.clone());
            let run = bucket.client.run(task).body(source).cancel_on(token);
            keeping(self.keeps, &latest, || run.send())
        };
        let uploaded = match upload(from) {
            Err(error) if error.code() == Some("NoSuchBucket") => {
                if !store.options().s3_store_create_bucket_on_put {
                    let hint = "to create the bucket, set s3_store_create_bucket_on_put";
                    return Err(error.with_hint(hint).into());
                }
                match bucket.call(CreateBucket::new(&bucket.name)) {
                    // Another process has created it meanwhile, or the next request is refused.
                    Err(error) if !error.is_conflict() => return Err(error.into()),
                    _ => upload(None)?,
                }
            }
            uploaded => uploaded?,
        };
        Ok((url, uploaded.size, uploaded.leftovers))
    }

    fn upload_swift(&self, store: &SwiftStore, from: Option<Kept>) -> Ended {
        let options = store.options();
        let account = self.open.account(store)?;
        let container = match options.swift_store_multi_tenant {
            true => options.tenant_container(self.id),
            false => options.container(self.id),
        };
        if from.is_none() {
            create_container(&account, &container, options.swift_store_create_container_on_put)?;
        }
        let mut upload = options.upload(matches!(self.size, UploadSource::Stream(_)));
        upload.on_failure = self.on_failure();
        let task = match from {
            Some(Kept::Swift(checkpoint)) => api::swift::Upload::resume(checkpoint),
            _ => api::swift::Upload::new(&container, self.id),
        };
        let task = task.options(upload);
        let checkpoints = task.checkpoints();
        let latest = || checkpoints.latest().map(Kept::Swift);
        let (source, token) = (self.source.clone(), account.token.clone());
        let run = account.client.run(task).body(source).cancel_on(token);
        let uploaded = keeping(self.keeps, &latest, || run.send())?;
        let url = match options.swift_store_multi_tenant {
            true => SwiftLocation::of_storage_url(&account.storage()?, container, self.id),
            false => {
                let reference = &options.default_swift_reference;
                SwiftLocation::of_reference(reference, container, self.id)
            }
        };
        Ok((url.to_string(), uploaded.size, uploaded.leftovers))
    }

    fn on_failure(&self) -> OnFailure {
        if self.keeps.is_some() { OnFailure::Keep } else { OnFailure::Abort }
    }
}

/// Creates a container that does not exist, if that is allowed.
fn create_container(account: &Account, container: &str, creates: bool) -> Result<(), Failure> {
    match account.call(HeadContainer::new(container)) {
        Err(error) if error.is_not_found() && creates => {
            account.call(PutContainer::new(container))?;
            Ok(())
        }
        Err(error) if error.is_not_found() => {
            let hint = "to create the container, set swift_store_create_container_on_put";
            Err(error.with_hint(hint).into())
        }
        // The permission to write an object does not include a HEAD of its container.
        _ => Ok(()),
    }
}

/// Runs an upload, and writes its newest checkpoint into a file until it ends.
fn keeping<T>(
    keeps: Option<Keeps<'_>>,
    latest: &(dyn Fn() -> Option<Kept> + Sync),
    run: impl FnOnce() -> T,
) -> T {
    let Some(Keeps { kept_in, state }) = keeps else { return run() };
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
