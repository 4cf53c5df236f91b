//! Resolves endpoints: scheme, host and path prefix, and the region and service of the signature.
//!
//! ```text
//!  EndpointConfig ──Resolver::new──▶ Resolver ──resolve(bucket)──▶ Endpoint
//!  configuration    once, checked    one per     every request     scheme, authority, host header,
//!                                    client                        path, signing region and name
//! ```
//!
//! The rules are those of AWS's S3 endpoint rule set (the `endpointRuleSet` trait of the S3 service
//! model). With a custom endpoint, buckets are in the path unless virtual hosts are configured; on
//! AWS they are in the host where the bucket name allows it. S3 Express buckets, Outposts and
//! multi-region access points need protocols that this crate does not support, and are errors.

mod access_point;
mod bucket;
mod partition;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use http::uri::{Authority, Scheme};

#[cfg(feature = "store")]
pub(crate) use self::bucket::check as check_bucket;
use self::partition::Partition;
pub use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::escape;
pub use crate::quirks::Addressing;

/// The endpoint of a client, and how buckets are addressed. A [`Resolver`] is created from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointConfig {
    /// The URL of a custom endpoint; `None` selects the AWS host of the region.
    pub endpoint: Option<BaseUrl>,
    /// The AWS region. Required without an `endpoint`; with one, an empty region means `us-east-1`.
    /// `aws-global` selects AWS's endpoint without a region, signed for `us-east-1`.
    pub region: Arc<str>,
    /// Whether the bucket is in the host or in the path.
    pub addressing: Addressing,
    /// Whether to use AWS's FIPS 140 endpoints. Not with an `endpoint`.
    pub use_fips: bool,
    /// Whether to use AWS's dual-stack endpoints (IPv4 and IPv6). Not with an `endpoint`.
    pub use_dualstack: bool,
    /// Whether to use S3 Transfer Acceleration. Not with an `endpoint` or with `use_fips`, and
    /// only for buckets that can be virtual hosts.
    pub accelerate: bool,
    /// Whether an access point's ARN may have another region than `region`; the ARN's region is
    /// then used. True by default.
    pub use_arn_region: bool,
    /// Whether multi-region access points are disabled. It has no effect: they are not supported.
    /// See [`Resolver::resolve`].
    pub disable_multi_region_access_points: bool,
    /// Whether to use `s3.amazonaws.com` for `us-east-1` instead of its regional host.
    pub use_global_endpoint: bool,
    /// Whether ARNs of access points are an error: for operations that need a bucket.
    pub disable_access_points: bool,
}

/// The endpoint of one request, and the scope of its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// The host, with the bucket where it is addressed by virtual host, and the configured port.
    pub authority: Authority,
    /// The value of the `Host` header: `authority` without the port that the scheme implies.
    pub host: HeaderValue,
    /// The path before `/key`, percent-encoded: the configured prefix, and `/bucket` where it is
    /// addressed by path. Empty, or begins with a slash and does not end with one.
    pub base_path: String,
    /// The region in the scope of the signature.
    pub signing_region: Arc<str>,
    /// The service in the scope of the signature: `s3` or `s3-object-lambda`.
    pub signing_name: &'static str,
}

/// A checked [`EndpointConfig`], with everything precomputed that does not depend on the bucket.
/// Resolving a request makes one or two small allocations.
#[derive(Clone, Debug)]
pub struct Resolver {
    config: EndpointConfig,
    partition: &'static Partition,
    scheme: Scheme,
    /// For requests without a bucket or with the bucket in the path.
    server: Server,
    /// The part after `bucket.` in a virtual host.
    virtual_suffix: Suffix,
    prefix: Arc<str>,
    signing_region: Arc<str>,
}

#[derive(Clone, Debug)]
struct Server {
    authority: Authority,
    host: HeaderValue,
}

/// The end of an authority. Its last `implied` bytes are a port that the scheme implies.
#[derive(Clone, Debug)]
struct Suffix {
    text: String,
    implied: usize,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: Arc::from(""),
            addressing: Addressing::Auto,
            use_fips: false,
            use_dualstack: false,
            accelerate: false,
            use_arn_region: true,
            disable_multi_region_access_points: false,
            use_global_endpoint: false,
            disable_access_points: false,
        }
    }
}

impl EndpointConfig {
    /// Creates the configuration for AWS in this region.
    pub fn aws(region: impl Into<Arc<str>>) -> Self {
        Self { region: region.into(), ..Self::default() }
    }

    /// Creates the configuration for the server at this URL, in this region (empty: `us-east-1`).
    pub fn custom(endpoint: BaseUrl, region: impl Into<Arc<str>>) -> Self {
        Self { endpoint: Some(endpoint), region: region.into(), ..Self::default() }
    }
}

