//! A document as a tree in one vector, parsed with the pull reader of `quick-xml`.

use std::borrow::Cow;
use std::fmt;
use std::io::BufRead as _;
use std::num::NonZeroU32;
use std::str::FromStr;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::error::Error;
use crate::now::Timestamp;

/// The limits beyond which a document is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the document.
    pub bytes: usize,
    /// Nested elements.
    pub depth: usize,
    /// Elements in all. Each takes about 100 bytes of memory.
    pub elements: usize,
    /// Bytes of text in one element.
    pub text: usize,
}

impl Default for Limits {
    /// 64 MiB, 32 nested elements, a million elements, 1 MiB of text. S3's largest responses, lists
    /// of 1,000 keys of 1,024 bytes, are far below.
    fn default() -> Self {
        Self { bytes: 64 << 20, depth: 32, elements: 1_000_000, text: 1 << 20 }
    }
}

/// A completely parsed document. It borrows from its bytes.
pub struct Document<'a> {
    /// In the order of their start tags; the root is the first.
    nodes: Vec<Node<'a>>,
}

struct Node<'a> {
    /// The name without its prefix.
    name: &'a str,
    /// The rest of the start tag after the name.
    attributes: &'a str,
    text: Cow<'a, str>,
    /// The position of the tag in the document, in bytes.
    offset: usize,
    /// The root is its own parent.
    parent: u32,
    first_child: Option<NonZeroU32>,
    next_sibling: Option<NonZeroU32>,
}

impl<'a> Document<'a> {
    /// Parses a document within the default [`Limits`].
    ///
    /// White space and byte order marks before the document are skipped. A document that is cut
    /// short, is followed by another, is not UTF-8, has a DOCTYPE, or is not XML is
    /// [broken](crate::Kind::InvalidResponse); the error contains the byte position. Control characters,
    /// which XML does not allow but which occur in keys, are accepted; they and line ends are not
    /// changed.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::parse_within(bytes, &Limits::default())
    }

    /// Parses a document within these limits.
    pub fn parse_within(bytes: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        if bytes.len() > limits.bytes {
            return Err(broken(limits.bytes, "it exceeds the size limit"));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| broken(error.valid_up_to(), "it is not UTF-8"))?;
        Builder::new(text, limits).run()
    }

    /// Returns the root element, whatever its name; it may be S3's `Error`.
    pub fn root(&self) -> Element<'_> {
        Element { document: self, at: 0 }
    }

    /// Returns the root element, which must have this name.
    pub fn root_named(&self, name: &str) -> Result<Element<'_>, Error> {
        let root = self.root();
        if root.name() == name {
            return Ok(root);
        }
        let found = shown(root.name());
        Err(Error::invalid_response(format!(
            "the root of the XML document is <{found}>, but <{name}> was expected"
        )))
    }
}

