//! One lifecycle rule, and its XML.

use crate::error::Error;
use crate::now::Timestamp;
use crate::s3::read::text;
use crate::s3::types::Tags;
use crate::xml::{Element, Writer};

/// A lifecycle rule for the objects that match a filter. "LifecycleRule", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LifecycleRule {
    /// The ID of the rule: at most 255 characters.
    pub id: Option<String>,
    /// The status: `Enabled` or `Disabled`.
    pub status: Option<String>,
    /// The filter that selects the objects. Every rule has one, except rules with the deprecated
    /// `prefix`.
    pub filter: Option<LifecycleFilter>,
    /// The key prefix that selects the objects; deprecated: use `filter`.
    pub prefix: Option<String>,
    /// When objects expire.
    pub expiration: Option<LifecycleExpiration>,
    /// When objects transition to another storage class.
    pub transitions: Vec<Transition>,
    /// When noncurrent versions transition to another storage class.
    pub noncurrent_version_transitions: Vec<NoncurrentVersionTransition>,
    /// When noncurrent versions expire.
    pub noncurrent_version_expiration: Option<NoncurrentVersionExpiration>,
    /// The number of days after its initiation when an incomplete multipart upload is aborted.
    pub abort_incomplete_multipart_upload_days: Option<u32>,
}

impl LifecycleRule {
    /// Creates an enabled rule for the objects that match the filter.
    pub fn enabled(filter: LifecycleFilter) -> Self {
        Self { status: Some("Enabled".to_owned()), filter: Some(filter), ..Self::default() }
    }

    pub(super) fn read(rule: Element<'_>) -> Result<Self, Error> {
        let transitions = rule.children("Transition").map(|transition| {
            Ok(Transition {
                days: transition.parsed("Days")?,
                date: transition.timestamp("Date")?,
                storage_class: text(transition, "StorageClass"),
            })
        });
        let noncurrent = rule.children("NoncurrentVersionTransition").map(|transition| {
            Ok(NoncurrentVersionTransition {
                noncurrent_days: transition.parsed("NoncurrentDays")?,
                newer_noncurrent_versions: transition.parsed("NewerNoncurrentVersions")?,
                storage_class: text(transition, "StorageClass"),
            })
        });
        let aborting = rule.child("AbortIncompleteMultipartUpload");
        Ok(Self {
            id: text(rule, "ID"),
            status: text(rule, "Status"),
            filter: rule.child("Filter").map(LifecycleFilter::read).transpose()?,
            prefix: text(rule, "Prefix"),
            expiration: rule.child("Expiration").map(LifecycleExpiration::read).transpose()?,
            transitions: transitions.collect::<Result<_, Error>>()?,
            noncurrent_version_transitions: noncurrent.collect::<Result<_, Error>>()?,
            noncurrent_version_expiration: rule
                .child("NoncurrentVersionExpiration")
                .map(NoncurrentVersionExpiration::read)
                .transpose()?,
            abort_incomplete_multipart_upload_days: match aborting {
                Some(aborting) => aborting.parsed("DaysAfterInitiation")?,
                None => None,
            },
        })
    }

    pub(super) fn write(&self, xml: &mut Writer) {
        xml.text_if("ID", self.id.as_ref())
            .text_if("Status", self.status.as_ref())
            .text_if("Prefix", self.prefix.as_ref());
        if let Some(filter) = &self.filter {
            xml.element("Filter", |xml| filter.write(xml));
        }
        if let Some(expiration) = &self.expiration {
            xml.element("Expiration", |xml| expiration.write(xml));
        }
        for transition in &self.transitions {
            xml.element("Transition", |xml| {
                xml.text_if("Days", transition.days)
                    .text_if("Date", transition.date.map(Timestamp::iso8601))
                    .text_if("StorageClass", transition.storage_class.as_ref());
            });
        }
        for transition in &self.noncurrent_version_transitions {
            xml.element("NoncurrentVersionTransition", |xml| {
                xml.text_if("NoncurrentDays", transition.noncurrent_days)
                    .text_if("StorageClass", transition.storage_class.as_ref())
                    .text_if("NewerNoncurrentVersions", transition.newer_noncurrent_versions);
            });
        }
        if let Some(expiration) = self.noncurrent_version_expiration {
            xml.element("NoncurrentVersionExpiration", |xml| {
                xml.text_if("NoncurrentDays", expiration.noncurrent_days)
                    .text_if("NewerNoncurrentVersions", expiration.newer_noncurrent_versions);
            });
        }
        if let Some(days) = self.abort_incomplete_multipart_upload_days {
            xml.element("AbortIncompleteMultipartUpload", |xml| {
                xml.text("DaysAfterInitiation", days);
            });
        }
    }
}

