//! ListBuckets.

use crate::s3::operation::*;
use crate::s3::read::onward;
use crate::s3::types::Owner;

operation! {
    /// The buckets of an account. "ListBuckets", S3 API reference.
    ///
    /// Without `max_buckets` AWS answers with all of them; with it, or beyond 10,000 buckets, in pages.
    pub struct ListBuckets {
        /// The most buckets of a page: 1 to 10,000.
        pub max_buckets: Option<u32>,
        /// The continuation token from the previous page.
        pub continuation_token: Option<String>,
        /// Only names that begin so.
        pub prefix: Option<String>,
        /// Only buckets in this region.
        pub bucket_region: Option<String>,
    }
    new()
}

impl ListBuckets {
    /// Returns the request for the next page, or `None` after the last page.
    ///
    /// # Errors
    ///
    /// The page says that there are more, and where this page began.
    pub fn next(&self, page: &ListBucketsOutput) -> Result<Option<Self>, Error> {
        let Some(token) = page.continuation_token.clone().filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        let token = onward(self.continuation_token.as_ref(), Some(token))?;
        Ok(Some(Self { continuation_token: Some(token), ..self.clone() }))
    }
}

/// A page of buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListBucketsOutput {
    /// The buckets.
    pub buckets: Vec<Bucket>,
    /// Whose they are.
    pub owner: Option<Owner>,
    /// Where the next page goes on; none on the last.
    pub continuation_token: Option<String>,
    /// Echoed from the request.
    pub prefix: Option<String>,
}

/// A bucket in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub creation_date: Option<Timestamp>,
    /// Where it is; told by lists that are paged.
    pub region: Option<String>,
    /// Its ARN.
    pub arn: Option<String>,
}

impl Operation for ListBuckets {
    facts!(ListBuckets: Read -> ListBucketsOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::service(service, Self::NAME, Method::GET)?
            .query_number("max-buckets", self.max_buckets)
            .query("continuation-token", self.continuation_token.as_ref())
            .query("prefix", self.prefix.as_ref())
            .query("bucket-region", self.bucket_region.as_ref())
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<ListBucketsOutput, Error> {
        let document = error::document(reply, "ListAllMyBucketsResult", &["Buckets", "Owner"])?;
        let root = document.root();
        let buckets = root.child("Buckets").into_iter().flat_map(|list| list.children("Bucket"));
        let buckets = buckets.map(|bucket| {
            Ok(Bucket {
                name: bucket.required("Name")?.to_owned(),
                creation_date: bucket.optional_timestamp("CreationDate"),
                region: text(bucket, "BucketRegion"),
                arn: text(bucket, "BucketArn"),
            })
        });
        Ok(ListBucketsOutput {
            buckets: buckets.collect::<Result<_, Error>>()?,
            owner: root.child("Owner").map(Owner::read),
            continuation_token: text(root, "ContinuationToken"),
            prefix: text(root, "Prefix"),
        })
    }
}
