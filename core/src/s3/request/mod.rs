//! Builds S3 requests with [`crate::request`]: endpoint, parameters and their limits here, the body
//! in [`body`].

mod body;

use std::collections::BTreeMap;

use http::header::{HOST, HeaderName, HeaderValue};
use http::{Method, Uri};

pub use self::body::ChecksumOptions;
use crate::checksum::{Declared, Policy};
use crate::error::Error;
use crate::escape;
use crate::http::{Draft, Incoming, Sealing};
pub(super) use crate::request::Members;
use crate::request::RequestTarget;
use crate::s3::endpoint::Endpoint;
use crate::s3::service::Service;

/// A request to S3.
pub(super) type Request<'a> = crate::request::Request<'a, Service>;

/// The checksum policy of a request, and whether its body is the bytes of an object.
#[derive(Debug)]
pub(crate) struct Plan {
    policy: Policy,
    streaming: bool,
    /// [`ChecksumOptions::md5_if_uncovered`].
    md5_if_uncovered: bool,
    /// The bucket's name as the caller gave it; empty for a request on the service.
    bucket: String,
}

impl RequestTarget for Service {
    type Plan = Plan;
}

impl<'a> Request<'a> {
    /// Creates a request on the service: ListBuckets.
    pub(super) fn service(
        service: &'a Service,
        operation: &'static str,
        method: Method,
    ) -> Result<Self, Error> {
        let endpoint = service.endpoint(None)?;
        Ok(Self::at(service, operation, method, endpoint, "", ""))
    }

    /// Creates a request on a bucket.
    pub(super) fn bucket(
        service: &'a Service,
        operation: &'static str,
        method: Method,
        bucket: &str,
    ) -> Result<Self, Error> {
        let endpoint = service.endpoint(Some(bucket))?;
        Ok(Self::at(service, operation, method, endpoint, bucket, ""))
    }

    /// Creates a request on a bucket whose region may be unknown: the bucket is in the path.
    pub(super) fn bucket_by_path(
        service: &'a Service,
        operation: &'static str,
        method: Method,
        bucket: &str,
    ) -> Result<Self, Error> {
        let endpoint = service.endpoint_by_path(bucket)?;
        Ok(Self::at(service, operation, method, endpoint, bucket, ""))
    }

    /// Creates a request on an object.
    pub(super) fn object(
        service: &'a Service,
        operation: &'static str,
        method: Method,
        bucket: &str,
        key: &str,
    ) -> Result<Self, Error> {
        if key.is_empty() {
            return Err(Error::invalid_input(format!(
                "the key of an object in bucket {bucket:?} is empty"
            )));
        }
        if key.len() > LONGEST_KEY {
            return Err(Error::invalid_input(format!(
                "the key has {} bytes, but S3 accepts at most {LONGEST_KEY}",
                key.len()
            )));
        }
        let endpoint = service.endpoint(Some(bucket))?;
        Ok(Self::at(service, operation, method, endpoint, bucket, key))
    }

    fn at(
        service: &'a Service,
        operation: &'static str,
        method: Method,
        endpoint: Endpoint,
        bucket: &str,
        key: &str,
    ) -> Self {
        let mut target = endpoint.base_path;
        if !key.is_empty() || target.is_empty() {
            target.push('/');
        }
        escape::path_into(&mut target, key);
        let mut draft = Draft::new(operation, method, Uri::default());
        draft.timeouts = service.config().timeouts;
        draft.expectation = service.expectation().clone();
        draft.incoming = Incoming::Collect { limit: service.config().collect_limit };
        draft.larger = Some("raise `Config::collect_limit`");
        // The number of headers that most requests have after signing.
        draft.head.headers.reserve(if draft.head.method == Method::PUT { 12 } else { 6 });
        draft.head.headers.insert(HOST, endpoint.host);
        draft.sealing =
            Sealing::SigV4 { region: endpoint.signing_region, service: endpoint.signing_name };
        let plan = Plan {
            policy: service.config().checksum,
            streaming: false,
            md5_if_uncovered: false,
            bucket: bucket.to_owned(),
        };
        let origin = Some((endpoint.scheme, endpoint.authority));
        Self::to(service, draft, plan, origin, target)
    }

    /// Appends a header of any name; it may have several values.
    pub(super) fn plain_header(&mut self, name: &HeaderName, value: &HeaderValue) -> &mut Self {
        let mut value = value.clone();
        if name.as_str().ends_with("-customer-key") {
            value.set_sensitive(true);
        }
        self.append(name.clone(), value);
        self
    }

