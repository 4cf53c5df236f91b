//! Typed access to the header fields of a response.

use std::collections::BTreeMap;
use std::str::FromStr;

use http::header::{HeaderMap, HeaderValue};

/// Header fields, read leniently: a field that is missing or can't be parsed is `None`.
pub(crate) struct Headers<'a>(pub(crate) &'a HeaderMap);

impl<'a> Headers<'a> {
    /// Returns the value if it consists of visible ASCII.
    pub(crate) fn plain(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.plain()
    }

    /// Returns the value, including bytes outside ASCII, which some servers send.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|field| field.text())
    }

    /// Returns the value parsed as a number or another type.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parsed()
    }

    /// Returns whether the value is `true`, in upper or lower case.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name)?.flag()
    }

    /// Returns the metadata: all fields with this prefix, several values of one name joined by a
    /// comma.
    pub(crate) fn items(&self, prefix: &str) -> BTreeMap<String, String> {
        let mut items = BTreeMap::new();
        for (name, value) in self.0 {
            if let Some(name) = name.as_str().strip_prefix(prefix) {
                let text = Field(value).text();
                items
                    .entry(name.to_owned())
                    .and_modify(|all: &mut String| {
                        all.push(',');
                        all.push_str(&text);
                    })
                    .or_insert(text);
            }
        }
        items
    }

    /// Returns all fields; of repeated fields, the first. A response has few of the many fields
    /// that it may have, so that one pass over them is faster than a search for each.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'a str, Field<'a>)> + use<'a> {
        let mut last = None;
        let firsts = self.0.iter().filter(move |(name, _)| last.replace(*name) != Some(*name));
        firsts.map(|(name, value)| (name.as_str(), Field(value)))
    }

    /// Compares `name` with the names of all fields. They are few, so that this is faster than
    /// hashing the name, and most of the names are not present.
    fn get(&self, name: &str) -> Option<Field<'a>> {
        self.0.iter().find_map(|(have, value)| (have.as_str() == name).then_some(Field(value)))
    }
}

/// The value of one header.
pub(crate) struct Field<'a>(pub(crate) &'a HeaderValue);

impl<'a> Field<'a> {
    /// As [`Headers::plain`].
    pub(crate) fn plain(&self) -> Option<&'a str> {
        self.0.to_str().ok()
    }

    /// As [`Headers::text`].
    pub(crate) fn text(&self) -> String {
        let bytes = self.0.as_bytes();
        // To check that it is UTF-8 is faster than to convert it lossily.
        let text = str::from_utf8(bytes).map(str::to_owned);
        text.unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned())
    }

    /// As [`Headers::parsed`].
    pub(crate) fn parsed<T: FromStr>(&self) -> Option<T> {
        self.plain()?.trim().parse().ok()
    }

    /// As [`Headers::flag`].
    pub(crate) fn flag(&self) -> Option<bool> {
        self.plain().map(|text| text.trim().eq_ignore_ascii_case("true"))
    }
}
