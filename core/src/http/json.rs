//! JSON as servers send it.

use serde::de::{DeserializeOwned, Error as _};
use serde_json::{Error, Value};

/// Reads a document.
///
/// Two things that are no errors of the document as a whole are read nevertheless: half a surrogate
/// pair in a text becomes U+FFFD, and of a member that is there twice the last one counts.
///
/// A value of two bytes takes up to 600 bytes of memory (an object with one member), so that a limit
/// on the bytes of a response bounds no memory: [`MOST_VALUES`] does.
///
/// # Errors
///
/// It is not valid JSON, or not of this type, or has too many values.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    if has_more_than(MOST_VALUES, body) {
        return Err(Error::custom(format!("it has more than {MOST_VALUES} values")));
    }
    let read = serde_json::from_slice(body);
    let leniently = || serde_json::from_value(serde_json::from_slice::<Value>(&whole(body))?);
    read.or_else(|why| leniently().map_err(|_: Error| why))
}

/// Replaces escapes of half a character (`\ud800` without its other half) by U+FFFD. Names of Swift
/// may have them, and no text of Rust's can.
fn whole(body: &[u8]) -> Vec<u8> {
    let half = |at: usize| {
        let escape = body.get(at..at + 6)?;
        let digits = std::str::from_utf8(escape.strip_prefix(b"\\u")?).ok()?;
        u16::from_str_radix(digits, 16).ok()
    };
    let (mut out, mut at) = (Vec::with_capacity(body.len()), 0);
    while let Some(byte) = body.get(at) {
        let length = match (half(at), half(at + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                out.extend(br"\ufffd");
                at += 6;
                continue;
            }
            _ if *byte == b'\\' => 2,
            _ => 1,
        };
        out.extend(body.iter().skip(at).take(length));
        at += length;
    }
    out
}

/// Returns where a document is not what it should be. It has no text of the document, which may be
/// secret.
pub(crate) fn place(error: &Error) -> String {
    match error.line() {
        0 => error.to_string(),
        line => format!("line {line}, column {}", error.column()),
    }
}

/// Counts what begins a value: a list, an object, and each further one in them.
fn has_more_than(most: usize, document: &[u8]) -> bool {
    let (mut values, mut in_text, mut escaped) = (0, false, false);
    for byte in document {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'[' | b'{' | b',' if !in_text => values += 1,
            _ => {}
        }
    }
    values > most
}

/// How many values a document may have: seven times those of a page of 10,000 objects.
const MOST_VALUES: usize = 500_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_outside_of_texts() {
        let document = br#"[{"a,[{": 1, "b\",,\\": [2, 3]}, ",", "\"", {}]"#;
        assert!(has_more_than(8, document) && !has_more_than(9, document));
        assert!(!has_more_than(2, br#"["\\", 1"#) && has_more_than(2, br#"["\\", 1, 2"#));
    }

    #[test]
    fn a_document_of_too_many_values_is_not_read() {
        let list =
            |value: &str, count: usize| format!("[{}{value}]", format!("{value},").repeat(count));
        for value in ["1", "{}", "[]", r#"{"a":0}"#] {
            let error = parse::<Value>(list(value, MOST_VALUES).as_bytes()).unwrap_err();
            assert!(error.to_string().contains("500000 values"), "{error}");
        }
        parse::<Value>(list("1", MOST_VALUES - 2).as_bytes()).unwrap();
        // A page of the longest names.
        let entry =
            format!(r#"{{"name":"{}","bytes":1,"hash":"a","subdir":"x"}}"#, ",[{".repeat(300));
        assert_eq!(parse::<Vec<Value>>(list(&entry, 9_999).as_bytes()).unwrap().len(), 10_000);
    }
}
