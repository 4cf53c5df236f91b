//! The source of a copy: parameters that CopyObject and UploadPartCopy share.

use crate::escape;
use crate::http::ETag;
use crate::now::Timestamp;
use crate::s3::request::{Members, Request};
use crate::s3::service::Service;
use crate::s3::types::{Conditions, CustomerKey};

/// The source object of a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopySource {
    /// The bucket name, or the ARN of an access point.
    pub bucket: String,
    /// The object key.
    pub key: String,
    /// The version ID; `None` selects the current version.
    pub version_id: Option<String>,
    /// Preconditions on the source; the server responds with 412 where one does not hold.
    pub conditions: Conditions,
    /// The key that the object is encrypted with (SSE-C).
    pub customer_key: Option<CustomerKey>,
    /// The account ID that must own the bucket; otherwise the server responds with 403.
    pub expected_bucket_owner: Option<String>,
}

impl CopySource {
    /// Creates a source: the current version of this object.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), key: key.into(), ..Self::default() }
    }

    /// Returns `bucket/key?versionId=…`, percent-encoded.
    fn header(&self) -> String {
        let mut header = String::with_capacity(self.bucket.len() + self.key.len() + 16);
        escape::path_into(&mut header, &self.bucket);
        header.push_str(if self.bucket.starts_with("arn:") { "/object/" } else { "/" });
        escape::path_into(&mut header, &self.key);
        if let Some(version) = &self.version_id {
            // Not escaped: no SDK escapes it, not all servers decode it here, and the version IDs
            // of servers have nothing to escape.
            header.push_str("?versionId=");
            header.push_str(version);
        }
        header
    }
}

impl Members<Service> for CopySource {
    fn apply(&self, request: &mut Request<'_>) {
        let conditions = &self.conditions;
        request
            .header("x-amz-copy-source", Some(self.header()))
            .header("x-amz-copy-source-if-match", conditions.if_match.as_ref().map(ETag::as_str))
            .header(
                "x-amz-copy-source-if-none-match",
                conditions.if_none_match.as_ref().map(ETag::as_str),
            )
            .header(
                "x-amz-copy-source-if-modified-since",
                conditions.if_modified_since.map(Timestamp::http_date),
            )
            .header(
                "x-amz-copy-source-if-unmodified-since",
                conditions.if_unmodified_since.map(Timestamp::http_date),
            )
            .header("x-amz-source-expected-bucket-owner", self.expected_bucket_owner.as_ref());
        if let Some(key) = &self.customer_key {
            key.apply_source(request);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // "CopyObject", S3 API reference: the value of x-amz-copy-source is URL-encoded; through an
    // access point it is the ARN, `/object/` and the key.
    #[test]
    fn the_header_is_escaped_once() {
        let mut source = CopySource::new("source", "reports/a b+é?.pdf");
        assert_eq!(source.header(), "source/reports/a%20b%2B%C3%A9%3F.pdf");
        source.version_id = Some("3HL4kqtJlcpXrof3vjVBH40Nr8X8gdRQBpUMLUo".to_owned());
        assert_eq!(
            source.header(),
            "source/reports/a%20b%2B%C3%A9%3F.pdf?versionId=3HL4kqtJlcpXrof3vjVBH40Nr8X8gdRQBpUMLUo"
        );
        let point = CopySource::new("arn:aws:s3:us-west-2:123456789012:accesspoint/my", "k");
        assert_eq!(
            point.header(),
            "arn%3Aaws%3As3%3Aus-west-2%3A123456789012%3Aaccesspoint/my/object/k"
        );
    }
}
