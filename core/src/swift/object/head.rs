//! What the headers of a response say about an object.

use crate::checksum::NotValidatedReason;
use crate::error::Error;
use crate::escape;
use crate::http::{Headers, Reply};
use crate::now::Timestamp;
use crate::swift::request::check_container;
use crate::swift::types::{ETag, Metadata};

/// The head of an object, as GetObject and HeadObject return it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectHead {
    /// The bytes of the whole object; `None` where the server does not report them. For a dynamic
    /// large object with more segments than a page of a listing has, servers report 0 or the size
    /// of one page. Such a value is taken as not reported, and so is the 0 of an empty one.
    pub size: Option<u64>,
    /// The bytes of this response's body: fewer than `size` for a range.
    pub content_length: Option<u64>,
    /// The object's ETag: the MD5 of its bytes, or, of a large object, that of its segments' ETags.
    pub etag: Option<ETag>,
    /// When it was last modified, rounded up to the second.
    pub last_modified: Option<Timestamp>,
    /// When it was last modified, in seconds since 1970 with a fraction, as sent: `X-Timestamp`.
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
    /// `Expires`, as sent.
    pub expires: Option<String>,
    /// `Content-Range`, as sent.
    pub content_range: Option<String>,
    /// The object's own metadata.
    pub metadata: Metadata,
    /// Whether it is the manifest of a static large object.
    pub is_slo: bool,
    /// The container and prefix of a dynamic large object's segments.
    pub dlo: Option<Prefix>,
    /// When the server deletes it.
    pub delete_at: Option<Timestamp>,
    /// The number of segments, if one of them was requested.
    pub parts_count: Option<u32>,
    /// The id of the request in the server's log: `X-Trans-Id`.
    pub trans_id: Option<String>,
}

impl ObjectHead {
    pub(crate) fn read(reply: &Reply) -> Self {
        let headers = Headers(&reply.head.headers);
        let content_length = reply.content_length();
        let size = match reply.content_range() {
            Some(range) => range.total,
            None => content_length,
        };
        let mut head = Self { size, content_length, ..Self::default() };
        for (name, field) in headers.fields() {
            match name {
                "cache-control" => head.cache_control = Some(field.text()),
                "content-disposition" => head.content_disposition = Some(field.text()),
                "content-encoding" => head.content_encoding = Some(field.text()),
                "content-language" => head.content_language = Some(field.text()),
                "content-range" => head.content_range = Some(field.text()),
                "content-type" => head.content_type = Some(field.text()),
                "etag" => {
                    head.etag = Some(ETag::from(field.text())).filter(|etag| !etag.is_empty());
                }
                "expires" => head.expires = Some(field.text()),
                "last-modified" => {
                    head.last_modified = field.plain().and_then(Timestamp::parse_http);
                }
                "x-delete-at" => head.delete_at = field.parsed().map(Timestamp::from_unix),
                "x-object-manifest" => head.dlo = Prefix::parse(&field.text()),
                "x-parts-count" => head.parts_count = field.parsed(),
                "x-static-large-object" => head.is_slo = field.flag() == Some(true),
                "x-timestamp" => head.timestamp = Some(field.text()),
                "x-trans-id" => head.trans_id = Some(field.text()),
                _ => {}
            }
        }
        head.metadata = headers.items("x-object-meta-");
        // The ETag is that of the manifest itself if not all segments were read.
        let of_manifest = head.etag.as_ref().is_some_and(|etag| etag.opaque() == MD5_OF_NOTHING);
        if head.dlo.is_some() && (head.size == Some(0) || of_manifest) {
            head.size = None;
        }
        head
    }

    /// Whether the object is a large object, whose bytes are those of its segments.
    pub fn is_large(&self) -> bool {
        self.is_slo || self.dlo.is_some()
    }

    /// Returns the MD5 of this response's body in hexadecimal digits, if the ETag is that MD5.
    ///
    /// # Errors
    ///
    /// The reason why it is not.
    pub fn md5(&self) -> Result<&str, NotValidatedReason> {
        let Some(etag) = &self.etag else { return Err(NotValidatedReason::Absent) };
        if self.is_large() {
            return Err(NotValidatedReason::Composite);
        }
        if self.content_range.is_some() && self.content_length != self.size {
            return Err(NotValidatedReason::Partial);
        }
        if is_md5(etag.opaque()) { Ok(etag.opaque()) } else { Err(NotValidatedReason::Absent) }
    }
}

/// What the response to a write says about the stored object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The ETag of the stored object; empty if the server sent none.
    pub etag: ETag,
    /// When it was stored, rounded up to the second.
    pub last_modified: Option<Timestamp>,
    /// The id of the request in the server's log: `X-Trans-Id`.
    pub trans_id: Option<String>,
}

impl From<ObjectHead> for Stored {
    fn from(head: ObjectHead) -> Self {
        let etag = head.etag.unwrap_or_default();
        Self { etag, last_modified: head.last_modified, trans_id: head.trans_id }
    }
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

/// Compares an ETag with the expected MD5. An ETag that is not an MD5 proves nothing and is
/// accepted.
pub(in crate::swift) fn same_md5(etag: &ETag, md5: &str) -> Result<(), Error> {
    let have = etag.opaque();
    if !is_md5(have) || !is_md5(md5) || have.eq_ignore_ascii_case(md5) {
        return Ok(());
    }
    Err(Error::integrity(format!("the server's ETag is {have}, but the sent bytes have MD5 {md5}")))
}

/// The segments of a dynamic large object: all objects of this container whose names begin with
/// this prefix, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// The container.
    pub container: String,
    /// The prefix of the segments' names.
    pub prefix: String,
}

