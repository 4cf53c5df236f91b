//! An entry in the table of locations. What is not changed keeps its text: numbers of any size and
//! form, and the order of the members.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// An entry, with all its members.
pub(super) struct Row<'a> {
    members: Members<'a>,
    url: String,
    metadata: Metadata,
    store: Option<String>,
}

/// The form of the metadata.
enum Metadata {
    /// There is no such member.
    Missing,
    Null,
    /// A JSON text in a string, as databases store them.
    Text(String),
    Object,
}

/// The members of an object, in their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

/// The names of a member: the image service's, and that of its database's column.
pub(super) type Names = [&'static str; 2];

impl<'a> Row<'a> {
    /// Parses a row. An error has the entry's id, if that could be read, and nothing else of the
    /// row.
    pub(super) fn read(text: &'a [u8]) -> Result<Self, (Value, String)> {
        let members: Members<'a> = serde_json::from_slice(text).map_err(|error| {
            let problem = match error.classify() {
                serde_json::error::Category::Data => "the row is not a JSON object".to_owned(),
                _ => format!("the row is not valid JSON from column {} on", error.column()),
            };
            (Value::Null, problem)
        })?;
        Self::of(members).map_err(|(members, problem)| (members.id(), problem))
    }

    fn of(members: Members<'a>) -> Result<Self, (Members<'a>, String)> {
        let url = match members.only(URL) {
            Ok(Some(url)) => serde_json::from_str(url.get()).map_err(|_| "url is not a string"),
            Ok(None) => Err("url is missing: select `value` or `url`"),
            Err(problem) => Err(problem),
        };
        let read = url.map_err(str::to_owned).and_then(|url: String| {
            let (metadata, store) = metadata(members.only(METADATA)?)?;
            Ok((url, metadata, store))
        });
        match read {
            Ok((url, metadata, store)) => Ok(Self { members, url, metadata, store }),
            Err(problem) => Err((members, problem)),
        }
    }

    /// Returns the id as it is written; 64 bits are not always enough for it.
    pub(super) fn id(&self) -> &str {
        self.members.get("id").map_or("null", RawValue::get)
    }

    /// Returns the id as an error reports it.
    pub(super) fn told_id(&self) -> Value {
        self.members.id()
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn store(&self) -> Option<&str> {
        self.store.as_deref()
    }

    /// Returns whether the entry is of a deleted image, whose object was deleted with it.
    pub(super) fn is_deleted(&self) -> bool {
        self.is("deleted", &["1", "true", "\"1\"", "\"t\""]) && !self.is_pending_delete()
    }

    /// Returns whether the object is yet to be deleted, or just was.
    pub(super) fn is_pending_delete(&self) -> bool {
        self.is("status", &["\"pending_delete\""])
    }

    fn is(&self, name: &str, texts: &[&str]) -> bool {
        self.members.get(name).is_some_and(|value| texts.contains(&value.get()))
    }

    /// Returns the new metadata; `None` if the entry has no such member.
    pub(super) fn metadata_with(&self, store: &str) -> Option<String> {
        let store = Value::from(store).to_string();
        let found = match &self.metadata {
            Metadata::Missing => return None,
            Metadata::Null => None,
            Metadata::Text(text) => Some(text.as_str()),
            Metadata::Object => self.members.get_any(METADATA).map(RawValue::get),
        };
        let found = found.and_then(|text| serde_json::from_str::<Members<'_>>(text).ok());
        Some(match found {
            Some(members) => members.with(&[(["store"; 2], store)]),
            None => format!("{{\"store\":{store}}}"),
        })
    }

    /// Returns the metadata in the form that databases store, to compare with.
    pub(super) fn metadata_text(&self) -> Option<&str> {
        match &self.metadata {
            Metadata::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns whether the metadata are stored as NULL.
    pub(super) fn has_null_metadata(&self) -> bool {
        matches!(self.metadata, Metadata::Null)
    }

    /// Returns the entry with this URL and this `store`; the metadata keep their form. With `was`,
    /// also with the old values.
    pub(super) fn changed(&self, url: &str, store: &str, was: bool) -> String {
        let metadata = self.metadata_with(store);
        let metadata = match (&self.metadata, metadata) {
            (Metadata::Text(_), Some(text)) => Value::from(text).to_string(),
            (_, Some(text)) => text,
            (_, None) => json!({ "store": store }).to_string(),
        };
        let mut changes = vec![(URL, Value::from(url).to_string()), (METADATA, metadata)];
        if was {
            changes.push((["was"; 2], Value::from(self.url()).to_string()));
            changes.push((["was_store"; 2], json!(self.store).to_string()));
        }
        self.members.with(&changes)
    }
}

/// Returns the form of the metadata, and `store`.
fn metadata(found: Option<&RawValue>) -> Result<(Metadata, Option<String>), String> {
    let Some(found) = found else { return Ok((Metadata::Missing, None)) };
    let form = match found.get().as_bytes().first() {
        Some(b'n') => Metadata::Null,
        Some(b'{') => Metadata::Object,
        Some(b'"') => match serde_json::from_str(found.get()) {
            Ok(text) => Metadata::Text(text),
            Err(_) => return Err("metadata is a string that is not a JSON object".to_owned()),
        },
        _ => return Err("metadata is not an object".to_owned()),
    };
    let text = match &form {
        Metadata::Text(text) if text.is_empty() || text.trim() == "null" => {
            return Ok((form, None));
        }
        Metadata::Text(text) => text,
        Metadata::Object => found.get(),
        _ => return Ok((form, None)),
    };
    let members: Members<'_> = serde_json::from_str(text).map_err(|_| match form {
        Metadata::Text(_) => "metadata is a string that is not a JSON object",
        _ => "metadata is not an object",
    })?;
    let store = match members.only(["store"; 2])? {
        None => None,
        Some(store) => {
            serde_json::from_str(store.get()).map_err(|_| "metadata.store is not a string")?
        }
    };
    Ok((form, store))
}

impl<'a> Members<'a> {
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.get_any([name; 2])
    }

    fn get_any(&self, names: [&str; 2]) -> Option<&'a RawValue> {
        let found = self.0.iter().find(|(name, _)| names.contains(&name.as_str()));
        found.map(|(_, value)| *value)
    }

    /// Returns the member that has one of these names; an error if there are two.
    fn only(&self, names: Names) -> Result<Option<&'a RawValue>, &'static str> {
        let mut found = self.0.iter().filter(|(name, _)| names.contains(&name.as_str()));
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(match names {
                URL => "the row has two URLs",
                METADATA => "the row has two members of metadata",
                _ => "the metadata have two stores",
            }),
            (found, None) => Ok(found.map(|(_, value)| *value)),
        }
    }

    fn id(&self) -> Value {
        match self.get("id").map(RawValue::get) {
            None => Value::Null,
            // A number that is not exact in this type is reported as a string.
            Some(text) => match serde_json::from_str(text) {
                Ok(Value::Number(number)) if number.to_string() == text => number.into(),
                Ok(Value::String(text)) => text.into(),
                Ok(Value::Null) => Value::Null,
                _ => text.into(),
            },
        }
    }

    /// Returns the object with these members replaced, or added at its end under their first name.
    fn with(&self, changes: &[(Names, String)]) -> String {
        let mut changes: Vec<_> = changes.iter().map(|change| (change, false)).collect();
        let mut text = String::from("{");
        let mut put = |name: &str, value: &str| {
            let comma = if text.len() > 1 { "," } else { "" };
            text += &format!("{comma}{}:{value}", Value::from(name));
        };
        for (name, value) in &self.0 {
            let change = changes.iter_mut().find(|((names, _), _)| names.contains(&name.as_str()));
            match change {
                Some(((_, new), is_done)) => {
                    *is_done = true;
                    put(name, new);
                }
                None => put(name, &compact(value.get())),
            }
        }
        for ((names, value), _) in changes.iter().filter(|(_, is_done)| !is_done) {
            put(names[0], value);
        }
        text + "}"
    }
}

