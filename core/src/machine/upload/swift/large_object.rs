//! The kinds of large objects, and where their segments are.

/// The kind of an object above the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LargeObject {
    /// A static large object (SLO): a manifest that lists every segment with its ETag and size.
    Static,
    /// A dynamic large object (DLO): a manifest that names a prefix. The object consists of the
    /// segments that the listing shows, and a listing may be stale. For servers without SLO.
    Dynamic,
}

/// The container of the segments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SegmentsIn {
    /// `<container>_segments`. It is created if it does not exist, with the storage policy of the
    /// object's container. It stays after a failed upload: another upload may use it.
    #[default]
    Beside,
    /// The container of the object.
    Same,
    /// This container. It is created if it does not exist.
    Container(String),
}
