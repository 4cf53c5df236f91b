//! HEAD of an object.

use http::StatusCode;

use crate::http::is_object;
use crate::swift::object::ObjectHead;
use crate::swift::operation::*;
use crate::swift::types::{ByteRange, Conditions};

operation! {
    /// Shows an object's metadata. "Show object metadata", Object Storage API.
    ///
    /// A large object is a 200 even if some of its segments are missing.
    ///
    /// ```
    /// use apus_core::swift::HeadObject;
    ///
    /// let mut head = HeadObject::new("images", "debian");
    /// // The size of the manifest itself, not of the large object.
    /// head.manifest = true;
    /// ```
    pub struct HeadObject on object {
        /// Requests only these bytes.
        pub range: Option<ByteRange>,
        /// Requests only this segment of a static large object, counted from 1.
        pub part_number: Option<u32>,
        /// The conditions of the request.
        pub conditions: Conditions,
        /// Whether the manifest itself is requested, instead of the large object.
        pub manifest: bool,
        /// Whether the newest of all replicas is requested: `X-Newest`.
        pub newest: bool,
    }
}

impl Operation for HeadObject {
    facts!(HeadObject in container: Read -> ObjectHead);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::HEAD, &self.container, &self.object)?
            .query("multipart-manifest", self.manifest.then_some("get"))
            .one_part(self.part_number)
            .with(&self.range)
            .with(&self.conditions)
            .header("x-newest", self.newest.then_some("true"))
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<ObjectHead, Error> {
        error::success(reply)?;
        // Old servers say by 204 that a HEAD has no body.
        if reply.status() != StatusCode::NO_CONTENT {
            is_object(&reply.head, None).map_err(|error| error::named(error, reply))?;
        }
        Ok(ObjectHead::read(reply))
    }
}
