//! From which web pages a bucket may be used (cross-origin resource sharing).

use crate::s3::operation::*;
use crate::xml::{Element, S3_NAMESPACE, Writer};

operation! {
    /// The CORS rules of a bucket. "GetBucketCors", S3 API reference.
    ///
    /// A bucket without rules is a 404, `NoSuchCORSConfiguration`.
    pub struct GetBucketCors on bucket;
    GET "cors": Read -> Vec<CorsRule> = read
}

fn read(reply: &Reply) -> Result<Vec<CorsRule>, Error> {
    let document = error::document(reply, "CORSConfiguration", &["CORSRule"])?;
    let root = document.root();
    root.children("CORSRule").map(CorsRule::read).collect()
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

operation! {
    /// Gives a bucket these CORS rules, in place of those it had. "PutBucketCors", S3 API reference.
    pub struct PutBucketCors on bucket {
        /// The rules, of which the first that matches counts: 100 at most.
        pub rules: Vec<CorsRule>,
        /// Per-call checksum overrides.
        pub checksum: ChecksumOptions,
    }
    new(rules: Vec<CorsRule>)
}

impl Operation for PutBucketCors {
    facts!(PutBucketCors in bucket: Idempotent -> () = error::accepted);

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
}

operation! {
    /// Takes all CORS rules off a bucket. "DeleteBucketCors", S3 API reference.
    pub struct DeleteBucketCors on bucket;
    DELETE "cors": Idempotent -> () = error::accepted
}
