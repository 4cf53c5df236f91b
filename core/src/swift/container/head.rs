//! What the headers of an answer say of a container.

use crate::http::{Headers, Reply};
use crate::now::Timestamp;
use crate::secret::Secret;
use crate::swift::types::{Metadata, temp_url_keys};

/// A container as HeadContainer and GetContainer describe it. Keys of temporary URLs are no part of
/// the metadata here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerHead {
    /// How many objects it has.
    pub object_count: Option<u64>,
    /// How many bytes they have; segments count, and large objects do not.
    pub bytes_used: Option<u64>,
    /// Where its objects are stored.
    pub storage_policy: Option<String>,
    /// Who may read: `X-Container-Read`, shown only to who may write; an [`Acl`](crate::swift::Acl)
    /// as text.
    pub read_acl: Option<String>,
    /// Who may write: `X-Container-Write`, shown as the other.
    pub write_acl: Option<String>,
    /// The most bytes that it takes.
    pub quota_bytes: Option<u64>,
    /// The most objects that it takes.
    pub quota_count: Option<u64>,
    /// Where older versions of its objects go.
    pub versions_location: Option<String>,
    /// Its metadata.
    pub metadata: Metadata,
    /// The keys of temporary URLs, shown only to who may write.
    pub temp_url_keys: [Option<Secret>; 2],
    /// When it was made, in seconds since 1970 with a fraction, as it was told.
    pub timestamp: Option<String>,
    /// When it was last changed.
    pub last_modified: Option<Timestamp>,
    /// What identifies the answer in the server's log.
    pub trans_id: Option<String>,
}

impl ContainerHead {
    pub(super) fn read(reply: &Reply) -> Self {
        let head = Headers(&reply.head.headers);
        let mut metadata = head.items("x-container-meta-");
        Self {
            object_count: head.parsed("x-container-object-count"),
            bytes_used: head.parsed("x-container-bytes-used"),
            storage_policy: head.text("x-storage-policy"),
            read_acl: head.text("x-container-read"),
            write_acl: head.text("x-container-write"),
            quota_bytes: head.parsed("x-container-meta-quota-bytes"),
            quota_count: head.parsed("x-container-meta-quota-count"),
            versions_location: head
                .text("x-versions-location")
                .or_else(|| head.text("x-history-location")),
            temp_url_keys: temp_url_keys(&mut metadata),
            metadata,
            timestamp: head.text("x-timestamp"),
            last_modified: head.plain("last-modified").and_then(Timestamp::parse_http),
            trans_id: head.text("x-trans-id"),
        }
    }
}
