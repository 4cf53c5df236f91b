//! Files below a directory, at paths that somebody else chose.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use super::target::failed;

/// Creates the directories of the file `path` below `target`, and `target` itself; returns the path
/// of the file, which is not created. No symbolic link below `target` is followed; `target` may be
/// one.
///
/// For a path of `apus_core::key_path`, after which [`Output`](super::Output) writes the file. The
/// directories are looked at one by one: another process that can write to them while this runs can
/// replace one with a symbolic link that is then followed. Restore into a directory that only you
/// can write to.
///
/// # Errors
///
/// The path is empty or has a component that is no name (`..`, a root); a component is a symbolic
/// link; a directory of the path is a file; the file is a directory; or a directory can't be
/// created. The error names the path.
pub fn create_parents(target: &Path, path: impl AsRef<Path>) -> io::Result<PathBuf> {
    let path = path.as_ref();
    let names = path.components().map(|component| match component {
        Component::Normal(name) => Ok(name),
        _ => Err(refused(path, "it is not a path below a directory")),
    });
    let names: Vec<_> = names.collect::<Result<_, _>>()?;
    let Some((file, directories)) = names.split_last() else {
        return Err(refused(path, "it names no file"));
    };
    fs::create_dir_all(target).map_err(|error| failed(target, CREATED, &error))?;
    let mut at = target.to_owned();
    for name in directories {
        at.push(name);
        directory(&at, target)?;
    }
    at.push(file);
    match look(&at, target)? {
        Some(found) if found.is_dir() => Err(io::Error::new(
            ErrorKind::IsADirectory,
            format!("{}: is a directory", at.display()),
        )),
        _ => Ok(at),
    }
}

/// Creates a directory unless it exists.
fn directory(at: &Path, target: &Path) -> io::Result<()> {
    if look(at, target)?.is_none() {
        match fs::create_dir(at) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => return created.map_err(|error| failed(at, CREATED, &error)),
        }
    }
    // Also if it was created by another thread just now.
    match look(at, target)? {
        Some(found) if found.is_dir() => Ok(()),
        _ => Err(io::Error::new(
            ErrorKind::NotADirectory,
            format!("{}: it is not a directory, and a file is to be created in it", at.display()),
        )),
    }
}

/// Returns what is there, unless it is a symbolic link or, on Windows, a junction.
fn look(at: &Path, target: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(at) {
        Ok(found) if found.file_type().is_symlink() => {
            let target = target.display();
            Err(refused(
                at,
                &format!("it is a symbolic link, which may lead out of {target}: remove it"),
            ))
        }
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(at, "", &error)),
    }
}

fn refused(path: &Path, why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, format!("{}: {why}", path.display()))
}

const CREATED: &str = "the directory can't be created: ";
