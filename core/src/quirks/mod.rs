//! What known providers need, as data.
//!
//! S3 is what Amazon does; others follow it as far as their users asked. [`Quirks`] says how far,
//! in the points on which a client acts, and [`Provider`] names those of whom something is known.
//! Nothing is guessed from a host's name, except that Amazon's are Amazon's: name the provider in
//! the configuration, or change single fields.

mod providers;

use std::fmt;
use std::str::FromStr;

pub use self::providers::Provider;
use self::providers::{NAMES, OTHER};
use crate::checksum::Algorithm;
use crate::error::Error;

/// Where a bucket's name goes in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Addressing {
    /// In the path for a custom endpoint; in the host on AWS, where the name can be a host label.
    #[default]
    Auto,
    /// In the path. An access point's ARN and acceleration go by host all the same, since they
    /// have no other form.
    Path,
    /// In the host, where the name can be a host label and the server is not an IP address; in
    /// the path otherwise.
    Virtual,
}

/// What one server or service does, where servers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quirks {
    /// Where a bucket's name goes when the configuration says `auto`.
    pub addressing: Addressing,
    /// Whether ListObjectsV2 works; where not, ListObjects does.
    pub list_objects_v2: bool,
    /// Whether `encoding-type=url` on listings does what it should.
    pub list_url_encoding: bool,
    /// Whether multipart uploads work.
    pub multipart: bool,
    /// Whether UploadPartCopy works; where not, a copy is limited to CopyObject's 5 GiB.
    pub multipart_copy: bool,
    /// Whether the ETag of an object put in one request, and not encrypted by the server with
    /// SSE-KMS or SSE-C, is its MD5.
    pub etag_is_md5: bool,
    /// Whether the ETag of a multipart upload is the MD5 of its parts' MD5s, and `-N`.
    pub multipart_etag_is_md5: bool,
    /// Whether `BucketAlreadyExists` means that the bucket is someone else's; where not, it may be
    /// one's own.
    pub already_exists_is_foreign: bool,
    /// Whether PutObject is known to heed `If-None-Match: *`. Where not it may be ignored and the
    /// object overwritten: ask by HEAD before.
    pub conditional_put: bool,
    /// Whether CompleteMultipartUpload is known to heed it too.
    pub conditional_complete: bool,
    /// Whether HEAD and GET heed `partNumber`, so that the sizes of parts can be asked for.
    pub part_number: bool,
    /// The checksum algorithms that a PutObject may carry in a header; the first is the one to
    /// take when none is named. Empty: none, send `Content-MD5`.
    pub checksums: &'static [Algorithm],
    /// The same for UploadPart.
    pub part_checksums: &'static [Algorithm],
    /// Whether CreateMultipartUpload takes the checksum type `FULL_OBJECT`.
    pub full_object_checksums: bool,
    /// Whether `x-amz-sdk-checksum-algorithm` may be sent. Some refuse the request for it, and
    /// Ceph 20 ignores the checksum without it.
    pub sdk_algorithm_header: bool,
    /// Whether a checksum in a trailer is understood *and* compared. Where not, the request may be
    /// refused, the value ignored, or the framing stored as if it were the object.
    pub verifies_trailers: bool,
    /// Whether `Content-Encoding: aws-chunked` goes with a framed body. Amazon's documentation
    /// demands it; no other server needed it, and several store it with the object.
    pub aws_chunked_content_encoding: bool,
    /// Whether signed chunks (`STREAMING-AWS4-HMAC-SHA256-PAYLOAD`) are understood.
    pub signed_chunks: bool,
    /// Whether operations that insist on a digest of their body (DeleteObjects, bucket
    /// configuration) must have `Content-MD5`: a checksum header does not count.
    pub content_md5_required: bool,
    /// Whether `UNSIGNED-PAYLOAD` works over https.
    pub unsigned_payload: bool,
    /// Whether an object that is stored with a coding comes without it unless the request takes the
    /// coding: then GET and HEAD say `Accept-Encoding: gzip`, others `identity`.
    pub transcodes: bool,
    /// The most parts that an upload may have.
    pub max_parts: u32,
    /// The least size of a part but the last, in bytes.
    pub min_part_size: u64,
    /// The largest object, in bytes.
    pub max_object_size: u64,
}

impl Quirks {
    /// What is known of a provider by its name, in any case.
    ///
    /// # Errors
    ///
    /// [`Kind::Caller`](crate::Kind::Caller) for a name that is not in [`Provider::ALL`].
    pub fn of(name: &str) -> Result<Self, Error> {
        name.parse().map(Provider::quirks)
    }

