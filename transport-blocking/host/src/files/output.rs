//! A file that is written under another name and then replaces the file of its path.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(unix)]
use super::attributes;
use super::target::{Target, failed, folder};

/// A file that is written to a path: see the [table](super).
///
/// Nothing is created before the first [`file`](Self::file), or [`commit`](Self::commit). A file
/// that is not committed is removed when this is dropped.
#[derive(Debug)]
pub struct Output {
    target: Target,
    /// The name under which the bytes stay until the commit.
    kept: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: Option<Open>,
    remarks: Vec<Remark>,
}

#[derive(Debug)]
struct Open {
    file: Arc<File>,
    /// The name of the file until it replaces the other one.
    part: Option<PathBuf>,
    /// Whether the file stays under that name if it is not committed.
    is_kept: bool,
}

/// A deviation from what the caller may expect of a file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remark {
    /// The file that was replaced has other names, which keep the old content.
    HardLinks {
        /// The file.
        path: PathBuf,
        /// How many other names.
        others: u64,
    },
    /// The new file belongs to another user or group than the one that it replaced.
    Owner {
        /// The file.
        path: PathBuf,
        /// User and group that it belonged to.
        was: (u32, u32),
        /// User and group that it belongs to.
        is: (u32, u32),
    },
    /// The file that was replaced had extended attributes that the new file lacks: access lists,
    /// labels, capabilities.
    Attributes {
        /// The file.
        path: PathBuf,
        /// Their names.
        names: Vec<String>,
    },
}

