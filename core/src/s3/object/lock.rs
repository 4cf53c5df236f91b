//! How long an object can't be removed (Object Lock): retention and legal hold.

use http::Method;

use crate::checksum::Need;
use crate::contract::Operation;
use crate::error::Error;
use crate::http::{Draft, Headers, Reply};
use crate::now::Timestamp;
use crate::retry::Idempotency;
use crate::s3::{
    error,
    read::text,
    request::{ChecksumOptions, Request},
    service::Service,
    types::Common,
};
use crate::xml::{S3_NAMESPACE, Writer};

/// Until when an object is locked. "GetObjectRetention", S3 API reference.
///
/// An object without a lock is a 404, `NoSuchObjectLockConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetObjectRetention {
    /// The bucket: its name, or the ARN or alias of an access point.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// A version other than the newest.
    pub version_id: Option<String>,
    /// Members that nearly every operation has.
    pub common: Common,
}

impl GetObjectRetention {
    /// Of this object.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), key: key.into(), ..Self::default() }
    }
}

/// Until when an object is locked, and how firmly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// `GOVERNANCE`, which some callers may bypass, or `COMPLIANCE`, which nobody may.
    pub mode: Option<String>,
    /// Until when.
    pub retain_until: Option<Timestamp>,
}

impl Operation for GetObjectRetention {
    type Service = Service;
    type Output = Retention;

    const NAME: &'static str = "GetObjectRetention";
    const IDEMPOTENCY: Idempotency = Idempotency::Read;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::GET, &self.bucket, &self.key)?
            .flag("retention")
            .version(&self.version_id)
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Retention, Error> {
        let document = error::document(reply, "Retention", &["Mode", "RetainUntilDate"])?;
        let root = document.root();
        Ok(Retention { mode: text(root, "Mode"), retain_until: root.timestamp("RetainUntilDate")? })
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

/// Locks an object until a date. "PutObjectRetention", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutObjectRetention {
    /// The bucket: its name, or the ARN or alias of an access point.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// How and until when; an empty one takes a lock of mode `GOVERNANCE` off.
    pub retention: Retention,
    /// A version other than the newest.
    pub version_id: Option<String>,
    /// Whether a lock of mode `GOVERNANCE` does not count.
    pub bypass_governance_retention: Option<bool>,
    /// What this call wants otherwise about the checksum of its request.
    pub checksum: ChecksumOptions,
    /// Members that nearly every operation has.
    pub common: Common,
}

impl PutObjectRetention {
    /// This lock for this object.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>, retention: Retention) -> Self {
        Self { bucket: bucket.into(), key: key.into(), retention, ..Self::default() }
    }
}

impl Operation for PutObjectRetention {
    type Service = Service;
    /// Whether the requester was charged.
    type Output = Option<String>;

    const NAME: &'static str = "PutObjectRetention";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let mut xml = Writer::new("Retention", Some(S3_NAMESPACE));
        xml.text_if("Mode", self.retention.mode.as_ref())
            .text_if("RetainUntilDate", self.retention.retain_until.map(Timestamp::iso8601));
        Request::object(service, Self::NAME, Method::PUT, &self.bucket, &self.key)?
            .flag("retention")
            .version(&self.version_id)
            .header_flag("x-amz-bypass-governance-retention", self.bypass_governance_retention)
            .with(&self.common)
            .xml(xml)
            .checksum(Need::Required, &self.checksum)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Option<String>, Error> {
        error::accepted(reply)?;
        Ok(request_charged(reply))
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

/// Whether an object is locked without a date. "GetObjectLegalHold", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetObjectLegalHold {
    /// The bucket: its name, or the ARN or alias of an access point.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// A version other than the newest.
    pub version_id: Option<String>,
    /// Members that nearly every operation has.
    pub common: Common,
}

impl GetObjectLegalHold {
    /// Of this object.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), key: key.into(), ..Self::default() }
    }
}

impl Operation for GetObjectLegalHold {
    type Service = Service;
    /// `ON` or `OFF`, where the server tells.
    type Output = Option<String>;

    const NAME: &'static str = "GetObjectLegalHold";
    const IDEMPOTENCY: Idempotency = Idempotency::Read;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::GET, &self.bucket, &self.key)?
            .flag("legal-hold")
            .version(&self.version_id)
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Option<String>, Error> {
        let document = error::document(reply, "LegalHold", &["Status"])?;
        Ok(text(document.root(), "Status"))
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

/// Locks an object without a date, or unlocks it. "PutObjectLegalHold", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutObjectLegalHold {
    /// The bucket: its name, or the ARN or alias of an access point.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// Whether it is locked.
    pub hold: bool,
    /// A version other than the newest.
    pub version_id: Option<String>,
    /// What this call wants otherwise about the checksum of its request.
    pub checksum: ChecksumOptions,
    /// Members that nearly every operation has.
    pub common: Common,
}

impl PutObjectLegalHold {
    /// This object is locked from now on, or not.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>, hold: bool) -> Self {
        Self { bucket: bucket.into(), key: key.into(), hold, ..Self::default() }
    }
}

impl Operation for PutObjectLegalHold {
    type Service = Service;
    /// Whether the requester was charged.
    type Output = Option<String>;

    const NAME: &'static str = "PutObjectLegalHold";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let mut xml = Writer::new("LegalHold", Some(S3_NAMESPACE));
        xml.text("Status", if self.hold { "ON" } else { "OFF" });
        Request::object(service, Self::NAME, Method::PUT, &self.bucket, &self.key)?
            .flag("legal-hold")
            .version(&self.version_id)
            .with(&self.common)
            .xml(xml)
            .checksum(Need::Required, &self.checksum)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Option<String>, Error> {
        error::accepted(reply)?;
        Ok(request_charged(reply))
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

fn request_charged(reply: &Reply) -> Option<String> {
    Headers(&reply.head.headers).text("x-amz-request-charged")
}
