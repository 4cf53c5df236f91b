//! CopyObject.

use crate::checksum::{Algorithm, Overrides};
use crate::s3::commit_check::{Evidence, is_md5};
use crate::s3::object::{CopySource, HeadObject, Stored, proven};
use crate::s3::operation::*;
use crate::s3::types::{Conditions, Properties};

operation! {
    /// Copies an object of up to 5 GiB within the server. "CopyObject", S3 API reference.
    ///
    /// [`UploadPartCopy`](crate::s3::UploadPartCopy) copies larger objects in parts.
    ///
    /// Where the response is lost and the next attempt fails, a HEAD request compares the copy's
    /// ETag with that of the source's `If-Match` condition ([`CopySource::conditions`]). An equal
    /// ETag proves the copy if the request had `If-None-Match` or replaced the metadata. Without
    /// proof the error's [outcome is unknown](Error::outcome_unknown).
    ///
    /// ```
    /// use apus_core::s3::{CopyObject, CopySource, Directive, Properties};
    ///
    /// let mut copy = CopyObject::new("bucket", "new", CopySource::new("bucket", "old"));
    /// // Without the directive the copy has the metadata of the source, whatever `properties` says.
    /// copy.metadata_directive = Some(Directive::Replace);
    /// copy.properties = Properties::content_type("image/qcow2");
    /// ```
    pub struct CopyObject {
        /// The destination bucket.
        pub bucket: String,
        /// The destination key.
        pub key: String,
        /// The object to copy.
        pub source: CopySource,
        /// Whether the metadata and headers come from the source (the default) or from
        /// `properties`. The storage class, encryption, access and lock always come from
        /// `properties`.
        pub metadata_directive: Option<Directive>,
        /// Whether the tags come from the source (the default) or from `properties`.
        pub tagging_directive: Option<Directive>,
        /// Whether the annotations come from the source (the default) or the copy has none.
        pub annotation_directive: Option<AnnotationDirective>,
        /// Metadata, storage class, encryption and other properties of the copy.
        pub properties: Properties,
        /// Preconditions on the object that the copy would replace.
        pub conditions: Conditions,
        /// The algorithm of the checksum that the server computes for the copy; by default that of
        /// the source. Not sent where `request_checksum_calculation` is `never`.
        pub checksum_algorithm: Option<Algorithm>,
        /// Common request parameters.
        pub common: CommonParams,
    }
    new(bucket: impl Into<String>, key: impl Into<String>, source: CopySource)
}

/// Where the metadata or tags of a copy come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Directive {
    /// From the source.
    Copy,
    /// From the request.
    Replace,
}

impl Directive {
    /// Returns the name that S3 uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Copy => "COPY",
            Self::Replace => "REPLACE",
        }
    }
}

/// Whether a copy has the annotations of its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnnotationDirective {
    /// It has them.
    Copy,
    /// It has no annotations.
    Exclude,
}

impl AnnotationDirective {
    /// Returns the name that S3 uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Copy => "COPY",
            Self::Exclude => "EXCLUDE",
        }
    }
}

/// The response to [`CopyObject`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyObjectOutput {
    /// The copy.
    pub stored: Stored,
    /// When the copy was last modified.
    pub last_modified: Option<Timestamp>,
    /// The version ID of the source that was copied.
    pub source_version_id: Option<String>,
}

impl Operation for CopyObject {
    facts!(CopyObject in bucket: Idempotent -> CopyObjectOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::PUT, &self.bucket, &self.key)?
            .header("x-amz-metadata-directive", self.metadata_directive.map(Directive::name))
            .header("x-amz-tagging-directive", self.tagging_directive.map(Directive::name))
            .header(
                "x-amz-object-annotation-directive",
                self.annotation_directive.map(AnnotationDirective::name),
            )
            .announce(&Overrides::default(), self.checksum_algorithm, None)
            .with(&self.source)
            .with(&self.properties)
            .with(&self.conditions)
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<CopyObjectOutput, Error> {
        let document = error::document(reply, "CopyObjectResult", &["ETag", "LastModified"])?;
        let root = document.root();
        Ok(CopyObjectOutput {
            stored: Stored::read_with(reply, root),
            last_modified: root.optional_timestamp("LastModified"),
            source_version_id: Headers(&reply.head.headers).text("x-amz-copy-source-version-id"),
        })
    }

    fn recover(&self, service: &Service, doubt: &Doubt<'_>) -> Recovery<CopyObjectOutput> {
        // The source's metadata is unknown: an older copy may have other metadata and the same
        // ETag.
        let replaces = self.metadata_directive == Some(Directive::Replace);
        let is_new = self.conditions.if_none_match.is_some();
        let itself = (&self.bucket, &self.key) == (&self.source.bucket, &self.source.key);
        if itself || !replaces && !is_new {
            return Recovery::Unknown;
        }
        let Some(look) = doubt.looks.last() else {
            let mut head = HeadObject::new(&self.bucket, &self.key);
            head.customer_key.clone_from(&self.properties.encryption.customer_key);
            head.common.clone_from(&self.common);
            return head.look(service);
        };
        let tag = self.source.conditions.if_match.as_ref();
        let evidence = Evidence {
            etag: tag.map(|tag| tag.opaque().to_owned()).filter(|tag| is_md5(tag)),
            replaces: self.conditions.if_match.as_ref(),
            properties: replaces.then_some(&self.properties),
            ..Evidence::default()
        };
        match proven(service, look, &evidence) {
            Recovery::Done(stored) => Recovery::Done(CopyObjectOutput {
                stored,
                last_modified: None,
                source_version_id: self.source.version_id.clone(),
            }),
            // The copy of an object with several parts has the ETag of an object with one part.
            Recovery::NotDone if look.status().is_success() => Recovery::Unknown,
            Recovery::NotDone | Recovery::Never => Recovery::NotDone,
            Recovery::Look(_) | Recovery::Hash(_) | Recovery::Unknown => Recovery::Unknown,
        }
    }

    fn looks_before_repeating(&self, service: &Service) -> bool {
        !self.conditions.is_empty() && !service.config().quirks.conditional_put
    }

    fn look_at(&self) -> String {
        format!("the object {}/{}", self.bucket, self.key)
    }
}
