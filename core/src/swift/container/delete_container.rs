//! DELETE of a container.

use http::Method;

use crate::contract::{Doubt, Operation, Recovery};
use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::retry::Idempotency;
use crate::swift::{error, request::Request, service::Service};

/// Removes an empty container. "Delete container", Object Storage API.
///
/// One that is not there is a 404, one that is not empty a 409. What was removed from it a moment
/// ago may still count, so a 409 is tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteContainer {
    /// The container.
    pub container: String,
}

impl DeleteContainer {
    /// This container.
    pub fn new(container: impl Into<String>) -> Self {
        Self { container: container.into() }
    }
}

impl Operation for DeleteContainer {
    type Service = Service;
    type Output = ();

    const NAME: &'static str = "DeleteContainer";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::container(service, Self::NAME, Method::DELETE, &self.container)?.finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<(), Error> {
        error::success(reply)
    }

    fn parse_head(&self, _: &Reply) -> Option<()> {
        Some(())
    }

    /// What is not there any more was removed by the attempt whose answer was lost, or by others.
    fn recover(&self, _: &Service, doubt: &Doubt<'_>) -> Recovery<()> {
        match doubt.error.is_not_found() {
            true => Recovery::Done(()),
            false => Recovery::Unknown,
        }
    }

    fn look_at(&self) -> String {
        format!("whether container {} is there", self.container)
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.container)
    }
}
