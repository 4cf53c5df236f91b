//! Parts that the listings of accounts and of containers share.

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::http::{Draft, Incoming, Reply, json};
use crate::now::Timestamp;
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
    error::carried_out(reply)?;
    if reply.status() == StatusCode::NO_CONTENT || is_blank(&reply.body) {
        reply.proven().map_err(|error| error::named(error, reply))?;
        return Ok(Vec::new());
    }
    json::parse(&reply.body)
        .map_err(|why| error::misread(reply, format!("the listing is not valid JSON: {why}")))
}

/// Returns the error of an entry without a name.
pub(super) fn unnamed(reply: &Reply, at: usize) -> Error {
    error::misread(reply, format!("entry {at} of the listing has no name"))
}

fn is_blank(body: &Bytes) -> bool {
    body.iter().all(u8::is_ascii_whitespace)
}

/// A field that is not required: absent where its value is not of the type.
#[derive(Debug)]
pub(super) struct Lenient<T>(pub(super) Option<T>);

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(serde_json::from_value(value).ok()))
    }
}

/// A number, which some servers write as text or with a fraction of 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number(pub(super) u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => text.trim().parse().ok(),
            serde_json::Value::Number(number) => {
                let whole = |number: &f64| number.fract() == 0.0 && (0.0..EXACT).contains(number);
                let whole = number.as_f64().filter(whole).map(|number| number as u64);
                number.as_u64().or(whole)
            }
            _ => None,
        };
        found.map(Self).ok_or_else(|| serde::de::Error::custom("expected a number"))
    }
}

/// A time: ISO 8601, as in a header, or in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(pub(super) Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = |seconds: f64| {
            (0.0..YEAR_10000).contains(&seconds).then(|| Timestamp::from_unix(seconds as i64))
        };
        let found = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Timestamp::parse_iso8601(&text)
                .or_else(|| Timestamp::parse_http(&text))
                .or_else(|| text.trim().parse().ok().and_then(seconds)),
            serde_json::Value::Number(number) => number.as_f64().and_then(seconds),
            _ => None,
        };
        found.map(Self).ok_or_else(|| serde::de::Error::custom("expected a time"))
    }
}

/// The first second of the year 10000, which no timestamp has.
const YEAR_10000: f64 = 253_402_300_800.0;
/// Integers below are exact in an `f64`.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// The most bytes of a page: 10,000 names of 1,024 bytes, each of which takes up to six in JSON.
const LONGEST_LISTING: usize = 64 << 20;
