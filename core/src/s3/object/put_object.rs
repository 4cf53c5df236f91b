//! PutObject.

use bytes::Bytes;
use http::Method;

use crate::checksum::{Need, Value};
use crate::contract::{Class, Operation};
use crate::error::Error;
use crate::http::{Body, Draft, Reply};
use crate::s3::error;
use crate::s3::object::Stored;
use crate::s3::request::{ChecksumOptions, Request};
use crate::s3::service::Service;
use crate::s3::types::{Common, Conditions, Properties};

/// Stores an object of up to 5 GiB with one request. "PutObject", S3 API reference.
///
/// Larger objects, sources of unknown length and uploads that survive a lost connection are for
/// [`Upload`](crate::machine::Upload).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutObject {
    /// The bucket: its name, or the ARN or alias of an access point.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The object's bytes.
    pub body: Body,
    /// What is stored with them.
    pub properties: Properties,
    /// On what condition.
    pub conditions: Conditions,
    /// What this call wants otherwise about the checksum of its request.
    pub checksum: ChecksumOptions,
    /// Where in an existing object to append (S3 Express One Zone and some other servers).
    pub write_offset: Option<u64>,
    /// Members that nearly every operation has.
    pub common: Common,
}

impl PutObject {
    /// These bytes under this key.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self::from_body(bucket, key, Body::Bytes(body.into()))
    }

    /// This body under this key.
    pub fn from_body(bucket: impl Into<String>, key: impl Into<String>, body: Body) -> Self {
        Self {
            bucket: bucket.into(),
            key: key.into(),
            body,
            properties: Properties::default(),
            conditions: Conditions::default(),
            checksum: ChecksumOptions::default(),
            write_offset: None,
            common: Common::default(),
        }
    }
}

impl Operation for PutObject {
    type Service = Service;
    type Output = Stored;

    const NAME: &'static str = "PutObject";
    const CLASS: Class = Class::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::PUT, &self.bucket, &self.key)?
            .header_number("x-amz-write-offset-bytes", self.write_offset)
            .with(&self.properties)
            .with(&self.conditions)
            .with(&self.common)
            .object_body(&self.body)
            .checksum(Need::Supported, &self.checksum)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Stored, Error> {
        error::accepted(reply)?;
        Stored::read(reply)
    }

    fn confirm(&self, output: &Stored, stamped: &[Value]) -> Result<(), Error> {
        output.confirm(stamped)
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}
