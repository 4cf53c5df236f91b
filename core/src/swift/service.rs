//! One account of Swift.

use std::sync::Arc;

use http::uri::{Authority, Scheme};
use http::{HeaderValue, Uri};

use crate::contract::{self, Class, Verdict};
use crate::error::Error;
use crate::machine::Patience;
use crate::swift::config::Config;
use crate::swift::error;

/// Where Swift requests go and how they are made. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Service(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    base: Option<Base>,
}

/// A storage URL, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Base {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    pub(super) host: HeaderValue,
    /// Without a slash at its end.
    pub(super) path: String,
}

impl Service {
    /// Checks the configuration.
    ///
    /// # Errors
    ///
    /// A storage URL that is none: not absolute, not of http or https, or with a query.
    pub fn new(config: Config) -> Result<Self, Error> {
        let base = config.storage_url.as_deref().map(Base::parse).transpose()?;
        Ok(Self(Arc::new(Inner { config, base })))
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    pub(super) fn base(&self) -> Option<&Base> {
        self.0.base.as_ref()
    }
}

impl Base {
    fn parse(url: &str) -> Result<Self, Error> {
        // Not quoted: whoever puts a password into a URL should not find it in a log.
        let refused = |why: &str| Error::caller(format!("the storage URL {why}"));
        let uri: Uri = url.trim().parse().map_err(|_| refused("is no URL"))?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(refused("is not absolute"));
        };
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(refused("is neither of http nor of https"));
        }
        if authority.as_str().contains('@') {
            return Err(refused("has credentials in it"));
        }
        let target = parts.path_and_query;
        if target.as_ref().is_some_and(|target| target.query().is_some()) {
            return Err(refused("has a query"));
        }
        let path =
            target.map_or(String::new(), |target| target.path().trim_end_matches('/').into());
        let host = HeaderValue::from_str(authority.as_str())
            .map_err(|_| refused("has a host that no header can hold"))?;
        Ok(Self { scheme, authority, host, path })
    }
}

impl contract::Service for Service {
    fn judge(&self, error: &Error, class: Class) -> Verdict {
        error::judge(error, class)
    }

    /// Nothing: Swift does not send requests elsewhere.
    fn learn(&self, _: &str, _: &Error) -> bool {
        false
    }

    fn patience(&self) -> &Patience {
        &self.0.config.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_url_is_absolute_and_bare() {
        for (url, why) in [
            ("/v1/AUTH_a", "is not absolute"),
            ("ftp://host/v1", "is neither of http nor of https"),
            ("http://host/v1/AUTH_a?x", "has a query"),
            ("http://user:word@host/v1/AUTH_a", "has credentials in it"),
            ("http://ho st/", "is no URL"),
        ] {
            let error = Service::new(Config::at(url)).unwrap_err();
            assert_eq!(error.to_string(), format!("the storage URL {why}"), "{url}");
        }
        let service = Service::new(Config::at("https://h:8080/v1/AUTH_a/")).unwrap();
        assert_eq!(service.base().unwrap().path, "/v1/AUTH_a");
    }
}
