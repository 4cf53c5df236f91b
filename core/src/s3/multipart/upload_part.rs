//! UploadPart.

use bytes::Bytes;
use http::Method;

use crate::checksum::{Need, Value};
use crate::contract::Operation;
use crate::error::Error;
use crate::http::{Body, Draft, Reply};
use crate::retry::Idempotency;
use crate::s3::{
    error,
    object::Stored,
    request::{ChecksumOptions, Request},
    service::Service,
    types::{Common, CustomerKey},
};

/// Uploads a part: 5 MiB to 5 GiB, or less for the last one. "UploadPart", S3 API reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPart {
    /// The bucket: its name, or the ARN or alias of an access point.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// What the part belongs to.
    pub upload_id: String,
    /// Its place among the parts: 1 to 10,000. A second part of the same number replaces the first.
    pub part_number: u32,
    /// Its bytes.
    pub body: Body,
    /// What this call wants otherwise about the checksum of its request.
    pub checksum: ChecksumOptions,
    /// The key that the upload was created with (SSE-C).
    pub customer_key: Option<CustomerKey>,
    /// Members that nearly every operation has.
    pub common: Common,
}

impl UploadPart {
    /// These bytes as a part of this upload.
    pub fn new(
        bucket: impl Into<String>,
        key: impl Into<String>,
        upload_id: impl Into<String>,
        part_number: u32,
        body: impl Into<Bytes>,
    ) -> Self {
        Self::from_body(bucket, key, upload_id, part_number, Body::Bytes(body.into()))
    }

    /// This body as a part of this upload.
    pub fn from_body(
        bucket: impl Into<String>,
        key: impl Into<String>,
        upload_id: impl Into<String>,
        part_number: u32,
        body: Body,
    ) -> Self {
        Self {
            bucket: bucket.into(),
            key: key.into(),
            upload_id: upload_id.into(),
            part_number,
            body,
            checksum: ChecksumOptions::default(),
            customer_key: None,
            common: Common::default(),
        }
    }
}

impl Operation for UploadPart {
    type Service = Service;
    type Output = Stored;

    const NAME: &'static str = "UploadPart";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;
    const REPLACES_UNSEEN: bool = true;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::PUT, &self.bucket, &self.key)?
            .part(self.part_number, &self.upload_id)
            .with(&self.customer_key)
            .with(&self.common)
            .object_body(&self.body)
            .checksum(Need::Supported, &self.checksum)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Stored, Error> {
        error::accepted(reply)?;
        Ok(Stored::read(reply))
    }

    fn parse_head(&self, reply: &Reply) -> Option<Stored> {
        Stored::read_head(reply)
    }

    fn look_at(&self) -> String {
        let Self { bucket, key, upload_id, part_number, .. } = self;
        format!("part {part_number} of the multipart upload {upload_id} of {bucket}/{key}")
    }

    fn confirm(&self, output: &Stored, stamped: &[Value]) -> Result<(), Error> {
        output.confirm(stamped)
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}
