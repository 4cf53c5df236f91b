//! What the headers of a response say about an account.

use std::collections::BTreeMap;

use crate::http::{Headers, Reply};
use crate::secret::Secret;
use crate::swift::types::{Metadata, temp_url_keys};

/// The head of an account, as HeadAccount and GetAccount return it. Its totals lag behind those of
/// its containers. The metadata does not include the keys of temporary URLs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountHead {
    /// How many containers it has.
    pub container_count: Option<u64>,
    /// How many objects the containers hold.
    pub object_count: Option<u64>,
    /// How many bytes the objects have in total.
    pub bytes_used: Option<u64>,
    /// The usage of each storage policy, by the policy's name in lower case.
    pub policies: BTreeMap<String, PolicyUse>,
    /// The most bytes that the account may hold.
    pub quota_bytes: Option<u64>,
    /// The access control list, as JSON: `X-Account-Access-Control`. See
    /// [`AccountAcl`](crate::swift::AccountAcl).
    pub access_control: Option<String>,
    /// Its metadata.
    pub metadata: Metadata,
    /// The keys of temporary URLs, shown only to users who may write.
    pub temp_url_keys: [Option<Secret>; 2],
    /// When the account was created, in seconds since 1970 with a fraction, as sent.
    pub timestamp: Option<String>,
    /// The id of the request in the server's log: `X-Trans-Id`.
    pub trans_id: Option<String>,
}

/// The usage of one storage policy in an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyUse {
    /// The number of containers.
    pub container_count: Option<u64>,
    /// The number of objects.
    pub object_count: Option<u64>,
    /// The number of bytes.
    pub bytes_used: Option<u64>,
}

impl AccountHead {
    pub(super) fn read(reply: &Reply) -> Self {
        let head = Headers(&reply.head.headers);
        let mut metadata = head.items("x-account-meta-");
        Self {
            container_count: head.parsed("x-account-container-count"),
            object_count: head.parsed("x-account-object-count"),
            bytes_used: head.parsed("x-account-bytes-used"),
            policies: policies(&head),
            quota_bytes: head
                .parsed("x-account-quota-bytes")
                .or_else(|| head.parsed("x-account-meta-quota-bytes")),
            access_control: head.text("x-account-access-control"),
            temp_url_keys: temp_url_keys(&mut metadata),
            metadata,
            timestamp: head.text("x-timestamp"),
            trans_id: head.text("x-trans-id"),
        }
    }
}

/// Reads `X-Account-Storage-Policy-<name>-Object-Count` and the headers like it.
fn policies(head: &Headers<'_>) -> BTreeMap<String, PolicyUse> {
    let mut policies = BTreeMap::<String, PolicyUse>::new();
    for (name, value) in head.items("x-account-storage-policy-") {
        let number = value.trim().parse().ok();
        if let Some(policy) = name.strip_suffix("-container-count") {
            policies.entry(policy.to_owned()).or_default().container_count = number;
        } else if let Some(policy) = name.strip_suffix("-object-count") {
            policies.entry(policy.to_owned()).or_default().object_count = number;
        } else if let Some(policy) = name.strip_suffix("-bytes-used") {
            policies.entry(policy.to_owned()).or_default().bytes_used = number;
        }
    }
    policies
}
