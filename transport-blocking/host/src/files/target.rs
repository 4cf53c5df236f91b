//! Determines where a path leads.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// What a path leads to.
#[derive(Debug)]
pub(crate) enum Target {
    /// A file in a directory, after following all links: one to replace, or one to create.
    File { path: PathBuf },
    /// Something that is written to directly.
    Through { path: PathBuf, append: bool },
}

impl Target {
    /// Determines the target, and changes nothing.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let through = |append| Ok(Self::Through { path: path.to_owned(), append });
        if is_device_name(path) {
            return through(false);
        }
        // This follows links as the system allows it, including its protections
        // (`protected_symlinks`).
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Err(is_folder(path)),
            Ok(found) if found.is_file() => {
                if is_of_the_kernel(path) {
                    return through(true);
                }
                let path = fs::canonicalize(path).map_err(|error| failed(path, "", &error))?;
                may_be_written(&path)?;
                Ok(Self::File { path })
            }
            Ok(found) if is_socket(&found) => {
                let what = "is a socket, which can't be opened as a file";
                Err(io::Error::new(ErrorKind::InvalidInput, format!("{}: {what}", path.display())))
            }
            Ok(_) => through(false),
            Err(error) if error.kind() == ErrorKind::NotFound => missing(path),
            Err(error) => Err(failed(path, "", &error)),
        }
    }
}

/// Returns the file to create for a path, or for a link whose target does not exist yet.
fn missing(path: &Path) -> io::Result<Target> {
    if path.as_os_str().to_string_lossy().ends_with(std::path::is_separator) {
        return Err(is_folder(path));
    }
    let mut at = path.to_owned();
    for _ in 0..LINKS {
        let next = match fs::read_link(&at) {
            Ok(next) => folder(&at).join(next),
            Err(_) => {
                let name = at.file_name().ok_or_else(|| is_folder(path))?;
                let folder = folder(&at);
                let folder = fs::canonicalize(folder).map_err(|error| {
                    failed(path, &format!("directory {}: ", folder.display()), &error)
                })?;
                return Ok(Target::File { path: folder.join(name) });
            }
        };
        at = next;
    }
    let what = "too many symbolic links";
    Err(io::Error::new(ErrorKind::InvalidInput, format!("{}: {what}", path.display())))
}

/// Refuses to replace a file without write permission.
fn may_be_written(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).open(path) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            Err(failed(path, "is not writable: ", &error))
        }
        _ => Ok(()),
    }
}

/// Whether a path leads through `/proc` or `/sys`, where names are no directory entries on a disk:
/// `/dev/stdout` is a link to `/proc/self/fd/1`.
fn is_of_the_kernel(path: &Path) -> bool {
    let mut at = path.to_owned();
    for _ in 0..LINKS {
        let inside = fs::canonicalize(folder(&at))
            .is_ok_and(|folder| folder.starts_with("/proc") || folder.starts_with("/sys"));
        if inside {
            return true;
        }
        match fs::read_link(&at) {
            Ok(next) => at = folder(&at).join(next),
            Err(_) => return false,
        }
    }
    false
}

/// Returns the directory of a path.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => path,
    }
}

/// Returns an error that names the file.
pub(crate) fn failed(path: &Path, what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {what}{error}", path.display()))
}

fn is_folder(path: &Path) -> io::Error {
    io::Error::new(ErrorKind::IsADirectory, format!("{}: is a directory", path.display()))
}

#[cfg(unix)]
fn is_socket(found: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_socket(&found.file_type())
}

#[cfg(not(unix))]
fn is_socket(_: &Metadata) -> bool {
    false
}

#[cfg(windows)]
fn is_device_name(path: &Path) -> bool {
    let text = path.as_os_str().to_string_lossy().to_ascii_uppercase();
    matches!(text.as_str(), "NUL" | "CON") || text.starts_with(r"\\.\")
}

#[cfg(not(windows))]
fn is_device_name(_: &Path) -> bool {
    false
}

/// As many links as Linux follows.
const LINKS: usize = 40;
