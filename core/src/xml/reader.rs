//! A document as a tree in one vector, read by the pull reader of `quick-xml`.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::error::Error;
use crate::now::Timestamp;

/// How large a document may be before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the document.
    pub bytes: usize,
    /// Elements within each other.
    pub depth: usize,
    /// Elements in all. Each takes about 100 bytes of memory.
    pub elements: usize,
    /// Bytes of text in one element.
    pub text: usize,
}

impl Default for Limits {
    /// 64 MiB, 32 deep, a million elements, a text of 1 MiB. S3's largest answers, lists of 1000 keys
    /// of 1024 bytes, stay far below.
    fn default() -> Self {
        Self { bytes: 64 << 20, depth: 32, elements: 1_000_000, text: 1 << 20 }
    }
}

/// A document that was read to its end. It borrows from its bytes.
pub struct Document<'a> {
    /// In the order of their start tags; the root is the first.
    nodes: Vec<Node<'a>>,
}

struct Node<'a> {
    /// The name without its prefix.
    name: &'a str,
    /// What follows the name in the start tag.
    attributes: &'a str,
    text: Cow<'a, str>,
    /// Where the tag begins in the document.
    offset: usize,
    /// The root is its own parent.
    parent: u32,
    first_child: Option<NonZeroU32>,
    next_sibling: Option<NonZeroU32>,
}

impl<'a> Document<'a> {
    /// Reads a document within the default [`Limits`].
    ///
    /// White space and byte order marks before it are skipped. A document that is cut short, is
    /// followed by another, is not UTF-8, has a DOCTYPE, or is no XML at all is
    /// [broken](crate::Kind::Broken), and the error tells at which byte. Control characters, which
    /// are no XML but do occur in keys, are taken as they are, and so are line ends.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::parse_within(bytes, &Limits::default())
    }

    /// Reads a document within these limits.
    pub fn parse_within(bytes: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        if bytes.len() > limits.bytes {
            return Err(broken(limits.bytes, "it is larger than the limit"));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| broken(error.valid_up_to(), "it is not UTF-8"))?;
        Builder::new(text, limits).run()
    }

    /// The element that all others are in, whatever its name: also S3's `Error`.
    pub fn root(&self) -> Element<'_> {
        Element { document: self, at: 0 }
    }

    /// The root, which must have this name.
    pub fn root_named(&self, name: &str) -> Result<Element<'_>, Error> {
        let root = self.root();
        if root.name() == name {
            return Ok(root);
        }
        let found = shown(root.name());
        Err(Error::broken(format!("the XML document is a <{found}> instead of a <{name}>")))
    }
}

impl fmt::Debug for Document<'_> {
    /// The name of the root: what is in a document may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document(<{}>)", shown(self.root().name()))
    }
}

/// An element of a [`Document`], cheap to copy.
#[derive(Clone, Copy)]
pub struct Element<'d> {
    document: &'d Document<'d>,
    at: u32,
}

