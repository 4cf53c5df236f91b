//! The possible readings of a text as a location.

use super::error::{LocationError, Problem};
use super::place::Place;

/// A location without its scheme: `[credentials@]host[:port]/path[?tail]`.
#[derive(Clone, Debug)]
pub(super) struct Reading<'a> {
    /// The text before the `@`, if there are credentials.
    pub(super) credentials: Option<&'a str>,
    /// Host and port. The prefix is not known yet.
    pub(super) place: Place,
    /// The path after the host's slash, up to the tail, without slashes at its end.
    pub(super) path: &'a str,
    /// The position of the path in the whole text.
    pub(super) path_at: usize,
    /// The text from the first `?` or `#` after the path.
    pub(super) tail: &'a str,
}

/// Splits off the scheme, in lower case, and returns the rest with its position. `text` may have at
/// most [`LONGEST`] bytes.
pub(super) fn split_scheme(text: &str) -> Result<(String, &str, usize), LocationError> {
    if text.len() > LONGEST {
        return Err(LocationError::new(Problem::TooLong, LONGEST));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(LocationError::new(Problem::NoScheme, 0));
    };
    let at = scheme.len() + 3;
    Ok((scheme.to_ascii_lowercase(), rest, at))
}

/// Returns all readings of `rest`, which is at position `at`. `is_pair` says whether a text can be
/// credentials. If there are no readings, the error is that of the most likely one.
pub(super) fn readings<'a>(
    rest: &'a str,
    at: usize,
    is_pair: impl Fn(&str) -> bool,
) -> Result<Vec<Reading<'a>>, LocationError> {
    let mut found = Vec::new();
    let mut error = None;
    match read(None, rest, at) {
        Ok(reading) => found.push(reading),
        Err(wrong) => error = Some(wrong),
    }
    for (end, _) in rest.match_indices('@') {
        let (credentials, from) = (&rest[..end], end + 1);
        if !is_pair(credentials) {
            if error.is_some() && !credentials.contains(['/', '?', '#']) {
                error = Some(LocationError::new(Problem::BadCredentials, at));
            }
            continue;
        }
        match read(Some(credentials), &rest[from..], at + from) {
            Ok(reading) => found.push(reading),
            Err(wrong) => error = Some(wrong),
        }
        if found.len() > MOST {
            return Err(LocationError::new(Problem::Ambiguous, at));
        }
    }
    if found.is_empty() {
        return Err(error.unwrap_or(LocationError::new(Problem::NoHost, at)));
    }
    Ok(found)
}

fn read<'a>(
    credentials: Option<&'a str>,
    text: &'a str,
    at: usize,
) -> Result<Reading<'a>, LocationError> {
    let host_end = text.find(['/', '?', '#']).unwrap_or(text.len());
    let (host, rest) = text.split_at(host_end);
    if host.ends_with(':') && rest.starts_with("//") {
        return Err(LocationError::new(Problem::TwoSchemes, at));
    }
    let place = Place::read(host, at)?;
    let Some(path) = rest.strip_prefix('/') else {
        return Err(LocationError::new(Problem::NoBucket, at + host_end));
    };
    let (path, tail) = path.split_at(path.find(['?', '#']).unwrap_or(path.len()));
    let path = path.trim_end_matches('/');
    if !path.contains('/') {
        let problem = if path.is_empty() { Problem::NoBucket } else { Problem::NoKey };
        return Err(LocationError::new(problem, at + host_end + 1 + path.len()));
    }
    Ok(Reading { credentials, place, path, path_at: at + host_end + 1, tail })
}

/// Chooses a reading: the one that is in a configured backend, or else the only likely one.
pub(super) fn decide<'a, T>(
    mut readings: Vec<Reading<'a>>,
    at: usize,
    known: impl Fn(&Reading<'a>) -> Option<T>,
    is_likely: impl Fn(&Reading<'a>) -> bool,
    unknown: impl Fn(&Reading<'a>) -> Result<T, LocationError>,
) -> Result<(Reading<'a>, T), LocationError> {
    let mut matching = readings.iter().filter_map(|reading| Some((reading, known(reading)?)));
    if let Some((reading, found)) = matching.next() {
        return match matching.next() {
            None => Ok((reading.clone(), found)),
            Some(_) => Err(LocationError::new(Problem::Ambiguous, at)),
        };
    }
    drop(matching);
    readings.retain(is_likely);
    match <[Reading<'a>; 1]>::try_from(readings) {
        Ok([reading]) => unknown(&reading).map(|found| (reading, found)),
        Err(_) => Err(LocationError::new(Problem::Ambiguous, at)),
    }
}

/// The largest size of a location in bytes: enough for the longest escaped key and a long secret.
pub(super) const LONGEST: usize = 16 << 10;
/// The largest number of readings; a text with more is ambiguous.
const MOST: usize = 64;