/// The objects that a rule applies to: those that match all conditions. An empty filter matches all
/// objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LifecycleFilter {
    /// Keys that begin with this prefix.
    pub prefix: Option<String>,
    /// Objects with all of these tags.
    pub tags: Tags,
    /// Objects larger than this, in bytes.
    pub object_size_greater_than: Option<u64>,
    /// Objects smaller than this, in bytes.
    pub object_size_less_than: Option<u64>,
}

impl LifecycleFilter {
    /// Matches keys that begin with this prefix.
    pub fn prefix(prefix: impl Into<String>) -> Self {
        Self { prefix: Some(prefix.into()), ..Self::default() }
    }

    fn read(filter: Element<'_>) -> Result<Self, Error> {
        // Several conditions are in an `And` element; a single one is not.
        let inner = filter.child("And").unwrap_or(filter);
        Ok(Self {
            prefix: text(inner, "Prefix"),
            tags: Tags::read(inner)?,
            object_size_greater_than: inner.parsed("ObjectSizeGreaterThan")?,
            object_size_less_than: inner.parsed("ObjectSizeLessThan")?,
        })
    }

    fn write(&self, xml: &mut Writer) {
        if self.conditions() > 1 {
            xml.element("And", |xml| self.write_conditions(xml));
        } else {
            self.write_conditions(xml);
        }
    }

    fn conditions(&self) -> usize {
        usize::from(self.prefix.is_some())
            + self.tags.0.len()
            + usize::from(self.object_size_greater_than.is_some())
            + usize::from(self.object_size_less_than.is_some())
    }

    fn write_conditions(&self, xml: &mut Writer) {
        xml.text_if("Prefix", self.prefix.as_ref());
        self.tags.write(xml);
        xml.text_if("ObjectSizeGreaterThan", self.object_size_greater_than)
            .text_if("ObjectSizeLessThan", self.object_size_less_than);
    }
}

/// When objects expire. Exactly one member is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LifecycleExpiration {
    /// The number of days after the object's creation.
    pub days: Option<u32>,
    /// The date, at midnight UTC.
    pub date: Option<Timestamp>,
    /// Whether to delete a delete marker that has no noncurrent versions.
    pub expired_object_delete_marker: Option<bool>,
}

impl LifecycleExpiration {
    /// Expires objects this number of days after their creation.
    pub fn days(days: u32) -> Self {
        Self { days: Some(days), ..Self::default() }
    }

    fn read(expiration: Element<'_>) -> Result<Self, Error> {
        Ok(Self {
            days: expiration.parsed("Days")?,
            date: expiration.timestamp("Date")?,
            expired_object_delete_marker: expiration.flag("ExpiredObjectDeleteMarker")?,
        })
    }

    fn write(&self, xml: &mut Writer) {
        xml.text_if("Days", self.days)
            .text_if("Date", self.date.map(Timestamp::iso8601))
            .text_if("ExpiredObjectDeleteMarker", self.expired_object_delete_marker);
    }
}

/// When objects transition to another storage class: after some days, or on a date.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transition {
    /// The number of days after the object's creation.
    pub days: Option<u32>,
    /// The date, at midnight UTC.
    pub date: Option<Timestamp>,
    /// The storage class to transition to.
    pub storage_class: Option<String>,
}

/// When noncurrent versions transition to another storage class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoncurrentVersionTransition {
    /// The number of days after the version became noncurrent.
    pub noncurrent_days: Option<u32>,
    /// The number of newest noncurrent versions that are not transitioned.
    pub newer_noncurrent_versions: Option<u32>,
    /// The storage class to transition to.
    pub storage_class: Option<String>,
}

/// When noncurrent versions expire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoncurrentVersionExpiration {
    /// The number of days after the version became noncurrent.
    pub noncurrent_days: Option<u32>,
    /// The number of newest noncurrent versions that are kept.
    pub newer_noncurrent_versions: Option<u32>,
}

impl NoncurrentVersionExpiration {
    fn read(expiration: Element<'_>) -> Result<Self, Error> {
        Ok(Self {
            noncurrent_days: expiration.parsed("NoncurrentDays")?,
            newer_noncurrent_versions: expiration.parsed("NewerNoncurrentVersions")?,
        })
    }
}
