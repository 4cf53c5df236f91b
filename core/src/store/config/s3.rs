//! The options of a backend in S3, under the names that glance_store gave them.

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
use crate::s3::{Addressing, BaseUrl, Config, EndpointConfig};
use crate::secret::Secret;
use crate::sign::Keys;
use crate::store::connection::{Connection, ProxyOptions, file};

options! {
    /// What there is to say about a backend in S3.
    S3Options {
        /// The server: `https://host[:port][/prefix]`, `http://…`, or a host alone, which is taken for
        /// `https` at Amazon's hosts and for `http` elsewhere. Required.
        s3_store_host: Option<String> = None;
        /// The region that requests are signed for. Without one it is that of Amazon's host, and
        /// `us-east-1` elsewhere.
        s3_store_region_name: String = String::new();
        /// The access key id. Required, unless credentials come from another source.
        s3_store_access_key: Option<Secret> = None;
        /// The secret access key. Required, unless credentials come from another source.
        s3_store_secret_key: Option<Secret> = None;
        /// The token of temporary credentials.
        s3_store_session_token: Option<Secret> = None;
        /// Where the keys come from: from the options above, the environment, a profile of the files of
        /// the AWS SDKs, what those use where they are told nothing, a web identity, or the metadata
        /// service of the container or the instance. They are renewed in time.
        s3_store_credential_source: CredentialSource = CredentialSource::Static;
        /// The profile in `~/.aws/config` or `~/.aws/credentials`. Required where keys come from one.
        s3_store_profile: Option<String> = None;
        /// The bucket. Required.
        s3_store_bucket: Option<String> = None;
        /// Whether an upload makes the bucket where there is none.
        s3_store_create_bucket_on_put: bool = false;
        /// Other servers, each `host[:port]`, that locations may name which have credentials inside:
        /// those are used there, for the one request, and never the ones of this backend.
        s3_store_trusted_hosts: Vec<String> = Vec::new();
        /// Where the name of the bucket goes: into the path, into the host, or as suits the server.
        s3_store_bucket_url_format: Addressing = Addressing::Auto;
        /// Objects of less than this many MiB are uploaded in one request; 0 uploads all in parts. Of
        /// what comes as a stream, at most 256 MiB are held in memory for it.
        s3_store_large_object_size: u64 = 100, in 0..=5120;
        /// MiB of a part. Larger objects get larger parts, so that 10,000 are enough.
        s3_store_large_object_chunk_size: u64 = 10, in 5..=5120;
        /// Parts in flight at once.
        s3_store_thread_pools: u64 = 10, in 1..=256;
        /// A file of certificates to trust instead of the system's.
        s3_store_cacert: Option<String> = None;
        /// Whether the two options below count. Off, both are `when_required`.
        s3_store_enable_data_integrity_protection: bool = false;
        /// When uploads carry a checksum. `always` is another word for `when_supported`.
        s3_store_request_checksum_calculation: RequestChecksumCalculation =
            RequestChecksumCalculation::WhenRequired;
        /// When the checksum of an answer is asked for and compared.
        s3_store_response_checksum_validation: ResponseChecksumValidation =
            ResponseChecksumValidation::WhenRequired;
        /// The checksum that is computed.
        s3_store_checksum_algorithm: Option<Algorithm> = None;
        /// Where in a request the checksum goes.
        s3_store_checksum_placement: Option<Placement> = None;
        /// Whose server it is: decides what the options above leave open.
        s3_store_provider: Option<Provider> = None;
        /// How many times a request is repeated after it failed for a reason that may pass.
        s3_store_retries: u64 = 4, in 0..=100;
        /// Seconds until a connection must stand.
        s3_store_connect_timeout: u64 = 10, in 1..=3600;
        /// Seconds from the last byte sent until the head of an answer must be there, of silence within its
        /// body, and for all of an answer that is no success.
        s3_store_read_timeout: u64 = 60, in 1..=3600;
        /// Bytes a second that the body of an object must move at least, up or down, on the average of the
        /// window below; 0 lets it take for ever. Time that the limit of bandwidth, the image's source or
        /// its reader takes does not count.
        s3_store_minimum_rate: u64 = 1024, in 0..=1073741824;
        /// The window in seconds.
        s3_store_minimum_rate_window: u64 = 60, in 1..=3600;
        /// Whether a proxy is used.
        s3_store_enable_proxy: bool = false;
        /// The proxy's host, or `https://host` where it speaks TLS itself. Required where a proxy is
        /// used.
        s3_store_proxy_host: Option<String> = None;
        /// The proxy's port.
        s3_store_proxy_port: u64 = 8080, in 1..=65535;
        /// The user at the proxy.
        s3_store_proxy_user: Option<String> = None;
        /// The password at the proxy.
        s3_store_proxy_password: Option<Secret> = None;
        /// A file of certificates to trust instead of the usual ones where the proxy speaks TLS itself.
        s3_store_proxy_cacert: Option<String> = None;
        /// Hosts that are reached without the proxy: `host`, `.domain`, addresses and networks, each
        /// with a port or without.
        s3_store_proxy_bypass: Vec<String> = Vec::new();
    }
}

