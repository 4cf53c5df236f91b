//! The errors of a configuration: all of them at once.

use std::fmt;

use super::oslo::OsloError;
use crate::error::Error;

/// One error of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file and the line, counted from 1, if the configuration was read from a file.
    pub place: Option<(String, usize)>,
    /// The section.
    pub section: String,
    /// The option; `None` if the error is about the whole section.
    pub option: Option<String>,
    /// The value. `None` for a secret.
    pub value: Option<String>,
    /// What is wrong, or what would be valid.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    /// Writes `glance-api.conf:12: [fast] s3_store_thread_pools = "0": expected a whole number …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((file, line)) = &self.place {
            write!(f, "{file}:{line}: ")?;
        }
        if !self.section.is_empty() {
            write!(f, "[{}]", self.section)?;
        }
        if let Some(option) = &self.option {
            write!(f, " {option}")?;
        }
        if let Some(value) = &self.value {
            write!(f, " = {:?}", Short(value))?;
        }
        if !self.section.is_empty() || self.option.is_some() {
            f.write_str(": ")?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// The first 64 characters of a value.
struct Short<'a>(&'a str);

impl fmt::Debug for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(64) {
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// All errors of a configuration: at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    errors: Vec<ConfigError>,
    warnings: Vec<ConfigError>,
}

impl ConfigErrors {
    /// Returns `Ok` if there are no errors.
    pub(in crate::store) fn check(errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self { errors, warnings: Vec::new() }) }
    }

    /// Adds warnings.
    pub(super) fn with_warnings(self, warnings: Vec<ConfigError>) -> Self {
        Self { warnings, ..self }
    }

    /// Returns the errors of lines that can't be parsed.
    pub(super) fn lines(errors: &[OsloError]) -> Vec<ConfigError> {
        let error = |error: &OsloError| ConfigError {
            place: Some((error.file.clone(), error.line)),
            section: String::new(),
            option: None,
            value: None,
            problem: error.problem.to_string(),
        };
        errors.iter().map(error).collect()
    }

    /// Returns the errors in the order in which they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.errors.iter()
    }

    /// Returns the warnings.
    pub fn warnings(&self) -> &[ConfigError] {
        &self.warnings
    }
}

impl fmt::Display for ConfigErrors {
    /// Writes one line for each error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.errors.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self { errors: vec![error], warnings: Vec::new() }
    }
}

impl From<ConfigErrors> for Error {
    fn from(errors: ConfigErrors) -> Self {
        Self::invalid_input(errors.to_string())
    }
}
