//! ListObjectsV2.

use crate::s3::list::Object;
use crate::s3::operation::*;
use crate::s3::read::{Keys, onward};

operation! {
    /// Lists a page of a bucket's objects, in the order of their keys. "ListObjectsV2", S3 API
    /// reference.
    ///
    /// Keys are requested percent-encoded, and are decoded here: see `raw_keys`, and what it says
    /// of servers that don't encode as they say.
    ///
    /// ```
    /// use apus_core::s3::ListObjectsV2;
    ///
    /// let mut list = ListObjectsV2::new("bucket").prefix("logs/");
    /// // One level: deeper keys are grouped in `common_prefixes`.
    /// list.delimiter = Some("/".into());
    /// // Owners are sent only if they are requested.
    /// list.fetch_owner = Some(true);
    /// ```
    pub struct ListObjectsV2 on listing {
        /// The maximum number of keys and common prefixes in a page: 1,000 by default and at most.
        pub max_keys: Option<u32>,
        /// Only keys after this one.
        pub start_after: Option<String>,
        /// The continuation token from the previous page.
        pub continuation_token: Option<String>,
        /// Whether the response includes the owner of each object.
        pub fetch_owner: Option<bool>,
        /// Whether the response includes the restore status of archived objects.
        pub restore_status: bool,
    }
}

impl ListObjectsV2 {
    /// Limits the list to keys that begin with this prefix.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: Some(prefix.into()), ..self }
    }

    /// Returns the request for the next page, or `None` after the last page.
    ///
    /// # Errors
    ///
    /// The page is truncated, and the start of the next page is missing or is that of this page.
    pub fn next(&self, page: &ListObjectsV2Output) -> Result<Option<Self>, Error> {
        let token = page.next_continuation_token.clone().filter(|token| !token.is_empty());
        match (page.is_truncated, token) {
            (Some(false), _) | (None, None) => Ok(None),
            (_, Some(token)) => {
                let token = onward(self.continuation_token.as_ref(), Some(token))?;
                Ok(Some(Self { continuation_token: Some(token), ..self.clone() }))
            }
            // A token only encodes the last key: without one the list continues after that key.
            (Some(true), None) => {
                let last = last_name(&page.contents, &page.common_prefixes);
                let last = onward(self.start_after.as_ref(), last)?;
                let continuation_token = None;
                Ok(Some(Self { start_after: Some(last), continuation_token, ..self.clone() }))
            }
        }
    }
}

/// Returns the last key or the last common prefix of a page: the one that sorts later.
pub(super) fn last_name(contents: &[Object], common_prefixes: &[String]) -> Option<String> {
    let key = contents.last().map(|object| &object.key);
    key.max(common_prefixes.last()).cloned()
}

/// The response to [`ListObjectsV2`]: a page of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListObjectsV2Output {
    /// The objects.
    pub contents: Vec<Object>,
    /// Key prefixes that end with the delimiter; each groups all keys that begin with it.
    pub common_prefixes: Vec<String>,
    /// Whether there are more results.
    pub is_truncated: Option<bool>,
    /// The continuation token of the next page.
    pub next_continuation_token: Option<String>,
    /// The number of objects and common prefixes in this page.
    pub key_count: Option<u32>,
    /// The bucket name.
    pub name: Option<String>,
    /// Echoed from the request.
    pub prefix: Option<String>,
    /// Echoed from the request.
    pub delimiter: Option<String>,
    /// Echoed from the request, or the server's own limit.
    pub max_keys: Option<u32>,
    /// Echoed from the request.
    pub start_after: Option<String>,
    /// Echoed from the request.
    pub continuation_token: Option<String>,
    /// `url` where the server percent-encoded the keys; here they are decoded.
    pub encoding_type: Option<String>,
    /// `requester` where the requester was charged for the request.
    pub request_charged: Option<String>,
}

impl Operation for ListObjectsV2 {
    facts!(ListObjectsV2 in bucket: Read -> ListObjectsV2Output);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let fetch_owner = self.fetch_owner.map(|fetch| if fetch { "true" } else { "false" });
        Request::bucket(service, Self::NAME, Method::GET, &self.bucket)?
            .query("list-type", Some("2"))
            .query("prefix", self.prefix.as_ref())
            .query("delimiter", self.delimiter.as_ref())
            .query_number("max-keys", self.max_keys)
            .query("start-after", self.start_after.as_ref())
            .query("continuation-token", self.continuation_token.as_ref())
            .query("fetch-owner", fetch_owner)
            .encoding(self.raw_keys)
            .restore_status(self.restore_status)
            .with(&self.common)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<ListObjectsV2Output, Error> {
        let document = error::document(
            reply,
            "ListBucketResult",
            &["Contents", "CommonPrefixes", "IsTruncated", "Name"],
        )?;
        let root = document.root();
        let keys = Keys::of(root, self.prefix.as_deref());
        let contents = root.children("Contents").map(|object| Object::read(object, keys));
        Ok(ListObjectsV2Output {
            contents: contents.collect::<Result<_, _>>()?,
            common_prefixes: keys.common_prefixes(root)?,
            is_truncated: root.flag("IsTruncated")?,
            next_continuation_token: text(root, "NextContinuationToken"),
            key_count: root.optional("KeyCount"),
            name: text(root, "Name"),
            prefix: keys.known(root, "Prefix", self.prefix.as_deref()),
            delimiter: keys.known(root, "Delimiter", self.delimiter.as_deref()),
            max_keys: root.optional("MaxKeys"),
            start_after: keys.known(root, "StartAfter", self.start_after.as_deref()),
            continuation_token: text(root, "ContinuationToken"),
            encoding_type: text(root, "EncodingType"),
            request_charged: Headers(&reply.head.headers).text("x-amz-request-charged"),
        })
    }
}