impl Output {
    /// Determines where `path` leads. Nothing is created yet.
    ///
    /// # Errors
    ///
    /// The path is a directory or a socket, or is in a directory that does not exist; or the file
    /// may not be written.
    pub fn new(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self { target: Target::of(path.as_ref())?, kept: None, state: Mutex::default() })
    }

    /// As [`new`](Self::new), but what is written stays beside the file, as `.NAME` and `suffix`, until
    /// the commit, so that another process can continue. [`file`](Self::file) does not truncate it.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new); the path is neither a file nor new.
    pub fn resumable(path: impl AsRef<Path>, suffix: &str) -> io::Result<Self> {
        let target = Target::of(path.as_ref())?;
        let Target::File { path } = &target else {
            let what = "only a file can be continued";
            return Err(failed(path.as_ref(), what, &ErrorKind::InvalidInput.into()));
        };
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(suffix);
        let kept = Some(path.with_file_name(name));
        Ok(Self { target, kept, state: Mutex::default() })
    }

    /// Returns the path of what is written until the commit, if that path is fixed.
    pub fn kept(&self) -> Option<&Path> {
        self.kept.as_deref()
    }

    /// Whether bytes must be written in order: to a FIFO, a device, or a file of the kernel.
    pub fn is_ordered(&self) -> bool {
        matches!(self.target, Target::Through { .. })
    }

    /// Returns the file to write to; creates or opens it at the first call. Opening a FIFO waits
    /// for a process that reads from it.
    ///
    /// # Errors
    ///
    /// The file can't be created or opened; the error says why.
    pub fn file(&self) -> io::Result<Arc<File>> {
        let mut state = self.lock();
        if let Some(open) = &state.open {
            return Ok(Arc::clone(&open.file));
        }
        let open = match &self.target {
            Target::File { path } => {
                state.remarks.clear();
                match &self.kept {
                    Some(kept) => kept_at(path, kept)?,
                    None => part_of(path, &mut state.remarks)?,
                }
            }
            Target::Through { path, append } => {
                // This may take for ever, so `discard` must not wait for the lock.
                drop(state);
                let file = OpenOptions::new().write(true).append(*append).open(path);
                let file = file.map_err(|error| failed(path, "can't be opened: ", &error))?;
                state = self.lock();
                Open { file: Arc::new(file), part: None, is_kept: false }
            }
        };
        Ok(Arc::clone(&state.open.insert(open).file))
    }

    /// Syncs the new file to the disk, and replaces the old one with it. If nothing was written,
    /// the new file is empty.
    ///
    /// # Errors
    ///
    /// The new file can't be synced, or can't replace the old one. The old file is unchanged,
    /// unless the error says otherwise.
    pub fn commit(&self) -> io::Result<()> {
        self.file()?;
        let mut state = self.lock();
        let Some(mut open) = state.open.take() else { return Ok(()) };
        if let (true, Target::File { path }) = (open.is_kept, &self.target)
            && let Ok(old) = fs::symlink_metadata(path)
        {
            keep(path, &old, &open.file, &mut state.remarks)
                .map_err(|error| failed(path, "could not set its mode: ", &error))?;
        }
        drop(state);
        let (path, part) = match (&self.target, &open.part) {
            (Target::File { path }, Some(part)) => (path, part),
            (Target::File { path } | Target::Through { path, .. }, _) => {
                return match open.file.sync_all() {
                    // Pipes and terminals can't be synced.
                    Err(error) if !is_unsupported(&error) => Err(failed(path, "", &error)),
                    _ => Ok(()),
                };
            }
        };
        open.file.sync_all().map_err(|error| failed(path, "", &error))?;
        fs::rename(part, path).inspect(|()| forget(part)).map_err(|error| {
            let what = match error.kind() {
                ErrorKind::ResourceBusy | ErrorKind::CrossesDevices => {
                    "can't be replaced, because it is a mount point; write to another file and \
                     copy its content: "
                }
                _ => "can't be replaced: ",
            };
            failed(path, what, &error)
        })?;
        open.part = None;
        sync_folder(folder(path)).map_err(|error| {
            failed(
                path,
                "was replaced, but its directory could not be synced to the disk: ",
                &error,
            )
        })
    }

    /// Discards what was written, and leaves the old file unchanged.
    pub fn discard(&self) {
        let mut open = self.lock().open.take();
        if let Some(open) = &mut open {
            open.is_kept = false;
        }
        drop(open);
    }

    /// Returns the remarks about the file that was written last.
    pub fn remarks(&self) -> Vec<Remark> {
        self.lock().remarks.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes the temporary files of all [`Output`]s of this process that are neither committed nor kept,
/// for a process that ends without dropping them. Returns those that could not be removed, with the
/// reasons.
pub fn remove_unfinished() -> Vec<(PathBuf, io::Error)> {
    let parts = std::mem::take(&mut *unfinished());
    let removed = parts.into_iter().map(|part| (fs::remove_file(&part), part));
    let left = removed.filter_map(|(removed, part)| Some((part, removed.err()?)));
    // Its own thread has removed or renamed it meanwhile.
    left.filter(|(_, error)| error.kind() != ErrorKind::NotFound).collect()
}

fn forget(part: &Path) {
    unfinished().remove(part);
}

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes each call's bytes after those of the previous call.
impl Write for &Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.file()?).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(part) = self.part.as_ref().filter(|_| !self.is_kept) {
            let _ = fs::remove_file(part);
            forget(part);
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HardLinks { path, others } => write!(
                f,
                "{}: other names of the file (hard links: {others}) keep the old content",
                path.display()
            ),
            Self::Owner { path, was, is } => write!(
                f,
                "{}: the file belonged to user {} and group {}, and now belongs to user {} and \
                 group {}, because this process is not permitted to change the owner",
                path.display(),
                was.0,
                was.1,
                is.0,
                is.1
            ),
            Self::Attributes { path, names } => write!(
                f,
                "{}: attributes of the file could not be preserved: {}",
                path.display(),
                names.join(", ")
            ),
        }
    }
}

