//! XML as the model reads and writes it.

use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::Event;

/// An element with its contents, without attributes.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// Parses a document; returns `None` when it is not well-formed.
    pub(super) fn parse(document: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(document).ok()?;
        let mut reader = Reader::from_str(text);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) => open.push(Self::named(start.local_name().as_ref())),
                Event::Empty(empty) => {
                    open.last_mut()?.children.push(Self::named(empty.local_name().as_ref()));
                }
                Event::End(_) => {
                    let done = open.pop()?;
                    open.last_mut()?.children.push(done);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&text),
                Event::CData(text) => open.last_mut()?.text.push_str(&text),
                Event::GeneralRef(entity) => {
                    let text = &mut open.last_mut()?.text;
                    match entity.resolve_char_ref().ok()? {
                        Some(character) => text.push(character),
                        None => text.push_str(resolve_predefined_entity(&entity)?),
                    }
                }
                Event::Eof => break,
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        let [mut document] = <[Self; 1]>::try_from(open).ok()?;
        (document.children.len() == 1).then(|| document.children.remove(0))
    }

    /// Returns the children of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// Returns the text of the first child of this name.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.children.iter().find(|child| child.name == name).map(|child| child.text.as_str())
    }

    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
}

/// A writer of a document.
pub(super) struct Document {
    text: String,
    root: &'static str,
}

impl Document {
    /// Begins a result in S3's namespace.
    pub(super) fn result(root: &'static str) -> Self {
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        );
        Self { text, root }
    }

    /// Begins an error, which has no namespace.
    pub(super) fn error() -> Self {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>".to_owned();
        Self { text, root: "Error" }
    }

    /// Adds an element with this text.
    pub(super) fn text(&mut self, name: &str, text: impl AsRef<str>) {
        let text = escape(text.as_ref());
        self.text.push_str(&format!("<{name}>{text}</{name}>"));
    }

    /// Adds an element with the children that `fill` adds.
    pub(super) fn nest(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.text.push_str(&format!("<{name}>"));
        fill(self);
        self.text.push_str(&format!("</{name}>"));
    }

    /// Returns the whole document.
    pub(super) fn finish(mut self) -> String {
        self.text.push_str(&format!("</{}>", self.root));
        self.text
    }
}
