//! What the members of operations are made of.

use std::collections::BTreeMap;

use crate::now::Timestamp;
use crate::secret::Secret;
use crate::swift::request::{Members, Request};
use crate::swift::service::Service;

pub use crate::http::{ByteRange, Conditions, ETag};

/// Metadata of an account, container or object: names without `X-Object-Meta-` and its like, values
/// as they go on the wire.
///
/// Servers keep the bytes of a value as they are and take them for UTF-8; names come back in
/// whatever case and are therefore in lower case here. Swift takes 90 items, 128 bytes of a name,
/// 256 of a value and 4,096 in all, unless `/info` says otherwise.
pub type Metadata = BTreeMap<String, String>;

/// What is stored with an object beside its bytes: members that PutObject, PostObject, CopyObject
/// and manifests share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// `Content-Type`; without it the server guesses by the name.
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Expires`: when caches should let go of it.
    pub expires: Option<Timestamp>,
    /// When the server removes it.
    pub expiry: Option<Expiry>,
    /// The object's own metadata.
    pub metadata: Metadata,
}

impl Properties {
    /// Only a content type.
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

/// When the server removes an object by itself. "Expiring object support", Swift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expiry {
    /// `X-Delete-At`; a time that has passed is refused.
    At(Timestamp),
    /// `X-Delete-After`, in seconds from when the server has it; 0 is refused.
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

/// Takes the keys of temporary URLs out of metadata.
pub(super) fn temp_url_keys(metadata: &mut Metadata) -> [Option<Secret>; 2] {
    ["temp-url-key", "temp-url-key-2"].map(|name| metadata.remove(name).map(Secret::new))
}
