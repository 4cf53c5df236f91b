//! The options of one section, in any format.

use std::collections::BTreeMap;
use std::fmt;

use super::error::ConfigError;
use super::option::{OptionSpec, OptionValue};
use super::python;

/// An option's text, with its file and line. The text may be a secret: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Written {
    pub(super) text: String,
    pub(super) place: Option<(String, usize)>,
}

/// A section and its fallbacks. The first layer that has an option determines it.
#[derive(Clone, Debug)]
pub(super) struct Section<'a> {
    pub(super) name: &'a str,
    pub(super) layers: Vec<&'a BTreeMap<String, Written>>,
}

impl Section<'_> {
    /// Returns the option, or its default. Appends to `errors` if the text is invalid.
    pub(super) fn option<T: OptionValue>(
        &self,
        spec: &OptionSpec,
        default: T,
        errors: &mut Vec<ConfigError>,
    ) -> T {
        let Some(written) = self.of_spec(spec) else { return default };
        let read = T::read(&written.text).map(|value| match spec.cap() {
            Some(most) => value.capped(most),
            None => value,
        });
        match read.filter(|value| spec.admits(value)) {
            Some(value) => value,
            None => {
                errors.push(self.wrong(spec.name, spec.is_secret, spec.expected()));
                default
            }
        }
    }

    /// Returns the warning that a number is larger than the largest one, which is taken instead.
    pub(super) fn above(&self, spec: &OptionSpec) -> Option<ConfigError> {
        let most = spec.cap()?;
        let number = u64::read(&self.of_spec(spec)?.text)?;
        let problem = format!("the largest value is {most}, which is used instead");
        (number > most).then(|| self.wrong(spec.name, spec.is_secret, problem))
    }

    /// Returns the text of an option and its place.
    pub(super) fn written(&self, name: &str) -> Option<&Written> {
        self.layers.iter().find_map(|layer| layer.get(name))
    }

    /// As [`written`](Self::written); as in oslo.config, a number that is empty counts as one that is
    /// not written, unless it is that of the last layer.
    fn of_spec(&self, spec: &OptionSpec) -> Option<&Written> {
        let (last, layers) = self.layers.split_last()?;
        let mut written = layers.iter().filter_map(|layer| layer.get(spec.name));
        let is_empty = |it: &&Written| spec.kind == u64::KIND && python::trim(&it.text).is_empty();
        written.find(|it| !is_empty(it)).or_else(|| last.get(spec.name))
    }

    /// Makes an error about this option.
    pub(super) fn wrong(
        &self,
        name: &str,
        secret: bool,
        problem: impl Into<String>,
    ) -> ConfigError {
        let written = self.written(name);
        ConfigError {
            place: written.and_then(|written| written.place.clone()),
            section: self.name.to_owned(),
            option: Some(name.to_owned()),
            value: written.filter(|_| !secret).map(|written| written.text.clone()),
            problem: problem.into(),
        }
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some((file, line)) => write!(f, "Written({file}:{line})"),
            None => f.write_str("Written(..)"),
        }
    }
}

impl<'de> serde::Deserialize<'de> for Written {
    /// Reads a text, a number, a boolean, or a list of them.
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Scalar).map(|text| Self { text, place: None })
    }
}

struct Scalar;

impl<'de> serde::de::Visitor<'de> for Scalar {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, true or false, or a list of strings")
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_bool<E>(self, value: bool) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_i64<E>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_u64<E>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_f64<E>(self, value: f64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<String, A::Error> {
        let mut texts = Vec::new();
        while let Some(Written { text, .. }) = items.next_element()? {
            texts.push(text);
        }
        Ok(texts.join(","))
    }
}
