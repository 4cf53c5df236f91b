//! The versioning state of a bucket.

use crate::s3::operation::*;
use crate::secret::Secret;
use crate::xml::{S3_NAMESPACE, Writer};

operation! {
    /// Retrieves a bucket's versioning state. "GetBucketVersioning", S3 API reference.
    pub struct GetBucketVersioning on bucket;
    GET "versioning": Read -> BucketVersioning = BucketVersioning::read
}

/// The versioning state. Both members are `None` on a bucket that never had versioning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketVersioning {
    /// The status: `Enabled` or `Suspended`.
    pub status: Option<String>,
    /// Whether a change of this state, and the deletion of a version, require MFA: `Enabled` or
    /// `Disabled`.
    pub mfa_delete: Option<String>,
}

impl BucketVersioning {
    /// Enables versioning: a new version keeps the old ones.
    pub fn enabled() -> Self {
        Self { status: Some("Enabled".to_owned()), mfa_delete: None }
    }

    /// Suspends versioning: existing versions stay, and no new ones are created.
    pub fn suspended() -> Self {
        Self { status: Some("Suspended".to_owned()), mfa_delete: None }
    }

    /// Returns whether versioning is enabled.
    pub fn is_enabled(&self) -> bool {
        self.status.as_deref() == Some("Enabled")
    }

    fn read(reply: &Reply) -> Result<Self, Error> {
        // moto names the root after the operation, also where it has no members.
        let read = |root| error::document(reply, root, &["Status"]);
        let document = read("VersioningConfiguration")
            .or_else(|error| read("GetBucketVersioningResponse").map_err(|_| error))?;
        let root = document.root();
        Ok(Self { status: text(root, "Status"), mfa_delete: text(root, "MfaDelete") })
    }
}

operation! {
    /// Sets a bucket's versioning state. "PutBucketVersioning", S3 API reference.
    ///
    /// ```
    /// use apus_core::s3::{BucketVersioning, PutBucketVersioning};
    ///
    /// // Once enabled, versioning can be suspended, but not removed.
    /// let put = PutBucketVersioning::new("bucket", BucketVersioning::enabled());
    /// ```
    pub struct PutBucketVersioning on bucket {
        /// The new state.
        pub versioning: BucketVersioning,
        /// The MFA device's serial number, a space, and the code that the device displays.
        pub mfa: Option<Secret>,
        /// Per-call checksum overrides.
        pub checksum: ChecksumOptions,
    }
    new(versioning: BucketVersioning)
}

impl Operation for PutBucketVersioning {
    facts!(PutBucketVersioning in bucket: Idempotent -> () = error::accepted);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let mut xml = Writer::new("VersioningConfiguration", Some(S3_NAMESPACE));
        xml.text_if("Status", self.versioning.status.as_ref())
            .text_if("MfaDelete", self.versioning.mfa_delete.as_ref());
        Request::bucket(service, Self::NAME, Method::PUT, &self.bucket)?
            .flag("versioning")
            .header_secret("x-amz-mfa", self.mfa.as_ref().map(Secret::expose))
            .expected_owner(&self.expected_bucket_owner)
            .xml(xml)
            .checksum(Need::Required, &self.checksum)
            .finish()
    }
}
