//! URLs that give access without a token. "TempURL", Swift.
//!
//! ```text
//! ip=10.0.0.0/8 ⏎  GET ⏎ 1700000000 ⏎ prefix:/v1/AUTH_a/c/pre ─HMAC of a key─▶ temp_url_sig
//! ╰─ if limited ─╯                    ╰ if set ╯ path, not escaped
//! ```

use core::net::IpAddr;
use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use crate::checksum::Algorithm;
use crate::error::Error;
use crate::escape;
use crate::http::Draft;
use crate::now::Timestamp;
use crate::secret::Secret;

/// A temporary URL: it allows one method, without a token, until it expires.
///
/// The key is one of the account or of the container, set with
/// [`PostAccount`](crate::swift::PostAccount) or
/// [`ContainerSettings`](crate::swift::ContainerSettings). Swift also allows HEAD where GET, PUT or
/// POST is allowed. `/info` lists the methods and digests that a cluster accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TempUrl {
    /// The allowed method: GET, PUT, POST, DELETE or HEAD.
    pub method: Method,
    /// The path from `/v1` on, not escaped: `/v1/AUTH_a/container/object`; with a
    /// [`prefix`](Self::prefix), `/v1/AUTH_a/container/` and a name that begins with it; or
    /// `/info`.
    pub path: String,
    /// When it expires.
    pub expires: Timestamp,
    /// Makes the URL valid for all objects whose names begin with this prefix. The URL itself leads
    /// to the object in `path`; for another one, replace the name in the path.
    pub prefix: Option<String>,
    /// The addresses that may use the URL: one address, or a network such as `10.0.0.0/8`.
    pub ip_range: Option<String>,
    /// The algorithm of the signature.
    pub digest: Digest,
    /// Whether the time of expiry is written as a date instead of a number.
    pub iso8601: bool,
    /// The file name under which a browser saves the object.
    pub filename: Option<String>,
    /// Whether a browser shows the object instead of saving it.
    pub inline: bool,
}

/// The algorithm of a temporary URL's signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Digest {
    /// HMAC-SHA1, which recent clusters accept only if configured to.
    Sha1,
    /// HMAC-SHA256.
    #[default]
    Sha256,
    /// HMAC-SHA512.
    Sha512,
}

impl Digest {
    /// Returns the digest of this algorithm, if temporary URLs may use it.
    pub fn of(algorithm: Algorithm) -> Option<Self> {
        let digests = [Self::Sha1, Self::Sha256, Self::Sha512];
        digests.into_iter().find(|digest| digest.algorithm() == algorithm)
    }

