//! Presigned URLs: a signature in the query, usable by anyone who has the URL until it expires.

use std::fmt::{self, Write};
use std::time::Duration;

use http::HeaderMap;
use http::header::HOST;

use super::canonical::{SignedHeaders, changes_on_the_way};
use super::header::{X_AMZ_CONTENT_SHA256, X_AMZ_SECURITY_TOKEN, put};
use super::v4::{Payload, Signing};
use crate::error::Error;
use crate::escape;

/// The request that a URL permits.
#[derive(Clone, Copy, Debug)]
pub struct Presign<'a> {
    /// The method of the request.
    pub method: &'a http::Method,
    /// `https` or `http`.
    pub scheme: &'a http::uri::Scheme,
    /// Host and port, in lower case and without a default port.
    pub host: &'a str,
    /// Path and query of the operation, escaped.
    pub target: &'a str,
    /// Headers that must be sent with exactly these values. A `content-length` among them fixes the
    /// size of an upload.
    pub headers: &'a HeaderMap,
    /// The body of the request; [`Payload::Unsigned`] permits any.
    pub payload: Payload,
    /// How long the URL is valid from the time of the signature: 1 second to 7 days.
    pub expires: Duration,
}

/// A presigned URL, and the headers that must be sent with it.
#[derive(Clone)]
pub struct Presigned {
    /// The URL. It permits the request until it expires, so `Debug` shows none of its query.
    pub url: String,
    /// The signed headers, without `host`. They must be sent.
    pub headers: HeaderMap,
}

impl Signing {
    /// Signs a request into a URL. The query has the operation's parameters first, then those of
    /// the signature.
    ///
    /// "Authenticating Requests: Using Query Parameters", Amazon S3 API reference.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidInput`](crate::Kind::InvalidInput) if the duration is out of range, if host or target
    /// cannot be part of a URL as they are, or if there are too many headers.
    pub fn presign(&self, what: &Presign<'_>) -> Result<Presigned, Error> {
        let seconds = what.expires.as_secs();
        if !(SHORTEST..=LONGEST).contains(&seconds) {
            return Err(Error::invalid_input(format!(
                "a presigned URL can't be valid for {seconds} seconds: expected {SHORTEST} to \
                 {LONGEST}"
            )));
        }
        check_host(what.host)?;
        check_target(what.target)?;

        let mut headers = HeaderMap::with_capacity(what.headers.len());
        for (name, value) in what.headers {
            let elsewhere = name == HOST || name == X_AMZ_SECURITY_TOKEN;
            if !elsewhere && !changes_on_the_way(name.as_str()) {
                headers.try_append(name, value.clone()).map_err(|_| {
                    Error::invalid_input("the request has too many headers to be signed")
                })?;
            }
        }
        let told = what.payload != Payload::Unsigned || headers.contains_key(X_AMZ_CONTENT_SHA256);
        if self.rule.sign_payload_header && told {
            put(&mut headers, X_AMZ_CONTENT_SHA256, what.payload.header_value())?;
        }
        let host = ("host", what.host.as_bytes());
        let signed = SignedHeaders::new(&headers, changes_on_the_way, Some(host));

        let mut url = String::with_capacity(512 + what.target.len());
        url.push_str(what.scheme.as_str());
        url.push_str("://");
        url.push_str(what.host);
        let origin = url.len();
        if !what.target.starts_with('/') {
            url.push('/');
        }
        url.push_str(what.target);
        let separator = match what.target.split_once('?') {
            None => "?",
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        url.push_str(separator);
        url.push_str("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=");
        escape::query_into(&mut url, self.key.credential());
        url.push_str("&X-Amz-Date=");
        url.push_str(self.date());
        write!(url, "&X-Amz-Expires={seconds}&X-Amz-SignedHeaders=")
            .expect("a String takes any text");
        let mut names = Vec::with_capacity(signed.names_len());
        signed.write_names(&mut names);
        escape::query_into(&mut url, &String::from_utf8_lossy(&names));
        if let Some(token) = self.keys().token() {
            url.push_str("&X-Amz-Security-Token=");
            escape::query_into(&mut url, token.expose());
        }
        let signature = self.signature(what.method, &url[origin..], &signed, &what.payload);
        url.push_str("&X-Amz-Signature=");
        url.push_str(signature.as_str());
        Ok(Presigned { url, headers })
    }
}

impl fmt::Debug for Presigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.url.split('?').next().unwrap_or_default();
        f.debug_struct("Presigned")
            .field("url", &format_args!("{shown}?.."))
            .field("headers", &self.headers)
            .finish()
    }
}

/// Refuses other characters: a slash or an `@` in the host would lead to another host.
fn check_host(host: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(&byte);
    if !host.is_empty() && host.bytes().all(plain) {
        return Ok(());
    }
    Err(Error::invalid_input(format!("host {host:?} is not valid in a URL")))
}

/// A target that does not begin with a slash would extend the host; a `#` would end the URL.
fn check_target(target: &str) -> Result<(), Error> {
    if !matches!(target.bytes().next(), None | Some(b'/' | b'?')) {
        return Err(Error::invalid_input("the target of a URL must begin with a slash"));
    }
    match target.bytes().position(|byte| !byte.is_ascii_graphic() || byte == b'#') {
        None => Ok(()),
        Some(at) => Err(Error::invalid_input(format!(
            "the target of a URL is not percent-encoded at byte {at}"
        ))),
    }
}