impl<'d> Element<'d> {
    /// The name without its namespace prefix.
    pub fn name(self) -> &'d str {
        self.node().name
    }

    /// The text, exactly as sent but for references, which are resolved, and CDATA, which is
    /// unwrapped. An element with elements in it has none.
    pub fn text(self) -> &'d str {
        &self.node().text
    }

    /// The value of the attribute with this name, prefixes left aside.
    pub fn attribute(self, name: &str) -> Option<String> {
        let tag = BytesStart::from_content(self.node().attributes, 0);
        let found = tag.attributes().with_checks(false).flatten().find(|attribute| {
            attribute.key.local_name().as_ref() == name
                && attribute.key.as_namespace_binding().is_none()
        })?;
        quick_xml::escape::unescape(&found.value).ok().map(Cow::into_owned)
    }

    /// All elements directly in this one.
    pub fn elements(self) -> impl Iterator<Item = Element<'d>> + use<'d> {
        let mut next = self.node().first_child;
        std::iter::from_fn(move || {
            let element = Element { document: self.document, at: next?.get() };
            next = element.node().next_sibling;
            Some(element)
        })
    }

    /// The elements directly in this one that have this name.
    pub fn children<'n>(self, name: &'n str) -> impl Iterator<Item = Element<'d>> + use<'d, 'n> {
        self.elements().filter(move |element| element.name() == name)
    }

    /// The first of the [`children`](Self::children) of this name.
    pub fn child(self, name: &str) -> Option<Element<'d>> {
        self.children(name).next()
    }

    /// The text of the child of this name.
    pub fn text_of(self, name: &str) -> Option<&'d str> {
        self.child(name).map(Element::text)
    }

    /// The text of the child of this name, which must be there and not empty.
    pub fn required(self, name: &str) -> Result<&'d str, Error> {
        self.text_of(name).filter(|text| !text.is_empty()).ok_or_else(|| {
            Error::broken(format!(
                "the XML document has no {}/{name} (byte {})",
                self.path(),
                self.node().offset
            ))
        })
    }

    /// The child of this name as a number or other value; none where it is missing or empty. The
    /// error names the element and its text.
    pub fn parsed<T: FromStr>(self, name: &str) -> Result<Option<T>, Error> {
        self.read(name, |text| text.parse().ok())
    }

    /// The child of this name as `true` or `false`, in any case; otherwise as
    /// [`parsed`](Self::parsed).
    pub fn flag(self, name: &str) -> Result<Option<bool>, Error> {
        self.read(name, |text| match text {
            "1" => Some(true),
            "0" => Some(false),
            _ if text.eq_ignore_ascii_case("true") => Some(true),
            _ if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        })
    }

    /// The child of this name as a date of ISO 8601; otherwise as [`parsed`](Self::parsed).
    pub fn timestamp(self, name: &str) -> Result<Option<Timestamp>, Error> {
        self.read(name, Timestamp::parse_iso8601)
    }

    /// As [`parsed`](Self::parsed), of a child that a caller can do without: what can't be read is not
    /// there.
    pub fn optional<T: FromStr>(self, name: &str) -> Option<T> {
        self.parsed(name).unwrap_or_default()
    }

    /// As [`flag`](Self::flag), of a child that a caller can do without.
    pub fn optional_flag(self, name: &str) -> Option<bool> {
        self.flag(name).unwrap_or_default()
    }

    /// As [`timestamp`](Self::timestamp), of a child that a caller can do without; also in the form
    /// that HTTP's headers have, which some servers write here.
    pub fn optional_timestamp(self, name: &str) -> Option<Timestamp> {
        let read =
            |text: &str| Timestamp::parse_iso8601(text).or_else(|| Timestamp::parse_http(text));
        self.read(name, read).unwrap_or_default()
    }

    /// The names from the root to here, with slashes between: `ListBucketResult/Contents`.
    pub fn path(self) -> String {
        let mut names = vec![shown(self.name())];
        let mut at = self;
        while at.at != 0 {
            at = Element { document: self.document, at: at.node().parent };
            names.push(shown(at.name()));
        }
        names.reverse();
        names.join("/")
    }

    fn read<T>(self, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Error> {
        let Some(child) = self.child(name) else { return Ok(None) };
        let text = child.text().trim();
        if text.is_empty() {
            return Ok(None);
        }
        read(text).map(Some).ok_or_else(|| {
            Error::broken(format!(
                "the XML document has an unreadable {}: \"{}\" (byte {})",
                child.path(),
                shown(text),
                child.node().offset
            ))
        })
    }

    fn node(self) -> &'d Node<'d> {
        // The only indices there are were made by the builder of this document.
        &self.document.nodes[self.at as usize]
    }
}

impl fmt::Debug for Element<'_> {
    /// The path: what is in an element may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Element({})", self.path())
    }
}

struct Builder<'a, 'l> {
    text: &'a str,
    /// What was skipped before `text`.
    base: usize,
    limits: &'l Limits,
    nodes: Vec<Node<'a>>,
    open: Vec<Open>,
}

struct Open {
    node: u32,
    last_child: Option<NonZeroU32>,
}

impl<'a, 'l> Builder<'a, 'l> {
    fn new(text: &'a str, limits: &'l Limits) -> Self {
        // The reader drops a byte order mark without counting it, and S3 sends white space while it
        // works.
        let blank = |char: char| char == '\u{FEFF}' || char.is_ascii_whitespace();
        let rest = text.trim_start_matches(blank);
        let base = text.len() - rest.len();
        Self { text: rest, base, limits, nodes: Vec::new(), open: Vec::new() }
    }

