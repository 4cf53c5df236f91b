//! A signature in the query of a URL, which whoever has the URL can use until it expires.

use std::fmt::{self, Write};
use std::time::Duration;

use http::HeaderMap;
use http::header::HOST;

use super::canonical::{SignedHeaders, changes_on_the_way};
use super::header::{X_AMZ_CONTENT_SHA256, X_AMZ_SECURITY_TOKEN, put};
use super::v4::{Payload, Signing};
use crate::error::Error;
use crate::escape;

/// The request that a URL shall allow.
#[derive(Clone, Copy, Debug)]
pub struct Presign<'a> {
    /// The method it will be sent with.
    pub method: &'a http::Method,
    /// `https` or `http`.
    pub scheme: &'a http::uri::Scheme,
    /// Host and port, in lower case and without a default port.
    pub host: &'a str,
    /// Path and query of the operation, escaped.
    pub target: &'a str,
    /// Headers that whoever uses the URL has to send exactly so. `content-length` may be among
    /// them, and then fixes the size of an upload.
    pub headers: &'a HeaderMap,
    /// What the body has to be; [`Payload::Unsigned`] for any.
    pub payload: Payload,
    /// How long the URL is good for, from the time of the signature: 1 second to 7 days.
    pub expires: Duration,
}

/// A URL with its proof, and what has to be sent with it.
#[derive(Clone)]
pub struct Presigned {
    /// The URL. It is as good as a password until it expires, so `Debug` shows none of its query.
    pub url: String,
    /// The headers that are signed and have to be sent, without `host`.
    pub headers: HeaderMap,
}

impl Signing {
    /// Signs a request into a URL. The operation's own query comes first, then the parameters of
    /// the signature.
    ///
    /// "Authenticating Requests: Using Query Parameters", Amazon S3 API reference.
    ///
    /// # Errors
    ///
    /// [`Kind::Caller`](crate::Kind::Caller) when the time is out of range, when host or target
    /// can't be part of a URL as they are, or when there are too many headers.
    pub fn presign(&self, what: &Presign<'_>) -> Result<Presigned, Error> {
        let seconds = what.expires.as_secs();
        if !(SHORTEST..=LONGEST).contains(&seconds) {
            return Err(Error::caller(format!(
                "a presigned URL can be good for {SHORTEST} to {LONGEST} seconds, not {seconds}"
            )));
        }
        check_host(what.host)?;
        check_target(what.target)?;

        let mut headers = HeaderMap::with_capacity(what.headers.len());
        for (name, value) in what.headers {
            let elsewhere = name == HOST || name == X_AMZ_SECURITY_TOKEN;
            if !elsewhere && !changes_on_the_way(name.as_str()) {
                headers
                    .try_append(name, value.clone())
                    .map_err(|_| Error::caller("a request has too many headers to be signed"))?;
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

/// A host that held a slash or an `@` would lead elsewhere.
fn check_host(host: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(&byte);
    if !host.is_empty() && host.bytes().all(plain) {
        return Ok(());
    }
    Err(Error::caller(format!("the host {host:?} can't be part of a URL")))
}

/// A target that did not begin with a slash would lengthen the host; a `#` would end the URL.
fn check_target(target: &str) -> Result<(), Error> {
    let why = if !matches!(target.bytes().next(), None | Some(b'/' | b'?')) {
        "it does not begin with a slash"
    } else if target.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'#') {
        "it holds a character that is not escaped"
    } else {
        return Ok(());
    };
    Err(Error::caller(format!("the target {target:?} can't be part of a URL: {why}")))
}

/// Seconds.
const SHORTEST: u64 = 1;
/// Seven days, in seconds: what AWS allows.
const LONGEST: u64 = 604_800;
