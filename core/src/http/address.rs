//! URLs that paths are put after.

use bytes::Bytes;
use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

use crate::error::Error;

/// An absolute http or https URL without a query, to which paths are appended as they are: nothing
/// is normalised, so that an object's name may hold `..` or `//`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    scheme: Scheme,
    authority: Authority,
    /// Without a slash at its end.
    path: String,
}

impl Address {
    /// Reads a URL; `what` it is stands in the error.
    ///
    /// # Errors
    ///
    /// It is no absolute http or https URL, or has a query or a user in it.
    pub fn parse(text: &str, what: &str) -> Result<Self, Error> {
        let text = text.trim();
        let wrong = |why: &str| {
            // A user in a URL may come with a password.
            if text.contains('@') {
                return Error::caller(format!("{what} {why}"));
            }
            Error::caller(format!("{what} {why}: {text:?}"))
        };
        if text.contains('#') {
            return Err(wrong("has a fragment"));
        }
        let uri = Uri::try_from(text).map_err(|_| wrong("is no URL"))?;
        if uri.query().is_some() {
            return Err(wrong("has a query"));
        }
        let parts = uri.into_parts();
        let scheme = parts.scheme.filter(|it| *it == Scheme::HTTP || *it == Scheme::HTTPS);
        let (Some(scheme), Some(authority)) = (scheme, parts.authority) else {
            return Err(wrong("is no http or https URL"));
        };
        if authority.as_str().contains('@') {
            return Err(wrong("has a user in it"));
        }
        if authority.host().is_empty() {
            return Err(wrong("has no host"));
        }
        if let Err(why) = port(&authority) {
            return Err(wrong(why));
        }
        let path = parts.path_and_query.as_ref().map_or("", |path| path.path());
        Ok(Self { scheme, authority, path: path.trim_end_matches('/').to_owned() })
    }

    /// The path, without a slash at its end.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is reached over TLS.
    #[cfg(feature = "swift")]
    pub(crate) fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// Scheme, host and port alone.
    #[must_use]
    pub fn host(&self) -> Self {
        Self { path: String::new(), ..self.clone() }
    }

    /// What stands before the version of the API, `/v1`; all of it where there is none.
    #[must_use]
    pub fn unversioned(&self) -> Self {
        self.with_path(before_version(&self.path))
    }

    /// The same host with another path.
    #[must_use]
    pub fn with_path(&self, path: &str) -> Self {
        Self { path: path.trim_end_matches('/').to_owned(), ..self.clone() }
    }

    /// The URL of `target`, a path that begins with a slash, with its query. A path of nothing but
    /// that slash means the address itself.
    ///
    /// # Errors
    ///
    /// Together they are too long for a URL.
    pub fn join(&self, target: &str) -> Result<Uri, Error> {
        let target = match target.strip_prefix('/') {
            Some(rest) if rest.is_empty() || rest.starts_with('?') => rest,
            _ => target,
        };
        let mut path = String::with_capacity(self.path.len() + target.len() + 1);
        path.push_str(&self.path);
        if self.path.is_empty() && !target.starts_with('/') {
            path.push('/');
        }
        path.push_str(target);
        let path = PathAndQuery::from_maybe_shared(Bytes::from(path))
            .map_err(|_| Error::caller("the path is too long for a URL, or has a space in it"))?;
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).map_err(|_| Error::caller("the path does not fit in a URL"))
    }
}

/// The port that is written in `authority`. `http` takes anything there, and says of what is no port
/// that there is none, so that requests would go to the scheme's.
fn port(authority: &Authority) -> Result<Option<u16>, &'static str> {
    let text = authority.as_str();
    let host = text.rfind('@').map_or(0, |at| at + 1) + authority.host().len();
    match text.get(host..).unwrap_or_default() {
        // An empty port is the scheme's (RFC 3986, section 3.2.3).
        "" | ":" => Ok(None),
        after => after
            .strip_prefix(':')
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .filter(|port| *port > 0)
            .map(Some)
            .ok_or("has a port that is not a number from 1 to 65535"),
    }
}

/// The path up to its first segment like `v1` or `v1.0`.
fn before_version(path: &str) -> &str {
    let is_version = |segment: &str| {
        let number = segment.strip_prefix('v').unwrap_or_default();
        number.starts_with(|first: char| first.is_ascii_digit())
            && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    let mut segments = path.split_inclusive('/').scan(0, |at, segment| {
        let start = *at;
        *at += segment.len();
        Some((start, segment))
    });
    let version = segments.find(|(_, segment)| is_version(segment.trim_end_matches('/')));
    let before = version.and_then(|(at, _)| path.get(..at));
    before.unwrap_or(path).trim_end_matches('/')
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(base: &str, target: &str) -> String {
        Address::parse(base, "the URL").unwrap().join(target).unwrap().to_string()
    }

    #[test]
    fn what_a_name_holds_goes_out_as_it_is() {
        let base = "https://swift.example.com:8080/some/v1/AUTH_1/";
        let url = "https://swift.example.com:8080/some/v1/AUTH_1";
        for target in ["/c/../x", "/c/./dot", "/c//o", "/c/a+b", "/c/%2F%20%C3%A9", "/c/o?a=/../b"]
        {
            assert_eq!(join(base, target), format!("{url}{target}"));
        }
    }

    #[test]
    fn the_root_is_the_address_itself() {
        assert_eq!(join("http://h/v1/A", "/"), "http://h/v1/A");
        assert_eq!(join("http://h/v1/A", "/?format=json"), "http://h/v1/A?format=json");
        assert_eq!(join("http://h", "/"), "http://h/");
        assert_eq!(join("http://h", "/info"), "http://h/info");
    }

    #[test]
    fn what_stands_before_the_version() {
        for (path, before) in [
            ("/v1/AUTH_a", ""),
            ("/swift/v1", "/swift"),
            ("/swift/v1.0/AUTH_v2", "/swift"),
            ("/object/video/v", "/object/video/v"),
            ("/v1beta/x", "/v1beta/x"),
            ("", ""),
        ] {
            assert_eq!(before_version(path), before, "{path}");
        }
    }

    #[test]
    fn a_port_is_a_number_from_1_to_65535() {
        for port in ["99999", "65536", "0", "1808x", "-1", "+80", "80:80", "8 0"] {
            let error = Address::parse(&format!("http://h:{port}/v3"), "auth_url").unwrap_err();
            assert!(error.to_string().starts_with("auth_url "), "{port}: {error}");
        }
        for url in [
            "http://h:1/v3",
            "http://h:65535",
            "http://h:/v3",
            "https://[::1]:5000",
            "https://[::1]",
        ] {
            Address::parse(url, "auth_url").unwrap();
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_a_password() {
        for text in [
            "",
            "/v3",
            "ftp://h/",
            "http://",
            "h:5000",
            "http://h/v3?x",
            "http://h/#x",
            "http://h /",
        ] {
            assert!(Address::parse(text, "auth_url").is_err(), "{text}");
        }
        let error = Address::parse("http://u:hunter2@h/v3", "auth_url").unwrap_err().to_string();
        assert_eq!(error, "auth_url has a user in it");
    }
}
