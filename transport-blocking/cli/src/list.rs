//! `apus ls` and `apus du`: list objects, backends and buckets, and add up sizes.

use apus_core::now::Timestamp;
use apus_core::s3;
use apus_core::store::StoreBackend;
use apus_core::swift;
use clap::Args;
use serde_json::json;

use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::objects::{Entry, Found, Objects, Which, pages};
use crate::open::{Open, Target};
use crate::output::{Output, Printable};
use crate::place::Place;
use crate::progress::human;

#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// List only names with this prefix; BACKEND:PREFIX for another backend
    prefix: Option<String>,

    /// Show names that have this text after the prefix once, up to and with the text; / shows
    /// directories
    #[arg(long, value_name = "TEXT")]
    delimiter: Option<String>,

    /// Show sizes in KiB, MiB and GiB
    #[arg(short = 'H', long)]
    human_readable: bool,

    /// Print BACKEND:NAME alone, each with a NUL in place of a line's end: input for `stat -0 -`,
    /// `copy -0 -` and `rm -0 -`
    #[arg(short = '0', long, conflicts_with_all = ["delimiter", "human_readable", "backends", "buckets"])]
    null: bool,

    /// Also list the segments of large objects that are beside their objects in Swift
    #[arg(long)]
    segments: bool,

    /// List the backends of the configuration instead; sends nothing
    #[arg(long, conflicts_with_all = ["prefix", "delimiter", "segments", "buckets"])]
    backends: bool,

    /// List the buckets or containers of the backend's account instead
    #[arg(long, conflicts_with_all = ["delimiter", "segments"])]
    buckets: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Du {
    /// Count only names with this prefix; BACKEND:PREFIX for another backend
    prefix: Option<String>,

    /// Add up each group of names that have this text after the prefix; / shows directories
    #[arg(long, value_name = "TEXT")]
    delimiter: Option<String>,

    /// Show sizes in KiB, MiB and GiB
    #[arg(short = 'H', long)]
    human_readable: bool,
}

/// Lists the objects of a backend, the backends, or the buckets.
pub(crate) fn ls(stage: &Stage, ls: &Ls) -> Result<Exit, Failure> {
    if ls.null && stage.output.is_json() {
        return Err(Failure::usage("--null prints names and --json documents: one of them"));
    }
    let open = stage.open()?;
    if ls.backends {
        return backends(stage.output, &open);
    }
    let target = prefix(&open, ls.prefix.as_deref())?;
    let place = Place::of_backend(target.backend);
    listed(stage, &open, &target, ls).map_err(|failure| failure.at(&place))
}

fn listed(stage: &Stage, open: &Open, target: &Target<'_>, ls: &Ls) -> Result<Exit, Failure> {
    let objects = open.objects(target.backend)?;
    let size = Size { human: ls.human_readable };
    if ls.buckets {
        return buckets(stage.output, &objects, &target.name, size);
    }
    let delimiter = ls.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let which = Which { prefix: &target.name, delimiter, segments: ls.segments };
    objects.list(which, &mut |entry| match entry {
        Entry::Object(found) if ls.null => {
            let name = format!("{}:{}\0", target.backend.id(), found.name);
            stage.output.piece(name.as_bytes())
        }
        Entry::Object(found) => tell(stage.output, &found, size),
        Entry::Prefix(name) => {
            let shown = format_args!("{:>14}  {:<20}  {}", "-", "-", Printable(&name)).to_string();
            stage.output.listed(&json!({ "prefix": name }), shown)
        }
    })?;
    stage.output.flush()?;
    Ok(Exit::Done)
}

/// Adds up the sizes of the objects of a backend.
pub(crate) fn du(stage: &Stage, du: &Du) -> Result<Exit, Failure> {
    let open = stage.open()?;
    let target = prefix(&open, du.prefix.as_deref())?;
    let place = Place::of_backend(target.backend);
    added_up(stage, &open, &target, du).map_err(|failure| failure.at(&place))
}

fn added_up(stage: &Stage, open: &Open, target: &Target<'_>, du: &Du) -> Result<Exit, Failure> {
    let objects = open.objects(target.backend)?;
    let delimiter = du.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let size = Size { human: du.human_readable };
    // Groups follow one another in a list that is in order; containers of a seed each have theirs.
    let (mut group, mut all) = (None::<(String, Sum)>, Sum::default());
    let tell = |name: &str, sum: &Sum| {
        let value = json!({
            "prefix": name, "bytes": sum.bytes, "objects": sum.objects, "unknown": sum.unknown,
        });
        let shown = size.of(Some(sum.bytes));
        let name = Printable(name);
        stage.output.listed(&value, format_args!("{shown:>14}  {:>12}  {name}", sum.objects))
    };
    let which = Which { prefix: &target.name, ..Which::default() };
    objects.list(which, &mut |entry| {
        let Entry::Object(found) = entry else { return Ok(()) };
        all.add(&found);
        let Some(delimiter) = delimiter else { return Ok(()) };
        let rest = found.name.get(target.name.len()..).unwrap_or_default();
        let end = rest.find(delimiter).map(|at| target.name.len() + at + delimiter.len());
        let Some(name) = end.and_then(|end| found.name.get(..end)) else { return Ok(()) };
        match &mut group {
            Some((own, sum)) if own == name => sum.add(&found),
            _ => {
                let mut sum = Sum::default();
                sum.add(&found);
                if let Some((name, sum)) = group.replace((name.to_owned(), sum)) {
                    tell(&name, &sum)?;
                }
            }
        }
        Ok(())
    })?;
    if let Some((name, sum)) = &group {
        tell(name, sum)?;
    }
    tell(&target.name, &all)?;
    if all.unknown > 0 {
        stage.output.remark(format_args!("{} objects are listed without a size", all.unknown));
    }
    Ok(Exit::Done)
}

