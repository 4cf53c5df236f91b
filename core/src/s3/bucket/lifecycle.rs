//! The lifecycle configuration of a bucket.

use crate::s3::bucket::lifecycle_rule::LifecycleRule;
use crate::s3::operation::*;
use crate::xml::{Element, S3_NAMESPACE, Writer};

operation! {
    /// Retrieves a bucket's lifecycle rules. "GetBucketLifecycleConfiguration", S3 API reference.
    ///
    /// For a bucket without rules the server responds with 404, `NoSuchLifecycleConfiguration`.
    pub struct GetBucketLifecycleConfiguration on bucket;
    GET "lifecycle": Read -> GetBucketLifecycleConfigurationOutput = GetBucketLifecycleConfigurationOutput::read
}

/// The response to [`GetBucketLifecycleConfiguration`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GetBucketLifecycleConfigurationOutput {
    /// The rules.
    pub rules: Vec<LifecycleRule>,
    /// The minimum object size for a transition: `varies_by_storage_class` or
    /// `all_storage_classes_128K`.
    pub transition_default_minimum_object_size: Option<String>,
    /// The names of elements that [`LifecycleRule`] does not have. If there are any,
    /// [`PutBucketLifecycleConfiguration`] with these rules would remove them.
    pub unknown: Vec<String>,
}

impl GetBucketLifecycleConfigurationOutput {
    fn read(reply: &Reply) -> Result<Self, Error> {
        let document = error::document(reply, "LifecycleConfiguration", &["Rule"])?;
        let root = document.root();
        let rules = root.children("Rule").map(LifecycleRule::read);
        Ok(Self {
            rules: rules.collect::<Result<_, _>>()?,
            transition_default_minimum_object_size: Headers(&reply.head.headers).text(MINIMUM_SIZE),
            unknown: {
                let mut unknown = Vec::new();
                root.elements().for_each(|element| collect_unknown(element, &mut unknown));
                unknown
            },
        })
    }
}

/// Adds the names of elements that a rule of ours does not have, each once. Depth is bounded by the
/// reader.
fn collect_unknown(element: Element<'_>, unknown: &mut Vec<String>) {
    let name = element.name();
    if !KNOWN.contains(&name) && !unknown.iter().any(|known| known == name) {
        unknown.push(name.to_owned());
    }
    element.elements().for_each(|element| collect_unknown(element, unknown));
}

operation! {
    /// Sets a bucket's lifecycle rules and replaces its existing ones.
    /// "PutBucketLifecycleConfiguration", S3 API reference.
    ///
    /// ```
    /// use apus_core::s3::{LifecycleFilter, LifecycleRule, PutBucketLifecycleConfiguration};
    ///
    /// let mut rule = LifecycleRule::enabled(LifecycleFilter::default());
    /// rule.abort_incomplete_multipart_upload_days = Some(7);
    /// // Replaces all rules of the bucket.
    /// let put = PutBucketLifecycleConfiguration::new("bucket", vec![rule]);
    /// ```
    pub struct PutBucketLifecycleConfiguration on bucket {
        /// The rules: 1 to 1,000.
        pub rules: Vec<LifecycleRule>,
        /// The minimum object size for a transition: `varies_by_storage_class` or
        /// `all_storage_classes_128K`.
        pub transition_default_minimum_object_size: Option<String>,
        /// Per-call checksum overrides.
        pub checksum: ChecksumOptions,
    }
    new(rules: Vec<LifecycleRule>)
}

impl Operation for PutBucketLifecycleConfiguration {
    facts! {
        /// The `transition_default_minimum_object_size` that the server applied.
        PutBucketLifecycleConfiguration in bucket: Idempotent -> Option<String>
    }

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let mut xml = Writer::new("LifecycleConfiguration", Some(S3_NAMESPACE));
        for rule in &self.rules {
            xml.element("Rule", |xml| rule.write(xml));
        }
        Request::bucket(service, Self::NAME, Method::PUT, &self.bucket)?
            .flag("lifecycle")
            .header(MINIMUM_SIZE, self.transition_default_minimum_object_size.as_ref())
            .expected_owner(&self.expected_bucket_owner)
            .xml(xml)
            .checksum(Need::Required, &self.checksum)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Option<String>, Error> {
        error::accepted(reply)?;
        Ok(Headers(&reply.head.headers).text(MINIMUM_SIZE))
    }
}

operation! {
    /// Deletes all lifecycle rules of a bucket. "DeleteBucketLifecycle", S3 API reference.
    pub struct DeleteBucketLifecycle on bucket;
    DELETE "lifecycle": Idempotent -> () = error::accepted
}

/// The elements that [`LifecycleRule`] reads and writes.
const KNOWN: [&str; 23] = [
    "AbortIncompleteMultipartUpload",
    "And",
    "Date",
    "Days",
    "DaysAfterInitiation",
    "Expiration",
    "ExpiredObjectDeleteMarker",
    "Filter",
    "ID",
    "Key",
    "NewerNoncurrentVersions",
    "NoncurrentDays",
    "NoncurrentVersionExpiration",
    "NoncurrentVersionTransition",
    "ObjectSizeGreaterThan",
    "ObjectSizeLessThan",
    "Prefix",
    "Rule",
    "Status",
    "StorageClass",
    "Tag",
    "Transition",
    "Value",
];

const MINIMUM_SIZE: &str = "x-amz-transition-default-minimum-object-size";
