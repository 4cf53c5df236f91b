//! Who may do what in a bucket, as a document of IAM's policy language.

use bytes::Bytes;

use crate::s3::operation::*;

operation! {
    /// The policy of a bucket, as JSON. "GetBucketPolicy", S3 API reference.
    ///
    /// A bucket without one is a 404, `NoSuchBucketPolicy`.
    pub struct GetBucketPolicy on bucket;
    GET "policy": Read -> String = read
}

fn read(reply: &Reply) -> Result<String, Error> {
    error::accepted(reply)?;
    reply.proven().map_err(|error| error::named(error, reply))?;
    let policy = std::str::from_utf8(&reply.body)
        .map_err(|_| Error::broken("the policy is not UTF-8").with_status(reply.status()))?;
    Ok(policy.to_owned())
}

operation! {
    /// Gives a bucket this policy, in place of the one it had. "PutBucketPolicy", S3 API reference.
    pub struct PutBucketPolicy on bucket {
        /// The policy: JSON of 20 KiB at most, sent as it is.
        pub policy: String,
        /// Whether a policy may keep the caller from changing it again.
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
    /// Takes the policy off a bucket. "DeleteBucketPolicy", S3 API reference.
    pub struct DeleteBucketPolicy on bucket;
    DELETE "policy": Idempotent -> () = error::accepted
}
