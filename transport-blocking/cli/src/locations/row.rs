//! An entry in the table of locations.

use serde_json::{Map, Value};

/// An entry, with all its members.
pub(super) struct Row {
    row: Map<String, Value>,
    /// The metadata, if they are a JSON text in a string, as databases store them.
    in_text: Option<Map<String, Value>>,
}

impl Row {
    /// Parses a line. An error has the entry's id, if that could be read, and nothing else of the
    /// line.
    pub(super) fn read(text: &[u8]) -> Result<Self, (Value, String)> {
        let row: Map<String, Value> = serde_json::from_slice(text).map_err(|error| {
            let problem = match error.classify() {
                serde_json::error::Category::Data => "the row is not a JSON object".to_owned(),
                _ => format!("the row is not valid JSON from column {} on", error.column()),
            };
            (Value::Null, problem)
        })?;
        let wrong = |problem: &str| {
            Err((row.get("id").cloned().unwrap_or(Value::Null), problem.to_owned()))
        };
        match row.get("url") {
            Some(Value::String(_)) => {}
            Some(_) => return wrong("url is not a string"),
            None => return wrong("url is missing"),
        }
        let mut in_text = None;
        let metadata = match row.get("metadata") {
            None | Some(Value::Null) => None,
            Some(Value::Object(metadata)) => Some(metadata),
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::String(text)) => match serde_json::from_str(text) {
                Ok(metadata) => Some(&*in_text.insert(metadata)),
                Err(_) => return wrong("metadata is a string that is not a JSON object"),
            },
            Some(_) => return wrong("metadata is not an object"),
        };
        match metadata.and_then(|metadata| metadata.get("store")) {
            None | Some(Value::Null | Value::String(_)) => {}
            Some(_) => return wrong("metadata.store is not a string"),
        }
        Ok(Self { row, in_text })
    }

    pub(super) fn id(&self) -> &Value {
        self.row.get("id").unwrap_or(&Value::Null)
    }

    pub(super) fn url(&self) -> &str {
        self.row.get("url").and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn store(&self) -> Option<&str> {
        let metadata = match &self.in_text {
            Some(metadata) => Some(metadata),
            None => self.row.get("metadata").and_then(Value::as_object),
        };
        metadata?.get("store")?.as_str()
    }

    /// Returns the entry with this URL and this `store`; the metadata keep their form.
    pub(super) fn changed(mut self, url: String, store: String) -> Value {
        self.row.insert("url".to_owned(), url.into());
        let was_text = matches!(self.row.get("metadata"), Some(Value::String(_)));
        let mut metadata = match (self.in_text.take(), self.row.remove("metadata")) {
            (Some(metadata), _) | (None, Some(Value::Object(metadata))) => metadata,
            _ => Map::new(),
        };
        metadata.insert("store".to_owned(), store.into());
        let metadata = Value::Object(metadata);
        let metadata = if was_text { Value::String(metadata.to_string()) } else { metadata };
        self.row.insert("metadata".to_owned(), metadata);
        Value::Object(self.row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(line: &str) -> String {
        let row = Row::read(line.as_bytes()).map_err(|(_, problem)| problem).unwrap();
        row.changed("s3://h/b/k".to_owned(), "fast".to_owned()).to_string()
    }

    #[test]
    fn metadata_keep_their_form() {
        for (line, expect) in [
            (
                r#"{"id":1,"url":"s3://A:B@h/b/k","metadata":{"x":1,"store":"old"}}"#,
                r#"{"id":1,"metadata":{"store":"fast","x":1},"url":"s3://h/b/k"}"#,
            ),
            (
                r#"{"url":"u","metadata":"{\"x\": 1}","status":"active"}"#,
                r#"{"metadata":"{\"store\":\"fast\",\"x\":1}","status":"active","url":"s3://h/b/k"}"#,
            ),
            (r#"{"url":"u"}"#, r#"{"metadata":{"store":"fast"},"url":"s3://h/b/k"}"#),
            (
                r#"{"url":"u","metadata":null}"#,
                r#"{"metadata":{"store":"fast"},"url":"s3://h/b/k"}"#,
            ),
        ] {
            assert_eq!(changed(line), expect);
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_not_repeated() {
        for (line, expect) in [
            ("{", "the row is not valid JSON from column 1 on"),
            ("[1]", "the row is not a JSON object"),
            ("\"hunter2\"", "the row is not a JSON object"),
            (r#"{"id":1}"#, "url is missing"),
            (r#"{"url":["hunter2"]}"#, "url is not a string"),
            (
                r#"{"url":"u","metadata":"hunter2"}"#,
                "metadata is a string that is not a JSON object",
            ),
            (r#"{"url":"u","metadata":1}"#, "metadata is not an object"),
            (r#"{"url":"u","metadata":{"store":1}}"#, "metadata.store is not a string"),
        ] {
            let Err((_, problem)) = Row::read(line.as_bytes()) else { panic!("{line}") };
            assert_eq!(problem, expect);
        }
    }
}
