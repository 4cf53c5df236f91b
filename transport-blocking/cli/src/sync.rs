//! `apus sync`, and `put` and `get` of a directory: files of a directory and objects of a prefix.
//!
//! ```text
//!  directory ─ walked in the order of keys ─┐
//!                                           ├─ compared name by name ─▶ transferred, several at once
//!  prefix ──── listed in the order of keys ─┘        │
//!                                                    └─ only at the target: removed at the end, with
//!                                                       --delete, if nothing has failed before
//! ```
//!
//! Of either side one page or one directory of each level is in memory. Each file and each object is
//! written completely or not at all: a command that was interrupted is simply run again.

mod compare;
mod download;
mod filter;
mod local;
mod report;
mod transfer;
mod upload;

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

pub(crate) use self::filter::Filter;
use self::report::Report;
pub(crate) use self::transfer::Properties;
use crate::Stage;
use crate::address::Address;
use crate::exit::{Exit, Failure};
use crate::objects::{Entry, Found, Objects, Which};
use crate::open::{Open, Target};
use crate::output::Printable;
use crate::place::Place;

#[derive(Debug, Args)]
pub(crate) struct Sync {
    /// What is read: a directory, or BACKEND:PREFIX
    from: PathBuf,

    /// What is made equal to it: BACKEND:PREFIX, or a directory
    to: PathBuf,

    /// Remove what is only at the target; not if anything has failed before
    #[arg(long)]
    delete: bool,

    /// With --delete: permit an empty prefix at the target, so that every other object of the bucket
    /// is removed
    #[arg(long, requires = "delete")]
    all: bool,

    /// Print what would be done, and change nothing
    #[arg(short = 'n', long, visible_alias = "dryrun")]
    dry_run: bool,

    /// Compare sizes only
    #[arg(long, conflicts_with = "mtime")]
    size_only: bool,

    /// Compare sizes and times in place of ETags: a file is uploaded if it is newer than the object,
    /// an object is downloaded if the file has another time
    #[arg(long)]
    mtime: bool,

    #[command(flatten)]
    filter: Filter,

    #[command(flatten)]
    properties: Properties,
}

/// How a file is compared with an object of the same size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    /// It is not: everything is transferred.
    Not,
    Size,
    Time,
    ETag,
}

/// What a command transfers, and how.
struct Job<'a> {
    open: &'a Open,
    stage: &'a Stage,
    objects: Objects<'a>,
    target: Target<'a>,
    filter: &'a Filter,
    compare: Compare,
    dry: bool,
    delete: bool,
}

/// Makes a directory and a prefix equal.
pub(crate) fn run(stage: &Stage, sync: &Sync) -> Result<Exit, Failure> {
    let open = stage.open()?;
    let remote = |path: &Path| match path.to_str().map(|text| (text, open.address(text))) {
        Some((text, Ok(Address::Object(Some(_), _)))) => open.target(text).map(Some),
        _ => Ok(None),
    };
    let (from, to) = (remote(&sync.from)?, remote(&sync.to)?);
    let compare = match (sync.size_only, sync.mtime) {
        (true, _) => Compare::Size,
        (_, true) => Compare::Time,
        _ => Compare::ETag,
    };
    match (from, to) {
        (None, Some(target)) => {
            if sync.delete && target.name.is_empty() && !sync.all {
                return Err(Failure::usage(
                    "--delete with an empty prefix removes every other object of the bucket: set \
                     --all to do so",
                ));
            }
            let (filter, dry) = (&sync.filter, sync.dry_run);
            let job = job(stage, &open, target, filter, compare, dry, sync.delete)?;
            sync.properties.check(&job.objects)?;
            job.run(|job| upload::run(job, &sync.from, &sync.properties, true))
        }
        (Some(_), None) if sync.properties.is_given() => Err(Failure::usage(
            "--content-type, --metadata and --storage-class are for objects, and the target is a \
             directory",
        )),
        (Some(target), None) => {
            let (filter, dry) = (&sync.filter, sync.dry_run);
            let job = job(stage, &open, target, filter, compare, dry, sync.delete)?;
            job.run(|job| download::run(job, &sync.to))
        }
        (Some(_), Some(_)) => Err(Failure::usage(
            "both are prefixes of backends: one of them has to be a directory (./NAME is one)",
        )),
        (None, None) => Err(Failure::usage(
            "both are directories: one of them has to be BACKEND:PREFIX, with the id of a backend \
             (`apus ls --backends` lists them)",
        )),
    }
}

/// How `put` stores a directory, or a file that is no image.
#[derive(Clone, Debug, Args)]
pub(crate) struct PutObjects {
    /// Store the files of the directory FILE
    #[arg(short, short_alias = 'R', long, conflicts_with_all = ["size", "hash"])]
    recursive: bool,

    /// Replace objects that exist
    #[arg(long, conflicts_with_all = ["size", "hash"])]
    replace: bool,

    /// With --recursive: print what would be stored, and store nothing
    #[arg(short = 'n', long, visible_alias = "dryrun", requires = "recursive")]
    dry_run: bool,

    #[command(flatten)]
    filter: Filter,

    #[command(flatten)]
    properties: Properties,
}

impl PutObjects {
    /// Whether the file is to be stored in another way than an image.
    pub(crate) fn is_given(&self) -> bool {
        self.recursive || self.replace || self.properties.is_given() || self.filter.is_given()
    }
}

/// How `get` writes the objects of a prefix.
#[derive(Clone, Debug, Args)]
pub(crate) struct GetObjects {
    /// Write all objects whose names begin with LOCATION into the directory of --output
    #[arg(short = 'R', long, conflicts_with = "range", requires = "output")]
    recursive: bool,

