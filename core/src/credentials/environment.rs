//! The variables of the environment that matter, as the caller read them.

use std::collections::BTreeMap;
use std::fmt;

/// Variables by name. `Debug` shows the names only.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Those of the variables that are of AWS (`AWS_…`); others are left out.
    pub fn new<N: Into<String>, V: Into<String>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let pairs = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self(pairs.filter(|(name, _)| name.starts_with("AWS_")).collect())
    }

    /// The value of a variable; none where it is missing or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The first of these variables that is there.
    pub(super) fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// Whether the variable says `true`.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The profile that `AWS_PROFILE` or `AWS_DEFAULT_PROFILE` names.
    pub fn profile(&self) -> Option<&str> {
        self.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
    }

    /// Where the config file is; a `~` at its start is the home directory.
    pub fn config_file(&self) -> &str {
        self.get("AWS_CONFIG_FILE").unwrap_or("~/.aws/config")
    }

    /// Where the credentials file is; a `~` at its start is the home directory.
    pub fn credentials_file(&self) -> &str {
        self.get("AWS_SHARED_CREDENTIALS_FILE").unwrap_or("~/.aws/credentials")
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
