//! `apus copy` and `apus mv`: copy an object from one backend into another, without a file in between.
//!
//! ```text
//!  from ──▶ download: the bytes are hashed, and validated with what the server has: a checksum, an
//!              ETag that is an MD5, the length; the upload's last byte waits for that
//!              │ a few pieces in memory
//!              ▼
//!  to   ──▶ upload: the bytes are hashed, and validated with the server's ETag or checksums; then
//!              the stored copy: its size and ETag by HEAD, or where that is no MD5, its bytes
//! ```

mod moved;
mod server;

use std::fmt;

use apus_blocking::{Sink, Source};
use apus_core::Error;
use apus_core::checksum::{Algorithm, Value};
use apus_core::error::ExchangeErrorKind;
use apus_core::location::{S3Location, SwiftLocation};
use apus_core::store::{Add, AddResult, Address, Get, Properties, StoreBackend, StoredImage};
use clap::Args;
use serde_json::json;

use self::moved::Copied;
use crate::Stage;
use crate::address::shown;
use crate::exit::{Exit, Failure};
use crate::head::{self, Head};
use crate::list;
use crate::many::{self, Many};
use crate::open::Open;
use crate::output::Printable;
use crate::place::Place;
use crate::progress::human;
use crate::put;

#[derive(Debug, Args)]
pub(crate) struct Copy {
    #[command(flatten)]
    which: Many,

    /// The id of the backend to copy to
    #[arg(long, value_name = "ID")]
    to: String,

    /// The bucket or container to copy to; default: that of the backend
    #[arg(long, value_name = "NAME", visible_alias = "to-container")]
    to_bucket: Option<String>,

    /// The object's name in that backend; default: the same name
    ///
    /// With --recursive: what takes the place of LOCATION at the beginning of the names.
    #[arg(long)]
    id: Option<String>,

    /// Read the copy again also where its ETag is an MD5
    #[arg(long)]
    read_again: bool,

    /// Print what would be copied, and copy nothing
    #[arg(short = 'n', long, visible_alias = "dryrun")]
    dry_run: bool,
}

/// What `mv` takes: the same.
#[derive(Debug, Args)]
pub(crate) struct Mv {
    #[command(flatten)]
    pub(crate) copy: Copy,
}

impl Copy {
    /// Returns the backend and the bucket to copy to, if the bucket is not that of the backend.
    pub(crate) fn other(&self) -> Option<(String, String)> {
        Some((self.to.clone(), self.to_bucket.clone()?))
    }
}

/// Copies one object, or many of them: those on the same server, to which the same keys give access,
/// are then copied by the server.
pub(crate) fn run(stage: &Stage, copy: &Copy) -> Result<Exit, Failure> {
    copied(stage, copy, false)
}

/// Does the same, and removes each object where it was.
pub(crate) fn mv(stage: &Stage, mv: &Mv) -> Result<Exit, Failure> {
    copied(stage, &mv.copy, true)
}

/// How an object is copied.
#[derive(Clone, Copy)]
struct How {
    /// The copy is read and compared again.
    again: bool,
    /// Its source is removed afterwards.
    is_moved: bool,
}

