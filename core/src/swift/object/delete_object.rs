//! DELETE of an object.

use http::Method;

use crate::contract::{Doubt, Operation, Recovery};
use crate::error::Error;
use crate::http::{Draft, Reply};
use crate::retry::Idempotency;
use crate::swift::{error, request::Request, service::Service};

/// Removes an object; of a large one only the manifest. "Delete object", Object Storage API.
///
/// An object that is not there is a 404. For the segments of a static large object too there is
/// [`DeleteSlo`](crate::swift::DeleteSlo).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteObject {
    /// The container.
    pub container: String,
    /// The object's name.
    pub object: String,
}

impl DeleteObject {
    /// This object.
    pub fn new(container: impl Into<String>, object: impl Into<String>) -> Self {
        Self { container: container.into(), object: object.into() }
    }
}

impl Operation for DeleteObject {
    type Service = Service;
    type Output = ();

    const NAME: &'static str = "DeleteObject";
    const IDEMPOTENCY: Idempotency = Idempotency::Idempotent;

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::DELETE, &self.container, &self.object)?
            .finish()
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
        format!("whether {}/{} is there", self.container, self.object)
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.container)
    }
}
