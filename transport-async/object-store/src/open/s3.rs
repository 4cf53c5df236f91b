//! A client of S3 by a URL and its options.

use apus_async::apus_core::credentials::Environment;
use apus_async::credentials::{self, Ambient};
use apus_async::s3::{
    Addressing, BaseUrl, Config, Encryption, EndpointConfig, PayloadSigning, Service,
};
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

/// Returns the client, and how what it writes is encrypted.
pub(super) fn client(
    endpoint: Option<String>,
    options: &Options,
) -> Result<(Client<Service>, Encryption), Error> {
    let option = |names: &[&str]| {
        let found = names.iter().find_map(|name| named(options, name));
        found.map(str::to_owned)
    };
    let flag = |name: &str| option(&[name]).map(|value| truth(name, &value)).transpose();
    for name in ["request_payer", "s3_express"] {
        if flag(name)? == Some(true) {
            return Err(Error::invalid_input(format!("the option `aws_{name}` is not supported")));
        }
    }
    let encryption = encryption(options)?;
    let profile = option(&["profile"]);
    let own = endpoint.or_else(|| option(&["endpoint_url_s3", "endpoint_url", "endpoint"]));
    let mut region = option(&["region", "default_region"]);
    let mut addressing = flag("virtual_hosted_style_request")?
        .map(|host| if host { Addressing::Virtual } else { Addressing::Path });
    let mut url = own;
    // As the AWS SDKs find them, where the options name neither.
    if region.is_none() && url.is_none() {
        let ambient = Ambient::of(environment(options))?;
        let settings = ambient.resolver().settings(profile.as_deref())?;
        region = settings.region;
        url = settings.endpoint_url;
        addressing = addressing.or(settings.addressing);
    }
    let region = region.unwrap_or_default();
    let (id, secret) = (option(&["access_key_id"]), option(&["secret_access_key"]));
    let credentials = match (id, secret) {
        _ if flag("skip_signature")? == Some(true) => Credentials::anonymous(),
        (Some(id), Some(secret)) => {
            let token = option(&["session_token", "token"]).map(Secret::from);
            Credentials::new(Keys { session_token: token, ..Keys::new(id, secret) })
        }
        (None, None) => source(options, profile.as_deref(), &region)?,
        (Some(_), None) => {
            return Err(Error::invalid_input("missing option `aws_secret_access_key`"));
        }
        (None, Some(_)) => return Err(Error::invalid_input("missing option `aws_access_key_id`")),
    };
    let mut endpoint = match url {
        Some(url) => EndpointConfig::custom(BaseUrl::parse(&url)?, region),
        None if region.is_empty() => {
            return Err(Error::invalid_input("no region: set the option `aws_region`"));
        }
        None => EndpointConfig::aws(region),
    };
    endpoint.addressing = addressing.unwrap_or(endpoint.addressing);
    let mut config = Config::new(endpoint);
    if let Some(unsigned) = flag("unsigned_payload")? {
        config.payload = if unsigned { PayloadSigning::Unsigned } else { PayloadSigning::Signed };
    }
    let transport = TransportConfig::new().proxy_from_environment()?;
    let client = Client::builder(Service::new(config)?, credentials);
    Ok((client.transport_config(transport).build()?, encryption))
}

/// Returns the option of this name, with `aws_` before it or without; `None` if it is empty.
fn named<'a>(options: &'a Options, name: &str) -> Option<&'a str> {
    let found = options.get(&format!("aws_{name}")).or_else(|| options.get(name));
    found.map(String::as_str).filter(|value| !value.is_empty())
}

/// Returns the keys of the source that the options name, or of the default chain.
fn source(options: &Options, profile: Option<&str>, region: &str) -> Result<Credentials, Error> {
    let ambient = Ambient::of(environment(options))?;
    let resolver = ambient.resolver();
    let resolver = if region.is_empty() { resolver } else { resolver.with_region(region) };
    let has = |name| named(options, name).is_some();
    let source = if let Some(profile) = profile {
        resolver.profile(profile)
    } else if has("web_identity_token_file") {
        resolver.web_identity()
    } else if has("container_credentials_relative_uri") || has("container_credentials_full_uri") {
        resolver.container()
    } else {
        resolver.default_chain()
    };
    source.map(credentials::renewed)
}

/// Returns the environment of this process, in which the options are variables.
fn environment(options: &Options) -> Environment {
    let own = options.iter().filter_map(|(name, value)| {
        let name = match name.strip_prefix("aws_").unwrap_or(name) {
            // Keys are never made of two places.
            "access_key_id" | "secret_access_key" | "session_token" => return None,
            "metadata_endpoint" => "AWS_EC2_METADATA_SERVICE_ENDPOINT".to_owned(),
            of_a_source if OF_A_SOURCE.contains(&of_a_source) => {
                format!("AWS_{}", of_a_source.to_ascii_uppercase())
            }
            _ => name.to_ascii_uppercase(),
        };
        (!value.is_empty()).then(|| (name, value.clone()))
    });
    let process = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Environment::new(process.chain(own))
}

/// Returns how what is written is encrypted.
fn encryption(options: &Options) -> Result<Encryption, Error> {
    let refused = |name: &str| {
        let what = format!("`aws_{name}`: encryption with the caller's own keys is not supported");
        Err(Error::invalid_input(what))
    };
    if named(options, "sse_customer_key_base64").is_some() {
        return refused("sse_customer_key_base64");
    }
    let algorithm = named(options, "server_side_encryption");
    if algorithm == Some("sse-c") {
        return refused("server_side_encryption");
    }
    let bucket_key = named(options, "sse_bucket_key_enabled");
    let bucket_key = bucket_key.map(|value| truth("sse_bucket_key_enabled", value));
    Ok(Encryption {
        // The names of object_store beside those of S3.
        algorithm: algorithm.map(|algorithm| match algorithm {
            "sse-kms" => "aws:kms".to_owned(),
            "sse-kms:dsse" => "aws:kms:dsse".to_owned(),
            other => other.to_owned(),
        }),
        kms_key_id: named(options, "sse_kms_key_id").map(str::to_owned),
        bucket_key_enabled: bucket_key.transpose()?,
        ..Encryption::default()
    })
}

/// Options that say where keys are, which are known without `aws_` too.
const OF_A_SOURCE: [&str; 7] = [
    "container_authorization_token_file",
    "container_credentials_full_uri",
    "container_credentials_relative_uri",
    "endpoint_url_sts",
    "role_arn",
    "role_session_name",
    "web_identity_token_file",
];

fn truth(name: &str, value: &str) -> Result<bool, Error> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "on" | "yes" | "y" => Ok(true),
        "0" | "false" | "off" | "no" | "n" => Ok(false),
        _ => {
            Err(Error::invalid_input(format!("the option `aws_{name}` is neither true nor false")))
        }
    }
}
