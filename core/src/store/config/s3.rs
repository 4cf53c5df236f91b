//! The options of an S3 backend, with the names of glance_store.

use super::error::ConfigError;
use super::option::{OptionSpec, OptionValue, options};
use super::section::Section;
use crate::checksum::{
    Algorithm, Placement, Policy, RequestChecksumCalculation, ResponseChecksumValidation,
};
use crate::credentials::CredentialSource;
use crate::error::Error;
use crate::http::LeastRate;
use crate::location::S3Place;
use crate::quirks::Provider;
use crate::s3::endpoint::check_bucket;
use crate::s3::{Addressing, BaseUrl, Config, EndpointConfig};
use crate::secret::Secret;
use crate::sign::Keys;
use crate::store::connection::{Connection, ProxyOptions, file};

options! {
    /// The options of an S3 backend.
    S3Options {
        /// The server: `https://host[:port][/prefix]`, `http://…`, or a host alone, which means
        /// `https` for Amazon's hosts and `http` for others. Required.
        s3_store_host: Option<String> = None;
        /// The region that requests are signed for. Default: the region in Amazon's host name, or
        /// else `us-east-1`.
        s3_store_region_name: String = String::new();
        /// The access key id. Required, unless credentials come from another source.
        s3_store_access_key: Option<Secret> = None;
        /// The secret access key. Required, unless credentials come from another source.
        s3_store_secret_key: Option<Secret> = None;
        /// The token of temporary credentials.
        s3_store_session_token: Option<Secret> = None;
        /// The source of the keys: the options above, the environment, a profile of the AWS SDKs'
        /// files, the default chain of the AWS SDKs, a web identity, or the metadata service of the
        /// container or the instance. Temporary keys are renewed before they expire.
        s3_store_credential_source: CredentialSource = CredentialSource::Static;
        /// The profile in `~/.aws/config` or `~/.aws/credentials`. Required if the source of the
        /// keys is `profile`.
        s3_store_profile: Option<String> = None;
        /// The bucket. Required.
        s3_store_bucket: Option<String> = None;
        /// Whether an upload creates the bucket if it does not exist.
        s3_store_create_bucket_on_put: bool = false;
        /// Other servers, each `host[:port]`, for locations that contain credentials. The
        /// credentials in the location are used there, for that request alone; those of this
        /// backend are never sent there.
        s3_store_trusted_hosts: Vec<String> = Vec::new();
        /// Where the name of the bucket goes: into the path, into the host, or as the server
        /// requires.
        s3_store_bucket_url_format: Addressing = Addressing::Auto;
        /// Objects smaller than this, in MiB, are uploaded in one request; 0 uploads all objects in
        /// parts. A stream is uploaded in one request only if it also fits into the memory limit:
        /// 256 MiB, or two parts if that is more.
        s3_store_large_object_size: u64 = 100, in 0..=5120, capped;
        /// The size of a part in MiB. Very large objects get larger parts, so that 10,000 parts are
        /// enough.
        s3_store_large_object_chunk_size: u64 = 10, in 5..=5120, capped;
        /// How many parts are uploaded at once.
        s3_store_thread_pools: u64 = 10, in 1..=256, capped;
        /// A file of CA certificates to trust instead of the system's.
        s3_store_cacert: Option<String> = None;
        /// Whether the two options below are used. If false, both are `when_required`.
        s3_store_enable_data_integrity_protection: bool = false;
        /// When uploads carry a checksum. `always` is an alias of `when_supported`.
        s3_store_request_checksum_calculation: RequestChecksumCalculation =
            RequestChecksumCalculation::WhenRequired;
        /// When the checksum of a response is requested and compared.
        s3_store_response_checksum_validation: ResponseChecksumValidation =
            ResponseChecksumValidation::WhenRequired;
        /// The checksum algorithm of uploads.
        s3_store_checksum_algorithm: Option<Algorithm> = None;
        /// Where in a request the checksum goes.
        s3_store_checksum_placement: Option<Placement> = None;
        /// The provider of the server: determines what the options above leave open.
        s3_store_provider: Option<Provider> = None;
        /// How many times a request is repeated after a transient failure.
        s3_store_retries: u64 = 4, in 0..=100;
        /// The time limit for establishing a connection, in seconds.
        s3_store_connect_timeout: u64 = 10, in 1..=3600;
        /// The time limit in seconds from the last byte sent to the head of the response, for a
        /// pause within its body, and for the whole of an error response.
        s3_store_read_timeout: u64 = 60, in 1..=3600;
        /// The minimum rate of an object's body, up or down, in bytes per second, averaged over the
        /// window below; 0 disables the check. Time spent waiting for the bandwidth limit, the
        /// image's source or its reader does not count.
        s3_store_minimum_rate: u64 = 1024, in 0..=1073741824;
        /// The window of the minimum rate, in seconds.
        s3_store_minimum_rate_window: u64 = 60, in 1..=3600;
        /// Whether a proxy is used.
        s3_store_enable_proxy: bool = false;
        /// The proxy's host, or `https://host` if the connection to the proxy uses TLS. Required if
        /// a proxy is used.
        s3_store_proxy_host: Option<String> = None;
        /// The proxy's port.
        s3_store_proxy_port: u64 = 8080, in 1..=65535;
        /// The user name for the proxy.
        s3_store_proxy_user: Option<String> = None;
        /// The password for the proxy.
        s3_store_proxy_password: Option<Secret> = None;
        /// A file of CA certificates to verify a proxy with TLS, instead of the default ones.
        s3_store_proxy_cacert: Option<String> = None;
        /// Hosts that are reached without the proxy: `host`, `.domain` and addresses, each with or
        /// without a port, and networks.
        s3_store_proxy_bypass: Vec<String> = Vec::new();
    }
}

