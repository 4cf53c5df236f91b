//! Errors in the settings of a cloud.

use std::fmt;

use crate::error::Error;
use crate::one_line::OneLine;

/// What is wrong, and where. It repeats no value that may be secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudsError {
    /// The file, and the line, counted from 1, where the text itself is wrong.
    pub place: Option<(String, Option<usize>)>,
    /// The cloud's name.
    pub cloud: Option<String>,
    /// The key, such as `auth.project_name`.
    pub key: Option<String>,
    /// What is wrong, or what would be valid.
    pub problem: String,
}

impl CloudsError {
    pub(super) fn of_file(file: &str, line: Option<usize>, problem: impl Into<String>) -> Self {
        let place = Some((file.to_owned(), line));
        Self { place, cloud: None, key: None, problem: problem.into() }
    }

    pub(super) fn of_cloud(cloud: &str, key: Option<&str>, problem: impl Into<String>) -> Self {
        let (cloud, key) = (Some(cloud.to_owned()), key.map(str::to_owned));
        Self { place: None, cloud, key, problem: problem.into() }
    }

    pub(super) fn general(problem: impl Into<String>) -> Self {
        Self { place: None, cloud: None, key: None, problem: problem.into() }
    }
}

impl fmt::Display for CloudsError {
    /// One line: `cloud "prod": auth.password: missing option, required for auth_type password`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some((file, Some(line))) => write!(f, "{}:{line}: ", OneLine::new(file))?,
            Some((file, None)) => write!(f, "{}: ", OneLine::new(file))?,
            None => {}
        }
        if let Some(cloud) = &self.cloud {
            write!(f, "cloud {cloud:?}: ")?;
        }
        if let Some(key) = &self.key {
            write!(f, "{}: ", OneLine::new(key))?;
        }
        OneLine::new(&self.problem).fmt(f)
    }
}

impl std::error::Error for CloudsError {}

impl From<CloudsError> for Error {
    fn from(error: CloudsError) -> Self {
        Self::invalid_input(error.to_string())
    }
}
