//! Deletion of many objects with one request. "Bulk Operations", Swift.

use crate::checksum::Value;
use crate::escape;
use crate::swift::operation::*;
use crate::swift::report::{Failed, Report};
use crate::swift::request::{check_container, check_object};

operation! {
    /// Deletes many objects, and containers after them. `POST ?bulk-delete`. Servers accept 10,000
    /// paths unless `/info` says otherwise.
    ///
    /// Of a large object only the manifest is deleted. The status of the response is always 200;
    /// its body has the outcome.
    ///
    /// ```
    /// use apus_core::swift::BulkDelete;
    ///
    /// // A 200 may have errors: read the output's.
    /// let delete = BulkDelete::objects("images", ["a.img", "b.img"]);
    /// ```
    pub struct BulkDelete {
        /// The objects and containers to delete.
        pub paths: Vec<BulkPath>,
    }
    new(paths: Vec<BulkPath>)
}

/// An object or container to delete.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BulkPath {
    /// The container.
    pub container: String,
    /// The object's name; `None` for the container itself, which must be empty when its turn comes.
    pub object: Option<String>,
}

impl BulkPath {
    /// Returns the path of an object.
    pub fn object(container: impl Into<String>, object: impl Into<String>) -> Self {
        Self { container: container.into(), object: Some(object.into()) }
    }

    /// Returns the path of a container.
    pub fn container(container: impl Into<String>) -> Self {
        Self { container: container.into(), object: None }
    }

    fn write(&self, out: &mut String) -> Result<(), Error> {
        check_container(&self.container)?;
        out.push('/');
        escape::query_into(out, &self.container);
        if let Some(object) = &self.object {
            check_object(object)?;
            out.push('/');
            escape::path_into(out, object);
        }
        out.push('\n');
        Ok(())
    }
}

impl BulkDelete {
    /// Deletes these objects of one container.
    pub fn objects(
        container: impl Into<String>,
        objects: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let container = container.into();
        let paths = objects.into_iter().map(|object| BulkPath::object(container.clone(), object));
        Self { paths: paths.collect() }
    }
}

/// The outcome of a deletion of many objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "it lists what could not be removed"]
pub struct Deleted {
    /// How many were deleted.
    pub deleted: u64,
    /// How many did not exist.
    pub not_found: u64,
    /// Those that could not be deleted, and why.
    pub failed: Vec<Failed>,
    /// The server's status for the whole request.
    pub status: Option<http::StatusCode>,
}

impl Deleted {
    /// Reads the outcome in the response's body.
    pub(super) fn read(reply: &Reply) -> Result<Self, Error> {
        error::success(reply)?;
        let report =
            Report::read(&reply.body).filter(|report| report.status.is_some()).ok_or_else(
                || error::broken(reply, "the response does not state which objects were deleted"),
            )?;
        if report.errors.is_empty() || report.is_unauthorized() {
            report.success(reply)?;
        }
        Ok(Self {
            deleted: report.deleted.unwrap_or(0),
            not_found: report.not_found.unwrap_or(0),
            failed: report.errors,
            status: report.status,
        })
    }

    /// Whether none of them is left.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty()
    }
}

impl Operation for BulkDelete {
    facts!(BulkDelete: Idempotent -> Deleted = Deleted::read);

    fn draft(&self, service: &Service) -> Result<Box<Draft>, Error> {
        if self.paths.is_empty() {
            return Err(Error::invalid_input("the list of paths to delete is empty"));
        }
        let mut lines = String::new();
        for (at, path) in self.paths.iter().enumerate() {
            path.write(&mut lines)
                .map_err(|error| Error::invalid_input(format!("path {at}: {}", error.message())))?;
        }
        Request::account(service, Self::NAME, Method::POST)
            .flag("bulk-delete")
            .report()
            .header("content-type", Some("text/plain"))
            .document(lines)
            .finish()
    }

    /// A report without failures accounts for each path, or something is left that it does not name.
    fn confirm(&self, output: &Deleted, _: &[Value]) -> Result<(), Error> {
        let (told, sent) =
            (output.deleted.saturating_add(output.not_found), self.paths.len() as u64);
        if output.failed.is_empty() && told < sent {
            return Err(Error::invalid_response(format!(
                "the report states what became of {told} of the {sent} paths"
            ))
            .with_status(http::StatusCode::OK));
        }
        Ok(())
    }

