//! Transfers that another run of the program continues: `--resume`.
//!
//! | | what is kept while the command runs | where |
//! | --- | --- | --- |
//! | `put` | the checkpoint of the upload: its id, the parts that the server has | the state folder |
//! | `get` | the bytes so far, and ETag and size of the object that they are of | beside the file |
//!
//! Both outlive a killed process. They are removed when the transfer is complete. While a process
//! continues a transfer, another one that begins with it is refused.

pub(crate) mod get;
pub(crate) mod left;
mod lock;
pub(crate) mod put;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use apus_core::checksum::{Algorithm, Digests, Hashers};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Returns the folder for the state of uploads: `$XDG_STATE_HOME/apus`, or `~/.local/state/apus`.
pub(crate) fn folder() -> Option<PathBuf> {
    let own = std::env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty());
    let own = own.map(PathBuf::from);
    let state = own.or_else(|| Some(std::env::home_dir()?.join(".local/state")));
    state.map(|state| state.join("apus"))
}

/// Replaces a file by this document, which only its owner can read.
fn write(path: &Path, document: &impl Serialize) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let part = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&part).and_then(|mut file| {
        file.write_all(&serde_json::to_vec(document)?)?;
        fs::rename(&part, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

/// Reads a document; `None` if the file does not exist, or has another form.
fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Computes digests of a whole file.
fn digests(mut file: &File, algorithms: Vec<Algorithm>) -> Result<Digests, crate::exit::Failure> {
    let mut hashers = Hashers::new(algorithms)?;
    file.rewind()?;
    io::copy(&mut file, &mut hashers)?;
    Ok(hashers.finish())
}
