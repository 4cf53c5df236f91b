//! What providers document about how their service is reached, with the source of each fact.
//!
//! [`Quirks`](super::Quirks) has what requests depend on. A profile has what a caller configures, and
//! what a provider refuses whatever the request looks like. A fact without a source is not here.

use super::Provider;
use crate::error::Error;

/// How the service of a provider is reached, and what it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// The URL of the service; names in braces are to be replaced ([`Profile::url`]). `None` for
    /// software that is reached where its operator installed it.
    pub endpoint: Option<&'static str>,
    /// The region that requests are signed for.
    pub region: SigningRegion,
    /// Operations and options that the service refuses, by their names in S3's API.
    pub refused: &'static [&'static str],
    /// Where this is documented: URLs of the provider's pages, unless another name stands before.
    pub sources: &'static [&'static str],
}

/// The region that requests are signed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SigningRegion {
    /// The one in the endpoint, `{region}`.
    OfEndpoint,
    /// Always this one.
    Fixed(&'static str),
    /// Not documented: leave it to the default, or ask the operator.
    Unknown,
}

impl Profile {
    /// Returns the URL of the service, with these values for the names in braces.
    ///
    /// ```
    /// use apus_core::quirks::Provider;
    ///
    /// let wasabi = Provider::Wasabi.profile().unwrap();
    /// let url = wasabi.url(&[("region", "eu-central-1")])?;
    /// assert_eq!(url, "https://s3.eu-central-1.wasabisys.com");
    /// # Ok::<(), apus_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The service has no fixed URL, or a name has no value.
    pub fn url(&self, values: &[(&str, &str)]) -> Result<String, Error> {
        let Some(mut rest) = self.endpoint else {
            return Err(Error::invalid_input("the provider has no fixed endpoint"));
        };
        let mut url = String::with_capacity(rest.len() + 16);
        while let Some((before, (name, after))) =
            rest.split_once('{').and_then(|(before, at)| Some((before, at.split_once('}')?)))
        {
            let value = values.iter().find(|(known, _)| *known == name);
            let (_, value) = value.ok_or_else(|| {
                Error::invalid_input(format!("the endpoint requires a value for `{name}`"))
            })?;
            url.push_str(before);
            url.push_str(value);
            rest = after;
        }
        url.push_str(rest);
        Ok(url)
    }

    /// Returns the region to sign for, where `region` is that of the endpoint.
    pub fn signing_region<'a>(&self, region: &'a str) -> &'a str {
        match self.region {
            SigningRegion::Fixed(fixed) => fixed,
            SigningRegion::OfEndpoint | SigningRegion::Unknown => region,
        }
    }
}

impl Provider {
    /// Returns how the service of this provider is reached, where that is known.
    pub const fn profile(self) -> Option<Profile> {
        Some(match self {
            Self::Oci => OCI,
            Self::R2 => R2,
            Self::Gcs => GCS,
            Self::B2 => B2,
            Self::Garage => GARAGE,
            Self::Minio => MINIO,
            Self::Wasabi => WASABI,
            Self::Hetzner => HETZNER,
            Self::Scaleway => SCALEWAY,
            Self::Ovh => OVH,
            Self::StorageGrid => STORAGEGRID,
            Self::Dell => DELL,
            _ => return None,
        })
    }
}

const OCI: Profile = Profile {
    endpoint: Some("https://{namespace}.compat.objectstorage.{region}.oraclecloud.com"),
    region: SigningRegion::OfEndpoint,
    refused: &["addressing by virtual host", "a CRC32 with DeleteObjects"],
    sources: &[
        "https://docs.oracle.com/en-us/iaas/Content/Object/Tasks/s3compatibleapi.htm",
        "https://docs.oracle.com/en-us/iaas/releasenotes/objectstorage/amazon_s3_compatibility_api_deleteobjects_bulkdelete_supports_new_checksum_algorithms.htm",
        "issue: earth-mover/icechunk 2109",
    ],
};

const R2: Profile = Profile {
    endpoint: Some("https://{account}.r2.cloudflarestorage.com"),
    region: SigningRegion::Fixed("auto"),
    refused: &[
        "x-amz-sdk-checksum-algorithm",
        "STREAMING-… payloads",
        "ListObjectVersions",
        "FULL_OBJECT checksums other than CRC64NVME",
        "parts of different sizes",
    ],
    sources: &[
        "https://developers.cloudflare.com/r2/api/s3/api/",
        "https://developers.cloudflare.com/r2/objects/multipart-objects/",
        "https://developers.cloudflare.com/r2/reference/changelog/",
    ],
};

