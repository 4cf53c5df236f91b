//! Operations on tokens and trusts. "Authentication and token management" and "OS-TRUST" of the
//! Identity API v3.

mod token;
mod trust;

use http::{HeaderValue, Method, Uri};

use crate::error::Error;
use crate::http::{Draft, Incoming, Sealing, UrlRoot};
use crate::keystone::service::Service;

pub use self::token::{RevokeToken, Subject, ValidateToken, ValidatedToken};
pub use self::trust::{CreateTrust, DeleteTrust, ListTrusts, ShowTrust, Trust};

/// Returns a request relative to Keystone's URL, which the session adds.
fn draft(
    operation: &'static str,
    method: Method,
    target: &str,
    service: &Service,
) -> Result<Box<Draft>, Error> {
    let uri = Uri::try_from(target)
        .map_err(|_| Error::invalid_input("the id of the token or trust is too long for a URL"))?;
    let mut draft = Draft::new(operation, method, uri);
    draft.head.headers.insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
    draft.sealing = Sealing::Token(UrlRoot::Identity);
    draft.incoming = Incoming::Collect { limit: super::v3::LONGEST };
    draft.timeouts = service.timeouts;
    draft.retry_policy = Some(service.retry_policy.clone());
    Ok(draft)
}
