//! A client of S3 by a URL and its options.

use apus_async::credentials::{self, Ambient};
use apus_async::s3::{Addressing, BaseUrl, Config, EndpointConfig, Service};
use apus_async::{Client, Credentials, Error, Keys, Secret, TransportConfig};
use url::Url;

use super::{Options, Place, by_host, server, split};

/// Returns the bucket and the endpoint that the URL names.
pub(super) fn place(url: &Url) -> Result<(Place, Option<String>), Error> {
    match url.scheme() {
        "s3" | "s3a" => Ok((by_host(url)?, None)),
        _ => Ok((split(url, url.path())?, Some(server(url)?))),
    }
}

pub(super) fn client(
    endpoint: Option<String>,
    options: &Options,
) -> Result<Client<Service>, Error> {
    let option = |names: &[&str]| {
        let found = names
            .iter()
            .find_map(|name| options.get(&format!("aws_{name}")).or_else(|| options.get(*name)));
        found.filter(|value| !value.is_empty()).cloned()
    };
    let flag = |name: &str| option(&[name]).map(|value| truth(name, &value)).transpose();
    let profile = option(&["profile"]);
    let own = endpoint.or_else(|| option(&["endpoint_url_s3", "endpoint_url", "endpoint"]));
    let mut region = option(&["region", "default_region"]);
    let mut addressing = flag("virtual_hosted_style_request")?
        .map(|host| if host { Addressing::Virtual } else { Addressing::Path });
    let mut url = own;
    // As the AWS SDKs find them, where the options name neither.
    if region.is_none() && url.is_none() {
        let ambient = Ambient::read()?;
        let settings = ambient.resolver().settings(profile.as_deref())?;
        region = settings.region;
        url = settings.endpoint_url;
        addressing = addressing.or(settings.addressing);
    }
    let region = region.unwrap_or_default();
    let mut endpoint = match url {
        Some(url) => EndpointConfig::custom(BaseUrl::parse(&url)?, region),
        None if region.is_empty() => {
            return Err(Error::invalid_input("no region: set the option `aws_region`"));
        }
        None => EndpointConfig::aws(region),
    };
    endpoint.addressing = addressing.unwrap_or(endpoint.addressing);
    let (id, secret) = (option(&["access_key_id"]), option(&["secret_access_key"]));
    let credentials = match (id, secret) {
        _ if flag("skip_signature")? == Some(true) => Credentials::anonymous(),
        (Some(id), Some(secret)) => {
            let token = option(&["session_token", "token"]).map(Secret::from);
            Credentials::new(Keys { session_token: token, ..Keys::new(id, secret) })
        }
        (None, None) => match &profile {
            Some(profile) => credentials::profile(profile)?,
            None => credentials::default_chain()?,
        },
        (Some(_), None) => {
            return Err(Error::invalid_input("missing option `aws_secret_access_key`"));
        }
        (None, Some(_)) => return Err(Error::invalid_input("missing option `aws_access_key_id`")),
    };
    let transport = TransportConfig::new().proxy_from_environment()?;
    let service = Service::new(Config::new(endpoint))?;
    Client::builder(service, credentials).transport_config(transport).build()
}

fn truth(name: &str, value: &str) -> Result<bool, Error> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "on" | "yes" | "y" => Ok(true),
        "0" | "false" | "off" | "no" | "n" => Ok(false),
        _ => {
            Err(Error::invalid_input(format!("the option `aws_{name}` is neither true nor false")))
        }
    }
}
