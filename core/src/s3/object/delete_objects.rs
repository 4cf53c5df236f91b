//! DeleteObjects.

use crate::error::Kind;
use crate::http::ETag;
use crate::s3::operation::*;
use crate::secret::Secret;
use crate::xml::{Element, S3_NAMESPACE, Writer};

/// Removes up to 1,000 objects with one request. "DeleteObjects", S3 API reference.
///
/// A success says of each object whether it was removed: see
/// [`errors`](DeleteObjectsOutput::errors). A key with a character that XML can't hold has to be
/// removed by [`DeleteObject`](crate::s3::DeleteObject).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteObjects {
    /// The bucket: its name, or the ARN or alias of an access point.
    pub bucket: String,
    /// The objects: 1 to 1,000.
    pub objects: Vec<ObjectIdentifier>,
    /// Whether the answer names only what was not removed.
    pub quiet: Option<bool>,
    /// The serial number of an authentication device, a space, and what it shows.
    pub mfa: Option<Secret>,
    /// Whether a lock of mode `GOVERNANCE` does not count.
    pub bypass_governance_retention: Option<bool>,
    /// What this call wants otherwise about the checksum of its request.
    pub checksum: ChecksumOptions,
    /// Members that nearly every operation has.
    pub common: Common,
}

impl DeleteObjects {
    /// These objects.
    pub fn new<I>(bucket: impl Into<String>, objects: I) -> Self
    where
        I: IntoIterator<Item: Into<ObjectIdentifier>>,
    {
        let objects = objects.into_iter().map(Into::into).collect();
        Self { bucket: bucket.into(), objects, ..Self::default() }
    }
}

/// One of the objects that [`DeleteObjects`] removes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectIdentifier {
    /// The key.
    pub key: String,
    /// The version that is removed for good.
    pub version_id: Option<String>,
    /// Only if the object has this tag.
    pub etag: Option<ETag>,
    /// Only if it was written then (directory buckets).
    pub last_modified: Option<Timestamp>,
    /// Only if it has so many bytes (directory buckets).
    pub size: Option<u64>,
}

impl ObjectIdentifier {
    /// The newest version of the object with this key.
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

/// What DeleteObjects answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteObjectsOutput {
    /// What was removed; not told where the call was `quiet`.
    pub deleted: Vec<DeletedObject>,
    /// What was not removed, and why.
    pub errors: Vec<DeleteError>,
    /// Whether the requester was charged.
    pub request_charged: Option<String>,
}

/// An object that was removed, or was not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeletedObject {
    /// The key.
    pub key: String,
    /// The version that was removed for good.
    pub version_id: Option<String>,
    /// Whether the mark of a deletion was made, or removed.
    pub delete_marker: Option<bool>,
    /// The version of that mark.
    pub delete_marker_version_id: Option<String>,
}

/// An object that was not removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteError {
    /// The key.
    pub key: String,
    /// The version.
    pub version_id: Option<String>,
    /// The code of the error: `AccessDenied`, `InternalError`, …
    pub code: Option<String>,
    /// What the server says of it.
    pub message: Option<String>,
    /// It may have been removed: the server failed at it, or what is refused now was asked for before, and
    /// not answered.
    pub outcome_unknown: bool,
}

/// A refusal with the code and the message of the server, of the operation DeleteObjects.
impl From<DeleteError> for Error {
    fn from(error: DeleteError) -> Self {
        let DeleteError { key, version_id, code, message, outcome_unknown } = error;
        let version = version_id.map_or_else(String::new, |version| format!(", version {version}"));
        let object = format!("the object {key}{version}");
        let error = Self::new(Kind::Refused, format!("the server did not delete {object}"));
        let error = error.with_code(code, message).in_operation(DeleteObjects::NAME);
        match outcome_unknown {
            true => error.with_outcome_unknown(format!("whether {object} is there")),
            false => error,
        }
    }
}

impl Operation for DeleteObjects {
    facts!(DeleteObjects in bucket: Idempotent -> DeleteObjectsOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        if !(1..=MOST).contains(&self.objects.len()) {
            return Err(Error::caller(format!(
                "{} objects are to be removed at once, and S3 takes 1 to {MOST}",
                self.objects.len()
            )));
        }
        if self.objects.iter().any(|object| object.key.is_empty()) {
            return Err(Error::caller("one of the objects to be removed has an empty key"));
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

    /// An object that is not there any more was removed by the attempt whose answer was lost, or counts
    /// as removed; one of another tag than the condition names may have been removed by it.
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

    fn look_at(&self) -> String {
        format!("which of {} objects in {} are there", self.objects.len(), self.bucket)
    }
}

/// Objects of one request.
const MOST: usize = 1000;