fn copied(stage: &Stage, copy: &Copy, is_moved: bool) -> Result<Exit, Failure> {
    let open = stage.open_to_read()?;
    let to = open.other.as_deref().unwrap_or(&copy.to);
    let there = open.named(to)?;
    let how = How { again: copy.read_again, is_moved };
    if copy.which.is_one() && !copy.dry_run && !is_moved {
        let location = copy.which.locations.first().map_or("", |location| location);
        one(stage, &open, location, to, copy.id.as_deref(), how)?;
        return Ok(Exit::Done);
    }
    let prefix = match (&copy.id, &*copy.which.locations) {
        (None, _) => None,
        (Some(_), [location]) if copy.which.recursive => {
            Some(list::prefix(&open, Some(location))?.name)
        }
        (Some(_), _) if copy.which.is_one() => None,
        (Some(_), _) => return Err(Failure::usage("--id is for one object, or for one prefix")),
    };
    let work = |argument: &str| {
        let target = open.target(argument)?;
        let own = match &prefix {
            Some(prefix) => target.name.strip_prefix(&**prefix).unwrap_or(&target.name),
            None if copy.id.is_some() => "",
            None => &target.name,
        };
        let id = format!("{}{own}", copy.id.as_deref().unwrap_or_default());
        if copy.dry_run {
            let (key, verb) = match is_moved {
                true => ("would_move", "move"),
                false => ("would_copy", "copy"),
            };
            let value = json!({ key: shown(argument), "to": to, "id": id });
            let text = format!("would {verb} {} to {to}:{id}", shown(argument));
            return stage.output.result(&value, Printable(&text));
        }
        let make = || match server::between(&open, &target, there, how)? {
            Some(copy) => copy.run(stage, &id),
            None => one(stage, &open, argument, to, Some(&id), how),
        };
        match is_moved {
            true => moved::run(stage, &open, argument, there, make),
            false => make().map(drop),
        }
    };
    many::each(&open, stage.output, &copy.which, AT_ONCE, work, |_, ()| Ok(()))
}

fn one(
    stage: &Stage,
    open: &Open,
    location: &str,
    to: &str,
    id: Option<&str>,
    how: How,
) -> Result<Copied, Failure> {
    let there = open.named(to)?;
    open.named_user(there)?;
    let stored = open.stored(location)?;
    let address = open.stores.core().access(&stored)?.outcome;
    let id = match id {
        Some(id) => id.to_owned(),
        None => name_of(open, &address)?,
    };
    let from = open.at(&stored);
    let head = head::of(open, &stored)?;
    let size = match head.as_ref().and_then(|head| head.size) {
        Some(size) => size,
        None => open.stores.size(&stored).map_err(&from)?.outcome,
    };
    let (properties, left) = kept(there, head);
    if !left.is_empty() {
        let left = left.join(" and ");
        if how.is_moved {
            let what = format!("the object has {left}, which a copy through this machine lacks");
            return Err(Failure::new(Exit::Other, what));
        }
        stage.output.warn(format_args!("{}: not copied: {left}", crate::address::shown(location)));
    }
    let shown = open.watch.show(&id, Some(size * 2));
    let digests = vec![Algorithm::Md5, Algorithm::Sha512];
    let get = Get { digests, size: Some(size), ..Get::default() };
    let mut reader = open.stores.reader(&stored, &get).map_err(&from)?.outcome;
    let into = Place::of_new(there, &id);
    let at_source = |error: Error| Failure::from(error).at(&Place::of_stored(open, &stored));
    let image = Add::new(id).with_size(size).with_properties(properties);
    let added = open.stores.add(Some(to), image, Source::reader(&mut reader, size));
    let added = match added {
        Ok(added) => added,
        // The download's error says why there was no more to send; also that it was cancelled.
        Err(error) if is_of_source(error.protocol()) => {
            let left = error.protocol().leftovers().to_vec();
            return Err(match reader.finish() {
                Err(cause) => at_source(left.into_iter().fold(cause, Error::with_leftover)),
                Ok(_) => Failure::from(error).at(&into),
            });
        }
        // The download is cancelled, not read to its end.
        Err(error) => return Err(Failure::from(error).at(&into)),
    };
    let got = reader.finish().map_err(at_source)?;
    let copied = StoredImage::new(added.url.as_str(), Some(to));
    let same =
        |algorithm, hex: &str| got.digests.value(algorithm).is_some_and(|value| value.hex() == hex);
    if !same(Algorithm::Md5, &added.md5) || !same(Algorithm::Sha512, &added.multihash) {
        let what = "the digest of the stored copy differs from that of the source";
        return Err(open.removed(&copied, Failure::new(Exit::Integrity, what)));
    }
    let compared = match how.again {
        false => by_head(open, &copied, &added)?,
        true => None,
    };
    let compared = match compared {
        Some(problem @ Compared::Differs(_)) => {
            let failure = Failure::new(Exit::Integrity, problem.to_string());
            return Err(open.removed(&copied, failure));
        }
        Some(compared) => compared,
        None => {
            let expected = vec![Value::from_hex(Algorithm::Sha512, &added.multihash)?];
            let get = Get { size: Some(size), expected, ..Get::default() };
            if let Err(error) = open.stores.get(&copied, &get, Sink::discard()) {
                let failure = Failure::from(error).at(&into);
                return Err(match failure.exit {
                    Exit::Integrity => open.removed(&copied, failure),
                    _ => failure,
                });
            }
            Compared::Read
        }
    };
    drop(shown);
    let mut told = put::told(&added, Algorithm::Sha512);
    if open.other.as_deref() == Some(to) {
        // No backend of an image service has this bucket.
        told["metadata"] = json!({});
    }
    told["from"] = json!(address.url);
    told["checked"] = json!(got.validation.to_string());
    told["read_again"] = json!(matches!(compared, Compared::Read));
    told["copy_checked"] = json!(compared.to_string());
    let done = format_args!("the copy is stored as {}", added.url);
    stage.output.of_done(&told, &added.url, done)?;
    stage.output.remark(format_args!(
        "{} copied; SHA512 {}; source: {}; copy: {compared}",
        human(added.size),
        added.multihash,
        got.validation
    ));
    Ok(Copied { url: added.url, by_size_alone: false, lacks: Vec::new() })
}

