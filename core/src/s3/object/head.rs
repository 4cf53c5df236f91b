//! What the headers of an answer say of an object.

use http::header::HeaderMap;

use crate::checksum::{Algorithm, Composite, Declared, Type, Value};
use crate::error::Error;
use crate::http::{ETag, Headers, Reply};
use crate::now::Timestamp;
use crate::s3::read::{checksums, word};
use crate::s3::types::Metadata;
use crate::xml::Element;

/// An object as GetObject and HeadObject describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectHead {
    /// Bytes of the whole object; `None` where the server does not say.
    pub size: Option<u64>,
    /// Bytes of this answer's body: less than `size` for a range.
    pub content_length: Option<u64>,
    /// The object's tag.
    pub etag: Option<ETag>,
    /// When it was written.
    pub last_modified: Option<Timestamp>,
    /// Which version of it this is.
    pub version_id: Option<String>,
    /// Whether this is the mark of a deletion.
    pub delete_marker: bool,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`, which some servers keep by mistake.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Expires`, as it was written.
    pub expires: Option<String>,
    /// `Content-Range`, as it was written.
    pub content_range: Option<String>,
    /// The object's own metadata.
    pub metadata: Metadata,
    /// How many `x-amz-meta-*` headers could not be sent.
    pub missing_meta: Option<u32>,
    /// The storage class; `None` means `STANDARD`.
    pub storage_class: Option<String>,
    /// How far the restoration from an archive is.
    pub restore: Option<String>,
    /// The archive tier it is in.
    pub archive_status: Option<String>,
    /// When and by which rule it expires.
    pub expiration: Option<String>,
    /// Where a website's visitors are sent instead.
    pub website_redirect_location: Option<String>,
    /// `AES256`, `aws:kms`, …
    pub server_side_encryption: Option<String>,
    /// The KMS key.
    pub kms_key_id: Option<String>,
    /// Whether an S3 Bucket Key is used.
    pub bucket_key_enabled: bool,
    /// The algorithm of a key of the caller's own.
    pub customer_algorithm: Option<String>,
    /// The MD5 of a key of the caller's own.
    pub customer_key_md5: Option<String>,
    /// Whether the requester was charged.
    pub request_charged: Option<String>,
    /// The state of replication.
    pub replication_status: Option<String>,
    /// Parts of a multipart object, where a part was asked for.
    pub parts_count: Option<u32>,
    /// How many tags it has.
    pub tag_count: Option<u32>,
    /// `GOVERNANCE` or `COMPLIANCE`.
    pub lock_mode: Option<String>,
    /// Until when it is locked.
    pub lock_retain_until: Option<Timestamp>,
    /// `ON` or `OFF`.
    pub legal_hold: Option<String>,
    /// `Accept-Ranges`.
    pub accept_ranges: Option<String>,
    /// The object's checksums.
    pub checksums: Vec<Declared>,
    /// What they are made over, where the server says.
    pub checksum_type: Option<Type>,
}

impl ObjectHead {
    pub(crate) fn read(reply: &Reply) -> Result<Self, Error> {
        let headers = &reply.head.headers;
        let head = Headers(headers);
        let content_length = reply.content_length();
        let range = reply.content_range();
        let size = match &range {
            Some(range) => range.total,
            None => content_length,
        };
        Ok(Self {
            size,
            content_length,
            etag: head.text("etag").map(ETag::from),
            last_modified: head.plain("last-modified").and_then(Timestamp::parse_http),
            version_id: head.text("x-amz-version-id"),
            delete_marker: head.flag("x-amz-delete-marker") == Some(true),
            content_type: head.text("content-type"),
            content_encoding: without_aws_chunked(headers),
            content_language: head.text("content-language"),
            content_disposition: head.text("content-disposition"),
            cache_control: head.text("cache-control"),
            expires: head.text("expires"),
            content_range: head.text("content-range"),
            metadata: head.items("x-amz-meta-"),
            missing_meta: head.number("x-amz-missing-meta"),
            storage_class: head.text("x-amz-storage-class"),
            restore: head.text("x-amz-restore"),
            archive_status: head.text("x-amz-archive-status"),
            expiration: head.text("x-amz-expiration"),
            website_redirect_location: head.text("x-amz-website-redirect-location"),
            server_side_encryption: head.text("x-amz-server-side-encryption"),
            kms_key_id: head.text("x-amz-server-side-encryption-aws-kms-key-id"),
            bucket_key_enabled: head
                .flag("x-amz-server-side-encryption-bucket-key-enabled")
                .unwrap_or_default(),
            customer_algorithm: head.text("x-amz-server-side-encryption-customer-algorithm"),
            customer_key_md5: head.text("x-amz-server-side-encryption-customer-key-md5"),
            request_charged: head.text("x-amz-request-charged"),
            replication_status: head.text("x-amz-replication-status"),
            parts_count: head.number("x-amz-mp-parts-count"),
            tag_count: head.number("x-amz-tagging-count"),
            lock_mode: head.text("x-amz-object-lock-mode"),
            lock_retain_until: head
                .plain("x-amz-object-lock-retain-until-date")
                .and_then(Timestamp::parse_iso8601),
            legal_hold: head.text("x-amz-object-lock-legal-hold"),
            accept_ranges: head.text("accept-ranges"),
            checksums: head.checksums()?,
            checksum_type: head.plain("x-amz-checksum-type").and_then(|text| text.parse().ok()),
        })
    }
}

