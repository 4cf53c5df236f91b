//! Dynamic large objects: a prefix that names their segments. "Dynamic Large Objects", Swift.

use http::Method;

use crate::contract::{Doubt, Operation, Recovery};
use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::retry::Idempotency;
use crate::swift::error;
use crate::swift::evidence::Evidence;
use crate::swift::object::{Prefix, Stored};
use crate::swift::request::Request;
use crate::swift::service::Service;
use crate::swift::types::Properties;

/// Makes a dynamic large object of all objects that begin with a prefix: whatever the listing shows
/// when it is read. An empty object with `X-Object-Manifest`.
///
/// The tag that is answered is that of the empty body. No `ETag` goes with the request: Ceph compares
/// it with something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutDlo {
    /// The container of the manifest.
    pub container: String,
    /// The large object's name, which the prefix should not match.
    pub object: String,
    /// Where the segments are.
    pub segments: Prefix,
    /// What is stored with it.
    pub properties: Properties,
    /// Whether it is stored only if there is no such object yet.
    pub if_absent: bool,
}

impl PutDlo {
    /// Of these segments, under this name.
    pub fn new(container: impl Into<String>, object: impl Into<String>, segments: Prefix) -> Self {
        Self {
            container: container.into(),
            object: object.into(),
            segments,
            properties: Properties::default(),
            if_absent: false,
        }
    }
}

impl Operation for PutDlo {
    type Service = Service;
    type Output = Stored;

    const NAME: &'static str = "PutDlo";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        self.segments
            .check()
            .map_err(|error| Error::caller(format!("the segments: {}", error.what())))?;
        Request::object(service, Self::NAME, Method::PUT, &self.container, &self.object)?
            .with(&self.properties)
            .header("x-object-manifest", Some(self.segments.header()))
            .header("if-none-match", self.if_absent.then_some("*"))
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Stored, Error> {
        error::success(reply)?;
        Ok(Stored::read(reply))
    }

    fn parse_head(&self, reply: &Reply) -> Option<Stored> {
        Some(Stored::read(reply))
    }

    fn recover(&self, service: &Service, doubt: &Doubt<'_>) -> Recovery<Stored> {
        let place = (self.container.as_str(), self.object.as_str());
        let evidence = Evidence::of_dlo(&self.segments).with(&self.properties);
        evidence.recover(service, doubt, place, self.if_absent).map(Stored::from)
    }

    fn look_at(&self) -> String {
        format!("the manifest of {}/{}", self.container, self.object)
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.container)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swift::testing::{refused, sent};

    #[test]
    fn a_manifest_is_a_header() {
        let mut put = PutDlo::new("c", "o", Prefix::new("c segments", "o/1?/"));
        put.if_absent = true;
        assert_eq!(
            sent(&put).unwrap(),
            "PUT /c/o\nif-none-match: *\nx-object-manifest: c%20segments/o/1%3F/"
        );
        put.segments.prefix.clear();
        assert_eq!(refused(&put), "the segments: the prefix of the segments is empty");
    }
}
