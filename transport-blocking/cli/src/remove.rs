//! `apus rm`: removes objects: named ones, those of a prefix, those that standard input names.
//!
//! ```text
//!  names     ──▶ one by one, several at a time; one that does not exist is an error
//!  prefix    ──▶ listed and removed page by page: DeleteObjects, or each with its segments in Swift
//!  - (stdin) ──▶ read in batches, grouped by bucket or container, removed like a prefix
//! ```

mod batches;

use std::collections::BTreeMap;

use apus_blocking::s3;
use apus_blocking::swift;
use apus_core::Error;
use clap::Args;
use serde_json::json;

use crate::Stage;
use crate::address::shown;
use crate::exit::{Exit, Failure};
use crate::list;
use crate::names::Names;
use crate::objects::{Entry, Objects, Which, pages};
use crate::open::{Open, Target};
use crate::output::{Output, Printable};
use crate::place::Place;
use crate::pool;

#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// The objects' locations, or their names in the backend; - reads names from standard input, one
    /// a line
    #[arg(value_name = "LOCATION", required_unless_present = "all")]
    locations: Vec<String>,

    /// Remove all objects whose names begin with LOCATION
    #[arg(short, short_alias = 'R', long)]
    recursive: bool,

    /// With --recursive: permit an empty prefix, which removes every object of the backend's bucket or
    /// containers
    #[arg(long, requires = "recursive")]
    all: bool,

    /// With --recursive, in S3: remove all versions and delete markers permanently
    #[arg(long, requires = "recursive")]
    versions: bool,

    /// Print what would be removed, and remove nothing
    #[arg(short = 'n', long, visible_alias = "dryrun")]
    dry_run: bool,

    /// The names on standard input end with a NUL instead of a line's end
    #[arg(short = '0', long)]
    null: bool,
}

pub(crate) fn run(stage: &Stage, rm: &Rm) -> Result<Exit, Failure> {
    let open = stage.open()?;
    let mut removal =
        Removal { open: &open, output: stage.output, dry: rm.dry_run, total: Total::default() };
    if rm.recursive {
        let own = [String::new()];
        let prefixes = if rm.locations.is_empty() { &own[..] } else { &rm.locations };
        let targets: Vec<Target<'_>> = prefixes
            .iter()
            .map(|prefix| match prefix.is_empty() {
                true => list::prefix(&open, None),
                false => open.target(prefix),
            })
            .collect::<Result<_, _>>()?;
        if !rm.all && targets.iter().any(|target| target.name.is_empty()) {
            return Err(Failure::usage(
                "an empty prefix removes every object of the backend's bucket or containers: set \
                 --all to do so",
            ));
        }
        let done = targets.iter().try_for_each(|target| {
            let removed = removal.prefix(target, rm.versions);
            removed.map_err(|failure| failure.at(&Place::of_backend(target.backend)))
        });
        removal.or_tell(done)?;
    } else if rm.locations.iter().any(|location| location == "-") {
        if rm.locations.len() > 1 {
            return Err(Failure::usage("names come from standard input or from arguments"));
        }
        let done = Names::of_stdin(rm.null).and_then(|names| removal.names(names));
        removal.or_tell(done)?;
    } else {
        removal.each(&rm.locations, rm.locations.len() > 1)?;
        return removal.total.end_of(rm.locations.len());
    }
    removal.end()
}

/// What a command removes.
struct Removal<'a> {
    open: &'a Open,
    output: Output,
    dry: bool,
    total: Total,
}

/// What was removed, and what was not.
#[derive(Debug, Default)]
struct Total {
    removed: u64,
    /// How many of the objects did not exist, where the server says so.
    missing: u64,
    /// Whether segments of large objects count.
    segments: bool,
    failures: Vec<Failure>,
}

impl Total {
    /// Ends the removal of so many arguments.
    fn end_of(mut self, all: usize) -> Result<Exit, Failure> {
        match (self.failures.len(), all) {
            (0, _) => Ok(Exit::Done),
            (1, 1) => Err(self.failures.remove(0)),
            (failures, all) => {
                let message = format!("{failures} of {all} locations were not removed");
                Err(Failure::new(Exit::Partial, message))
            }
        }
    }
}