impl fmt::Debug for Document<'_> {
    /// Shows only the name of the root: a document may contain secrets.
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
    /// Returns the name without its namespace prefix.
    pub fn name(self) -> &'d str {
        self.node().name
    }

    /// Returns the text as sent, with references resolved and CDATA unwrapped. Empty for an element
    /// that contains elements.
    pub fn text(self) -> &'d str {
        &self.node().text
    }

    /// Returns the value of the attribute with this name; its prefix is ignored.
    pub fn attribute(self, name: &str) -> Option<String> {
        let tag = BytesStart::from_content(self.node().attributes, 0);
        let found = tag.attributes().with_checks(false).flatten().find(|attribute| {
            attribute.key.local_name().as_ref() == name
                && attribute.key.as_namespace_binding().is_none()
        })?;
        quick_xml::escape::unescape(&found.value).ok().map(Cow::into_owned)
    }

    /// Returns all elements directly in this one.
    pub fn elements(self) -> impl Iterator<Item = Element<'d>> + use<'d> {
        let mut next = self.node().first_child;
        std::iter::from_fn(move || {
            let element = Element { document: self.document, at: next?.get() };
            next = element.node().next_sibling;
            Some(element)
        })
    }

    /// Returns the elements with this name directly in this one.
    pub fn children<'n>(self, name: &'n str) -> impl Iterator<Item = Element<'d>> + use<'d, 'n> {
        self.elements().filter(move |element| element.name() == name)
    }

    /// Returns the first of the [`children`](Self::children) with this name.
    pub fn child(self, name: &str) -> Option<Element<'d>> {
        self.children(name).next()
    }

    /// Returns the text of the child with this name.
    pub fn text_of(self, name: &str) -> Option<&'d str> {
        self.child(name).map(Element::text)
    }

    /// Returns the text of the child with this name, which must be present and not empty.
    pub fn required(self, name: &str) -> Result<&'d str, Error> {
        self.text_of(name).filter(|text| !text.is_empty()).ok_or_else(|| {
            Error::invalid_response(format!(
                "the XML document has no {}/{name} (byte {})",
                self.path(),
                self.node().offset
            ))
        })
    }

    /// Returns the child with this name as a number or other value; `None` if it is missing or
    /// empty. The error names the element and its text.
    pub fn parsed<T: FromStr>(self, name: &str) -> Result<Option<T>, Error> {
        self.read(name, |text| text.parse().ok())
    }

    /// Returns the child with this name as a boolean: `true` or `false` in upper or lower case, `1`
    /// or `0`. Otherwise as [`parsed`](Self::parsed).
    pub fn flag(self, name: &str) -> Result<Option<bool>, Error> {
        self.read(name, |text| match text {
            "1" => Some(true),
            "0" => Some(false),
            _ if text.eq_ignore_ascii_case("true") => Some(true),
            _ if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        })
    }

    /// Returns the child with this name as an ISO 8601 date, or as an HTTP date, which some servers
    /// write here. Otherwise as [`parsed`](Self::parsed).
    pub fn timestamp(self, name: &str) -> Result<Option<Timestamp>, Error> {
        let read =
            |text: &str| Timestamp::parse_iso8601(text).or_else(|| Timestamp::parse_http(text));
        self.read(name, read)
    }

    /// As [`parsed`](Self::parsed), for a child that is not required: `None` if it can't be parsed.
    pub fn optional<T: FromStr>(self, name: &str) -> Option<T> {
        self.parsed(name).unwrap_or_default()
    }

    /// As [`flag`](Self::flag), for a child that is not required.
    pub fn optional_flag(self, name: &str) -> Option<bool> {
        self.flag(name).unwrap_or_default()
    }

    /// As [`timestamp`](Self::timestamp), for a child that is not required.
    pub fn optional_timestamp(self, name: &str) -> Option<Timestamp> {
        self.timestamp(name).unwrap_or_default()
    }

    /// Returns the names from the root to this element, separated by slashes:
    /// `ListBucketResult/Contents`.
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
            Error::invalid_response(format!(
                "the XML document has an unreadable {}: \"{}\" (byte {})",
                child.path(),
                shown(text),
                child.node().offset
            ))
        })
    }

    fn node(self) -> &'d Node<'d> {
        // All indices were created by the builder of this document.
        &self.document.nodes[self.at as usize]
    }
}

impl fmt::Debug for Element<'_> {
    /// Shows only the path: an element may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Element({})", self.path())
    }
}

