//! The environment variables that configure proxies.

use std::sync::Arc;

use super::{Proxies, Proxy};
use crate::error::Error;
use crate::escape;
use crate::secret::Secret;

impl Proxies {
    /// Reads `https_proxy`, `http_proxy`, `all_proxy` and `no_proxy`, each in lower case or else in
    /// upper case, as curl and others do. `read` returns a variable's value. A URL without a scheme
    /// is http. It may have a user and a password, percent-encoded.
    ///
    /// `HTTP_PROXY` is ignored if `REQUEST_METHOD` is set, since a web server creates variables of
    /// that form from a client's headers (CVE-2016-5385).
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidInput`](crate::Kind::InvalidInput) if a value is invalid; the error names the variable
    /// and shows nothing that may be a password.
    pub fn from_variables(read: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let either = |name: &'static str| {
            let upper = name.to_ascii_uppercase();
            let in_cgi = name == "http_proxy" && read("REQUEST_METHOD").is_some();
            let value = read(name).filter(|value| !value.is_empty());
            value.or_else(|| if in_cgi { None } else { read(&upper) }).filter(|v| !v.is_empty())
        };
        let bypass = either("no_proxy").unwrap_or_default();
        let proxy = |name| -> Result<Option<Arc<Proxy>>, Error> {
            let found =
                [name, "all_proxy"].into_iter().find_map(|name| Some((name, either(name)?)));
            let Some((name, value)) = found else { return Ok(None) };
            let named = |error: Error| Error::invalid_input(format!("{name}: {}", error.message()));
            let proxy = from_value(&value).map_err(named)?;
            let proxy = proxy
                .bypass([&bypass])
                .map_err(|error| Error::invalid_input(format!("no_proxy: {}", error.message())))?;
            Ok(Some(Arc::new(proxy)))
        };
        Ok(Self { http: proxy("http_proxy")?, https: proxy("https_proxy")? })
    }
}

fn from_value(value: &str) -> Result<Proxy, Error> {
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    let Some((pair, host)) = rest.rsplit_once('@') else {
        return Proxy::new(&format!("{scheme}://{rest}"));
    };
    let (user, password) = pair.split_once(':').unwrap_or((pair, ""));
    let decoded = |text| {
        escape::decode(text)
            .ok_or_else(|| Error::invalid_input("the user or the password is not UTF-8"))
    };
    let (user, password) = (decoded(user)?, Secret::new(decoded(password)?));
    Proxy::new(&format!("{scheme}://{host}"))?.credentials(&user, password)
}
