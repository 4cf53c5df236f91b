//! What a bucket may be called, and which names can be part of a host.

use crate::base_url::is_ipv4;
use crate::error::Error;

/// Refuses what is no bucket's name, and the kinds of bucket that need another protocol.
///
/// AWS and its SDKs take 1 to 255 letters, digits, dots, hyphens and underscores (the oldest
/// buckets of us-east-1 have such names; today's rules are narrower). Other servers know a colon
/// too: Ceph separates tenant and bucket by it.
pub(super) fn check(bucket: &str, custom_endpoint: bool) -> Result<(), Error> {
    let legal = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'-' | b'_')
            || (byte == b':' && custom_endpoint)
    };
    let dots = matches!(bucket, "." | "..");
    if bucket.is_empty() || bucket.len() > 255 || dots || !bucket.bytes().all(legal) {
        return Err(Error::caller(format!(
            "{bucket:?} is no bucket's name: 1 to 255 letters, digits, `.`, `-` and `_`"
        )));
    }
    // Every name of a special kind ends in this.
    if !bucket.ends_with("-s3") {
        return Ok(());
    }
    let unsupported = match bucket {
        _ if bucket.ends_with("--x-s3") => "a directory bucket (S3 Express One Zone)",
        _ if bucket.ends_with("--xa-s3") => "an access point of a directory bucket (S3 Express)",
        // The alias carries an id and a region, so that shorter names are ordinary buckets.
        _ if bucket.ends_with("--op-s3") && bucket.len() >= 50 => "an alias on S3 Outposts",
        _ => return Ok(()),
    };
    Err(Error::caller(format!("`{bucket}` is {unsupported}, which is not supported")))
}

/// Whether the name can be the first label of a host under a wildcard certificate.
pub(super) fn is_host_label(bucket: &str) -> bool {
    !bucket.contains('.') && is_host_name(bucket)
}

/// Whether the name can be the beginning of a host, dots included.
pub(super) fn is_host_name(bucket: &str) -> bool {
    bucket.len() >= 3
        && !bucket.bytes().any(|byte| byte.is_ascii_uppercase())
        && !is_ipv4(bucket)
        && bucket.split('.').all(is_label)
}

/// RFC 1123's host label: 1 to 63 letters, digits and hyphens, the hyphens inside.
pub(super) fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}
