//! The check before an upload that must not replace an object, where the server may ignore the
//! condition of the request that makes the object. A multipart upload checks twice: before its
//! creation, and before its completion, which may be hours later or in another process. A server
//! that ignores the condition replaces an object that another client stores between the check and
//! that request.

use http::StatusCode;

use crate::contract::Operation as _;
use crate::error::Error;
use crate::s3::{Conditions, HeadObject, ObjectHead};

/// Returns whether the conditions require the check; `heeds` says whether the server is known to
/// honor them.
pub(in crate::machine) fn is_needed(conditions: &Conditions, heeds: bool) -> bool {
    !heeds && conditions.if_none_match.as_ref().is_some_and(|tag| tag.as_str() == "*")
}

/// Returns `Ok` if the upload may go on: there is no object, or the server refused the HEAD, for
/// example to a client without read permission. In that case the server's own check of the
/// condition decides.
///
/// # Errors
///
/// There is an object, or the HEAD failed otherwise than by a refusal.
pub(in crate::machine) fn looked(head: Result<ObjectHead, Error>) -> Result<(), Error> {
    match head {
        Ok(_) => {
            let message = "an object with this name already exists".to_owned();
            let code = Some("PreconditionFailed".to_owned());
            let error = Error::refused(StatusCode::PRECONDITION_FAILED, code, Some(message));
            Err(error.in_operation(HeadObject::NAME))
        }
        Err(error) if error.status().is_some_and(|status| status.is_client_error()) => Ok(()),
        Err(error) => Err(error),
    }
}
