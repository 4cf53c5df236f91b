//! `/info`: the features of this Swift, readable by everybody.

use serde_json::json;

use super::super::message::Reply;
use super::OpenStackModel;

impl OpenStackModel {
    /// Handles `/info` and `/healthcheck`.
    pub(super) fn front(&self, path: &str) -> Reply {
        if path == "/healthcheck" {
            return Reply::new(200).header("Content-Type", "text/plain").body("OK");
        }
        let limits = &self.limits;
        let policies: Vec<_> = limits
            .policies
            .iter()
            .enumerate()
            .map(|(at, name)| match at {
                0 => json!({"name": name, "aliases": name, "default": true}),
                _ => json!({"name": name, "aliases": name}),
            })
            .collect();
        let mut info = json!({
            "swift": {
                "version": "2.38.3",
                "policies": policies,
                "account_autocreate": true,
                "allow_account_management": true,
                "max_file_size": limits.max_file_size,
                "max_meta_name_length": 128,
                "max_meta_value_length": 256,
                "max_meta_count": 90,
                "max_meta_overall_size": 4096,
                "max_header_size": 8192,
                "max_object_name_length": 1024,
                "max_container_name_length": 256,
                "max_account_name_length": 256,
                "container_listing_limit": limits.container_listing_limit,
                "account_listing_limit": limits.container_listing_limit,
                "extra_header_count": 0,
            },
            "tempurl": {
                "methods": ["GET", "HEAD", "PUT", "POST", "DELETE"],
                "incoming_remove_headers": ["x-timestamp", "x-open-expired"],
                "incoming_allow_headers": [],
                "outgoing_remove_headers": ["x-object-meta-*"],
                "outgoing_allow_headers": ["x-object-meta-public-*"],
                "allowed_digests": ["sha1", "sha256", "sha512"],
                "deprecated_digests": ["sha1"],
            },
        });
        if let Some(most) = limits.max_manifest_segments {
            info["slo"] = json!({
                "max_manifest_segments": most,
                "max_manifest_size": 8_388_608,
                "yield_frequency": 10,
                "min_segment_size": 1,
                "allow_async_delete": true,
            });
        }
        if let Some(most) = limits.max_deletes_per_request {
            info["bulk_delete"] =
                json!({"max_deletes_per_request": most, "max_failed_deletes": 1000});
        }
        Reply::new(200)
            .header("Content-Type", "application/json; charset=UTF-8")
            .body(info.to_string())
    }
}
