//! GetObjectAttributes.

use crate::checksum::{Declared, Type};
use crate::error::Kind;
use crate::http::ETag;
use crate::s3::operation::*;
use crate::s3::read::{checksums, onward, word};
use crate::s3::types::CustomerKey;
use crate::xml::Element;

/// What the server knows of an object and its parts. "GetObjectAttributes", S3 API reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetObjectAttributes {
    /// The bucket: its name, or the ARN or alias of an access point.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// What is asked for.
    pub attributes: Vec<ObjectAttribute>,
    /// A version other than the newest.
    pub version_id: Option<String>,
    /// The most parts of an answer: 1 to 1,000.
    pub max_parts: Option<u32>,
    /// Only parts after this one.
    pub part_number_marker: Option<u32>,
    /// The key the object was encrypted with (SSE-C).
    pub customer_key: Option<CustomerKey>,
    /// Members that nearly every operation has.
    pub common: Common,
}

impl GetObjectAttributes {
    /// All attributes of this object.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            key: key.into(),
            attributes: ObjectAttribute::ALL.to_vec(),
            version_id: None,
            max_parts: None,
            part_number_marker: None,
            customer_key: None,
            common: Common::default(),
        }
    }

    /// The same of the next parts, if there are more.
    ///
    /// # Errors
    ///
    /// The answer says that there are more, and not where, or where it began itself.
    pub fn next(&self, answer: &GetObjectAttributesOutput) -> Result<Option<Self>, Error> {
        let Some(parts) = &answer.parts else { return Ok(None) };
        if parts.is_truncated != Some(true) {
            return Ok(None);
        }
        let marker = onward(self.part_number_marker.as_ref(), parts.next_part_number_marker)?;
        Ok(Some(Self { part_number_marker: Some(marker), ..self.clone() }))
    }
}

/// Something that [`GetObjectAttributes`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectAttribute {
    /// The tag.
    ETag,
    /// The checksums.
    Checksum,
    /// The parts of a multipart object.
    ObjectParts,
    /// The storage class.
    StorageClass,
    /// The size.
    ObjectSize,
}

impl ObjectAttribute {
    /// All five.
    pub const ALL: [Self; 5] =
        [Self::ETag, Self::Checksum, Self::ObjectParts, Self::StorageClass, Self::ObjectSize];

    /// S3's word for it.
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

/// What GetObjectAttributes answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GetObjectAttributesOutput {
    /// The tag.
    pub etag: Option<ETag>,
    /// The checksums.
    pub checksums: Vec<Declared>,
    /// What they are made over.
    pub checksum_type: Option<Type>,
    /// The parts; none of an object that was stored with one request.
    pub parts: Option<ObjectParts>,
    /// The storage class.
    pub storage_class: Option<String>,
    /// Bytes of the object.
    pub size: Option<u64>,
    /// When it was written.
    pub last_modified: Option<Timestamp>,
    /// Which version it is.
    pub version_id: Option<String>,
    /// Whether this is the mark of a deletion.
    pub delete_marker: Option<bool>,
    /// Whether the requester was charged.
    pub request_charged: Option<String>,
}

/// The parts of a multipart object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectParts {
    /// How many there are in all.
    pub total_parts_count: Option<u32>,
    /// What was asked for, said again.
    pub part_number_marker: Option<u32>,
    /// Where the next answer goes on.
    pub next_part_number_marker: Option<u32>,
    /// What was asked for, said again.
    pub max_parts: Option<u32>,
    /// Whether there are more.
    pub is_truncated: Option<bool>,
    /// The parts. AWS names them only where they were uploaded with a checksum.
    pub parts: Vec<ObjectPart>,
}

/// A part of a multipart object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectPart {
    /// Its number, counted from 1.
    pub part_number: Option<u32>,
    /// Its bytes.
    pub size: Option<u64>,
    /// Its checksums.
    pub checksums: Vec<Declared>,
}

impl Operation for GetObjectAttributes {
    facts!(GetObjectAttributes in bucket: Read -> GetObjectAttributesOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        if self.attributes.is_empty() {
            return Err(Error::caller("GetObjectAttributes asks for no attribute"));
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
        error::success(reply)?;
        let head = Headers(&reply.head.headers);
        // The answer to GetObjectAttributes has no tag among its headers, that to GetObject has.
        if head.plain("etag").is_some() {
            return Err(Error::new(Kind::Refused, "the server answered with the object itself")
                .with_hint("the server does not have GetObjectAttributes: use HeadObject"));
        }
        let document = error::document(reply, "GetObjectAttributesResponse", ATTRIBUTES)?;
        // Its name is GetObjectAttributesOutput on the page, and GetObjectAttributesResponse on
        // the wire.
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
        // The page and the wire do not agree on the name of the count.
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

/// What the document has, as far as it was asked for. An object that has none of it has an empty one,
/// whose root is `GetObjectAttributesOutput` on the page.
const ATTRIBUTES: &[&str] = &["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];
