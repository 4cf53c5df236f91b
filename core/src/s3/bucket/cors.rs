//! The CORS (cross-origin resource sharing) rules of a bucket.

use crate::s3::operation::*;
use crate::xml::{Element, S3_NAMESPACE, Writer};

operation! {
    /// Retrieves a bucket's CORS rules. "GetBucketCors", S3 API reference.
    ///
    /// For a bucket without rules the server responds with 404, `NoSuchCORSConfiguration`.
    pub struct GetBucketCors on bucket;
    GET "cors": Read -> Vec<CorsRule> = read
}

fn read(reply: &Reply) -> Result<Vec<CorsRule>, Error> {
    let document = error::document(reply, "CORSConfiguration", &["CORSRule"])?;
    let root = document.root();
    root.children("CORSRule").map(CorsRule::read).collect()
}

/// A CORS rule: the requests that web pages of some origins may send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsRule {
    /// The ID of the rule.
    pub id: Option<String>,
    /// The origins, such as `https://example.com`, each with at most one `*`.
    pub allowed_origins: Vec<String>,
    /// The methods: `GET`, `PUT`, `POST`, `DELETE`, `HEAD`.
    pub allowed_methods: Vec<String>,
    /// The headers that a request may have, each with at most one `*`.
    pub allowed_headers: Vec<String>,
    /// The response headers that the page may read.
    pub expose_headers: Vec<String>,
    /// How long a browser may cache the response to a preflight request, in seconds.
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
            max_age_seconds: rule.optional("MaxAgeSeconds"),
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
    /// Sets a bucket's CORS rules and replaces its existing ones. "PutBucketCors", S3 API
    /// reference.
    ///
    /// ```
    /// use apus_core::s3::{CorsRule, PutBucketCors};
    ///
    /// let rule = CorsRule {
    ///     allowed_origins: vec!["https://www.example.com".into()],
    ///     allowed_methods: vec!["GET".into()],
    ///     ..CorsRule::default()
    /// };
    /// // Replaces all rules of the bucket.
    /// let put = PutBucketCors::new("bucket", vec![rule]);
    /// ```
    pub struct PutBucketCors on bucket {
        /// The rules, at most 100; the first one that matches a request applies.
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
    /// Deletes all CORS rules of a bucket. "DeleteBucketCors", S3 API reference.
    pub struct DeleteBucketCors on bucket;
    DELETE "cors": Idempotent -> () = error::accepted
}
