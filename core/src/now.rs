//! Time as data: one moment on two clocks, and the three date formats of S3, Swift and HTTP.
//!
//! This crate never reads a clock. The caller passes a [`Now`], so that an hour of delays can be
//! simulated in microseconds and the clock of a skewed host can be corrected.

use std::fmt;
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::{Date, Month, OffsetDateTime};

/// One moment, on two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time since any fixed moment; waits and timeouts are measured with it.
    pub tick: Duration,
    /// Time since 1970-01-01T00:00:00Z; signatures and expiry dates use it. It may jump.
    pub unix: Duration,
}

impl Now {
    /// Creates a moment `tick` after the start of the monotonic clock and `unix` after 1970.
    pub fn new(tick: Duration, unix: Duration) -> Self {
        Self { tick, unix }
    }

    /// Returns the moment `by` later on both clocks.
    pub fn after(self, by: Duration) -> Self {
        Self { tick: self.tick + by, unix: self.unix + by }
    }
}

/// Until when a machine has nothing to do but to receive completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The end of the wait, on the clock of [`Now::tick`].
    pub until: Duration,
    /// The reason.
    pub reason: WaitReason,
}

impl Wait {
    /// Returns the earlier of two waits.
    #[must_use]
    pub fn earlier(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if b.until < a.until { b } else { a }),
            (one, None) | (None, one) => one,
        }
    }
}

/// Why a machine waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitReason {
    /// An attempt failed and is repeated later.
    Backoff,
    /// The server asked to wait before the next request.
    RetryAfter,
    /// Requests are sent at a limited rate.
    Pacing,
    /// Another machine renews the credentials.
    Renewal,
    /// A container's listing does not yet show what was stored.
    Listing,
    /// The first byte of a range is awaited; a second request for it is sent later.
    Hedging,
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backoff => "an attempt failed and is repeated",
            Self::RetryAfter => "the server asked to wait",
            Self::Pacing => "requests are sent at a limited rate",
            Self::Renewal => "the credentials are being renewed",
            Self::Listing => "the container's listing does not yet show what was stored",
            Self::Hedging => "the first byte of a range is awaited",
        })
    }
}

