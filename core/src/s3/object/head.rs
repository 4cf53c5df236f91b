//! What the headers of an answer say of an object.

use crate::checksum::{Algorithm, Composite, Declared, Type, Value};
use crate::error::Error;
use crate::http::{ETag, Field, Headers, Reply};
use crate::now::Timestamp;
use crate::s3::read::{self, word};
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
    pub(crate) fn read(reply: &Reply) -> Self {
        let headers = Headers(&reply.head.headers);
        let content_length = reply.content_length();
        let size = match reply.content_range() {
            Some(range) => range.total,
            None => content_length,
        };
        let mut head = Self { size, content_length, ..Self::default() };
        for (name, field) in headers.fields() {
            match name {
                "accept-ranges" => head.accept_ranges = Some(field.text()),
                "cache-control" => head.cache_control = Some(field.text()),
                "content-disposition" => head.content_disposition = Some(field.text()),
                "content-encoding" => head.content_encoding = without_aws_chunked(&field),
                "content-language" => head.content_language = Some(field.text()),
                "content-range" => head.content_range = Some(field.text()),
                "content-type" => head.content_type = Some(field.text()),
                "etag" => head.etag = Some(ETag::from(field.text())),
                "expires" => head.expires = Some(field.text()),
                "last-modified" => {
                    head.last_modified = field.plain().and_then(Timestamp::parse_http);
                }
                "x-amz-archive-status" => head.archive_status = Some(field.text()),
                "x-amz-checksum-type" => head.checksum_type = field.parsed(),
                "x-amz-delete-marker" => head.delete_marker = field.flag() == Some(true),
                "x-amz-expiration" => head.expiration = Some(field.text()),
                "x-amz-missing-meta" => head.missing_meta = field.parsed(),
                "x-amz-mp-parts-count" => head.parts_count = field.parsed(),
                "x-amz-object-lock-legal-hold" => head.legal_hold = Some(field.text()),
                "x-amz-object-lock-mode" => head.lock_mode = Some(field.text()),
                "x-amz-object-lock-retain-until-date" => {
                    head.lock_retain_until = field.plain().and_then(Timestamp::parse_iso8601);
                }
                "x-amz-replication-status" => head.replication_status = Some(field.text()),
                "x-amz-request-charged" => head.request_charged = Some(field.text()),
                "x-amz-restore" => head.restore = Some(field.text()),
                SSE => head.server_side_encryption = Some(field.text()),
                SSE_KMS_KEY_ID => head.kms_key_id = Some(field.text()),
                SSE_BUCKET_KEY => head.bucket_key_enabled = field.flag() == Some(true),
                SSE_CUSTOMER_ALGORITHM => head.customer_algorithm = Some(field.text()),
                SSE_CUSTOMER_KEY_MD5 => head.customer_key_md5 = Some(field.text()),
                "x-amz-storage-class" => head.storage_class = Some(field.text()),
                "x-amz-tagging-count" => head.tag_count = field.parsed(),
                "x-amz-version-id" => head.version_id = Some(field.text()),
                "x-amz-website-redirect-location" => {
                    head.website_redirect_location = Some(field.text());
                }
                _ => {}
            }
        }
        head.metadata = headers.items("x-amz-meta-");
        head.checksums = checksums(&headers);
        head
    }
}

