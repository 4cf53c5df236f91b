//! What all operations share: path, query and headers here, the body in [`body`].

mod body;

use bytes::Bytes;
use http::header::{HOST, HeaderName, HeaderValue};
use http::uri::{self, PathAndQuery};
use http::{Method, Uri};

pub use self::body::ChecksumOptions;
use crate::checksum::{Declared, Policy};
use crate::error::Error;
use crate::escape;
use crate::http::{Draft, Sealing, header_value};
use crate::s3::endpoint::Endpoint;
use crate::s3::service::Service;
use crate::s3::types::Metadata;

/// Members that several operations share, and that add to a request together.
pub(super) trait Members {
    /// Adds these members to a request.
    fn apply(&self, request: &mut Request<'_>);
}

impl<T: Members> Members for Option<T> {
    fn apply(&self, request: &mut Request<'_>) {
        if let Some(members) = self {
            members.apply(request);
        }
    }
}

/// Builds the draft of one operation. The first thing that is wrong is the error of
/// [`finish`](Self::finish).
#[derive(Debug)]
pub(super) struct Request<'a> {
    service: &'a Service,
    draft: Draft,
    /// Scheme and authority.
    uri: uri::Parts,
    target: String,
    has_query: bool,
    policy: Policy,
    streaming: bool,
    error: Option<Error>,
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
        // What most requests have once they are signed.
        draft.head.headers.reserve(if draft.head.method == Method::PUT { 12 } else { 6 });
        draft.head.headers.insert(HOST, endpoint.host);
        draft.sealing =
            Sealing::SigV4 { region: endpoint.signing_region, service: endpoint.signing_name };
        let policy = service.config().checksum;
        let mut uri = uri::Parts::default();
        uri.scheme = Some(endpoint.scheme);
        uri.authority = Some(endpoint.authority);
        Self {
            service,
            draft,
            uri,
            target,
            has_query: false,
            policy,
            streaming: false,
            error: None,
        }
    }

    /// Members that are shared with other operations.
    pub(super) fn with(&mut self, members: &impl Members) -> &mut Self {
        members.apply(self);
        self
    }

    /// `?name`, the mark of a sub-resource.
    pub(super) fn flag(&mut self, name: &str) -> &mut Self {
        self.separator();
        escape::query_into(&mut self.target, name);
        self
    }

    /// `name=value`, if there is a value.
    pub(super) fn query(&mut self, name: &str, value: Option<impl AsRef<str>>) -> &mut Self {
        if let Some(value) = value {
            self.separator();
            escape::query_into(&mut self.target, name);
            self.target.push('=');
            escape::query_into(&mut self.target, value.as_ref());
        }
        self
    }

    /// `name=number`, if there is one.
    pub(super) fn query_number(&mut self, name: &str, number: Option<impl Into<u64>>) -> &mut Self {
        if let Some(number) = number {
            self.separator();
            self.target.push_str(name);
            self.target.push('=');
            escape::decimal_into(&mut self.target, number.into());
        }
        self
    }

    /// A header, if it has a value.
    pub(super) fn header(
        &mut self,
        name: &'static str,
        value: Option<impl AsRef<str>>,
    ) -> &mut Self {
        if let Some(value) = value {
            self.set(HeaderName::from_static(name), value.as_ref());
        }
        self
    }

    /// A header that is a number, if there is one.
    pub(super) fn header_number(&mut self, name: &'static str, number: Option<u64>) -> &mut Self {
        self.header(name, number.map(|number| number.to_string()))
    }

    /// A header that is `true` or `false`, if it is either.
    pub(super) fn header_flag(&mut self, name: &'static str, value: Option<bool>) -> &mut Self {
        self.header(name, value.map(|value| if value { "true" } else { "false" }))
    }

    /// A header with several values, or one of unknown name.
    pub(super) fn plain_header(&mut self, name: &HeaderName, value: &HeaderValue) -> &mut Self {
        let mut value = value.clone();
        if name.as_str().ends_with("-customer-key") {
            value.set_sensitive(true);
        }
        self.draft.head.headers.append(name.clone(), value);
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

    /// A header with a secret value, marked so that no `Debug` shows it.
    pub(super) fn header_secret(&mut self, name: &'static str, value: Option<&str>) -> &mut Self {
        let Some(value) = value else { return self };
        let name = HeaderName::from_static(name);
        match header_value(&name, value) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.draft.head.headers.insert(name, value);
            }
            Err(error) => self.fail(error),
        }
        self
    }

    /// `x-amz-meta-*`.
    pub(super) fn metadata(&mut self, metadata: &Metadata) -> &mut Self {
        for (name, value) in metadata {
            match HeaderName::try_from(format!("x-amz-meta-{name}")) {
                Ok(header) if value.is_ascii() => self.set(header, value),
                Ok(_) => self.fail(Error::caller(format!(
                    "the value of metadata `{name}` is not ASCII, which S3 does not keep"
                ))),
                Err(_) => self.fail(Error::caller(format!(
                    "`{}` can't be the name of metadata",
                    name.escape_debug()
                ))),
            }
        }
        self
    }

    /// Gives the draft away; an empty one is left.
    ///
    /// # Errors
    ///
    /// The first member that was wrong.
    pub(super) fn finish(&mut self) -> Result<Draft, Error> {
        self.plan_payload();
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let target = PathAndQuery::from_maybe_shared(Bytes::from(std::mem::take(&mut self.target)))
            .map_err(|error| Error::caller(format!("the request's path and query: {error}")))?;
        self.uri.path_and_query = Some(target);
        self.draft.head.uri = Uri::from_parts(std::mem::take(&mut self.uri))
            .map_err(|error| Error::caller(format!("the request's URI: {error}")))?;
        let empty = Draft::new(self.draft.operation, Method::GET, Uri::default());
        Ok(std::mem::replace(&mut self.draft, empty))
    }

    fn set(&mut self, name: HeaderName, value: &str) {
        if let Err(error) = self.draft.header(name, value) {
            self.fail(error);
        }
    }

    fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    fn separator(&mut self) {
        self.target.push(if std::mem::replace(&mut self.has_query, true) { '&' } else { '?' });
    }
}

const LAST_PART: u32 = 10_000;

/// Bytes of UTF-8.
const LONGEST_KEY: usize = 1024;
