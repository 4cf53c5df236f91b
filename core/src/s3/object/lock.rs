//! How long an object can't be removed (Object Lock): retention and legal hold.

use crate::s3::operation::*;
use crate::xml::{S3_NAMESPACE, Writer};

operation! {
    /// Until when an object is locked. "GetObjectRetention", S3 API reference.
    ///
    /// An object without a lock is a 404, `NoSuchObjectLockConfiguration`.
    pub struct GetObjectRetention on object {
        /// A version other than the newest.
        pub version_id: Option<String>,
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
    facts!(GetObjectRetention in bucket: Read -> Retention);

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
}

operation! {
    /// Locks an object until a date. "PutObjectRetention", S3 API reference.
    pub struct PutObjectRetention on object {
        /// How and until when; an empty one takes a lock of mode `GOVERNANCE` off.
        pub retention: Retention,
        /// A version other than the newest.
        pub version_id: Option<String>,
        /// Whether a lock of mode `GOVERNANCE` does not count.
        pub bypass_governance_retention: Option<bool>,
        /// What this call wants otherwise about the checksum of its request.
        pub checksum: ChecksumOptions,
    }
    new(retention: Retention)
}

impl Operation for PutObjectRetention {
    facts! {
        /// Whether the requester was charged.
        PutObjectRetention in bucket: Idempotent -> Option<String>
    }

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
}

operation! {
    /// Whether an object is locked without a date. "GetObjectLegalHold", S3 API reference.
    pub struct GetObjectLegalHold on object {
        /// A version other than the newest.
        pub version_id: Option<String>,
    }
}

impl Operation for GetObjectLegalHold {
    facts! {
        /// `ON` or `OFF`, where the server tells.
        GetObjectLegalHold in bucket: Read -> Option<String>
    }

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
}

operation! {
    /// Locks an object without a date, or unlocks it. "PutObjectLegalHold", S3 API reference.
    pub struct PutObjectLegalHold on object {
        /// Whether it is locked.
        pub hold: bool,
        /// A version other than the newest.
        pub version_id: Option<String>,
        /// What this call wants otherwise about the checksum of its request.
        pub checksum: ChecksumOptions,
    }
    new(hold: bool)
}

impl Operation for PutObjectLegalHold {
    facts! {
        /// Whether the requester was charged.
        PutObjectLegalHold in bucket: Idempotent -> Option<String>
    }

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
}

fn request_charged(reply: &Reply) -> Option<String> {
    Headers(&reply.head.headers).text("x-amz-request-charged")
}
