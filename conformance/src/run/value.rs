//! The values of vectors: fields that must all be known, bytes, times.

use apus_core::Now;
use apus_core::now::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The fields of an object. A field that is not taken before [`rest`](Self::rest) or
/// [`end`](Self::end) is an error, so that no field is overlooked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Takes the field of this name.
    pub(super) fn required<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, String> {
        let value = self.0.remove(name).ok_or_else(|| format!("field {name:?} is missing"))?;
        read(name, value)
    }

    /// Takes the field of this name, unless it is absent or null.
    pub(super) fn optional<T: DeserializeOwned>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, String> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(name, value).map(Some),
        }
    }

    /// Takes the field of this name, which may be null, unless it is absent.
    pub(super) fn nullable<T: DeserializeOwned>(
        &mut self,
        name: &str,
    ) -> Result<Option<Option<T>>, String> {
        self.0.remove(name).map(|value| read(name, value)).transpose()
    }

    /// Takes all other fields, as a structure that denies unknown ones.
    pub(super) fn rest<T: DeserializeOwned>(self) -> Result<T, String> {
        serde_json::from_value(Value::Object(self.0)).map_err(|error| error.to_string())
    }

    /// Checks that no other fields exist.
    pub(super) fn end(self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("field {name:?} is unknown")),
        }
    }
}

fn read<T: DeserializeOwned>(name: &str, value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("field {name:?}: {error}"))
}

/// Bytes: `{"utf8"}`, `{"base64"}`, `{"zeros"}`, or `{"repeat", "len"}`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "Written")]
pub(super) struct Data(pub(super) Vec<u8>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    utf8: Option<String>,
    base64: Option<String>,
    zeros: Option<usize>,
    repeat: Option<String>,
    len: Option<usize>,
}

impl TryFrom<Written> for Data {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        if let Some(length) = written.zeros.or(written.len).filter(|length| *length > LONGEST) {
            return Err(format!("{length} bytes are more than {LONGEST}"));
        }
        let bytes = match written {
            Written { utf8: Some(text), base64: None, zeros: None, repeat: None, len: None } => {
                text.into_bytes()
            }
            Written { utf8: None, base64: Some(text), zeros: None, repeat: None, len: None } => {
                STANDARD.decode(text).map_err(|error| error.to_string())?
            }
            Written { utf8: None, base64: None, zeros: Some(zeros), repeat: None, len: None } => {
                vec![0; zeros]
            }
            Written {
                utf8: None,
                base64: None,
                zeros: None,
                repeat: Some(unit),
                len: Some(len),
            } if !unit.is_empty() => unit.bytes().cycle().take(len).collect(),
            _ => return Err("bytes are utf8, base64, zeros, or repeat and len".into()),
        };
        Ok(Self(bytes))
    }
}

/// A time: `20150830T123600Z`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Time(pub(super) Timestamp);

impl Time {
    /// Returns the moment at which both clocks show this time.
    pub(super) fn now(self) -> Now {
        let unix = std::time::Duration::from_secs(self.0.unix().unsigned_abs());
        Now::new(unix, unix)
    }
}

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Timestamp::parse_amz(&text).map(Self).ok_or_else(|| format!("{text:?} is no time"))
    }
}

/// The largest number of bytes that a vector may describe.
const LONGEST: usize = 1 << 28;
