//! Members of an operation by their names in S3's API, taken one by one.

use apus_core::Secret;
use apus_core::checksum::{Algorithm, Type};
use apus_core::now::Timestamp;
use apus_core::s3::{ByteRange, ETag, Metadata};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::run::value::{Data, Time};

/// The members that were not taken yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(Map<String, Value>);

impl Params {
    pub(super) fn new(members: Map<String, Value>) -> Self {
        Self(members)
    }

    /// Takes the member of this name, with this type.
    pub(super) fn take<T: Member>(&mut self, name: &str) -> Result<T, String> {
        T::read(self.0.remove(name)).map_err(|error| format!("member {name}: {error}"))
    }

    /// Takes the structure of this name, and checks that all its members are taken.
    pub(super) fn inside<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        let members: Option<Self> = self.take(name)?;
        whole(members.ok_or_else(|| format!("member {name} is missing"))?, read)
            .map_err(|error| format!("member {name}: {error}"))
    }

    /// Takes the structure of this name, if it is present.
    pub(super) fn inside_if<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        if self.0.contains_key(name) { self.inside(name, read).map(Some) } else { Ok(None) }
    }

    /// Takes the structures of this name.
    pub(super) fn each<T>(
        &mut self,
        name: &str,
        read: impl Fn(&mut Self) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let list: Vec<Self> = self.take(name)?;
        let list = list.into_iter().map(|members| whole(members, &read));
        list.collect::<Result<_, _>>().map_err(|error| format!("member {name}: {error}"))
    }

    /// Takes all members together as a value.
    pub(super) fn into_plain<T: Plain>(self) -> Result<T, String> {
        T::of(Value::Object(self.0))
    }

    /// Checks that all members were taken.
    pub(super) fn end(&self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("member {name} is unknown")),
        }
    }
}

fn whole<T>(
    mut members: Params,
    read: impl FnOnce(&mut Params) -> Result<T, String>,
) -> Result<T, String> {
    let read = read(&mut members)?;
    members.end()?;
    Ok(read)
}

/// The types of members. Those that are neither optional nor lists have to be present.
pub(super) trait Member: Sized {
    fn read(value: Option<Value>) -> Result<Self, String>;
}

/// The types of a member's value.
pub(super) trait Plain: Sized {
    fn of(value: Value) -> Result<Self, String>;
}

impl<T: Plain> Member for Option<T> {
    fn read(value: Option<Value>) -> Result<Self, String> {
        value.map(T::of).transpose()
    }
}

impl<T: Plain> Member for Vec<T> {
    fn read(value: Option<Value>) -> Result<Self, String> {
        let list: Vec<Value> = value.map_or_else(|| Ok(Vec::new()), json)?;
        list.into_iter().map(T::of).collect()
    }
}

impl Member for bool {
    /// An absent flag is not set.
    fn read(value: Option<Value>) -> Result<Self, String> {
        value.map_or(Ok(false), json)
    }
}

impl Member for Metadata {
    fn read(value: Option<Value>) -> Result<Self, String> {
        value.map_or_else(|| Ok(Self::new()), json)
    }
}

/// Members that have to be present.
macro_rules! required {
    ($($type:ty),+) => {
        $(impl Member for $type {
            fn read(value: Option<Value>) -> Result<Self, String> {
                value.map_or_else(|| Err("it is missing".into()), Plain::of)
            }
        })+
    };
}

required!(String, u32, u64, ETag, Timestamp);

/// Values that JSON has unchanged.
macro_rules! plain {
    ($($type:ty),+) => {
        $(impl Plain for $type {
            fn of(value: Value) -> Result<Self, String> {
                json(value)
            }
        })+
    };
}

plain!(String, bool, u32, u64, Algorithm, Type, Data, ETag);

impl Plain for Secret {
    fn of(value: Value) -> Result<Self, String> {
        json::<String>(value).map(Self::new)
    }
}

impl Plain for Timestamp {
    fn of(value: Value) -> Result<Self, String> {
        json::<Time>(value).map(|time| time.0)
    }
}

impl Plain for Params {
    fn of(value: Value) -> Result<Self, String> {
        json(value).map(Self)
    }
}

impl Plain for ByteRange {
    fn of(value: Value) -> Result<Self, String> {
        let text: String = json(value)?;
        let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
        let parts = text.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
        Ok(match parts.ok_or_else(|| format!("{text:?} is no range"))? {
            ("", length) => Self::Last(number(length)?),
            (start, "") => Self::From(number(start)?),
            (start, last) => Self::Span(number(start)?..number(last)? + 1),
        })
    }
}

fn json<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}
