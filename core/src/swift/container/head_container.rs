//! HEAD of a container.

use http::Method;

use crate::contract::Operation;
use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::retry::Idempotency;
use crate::swift::{container::ContainerHead, error, request::Request, service::Service};

/// What the server knows of a container. "Show container metadata", Object Storage API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadContainer {
    /// The container.
    pub container: String,
    /// Whether all replicas are asked for the newest: `X-Newest`.
    pub newest: bool,
}

impl HeadContainer {
    /// Of this container.
    pub fn new(container: impl Into<String>) -> Self {
        Self { container: container.into(), newest: false }
    }
}

impl Operation for HeadContainer {
    type Service = Service;
    type Output = ContainerHead;

    const NAME: &'static str = "HeadContainer";
    const IDEMPOTENCY: Idempotency = Idempotency::Read;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::container(service, Self::NAME, Method::HEAD, &self.container)?
            .header("x-newest", self.newest.then_some("true"))
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<ContainerHead, Error> {
        error::success(reply)?;
        Ok(ContainerHead::read(reply))
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.container)
    }
}
