//! What can be set of a container.

use crate::error::Error;
use crate::secret::Secret;
use crate::swift::acl::Acl;
use crate::swift::request::{Members, Request};
use crate::swift::service::Service;
use crate::swift::types::Metadata;

/// What PutContainer and PostContainer set; what is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerSettings {
    /// Who may read; an empty one is removed.
    pub read_acl: Option<Acl>,
    /// Who may write; an empty one is removed.
    pub write_acl: Option<Acl>,
    /// The most bytes that it takes.
    pub quota_bytes: Option<u64>,
    /// The most objects that it takes.
    pub quota_count: Option<u64>,
    /// Items to set.
    pub metadata: Metadata,
    /// Names of items to remove: `quota-bytes` and `quota-count` are such too.
    pub remove_metadata: Vec<String>,
    /// Keys of temporary URLs; an empty one is removed.
    pub temp_url_keys: [Option<Secret>; 2],
    /// The container that older versions of its objects go to; an empty one is removed.
    pub versions_location: Option<String>,
}

impl Members<Service> for ContainerSettings {
    fn apply(&self, request: &mut Request<'_>) {
        if self.write_acl.as_ref().is_some_and(Acl::has_referrers) {
            request.fail(Error::caller("who may write can't be told by referrers"));
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
