//! The annotations of an object: named texts that are stored beside it.

use bytes::Bytes;

use crate::checksum::{Validation, Value};
use crate::http::{Body, Coding, ETag, is_object};
use crate::s3::object::get_object::validation;
use crate::s3::object::{ObjectHead, Stored};
use crate::s3::operation::*;

operation! {
    /// Attaches an annotation to an object, and replaces the one of this name.
    /// "PutObjectAnnotation", S3 API reference.
    ///
    /// An object has at most 1,000 annotations. They are encrypted as the object is; an object that
    /// is encrypted with a customer-provided key (SSE-C) can't have any. A server that does not
    /// support annotations may ignore the sub-resource and replace the object itself: send this only
    /// to one that does, such as Amazon S3 ([`Quirks::annotations`](crate::quirks::Quirks)).
    ///
    /// ```
    /// use apus_core::http::ETag;
    /// use apus_core::s3::PutObjectAnnotation;
    ///
    /// let mut put = PutObjectAnnotation::new("bucket", "disk.img", "scan", r#"{"clean": true}"#);
    /// // Only if the object is still the one that was scanned.
    /// put.object_if_match = Some(ETag::new("\"b54357faf0632cce46e942fa68356b38\""));
    /// ```
    pub struct PutObjectAnnotation on object {
        /// The name of the annotation: 1 to 512 bytes, which must not begin with `aws` or `s3`.
        pub annotation_name: String,
        /// The text: 1 byte to 1 MiB of UTF-8.
        pub annotation_payload: Bytes,
        /// The version ID of the object; `None` selects the current version.
        pub version_id: Option<String>,
        /// Only if the object has this ETag.
        pub object_if_match: Option<ETag>,
        /// Per-call checksum overrides.
        pub checksum: ChecksumOptions,
    }
    new(annotation_name: impl Into<String>, annotation_payload: impl Into<Bytes>)
}

/// The response to [`PutObjectAnnotation`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PutObjectAnnotationOutput {
    /// The annotation: its ETag, checksums and encryption.
    pub stored: Stored,
    /// The version ID of the object.
    pub object_version_id: Option<String>,
    /// The object key, where the server says.
    pub key: Option<String>,
    /// The name of the annotation, where the server says.
    pub annotation_name: Option<String>,
}

impl Operation for PutObjectAnnotation {
    facts!(PutObjectAnnotation in bucket: Idempotent -> PutObjectAnnotationOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        check_name(&self.annotation_name)?;
        Request::object(service, Self::NAME, Method::PUT, &self.bucket, &self.key)?
            .flag("annotation")
            .version(&self.version_id)
            .query("annotationName", Some(&self.annotation_name))
            .header("x-amz-object-if-match", self.object_if_match.as_ref().map(ETag::as_str))
            .with(&self.common)
            .object_body(&Body::Bytes(self.annotation_payload.clone()))
            .checksum(Need::Supported, &self.checksum)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<PutObjectAnnotationOutput, Error> {
        error::success(reply)?;
        let document = match reply.body.trim_ascii().is_empty() {
            true => None,
            false => Some(error::document(
                reply,
                "PutObjectAnnotationOutput",
                &["Key", "AnnotationName"],
            )?),
        };
        let member = |name| text(document.as_ref()?.root(), name);
        Ok(PutObjectAnnotationOutput {
            stored: Stored::read(reply),
            object_version_id: object_version_id(reply),
            key: member("Key"),
            annotation_name: member("AnnotationName"),
        })
    }

    fn confirm(&self, output: &PutObjectAnnotationOutput, sent: &[Value]) -> Result<(), Error> {
        output.stored.confirm(sent)
    }

    fn look_at(&self) -> String {
        let Self { bucket, key, annotation_name, .. } = self;
        format!("the annotation {annotation_name} of {bucket}/{key}")
    }
}

operation! {
    /// Retrieves an annotation of an object. "GetObjectAnnotation", S3 API reference.
    ///
    /// Where the object has no annotation of this name, the server responds with 404,
    /// `NoSuchAnnotation`.
    ///
    /// ```
    /// use apus_core::s3::GetObjectAnnotation;
    ///
    /// let mut get = GetObjectAnnotation::new("bucket", "disk.img", "scan");
    /// get.version_id = Some("3HL4kqtJvjVBH40Nrjfkd".into());
    /// ```
    pub struct GetObjectAnnotation on object {
        /// The name of the annotation.
        pub annotation_name: String,
        /// The version ID of the object; `None` selects the current version.
        pub version_id: Option<String>,
        /// Whether to request the annotation's checksum and validate the payload by it, where
        /// `response_checksum_validation` is `when_required`.
        pub checksum_mode: bool,
        /// Per-call checksum overrides; only [`ChecksumOptions::overrides`] applies.
        pub checksum: ChecksumOptions,
    }
    new(annotation_name: impl Into<String>)
}

/// The response to [`GetObjectAnnotation`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GetObjectAnnotationOutput {
    /// The annotation's metadata, from the response headers. An annotation has a size, an ETag, the
    /// time of its last modification, checksums, an encryption and a replication status.
    pub head: ObjectHead,
    /// The version ID of the object.
    pub object_version_id: Option<String>,
    /// The text of the annotation.
    pub annotation_payload: Bytes,
    /// Whether the payload was validated by a checksum.
    pub validation: Validation,
}

