//! The outputs of operations, with the names of S3's API.

use apus_core::checksum::{Algorithm, Declared, Type, Validation};
use apus_core::now::Timestamp;
use apus_core::s3::{ETag, Metadata};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// An output, for comparison.
pub(super) struct Answer {
    pub(super) output: Members,
    pub(super) verdict: Option<Validation>,
}

impl From<Members> for Answer {
    fn from(output: Members) -> Self {
        Self { output, verdict: None }
    }
}

/// An output without members.
pub(super) fn nothing<T>(_: &T) -> Members {
    Members::default()
}

/// The members that are present. An empty one, or a flag that is not set, counts as absent.
#[derive(Clone, Debug, Default)]
pub(super) struct Members(Map<String, Value>);

/// Creates an output without members.
pub(super) fn members() -> Members {
    Members::default()
}

/// Converts each item of a list.
pub(super) fn each<T>(list: &[T], show: impl Fn(&T) -> Members) -> Vec<Members> {
    list.iter().map(show).collect()
}

impl Members {
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: &impl Json) -> Self {
        if let Some(value) = value.json() {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    #[must_use]
    pub(super) fn checksums(mut self, checksums: &[Declared]) -> Self {
        for declared in checksums {
            let text = match declared {
                Declared::FullObject(value) => value.base64(),
                Declared::Composite(value) => value.to_string(),
            };
            self = self.with(&format!("Checksum{}", declared.algorithm()), &text);
        }
        self
    }

    /// Splits these members into the others and the named ones.
    pub(super) fn split(self, names: &[&str]) -> (Self, Self) {
        let (named, others) =
            self.0.into_iter().partition(|(name, _)| names.contains(&name.as_str()));
        (Self(others), Self(named))
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

/// Returns `value` without what counts as absent.
pub(super) fn present(value: Value) -> Option<Value> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::String(text) if text.is_empty() => None,
        Value::Array(list) if list.is_empty() => None,
        Value::Array(list) => {
            let list = list.into_iter().map(|item| present(item).unwrap_or_else(|| json!({})));
            Some(Value::Array(list.collect()))
        }
        Value::Object(members) => {
            let members = members.into_iter();
            let members: Map<_, _> =
                members.filter_map(|(name, value)| Some((name, present(value)?))).collect();
            (!members.is_empty()).then_some(Value::Object(members))
        }
        other => Some(other),
    }
}

/// The JSON value of a member, unless it is absent.
pub(super) trait Json {
    fn json(&self) -> Option<Value>;
}

impl<T: Json> Json for Option<T> {
    fn json(&self) -> Option<Value> {
        self.as_ref().and_then(Json::json)
    }
}

impl<T: Json> Json for Vec<T> {
    fn json(&self) -> Option<Value> {
        let list = self.iter().map(|item| item.json().unwrap_or_else(|| json!({})));
        present(Value::Array(list.collect()))
    }
}

impl Json for Members {
    fn json(&self) -> Option<Value> {
        present(Value::Object(self.0.clone()))
    }
}

/// Values that JSON has unchanged.
macro_rules! plain {
    ($($type:ty),+) => {
        $(impl Json for $type {
            fn json(&self) -> Option<Value> {
                present(json!(self))
            }
        })+
    };
}

plain!(String, bool, u32, u64, Metadata, Algorithm, Type);

impl Json for ETag {
    fn json(&self) -> Option<Value> {
        self.as_str().to_owned().json()
    }
}

impl Json for Timestamp {
    fn json(&self) -> Option<Value> {
        Some(json!(String::from_utf8_lossy(&self.amz())))
    }
}

impl Json for Bytes {
    fn json(&self) -> Option<Value> {
        present(match std::str::from_utf8(self) {
            Ok(text) => json!({ "utf8": text }),
            Err(_) => json!({ "base64": STANDARD.encode(self) }),
        })
    }
}
