//! DELETE of a container.

use crate::swift::operation::*;

operation! {
    /// Removes an empty container. "Delete container", Object Storage API.
    ///
    /// One that is not there is a 404, one that is not empty a 409. What was removed from it a moment
    /// ago may still count, so a 409 is tried again.
    pub struct DeleteContainer on container {}
}

impl Operation for DeleteContainer {
    facts!(DeleteContainer in container: Idempotent -> () = error::success);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::container(service, Self::NAME, Method::DELETE, &self.container)?.finish()
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
}
