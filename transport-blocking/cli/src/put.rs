//! `apus put`: stores a file.

use std::fs::File;
use std::io;
use std::path::Path;

use apus_blocking::Source;
use apus_core::checksum::Algorithm;
use apus_core::machine::UploadSource;
use apus_core::store::{Add, Added};
use serde_json::{Value, json};

use crate::Stage;
use crate::exit::{Exit, Failure};
use crate::locations::is_dash;
use crate::watch::human;

pub(crate) fn run(
    stage: &Stage,
    file: &Path,
    id: Option<&str>,
    size: Option<u64>,
    hash: Algorithm,
) -> Result<Exit, Failure> {
    let id = match (id, is_dash(file)) {
        (Some(id), _) => id.to_owned(),
        (None, true) => return Err(Failure::usage("standard input has no name: say its --id")),
        (None, false) => name_of(file)?,
    };
    let source = if is_dash(file) {
        Source::stream(io::stdin())
    } else {
        let opened = File::open(file).map_err(|error| Failure::file(file, &error))?;
        if opened.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(Failure::usage(format!("{}: it is a directory", file.display())));
        }
        Source::file(opened)
    };
    let open = stage.open()?;
    let backend = open.backend()?.id().to_owned();
    let length = source.length().map_err(|error| Failure::file(file, &error))?.or(size);
    let image = Add::new(id.as_str(), UploadSource::Stream(None)).with_size(size).with_hash(hash);
    let shown = open.watch.show(&id, length);
    let added = open.stores.add(Some(&backend), image, source)?;
    drop(shown);
    let done = format_args!("the image is stored as {}", added.url);
    stage.output.of_done(&told(&added, hash), &added.url, done)?;
    stage.output.remark(format_args!(
        "{} stored; MD5 {}, {hash} {}",
        human(added.size),
        added.md5,
        added.multihash
    ));
    for leftover in &added.leftovers {
        stage.output.remark(format_args!("left behind: {leftover}"));
    }
    Ok(Exit::Done)
}

/// What an image service writes down.
pub(crate) fn told(added: &Added, hash: Algorithm) -> Value {
    json!({
        "url": added.url,
        "size": added.size,
        "md5": added.md5,
        "os_hash_algo": hash.to_string().to_lowercase(),
        "os_hash_value": added.multihash,
        "metadata": added.metadata,
    })
}

fn name_of(file: &Path) -> Result<String, Failure> {
    let name = file.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| {
        Failure::usage(format!("{}: it has no name in UTF-8: say its --id", file.display()))
    })
}