/// What was added up.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    objects: u64,
    bytes: u64,
    /// How many objects are listed without a size.
    unknown: u64,
}

impl Sum {
    fn add(&mut self, found: &Found) {
        self.objects += 1;
        self.bytes = self.bytes.saturating_add(found.size.unwrap_or_default());
        self.unknown += u64::from(found.size.is_none());
    }
}

/// Returns the prefix of a backend that an argument names; without one, all of its objects.
pub(crate) fn prefix<'a>(open: &'a Open, argument: Option<&str>) -> Result<Target<'a>, Failure> {
    match argument {
        Some(argument) => open.target(argument),
        None => {
            let backend = open.backend()?;
            Ok(Target { backend, container: None, name: String::new() })
        }
    }
}

fn backends(output: Output, open: &Open) -> Result<Exit, Failure> {
    let core = open.stores.core();
    let default = core.default_backend().map(StoreBackend::id);
    for id in core.ids() {
        let (kind, place) = match core.backend(id) {
            Some(StoreBackend::S3(store)) => ("s3", store.prefix()),
            Some(StoreBackend::Swift(store)) => {
                let own = || store.options().swift_store_container.clone();
                ("swift", store.prefix().unwrap_or_else(own))
            }
            _ => continue,
        };
        let is_default = default == Some(id);
        let mark = if is_default { " (default)" } else { "" };
        let value = json!({ "backend": id, "kind": kind, "place": place, "default": is_default });
        output.listed(
            &value,
            format_args!("{}: {kind} {}{mark}", Printable(id), Printable(&place)),
        )?;
    }
    Ok(Exit::Done)
}

fn buckets(
    output: Output,
    objects: &Objects<'_>,
    prefix: &str,
    size: Size,
) -> Result<Exit, Failure> {
    match objects {
        Objects::S3(bucket, _) => {
            pages(
                s3::ListBuckets::new(),
                |page| Ok(bucket.call(page)?),
                |page| {
                    // Some servers ignore the prefix.
                    let own = page.buckets.iter().filter(|one| one.name.starts_with(prefix));
                    own.into_iter().try_for_each(|one| {
                        let created = one.creation_date.map(Timestamp::iso8601);
                        let shown = created.clone().unwrap_or_else(|| "-".to_owned());
                        let value = json!({ "bucket": one.name, "created": created });
                        output.listed(&value, format_args!("{shown:<20}  {}", Printable(&one.name)))
                    })
                },
            )?;
        }
        Objects::Swift(account, _) => {
            let mut list = swift::GetAccount::new();
            list.prefix = Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty());
            pages(
                list,
                |page| Ok(account.call(page)?),
                |page| {
                    page.containers.iter().try_for_each(|one| {
                        let value = json!({
                            "bucket": one.name, "objects": one.count, "bytes": one.bytes,
                        });
                        let count = one.count.map_or("?".to_owned(), |count| count.to_string());
                        let (shown, name) = (size.of(one.bytes), Printable(&one.name));
                        output.listed(&value, format_args!("{shown:>14}  {count:>12}  {name}"))
                    })
                },
            )?;
        }
    }
    Ok(Exit::Done)
}

/// How sizes are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    human: bool,
}

impl Size {
    pub(crate) fn of(self, size: Option<u64>) -> String {
        match size {
            None => "?".to_owned(),
            Some(size) if self.human => human(size),
            Some(size) => size.to_string(),
        }
    }
}

fn tell(output: Output, found: &Found, size: Size) -> Result<(), Failure> {
    let modified = found.modified.map(Timestamp::iso8601);
    let etag = found.etag.as_ref().map(ToString::to_string);
    let value = json!({
        "name": found.name, "size": found.size, "modified": modified, "etag": etag,
        "container": found.container,
    });
    let (size, modified) = (size.of(found.size), modified.unwrap_or_else(|| "-".to_owned()));
    output.listed(&value, format_args!("{size:>14}  {modified:<20}  {}", Printable(&found.name)))
}
