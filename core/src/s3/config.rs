//! The configuration of an S3 client.

use crate::checksum::Policy;
use crate::http::{COLLECT, Timeouts};
use crate::quirks::{Provider, Quirks};
use crate::retry::RetryPolicy;
use crate::s3::endpoint::{BaseUrl, EndpointConfig};

/// The configuration of an S3 client, without its credentials. [`Service`](crate::s3::Service) is
/// created from it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The endpoint that requests are sent to.
    pub endpoint: EndpointConfig,
    /// Which requests and responses have a checksum, of which algorithm, and where.
    pub checksum: Policy,
    /// The known behaviour of the server. It decides where the settings below are `None` or
    /// automatic.
    pub quirks: Quirks,
    /// How the signature covers request bodies.
    pub payload: PayloadSigning,
    /// The payload size of each frame of an aws-chunked body, in bytes: at least 8 KiB, 256 KiB by
    /// default.
    pub chunk_size: usize,
    /// Whether `Content-Encoding` of an aws-chunked body has `aws-chunked`. `None`: as `quirks`
    /// says: only for AWS, whose documentation requires it; several other servers store the value
    /// with the object.
    pub aws_chunked_content_encoding: Option<bool>,
    /// Whether the server verifies checksums in trailers. If so, automatic placement sends the
    /// checksum in a trailer where the source can be read only once and is longer than `max_buffered_body`.
    /// `None`: as `quirks` says.
    pub verifies_trailers: Option<bool>,
    /// The maximum size in bytes of a body that is buffered because its source can be read only
    /// once and its checksum or digest must be sent first. 8 MiB by default; a larger body is then
    /// an error.
    pub max_buffered_body: u64,
    /// The maximum size in bytes of a response body that is collected in memory: an object that
    /// GetObject returns, a listing, any document. 32 MiB by default. Some requests of
    /// [`Download`](crate::task::s3::Download) have a limit of their own.
    pub collect_limit: usize,
    /// How often and after which delay failed attempts are repeated.
    pub retry_policy: RetryPolicy,
    /// Timeouts of each request.
    pub timeouts: Timeouts,
}

impl Config {
    /// Creates the default configuration for this endpoint: the quirks of AWS for AWS hosts, and
    /// those of an unknown server for other hosts.
    pub fn new(endpoint: EndpointConfig) -> Self {
        Self {
            quirks: endpoint.quirks(),
            endpoint,
            checksum: Policy::default(),
            payload: PayloadSigning::Auto,
            chunk_size: 256 << 10,
            aws_chunked_content_encoding: None,
            verifies_trailers: None,
            max_buffered_body: 8 << 20,
            collect_limit: COLLECT,
            retry_policy: RetryPolicy::default(),
            timeouts: Timeouts::default(),
        }
    }
    /// Replaces the quirks with those of this provider.
    #[must_use]
    pub fn of_provider(self, provider: Provider) -> Self {
        Self { quirks: provider.quirks(), ..self }
    }
}

impl EndpointConfig {
    /// Returns the quirks of the server where no provider is configured: those of [`Provider::Aws`]
    /// for AWS hosts, those of [`Provider::Other`] for other hosts.
    pub fn quirks(&self) -> Quirks {
        let is_aws = self.endpoint.as_ref().is_none_or(BaseUrl::is_aws);
        let provider = if is_aws { Provider::Aws } else { Provider::Other };
        let quirks = provider.quirks();
        // boto/boto3 4400: an accelerated endpoint responds to a trailer with
        // `SignatureDoesNotMatch`.
        let verifies_trailers = quirks.verifies_trailers && !(is_aws && self.accelerate);
        Quirks { verifies_trailers, ..quirks }
    }
}

/// How a SigV4 signature covers the body of PutObject and UploadPart. Empty bodies and documents
/// are always covered by their SHA-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum PayloadSigning {
    /// By its SHA-256; over https not at all where the request has a checksum or `Content-MD5`.
    #[default]
    Auto,
    /// By its SHA-256; an aws-chunked body by a signature of each frame.
    Signed,
    /// Not at all (`UNSIGNED-PAYLOAD`).
    Unsigned,
    /// By a signature of each frame (`STREAMING-AWS4-HMAC-SHA256-PAYLOAD`).
    Chunked,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amazon_is_known_by_its_hosts_and_nobody_else() {
        let of = |url: &str| {
            let url = BaseUrl::parse(url).unwrap();
            EndpointConfig::custom(url, "us-east-1").quirks()
        };
        let amazon = EndpointConfig::aws("us-east-1");
        assert_eq!(amazon.quirks(), Provider::Aws.quirks());
        assert_eq!(of("https://s3.cn-north-1.amazonaws.com.cn"), Provider::Aws.quirks());
        assert_eq!(of("https://amazonaws.com.example.org"), Quirks::default());
        assert_eq!(of("http://127.0.0.1:7480"), Provider::Other.quirks());
        let fast = EndpointConfig { accelerate: true, ..amazon };
        assert!(!fast.quirks().verifies_trailers);
    }
}