    fn look_at(&self) -> String {
        format!("which of {} objects and containers exist", self.paths.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Service as _;
    use crate::retry::RetryDecision;
    use crate::swift::testing::{parsed, refused, sent, service};

    #[test]
    fn names_are_a_line_each() {
        let mut delete = BulkDelete::objects("c é", ["a b", "new\nline", "x//y"]);
        delete.paths.push(BulkPath::container("c é"));
        assert_eq!(
            sent(&delete).unwrap(),
            "POST /?bulk-delete\naccept: application/json\ncontent-type: text/plain\n\n\
             /c%20%C3%A9/a%20b\n/c%20%C3%A9/new%0Aline\n/c%20%C3%A9/x//y\n/c%20%C3%A9\n"
        );
        delete.paths[1].object = Some(String::new());
        assert_eq!(refused(&delete), "path 1: the object name is empty");
        assert_eq!(refused(&BulkDelete::default()), "the list of paths to delete is empty");
    }

    // "Bulk Operations", Swift: the examples, and the text that 2.38 sends.
    #[test]
    fn what_became_of_it() {
        let json = r#"    {"Number Not Found": 1, "Response Status": "400 Bad Request",
            "Errors": [["/c/a%20b", "409 Conflict"], ["/c", "409 Conflict"]],
            "Number Deleted": 6, "Response Body": ""}"#;
        let text = "  \r\n\r\nNumber Deleted: 6\nNumber Not Found: 1\nResponse Body: \n\
            Response Status: 400 Bad Request\nErrors:\n/c/a%20b, 409 Conflict\n/c, 409 Conflict";
        for body in [json, text] {
            let output = parsed(&BulkDelete::default(), 200, "", body).unwrap();
            assert_eq!((output.deleted, output.not_found), (6, 1));
            let [object, container] = &*output.failed else { panic!("{output:?}") };
            assert_eq!(object.names(), ("c", Some("a b")));
            assert_eq!(object.status().unwrap().as_u16(), 409);
            assert_eq!(container.names(), ("c", None));
            assert!(!output.is_complete());
        }
    }

    #[test]
    fn a_failure_in_another_form_is_a_failure() {
        let told = |errors: &str| {
            let body = format!(
                r#"{{"Number Deleted": 1, "Number Not Found": 0, "Response Status": "200 OK",
                "Response Body": "", "Errors": {errors}}}"#
            );
            parsed(&BulkDelete::default(), 200, "", &body).unwrap()
        };
        for errors in [r#"[["/c/o"]]"#, r#"["/c/o"]"#, r#"[{"/c/o": "409"}]"#, "[[]]", "[null]"] {
            assert!(!told(errors).is_complete(), "{errors}");
        }
        assert!(told("[]").is_complete());
        let text = "Number Deleted: 1\nResponse Status: 200 OK\nErrors:\n/c/o\n\n";
        let output = parsed(&BulkDelete::default(), 200, "", text).unwrap();
        assert_eq!(output.failed.len(), 1);
    }

    #[test]
    fn a_report_accounts_for_each_path() {
        let delete = BulkDelete::objects("c", ["a", "b", "c"]);
        let told = |deleted: u64, not_found: u64, errors: &str| {
            let body = format!(
                r#"{{"Number Deleted": {deleted}, "Number Not Found": {not_found},
                "Response Status": "200 OK", "Response Body": "", "Errors": {errors}}}"#
            );
            let output = parsed(&delete, 200, "", &body)?;
            delete.confirm(&output, &[]).map(|()| output.is_complete())
        };
        assert!(told(2, 1, "[]").unwrap());
        assert!(told(3, 0, "[]").unwrap());
        assert!(!told(1, 0, r#"[["/c/b", "409 Conflict"]]"#).unwrap());
        let error = told(2, 0, "[]").unwrap_err();
        assert_eq!(error.kind(), crate::Kind::InvalidResponse);
        assert!(error.to_string().contains("what became of 2 of the 3 paths"), "{error}");
        told(0, 0, "[]").unwrap_err();
    }

    #[test]
    fn a_refusal_of_all_of_it_is_an_error() {
        let delete = BulkDelete::default();
        let told = |status: &str, errors: &str| {
            let body = format!(
                r#"{{"Number Deleted": 0, "Number Not Found": 0, "Response Status": "{status}",
                "Response Body": "told", "Errors": {errors}}}"#
            );
            parsed(&delete, 200, "x-trans-id: tx1", &body)
        };
        let error = told("413 Request Entity Too Large", "[]").unwrap_err();
        assert_eq!((error.status().unwrap().as_u16(), error.server_message()), (413, Some("told")));
        assert_eq!(error.request_id(), Some("tx1"));
        let error = told("502 Bad Gateway", "[]").unwrap_err().in_operation(BulkDelete::NAME);
        assert_eq!(service().judge(&error, Idempotency::Idempotent), RetryDecision::Transient);
        // The token has expired: every path has a 401, under a status of 200.
        let error = told("400 Bad Request", r#"[["/c/o", "401 Unauthorized"]]"#).unwrap_err();
        assert_eq!(error.status().unwrap().as_u16(), 401);
        for body in ["", "{}", "[]", "   ", "{\"Number Deleted\": 1}"] {
            let error = parsed(&delete, 200, "", body).unwrap_err();
            assert_eq!(error.kind(), crate::Kind::InvalidResponse, "{body:?}");
        }
    }
}
