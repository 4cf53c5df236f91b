//! ListObjects, version 1 of the two.

use crate::s3::list::Object;
use crate::s3::list::objects_v2::last_name;
use crate::s3::operation::*;
use crate::s3::read::{Keys, onward};

operation! {
    /// Lists a page of a bucket's objects, in the order of their keys. "ListObjects", S3 API
    /// reference.
    ///
    /// Use it with servers that do not implement [`ListObjectsV2`](crate::s3::ListObjectsV2).
    ///
    /// ```
    /// use apus_core::s3::ListObjects;
    ///
    /// let mut list = ListObjects::new("bucket");
    /// // Objects after this key, which itself is not listed.
    /// list.marker = Some("logs/2026-11-30".into());
    /// ```
    pub struct ListObjects on listing {
        /// The maximum number of keys and common prefixes in a page: 1,000 by default and at most.
        pub max_keys: Option<u32>,
        /// Only keys after this one.
        pub marker: Option<String>,
        /// Whether the response includes the restore status of archived objects.
        pub restore_status: bool,
    }
}

impl ListObjects {
    /// Returns the request for the next page, or `None` after the last page.
    ///
    /// # Errors
    ///
    /// The page is truncated, and the start of the next page is missing or is that of this page.
    pub fn next(&self, page: &ListObjectsOutput) -> Result<Option<Self>, Error> {
        if page.is_truncated != Some(true) {
            return Ok(None);
        }
        // The server sends a marker only where the request has a delimiter.
        let marker = page.next_marker.clone().filter(|marker| !marker.is_empty());
        let marker = marker.or_else(|| last_name(&page.contents, &page.common_prefixes));
        let marker = onward(self.marker.as_ref(), marker)?;
        Ok(Some(Self { marker: Some(marker), ..self.clone() }))
    }
}

/// The response to [`ListObjects`]: a page of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListObjectsOutput {
    /// The objects.
    pub contents: Vec<Object>,
    /// Key prefixes that end with the delimiter; each groups all keys that begin with it.
    pub common_prefixes: Vec<String>,
    /// Whether there are more results.
    pub is_truncated: Option<bool>,
    /// Echoed from the request.
    pub marker: Option<String>,
    /// The `marker` of the next page; sent where the request has a delimiter.
    pub next_marker: Option<String>,
    /// The bucket name.
    pub name: Option<String>,
    /// Echoed from the request.
    pub prefix: Option<String>,
    /// Echoed from the request.
    pub delimiter: Option<String>,
    /// Echoed from the request, or the server's own limit.
    pub max_keys: Option<u32>,
    /// `url` where the server percent-encoded the keys; here they are decoded.
    pub encoding_type: Option<String>,
    /// `requester` where the requester was charged for the request.
    pub request_charged: Option<String>,
}

impl Operation for ListObjects {
    facts!(ListObjects in bucket: Read -> ListObjectsOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::GET, &self.bucket)?
            .query("prefix", self.prefix.as_ref())
            .query("delimiter", self.delimiter.as_ref())
            .query_number("max-keys", self.max_keys)
            .query("marker", self.marker.as_ref())
            .encoding(self.raw_keys)
            .restore_status(self.restore_status)
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<ListObjectsOutput, Error> {
        let document = error::document(
            reply,
            "ListBucketResult",
            &["Contents", "CommonPrefixes", "IsTruncated", "Name"],
        )?;
        let root = document.root();
        let keys = Keys::of(root, self.prefix.as_deref());
        let contents = root.children("Contents").map(|object| Object::read(object, keys));
        let contents = contents.collect::<Result<Vec<_>, _>>()?;
        let common_prefixes = keys.common_prefixes(root)?;
        let last = last_name(&contents, &common_prefixes);
        Ok(ListObjectsOutput {
            contents,
            common_prefixes,
            is_truncated: root.flag("IsTruncated")?,
            marker: keys.known(root, "Marker", self.marker.as_deref()),
            next_marker: keys.marker(root, "NextMarker", last.as_deref())?,
            name: text(root, "Name"),
            prefix: keys.known(root, "Prefix", self.prefix.as_deref()),
            delimiter: keys.known(root, "Delimiter", self.delimiter.as_deref()),
            max_keys: root.optional("MaxKeys"),
            encoding_type: text(root, "EncodingType"),
            request_charged: Headers(&reply.head.headers).text("x-amz-request-charged"),
        })
    }
}
