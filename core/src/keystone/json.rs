//! JSON: reads documents of any content, and writes those that hold secrets.
//!
//! A required member that is missing or of another type is an error that names the place. Any other
//! member of another type counts as missing: the rest is read.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::http::{self, Reply};
use crate::keystone::error;
use crate::now::Timestamp;
use crate::secret::Secret;

/// A value in a document, and its path.
pub(super) struct Node<'a> {
    value: &'a Value,
    path: String,
}

/// Reads the document of Keystone's response with `read`. Errors have the response's status and id.
pub(super) fn answer<T>(
    reply: &Reply,
    read: impl Fn(&Value) -> Result<T, Error>,
) -> Result<T, Error> {
    parse(&reply.body, "Keystone's response")
        .and_then(|document| read(&document))
        .map_err(|error| error::named(error.with_status(reply.status()), reply))
}

/// Parses a document; the error calls it `what`.
pub(super) fn parse(body: &[u8], what: &str) -> Result<Value, Error> {
    http::json::parse(body).map_err(|error| {
        let place = http::json::place(&error);
        Error::invalid_response(format!("{what} is not valid JSON: {place}"))
    })
}

impl<'a> Node<'a> {
    /// Returns the member `name` of the document, an object.
    pub(super) fn root(document: &'a Value, name: &str) -> Result<Self, Error> {
        let value = document.get(name).filter(|value| value.is_object());
        let value = value.ok_or_else(|| {
            Error::invalid_response(format!("Keystone's response has no `{name}`"))
        })?;
        Ok(Self { value, path: name.to_owned() })
    }

    /// Returns the objects of the list that is member `name` of the document.
    pub(super) fn list(document: &'a Value, name: &str) -> Result<Vec<Self>, Error> {
        let value = document.get(name).filter(|value| value.is_array());
        let value = value.ok_or_else(|| {
            Error::invalid_response(format!("Keystone's response has no list `{name}`"))
        })?;
        Ok(Self { value, path: name.to_owned() }.elements())
    }

    /// Returns the member of this name; `None` where it is missing or null.
    pub(super) fn member(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(Self { value, path: format!("{}.{name}", self.path) })
    }

    /// Returns the text of a member; `None` where it is missing or no text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        Some(self.value.get(name)?.as_str()?.to_owned())
    }

    /// Returns the text of a required member.
    pub(super) fn required(&self, name: &str) -> Result<String, Error> {
        match (self.member(name), self.text(name)) {
            (_, Some(text)) => Ok(text),
            (Some(member), None) => Err(member.broken("is not a string")),
            (None, None) => Err(self.broken(&format!("has no `{name}`"))),
        }
    }

    /// Returns the date in a member; `None` where it is missing or no date.
    pub(super) fn date(&self, name: &str) -> Option<Timestamp> {
        Timestamp::parse_iso8601(&self.text(name)?)
    }

    /// Returns the date in a required member.
    pub(super) fn required_date(&self, name: &str) -> Result<Timestamp, Error> {
        self.required(name)?;
        let broken = || self.broken(&format!("has an `{name}` that is not a date"));
        self.date(name).ok_or_else(broken)
    }

    /// Returns a flag; false where it is missing or not a flag.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.value.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    /// Returns a number; `None` where it is missing or no number.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.value.get(name)?.as_u64()
    }

    /// Returns the objects of the list in a member, other values skipped; empty where it is missing or
    /// no list.
    pub(super) fn objects(&self, name: &str) -> Vec<Self> {
        self.member(name).map(|member| member.elements()).unwrap_or_default()
    }

    fn elements(&self) -> Vec<Self> {
        let list = self.value.as_array().into_iter().flatten().enumerate();
        let objects = list.filter(|(_, value)| value.is_object());
        objects.map(|(at, value)| Self { value, path: format!("{}[{at}]", self.path) }).collect()
    }

    /// Returns the texts of the list in a member, other values skipped; empty where it is missing.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let list = self.value.get(name).and_then(Value::as_array);
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }

    /// Returns an error that says what is wrong with this value.
    pub(super) fn broken(&self, what: &str) -> Error {
        Error::invalid_response(format!("`{}` of Keystone's response {what}", self.path))
    }
}

/// A document to send. It borrows its texts: a secret is copied into the [body](Self::body) only.
pub(super) enum Json<'a> {
    Flag(bool),
    Number(u32),
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Vec<(&'static str, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Returns an object of these members.
    pub(super) fn object(members: impl Into<Vec<(&'static str, Json<'a>)>>) -> Self {
        Self::Object(members.into())
    }

    /// Returns the body of a request, in memory that is overwritten when its last copy is dropped.
    pub(super) fn body(&self) -> Result<Bytes, Error> {
        // Room for all of it: a vector that grows would leave a part of a secret in its old memory.
        let mut out = Zeroizing::new(Vec::with_capacity(ROOM));
        serde_json::to_writer(&mut *out, self)
            .map_err(|_| Error::invalid_input("the request can't be serialized as JSON"))?;
        Ok(Bytes::from_owner(out))
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => serializer.serialize_u32(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => serializer.collect_seq(list),
            Self::Object(members) => {
                serializer.collect_map(members.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

impl<'a> From<&'a str> for Json<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl<'a> From<&'a String> for Json<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text.into())
    }
}

impl<'a> From<&'a Secret> for Json<'a> {
    fn from(secret: &'a Secret) -> Self {
        secret.expose().into()
    }
}

/// In bytes, more than any request has: a token of the oldest kind had 8 KiB.
const ROOM: usize = 32 << 10;