impl S3Options {
    /// Returns the URL of the server.
    ///
    /// # Errors
    ///
    /// The host is missing, or is neither a URL nor a host.
    pub fn endpoint(&self) -> Result<BaseUrl, Error> {
        let host = self.s3_store_host.as_deref().map(str::trim).filter(|host| !host.is_empty());
        let Some(host) = host else {
            return Err(Error::invalid_input("missing required option `s3_store_host`"));
        };
        if host.contains("://") {
            return BaseUrl::parse(host);
        }
        let plain = BaseUrl::parse(&format!("http://{host}"))?;
        if !plain.is_aws() {
            return Ok(plain);
        }
        // `:80` is for the old store, which used http here.
        let port = plain.port().filter(|port| *port != 80);
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        BaseUrl::parse(&format!("https://{}{port}{}", plain.host(), plain.path()))
    }

    /// Returns the region that requests are signed for.
    pub fn region(&self) -> String {
        let written = self.s3_store_region_name.trim();
        if !written.is_empty() {
            return written.to_owned();
        }
        let of_host = self.endpoint().ok().and_then(|endpoint| endpoint.aws_region());
        of_host.unwrap_or_else(|| "us-east-1".to_owned())
    }

    /// Returns the configuration of requests.
    ///
    /// # Errors
    ///
    /// Those of [`endpoint`](Self::endpoint).
    pub fn config(&self) -> Result<Config, Error> {
        let mut endpoint = EndpointConfig::custom(self.endpoint()?, self.region());
        endpoint.addressing = self.s3_store_bucket_url_format;
        let mut config = Config::new(endpoint);
        if let Some(provider) = self.s3_store_provider {
            config = config.of_provider(provider);
        }
        let default = Policy::default();
        config.checksum = Policy {
            enable_data_integrity_protection: self.s3_store_enable_data_integrity_protection,
            request: self.s3_store_request_checksum_calculation,
            response: self.s3_store_response_checksum_validation,
            algorithm: self.s3_store_checksum_algorithm.unwrap_or(default.algorithm),
            placement: self.s3_store_checksum_placement.unwrap_or(default.placement),
            ..default
        };
        config.retry_policy.attempts = u32::try_from(self.s3_store_retries).unwrap_or(u32::MAX) + 1;
        let seconds = |seconds| Some(std::time::Duration::from_secs(seconds));
        config.timeouts.connect = seconds(self.s3_store_connect_timeout);
        config.timeouts.first_byte = seconds(self.s3_store_read_timeout);
        config.timeouts.idle = seconds(self.s3_store_read_timeout);
        config.timeouts.refusal = seconds(self.s3_store_read_timeout);
        config.timeouts.rate = (self.s3_store_minimum_rate > 0).then(|| LeastRate {
            bytes: self.s3_store_minimum_rate,
            over: std::time::Duration::from_secs(self.s3_store_minimum_rate_window),
        });
        Ok(config)
    }

