//! PUT of an object.

use bytes::Bytes;

use crate::checksum::{Algorithm, Value};
use crate::http::Body;
use crate::swift::commit_check::Evidence;
use crate::swift::object::{Stored, same_md5};
use crate::swift::operation::*;
use crate::swift::request::BodyCheck;
use crate::swift::types::Properties;

operation! {
    /// Stores an object of up to 5 GiB with one request. "Create or replace object", Object Storage
    /// API.
    ///
    /// Use the upload machine for larger objects, for sources of unknown length and for uploads
    /// that take longer than a token is valid.
    ///
    /// ```
    /// use apus_core::swift::PutObject;
    ///
    /// let mut put = PutObject::new("images", "key", "hello");
    /// // Replaces no object.
    /// put.if_absent = true;
    /// ```
    pub struct PutObject on object {
        /// The object's bytes.
        pub body: Body,
        /// The properties to store with them.
        pub properties: Properties,
        /// Whether to store it only if no object of this name exists: `If-None-Match: *`, the only
        /// condition that Swift supports for a PUT.
        ///
        /// Ceph's gateway ignores it. A request that may have been applied is therefore repeated
        /// only after a HEAD that finds no object.
        pub if_absent: bool,
        /// How the server checks the bytes that it stores.
        pub check: BodyCheck,
        /// Digests to compute over the body, which are not sent; the completion has them.
        pub digests: Vec<Algorithm>,
    }
    from_body(body: Body)
}

impl PutObject {
    /// Creates a request that stores these bytes under this name.
    pub fn new(
        container: impl Into<String>,
        object: impl Into<String>,
        body: impl Into<Bytes>,
    ) -> Self {
        Self::from_body(container, object, Body::Bytes(body.into()))
    }
}

impl Operation for PutObject {
    facts!(PutObject in container: Idempotent -> Stored);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        let mut draft =
            Request::object(service, Self::NAME, Method::PUT, &self.container, &self.object)?
                .with(&self.properties)
                .header("if-none-match", self.if_absent.then_some("*"))
                .object_body(&self.body, &self.check)
                .finish()?;
        draft.digests.clone_from(&self.digests);
        // If the response is lost and the repetition is refused, the MD5 shows whose object exists.
        let computed = !draft.checksums.is_empty() || draft.digests.contains(&Algorithm::Md5);
        if self.if_absent && !computed && Algorithm::Md5.is_available() {
            draft.digests.push(Algorithm::Md5);
        }
        Ok(draft)
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Stored, Error> {
        error::carried_out(reply)?;
        Ok(Stored::read(reply))
    }

    fn confirm(&self, output: &Stored, computed: &[Value]) -> Result<(), Error> {
        if let BodyCheck::Given(etag) = &self.check {
            same_md5(&output.etag, etag.opaque())?;
        }
        match computed.iter().find(|value| value.algorithm() == Algorithm::Md5) {
            Some(sent) => same_md5(&output.etag, &sent.hex()),
            None => Ok(()),
        }
    }

    fn parse_head(&self, reply: &Reply) -> Option<Stored> {
        error::carried_out(reply).ok().map(|()| Stored::read(reply))
    }

    fn recover(&self, service: &Service, doubt: &Doubt<'_>) -> Recovery<Stored> {
        let md5 = match &self.check {
            BodyCheck::Given(etag) => Some(etag.opaque().to_owned()),
            BodyCheck::Auto | BodyCheck::Never => md5_of(&self.body, doubt.computed),
        };
        let place = (self.container.as_str(), self.object.as_str());
        let evidence = Evidence::of_put(self.body.len(), md5).with(&self.properties);
        evidence.recover(service, doubt, place, self.if_absent).map(Stored::from)
    }

    /// Ceph's gateway ignores the condition.
    fn looks_before_repeating(&self, _: &Service) -> bool {
        self.if_absent
    }

    fn look_at(&self) -> String {
        format!("the ETag of {}/{}", self.container, self.object)
    }
}

