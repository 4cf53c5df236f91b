//! The AWS variables of the environment. The caller reads them.

use std::collections::BTreeMap;
use std::fmt;

/// Environment variables by name. `Debug` shows only the names.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Keeps the variables whose name starts with `AWS_`, and drops the others.
    pub fn new<N: Into<String>, V: Into<String>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let pairs = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self(pairs.filter(|(name, _)| name.starts_with("AWS_")).collect())
    }

    /// Returns the value of a variable, and `None` if it is missing or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns the value of the first of these variables that is set and not empty.
    pub(super) fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// Returns whether the variable is `true`, in any case.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Returns the profile that `AWS_PROFILE` or `AWS_DEFAULT_PROFILE` names.
    pub fn profile(&self) -> Option<&str> {
        self.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
    }

    /// Returns the path of the config file. A `~` at its start is the home directory.
    pub fn config_file(&self) -> &str {
        self.get("AWS_CONFIG_FILE").unwrap_or("~/.aws/config")
    }

    /// Returns the path of the credentials file. A `~` at its start is the home directory.
    pub fn credentials_file(&self) -> &str {
        self.get("AWS_SHARED_CREDENTIALS_FILE").unwrap_or("~/.aws/credentials")
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
