//! What is wrong with a configuration: all of it at once.

use std::fmt;

use super::oslo::OsloError;
use crate::error::Error;

/// One thing that is wrong, with everything it takes to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file and the line, where it was read from a file.
    pub place: Option<(String, usize)>,
    /// The section.
    pub section: String,
    /// The option; none where it is the section that is wrong.
    pub option: Option<String>,
    /// What was written. Never there for a secret.
    pub value: Option<String>,
    /// What is wrong, or what would be valid.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    /// `glance-api.conf:12: [fast] s3_store_thread_pools = "0": expected a whole number from 1`.
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
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// The beginning of a value.
struct Short<'a>(&'a str);

impl fmt::Debug for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(64) {
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// Everything that is wrong with a configuration: at least one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    errors: Vec<ConfigError>,
    warnings: Vec<ConfigError>,
}

impl ConfigErrors {
    /// `Ok` where nothing is wrong.
    pub(in crate::store) fn check(errors: Vec<ConfigError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self { errors, warnings: Vec::new() }) }
    }

    /// The same, with what looks like a mistake besides.
    pub(super) fn with_warnings(self, warnings: Vec<ConfigError>) -> Self {
        Self { warnings, ..self }
    }

    pub(super) fn of_lines(errors: &[OsloError]) -> Self {
        let error = |error: &OsloError| ConfigError {
            place: Some((error.file.clone(), error.line)),
            section: String::new(),
            option: None,
            value: None,
            problem: error.problem.to_string(),
        };
        Self { errors: errors.iter().map(error).collect(), warnings: Vec::new() }
    }

    /// Each of them, in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.errors.iter()
    }

    /// What looks like a mistake besides: options that do not exist.
    pub fn warnings(&self) -> &[ConfigError] {
        &self.warnings
    }
}

impl fmt::Display for ConfigErrors {
    /// One line for each.
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
        Self::caller(errors.to_string())
    }
}
