//! DELETE of a container.

use crate::swift::operation::*;

operation! {
    /// Deletes an empty container. "Delete container", Object Storage API.
    ///
    /// A container that does not exist is a 404, one that is not empty a 409. Objects that were
    /// just deleted may still count, so a 409 is tried again.
    pub struct DeleteContainer on container {}
}

impl Operation for DeleteContainer {
    facts!(DeleteContainer in container: Idempotent -> () = error::carried_out);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::container(service, Self::NAME, Method::DELETE, &self.container)?.finish()
    }

    fn parse_head(&self, reply: &Reply) -> Option<()> {
        error::carried_out(reply).ok()
    }

    /// A container that no longer exists was deleted by the attempt whose response was lost, or by
    /// another client.
    fn recover(&self, _: &Service, doubt: &Doubt<'_>) -> Recovery<()> {
        match doubt.error.is_not_found() {
            true => Recovery::Done(()),
            false => Recovery::Unknown,
        }
    }

    fn look_at(&self) -> String {
        format!("whether container {} exists", self.container)
    }
}
