//! Typed looks at the headers of an answer.

use std::collections::BTreeMap;
use std::str::FromStr;

use http::header::{HeaderMap, HeaderValue};

/// Headers, read leniently: what is missing or makes no sense is none.
pub(crate) struct Headers<'a>(pub(crate) &'a HeaderMap);

impl<'a> Headers<'a> {
    /// Only of visible ASCII.
    pub(crate) fn plain(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(|value| value.to_str().ok())
    }

    /// Also of bytes outside ASCII, which some servers send.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(lossy)
    }

    /// A number, or a word of ours.
    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.plain(name).and_then(|text| text.trim().parse().ok())
    }

    /// `true` or not, in any case of letters.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.plain(name).map(|text| text.trim().eq_ignore_ascii_case("true"))
    }

    /// Items of metadata: what is named with this prefix, several values joined by a comma.
    pub(crate) fn items(&self, prefix: &str) -> BTreeMap<String, String> {
        let mut items = BTreeMap::new();
        for (name, value) in self.0 {
            if let Some(name) = name.as_str().strip_prefix(prefix) {
                items
                    .entry(name.to_owned())
                    .and_modify(|all: &mut String| {
                        all.push(',');
                        all.push_str(&lossy(value));
                    })
                    .or_insert_with(|| lossy(value));
            }
        }
        items
    }

    /// Compares with all of them, which are few: that is faster than to hash a name, and most of the
    /// names that are asked for are not there.
    fn get(&self, name: &str) -> Option<&'a HeaderValue> {
        self.0.iter().find_map(|(have, value)| (have.as_str() == name).then_some(value))
    }
}

fn lossy(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}
