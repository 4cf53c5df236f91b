//! Tasks of S3.

use std::sync::Arc;

use crate::checksum::Algorithm;
use crate::contract::{IntoMachine, Start};
use crate::error::Error;
use crate::http::Conditions;
use crate::machine::upload::{Checkpoint, Checkpoints, UploadOptions};
use crate::machine::{
    DeleteManyOptions, DownloadOptions, S3Copy, S3DeleteMany, S3DeletePrefix, S3Download, S3Upload,
    ServerCopyOptions,
};
use crate::s3::{CopyObject, CopySource, GetObject, ObjectIdentifier, Service};

use super::setters::{download_setters, task_setters, upload_setters};
use super::upload_source;

/// Uploads an object of any size: in one request up to 8 MiB, as a multipart upload above that.
///
/// The bytes come from the run's source: a file, a reader, a stream, memory. An upload that fails
/// leaves nothing on the server, or its error lists what is left.
///
/// ```
/// use apus_core::api::s3::Upload;
///
/// let upload = Upload::new("bucket", "disk.qcow2")
///     .content_type("application/x-qcow2")
///     .metadata("os", "debian")
///     .part_size(16 << 20)
///     .concurrency(8);
/// # let _ = upload;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a task does nothing before a client runs it"]
pub struct Upload {
    bucket: String,
    key: String,
    options: UploadOptions,
    resumed: Option<Box<Checkpoint>>,
    checkpoints: Checkpoints,
    auth: usize,
}

impl Upload {
    /// Uploads to this bucket and key.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            key: key.into(),
            options: UploadOptions::default(),
            resumed: None,
            checkpoints: Checkpoints::default(),
            auth: 0,
        }
    }

    /// Resumes the upload of `checkpoint`, from the same source. Parts that the server does not
    /// have are sent again.
    pub fn resume(checkpoint: Checkpoint) -> Self {
        let (bucket, key) = (checkpoint.bucket.clone(), checkpoint.key.clone());
        Self { resumed: Some(Box::new(checkpoint)), ..Self::new(bucket, key) }
    }

    /// Adds an entry of the user-defined metadata (`x-amz-meta-*`).
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.properties.metadata.insert(name.into(), value.into());
        self
    }

    /// Sets the storage class.
    pub fn storage_class(mut self, class: impl Into<String>) -> Self {
        self.options.properties.storage_class = Some(class.into());
        self
    }

    /// Replaces no object: if there is one, the error
    /// [is a failed precondition](Error::is_precondition_failed).
    pub fn if_absent(self) -> Self {
        self.conditions(Conditions::absent())
    }

    /// Sets the conditions of the write.
    pub fn conditions(mut self, conditions: Conditions) -> Self {
        self.options.conditions = conditions;
        self
    }

    /// Sets the algorithm of the checksum that is sent with the bytes.
    pub fn checksum(mut self, algorithm: Algorithm) -> Self {
        self.options.checksum.algorithm = Some(algorithm);
        self
    }

    /// Sets the size of a part in bytes.
    pub fn part_size(mut self, bytes: u64) -> Self {
        self.options.part_size = bytes;
        self
    }

    upload_setters!(UploadOptions, Checkpoint);
}

impl IntoMachine<Service> for Upload {
    type Machine = Box<S3Upload>;

    fn into_machine(self, start: Start<'_, Service>) -> Result<Box<S3Upload>, Error> {
        let source = upload_source(start.source)?;
        let Self { bucket, key, mut options, resumed, checkpoints, auth } = self;
        options.checkpoints = checkpoints;
        let (service, seed) = (Arc::clone(start.service), start.seed);
        let upload = match resumed {
            Some(checkpoint) => S3Upload::resume(*checkpoint, source, options, service, seed),
            None => S3Upload::new(bucket, key, source, options, service, seed),
        };
        Ok(Box::new(upload?.with_auth(auth)))
    }
}

/// Downloads an object, or a range of it, of any size. Resumes after an interruption, and compares
/// the bytes with the server's checksum where there is one.
///
/// ```
/// use apus_core::api::s3::Download;
///
/// let download = Download::new("bucket", "disk.qcow2").concurrency(4);
/// let first_kib = Download::new("bucket", "disk.qcow2").range(0..1024);
/// # let _ = (download, first_kib);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a task does nothing before a client runs it"]
pub struct Download {
    get: GetObject,
    options: DownloadOptions,
    auth: usize,
}

impl Download {
    /// Downloads the object of this bucket and key.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self::from(GetObject::new(bucket, key))
    }

    /// Reads this version.
    pub fn version_id(mut self, version: impl Into<String>) -> Self {
        self.get.version_id = Some(version.into());
        self
    }

    download_setters!();
}

impl From<GetObject> for Download {
    /// Downloads what the operation names, with all of its members.
    fn from(get: GetObject) -> Self {
        Self { get, options: DownloadOptions::default(), auth: 0 }
    }
}

impl IntoMachine<Service> for Download {
    type Machine = Box<S3Download>;

    fn into_machine(self, start: Start<'_, Service>) -> Result<Box<S3Download>, Error> {
        let Self { get, options, auth } = self;
        let service = Arc::clone(start.service);
        Ok(Box::new(S3Download::new(get, service, options, start.seed).with_auth(auth)))
    }
}

