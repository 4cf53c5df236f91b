//! `oslo-config`.
//!
//! `options` are by group and name; a missing option is not compared. An option of a backend is
//! compared with the checked configuration, with its type; any other with its text, or, where a
//! list is expected, with all its values. Files are read in the order of their names. The text of
//! an error is not compared; where a case has the `place` of what is refused, one of our errors has
//! that file, line, option and value.

use std::collections::BTreeMap;

use apus_core::store::config::{
    Backend, ConfigError, Configuration, Mode, OsloConfig, S3Options, SwiftOptions,
};
use serde::Deserialize;
use serde_json::Value;

use super::compare::Check;
use super::value::Fields;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    files: BTreeMap<String, String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    #[serde(default)]
    options: BTreeMap<String, BTreeMap<String, Value>>,
    error: Option<String>,
    place: Option<Place>,
}

/// Where the option is that is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    file: String,
    line: usize,
    option: String,
    value: String,
}

/// The configuration that was read.
struct Found {
    config: OsloConfig,
    configuration: Configuration,
}

pub(super) fn oslo_config(input: Fields, expect: Fields, check: &mut Check) -> Result<(), String> {
    let (input, expected): (Input, Expected) = (input.rest()?, expect.rest()?);
    match (Found::read(&input), &expected.error) {
        (Err(refused), Some(_)) => {
            if let Some(place) = expected.place.as_ref().filter(|place| !refused.is_at(place)) {
                let Place { file, line, option, value } = place;
                let expected = format!("{option} = {value} at {file}:{line}");
                check.differs("place", expected, refused.text);
            }
        }
        (Err(refused), None) => check.differs("options", "they are read", refused.text),
        (Ok(_), Some(error)) => check.differs("options", format!("refused: {error}"), "read"),
        (Ok(found), None) => {
            for (group, options) in &expected.options {
                for (option, expected) in options {
                    let got = found.value(group, option, expected.is_array());
                    let (expected, what) = (shown(expected), format!("[{group}] {option}"));
                    if expected != got {
                        check.differs(what, format!("{expected:?}"), format!("{got:?}"));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Why a configuration was refused.
struct Refused {
    text: String,
    errors: Vec<ConfigError>,
}

impl Refused {
    /// Returns whether an error is about this option at this place.
    fn is_at(&self, place: &Place) -> bool {
        self.errors.iter().any(|error| {
            error
                .place
                .as_ref()
                .is_some_and(|(file, line)| (file, *line) == (&place.file, place.line))
                && error.option.as_deref() == Some(&*place.option)
                && error.value.as_deref() == Some(&*place.value)
        })
    }
}

impl From<String> for Refused {
    fn from(text: String) -> Self {
        Self { text, errors: Vec::new() }
    }
}

impl Found {
    fn read(input: &Input) -> Result<Self, Refused> {
        let files = input.files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let variables = input.environment.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let config = OsloConfig::parse(files)
            .map_err(|errors| errors[0].to_string())?
            .with_environment(variables);
        for group in config.groups() {
            for (option, _) in config.options(group) {
                config.value(group, option, &default_of).map_err(|error| error.to_string())?;
            }
        }
        let configuration = Configuration::of_oslo(&config).map_err(|errors| Refused {
            text: errors.to_string(),
            errors: errors.iter().cloned().collect(),
        })?;
        Ok(Self { config, configuration })
    }

    /// Returns an option as it would be written; `None` where it has no value.
    fn value(&self, group: &str, option: &str, several: bool) -> Option<String> {
        let configuration = &self.configuration;
        match (group, option) {
            ("DEFAULT", "enabled_backends") => {
                let kind = |backend: &Backend| match backend {
                    Backend::S3(_) => "s3".to_owned(),
                    Backend::Swift(_) => "swift".to_owned(),
                };
                let ours = configuration.backends.iter();
                let mut kinds: BTreeMap<_, _> =
                    ours.map(|(id, backend)| (id.clone(), kind(backend))).collect();
                kinds.extend(configuration.others.clone());
                let kinds = kinds.iter().map(|(id, kind)| format!("{id}:{kind}"));
                return Some(kinds.collect::<Vec<_>>().join(","));
            }
            ("glance_store", "default_backend") if configuration.mode == Mode::Multi => {
                return configuration.default.clone();
            }
            _ => {}
        }
        let backend = match configuration.mode {
            Mode::Multi => configuration.backends.get(group),
            Mode::Single if group == "glance_store" => configuration
                .backends
                .values()
                .find(|it| matches!(it, Backend::S3(_)) == option.starts_with("s3_")),
            Mode::Single => None,
        };
        let typed = backend.map(|backend| match backend {
            Backend::S3(options) => options.written(),
            Backend::Swift(options) => options.written(),
        });
        if let Some((_, value)) = typed.iter().flatten().find(|(name, _)| *name == option)
            && !is_secret(option)
        {
            return value.clone();
        }
        let values = self.config.all(group, option);
        let values = if several { values } else { &values[values.len().saturating_sub(1)..] };
        let texts: Vec<String> = values
            .iter()
            .filter_map(|value| self.config.substitute(group, value, &default_of).ok())
            .collect();
        (!texts.is_empty()).then(|| texts.join(","))
    }
}

fn is_secret(option: &str) -> bool {
    let specs = S3Options::specs().into_iter().chain(SwiftOptions::specs());
    specs.into_iter().any(|spec| spec.name == option && spec.is_secret)
}

/// Returns the default of an option that a value refers to.
fn default_of(_: &str, option: &str) -> Option<String> {
    let specs = S3Options::specs().into_iter().chain(SwiftOptions::specs());
    let spec = specs.into_iter().find(|spec| spec.name == option)?;
    Some(spec.default.unwrap_or_default())
}

/// Returns a value as it would be written.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if items.is_empty() => None,
        Value::Array(items) => Some(items.iter().filter_map(shown).collect::<Vec<_>>().join(",")),
        Value::Object(entries) => {
            let entries = entries.iter();
            let entries =
                entries.map(|(key, value)| format!("{key}:{}", shown(value).unwrap_or_default()));
            Some(entries.collect::<Vec<_>>().join(","))
        }
        other => Some(other.to_string()),
    }
}