/// In seconds.
const SHORTEST: u64 = 1;
/// Seven days in seconds, the limit of AWS.
const LONGEST: u64 = 604_800;

#[cfg(test)]
mod tests {
    use http::uri::Scheme;
    use http::{HeaderValue, Method};

    use super::super::examples;
    use super::super::{Keys, Rule};
    use super::*;

    fn get<'a>(
        host: &'a str,
        target: &'a str,
        headers: &'a HeaderMap,
        seconds: u64,
    ) -> Presign<'a> {
        Presign {
            method: &Method::GET,
            scheme: &Scheme::HTTPS,
            host,
            target,
            headers,
            payload: Payload::Unsigned,
            expires: Duration::from_secs(seconds),
        }
    }

    /// The example of the Amazon S3 API reference, "Authenticating Requests: Using Query
    /// Parameters".
    #[test]
    fn the_example_of_the_s3_reference() {
        let none = HeaderMap::new();
        let what = get("examplebucket.s3.amazonaws.com", "/test.txt", &none, 86_400);
        let presigned = examples::s3("20130524T000000Z").presign(&what).unwrap();
        assert_eq!(
            presigned.url,
            "https://examplebucket.s3.amazonaws.com/test.txt\
             ?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
        assert!(presigned.headers.is_empty());
    }

    /// A URL made by botocore 1.44.5, S3SigV4QueryAuth.
    #[test]
    fn botocore_presigns_the_same() {
        let mut keys = Keys::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        keys.session_token = Some("TO/K=".into());
        let signing = examples::signing(keys, "20260102T030405Z", "us-east-1", "s3", Rule::S3);
        let none = HeaderMap::new();
        let target = "/bkt/key?response-content-type=a%2Fb";
        let presigned = signing.presign(&get("s3.example.com", target, &none, 900)).unwrap();
        assert_eq!(
            presigned.url,
            "https://s3.example.com/bkt/key?response-content-type=a%2Fb\
             &X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20260102T030405Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host\
             &X-Amz-Security-Token=TO%2FK%3D\
             &X-Amz-Signature=1b54bbc4742f09266117450c84b8c1c3f5ccedbe59ea54cd8d7119366f7b253c"
        );
        let shown = format!("{presigned:?}");
        assert!(shown.contains("s3.example.com/bkt/key"));
        assert!(!shown.contains("1b54bbc4") && !shown.contains("TO%2FK"));
    }

    /// AWS's own test suite for Signature Version 4, `get-slashes-normalized`.
    #[test]
    fn the_test_suite_of_aws() {
        let keys = Keys::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let signing =
            examples::signing(keys, "20150830T123600Z", "us-east-1", "service", Rule::GENERIC);
        let none = HeaderMap::new();
        let what = Presign {
            payload: Payload::Empty,
            ..get("example.amazonaws.com", "//example//", &none, 3600)
        };
        let url = signing.presign(&what).unwrap().url;
        assert!(url.ends_with("c1834e8fb0307243711f0f907f6ab7311ed300d87f13792d7ee4da89ab93e082"));
        assert!(url.starts_with("https://example.amazonaws.com//example//?X-Amz-Algorithm"));
    }

    #[test]
    fn headers_to_send_are_told() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "elsewhere.example"),
            ("user-agent", "x"),
            ("content-length", "5"),
            ("x-amz-meta-a", "b"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let what = get("s3.example.com", "/b/k", &headers, 60);
        let presigned = examples::s3("20130524T000000Z").presign(&what).unwrap();
        assert!(
            presigned.url.contains("X-Amz-SignedHeaders=content-length%3Bhost%3Bx-amz-meta-a&")
        );
        let mut names: Vec<_> = presigned.headers.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "x-amz-meta-a"]);
    }

    #[test]
    fn a_url_is_good_for_a_second_to_a_week() {
        let none = HeaderMap::new();
        let signing = examples::s3("20130524T000000Z");
        for (seconds, good) in [(0, false), (1, true), (604_800, true), (604_801, false)] {
            let outcome = signing.presign(&get("h", "/", &none, seconds));
            assert_eq!(outcome.is_ok(), good, "{seconds}");
            if let Err(error) = outcome {
                assert!(error.message().contains("expected 1 to 604800"));
            }
        }
    }

    #[test]
    fn what_would_lead_elsewhere_is_refused() {
        let none = HeaderMap::new();
        let signing = examples::s3("20130524T000000Z");
        for (host, target) in [
            ("", "/"),
            ("a/b", "/"),
            ("a@b", "/"),
            ("a\\b", "/"),
            ("a", "evil/"),
            ("a", ".evil/"),
            ("a", "@evil/"),
            ("a", "/a#b"),
            ("a", "/a b"),
            ("a", "/a\r\nb"),
            ("a", "/é"),
        ] {
            assert!(signing.presign(&get(host, target, &none, 60)).is_err(), "{host} {target}");
        }
        for (target, begin) in
            [("", "https://a/?X"), ("?acl", "https://a/?acl&X"), ("/?", "https://a/?X")]
        {
            let url = signing.presign(&get("a", target, &none, 60)).unwrap().url;
            assert!(url.starts_with(begin), "{url}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(host: String, target: String, seconds: u64) {
            let none = HeaderMap::new();
            let _ = examples::s3("20130524T000000Z").presign(&get(&host, &target, &none, seconds));
        }
    }
}
