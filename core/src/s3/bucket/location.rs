//! GetBucketLocation.

use crate::s3::operation::*;

operation! {
    /// Retrieves a bucket's region. "GetBucketLocation", S3 API reference.
    ///
    /// The request always has the bucket in its path, regardless of the addressing: a virtual host
    /// of the wrong region would respond with a redirect instead of the region.
    pub struct GetBucketLocation on bucket {}
}

/// The response to [`GetBucketLocation`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketLocation {
    /// The location constraint, unparsed: empty for us-east-1, `EU` for old buckets in eu-west-1,
    /// and on some servers a name of their own, such as Ceph's `default`.
    pub location_constraint: String,
}

impl BucketLocation {
    /// Returns the region: `us-east-1` for an empty constraint or `US`, `eu-west-1` for `EU`.
    pub fn region(&self) -> &str {
        match self.location_constraint.as_str() {
            "" | "US" => "us-east-1",
            "EU" => "eu-west-1",
            region => region,
        }
    }
}

impl Operation for GetBucketLocation {
    facts!(GetBucketLocation in bucket: Read -> BucketLocation);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket_by_path(service, Self::NAME, Method::GET, &self.bucket)?
            .flag("location")
            .expected_owner(&self.expected_bucket_owner)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<BucketLocation, Error> {
        let document = error::document(reply, "LocationConstraint", &["LocationConstraint"])?;
        let root = document.root();
        // Some servers nest an element of this name in the root.
        let text = root.text_of("LocationConstraint").unwrap_or(root.text());
        Ok(BucketLocation { location_constraint: text.trim().to_owned() })
    }
}
