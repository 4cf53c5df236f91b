//! The transfer of one file or object.

use std::fs::File;
use std::path::Path;

use apus_blocking::{Source, s3, swift};
use apus_core::Error;
use apus_core::store::config::SwiftOptions;
use clap::Args;

use super::compare::time_of;
use crate::exit::Failure;
use crate::objects::{Found, Objects};

/// What is stored with an object.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Properties {
    /// The content type of the objects; default: by the extension of the name
    #[arg(long, value_name = "TYPE")]
    pub(crate) content_type: Option<String>,

    /// Metadata of the objects: NAME=VALUE; can be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) metadata: Vec<(String, String)>,

    /// The storage class of the objects in S3: STANDARD_IA, GLACIER_IR, …
    #[arg(long, value_name = "CLASS")]
    pub(crate) storage_class: Option<String>,
}

impl Properties {
    /// Whether any was given.
    pub(crate) fn is_given(&self) -> bool {
        self.content_type.is_some() || !self.metadata.is_empty() || self.storage_class.is_some()
    }

    /// Refuses a property that objects there can't have.
    pub(super) fn check(&self, objects: &Objects<'_>) -> Result<(), Failure> {
        match (objects, &self.storage_class) {
            (Objects::Swift(..), Some(_)) => Err(Failure::usage(
                "--storage-class is for buckets in S3: in Swift, a container has a storage policy",
            )),
            _ => Ok(()),
        }
    }
}

/// Uploads a file.
pub(super) fn upload(
    objects: &Objects<'_>,
    (container, name): (&str, &str),
    file: &Path,
    properties: &Properties,
    replace: bool,
) -> Result<u64, Failure> {
    let opened = File::open(file).map_err(|error| Failure::file(file, &error))?;
    let source = Source::file(opened);
    // The extension of the file, or else that of the object's name.
    let own = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match objects {
        Objects::S3(bucket, _) => {
            let mut task = s3::Upload::new(container, name);
            task = task.content_type_of(name).content_type_of(own);
            task = task.threshold(PART_SIZE).part_size(PART_SIZE).concurrency(PARTS_AT_ONCE);
            if let Some(content_type) = &properties.content_type {
                task = task.content_type(content_type);
            }
            for (name, value) in &properties.metadata {
                task = task.metadata(name, value);
            }
            if let Some(class) = &properties.storage_class {
                task = task.storage_class(class);
            }
            if !replace {
                task = task.if_absent();
            }
            let run = bucket.client.run(task).body(source).cancel_on(bucket.token.clone());
            Ok(run.send()?.size)
        }
        Objects::Swift(account, store) => {
            let options = of_backend(store.options(), replace);
            let mut task = swift::Upload::new(container, name).options(options);
            task = task.content_type_of(name).content_type_of(own).concurrency(PARTS_AT_ONCE);
            if let Some(content_type) = &properties.content_type {
                task = task.content_type(content_type);
            }
            for (name, value) in &properties.metadata {
                task = task.metadata(name, value);
            }
            let run = account.client.run(task).body(source).cancel_on(account.token.clone());
            Ok(run.send()?.size)
        }
    }
}

/// Downloads an object to a file, which gets the object's time.
pub(super) fn download(objects: &Objects<'_>, found: &Found, file: &Path) -> Result<u64, Failure> {
    let (container, name) = (&*found.container, &*found.name);
    let at = file.display().to_string();
    let failed = |error: Error| Failure::from(error).of_output(&at);
    let bytes = match objects {
        Objects::S3(bucket, _) => {
            let run = bucket.client.run(s3::Download::new(container, name));
            let run = run.to_path(file).map_err(failed)?.cancel_on(bucket.token.clone());
            run.send().map_err(failed)?.bytes
        }
        Objects::Swift(account, _) => {
            let run = account.client.run(swift::Download::new(container, name));
            let run = run.to_path(file).map_err(failed)?.cancel_on(account.token.clone());
            run.send().map_err(failed)?.bytes
        }
    };
    if let Some(time) = time_of(found) {
        // A file whose time can't be set is compared by its bytes the next time.
        let opened = File::options().write(true).open(file);
        let _ = opened.and_then(|opened| opened.set_modified(time));
    }
    Ok(bytes)
}

/// Returns the options of uploads as the backend has them.
fn of_backend(options: &SwiftOptions, replace: bool) -> swift::SwiftUploadOptions {
    swift::SwiftUploadOptions { if_absent: !replace, ..options.upload(false) }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Up to so many bytes a file is sent in one request, and beyond that in parts of this size.
pub(super) const PART_SIZE: u64 = 8 << 20;
/// How many parts of one file are sent at once.
const PARTS_AT_ONCE: usize = 2;
