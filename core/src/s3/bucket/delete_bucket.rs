//! DeleteBucket.

use crate::s3::operation::*;

operation! {
    /// Deletes an empty bucket. "DeleteBucket", S3 API reference.
    pub struct DeleteBucket on bucket {}
}

impl Operation for DeleteBucket {
    facts!(DeleteBucket in bucket: Idempotent -> () = error::accepted);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::bucket(service, Self::NAME, Method::DELETE, &self.bucket)?
            .expected_owner(&self.expected_bucket_owner)
            .finish()
    }

    fn recover(&self, _: &Service, doubt: &Doubt<'_>) -> Recovery<()> {
        let gone = doubt.error.code() == Some("NoSuchBucket") || doubt.error.is_bare_not_found();
        if gone { Recovery::Done(()) } else { Recovery::Unknown }
    }

    fn look_at(&self) -> String {
        format!("whether bucket {} exists", self.bucket)
    }
}