    /// Returns the hash algorithm of its HMAC.
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::Sha1 => Algorithm::Sha1,
            Self::Sha256 => Algorithm::Sha256,
            Self::Sha512 => Algorithm::Sha512,
        }
    }

    /// Returns its name in `/info`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl TempUrl {
    /// Creates a temporary URL for one method on one path.
    pub fn new(method: Method, path: impl Into<String>, expires: Timestamp) -> Self {
        Self {
            method,
            path: path.into(),
            expires,
            prefix: None,
            ip_range: None,
            digest: Digest::default(),
            iso8601: false,
            filename: None,
            inline: false,
        }
    }

    /// Creates a temporary URL for one object of the account with this storage path (`/v1/AUTH_a`).
    pub fn object(
        method: Method,
        account: &str,
        container: &str,
        object: &str,
        expires: Timestamp,
    ) -> Self {
        let account = account.trim_end_matches('/');
        Self::new(method, format!("{account}/{container}/{object}"), expires)
    }

    /// Returns the path below the account, not escaped, of a draft that a temporary URL can stand
    /// for: `/container/object`.
    ///
    /// # Errors
    ///
    /// The draft is not for an object, or has parameters: a temporary URL allows a method on a path,
    /// and nothing else.
    pub fn path_of(draft: &Draft) -> Result<String, Error> {
        let (path, query) = draft.target().split_once('?').unwrap_or((draft.target(), ""));
        let path = escape::decode(path).map(Cow::into_owned).unwrap_or_default();
        let object = path.strip_prefix('/').and_then(|path| path.split_once('/'));
        match object.filter(|(_, object)| !object.is_empty()) {
            Some(_) if query.is_empty() => Ok(path),
            Some(_) => Err(Error::invalid_input(format!(
                "a temporary URL can't have the parameters {query:?} of {}",
                draft.operation
            ))),
            None => Err(Error::invalid_input(format!(
                "a temporary URL is for an object, and {} is not",
                draft.operation
            ))),
        }
    }

    /// Signs the URL and returns its path and query, escaped, to be put after the scheme and host.
    /// Treat the result like a secret: it gives access.
    ///
    /// # Errors
    ///
    /// The path is not that of an object, or does not begin with the prefix; the network is not
    /// valid; the key is empty; a URL of `/info` has a prefix or a network.
    pub fn sign(&self, key: &Secret) -> Result<String, Error> {
        let is_info = self.path == INFO;
        self.check(is_info)?;
        let signature = self.signature(key)?;
        let name = if is_info { "swiftinfo" } else { "temp_url" };
        let expires = match self.iso8601 {
            true => self.expires.iso8601(),
            false => self.expires.unix().to_string(),
        };
        let mut out = escape::path(&self.path);
        out.push_str(&format!("?{name}_sig={signature}&{name}_expires={expires}"));
        if let Some(range) = &self.ip_range {
            out.push_str("&temp_url_ip_range=");
            out.push_str(range);
        }
        if let Some(prefix) = &self.prefix {
            out.push_str("&temp_url_prefix=");
            escape::path_into(&mut out, prefix);
        }
        if self.inline {
            out.push_str("&inline");
        }
        if let Some(filename) = &self.filename {
            out.push_str("&filename=");
            escape::query_into(&mut out, filename);
        }
        Ok(out)
    }

    /// Returns the signature alone: hexadecimal digits, or `sha512:` and base64.
    ///
    /// # Errors
    ///
    /// The key is empty.
    pub fn signature(&self, key: &Secret) -> Result<String, Error> {
        let key = key.expose().as_bytes();
        if key.is_empty() {
            return Err(Error::invalid_input("the temporary URL key is empty"));
        }
        let text = self.text();
        Ok(match self.digest {
            Digest::Sha1 => hex(&mac::<Hmac<Sha1>>(key, &text)),
            Digest::Sha256 => hex(&mac::<Hmac<Sha256>>(key, &text)),
            Digest::Sha512 => {
                format!("sha512:{}", URL_SAFE_NO_PAD.encode(mac::<Hmac<Sha512>>(key, &text)))
            }
        })
    }

    /// Returns the text that is signed.
    fn text(&self) -> String {
        let range = self.ip_range.as_ref().map(|range| format!("ip={range}\n"));
        let path = match self.prefix.as_ref().and_then(|prefix| self.prefix_path(prefix)) {
            Some(path) => format!("prefix:{path}"),
            None => self.path.clone(),
        };
        format!("{}{}\n{}\n{path}", range.unwrap_or_default(), self.method, self.expires.unix())
    }

    /// Returns the path of the container with the prefix in place of the name.
    fn prefix_path(&self, prefix: &str) -> Option<String> {
        let [version, account, container, _] = parts(&self.path)?;
        Some(format!("/{version}/{account}/{container}/{prefix}"))
    }

    fn check(&self, is_info: bool) -> Result<(), Error> {
        if is_info && (self.prefix.is_some() || self.ip_range.is_some()) {
            return Err(Error::invalid_input(
                "a temporary URL of /info can't have a prefix or an IP range",
            ));
        }
        let parts = parts(&self.path);
        match (&self.prefix, parts) {
            _ if is_info => {}
            (_, None) => {
                return Err(Error::invalid_input(
                    "the path of a temporary URL must be /v1/ACCOUNT/CONTAINER/OBJECT",
                ));
            }
            (Some(prefix), Some([.., object])) if !object.starts_with(prefix.as_str()) => {
                return Err(Error::invalid_input(
                    "the object of a temporary URL does not begin with its prefix",
                ));
            }
            (None, Some([.., ""])) => {
                return Err(Error::invalid_input("the path of a temporary URL names no object"));
            }
            _ => {}
        }
        match &self.ip_range {
            Some(range) if !is_network(range) => {
                Err(Error::invalid_input(format!("{range:?} is not an IP address or network")))
            }
            _ => Ok(()),
        }
    }
}

/// Splits a path into version, account, container and the rest; only the rest may be empty.
fn parts(path: &str) -> Option<[&str; 4]> {
    let mut parts = path.strip_prefix('/')?.splitn(4, '/');
    let parts = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    parts[..3].iter().all(|part| !part.is_empty()).then_some(parts)
}

fn is_network(text: &str) -> bool {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    let fits = |length: &str| length.parse::<u8>().is_ok_and(|length| length <= most);
    length.is_none_or(fits)
}

