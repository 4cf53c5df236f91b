//! ListParts.

use crate::checksum::{Algorithm, Declared, Type};
use crate::http::ETag;
use crate::s3::operation::*;
use crate::s3::read::{checksums, onward_part, word};
use crate::s3::types::{CustomerKey, Owner};
use crate::xml::Element;

operation! {
    /// Lists a page of an upload's parts, in ascending order. "ListParts", S3 API reference.
    ///
    /// ```
    /// use apus_core::s3::ListParts;
    ///
    /// let mut list = ListParts::new("bucket", "key", "upload-id");
    /// // Parts after number 1000.
    /// list.part_number_marker = Some(1000);
    /// ```
    pub struct ListParts on upload {
        /// The maximum number of parts in a page: 1,000 by default and at most.
        pub max_parts: Option<u32>,
        /// Only parts with a higher part number than this.
        pub part_number_marker: Option<u32>,
        /// The key that the upload was created with (SSE-C), where the upload has a checksum.
        pub customer_key: Option<CustomerKey>,
    }
}

impl ListParts {
    /// Returns the request for the next page, or `None` after the last page.
    ///
    /// # Errors
    ///
    /// The page is truncated, and the start of the next page is missing or is that of this page.
    pub fn next(&self, page: &ListPartsOutput) -> Result<Option<Self>, Error> {
        if page.is_truncated != Some(true) {
            return Ok(None);
        }
        let last = page.parts.last().map(|part| part.part_number);
        let marker = page.next_part_number_marker.filter(|&marker| marker > 0).or(last);
        let marker = onward_part(self.part_number_marker, marker)?;
        Ok(Some(Self { part_number_marker: Some(marker), ..self.clone() }))
    }
}

/// The response to [`ListParts`]: a page of parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListPartsOutput {
    /// The parts.
    pub parts: Vec<Part>,
    /// Whether there are more results.
    pub is_truncated: Option<bool>,
    /// Echoed from the request.
    pub part_number_marker: Option<u32>,
    /// The `part_number_marker` of the next page.
    pub next_part_number_marker: Option<u32>,
    /// Echoed from the request, or the server's own limit.
    pub max_parts: Option<u32>,
    /// The bucket name.
    pub bucket: Option<String>,
    /// The object key.
    pub key: Option<String>,
    /// The upload ID.
    pub upload_id: Option<String>,
    /// The initiator of the upload.
    pub initiator: Option<Owner>,
    /// The owner of the object that the upload creates.
    pub owner: Option<Owner>,
    /// The storage class that the object will have.
    pub storage_class: Option<String>,
    /// The algorithm of the parts' checksums.
    pub checksum_algorithm: Option<Algorithm>,
    /// Whether the object's checksum will be full-object or composite.
    pub checksum_type: Option<Type>,
    /// The date from which a lifecycle rule aborts the upload.
    pub abort_date: Option<Timestamp>,
    /// The ID of this lifecycle rule.
    pub abort_rule_id: Option<String>,
    /// `requester` where the requester was charged for the request.
    pub request_charged: Option<String>,
}

/// An uploaded part, as the server lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// The part number, from 1.
    pub part_number: u32,
    /// The ETag.
    pub etag: ETag,
    /// The size in bytes.
    pub size: Option<u64>,
    /// When the part was uploaded.
    pub last_modified: Option<Timestamp>,
    /// The checksums that the part was uploaded with.
    pub checksums: Vec<Declared>,
}

impl Operation for ListParts {
    facts!(ListParts in bucket: Read -> ListPartsOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::GET, &self.bucket, &self.key)?
            .upload_id(&self.upload_id)
            .query_number("max-parts", self.max_parts)
            .query_number("part-number-marker", self.part_number_marker)
            .with(&self.customer_key)
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<ListPartsOutput, Error> {
        let document = error::subresource(
            reply,
            "ListPartsResult",
            &["UploadId", "Part", "PartNumberMarker"],
        )?;
        let root = document.root();
        let head = Headers(&reply.head.headers);
        Ok(ListPartsOutput {
            parts: root.children("Part").map(Part::read).collect::<Result<_, _>>()?,
            is_truncated: root.flag("IsTruncated")?,
            part_number_marker: root.optional("PartNumberMarker"),
            next_part_number_marker: root.optional("NextPartNumberMarker"),
            max_parts: root.optional("MaxParts"),
            bucket: text(root, "Bucket"),
            key: text(root, "Key"),
            upload_id: text(root, "UploadId"),
            initiator: root.child("Initiator").map(Owner::read),
            owner: root.child("Owner").map(Owner::read),
            storage_class: text(root, "StorageClass"),
            checksum_algorithm: word(root, "ChecksumAlgorithm"),
            checksum_type: word(root, "ChecksumType"),
            abort_date: head.plain("x-amz-abort-date").and_then(Timestamp::parse_http),
            abort_rule_id: head.text("x-amz-abort-rule-id"),
            request_charged: head.text("x-amz-request-charged"),
        })
    }
}

impl Part {
    fn read(part: Element<'_>) -> Result<Self, Error> {
        // A part without a number can neither be completed nor replaced.
        part.required("PartNumber")?;
        Ok(Self {
            part_number: part.parsed("PartNumber")?.unwrap_or_default(),
            etag: ETag::from(part.text_of("ETag").unwrap_or_default()),
            size: part.optional("Size"),
            last_modified: part.optional_timestamp("LastModified"),
            checksums: checksums(part),
        })
    }
}
