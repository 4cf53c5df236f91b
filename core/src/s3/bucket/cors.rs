//! From which web pages a bucket may be used (cross-origin resource sharing).

use http::Method;

use crate::checksum::Need;
use crate::contract::Operation;
use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::retry::Idempotency;
use crate::s3::{
    error,
    read::text,
    request::{ChecksumOptions, Request},
    service::Service,
};
use crate::xml::{Element, S3_NAMESPACE, Writer};

/// The CORS rules of a bucket. "GetBucketCors", S3 API reference.
///
/// A bucket without rules is a 404, `NoSuchCORSConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetBucketCors {
    /// The bucket.
    pub bucket: String,
    /// The account id that must own the bucket; another owner is a 403.
    pub expected_bucket_owner: Option<String>,
}

impl GetBucketCors {
    /// Of this bucket.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), ..Self::default() }
    }
}

/// What pages of these origins may ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsRule {
    /// A name for it.
    pub id: Option<String>,
    /// `https://example.com`, with one `*` at most.
    pub allowed_origins: Vec<String>,
    /// `GET`, `PUT`, `POST`, `DELETE`, `HEAD`.
    pub allowed_methods: Vec<String>,
    /// Headers that such a request may have, each with one `*` at most.
    pub allowed_headers: Vec<String>,
    /// Headers of the answer that the page may see.
    pub expose_headers: Vec<String>,
    /// How long a browser may remember the answer to its question, in seconds.
    pub max_age_seconds: Option<u32>,
}

impl CorsRule {
    fn read(rule: Element<'_>) -> Result<Self, Error> {
        let all = |name| rule.children(name).map(|item| item.text().to_owned()).collect();
        Ok(Self {
            id: text(rule, "ID"),
            allowed_origins: all("AllowedOrigin"),
            allowed_methods: all("AllowedMethod"),
            allowed_headers: all("AllowedHeader"),
            expose_headers: all("ExposeHeader"),
            max_age_seconds: rule.parsed("MaxAgeSeconds")?,
        })
    }

    fn write(&self, xml: &mut Writer) {
        let list = |xml: &mut Writer, name, items: &[String]| {
            for item in items {
                xml.text(name, item);
            }
        };
        list(xml, "AllowedMethod", &self.allowed_methods);
        list(xml, "AllowedOrigin", &self.allowed_origins);
        xml.text_if("ID", self.id.as_ref());
        list(xml, "AllowedHeader", &self.allowed_headers);
        list(xml, "ExposeHeader", &self.expose_headers);
        xml.text_if("MaxAgeSeconds", self.max_age_seconds);
    }
}

impl Operation for GetBucketCors {
    type Service = Service;
    type Output = Vec<CorsRule>;

    const NAME: &'static str = "GetBucketCors";
    const IDEMPOTENCY: Idempotency = Idempotency::Read;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::GET, &self.bucket)?
            .flag("cors")
            .expected_owner(&self.expected_bucket_owner)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Vec<CorsRule>, Error> {
        let document = error::document(reply, "CORSConfiguration", &["CORSRule"])?;
        let root = document.root();
        root.children("CORSRule").map(CorsRule::read).collect()
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

/// Gives a bucket these CORS rules, in place of those it had. "PutBucketCors", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutBucketCors {
    /// The bucket.
    pub bucket: String,
    /// The rules, of which the first that matches counts: 100 at most.
    pub rules: Vec<CorsRule>,
    /// What this call wants otherwise about the checksum of its request.
    pub checksum: ChecksumOptions,
    /// The account id that must own the bucket; another owner is a 403.
    pub expected_bucket_owner: Option<String>,
}

impl PutBucketCors {
    /// These rules for this bucket.
    pub fn new(bucket: impl Into<String>, rules: Vec<CorsRule>) -> Self {
        Self { bucket: bucket.into(), rules, ..Self::default() }
    }
}

impl Operation for PutBucketCors {
    type Service = Service;
    type Output = ();

    const NAME: &'static str = "PutBucketCors";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let mut xml = Writer::new("CORSConfiguration", Some(S3_NAMESPACE));
        for rule in &self.rules {
            xml.element("CORSRule", |xml| rule.write(xml));
        }
        Request::bucket(service, Self::NAME, Method::PUT, &self.bucket)?
            .flag("cors")
            .expected_owner(&self.expected_bucket_owner)
            .xml(xml)
            .checksum(Need::Required, &self.checksum)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<(), Error> {
        error::accepted(reply)
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}

/// Takes all CORS rules off a bucket. "DeleteBucketCors", S3 API reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteBucketCors {
    /// The bucket.
    pub bucket: String,
    /// The account id that must own the bucket; another owner is a 403.
    pub expected_bucket_owner: Option<String>,
}

impl DeleteBucketCors {
    /// Of this bucket.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), ..Self::default() }
    }
}

impl Operation for DeleteBucketCors {
    type Service = Service;
    type Output = ();

    const NAME: &'static str = "DeleteBucketCors";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::DELETE, &self.bucket)?
            .flag("cors")
            .expected_owner(&self.expected_bucket_owner)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<(), Error> {
        error::accepted(reply)
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.bucket)
    }
}
