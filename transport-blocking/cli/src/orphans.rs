//! `apus orphans`: segments in Swift that no manifest names.
//!
//! ```text
//!  containers of the backend, with their `_segments` ─▶ segments, by their names ─ none old? ─▶ over
//!                                                            │
//!  the object that the names of old segments have in them: HEAD ─▶ what it names ─ all? ─▶ over
//!                                                            │
//!  every container of the account ─▶ every other object: HEAD ─┬─ static ─▶ its manifest ─▶ named
//!                                                              └─ dynamic ─▶ its prefix ──▶ named
//!  a segment that nothing names may be a manifest itself ─▶ HEAD ─▶ what it names ─▶ …
//!                                                            │
//!  what is left, as uploads: all of whose segments are old ◀─┘
//! ```
//!
//! A HEAD for each object of the account is needed only if there is something to remove: a listing does
//! not show every manifest. It shows no dynamic one, and no static one that was made before Swift
//! 2.18; where it shows one (`slo_etag`), the HEAD is left out.
//!
//! Nothing is removed if one manifest could not be read, or if a container keeps older versions that
//! can't be listed: an object that is not known may consist of the segments.

mod names;
mod segments;

use std::collections::BTreeSet;
use std::time::Duration;

use apus_blocking::swift::{self, GetManifest, HeadObject, Segment};
use apus_core::machine::SwiftDeleteOptions;
use apus_core::now::Timestamp;
use clap::Args;
use serde_json::json;

use self::segments::{Place, Segments, Upload};
use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::list;
use crate::objects::{Objects, pages};
use crate::open::{Account, Open, Target};
use crate::output::{Output, Printable};
use crate::place;
use crate::pool;
use crate::progress::human;
use crate::uploads::age;

#[derive(Debug, Args)]
pub(crate) struct Orphans {
    /// Only segments of objects whose names begin with this prefix; BACKEND:PREFIX for another
    /// backend
    prefix: Option<String>,

    /// Only uploads whose newest segment was stored at least so long ago: seconds, or 15m, 2h, 7d; 0
    /// for all
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = age)]
    older_than: Duration,

    /// Remove them
    #[arg(long)]
    yes: bool,
}

pub(crate) fn run(stage: &Stage, orphans: &Orphans) -> Result<Exit, Failure> {
    let open = stage.open()?;
    let target = list::prefix(&open, orphans.prefix.as_deref())?;
    let at = place::Place::of_backend(target.backend);
    done(stage, &open, &target, orphans).map_err(|failure| failure.at(&at))
}

fn done(
    stage: &Stage,
    open: &Open,
    target: &Target<'_>,
    orphans: &Orphans,
) -> Result<Exit, Failure> {
    let output = stage.output;
    let found = open.objects(target.backend)?;
    let Objects::Swift(account, _) = &found else {
        return Err(Failure::usage("segments are Swift's: for S3 use `apus uploads`"));
    };
    let all = containers(account)?;
    let own = found.containers("")?;
    let mut segments = Segments::default();
    let is_searched = |name: &str| {
        let name = name.strip_suffix(SEGMENTS).unwrap_or(name);
        own.iter().any(|own| own == name)
    };
    for container in all.iter().filter(|name| is_searched(name)) {
        objects(account, container, &mut |object| {
            segments.add(container, &object, &target.name);
            Ok(())
        })?;
    }
    let now = apus_blocking::now().unix;
    let bound = Timestamp::from_duration(now.saturating_sub(orphans.older_than));
    if !segments.has_old(bound) {
        output.remark("no segments that are old enough");
        return Ok(Exit::Done);
    }
    let looking = open.watch.show("reading manifests", None);
    let read = look_where_expected(account, &mut segments, bound)?;
    let problems = match segments.orphans(bound).0.is_empty() {
        true => Vec::new(),
        false => look(account, &all, &mut segments, &read)?,
    };
    drop(looking);
    let (uploads, young) = segments.orphans(bound);
    let sum = |uploads: &[Upload]| -> (usize, u64) {
        let segments = uploads.iter().map(|upload| upload.segments.len()).sum();
        (segments, uploads.iter().map(|upload| upload.bytes).sum())
    };
    let (count, bytes) = sum(&uploads);
    for upload in &uploads {
        tell(output, upload)?;
    }
    if young > 0 {
        output.remark(format_args!("{young} younger uploads without a manifest were left"));
    }
    for problem in &problems {
        output.fail(problem);
    }
    let what = format!("{count} segments of {} uploads, {}", uploads.len(), human(bytes));
    if !problems.is_empty() && count > 0 {
        let message = format!(
            "{what}: not every object could be read, and one of them may consist of these \
             segments: nothing was removed"
        );
        return Err(Failure::new(Exit::Partial, message));
    }
    if count == 0 {
        output.remark("no segments without a manifest");
        return Ok(Exit::Done);
    }
    if !orphans.yes {
        output.remark(format_args!("{what} would be removed; --yes removes them"));
        return Ok(Exit::Done);
    }
    let mut failed = 0;
    for upload in uploads {
        failed += remove(output, account, upload)?;
    }
    if failed > 0 {
        let message = format!("{failed} of {count} segments were not removed");
        return Err(Failure::new(Exit::Partial, message));
    }
    output.remark(format_args!("{what} removed"));
    Ok(Exit::Done)
}

