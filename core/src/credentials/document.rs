//! Responses in JSON. Errors name the member that is missing, and show no value.

use std::time::Duration;

use serde_json::Value;

use super::renewal::ExpiringKeys;
use crate::error::Error;
use crate::http::{Draft, Incoming, Reply};
use crate::now::Timestamp;
use crate::secret::Secret;
use crate::sign::Keys;

/// Limits a response that contains keys to 64 KiB, and its exchange to 60 seconds.
pub(super) fn bound(draft: &mut Draft) {
    draft.incoming = Incoming::Collect { limit: 64 << 10 };
    draft.timeouts.whole = Some(Duration::from_secs(60));
}

/// A JSON object, and its name in errors.
pub(super) struct Document {
    value: Value,
    what: &'static str,
}

/// The names of the members that hold a set of keys.
pub(super) struct Names {
    pub(super) access_key: &'static str,
    pub(super) secret_key: &'static str,
    pub(super) session_token: &'static str,
}

impl Names {
    /// The names that metadata services use.
    pub(super) const METADATA: Self =
        Self { access_key: "AccessKeyId", secret_key: "SecretAccessKey", session_token: "Token" };
}

impl Document {
    pub(super) fn parse(bytes: &[u8], what: &'static str) -> Result<Self, Error> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            Error::invalid_response(format!(
                "{what} is not valid JSON: line {line}, column {column}"
            ))
        })?;
        if !value.is_object() {
            return Err(Error::invalid_response(format!("{what} is not a JSON object")));
        }
        Ok(Self { value, what })
    }

    /// Returns the whole object.
    pub(super) fn into_value(self) -> Value {
        self.value
    }

    /// Returns the object in this member.
    pub(super) fn member(mut self, name: &str) -> Result<Self, Error> {
        let value = self.value.get_mut(name).filter(|value| value.is_object()).map(Value::take);
        let value = value.ok_or_else(|| self.broken(&format!("has no object member `{name}`")))?;
        Ok(Self { value, what: self.what })
    }

    /// Returns the text of this member. A missing member, an empty text and another type are
    /// `None`.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.value.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Error> {
        self.text(name).ok_or_else(|| self.broken(&format!("has no string member `{name}`")))
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.value.get(name)?.as_i64()
    }

    /// Returns the date of this member, and `None` if the member is missing.
    pub(super) fn date(&self, name: &str) -> Result<Option<Timestamp>, Error> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let date = Timestamp::parse_iso8601(text.trim_end_matches("UTC"));
        date.map(Some).ok_or_else(|| self.broken(&format!("has a `{name}` that is not a date")))
    }

    pub(super) fn keys(
        &self,
        names: &Names,
        expires_at: Option<Timestamp>,
    ) -> Result<ExpiringKeys, Error> {
        let secret_key = self.required(names.secret_key)?;
        let mut keys = Keys::new(self.required(names.access_key)?, secret_key);
        keys.session_token = self.text(names.session_token).map(Secret::from);
        Ok(ExpiringKeys::new(keys, expires_at))
    }

    pub(super) fn broken(&self, what: &str) -> Error {
        Error::invalid_response(format!("{} {what}", self.what))
    }
}

/// Returns the body of a successful response. The error of another response has the code and the
/// message of its JSON body, in the members that services use.
pub(super) fn success(reply: &Reply) -> Result<&[u8], Error> {
    if reply.status().is_success() {
        return match &reply.cut {
            Some(cut) => Err(Error::from(cut.clone()).with_status(reply.status())),
            None => Ok(&reply.body),
        };
    }
    let document = Document::parse(&reply.body, "it").ok();
    let text = |names: [&str; 3]| {
        let document = document.as_ref()?;
        names.iter().find_map(|name| document.text(name)).map(str::to_owned)
    };
    let error = Error::refused(reply.status(), text(["code", "Code", "error"]), text(MESSAGES));
    Err(error.with_retry_after(reply.retry_after()))
}

/// The members that hold a message; the last is that of OAuth (RFC 6749, section 5.2).
const MESSAGES: [&str; 3] = ["message", "Message", "error_description"];
