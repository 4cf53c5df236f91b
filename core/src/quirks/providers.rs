//! The table of providers, with the source of each fact.
//!
//! "Seen" is the behaviour of the server of that version when it was tried; "rclone" is the
//! provider table of rclone's S3 backend; a repository and a number is an issue there.

use super::{Addressing, Quirks};
use crate::checksum::Algorithm;

/// Declares [`Provider`]: each with the known facts and their sources, its names, and its quirks.
macro_rules! providers {
    ($($(#[$doc:meta])+ $provider:ident = $name:literal $(| $alias:literal)* => $quirks:expr;)+) => {
        /// A server or service with known quirks.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Provider {
            $($(#[$doc])+ $provider,)+
        }

        impl Provider {
            /// All providers.
            pub const ALL: &'static [Self] = &[$(Self::$provider,)+];

            /// Returns the name, in lower case.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$provider => $name,)+ }
            }

            /// Returns the known quirks.
            pub const fn quirks(self) -> Quirks {
                match self { $(Self::$provider => $quirks,)+ }
            }
        }

        pub(super) const NAMES: &[(&str, Provider)] =
            &[$(($name, Provider::$provider), $(($alias, Provider::$provider),)*)+];
    };
}

providers! {
    /// Amazon S3, in all of its partitions. The Amazon S3 User Guide and API Reference.
    Aws = "aws" | "amazon" => AWS;
    /// An unknown server: what the least capable server accepts. rclone's "Other": by path,
    /// ListObjects, no listing encoding, no meaning in multipart ETags and `BucketAlreadyExists`.
    /// All seven servers tried accept a checksum in a header, or ignore it without harm.
    #[default]
    Other = "other" => OTHER;

    /// Ceph's RADOS Gateway. Seen on 16.2, 18.2 and 20.2: ListObjectsV2 and listing encoding work;
    /// PutObject respects `If-None-Match: *`, CompleteMultipartUpload of 16 ignores it; 16 refuses
    /// trailers, and 18 accepts them unverified, as 20 does without `x-amz-sdk-checksum-algorithm`;
    /// 16 and 18 store `aws-chunked`, and their HEAD ignores `partNumber`; CompleteMultipartUpload
    /// of 16 returns an empty ETag, HEAD the right one. rclone: `BucketAlreadyExists` is
    /// unreliable.
    Ceph = "ceph" | "rgw" => Quirks {
        list_objects_v2: true,
        list_url_encoding: true,
        multipart_etag_is_md5: true,
        conditional_put: true,
        full_object_checksums: true,
        signed_chunks: true,
        ..OTHER
    };
    /// OpenStack Swift's own S3 API. Seen with Keystone: the five classic checksums and trailers
    /// are verified, multipart ETags are as Amazon's, `If-None-Match: *` is respected, GET by part
    /// number works; each minute, the first request with signed chunks gets a 501.
    Swift = "swift" | "s3api" => Quirks {
        list_objects_v2: true,
        multipart_etag_is_md5: true,
        conditional_put: true,
        part_number: true,
        verifies_trailers: true,
        ..OTHER
    };
    /// Garage. Seen on 2.5: checksums in headers and trailers are verified, composite only; listing
    /// encoding and `partNumber` work; `If-None-Match` on PUT is ignored, the object overwritten.
    Garage = "garage" => Quirks {
        list_objects_v2: true,
        list_url_encoding: true,
        multipart_etag_is_md5: true,
        part_number: true,
        verifies_trailers: true,
        signed_chunks: true,
        ..OTHER
    };
    /// MinIO. rclone: by path. minio/minio 20849: older releases require `Content-MD5` on
    /// DeleteObjects and lifecycle.
    Minio = "minio" => Quirks { content_md5_required: true, ..PATH };
    /// s3s-fs, the file server of the s3s framework. Seen on 0.14: checksums and trailers are
    /// verified, listing encoding is announced and not done, `aws-chunked` is stored, `partNumber`
    /// is ignored, `BucketAlreadyExists` is sent for one's own bucket.
    S3s = "s3s" | "s3s-fs" => Quirks {
        list_objects_v2: true,
        multipart_etag_is_md5: true,
        verifies_trailers: true,
        signed_chunks: true,
        ..OTHER
    };

    /// Google Cloud Storage's XML API. aws/aws-sdk-java-v2 5987: checksum headers result in
    /// `SignatureDoesNotMatch`, MD5 is required; rclone: no UploadPartCopy. "Transcoding of
    /// gzip-compressed files": objects stored as gzip are decoded for clients that do not accept
    /// gzip.
    Gcs = "gcs" | "google" => Quirks {
        multipart_copy: false,
        checksums: NONE,
        part_checksums: NONE,
        sdk_algorithm_header: false,
        content_md5_required: true,
        transcodes: true,
        ..HOST
    };
    /// Cloudflare R2. rclone: by path. Issues: no `STREAMING-*` payloads, refuses
    /// `x-amz-sdk-checksum-algorithm`, 501 for SHA-1 and SHA-256 on UploadPart; aws/aws-sdk-js-v3
    /// 6810: formerly no CRC32 either. "S3 API compatibility" of R2's documentation: the five classic
    /// checksums, `FULL_OBJECT` with CRC64NVME alone. "Multipart upload": all parts except the last
    /// must have the same size; ETags are as Amazon's since June 21, 2023.
    R2 = "r2" | "cloudflare" => Quirks {
        part_checksums: &[Algorithm::Crc32, Algorithm::Crc32c],
        sdk_algorithm_header: false,
        signed_chunks: false,
        equal_parts: true,
        ..PATH
    };
    /// Backblaze B2. Issues: `Unsupported header x-amz-sdk-checksum-algorithm`.
    B2 = "b2" | "backblaze" => Quirks { sdk_algorithm_header: false, ..OTHER };
    /// OVHcloud. OVH roadmap 700: trailers result in `InvalidArgument`; earth-mover/icechunk 2115:
    /// so does CRC32; OVH roadmap 763: DeleteObjects needs `Content-MD5`.
    Ovh = "ovh" | "ovhcloud" => Quirks {
        checksums: NONE,
        part_checksums: NONE,
        content_md5_required: true,
        ..HOST
    };
    /// Oracle Cloud Infrastructure's Amazon S3 Compatibility API. Oracle's release notes of July 17,
    /// 2026: DeleteObjects takes SHA-256 and CRC32C besides `Content-MD5`; earth-mover/icechunk
    /// 2109: it refuses CRC32. "Amazon S3 Compatibility API": by path.
    Oci = "oci" | "oracle" => Quirks {
        checksums: OCI,
        part_checksums: OCI,
        content_md5_required: true,
        ..PATH
    };
    /// IBM Cloud Object Storage. rclone; issues: DeleteObjects needs `Content-MD5`.
    Ibm = "ibm" | "ibmcos" => Quirks { content_md5_required: true, ..OTHER };
    /// Dell ECS and ObjectScale. Issues: DeleteObjects needs `Content-MD5`; some releases accept a
    /// hashed payload only with a checksum header.
    Dell = "dell" | "ecs" => Quirks { content_md5_required: true, ..OTHER };
    /// NetApp StorageGRID. "UploadPart" of 12.0's documentation: SHA-256 and `Content-MD5`, no
    /// `x-amz-sdk-checksum-algorithm` and no trailers. "Changes to S3 REST API support": 12.1 has CRC32,
    /// CRC32C and CRC64NVME too, and refuses or ignores `If-None-Match`, as configured.
    StorageGrid = "storagegrid" => Quirks {
        checksums: SHA256,
        part_checksums: SHA256,
        sdk_algorithm_header: false,
        ..OTHER
    };
    /// NetApp ONTAP. Issues: requires `x-amz-checksum-sha256`.
    Netapp = "netapp" | "ontap" => Quirks { checksums: SHA256, part_checksums: SHA256, ..OTHER };
    /// Tencent COS. rclone; issues: DeleteObjects needs `Content-MD5`;
    /// milvus-io/milvus-storage 454: ignores checksum headers.
    Tencent = "tencent" | "tencentcos" => Quirks {
        list_objects_v2: false,
        multipart_etag_is_md5: false,
        already_exists_is_foreign: false,
        content_md5_required: true,
        ..HOST
    };
    /// Huawei OBS. rclone: URL-encoded listings never end; milvus-io/milvus-storage 454: ignores
    /// checksum headers.
    Huawei = "huawei" | "huaweiobs" => Quirks {
        list_objects_v2: false,
        list_url_encoding: false,
        already_exists_is_foreign: false,
        ..HOST
    };
    /// Alibaba OSS. rclone; milvus-io/milvus-storage 454: ignores checksum headers.
    Alibaba = "alibaba" | "aliyun" => Quirks { multipart_etag_is_md5: false, ..HOST };
    /// Netease. rclone.
    Netease = "netease" => Quirks {
        list_objects_v2: false,
        list_url_encoding: false,
        multipart_etag_is_md5: false,
        already_exists_is_foreign: false,
        ..HOST
    };
    /// UCloud US3. rclone.
    Ucloud = "ucloud" => Quirks {
        list_objects_v2: false,
        multipart_etag_is_md5: false,
        already_exists_is_foreign: false,
        ..HOST
    };
    /// Scaleway. "Managing multipart uploads" of its documentation: at most 1,000 parts. "Supported
    /// checksums": the five classic ones.
    Scaleway = "scaleway" => {
        Quirks { max_parts: 1000, max_object_size: 1000 * 5 * GIB, ..HOST }
    };
    /// Storj's gateway. rclone: no UploadPartCopy, parts of at least 64 MiB.
    Storj = "storj" => Quirks {
        multipart_copy: false,
        already_exists_is_foreign: false,
        min_part_size: 64 * MIB,
        ..HOST
    };
    /// Fastly Object Storage. rclone: no multipart, ETags are not MD5.
    Fastly = "fastly" => Quirks {
        multipart: false,
        multipart_copy: false,
        max_object_size: 5 * GIB,
        etag_is_md5: false,
        multipart_etag_is_md5: false,
        already_exists_is_foreign: false,
        ..PATH
    };
    /// Hitachi HCP. rclone: multipart ETags are SHA-256.
    Hitachi = "hitachi" | "hcp" => Quirks { multipart_etag_is_md5: false, ..PATH };
    /// Mega S4. rclone.
    Mega = "mega" => NO_COPY;
    /// `rclone serve s3`. rclone.
    Rclone = "rclone" => NO_COPY;
    /// Magalu. rclone.
    Magalu = "magalu" => OTHER;
    /// SeaweedFS. rclone; responds to a range with the checksum of the whole object.
    Seaweedfs = "seaweedfs" => OTHER;
    /// ArvanCloud. rclone.
    Arvan = "arvancloud" => PATH_V1;
    /// China Mobile EOS. rclone.
    ChinaMobile = "chinamobile" => PATH_V1;
    /// Bizfly Cloud. rclone.
    Bizfly = "bizflycloud" => Quirks { list_objects_v2: true, ..OTHER };
    /// Liara. rclone.
    Liara = "liara" => Quirks { list_objects_v2: true, ..OTHER };
    /// Qiniu Kodo. rclone.
    Qiniu = "qiniu" => Quirks { list_objects_v2: true, ..OTHER };
    /// FileLu. rclone.
    Filelu = "filelu" => {
        Quirks { list_url_encoding: false, multipart_etag_is_md5: false, ..PATH }
    };
    /// IONOS. rclone.
    Ionos = "ionos" => Quirks { list_url_encoding: false, ..VAGUE_PATH };
    /// ZeroServices. rclone.
    ZeroServices = "zeroservices" => Quirks { list_url_encoding: false, ..VAGUE_PATH };
    /// IDrive e2. rclone.
    Idrive = "idrive" => VAGUE_PATH;
    /// DigitalOcean Spaces. rclone.
    DigitalOcean = "digitalocean" => Quirks { list_url_encoding: false, ..VAGUE_HOST };
    /// DreamObjects. rclone.
    Dreamhost = "dreamhost" => Quirks { list_url_encoding: false, ..VAGUE_HOST };
    /// Selectel. rclone.
    Selectel = "selectel" => Quirks { list_url_encoding: false, ..HOST };
    /// Servercore. rclone.
    Servercore = "servercore" => Quirks { list_url_encoding: false, ..HOST };
    /// Seagate Lyve Cloud. rclone.
    LyveCloud = "lyvecloud" => Quirks { multipart_etag_is_md5: false, ..VAGUE_HOST };
    /// RackCorp. rclone.
    Rackcorp = "rackcorp" => Quirks { multipart_etag_is_md5: false, ..VAGUE_HOST };
    /// Synology C2. rclone.
    Synology = "synology" => Quirks { multipart_etag_is_md5: false, ..VAGUE_HOST };
    /// Zata. rclone: no `UNSIGNED-PAYLOAD`.
    Zata = "zata" => {
        Quirks { multipart_etag_is_md5: false, unsigned_payload: false, ..VAGUE_HOST }
    };
    /// Cubbit DS3. rclone.
    Cubbit = "cubbit" => Quirks { multipart_etag_is_md5: false, ..HOST };
    /// Hetzner Object Storage. rclone.
    Hetzner = "hetzner" => VAGUE_HOST;
    /// Leviia. rclone.
    Leviia = "leviia" => VAGUE_HOST;
    /// Petabox. rclone.
    Petabox = "petabox" => VAGUE_HOST;
    /// Intercolo. rclone: supports trailers; whether it compares them is unknown.
    Intercolo = "intercolo" => HOST;
    /// Pure Storage FlashBlade. rclone.
    FlashBlade = "flashblade" => PATH;
    /// Exaba. rclone.
    Exaba = "exaba" => PATH;
    /// Outscale. rclone.
    Outscale = "outscale" => PATH;
    /// Scality. rclone.
    Scality = "scality" => PATH;
    /// Spectra Logic. rclone.
    SpectraLogic = "spectralogic" => PATH;
    /// Zadara. rclone.
    Zadara = "zadara" => PATH;
    /// Impossible Cloud. rclone: nothing special.
    ImpossibleCloud = "impossiblecloud" => HOST;
    /// Linode Object Storage. rclone: nothing special.
    Linode = "linode" => HOST;
    /// Rabata. rclone: nothing special.
    Rabata = "rabata" => HOST;
    /// Wasabi. rclone: nothing special.
    Wasabi = "wasabi" => HOST;
}

const MIB: u64 = 1 << 20;
pub(super) const GIB: u64 = 1 << 30;

const NONE: &[Algorithm] = &[];
const OCI: &[Algorithm] = &[Algorithm::Crc32c, Algorithm::Sha256];
const SHA256: &[Algorithm] = &[Algorithm::Sha256];
/// The five that the AWS SDKs compute. Every server tried accepts or ignores each.
const CLASSIC: &[Algorithm] = &[
    Algorithm::Crc32,
    Algorithm::Crc32c,
    Algorithm::Crc64Nvme,
    Algorithm::Sha1,
    Algorithm::Sha256,
];

pub(super) const AWS: Quirks = Quirks {
    addressing: Addressing::Auto,
    list_objects_v2: true,
    list_url_encoding: true,
    multipart: true,
    multipart_copy: true,
    etag_is_md5: true,
    multipart_etag_is_md5: true,
    already_exists_is_foreign: true,
    conditional_put: true,
    conditional_complete: true,
    conditional_delete: true,
    part_number: true,
    checksums: &Algorithm::ALL,
    part_checksums: &Algorithm::ALL,
    full_object_checksums: true,
    sdk_algorithm_header: true,
    verifies_trailers: true,
    aws_chunked_content_encoding: true,
    signed_chunks: true,
    content_md5_required: false,
    content_md5_preferred: false,
    locks_need_digest: true,
    unsigned_payload: true,
    annotations: true,
    transcodes: false,
    equal_parts: false,
    max_parts: 10_000,
    min_part_size: 5 * MIB,
    // 10,000 parts of 5 GiB, or 48.8 TiB.
    max_object_size: 10_000 * 5 * GIB,
};

/// A service that follows Amazon in the facts that rclone lists, addressed by host.
const HOST: Quirks = Quirks {
    addressing: Addressing::Virtual,
    conditional_put: false,
    conditional_complete: false,
    conditional_delete: false,
    part_number: false,
    checksums: CLASSIC,
    part_checksums: CLASSIC,
    full_object_checksums: false,
    verifies_trailers: false,
    aws_chunked_content_encoding: false,
    annotations: false,
    max_object_size: 5 * 1024 * GIB,
    ..AWS
};

/// A service like `HOST`, addressed by path.
const PATH: Quirks = Quirks { addressing: Addressing::Path, ..HOST };

const PATH_V1: Quirks = Quirks {
    list_objects_v2: false,
    list_url_encoding: false,
    already_exists_is_foreign: false,
    ..PATH
};

pub(super) const OTHER: Quirks = Quirks {
    multipart_etag_is_md5: false,
    // Seen: s3rver stores the framing as the object.
    signed_chunks: false,
    // Issues: s3proxy, CubeFS, Oracle and OVHcloud refuse DeleteObjects with a CRC32.
    content_md5_preferred: true,
    ..PATH_V1
};

/// A service whose `BucketAlreadyExists` may mean one's own bucket.
const VAGUE_HOST: Quirks = Quirks { already_exists_is_foreign: false, ..HOST };

const VAGUE_PATH: Quirks = Quirks { already_exists_is_foreign: false, ..PATH };

const NO_COPY: Quirks = Quirks {
    multipart_copy: false,
    multipart_etag_is_md5: false,
    already_exists_is_foreign: false,
    ..PATH
};