    fn run(mut self) -> Result<Document<'a>, Error> {
        let mut reader = Reader::from_str(self.text);
        loop {
            let start = position(reader.buffer_position());
            let event = reader.read_event().map_err(|error| {
                let at = position(reader.error_position());
                self.broken(at, &shown(&error.to_string()))
            })?;
            let end = position(reader.buffer_position());
            match event {
                Event::Start(tag) => self.start(start, end.saturating_sub(1), &tag)?,
                Event::Empty(tag) => {
                    self.start(start, end.saturating_sub(2), &tag)?;
                    self.open.pop();
                }
                Event::End(_) => {
                    self.open.pop();
                }
                Event::Text(text) => self.push(start, text.into_inner())?,
                Event::CData(data) => self.push(start, data.into_inner())?,
                Event::GeneralRef(reference) => {
                    let char = resolve(&reference).ok_or_else(|| {
                        self.broken(start, &format!("unknown reference &{};", shown(&reference)))
                    })?;
                    if let Some(text) = self.room_for(start, char.encode_utf8(&mut [0; 4]))? {
                        text.to_mut().push(char);
                    }
                }
                Event::DocType(_) => return Err(self.broken(start, "a DOCTYPE is refused")),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
                Event::Eof => break,
            }
        }
        let end = self.text.len();
        if let Some(open) = self.open.last() {
            let name = self.nodes.get(open.node as usize).map_or("", |node| node.name);
            return Err(self.broken(end, &format!("it ends within <{}>", shown(name))));
        }
        if self.nodes.is_empty() {
            return Err(self.broken(end, "it has no element"));
        }
        Ok(Document { nodes: self.nodes })
    }

    /// Opens the element of a start tag whose content ends before `tag_end`.
    fn start(&mut self, start: usize, tag_end: usize, tag: &BytesStart<'_>) -> Result<(), Error> {
        // The event's own strings do not live as long as the document.
        let (name, local) = (tag.name(), tag.local_name());
        let name_end = tag_end.saturating_sub(tag.len()) + name.as_ref().len();
        let name_start = name_end.saturating_sub(local.as_ref().len());
        let name = self.text.get(name_start..name_end).unwrap_or_default();
        let attributes = self.text.get(name_end..tag_end).unwrap_or_default();
        if name.is_empty() {
            return Err(self.broken(start, "an element has no name"));
        }
        if self.open.len() >= self.limits.depth {
            return Err(self.broken(start, "its elements are nested deeper than the limit"));
        }
        if self.nodes.len() >= self.limits.elements {
            return Err(self.broken(start, "it has more elements than the limit"));
        }
        let index = u32::try_from(self.nodes.len())
            .map_err(|_| self.broken(start, "it has more elements than can be counted"))?;
        let mut parent = 0;
        match (self.open.last_mut(), NonZeroU32::new(index)) {
            (None, None) => {}
            (Some(open), Some(child)) => {
                parent = open.node;
                let before = open.last_child.replace(child);
                if let Some(before) = before {
                    self.nodes[before.get() as usize].next_sibling = Some(child);
                } else {
                    let parent = &mut self.nodes[parent as usize];
                    parent.first_child = Some(child);
                    parent.text = Cow::Borrowed("");
                }
            }
            _ => return Err(self.broken(start, "another element follows the root")),
        }
        self.nodes.push(Node {
            name,
            attributes,
            text: Cow::Borrowed(""),
            offset: self.base + start,
            parent,
            first_child: None,
            next_sibling: None,
        });
        self.open.push(Open { node: index, last_child: None });
        Ok(())
    }

    fn push(&mut self, start: usize, more: Cow<'a, str>) -> Result<(), Error> {
        if let Some(text) = self.room_for(start, &more)? {
            if text.is_empty() {
                *text = more;
            } else {
                text.to_mut().push_str(&more);
            }
        }
        Ok(())
    }

    /// The text of the innermost open element, if it is one that keeps it and there is room.
    fn room_for(&mut self, start: usize, more: &str) -> Result<Option<&mut Cow<'a, str>>, Error> {
        let Some(open) = self.open.last() else {
            return if more.trim_ascii().is_empty() {
                Ok(None)
            } else {
                Err(self.broken(start, "there is text outside the root element"))
            };
        };
        let at = open.node as usize;
        if self.nodes[at].text.len() + more.len() > self.limits.text {
            return Err(self.broken(start, "an element has a longer text than the limit"));
        }
        let node = &mut self.nodes[at];
        Ok(node.first_child.is_none().then_some(&mut node.text))
    }

    fn broken(&self, at: usize, what: &str) -> Error {
        broken(self.base + at, what)
    }
}

fn broken(at: usize, what: &str) -> Error {
    Error::broken(format!("the XML document is broken at byte {at}: {what}"))
}

/// A position of the reader, which counts the bytes of a slice.
fn position(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// The character that `&reference;` stands for. Those that XML can't hold are taken too: Ceph
/// writes a control character in a key that way.
fn resolve(reference: &str) -> Option<char> {
    let Some(number) = reference.strip_prefix('#') else {
        return match reference {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => None,
        };
    };
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits, radix).ok()?)
}

/// Text from outside in an error: on one line, and not long.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// How many characters of a text from outside an error repeats.
const SHOWN: usize = 100;
