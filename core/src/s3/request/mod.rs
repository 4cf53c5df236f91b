//! What all operations share beyond [`crate::request`]: where they go and what names they take here, the
//! body in [`body`].

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
use crate::request::Room;
use crate::s3::endpoint::Endpoint;
use crate::s3::service::Service;

/// A request to S3.
pub(super) type Request<'a> = crate::request::Request<'a, Service>;

/// What a request to S3 has to decide of its body when it is finished.
#[derive(Debug)]
pub(crate) struct Plan {
    policy: Policy,
    streaming: bool,
}

impl Room for Service {
    type Plan = Plan;
}

impl<'a> Request<'a> {
    /// A request on the service itself: ListBuckets.
    pub(super) fn service(
        service: &'a Service,
        operation: &'static str,
        method: Method,
    ) -> Result<Self, Error> {
        let endpoint = service.endpoint(None)?;
        Ok(Self::at(service, operation, method, endpoint, ""))
    }

    /// A request on a bucket.
    pub(super) fn bucket(
        service: &'a Service,
        operation: &'static str,
        method: Method,
        bucket: &str,
    ) -> Result<Self, Error> {
        let endpoint = service.endpoint(Some(bucket))?;
        Ok(Self::at(service, operation, method, endpoint, ""))
    }

    /// A request on a bucket whose region may not be known: with its name in the path.
    pub(super) fn bucket_by_path(
        service: &'a Service,
        operation: &'static str,
        method: Method,
        bucket: &str,
    ) -> Result<Self, Error> {
        let endpoint = service.endpoint_by_path(bucket)?;
        Ok(Self::at(service, operation, method, endpoint, ""))
    }

    /// A request on an object.
    pub(super) fn object(
        service: &'a Service,
        operation: &'static str,
        method: Method,
        bucket: &str,
        key: &str,
    ) -> Result<Self, Error> {
        if key.is_empty() {
            return Err(Error::caller("the key is empty"));
        }
        if key.len() > LONGEST_KEY {
            return Err(Error::caller(format!(
                "the key has {} bytes, and S3 takes {LONGEST_KEY}",
                key.len()
            )));
        }
        let endpoint = service.endpoint(Some(bucket))?;
        Ok(Self::at(service, operation, method, endpoint, key))
    }

    fn at(
        service: &'a Service,
        operation: &'static str,
        method: Method,
        endpoint: Endpoint,
        key: &str,
    ) -> Self {
        let mut target = endpoint.base_path;
        if !key.is_empty() || target.is_empty() {
            target.push('/');
        }
        escape::path_into(&mut target, key);
        let mut draft = Draft::new(operation, method, Uri::default());
        draft.limits = service.config().limits;
        draft.incoming = Incoming::Collect { limit: service.config().collect_limit };
        draft.larger = Some("raise `Config::collect_limit`");
        // What most requests have once they are signed.
        draft.head.headers.reserve(if draft.head.method == Method::PUT { 12 } else { 6 });
        draft.head.headers.insert(HOST, endpoint.host);
        draft.sealing =
            Sealing::SigV4 { region: endpoint.signing_region, service: endpoint.signing_name };
        let plan = Plan { policy: service.config().checksum, streaming: false };
        let origin = Some((endpoint.scheme, endpoint.authority));
        Self::to(service, draft, plan, origin, target)
    }

    /// A header with several values, or one of unknown name.
    pub(super) fn plain_header(&mut self, name: &HeaderName, value: &HeaderValue) -> &mut Self {
        let mut value = value.clone();
        if name.as_str().ends_with("-customer-key") {
            value.set_sensitive(true);
        }
        self.append(name.clone(), value);
        self
    }

    /// A part of an object by its number, which is answered as a range is.
    pub(super) fn one_part(&mut self, number: Option<u32>) -> &mut Self {
        self.draft().takes_part = number.is_some();
        self.query_number("partNumber", number)
    }

    /// The object's bytes are wanted with the coding that they are stored with.
    pub(super) fn as_stored(&mut self) -> &mut Self {
        let coding = self.service.config().quirks.transcodes.then_some("gzip");
        self.header("accept-encoding", coding)
    }

    /// The answer is an object: it is collected up to this limit, or to that of all answers.
    pub(super) fn collect(&mut self, limit: Option<usize>) -> &mut Self {
        self.draft().larger = Some(LARGER);
        if let Some(limit) = limit {
            self.draft().incoming = Incoming::Collect { limit };
        }
        self
    }

    /// The version of an object, if one is named. An empty one is refused: a server that takes it
    /// for none would remove or change the newest.
    pub(super) fn version(&mut self, version: &Option<String>) -> &mut Self {
        if version.as_ref().is_some_and(String::is_empty) {
            self.fail(Error::caller("the version id is empty"));
        }
        self.query("versionId", version.as_ref())
    }

    /// The id of a multipart upload. An empty one is refused: a server that takes it for none would
    /// remove or replace the object instead.
    pub(super) fn upload_id(&mut self, upload_id: &str) -> &mut Self {
        if upload_id.is_empty() {
            self.fail(Error::caller("the upload id is empty"));
        }
        self.query("uploadId", Some(upload_id))
    }

    /// A part of a multipart upload: S3 numbers them from 1 to 10,000.
    pub(super) fn part(&mut self, number: u32, upload_id: &str) -> &mut Self {
        if !(1..=LAST_PART).contains(&number) {
            self.fail(Error::caller(format!("{number} is no part number: 1 to {LAST_PART} are")));
        }
        self.query_number("partNumber", Some(number)).upload_id(upload_id)
    }

    /// The checksum that the object is to have, whole or composite.
    pub(super) fn declared(&mut self, checksum: Option<&Declared>) -> &mut Self {
        if let Some(checksum) = checksum {
            self.set(checksum.algorithm().header().clone(), &checksum.to_string());
        }
        self
    }

    /// The account id that must own the bucket.
    pub(super) fn expected_owner(&mut self, owner: &Option<String>) -> &mut Self {
        self.header("x-amz-expected-bucket-owner", owner.as_ref())
    }

    /// Asks for keys percent-encoded, unless the caller wants them `raw`: XML has no way to hold
    /// every character that a key may have.
    pub(super) fn encoding(&mut self, raw: bool) -> &mut Self {
        self.query("encoding-type", (!raw).then_some("url"))
    }

    /// Asks for the state of restorations, the only optional attribute of a list there is.
    pub(super) fn restore_status(&mut self, wanted: bool) -> &mut Self {
        self.header("x-amz-optional-object-attributes", wanted.then_some("RestoreStatus"))
    }

    /// `x-amz-meta-*`.
    pub(super) fn metadata(&mut self, metadata: &BTreeMap<String, String>) -> &mut Self {
        if let Some((name, _)) = metadata.iter().find(|(_, value)| !value.is_ascii()) {
            self.fail(Error::caller(format!(
                "the value of metadata `{name}` is not ASCII, which S3 does not keep"
            )));
        }
        self.items("x-amz-meta-", metadata)
    }

    /// Gives the draft away; an empty one is left.
    ///
    /// # Errors
    ///
    /// The first member that was wrong.
    pub(super) fn finish(&mut self) -> Result<Box<Draft>, Error> {
        self.plan_payload();
        self.take_draft()
    }
}

const LAST_PART: u32 = 10_000;

/// What helps against an object that is longer than what a call collects.
const LARGER: &str = "read it by `Download`, which takes objects of any length, or raise \
                      `GetObject::collect_limit` or `Config::collect_limit`";

/// Bytes of UTF-8.
const LONGEST_KEY: usize = 1024;
