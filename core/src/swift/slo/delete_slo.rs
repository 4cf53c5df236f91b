//! DELETE of a static large object together with its segments.

use http::{Method, StatusCode};

use crate::contract::{Class, Operation};
use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::swift::bulk::Deleted;
use crate::swift::request::Request;
use crate::swift::service::Service;

/// Removes a static large object, its segments, and those of its segments. "Static Large Objects",
/// Swift: `?multipart-manifest=delete`.
///
/// An object that is no such manifest is one of the [failures](Deleted::failed); one that is not
/// there is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteSlo {
    /// The container of the manifest.
    pub container: String,
    /// The large object's name.
    pub object: String,
    /// Whether only the manifest is removed at once, and its segments later: all must be in one
    /// container, and none a large object itself. The answer then counts nothing.
    pub later: bool,
}

impl DeleteSlo {
    /// This large object.
    pub fn new(container: impl Into<String>, object: impl Into<String>) -> Self {
        Self { container: container.into(), object: object.into(), later: false }
    }
}

impl Operation for DeleteSlo {
    type Service = Service;
    type Output = Deleted;

    const NAME: &'static str = "DeleteSlo";
    const CLASS: Class = Class::Idempotent;

    fn draft(&self, service: &Service) -> Result<Draft, Error> {
        Request::object(service, Self::NAME, Method::DELETE, &self.container, &self.object)?
            .query("multipart-manifest", Some("delete"))
            .query("async", self.later.then_some("on"))
            .accept_json()
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Deleted, Error> {
        if reply.status() == StatusCode::NO_CONTENT {
            return Ok(Deleted::default());
        }
        Deleted::read(reply)
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.container)
    }
}
