//! The comparison of expected with actual results.

use std::fmt::Display;

use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

/// Collects the differences of one case.
#[derive(Debug, Default)]
pub(super) struct Check(Vec<Difference>);

/// A difference between the expected and the actual result.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    pub(super) what: String,
    pub(super) expected: String,
    pub(super) got: String,
}

impl Check {
    pub(super) fn into_differences(self) -> Vec<Difference> {
        self.0
    }

    pub(super) fn differs(
        &mut self,
        what: impl Into<String>,
        expected: impl Display,
        got: impl Display,
    ) {
        let (expected, got) = (expected.to_string(), got.to_string());
        self.0.push(Difference { what: what.into(), expected, got });
    }

    /// Compares texts.
    pub(super) fn same(&mut self, what: &str, expected: &str, got: &str) {
        if expected != got {
            self.differs(what, format!("{expected:?}"), format!("{got:?}"));
        }
    }

    /// Compares texts where one is expected.
    pub(super) fn same_if(&mut self, what: &str, expected: Option<&str>, got: &str) {
        if let Some(expected) = expected {
            self.same(what, expected, got);
        }
    }

    /// Compares bytes.
    pub(super) fn bytes(&mut self, what: &str, expected: &[u8], got: &[u8]) {
        if expected != got {
            self.differs(what, shown(expected), shown(got));
        }
    }

    /// Compares URLs: byte for byte up to the `?`, then the pairs in any order.
    pub(super) fn url(&mut self, expected: &str, got: &str) {
        let (expected_base, expected_query) = split_query(expected);
        let (got_base, got_query) = split_query(got);
        self.same("url", expected_base, got_base);
        if pairs(expected_query) != pairs(got_query) {
            self.differs("query", expected_query, got_query);
        }
    }

    /// Compares headers, ignoring their order and the case of their names.
    pub(super) fn headers(&mut self, expected: &[Header], got: &[Header]) {
        let (expected, got) = (sorted(expected), sorted(got));
        for (name, value) in expected.iter().filter(|header| !got.contains(header)) {
            let ours: Vec<&str> = values(&got, name);
            self.differs(format!("header {name}"), value, ours.join(" | "));
        }
        for (name, value) in &got {
            if values(&expected, name).is_empty() {
                self.differs(format!("header {name}"), "none", value);
            } else if values(&expected, name).len() < values(&got, name).len() {
                self.differs(format!("header {name}"), "fewer of them", value);
            }
        }
    }
}

/// A header's name and value.
pub(super) type Header = (String, String);

fn sorted(headers: &[Header]) -> Vec<Header> {
    let mut headers: Vec<Header> = headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    headers.sort();
    headers
}

fn values<'a>(headers: &'a [Header], name: &str) -> Vec<&'a str> {
    let named = headers.iter().filter(|(other, _)| other == name);
    named.map(|(_, value)| value.as_str()).collect()
}

pub(super) fn split_query(url: &str) -> (&str, &str) {
    url.split_once('?').unwrap_or((url, ""))
}

fn pairs(query: &str) -> Vec<(&str, &str)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<_> = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
    pairs.sort_unstable();
    pairs
}

fn shown(bytes: &[u8]) -> String {
    let start = String::from_utf8_lossy(bytes.get(..SHOWN).unwrap_or(bytes));
    format!("{} bytes: {start:?}", bytes.len())
}

/// An XML document, for comparison: elements of different names may be in any order, those of the
/// same name may not; white space between elements is ignored.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Xml {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Xml>,
}

impl Xml {
    /// Parses a document; returns `None` for anything else.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut reader = quick_xml::Reader::from_str(text);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => open.push(Self::open(&start)?),
                Event::Empty(start) => {
                    let element = Self::open(&start)?;
                    open.last_mut()?.children.push(element);
                }
                Event::End(_) => {
                    let element = open.pop()?.close();
                    open.last_mut()?.children.push(element);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&text.into_inner()),
                Event::CData(data) => open.last_mut()?.text.push_str(&data.into_inner()),
                Event::GeneralRef(reference) => {
                    let name = reference.into_inner();
                    let text = format!("&{name};");
                    open.last_mut()?.text.push_str(&unescape(&text).ok()?);
                }
                Event::Eof => break,
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        let document = open.pop().filter(|_| open.is_empty())?;
        (document.children.len() == 1).then_some(document)?.children.pop()
    }

    fn open(start: &BytesStart<'_>) -> Option<Self> {
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.ok()?;
            attributes.push((attribute.key.as_ref().to_owned(), attribute.value.into_owned()));
        }
        attributes.sort();
        Some(Self { name: start.name().as_ref().to_owned(), attributes, ..Self::default() })
    }

    fn close(mut self) -> Self {
        if !self.children.is_empty() && self.text.trim().is_empty() {
            self.text.clear();
        }
        self.children.sort_by(|a, b| a.name.cmp(&b.name));
        self
    }
}

/// The number of a body's bytes that a difference shows.
const SHOWN: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(compare: impl FnOnce(&mut Check)) -> usize {
        let mut check = Check::default();
        compare(&mut check);
        check.0.len()
    }

    #[test]
    fn the_order_of_a_query_does_not_count_and_its_pairs_do() {
        let compare = |expected, got| differences(|check| check.url(expected, got));
        assert_eq!(compare("http://h/k?a=1&b", "http://h/k?b=&a=1"), 0);
        assert_eq!(compare("http://h/k?a=1&a=1", "http://h/k?a=1"), 1);
        assert_eq!(compare("http://h/k%2B?a", "http://h/k+?a"), 1);
    }

    #[test]
    fn headers_missing_added_and_changed_are_told() {
        let list = |headers: &[(&str, &str)]| -> Vec<Header> {
            headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        let compare = |expected: &[_], got: &[_]| {
            differences(|check| check.headers(&list(expected), &list(got)))
        };
        assert_eq!(compare(&[("A", "1"), ("b", "2")], &[("B", " 2"), ("a", "1")]), 0);
        assert_eq!(compare(&[("a", "1")], &[]), 1);
        assert_eq!(compare(&[], &[("a", "1")]), 1);
        assert_eq!(compare(&[("a", "1")], &[("a", "2")]), 1);
        assert_ne!(compare(&[("a", "1")], &[("a", "1"), ("a", "1")]), 0);
    }

    #[test]
    fn documents_are_the_same_whatever_their_writing() {
        let same = |a: &str, b: &str| Xml::parse(a.as_bytes()) == Xml::parse(b.as_bytes());
        assert!(same(
            "<?xml version='1.0'?>\n<a><b>&lt;</b><c/></a>",
            "<a><c></c> <b>&#60;</b></a>"
        ));
        assert!(!same("<a><b>1</b><b>2</b></a>", "<a><b>2</b><b>1</b></a>"));
        assert!(!same("<a> </a>", "<a/>"));
        assert!(!same("<a xmlns='x'/>", "<a/>"));
        assert_eq!(Xml::parse(b"{}"), None);
        assert_eq!(Xml::parse(b"<a>"), None);
    }
}