/// Creates a file in the directory of `path`, under a random name.
fn part_of(path: &Path, remarks: &mut Vec<Remark>) -> io::Result<Open> {
    let old = fs::symlink_metadata(path).ok();
    let folder = folder(path);
    let mut tries = 0;
    let (file, part) = loop {
        let random = RandomState::new().hash_one((std::process::id(), tries));
        let part = folder.join(format!(".apus-{random:016x}.part"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        private(&mut options, old.is_some());
        // Before it exists, since opening may take for ever, and must not hold the lock.
        unfinished().insert(part.clone());
        let opened = options.open(&part).inspect_err(|_| forget(&part));
        match opened {
            Ok(file) => break (file, part),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && tries < TRIES => tries += 1,
            Err(error) => {
                let what = format!("could not create a temporary file in {}: ", folder.display());
                return Err(failed(path, &what, &error));
            }
        }
    };
    let open = Open { file: Arc::new(file), part: Some(part), is_kept: false };
    if let Some(old) = old {
        keep(path, &old, &open.file, remarks)
            .map_err(|error| failed(path, "could not set its mode: ", &error))?;
    }
    Ok(open)
}

/// Opens or creates the file `kept`, which is to replace `path`. It may have been put there by somebody
/// else: a link, or what is no file, is refused.
fn kept_at(path: &Path, kept: &Path) -> io::Result<Open> {
    let refused = || {
        let what = "is not a file of this program: remove it";
        Err(io::Error::new(ErrorKind::InvalidInput, format!("{}: {what}", kept.display())))
    };
    let before = fs::symlink_metadata(kept).ok();
    if before.is_some_and(|found| !found.is_file()) {
        return refused();
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    private(&mut options, fs::symlink_metadata(path).is_ok());
    let file = options.open(kept).map_err(|error| failed(kept, "can't be opened: ", &error))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            let what = "another process writes this file";
            return Err(io::Error::new(
                ErrorKind::ResourceBusy,
                format!("{}: {what}", kept.display()),
            ));
        }
        // Not every file system has locks.
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    // It may have been replaced meanwhile, by a link or by the end of another process.
    match is_at(&file, kept) {
        Ok(true) => {}
        Ok(false) | Err(_) => return refused(),
    }
    Ok(Open { file: Arc::new(file), part: Some(kept.to_owned()), is_kept: true })
}

/// Whether the path is this file and no link to it, and the file has no other name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (file, there) = (file.metadata()?, fs::symlink_metadata(path)?);
    Ok((file.dev(), file.ino(), file.nlink()) == (there.dev(), there.ino(), 1))
}

#[cfg(not(unix))]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    Ok(file.metadata()?.is_file() && fs::symlink_metadata(path)?.is_file())
}

/// A file that replaces another one is private until it has that file's mode.
#[cfg(unix)]
fn private(options: &mut OpenOptions, replaces: bool) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(if replaces { 0o600 } else { 0o666 });
}

#[cfg(not(unix))]
fn private(_: &mut OpenOptions, _: bool) {}

/// Gives the new file the owner and the mode of the old one.
#[cfg(unix)]
fn keep(path: &Path, old: &Metadata, file: &File, remarks: &mut Vec<Remark>) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    if old.nlink() > 1 {
        remarks.push(Remark::HardLinks { path: path.to_owned(), others: old.nlink() - 1 });
    }
    let owner = |found: &Metadata| (found.uid(), found.gid());
    let was = owner(old);
    let mut is = owner(&file.metadata()?);
    if is != was {
        if fchown(file, Some(was.0), Some(was.1)).is_err() {
            let _ = fchown(file, None, Some(was.1));
        }
        is = owner(&file.metadata()?);
    }
    let mut mode = old.mode() & 0o7777;
    if is != was {
        // The set-user-ID and set-group-ID bits are valid for the owner who set them only.
        mode &= 0o777;
        remarks.push(Remark::Owner { path: path.to_owned(), was, is });
    }
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    // After the mode, which is a part of an access list.
    let names = attributes::keep(path, file);
    if !names.is_empty() {
        remarks.push(Remark::Attributes { path: path.to_owned(), names });
    }
    Ok(())
}

#[cfg(not(unix))]
fn keep(_: &Path, _: &Metadata, _: &File, _: &mut Vec<Remark>) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Directories that may be written and not read, and file systems that do not sync
        // directories.
        Err(error) if error.kind() != ErrorKind::PermissionDenied && !is_unsupported(&error) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported)
}

const TRIES: u32 = 100;
