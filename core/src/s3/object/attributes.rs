//! GetObjectAttributes.

use crate::checksum::{Declared, Type};
use crate::error::Kind;
use crate::http::ETag;
use crate::s3::operation::*;
use crate::s3::read::{checksums, onward_part, word};
use crate::s3::types::CustomerKey;
use crate::xml::Element;

/// Retrieves metadata of an object and of its parts. "GetObjectAttributes", S3 API reference.
///
/// ```
/// use apus_core::s3::{GetObjectAttributes, ObjectAttribute};
///
/// let mut get = GetObjectAttributes::new("bucket", "key");
/// // At least one; what is not named is not sent.
/// get.attributes = vec![ObjectAttribute::Checksum, ObjectAttribute::ObjectParts];
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetObjectAttributes {
    /// The bucket name, or the ARN or alias of an access point.
    pub bucket: String,
    /// The object key.
    pub key: String,
    /// The attributes to return; at least one.
    pub attributes: Vec<ObjectAttribute>,
    /// The version ID; `None` selects the current version.
    pub version_id: Option<String>,
    /// The maximum number of parts in the response: 1 to 1,000.
    pub max_parts: Option<u32>,
    /// Only parts with a higher part number than this.
    pub part_number_marker: Option<u32>,
    /// The key that the object is encrypted with (SSE-C).
    pub customer_key: Option<CustomerKey>,
    /// Common request parameters.
    pub common: CommonParams,
}

impl GetObjectAttributes {
    /// Requests all attributes of this object.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            key: key.into(),
            attributes: ObjectAttribute::ALL.to_vec(),
            version_id: None,
            max_parts: None,
            part_number_marker: None,
            customer_key: None,
            common: CommonParams::default(),
        }
    }

    /// Returns the request for the next parts, or `None` after the last part.
    ///
    /// # Errors
    ///
    /// The list of parts is truncated, and the next marker is missing or not after that of this request.
    pub fn next(&self, answer: &GetObjectAttributesOutput) -> Result<Option<Self>, Error> {
        let Some(parts) = &answer.parts else { return Ok(None) };
        if parts.is_truncated != Some(true) {
            return Ok(None);
        }
        let marker = onward_part(self.part_number_marker, parts.next_part_number_marker)?;
        Ok(Some(Self { part_number_marker: Some(marker), ..self.clone() }))
    }
}

/// An attribute that [`GetObjectAttributes`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectAttribute {
    /// The ETag.
    ETag,
    /// The checksums.
    Checksum,
    /// The parts of an object that was stored by a multipart upload.
    ObjectParts,
    /// The storage class.
    StorageClass,
    /// The size in bytes.
    ObjectSize,
}

impl ObjectAttribute {
    /// All attributes.
    pub const ALL: [Self; 5] =
        [Self::ETag, Self::Checksum, Self::ObjectParts, Self::StorageClass, Self::ObjectSize];

    /// Returns the name that S3 uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ETag => "ETag",
            Self::Checksum => "Checksum",
            Self::ObjectParts => "ObjectParts",
            Self::StorageClass => "StorageClass",
            Self::ObjectSize => "ObjectSize",
        }
    }
}

/// The response to [`GetObjectAttributes`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GetObjectAttributesOutput {
    /// The ETag.
    pub etag: Option<ETag>,
    /// The checksums.
    pub checksums: Vec<Declared>,
    /// Whether the checksums are full-object or composite.
    pub checksum_type: Option<Type>,
    /// The parts; `None` for an object that was stored by a single request.
    pub parts: Option<ObjectParts>,
    /// The storage class.
    pub storage_class: Option<String>,
    /// The object's size in bytes.
    pub size: Option<u64>,
    /// When the object was last modified.
    pub last_modified: Option<Timestamp>,
    /// The version ID.
    pub version_id: Option<String>,
    /// Whether the version is a delete marker.
    pub delete_marker: Option<bool>,
    /// `requester` where the requester was charged for the request.
    pub request_charged: Option<String>,
}