/// What the answer to a write says of what was stored: PutObject, UploadPart and others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The tag of what was stored; empty where the server gave none.
    pub etag: ETag,
    /// Which version of the object this became.
    pub version_id: Option<String>,
    /// The checksums that the server answered.
    pub checksums: Vec<Declared>,
    /// What they are made over, where the server says.
    pub checksum_type: Option<Type>,
    /// Bytes of the whole object, where the server says.
    pub size: Option<u64>,
    /// When and by which rule it expires.
    pub expiration: Option<String>,
    /// `AES256`, `aws:kms`, …
    pub server_side_encryption: Option<String>,
    /// The KMS key.
    pub kms_key_id: Option<String>,
    /// The KMS encryption context.
    pub kms_context: Option<String>,
    /// Whether an S3 Bucket Key is used.
    pub bucket_key_enabled: bool,
    /// The algorithm of a key of the caller's own.
    pub customer_algorithm: Option<String>,
    /// The MD5 of a key of the caller's own.
    pub customer_key_md5: Option<String>,
    /// Whether the requester was charged.
    pub request_charged: Option<String>,
}

impl Stored {
    pub(in crate::s3) fn read(reply: &Reply) -> Result<Self, Error> {
        let head = Headers(&reply.head.headers);
        Ok(Self {
            etag: head.text("etag").map(ETag::from).unwrap_or_default(),
            version_id: head.text("x-amz-version-id"),
            checksums: head.checksums()?,
            checksum_type: head.plain("x-amz-checksum-type").and_then(|text| text.parse().ok()),
            size: head.number("x-amz-object-size"),
            expiration: head.text("x-amz-expiration"),
            server_side_encryption: head.text("x-amz-server-side-encryption"),
            kms_key_id: head.text("x-amz-server-side-encryption-aws-kms-key-id"),
            kms_context: head.text("x-amz-server-side-encryption-context"),
            bucket_key_enabled: head
                .flag("x-amz-server-side-encryption-bucket-key-enabled")
                .unwrap_or_default(),
            customer_algorithm: head.text("x-amz-server-side-encryption-customer-algorithm"),
            customer_key_md5: head.text("x-amz-server-side-encryption-customer-key-md5"),
            request_charged: head.text("x-amz-request-charged"),
        })
    }

    /// Compares the checksums that the server answered with those that were sent.
    pub(in crate::s3) fn confirm(&self, stamped: &[Value]) -> Result<(), Error> {
        for sent in stamped {
            let Some(stored) = self.checksum(sent.algorithm()) else { continue };
            if stored != *sent {
                return Err(Error::integrity(format!(
                    "the server has {stored} as {} of what was sent as {sent}",
                    sent.algorithm()
                )));
            }
        }
        Ok(())
    }

    /// As [`read`](Self::read), with what the document of a copy or of a completed upload says.
    pub(in crate::s3) fn read_with(reply: &Reply, document: Element<'_>) -> Result<Self, Error> {
        let mut stored = Self::read(reply)?;
        if let Some(etag) = document.text_of("ETag") {
            stored.etag = ETag::from(etag.trim());
        }
        stored.checksums.append(&mut checksums(document)?);
        stored.checksum_type = word(document, "ChecksumType").or(stored.checksum_type);
        Ok(stored)
    }

    /// The server's value over the full object of this algorithm.
    pub fn checksum(&self, algorithm: Algorithm) -> Option<Value> {
        self.checksums.iter().find_map(|declared| match declared {
            Declared::FullObject(value) if value.algorithm() == algorithm => Some(*value),
            _ => None,
        })
    }

    /// The server's value over the parts' digests of this algorithm.
    pub fn composite(&self, algorithm: Algorithm) -> Option<Composite> {
        self.checksums.iter().find_map(|declared| match declared {
            Declared::Composite(value) if value.algorithm() == algorithm => Some(*value),
            _ => None,
        })
    }
}

impl Headers<'_> {
    pub(in crate::s3) fn checksums(&self) -> Result<Vec<Declared>, Error> {
        let mut checksums = Vec::new();
        for algorithm in Algorithm::ALL {
            let text = self.plain(algorithm.header().as_str()).map(str::trim);
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                checksums.push(Declared::parse(algorithm, text)?);
            }
        }
        Ok(checksums)
    }
}

fn without_aws_chunked(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(http::header::CONTENT_ENCODING)?.to_str().ok()?;
    let codings = text.split(',').map(str::trim);
    let kept: Vec<&str> =
        codings.filter(|coding| !coding.is_empty() && *coding != "aws-chunked").collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aws_chunked_is_no_coding_of_the_object() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("content-encoding", text.parse().unwrap());
            without_aws_chunked(&headers)
        };
        assert_eq!(of("aws-chunked"), None);
        assert_eq!(of("aws-chunked,gzip").as_deref(), Some("gzip"));
        assert_eq!(of("gzip, aws-chunked").as_deref(), Some("gzip"));
        assert_eq!(of("").as_deref(), None);
    }
}
