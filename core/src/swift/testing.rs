//! Requests as text, and responses from text, for tests.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::contract::Operation;
use crate::error::Error;
use crate::http::{Body, Reply};
use crate::swift::{Config, Service};

/// Returns a service without a storage URL.
pub(super) fn service() -> Service {
    Service::new(Config::default()).unwrap()
}

/// Returns the draft's request line, its headers in alphabetical order, and its body.
pub(super) fn sent<O: Operation<Service = Service>>(operation: &O) -> Result<String, Error> {
    let draft = operation.draft(&service())?;
    let mut out = format!("{} {}", draft.head.method, draft.head.uri);
    let headers = draft.head.headers.iter();
    let headers: BTreeSet<_> =
        headers.map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    for (name, value) in headers {
        out.push_str(&format!("\n{name}: {}", std::str::from_utf8(value).unwrap()));
    }
    if let Body::Bytes(bytes) = &draft.body {
        out.push_str("\n\n");
        out.push_str(std::str::from_utf8(bytes).unwrap());
    }
    Ok(out)
}

/// Returns the error of an operation that can't be drafted.
pub(super) fn refused<O: Operation<Service = Service>>(operation: &O) -> String {
    operation.draft(&service()).unwrap_err().to_string()
}

/// Returns a response with these headers, one on each line, and this body.
pub(super) fn answer(status: u16, headers: &str, body: &str) -> Reply {
    let mut response = http::Response::builder().status(status);
    for line in headers.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap();
        response = response.header(name, value.as_bytes());
    }
    Reply::new(response.body(()).unwrap().into_parts().0, Bytes::from(body.to_owned()))
}

/// Parses a response with the operation.
pub(super) fn parsed<O: Operation<Service = Service>>(
    operation: &O,
    status: u16,
    headers: &str,
    body: &str,
) -> Result<O::Output, Error> {
    operation.parse(&service(), &answer(status, headers, body))
}
