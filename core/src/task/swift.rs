//! Tasks of Swift.

use std::sync::Arc;

use super::setters::{download_setters, task_setters, upload_setters};
use super::upload_source;
use crate::contract::{IntoMachine, Start};
use crate::error::Error;
use crate::machine::{
    Checkpoints, DownloadOptions, LargeObject, SegmentsIn, SwiftCheckpoint, SwiftDelete,
    SwiftDeleteMany, SwiftDeleteOptions, SwiftDownload, SwiftUpload, SwiftUploadOptions,
};
use crate::swift::{GetObject, Service};

/// Uploads an object of any size: in one request up to 32 MiB, as a large object of segments above
/// that.
///
/// The bytes come from the run's source: a file, a reader, a stream, memory. An upload that fails
/// leaves nothing on the server, or its error lists what is left.
///
/// ```
/// use apus_core::api::swift::Upload;
///
/// let upload = Upload::new("images", "debian").content_type("application/x-qcow2");
/// # let _ = upload;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a task does nothing before a client runs it"]
pub struct Upload {
    container: String,
    object: String,
    options: SwiftUploadOptions,
    resumed: Option<Box<SwiftCheckpoint>>,
    checkpoints: Checkpoints<SwiftCheckpoint>,
    auth: usize,
}

impl Upload {
    /// Uploads to this container and object.
    pub fn new(container: impl Into<String>, object: impl Into<String>) -> Self {
        Self {
            container: container.into(),
            object: object.into(),
            options: SwiftUploadOptions::default(),
            resumed: None,
            checkpoints: Checkpoints::default(),
            auth: 0,
        }
    }

    /// Resumes the upload of `checkpoint`, from the same source. Segments that the server does not
    /// have are sent again.
    pub fn resume(checkpoint: SwiftCheckpoint) -> Self {
        let (container, object) = (checkpoint.container.clone(), checkpoint.object.clone());
        Self { resumed: Some(Box::new(checkpoint)), ..Self::new(container, object) }
    }

    /// Adds an entry of the object's metadata (`X-Object-Meta-*`).
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.properties.metadata.insert(name.into(), value.into());
        self
    }

    /// Replaces no object: if there is one, the error
    /// [is a failed precondition](Error::is_precondition_failed).
    pub fn if_absent(mut self) -> Self {
        self.options.if_absent = true;
        self
    }

    /// Sets the size of a segment in bytes.
    pub fn segment_size(mut self, bytes: u64) -> Self {
        self.options.segment_size = bytes;
        self
    }

    /// Sets the kind of large object. Without it, the server's `/info` decides.
    pub fn large_object(mut self, kind: LargeObject) -> Self {
        self.options.large_object = Some(kind);
        self
    }

    /// Sets the container of the segments: `<container>_segments` by default.
    pub fn segments_in(mut self, container: SegmentsIn) -> Self {
        self.options.segments_in = container;
        self
    }

    upload_setters!(SwiftUploadOptions, SwiftCheckpoint);
}

impl IntoMachine<Service> for Upload {
    type Machine = Box<SwiftUpload>;

    fn into_machine(self, start: Start<'_, Service>) -> Result<Box<SwiftUpload>, Error> {
        let source = upload_source(start.source)?;
        let Self { container, object, mut options, resumed, checkpoints, auth } = self;
        options.checkpoints = checkpoints;
        let (service, seed) = (Arc::clone(start.service), start.seed);
        let upload = match resumed {
            Some(checkpoint) => SwiftUpload::resume(*checkpoint, source, options, service, seed),
            None => SwiftUpload::new(container, object, source, options, service, seed),
        };
        Ok(Box::new(upload?.with_auth(auth)))
    }
}

/// Downloads an object, or a range of it, of any size. Resumes after an interruption, and compares
/// the bytes with MD5s where the server states them.
///
/// ```
/// use apus_core::api::swift::Download;
///
/// let download = Download::new("images", "debian");
/// # let _ = download;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a task does nothing before a client runs it"]
pub struct Download {
    get: GetObject,
    options: DownloadOptions,
    auth: usize,
}