impl Removal<'_> {
    /// Removes each of these, and continues after one that fails. `tells`: each failure is reported at
    /// once.
    fn each(&mut self, locations: &[String], tells: bool) -> Result<(), Failure> {
        let (open, dry, output) = (self.open, self.dry, self.output);
        let work = |location: &String| {
            let stored = open.stored(location);
            let result = stored.and_then(|stored| match dry {
                false => open.stores.delete(&stored).map(|_| ()).map_err(open.at(&stored)),
                true => match open.stores.exists(&stored).map_err(open.at(&stored))?.outcome {
                    true => Ok(()),
                    false => Err(Failure::new(Exit::NotFound, "the object does not exist")),
                },
            });
            (shown(location), result)
        };
        let failures = &mut self.total.failures;
        let mut told = Ok(());
        let take = |(name, result): (String, Result<(), Failure>)| {
            match result {
                Ok(()) => {
                    let (key, verb) =
                        if dry { ("would_remove", "would remove") } else { ("removed", "removed") };
                    let text = format!("{verb} {}", Printable(&name));
                    let told_now = output.result(&json!({ key: name }), text);
                    told = std::mem::replace(&mut told, Ok(())).and(told_now);
                }
                Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
                Err(failure) => {
                    let failure = failure.of_name(&name);
                    if tells {
                        output.fail(&failure);
                    }
                    failures.push(failure);
                }
            }
            Ok(())
        };
        pool::each(AT_ONCE, work, take, |push| locations.iter().try_for_each(push))?;
        told
    }

    /// Removes the objects whose names begin with a prefix.
    fn prefix(&mut self, target: &Target<'_>, versions: bool) -> Result<(), Failure> {
        let objects = self.open.objects(target.backend)?;
        let prefix = &*target.name;
        let bucket = match &objects {
            Objects::S3(bucket, _) => bucket,
            Objects::Swift(..) if versions => {
                return Err(Failure::usage("--versions is for buckets in S3"));
            }
            Objects::Swift(account, _) => {
                if self.dry {
                    return self.would(&objects, prefix);
                }
                let containers = match &target.container {
                    Some(container) => vec![container.clone()],
                    None => objects.containers(prefix)?,
                };
                for container in containers {
                    let mut task =
                        swift::DeleteMany::prefix(container, prefix).concurrency(AT_ONCE);
                    if prefix.is_empty() {
                        task = task.all();
                    }
                    let done = account.client.run(task).cancel_on(account.token.clone()).send()?;
                    self.swift(done);
                }
                return Ok(());
            }
        };
        // Where this is refused or not supported, the removal works as in a bucket without versions.
        let versioning = bucket.call(s3::GetBucketVersioning::new(&bucket.name));
        let status = versioning.ok().and_then(|found| found.status);
        let what = match (&status, versions) {
            (_, true) => "versions and delete markers, permanently",
            (Some(_), false) => {
                "the bucket has versioning: a delete marker hides each object, its versions stay \
                 and are paid for (--versions removes them)"
            }
            (None, false) => "",
        };
        if !what.is_empty() {
            self.output.remark(what);
        }
        if self.dry && versions {
            let prefix = Some(prefix.to_owned());
            let list =
                s3::ListObjectVersions { prefix, ..s3::ListObjectVersions::new(&bucket.name) };
            return pages(
                list,
                |page| Ok(bucket.call(page)?),
                |page| {
                    let versions = page.versions.iter();
                    let versions = versions.map(|one| (&one.object.key, &one.version_id));
                    let markers = page.delete_markers.iter().map(|one| (&one.key, &one.version_id));
                    for (key, version) in versions.chain(markers) {
                        let value = json!({ "would_remove": key, "version": version });
                        let version = version.as_deref().unwrap_or("null");
                        let text = format!("would remove {} version {version}", Printable(key));
                        self.output.listed(&value, text)?;
                        self.total.removed += 1;
                    }
                    Ok(())
                },
            );
        }
        if self.dry {
            return self.would(&objects, prefix);
        }
        let mut task = s3::DeleteMany::prefix(&bucket.name, prefix).versions(versions);
        if prefix.is_empty() {
            task = task.all();
        }
        let done = bucket.client.run(task).cancel_on(bucket.token.clone()).send()?;
        self.s3(done);
        Ok(())
    }

    /// Prints what is below a prefix.
    fn would(&mut self, objects: &Objects<'_>, prefix: &str) -> Result<(), Failure> {
        let which = Which { prefix, segments: true, ..Which::default() };
        objects.list(which, &mut |entry| {
            let Entry::Object(found) = entry else { return Ok(()) };
            self.total.removed += 1;
            let value = json!({ "would_remove": found.name, "size": found.size });
            self.output.listed(&value, format_args!("would remove {}", Printable(&found.name)))
        })
    }

    /// Removes the objects that lines of text name, and continues after one that names none.
    fn names(&mut self, names: Names) -> Result<(), Failure> {
        let mut opened: BTreeMap<String, Objects<'_>> = BTreeMap::new();
        for batch in names {
            let mut named = Vec::new();
            for name in batch? {
                match name.wrong {
                    Some(failure) => self.failed(failure.of(&name.text)),
                    None => named.push(name.text),
                }
            }
            if self.dry {
                let failed = self.total.failures.len();
                self.each(&named, true)?;
                let failed = self.total.failures.len() - failed;
                self.total.removed += (named.len() - failed) as u64;
                continue;
            }
            let open = self.open;
            let groups = batches::grouped(open, named, |argument, failure| {
                self.failed(failure.of(argument));
            });
            for ((id, container), names) in groups {
                if !opened.contains_key(&id) {
                    opened.insert(id.clone(), self.open.objects(self.open.named(&id)?)?);
                }
                let Some(objects) = opened.get(&id) else { continue };
                let place = Place::of_backend(self.open.named(&id)?).in_container(&container);
                let at = |error| Failure::from(error).at(&place);
                match objects {
                    Objects::S3(bucket, _) => {
                        let task = s3::DeleteMany::new(container, names);
                        let done = bucket.client.run(task).cancel_on(bucket.token.clone());
                        self.s3(done.send().map_err(at)?);
                    }
                    Objects::Swift(account, _) => {
                        let task = swift::DeleteMany::new(container, names).concurrency(AT_ONCE);
                        let done = account.client.run(task).cancel_on(account.token.clone());
                        self.swift(done.send().map_err(at)?);
                    }
                }
            }
        }
        Ok(())
    }

    fn s3(&mut self, done: s3::DeletedMany) {
        self.total.removed += done.deleted;
        for error in done.errors {
            let key = error.key.clone();
            self.failed(Failure::from(Error::from(error)).of_name(&key));
        }
    }

    fn swift(&mut self, done: swift::SwiftDeletedMany) {
        self.total.removed += done.deleted;
        self.total.missing += done.missing;
        self.total.segments = true;
        for (name, error) in done.errors {
            self.failed(Failure::from(error).of_name(&name));
        }
    }

    fn failed(&mut self, failure: Failure) {
        self.output.fail(&failure);
        self.total.failures.push(failure);
    }

    /// Says what a removal that ended early has removed.
    fn or_tell(&self, done: Result<(), Failure>) -> Result<(), Failure> {
        if done.is_err() && self.total.removed > 0 {
            self.tell()?;
        }
        done
    }

    fn tell(&self) -> Result<(), Failure> {
        let Total { removed, missing, segments, failures } = &self.total;
        let key = if self.dry { "would_remove" } else { "removed" };
        let value = json!({ key: removed, "missing": missing, "failed": failures.len() });
        let what = if *segments { "objects and segments" } else { "objects" };
        let text = match (self.dry, missing) {
            (true, _) => format!("{removed} objects would be removed"),
            (false, 0) => format!("removed {removed} {what}"),
            (false, missing) => format!("removed {removed} {what}, {missing} did not exist"),
        };
        self.output.result(&value, text)
    }

    fn end(self) -> Result<Exit, Failure> {
        self.tell()?;
        match self.total.failures.len() {
            0 => Ok(Exit::Done),
            failures => {
                let message = format!("{failures} objects were not removed");
                Err(Failure::new(Exit::Partial, message))
            }
        }
    }
}

/// How many objects are removed at once where each takes requests of its own.
const AT_ONCE: usize = 8;
