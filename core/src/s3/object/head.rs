//! The metadata of an object, read from response headers.

use crate::checksum::{Algorithm, Composite, Declared, Type, Value};
use crate::error::Error;
use crate::http::{ETag, Field, Headers, Reply};
use crate::now::Timestamp;
use crate::s3::read::{self, word};
use crate::s3::types::Metadata;
use crate::xml::Element;

/// The metadata of an object, from the response to GetObject or HeadObject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectHead {
    /// The size of the whole object in bytes; `None` where the server does not say.
    pub size: Option<u64>,
    /// The length of this response's body in bytes: less than `size` for a range.
    pub content_length: Option<u64>,
    /// The ETag.
    pub etag: Option<ETag>,
    /// When the object was last modified.
    pub last_modified: Option<Timestamp>,
    /// The version ID.
    pub version_id: Option<String>,
    /// Whether the version is a delete marker.
    pub delete_marker: bool,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`, which some servers store by mistake.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Expires`, unparsed.
    pub expires: Option<String>,
    /// `Content-Range`, unparsed.
    pub content_range: Option<String>,
    /// The user-defined metadata (`x-amz-meta-*`).
    pub metadata: Metadata,
    /// The number of metadata entries that the server could not return as `x-amz-meta-*` headers.
    pub missing_meta: Option<u32>,
    /// The storage class; `None` means `STANDARD`.
    pub storage_class: Option<String>,
    /// The status of the restore from an archive (`x-amz-restore`), unparsed.
    pub restore: Option<String>,
    /// The archive tier of an object in `INTELLIGENT_TIERING`.
    pub archive_status: Option<String>,
    /// The expiry date and the ID of the lifecycle rule, as the header states them.
    pub expiration: Option<String>,
    /// The object key or URL that a website endpoint redirects to.
    pub website_redirect_location: Option<String>,
    /// The server-side encryption algorithm: `AES256`, `aws:kms`, …
    pub server_side_encryption: Option<String>,
    /// The ID of the KMS key.
    pub kms_key_id: Option<String>,
    /// Whether SSE-KMS uses an S3 Bucket Key.
    pub bucket_key_enabled: bool,
    /// The algorithm of the customer-provided key (SSE-C).
    pub customer_algorithm: Option<String>,
    /// The MD5 of the customer-provided key (SSE-C), in base64.
    pub customer_key_md5: Option<String>,
    /// `requester` where the requester was charged for the request.
    pub request_charged: Option<String>,
    /// The replication status.
    pub replication_status: Option<String>,
    /// The number of parts, where the request had a part number.
    pub parts_count: Option<u32>,
    /// The number of tags.
    pub tag_count: Option<u32>,
    /// The Object Lock mode: `GOVERNANCE` or `COMPLIANCE`.
    pub lock_mode: Option<String>,
    /// When the Object Lock retention ends.
    pub lock_retain_until: Option<Timestamp>,
    /// The Object Lock legal hold: `ON` or `OFF`.
    pub legal_hold: Option<String>,
    /// The Object Lock event hold: `ON` or `OFF`.
    pub event_hold: Option<String>,
    /// How long the object is retained after the event hold ends, in days.
    pub event_hold_days: Option<u32>,
    /// The same in years.
    pub event_hold_years: Option<u32>,
    /// `Accept-Ranges`.
    pub accept_ranges: Option<String>,
    /// The checksums of the object.
    pub checksums: Vec<Declared>,
    /// Whether the checksums are full-object or composite, where the server says.
    pub checksum_type: Option<Type>,
}

impl ObjectHead {
    pub(crate) fn read(reply: &Reply) -> Self {
        let mut head = Self::default();
        head.fill(reply);
        head
    }

    /// Reads the headers into an empty head, which is as large as several cache lines, and so is made
    /// where it stays.
    pub(crate) fn fill(&mut self, reply: &Reply) {
        let head = self;
        let headers = Headers(&reply.head.headers);
        head.content_length = reply.content_length();
        head.size = match reply.content_range() {
            Some(range) => range.total,
            None => head.content_length,
        };
        let mut has_metadata = false;
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
                "x-amz-object-lock-event-hold" => head.event_hold = Some(field.text()),
                "x-amz-object-lock-event-hold-duration-days" => {
                    head.event_hold_days = field.parsed();
                }
                "x-amz-object-lock-event-hold-duration-years" => {
                    head.event_hold_years = field.parsed();
                }
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
                _ if name.starts_with(CHECKSUM) => head.checksums.extend(checksum(name, &field)),
                _ => has_metadata |= name.starts_with(METADATA),
            }
        }
        if has_metadata {
            head.metadata = headers.items(METADATA);
        }
        head.checksums.sort_by_key(Declared::algorithm);
    }

    /// Whether the checksums are computed over the checksums of parts, or may be: where the server
    /// does not say, if the ETag is that of an object that was uploaded in parts.
    pub(crate) fn is_composite(&self) -> bool {
        self.checksum_type.map_or_else(|| self.is_of_parts(), |told| told == Type::Composite)
    }

    /// Whether the ETag has the form of an object that was uploaded in parts, and there is a
    /// checksum whose type that leaves open: CRC64NVME has no composite.
    fn is_of_parts(&self) -> bool {
        let open = |declared: &Declared| declared.algorithm() != Algorithm::Crc64Nvme;
        let parts = self.etag.as_ref().and_then(|tag| tag.opaque().rsplit_once('-'));
        parts.is_some_and(|(_, count)| count.parse::<u32>().is_ok())
            && self.checksums.iter().any(open)
    }
}