    /// Selects a part of an object by its number; the response is like that to a range (206).
    pub(super) fn one_part(&mut self, number: Option<u32>) -> &mut Self {
        self.draft().takes_part = number.is_some();
        self.query_number("partNumber", number)
    }

    /// Requests the object's bytes with the content coding that they are stored with.
    pub(super) fn as_stored(&mut self) -> &mut Self {
        let coding = self.service.config().quirks.transcodes.then_some("gzip");
        self.header("accept-encoding", coding)
    }

    /// Sets the maximum size in bytes of an object's response body; by default that of all
    /// responses.
    pub(super) fn collect(&mut self, limit: Option<usize>) -> &mut Self {
        self.draft().larger = Some(LARGER);
        if let Some(limit) = limit {
            self.draft().incoming = Incoming::Collect { limit };
        }
        self
    }

    /// Sets the version ID of an object, if any. An empty one is an error, because a server that
    /// ignores it would delete or change the current version.
    pub(super) fn version(&mut self, version: &Option<String>) -> &mut Self {
        if version.as_ref().is_some_and(String::is_empty) {
            self.fail(Error::invalid_input("the version id is empty"));
        }
        self.query("versionId", version.as_ref())
    }

    /// Sets the upload ID of a multipart upload. An empty one is an error, because a server that
    /// ignores it would delete or replace the object.
    pub(super) fn upload_id(&mut self, upload_id: &str) -> &mut Self {
        if upload_id.is_empty() {
            self.fail(Error::invalid_input("the upload id is empty"));
        }
        self.query("uploadId", Some(upload_id))
    }

    /// Sets the part number (1 to 10,000) and the upload ID.
    pub(super) fn part(&mut self, number: u32, upload_id: &str) -> &mut Self {
        if !(1..=LAST_PART).contains(&number) {
            self.fail(Error::invalid_input(format!(
                "invalid part number {number}: expected 1 to {LAST_PART}"
            )));
        }
        self.query_number("partNumber", Some(number)).upload_id(upload_id)
    }

    /// Sets the checksum of the object, full-object or composite.
    pub(super) fn declared(&mut self, checksum: Option<&Declared>) -> &mut Self {
        if let Some(checksum) = checksum {
            self.set(checksum.algorithm().header().clone(), &checksum.to_string());
        }
        self
    }

    /// Sets the account ID that must own the bucket.
    pub(super) fn expected_owner(&mut self, owner: &Option<String>) -> &mut Self {
        self.header("x-amz-expected-bucket-owner", owner.as_ref())
    }

    /// Requests percent-encoded keys, unless they are to be `raw`: XML can't represent every
    /// character of a key.
    pub(super) fn encoding(&mut self, raw: bool) -> &mut Self {
        self.query("encoding-type", (!raw).then_some("url"))
    }

    /// Requests the restore status, the only optional attribute of a list.
    pub(super) fn restore_status(&mut self, wanted: bool) -> &mut Self {
        self.header("x-amz-optional-object-attributes", wanted.then_some("RestoreStatus"))
    }

    /// Sets the `x-amz-meta-*` headers; the values must be ASCII.
    pub(super) fn metadata(&mut self, metadata: &BTreeMap<String, String>) -> &mut Self {
        if let Some((name, _)) = metadata.iter().find(|(_, value)| !value.is_ascii()) {
            self.fail(Error::invalid_input(format!(
                "the value of metadata `{name}` is not ASCII, which S3 does not preserve"
            )));
        }
        self.items("x-amz-meta-", metadata)
    }

    /// Returns the finished draft.
    ///
    /// # Errors
    ///
    /// The first parameter that is invalid.
    pub(super) fn finish(&mut self) -> Result<Box<Draft>, Error> {
        self.plan_payload();
        self.refuse_other_alphabets();
        self.take_draft()
    }

    /// Refuses header values that are not ASCII: the signature of such a request can't be verified,
    /// because HTTP does not say which characters the bytes are.
    fn refuse_other_alphabets(&mut self) {
        let headers = &self.draft().head.headers;
        let found = headers.iter().find(|(_, value)| !value.as_bytes().is_ascii());
        if let Some(name) = found.map(|(name, _)| name.clone()) {
            let what = format!("the value of header {name} is not ASCII");
            self.fail(
                Error::invalid_input(what).with_hint(
                    "encode it: a file name as `filename*=UTF-8\'\'%C3%A9.txt` (RFC 8187)",
                ),
            );
        }
    }
}

const LAST_PART: u32 = 10_000;

/// The hint for an object that is larger than the limit.
const LARGER: &str = "use `S3Download`, which has no size limit, or raise \
                      `GetObject::collect_limit` or `Config::collect_limit`";

/// In bytes of UTF-8.
const LONGEST_KEY: usize = 1024;
