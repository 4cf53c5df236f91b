//! How a client wants its S3 requests made.

use crate::checksum::Policy;
use crate::http::{COLLECT, Limits};
use crate::quirks::{Provider, Quirks};
use crate::retry::RetryPolicy;
use crate::s3::endpoint::{BaseUrl, EndpointConfig};

/// Everything about a client of S3 but its keys. A [`Service`](crate::s3::Service) is made of it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where requests go.
    pub endpoint: EndpointConfig,
    /// Which requests and answers carry a checksum, of which algorithm, and where.
    pub checksum: Policy,
    /// What is known of the server: it decides what the settings below leave open.
    pub quirks: Quirks,
    /// How the signature covers bodies.
    pub payload: PayloadSigning,
    /// Payload bytes in each frame of an aws-chunked body: 8 KiB at least.
    pub chunk_size: usize,
    /// Whether aws-chunked bodies say so in `Content-Encoding`. `None`: as the quirks say, which is
    /// towards AWS, whose documentation demands it; several other servers store the word with the
    /// object.
    pub aws_chunked_content_encoding: Option<bool>,
    /// Whether the server is known to verify trailers, so that a checksum may travel in one
    /// unasked. `None`: as the quirks say.
    pub verifies_trailers: Option<bool>,
    /// The longest body from a source that can be read only once which is held in memory where its
    /// checksum or digest has to go before it, in bytes.
    pub spool: u64,
    /// The most bytes of an answer that are collected in memory, 32 MiB by default: of an object that
    /// is read by a call, of a listing, of any document. Some listings may have more.
    pub collect_limit: usize,
    /// How often and how soon failed attempts are repeated.
    pub retry_policy: RetryPolicy,
    /// Timeouts of each request.
    pub limits: Limits,
}

impl Config {
    /// The defaults for this endpoint: at Amazon's hosts those for AWS, elsewhere those for a server
    /// that nothing is known of.
    pub fn new(endpoint: EndpointConfig) -> Self {
        Self {
            quirks: endpoint.quirks(),
            endpoint,
            checksum: Policy::default(),
            payload: PayloadSigning::Auto,
            chunk_size: 256 << 10,
            aws_chunked_content_encoding: None,
            verifies_trailers: None,
            spool: 8 << 20,
            collect_limit: COLLECT,
            retry_policy: RetryPolicy::default(),
            limits: Limits::default(),
        }
    }
    /// The same for a server of this provider's.
    #[must_use]
    pub fn of_provider(self, provider: Provider) -> Self {
        Self { quirks: provider.quirks(), ..self }
    }
}

impl EndpointConfig {
    /// What is known of the server that this leads to when no provider is named: Amazon S3 at Amazon's
    /// hosts, [`Provider::Other`] elsewhere.
    pub fn quirks(&self) -> Quirks {
        let is_aws = self.endpoint.as_ref().is_none_or(BaseUrl::is_aws);
        let provider = if is_aws { Provider::Aws } else { Provider::Other };
        let quirks = provider.quirks();
        // boto/boto3 4400: at an accelerated endpoint a trailer is `SignatureDoesNotMatch`.
        let verifies_trailers = quirks.verifies_trailers && !(is_aws && self.accelerate);
        Quirks { verifies_trailers, ..quirks }
    }
}

/// How a SigV4 signature covers the body of a PutObject or UploadPart. Empty bodies and XML
/// documents are always covered by their SHA-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum PayloadSigning {
    /// By its SHA-256; not at all over https when a checksum or `Content-MD5` travels with it.
    #[default]
    Auto,
    /// By its SHA-256, or, in frames, by a signature of each.
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