fn mac<M: Mac + KeyInit>(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("an HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const INFO: &str = "/info";

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/v1/AUTH_account/container/object";

    fn of(path: &str, expires: i64) -> TempUrl {
        TempUrl::new(Method::GET, path, Timestamp::from_unix(expires))
    }

    fn signed(url: &TempUrl) -> String {
        url.sign(&Secret::new("mykey")).unwrap()
    }

    // "TempURL", Swift: the examples.
    #[test]
    fn the_examples_of_swift() {
        let mut url = of(PATH, 1_512_508_563);
        let signature = "732fcac368abb10c78a4cbe95c3fab7f311584532bf779abd5074e13cbe8b88b";
        assert_eq!(
            signed(&url),
            format!("{PATH}?temp_url_sig={signature}&temp_url_expires=1512508563")
        );
        url.iso8601 = true;
        url.inline = true;
        url.filename = Some("My Test File.pdf".into());
        assert_eq!(
            signed(&url),
            format!(
                "{PATH}?temp_url_sig={signature}&temp_url_expires=2017-12-05T21:16:03Z\
                 &inline&filename=My%20Test%20File.pdf"
            )
        );
        let mut url = of(PATH, 1_516_741_234);
        url.digest = Digest::Sha512;
        assert_eq!(
            url.signature(&Secret::new("mykey")).unwrap(),
            "sha512:ZrSijn0GyDhsv1ltIj9hWUTrbAeE45NcKXyBaz7aPbSMvROQ4jtYH4nRAmm5ErY2X11Yc1Yhy2OMCyN3\
             yueeXg"
        );
        let mut url = of(PATH, 1_648_082_711);
        for (range, signature) in [
            ("1.2.3.4", "3f48476acaf5ec272acd8e99f7b5bad96c52ddba53ed27c60613711774a06f0c"),
            ("1.2.3.0/24", "6ff81256b8a3ba11d239da51a703b9c06a56ffddeb8caab74ca83af8f73c9c83"),
        ] {
            url.ip_range = Some(range.into());
            assert_eq!(
                signed(&url),
                format!(
                    "{PATH}?temp_url_sig={signature}&temp_url_expires=1648082711\
                     &temp_url_ip_range={range}"
                )
            );
        }
    }

    // python-swiftclient 4.11.0, `generate_temp_url` with `absolute`.
    #[test]
    fn what_swiftclient_makes() {
        let signature = |change: &dyn Fn(&mut TempUrl)| {
            let mut url = of("/v1/AUTH_a/c/o", 1_700_000_000);
            change(&mut url);
            url.signature(&Secret::new("mykey")).unwrap()
        };
        assert_eq!(
            signature(&|url| url.digest = Digest::Sha1),
            "cf1cb4ca7ffbf542fd4bd4792d5feaafb1e6bda3"
        );
        assert_eq!(
            signature(&|_| {}),
            "1b2618118ea6cef7046d1641fc84c989acecf59cd4a1b4f3b1ec9b7677e6d617"
        );
        assert_eq!(
            signature(&|url| url.digest = Digest::Sha512),
            "sha512:X3C507uCd7D-syYEgWXQIY4RMpQ8MaGazmdLyNSztmN9MeDmHgr2vaOQk8AH7v8PAYdMcCvttNzoTLywI\
             rHt4g"
        );
        assert_eq!(
            signature(&|url| {
                url.path = "/v1/AUTH_a/c/pre/x".into();
                url.prefix = Some("pre".into());
            }),
            "06afbed489e855e9bf76af8746ab50c8d14919dbd98bb5df61bbf21588c39812"
        );
        assert_eq!(
            signature(&|url| url.ip_range = Some("10.0.0.0/8".into())),
            "f917e8f748de328bd03186657b60fa6f1c24ba58e936f20c1f6866cee4a99b41"
        );
    }

    #[test]
    fn names_are_escaped_after_they_are_signed() {
        let url = TempUrl::object(
            Method::PUT,
            "/v1/AUTH_a/",
            "c d",
            "é?#",
            Timestamp::from_unix(1_700_000_000),
        );
        assert_eq!(url.path, "/v1/AUTH_a/c d/é?#");
        let signed = signed(&url);
        assert!(signed.starts_with("/v1/AUTH_a/c%20d/%C3%A9%3F%23?temp_url_sig="), "{signed}");
        let mut url = of("/v1/a/c/pre fix/x", 1);
        url.prefix = Some("pre fix".into());
        assert!(url.sign(&Secret::new("k")).unwrap().ends_with("&temp_url_prefix=pre%20fix"));
        url.prefix = Some(String::new());
        assert!(url.sign(&Secret::new("k")).unwrap().ends_with("&temp_url_prefix="));
    }

    #[test]
    fn what_can_be_no_temporary_url() {
        let refused = |change: &dyn Fn(&mut TempUrl)| {
            let mut url = of("/v1/a/c/o", 1);
            change(&mut url);
            url.sign(&Secret::new("mykey")).unwrap_err().to_string()
        };
        for path in ["", "/v1/a/c", "v1/a/c/o", "//a/c/o", "/v1/a//o"] {
            assert_eq!(
                refused(&|url| url.path = path.into()),
                "the path of a temporary URL must be /v1/ACCOUNT/CONTAINER/OBJECT"
            );
        }
        assert_eq!(
            refused(&|url| url.path = "/v1/a/c/".into()),
            "the path of a temporary URL names no object"
        );
        assert_eq!(
            refused(&|url| url.prefix = Some("x".into())),
            "the object of a temporary URL does not begin with its prefix"
        );
        for range in ["", "10.0.0", "10.0.0.0/33", "::1/129", "a", "10.0.0.0/8&x"] {
            let error = refused(&|url| url.ip_range = Some(range.into()));
            assert_eq!(error, format!("{range:?} is not an IP address or network"));
        }
        let empty = of(PATH, 1).sign(&Secret::new("")).unwrap_err();
        assert_eq!(empty.to_string(), "the temporary URL key is empty");
        assert!(signed(&of("/info", 1)).starts_with("/info?swiftinfo_sig="));
    }
}
