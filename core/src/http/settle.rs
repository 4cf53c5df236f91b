//! Whether a collected object is complete and equals the stored one, according to a HEAD.

use super::coding::{Coding, coded_in_doubt, differs};
use super::etag::ETag;
use super::reply::Reply;
use crate::error::{Error, ExchangeError, ExchangeErrorKind};

/// Compares `first`, the response with an object's bytes, with `told`, the response to a HEAD of
/// the object. `whole` says whether the HEAD describes exactly these bytes and not more, `coded`
/// whether the content coding is compared.
///
/// # Errors
///
/// They differ, or the HEAD contains too little or was refused.
pub(crate) fn settle(first: &Reply, told: &Reply, whole: bool, coded: bool) -> Result<(), Error> {
    let coding = Coding::of(&first.head.headers).filter(|_| coded);
    if !told.status().is_success() || told.rejected.is_some() {
        first.proven()?;
        return coding.map_or(Ok(()), |coding| Err(coded_in_doubt(&coding)));
    }
    let etag = |reply: &Reply| reply.header(&http::header::ETAG).map(ETag::from);
    if let (Some(had), Some(has)) = (etag(first), etag(told))
        && had != has
    {
        let detail = "the object was replaced while it was read";
        return Err(ExchangeError::new(ExchangeErrorKind::Cut, detail).into());
    }
    let stored = Coding::of(&told.head.headers).filter(|_| coded);
    if coding != stored {
        return Err(differs(coding.as_deref(), stored.as_deref()));
    }
    let came = first.body.len() as u64;
    match told.content_length().filter(|_| whole) {
        Some(length) if came < length => {
            let detail = format!("{came} of {length} bytes arrived");
            Err(ExchangeError::new(ExchangeErrorKind::Cut, detail).into())
        }
        Some(length) if came > length => {
            Err(Error::integrity(format!("{came} bytes arrived, but the object has {length}")))
        }
        Some(_) => Ok(()),
        None => first.proven(),
    }
    .map_err(|error| error.with_status(first.status()))
}