const GCS: Profile = Profile {
    endpoint: Some("https://storage.googleapis.com"),
    region: SigningRegion::Unknown,
    refused: &["x-amz-checksum-…", "UploadPartCopy", "conditions in multipart uploads"],
    sources: &[
        "https://docs.cloud.google.com/storage/docs/multipart-uploads",
        "https://docs.cloud.google.com/storage/docs/xml-api/reference-headers",
        "issue: aws/aws-sdk-java-v2 5987",
    ],
};

const B2: Profile = Profile {
    endpoint: Some("https://s3.{region}.backblazeb2.com"),
    region: SigningRegion::OfEndpoint,
    refused: &[
        "http",
        "signatures of version 2",
        "x-amz-sdk-checksum-algorithm",
        "x-amz-checksum-mode, formerly",
        "x-amz-tagging",
        "ACLs of objects",
    ],
    sources: &[
        "https://www.backblaze.com/apidocs/s3-copy-object",
        "issue: vatesfr/xen-orchestra 8358",
        "https://www.backblaze.com/docs/cloud-storage-call-the-s3-compatible-api",
        "https://www.backblaze.com/docs/cloud-storage-s3-compatible-api",
    ],
};

const GARAGE: Profile = Profile {
    endpoint: None,
    region: SigningRegion::Unknown,
    refused: &[
        "ListObjectVersions and PutBucketVersioning",
        "tags of objects",
        "ACLs of objects",
        "bucket policies",
    ],
    sources: &["https://garagehq.deuxfleurs.fr/documentation/reference-manual/s3-compatibility"],
};

const MINIO: Profile = Profile {
    endpoint: None,
    region: SigningRegion::Unknown,
    refused: &[
        "ListMultipartUploads of more than one key, which lists nothing",
        "AbortIncompleteMultipartUpload in lifecycle rules",
        "ACLs",
    ],
    sources: &[
        "https://docs.min.io/community/minio-object-store/reference/s3-api-compatibility.html",
    ],
};

const WASABI: Profile = Profile {
    endpoint: Some("https://s3.{region}.wasabisys.com"),
    region: SigningRegion::OfEndpoint,
    refused: &[],
    sources: &["https://docs.wasabi.com/docs/service-urls-for-wasabis-storage-regions"],
};

const HETZNER: Profile = Profile {
    endpoint: Some("https://{region}.your-objectstorage.com"),
    region: SigningRegion::OfEndpoint,
    refused: &[
        "server-side encryption other than SSE-C",
        "CopyObject of objects under a customer-provided key",
        "GetObjectAttributes",
        "PutBucketTagging",
    ],
    sources: &[
        "https://docs.hetzner.com/storage/object-storage/supported-actions/",
        "MotherDuck: https://motherduck.com/docs/integrations/cloud-storage/hetzner-object-storage.md",
    ],
};

const SCALEWAY: Profile = Profile {
    endpoint: Some("https://s3.{region}.scw.cloud"),
    region: SigningRegion::OfEndpoint,
    refused: &["more than 1,000 parts"],
    sources: &[
        "https://www.scaleway.com/en/docs/object-storage/api-cli/multipart-uploads/",
        "https://www.scaleway.com/en/docs/object-storage/reference-content/supported-checksums/",
    ],
};

const OVH: Profile = Profile {
    endpoint: Some("https://s3.{region}.io.cloud.ovh.net"),
    region: SigningRegion::OfEndpoint,
    refused: &["trailers", "DeleteObjects without Content-MD5"],
    sources: &[
        "https://www.mintlify.com/ovh/docs/storage/object-storage",
        "issue: ovh/public-cloud-roadmap 700",
        "issue: ovh/public-cloud-roadmap 763",
    ],
};

const STORAGEGRID: Profile = Profile {
    endpoint: None,
    region: SigningRegion::Unknown,
    refused: &[
        "x-amz-sdk-checksum-algorithm",
        "x-amz-trailer",
        "If-None-Match, where so configured",
    ],
    sources: &[
        "https://docs.netapp.com/us-en/storagegrid-120/s3/upload-part.html",
        "https://docs.netapp.com/us-en/storagegrid/release-notes/changes-to-s3-rest-api.html",
    ],
};

const DELL: Profile = Profile {
    endpoint: None,
    region: SigningRegion::Unknown,
    refused: &["DeleteObjects without Content-MD5"],
    sources: &[
        "Wasabi, ports 9021 (https) and 9020 (http): https://docs.wasabi.com/docs/what-are-the-wasabi-with-dell-objectscale-service-url-endpoints",
    ],
};
