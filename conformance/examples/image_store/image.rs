//! The file that is stored, and its downloaded copy.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek};
use std::path::PathBuf;
use std::time::Instant;

pub(super) const MIB: u64 = 1 << 20;

/// The file to store.
pub(super) struct Image {
    pub(super) path: PathBuf,
    /// The length in bytes.
    pub(super) size: u64,
}

impl Image {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let size = fs::metadata(&path)?.len();
        Ok(Self { path, size })
    }

    /// Returns the rate of the whole file since this time, in MiB per second.
    pub(super) fn rate(&self, began: Instant) -> f64 {
        self.size as f64 / MIB as f64 / began.elapsed().as_secs_f64().max(1e-6)
    }

    /// Whether the copy has the same bytes.
    pub(super) fn is_same(&self, mut copy: File) -> io::Result<bool> {
        copy.rewind()?;
        let mut ours = BufReader::with_capacity(1 << 20, File::open(&self.path)?);
        let mut theirs = BufReader::with_capacity(1 << 20, copy);
        let (mut a, mut b) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        loop {
            let read = ours.read(&mut a)?;
            if read == 0 {
                return Ok(theirs.read(&mut b)? == 0);
            }
            if theirs.read_exact(&mut b[..read]).is_err() || a[..read] != b[..read] {
                return Ok(false);
            }
        }
    }
}

/// Creates a file for the download. It has no name any more, and is removed with its handle.
pub(super) fn copy() -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("apus-image-store-{}", std::process::id()));
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
    fs::remove_file(path)?;
    Ok(file)
}
