//! An error in a configuration, or a probable mistake.

use std::fmt;
use std::io;
use std::path::Path;

use apus_core::store::config::{ConfigError, OsloError};
use serde_json::{Value, json};

use crate::output::{Printable, redacted};

/// One error or mistake, with its place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finding {
    pub(crate) file: Option<String>,
    pub(crate) line: Option<usize>,
    /// The section, or the id of the backend.
    pub(crate) section: String,
    pub(crate) option: Option<String>,
    /// The value in the configuration; never a secret.
    pub(crate) value: Option<String>,
    pub(crate) problem: String,
}

impl Finding {
    pub(super) fn in_file(file: &str, line: Option<usize>, problem: impl Into<String>) -> Self {
        Self { file: Some(file.to_owned()), line, problem: problem.into(), ..Self::default() }
    }

    pub(super) fn of_io(path: &Path, error: &io::Error) -> Self {
        Self::in_file(&path.display().to_string(), None, error.to_string())
    }

    pub(super) fn of_line(error: &OsloError) -> Self {
        Self::in_file(&error.file, Some(error.line), error.problem.to_string())
    }

    pub(crate) fn of_config(error: &ConfigError) -> Self {
        let (file, line) = error.place.clone().unzip();
        Self {
            file,
            line,
            section: error.section.clone(),
            option: error.option.clone(),
            value: error.value.as_deref().map(redacted),
            problem: error.problem.clone(),
        }
    }

    pub(crate) fn json(&self, severity: &str) -> Value {
        json!({
            "severity": severity,
            "file": self.file,
            "line": self.line,
            "section": Some(&self.section).filter(|section| !section.is_empty()),
            "option": self.option,
            "value": self.value,
            "problem": self.problem,
        })
    }
}

impl fmt::Display for Finding {
    /// `glance-api.conf:12: [fast] s3_store_thread_pools = "0": expected a whole number from 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, "{file}:{line}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, _) => {}
        }
        if !self.section.is_empty() {
            write!(f, "[{}]", Printable(&self.section))?;
            if let Some(option) = &self.option {
                write!(f, " {}", Printable(option))?;
            }
            if let Some(value) = &self.value {
                let short: String = value.chars().take(64).collect();
                let more = if short.len() < value.len() { "…" } else { "" };
                write!(f, " = {short:?}{more}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}", Printable(&self.problem))
    }
}
