//! `apus mv`: copies an object, and removes it where it was once the copy is proved.

use apus_blocking::Sink;
use apus_core::checksum::Algorithm;
use apus_core::store::{Get, StoreBackend, StoredImage};

use crate::Stage;
use crate::address::shown;
use crate::exit::{Exit, Failure};
use crate::head;
use crate::open::Open;
use crate::output::Printable;

/// A copy that was made and compared.
pub(super) struct Copied {
    pub(super) url: String,
    /// Whether only its size was compared.
    pub(super) by_size_alone: bool,
    /// What it does not have of its source.
    pub(super) lacks: Vec<&'static str>,
}

/// Makes a copy, and removes its source unless it was changed meanwhile or the copy may lack anything.
/// A failure after the copy names both.
pub(super) fn run(
    stage: &Stage,
    open: &Open,
    argument: &str,
    there: &StoreBackend,
    copy: impl FnOnce() -> Result<Copied, Failure>,
) -> Result<(), Failure> {
    let stored = open.stored(argument)?;
    let outside = || Failure::usage("the location is not in a configured backend");
    let before = head::of(open, &stored)?.ok_or_else(outside)?;
    let copied = copy()?;
    let kept = |failure: Failure| {
        let (name, url) = (shown(argument), &copied.url);
        let message = format!("copied as {url}, but {name} was not removed: {}", failure.message);
        let exit = match failure.exit {
            Exit::Interrupted => Exit::Interrupted,
            _ => Exit::Partial,
        };
        Failure { exit, message, ..failure }
    };
    let differs = |why: String| kept(Failure::new(Exit::Partial, why));
    if !copied.lacks.is_empty() {
        return Err(differs(format!("the copy lacks {}", copied.lacks.join(" and "))));
    }
    if copied.by_size_alone {
        let copy = StoredImage::new(copied.url.as_str(), Some(there.id()));
        let digest = |stored: &StoredImage| {
            let get = Get { digests: vec![Algorithm::Sha512], ..Get::default() };
            let got = open.stores.get(stored, &get, Sink::discard()).map_err(open.at(stored));
            got.map(|got| got.outcome.digests.value(Algorithm::Sha512).copied())
        };
        let (one, other) = (digest(&stored).map_err(kept)?, digest(&copy).map_err(kept)?);
        if one.is_none() || one != other {
            return Err(differs("the copy has other bytes".to_owned()));
        }
    }
    let after = head::of(open, &stored).map_err(kept)?.ok_or_else(outside)?;
    if (&after.etag, after.size) != (&before.etag, before.size) {
        return Err(differs("it was changed meanwhile".to_owned()));
    }
    open.stores.delete(&stored).map_err(open.at(&stored)).map_err(kept)?;
    stage.output.remark(format_args!("removed {}", Printable(&shown(argument))));
    Ok(())
}