/// A UTC date and time in whole seconds, as in headers and documents. Its year is 0 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Creates the timestamp `seconds` after 1970-01-01T00:00:00Z, limited to the years 0 to 9999.
    pub fn from_unix(seconds: i64) -> Self {
        Self(seconds.clamp(OLDEST, NEWEST))
    }

    /// Creates the timestamp of the whole seconds of `unix`, a duration since 1970.
    pub fn from_duration(unix: Duration) -> Self {
        Self::from_unix(i64::try_from(unix.as_secs()).unwrap_or(NEWEST))
    }

    /// Returns the seconds since 1970-01-01T00:00:00Z.
    pub fn unix(self) -> i64 {
        self.0
    }

    /// Formats as `YYYYMMDDTHHMMSSZ`, the format of SigV4. The first eight bytes are the date.
    pub fn amz(self) -> [u8; 16] {
        let civil = self.civil();
        let (year, month, day) = civil.to_calendar_date();
        let (hour, minute, second) = civil.to_hms();
        let mut out = *b"00000000T000000Z";
        let year = year.unsigned_abs() as u16;
        two(&mut out, 0, (year / 100) as u8);
        two(&mut out, 2, (year % 100) as u8);
        two(&mut out, 4, month.into());
        two(&mut out, 6, day);
        two(&mut out, 9, hour);
        two(&mut out, 11, minute);
        two(&mut out, 13, second);
        out
    }

    /// Formats as `2015-08-30T12:36:00Z`: ISO 8601, as in XML and JSON documents.
    pub fn iso8601(self) -> String {
        let civil = self.civil();
        let (year, month, day) = civil.to_calendar_date();
        let (hour, minute, second) = civil.to_hms();
        let month = u8::from(month);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    /// Formats as `Sun, 30 Aug 2015 12:36:00 GMT`: IMF-fixdate of RFC 9110.
    pub fn http_date(self) -> String {
        let civil = self.civil();
        let (year, month, day) = civil.to_calendar_date();
        let (hour, minute, second) = civil.to_hms();
        let weekday = WEEKDAYS[usize::from(civil.weekday().number_days_from_monday())];
        let month = MONTHS[usize::from(u8::from(month)) - 1];
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }

    /// Parses `YYYYMMDDTHHMMSSZ`.
    pub fn parse_amz(text: &str) -> Option<Self> {
        let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
        if date.len() != 8 || clock.len() != 6 {
            return None;
        }
        Self::from_parts(
            number(date.get(0..4)?)?,
            number(date.get(4..6)?)?,
            number(date.get(6..8)?)?,
            [number(clock.get(0..2)?)?, number(clock.get(2..4)?)?, number(clock.get(4..6)?)?],
            0,
        )
    }

    /// Parses ISO 8601 with `T` or a space, an optional fraction of a second (dropped), and `Z`, an
    /// offset, or nothing (read as UTC).
    pub fn parse_iso8601(text: &str) -> Option<Self> {
        // The separators at their fixed positions; `number` takes digits alone.
        let separators = [4, 7, 10, 13, 16].map(|at| text.as_bytes().get(at).copied());
        let [Some(b'-'), Some(b'-'), Some(b'T' | b't' | b' '), Some(b':'), Some(b':')] = separators
        else {
            return None;
        };
        let at = |places: Range<usize>| text.get(places).and_then(number);
        let mut zone = text.get(19..)?;
        if let Some(fraction) = zone.strip_prefix('.') {
            zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        let clock = [at(11..13)?, at(14..16)?, at(17..19)?];
        Self::from_parts(at(0..4)?, at(5..7)?, at(8..10)?, clock, offset(zone)?)
    }

    /// Parses an HTTP date: IMF-fixdate, or one of the two obsolete formats that RFC 9110 requires
    /// recipients to accept.
    pub fn parse_http(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(date) = Self::parse_fixdate(text) {
            return Some(date);
        }
        let fields: Vec<&str> = text.split([' ', '-']).filter(|field| !field.is_empty()).collect();
        match fields.as_slice() {
            // `Sun, 06 Nov 1994 08:49:37 GMT` and `Sunday, 06-Nov-94 08:49:37 GMT`
            [weekday, day, month, year, clock, zone] if weekday.ends_with(',') => {
                let minus = if zone.starts_with('+') || *zone == "GMT" || *zone == "UTC" {
                    0
                } else {
                    return None;
                };
                let year = match (year.len(), number(year)?) {
                    (4, year) => year,
                    (2, year) if year < 70 => 2000 + year,
                    (2, year) => 1900 + year,
                    _ => return None,
                };
                Self::from_parts(year, month_number(month)?, number(day)?, hms(clock)?, minus)
            }
            // `Sun Nov  6 08:49:37 1994`
            [_, month, day, clock, year] if year.len() == 4 => {
                Self::from_parts(number(year)?, month_number(month)?, number(day)?, hms(clock)?, 0)
            }
            _ => None,
        }
    }

    /// Parses `Sun, 06 Nov 1994 08:49:37 GMT`, the format of nearly all servers, at fixed
    /// positions.
    fn parse_fixdate(text: &str) -> Option<Self> {
        let text = text.get(3..)?.strip_prefix(", ")?.strip_suffix(" GMT")?;
        let [_, _, b' ', _, _, _, b' ', _, _, _, _, b' ', _, _, b':', _, _, b':', _, _] =
            text.as_bytes()
        else {
            return None;
        };
        let at = |places: Range<usize>| text.get(places).and_then(number);
        let month = month_number(text.get(3..6)?)?;
        Self::from_parts(at(7..11)?, month, at(0..2)?, [at(12..14)?, at(15..17)?, at(18..20)?], 0)
    }

    fn from_parts(
        year: u16,
        month: u16,
        day: u16,
        [hour, minute, second]: [u16; 3],
        offset: i64,
    ) -> Option<Self> {
        let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
        let date =
            Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()?;
        // A leap second is read as the second before it.
        let second = if second == 60 { 59 } else { second };
        let clock = |part: u16| u8::try_from(part).ok();
        let civil = date.with_hms(clock(hour)?, clock(minute)?, clock(second)?).ok()?;
        // An offset may lead out of the years 0 to 9999; `from_unix` limits it.
        Some(Self::from_unix(civil.assume_utc().unix_timestamp() - offset))
    }

    fn civil(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.0)
            .expect("every constructor keeps the years 0 to 9999")
    }
}

impl From<SystemTime> for Timestamp {
    /// Drops the fraction of a second.
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) => Self::from_duration(since),
            Err(before) => {
                let before = before.duration();
                let seconds = before.as_secs() + u64::from(before.subsec_nanos() > 0);
                Self::from_unix(i64::try_from(seconds).map_or(OLDEST, |seconds| -seconds))
            }
        }
    }
}

impl From<Timestamp> for SystemTime {
    /// A moment that the operating system's clock can't represent becomes 1970-01-01T00:00:00Z.
    fn from(time: Timestamp) -> Self {
        let span = Duration::from_secs(time.0.unsigned_abs());
        let moment =
            if time.0 < 0 { UNIX_EPOCH.checked_sub(span) } else { UNIX_EPOCH.checked_add(span) };
        moment.unwrap_or(UNIX_EPOCH)
    }
}

fn two(out: &mut [u8; 16], at: usize, value: u8) {
    out[at] = b'0' + value / 10;
    out[at + 1] = b'0' + value % 10;
}

