//! The options and the result of an upload to Swift.

use std::time::Duration;

use super::large_object::{LargeObject, SegmentsIn};
use crate::checksum::{Algorithm, Value};
use crate::contract::OnFailure;
use crate::error::Leftover;
use crate::http::ETag;
use crate::machine::upload::{Checkpoints, PartLimits, SwiftCheckpoint};
use crate::swift::{Info, Prefix, Properties};

/// The options of a [`SwiftUpload`](super::SwiftUpload).
#[derive(Clone, Debug)]
pub struct SwiftUploadOptions {
    /// An object of up to this many bytes is sent in one request: at most 5 GiB, and for a stream
    /// at most `memory`.
    pub threshold: u64,
    /// The size of a segment in bytes. Segments of a stream of unknown length start with it and
    /// grow; those of a source of known length are larger if there would be too many.
    pub segment_size: u64,
    /// The maximum number of segments in flight.
    pub concurrency: usize,
    /// The maximum number of bytes of segments in memory.
    pub memory: u64,
    /// The kind of an object above the threshold. `None` asks the server's `/info`: a static large
    /// object if the server supports it, otherwise a dynamic one.
    pub large_object: Option<LargeObject>,
    /// The server's `/info`, if the caller has it; `None` requests it when needed.
    pub info: Option<Info>,
    /// The limits of the service, where they differ from its `/info`.
    pub limits: Option<PartLimits>,
    /// The container of the segments.
    pub segments_in: SegmentsIn,
    /// The id that separates the segments of this upload from those of others to the same object: 1
    /// to 64 bytes without `/`, `?` and `&`. `None` derives an id from the seed.
    pub id: Option<String>,
    /// The metadata that is stored with the object. Its expiry also applies to the segments.
    pub properties: Properties,
    /// Whether the object is stored only if it does not exist.
    pub if_absent: bool,
    /// Whether the MD5 of each request's body is sent before the body, so that the server stores
    /// nothing else, and compared with the ETag of the response.
    pub verify: bool,
    /// Digests to compute over an object that is sent in one request. They are not sent;
    /// [`SwiftUploaded::digests`] returns them. The digests of a larger object are computed where
    /// its source is read.
    pub digests: Vec<Algorithm>,
    /// Whether the segments of a large object that this one replaces are removed after success. Of
    /// the segments that its manifest names, only those are removed whose names begin with the
    /// object's name.
    pub remove_replaced: bool,
    /// What a failed upload leaves on the server.
    pub on_failure: OnFailure,
    /// How long to wait, after the manifest, until a dynamic large object is complete: it consists
    /// of what its container's listing shows, and a listing may lag behind. An object that is
    /// incomplete by then is an error; it is not removed, because it may still become complete.
    pub listing_lag: Duration,
    /// Where the newest checkpoint is kept while the upload runs.
    pub checkpoints: Checkpoints<SwiftCheckpoint>,
}

impl Default for SwiftUploadOptions {
    /// Returns the defaults: one request up to 32 MiB, segments from 32 MiB, four in flight, 256
    /// MiB of memory, the kind of large object that the server supports, segments in
    /// `<container>_segments`, verified, nothing left after a failure, and 60 seconds for listings.
    fn default() -> Self {
        Self {
            threshold: 32 << 20,
            segment_size: 32 << 20,
            concurrency: 4,
            memory: 256 << 20,
            large_object: None,
            info: None,
            limits: None,
            segments_in: SegmentsIn::default(),
            id: None,
            properties: Properties::default(),
            if_absent: false,
            verify: true,
            digests: Vec::new(),
            remove_replaced: true,
            on_failure: OnFailure::Abort,
            listing_lag: Duration::from_secs(60),
            checkpoints: Checkpoints::default(),
        }
    }
}

/// The result of an upload to Swift.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SwiftUploaded {
    /// The ETag of the object. That of a static large object is the MD5 of its segments' ETags; it
    /// is empty for a dynamic one, whose ETag is computed over what is listed when it is read.
    pub etag: ETag,
    /// The size of the object in bytes.
    pub size: u64,
    /// The number of its segments; 0 for a single request.
    pub segments: u32,
    /// The kind of large object; `None` for a single request.
    pub large_object: Option<LargeObject>,
    /// The prefix of its segments.
    pub prefix: Option<Prefix>,
    /// The MD5 of an object sent in one request, and the digests of
    /// [`SwiftUploadOptions::digests`].
    pub digests: Vec<Value>,
    /// Whether the response to the last request was lost, and a check proved that the object was
    /// stored.
    pub recovered: bool,
    /// Segments of the replaced object that could not be removed, and where segments may be that
    /// could not be looked for.
    pub leftovers: Vec<Leftover>,
}
