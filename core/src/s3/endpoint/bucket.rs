//! The rules for bucket names, and for names that can be part of a host.

use crate::base_url::is_ipv4;
use crate::error::Error;

/// Checks a bucket name; fails for invalid names and for kinds of buckets that need another
/// protocol.
///
/// AWS and its SDKs accept 1 to 255 letters, digits, dots, hyphens and underscores (old buckets in
/// us-east-1 have such names; the rules for new buckets are stricter). A custom endpoint may also
/// have a colon: Ceph separates tenant and bucket with it.
pub(crate) fn check(bucket: &str, custom_endpoint: bool) -> Result<(), Error> {
    let legal = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'-' | b'_')
            || (byte == b':' && custom_endpoint)
    };
    let dots = matches!(bucket, "." | "..");
    if bucket.is_empty() || bucket.len() > 255 || dots || !bucket.bytes().all(legal) {
        return Err(Error::invalid_input(format!(
            "invalid bucket name {bucket:?}: expected 1 to 255 letters, digits, `.`, `-` and `_`"
        )));
    }
    // The name of every special kind of bucket ends in `-s3`.
    if !bucket.ends_with("-s3") {
        return Ok(());
    }
    let unsupported = match bucket {
        _ if bucket.ends_with("--x-s3") => "a directory bucket (S3 Express One Zone)",
        _ if bucket.ends_with("--xa-s3") => "an access point of a directory bucket (S3 Express)",
        // An alias contains an ID and a region, so shorter names are ordinary buckets.
        _ if bucket.ends_with("--op-s3") && bucket.len() >= 50 => "an alias on S3 Outposts",
        _ => return Ok(()),
    };
    Err(Error::invalid_input(format!("bucket `{bucket}` is {unsupported}, which is not supported")))
}

/// Returns whether the name can be the first label of a host with a wildcard certificate.
pub(super) fn is_host_label(bucket: &str) -> bool {
    !bucket.contains('.') && is_host_name(bucket)
}

/// Returns whether the name can be the beginning of a host; it may contain dots.
pub(super) fn is_host_name(bucket: &str) -> bool {
    bucket.len() >= 3
        && !bucket.bytes().any(|byte| byte.is_ascii_uppercase())
        && !is_ipv4(bucket)
        && bucket.split('.').all(is_label)
}

/// Returns whether the text is a host label (RFC 1123): 1 to 63 letters, digits and inner hyphens.
pub(super) fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}
