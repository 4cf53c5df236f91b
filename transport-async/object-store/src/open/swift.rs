//! A client of Swift by a URL and its options.

use std::hash::{BuildHasher, RandomState};

use apus_async::keystone::SessionOptions;
use apus_async::keystone::clouds::CloudAuth;
use apus_async::s3::BaseUrl;
use apus_async::swift::{Config, Service};
use apus_async::{Client, Error, TransportConfig, openstack};
use url::Url;

use super::{Options, Place, by_host, server, split};

/// Returns the container and Keystone's URL: all of the path up to a segment such as `v3`, which is
/// the first or the second one; without it, the host alone.
pub(super) fn place(url: &Url) -> Result<(Place, Option<String>), Error> {
    if url.scheme() == "swift" {
        return Ok((by_host(url)?, None));
    }
    let path = url.path().trim_start_matches('/');
    let mut end = 0;
    for segment in path.split('/').take(2) {
        let next = end + segment.len();
        if is_version(segment) {
            let auth_url = format!("{}/{}", server(url)?, &path[..next]);
            return Ok((split(url, &path[next..])?, Some(auth_url)));
        }
        end = next + 1;
    }
    Ok((split(url, path)?, Some(server(url)?)))
}

/// Whether a segment is the version of an identity API: `v3`, `v2.0`.
fn is_version(segment: &str) -> bool {
    let digits = segment.strip_prefix('v').unwrap_or_default();
    digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.chars().all(|one| one.is_ascii_digit() || one == '.')
}

pub(super) fn client(auth_url: Option<&str>, options: &Options) -> Result<Client<Service>, Error> {
    let named = options.iter().filter(|(name, _)| name.starts_with("os_"));
    let named: Vec<_> =
        named.map(|(name, value)| (name.to_ascii_uppercase(), value.clone())).collect();
    let search = openstack::Search::default_paths();
    let search = match named.is_empty() {
        true => search.with_environment(),
        false => search.with_variables(named),
    };
    let mut clouds = search.read()?;
    if let Some(url) = auth_url {
        clouds = clouds.with_auth_url(url);
    }
    let cloud = clouds.cloud(None)?;
    if let Some(url) = auth_url {
        same_server(url, &cloud.auth)?;
    }
    let mut config = Config::default();
    if let Some(timeout) = cloud.timeout {
        config.timeouts.connect = Some(timeout);
        config.timeouts.first_byte = Some(timeout);
        config.timeouts.idle = Some(timeout);
    }
    let seed = RandomState::new().hash_one(0);
    let session = cloud.session(SessionOptions { seed, ..SessionOptions::default() })?;
    let transport = TransportConfig::new().proxy_from_environment()?;
    #[cfg(feature = "tls")]
    let transport = transport.cloud_tls(&cloud.tls)?;
    Client::builder(Service::new(config)?, session).transport_config(transport).build()
}

/// A password that belongs to one Keystone is not sent to another that a URL names.
fn same_server(url: &str, auth: &CloudAuth) -> Result<(), Error> {
    let wanted = BaseUrl::parse(url)?;
    let have = match auth {
        CloudAuth::Login { auth_url, .. } => Some(BaseUrl::parse(auth_url)?),
        _ => None,
    };
    let place = |url: &BaseUrl| (url.is_tls(), url.host().to_owned(), url.port_or_default());
    if have.as_ref().map(place) == Some(place(&wanted)) {
        return Ok(());
    }
    let have = have.map_or_else(|| "none".to_owned(), |have| have.authority().to_owned());
    Err(Error::invalid_input(format!(
        "the URL names the Keystone {}, and the options that of {have}",
        wanted.authority()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_up_to_the_version_is_keystones() {
        for (url, auth_url, container, path) in [
            ("swift+https://k.example/v3/box/a/b", "https://k.example/v3", "box", "a/b"),
            ("swift+https://k.example:5000/v2.0/box", "https://k.example:5000/v2.0", "box", ""),
            (
                "swift+https://k.example/identity/v3/box/a",
                "https://k.example/identity/v3",
                "box",
                "a",
            ),
            ("swift+http://k.example/box/v3x/a", "http://k.example", "box", "v3x/a"),
        ] {
            let (place, auth) = place(&Url::parse(url).unwrap()).unwrap();
            let expected = Place { bucket: container.to_owned(), path: path.to_owned() };
            assert_eq!((place, auth.as_deref()), (expected, Some(auth_url)), "{url}");
        }
        for url in ["swift+https://k.example/v3", "swift+https://k.example/"] {
            assert!(place(&Url::parse(url).unwrap()).is_err(), "{url}");
        }
    }
}