/// Returns what a copy in this backend gets of its source besides the bytes, and the names of what it
/// can't have.
fn kept(there: &StoreBackend, head: Option<Head>) -> (Properties, Vec<String>) {
    let Some(Head { mut properties, others, .. }) = head else { return Default::default() };
    let mut left: Vec<String> = others.into_iter().map(str::to_owned).collect();
    if matches!(there, StoreBackend::S3(_)) {
        properties.metadata.retain(|name, value| {
            let is_sent = value.is_ascii();
            if !is_sent {
                left.push(format!("metadata {name:?}, whose value is not ASCII"));
            }
            is_sent
        });
    }
    (properties, left)
}

/// Whether an upload failed because its source did.
fn is_of_source(error: &Error) -> bool {
    error.exchange_error().is_some_and(|error| error.kind() == ExchangeErrorKind::Source)
}

/// How a stored copy was compared with what was read.
enum Compared {
    /// Its size and its ETag, an MD5, are those of the bytes.
    Etag,
    /// It was read, and has the digest of the bytes.
    Read,
    Differs(String),
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Etag => f.write_str("has the MD5 as its ETag"),
            Self::Read => f.write_str("read again, has the SHA512"),
            Self::Differs(how) => f.write_str(how),
        }
    }
}

/// Compares size and ETag of a stored copy. `None`: its ETag is no MD5.
fn by_head(
    open: &Open,
    copied: &StoredImage,
    added: &AddResult,
) -> Result<Option<Compared>, Failure> {
    let Some(Head { size, md5, .. }) = head::of(open, copied)? else { return Ok(None) };
    if let Some(size) = size.filter(|size| *size != added.size) {
        let what = format!("the stored copy has {size} bytes instead of {}", added.size);
        return Ok(Some(Compared::Differs(what)));
    }
    let same = md5.is_some_and(|md5| md5 == added.md5);
    Ok((same && size.is_some()).then_some(Compared::Etag))
}

/// Returns the object's name, in any kind of backend.
fn name_of(open: &Open, address: &Address) -> Result<String, Failure> {
    if let Ok((location, _)) = SwiftLocation::parse(&address.url, &[]) {
        return Ok(location.object().to_owned());
    }
    let known = match address.backend.as_deref().map(|id| open.named(id)).transpose()? {
        Some(StoreBackend::S3(store)) => vec![store.options().place()?],
        _ => Vec::new(),
    };
    Ok(S3Location::parse(&address.url, &known)?.0.key().to_owned())
}

/// How many objects are copied at once: each holds a few parts in memory.
const AT_ONCE: usize = 4;
