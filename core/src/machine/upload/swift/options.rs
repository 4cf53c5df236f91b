//! How an object is uploaded to Swift, and what comes of it.

use std::time::Duration;

use crate::checksum::{Algorithm, Value};
use crate::contract::Leave;
use crate::error::Leftover;
use crate::http::ETag;
use crate::machine::upload::PartLimits;
use crate::swift::{Info, Prefix, Properties};

/// What an object above the threshold is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LargeObject {
    /// A static large object (SLO): a manifest that lists every segment with its tag and size.
    Static,
    /// A dynamic large object (DLO): a manifest that names a prefix; the object is whatever the
    /// listing shows, and grows stale with it. For servers that have no other.
    Dynamic,
}

/// Which container the segments go into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SegmentsIn {
    /// `<container>_segments`, which is made where it is absent, with the storage policy of the
    /// object's container. It stays when an upload fails: another one may be using it.
    #[default]
    Beside,
    /// The object's own.
    Same,
    /// This one, which is made where it is absent.
    Container(String),
}

/// How an object is uploaded.
#[derive(Clone, Debug)]
pub struct SwiftUploadOptions {
    /// An object of up to this many bytes goes in one request: 5 GiB at most, and of a stream no
    /// more than `memory`.
    pub threshold: u64,
    /// Bytes of a segment. Segments of a stream of unknown length begin with it and grow; those of
    /// a known one are as much larger as it takes.
    pub segment_size: u64,
    /// Segments in flight at most.
    pub width: usize,
    /// Bytes of segments that are held in memory at most.
    pub memory: u64,
    /// What an object above the threshold is made of. `None` asks the server's `/info`: a static
    /// large object where there are such.
    pub large_object: Option<LargeObject>,
    /// What the server says of itself, where it is known already; `None` asks it where it matters.
    pub info: Option<Info>,
    /// What the service allows otherwise than its `/info` says.
    pub limits: Option<PartLimits>,
    /// Which container the segments go into.
    pub segments_in: SegmentsIn,
    /// What tells the segments of this upload from those of others to the same object: up to 64
    /// bytes without `/`, `?` and `&`. `None` makes one of the seed.
    pub id: Option<String>,
    /// What is stored with the object. Its expiry goes for the segments too.
    pub properties: Properties,
    /// Whether it is stored only if there is no such object yet.
    pub if_absent: bool,
    /// Whether the MD5 of every request's body is computed and sent before it, so that the server
    /// stores nothing else, and compared with the tag that it answers.
    pub verify: bool,
    /// Digests of an object that goes in one request, computed and not sent:
    /// [`SwiftUploaded::digests`] tells them. Those of a larger one are computed where its source is
    /// read.
    pub digests: Vec<Algorithm>,
    /// Whether the segments of a large object that this one replaces are removed after success: of
    /// those that its manifest names the ones whose names begin with the object's.
    pub remove_replaced: bool,
    /// What a failing upload leaves on the server.
    pub on_failure: Leave,
    /// How long a dynamic large object is waited for, after its manifest, to be what was sent: it is what
    /// its container's listing shows, and a listing may lag behind. One that is not whole by then is an
    /// error; it is not removed, for it may become whole.
    pub listing_lag: Duration,
}

impl Default for SwiftUploadOptions {
    /// One request up to 32 MiB, segments from 32 MiB, four at once, 256 MiB of memory, whatever
    /// large objects the server has, in a container of their own, verified, nothing left after a
    /// failure, and a minute for listings.
    fn default() -> Self {
        Self {
            threshold: 32 << 20,
            segment_size: 32 << 20,
            width: 4,
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
            on_failure: Leave::Abort,
            listing_lag: Duration::from_secs(60),
        }
    }
}

/// What a finished upload came to.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SwiftUploaded {
    /// The tag of the object: of a static large object, the MD5 of its segments' tags; empty of a
    /// dynamic one, whose tag is that of whatever is listed when it is read.
    pub etag: ETag,
    /// Bytes of the object.
    pub size: u64,
    /// Segments it was sent in; 0 for a single request.
    pub segments: u32,
    /// What it is made of; `None` for a single request.
    pub large_object: Option<LargeObject>,
    /// Where its segments are.
    pub prefix: Option<Prefix>,
    /// The MD5 of an object sent in one request, and the digests that were asked for.
    pub digests: Vec<Value>,
    /// The answer to the last request was lost; a look at the object showed that it is ours.
    pub recovered: bool,
    /// Segments of the replaced object that could not be removed.
    pub leftovers: Vec<Leftover>,
}
