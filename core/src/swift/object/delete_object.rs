//! DELETE of an object.

use crate::swift::operation::*;

operation! {
    /// Removes an object; of a large one only the manifest. "Delete object", Object Storage API.
    ///
    /// An object that is not there is a 404. For the segments of a static large object too there is
    /// [`DeleteSlo`](crate::swift::DeleteSlo).
    pub struct DeleteObject on object {}
}

impl Operation for DeleteObject {
    facts!(DeleteObject in container: Idempotent -> () = error::success);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::DELETE, &self.container, &self.object)?
            .finish()
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
}
