//! Object Lock: retention and legal hold.

use crate::s3::operation::*;
use crate::xml::{S3_NAMESPACE, Writer};

operation! {
    /// Retrieves an object's retention settings. "GetObjectRetention", S3 API reference.
    ///
    /// For an object without retention the server responds with 404,
    /// `NoSuchObjectLockConfiguration`.
    pub struct GetObjectRetention on object {
        /// The version ID; `None` selects the current version.
        pub version_id: Option<String>,
    }
}

/// The retention settings of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// The retention mode: `GOVERNANCE`, which callers with the permission may bypass, or
    /// `COMPLIANCE`, which no caller may bypass.
    pub mode: Option<String>,
    /// When the retention ends.
    pub retain_until: Option<Timestamp>,
    /// The event hold: `ON` or `OFF`. While it is on, the object can't be deleted.
    pub event_hold: Option<String>,
    /// How long the object is retained after the event hold ends.
    pub event_hold_duration: Option<EventHoldDuration>,
}

/// How long an object is retained after its event hold ends: in days or in years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventHoldDuration {
    /// The number of days: 1 to 36,500.
    pub days: Option<u32>,
    /// The number of years: 1 to 100.
    pub years: Option<u32>,
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
        let document =
            error::subresource(reply, "Retention", &["Mode", "RetainUntilDate", "EventHold"])?;
        let root = document.root();
        let duration = root.child("EventHoldDuration").map(|duration| EventHoldDuration {
            days: duration.optional("Days"),
            years: duration.optional("Years"),
        });
        Ok(Retention {
            mode: text(root, "Mode"),
            retain_until: root.optional_timestamp("RetainUntilDate"),
            event_hold: text(root, "EventHold"),
            event_hold_duration: duration,
        })
    }
}

operation! {
    /// Sets an object's retention. "PutObjectRetention", S3 API reference.
    ///
    /// ```
    /// use apus_core::Timestamp;
    /// use apus_core::s3::{PutObjectRetention, Retention};
    ///
    /// let retention = Retention {
    ///     mode: Some("GOVERNANCE".into()),
    ///     retain_until: Some(Timestamp::from_unix(1_893_456_000)),
    ///     ..Retention::default()
    /// };
    /// let mut put = PutObjectRetention::new("bucket", "key", retention);
    /// // An earlier date than the one before is otherwise refused.
    /// put.bypass_governance_retention = Some(true);
    /// ```
    pub struct PutObjectRetention on object {
        /// The mode and the end; an empty one removes retention of mode `GOVERNANCE`.
        pub retention: Retention,
        /// The version ID; `None` selects the current version.
        pub version_id: Option<String>,
        /// Whether to bypass Object Lock retention of mode `GOVERNANCE`.
        pub bypass_governance_retention: Option<bool>,
        /// Per-call checksum overrides.
        pub checksum: ChecksumOptions,
    }
    new(retention: Retention)
}

impl Operation for PutObjectRetention {
    facts! {
        /// `requester` where the requester was charged for the request.
        PutObjectRetention in bucket: Idempotent -> Option<String>
    }

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let mut xml = Writer::new("Retention", Some(S3_NAMESPACE));
        xml.text_if("Mode", self.retention.mode.as_ref())
            .text_if("RetainUntilDate", self.retention.retain_until.map(Timestamp::iso8601))
            .text_if("EventHold", self.retention.event_hold.as_ref());
        if let Some(duration) = self.retention.event_hold_duration {
            xml.element("EventHoldDuration", |xml| {
                xml.text_if("Days", duration.days).text_if("Years", duration.years);
            });
        }
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
    /// Retrieves an object's legal hold status. "GetObjectLegalHold", S3 API reference.
    pub struct GetObjectLegalHold on object {
        /// The version ID; `None` selects the current version.
        pub version_id: Option<String>,
    }
}

impl Operation for GetObjectLegalHold {
    facts! {
        /// The legal hold status, `ON` or `OFF`, where the server says.
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
        let document = error::subresource(reply, "LegalHold", &["Status"])?;
        Ok(text(document.root(), "Status"))
    }
}

operation! {
    /// Places a legal hold on an object, or removes it. "PutObjectLegalHold", S3 API reference.
    ///
    /// ```
    /// use apus_core::s3::PutObjectLegalHold;
    ///
    /// // `false` releases it.
    /// let put = PutObjectLegalHold::new("bucket", "key", true);
    /// ```
    pub struct PutObjectLegalHold on object {
        /// Whether the object has a legal hold.
        pub hold: bool,
        /// The version ID; `None` selects the current version.
        pub version_id: Option<String>,
        /// Per-call checksum overrides.
        pub checksum: ChecksumOptions,
    }
    new(hold: bool)
}

impl Operation for PutObjectLegalHold {
    facts! {
        /// `requester` where the requester was charged for the request.
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
