//! The known differences between providers of S3, as data.
//!
//! S3 is defined by what Amazon does; other servers follow it in part. [`Quirks`] holds the
//! differences on which a client depends, and [`Provider`] names the servers and services with
//! known ones. The provider is never derived from a host name, except for Amazon's: name the
//! provider in the configuration, or change single fields.

mod profiles;
mod providers;

use std::fmt;
use std::str::FromStr;

pub use self::profiles::{Profile, SigningRegion};
pub use self::providers::Provider;
use self::providers::{NAMES, OTHER};
use crate::checksum::Algorithm;
use crate::error::Error;

/// Where a request carries the bucket's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Addressing {
    /// In the path for a custom endpoint; in the host on AWS, if the name can be a host label.
    #[default]
    Auto,
    /// In the path. An access point's ARN and acceleration use the host nevertheless, since they
    /// have no other form: botocore's client ignores `path` there too.
    Path,
    /// In the host, if the name can be a host label and the server is not an IP address; otherwise
    /// in the path.
    Virtual,
}

/// The behaviour of one server or service, where servers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quirks {
    /// Where the bucket's name goes if the configuration says `auto`.
    pub addressing: Addressing,
    /// Whether ListObjectsV2 works. If not, ListObjects does.
    pub list_objects_v2: bool,
    /// Whether `encoding-type=url` works in listings.
    pub list_url_encoding: bool,
    /// Whether multipart uploads work.
    pub multipart: bool,
    /// Whether UploadPartCopy works. If not, a copy is limited to CopyObject's 5 GiB.
    pub multipart_copy: bool,
    /// Whether the ETag is the MD5 of an object that was put in one request and is not encrypted
    /// with SSE-KMS or SSE-C.
    pub etag_is_md5: bool,
    /// Whether the ETag of a multipart upload is the MD5 of its parts' MD5s, followed by `-N`.
    pub multipart_etag_is_md5: bool,
    /// Whether `BucketAlreadyExists` means that another account owns the bucket. If not, it may be
    /// our own.
    pub already_exists_is_foreign: bool,
    /// Whether PutObject is known to respect `If-None-Match: *`. If not, it may be ignored and the
    /// object overwritten: send a HEAD before.
    pub conditional_put: bool,
    /// Whether CompleteMultipartUpload is known to respect it too.
    pub conditional_complete: bool,
    /// Whether DeleteObject and DeleteObjects are known to respect `If-Match`.
    pub conditional_delete: bool,
    /// Whether HEAD and GET respect `partNumber`, so that the sizes of parts can be requested.
    pub part_number: bool,
    /// The checksum algorithms that a PutObject may carry in a header. The first is used if none
    /// is named. If there are none, send `Content-MD5`.
    pub checksums: &'static [Algorithm],
    /// The checksum algorithms that an UploadPart may carry in a header, as for `checksums`.
    pub part_checksums: &'static [Algorithm],
    /// Whether CreateMultipartUpload accepts the checksum type `FULL_OBJECT`.
    pub full_object_checksums: bool,
    /// Whether `x-amz-sdk-checksum-algorithm` may be sent. Some servers refuse a request that has
    /// it; Ceph 20 ignores the checksum without it.
    pub sdk_algorithm_header: bool,
    /// Whether a checksum in a trailer is supported *and* compared. If not, the request may be
    /// refused, the value ignored, or the framing stored as part of the object.
    pub verifies_trailers: bool,
    /// Whether `Content-Encoding: aws-chunked` is sent with a framed body. Amazon's documentation
    /// requires it; no other server needed it, and several store it with the object.
    pub aws_chunked_content_encoding: bool,
    /// Whether signed chunks (`STREAMING-AWS4-HMAC-SHA256-PAYLOAD`) are supported.
    pub signed_chunks: bool,
    /// Whether operations that require a digest of their body (DeleteObjects, bucket
    /// configuration) need `Content-MD5`, as a checksum header is not enough.
    pub content_md5_required: bool,
    /// Whether these operations send `Content-MD5` unless checksums or another algorithm than CRC32
    /// are asked for: every server accepts it, and an unknown one may refuse the other digests.
    pub content_md5_preferred: bool,
    /// Whether an object that is stored with an Object Lock needs a digest: `Content-MD5` is sent
    /// where no checksum is. Amazon refuses the request otherwise; every server accepts the digest.
    pub locks_need_digest: bool,
    /// Whether `UNSIGNED-PAYLOAD` works over https.
    pub unsigned_payload: bool,
    /// Whether the server is known to support annotations of objects. A copy in parts looks for
    /// those of its source only there.
    pub annotations: bool,
    /// Whether the server decodes an object that is stored with a content coding, unless the
    /// request accepts the coding. If so, GET and HEAD send `Accept-Encoding: gzip`; all other
    /// requests send `identity`.
    pub transcodes: bool,
    /// Whether all parts of an upload except the last must have the same size. Parts of a stream of
    /// unknown length don't grow then, so that the largest possible object is smaller.
    pub equal_parts: bool,
    /// The largest number of parts of an upload.
    pub max_parts: u32,
    /// The smallest size in bytes of a part that is not the last.
    pub min_part_size: u64,
    /// The largest size of an object in bytes.
    pub max_object_size: u64,
}

impl Quirks {
    /// Returns the quirks of the provider with this name or alias, in any case.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidInput`](crate::Kind::InvalidInput) if no provider in [`Provider::ALL`] has this name.
    pub fn of(name: &str) -> Result<Self, Error> {
        name.parse().map(Provider::quirks)
    }

    /// Returns whether a PutObject may carry this algorithm in a header.
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

    /// Reads a name or an alias, in any case. An unknown one is an error of the caller.
    fn from_str(name: &str) -> Result<Self, Error> {
        let known = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|&(_, provider)| provider).ok_or_else(|| {
            let shown: String = name.chars().take(32).collect();
            Error::invalid_input(format!(
                "unknown provider {shown:?}: for a provider that is not listed, use `other`"
            ))
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
        assert_eq!(Quirks::of("nobody").unwrap_err().kind(), crate::Kind::InvalidInput);
    }

    // rclone's table: `p` by path, `v1` ListObjects, `nu` no listing encoding, `ne` no multipart
    // ETag, `na` no meaning in BucketAlreadyExists. Ceph, Swift, Garage and s3s were tried: they
    // differ from it, or are not in it.
    #[test]
    fn what_rclone_knows() {
        for (names, flags) in [
            ("minio exaba outscale scality spectralogic zadara flashblade", "p"),
            // rclone still has random ETags for R2, which they were until June 21, 2023.
            ("r2", "p"),
            ("hitachi", "p ne"),
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
