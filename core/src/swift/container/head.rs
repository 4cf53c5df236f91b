//! What the headers of a response say about a container.

use crate::http::{Headers, Reply};
use crate::now::Timestamp;
use crate::secret::Secret;
use crate::swift::types::{Metadata, temp_url_keys};

/// The head of a container, as HeadContainer and GetContainer return it. The metadata does not
/// include the keys of temporary URLs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerHead {
    /// How many objects it holds.
    pub object_count: Option<u64>,
    /// How many bytes they have in total; segments count, and large objects do not.
    pub bytes_used: Option<u64>,
    /// Its storage policy.
    pub storage_policy: Option<String>,
    /// The access control list for reading, `X-Container-Read`, shown only to users who may write:
    /// an [`Acl`](crate::swift::Acl) as text.
    pub read_acl: Option<String>,
    /// The access control list for writing, `X-Container-Write`, shown to the same users.
    pub write_acl: Option<String>,
    /// The most bytes that it may hold.
    pub quota_bytes: Option<u64>,
    /// The most objects that it may hold.
    pub quota_count: Option<u64>,
    /// The container of older versions of its objects.
    pub versions_location: Option<String>,
    /// Whether older versions of its objects are kept, which no listing of a container shows:
    /// `X-Versions-Enabled`. "Object Versioning", Swift.
    pub versions_enabled: Option<bool>,
    /// Its metadata.
    pub metadata: Metadata,
    /// The keys of temporary URLs, shown only to users who may write.
    pub temp_url_keys: [Option<Secret>; 2],
    /// When it was created, in seconds since 1970 with a fraction, as sent.
    pub timestamp: Option<String>,
    /// When it was last modified.
    pub last_modified: Option<Timestamp>,
    /// The id of the request in the server's log: `X-Trans-Id`.
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
            versions_enabled: head.flag("x-versions-enabled"),
            temp_url_keys: temp_url_keys(&mut metadata),
            metadata,
            timestamp: head.text("x-timestamp"),
            last_modified: head.plain("last-modified").and_then(Timestamp::parse_http),
            trans_id: head.text("x-trans-id"),
        }
    }
}