fn number(digits: &str) -> Option<u16> {
    let add = |number: u16, byte: u8| {
        let digit = byte.is_ascii_digit().then(|| u16::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    (!digits.is_empty()).then(|| digits.bytes().try_fold(0, add))?
}

fn hms(clock: &str) -> Option<[u16; 3]> {
    let mut parts = clock.split(':');
    let out = [number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?];
    parts.next().is_none().then_some(out)
}

/// Returns the seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone.as_bytes().first() {
        None | Some(b'Z' | b'z') if zone.len() <= 1 => return Some(0),
        Some(b'+') => (1, zone.get(1..)?),
        Some(b'-') => (-1, zone.get(1..)?),
        _ => return None,
    };
    let (hours, minutes) = match rest.len() {
        2 => (rest, "00"),
        4 => (rest.get(0..2)?, rest.get(2..4)?),
        5 if rest.get(2..3)? == ":" => (rest.get(0..2)?, rest.get(3..5)?),
        _ => return None,
    };
    Some(sign * (i64::from(number(hours)?) * 3600 + i64::from(number(minutes)?) * 60))
}

fn month_number(name: &str) -> Option<u16> {
    let at = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
    u16::try_from(at + 1).ok()
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// 0000-01-01T00:00:00Z
const OLDEST: i64 = -62_167_219_200;
/// 9999-12-31T23:59:59Z
const NEWEST: i64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_the_system_time_of_the_same_second() {
        let second = |seconds| Timestamp::from_unix(seconds);
        for seconds in [0, 1, -1, 1_440_938_160, -86_400] {
            assert_eq!(Timestamp::from(SystemTime::from(second(seconds))), second(seconds));
        }
        let half = Duration::from_millis(1_500);
        assert_eq!(Timestamp::from(UNIX_EPOCH + half), second(1));
        assert_eq!(Timestamp::from(UNIX_EPOCH - half), second(-2));
        assert_eq!(
            SystemTime::from(second(1_440_938_160)),
            UNIX_EPOCH + Duration::from_secs(1_440_938_160)
        );
    }

    // RFC 9110, section 5.6.7: one second in three formats.
    const RFC_9110: i64 = 784_111_777;

    #[test]
    fn the_three_http_dates_of_rfc_9110() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(Timestamp::parse_http(text).map(Timestamp::unix), Some(RFC_9110), "{text}");
        }
        assert_eq!(Timestamp::from_unix(RFC_9110).http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn the_date_of_the_sigv4_examples() {
        let at = Timestamp::parse_amz("20150830T123600Z").unwrap();
        assert_eq!(at.unix(), 1_440_938_160);
        assert_eq!(&at.amz(), b"20150830T123600Z");
        assert_eq!(at.iso8601(), "2015-08-30T12:36:00Z");
    }

    #[test]
    fn iso_8601_with_fractions_and_offsets() {
        for text in [
            "2015-08-30T12:36:00Z",
            "2015-08-30T12:36:00.000000Z",
            "2015-08-30 12:36:00",
            "2015-08-30T14:36:00+02:00",
            "2015-08-30T07:06:00.5-0530",
        ] {
            let parsed = Timestamp::parse_iso8601(text).map(Timestamp::unix);
            assert_eq!(parsed, Some(1_440_938_160), "{text}");
        }
    }

    #[test]
    fn nonsense_is_no_date() {
        for text in ["", "2015-13-30T12:36:00Z", "2015-02-30T12:36:00Z", "2015-08-30", "é", "-"] {
            assert_eq!(Timestamp::parse_iso8601(text), None, "{text}");
            assert_eq!(Timestamp::parse_amz(text), None, "{text}");
            assert_eq!(Timestamp::parse_http(text), None, "{text}");
        }
    }

    #[test]
    fn an_offset_does_not_lead_out_of_the_years_that_can_be_written() {
        let date = Timestamp::parse_iso8601("9999-12-31T23:59:59-99:59").unwrap();
        assert_eq!(date.iso8601(), "9999-12-31T23:59:59Z");
        let date = Timestamp::parse_iso8601("0000-01-01T00:00:00+99:59").unwrap();
        assert_eq!(date.iso8601(), "0000-01-01T00:00:00Z");
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let dates = [
                Timestamp::parse_iso8601(&text),
                Timestamp::parse_http(&text),
                Timestamp::parse_amz(&text),
            ];
            for date in dates.into_iter().flatten() {
                date.http_date();
            }
        }

        #[test]
        fn written_dates_are_read_back(seconds in 0i64..253_402_214_399) {
            let at = Timestamp::from_unix(seconds);
            let amz = at.amz();
            let amz = std::str::from_utf8(&amz).unwrap();
            proptest::prop_assert_eq!(Timestamp::parse_amz(amz), Some(at));
            proptest::prop_assert_eq!(Timestamp::parse_iso8601(&at.iso8601()), Some(at));
            proptest::prop_assert_eq!(Timestamp::parse_http(&at.http_date()), Some(at));
        }
    }
}
