//! PutObject.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;

use crate::checksum::{Algorithm, Declared, Value};
use crate::http::Body;
use crate::s3::commit_check::Evidence;
use crate::s3::object::{HeadObject, ObjectHead, Stored, proven};
use crate::s3::operation::*;
use crate::s3::types::{Conditions, Properties};

operation! {
    /// Stores an object of up to 5 GiB with one request. "PutObject", S3 API reference.
    ///
    /// For larger objects, sources of unknown length and uploads that survive a lost connection,
    /// use [`Upload`](crate::task::s3::Upload).
    ///
    /// Where the response is lost and the next attempt fails, a HEAD request finds out whether the
    /// stored object is the one that was sent, by its checksum or its ETag. Without proof the
    /// error's [outcome is unknown](Error::outcome_unknown). An object of equal bytes and metadata
    /// that another client wrote counts as the one that was sent.
    ///
    /// ```
    /// use apus_core::http::Conditions;
    /// use apus_core::s3::{Properties, PutObject};
    ///
    /// let mut put = PutObject::new("bucket", "key", "hello");
    /// put.properties = Properties::content_type("text/plain");
    /// // Replaces no object. A server that ignores the condition replaces it: `Upload` looks first.
    /// put.conditions = Conditions::absent();
    /// ```
    pub struct PutObject on object {
        /// The body of the object.
        pub body: Body,
        /// Metadata, storage class, encryption and other properties of the object.
        pub properties: Properties,
        /// Preconditions of the request.
        pub conditions: Conditions,
        /// Per-call checksum overrides.
        pub checksum: ChecksumOptions,
        /// The offset in bytes at which to append to an existing object (S3 Express One Zone and
        /// some other servers).
        pub write_offset: Option<u64>,
    }
    from_body(body: Body)
}

impl PutObject {
    /// Stores these bytes under this key.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self::from_body(bucket, key, Body::Bytes(body.into()))
    }

    /// Whether the request has a precondition that the server may ignore.
    fn may_be_ignored(&self, service: &Service) -> bool {
        !self.conditions.is_empty() && !service.config().quirks.conditional_put
    }

    /// Whether `If-Match` names another ETag than that of the object in this response to a HEAD.
    fn replaces_another(&self, look: &Reply) -> bool {
        let there = ObjectHead::read(look).etag;
        let named = self.conditions.if_match.as_ref().filter(|tag| tag.opaque() != "*");
        named.is_some_and(|named| there.is_some_and(|there| there != *named))
    }

    /// Returns the checksum options, with the MD5, which is the ETag on most servers and identifies
    /// the object if the response is lost and the next attempt fails its precondition. Where the
    /// body is covered otherwise, it is computed only then: see [`hash`](Self::hash).
    fn evident(&self) -> Cow<'_, ChecksumOptions> {
        let reads_again = !matches!(self.body, Body::Source { rewindable: false, .. });
        let known = self.checksum.md5_if_uncovered || !Algorithm::Md5.is_available();
        if self.conditions.is_empty() || !reads_again || known {
            return Cow::Borrowed(&self.checksum);
        }
        Cow::Owned(ChecksumOptions { md5_if_uncovered: true, ..self.checksum.clone() })
    }

    /// Returns the digests that may still prove whose object the response to a HEAD shows: the
    /// algorithms of its checksums, and MD5 if its ETag may be one. `None` if there are none, or if
    /// the body can't be read again.
    fn hash(&self, look: &Reply, computed: &[Value]) -> Option<Vec<Algorithm>> {
        if look.status() != StatusCode::OK || self.body.is_empty() {
            return None;
        }
        if matches!(self.body, Body::Source { rewindable: false, .. }) {
            return None;
        }
        let head = ObjectHead::read(look);
        let whole = head.checksums.iter().filter_map(|declared| match declared {
            Declared::FullObject(value) => Some(value.algorithm()),
            Declared::Composite(_) => None,
        });
        let tag = head.etag.as_ref().filter(|tag| tag.is_md5()).map(|_| Algorithm::Md5);
        let has = |algorithm| computed.iter().any(|value| value.algorithm() == algorithm);
        let more =
            whole.chain(tag).filter(|algorithm| algorithm.is_available() && !has(*algorithm));
        let more: Vec<_> = more.collect();
        (!more.is_empty()).then_some(more)
    }
}

impl Operation for PutObject {
    facts!(PutObject in bucket: Idempotent -> Stored);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::PUT, &self.bucket, &self.key)?
            .header_number("x-amz-write-offset-bytes", self.write_offset)
            .with(&self.properties)
            .with(&self.conditions)
            .with(&self.common)
            .object_body(&self.body)
            .checksum(Need::Supported, &self.evident())
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Stored, Error> {
        error::accepted(reply)?;
        Ok(Stored::read(reply))
    }

    fn parse_head(&self, reply: &Reply) -> Option<Stored> {
        Stored::read_head(reply)
    }

    fn recover(&self, service: &Service, doubt: &Doubt<'_>) -> Recovery<Stored> {
        if self.write_offset.is_some() {
            // The digests cover only the appended bytes, not the object.
            return Recovery::Unknown;
        }
        let Some(look) = doubt.looks.last() else {
            let mut head = HeadObject::new(&self.bucket, &self.key);
            head.customer_key.clone_from(&self.properties.encryption.customer_key);
            head.common.clone_from(&self.common);
            return head.look(service);
        };
        let mut evidence = Evidence::of_put(self.body.len(), doubt.computed, &self.properties);
        evidence.replaces = self.conditions.if_match.as_ref();
        let there = look.status().is_success();
        match proven(service, look, &evidence) {
            Recovery::Unknown => match self.hash(look, doubt.computed) {
                Some(digests) => Recovery::Hash(digests),
                None => Recovery::Unknown,
            },
            // The server may ignore preconditions: the object found may have replaced ours, and a
            // pending attempt may replace it.
            Recovery::NotDone
                if there
                    && self.may_be_ignored(service)
                    && !doubt.error.is_precondition_failed() =>
            {
                Recovery::Unknown
            }
            // While the object exists, `If-None-Match` makes every pending attempt fail.
            Recovery::NotDone if there && self.conditions.if_none_match.is_some() => {
                Recovery::Never
            }
            // The object has another ETag now, so `If-Match` makes every pending attempt fail.
            Recovery::NotDone if there && self.replaces_another(look) => Recovery::Never,
            recovery => recovery,
        }
    }

    fn looks_before_repeating(&self, service: &Service) -> bool {
        self.may_be_ignored(service)
    }

    fn look_at(&self) -> String {
        format!("the object {}/{}", self.bucket, self.key)
    }

    fn confirm(&self, output: &Stored, computed: &[Value]) -> Result<(), Error> {
        output.confirm(computed)
    }
}
