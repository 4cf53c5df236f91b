//! Settings of a container.

use crate::error::Error;
use crate::secret::Secret;
use crate::swift::acl::Acl;
use crate::swift::request::{Members, Request};
use crate::swift::service::Service;
use crate::swift::types::Metadata;

/// Settings that PutContainer and PostContainer apply; `None` and missing items are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerSettings {
    /// The access control list for reading; an empty one removes it.
    pub read_acl: Option<Acl>,
    /// The access control list for writing; an empty one removes it.
    pub write_acl: Option<Acl>,
    /// The most bytes that the container may hold.
    pub quota_bytes: Option<u64>,
    /// The most objects that the container may hold.
    pub quota_count: Option<u64>,
    /// Items of metadata to set.
    pub metadata: Metadata,
    /// Names of items of metadata to remove, `quota-bytes` and `quota-count` among them.
    pub remove_metadata: Vec<String>,
    /// Keys of temporary URLs; an empty one removes the key.
    pub temp_url_keys: [Option<Secret>; 2],
    /// The container for older versions of the objects; an empty name removes the setting.
    pub versions_location: Option<String>,
}

impl Members<Service> for ContainerSettings {
    fn apply(&self, request: &mut Request<'_>) {
        if self.write_acl.as_ref().is_some_and(Acl::has_referrers) {
            request
                .fail(Error::invalid_input("the write ACL of a container can't contain referrers"));
        }
        let location = self.versions_location.as_deref().map(crate::escape::query);
        request
            .header("x-container-read", self.read_acl.as_ref().map(Acl::to_string))
            .header("x-container-write", self.write_acl.as_ref().map(Acl::to_string))
            .header_number("x-container-meta-quota-bytes", self.quota_bytes)
            .header_number("x-container-meta-quota-count", self.quota_count)
            .header("x-versions-location", location)
            .items("x-container-meta-", &self.metadata)
            .remove("x-remove-container-meta-", &self.remove_metadata)
            .temp_url_keys(
                ["x-container-meta-temp-url-key", "x-container-meta-temp-url-key-2"],
                &self.temp_url_keys,
            );
    }
}
