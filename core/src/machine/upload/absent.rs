//! The look before an upload that may replace nothing, where the server is not known to heed the condition
//! of the request that makes the object. One in parts looks twice: before its creation, and before its
//! completion, which may be hours later or in another process. An object that somebody else stores between
//! the look and that request is replaced by a server that does not heed it.

use http::StatusCode;

use crate::contract::Operation as _;
use crate::error::Error;
use crate::s3::{Conditions, HeadObject, ObjectHead};

/// Whether the condition needs the look; `heeds` says whether the server is known to heed it.
pub(in crate::machine) fn is_needed(conditions: &Conditions, heeds: bool) -> bool {
    !heeds && conditions.if_none_match.as_ref().is_some_and(|tag| tag.as_str() == "*")
}

/// Whether to go on: nothing is there, or the server does not say, for example to somebody who may not
/// read. Then its own look at the condition decides.
///
/// # Errors
///
/// There is an object, or nobody could look.
pub(in crate::machine) fn looked(head: Result<ObjectHead, Error>) -> Result<(), Error> {
    match head {
        Ok(_) => {
            let message = "there is an object of this name already".to_owned();
            let code = Some("PreconditionFailed".to_owned());
            let error = Error::refused(StatusCode::PRECONDITION_FAILED, code, Some(message));
            Err(error.in_operation(HeadObject::NAME))
        }
        Err(error) if error.status().is_some_and(|status| status.is_client_error()) => Ok(()),
        Err(error) => Err(error),
    }
}
