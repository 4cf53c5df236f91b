//! GET of an object.

use bytes::Bytes;

use crate::checksum::{Algorithm, NotValidatedReason, Validation};
use crate::http::{Coding, is_object, settle};
use crate::swift::object::{HeadObject, ObjectHead};
use crate::swift::operation::*;
use crate::swift::types::{ByteRange, Conditions};

operation! {
    /// Downloads an object's content, or a range of it. "Get object content and metadata", Object
    /// Storage API.
    ///
    /// A call collects the bytes in memory, up to a [limit](Self::collect_limit), and validates
    /// them there. For larger objects and for streams use the download machine. It resumes a
    /// response that was cut off, such as that of a large object with missing segments, which ends
    /// in the middle.
    ///
    /// Swift ignores `If-Range`, treats a malformed `Range` as missing, and responds to several
    /// ranges with `multipart/byteranges`; for that reason only one can be requested here.
    ///
    /// ```
    /// use apus_core::http::ByteRange;
    /// use apus_core::swift::GetObject;
    ///
    /// let mut get = GetObject::new("images", "debian");
    /// // The last KiB.
    /// get.range = Some(ByteRange::Last(1024));
    /// ```
    pub struct GetObject on object {
        /// Requests only these bytes.
        pub range: Option<ByteRange>,
        /// Requests only this segment of a static large object, counted from 1.
        pub part_number: Option<u32>,
        /// The conditions of the request.
        pub conditions: Conditions,
        /// Whether the newest of all replicas is requested: `X-Newest`.
        pub newest: bool,
        /// Skips the comparison of the bytes with their MD5.
        pub unchecked: bool,
        /// How many bytes a call collects in memory at most, instead of
        /// [`Config::collect_limit`](crate::swift::Config::collect_limit).
        pub collect_limit: Option<usize>,
    }
}

/// The response to [`GetObject`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GetObjectOutput {
    /// What the headers say about the object.
    pub head: ObjectHead,
    /// The bytes, if they were collected.
    pub body: Bytes,
    /// Whether the bytes were validated.
    pub validation: Validation,
}

impl Operation for GetObject {
    facts!(GetObject in container: Read -> GetObjectOutput);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::GET, &self.container, &self.object)?
            .one_part(self.part_number)
            .with(&self.range)
            .with(&self.conditions)
            .header("x-newest", self.newest.then_some("true"))
            .collect(self.collect_limit)
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<GetObjectOutput, Error> {
        error::success(reply)?;
        is_object(&reply.head, self.part_number).map_err(|error| error::named(error, reply))?;
        let touched = Coding::untouched(&reply.head.headers);
        touched.map_err(|error| error::named(error.with_status(reply.status()), reply))?;
        let head = ObjectHead::read(reply);
        let validation = if self.unchecked {
            Validation::NotValidated(NotValidatedReason::Unasked)
        } else {
            check(&head, reply).map_err(|error| error::named(error, reply))?
        };
        Ok(GetObjectOutput { head, body: reply.body.clone(), validation })
    }

    /// Returns a HEAD, where neither the MD5 nor anything else proves that the bytes are complete
    /// and as stored.
    fn question(
        &self,
        service: &Service,
        reply: &Reply,
        output: &GetObjectOutput,
    ) -> Result<Option<Box<Draft>>, Error> {
        let coded = Coding::of(&reply.head.headers).is_some();
        if !(reply.until_close || coded) || output.validation.is_validated() {
            return Ok(None);
        }
        let head = HeadObject {
            part_number: self.part_number,
            newest: self.newest,
            ..HeadObject::new(&self.container, &self.object)
        };
        head.draft(service).map(Some)
    }

    fn settle(&self, first: &Reply, told: &Reply) -> Result<(), Error> {
        error::success(told).or_else(error::passing)?;
        // HEAD reports 0 bytes for a large object with more segments than a page of a listing has.
        let whole = self.range.is_none() && ObjectHead::read(told).size.is_some();
        settle(first, told, whole, true).map_err(|error| error::named(error, first))
    }
}

/// Compares a collected body with the ETag, if that is its MD5.
fn check(head: &ObjectHead, reply: &Reply) -> Result<Validation, Error> {
    let md5 = match head.md5() {
        Ok(md5) => md5,
        Err(why) => return Ok(Validation::NotValidated(why)),
    };
    let computed = Algorithm::Md5.digest(&reply.body)?.hex();
    if computed.eq_ignore_ascii_case(md5) {
        return Ok(Validation::Validated(Algorithm::Md5));
    }
    Err(Error::integrity(format!(
        "the MD5 of the body is {computed}, but the server declares {md5}"
    ))
    .with_status(reply.status()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swift::testing::{parsed, sent};

    #[test]
    fn everything_that_can_be_asked_for() {
        let mut get = GetObject::new("c", "o");
        get.range = Some(ByteRange::From(100));
        get.part_number = Some(2);
        get.conditions = Conditions::matches("\"a\"".into());
        get.newest = true;
        assert_eq!(
            sent(&get).unwrap(),
            "GET /c/o?part-number=2\nif-match: \"a\"\nrange: bytes=100-\nx-newest: true"
        );
    }

    #[test]
    fn bytes_are_checked_where_the_tag_is_their_md5() {
        let get = GetObject::new("c", "o");
        let plain = "etag: 5D41402ABC4B2A76B9719D911017C592\ncontent-length: 5";
        let output = parsed(&get, 200, plain, "hello").unwrap();
        assert_eq!(output.validation, Validation::Validated(Algorithm::Md5));
        let error = parsed(&get, 200, plain, "hellO").unwrap_err();
        assert_eq!(error.kind(), crate::Kind::Integrity);
        let unchecked = GetObject { unchecked: true, ..get.clone() };
        assert!(parsed(&unchecked, 200, plain, "hellO").is_ok());
        let slo = format!("{plain}\nx-static-large-object: True");
        let output = parsed(&get, 200, &slo, "other").unwrap();
        assert_eq!(output.validation, Validation::NotValidated(NotValidatedReason::Composite));
    }
}
