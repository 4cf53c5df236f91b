//! A signed HTML form: what a browser may upload, to where, until when.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::canonical::Sink;
use super::v4::Signing;
use crate::error::Error;
use crate::now::Timestamp;

/// What a form may upload. [`sign`](Self::sign) makes the fields of the form from it.
///
/// "Browser-Based Uploads Using POST (AWS Signature Version 4)", Amazon S3 API reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostPolicy {
    bucket: String,
    key: String,
    expires: Duration,
    conditions: Vec<Condition>,
    fields: Vec<(String, String)>,
}

/// What has to be true of an upload. Every field of a form but the signature's own, `policy` and
/// `file` has to be named by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The field has this value; written `{"acl": "public-read"}`.
    Exact(String, String),
    /// The field has this value; written `["eq", "$acl", "public-read"]`.
    Eq(String, String),
    /// The field's value starts with this text, which may be empty; written
    /// `["starts-with", "$key", "user/"]`.
    StartsWith(String, String),
    /// The upload has at least and at most so many bytes.
    ContentLengthRange(u64, u64),
}

impl PostPolicy {
    /// Allows one upload to this key of this bucket, for `expires` from the time of the signature.
    /// A key that ends in `${filename}` allows every key that starts with what is before that.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>, expires: Duration) -> Self {
        let (bucket, key) = (bucket.into(), key.into());
        Self { bucket, key, expires, conditions: Vec::new(), fields: Vec::new() }
    }

    /// Adds a condition. Those on bucket, key and signature are added by [`sign`](Self::sign).
    #[must_use]
    pub fn condition(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Adds a field to the form. It needs a [`condition`](Self::condition) as well.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// The names and values of the form's fields, to be sent in any order before the field `file`.
    /// They are as good as a password until they expire.
    ///
    /// # Errors
    ///
    /// [`Kind::Caller`](crate::Kind::Caller) when a range of lengths is empty, or when the name of
    /// a field has a control character or a quotation mark, which would break the form.
    pub fn sign(&self, signing: &Signing) -> Result<Vec<(String, String)>, Error> {
        let mut fields = self.fields.clone();
        for (name, _) in &fields {
            if name.chars().any(|char| char.is_control() || char == '"') {
                return Err(Error::caller(format!("{name:?} can't be the name of a form's field")));
            }
        }
        fields.push(("key".into(), self.key.clone()));
        let own = [
            ("x-amz-algorithm", Some("AWS4-HMAC-SHA256")),
            ("x-amz-credential", Some(signing.key.credential())),
            ("x-amz-date", Some(signing.date())),
            ("x-amz-security-token", signing.keys().token().map(|token| token.expose())),
        ];
        for (name, value) in own {
            if let Some(value) = value {
                fields.push((name.into(), value.into()));
            }
        }
        let policy = STANDARD.encode(self.document(signing.at, &fields[self.fields.len() + 1..])?);
        let signature = signing.key.signature(|mac| mac.write(policy.as_bytes()));
        fields.push(("policy".into(), policy));
        fields.push(("x-amz-signature".into(), signature.as_str().into()));
        Ok(fields)
    }

    /// The policy as JSON. The service takes any writing of it, and what is written is signed; so
    /// order and spacing are those of the AWS SDK for Python.
    fn document(&self, at: Timestamp, own: &[(String, String)]) -> Result<String, Error> {
        let seconds = i64::try_from(self.expires.as_secs()).unwrap_or(i64::MAX);
        let until = Timestamp::from_unix(at.unix().saturating_add(seconds));
        let place = match self.key.strip_suffix("${filename}") {
            Some(prefix) => Condition::StartsWith("key".into(), prefix.into()),
            None => Condition::Exact("key".into(), self.key.clone()),
        };
        let mut out = format!("{{\"expiration\": \"{}\", \"conditions\": [", until.iso8601());
        for condition in &self.conditions {
            condition.write(&mut out)?;
            out.push_str(", ");
        }
        write_exact(&mut out, "bucket", &self.bucket);
        out.push_str(", ");
        place.write(&mut out)?;
        for (name, value) in own {
            out.push_str(", ");
            write_exact(&mut out, name, value);
        }
        out.push_str("]}");
        Ok(out)
    }
}

impl Condition {
    fn write(&self, out: &mut String) -> Result<(), Error> {
        match self {
            Self::Exact(field, value) => write_exact(out, field, value),
            Self::Eq(field, value) => write_match(out, "eq", field, value),
            Self::StartsWith(field, prefix) => write_match(out, "starts-with", field, prefix),
            Self::ContentLengthRange(least, most) if least <= most => {
                out.push_str(&format!("[\"content-length-range\", {least}, {most}]"));
            }
            Self::ContentLengthRange(least, most) => {
                return Err(Error::caller(format!(
                    "an upload can't have at least {least} and at most {most} bytes"
                )));
            }
        }
        Ok(())
    }
}

fn write_exact(out: &mut String, field: &str, value: &str) {
    out.push('{');
    write_json(out, "", field);
    out.push_str(": ");
    write_json(out, "", value);
    out.push('}');
}

fn write_match(out: &mut String, operator: &str, field: &str, value: &str) {
    out.push('[');
    write_json(out, "", operator);
    out.push_str(", ");
    write_json(out, "$", field);
    out.push_str(", ");
    write_json(out, "", value);
    out.push(']');
}

/// Writes `mark` and `text` as one JSON string of ASCII characters (RFC 8259, section 7).
fn write_json(out: &mut String, mark: &str, text: &str) {
    out.push('"');
    out.push_str(mark);
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(char),
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}
