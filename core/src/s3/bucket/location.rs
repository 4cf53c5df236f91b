//! GetBucketLocation.

use crate::s3::operation::*;

operation! {
    /// Where a bucket is. "GetBucketLocation", S3 API reference.
    ///
    /// The request has the bucket in its path whatever the addressing, because a virtual host of the
    /// wrong region would be redirected to the answer that is looked for.
    pub struct GetBucketLocation on bucket {}
}

/// Where a bucket is, in the server's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketLocation {
    /// As it was written: empty for us-east-1, `EU` for buckets of S3's early days, and for some
    /// servers a word of their own, such as Ceph's `default`.
    pub location_constraint: String,
}

impl BucketLocation {
    /// The region by its name of today.
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
        // Some servers write an element of the same name into the root.
        let text = root.text_of("LocationConstraint").unwrap_or(root.text());
        Ok(BucketLocation { location_constraint: text.trim().to_owned() })
    }
}
