//! CompleteMultipartUpload.

use crate::checksum::{Algorithm, Composite, Declared, Type, Value};
use crate::http::ETag;
use crate::s3::commit_check::{Evidence, multipart_etag};
use crate::s3::multipart::{ListParts, ListPartsOutput};
use crate::s3::object::{HeadObject, ObjectHead, Stored, proven};
use crate::s3::operation::*;
use crate::s3::types::CustomerKey;
use crate::xml::{S3_NAMESPACE, Writer};

operation! {
    /// Completes a multipart upload by assembling its parts into an object.
    /// "CompleteMultipartUpload", S3 API reference.
    ///
    /// S3 sends the status 200 before it is done, and white space while it works. The body may
    /// still be an error document, which is returned as an error. A second CompleteMultipartUpload
    /// succeeds on some servers (AWS, Ceph), and fails with `NoSuchUpload` on others.
    ///
    /// Where the response is lost or unreadable and the next attempt fails, ListParts finds out
    /// whether the upload still exists, and a HEAD request whether the object consists of these
    /// parts, by its ETag or its checksum. Without proof the error's [outcome is
    /// unknown](Error::outcome_unknown).
    ///
    /// ```
    /// use apus_core::s3::{CompleteMultipartUpload, CompletedPart};
    ///
    /// let parts = vec![CompletedPart::new(1, "\"b54357faf0632cce46e942fa68356b38\"")];
    /// let mut complete = CompleteMultipartUpload::new("bucket", "key", "upload-id", parts);
    /// // The server refuses an object of another size.
    /// complete.object_size = Some(5 << 20);
    /// ```
    pub struct CompleteMultipartUpload on upload {
        /// The parts, in ascending order of part numbers.
        pub parts: Vec<CompletedPart>,
        /// The checksum of the object; the server compares it with its own.
        pub checksum: Option<Declared>,
        /// Whether the object's checksum is full-object or composite; as in CreateMultipartUpload.
        pub checksum_type: Option<Type>,
        /// The total size of all parts in bytes; the server compares it with the object's size.
        pub object_size: Option<u64>,
        /// Only if the existing object has this ETag.
        pub if_match: Option<ETag>,
        /// `*`: only if the object does not exist.
        pub if_none_match: Option<ETag>,
        /// The key that the upload was created with (SSE-C), where the upload has a checksum.
        pub customer_key: Option<CustomerKey>,
    }
    new(parts: Vec<CompletedPart>)
}

/// An uploaded part, for [`CompleteMultipartUpload`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompletedPart {
    /// The part number, from 1.
    pub part_number: u32,
    /// The ETag from the response to the upload of the part.
    pub etag: ETag,
    /// The checksums that the part was uploaded with.
    pub checksums: Vec<Value>,
}

impl CompletedPart {
    /// Creates a part with this number and ETag, without checksums.
    pub fn new(part_number: u32, etag: impl Into<ETag>) -> Self {
        Self { part_number, etag: etag.into(), checksums: Vec::new() }
    }

    fn write(&self, xml: &mut Writer) {
        xml.text("ETag", &self.etag).text("PartNumber", self.part_number);
        for value in &self.checksums {
            xml.text(value.algorithm().element(), value);
        }
    }
}

impl Stored {
    /// Converts the response to UploadPart to an entry of CompleteMultipartUpload with this part
    /// number, the ETag, and the full-object checksums of the response.
    pub fn completed(&self, part_number: u32) -> CompletedPart {
        let checksums = self.checksums.iter().filter_map(|declared| match declared {
            Declared::FullObject(value) => Some(*value),
            Declared::Composite(_) => None,
        });
        CompletedPart { part_number, etag: self.etag.clone(), checksums: checksums.collect() }
    }
}

/// The response to [`CompleteMultipartUpload`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompleteMultipartUploadOutput {
    /// The object. Some servers send no ETag: it is empty then.
    pub stored: Stored,
    /// The URL of the object; unusable behind a proxy and on Ceph.
    pub location: Option<String>,
    /// The bucket name.
    pub bucket: Option<String>,
    /// The object key.
    pub key: Option<String>,
}

impl CompleteMultipartUpload {
    /// Returns whether the first page of a list has these parts, as far as they fit on it.
    fn are_in(&self, list: &ListPartsOutput) -> bool {
        let listed =
            |part: &CompletedPart| list.parts.iter().any(|one| one.part_number == part.part_number);
        let mut first = self.parts.iter().take(list.parts.len().max(1));
        let full = list.is_truncated == Some(true) || list.parts.len() >= self.parts.len();
        full && first.all(listed)
    }

    /// Returns whether the object that is there may have replaced the one of these parts: unless it is
    /// the one of `If-Match`, which was to be replaced.
    fn may_be_replaced(&self, look: &Reply) -> bool {
        let named = self.if_match.as_ref().filter(|tag| tag.opaque() != "*");
        let is_named = named.is_some() && ObjectHead::read(look).etag.as_ref() == named;
        look.status().is_success() && !is_named
    }