    /// Returns the keys in the options, if both are set and the source is
    /// [`CredentialSource::Static`].
    pub fn keys(&self) -> Option<Keys> {
        if self.s3_store_credential_source != CredentialSource::Static {
            return None;
        }
        let access = self.s3_store_access_key.as_ref()?;
        let mut keys = Keys::new(access.expose(), self.s3_store_secret_key.clone()?);
        keys.session_token.clone_from(&self.s3_store_session_token);
        Some(keys)
    }

    /// Returns server and bucket, for comparison with locations.
    ///
    /// # Errors
    ///
    /// Those of [`endpoint`](Self::endpoint); there is no bucket.
    pub fn place(&self) -> Result<S3Place, Error> {
        let bucket = self.s3_store_bucket.as_deref().filter(|bucket| !bucket.is_empty());
        let bucket = bucket
            .ok_or_else(|| Error::invalid_input("missing required option `s3_store_bucket`"))?;
        Ok(S3Place::new(&self.endpoint()?, bucket))
    }

    /// Checks the options together.
    pub(super) fn check(&self, section: &Section<'_>, errors: &mut Vec<ConfigError>) {
        let mut wrong = |name, problem: &str| errors.push(section.wrong(name, false, problem));
        if self.s3_store_host.as_deref().is_none_or(|host| host.trim().is_empty()) {
            wrong("s3_store_host", "missing required option");
        } else if let Err(error) = self.endpoint() {
            wrong("s3_store_host", error.message());
        }
        match self.s3_store_bucket.as_deref() {
            None | Some("") => wrong("s3_store_bucket", "missing required option"),
            Some(bucket) => {
                let is_aws = self.endpoint().is_ok_and(|endpoint| endpoint.is_aws());
                if let Err(error) = check_bucket(bucket, !is_aws) {
                    wrong("s3_store_bucket", error.message());
                }
            }
        }
        self.check_keys(section, errors);
        let host = self.s3_store_proxy_host.as_deref().unwrap_or_default();
        if self.s3_store_enable_proxy && host.is_empty() {
            errors.push(section.wrong(
                "s3_store_proxy_host",
                false,
                "missing option, required where s3_store_enable_proxy is true",
            ));
        } else if let Err(error) = Connection::of_s3(self) {
            errors.push(section.wrong("s3_store_enable_proxy", false, error.message()));
        }
    }

    /// Warns about a host of Amazon's that is probably not the one that is meant, and about a region
    /// that is probably not that of the host.
    pub(super) fn warn(&self, section: &Section<'_>, warnings: &mut Vec<ConfigError>) {
        let Ok(endpoint) = self.endpoint() else { return };
        let region = self.s3_store_region_name.trim();
        let mut warn = |name, problem: &str| warnings.push(section.wrong(name, false, problem));
        let of_host = endpoint.aws_region();
        let is_global =
            matches!(endpoint.host(), "s3.amazonaws.com" | "s3-external-1.amazonaws.com");
        let bucket = self.s3_store_bucket.as_deref().unwrap_or_default();
        let before = endpoint.host().strip_prefix(bucket).filter(|_| !bucket.is_empty());
        if endpoint.is_aws_website() {
            return warn(
                "s3_store_host",
                "this host of Amazon's serves websites, and has no S3 API",
            );
        } else if endpoint.is_aws() && before.is_some_and(|rest| rest.starts_with(".s3")) {
            let problem = "the host begins with the bucket: write it without, as the bucket is \
                           put before it";
            warn("s3_store_host", problem);
        }
        if endpoint.is_aws() && of_host.is_none() && region.is_empty() {
            let problem = "no region is in this host of Amazon's: us-east-1 is used; set \
                           s3_store_region_name";
            warn("s3_store_host", problem);
        } else if !region.is_empty() && !endpoint.is_in_partition_of(region) {
            warn("s3_store_region_name", "the host is in another partition than this region");
        } else if let Some(of_host) =
            of_host.filter(|it| !is_global && !region.is_empty() && it != region)
        {
            let problem = format!("the host is in the region {of_host}: it refuses the signatures");
            warn("s3_store_region_name", &problem);
        }
    }