impl Operation for GetObjectAnnotation {
    facts!(GetObjectAnnotation in bucket: Read -> GetObjectAnnotationOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        check_name(&self.annotation_name)?;
        Request::object(service, Self::NAME, Method::GET, &self.bucket, &self.key)?
            .flag("annotation")
            .query("annotationName", Some(&self.annotation_name))
            .version(&self.version_id)
            .with(&self.common)
            .checksum_mode(&self.checksum, self.checksum_mode)
            .finish()
    }

    fn parse(&self, service: &Service, reply: &Reply) -> Result<GetObjectAnnotationOutput, Error> {
        error::success(reply)?;
        is_object(&reply.head, None).map_err(|error| error::named(error, reply))?;
        let touched = Coding::untouched(&reply.head.headers);
        touched.map_err(|error| error::named(error.with_status(reply.status()), reply))?;
        let head = ObjectHead::read(reply);
        let policy = service.config().checksum.with(&self.checksum.overrides);
        let validation = validation(&head, reply, policy.validates(self.checksum_mode))?;
        Ok(GetObjectAnnotationOutput {
            head,
            object_version_id: object_version_id(reply),
            annotation_payload: reply.body.clone(),
            validation,
        })
    }
}

operation! {
    /// Deletes an annotation of an object permanently: annotations have no versions.
    /// "DeleteObjectAnnotation", S3 API reference.
    ///
    /// A server that does not support annotations may ignore the sub-resource and delete the object
    /// itself: send this only to one that does, such as Amazon S3
    /// ([`Quirks::annotations`](crate::quirks::Quirks)).
    ///
    /// ```
    /// use apus_core::http::ETag;
    /// use apus_core::s3::DeleteObjectAnnotation;
    ///
    /// let mut delete = DeleteObjectAnnotation::new("bucket", "disk.img", "scan");
    /// delete.object_if_match = Some(ETag::new("\"b54357faf0632cce46e942fa68356b38\""));
    /// ```
    pub struct DeleteObjectAnnotation on object {
        /// The name of the annotation.
        pub annotation_name: String,
        /// The version ID of the object; `None` selects the current version.
        pub version_id: Option<String>,
        /// Only if the object has this ETag.
        pub object_if_match: Option<ETag>,
    }
    new(annotation_name: impl Into<String>)
}

/// The response to [`DeleteObjectAnnotation`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteObjectAnnotationOutput {
    /// The version ID of the object.
    pub object_version_id: Option<String>,
    /// `requester` where the requester was charged for the request.
    pub request_charged: Option<String>,
}

impl Operation for DeleteObjectAnnotation {
    facts!(DeleteObjectAnnotation in bucket: Idempotent -> DeleteObjectAnnotationOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        check_name(&self.annotation_name)?;
        Request::object(service, Self::NAME, Method::DELETE, &self.bucket, &self.key)?
            .flag("annotation")
            .query("annotationName", Some(&self.annotation_name))
            .version(&self.version_id)
            .header("x-amz-object-if-match", self.object_if_match.as_ref().map(ETag::as_str))
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<DeleteObjectAnnotationOutput, Error> {
        error::accepted(reply)?;
        Ok(DeleteObjectAnnotationOutput {
            object_version_id: object_version_id(reply),
            request_charged: Headers(&reply.head.headers).text("x-amz-request-charged"),
        })
    }

    fn look_at(&self) -> String {
        let Self { bucket, key, annotation_name, .. } = self;
        format!("whether the annotation {annotation_name} of {bucket}/{key} exists")
    }
}

/// Refuses an empty name: a server that ignores it would list the annotations.
fn check_name(name: &str) -> Result<(), Error> {
    match name.len() {
        0 => Err(Error::invalid_input("the name of the annotation is empty")),
        1..=LONGEST_NAME => Ok(()),
        length => Err(Error::invalid_input(format!(
            "the name of the annotation has {length} bytes, but S3 accepts at most {LONGEST_NAME}"
        ))),
    }
}

pub(super) fn object_version_id(reply: &Reply) -> Option<String> {
    Headers(&reply.head.headers).text("x-amz-object-version-id")
}

/// In bytes of UTF-8.
const LONGEST_NAME: usize = 512;