    /// With --recursive: print what would be written, and write nothing
    #[arg(short = 'n', long, visible_alias = "dryrun", requires = "recursive")]
    dry_run: bool,

    #[command(flatten)]
    filter: Filter,
}

impl GetObjects {
    /// Whether a prefix is meant.
    pub(crate) fn is_given(&self) -> bool {
        self.recursive || self.filter.is_given()
    }
}

/// Stores the files of a directory under a prefix, or one file with properties or in place of another
/// object.
pub(crate) fn put(
    stage: &Stage,
    file: &Path,
    id: Option<&str>,
    put: &PutObjects,
) -> Result<Exit, Failure> {
    let open = stage.open()?;
    let backend = open.backend()?;
    let PutObjects { recursive, replace, dry_run, filter, properties } = put;
    if *recursive {
        let name = id.unwrap_or_default().to_owned();
        let target = Target { backend, container: None, name };
        let job = job(stage, &open, target, filter, Compare::Not, *dry_run, false)?;
        properties.check(&job.objects)?;
        return job.run(|job| upload::run(job, file, properties, *replace));
    }
    if filter.is_given() {
        return Err(Failure::usage("--include and --exclude are for --recursive"));
    }
    let own = file.file_name().and_then(|name| name.to_str());
    let name = id.or(own).filter(|_| file != Path::new("-")).ok_or_else(|| {
        Failure::usage(
            "with --replace or properties, only a file whose name is UTF-8 can be stored",
        )
    })?;
    if file.is_dir() {
        return Err(Failure::usage(format!("{}: is a directory", file.display())));
    }
    let objects = open.objects(backend)?;
    properties.check(&objects)?;
    let container = open.container(backend, name);
    let shown = open.watch.show(name, file.metadata().ok().map(|found| found.len()));
    let size = transfer::upload(&objects, (&container, name), file, properties, *replace);
    let place = Place::of_new(backend, name);
    let size = size.map_err(|failure| failure.at(&place).of_name(name))?;
    drop(shown);
    let value = json!({ "uploaded": name, "size": size });
    stage.output.result(&value, format_args!("uploaded {}", Printable(name)))?;
    Ok(Exit::Done)
}

/// Writes the objects of a prefix into a directory.
pub(crate) fn get(
    stage: &Stage,
    prefix: &str,
    directory: Option<&Path>,
    get: &GetObjects,
) -> Result<Exit, Failure> {
    let Some(directory) = directory.filter(|_| get.recursive) else {
        return Err(Failure::usage("--include and --exclude are for --recursive"));
    };
    if crate::locations::is_dash(directory) {
        return Err(Failure::usage(
            "--recursive writes files: set --output to a directory (./- is one)",
        ));
    }
    let open = stage.open()?;
    let target = open.target(prefix)?;
    let job = job(stage, &open, target, &get.filter, Compare::Not, get.dry_run, false)?;
    job.run(|job| download::run(job, directory))
}

fn job<'a>(
    stage: &'a Stage,
    open: &'a Open,
    mut target: Target<'a>,
    filter: &'a Filter,
    compare: Compare,
    dry: bool,
    delete: bool,
) -> Result<Job<'a>, Failure> {
    // As with every such tool, the prefix is that of a directory.
    if !target.name.is_empty() && !target.name.ends_with('/') {
        target.name.push('/');
    }
    let objects = open.objects(target.backend)?;
    Ok(Job { open, stage, objects, target, filter, compare, dry, delete })
}

impl Job<'_> {
    /// Does the work; its errors name the backend.
    fn run(&self, work: impl FnOnce(&Self) -> Result<Exit, Failure>) -> Result<Exit, Failure> {
        work(self).map_err(|failure| failure.at(&Place::of_backend(self.target.backend)))
    }

    /// Whether what can't be read may be, or may have below it, a file that is taken.
    fn takes_unread(&self, path: &str) -> bool {
        match path.ends_with('/') {
            true => self.filter.takes_below(path),
            false => self.filter.takes(path),
        }
    }

    /// Names the object that a failure of the server is about.
    fn at(&self, failure: Failure, name: &str) -> Failure {
        failure.at(&Place::of_new(self.target.backend, name))
    }

    fn report(&self, verbs: [&'static str; 2]) -> Report {
        Report::new(self.stage.output, self.dry, verbs)
    }

    /// Calls `take` with each object and its path below the prefix, in the order of their names. A list
    /// without an order is an error, where it has to be compared with a directory.
    fn each(
        &self,
        ordered: bool,
        take: &mut dyn FnMut(&str, Found) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let prefix = &*self.target.name;
        let which = Which { prefix, ..Which::default() };
        let below = |name: &str| name.strip_prefix(prefix).map(str::to_owned);
        if ordered && self.objects.containers(prefix)?.len() > 1 {
            let mut all = Vec::new();
            self.objects.list(which, &mut |entry| {
                if let Entry::Object(found) = entry {
                    all.push(found);
                }
                Ok(())
            })?;
            all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
            return all.into_iter().try_for_each(|found| match below(&found.name) {
                Some(path) => take(&path, found),
                None => Ok(()),
            });
        }
        let mut last = None::<String>;
        self.objects.list(which, &mut |entry| {
            let Entry::Object(found) = entry else { return Ok(()) };
            // A server may ignore the prefix.
            let Some(path) = below(&found.name) else { return Ok(()) };
            if ordered && last.as_ref().is_some_and(|last| *last >= path) {
                return Err(Failure::new(
                    Exit::Other,
                    format!(
                        "the server lists {:?} after a later name: it can't be compared",
                        found.name
                    ),
                ));
            }
            take(&path, found)?;
            last = Some(path);
            Ok(())
        })
    }
}

/// How many files are transferred at once.
const AT_ONCE: usize = 8;
