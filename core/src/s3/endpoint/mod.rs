//! Where a request goes: scheme, host and path prefix, and the region and service that sign it.
//!
//! ```text
//!  EndpointConfig ──Resolver::new──▶ Resolver ──resolve(bucket)──▶ Endpoint
//!  what was asked   once, checked    one per     every request     scheme, authority, host header,
//!                                    client                        path, signing region and name
//! ```
//!
//! The rules are those of AWS's S3 endpoint rule set (the `endpointRuleSet` trait of the S3 service
//! model), written out. A custom endpoint is addressed by path unless virtual hosts are asked for;
//! AWS by virtual host where the bucket's name allows it. S3 Express buckets, Outposts and
//! multi-region access points need protocols that this crate does not speak and are refused.

mod access_point;
mod bucket;
mod partition;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use http::uri::{Authority, Scheme};

use self::partition::Partition;
pub use crate::base_url::BaseUrl;
use crate::error::Error;
use crate::escape;
pub use crate::quirks::Addressing;

/// Which endpoint a client talks to, and how. A [`Resolver`] is made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointConfig {
    /// The server, where it is not AWS or must be named; `None` derives AWS's host of the region.
    pub endpoint: Option<BaseUrl>,
    /// The region, as AWS names it. Required without an `endpoint`; empty with one means
    /// `us-east-1`. `aws-global` is AWS's endpoint without a region, signed for `us-east-1`.
    pub region: Arc<str>,
    /// Where the bucket's name goes.
    pub addressing: Addressing,
    /// Whether AWS's FIPS 140 endpoints are used. Not with an `endpoint`.
    pub use_fips: bool,
    /// Whether AWS's endpoints for IPv4 and IPv6 are used. Not with an `endpoint`.
    pub use_dualstack: bool,
    /// Whether S3 Transfer Acceleration is used. Not with an `endpoint` or with `use_fips`, and
    /// only for buckets that can be virtual hosts.
    pub accelerate: bool,
    /// Whether an access point's ARN may name another region than `region`, which then counts
    /// (default: true).
    pub use_arn_region: bool,
    /// Whether ARNs of multi-region access points are refused as disabled. They are refused
    /// either way: see [`Resolver::resolve`].
    pub disable_multi_region_access_points: bool,
    /// Whether `us-east-1` is reached at `s3.amazonaws.com` instead of its regional host.
    pub use_global_endpoint: bool,
    /// Whether ARNs of access points are refused: for operations that take a bucket only.
    pub disable_access_points: bool,
}

/// Where one request goes and for whom it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// The host, with the bucket in it where it is addressed so, and the port where one was
    /// configured.
    pub authority: Authority,
    /// The value of the `Host` header: `authority` without the port that the scheme implies.
    pub host: HeaderValue,
    /// What comes before `/key`, percent-encoded: the configured prefix, and `/bucket` where it
    /// is addressed by path. Empty, or begins with a slash and does not end with one.
    pub base_path: String,
    /// The region in the scope of the signature.
    pub signing_region: Arc<str>,
    /// The service in the scope of the signature: `s3` or `s3-object-lambda`.
    pub signing_name: &'static str,
}

/// An [`EndpointConfig`] that was found consistent, with everything worked out that does not
/// depend on the bucket. Cheap to resolve with: one or two small allocations a request.
#[derive(Clone, Debug)]
pub struct Resolver {
    config: EndpointConfig,
    partition: &'static Partition,
    scheme: Scheme,
    /// The server itself: for requests without a bucket or with the bucket in the path.
    server: Server,
    /// What follows `bucket.` in a virtual host.
    virtual_suffix: Suffix,
    prefix: Arc<str>,
    signing_region: Arc<str>,
}

#[derive(Clone, Debug)]
struct Server {
    authority: Authority,
    host: HeaderValue,
}

/// The end of an authority, of which the last `implied` bytes are a port that the scheme implies.
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
    /// AWS, in this region.
    pub fn aws(region: impl Into<Arc<str>>) -> Self {
        Self { region: region.into(), ..Self::default() }
    }

    /// The server at this URL, in this region (empty: `us-east-1`).
    pub fn custom(endpoint: BaseUrl, region: impl Into<Arc<str>>) -> Self {
        Self { endpoint: Some(endpoint), region: region.into(), ..Self::default() }
    }
}

impl Resolver {
    /// Checks the configuration and works out what all requests have in common.
    ///
    /// # Errors
    ///
    /// [`Kind::Caller`](crate::Kind::Caller) where the region is missing or is no host label, or
    /// where settings contradict each other: FIPS, dual-stack or acceleration with a custom
    /// endpoint, acceleration with FIPS, either in China.
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

    /// The configuration, with the region that was worked out.
    pub fn config(&self) -> &EndpointConfig {
        &self.config
    }

