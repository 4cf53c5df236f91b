//! The two requests to sign: a GET of an object, and an UploadPart whose payload is not signed and
//! whose CRC64NVME is in a header.
//!
//! rusty-s3 signs URLs only, so that it signs less: no checksum, no header but `host`. The others
//! sign the request that ours makes, given its URL and headers ready-made.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use apus_core::Now;
use apus_core::checksum::Algorithm;
use apus_core::contract::Operation;
use apus_core::credentials::Credentials;
use apus_core::now::Timestamp;
use apus_core::s3::{
    BaseUrl, ChecksumOptions, Config, EndpointConfig, GetObject, PayloadSigning, Service,
    UploadPart,
};
use apus_core::sign::{KeyCache, Keys, Payload, Rule};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode,
};
use aws_sigv4::sign::v4;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use reqsign_core::SignRequest as _;
use rusty_s3::S3Action as _;

/// The clients and credentials of all implementations, created once.
pub struct Sample {
    service: Service,
    credentials: Credentials,
    cache: KeyCache,
    get: GetObject,
    put: UploadPart,
    bucket: rusty_s3::Bucket,
    rusty: rusty_s3::Credentials,
    identity: aws_smithy_runtime_api::client::identity::Identity,
    reqsign: (reqsign_aws_v4::RequestSigner, reqsign_core::Context, reqsign_aws_v4::Credential),
}

/// One of the two requests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// GetObject.
    Get,
    /// UploadPart.
    Put,
}

impl Sample {
    /// Creates them.
    ///
    /// # Panics
    ///
    /// One of the libraries does not accept these settings.
    pub fn new() -> Self {
        let endpoint = BaseUrl::parse(ENDPOINT).unwrap();
        let mut config = Config::new(EndpointConfig::custom(endpoint, REGION));
        config.payload = PayloadSigning::Unsigned;
        let mut put = UploadPart::new(BUCKET, KEY, UPLOAD_ID, PART, vec![0; 1024]);
        put.checksum = ChecksumOptions::algorithm(Algorithm::Crc64Nvme);
        let style = rusty_s3::UrlStyle::Path;
        let url = ENDPOINT.parse().unwrap();
        Self {
            service: Service::new(config).unwrap(),
            credentials: Credentials::new(Keys::new(ACCESS_KEY, SECRET_KEY)),
            cache: KeyCache::new(Arc::new(Keys::new(ACCESS_KEY, SECRET_KEY))),
            get: GetObject::new(BUCKET, KEY),
            put,
            bucket: rusty_s3::Bucket::new(url, style, BUCKET, REGION).unwrap(),
            rusty: rusty_s3::Credentials::new(ACCESS_KEY, SECRET_KEY),
            identity: aws_credential_types::Credentials::from_keys(ACCESS_KEY, SECRET_KEY, None)
                .into(),
            reqsign: (
                reqsign_aws_v4::RequestSigner::new("s3", REGION),
                reqsign_core::Context::new(),
                reqsign_aws_v4::Credential {
                    access_key_id: ACCESS_KEY.into(),
                    secret_access_key: SECRET_KEY.into(),
                    session_token: None,
                    expires_in: None,
                },
            ),
        }
    }

    /// Ours, from the operation to the head as it is sent.
    pub fn whole(&self, what: What) {
        let draft = match what {
            What::Get => self.get.draft(&self.service),
            What::Put => self.put.draft(&self.service),
        };
        let mut exchange = self.credentials.sign(draft.unwrap(), now()).unwrap();
        black_box(exchange.request().unwrap());
    }

    /// Ours, the signature alone, of a ready-made head. The headers of the previous signature are
    /// replaced.
    pub fn signature(&self, prepared: &mut Prepared) {
        let at = Timestamp::from_duration(now().unix);
        let signing = self.cache.signing(at, REGION, "s3", Rule::S3).unwrap();
        let payload = match prepared.what {
            What::Get => Payload::Empty,
            What::Put => Payload::Unsigned,
        };
        let target = prepared.uri.path_and_query().unwrap().as_str();
        black_box(signing.sign(&prepared.method, target, &mut prepared.headers, &payload).unwrap());
    }

    /// rusty-s3: a signed URL.
    pub fn rusty_s3(&self, what: What) {
        let (bucket, credentials, hour) =
            (&self.bucket, Some(&self.rusty), Duration::from_secs(3600));
        black_box(match what {
            What::Get => rusty_s3::actions::GetObject::new(bucket, credentials, KEY).sign(hour),
            What::Put => {
                let part = PART.try_into().unwrap();
                rusty_s3::actions::UploadPart::new(bucket, credentials, KEY, part, UPLOAD_ID)
                    .sign(hour)
            }
        });
    }

    /// aws-sigv4: signed in headers, and these applied to the request.
    pub fn aws_sigv4(&self, prepared: &Prepared) {
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let params = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(REGION)
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let body = match prepared.what {
            What::Get => SignableBody::Bytes(&[]),
            What::Put => SignableBody::UnsignedPayload,
        };
        let headers =
            prepared.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let request =
            SignableRequest::new(prepared.method.as_str(), &prepared.url, headers, body).unwrap();
        let (instructions, _) =
            aws_sigv4::http_request::sign(request, &params).unwrap().into_parts();
        let mut request = prepared.request();
        instructions.apply_to_request_http1x(&mut request);
        black_box(request);
    }

    /// reqsign: signed in headers.
    pub fn reqsign(&self, prepared: &Prepared) {
        let (signer, context, credential) = &self.reqsign;
        let (mut parts, ()) = prepared.request().into_parts();
        let hash = match prepared.what {
            What::Get => HeaderValue::from_static(EMPTY_SHA256),
            What::Put => HeaderValue::from_static("UNSIGNED-PAYLOAD"),
        };
        parts.headers.insert(HeaderName::from_static("x-amz-content-sha256"), hash);
        ready(signer.sign_request(context, &mut parts, Some(credential), None)).unwrap();
        black_box(parts);
    }

    /// Returns our head before it is signed.
    ///
    /// # Panics
    ///
    /// The operation can't be drafted.
    pub fn prepare(&self, what: What) -> Prepared {
        let draft = match what {
            What::Get => self.get.draft(&self.service),
            What::Put => self.put.draft(&self.service),
        };
        let mut headers = draft.as_ref().unwrap().head.headers.clone();
        if what == What::Put {
            headers.insert("x-amz-checksum-crc64nvme", HeaderValue::from_static("AAAAAAAAAAA="));
        }
        let head = draft.unwrap().head;
        Prepared { what, method: head.method, url: head.uri.to_string(), uri: head.uri, headers }
    }
}

impl Default for Sample {
    fn default() -> Self {
        Self::new()
    }
}

/// A head that is not signed yet.
pub struct Prepared {
    what: What,
    method: Method,
    uri: Uri,
    url: String,
    headers: HeaderMap,
}

impl Prepared {
    fn request(&self) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

fn now() -> Now {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Now::new(unix, unix)
}

/// Returns the output of a future that never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

const ENDPOINT: &str = "http://127.0.0.1:9000";
const REGION: &str = "us-east-1";
const BUCKET: &str = "examplebucket";
const KEY: &str = "photos/2026/november/picture 0001.jpeg";
const UPLOAD_ID: &str = "VXBsb2FkIElEIGZvciA2aWWpbmcncyBteS1tb3ZpZS5tMnRzIHVwbG9hZA";
const PART: u32 = 7;
const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
