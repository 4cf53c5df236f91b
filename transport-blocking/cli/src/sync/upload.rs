//! From a directory to a prefix.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use apus_blocking::{s3, swift};
use apus_core::s3::ListMultipartUploads;

use super::compare::{Direction, is_same};
use super::local::{Below, LocalFile, Walk};
use super::report::{Outcome, Report};
use super::transfer::{self, Properties};
use super::{AT_ONCE, Job};
use crate::exit::{Exit, Failure};
use crate::objects::{Found, Objects};
use crate::output::Printable;
use crate::pool;

pub(super) fn run(
    job: &Job<'_>,
    directory: &Path,
    properties: &Properties,
    replace: bool,
) -> Result<Exit, Failure> {
    let mut walk = Walk::new(directory)?.peekable();
    let mut report = job.report(["uploaded", "upload"]);
    let (mut extra, mut skipped, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    let (mut unfinished, in_parts) = (Vec::new(), AtomicBool::new(false));
    let work = |(file, found): (LocalFile, Option<Found>)| {
        let name = format!("{}{}", job.target.name, file.path);
        match one(job, &name, &file, found.as_ref(), properties, replace) {
            Ok(None) => Outcome::Same,
            Ok(Some(bytes)) => {
                in_parts.fetch_or(bytes > transfer::PART_SIZE, Ordering::Relaxed);
                Outcome::Done(name, bytes)
            }
            Err(failure) => {
                let failure = job.at(failure, &name);
                Outcome::Failed(name, failure)
            }
        }
    };
    let shown = job.open.watch.show("upload", None);
    pool::each(
        AT_ONCE,
        work,
        |outcome| report.take(outcome),
        |push| {
            let mut file = |below: Below, found: Option<Found>| match below {
                Below::Skipped(path, why) if job.filter.takes(&path) => {
                    skipped.push((path, why));
                    Ok(())
                }
                Below::Unfinished(path) if job.filter.takes(&path) => {
                    unfinished.push(path);
                    Ok(())
                }
                Below::Unread(path, failure) if job.takes_unread(&path) => {
                    unread.push((path, failure));
                    Ok(())
                }
                Below::File(file) if job.filter.takes(&file.path) => push((file, found)),
                _ => Ok(()),
            };
            // Without anything to compare with, nothing is listed.
            if job.compare != super::Compare::Not || job.delete {
                job.each(true, &mut |path, found| {
                    while let Some(below) = walk.next_if(|below| below.path() < path) {
                        file(below, None)?;
                    }
                    match walk.next_if(|below| below.path() == path) {
                        Some(below) => file(below, Some(found)),
                        None => {
                            if job.delete && job.filter.takes(path) {
                                extra.push((found.container, found.name));
                            }
                            Ok(())
                        }
                    }
                })?;
            }
            walk.try_for_each(|below| file(below, None))
        },
    )?;
    drop(shown);
    for (path, why) in skipped {
        report.skipped(&path, why);
    }
    for path in unfinished {
        let what = "not sent, for it is of a download that has not ended";
        job.stage.output.remark(format_args!("{}: {what}", Printable(&path)));
    }
    if in_parts.into_inner() && !job.dry {
        tell_left(job);
    }
    for (path, failure) in unread {
        report.take(Outcome::Failed(path, failure))?;
    }
    remove(job, &mut report, extra)?;
    report.end()
}

/// Says how many uploads in parts a killed process has left below the prefix, or another one still
/// sends. Nothing where the list can't be read: an upload needs no permission to read it.
fn tell_left(job: &Job<'_>) {
    let Objects::S3(bucket, store) = &job.objects else { return };
    let mut list = ListMultipartUploads::new(&bucket.name);
    list.prefix = Some(job.target.name.clone()).filter(|prefix| !prefix.is_empty());
    let Ok(page) = bucket.call(list) else { return };
    let more = if page.is_truncated == Some(true) { "at least " } else { "" };
    let prefix = &job.target.name;
    let count = page.uploads.iter().filter(|upload| upload.key.starts_with(&**prefix)).count();
    if count > 0 {
        job.stage.output.remark(format_args!(
            "uploads in parts that have not ended: {more}{count}; to list them: uploads ls {}:{}",
            store.id(),
            Printable(prefix)
        ));
    }
}

/// Uploads one file, unless it is equal to the object. Returns the bytes.
fn one(
    job: &Job<'_>,
    name: &str,
    file: &LocalFile,
    found: Option<&Found>,
    properties: &Properties,
    replace: bool,
) -> Result<Option<u64>, Failure> {
    if let Some(found) = found
        && is_same(&job.objects, job.compare, Direction::Up, file, found)?
    {
        return Ok(None);
    }
    if job.dry {
        return Ok(Some(file.size));
    }
    let container = match found {
        Some(found) => found.container.clone(),
        None => job.open.container(job.target.backend, name),
    };
    transfer::upload(&job.objects, (&container, name), &file.at, properties, replace).map(Some)
}

/// Removes the objects that the directory does not have.
fn remove(job: &Job<'_>, report: &mut Report, extra: Vec<(String, String)>) -> Result<(), Failure> {
    if extra.is_empty() {
        return Ok(());
    }
    if report.is_empty() {
        return Err(Failure::usage(
            "the directory has no file: nothing was removed; `apus rm --recursive` removes all of a \
             prefix",
        ));
    }
    if !report.is_sound() {
        job.stage.output.remark("nothing was removed, since not everything was transferred");
        return Ok(());
    }
    if job.dry {
        return extra.iter().try_for_each(|(_, name)| report.removed(name));
    }
    let mut extra = extra.into_iter().peekable();
    while let Some((container, _)) = extra.peek().cloned() {
        let mut names = Vec::new();
        while names.len() < BATCH
            && let Some((_, name)) = extra.next_if(|(own, _)| *own == container)
        {
            names.push(name);
        }
        let failures: Vec<(String, Failure)> = match &job.objects {
            Objects::S3(bucket, _) => {
                let task = s3::DeleteMany::new(&container, names.iter().cloned());
                let done = bucket.client.run(task).cancel_on(bucket.token.clone()).send()?;
                let errors = done.errors.into_iter();
                errors
                    .map(|error| (error.key.clone(), apus_core::Error::from(error).into()))
                    .collect()
            }
            Objects::Swift(account, _) => {
                let task = swift::DeleteMany::new(&container, &names).concurrency(AT_ONCE);
                let done = account.client.run(task).cancel_on(account.token.clone()).send()?;
                done.errors.into_iter().map(|(name, error)| (name, error.into())).collect()
            }
        };
        for name in &names {
            if !failures.iter().any(|(failed, _)| failed == name) {
                report.removed(name)?;
            }
        }
        for (name, failure) in failures {
            let failure = job.at(failure, &name);
            report.take(Outcome::Failed(name, failure))?;
        }
    }
    Ok(())
}

/// How many objects are removed by one task.
const BATCH: usize = 10_000;