impl Prefix {
    /// Returns the segments in this container with this prefix.
    pub fn new(container: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self { container: container.into(), prefix: prefix.into() }
    }

    /// Reads `X-Object-Manifest`, whose container and prefix are percent-encoded. A slash before
    /// the container, which old clients wrote, is skipped.
    pub fn parse(header: &str) -> Option<Self> {
        let header = header.trim();
        let decoded = escape::decode(header).map_or_else(|| header.to_owned(), Into::into);
        let (container, prefix) = decoded.trim_start_matches('/').split_once('/')?;
        (!container.is_empty()).then(|| Self::new(container, prefix))
    }

    /// Writes the value of `X-Object-Manifest`.
    pub fn header(&self) -> String {
        let prefix = escape::path(&self.prefix);
        // Swift refuses a prefix that begins with a slash, unless the slash is escaped.
        let (slash, rest) = match prefix.strip_prefix('/') {
            Some(rest) => ("%2F", rest),
            None => ("", prefix.as_str()),
        };
        format!("{}/{slash}{rest}", escape::query(&self.container))
    }

    /// Refuses values that Swift refuses.
    pub(in crate::swift) fn check(&self) -> Result<(), Error> {
        check_container(&self.container)?;
        if self.prefix.is_empty() {
            return Err(Error::invalid_input("the prefix of the segments is empty"));
        }
        Ok(())
    }
}

const MD5_OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

pub(in crate::swift) fn is_md5(tag: &str) -> bool {
    tag.len() == 32 && tag.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swift::testing::answer;

    #[test]
    fn where_segments_are_is_escaped_and_read_back() {
        for (prefix, header) in [
            (Prefix::new("c", "o/123/"), "c/o/123/"),
            (Prefix::new("c d", "ö?&%/x"), "c%20d/%C3%B6%3F%26%25/x"),
            (Prefix::new("c", "/x"), "c/%2Fx"),
        ] {
            assert_eq!(prefix.header(), header);
            assert_eq!(Prefix::parse(header), Some(prefix));
        }
        assert_eq!(Prefix::parse("/c/x"), Some(Prefix::new("c", "x")));
        assert_eq!(Prefix::parse("c"), None);
        assert_eq!(Prefix::parse("/"), None);
    }

    // A segmented object of Swift 2.38, asked for its second part.
    #[test]
    fn a_part_of_a_static_large_object() {
        let head = ObjectHead::read(&answer(
            206,
            "content-length: 5\ncontent-range: bytes 6-10/11\nx-parts-count: 2\n\
             etag: \"a9241ba5acd28b215123d94a556f0dcc\"\nx-static-large-object: True\n\
             x-timestamp: 1700000000.12345\nx-delete-at: 1800000000\n\
             last-modified: Tue, 14 Nov 2023 22:13:21 GMT\nx-object-meta-mtime: 1.5\n\
             x-object-meta-n: gr\u{fc}n\nx-trans-id: tx1",
            "world",
        ));
        assert_eq!(
            (head.size, head.content_length, head.parts_count),
            (Some(11), Some(5), Some(2))
        );
        assert_eq!(head.etag.as_ref().unwrap().opaque(), "a9241ba5acd28b215123d94a556f0dcc");
        assert_eq!(head.delete_at.unwrap().unix(), 1_800_000_000);
        assert_eq!(head.metadata["mtime"], "1.5");
        assert_eq!(head.metadata["n"], "grün");
        assert_eq!(head.timestamp.as_deref(), Some("1700000000.12345"));
        assert!(head.is_large());
        assert_eq!(head.md5(), Err(NotValidatedReason::Composite));
    }

    #[test]
    fn a_tag_is_an_md5_of_whole_plain_objects_only() {
        let md5 = |headers: &str, body: &str| {
            let head = ObjectHead::read(&answer(200, headers, body));
            head.md5().map(str::to_owned)
        };
        let plain = "content-length: 5\netag: 5d41402abc4b2a76b9719d911017c592";
        assert_eq!(md5(plain, "hello").unwrap(), "5d41402abc4b2a76b9719d911017c592");
        let range =
            "content-length: 2\ncontent-range: bytes 0-1/5\netag: 5d41402abc4b2a76b9719d911017c592";
        assert_eq!(md5(range, "he"), Err(NotValidatedReason::Partial));
        let dlo = format!("{plain}\nx-object-manifest: c%20/p");
        assert_eq!(md5(&dlo, "hello"), Err(NotValidatedReason::Composite));
        assert_eq!(md5("etag: \"abc-2\"", ""), Err(NotValidatedReason::Absent));
        assert_eq!(md5("", ""), Err(NotValidatedReason::Absent));
    }

    // Swift 2.38, five segments of 100,000 bytes where a page has three: HEAD, and a range.
    #[test]
    fn the_size_of_more_segments_than_a_page_is_not_told() {
        let size = |headers: &str, tag: &str| {
            let headers = format!("{headers}\netag: {tag}\nx-object-manifest: s/dlo/");
            ObjectHead::read(&answer(200, &headers, "")).size
        };
        let (own, whole) = (MD5_OF_NOTHING, "\"ffaec7dbc1237bcd97b32355293cb83b\"");
        let range = "content-length: 100\ncontent-range: bytes 100-199/";
        assert_eq!(size("content-length: 0", own), None);
        assert_eq!(size("content-length: 0", whole), None);
        assert_eq!(size(&format!("{range}300000"), own), None);
        assert_eq!(size(&format!("{range}500000"), whole), Some(500_000));
        assert_eq!(size("content-length: 500000", whole), Some(500_000));
        assert_eq!(ObjectHead::read(&answer(200, "content-length: 0", "")).size, Some(0));
    }
}
