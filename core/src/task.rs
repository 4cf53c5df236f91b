//! Tasks: uploads, downloads, copies and deletions as plain data.
//!
//! A task says what to do. A client turns it into a machine of [`machine`](crate::machine) when the
//! source is known ([`IntoMachine`](crate::contract::IntoMachine)), so that the caller states
//! neither the length of a source nor whether it can be read again.
//!
//! [`api`](crate::api) has the tasks beside the operations of their protocol.

pub mod multipart;
pub mod s3;
mod setters;
#[cfg(feature = "swift")]
pub mod swift;

use crate::contract::GivenSource;
use crate::error::{Error, ExchangeError, ExchangeErrorKind};
use crate::machine::UploadSource;

/// Returns how an upload reads the caller's source.
fn upload_source(given: GivenSource) -> Result<UploadSource, Error> {
    Ok(match given {
        GivenSource::Known(length) => UploadSource::Seekable(length),
        GivenSource::Once(length) => UploadSource::Stream(Some(length)),
        GivenSource::Unknown => UploadSource::Stream(None),
        GivenSource::Missing => {
            let detail = "no source was given: call `body` before `send`";
            return Err(ExchangeError::new(ExchangeErrorKind::Source, detail).into());
        }
    })
}
