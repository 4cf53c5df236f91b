//! The client that a case describes.

use apus_core::checksum::{
    Algorithm, Placement, RequestChecksumCalculation, ResponseChecksumValidation,
};
use apus_core::credentials::Credentials;
use apus_core::error::Error;
use apus_core::quirks::Quirks;
use apus_core::s3::{Addressing, BaseUrl, Config, EndpointConfig, PayloadSigning, Service};
use apus_core::secret::Secret;
use apus_core::sign::Keys;
use serde::Deserialize;

/// `config` of `s3-request`, `s3-presign` and `s3-response`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Client {
    endpoint: Option<String>,
    region: String,
    #[serde(default)]
    addressing: Addressing,
    #[serde(default)]
    enable_data_integrity_protection: bool,
    #[serde(default)]
    request_checksum_calculation: RequestChecksumCalculation,
    #[serde(default)]
    response_checksum_validation: ResponseChecksumValidation,
    access_key: Option<String>,
    secret_key: Option<String>,
    session_token: Option<String>,
    checksum_algorithm: Option<Algorithm>,
    #[serde(default)]
    checksum_placement: Placement,
    #[serde(default)]
    payload: PayloadSigning,
    aws_chunked_content_encoding: Option<bool>,
    sdk_checksum_algorithm_header: Option<bool>,
    chunk_size: Option<usize>,
    #[serde(default)]
    use_fips: bool,
    #[serde(default)]
    use_dualstack: bool,
    #[serde(default)]
    accelerate: bool,
    provider: Option<String>,
}

impl Client {
    /// Whether its requests have no signature.
    pub(super) fn is_anonymous(&self) -> bool {
        self.access_key.is_none()
    }

    pub(super) fn credentials(&self) -> Credentials {
        let (Some(access_key), Some(secret_key)) = (&self.access_key, &self.secret_key) else {
            return Credentials::anonymous();
        };
        let mut keys = Keys::new(access_key.as_str(), secret_key.as_str());
        keys.session_token = self.session_token.as_deref().map(Secret::from);
        Credentials::new(keys)
    }

    pub(super) fn service(&self) -> Result<Service, Error> {
        let mut config = Config::new(EndpointConfig {
            endpoint: self.endpoint.as_deref().map(BaseUrl::parse).transpose()?,
            region: self.region.as_str().into(),
            addressing: self.addressing,
            use_fips: self.use_fips,
            use_dualstack: self.use_dualstack,
            accelerate: self.accelerate,
            ..EndpointConfig::default()
        });
        if let Some(provider) = &self.provider {
            config.quirks = Quirks::of(provider)?;
        }
        // The SDKs send no Content-MD5 of their own accord, to no server and for no lock.
        config.quirks.locks_need_digest = false;
        config.quirks.content_md5_preferred = false;
        let checksum = &mut config.checksum;
        checksum.enable_data_integrity_protection = self.enable_data_integrity_protection;
        checksum.request = self.request_checksum_calculation;
        checksum.response = self.response_checksum_validation;
        checksum.placement = self.checksum_placement;
        checksum.algorithm = self.checksum_algorithm.unwrap_or(checksum.algorithm);
        checksum.sdk_algorithm_header =
            self.sdk_checksum_algorithm_header.unwrap_or(checksum.sdk_algorithm_header);
        config.payload = self.payload;
        config.chunk_size = self.chunk_size.unwrap_or(config.chunk_size);
        if self.aws_chunked_content_encoding.is_some() {
            config.aws_chunked_content_encoding = self.aws_chunked_content_encoding;
        }
        Service::new(config)
    }
}
