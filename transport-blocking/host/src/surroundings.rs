//! Services and their authenticators as the environment and the user's files describe them.

use apus_core::Error;
use apus_core::machine::Auth;

/// A service, its authenticator, and how to connect to it.
#[derive(Debug)]
pub struct Surroundings<S> {
    /// The service.
    pub service: S,
    /// The authenticator.
    pub auth: Auth,
    /// Which certificates are trusted, and which one is shown.
    #[cfg(feature = "tls")]
    pub tls: crate::tls::Tls,
}

/// A service that the process's environment describes.
pub trait FromEnv: Sized {
    /// Reads the environment, and the files that it names.
    ///
    /// # Errors
    ///
    /// The environment does not name what is needed, or names something invalid; a file can't be
    /// read.
    fn from_env() -> Result<Surroundings<Self>, Error>;
}

/// A service of a cloud in a `clouds.yaml`.
pub trait FromCloud: Sized {
    /// Reads the `clouds.yaml` that openstacksdk would read, and takes this cloud of it.
    ///
    /// # Errors
    ///
    /// There is no such file or cloud, or it is invalid.
    fn from_cloud(name: &str) -> Result<Surroundings<Self>, Error>;
}

#[cfg(feature = "credentials")]
mod aws {
    use apus_core::checksum::{RequestChecksumCalculation, ResponseChecksumValidation};
    use apus_core::s3::{BaseUrl, Config, EndpointConfig, Service};

    use super::*;
    use crate::credentials::{Ambient, renewed};
    #[cfg(feature = "tls")]
    use crate::files::home;
    #[cfg(feature = "tls")]
    use crate::read::{self, unreadable};

    impl FromEnv for Service {
        /// Uses region, endpoint, profile and keys as the AWS SDKs do: `AWS_REGION`,
        /// `AWS_ENDPOINT_URL_S3`, `AWS_PROFILE`, the config and credentials files, `AWS_CA_BUNDLE`.
        fn from_env() -> Result<Surroundings<Self>, Error> {
            let ambient = Ambient::read()?;
            let resolver = ambient.resolver();
            let settings = resolver.settings(None)?;
            let region = settings.region.unwrap_or_default();
            let mut endpoint = match &settings.endpoint_url {
                Some(url) => EndpointConfig::custom(BaseUrl::parse(url)?, region),
                None if region.is_empty() => {
                    let what = "no region: set AWS_REGION, or `region` in the profile";
                    return Err(Error::invalid_input(what));
                }
                None => EndpointConfig::aws(region),
            };
            endpoint.addressing = settings.addressing.unwrap_or(endpoint.addressing);
            endpoint.accelerate = settings.use_accelerate;
            endpoint.use_dualstack = settings.use_dualstack;
            let mut config = Config::new(endpoint);
            // The defaults of the SDKs.
            let (request, response) =
                (settings.request_checksum_calculation, settings.response_checksum_validation);
            config.checksum.enable_data_integrity_protection = true;
            config.checksum.request = request.unwrap_or(RequestChecksumCalculation::WhenSupported);
            config.checksum.response =
                response.unwrap_or(ResponseChecksumValidation::WhenSupported);
            let auth = Auth::new(renewed(resolver.default_chain()?));
            Ok(Surroundings {
                service: Service::new(config)?,
                auth,
                #[cfg(feature = "tls")]
                tls: match &settings.ca_bundle {
                    Some(path) => {
                        let path = home(path);
                        let pem = read::file(&path).map_err(|error| unreadable(&path, &error))?;
                        crate::tls::Tls::default().trust_only(pem.expose().as_bytes())?
                    }
                    None => crate::tls::Tls::default(),
                },
            })
        }
    }
}

#[cfg(feature = "clouds")]
mod openstack {
    use apus_core::keystone::SessionOptions;
    use apus_core::keystone::clouds::Cloud;
    use apus_core::swift::{Config, Service};

    use super::*;
    use crate::clock;
    use crate::openstack::Search;

    impl FromEnv for Service {
        /// Uses `OS_*` as openstacksdk does: the cloud that `OS_CLOUD` names, or the one that the
        /// variables describe.
        fn from_env() -> Result<Surroundings<Self>, Error> {
            connect(&Search::default_paths().with_environment().read()?.cloud(None)?)
        }
    }

    impl FromCloud for Service {
        fn from_cloud(name: &str) -> Result<Surroundings<Self>, Error> {
            connect(&Search::default_paths().with_environment().read()?.cloud(Some(name))?)
        }
    }

    fn connect(cloud: &Cloud) -> Result<Surroundings<Service>, Error> {
        let mut config = Config::default();
        if let Some(timeout) = cloud.timeout {
            config.timeouts.connect = Some(timeout);
            config.timeouts.first_byte = Some(timeout);
            config.timeouts.idle = Some(timeout);
        }
        let options = SessionOptions { seed: clock::seed(), ..SessionOptions::default() };
        Ok(Surroundings {
            service: Service::new(config)?,
            auth: Auth::new(cloud.session(options)?),
            #[cfg(feature = "tls")]
            tls: crate::tls::Tls::default().with_cloud(&cloud.tls)?,
        })
    }
}
