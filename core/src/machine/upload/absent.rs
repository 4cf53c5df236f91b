//! The check before an upload that must not replace an object, where the server may ignore the
//! condition of the request that makes the object. A multipart upload checks twice: before its
//! creation, and before its completion, which may be hours later or in another process. The check
//! is repeated before each repetition of the request that makes the object. A server that ignores
//! the condition replaces an object that another client stores between the check and that request.
//!
//! A server that refuses the condition gets the request without it, after a check that must find no
//! object: a refused HEAD is not enough there, because nothing else compares.

use http::StatusCode;

use crate::contract::Operation as _;
use crate::error::Error;
use crate::machine::call::Permit;
use crate::s3::{Conditions, HeadObject, ObjectHead};

/// Returns whether the conditions require the check; `heeds` says whether the server is known to
/// honor them.
pub(in crate::machine) fn is_needed(conditions: &Conditions, heeds: bool) -> bool {
    !heeds && is_create_only(conditions)
}

/// Returns whether the object must not replace another one.
pub(super) fn is_create_only(conditions: &Conditions) -> bool {
    conditions.if_none_match.as_ref().is_some_and(|tag| tag.as_str() == "*")
}

/// Returns whether the refusal of a request that must not replace an object may be about that
/// condition. Alibaba's and Amazon's former words name no header: "A header you provided implies
/// functionality that is not implemented".
pub(super) fn may_be_refused(conditions: &Conditions, error: &Error) -> bool {
    let message = error.server_message().unwrap_or_default().to_ascii_lowercase();
    let named = || message.contains("if-none-match");
    let refused = match (error.status().map(|status| status.as_u16()), error.code()) {
        (Some(501), _) | (Some(400), Some("NotImplemented")) => true,
        (Some(400), Some("InvalidArgument" | "InvalidRequest" | "UnsupportedOperation")) => named(),
        _ => false,
    };
    is_create_only(conditions) && refused && !error.outcome_unknown()
}

/// Returns what decides about a repetition after its look; `None` where the server is known to honor
/// the conditions, and looks are not needed. `withheld` says that the request is sent without the
/// condition.
pub(in crate::machine) fn permit(
    conditions: &Conditions,
    heeds: bool,
    withheld: bool,
) -> Option<Permit> {
    if !is_needed(conditions, heeds && !withheld) {
        return None;
    }
    Some(match withheld {
        true => |there| looked_alone(there.map(|()| ObjectHead::default())),
        false => |there| looked(there.map(|()| ObjectHead::default())),
    })
}

/// Returns `Ok` if the upload may go on: there is no object, or the server refused the HEAD, for
/// example to a client without read permission. In that case the server's own check of the
/// condition decides.
///
/// # Errors
///
/// There is an object, or the HEAD failed otherwise than by a refusal that lasts.
pub(in crate::machine) fn looked(head: Result<ObjectHead, Error>) -> Result<(), Error> {
    match head {
        Ok(_) => {
            let message = "an object with this name already exists".to_owned();
            let code = Some("PreconditionFailed".to_owned());
            let error = Error::refused(StatusCode::PRECONDITION_FAILED, code, Some(message));
            Err(error.in_operation(HeadObject::NAME))
        }
        Err(error) if error.is_lasting_refusal() => Ok(()),
        Err(error) => Err(error),
    }
}

/// As [`looked`], where the request is sent without its condition: only the server's word that there
/// is no object lets the upload go on.
///
/// # Errors
///
/// There is an object, or the HEAD failed otherwise.
pub(super) fn looked_alone(head: Result<ObjectHead, Error>) -> Result<(), Error> {
    match head {
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.with_hint(
            "the server does not support `If-None-Match`: permit HEAD, so that the upload can look \
             for an object, or upload without the condition",
        )),
        found => looked(found),
    }
}
