//! What the documents of several answers have in common.

use std::borrow::Cow;

use crate::checksum::{Algorithm, Declared};
use crate::error::Error;
use crate::escape;
use crate::xml::Element;

/// The text of the child of this name, if there is such a child.
pub(super) fn text(element: Element<'_>, name: &str) -> Option<String> {
    element.text_of(name).map(str::to_owned)
}

/// The child of this name as a word of ours; none where it is missing or a word from later times.
pub(super) fn word<T: std::str::FromStr>(element: Element<'_>, name: &str) -> Option<T> {
    element.text_of(name).and_then(|text| text.trim().parse().ok())
}

/// The children named `ChecksumCRC32` and so on, as far as they can be read.
pub(super) fn checksums(element: Element<'_>) -> Vec<Declared> {
    let mut checksums = Vec::new();
    for child in element.elements() {
        let name = child.name();
        let Some(algorithm) = Algorithm::ALL.into_iter().find(|known| known.element() == name)
        else {
            continue;
        };
        let text = child.text().trim();
        if !text.is_empty() {
            checksums.extend(Declared::parse(algorithm, text));
        }
    }
    checksums
}

/// Keys of a list, which the server percent-encoded if it says so.
///
/// Only the document's own word counts: servers that do not know `encoding-type` leave it out. What
/// can't be decoded stays as it is: there are servers that say `url` and encode nothing.
#[derive(Clone, Copy)]
pub(super) struct Keys {
    encoded: bool,
}

impl Keys {
    /// How the keys of the list in `root` are written.
    pub(super) fn of(root: Element<'_>) -> Self {
        let encoding = root.text_of("EncodingType");
        Self { encoded: encoding.is_some_and(|encoding| encoding.trim() == "url") }
    }

    /// Keys that are percent-encoded although the document does not say so.
    pub(super) fn encoded() -> Self {
        Self { encoded: true }
    }

    /// The key in the child of this name, if there is such a child.
    pub(super) fn text(self, element: Element<'_>, name: &str) -> Option<String> {
        element.text_of(name).map(|text| self.decode(text))
    }

    /// The key in the child of this name, which must be there.
    pub(super) fn required(self, element: Element<'_>, name: &str) -> Result<String, Error> {
        self.text(element, name).ok_or_else(|| {
            Error::broken(format!("the XML document has a {} without {name}", element.path()))
        })
    }

    /// The key in the child of this name, as it is where it is the one that is `known`: what was
    /// asked for, or the last of the page. Ceph says these as they are, though it encodes the keys
    /// of the list: its `a+b` is no `a b`.
    pub(super) fn known(
        self,
        element: Element<'_>,
        name: &str,
        known: Option<&str>,
    ) -> Option<String> {
        let text = element.text_of(name)?;
        if known == Some(text) { Some(text.to_owned()) } else { Some(self.decode(text)) }
    }

    /// The prefixes in which keys were rolled up.
    pub(super) fn common_prefixes(self, root: Element<'_>) -> Vec<String> {
        let groups = root.children("CommonPrefixes");
        // A server may write one element for each prefix, or one for all.
        let prefixes = groups.flat_map(|group| group.children("Prefix"));
        prefixes.map(|prefix| self.decode(prefix.text())).collect()
    }

    fn decode(self, text: &str) -> String {
        if !self.encoded {
            return text.to_owned();
        }
        escape::decode_form(text).map_or_else(|| text.to_owned(), Cow::into_owned)
    }
}

/// Where a list goes on, which must be somewhere else than where this page began: a server that
/// hands out the same page again and again is not followed for ever.
pub(super) fn onward<T: PartialEq>(from: Option<&T>, to: Option<T>) -> Result<T, Error> {
    match to {
        None => Err(Error::broken("the list is truncated and does not say where it goes on")),
        Some(to) if from == Some(&to) => {
            Err(Error::broken("the list is truncated and goes on where this page began"))
        }
        Some(to) => Ok(to),
    }
}
