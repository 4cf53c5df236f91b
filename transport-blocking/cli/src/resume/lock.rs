//! A lock that a process holds while it continues a transfer.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// A lock on a file of its own, which is removed at the end. The lock of a killed process is free.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Creates and locks the file. `None`: another process holds the lock.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        for _ in 0..TRIES {
            let file = options.open(path)?;
            match file.try_lock() {
                Ok(()) if is_at(&file, path) => {
                    return Ok(Some(Self { path: path.to_owned(), _file: file }));
                }
                // The process that held it has removed the file meanwhile.
                Ok(()) => {}
                // Another process may just look whether it is held.
                Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
                // Not every file system has locks.
                Err(TryLockError::Error(_)) => {
                    return Ok(Some(Self { path: path.to_owned(), _file: file }));
                }
            }
        }
        Ok(None)
    }

    /// Removes the file if no process holds the lock, which a killed one has left.
    pub(super) fn clear(path: &Path) {
        let Ok(file) = File::options().write(true).open(path) else { return };
        if file.try_lock().is_ok() && is_at(&file, path) {
            drop(Self { path: path.to_owned(), _file: file });
        }
    }

    /// Whether a process holds the lock.
    pub(super) fn is_held(path: &Path) -> bool {
        File::open(path)
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Before the lock is released, so that nobody holds a lock on a file without a name.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether the file is still the one of this path.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let same = |there: fs::Metadata| {
        file.metadata().is_ok_and(|file| (file.dev(), file.ino()) == (there.dev(), there.ino()))
    };
    fs::symlink_metadata(path).is_ok_and(same)
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);
