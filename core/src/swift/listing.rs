//! What listings of accounts and of containers share.

use std::fmt;

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::http::{Draft, Incoming, Reply};
use crate::swift::error;
use crate::swift::request::{Members, Request};
use crate::swift::service::Service;

/// Which names of a listing are wanted. "Large number of containers or objects", Object Storage
/// API.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<'a> {
    pub(super) prefix: Option<&'a String>,
    pub(super) delimiter: Option<&'a String>,
    pub(super) marker: Option<&'a String>,
    pub(super) end_marker: Option<&'a String>,
    pub(super) limit: Option<u32>,
    pub(super) reverse: bool,
}

impl Members<Service> for Window<'_> {
    fn apply(&self, request: &mut Request<'_>) {
        request
            .query("prefix", self.prefix)
            .query("delimiter", self.delimiter)
            .query("marker", self.marker)
            .query("end_marker", self.end_marker)
            .query_number("limit", self.limit)
            .query("reverse", self.reverse.then_some("true"));
    }
}

impl Window<'_> {
    /// The marker of the next page; none after an empty one, for a server may end a page early.
    ///
    /// # Errors
    ///
    /// The page does not lead on: its last name comes before where it began, and following it
    /// would go round for ever.
    pub(super) fn onward(self, last: Option<&str>) -> Result<Option<String>, Error> {
        let Some(last) = last else { return Ok(None) };
        let goes_on = match self.marker {
            // Names are ordered by the bytes of their UTF-8, as `str` is.
            Some(marker) if self.reverse => last < marker.as_str(),
            Some(marker) => last > marker.as_str(),
            None => true,
        };
        if last.is_empty() || !goes_on {
            let marker = self.marker.map_or("", String::as_str);
            return Err(Error::broken(format!(
                "the listing does not go on: after {marker:?} it ends with {last:?}"
            )));
        }
        Ok(Some(last.to_owned()))
    }
}

/// The draft, with room for 10,000 names of the longest.
pub(super) fn roomy(mut draft: Box<Draft>) -> Box<Draft> {
    draft.incoming = Incoming::Collect { limit: LONGEST_LISTING };
    draft
}

/// The entries of a page; an answer without a body is an empty one.
pub(super) fn entries<T: DeserializeOwned>(reply: &Reply) -> Result<Vec<T>, Error> {
    error::success(reply)?;
    if reply.status() == StatusCode::NO_CONTENT || is_blank(&reply.body) {
        reply.proven().map_err(|error| error::named(error, reply))?;
        return Ok(Vec::new());
    }
    serde_json::from_slice(&reply.body)
        .map_err(|why| error::broken(reply, format!("the listing can't be read: {why}")))
}

/// What stands in an entry of which one name or the other must be there.
pub(super) fn unnamed(reply: &Reply, at: usize) -> Error {
    error::broken(reply, format!("entry {at} of the listing has no name"))
}

fn is_blank(body: &Bytes) -> bool {
    body.iter().all(u8::is_ascii_whitespace)
}

/// A number that some servers write as text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number(pub(super) u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number that is not negative")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                let number = text.trim().parse().map(Number);
                number.map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// Bytes of a page: 10,000 names of 1,024 bytes, each of which JSON may write as six.
const LONGEST_LISTING: usize = 64 << 20;