/// What the answer to a write says of what was stored: PutObject, UploadPart and others.
///
/// ```
/// # use apus_core::s3::{CompletedPart, Stored};
/// # let stored = Stored::default();
/// // The answer to UploadPart of part 1, as CompleteMultipartUpload lists it.
/// let part: CompletedPart = stored.completed(1);
/// ```
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
    pub(in crate::s3) fn read(reply: &Reply) -> Self {
        let headers = Headers(&reply.head.headers);
        let mut stored = Self { checksums: checksums(&headers), ..Self::default() };
        for (name, field) in headers.fields() {
            match name {
                "etag" => stored.etag = ETag::from(field.text()),
                "x-amz-checksum-type" => stored.checksum_type = field.parsed(),
                "x-amz-expiration" => stored.expiration = Some(field.text()),
                "x-amz-object-size" => stored.size = field.parsed(),
                "x-amz-request-charged" => stored.request_charged = Some(field.text()),
                SSE => stored.server_side_encryption = Some(field.text()),
                SSE_KMS_KEY_ID => stored.kms_key_id = Some(field.text()),
                SSE_KMS_CONTEXT => stored.kms_context = Some(field.text()),
                SSE_BUCKET_KEY => stored.bucket_key_enabled = field.flag() == Some(true),
                SSE_CUSTOMER_ALGORITHM => stored.customer_algorithm = Some(field.text()),
                SSE_CUSTOMER_KEY_MD5 => stored.customer_key_md5 = Some(field.text()),
                "x-amz-version-id" => stored.version_id = Some(field.text()),
                _ => {}
            }
        }
        stored
    }

    /// The same, of an answer whose body was cut off: its tag says that it was stored, unless an error
    /// document began.
    pub(in crate::s3) fn read_head(reply: &Reply) -> Option<Self> {
        let stored = Self::read(reply);
        let silent = reply.body.trim_ascii().is_empty();
        (silent && !stored.etag.is_empty()).then_some(stored)
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
    pub(in crate::s3) fn read_with(reply: &Reply, document: Element<'_>) -> Self {
        let mut stored = Self::read(reply);
        if let Some(etag) = document.text_of("ETag") {
            stored.etag = ETag::from(etag.trim());
        }
        stored.checksums.append(&mut read::checksums(document));
        stored.checksum_type = word(document, "ChecksumType").or(stored.checksum_type);
        stored
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

impl From<ObjectHead> for Stored {
    /// What a HEAD shows of an object that was stored by a request whose answer was lost.
    fn from(head: ObjectHead) -> Self {
        Self {
            etag: head.etag.unwrap_or_default(),
            version_id: head.version_id,
            checksums: head.checksums,
            checksum_type: head.checksum_type,
            size: head.size,
            expiration: head.expiration,
            server_side_encryption: head.server_side_encryption,
            kms_key_id: head.kms_key_id,
            kms_context: None,
            bucket_key_enabled: head.bucket_key_enabled,
            customer_algorithm: head.customer_algorithm,
            customer_key_md5: head.customer_key_md5,
            request_charged: head.request_charged,
        }
    }
}

fn without_aws_chunked(field: &Field<'_>) -> Option<String> {
    let codings = field.plain()?.split(',').map(str::trim);
    let kept: Vec<&str> =
        codings.filter(|coding| !coding.is_empty() && *coding != "aws-chunked").collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// The checksums that can be read: one that can't says nothing of the object.
fn checksums(headers: &Headers<'_>) -> Vec<Declared> {
    let mut checksums = Vec::new();
    for (name, field) in headers.fields().filter(|(name, _)| name.starts_with(CHECKSUM)) {
        let algorithm = Algorithm::ALL.into_iter().find(|known| known.header().as_str() == name);
        let text = field.plain().map(str::trim).filter(|text| !text.is_empty());
        if let (Some(algorithm), Some(text)) = (algorithm, text) {
            checksums.extend(Declared::parse(algorithm, text));
        }
    }
    checksums.sort_by_key(Declared::algorithm);
    checksums
}

const CHECKSUM: &str = "x-amz-checksum-";
const SSE: &str = "x-amz-server-side-encryption";
const SSE_BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";
const SSE_CUSTOMER_ALGORITHM: &str = "x-amz-server-side-encryption-customer-algorithm";
const SSE_CUSTOMER_KEY_MD5: &str = "x-amz-server-side-encryption-customer-key-md5";
const SSE_KMS_CONTEXT: &str = "x-amz-server-side-encryption-context";
const SSE_KMS_KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn aws_chunked_is_no_coding_of_the_object() {
        let of = |text: &'static str| without_aws_chunked(&Field(&HeaderValue::from_static(text)));
        assert_eq!(of("aws-chunked"), None);
        assert_eq!(of("aws-chunked,gzip").as_deref(), Some("gzip"));
        assert_eq!(of("gzip, aws-chunked").as_deref(), Some("gzip"));
        assert_eq!(of("").as_deref(), None);
    }
}
