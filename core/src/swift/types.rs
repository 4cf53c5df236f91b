//! Types of the operations' members.

use std::collections::BTreeMap;

use crate::now::Timestamp;
use crate::secret::Secret;
use crate::swift::request::{Members, Request};
use crate::swift::service::Service;

pub use crate::http::{ByteRange, Conditions, ETag};

/// Metadata of an account, container or object: names without the prefix `X-Object-Meta-` (or that
/// of accounts or containers), values as sent.
///
/// Servers keep the bytes of a value and treat them as UTF-8. They return names in any case, so
/// names in responses are in lower case here. Swift accepts 90 items, 128 bytes in a name, 256 in a
/// value and 4,096 in all, unless `/info` says otherwise.
pub type Metadata = BTreeMap<String, String>;

/// What is stored with an object beside its bytes, in PutObject, PostObject, CopyObject and
/// manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// `Content-Type`; without it the server guesses the type from the name.
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Expires`: when copies in caches expire.
    pub expires: Option<Timestamp>,
    /// When the server deletes the object.
    pub expiry: Option<Expiry>,
    /// The object's own metadata.
    pub metadata: Metadata,
}

impl Properties {
    /// Returns properties with this content type only.
    pub fn content_type(content_type: impl Into<String>) -> Self {
        Self { content_type: Some(content_type.into()), ..Self::default() }
    }
}

impl Members<Service> for Properties {
    fn apply(&self, request: &mut Request<'_>) {
        request
            .header("content-type", self.content_type.as_ref())
            .header("content-encoding", self.content_encoding.as_ref())
            .header("content-disposition", self.content_disposition.as_ref())
            .header("content-language", self.content_language.as_ref())
            .header("cache-control", self.cache_control.as_ref())
            .header("expires", self.expires.map(Timestamp::http_date))
            .with(&self.expiry)
            .items("x-object-meta-", &self.metadata);
    }
}

/// When the server deletes an object by itself. "Expiring object support", Swift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expiry {
    /// `X-Delete-At`; a time in the past is refused.
    At(Timestamp),
    /// `X-Delete-After`, in seconds from when the server receives it; 0 is refused.
    After(u64),
}

impl Members<Service> for Expiry {
    fn apply(&self, request: &mut Request<'_>) {
        match self {
            Self::At(at) => request.header("x-delete-at", Some(at.unix().to_string())),
            Self::After(seconds) => request.header_number("x-delete-after", Some(*seconds)),
        };
    }
}

/// Removes the keys of temporary URLs from metadata.
pub(super) fn temp_url_keys(metadata: &mut Metadata) -> [Option<Secret>; 2] {
    ["temp-url-key", "temp-url-key-2"].map(|name| metadata.remove(name).map(Secret::new))
}
