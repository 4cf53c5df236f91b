//! What the headers of an answer say of an object.

use crate::checksum::Why;
use crate::error::Error;
use crate::escape;
use crate::http::{Headers, Reply};
use crate::now::Timestamp;
use crate::swift::types::{ETag, Metadata};

/// An object as GetObject and HeadObject describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectHead {
    /// Bytes of the whole object; `None` where the server does not say, as for a dynamic large object
    /// of more segments than a listing has.
    pub size: Option<u64>,
    /// Bytes of this answer's body: less than `size` for a range.
    pub content_length: Option<u64>,
    /// The object's tag: the MD5 of its bytes, or, of a large object, that of its segments' tags.
    pub etag: Option<ETag>,
    /// When it was written, rounded up to the second.
    pub last_modified: Option<Timestamp>,
    /// When it was written, in seconds since 1970 with a fraction, as it was told: `X-Timestamp`.
    pub timestamp: Option<String>,
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
    /// `Expires`, as it was written.
    pub expires: Option<String>,
    /// `Content-Range`, as it was written.
    pub content_range: Option<String>,
    /// The object's own metadata.
    pub metadata: Metadata,
    /// Whether it is the manifest of a static large object.
    pub is_slo: bool,
    /// What a dynamic large object is made of.
    pub dlo: Option<Prefix>,
    /// When the server removes it.
    pub delete_at: Option<Timestamp>,
    /// How many segments it has, where one of them was asked for.
    pub parts_count: Option<u32>,
    /// What identifies the answer in the server's log.
    pub trans_id: Option<String>,
}

impl ObjectHead {
    pub(crate) fn read(reply: &Reply) -> Self {
        let head = Headers(&reply.head.headers);
        let content_length = reply.content_length();
        let size = match reply.content_range() {
            Some(range) => range.total,
            None => content_length,
        };
        Self {
            size,
            content_length,
            etag: head.text("etag").map(ETag::from).filter(|etag| !etag.is_empty()),
            last_modified: head.plain("last-modified").and_then(Timestamp::parse_http),
            timestamp: head.text("x-timestamp"),
            content_type: head.text("content-type"),
            content_encoding: head.text("content-encoding"),
            content_disposition: head.text("content-disposition"),
            content_language: head.text("content-language"),
            cache_control: head.text("cache-control"),
            expires: head.text("expires"),
            content_range: head.text("content-range"),
            metadata: head.items("x-object-meta-"),
            is_slo: head.flag("x-static-large-object") == Some(true),
            dlo: head.text("x-object-manifest").and_then(|text| Prefix::parse(&text)),
            delete_at: head.number("x-delete-at").map(Timestamp::from_unix),
            parts_count: head.number("x-parts-count"),
            trans_id: head.text("x-trans-id"),
        }
    }

    /// Whether its bytes are those of other objects.
    pub fn is_large(&self) -> bool {
        self.is_slo || self.dlo.is_some()
    }

    /// The MD5 of this answer's body in hexadecimal digits, where the ETag is that.
    ///
    /// # Errors
    ///
    /// Why it is not.
    pub fn md5(&self) -> Result<&str, Why> {
        let Some(etag) = &self.etag else { return Err(Why::Absent) };
        if self.is_large() {
            return Err(Why::Composite);
        }
        if self.content_range.is_some() && self.content_length != self.size {
            return Err(Why::Partial);
        }
        if is_md5(etag.opaque()) { Ok(etag.opaque()) } else { Err(Why::Absent) }
    }
}

/// What the answer to a write says of what was stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The tag of what was stored; empty where the server gave none.
    pub etag: ETag,
    /// When, rounded up to the second.
    pub last_modified: Option<Timestamp>,
    /// What identifies the answer in the server's log.
    pub trans_id: Option<String>,
}

impl Stored {
    pub(in crate::swift) fn read(reply: &Reply) -> Self {
        let head = Headers(&reply.head.headers);
        Self {
            etag: head.text("etag").map(ETag::from).unwrap_or_default(),
            last_modified: head.plain("last-modified").and_then(Timestamp::parse_http),
            trans_id: head.text("x-trans-id"),
        }
    }
}

/// Compares a tag with the MD5 that it should be; what is no MD5 says nothing.
pub(in crate::swift) fn same_md5(etag: &ETag, md5: &str) -> Result<(), Error> {
    let have = etag.opaque();
    if !is_md5(have) || !is_md5(md5) || have.eq_ignore_ascii_case(md5) {
        return Ok(());
    }
    Err(Error::integrity(format!("the server has {have} as the ETag of what is {md5}")))
}

/// Where the segments of a dynamic large object are: every object of this container whose name
/// begins so, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// The container.
    pub container: String,
    /// How the segments' names begin.
    pub prefix: String,
}

impl Prefix {
    /// Segments in this container whose names begin so.
    pub fn new(container: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self { container: container.into(), prefix: prefix.into() }
    }

    /// Reads `X-Object-Manifest`, whose container and prefix are percent-encoded; a slash before the
    /// container, which old clients wrote, does not count.
    pub fn parse(header: &str) -> Option<Self> {
        let header = header.trim();
        let decoded = escape::decode(header).map_or_else(|| header.to_owned(), Into::into);
        let (container, prefix) = decoded.trim_start_matches('/').split_once('/')?;
        (!container.is_empty()).then(|| Self::new(container, prefix))
    }

    /// As `X-Object-Manifest` has it.
    pub fn header(&self) -> String {
        format!("{}/{}", escape::query(&self.container), escape::path(&self.prefix))
    }
}

pub(in crate::swift) fn is_md5(tag: &str) -> bool {
    tag.len() == 32 && tag.bytes().all(|byte| byte.is_ascii_hexdigit())
}
