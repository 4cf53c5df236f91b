//! ListBuckets.

use crate::s3::operation::*;
use crate::s3::read::onward;
use crate::s3::types::Owner;

operation! {
    /// Lists the buckets of an account. "ListBuckets", S3 API reference.
    ///
    /// Without `max_buckets` AWS returns all buckets in one page, up to 10,000; otherwise it
    /// returns several pages.
    ///
    /// ```
    /// use apus_core::s3::ListBuckets;
    ///
    /// let mut list = ListBuckets::new();
    /// // Without `max_buckets` the server sends all buckets in one page.
    /// list.max_buckets = Some(1000);
    /// ```
    pub struct ListBuckets {
        /// The maximum number of buckets in a page: 1 to 10,000.
        pub max_buckets: Option<u32>,
        /// The continuation token from the previous page.
        pub continuation_token: Option<String>,
        /// Only buckets whose names begin with this prefix.
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
    /// The continuation token of the page is the one that requested it.
    pub fn next(&self, page: &ListBucketsOutput) -> Result<Option<Self>, Error> {
        let Some(token) = page.continuation_token.clone().filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        let token = onward(self.continuation_token.as_ref(), Some(token))?;
        Ok(Some(Self { continuation_token: Some(token), ..self.clone() }))
    }
}

/// The response to [`ListBuckets`]: a page of buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListBucketsOutput {
    /// The buckets.
    pub buckets: Vec<Bucket>,
    /// The owner of the buckets.
    pub owner: Option<Owner>,
    /// The continuation token of the next page; `None` on the last page.
    pub continuation_token: Option<String>,
    /// Echoed from the request.
    pub prefix: Option<String>,
}

/// A bucket in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bucket {
    /// The bucket name.
    pub name: String,
    /// When the bucket was created.
    pub creation_date: Option<Timestamp>,
    /// The bucket's region, where the request asks for pages.
    pub region: Option<String>,
    /// The bucket's ARN.
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
