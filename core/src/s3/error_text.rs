//! The code and the message in the body of an error response that is no well-formed XML.
//!
//! Gateways and proxies before S3 servers refuse in JSON; some servers do not escape the text of a
//! message, and a document may be cut off. What can be read counts: a lost code is a refusal that is
//! repeated in vain, or a success of a response with the status 200.
//!
//! No JSON library reads it: S3 alone is compiled without one, and a document that was cut off has no
//! value for it.

use std::borrow::Cow;

/// Code and message, as far as the body has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ErrorText {
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
}

impl ErrorText {
    /// Reads a body that can't be parsed as XML.
    pub(super) fn of(body: &[u8]) -> Self {
        let body = body.get(..LONGEST).unwrap_or(body);
        let text = String::from_utf8_lossy(body);
        if is_error_document(body) {
            return Self { code: element(&text, "Code"), message: element(&text, "Message") };
        }
        if !text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).starts_with('{') {
            return Self::default();
        }
        let mut found = Self::default();
        for (name, value) in members(&text) {
            let (place, value) = match &*name {
                "code" | "Code" => (&mut found.code, value),
                // `com.amazonaws.s3#NoSuchKey`, as the JSON protocols of AWS write it.
                "__type" => (&mut found.code, value.rsplit('#').next().unwrap_or_default().into()),
                "message" | "Message" => (&mut found.message, value),
                _ => continue,
            };
            if place.is_none() {
                *place = Some(value.trim().to_owned()).filter(|text| !text.is_empty());
            }
        }
        found
    }
}

/// Returns whether a body begins as an error document, well-formed or not.
pub(super) fn is_error_document(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body.get(..LONGEST).unwrap_or(body));
    let mut rest = text.trim_start_matches(|char: char| char == '\u{feff}' || char.is_whitespace());
    while let Some(after) = rest.strip_prefix("<?").or(rest.strip_prefix("<!--")) {
        let Some((_, next)) = after.split_once('>') else { return false };
        rest = next.trim_start();
    }
    let Some(tag) = rest.strip_prefix('<') else { return false };
    let end = tag.find(|char: char| char.is_whitespace() || matches!(char, '>' | '/'));
    let name = end.map_or("", |end| &tag[..end]);
    name.rsplit(':').next().unwrap_or_default().eq_ignore_ascii_case("error")
}

/// Returns the text of the first element of this name that is closed. Its references stay as they
/// are.
fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inner.trim().to_owned()).filter(|inner| !inner.is_empty())
}

/// Returns the members of a JSON object and of the objects in it whose values are texts.
fn members(text: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (name, after) = string(&rest[rest.find('"')?..])?;
            rest = after;
            let Some(value) = rest.trim_start().strip_prefix(':') else { continue };
            let value = value.trim_start();
            if value.starts_with('"') {
                let (value, after) = string(value)?;
                rest = after;
                return Some((name, value));
            }
        }
    })
}

/// Splits off the string that `text` begins with.
fn string(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut end = 0;
    loop {
        end += inner.get(end..)?.find(['"', '\\'])?;
        if inner[end..].starts_with('"') {
            break;
        }
        // The escaped character may have several bytes.
        end += 1 + inner[end + 1..].chars().next()?.len_utf8();
    }
    let value = &inner[..end];
    let plain = match value.contains('\\') {
        true => Cow::Owned(value.replace("\\\"", "\"").replace("\\/", "/").replace("\\n", " ")),
        false => Cow::Borrowed(value),
    };
    Some((plain, &inner[end + 1..]))
}

/// How much of a body is read, in bytes.
const LONGEST: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> (Option<String>, Option<String>) {
        let ErrorText { code, message } = ErrorText::of(body.as_bytes());
        (code, message)
    }

    fn both(code: &str, message: &str) -> (Option<String>, Option<String>) {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        (some(code), some(message))
    }

    #[test]
    fn what_a_broken_document_says_is_read() {
        for (body, expected) in [
            (
                "<Error><Code>InternalError</Code><Message>a & b</Message></Error>",
                both("InternalError", "a & b"),
            ),
            ("<Error><Code>SlowDown</Code><Mess", both("SlowDown", "")),
            ("\u{feff}<?xml version='1.0'?>\n<!-- x -->\n<Error ><Code>A</Code>", both("A", "")),
            ("<Error><Code>SlowDown", both("", "")),
            ("<html><Code>A</Code>", both("", "")),
            ("<Error", both("", "")),
            ("", both("", "")),
        ] {
            assert_eq!(of(body), expected, "{body}");
        }
    }

    // What API gateways, LocalStack's internal errors and the JSON protocols of AWS look like.
    #[test]
    fn what_a_document_in_json_says_is_read() {
        for (body, expected) in [
            (r#"{"Code":"NoSuchKey","Message":"gone"}"#, both("NoSuchKey", "gone")),
            (
                r#" { "error" : { "code" : "A" , "message" : "b \"c\" \\ d" } }"#,
                both("A", "b \"c\" \\\\ d"),
            ),
            (r#"{"message":"Forbidden"}"#, both("", "Forbidden")),
            (r#"{"__type":"com.amazon#NoSuchKey"}"#, both("NoSuchKey", "")),
            (r#"{"code":404,"message":null,"x":["code","y"],"é":"\é"}"#, both("", "")),
            (r#"{"code":"A","code":"B"}"#, both("A", "")),
            (r#"{"code":"A"#, both("", "")),
            (r#"{"code":"A\"#, both("", "")),
            (r#"["code","A"]"#, both("", "")),
        ] {
            assert_eq!(of(body), expected, "{body}");
        }
    }
}
