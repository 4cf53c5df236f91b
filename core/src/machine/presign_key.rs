//! The key of presigned URLs, where the server has it.

use std::sync::Arc;

use crate::contract::{Machine, PresignKey, Service};
use crate::error::Error;
use crate::http::Draft;

/// A service whose server has the key of presigned URLs, or none that signs with the client's own.
pub trait PresignKeys: Service + Sized {
    /// Returns the machine that reads the key for presigned URLs of this draft.
    ///
    /// # Errors
    ///
    /// The service has no such keys, or the draft is for none of them.
    fn presign_key(
        self: &Arc<Self>,
        draft: &Draft,
        seed: u64,
    ) -> Result<Box<dyn Machine<Output = PresignKey> + Send>, Error> {
        let _ = (draft, seed);
        Err(Error::invalid_input("these credentials can't presign a URL"))
    }
}

impl PresignKeys for crate::s3::Service {}
