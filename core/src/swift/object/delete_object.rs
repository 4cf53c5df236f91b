//! DELETE of an object.

use crate::swift::operation::*;

operation! {
    /// Deletes an object; of a large object only the manifest. "Delete object", Object Storage API.
    ///
    /// An object that does not exist is a 404. [`DeleteSlo`](crate::swift::DeleteSlo) deletes the
    /// segments of a static large object too.
    pub struct DeleteObject on object {}
}

impl Operation for DeleteObject {
    facts!(DeleteObject in container: Idempotent -> () = error::carried_out);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::DELETE, &self.container, &self.object)?
            .finish()
    }

    fn parse_head(&self, reply: &Reply) -> Option<()> {
        error::carried_out(reply).ok()
    }

    /// An object that no longer exists was deleted by the attempt whose response was lost, or by
    /// another client.
    fn recover(&self, _: &Service, doubt: &Doubt<'_>) -> Recovery<()> {
        match doubt.error.is_not_found() {
            true => Recovery::Done(()),
            false => Recovery::Unknown,
        }
    }

    fn look_at(&self) -> String {
        format!("whether {}/{} exists", self.container, self.object)
    }
}
