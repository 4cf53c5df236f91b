//! What the headers of an answer say of an account.

use std::collections::BTreeMap;

use crate::http::{Headers, Reply};
use crate::secret::Secret;
use crate::swift::types::{Metadata, temp_url_keys};

/// An account as HeadAccount and GetAccount describe it. Its totals lag behind those of its
/// containers. Keys of temporary URLs are no part of the metadata here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountHead {
    /// How many containers it has.
    pub container_count: Option<u64>,
    /// How many objects they have.
    pub object_count: Option<u64>,
    /// How many bytes these have.
    pub bytes_used: Option<u64>,
    /// What of it is stored under which policy, by the policy's name in lower case.
    pub policies: BTreeMap<String, PolicyUse>,
    /// The most bytes that it takes.
    pub quota_bytes: Option<u64>,
    /// Who may do what, as JSON: `X-Account-Access-Control`. See
    /// [`AccountAcl`](crate::swift::AccountAcl).
    pub access_control: Option<String>,
    /// Its metadata.
    pub metadata: Metadata,
    /// The keys of temporary URLs, shown only to who may write.
    pub temp_url_keys: [Option<Secret>; 2],
    /// When it was made, in seconds since 1970 with a fraction, as it was told.
    pub timestamp: Option<String>,
    /// What identifies the answer in the server's log.
    pub trans_id: Option<String>,
}

/// What of an account is stored under one policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyUse {
    /// How many containers.
    pub container_count: Option<u64>,
    /// How many objects.
    pub object_count: Option<u64>,
    /// How many bytes.
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

/// `X-Account-Storage-Policy-<name>-Object-Count` and its like.
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