    fn check_keys(&self, section: &Section<'_>, errors: &mut Vec<ConfigError>) {
        let source = self.s3_store_credential_source;
        let profile = self.s3_store_profile.as_deref().filter(|name| !name.is_empty());
        let of_profile = source == CredentialSource::Profile;
        if of_profile != profile.is_some() {
            let problem = match of_profile {
                true => "missing option, required where s3_store_credential_source is profile",
                false => "this option is valid only where s3_store_credential_source is profile",
            };
            errors.push(section.wrong("s3_store_profile", false, problem));
        }
        let keys = [
            ("s3_store_access_key", &self.s3_store_access_key),
            ("s3_store_secret_key", &self.s3_store_secret_key),
            ("s3_store_session_token", &self.s3_store_session_token),
        ];
        if source != CredentialSource::Static {
            let problem =
                format!("this option is not valid where s3_store_credential_source is {source}");
            let written = keys.into_iter().filter(|(_, value)| value.is_some());
            errors.extend(written.map(|(name, _)| section.wrong(name, true, problem.as_str())));
            return;
        }
        // An option that is set but invalid is reported already.
        let is_told = |name: &str, errors: &[ConfigError]| {
            let is_this = |error: &ConfigError| error.option.as_deref() == Some(name);
            errors.iter().any(|error| error.section == section.name && is_this(error))
        };
        for (name, value) in &keys[..2] {
            let is_missing = value.as_ref().is_none_or(Secret::is_empty);
            if is_missing && !is_told(name, errors) {
                errors.push(section.wrong(name, true, "missing required option"));
            }
        }
    }
}

impl Connection {
    /// Makes the transport settings of an S3 backend.
    ///
    /// # Errors
    ///
    /// An invalid option of the proxy.
    pub fn of_s3(options: &S3Options) -> Result<Self, Error> {
        let proxy = ProxyOptions {
            host: &options.s3_store_proxy_host,
            port: options.s3_store_proxy_port,
            user: &options.s3_store_proxy_user,
            password: &options.s3_store_proxy_password,
            bypass: &bypass(options),
        };
        Ok(Self {
            ca_file: file(&options.s3_store_cacert),
            insecure: false,
            proxy: options.s3_store_enable_proxy.then(|| proxy.read()).transpose()?,
            proxy_ca_file: file(&options.s3_store_proxy_cacert),
        })
    }
}

/// Returns the hosts that are reached without the proxy: those of the option, and the metadata
/// services if keys may come from one. Through a proxy, its own metadata service would respond.
fn bypass(options: &S3Options) -> Vec<String> {
    let mut hosts = options.s3_store_proxy_bypass.clone();
    let source = options.s3_store_credential_source;
    if !matches!(source, CredentialSource::Static | CredentialSource::Environment) {
        hosts.extend(METADATA.map(str::to_owned));
    }
    hosts
}

/// The addresses of the metadata services of containers and instances.
const METADATA: [&str; 5] = ["169.254.0.0/16", "fd00:ec2::/32", "127.0.0.0/8", "::1", "localhost"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_not_asked_for_the_keys_of_this_instance() {
        let mut options = S3Options {
            s3_store_enable_proxy: true,
            s3_store_proxy_host: Some("proxy.example.com".to_owned()),
            s3_store_proxy_bypass: vec!["near.example.com".to_owned()],
            ..S3Options::default()
        };
        let bypassed = |options: &S3Options, url: &'static str| {
            let proxy = Connection::of_s3(options).unwrap().proxy.unwrap();
            proxy.is_bypassed(&http::Uri::from_static(url))
        };
        for url in [
            "http://169.254.169.254/latest/api/token",
            "http://169.254.170.2/v2/x",
            "http://[fd00:ec2::23]/v1/credentials",
            "http://127.0.0.1:1338/x",
            "http://near.example.com/",
        ] {
            options.s3_store_credential_source = CredentialSource::Static;
            assert_eq!(bypassed(&options, url), url.contains("near"), "{url}");
            options.s3_store_credential_source = CredentialSource::Instance;
            assert!(bypassed(&options, url), "{url}");
            assert!(!bypassed(&options, "https://s3.example.com/"));
        }
    }
}
