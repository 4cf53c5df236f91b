//! RenameObject.

use crate::escape;
use crate::http::ETag;
use crate::s3::operation::*;
use crate::s3::types::Conditions;

operation! {
    /// Renames an object within its bucket. "RenameObject", S3 API reference.
    ///
    /// Amazon S3 supports it in directory buckets only, which need session credentials that apus
    /// does not have: see the list of what is not supported in [`endpoint`](crate::s3::endpoint).
    /// Elsewhere, [`CopyObject`](crate::s3::CopyObject) and
    /// [`DeleteObject`](crate::s3::DeleteObject) do the same in two steps.
    ///
    /// Where the response is lost, the request is sent again only with a [client
    /// token](Self::client_token), by which the server recognises a repetition.
    ///
    /// ```
    /// use apus_core::s3::RenameObject;
    ///
    /// // In a directory bucket. An object of the new name is replaced unless `conditions` forbid it.
    /// let rename = RenameObject::new("bucket--use1-az4--x-s3", "old", "new");
    /// ```
    pub struct RenameObject {
        /// The bucket name.
        pub bucket: String,
        /// The new key.
        pub key: String,
        /// The object to rename: `/bucket/key`, percent-encoded.
        pub rename_source: String,
        /// Preconditions on the object that has the new key.
        pub conditions: Conditions,
        /// Preconditions on the object to rename.
        pub source_conditions: Conditions,
        /// A unique string of at most 64 visible ASCII characters. The server carries out requests
        /// with the same one once.
        pub client_token: Option<String>,
    }
    from_source(
        bucket: impl Into<String>,
        key: impl Into<String>,
        rename_source: impl Into<String>,
    )
}

impl RenameObject {
    /// Renames the object `from` of this bucket to `to`.
    pub fn new(bucket: impl Into<String>, from: &str, to: impl Into<String>) -> Self {
        let bucket = bucket.into();
        let mut source = String::with_capacity(bucket.len() + from.len() + 8);
        source.push('/');
        escape::path_into(&mut source, &bucket);
        source.push('/');
        escape::path_into(&mut source, from);
        Self::from_source(bucket, to, source)
    }
}

impl Operation for RenameObject {
    facts!(RenameObject in bucket: Idempotent -> () = error::accepted);

    fn idempotency(&self) -> Idempotency {
        match self.client_token {
            Some(_) => Idempotency::Idempotent,
            None => Idempotency::Once,
        }
    }

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let source = &self.source_conditions;
        Request::object(service, Self::NAME, Method::PUT, &self.bucket, &self.key)?
            .flag("renameObject")
            .header("x-amz-rename-source", Some(&self.rename_source))
            .with(&self.conditions)
            .header("x-amz-rename-source-if-match", source.if_match.as_ref().map(ETag::as_str))
            .header(
                "x-amz-rename-source-if-none-match",
                source.if_none_match.as_ref().map(ETag::as_str),
            )
            .header(
                "x-amz-rename-source-if-modified-since",
                source.if_modified_since.map(Timestamp::http_date),
            )
            .header(
                "x-amz-rename-source-if-unmodified-since",
                source.if_unmodified_since.map(Timestamp::http_date),
            )
            .header("x-amz-client-token", self.client_token.as_ref())
            .finish()
    }

    fn look_at(&self) -> String {
        let Self { bucket, key, rename_source, .. } = self;
        format!("whether {rename_source} or {bucket}/{key} exists")
    }
}
