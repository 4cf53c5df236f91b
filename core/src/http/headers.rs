//! Typed looks at the headers of an answer.

use std::collections::BTreeMap;
use std::str::FromStr;

use http::header::{HeaderMap, HeaderValue};

/// Headers, read leniently: what is missing or makes no sense is none.
pub(crate) struct Headers<'a>(pub(crate) &'a HeaderMap);

impl<'a> Headers<'a> {
    /// Only of visible ASCII.
    pub(crate) fn plain(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.plain()
    }

    /// Also of bytes outside ASCII, which some servers send.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|field| field.text())
    }

    /// A number, or a word of ours.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parsed()
    }

    /// `true` or not, in any case of letters.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name)?.flag()
    }

    /// Items of metadata: what is named with this prefix, several values joined by a comma.
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

    /// All of them; of those that are repeated, the first. An answer has few of the many that it
    /// may have, so that to go through them once is faster than to look for each.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'a str, Field<'a>)> + use<'a> {
        let mut last = None;
        let firsts = self.0.iter().filter(move |(name, _)| last.replace(*name) != Some(*name));
        firsts.map(|(name, value)| (name.as_str(), Field(value)))
    }

    /// Compares with all of them, which are few: that is faster than to hash a name, and most of the
    /// names that are asked for are not there.
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
        // To look whether it is text is faster than to repair what is none.
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