/// Returns the MD5 of the body that was sent; `None` if two readings of its source had two MD5s.
fn md5_of(body: &Body, computed: &[Value]) -> Option<String> {
    let mut md5s = computed.iter().filter(|value| value.algorithm() == Algorithm::Md5);
    match (md5s.next(), md5s.next()) {
        (Some(md5), None) => Some(md5.hex()),
        (None, _) if body.is_empty() => Algorithm::Md5.digest(b"").ok().map(|md5| md5.hex()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Encoding;
    use crate::now::Timestamp;
    use crate::swift::testing::{parsed, sent, service};
    use crate::swift::types::Expiry;

    #[test]
    fn everything_that_can_be_stored() {
        let mut put = PutObject::new("c", "o", "hello");
        put.if_absent = true;
        put.check = BodyCheck::Given("\"5d41402abc4b2a76b9719d911017c592\"".into());
        put.properties = Properties::content_type("text/plain");
        put.properties.content_encoding = Some("gzip".into());
        put.properties.content_disposition = Some("inline".into());
        put.properties.expires = Some(Timestamp::from_unix(784_111_777));
        put.properties.expiry = Some(Expiry::At(Timestamp::from_unix(1_800_000_000)));
        put.properties.metadata.insert("Größe".to_lowercase(), String::new());
        assert_eq!(put.draft(&service()).unwrap_err().to_string(), "invalid metadata name `größe`");
        put.properties.metadata = [("Colour".into(), "grün".into())].into();
        assert_eq!(
            sent(&put).unwrap(),
            "PUT /c/o\n\
             content-disposition: inline\n\
             content-encoding: gzip\n\
             content-type: text/plain\n\
             etag: 5d41402abc4b2a76b9719d911017c592\n\
             expires: Sun, 06 Nov 1994 08:49:37 GMT\n\
             if-none-match: *\n\
             x-delete-at: 1800000000\n\
             x-object-meta-colour: grün\n\nhello"
        );
        put.properties.metadata = [("a".into(), "b\r\nx-evil: 1".into())].into();
        assert_eq!(
            put.draft(&service()).unwrap_err().to_string(),
            "the value of header x-object-meta-a contains a control character at byte 1"
        );
    }

    #[test]
    fn the_md5_goes_before_a_body_that_can_be_hashed_first() {
        let checksums = |body: Body| {
            let put = PutObject::from_body("c", "o", body);
            put.draft(&service()).unwrap().checksums().to_vec()
        };
        let source = |length, rewindable| Body::Source { range: 0..length, rewindable };
        let large = 9 << 20;
        for body in [Body::Bytes("x".into()), source(large, true), source(5, false)] {
            let [stamp] = checksums(body).try_into().unwrap();
            assert_eq!((stamp.algorithm, stamp.encoding), (Algorithm::Md5, Encoding::Hex));
            assert_eq!(stamp.name, "etag");
        }
        assert!(checksums(source(large, false)).is_empty());
    }

    // Swift sends the MD5 without quotes, and with them if `etag_quoter` is on.
    #[test]
    fn an_answer_with_another_tag_is_no_success() {
        let put = PutObject::new("c", "o", "hello");
        let md5 = Algorithm::Md5.digest(b"hello").unwrap();
        for etag in ["5d41402abc4b2a76b9719d911017c592", "\"5d41402abc4b2a76b9719d911017c592\""] {
            let stored = parsed(&put, 201, &format!("etag: {etag}"), "").unwrap();
            put.confirm(&stored, &[md5]).unwrap();
        }
        let stored = parsed(&put, 201, "etag: 7d793037a0760186574b0282f2f435e7", "").unwrap();
        let error = put.confirm(&stored, &[md5]).unwrap_err();
        assert_eq!(error.kind(), crate::Kind::Integrity);
        // An ETag that is not an MD5 says nothing about the bytes.
        let stored = parsed(&put, 201, "etag: W/\"xyz-3\"", "").unwrap();
        put.confirm(&stored, &[md5]).unwrap();
    }

    #[test]
    fn a_mismatch_at_the_server_is_one_of_integrity() {
        let put = PutObject::new("c", "o", "hello");
        let body = "<html><h1>Unprocessable Entity</h1><p>Unable to process the contained \
                    instructions</p></html>";
        let head = "x-trans-id: tx1\nx-openstack-request-id: tx1-req";
        let error = parsed(&put, 422, head, body).unwrap_err();
        assert_eq!(error.kind(), crate::Kind::Integrity);
        assert_eq!(error.request_id(), Some("tx1"));
        assert_eq!(error.host_id(), Some("tx1-req"));
        assert_eq!(
            error.server_message(),
            Some("Unprocessable Entity: Unable to process the contained instructions")
        );
    }
}