    /// Whether a PutObject may carry this algorithm in a header.
    pub fn takes(&self, algorithm: Algorithm) -> bool {
        self.checksums.contains(&algorithm)
    }
}

impl Default for Quirks {
    fn default() -> Self {
        OTHER
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Provider {
    type Err = Error;

    /// Reads a name or an alias, in any case. An unknown one is the caller's fault.
    fn from_str(name: &str) -> Result<Self, Error> {
        let known = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|&(_, provider)| provider).ok_or_else(|| {
            let shown: String = name.chars().take(32).collect();
            Error::caller(format!("nothing is known of a provider {shown:?}: say `other`"))
        })
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Provider {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Provider {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quirks::providers::GIB;

    #[test]
    fn names_are_read_back_in_any_case() {
        for provider in Provider::ALL {
            let name = provider.name();
            assert_eq!(name, name.to_lowercase());
            assert_eq!(name.to_uppercase().parse::<Provider>().unwrap(), *provider);
        }
        for (at, (name, _)) in NAMES.iter().enumerate() {
            assert!(!NAMES[at + 1..].iter().any(|(other, _)| other == name), "{name}");
        }
        assert_eq!("RGW".parse::<Provider>().unwrap(), Provider::Ceph);
        assert_eq!(Quirks::of("nobody").unwrap_err().kind(), crate::Kind::Caller);
    }

    // rclone's table: `p` by path, `v1` ListObjects, `nu` no listing encoding, `ne` no multipart
    // ETag, `na` no meaning in BucketAlreadyExists. Ceph, Swift, Garage and s3s were tried, and
    // differ from it or are not in it.
    #[test]
    fn what_rclone_knows() {
        for (names, flags) in [
            ("minio exaba outscale scality spectralogic zadara flashblade", "p"),
            ("r2 hitachi", "p ne"),
            ("fastly mega rclone", "p na ne"),
            ("ibm magalu seaweedfs other", "p v1 nu ne na"),
            ("huawei", "v1 nu na"),
            ("alibaba cubbit", "ne"),
            ("tencent ucloud", "v1 ne na"),
            ("netease", "v1 nu ne na"),
            ("arvancloud chinamobile", "p v1 nu na"),
            ("bizflycloud liara qiniu", "p nu ne na"),
            ("filelu", "p nu ne"),
            ("ionos zeroservices", "p nu na"),
            ("digitalocean dreamhost", "nu na"),
            ("selectel servercore", "nu"),
            ("lyvecloud rackcorp synology zata", "ne na"),
            ("idrive", "p na"),
            ("storj hetzner leviia petabox", "na"),
            ("gcs scaleway intercolo impossiblecloud linode ovh rabata wasabi", ""),
        ] {
            let is = |flag: &str| flags.split(' ').any(|each| each == flag);
            for name in names.split(' ') {
                let quirks = Quirks::of(name).unwrap();
                assert_eq!(quirks.addressing == Addressing::Path, is("p"), "{name}");
                assert_eq!(!quirks.list_objects_v2, is("v1"), "{name}");
                assert_eq!(!quirks.list_url_encoding, is("nu"), "{name}");
                assert_eq!(!quirks.multipart_etag_is_md5, is("ne"), "{name}");
                assert_eq!(!quirks.already_exists_is_foreign, is("na"), "{name}");
            }
        }
    }

    #[test]
    fn limits_agree_with_each_other() {
        for provider in Provider::ALL {
            let quirks = provider.quirks();
            let parts = if quirks.multipart { u64::from(quirks.max_parts) } else { 1 };
            assert!(quirks.max_object_size <= parts * 5 * GIB, "{provider}");
            assert!(quirks.part_checksums.iter().all(|&each| quirks.takes(each)), "{provider}");
            let amazon = *provider == Provider::Aws;
            assert_eq!(quirks.aws_chunked_content_encoding, amazon, "{provider}");
        }
        assert_eq!(Provider::Aws.quirks().checksums.first(), Some(&Algorithm::Crc32));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn providers_are_words_to_serde() {
        assert_eq!(serde_json::to_string(&Provider::R2).unwrap(), "\"r2\"");
        let read: Provider = serde_json::from_str("\"Cloudflare\"").unwrap();
        assert_eq!(read, Provider::R2);
        assert!(serde_json::from_str::<Provider>("\"nobody\"").is_err());
    }
}
