//! What helps after a refusal: the table of servers' words, and of the settings that help.
//!
//! The first row that applies is used. A setting is named as the library spells it and, where an
//! image service's configuration has it, as that does (`s3_store_…`). The words are those of the
//! servers named beside each row; `core/tests/it/s3_hints.rs` has them in full. Many of these refusals
//! are also acted upon, and not seen by a caller: see `negotiation`.

use http::StatusCode;

use crate::error::{Error, ExchangeErrorKind, Kind};
use crate::quirks::Addressing;

/// A row: when it applies, and the advice. An empty list means any.
struct Row {
    on: On,
    /// Words in the message, in lower case; one of them is enough.
    says: &'static [&'static str],
    advice: &'static str,
}

/// What failed.
enum On {
    /// A request with one of these statuses and codes.
    Refused(&'static [u16], &'static [&'static str]),
    /// This operation, with one of these statuses.
    Operation(&'static str, &'static [u16]),
    /// A request whose response is not S3's: the page of a web server.
    Page,
    /// A request to a custom endpoint with the bucket in its host, with this code.
    InHost(&'static str),
    /// An exchange over https (true) or http.
    Exchange(ExchangeErrorKind, bool),
}

/// How the service addresses its server.
#[derive(Clone, Copy)]
pub(super) struct Way {
    /// Whether over https.
    pub(super) tls: bool,
    /// Where a bucket's name goes at a custom endpoint; `None` on AWS.
    pub(super) addressing: Option<Addressing>,
}

/// Returns the advice about the error of a call.
pub(super) fn of_error(error: &Error, way: Way) -> Option<&'static str> {
    let message = error.server_message().unwrap_or_default().to_ascii_lowercase();
    let detail = error.exchange_error().map(|exchange| exchange.to_string().to_ascii_lowercase());
    let text = detail.as_deref().unwrap_or(&message);
    let status = error.status().map(|status| status.as_u16());
    let is_refusal = error.kind() == Kind::Refused;
    let has_status = |statuses: &[u16]| {
        statuses.is_empty() || status.is_some_and(|status| statuses.contains(&status))
    };
    let applies = |row: &Row| {
        let on = match row.on {
            On::Refused(statuses, codes) => {
                is_refusal
                    && has_status(statuses)
                    && (codes.is_empty() || error.code().is_some_and(|code| codes.contains(&code)))
            }
            On::Operation(name, statuses) => {
                is_refusal && error.operation() == Some(name) && has_status(statuses)
            }
            On::InHost(code) => {
                error.code() == Some(code) && way.addressing == Some(Addressing::Virtual)
            }
            On::Exchange(kind, tls) => {
                tls == way.tls && error.exchange_error().is_some_and(|it| it.kind() == kind)
            }
            On::Page => false,
        };
        on && says(row, text)
    };
    TABLE.iter().find(|row| applies(row)).map(|row| row.advice)
}

/// Returns the advice about a response whose body is not a document of S3's.
pub(super) fn of_page(status: StatusCode, body: &[u8]) -> Option<&'static str> {
    if !status.is_client_error() {
        return None;
    }
    let text = String::from_utf8_lossy(&body[..body.len().min(LONGEST_PAGE)]).to_ascii_lowercase();
    let row = TABLE.iter().find(|row| matches!(row.on, On::Page) && says(row, &text));
    row.map(|row| row.advice)
}

fn says(row: &Row, text: &str) -> bool {
    row.says.is_empty() || row.says.iter().any(|words| text.contains(words))
}

/// How many bytes of a page are searched.
const LONGEST_PAGE: usize = 4096;

/// What helps where a proxy or gateway limits the size of a request.
pub(crate) const TOO_LARGE: &str = "a proxy may limit the size of a request: lower `threshold` \
                                    (`s3_store_large_object_size`), so that the object is sent in \
                                    parts";

const CONTENT_MD5: &str = "the server requires Content-MD5: set checksum placement to \
                           `content-md5` (`Policy::placement`, `s3_store_checksum_placement`)";

const NO_FRAMES: &str = "the server does not support framed bodies: set checksum placement to `header` \
     (`Policy::placement`, `s3_store_checksum_placement`) and `Config::payload` to `Signed` or \
     `Unsigned`";

const HTTPS: &str =
    "the port is one of https: set the endpoint to `https://HOST` (`s3_store_host`)";

const TABLE: &[Row] = &[
    // nginx, squid and other proxies.
    Row { on: On::Refused(&[413], &[]), says: &[], advice: TOO_LARGE },
    // Checksums and framed bodies: Ceph 16, Amazon, MinIO, Oracle, Backblaze, Cloudflare, OVHcloud.
    Row {
        on: On::Refused(&[411], &["MissingContentLength"]),
        says: &[],
        advice: "the server requires Content-Length: set checksum placement to `header` \
                 (`Policy::placement`, `s3_store_checksum_placement`)",
    },
    Row {
        on: On::Refused(&[400], &["XAmzContentSHA256Mismatch"]),
        says: &[],
        advice: "the server may not support trailers or framed bodies: set checksum placement to \
                 `header` (`Policy::placement`, `s3_store_checksum_placement`) and \
                 `Config::payload` to `Signed` or `Unsigned`",
    },
    Row {
        on: On::Refused(&[400], &["InvalidTrailer", "MalformedTrailerError"]),
        says: &[],
        advice: "the server does not support trailers: set checksum placement to `header` \
                 (`Policy::placement`, `s3_store_checksum_placement`)",
    },
    Row {
        on: On::Refused(&[400], &["MissingContentMD5", "MissingDigest"]),
        says: &[],
        advice: CONTENT_MD5,
    },
    Row {
        on: On::Refused(&[400], &["InvalidRequest", "InvalidArgument"]),
        says: &["content-md5"],
        advice: CONTENT_MD5,
    },
    Row {
        on: On::Refused(&[400, 501], &[]),
        says: &["x-amz-sdk-checksum-algorithm"],
        advice: "the server does not support this header: set `Policy::sdk_algorithm_header` \
                 (`sdk_checksum_algorithm_header`) to false, or set the provider \
                 (`s3_store_provider`)",
    },
    Row {
        on: On::Refused(&[400, 501], &[]),
        says: &["x-amz-checksum-mode"],
        advice: "the server sends no checksums: leave out `checksum_mode`, or set \
                 `response_checksum_validation` to `never` \
                 (`s3_store_response_checksum_validation`)",
    },
    Row {
        on: On::Refused(&[400, 501], &["InvalidRequest", "InvalidArgument", "NotImplemented"]),
        says: &["x-amz-checksum", "checksum algorithm"],
        advice: "the server does not support this checksum: set `checksum_algorithm` to another \
                 one (`s3_store_checksum_algorithm`), checksum placement to `content-md5` \
                 (`s3_store_checksum_placement`), or `request_checksum_calculation` to `never` \
                 (`s3_store_request_checksum_calculation`)",
    },
    Row {
        on: On::Refused(&[400, 501], &["InvalidRequest", "InvalidArgument", "NotImplemented"]),
        says: &["trailer", "aws-chunked", "streaming-"],
        advice: NO_FRAMES,
    },
    // Conditions: Amazon, Alibaba.
    Row {
        on: On::Refused(&[400, 501], &[]),
        says: &["if-none-match"],
        advice: "the server does not support `If-None-Match` here: leave out \
                 `Conditions::if_none_match`, or use `Upload`, which then looks for an object \
                 instead",
    },
    // DeleteObjects: Google, s3proxy and others. `DeleteMany` needs no setting.
    Row {
        on: On::Operation("DeleteObjects", &[405, 501]),
        says: &[],
        advice: "the server does not support DeleteObjects: use `DeleteMany`, which then deletes \
                 the objects one by one",
    },
    // ListMultipartUploads: LeoFS, lakeFS. Of the others, MinIO lists uploads of one key only.
    Row {
        on: On::Operation("ListMultipartUploads", &[405, 501]),
        says: &[],
        advice: "the server does not list multipart uploads: let it remove incomplete ones by a \
                 lifecycle rule (`apus uploads expire`), if it supports one",
    },
    // ListObjectVersions: Garage, R2.
    Row {
        on: On::Operation("ListObjectVersions", &[405, 501]),
        says: &[],
        advice: "the server has no versions of objects: use ListObjectsV2 or ListObjects",
    },
    // HAProxy, lighttpd and others before a server.
    Row {
        on: On::Refused(&[417], &[]),
        says: &[],
        advice: "a proxy does not support `Expect`: set `TransportConfig::expect_continue_above` \
                 to `None`",
    },
    // Addressing and regions: Alibaba, Amazon, Garage.
    Row {
        on: On::Refused(&[], &["SecondLevelDomainForbidden"]),
        says: &[],
        advice: "the server requires the bucket in the host name: set addressing to `virtual` \
                 (`s3_store_bucket_url_format`)",
    },
    Row {
        on: On::InHost("NoSuchBucket"),
        says: &[],
        advice: "if the bucket exists, the server may not read its name from the host: set \
                 addressing to `path` (`s3_store_bucket_url_format`)",
    },
    Row {
        on: On::Refused(&[301, 307], &["PermanentRedirect", "TemporaryRedirect"]),
        says: &[],
        advice: "the bucket is in another region: set the region (`EndpointConfig::region`, \
                 `s3_store_region_name`) and the endpoint (`s3_store_host`) of the bucket",
    },
    Row {
        on: On::Refused(
            &[],
            &["AuthorizationHeaderMalformed", "IllegalLocationConstraintException"],
        ),
        says: &["region", "expected", "location"],
        advice: "the server expects a signature for another region: set the region \
                 (`EndpointConfig::region`, `s3_store_region_name`)",
    },
    // Encryption and locks: Amazon, MinIO.
    Row {
        on: On::Refused(&[400], &["InvalidRequest", "InvalidArgument"]),
        says: &["must be made over a secure connection"],
        advice: "customer-provided keys (SSE-C) require https: set the endpoint to `https://HOST` \
                 (`s3_store_host`)",
    },
    Row {
        on: On::Refused(&[], &[]),
        says: &["kms is not configured", "kms not configured"],
        advice: "the server has no KMS: leave out `Encryption::algorithm` and \
                 `Encryption::kms_key_id`",
    },
    Row {
        on: On::Refused(
            &[],
            &["KMS.NotFoundException", "KMS.DisabledException", "KMS.KMSInvalidStateException"],
        ),
        says: &[],
        advice: "set `Encryption::kms_key_id` to a key that exists in the bucket's region and is \
                 enabled",
    },
    Row {
        on: On::Refused(&[400], &["InvalidRequest"]),
        says: &["missing object lock configuration", "missing objectlockconfiguration"],
        advice: "the bucket has no Object Lock: create it with `CreateBucket::object_lock_enabled`, \
                 or leave out `Properties::lock`",
    },
    // Clocks: all.
    Row {
        on: On::Refused(&[], &["RequestTimeTooSkewed", "RequestExpired"]),
        says: &[],
        advice: "set the clock of this machine: it differs from the server's by more than 15 \
                 minutes",
    },
    // Payment and acceleration: Google, Amazon.
    Row {
        on: On::Refused(&[], &[]),
        says: &["requester pays", "requester-pays", "x-amz-request-payer"],
        advice: "the requester pays for this bucket: set `CommonParams::request_payer` to \
                 `requester`",
    },
    Row {
        on: On::Refused(&[400], &["InvalidRequest"]),
        says: &["transfer acceleration"],
        advice: "set `EndpointConfig::accelerate` to false, or configure acceleration of the bucket",
    },
    // Signatures of version 2 only: Ceph before Jewel, Riak CS, old appliances.
    Row {
        on: On::Refused(&[400, 403], &[]),
        says: &["unsupported authorization type", "only signature version 2"],
        advice: "the server may support signatures of version 2 only, which apus does not make: \
                 enable version 4 at the server",
    },
    // Storage classes, parts: Amazon, Ceph, Cloudflare, Scaleway.
    Row {
        on: On::Refused(&[], &["InvalidStorageClass"]),
        says: &[],
        advice: "the server has no such storage class: set `Properties::storage_class` to one that \
                 it has, or leave it out",
    },
    Row {
        on: On::Refused(&[400], &["InvalidPart"]),
        says: &["same length"],
        advice: "the server requires parts of equal size: set the provider to `r2` \
                 (`s3_store_provider`)",
    },
    Row {
        on: On::Refused(&[400], &["EntityTooSmall"]),
        says: &[],
        advice: "a part is smaller than the server's minimum: raise `UploadOptions::part_size` \
                 (`s3_store_large_object_chunk_size`), or set the provider (`s3_store_provider`)",
    },
    Row {
        on: On::Refused(&[400], &["EntityTooLarge"]),
        says: &[],
        advice: "the request exceeds the server's maximum: lower `threshold` \
                 (`s3_store_large_object_size`) or `UploadOptions::part_size` \
                 (`s3_store_large_object_chunk_size`)",
    },
    Row {
        on: On::Refused(&[400], &["InvalidArgument", "InvalidPartNumber"]),
        says: &["part number must be"],
        advice: "the upload has too many parts for the server: raise `UploadOptions::part_size` \
                 (`s3_store_large_object_chunk_size`), or set the provider (`s3_store_provider`)",
    },
    // http at a port of https: nginx, Apache, Go (MinIO).
    Row {
        on: On::Page,
        says: &[
            "plain http request was sent to https port",
            "speaking plain http to an ssl-enabled server port",
            "client sent an http request to an https server",
        ],
        advice: HTTPS,
    },
    Row { on: On::Exchange(ExchangeErrorKind::Protocol, false), says: &[], advice: HTTPS_PERHAPS },
    // https at a port of http: rustls.
    Row {
        on: On::Exchange(ExchangeErrorKind::Tls, true),
        says: &["invalidcontenttype", "corrupt message"],
        advice: "the port may be one of http: set the endpoint to `http://HOST` (`s3_store_host`)",
    },
    Row {
        on: On::Refused(&[501], &["NotImplemented"]),
        says: &[],
        advice: "the server does not support this operation or one of its options",
    },
];

const HTTPS_PERHAPS: &str =
    "if the port is one of https, set the endpoint to `https://HOST` (`s3_store_host`)";