/// Removes the space between the tokens of a JSON text.
fn compact(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        return text.into();
    }
    let (mut in_string, mut is_escaped) = (false, false);
    let is_kept = |char: &char| {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' if in_string => is_escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        in_string || !char.is_ascii_whitespace()
    };
    text.chars().filter(is_kept).collect::<String>().into()
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Object).map(Members)
    }
}

/// In the image service's API, and in the table `image_locations` of its database.
const URL: Names = ["url", "value"];
const METADATA: Names = ["metadata", "meta_data"];

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(line: &str) -> String {
        let row = Row::read(line.as_bytes()).map_err(|(_, problem)| problem).unwrap();
        row.changed("s3://h/b/k", "fast", false)
    }

    #[test]
    fn metadata_keep_their_form() {
        for (line, expect) in [
            (
                r#"{"id":1,"url":"s3://A:B@h/b/k","metadata":{"x":1,"store":"old"}}"#,
                r#"{"id":1,"url":"s3://h/b/k","metadata":{"x":1,"store":"fast"}}"#,
            ),
            (
                r#"{"url":"u","metadata":"{\"x\": 1}","status":"active"}"#,
                r#"{"url":"s3://h/b/k","metadata":"{\"x\":1,\"store\":\"fast\"}","status":"active"}"#,
            ),
            (r#"{"url":"u"}"#, r#"{"url":"s3://h/b/k","metadata":{"store":"fast"}}"#),
            (
                r#"{"url":"u","metadata":null}"#,
                r#"{"url":"s3://h/b/k","metadata":{"store":"fast"}}"#,
            ),
            (
                r#"{"url":"u","metadata":""}"#,
                r#"{"url":"s3://h/b/k","metadata":"{\"store\":\"fast\"}"}"#,
            ),
            // The columns of glance's database.
            (
                r#"{"value":"u","meta_data":"{}"}"#,
                r#"{"value":"s3://h/b/k","meta_data":"{\"store\":\"fast\"}"}"#,
            ),
        ] {
            assert_eq!(changed(line), expect);
        }
    }

    #[test]
    fn what_is_not_changed_keeps_its_text() {
        let line = r#"{"id": 18446744073709551616, "url":"u", "f": [2.50, 1e400, -0.0, "a b"],
            "metadata":{"n":184467440737095516160, "x": 2.50 }, "f":"\u00e9\ud800 \"[ {" }"#;
        assert_eq!(
            changed(line),
            r#"{"id":18446744073709551616,"url":"s3://h/b/k","f":[2.50,1e400,-0.0,"a b"],"#
                .to_owned()
                + r#""metadata":{"n":184467440737095516160,"x":2.50,"store":"fast"},"#
                + r#""f":"\u00e9\ud800 \"[ {"}"#
        );
        let row = Row::read(line.as_bytes()).ok().unwrap();
        assert_eq!(row.id(), "18446744073709551616");
        assert_eq!(row.told_id(), "18446744073709551616");
    }

    #[test]
    fn what_is_wrong_is_named_and_not_repeated() {
        for (line, expect) in [
            ("{", "the row is not valid JSON from column 1 on"),
            ("[1]", "the row is not a JSON object"),
            ("\"hunter2\"", "the row is not a JSON object"),
            (r#"{"id":1}"#, "url is missing: select `value` or `url`"),
            (r#"{"url":["hunter2"]}"#, "url is not a string"),
            (r#"{"url":"hunter2","value":"hunter2"}"#, "the row has two URLs"),
            (r#"{"url":"u","metadata":{},"metadata":{}}"#, "the row has two members of metadata"),
            (
                r#"{"url":"u","metadata":"hunter2"}"#,
                "metadata is a string that is not a JSON object",
            ),
            (r#"{"url":"u","metadata":1}"#, "metadata is not an object"),
            (r#"{"url":"u","metadata":{"store":1}}"#, "metadata.store is not a string"),
            (
                r#"{"url":"u","metadata":{"store":null,"store":"x"}}"#,
                "the metadata have two stores",
            ),
        ] {
            let Err((_, problem)) = Row::read(line.as_bytes()) else { panic!("{line}") };
            assert_eq!(problem, expect);
        }
    }
}
