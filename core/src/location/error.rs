//! What is wrong with a location, and where.

use std::fmt;

use crate::error::Error;

/// Why a text is no location. It says where in the text, and repeats nothing of it: there may be
/// secrets in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LocationError {
    problem: Problem,
    at: usize,
}

/// What is wrong with a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Problem {
    /// There is no `://`.
    NoScheme,
    /// The scheme is none of this store's.
    UnknownScheme,
    /// There is a second `://`: the endpoint was written with its own scheme.
    TwoSchemes,
    /// There is no host.
    NoHost,
    /// The host has characters that no host has, or its brackets don't match.
    BadHost,
    /// The port is no number from 1 to 65535.
    BadPort,
    /// There is no bucket or container, or it is empty.
    NoBucket,
    /// There is no key or object name, or it is empty.
    NoKey,
    /// Something stands before an `@` where credentials are expected, and is no pair of them.
    BadCredentials,
    /// The text can be read in several ways, and no configured backend tells which is meant.
    Ambiguous,
    /// No such reference is configured.
    UnknownReference,
    /// It is longer than a location can be.
    TooLong,
}

impl LocationError {
    pub(crate) fn new(problem: Problem, at: usize) -> Self {
        Self { problem, at }
    }

    /// What is wrong.
    pub fn problem(self) -> Problem {
        self.problem
    }

    /// Where, in bytes from the start of the text.
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
        Self::caller(error.to_string())
    }
}
