//! The policy of a bucket: a document in the IAM policy language.

use bytes::Bytes;

use crate::s3::operation::*;

operation! {
    /// Retrieves a bucket's policy as JSON. "GetBucketPolicy", S3 API reference.
    ///
    /// For a bucket without a policy the server responds with 404, `NoSuchBucketPolicy`.
    pub struct GetBucketPolicy on bucket;
    GET "policy": Read -> String = read
}

fn read(reply: &Reply) -> Result<String, Error> {
    error::accepted(reply)?;
    error::no_list(reply)?;
    reply.proven().map_err(|error| error::named(error, reply))?;
    let policy = std::str::from_utf8(&reply.body).map_err(|_| {
        Error::invalid_response("the policy is not UTF-8").with_status(reply.status())
    })?;
    Ok(policy.to_owned())
}

operation! {
    /// Sets a bucket's policy and replaces its existing one. "PutBucketPolicy", S3 API reference.
    ///
    /// ```
    /// use apus_core::s3::PutBucketPolicy;
    ///
    /// let policy = r#"{"Version": "2012-10-17", "Statement": []}"#;
    /// let mut put = PutBucketPolicy::new("bucket", policy);
    /// // A policy that would deny its author later changes is otherwise refused.
    /// put.confirm_remove_self_bucket_access = Some(true);
    /// ```
    pub struct PutBucketPolicy on bucket {
        /// The policy: at most 20 KiB of JSON, sent unchanged.
        pub policy: String,
        /// Whether the policy may remove the caller's permission to change it again.
        pub confirm_remove_self_bucket_access: Option<bool>,
        /// Per-call checksum overrides.
        pub checksum: ChecksumOptions,
    }
    new(policy: impl Into<String>)
}

impl Operation for PutBucketPolicy {
    facts!(PutBucketPolicy in bucket: Idempotent -> () = error::accepted);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::PUT, &self.bucket)?
            .flag("policy")
            .expected_owner(&self.expected_bucket_owner)
            .header_flag(
                "x-amz-confirm-remove-self-bucket-access",
                self.confirm_remove_self_bucket_access,
            )
            .document(Bytes::from(self.policy.clone()))
            .checksum(Need::Required, &self.checksum)
            .finish()
    }
}

operation! {
    /// Deletes a bucket's policy. "DeleteBucketPolicy", S3 API reference.
    pub struct DeleteBucketPolicy on bucket;
    DELETE "policy": Idempotent -> () = error::accepted
}
