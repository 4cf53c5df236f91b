//! From a prefix to a directory.

use std::fs;
use std::io;
use std::path::Path;

use apus_blocking::create_parents;
use apus_core::key_path::{KeyPathError, KeyPaths};

use super::compare::{Direction, is_same};
use super::local::{Below, LocalFile, Walk};
use super::report::{Outcome, Report};
use super::transfer;
use super::{AT_ONCE, Job};
use crate::exit::{Exit, Failure};
use crate::objects::Found;
use crate::output::Printable;
use crate::pool;

pub(super) fn run(job: &Job<'_>, directory: &Path) -> Result<Exit, Failure> {
    if fs::metadata(directory).is_ok_and(|found| !found.is_dir()) {
        return Err(Failure::usage(format!("{}: is not a directory", directory.display())));
    }
    let existed = directory.exists();
    let mut report = job.report(["downloaded", "download"]);
    let mut paths = KeyPaths::new(&*job.target.name);
    let (mut extra, mut refused, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    let mut walk = match job.delete {
        true => Some(Walk::target(directory)?.peekable()),
        false => None,
    };
    let work = |(path, found): (String, Found)| match one(job, directory, &path, &found) {
        Ok(None) => Outcome::Same,
        Ok(Some(bytes)) => Outcome::Done(path, bytes),
        Err(failure) => {
            let failure = job.at(failure, &found.name);
            Outcome::Failed(path, failure)
        }
    };
    let shown = job.open.watch.show("download", None);
    pool::each(
        AT_ONCE,
        work,
        |outcome| {
            let is_full =
                matches!(&outcome, Outcome::Failed(_, failure) if failure.exit == Exit::Full);
            report.take(outcome)?;
            match is_full {
                // The others have no place either.
                true => Err(report.stopped(Exit::Full, "there is no space left")),
                false => Ok(()),
            }
        },
        |push| {
            job.each(job.delete, &mut |path, found| {
                if let Some(walk) = &mut walk {
                    // What is at the target alone, and then what has the name of the object.
                    while let Some(below) = walk.next_if(|below| below.path() <= path) {
                        if below.path() < path {
                            note(job, &mut extra, &mut unread, below);
                        }
                    }
                }
                if !job.filter.takes(path) {
                    return Ok(());
                }
                match paths.path(&found.name) {
                    Ok(path) => push((path.as_str().to_owned(), found)),
                    // It marks a directory, or that of the prefix.
                    Err(KeyPathError::Directory | KeyPathError::Empty) if found.size == Some(0) => {
                        Ok(())
                    }
                    Err(KeyPathError::Directory) => {
                        refused.push((found.name, NAMED_AS_DIRECTORY.to_owned()));
                        Ok(())
                    }
                    Err(why) => {
                        refused.push((found.name, why.to_string()));
                        Ok(())
                    }
                }
            })?;
            if let Some(walk) = &mut walk {
                for below in walk {
                    note(job, &mut extra, &mut unread, below);
                }
            }
            Ok(())
        },
    )?;
    drop(shown);
    // With --delete they were found meanwhile.
    if existed && !job.delete && !job.dry {
        for below in Walk::target(directory).into_iter().flatten() {
            if let Below::Unfinished(path) = below {
                tell_unfinished(job, &path);
            }
        }
    }
    for (name, why) in refused {
        report.skipped(&name, &why);
    }
    for (path, failure) in unread {
        report.take(Outcome::Failed(path, failure))?;
    }
    remove(job, &mut report, extra)?;
    report.end()
}

/// Notes a file that no object has the name of, and what can't be read.
fn note(
    job: &Job<'_>,
    extra: &mut Vec<LocalFile>,
    unread: &mut Vec<(String, Failure)>,
    below: Below,
) {
    match below {
        Below::File(file) if job.filter.takes(&file.path) => extra.push(file),
        Below::Unread(path, failure) if job.takes_unread(&path) => unread.push((path, failure)),
        Below::Unfinished(path) => tell_unfinished(job, &path),
        _ => {}
    }
}

/// Names a file that a killed download has left, or that another one writes.
fn tell_unfinished(job: &Job<'_>, path: &str) {
    let what = "is of a download that has not ended: if none runs, remove it";
    job.stage.output.remark(format_args!("{} {what}", Printable(path)));
}

/// Downloads one object, unless the file is equal to it. Returns the bytes.
fn one(job: &Job<'_>, directory: &Path, path: &str, found: &Found) -> Result<Option<u64>, Failure> {
    let at = directory.join(path);
    if let Ok(is) = fs::symlink_metadata(&at)
        && is.is_file()
    {
        let modified = is.modified().ok();
        let file = LocalFile { path: path.to_owned(), at: at.clone(), size: is.len(), modified };
        if is_same(&job.objects, job.compare, Direction::Down, &file, found)? {
            return Ok(None);
        }
    }
    if job.dry {
        return Ok(Some(found.size.unwrap_or_default()));
    }
    let at = create_parents(directory, path)
        .map_err(|error| Failure::new(Exit::Other, error.to_string()))?;
    transfer::download(&job.objects, found, &at).map(Some)
}

/// Removes the files that no object has the name of. Directories and links stay.
fn remove(job: &Job<'_>, report: &mut Report, extra: Vec<LocalFile>) -> Result<(), Failure> {
    if extra.is_empty() {
        return Ok(());
    }
    if report.is_empty() {
        return Err(Failure::usage(
            "no object has this prefix: nothing was removed from the directory",
        ));
    }
    if !report.is_sound() {
        job.stage.output.remark("nothing was removed, since not everything was transferred");
        return Ok(());
    }
    for file in extra {
        if !job.dry {
            match fs::remove_file(&file.at) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    let failure = Failure::new(Exit::Other, error.to_string());
                    report.take(Outcome::Failed(file.path, failure))?;
                    continue;
                }
                Ok(()) => {}
            }
        }
        report.removed(&file.path)?;
    }
    Ok(())
}

const NAMED_AS_DIRECTORY: &str = "it has bytes, and its name ends with `/`, as that of no file: \
                                  `apus get` writes it to a file of another name";
