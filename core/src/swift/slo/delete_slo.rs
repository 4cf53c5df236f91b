//! DELETE of a static large object with its segments.

use http::StatusCode;

use crate::swift::bulk::Deleted;
use crate::swift::operation::*;

operation! {
    /// Deletes a static large object, its segments, and the segments of those. "Static Large
    /// Objects", Swift: `?multipart-manifest=delete`.
    ///
    /// An object that is not the manifest of one is among the [failures](Deleted::failed). One that
    /// does not exist is [counted](Deleted::not_found).
    ///
    /// ```
    /// use apus_core::swift::DeleteSlo;
    ///
    /// let mut delete = DeleteSlo::new("images", "debian");
    /// // The server removes the segments after its response, which tells nothing of them.
    /// delete.later = true;
    /// ```
    pub struct DeleteSlo on manifest {
        /// Whether only the manifest is deleted at once, and the segments later. All of them must
        /// be in one container, and none may be a large object. The response then counts nothing.
        pub later: bool,
    }
}

impl Operation for DeleteSlo {
    facts!(DeleteSlo in container: Idempotent -> Deleted);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        Request::object(service, Self::NAME, Method::DELETE, &self.container, &self.object)?
            .query("multipart-manifest", Some("delete"))
            .query("async", self.later.then_some("on"))
            .report()
            .finish()
    }

    fn parse(&self, _: &Service, reply: &Reply) -> Result<Deleted, Error> {
        if reply.status() == StatusCode::NO_CONTENT {
            return Ok(Deleted::default());
        }
        Deleted::read(reply)
    }

    fn look_at(&self) -> String {
        format!("whether {}/{} and its segments exist", self.container, self.object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swift::testing::{parsed, sent};

    // Swift 2.38: always a 200, with the outcome in the body; `async` is a 204.
    #[test]
    fn what_became_of_it() {
        let mut delete = DeleteSlo::new("c", "o");
        assert_eq!(
            sent(&delete).unwrap(),
            "DELETE /c/o?multipart-manifest=delete\naccept: application/json"
        );
        let body = r#"{"Response Status": "200 OK", "Response Body": "", "Number Deleted": 3,
            "Number Not Found": 0, "Errors": []}"#;
        let output = parsed(&delete, 200, "", body).unwrap();
        assert!(output.is_complete() && output.deleted == 3);
        let body = r#"{"Response Status": "400 Bad Request", "Response Body": "", "Number Deleted": 0,
            "Number Not Found": 0, "Errors": [["/c/o%20x", "Not an SLO manifest"]]}"#;
        let output = parsed(&delete, 200, "", body).unwrap();
        assert_eq!(output.failed[0].path, "/c/o x");
        assert_eq!(output.failed[0].why, "Not an SLO manifest");
        assert_eq!(output.failed[0].status(), None);

        delete.later = true;
        let line = sent(&delete).unwrap();
        assert!(line.starts_with("DELETE /c/o?multipart-manifest=delete&async=on\n"), "{line}");
        assert_eq!(parsed(&delete, 204, "", "").unwrap(), Deleted::default());
        assert!(parsed(&delete, 404, "", "").unwrap_err().is_not_found());
    }
}
