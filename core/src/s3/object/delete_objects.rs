//! DeleteObjects.

use crate::error::Kind;
use crate::http::ETag;
use crate::s3::operation::*;
use crate::secret::Secret;
use crate::xml::{Element, S3_NAMESPACE, Writer};

/// Deletes up to 1,000 objects with one request. "DeleteObjects", S3 API reference.
///
/// A successful response may still list objects that were not deleted: see
/// [`errors`](DeleteObjectsOutput::errors). Delete a key with a character that XML can't represent
/// with [`DeleteObject`](crate::s3::DeleteObject).
///
/// ```
/// use apus_core::s3::DeleteObjects;
///
/// let mut delete = DeleteObjects::new("bucket", ["a.img", "b.img"]);
/// // The response lists only the errors. A 200 may have some: read `errors`.
/// delete.quiet = Some(true);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteObjects {
    /// The bucket name, or the ARN or alias of an access point.
    pub bucket: String,
    /// The objects to delete: 1 to 1,000.
    pub objects: Vec<ObjectIdentifier>,
    /// Whether the response lists only the objects that were not deleted.
    pub quiet: Option<bool>,
    /// The MFA device's serial number, a space, and the code that the device displays.
    pub mfa: Option<Secret>,
    /// Whether to bypass Object Lock retention of mode `GOVERNANCE`.
    pub bypass_governance_retention: Option<bool>,
    /// Per-call checksum overrides.
    pub checksum: ChecksumOptions,
    /// Common request parameters.
    pub common: CommonParams,
}

impl DeleteObjects {
    /// Deletes these objects.
    pub fn new<I>(bucket: impl Into<String>, objects: I) -> Self
    where
        I: IntoIterator<Item: Into<ObjectIdentifier>>,
    {
        let objects = objects.into_iter().map(Into::into).collect();
        Self { bucket: bucket.into(), objects, ..Self::default() }
    }
}

/// An object that [`DeleteObjects`] deletes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectIdentifier {
    /// The object key.
    pub key: String,
    /// The version to delete permanently.
    pub version_id: Option<String>,
    /// Only if the object has this ETag.
    pub etag: Option<ETag>,
    /// Only if the object was last modified at this time (directory buckets).
    pub last_modified: Option<Timestamp>,
    /// Only if the object has this size in bytes (directory buckets).
    pub size: Option<u64>,
}

impl ObjectIdentifier {
    /// Identifies the object with this key, without a version ID.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), ..Self::default() }
    }

    fn write(&self, xml: &mut Writer) {
        xml.text("Key", &self.key)
            .text_if("VersionId", self.version_id.as_ref())
            .text_if("ETag", self.etag.as_ref())
            .text_if("LastModifiedTime", self.last_modified.map(Timestamp::http_date))
            .text_if("Size", self.size);
    }
}

impl From<&str> for ObjectIdentifier {
    fn from(key: &str) -> Self {
        Self::new(key)
    }
}

impl From<String> for ObjectIdentifier {
    fn from(key: String) -> Self {
        Self::new(key)
    }
}

/// The response to [`DeleteObjects`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteObjectsOutput {
    /// The deleted objects; empty where the request was `quiet`.
    pub deleted: Vec<DeletedObject>,
    /// The objects that were not deleted, with the error of each.
    pub errors: Vec<DeleteError>,
    /// `requester` where the requester was charged for the request.
    pub request_charged: Option<String>,
}

/// An object that was deleted, or did not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeletedObject {
    /// The object key.
    pub key: String,
    /// The version ID of the version that was permanently deleted.
    pub version_id: Option<String>,
    /// Whether the request created or deleted a delete marker.
    pub delete_marker: Option<bool>,
    /// The version ID of the delete marker.
    pub delete_marker_version_id: Option<String>,
}

/// An object that was not deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteError {
    /// The object key.
    pub key: String,
    /// The version ID.
    pub version_id: Option<String>,
    /// The error code: `AccessDenied`, `InternalError`, …
    pub code: Option<String>,
    /// The error message of the server.
    pub message: Option<String>,
    /// Whether the object may have been deleted nevertheless: the code is `InternalError`, or it is
    /// `PreconditionFailed` and the response to an earlier attempt was lost.
    pub outcome_unknown: bool,
}