/// What the server stored, from the response to a write: PutObject, UploadPart and others.
///
/// ```
/// # use apus_core::s3::{CompletedPart, Stored};
/// # let stored = Stored::default();
/// // The response to UploadPart of part 1, as an entry of CompleteMultipartUpload.
/// let part: CompletedPart = stored.completed(1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The ETag; empty where the response has none.
    pub etag: ETag,
    /// The version ID of the new version.
    pub version_id: Option<String>,
    /// The checksums in the response.
    pub checksums: Vec<Declared>,
    /// Whether the checksums are full-object or composite, where the server says.
    pub checksum_type: Option<Type>,
    /// The size of the whole object in bytes, where the server says.
    pub size: Option<u64>,
    /// The expiry date and the ID of the lifecycle rule, as the header states them.
    pub expiration: Option<String>,
    /// The server-side encryption algorithm: `AES256`, `aws:kms`, …
    pub server_side_encryption: Option<String>,
    /// The ID of the KMS key.
    pub kms_key_id: Option<String>,
    /// The KMS encryption context.
    pub kms_context: Option<String>,
    /// Whether SSE-KMS uses an S3 Bucket Key.
    pub bucket_key_enabled: bool,
    /// The algorithm of the customer-provided key (SSE-C).
    pub customer_algorithm: Option<String>,
    /// The MD5 of the customer-provided key (SSE-C), in base64.
    pub customer_key_md5: Option<String>,
    /// `requester` where the requester was charged for the request.
    pub request_charged: Option<String>,
}

impl Stored {
    pub(in crate::s3) fn read(reply: &Reply) -> Self {
        let headers = Headers(&reply.head.headers);
        let mut stored = Self::default();
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
                _ if name.starts_with(CHECKSUM) => stored.checksums.extend(checksum(name, &field)),
                _ => {}
            }
        }
        stored.checksums.sort_by_key(Declared::algorithm);
        stored
    }

    /// Reads a response whose body was cut off: its ETag proves that the bytes were stored, unless
    /// a part of an error document was received.
    pub(in crate::s3) fn read_head(reply: &Reply) -> Option<Self> {
        reply.carried_out(&[]).ok()?;
        let stored = Self::read(reply);
        let silent = reply.body.trim_ascii().is_empty();
        (silent && !stored.etag.is_empty()).then_some(stored)
    }

    /// Compares the checksums in the response with those that were sent.
    pub(in crate::s3) fn confirm(&self, computed: &[Value]) -> Result<(), Error> {
        for sent in computed {
            let Some(stored) = self.checksum(sent.algorithm()) else { continue };
            if stored != *sent {
                return Err(Error::integrity(format!(
                    "the server stored the object with {} {stored}, but the sent bytes have {sent}",
                    sent.algorithm()
                )));
            }
        }
        Ok(())
    }

    /// As [`read`](Self::read), with the ETag and checksums of the document of a copy or of a
    /// completed upload.
    pub(in crate::s3) fn read_with(reply: &Reply, document: Element<'_>) -> Self {
        let mut stored = Self::read(reply);
        if let Some(etag) = document.text_of("ETag") {
            stored.etag = ETag::from(etag.trim());
        }
        stored.checksums.append(&mut read::checksums(document));
        stored.checksum_type = word(document, "ChecksumType").or(stored.checksum_type);
        stored
    }

    /// Returns the server's full-object checksum of this algorithm.
    pub fn checksum(&self, algorithm: Algorithm) -> Option<Value> {
        self.checksums.iter().find_map(|declared| match declared {
            Declared::FullObject(value) if value.algorithm() == algorithm => Some(*value),
            _ => None,
        })
    }

    /// Returns the server's composite checksum of this algorithm.
    pub fn composite(&self, algorithm: Algorithm) -> Option<Composite> {
        self.checksums.iter().find_map(|declared| match declared {
            Declared::Composite(value) if value.algorithm() == algorithm => Some(*value),
            _ => None,
        })
    }
}

impl From<ObjectHead> for Stored {
    /// Converts the response to a HEAD request, where the response to the write was lost.
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

/// Returns the checksum in a header, if it can be parsed.
fn checksum(name: &str, field: &Field<'_>) -> Option<Declared> {
    let algorithm = Algorithm::ALL.into_iter().find(|known| known.header().as_str() == name)?;
    let text = field.plain().map(str::trim).filter(|text| !text.is_empty())?;
    Declared::parse(algorithm, text).ok()
}

const CHECKSUM: &str = "x-amz-checksum-";
const METADATA: &str = "x-amz-meta-";
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