    /// Returns what identifies the object that consists of these parts.
    fn evidence(&self) -> Evidence<'_> {
        let mut checksums: Vec<Declared> = self.checksum.into_iter().collect();
        for algorithm in Algorithm::ALL {
            let value = |part: &CompletedPart| {
                part.checksums.iter().find(|value| value.algorithm() == algorithm).copied()
            };
            let values: Option<Vec<Value>> = self.parts.iter().map(value).collect();
            let Some(values) = values.filter(|values| !values.is_empty()) else { continue };
            checksums.extend(Composite::of(values).map(Declared::Composite));
        }
        Evidence {
            size: self.object_size,
            etag: multipart_etag(self.parts.iter().map(|part| &part.etag)),
            checksums,
            replaces: self.if_match.as_ref(),
            properties: None,
        }
    }
}

impl Operation for CompleteMultipartUpload {
    facts!(CompleteMultipartUpload in bucket: Idempotent -> CompleteMultipartUploadOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let mut xml = Writer::new("CompleteMultipartUpload", Some(S3_NAMESPACE));
        for part in &self.parts {
            xml.element("Part", |xml| part.write(xml));
        }
        Request::object(service, Self::NAME, Method::POST, &self.bucket, &self.key)?
            .upload_id(&self.upload_id)
            .declared(self.checksum.as_ref())
            .header("x-amz-checksum-type", self.checksum_type.map(Type::name))
            .header_number("x-amz-mp-object-size", self.object_size)
            .header("if-match", self.if_match.as_ref().map(ETag::as_str))
            .header("if-none-match", self.if_none_match.as_ref().map(ETag::as_str))
            .with(&self.customer_key)
            .with(&self.common)
            .xml(xml)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<CompleteMultipartUploadOutput, Error> {
        let document = error::document(
            reply,
            "CompleteMultipartUploadResult",
            &["ETag", "Location", "Bucket", "Key"],
        )?;
        let root = document.root();
        Ok(CompleteMultipartUploadOutput {
            stored: Stored::read_with(reply, root),
            location: text(root, "Location"),
            bucket: text(root, "Bucket"),
            key: text(root, "Key"),
        })
    }

    fn recover(&self, service: &Service, doubt: &Doubt<'_>) -> Recovery<Self::Output> {
        // An upload that has these parts was not completed; one that is not found was completed or
        // aborted. One that has a few of them may exist again, because an attempt at a part was
        // carried out after the upload was completed.
        let is_gone = doubt.error.is_not_found() || doubt.error.code() == Some("NoSuchUpload");
        let mut gone = is_gone;
        let looks = match (doubt.looks, is_gone) {
            (looks, true) => looks,
            ([], false) => {
                let mut list = ListParts::new(&self.bucket, &self.key, &self.upload_id);
                list.max_parts = u32::try_from(self.parts.len()).ok().map(|all| all.min(1000));
                list.customer_key.clone_from(&self.customer_key);
                list.common.clone_from(&self.common);
                return list.draft(service).map_or(Recovery::Unknown, Recovery::Look);
            }
            ([listed, looks @ ..], false) => {
                let list = ListParts::default().parse(service, listed);
                gone = list.as_ref().is_err_and(Error::is_not_found);
                if list.is_ok_and(|list| self.are_in(&list)) {
                    return Recovery::NotDone;
                }
                looks
            }
        };
        let Some(look) = looks.last() else {
            let mut head = HeadObject::new(&self.bucket, &self.key);
            head.customer_key.clone_from(&self.customer_key);
            head.common.clone_from(&self.common);
            return head.look(service);
        };
        match proven(service, look, &self.evidence()) {
            Recovery::Done(stored) => {
                let (bucket, key) = (Some(self.bucket.clone()), Some(self.key.clone()));
                Recovery::Done(CompleteMultipartUploadOutput {
                    stored,
                    location: None,
                    bucket,
                    key,
                })
            }
            // Somebody else has ended the upload; or an attempt has completed it, and another client
            // has replaced the object since.
            Recovery::NotDone | Recovery::Never if gone && self.may_be_replaced(look) => {
                Recovery::Unknown
            }
            // The upload does not exist any more: no attempt can complete it.
            Recovery::NotDone | Recovery::Never if gone => Recovery::Never,
            Recovery::NotDone | Recovery::Never => Recovery::NotDone,
            Recovery::Look(_) | Recovery::Hash(_) | Recovery::Unknown => Recovery::Unknown,
        }
    }

    fn looks_before_repeating(&self, service: &Service) -> bool {
        let conditional = self.if_match.is_some() || self.if_none_match.is_some();
        conditional && !service.config().quirks.conditional_complete
    }

    fn look_at(&self) -> String {
        let Self { bucket, key, upload_id, .. } = self;
        format!("the object {bucket}/{key}, and its multipart upload {upload_id}")
    }
}
