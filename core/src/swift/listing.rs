//! Parts that the listings of accounts and of containers share.

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

/// Which names a page of a listing has. "Large number of containers or objects", Object Storage
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
    /// Returns the marker of the next page; `None` after an empty page. A page that is shorter than
    /// its limit need not be the last.
    ///
    /// # Errors
    ///
    /// The last name of the page does not come after its marker, so that the listing would not end.
    pub(super) fn onward(self, last: Option<&str>) -> Result<Option<String>, Error> {
        let Some(last) = last else { return Ok(None) };
        let goes_on = match self.marker {
            // Names are ordered by their bytes in UTF-8, as `str` is.
            Some(marker) if self.reverse => last < marker.as_str(),
            Some(marker) => last > marker.as_str(),
            None => true,
        };
        if last.is_empty() || !goes_on {
            let marker = self.marker.map_or("", String::as_str);
            return Err(Error::invalid_response(format!(
                "the listing does not advance: after marker {marker:?} it ends with {last:?}"
            )));
        }
        Ok(Some(last.to_owned()))
    }
}

/// Sets the limit of the collected body to that of 10,000 names of the greatest length.
pub(super) fn roomy(mut draft: Box<Draft>) -> Box<Draft> {
    draft.incoming = Incoming::Collect { limit: LONGEST_LISTING };
    draft
}

/// Returns the entries of a page; a response without a body is an empty page.
pub(super) fn entries<T: DeserializeOwned>(reply: &Reply) -> Result<Vec<T>, Error> {
    error::success(reply)?;
    if reply.status() == StatusCode::NO_CONTENT || is_blank(&reply.body) {
        reply.proven().map_err(|error| error::named(error, reply))?;
        return Ok(Vec::new());
    }
    serde_json::from_slice(&reply.body)
        .map_err(|why| error::broken(reply, format!("the listing is not valid JSON: {why}")))
}

/// Returns the error of an entry without a name.
pub(super) fn unnamed(reply: &Reply, at: usize) -> Error {
    error::broken(reply, format!("entry {at} of the listing has no name"))
}

fn is_blank(body: &Bytes) -> bool {
    body.iter().all(u8::is_ascii_whitespace)
}

/// A number, which some servers write as text.
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

/// The most bytes of a page: 10,000 names of 1,024 bytes, each of which takes up to six in JSON.
const LONGEST_LISTING: usize = 64 << 20;