impl Resolver {
    /// Checks the configuration and computes what all requests have in common.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidInput`](crate::Kind::InvalidInput) where the region is missing or is not a host label, or
    /// where settings contradict each other: FIPS, dual-stack or acceleration with a custom
    /// endpoint, acceleration with FIPS, FIPS or acceleration in the partition `aws-cn`.
    pub fn new(config: EndpointConfig) -> Result<Self, Error> {
        let region = effective_region(&config)?;
        let partition = Partition::of_region(&region);
        check_combinations(&config, partition)?;
        let (scheme, server, virtual_suffix, prefix) = match &config.endpoint {
            Some(url) => {
                let server = Suffix { text: url.authority().into(), implied: url.implied_port() };
                (url.scheme().clone(), server.clone(), server, Arc::from(url.path()))
            }
            None => {
                let server = aws_server(&config, &region, partition);
                let suffix = match config.accelerate {
                    true => accelerated(&config, &region, partition),
                    false => server.clone(),
                };
                (Scheme::HTTPS, Suffix::bare(server), Suffix::bare(suffix), Arc::from(""))
            }
        };
        let signing_region = match &*region {
            partition::GLOBAL => Arc::from(DEFAULT_REGION),
            _ => Arc::clone(&region),
        };
        Ok(Self {
            partition,
            scheme,
            server: server.server("")?,
            virtual_suffix,
            prefix,
            signing_region,
            config: EndpointConfig { region, ..config },
        })
    }

    /// Returns the configuration, with the effective region.
    pub fn config(&self) -> &EndpointConfig {
        &self.config
    }

    /// Returns the region of the signature, unless the ARN of an access point has another.
    pub fn signing_region(&self) -> &Arc<str> {
        &self.signing_region
    }

    /// Returns a resolver for another region: the bucket's, which the server named. With a custom
    /// endpoint only the region of the signature changes.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidInput`](crate::Kind::InvalidInput) where the region is not a host label or belongs to
    /// another AWS partition. A bucket never moves to another partition, and a response must not
    /// redirect requests to another cloud.
    pub fn with_region(&self, region: &str) -> Result<Self, Error> {
        let config = EndpointConfig { region: Arc::from(region), ..self.config.clone() };
        let moved = Self::new(config)?;
        if self.config.endpoint.is_none() && moved.partition.name != self.partition.name {
            return Err(Error::invalid_input(format!(
                "region `{}` is in partition `{}`, but the client's region is in `{}`",
                moved.config.region, moved.partition.name, self.partition.name
            )));
        }
        Ok(moved)
    }

    /// Returns the endpoint of a request on this bucket, or on the service (ListBuckets). The
    /// bucket is a name, the alias of an access point, or the ARN of an access point or Object
    /// Lambda access point.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidInput`](crate::Kind::InvalidInput) where the bucket name or ARN is invalid, or the ARN is
    /// not allowed; where acceleration is configured and the bucket can't be in the host. Not
    /// supported are directory buckets and their access points (`--x-s3`, `--xa-s3`: S3 Express
    /// sessions), multi-region access points (they need SigV4A) and Outposts.
    pub fn resolve(&self, bucket: Option<&str>) -> Result<Endpoint, Error> {
        self.resolve_as(self.config.addressing, bucket)
    }

    /// As [`resolve`](Self::resolve), with another addressing than the configured one.
    /// GetBucketLocation uses [`Addressing::Path`], because the region is not known yet.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    pub fn resolve_as(
        &self,
        addressing: Addressing,
        bucket: Option<&str>,
    ) -> Result<Endpoint, Error> {
        let Some(bucket) = bucket else {
            return Ok(self.endpoint(self.server.clone(), self.base_path()));
        };
        if bucket.starts_with("arn:") {
            return access_point::resolve(self, bucket);
        }
        bucket::check(bucket, self.config.endpoint.is_some())?;
        if self.in_host(addressing, bucket) {
            let server = self.virtual_suffix.server(bucket)?;
            return Ok(self.endpoint(server, self.base_path()));
        }
        if self.config.accelerate {
            return Err(Error::invalid_input(format!(
                "acceleration requires the bucket in the host name, but bucket `{bucket}` is not a \
                 valid host label"
            )));
        }
        let mut path = self.base_path();
        path.push('/');
        escape::query_into(&mut path, bucket);
        Ok(self.endpoint(self.server.clone(), path))
    }

    /// Returns the prefix, with capacity for the rest of most requests' targets.
    fn base_path(&self) -> String {
        let mut path = String::with_capacity(self.prefix.len() + ROOM);
        path.push_str(&self.prefix);
        path
    }

    /// Returns whether the bucket goes into the host.
    ///
    /// With acceleration it does although the configuration says `path`. The endpoint rule set
    /// refuses the two together ("Path-style addressing cannot be used with S3 Accelerate"), but
    /// botocore never asks it: its client drops `path` where acceleration is set, so that one setting
    /// in a profile can be combined with the other. apus does the same, and its vectors are
    /// botocore's.
    fn in_host(&self, addressing: Addressing, bucket: &str) -> bool {
        match (&self.config.endpoint, addressing) {
            (_, Addressing::Path) if !self.config.accelerate => false,
            (None, _) => bucket::is_host_label(bucket),
            (Some(url), Addressing::Auto) if !partition::is_accelerate_host(url.host()) => false,
            (Some(url), _) if url.is_ip() => false,
            // A certificate for `*.host` covers one label, so names with dots need plain HTTP.
            (Some(url), _) if url.is_tls() => bucket::is_host_label(bucket),
            (Some(_), _) => bucket::is_host_name(bucket),
        }
    }

    fn endpoint(&self, server: Server, base_path: String) -> Endpoint {
        Endpoint {
            scheme: self.scheme.clone(),
            authority: server.authority,
            host: server.host,
            base_path,
            signing_region: Arc::clone(&self.signing_region),
            signing_name: "s3",
        }
    }
}

