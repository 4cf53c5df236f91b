//! Whether a bucket keeps former versions of its objects.

use crate::s3::operation::*;
use crate::secret::Secret;
use crate::xml::{S3_NAMESPACE, Writer};

operation! {
    /// The state of versioning of a bucket. "GetBucketVersioning", S3 API reference.
    pub struct GetBucketVersioning on bucket;
    GET "versioning": Read -> BucketVersioning = BucketVersioning::read
}

/// The state of versioning. Both are `None` on a bucket that never had it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketVersioning {
    /// `Enabled` or `Suspended`.
    pub status: Option<String>,
    /// Whether a change, and the removal of a version, need a second factor: `Enabled` or
    /// `Disabled`.
    pub mfa_delete: Option<String>,
}

impl BucketVersioning {
    /// New versions leave the old ones.
    pub fn enabled() -> Self {
        Self { status: Some("Enabled".to_owned()), mfa_delete: None }
    }

    /// The versions there are stay, and new ones are not made.
    pub fn suspended() -> Self {
        Self { status: Some("Suspended".to_owned()), mfa_delete: None }
    }

    /// Whether new versions leave the old ones.
    pub fn is_enabled(&self) -> bool {
        self.status.as_deref() == Some("Enabled")
    }

    fn read(reply: &Reply) -> Result<Self, Error> {
        let document = error::document(reply, "VersioningConfiguration", &["Status"])?;
        let root = document.root();
        Ok(Self { status: text(root, "Status"), mfa_delete: text(root, "MfaDelete") })
    }
}

operation! {
    /// Turns versioning of a bucket on or off. "PutBucketVersioning", S3 API reference.
    pub struct PutBucketVersioning on bucket {
        /// The state that it is to have.
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
