//! The differences between servers.

/// How a server differs from others. The default is [`Manners::aws`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manners {
    /// Whether `x-amz-checksum-*` is verified, kept and returned.
    pub checksums: bool,
    /// Whether an object without a checksum gets a CRC64NVME.
    pub default_checksum: bool,
    /// Whether `STREAMING-…-TRAILER` is supported.
    pub trailers: bool,
    /// Whether `If-None-Match` and `If-Match` of a write are honoured.
    pub conditional_writes: bool,
    /// Whether `If-Match` of GetObject is honoured (s3s-fs does not).
    pub conditional_reads: bool,
    /// The region that the body of a refusal names, where it is another one than its header has.
    pub region_in_body: Option<String>,
    /// Whether DeleteObjects requires `Content-MD5` or a checksum.
    pub digest_required: bool,
    /// Headers that are refused with 501, by the beginning of their lower-case names.
    pub refused_headers: Vec<&'static str>,
    /// How CompleteMultipartUpload writes the ETag.
    pub complete_etag: CompleteEtag,
    /// Whether a repeated completion gets the same response, rather than `NoSuchUpload`.
    pub complete_again: bool,
    /// Whether a request must be signed for the bucket's region.
    pub check_region: bool,
    /// Whether a request's date may differ from the server's by 15 minutes at most.
    pub check_clock: bool,
    /// The region of buckets, unless [`S3Model::bucket_in`](super::S3Model::bucket_in) sets
    /// another.
    pub region: String,
    /// The domain below which the host names the bucket.
    pub domain: String,
    /// The smallest size of a part except the last, in bytes.
    pub min_part_size: u64,
    /// The largest object of PutObject and CopyObject and the largest part, in bytes.
    pub max_put_size: u64,
    /// The largest part number.
    pub max_parts: u32,
}

/// How CompleteMultipartUpload writes the ETag in its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompleteEtag {
    /// In quotes.
    Quoted,
    /// Without quotes (Ceph 18).
    Unquoted,
    /// Not at all: the element is empty (Ceph 16).
    Empty,
}

impl Manners {
    /// Returns the behaviour of Amazon S3, except that region and clock are not checked.
    pub fn aws() -> Self {
        Self {
            checksums: true,
            default_checksum: true,
            trailers: true,
            conditional_writes: true,
            conditional_reads: true,
            region_in_body: None,
            digest_required: true,
            refused_headers: Vec::new(),
            complete_etag: CompleteEtag::Quoted,
            complete_again: false,
            check_region: false,
            check_clock: false,
            region: "us-east-1".to_owned(),
            domain: "localhost".to_owned(),
            min_part_size: 5 << 20,
            max_put_size: 5 << 30,
            max_parts: 10_000,
        }
    }

    /// Returns the behaviour of Ceph 16: no checksums, no trailers, an empty ETag in the response
    /// to CompleteMultipartUpload, which can be repeated.
    pub fn ceph16() -> Self {
        Self {
            checksums: false,
            default_checksum: false,
            trailers: false,
            digest_required: false,
            complete_etag: CompleteEtag::Empty,
            complete_again: true,
            ..Self::aws()
        }
    }

    /// Sets the smallest size of a part, so that a test can use small parts.
    pub fn with_min_part_size(mut self, bytes: u64) -> Self {
        self.min_part_size = bytes;
        self
    }
}

impl Default for Manners {
    fn default() -> Self {
        Self::aws()
    }
}
