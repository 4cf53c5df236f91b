//! The error of a location that cannot be read.

use std::fmt;

use crate::error::Error;

/// The error of a text that is not a location. It has the position, and shows nothing of the text,
/// which may have secrets in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LocationError {
    problem: Problem,
    at: usize,
}

/// The problem of a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Problem {
    /// There is no `://`.
    NoScheme,
    /// The scheme is not one of this store's.
    UnknownScheme,
    /// There is a second `://`: the endpoint has a scheme of its own.
    TwoSchemes,
    /// There is no host.
    NoHost,
    /// The host has invalid characters, or its brackets do not match.
    BadHost,
    /// The port is not a number from 1 to 65535.
    BadPort,
    /// There is no bucket or container, or it is empty.
    NoBucket,
    /// There is no key or object name, or it is empty.
    NoKey,
    /// The text before an `@` is not a pair of credentials.
    BadCredentials,
    /// The text has several readings, and the configured backends do not decide between them.
    Ambiguous,
    /// No reference of this name is configured.
    UnknownReference,
    /// The text is longer than 16 KiB.
    TooLong,
}

impl LocationError {
    pub(crate) fn new(problem: Problem, at: usize) -> Self {
        Self { problem, at }
    }

    /// Returns the problem.
    pub fn problem(self) -> Problem {
        self.problem
    }

    /// Returns the position of the problem, in bytes from the start of the text.
    pub fn at(self) -> usize {
        self.at
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoScheme => "missing `://`",
            Self::UnknownScheme => "the scheme does not belong to this store",
            Self::TwoSchemes => "a second `://`: write `s3+https://host` or `swift+https://host`",
            Self::NoHost => "missing host",
            Self::BadHost => "invalid host",
            Self::BadPort => "the port is not a number from 1 to 65535",
            Self::NoBucket => "missing bucket or container",
            Self::NoKey => "missing key or object name",
            Self::BadCredentials => "the text before `@` is not a pair of credentials",
            Self::Ambiguous => "the location is ambiguous, and matches no configured backend",
            Self::UnknownReference => "unknown reference",
            Self::TooLong => "the location is too long",
        })
    }
}

impl fmt::Display for LocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid location at byte {}: {}", self.at, self.problem)
    }
}

impl std::error::Error for LocationError {}

impl From<LocationError> for Error {
    fn from(error: LocationError) -> Self {
        Self::invalid_input(error.to_string())
    }
}