/// Returns what the names of all segments of an upload begin with, if `name` is that of a segment of
/// `object`.
pub(crate) fn prefix_of(name: &str, object: &str) -> Option<String> {
    names::Name::read(name).filter(|it| it.object == object).map(|it| it.prefix.to_owned())
}

/// Removes the segments of an upload, unless its object has become one of them meanwhile. Returns how
/// many were not removed.
fn remove(output: Output, account: &Account, upload: Upload) -> Result<usize, Failure> {
    let now = upload.object.as_ref().map(|object| read(account, object));
    match now {
        Some(Ok(named)) if named.iter().any(|named| upload.is_named(named)) => {
            let name = upload.shown();
            output.remark(format_args!("{name}: an object consists of them now: they were left"));
            return Ok(0);
        }
        Some(Err(failure)) => {
            output.fail(&failure);
            return Ok(upload.segments.len());
        }
        Some(Ok(_)) | None => {}
    }
    let (shown, count) = (upload.shown(), upload.segments.len());
    let options = SwiftDeleteOptions { segments: false, ..SwiftDeleteOptions::default() };
    let task = swift::DeleteMany::new(&upload.container, upload.segments);
    let task = task.options(options).concurrency(AT_ONCE);
    let done = account.client.run(task).cancel_on(account.token.clone()).send()?;
    let failed = done.errors.len();
    for (name, error) in done.errors {
        output.fail(&Failure::from(error).of_name(&name));
    }
    let removed = count - failed;
    let value = json!({ "removed": removed, "upload": shown, "container": upload.container });
    output.result(&value, format_args!("removed {removed} segments of {}", Printable(&shown)))?;
    Ok(failed)
}

fn tell(output: Output, upload: &Upload) -> Result<(), Failure> {
    let newest = upload.newest.map(Timestamp::iso8601);
    let value = json!({
        "container": upload.container, "prefix": upload.prefix, "segments": upload.segments.len(),
        "bytes": upload.bytes, "newest": newest,
    });
    let (newest, count) = (newest.unwrap_or_else(|| "-".to_owned()), upload.segments.len());
    let (bytes, shown) = (upload.bytes, upload.shown());
    output.listed(
        &value,
        format_args!("{bytes:>14}  {count:>6}  {newest:<20}  {}", Printable(&shown)),
    )
}

fn containers(account: &Account) -> Result<Vec<String>, Failure> {
    let mut all = Vec::new();
    pages(
        swift::GetAccount::new(),
        |page| Ok(account.call(page)?),
        |page| {
            all.extend(page.containers.into_iter().map(|container| container.name));
            Ok(())
        },
    )?;
    Ok(all)
}

fn objects(
    account: &Account,
    container: &str,
    take: &mut dyn FnMut(swift::ListedObject) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let listed = pages(
        swift::GetContainer::new(container),
        |page| Ok(account.call(page)?),
        |page| {
            if page.head.versions_enabled == Some(true) {
                return Err(Failure::new(
                    Exit::Other,
                    format!(
                        "container {container} keeps older versions of its objects, which can't be \
                     listed: segments of them can't be told from others"
                    ),
                ));
            }
            page.entries.into_iter().try_for_each(|entry| match entry {
                swift::Entry::Object(object) => take(object),
                swift::Entry::Subdir(_) => Ok(()),
            })
        },
    );
    // Only an empty container can be removed, so that none of its objects is missed.
    match listed {
        Err(failure) if failure.exit == Exit::NotFound && is_gone(account, container) => Ok(()),
        listed => listed.map_err(|failure| failure.of_name(&format!("container {container}"))),
    }
}

/// Whether it is sure that no replica has this container any more.
fn is_gone(account: &Account, container: &str) -> bool {
    let head = swift::HeadContainer { newest: true, ..swift::HeadContainer::new(container) };
    account.call(head).is_err_and(|error| error.is_not_found())
}