impl Endpoint {
    /// Returns `scheme://authority/path`, without a final slash; `/key` is appended to it.
    pub fn url(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.base_path)
    }
}

impl Suffix {
    fn bare(text: String) -> Self {
        Self { text, implied: 0 }
    }

    /// Returns `label.suffix`, or the suffix alone for an empty label.
    fn server(&self, label: &str) -> Result<Server, Error> {
        let mut text = String::with_capacity(label.len() + 1 + self.text.len());
        if !label.is_empty() {
            text.push_str(label);
            text.push('.');
        }
        text.push_str(&self.text);
        let bytes = Bytes::from(text);
        let host = bytes.slice(..bytes.len().saturating_sub(self.implied));
        let no_host = || {
            Error::invalid_input(format!(
                "bucket `{label}` is not a valid host label for this endpoint"
            ))
        };
        Ok(Server {
            authority: Authority::from_maybe_shared(bytes).map_err(|_| no_host())?,
            host: HeaderValue::from_maybe_shared(host).map_err(|_| no_host())?,
        })
    }
}

fn effective_region(config: &EndpointConfig) -> Result<Arc<str>, Error> {
    if config.region.is_empty() {
        return match config.endpoint {
            Some(_) => Ok(Arc::from(DEFAULT_REGION)),
            None => {
                Err(Error::invalid_input("missing region or endpoint: one of them is required"))
            }
        };
    }
    if !bucket::is_label(&config.region) {
        return Err(Error::invalid_input(format!(
            "invalid region {:?}: expected 1 to 63 letters, digits and inner hyphens",
            config.region
        )));
    }
    Ok(Arc::clone(&config.region))
}

/// Returns the DNS suffix of the hosts of AWS's services in a region.
#[cfg(feature = "credentials")]
pub(crate) fn dns_suffix(region: &str) -> &'static str {
    Partition::of_region(region).dns_suffix
}

fn check_combinations(config: &EndpointConfig, partition: &Partition) -> Result<(), Error> {
    let wrong = match config.endpoint {
        Some(_) if config.use_fips => "FIPS can't be combined with a custom endpoint",
        Some(_) if config.use_dualstack => "dual-stack can't be combined with a custom endpoint",
        Some(_) if config.accelerate => "acceleration can't be combined with a custom endpoint",
        _ if config.accelerate && config.use_fips => "acceleration can't be combined with FIPS",
        _ if config.use_fips && partition.name == "aws-cn" => {
            "partition aws-cn has no FIPS endpoints"
        }
        _ if config.accelerate && partition.name == "aws-cn" => {
            "partition aws-cn has no acceleration"
        }
        _ => return Ok(()),
    };
    Err(Error::invalid_input(wrong))
}

/// Returns `s3[-fips][.dualstack].region.suffix`, or `s3.suffix` for the global endpoint.
fn aws_server(config: &EndpointConfig, region: &str, partition: &Partition) -> String {
    let fips = if config.use_fips { "-fips" } else { "" };
    let stack = if config.use_dualstack { ".dualstack" } else { "" };
    let suffix = partition.dns_suffix;
    let plain = !config.use_fips && !config.use_dualstack;
    match region {
        partition::GLOBAL | DEFAULT_REGION
            if plain && (config.use_global_endpoint || region == partition::GLOBAL) =>
        {
            format!("s3.{suffix}")
        }
        partition::GLOBAL => format!("s3{fips}{stack}.{DEFAULT_REGION}.{suffix}"),
        _ => format!("s3{fips}{stack}.{region}.{suffix}"),
    }
}

fn accelerated(config: &EndpointConfig, region: &str, partition: &Partition) -> String {
    let suffix = partition.dns_suffix;
    match (config.use_dualstack, region) {
        (false, _) => format!("s3-accelerate.{suffix}"),
        // The rule set has the region here only.
        (true, partition::GLOBAL) => format!("s3-accelerate.dualstack.{DEFAULT_REGION}.{suffix}"),
        (true, _) => format!("s3-accelerate.dualstack.{suffix}"),
    }
}

const DEFAULT_REGION: &str = "us-east-1";

/// Capacity in bytes for bucket, key and query, so that most requests need no reallocation.
const ROOM: usize = 192;
