//! Dates in the formats of the servers, in seconds since 1970.

use std::time::Duration;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// Formats a date as in RFC 9110, section 5.6.7.
pub(super) fn http_date(unix: u64) -> String {
    moment(unix).format(HTTP_DATE).unwrap_or_default()
}

/// Formats a date as in S3's XML documents.
pub(super) fn iso_date(unix: u64) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].000Z");
    moment(unix).format(format).unwrap_or_default()
}

/// Formats a date with microseconds and without a zone, as in Swift's listings.
pub(super) fn iso_micros(unix: Duration) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let second = moment(unix.as_secs()).format(format).unwrap_or_default();
    format!("{second}.{:06}", unix.subsec_micros())
}

/// Parses a date with or without a fraction, which is dropped, and with or without a `Z`.
pub(super) fn parse_iso_date(text: &str) -> Option<u64> {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    parsed(PrimitiveDateTime::parse(text.trim_end_matches('Z').split('.').next()?, format).ok()?)
}

/// Parses the preferred format of RFC 9110, section 5.6.7.
pub(super) fn parse_http_date(text: &str) -> Option<u64> {
    parsed(PrimitiveDateTime::parse(text, HTTP_DATE).ok()?)
}

/// Parses the format of `x-amz-date`.
pub(super) fn parse_amz_date(text: &str) -> Option<u64> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    parsed(PrimitiveDateTime::parse(text, format).ok()?)
}

fn parsed(date: PrimitiveDateTime) -> Option<u64> {
    u64::try_from(date.assume_utc().unix_timestamp()).ok()
}

fn moment(unix: u64) -> OffsetDateTime {
    let seconds = i64::try_from(unix).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

const HTTP_DATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);