    /// The region in the scope of signatures, unless the ARN of an access point names another.
    pub fn signing_region(&self) -> &Arc<str> {
        &self.signing_region
    }

    /// The same for another region, after the server named the bucket's. With a custom endpoint
    /// only the region of the signature changes.
    ///
    /// # Errors
    ///
    /// [`Kind::Caller`](crate::Kind::Caller) where the region is no host label or belongs to
    /// another of AWS's partitions: a bucket's region never does, and the answer of a server must
    /// not send requests to another cloud.
    pub fn with_region(&self, region: &str) -> Result<Self, Error> {
        let config = EndpointConfig { region: Arc::from(region), ..self.config.clone() };
        let moved = Self::new(config)?;
        if self.config.endpoint.is_none() && moved.partition.name != self.partition.name {
            return Err(Error::caller(format!(
                "the region `{}` is in the partition `{}`, the client is in `{}`",
                moved.config.region, moved.partition.name, self.partition.name
            )));
        }
        Ok(moved)
    }

    /// Where a request on this bucket goes, or without one (ListBuckets). A bucket is a name, the
    /// alias of an access point, or the ARN of an access point or Object Lambda access point.
    ///
    /// # Errors
    ///
    /// [`Kind::Caller`](crate::Kind::Caller) where the name can't be a bucket's or the ARN is
    /// wrong or not allowed; where acceleration meets a bucket that can't be a virtual host.
    /// Refused as unsupported are directory buckets and their access points (`--x-s3`, `--xa-s3`:
    /// S3 Express sessions), multi-region access points (they need SigV4A) and Outposts.
    pub fn resolve(&self, bucket: Option<&str>) -> Result<Endpoint, Error> {
        self.resolve_as(self.config.addressing, bucket)
    }

    /// [`resolve`](Self::resolve) with another addressing than the configured one:
    /// GetBucketLocation goes by [`Addressing::Path`], since the region is not known yet.
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
            return Err(Error::caller(format!(
                "acceleration needs the bucket in the host, where `{bucket}` can't be"
            )));
        }
        let mut path = self.base_path();
        path.push('/');
        escape::query_into(&mut path, bucket);
        Ok(self.endpoint(self.server.clone(), path))
    }

    /// The prefix, with room for what follows it in most requests.
    fn base_path(&self) -> String {
        let mut path = String::with_capacity(self.prefix.len() + ROOM);
        path.push_str(&self.prefix);
        path
    }

    fn in_host(&self, addressing: Addressing, bucket: &str) -> bool {
        match (&self.config.endpoint, addressing) {
            (_, Addressing::Path) if !self.config.accelerate => false,
            (None, _) => bucket::is_host_label(bucket),
            (Some(url), Addressing::Auto) if !partition::is_accelerate_host(url.host()) => false,
            (Some(url), _) if url.is_ip() => false,
            // A certificate for `*.host` covers one label, so dots are for plain HTTP.
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
    /// `scheme://authority/path`, without a final slash: what `/key` is appended to.
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

    /// `label.suffix`, or the suffix alone for an empty label.
    fn server(&self, label: &str) -> Result<Server, Error> {
        let mut text = String::with_capacity(label.len() + 1 + self.text.len());
        if !label.is_empty() {
            text.push_str(label);
            text.push('.');
        }
        text.push_str(&self.text);
        let bytes = Bytes::from(text);
        let host = bytes.slice(..bytes.len().saturating_sub(self.implied));
        let no_host = || Error::caller(format!("`{label}` makes no host of the endpoint"));
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
            None => Err(Error::caller("neither a region nor an endpoint is configured")),
        };
    }
    if !bucket::is_label(&config.region) {
        return Err(Error::caller(format!(
            "the region {:?} is no host label: 1 to 63 letters, digits and inner hyphens",
            config.region
        )));
    }
    Ok(Arc::clone(&config.region))
}

/// What the hosts of AWS's services in a region end in.
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
            "the partition aws-cn has no FIPS endpoints"
        }
        _ if config.accelerate && partition.name == "aws-cn" => {
            "the partition aws-cn has no acceleration"
        }
        _ => return Ok(()),
    };
    Err(Error::caller(wrong))
}

/// `s3[-fips][.dualstack].region.suffix`, without the region for the global endpoint.
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
        // The rule set names the region here and nowhere else.
        (true, partition::GLOBAL) => format!("s3-accelerate.dualstack.{DEFAULT_REGION}.{suffix}"),
        (true, _) => format!("s3-accelerate.dualstack.{suffix}"),
    }
}

const DEFAULT_REGION: &str = "us-east-1";

/// Bytes of room for bucket, key and query, so that most are added without moving what is there.
const ROOM: usize = 192;