/// Copies an object of any size on the server: by one CopyObject up to 5 GiB, in parts above that.
///
/// The copy has the metadata, tags and annotations of its source unless the directives of
/// [`CopyObject`] say otherwise, whatever its size. What can't be read at the source is in
/// [`Uploaded::not_copied`](crate::machine::Uploaded::not_copied). The annotations of a copy in parts
/// are added after the object is there: until then, and where that fails, it has some of them.
///
/// ```
/// use apus_core::api::s3::ServerCopy;
///
/// let copy = ServerCopy::new(("images", "debian"), ("backup", "debian-2026"));
/// # let _ = copy;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a task does nothing before a client runs it"]
pub struct ServerCopy {
    copy: CopyObject,
    options: ServerCopyOptions,
    auth: usize,
}

impl ServerCopy {
    /// Copies from one bucket and key to another.
    pub fn new(
        (from_bucket, from_key): (impl Into<String>, impl Into<String>),
        (to_bucket, to_key): (impl Into<String>, impl Into<String>),
    ) -> Self {
        let source = CopySource::new(from_bucket, from_key);
        Self::from(CopyObject::new(to_bucket, to_key, source))
    }

    /// Replaces no object: if there is one, the error
    /// [is a failed precondition](Error::is_precondition_failed).
    pub fn if_absent(mut self) -> Self {
        self.copy.conditions = Conditions::absent();
        self
    }

    task_setters!(ServerCopyOptions);
}

impl From<CopyObject> for ServerCopy {
    /// Copies as the operation says, with all of its members.
    fn from(copy: CopyObject) -> Self {
        Self { copy, options: ServerCopyOptions::default(), auth: 0 }
    }
}

impl IntoMachine<Service> for ServerCopy {
    type Machine = Box<S3Copy>;

    fn into_machine(self, start: Start<'_, Service>) -> Result<Box<S3Copy>, Error> {
        let Self { copy, options, auth } = self;
        let service = Arc::clone(start.service);
        Ok(Box::new(S3Copy::new(copy, options, service, start.seed).with_auth(auth)))
    }
}

/// Removes many objects: [those of an iterator](Self::new), or
/// [those whose keys begin with a prefix](Self::prefix). Sends DeleteObjects with up to 1,000 keys
/// in a request, or DeleteObject where the server does not support that.
///
/// ```
/// use apus_core::api::s3::DeleteMany;
///
/// let named = DeleteMany::new("bucket", ["a", "b"]);
/// let logs = DeleteMany::prefix("bucket", "logs/");
/// # let _ = (named, logs);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a task does nothing before a client runs it"]
pub struct DeleteMany<W> {
    bucket: String,
    what: W,
    options: DeleteManyOptions,
    auth: usize,
}

/// The objects that an iterator names.
#[derive(Clone, Debug)]
pub struct Keys<I>(I);

/// The objects whose keys begin with a prefix.
#[derive(Clone, Debug)]
pub struct Prefix {
    prefix: String,
    all: bool,
    versions: bool,
}

impl<I: Iterator<Item: Into<ObjectIdentifier>>> DeleteMany<Keys<I>> {
    /// Removes these objects. Keys are taken from the iterator only as they are removed.
    pub fn new(bucket: impl Into<String>, keys: impl IntoIterator<IntoIter = I>) -> Self {
        Self::of(bucket, Keys(keys.into_iter()))
    }
}

impl DeleteMany<Prefix> {
    /// Removes all objects whose keys begin with `prefix`, as they are listed now: keys that appear
    /// meanwhile are not removed. An empty prefix is an error without [`all`](Self::all).
    ///
    /// In a bucket with versioning this adds a delete marker to each object, and its versions stay,
    /// unless [`versions`](Self::versions) is set.
    pub fn prefix(bucket: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self::of(bucket, Prefix { prefix: prefix.into(), all: false, versions: false })
    }

    /// Permits an empty prefix, which removes every object of the bucket.
    pub fn all(mut self) -> Self {
        self.what.all = true;
        self
    }

    /// Whether all versions and delete markers are removed permanently.
    pub fn versions(mut self, versions: bool) -> Self {
        self.what.versions = versions;
        self
    }
}

impl<W> DeleteMany<W> {
    fn of(bucket: impl Into<String>, what: W) -> Self {
        Self { bucket: bucket.into(), what, options: DeleteManyOptions::default(), auth: 0 }
    }

    /// Sets how many requests are in flight at most.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.options.concurrency = requests;
        self
    }

    task_setters!(DeleteManyOptions);
}

impl<I: Iterator<Item: Into<ObjectIdentifier>>> IntoMachine<Service> for DeleteMany<Keys<I>> {
    type Machine = Box<S3DeleteMany<I>>;

    fn into_machine(self, start: Start<'_, Service>) -> Result<Self::Machine, Error> {
        let Self { bucket, what, options, auth } = self;
        let service = Arc::clone(start.service);
        let delete = S3DeleteMany::new(bucket, what.0, service, options, start.seed);
        Ok(Box::new(delete.with_auth(auth)))
    }
}

impl IntoMachine<Service> for DeleteMany<Prefix> {
    type Machine = Box<S3DeletePrefix>;

    fn into_machine(self, start: Start<'_, Service>) -> Result<Self::Machine, Error> {
        let Self { bucket, what: Prefix { prefix, all, versions }, options, auth } = self;
        if prefix.is_empty() && !all {
            let what = format!(
                "an empty prefix removes every object of the bucket {bucket}: call `all` to do so"
            );
            return Err(Error::invalid_input(what));
        }
        let service = Arc::clone(start.service);
        let delete = S3DeletePrefix::new(bucket, prefix, versions, service, options, start.seed);
        Ok(Box::new(delete.with_auth(auth)))
    }
}