impl S3Options {
    /// The server.
    ///
    /// # Errors
    ///
    /// There is none, or it is no URL and no host.
    pub fn endpoint(&self) -> Result<BaseUrl, Error> {
        let host = self.s3_store_host.as_deref().map(str::trim).filter(|host| !host.is_empty());
        let Some(host) = host else { return Err(Error::caller("it is required")) };
        if host.contains("://") {
            return BaseUrl::parse(host);
        }
        let plain = BaseUrl::parse(&format!("http://{host}"))?;
        if plain.is_aws() { BaseUrl::parse(&format!("https://{host}")) } else { Ok(plain) }
    }

    /// The region of requests.
    pub fn region(&self) -> String {
        let written = self.s3_store_region_name.trim();
        if !written.is_empty() {
            return written.to_owned();
        }
        let of_host = self.endpoint().ok().and_then(|endpoint| endpoint.aws_region());
        of_host.unwrap_or_else(|| "us-east-1".to_owned())
    }

    /// How requests are made.
    ///
    /// # Errors
    ///
    /// As [`endpoint`](Self::endpoint).
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
        config.limits.connect = seconds(self.s3_store_connect_timeout);
        config.limits.first_byte = seconds(self.s3_store_read_timeout);
        config.limits.idle = seconds(self.s3_store_read_timeout);
        config.limits.refusal = seconds(self.s3_store_read_timeout);
        config.limits.rate = (self.s3_store_minimum_rate > 0).then(|| LeastRate {
            bytes: self.s3_store_minimum_rate,
            over: std::time::Duration::from_secs(self.s3_store_minimum_rate_window),
        });
        Ok(config)
    }

    /// The keys, where both are written and they are what is used.
    pub fn keys(&self) -> Option<Keys> {
        if self.s3_store_credential_source != CredentialSource::Static {
            return None;
        }
        let access = self.s3_store_access_key.as_ref()?;
        let mut keys = Keys::new(access.expose(), self.s3_store_secret_key.clone()?);
        keys.session_token.clone_from(&self.s3_store_session_token);
        Some(keys)
    }

    /// The bucket, as locations are compared with it.
    ///
    /// # Errors
    ///
    /// As [`endpoint`](Self::endpoint); there is no bucket.
    pub fn place(&self) -> Result<S3Place, Error> {
        let bucket = self.s3_store_bucket.as_deref().filter(|bucket| !bucket.is_empty());
        let bucket = bucket.ok_or_else(|| Error::caller("it is required"))?;
        Ok(S3Place::new(&self.endpoint()?, bucket))
    }

    /// What is wrong with options together.
    pub(super) fn check(&self, section: &Section<'_>, errors: &mut Vec<ConfigError>) {
        let mut wrong = |name, problem: &str| errors.push(section.wrong(name, false, problem));
        if let Err(error) = self.endpoint() {
            wrong("s3_store_host", error.what());
        }
        if self.s3_store_bucket.as_deref().is_none_or(str::is_empty) {
            wrong("s3_store_bucket", "it is required");
        }
        self.check_keys(section, errors);
        let host = self.s3_store_proxy_host.as_deref().unwrap_or_default();
        if self.s3_store_enable_proxy && host.is_empty() {
            errors.push(section.wrong(
                "s3_store_proxy_host",
                false,
                "it is required where s3_store_enable_proxy is true",
            ));
        } else if let Err(error) = Connection::of_s3(self) {
            errors.push(section.wrong("s3_store_enable_proxy", false, error.what()));
        }
    }

    fn check_keys(&self, section: &Section<'_>, errors: &mut Vec<ConfigError>) {
        let source = self.s3_store_credential_source;
        let profile = self.s3_store_profile.as_deref().filter(|name| !name.is_empty());
        let of_profile = source == CredentialSource::Profile;
        if of_profile != profile.is_some() {
            let problem = match of_profile {
                true => "it is required where s3_store_credential_source is profile",
                false => "it is used only where s3_store_credential_source is profile",
            };
            errors.push(section.wrong("s3_store_profile", false, problem));
        }
        let keys = [
            ("s3_store_access_key", &self.s3_store_access_key),
            ("s3_store_secret_key", &self.s3_store_secret_key),
            ("s3_store_session_token", &self.s3_store_session_token),
        ];
        if source != CredentialSource::Static {
            let problem = format!("it is not used where s3_store_credential_source is {source}");
            let written = keys.into_iter().filter(|(_, value)| value.is_some());
            errors.extend(written.map(|(name, _)| section.wrong(name, true, problem.as_str())));
            return;
        }
        // One that was written, and is wrong, is told of already.
        let is_told = |name: &str, errors: &[ConfigError]| {
            let is_this = |error: &ConfigError| error.option.as_deref() == Some(name);
            errors.iter().any(|error| error.section == section.name && is_this(error))
        };
        for (name, value) in &keys[..2] {
            let is_missing = value.as_ref().is_none_or(Secret::is_empty);
            if is_missing && !is_told(name, errors) {
                errors.push(section.wrong(name, true, "it is required"));
            }
        }
    }
}

impl Connection {
    /// The way to a backend in S3.
    ///
    /// # Errors
    ///
    /// What of its proxy can't be.
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

/// The hosts that are reached without a proxy: those of the option, and the metadata services where keys
/// may come from one, as a proxy would ask its own.
fn bypass(options: &S3Options) -> Vec<String> {
    let mut hosts = options.s3_store_proxy_bypass.clone();
    let source = options.s3_store_credential_source;
    if !matches!(source, CredentialSource::Static | CredentialSource::Environment) {
        hosts.extend(METADATA.map(str::to_owned));
    }
    hosts
}

/// Where a container or an instance has its metadata services.
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