impl Download {
    /// Downloads the object of this container and name.
    pub fn new(container: impl Into<String>, object: impl Into<String>) -> Self {
        Self::from(GetObject::new(container, object))
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
    type Machine = Box<SwiftDownload>;

    fn into_machine(self, start: Start<'_, Service>) -> Result<Box<SwiftDownload>, Error> {
        let Self { get, options, auth } = self;
        let service = Arc::clone(start.service);
        Ok(Box::new(SwiftDownload::new(get, service, options, start.seed).with_auth(auth)))
    }
}

/// Removes an object, and the segments of a large object.
///
/// ```
/// use apus_core::api::swift::Delete;
///
/// let delete = Delete::new("images", "debian");
/// # let _ = delete;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a task does nothing before a client runs it"]
pub struct Delete {
    container: String,
    object: String,
    options: SwiftDeleteOptions,
    auth: usize,
}

impl Delete {
    /// Removes this object. One that does not exist is an error ([`Error::is_not_found`]).
    pub fn new(container: impl Into<String>, object: impl Into<String>) -> Self {
        let options = SwiftDeleteOptions::default();
        Self { container: container.into(), object: object.into(), options, auth: 0 }
    }

    /// Whether the segments of a large object are removed too. The default is true.
    pub fn segments(mut self, segments: bool) -> Self {
        self.options.segments = segments;
        self
    }

    task_setters!(SwiftDeleteOptions);
}

impl IntoMachine<Service> for Delete {
    type Machine = Box<SwiftDelete>;

    fn into_machine(self, start: Start<'_, Service>) -> Result<Box<SwiftDelete>, Error> {
        let Self { container, object, options, auth } = self;
        let (service, seed) = (Arc::clone(start.service), start.seed);
        Ok(Box::new(SwiftDelete::new(container, object, service, options, seed).with_auth(auth)))
    }
}

/// Removes many objects, each with its segments: [named ones](Self::new), or
/// [those whose names begin with a prefix](Self::prefix).
///
/// ```
/// use apus_core::api::swift::DeleteMany;
///
/// let logs = DeleteMany::prefix("container", "logs/");
/// # let _ = logs;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a task does nothing before a client runs it"]
pub struct DeleteMany {
    container: String,
    which: Which,
    options: SwiftDeleteOptions,
    auth: usize,
}

#[derive(Clone, Debug)]
enum Which {
    Named(Vec<String>),
    Prefix(String, bool),
}

impl DeleteMany {
    /// Removes these objects.
    pub fn new(container: impl Into<String>, names: impl IntoIterator<Item: Into<String>>) -> Self {
        Self::of(container, Which::Named(names.into_iter().map(Into::into).collect()))
    }

    /// Removes all objects whose names begin with `prefix`, as they are listed now: objects that
    /// appear meanwhile are not removed. An empty prefix is an error without [`all`](Self::all).
    pub fn prefix(container: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self::of(container, Which::Prefix(prefix.into(), false))
    }

    /// Permits an empty prefix, which removes every object of the container.
    pub fn all(mut self) -> Self {
        if let Which::Prefix(_, all) = &mut self.which {
            *all = true;
        }
        self
    }

    fn of(container: impl Into<String>, which: Which) -> Self {
        let options = SwiftDeleteOptions::default();
        Self { container: container.into(), which, options, auth: 0 }
    }

    /// Sets how many objects are removed at once.
    pub fn concurrency(mut self, objects: usize) -> Self {
        self.options.concurrency = objects;
        self
    }

    task_setters!(SwiftDeleteOptions);
}

impl IntoMachine<Service> for DeleteMany {
    type Machine = Box<SwiftDeleteMany>;

    fn into_machine(self, start: Start<'_, Service>) -> Result<Box<SwiftDeleteMany>, Error> {
        let Self { container, which, options, auth } = self;
        let (service, seed) = (Arc::clone(start.service), start.seed);
        let delete = match which {
            Which::Named(names) => SwiftDeleteMany::new(container, names, service, options, seed),
            Which::Prefix(prefix, all) if !prefix.is_empty() || all => {
                SwiftDeleteMany::prefix(container, prefix, service, options, seed)
            }
            Which::Prefix(..) => {
                let what = format!(
                    "an empty prefix removes every object of the container {container}: call \
                     `all` to do so"
                );
                return Err(Error::invalid_input(what));
            }
        };
        Ok(Box::new(delete.with_auth(auth)))
    }
}
