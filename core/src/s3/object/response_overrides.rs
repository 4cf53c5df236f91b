//! Response headers that a request overrides.

use crate::now::Timestamp;
use crate::s3::request::{Members, Request};
use crate::s3::service::Service;

/// Response headers that override the stored ones (`response-*` query parameters). Only signed
/// requests may have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseOverrides {
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Expires`.
    pub expires: Option<Timestamp>,
}

impl Members<Service> for ResponseOverrides {
    fn apply(&self, request: &mut Request<'_>) {
        request
            .query("response-cache-control", self.cache_control.as_ref())
            .query("response-content-disposition", self.content_disposition.as_ref())
            .query("response-content-encoding", self.content_encoding.as_ref())
            .query("response-content-language", self.content_language.as_ref())
            .query("response-content-type", self.content_type.as_ref())
            .query("response-expires", self.expires.map(Timestamp::http_date));
    }
}
