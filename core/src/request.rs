//! Builds the requests of S3 and Swift: path, query and headers.
//!
//! Names are escaped only once, in this module, and the result is not passed through a URL parser.
//! Each service's module adds where a request is sent, and what its body needs.

use std::collections::BTreeMap;
use std::fmt;
use std::mem;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::uri::{self, Authority, PathAndQuery, Scheme};
use http::{Method, Uri};

use crate::error::Error;
use crate::escape;
use crate::http::{ByteRange, Conditions, Draft, ETag, header_value};
use crate::now::Timestamp;

/// A service whose requests are built here.
pub(crate) trait RequestTarget: fmt::Debug {
    /// What the service stores about a request until it is finished.
    type Plan: fmt::Debug;
}

/// Members that several operations share, and that are added to a request together.
pub(crate) trait Members<S: RequestTarget> {
    /// Adds these members to a request.
    fn apply(&self, request: &mut Request<'_, S>);
}

impl<S: RequestTarget, T: Members<S>> Members<S> for Option<T> {
    fn apply(&self, request: &mut Request<'_, S>) {
        if let Some(members) = self {
            members.apply(request);
        }
    }
}

impl<S: RequestTarget> Members<S> for Conditions {
    fn apply(&self, request: &mut Request<'_, S>) {
        request
            .header("if-match", self.if_match.as_ref().map(ETag::as_str))
            .header("if-none-match", self.if_none_match.as_ref().map(ETag::as_str))
            .header("if-modified-since", self.if_modified_since.map(Timestamp::http_date))
            .header("if-unmodified-since", self.if_unmodified_since.map(Timestamp::http_date));
    }
}

impl<S: RequestTarget> Members<S> for ByteRange {
    fn apply(&self, request: &mut Request<'_, S>) {
        request.header("range", Some(self.to_string()));
    }
}

/// Builds the draft of one operation. [`take_draft`](Self::take_draft) returns the first error.
#[derive(Debug)]
pub(crate) struct Request<'a, S: RequestTarget> {
    pub(crate) service: &'a S,
    pub(crate) plan: S::Plan,
    /// `None` after [`take_draft`](Self::take_draft).
    draft: Option<Box<Draft>>,
    /// Scheme and authority, if they are known.
    uri: uri::Parts,
    target: String,
    has_query: bool,
    error: Option<Error>,
}

impl<'a, S: RequestTarget> Request<'a, S> {
    /// Creates a request with this escaped path. Without an origin, the authenticator adds it
    /// later.
    pub(crate) fn to(
        service: &'a S,
        draft: Box<Draft>,
        plan: S::Plan,
        origin: Option<(Scheme, Authority)>,
        path: String,
    ) -> Self {
        let mut uri = uri::Parts::default();
        if let Some((scheme, authority)) = origin {
            uri.scheme = Some(scheme);
            uri.authority = Some(authority);
        }
        let draft = Some(draft);
        Self { service, plan, draft, uri, target: path, has_query: false, error: None }
    }

    /// Returns the scheme, if it is known.
    pub(crate) fn scheme(&self) -> Option<&Scheme> {
        self.uri.scheme.as_ref()
    }

    /// Adds members that are shared with other operations.
    pub(crate) fn with(&mut self, members: &impl Members<S>) -> &mut Self {
        members.apply(self);
        self
    }

    /// Adds `?name`, which addresses a sub-resource.
    pub(crate) fn flag(&mut self, name: &str) -> &mut Self {
        self.separator();
        escape::query_into(&mut self.target, name);
        self
    }

    /// Adds `name=value`, if there is a value.
    pub(crate) fn query(&mut self, name: &str, value: Option<impl AsRef<str>>) -> &mut Self {
        if let Some(value) = value {
            self.separator();
            escape::query_into(&mut self.target, name);
            self.target.push('=');
            escape::query_into(&mut self.target, value.as_ref());
        }
        self
    }

    /// Adds `name=number`, if there is a number.
    pub(crate) fn query_number(&mut self, name: &str, number: Option<impl Into<u64>>) -> &mut Self {
        if let Some(number) = number {
            self.separator();
            self.target.push_str(name);
            self.target.push('=');
            escape::decimal_into(&mut self.target, number.into());
        }
        self
    }

    /// Sets a header, if there is a value.
    pub(crate) fn header(
        &mut self,
        name: &'static str,
        value: Option<impl AsRef<str>>,
    ) -> &mut Self {
        if let Some(value) = value {
            self.set(HeaderName::from_static(name), value.as_ref());
        }
        self
    }

    /// Sets a header to a number, if there is one.
    pub(crate) fn header_number(&mut self, name: &'static str, number: Option<u64>) -> &mut Self {
        self.header(name, number.map(|number| number.to_string()))
    }

    /// Sets a header to `true` or `false`, if there is a value.
    pub(crate) fn header_flag(&mut self, name: &'static str, value: Option<bool>) -> &mut Self {
        self.header(name, value.map(|value| if value { "true" } else { "false" }))
    }

    /// Sets a header with a secret value, which no `Debug` shows.
    pub(crate) fn header_secret(&mut self, name: &'static str, value: Option<&str>) -> &mut Self {
        let Some(value) = value else { return self };
        let name = HeaderName::from_static(name);
        match header_value(&name, value) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.draft().head.headers.insert(name, value);
            }
            Err(error) => self.fail(error),
        }
        self
    }

    /// Sets a header for each metadata item; `prefix` precedes each name.
    pub(crate) fn items(&mut self, prefix: &str, items: &BTreeMap<String, String>) -> &mut Self {
        for (name, value) in items {
            match HeaderName::try_from(format!("{prefix}{name}")) {
                Ok(header) if !name.is_empty() => self.set(header, value),
                _ => self.fail(Error::invalid_input(format!(
                    "invalid metadata name `{}`",
                    name.escape_debug()
                ))),
            }
        }
        self
    }

    /// Returns the draft; an empty one remains.
    ///
    /// # Errors
    ///
    /// The first member that was wrong.
    pub(crate) fn take_draft(&mut self) -> Result<Box<Draft>, Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let target = PathAndQuery::from_maybe_shared(Bytes::from(mem::take(&mut self.target)))
            .map_err(|error| {
                Error::invalid_input(format!("the request's path and query: {error}"))
            })?;
        self.uri.path_and_query = Some(target);
        let uri = Uri::from_parts(mem::take(&mut self.uri))
            .map_err(|error| Error::invalid_input(format!("the request's URI: {error}")))?;
        let mut draft = self.draft.take().unwrap_or_else(blank);
        draft.head.uri = uri;
        Ok(draft)
    }

    /// Returns the draft so far; after [`take_draft`](Self::take_draft), an empty one.
    pub(crate) fn draft(&mut self) -> &mut Draft {
        self.draft.get_or_insert_with(blank)
    }

    /// Sets a header, or stores the error.
    pub(crate) fn set(&mut self, name: HeaderName, value: &str) {
        if let Err(error) = self.draft().header(name, value) {
            self.fail(error);
        }
    }

    /// Adds a header, and keeps others of the same name.
    pub(crate) fn append(&mut self, name: HeaderName, value: HeaderValue) {
        self.draft().head.headers.append(name, value);
    }

    /// Stores the error, unless there already is one.
    pub(crate) fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    fn separator(&mut self) {
        self.target.push(if mem::replace(&mut self.has_query, true) { '&' } else { '?' });
    }
}

fn blank() -> Box<Draft> {
    Draft::new("none", Method::GET, Uri::default())
}
