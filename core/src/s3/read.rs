//! Reads what the XML documents of several responses have in common.

use std::borrow::Cow;

use crate::checksum::{Algorithm, Declared};
use crate::error::Error;
use crate::escape;
use crate::xml::Element;

/// Returns the text of the child element of this name, if it exists.
pub(super) fn text(element: Element<'_>, name: &str) -> Option<String> {
    element.text_of(name).map(str::to_owned)
}

/// Returns the parsed child of this name, or `None` where it is absent or has an unknown value.
pub(super) fn word<T: std::str::FromStr>(element: Element<'_>, name: &str) -> Option<T> {
    element.text_of(name).and_then(|text| text.trim().parse().ok())
}

/// Returns the children named `ChecksumCRC32` and so on; those that can't be parsed are left out.
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

/// Decodes the keys of a list, which are percent-encoded if the document says so.
///
/// Only the EncodingType in the document counts, because servers that ignore `encoding-type` leave
/// it out: s3rver, versitygw (versity/versitygw 813 and 2169); minio-go decides alike (minio/minio-go
/// 1238). Some send `url` and encode nothing, as s3s-fs does in ListObjects. That is proved by one key
/// that can't be a percent-encoding, or that begins with the requested prefix only as it is: then no
/// key of the page is decoded. Nothing else in a page proves it, and another request per page would
/// cost too much: a page whose keys may all be percent-encodings is decoded, as it says. The encoding
/// of a key that is not UTF-8 is an error, because the key can't be represented, and its undecoded
/// form is another key.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a> {
    encoded: bool,
    /// With what each key begins, and each common prefix.
    prefix: &'a str,
}

impl<'a> Keys<'a> {
    /// Reads the encoding of the list in `root`, whose keys begin with the requested `prefix`.
    pub(super) fn of(root: Element<'_>, prefix: Option<&'a str>) -> Self {
        let prefix = prefix.unwrap_or_default();
        let encoding = root.text_of("EncodingType");
        let is_said = encoding.is_some_and(|encoding| encoding.trim() == "url");
        let mut entries = root.elements().filter(|element| ENTRIES.contains(&element.name()));
        let is_plain = |key: &str| !may_be(key) || is_in_only_as_it_is(key, prefix);
        let has_plain = |entry: Element<'_>| entry.text_of("Key").is_some_and(is_plain);
        Self { encoded: is_said && !entries.any(has_plain), prefix }
    }

    /// For keys that are percent-encoded although the document does not say so.
    pub(super) fn encoded() -> Self {
        Self { encoded: true, prefix: "" }
    }

    /// Returns the decoded key in the child of this name; fails where the child is absent.
    pub(super) fn required(self, element: Element<'_>, name: &str) -> Result<String, Error> {
        let text = element.text_of(name).ok_or_else(|| {
            Error::invalid_response(format!(
                "in the XML document, {} has no {name}",
                element.path()
            ))
        })?;
        self.decode(text)
    }

    /// Returns the key in the child of this name; undecoded where it equals `known`: the value of
    /// the request, or the last key of the page. Ceph does not encode these, although it encodes
    /// the keys of the list: `a+b` would be decoded to `a b`.
    pub(super) fn known(
        self,
        element: Element<'_>,
        name: &str,
        known: Option<&str>,
    ) -> Option<String> {
        let text = element.text_of(name)?;
        Some(self.marker(element, name, known).ok().flatten().unwrap_or_else(|| text.to_owned()))
    }

    /// As [`known`](Self::known), for the key where the next page starts.
    pub(super) fn marker(
        self,
        element: Element<'_>,
        name: &str,
        known: Option<&str>,
    ) -> Result<Option<String>, Error> {
        let Some(text) = element.text_of(name) else { return Ok(None) };
        if known == Some(text) { Ok(Some(text.to_owned())) } else { self.decode(text).map(Some) }
    }

    /// Returns the decoded common prefixes.
    pub(super) fn common_prefixes(self, root: Element<'_>) -> Result<Vec<String>, Error> {
        let groups = root.children("CommonPrefixes");
        // Servers send one element for each prefix, or one for all.
        let prefixes = groups.flat_map(|group| group.children("Prefix"));
        let decode = |text| {
            if is_in_only_as_it_is(text, self.prefix) {
                return Ok(text.to_owned());
            }
            self.decode(text)
        };
        prefixes.map(|prefix| decode(prefix.text())).collect()
    }

    fn decode(self, text: &str) -> Result<String, Error> {
        if !self.encoded || !may_be(text) {
            return Ok(text.to_owned());
        }
        escape::decode_form(text).map(Cow::into_owned).ok_or_else(|| {
            let shown: String = text.chars().take(SHOWN).collect();
            Error::invalid_response(format!("the list has a key that is not UTF-8: {shown}"))
        })
    }
}

/// Returns whether a text may be a percent-encoding: one has no space, no control character and no
/// letter beyond ASCII. A `%` without two digits is left in, as boto3 leaves it.
fn may_be(text: &str) -> bool {
    // Without an early end, so that many bytes are compared at a time.
    text.bytes().fold(true, |all, byte| all & byte.is_ascii_graphic())
}

/// Returns whether a key begins with the prefix as it is, and does not if it is decoded.
fn is_in_only_as_it_is(key: &str, prefix: &str) -> bool {
    let is_within = |key: &str| key.starts_with(prefix);
    // A prefix without these is the same in both forms.
    prefix.contains(['+', '%'])
        && is_within(key)
        && !escape::decode_form(key).is_some_and(|decoded| is_within(&decoded))
}

/// Returns the start of the next page. It must differ from the start of this page: otherwise a
/// server that repeats one page would cause an endless loop.
pub(super) fn onward<T: PartialEq>(from: Option<&T>, to: Option<T>) -> Result<T, Error> {
    match to {
        None => Err(Error::invalid_response(
            "the list is truncated, but has no marker for the next page",
        )),
        Some(to) if from == Some(&to) => Err(Error::invalid_response(
            "the list is truncated, but the marker for the next page is that of this page",
        )),
        Some(to) => Ok(to),
    }
}

/// Returns the number of the part after which the next page starts. Parts are listed in the order of
/// their numbers: a smaller number than that of this page would cause an endless loop, too.
pub(super) fn onward_part(from: Option<u32>, to: Option<u32>) -> Result<u32, Error> {
    let to = onward(from.as_ref(), to)?;
    if from.is_some_and(|from| to < from) {
        return Err(Error::invalid_response(format!(
            "the list of parts goes back: the marker for the next page is {to}, and that of this \
             page is {}",
            from.unwrap_or_default()
        )));
    }
    Ok(to)
}

/// The elements of lists that have a key.
const ENTRIES: [&str; 4] = ["Contents", "Version", "DeleteMarker", "Upload"];
/// How many characters of a key an error has.
const SHOWN: usize = 100;
