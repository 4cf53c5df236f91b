//! HEAD of an object.

use http::Method;

use crate::contract::Operation;
use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::retry::Idempotency;
use crate::swift::{
    error,
    object::ObjectHead,
    request::Request,
    service::Service,
    types::{ByteRange, Conditions},
};

/// What the server knows of an object. "Show object metadata", Object Storage API.
///
/// A large object is a 200 also when segments of it are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadObject {
    /// The container.
    pub container: String,
    /// The object's name.
    pub object: String,
    /// Only these bytes.
    pub range: Option<ByteRange>,
    /// Only this segment of a static large object, counted from 1.
    pub part_number: Option<u32>,
    /// On what condition.
    pub conditions: Conditions,
    /// Whether the manifest itself is meant, instead of the large object.
    pub manifest: bool,
    /// Whether all replicas are asked for the newest: `X-Newest`.
    pub newest: bool,
}

impl HeadObject {
    /// Of this object.
    pub fn new(container: impl Into<String>, object: impl Into<String>) -> Self {
        Self { container: container.into(), object: object.into(), ..Self::default() }
    }
}

impl Operation for HeadObject {
    type Service = Service;
    type Output = ObjectHead;

    const NAME: &'static str = "HeadObject";
    const IDEMPOTENCY: Idempotency = Idempotency::Read;

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
        Ok(ObjectHead::read(reply))
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.container)
    }
}
