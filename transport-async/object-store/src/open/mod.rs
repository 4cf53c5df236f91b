//! What a URL and its options name: a client, a bucket or container, and a key in it.

mod s3;
#[cfg(feature = "swift")]
mod swift;

use std::collections::BTreeMap;

use apus_async::{Client, Error};
use url::Url;

/// What was opened.
#[derive(Debug)]
pub(crate) enum Opened {
    S3(Client<apus_async::s3::Service>, apus_async::s3::Encryption, Place),
    #[cfg(feature = "swift")]
    Swift(Client<apus_async::swift::Service>, Place),
}

/// A bucket or container, and the part of the URL's path that is in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) bucket: String,
    /// Percent-encoded, as in the URL.
    pub(crate) path: String,
}

/// The options by their names in lower case.
pub(crate) type Options = BTreeMap<String, String>;

/// Opens a URL.
pub(crate) fn open(url: &Url, options: &Options) -> Result<Opened, Error> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid(url, "has credentials: pass them as options"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid(url, "has a query or a fragment: pass options apart from it"));
    }
    match url.scheme() {
        "s3" | "s3a" | "s3+https" | "s3+http" => {
            let (place, endpoint) = s3::place(url)?;
            let (client, encryption) = s3::client(endpoint, options)?;
            Ok(Opened::S3(client, encryption, place))
        }
        #[cfg(feature = "swift")]
        "swift" | "swift+https" | "swift+http" => {
            let (place, auth_url) = swift::place(url)?;
            Ok(Opened::Swift(swift::client(auth_url.as_deref(), options)?, place))
        }
        _ => Err(invalid(url, "has no scheme that this crate supports")),
    }
}

/// Returns the server of a URL such as `s3+https://host:port/…`.
fn server(url: &Url) -> Result<String, Error> {
    let scheme = url.scheme().rsplit('+').next().unwrap_or_default();
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| invalid(url, "has no host"))?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Ok(format!("{scheme}://{host}{port}"))
}

/// Splits the bucket from the path.
fn split(url: &Url, path: &str) -> Result<Place, Error> {
    let path = path.trim_start_matches('/');
    let (bucket, path) = path.split_once('/').unwrap_or((path, ""));
    if bucket.is_empty() {
        return Err(invalid(url, "names no bucket or container"));
    }
    Ok(Place { bucket: decoded(bucket), path: path.to_owned() })
}

/// Returns the bucket that is the host of a URL such as `s3://bucket/key`.
fn by_host(url: &Url) -> Result<Place, Error> {
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| invalid(url, "names no bucket or container"))?;
    let path = url.path().trim_start_matches('/').to_owned();
    Ok(Place { bucket: decoded(host), path })
}

fn decoded(text: &str) -> String {
    // Of one value without a name, this decodes the percent-encoding; a plus stays one.
    let text = text.replace('+', "%2B");
    let pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs.map(|(name, _)| name.into_owned()).collect()
}

fn invalid(url: &Url, why: &str) -> Error {
    let (scheme, host) = (url.scheme(), url.host_str().unwrap_or_default());
    Error::invalid_input(format!("the URL {scheme}://{host}/… {why}"))
}