/// Converts to an error of kind [`Refused`](Kind::Refused), with the code and message of the
/// server.
impl From<DeleteError> for Error {
    fn from(error: DeleteError) -> Self {
        let DeleteError { key, version_id, code, message, outcome_unknown } = error;
        let version = version_id.map_or_else(String::new, |version| format!(", version {version}"));
        let object = format!("object {key}{version}");
        let error = Self::new(Kind::Refused, format!("the server did not delete {object}"));
        let error = error.with_code(code, message).in_operation(DeleteObjects::NAME);
        match outcome_unknown {
            true => error.with_outcome_unknown(format!("whether {object} exists")),
            false => error,
        }
    }
}

impl Operation for DeleteObjects {
    facts!(DeleteObjects in bucket: Idempotent -> DeleteObjectsOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        if !(1..=MOST).contains(&self.objects.len()) {
            return Err(Error::invalid_input(format!(
                "DeleteObjects has {} objects, but S3 accepts 1 to {MOST}",
                self.objects.len()
            )));
        }
        if self.objects.iter().any(|object| object.key.is_empty()) {
            return Err(Error::invalid_input("one of the objects to delete has an empty key"));
        }
        let mut xml = Writer::new("Delete", Some(S3_NAMESPACE));
        for object in &self.objects {
            xml.element("Object", |xml| object.write(xml));
        }
        xml.text_if("Quiet", self.quiet);
        Request::bucket(service, Self::NAME, Method::POST, &self.bucket)?
            .flag("delete")
            .header_secret("x-amz-mfa", self.mfa.as_ref().map(Secret::expose))
            .header_flag("x-amz-bypass-governance-retention", self.bypass_governance_retention)
            .with(&self.common)
            .xml(xml)
            .checksum(Need::Required, &self.checksum)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<DeleteObjectsOutput, Error> {
        let document = error::document(reply, "DeleteResult", &["Deleted", "Error"])?;
        let root = document.root();
        let key = |element: Element<'_>| text(element, "Key").unwrap_or_default();
        let deleted = root.children("Deleted").map(|deleted| {
            Ok(DeletedObject {
                key: key(deleted),
                version_id: text(deleted, "VersionId"),
                delete_marker: deleted.optional_flag("DeleteMarker"),
                delete_marker_version_id: text(deleted, "DeleteMarkerVersionId"),
            })
        });
        let errors = root.children("Error").map(|error| {
            let code = text(error, "Code");
            let outcome_unknown = code.as_deref() == Some("InternalError");
            let (version_id, message) = (text(error, "VersionId"), text(error, "Message"));
            DeleteError { key: key(error), version_id, code, message, outcome_unknown }
        });
        Ok(DeleteObjectsOutput {
            deleted: deleted.collect::<Result<_, Error>>()?,
            errors: errors.collect(),
            request_charged: Headers(&reply.head.headers).text("x-amz-request-charged"),
        })
    }

    /// An object that does not exist counts as deleted: the attempt whose response was lost may
    /// have deleted it. After a failed precondition the outcome is unknown for the same reason.
    fn repeated(&self, mut output: DeleteObjectsOutput) -> DeleteObjectsOutput {
        let is_absent = |error: &DeleteError| {
            matches!(error.code.as_deref(), Some("NoSuchKey" | "NoSuchVersion"))
        };
        let (absent, mut errors): (Vec<_>, Vec<_>) = output.errors.into_iter().partition(is_absent);
        output.deleted.extend(absent.into_iter().map(|error| DeletedObject {
            key: error.key,
            version_id: error.version_id,
            ..DeletedObject::default()
        }));
        for error in &mut errors {
            error.outcome_unknown |= error.code.as_deref() == Some("PreconditionFailed");
        }
        output.errors = errors;
        output
    }

    /// Without a look, the outcome of a request with conditions is unknown: a server that ignores
    /// them would delete what other clients have stored in the meantime.
    fn looks_before_repeating(&self, service: &Service) -> bool {
        let conditional = |object: &ObjectIdentifier| {
            object.etag.is_some() || object.last_modified.is_some() || object.size.is_some()
        };
        !service.config().quirks.conditional_delete && self.objects.iter().any(conditional)
    }

    fn look_at(&self) -> String {
        format!("which of {} objects in {} exist", self.objects.len(), self.bucket)
    }
}

/// The maximum number of objects of one request.
const MOST: usize = 1000;