/// Reads the objects that old segments should belong to by their names, and marks the segments that
/// they name. Returns the objects that could be read.
fn look_where_expected(
    account: &Account,
    segments: &mut Segments,
    bound: Timestamp,
) -> Result<BTreeSet<Place>, Failure> {
    let (uploads, _) = segments.orphans(bound);
    let expected: BTreeSet<Place> = uploads.into_iter().filter_map(|it| it.object).collect();
    let work = |place: Place| (read(account, &place), place);
    let (mut named, mut done) = (Vec::new(), BTreeSet::new());
    let take = |(found, place): (Result<Vec<Named>, Failure>, Place)| match found {
        Ok(found) => {
            named.extend(found);
            done.insert(place);
            Ok(())
        }
        Err(failure) if failure.exit == Exit::Interrupted => Err(failure),
        // It is read once more with all others, and its failure is reported then.
        Err(_) => Ok(()),
    };
    pool::each(AT_ONCE, work, take, |push| expected.into_iter().try_for_each(push))?;
    named.iter().for_each(|named| segments.mark(named));
    Ok(done)
}

/// Reads what all objects of the account are, except those that were `read`, and marks the segments
/// that they name. Returns what could not be read.
fn look(
    account: &Account,
    all: &[String],
    segments: &mut Segments,
    done: &BTreeSet<Place>,
) -> Result<Vec<Failure>, Failure> {
    let mut problems = Vec::new();
    let work = |(place, is_slo): (Place, bool)| match is_slo {
        true => manifest(account, &place),
        false => read(account, &place),
    };
    {
        let known = segments.places();
        let mut named = Vec::new();
        let take = |found: Result<Vec<Named>, Failure>| collect(found, &mut named, &mut problems);
        pool::each(AT_ONCE, work, take, |push| {
            all.iter().try_for_each(|container| {
                objects(account, container, &mut |object| {
                    let is_slo = object.slo_etag.is_some();
                    let place = Place { container: container.clone(), object: object.name };
                    let is_known = known.contains(&place) || done.contains(&place);
                    if is_known { Ok(()) } else { push((place, is_slo)) }
                })
            })
        })?;
        named.iter().for_each(|named| segments.mark(named));
    }
    // A segment may be a manifest itself, and then names segments that nothing else names.
    loop {
        let unread = segments.unread();
        if unread.is_empty() {
            return Ok(problems);
        }
        let mut named = Vec::new();
        let work = |place: Place| (read(account, &place), place);
        let mut manifests = Vec::new();
        let take = |(found, place): (Result<Vec<Named>, Failure>, Place)| {
            if found.as_ref().is_ok_and(|named| !named.is_empty()) {
                manifests.push(place);
            }
            collect(found, &mut named, &mut problems)
        };
        pool::each(AT_ONCE, work, take, |push| unread.into_iter().try_for_each(push))?;
        manifests.iter().for_each(|place| segments.mark(&Named::Object(place.clone())));
        named.iter().for_each(|named| segments.mark(named));
    }
}

fn collect(
    found: Result<Vec<Named>, Failure>,
    named: &mut Vec<Named>,
    problems: &mut Vec<Failure>,
) -> Result<(), Failure> {
    match found {
        Ok(found) => named.extend(found),
        Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
        Err(failure) => problems.push(failure),
    }
    Ok(())
}

/// Returns what an object consists of: nothing, unless it is a large one.
fn read(account: &Account, place: &Place) -> Result<Vec<Named>, Failure> {
    let Place { container, object } = place;
    let failed =
        |error: apus_core::Error| Failure::from(error).of_name(&format!("{container}/{object}"));
    // An older replica may not have the manifest yet.
    let head = HeadObject { newest: true, ..HeadObject::new(container, object) };
    let head = match account.call(head) {
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        head => head.map_err(failed)?,
    };
    if let Some(dlo) = head.dlo {
        return Ok(vec![Named::Prefix(dlo.container, dlo.prefix)]);
    }
    if !head.is_slo {
        return Ok(Vec::new());
    }
    manifest(account, place)
}

/// Returns what a static large object consists of.
fn manifest(account: &Account, place: &Place) -> Result<Vec<Named>, Failure> {
    let Place { container, object } = place;
    let failed =
        |error: apus_core::Error| Failure::from(error).of_name(&format!("{container}/{object}"));
    let manifest = match account.call(GetManifest::new(container, object)) {
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        manifest => manifest.map_err(failed)?,
    };
    let named = manifest.segments.into_iter().filter_map(|segment| match segment {
        Segment::Object(one) => {
            let place = Place { container: one.container, object: one.object };
            Some(if one.is_slo { Named::Manifest(place) } else { Named::Object(place) })
        }
        Segment::Data(_) => None,
    });
    Ok(named.collect())
}

/// What a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Object(Place),
    /// A segment that is a static large object itself.
    Manifest(Place),
    /// A container, and the prefix of the names of segments in it.
    Prefix(String, String),
}

/// What ends the name of a container of segments, as apus and swiftclient name it.
const SEGMENTS: &str = "_segments";
/// How many requests are sent at once.
const AT_ONCE: usize = 16;
