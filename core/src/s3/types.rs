//! Types of the operations' parameters.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checksum::Algorithm;
use crate::error::Error;
pub use crate::http::{ByteRange, Conditions};
use crate::now::Timestamp;
use crate::s3::read::text;
use crate::s3::request::{Members, Request};
use crate::s3::service::Service;
use crate::secret::Secret;
use crate::xml::{Document, Element, S3_NAMESPACE, Writer};

/// User-defined metadata: names without `x-amz-meta-`, ASCII values, at most 2 KiB in total.
pub type Metadata = BTreeMap<String, String>;

/// The properties of an object to store: parameters that PutObject, CopyObject and
/// CreateMultipartUpload share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Expires`: when cached copies expire.
    pub expires: Option<Timestamp>,
    /// The user-defined metadata (`x-amz-meta-*`).
    pub metadata: Metadata,
    /// The storage class: `STANDARD`, `STANDARD_IA`, `GLACIER_IR`, …; servers may have others.
    pub storage_class: Option<String>,
    /// The object key or URL that a website endpoint redirects to.
    pub website_redirect_location: Option<String>,
    /// The object's tags.
    pub tagging: Tags,
    /// Permissions: a canned ACL or grants.
    pub access: Access,
    /// The server-side encryption.
    pub encryption: Encryption,
    /// The Object Lock retention, legal hold and event hold.
    pub lock: Lock,
}

impl Properties {
    /// Creates properties with only a content type.
    pub fn content_type(content_type: impl Into<String>) -> Self {
        Self { content_type: Some(content_type.into()), ..Self::default() }
    }
}

impl Members<Service> for Properties {
    fn apply(&self, request: &mut Request<'_>) {
        request
            .header("cache-control", self.cache_control.as_ref())
            .header("content-disposition", self.content_disposition.as_ref())
            .header("content-encoding", self.content_encoding.as_ref())
            .header("content-language", self.content_language.as_ref())
            .header("content-type", self.content_type.as_ref())
            .header("expires", self.expires.map(Timestamp::http_date))
            .header("x-amz-storage-class", self.storage_class.as_ref())
            .header("x-amz-website-redirect-location", self.website_redirect_location.as_ref())
            .header("x-amz-tagging", self.tagging.header())
            .metadata(&self.metadata)
            .with(&self.access)
            .with(&self.encryption)
            .with(&self.lock);
    }
}

/// The tags of an object or bucket as keys and values, in the order in which they are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(pub Vec<(String, String)>);

impl Tags {
    /// Reads the response to GetObjectTagging or GetBucketTagging.
    pub(super) fn of_document(document: &Document<'_>) -> Result<Self, Error> {
        let set = document.root().child("TagSet");
        set.map_or_else(|| Ok(Self::default()), Self::read)
    }

    /// Returns the body of PutObjectTagging and PutBucketTagging.
    pub(super) fn document(&self) -> Writer {
        let mut xml = Writer::new("Tagging", Some(S3_NAMESPACE));
        xml.element("TagSet", |xml| self.write(xml));
        xml
    }

    /// Reads each `Tag` of an element.
    pub(super) fn read(element: Element<'_>) -> Result<Self, Error> {
        let tags = element.children("Tag").map(|tag| {
            let value = tag.text_of("Value").unwrap_or_default();
            Ok((tag.required("Key")?.to_owned(), value.to_owned()))
        });
        tags.collect::<Result<_, Error>>().map(Self)
    }

    /// Writes each tag as a `Tag` element.
    pub(super) fn write(&self, xml: &mut Writer) {
        for (key, value) in &self.0 {
            xml.element("Tag", |xml| {
                xml.text("Key", key).text("Value", value);
            });
        }
    }

