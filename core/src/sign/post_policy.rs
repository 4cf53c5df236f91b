//! Signed HTML forms: what a browser may upload, where, and until when.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::canonical::Sink;
use super::v4::Signing;
use crate::error::Error;
use crate::now::Timestamp;

/// What a form may upload. [`sign`](Self::sign) creates the fields of the form.
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

/// A condition on an upload. Every field of a form needs one, except for the signature's own
/// fields, `policy` and `file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The field has this value; written `{"acl": "public-read"}`.
    Exact(String, String),
    /// The field has this value; written `["eq", "$acl", "public-read"]`.
    Eq(String, String),
    /// The field's value starts with this text, which may be empty; written
    /// `["starts-with", "$key", "user/"]`.
    StartsWith(String, String),
    /// The upload has at least the first and at most the second number of bytes.
    ContentLengthRange(u64, u64),
}

/// The fields of a form that permits an upload.
#[derive(Clone)]
pub struct PostForm {
    /// Names and values, to be sent in any order before the field `file`. They permit the upload
    /// until they expire, so `Debug` shows only the names.
    pub fields: Vec<(String, String)>,
}

impl PostPolicy {
    /// Permits an upload to this key of this bucket, for `expires` from the time of the signature.
    /// A key that ends in `${filename}` permits every key with the prefix before it.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>, expires: Duration) -> Self {
        let (bucket, key) = (bucket.into(), key.into());
        Self { bucket, key, expires, conditions: Vec::new(), fields: Vec::new() }
    }

    /// Adds a condition. [`sign`](Self::sign) adds those on bucket, key and signature.
    #[must_use]
    pub fn condition(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Adds a field to the form. It needs a [`condition`](Self::condition) too.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Creates the form: the fields given, the key, the policy and its signature.
    ///
    /// # Errors
    ///
    /// [`Kind::InvalidInput`](crate::Kind::InvalidInput) if a range of lengths is empty, or if the name of a
    /// field has a control character or a quotation mark, which would break the form.
    pub fn sign(&self, signing: &Signing) -> Result<PostForm, Error> {
        let mut fields = self.fields.clone();
        for (name, _) in &fields {
            if name.chars().any(|char| char.is_control() || char == '"') {
                return Err(Error::invalid_input(format!("invalid form field name {name:?}")));
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
        let policy =
            STANDARD.encode(self.document(signing.at(), &fields[self.fields.len() + 1..])?);
        let signature = signing.key.signature(|mac| mac.write(policy.as_bytes()));
        fields.push(("policy".into(), policy));
        fields.push(("x-amz-signature".into(), signature.as_str().into()));
        Ok(PostForm { fields })
    }

    /// Returns the policy as JSON. The service accepts any form of JSON, which is signed as it is;
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

impl fmt::Debug for PostForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields.iter().map(|(name, _)| name)).finish()
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
                return Err(Error::invalid_input(format!(
                    "the minimum length of {least} bytes exceeds the maximum of {most} bytes"
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

#[cfg(test)]
mod tests {
    use super::super::{Keys, Rule, examples};
    use super::*;

    /// Amazon S3 API reference, "Example: Browser-Based Upload using HTTP POST": its policy, which
    /// differs from ours in form, and the signature of that policy.
    #[test]
    fn the_example_of_the_s3_reference() {
        let policy = STANDARD.encode(DOCUMENT.join("\r\n"));
        let signing = examples::s3("20151229T000000Z");
        let signature = signing.key.signature(|mac| mac.write(policy.as_bytes()));
        assert_eq!(
            signature.as_str(),
            "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"
        );
    }

    /// Made by botocore 1.44.5, `generate_presigned_post`.
    #[test]
    fn botocore_makes_the_same_form() {
        let mut keys = Keys::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        keys.session_token = Some("TO/K=".into());
        let signing = examples::signing(keys, "20260102T030405Z", "us-east-1", "s3", Rule::S3);
        let key = "user/é\"\\\u{7f}🦆/${filename}";
        let form = PostPolicy::new("bkt", key, Duration::from_secs(900))
            .field("acl", "public-read")
            .field("Content-Type", "image/\n")
            .condition(Condition::Exact("acl".into(), "public-read".into()))
            .condition(Condition::Eq("Content-Type".into(), "image/\n".into()))
            .condition(Condition::StartsWith("x-amz-meta-a".into(), String::new()))
            .condition(Condition::ContentLengthRange(1, 10))
            .sign(&signing)
            .unwrap();
        let fields: Vec<_> =
            form.fields.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        assert_eq!(
            fields,
            [
                ("acl", "public-read"),
                ("Content-Type", "image/\n"),
                ("key", key),
                ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
                ("x-amz-credential", "AKIDEXAMPLE/20260102/us-east-1/s3/aws4_request"),
                ("x-amz-date", "20260102T030405Z"),
                ("x-amz-security-token", "TO/K="),
                ("policy", &STANDARD.encode(POLICY)),
                (
                    "x-amz-signature",
                    "322dc07c02ab67958190f06e3562fd46f2213dc3f9ce5b1e9eb55ec31879101d"
                ),
            ]
        );
        assert!(!format!("{form:?}").contains("TO/K"));
    }

    #[test]
    fn what_can_not_be_is_refused() {
        let signing = examples::s3("20151229T000000Z");
        let policy = PostPolicy::new("b", "k", Duration::from_secs(60));
        let range = policy.clone().condition(Condition::ContentLengthRange(2, 1));
        assert!(
            range
                .sign(&signing)
                .unwrap_err()
                .message()
                .contains("2 bytes exceeds the maximum of 1")
        );
        for name in ["a\"b", "a\r\nb"] {
            assert!(policy.clone().field(name, "").sign(&signing).is_err());
        }
        // The longest duration ends at the end of the calendar.
        let forever = PostPolicy::new("b", "k", Duration::MAX).sign(&signing);
        assert!(forever.is_ok());
    }

    const POLICY: &str = concat!(
        "{\"expiration\": \"2026-01-02T03:19:05Z\", \"conditions\": [",
        "{\"acl\": \"public-read\"}, [\"eq\", \"$Content-Type\", \"image/\\n\"], ",
        "[\"starts-with\", \"$x-amz-meta-a\", \"\"], [\"content-length-range\", 1, 10], ",
        "{\"bucket\": \"bkt\"}, ",
        "[\"starts-with\", \"$key\", \"user/\\u00e9\\\"\\\\\\u007f\\ud83e\\udd86/\"], ",
        "{\"x-amz-algorithm\": \"AWS4-HMAC-SHA256\"}, ",
        "{\"x-amz-credential\": \"AKIDEXAMPLE/20260102/us-east-1/s3/aws4_request\"}, ",
        "{\"x-amz-date\": \"20260102T030405Z\"}, {\"x-amz-security-token\": \"TO/K=\"}]}",
    );

    const DOCUMENT: &[&str] = &[
        r#"{ "expiration": "2015-12-30T12:00:00.000Z","#,
        r#"  "conditions": ["#,
        r#"    {"bucket": "sigv4examplebucket"},"#,
        r#"    ["starts-with", "$key", "user/user1/"],"#,
        r#"    {"acl": "public-read"},"#,
        r#"    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},"#,
        r#"    ["starts-with", "$Content-Type", "image/"],"#,
        r#"    {"x-amz-meta-uuid": "14365123651274"},"#,
        r#"    {"x-amz-server-side-encryption": "AES256"},"#,
        r#"    ["starts-with", "$x-amz-meta-tag", ""],"#,
        r#""#,
        r#"    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},"#,
        r#"    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},"#,
        r#"    {"x-amz-date": "20151229T000000Z" }"#,
        r#"  ]"#,
        r#"}"#,
    ];
}
