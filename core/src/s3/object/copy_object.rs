//! CopyObject.

use http::Method;

use crate::checksum::{Algorithm, Overrides};
use crate::contract::{Class, Operation};
use crate::error::Error;
use crate::http::{Draft, Headers, Reply};
use crate::now::Timestamp;
use crate::s3::error;
use crate::s3::object::{CopySource, Stored};
use crate::s3::request::Request;
use crate::s3::service::Service;
use crate::s3::types::{Common, Conditions, Properties};

/// Copies an object of up to 5 GiB within the server. "CopyObject", S3 API reference.
///
/// Larger ones are copied in parts, with [`UploadPartCopy`](crate::s3::UploadPartCopy).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyObject {
    /// The bucket of the copy.
    pub bucket: String,
    /// The key of the copy.
    pub key: String,
    /// What is copied.
    pub source: CopySource,
    /// Whether metadata and headers are those of the source (the default) or of `properties`. The
    /// storage class, encryption, access and lock are always those of `properties`.
    pub metadata_directive: Option<Directive>,
    /// Whether tags are those of the source (the default) or of `properties`.
    pub tagging_directive: Option<Directive>,
    /// What is stored with the copy.
    pub properties: Properties,
    /// On what condition about what the copy would replace.
    pub conditions: Conditions,
    /// The checksum that the server computes for the copy, asked for in every mode but `never`; by
    /// default that of the source.
    pub checksum_algorithm: Option<Algorithm>,
    /// Members that nearly every operation has.
    pub common: Common,
}

impl CopyObject {
    /// A copy of `source` under this key.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>, source: CopySource) -> Self {
        Self { bucket: bucket.into(), key: key.into(), source, ..Self::default() }
    }
}

/// Where a copy has its metadata or tags from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Directive {
    /// From the source.
    Copy,
    /// From the request.
    Replace,
}

impl Directive {
    /// S3's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Copy => "COPY",
            Self::Replace => "REPLACE",
        }
    }
}

/// What CopyObject answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyObjectOutput {
    /// The copy.
    pub stored: Stored,
    /// When the copy was made.
    pub last_modified: Option<Timestamp>,
    /// Which version was copied.
    pub source_version_id: Option<String>,
}

impl Operation for CopyObject {
    type Service = Service;
    type Output = CopyObjectOutput;

    const NAME: &'static str = "CopyObject";
    const CLASS: Class = Class::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::PUT, &self.bucket, &self.key)?
            .header("x-amz-metadata-directive", self.metadata_directive.map(Directive::name))
            .header("x-amz-tagging-directive", self.tagging_directive.map(Directive::name))
            .announce(&Overrides::default(), self.checksum_algorithm, None)
            .with(&self.source)
            .with(&self.properties)
            .with(&self.conditions)
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<CopyObjectOutput, Error> {
        let document = error::document(reply)?;
        let root = document.root_named("CopyObjectResult")?;
        Ok(CopyObjectOutput {
            stored: Stored::read_with(reply, root)?,
            last_modified: root.timestamp("LastModified")?,
            source_version_id: Headers(&reply.head.headers).text("x-amz-copy-source-version-id"),
        })
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}