    /// Returns `key=value&…`, percent-encoded, or `None` without tags.
    pub(super) fn header(&self) -> Option<String> {
        let mut out = String::new();
        for (key, value) in &self.0 {
            if !out.is_empty() {
                out.push('&');
            }
            crate::escape::query_into(&mut out, key);
            out.push('=');
            crate::escape::query_into(&mut out, value);
        }
        (!out.is_empty()).then_some(out)
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Tags {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(tags: I) -> Self {
        Self(tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

/// The owner of a bucket, object or upload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Owner {
    /// The canonical user ID, or another ID of the server's.
    pub id: Option<String>,
    /// The display name; AWS no longer sends it.
    pub display_name: Option<String>,
}

impl Owner {
    pub(super) fn read(owner: Element<'_>) -> Self {
        Self { id: text(owner, "ID"), display_name: text(owner, "DisplayName") }
    }
}

/// Permissions on an object or bucket: a canned ACL, or grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The canned ACL: `private`, `public-read`, `bucket-owner-full-control`, …
    pub acl: Option<String>,
    /// The grantees with full control: `id="…"`, `uri="…"`, `emailAddress="…"`, comma-separated.
    pub grant_full_control: Option<String>,
    /// The grantees that may read.
    pub grant_read: Option<String>,
    /// The grantees that may read the ACL.
    pub grant_read_acp: Option<String>,
    /// The grantees that may write: buckets only.
    pub grant_write: Option<String>,
    /// The grantees that may write the ACL.
    pub grant_write_acp: Option<String>,
}

impl Members<Service> for Access {
    fn apply(&self, request: &mut Request<'_>) {
        request
            .header("x-amz-acl", self.acl.as_ref())
            .header("x-amz-grant-full-control", self.grant_full_control.as_ref())
            .header("x-amz-grant-read", self.grant_read.as_ref())
            .header("x-amz-grant-read-acp", self.grant_read_acp.as_ref())
            .header("x-amz-grant-write", self.grant_write.as_ref())
            .header("x-amz-grant-write-acp", self.grant_write_acp.as_ref());
    }
}

/// The server-side encryption of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encryption {
    /// The algorithm: `AES256` (SSE-S3), `aws:kms` or `aws:kms:dsse`.
    pub algorithm: Option<String>,
    /// The ID of the KMS key.
    pub kms_key_id: Option<String>,
    /// The KMS encryption context: JSON in base64.
    pub kms_context: Option<String>,
    /// Whether SSE-KMS uses an S3 Bucket Key.
    pub bucket_key_enabled: Option<bool>,
    /// The customer-provided key (SSE-C).
    pub customer_key: Option<CustomerKey>,
}

impl Members<Service> for Encryption {
    fn apply(&self, request: &mut Request<'_>) {
        request
            .header("x-amz-server-side-encryption", self.algorithm.as_ref())
            .header("x-amz-server-side-encryption-aws-kms-key-id", self.kms_key_id.as_ref())
            .header("x-amz-server-side-encryption-context", self.kms_context.as_ref())
            .header_flag("x-amz-server-side-encryption-bucket-key-enabled", self.bucket_key_enabled)
            .with(&self.customer_key);
    }
}

/// A customer-provided encryption key (SSE-C). It is sent with every request on the object, and the
/// server does not store it. AWS accepts it over https only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerKey {
    key: Secret,
    md5: String,
}

impl CustomerKey {
    /// Creates a key from the 32 bytes of an AES-256 key.
    pub fn new(key: &[u8; 32]) -> Self {
        let md5 = Algorithm::Md5.digest(key).map(|value| value.base64()).unwrap_or_default();
        Self { key: Secret::new(STANDARD.encode(key)), md5 }
    }

    /// Sets the headers of the key of a copy's source.
    pub(super) fn apply_source(&self, request: &mut Request<'_>) {
        request
            .header("x-amz-copy-source-server-side-encryption-customer-algorithm", Some("AES256"))
            .header_secret(
                "x-amz-copy-source-server-side-encryption-customer-key",
                Some(self.key.expose()),
            )
            .header("x-amz-copy-source-server-side-encryption-customer-key-md5", Some(&self.md5));
    }
}

impl Members<Service> for CustomerKey {
    fn apply(&self, request: &mut Request<'_>) {
        request
            .header("x-amz-server-side-encryption-customer-algorithm", Some("AES256"))
            .header_secret("x-amz-server-side-encryption-customer-key", Some(self.key.expose()))
            .header("x-amz-server-side-encryption-customer-key-md5", Some(&self.md5));
    }
}

/// The Object Lock retention, legal hold and event hold of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// The retention mode: `GOVERNANCE` or `COMPLIANCE`.
    pub mode: Option<String>,
    /// When the retention ends.
    pub retain_until: Option<Timestamp>,
    /// The legal hold, independent of the retention: `ON` or `OFF`.
    pub legal_hold: Option<String>,
    /// The event hold: `ON` or `OFF`. While it is on, the object can't be deleted.
    pub event_hold: Option<String>,
    /// How long the object is retained after the event hold ends, in days: 1 to 36,500, or in
    /// years by the next member.
    pub event_hold_days: Option<u32>,
    /// The same in years: 1 to 100.
    pub event_hold_years: Option<u32>,
}

impl Members<Service> for Lock {
    fn apply(&self, request: &mut Request<'_>) {
        request
            .header("x-amz-object-lock-mode", self.mode.as_ref())
            .header(
                "x-amz-object-lock-retain-until-date",
                self.retain_until.map(Timestamp::iso8601),
            )
            .header("x-amz-object-lock-legal-hold", self.legal_hold.as_ref())
            .header("x-amz-object-lock-event-hold", self.event_hold.as_ref())
            .header_number(
                "x-amz-object-lock-event-hold-duration-days",
                self.event_hold_days.map(u64::from),
            )
            .header_number(
                "x-amz-object-lock-event-hold-duration-years",
                self.event_hold_years.map(u64::from),
            );
    }
}

/// Common request parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommonParams {
    /// The account ID that must own the bucket; otherwise the server responds with 403.
    pub expected_bucket_owner: Option<String>,
    /// `requester`: the requester pays for the request.
    pub request_payer: Option<String>,
}

impl Members<Service> for CommonParams {
    fn apply(&self, request: &mut Request<'_>) {
        request
            .header("x-amz-expected-bucket-owner", self.expected_bucket_owner.as_ref())
            .header("x-amz-request-payer", self.request_payer.as_ref());
    }
}
