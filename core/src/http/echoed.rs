//! Secrets of a request that the response repeats, in a refusal or in the error that a success
//! reports in its body: old releases of Keystone name the token that
//! they do not find, and gateways print the request that they refuse.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

/// Returns the body with every value of a sensitive header that was `sent` replaced,
/// and that of its last word: the credentials behind the name of a scheme.
pub(super) fn without_secrets(body: BytesMut, sent: &HeaderMap) -> Bytes {
    let mut body = body.freeze();
    for value in sent.values().filter(|value| value.is_sensitive()) {
        let whole = value.as_bytes();
        let last = whole.rsplit(|byte| *byte == b' ').next().unwrap_or(whole);
        for secret in [whole, last] {
            body = without(body, secret);
        }
    }
    body
}

fn without(body: Bytes, secret: &[u8]) -> Bytes {
    let Some(first) = secret.first().filter(|_| secret.len() >= SHORTEST) else { return body };
    let find = |from: &[u8]| {
        let mut starts = from.iter().enumerate().filter(|(_, byte)| *byte == first);
        starts.find_map(|(at, _)| from.get(at..)?.starts_with(secret).then_some(at))
    };
    let mut kept = BytesMut::new();
    let mut rest = &body[..];
    while let Some(at) = find(rest) {
        kept.extend_from_slice(rest.get(..at).unwrap_or_default());
        kept.extend_from_slice(REPLACED);
        rest = rest.get(at + secret.len()..).unwrap_or_default();
    }
    if kept.is_empty() && rest.len() == body.len() {
        return body;
    }
    kept.extend_from_slice(rest);
    kept.freeze()
}

/// Bytes of the shortest value that is replaced: a shorter one is part of ordinary words.
const SHORTEST: usize = 8;
const REPLACED: &[u8] = b"[hidden]";

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn cleaned(body: &str, values: &[&'static str]) -> String {
        let mut sent = HeaderMap::new();
        for value in values {
            let mut value = HeaderValue::from_static(value);
            value.set_sensitive(true);
            sent.append("x-auth-token", value);
        }
        sent.insert("range", HeaderValue::from_static("bytes=0-1000"));
        let body = without_secrets(BytesMut::from(body), &sent);
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[test]
    fn each_place_is_replaced_and_nothing_else() {
        let body = "Could not find token: gAAAAgAAAAB. X-Auth-Token: gAAAAgAAAAB";
        let clean = "Could not find token: [hidden]. X-Auth-Token: [hidden]";
        assert_eq!(cleaned(body, &["gAAAAgAAAAB"]), clean);
        assert_eq!(cleaned("gAAAAgAAAAB", &["gAAAAgAAAAB"]), "[hidden]");
        assert_eq!(cleaned("gAAAAgAAAA", &["gAAAAgAAAAB"]), "gAAAAgAAAA");
        assert_eq!(cleaned("the token and bytes=0-1000", &["token"]), "the token and bytes=0-1000");
        assert_eq!(cleaned("", &["gAAAAgAAAAB"]), "");
    }

    #[test]
    fn credentials_are_replaced_without_their_scheme_too() {
        assert_eq!(
            cleaned("user dXNlcjpwdw== denied", &["Basic dXNlcjpwdw=="]),
            "user [hidden] denied"
        );
    }
}
