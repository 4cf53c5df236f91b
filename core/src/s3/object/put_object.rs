//! PutObject.

use std::borrow::Cow;

use bytes::Bytes;

use crate::checksum::{Algorithm, RequestChecksumCalculation, Value};
use crate::http::Body;
use crate::s3::evidence::Evidence;
use crate::s3::object::{HeadObject, ObjectHead, Stored, proven};
use crate::s3::operation::*;
use crate::s3::types::{Conditions, Properties};

operation! {
    /// Stores an object of up to 5 GiB with one request. "PutObject", S3 API reference.
    ///
    /// Larger objects, sources of unknown length and uploads that survive a lost connection are for
    /// [`Upload`](crate::machine::Upload).
    ///
    /// Where the answer is lost and the repetition fails, a HEAD shows whether the object that is there is
    /// the one that was sent: its checksum or its ETag says so, or the error's
    /// [outcome is unknown](Error::outcome_unknown). An object of the same bytes and metadata that somebody
    /// else wrote counts as the one that was sent.
    pub struct PutObject on object {
        /// The object's bytes.
        pub body: Body,
        /// What is stored with them.
        pub properties: Properties,
        /// On what condition.
        pub conditions: Conditions,
        /// What this call wants otherwise about the checksum of its request.
        pub checksum: ChecksumOptions,
        /// Where in an existing object to append (S3 Express One Zone and some other servers).
        pub write_offset: Option<u64>,
    }
    from_body(body: Body)
}

impl PutObject {
    /// These bytes under this key.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self::from_body(bucket, key, Body::Bytes(body.into()))
    }

    /// Whether the server may ignore the condition.
    fn may_be_ignored(&self, service: &Service) -> bool {
        !self.conditions.is_empty() && !service.config().quirks.conditional_put
    }

    /// Whether the condition names another object than the one that this HEAD shows.
    fn replaces_another(&self, look: &Reply) -> bool {
        let there = ObjectHead::read(look).etag;
        let named = self.conditions.if_match.as_ref().filter(|tag| tag.opaque() != "*");
        named.is_some_and(|named| there.is_some_and(|there| there != *named))
    }

    /// What is computed over the body, with what a look needs should the answer be lost and the
    /// repetition be refused for its condition: the MD5, which most servers' ETags are, and the checksum
    /// that Amazon computes of every object.
    fn evident(&self, service: &Service) -> Cow<'_, ChecksumOptions> {
        let reads_again = !matches!(self.body, Body::Source { rewindable: false, .. });
        if self.conditions.is_empty() || !reads_again {
            return Cow::Borrowed(&self.checksum);
        }
        let config = service.config();
        let policy = config.checksum.with(&self.checksum.overrides);
        let keeps = config.quirks.full_object_checksums
            && policy.request_mode() != RequestChecksumCalculation::Never;
        let wanted = [(Algorithm::Md5, true), (Algorithm::Crc64Nvme, keeps)];
        let mut options = self.checksum.clone();
        for (algorithm, _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
            if algorithm.is_available() && !options.digests.contains(&algorithm) {
                options.digests.push(algorithm);
            }
        }
        Cow::Owned(options)
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
            .checksum(Need::Supported, &self.evident(service))
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
            // The object is longer than what was appended to it.
            return Recovery::Unknown;
        }
        let Some(look) = doubt.looks.last() else {
            let mut head = HeadObject::new(&self.bucket, &self.key);
            head.customer_key.clone_from(&self.properties.encryption.customer_key);
            head.common.clone_from(&self.common);
            return head.look(service);
        };
        let mut evidence = Evidence::of_put(self.body.len(), doubt.stamped, &self.properties);
        evidence.replaces = self.conditions.if_match.as_ref();
        let there = look.status().is_success();
        match proven(service, look, &evidence) {
            // It may have replaced ours, and an attempt under way may replace it.
            Recovery::NotDone
                if there
                    && self.may_be_ignored(service)
                    && !doubt.error.is_precondition_failed() =>
            {
                Recovery::Unknown
            }
            // While it is there, none is made beside it.
            Recovery::NotDone if there && self.conditions.if_none_match.is_some() => {
                Recovery::Never
            }
            // It is not the one that was to be replaced any more.
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

    fn confirm(&self, output: &Stored, stamped: &[Value]) -> Result<(), Error> {
        output.confirm(stamped)
    }
}
