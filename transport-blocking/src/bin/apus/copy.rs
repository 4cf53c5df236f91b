//! `apus copy`: from one backend into another, without a file between.
//!
//! ```text
//!  from ──▶ download: what arrives is hashed, and compared with what the server knows of it
//!              │ a few pieces in memory
//!              ▼
//!  to   ──▶ upload: what is sent is hashed, and compared with what the server says it has
//! ```

use apus_blocking::Source;
use apus_core::checksum::Algorithm;
use apus_core::location::{S3Location, SwiftLocation};
use apus_core::machine::UploadSource;
use apus_core::store::{Add, Address, Get, StoreBackend, Stored};
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
    let mut reader = open.stores.reader(&stored, &Get { digests, ..Get::default() })?.outcome;
    let image = Add::new(id, UploadSource::Stream(Some(size)));
    let added = open.stores.add(Some(to), image, Source::reader(&mut reader, size));
    let got = match (added.is_err(), reader.finish()) {
        (false, Err(error)) => return Err(error.into()),
        // The upload's error is the first, unless it is that its source failed.
        (true, Err(error)) if !error.is_cancelled() => return Err(error.into()),
        (_, got) => got,
    };
    let added = added?;
    let got = got?;
    let same =
        |algorithm, hex: &str| got.digests.value(algorithm).is_some_and(|value| value.hex() == hex);
    if !same(Algorithm::Md5, &added.md5) || !same(Algorithm::Sha512, &added.multihash) {
        let what = "what was stored has another digest than what was read";
        return Err(Failure::new(Exit::Integrity, format!("{}: {what}", added.url)));
    }
    if again {
        let copied = Stored::new(added.url.as_str(), Some(to));
        let get = Get { digests: vec![Algorithm::Sha512], ..Get::default() };
        let read = open.stores.get(&copied, &get, apus_blocking::Sink::discard())?.outcome;
        let digest = read.digests.value(Algorithm::Sha512).map(|value| value.hex());
        if digest.as_deref() != Some(&added.multihash) {
            let what = "the copy, read again, has another digest";
            return Err(Failure::new(Exit::Integrity, format!("{}: {what}", added.url)));
        }
    }
    drop(shown);
    let mut told = put::told(&added, Algorithm::Sha512);
    told["from"] = json!(address.url);
    told["checked"] = json!(got.verdict.to_string());
    told["read_again"] = json!(again);
    stage.output.result(&told, &added.url)?;
    stage.output.remark(format_args!(
        "{} copied; SHA512 {}; read: {}",
        human(added.size),
        added.multihash,
        got.verdict
    ));
    Ok(Exit::Done)
}

/// The object's name, wherever it is.
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
