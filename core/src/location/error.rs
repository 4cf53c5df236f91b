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
            Self::NoScheme => "there is no `://`",
            Self::UnknownScheme => "the scheme is not one of this store",
            Self::TwoSchemes => {
                "there is a second `://`: write `s3+https://host` or `swift+https://host`"
            }
            Self::NoHost => "there is no host",
            Self::BadHost => "this is not a host",
            Self::BadPort => "the port is not a number from 1 to 65535",
            Self::NoBucket => "there is no bucket or container",
            Self::NoKey => "there is no key or object name",
            Self::BadCredentials => "what stands before the `@` is no pair of credentials",
            Self::Ambiguous => {
                "it can be read in several ways, and lies in no configured backend that would tell"
            }
            Self::UnknownReference => "no such reference is configured",
            Self::TooLong => "it is longer than a location can be",
        })
    }
}

impl fmt::Display for LocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bad location, at byte {}: {}", self.at, self.problem)
    }
}

impl std::error::Error for LocationError {}

impl From<LocationError> for Error {
    fn from(error: LocationError) -> Self {
        Self::invalid_input(error.to_string())
    }
}
