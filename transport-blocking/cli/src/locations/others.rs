//! Locations of stores that are neither in S3 nor in Swift.

/// Returns why a location does not pass for one of another store; `None` if it does.
///
/// Only the schemes of glance_store's drivers pass, and no location that holds credentials: nothing
/// would remove them.
pub(super) fn problem(url: &str) -> Option<&'static str> {
    if url.is_empty() {
        return Some("url is empty");
    }
    if url.starts_with(|first: char| first.is_whitespace() || first.is_control()) {
        return Some("the location begins with white space");
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return Some("invalid location at byte 0: missing `://`");
    };
    if !SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Some("the scheme is that of no known store");
    }
    if rest.trim().is_empty() {
        return Some("the location names nothing after `://`");
    }
    has_credentials(rest).then_some(CREDENTIALS)
}

/// Returns whether there is a user before the host, or a signature in the query. A password may
/// contain a `/`, so text that is no port after the host's colon counts if an `@` follows.
fn has_credentials(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_cut = !authority.starts_with('[')
        && authority.split_once(':').is_some_and(|(_, port)| !is_port(port))
        && rest.contains('@');
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let names = query.split(['&', ';']).map(|pair| pair.split('=').next().unwrap_or_default());
    let is_signed =
        names.into_iter().any(|name| SIGNED.iter().any(|known| name.eq_ignore_ascii_case(known)));
    authority.contains('@') || is_cut || is_signed
}

/// The schemes of glance_store's drivers, today's and earlier ones.
const SCHEMES: [&str; 9] =
    ["file", "filesystem", "http", "https", "rbd", "cinder", "vsphere", "sheepdog", "gridfs"];

/// Parameters of a URL that is valid by itself: who has it needs no other credentials.
const SIGNED: [&str; 7] = [
    "X-Amz-Signature",
    "X-Amz-Security-Token",
    "AWSAccessKeyId",
    "Signature",
    "X-Goog-Signature",
    "temp_url_sig",
    "sig",
];

const CREDENTIALS: &str =
    "the location has credentials and belongs to another store: they are kept";

#[cfg(test)]
mod tests {
    use super::*;

    // The schemes are those that the drivers of glance_store 5.7 return from `get_schemes`.
    #[test]
    fn known_stores_pass_without_credentials() {
        for url in [
            "file:///var/lib/glance/images/a@b",
            "FILE:///a",
            "filesystem:///a",
            "http://host:8080/a@b:c",
            "https://[::1]:8080/a@b?x=1",
            "rbd://fsid/pool/image/snap",
            "rbd://image",
            "cinder://fast/0e0b3f0c",
            "vsphere://10.0.0.1/folder/a?dcPath=ha-datacenter&dsName=one",
        ] {
            assert_eq!(problem(url), None, "{url}");
        }
    }

    #[test]
    fn what_is_unknown_or_has_credentials_does_not_pass() {
        for url in [
            "",
            " s3+https://AK:SK@host/b/k",
            "\u{feff}s3://AK:SK@host/b/k",
            "\ts3://AK:SK@host/b/k",
            "s3+htps://AK:SK@host/b/k",
            "swft://p:u:k@host/c/o",
            "AK:SK@host/b/k",
            "host/b/k",
            "s3:/AK:SK@host/b/k",
            "file://",
            "http:// ",
            "http://user:pw@host/a",
            "https://user@host/a",
            "http://user:p/w@host/a",
            "http://user:p?w@host/a",
            "http://user:p#w@host/a",
            "vsphere://user:pw@host/folder/a",
            "https://host/a?x=1&X-Amz-Signature=0",
            "https://host/a?temp_url_sig=0&temp_url_expires=1",
        ] {
            assert!(problem(url).is_some(), "{url}");
        }
    }
}
