//! What is stored with an object, in either protocol.

use std::collections::BTreeMap;

use crate::now::Timestamp;
use crate::{s3, swift};

/// What is stored with an object, in either protocol, and returned with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// `Content-Type`.
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
    /// The object's own metadata, without `x-amz-meta-` or `x-object-meta-`.
    pub metadata: BTreeMap<String, String>,
}

/// The conversions of one protocol, whose types have the same fields and others.
macro_rules! conversions {
    ($protocol:ident) => {
        impl From<Properties> for $protocol::Properties {
            fn from(properties: Properties) -> Self {
                Self {
                    content_type: properties.content_type,
                    content_encoding: properties.content_encoding,
                    content_disposition: properties.content_disposition,
                    content_language: properties.content_language,
                    cache_control: properties.cache_control,
                    expires: properties.expires,
                    metadata: properties.metadata,
                    ..Self::default()
                }
            }
        }

        /// Of the response to a HEAD or a GET of an object.
        impl From<&$protocol::ObjectHead> for Properties {
            fn from(head: &$protocol::ObjectHead) -> Self {
                Self {
                    content_type: head.content_type.clone(),
                    content_encoding: head.content_encoding.clone(),
                    content_disposition: head.content_disposition.clone(),
                    content_language: head.content_language.clone(),
                    cache_control: head.cache_control.clone(),
                    expires: head.expires.as_deref().and_then(Timestamp::parse_http),
                    metadata: head.metadata.clone(),
                }
            }
        }
    };
}

conversions!(s3);
conversions!(swift);