/// The parts of an object that was stored by a multipart upload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectParts {
    /// The total number of parts.
    pub total_parts_count: Option<u32>,
    /// Echoed from the request.
    pub part_number_marker: Option<u32>,
    /// The `part_number_marker` of the next request.
    pub next_part_number_marker: Option<u32>,
    /// Echoed from the request.
    pub max_parts: Option<u32>,
    /// Whether more parts follow.
    pub is_truncated: Option<bool>,
    /// The parts. AWS lists them only where they were uploaded with a checksum.
    pub parts: Vec<ObjectPart>,
}

/// A part of an object that was stored by a multipart upload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectPart {
    /// The part number, from 1.
    pub part_number: Option<u32>,
    /// The size in bytes.
    pub size: Option<u64>,
    /// The checksums.
    pub checksums: Vec<Declared>,
}

impl Operation for GetObjectAttributes {
    facts!(GetObjectAttributes in bucket: Read -> GetObjectAttributesOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        if self.attributes.is_empty() {
            return Err(Error::invalid_input(
                "GetObjectAttributes requires at least one attribute",
            ));
        }
        let names: Vec<_> = self.attributes.iter().map(|attribute| attribute.name()).collect();
        let marker = self.part_number_marker.map(u64::from);
        Request::object(service, Self::NAME, Method::GET, &self.bucket, &self.key)?
            .flag("attributes")
            .version(&self.version_id)
            .header("x-amz-object-attributes", Some(names.join(",")))
            .header_number("x-amz-max-parts", self.max_parts.map(u64::from))
            .header_number("x-amz-part-number-marker", marker)
            .with(&self.customer_key)
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<GetObjectAttributesOutput, Error> {
        error::carried_out(reply)?;
        let head = Headers(&reply.head.headers);
        // A GetObject response has an ETag header, a GetObjectAttributes response has none.
        if head.plain("etag").is_some() {
            return Err(Error::new(Kind::Refused, "the server returned the object itself")
                .with_hint("the server does not support GetObjectAttributes: use HeadObject"));
        }
        let document = error::document(reply, "GetObjectAttributesResponse", ATTRIBUTES)?;
        // The API reference calls the root GetObjectAttributesOutput, servers send
        // GetObjectAttributesResponse.
        let root = document.root();
        let checksum = root.child("Checksum");
        Ok(GetObjectAttributesOutput {
            etag: text(root, "ETag").map(ETag::from),
            checksums: checksum.map(checksums).unwrap_or_default(),
            checksum_type: checksum.and_then(|checksum| word(checksum, "ChecksumType")),
            parts: root.child("ObjectParts").map(ObjectParts::read).transpose()?,
            storage_class: text(root, "StorageClass"),
            size: root.optional("ObjectSize"),
            last_modified: head.plain("last-modified").and_then(Timestamp::parse_http),
            version_id: head.text("x-amz-version-id"),
            delete_marker: head.flag("x-amz-delete-marker"),
            request_charged: head.text("x-amz-request-charged"),
        })
    }
}

impl ObjectParts {
    fn read(parts: Element<'_>) -> Result<Self, Error> {
        let list = parts.children("Part").map(|part| {
            Ok(ObjectPart {
                part_number: part.parsed("PartNumber")?,
                size: part.optional("Size"),
                checksums: checksums(part),
            })
        });
        // The API reference and servers use different names for it.
        let count = parts.optional("PartsCount").or_else(|| parts.optional("TotalPartsCount"));
        Ok(Self {
            total_parts_count: count,
            part_number_marker: parts.optional("PartNumberMarker"),
            next_part_number_marker: parts.optional("NextPartNumberMarker"),
            max_parts: parts.optional("MaxParts"),
            is_truncated: parts.flag("IsTruncated")?,
            parts: list.collect::<Result<_, Error>>()?,
        })
    }
}

/// The elements of the document, as far as they were requested. The document of an object that has
/// none of them is empty; its root is `GetObjectAttributesOutput` in the API reference.
const ATTRIBUTES: &[&str] = &["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];