struct Builder<'a, 'l> {
    text: &'a str,
    /// The number of bytes skipped before `text`.
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
        // An element of a list takes about 45 bytes; a page of 1,000 objects has 8,000 elements.
        let nodes = Vec::with_capacity((rest.len() / 40).min(10_000).min(limits.elements));
        Self { text: rest, base, limits, nodes, open: Vec::new() }
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
                Event::Start(tag) => {
                    self.start(start, end.saturating_sub(1), &tag)?;
                    self.leaves(&mut reader)?;
                }
                Event::Empty(tag) => {
                    self.start(start, end.saturating_sub(2), &tag)?;
                    self.open.pop();
                }
                Event::End(_) => {
                    self.open.pop();
                    self.leaves(&mut reader)?;
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
                Event::DocType(_) => return Err(self.broken(start, "a DOCTYPE is not allowed")),
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
            return Err(self.broken(end, "it has no root element"));
        }
        Ok(Document { nodes: self.nodes })
    }

    /// Takes the elements at the position of the reader that have only text: most of a list. It
    /// would read each of them as three events or more, at twice the cost.
    fn leaves(&mut self, reader: &mut Reader<&'a [u8]>) -> Result<(), Error> {
        // The root is no leaf: after it there must be nothing.
        while !self.open.is_empty() {
            let start = position(reader.buffer_position());
            let rest = self.text.get(start..).unwrap_or_default();
            let Some(leaf) = Leaf::at(rest, self.limits.text) else { break };
            self.add(start, leaf.name, "")?;
            self.push(start, leaf.text)?;
            self.open.pop();
            reader.stream().consume(leaf.length);
        }
        Ok(())
    }

    /// Opens the element of a start tag whose content ends before `tag_end`.
    fn start(&mut self, start: usize, tag_end: usize, tag: &BytesStart<'_>) -> Result<(), Error> {
        // The strings of the event do not live as long as the document.
        let (name, local) = (tag.name(), tag.local_name());
        let name_end = tag_end.saturating_sub(tag.len()) + name.as_ref().len();
        let name_start = name_end.saturating_sub(local.as_ref().len());
        let name = self.text.get(name_start..name_end).unwrap_or_default();
        let attributes = self.text.get(name_end..tag_end).unwrap_or_default();
        self.add(start, name, attributes)
    }

    /// Adds an element, and opens it.
    fn add(&mut self, start: usize, name: &'a str, attributes: &'a str) -> Result<(), Error> {
        if name.is_empty() {
            return Err(self.broken(start, "an element has no name"));
        }
        if self.open.len() >= self.limits.depth {
            return Err(self.broken(start, "its elements are nested too deeply"));
        }
        if self.nodes.len() >= self.limits.elements {
            return Err(self.broken(start, "it has too many elements"));
        }
        let index = u32::try_from(self.nodes.len())
            .map_err(|_| self.broken(start, "it has too many elements"))?;
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

    /// Returns the text of the innermost open element, if the element keeps text and the limit
    /// permits it.
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
            return Err(self.broken(start, "the text of an element exceeds the size limit"));
        }
        let node = &mut self.nodes[at];
        Ok(node.first_child.is_none().then_some(&mut node.text))
    }

    fn broken(&self, at: usize, what: &str) -> Error {
        broken(self.base + at, what)
    }
}

/// An element with a plain name, no attributes, and only text: `<Size>11</Size>`.
struct Leaf<'a> {
    name: &'a str,
    text: Cow<'a, str>,
    /// The bytes from the start of its start tag to the end of its end tag.
    length: usize,
}

impl<'a> Leaf<'a> {
    /// Returns the leaf at the start of `text`, whose own text has `most` bytes at most. `None` if
    /// there is anything else, or anything wrong with it: the reader then reads it, and says what.
    fn at(text: &'a str, most: usize) -> Option<Self> {
        let inner = text.strip_prefix('<')?;
        let name = inner.get(..inner.bytes().position(|byte| !byte.is_ascii_alphanumeric())?)?;
        let content = inner.get(name.len()..)?.strip_prefix('>')?;
        let mut rest = content;
        let mut unescaped: Option<String> = None;
        let text = loop {
            let at = rest.bytes().position(|byte| byte == b'<' || byte == b'&')?;
            let (plain, more) = rest.split_at_checked(at)?;
            if content.len() - more.len() > most {
                return None;
            }
            let Some(reference) = more.strip_prefix('&') else {
                rest = more;
                break match unescaped {
                    None => Cow::Borrowed(plain),
                    Some(text) => Cow::Owned(text + plain),
                };
            };
            // A list of objects has two in each ETag, in 44 bytes.
            let text = unescaped.get_or_insert_with(|| String::with_capacity(TAG));
            text.push_str(plain);
            let (reference, more) = reference.split_once(';')?;
            text.push(resolve(reference)?);
            rest = more;
        };
        let after = rest.strip_prefix("</")?.strip_prefix(name)?.strip_prefix('>')?;
        let length = inner.len() + 1 - after.len();
        Some(Self { name, text, length })
    }
}

/// The bytes of an ETag that is an MD5, with its quotes, and of the number of its parts.
const TAG: usize = 40;

fn broken(at: usize, what: &str) -> Error {
    Error::invalid_response(format!("the XML document is malformed at byte {at}: {what}"))
}

/// Converts a position of the reader, which is within a slice.
fn position(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// Returns the character of `&reference;`. Accepts characters that XML does not allow: Ceph writes
/// a control character in a key in this way.
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

/// Returns text from outside for an error: on one line, and truncated.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// How many characters of text from outside an error contains.
const SHOWN: usize = 100;
