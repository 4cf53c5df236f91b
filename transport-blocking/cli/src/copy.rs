//! `apus copy`: copies an object from one backend into another, without a file in between.
//!
//! ```text
//!  from ──▶ download: the bytes are hashed, and validated with what the server has: a checksum, an
//!              ETag that is an MD5, the length; the upload's last byte waits for that
//!              │ a few pieces in memory
//!              ▼
//!  to   ──▶ upload: the bytes are hashed, and validated with the server's ETag or checksums
//! ```

use apus_blocking::{Sink, Source};
use apus_core::checksum::{Algorithm, Value};
use apus_core::location::{S3Location, SwiftLocation};
use apus_core::store::{Add, Address, Get, StoreBackend, StoredImage};
use serde_json::json;

use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::open::Open;
use crate::put;
use crate::watch::human;

pub(crate) fn run(
    stage: &Stage,
    location: &str,
    to: &str,
    id: Option<&str>,
    again: bool,
) -> Result<Exit, Failure> {
    let open = stage.open()?;
    open.named(to)?;
    let stored = open.stored(location)?;
    let address = open.stores.core().access(&stored)?.outcome;
    let id = match id {
        Some(id) => id.to_owned(),
        None => name_of(&open, &address)?,
    };
    let size = open.stores.size(&stored)?.outcome;
    let shown = open.watch.show(&id, Some(size * 2));
    let digests = vec![Algorithm::Md5, Algorithm::Sha512];
    let get = Get { digests, size: Some(size), ..Get::default() };
    let mut reader = open.stores.reader(&stored, &get)?.outcome;
    let image = Add::new(id).with_size(size);
    let added = open.stores.add(Some(to), image, Source::reader(&mut reader, size));
    let got = match (added.is_err(), reader.finish()) {
        (false, Err(error)) => return Err(error.into()),
        // The upload's error comes first, unless its source failed.
        (true, Err(error)) if !error.is_cancelled() => return Err(error.into()),
        (_, got) => got,
    };
    let added = added?;
    let got = got?;
    let copied = StoredImage::new(added.url.as_str(), Some(to));
    let same =
        |algorithm, hex: &str| got.digests.value(algorithm).is_some_and(|value| value.hex() == hex);
    if !same(Algorithm::Md5, &added.md5) || !same(Algorithm::Sha512, &added.multihash) {
        let what = "the digest of the stored copy differs from that of the source";
        return Err(removed(&open, &copied, Failure::new(Exit::Integrity, what)));
    }
    if again {
        let expected = vec![Value::from_hex(Algorithm::Sha512, &added.multihash)?];
        let get = Get { size: Some(size), expected, ..Get::default() };
        if let Err(error) = open.stores.get(&copied, &get, Sink::discard()) {
            let failure = Failure::from(error);
            return Err(match failure.exit {
                Exit::Integrity => removed(&open, &copied, failure),
                _ => failure,
            });
        }
    }
    drop(shown);
    let mut told = put::told(&added, Algorithm::Sha512);
    told["from"] = json!(address.url);
    told["checked"] = json!(got.validation.to_string());
    told["read_again"] = json!(again);
    let done = format_args!("the copy is stored as {}", added.url);
    stage.output.of_done(&told, &added.url, done)?;
    stage.output.remark(format_args!(
        "{} copied; SHA512 {}; read: {}",
        human(added.size),
        added.multihash,
        got.validation
    ));
    Ok(Exit::Done)
}

/// Removes a copy that differs from what was read.
fn removed(open: &Open, copied: &StoredImage, failure: Failure) -> Failure {
    let what = match open.stores.delete(copied) {
        Ok(_) => "the copy was removed".to_owned(),
        Err(error) => format!("the copy could not be removed: {error}"),
    };
    let url = copied.url.expose();
    Failure { message: format!("{url}: {}; {what}", failure.message), ..failure }
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
