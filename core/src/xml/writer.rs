//! Compact documents for requests.

use std::fmt::{self, Write as _};

use bytes::Bytes;

use crate::error::Error;

/// Writes a document. Elements are closed automatically:
///
/// ```
/// use apus_core::xml::{S3_NAMESPACE, Writer};
///
/// let mut xml = Writer::new("Delete", Some(S3_NAMESPACE));
/// xml.element("Object", |xml| {
///     xml.text("Key", "a & b");
/// });
/// xml.text("Quiet", true);
/// assert_eq!(
///     xml.finish()?,
///     "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
///      <Object><Key>a &amp; b</Key></Object><Quiet>true</Quiet></Delete>"
/// );
/// # Ok::<(), apus_core::Error>(())
/// ```
///
/// If a text contains a character that XML does not allow, [`finish`](Self::finish) fails.
pub struct Writer {
    out: String,
    /// The names of the open elements, the root first.
    open: Vec<&'static str>,
    /// The first character that XML does not allow, and the path of its element.
    unfit: Option<(String, char)>,
}

impl Writer {
    /// Creates a document whose root has this name and default namespace.
    pub fn new(root: &'static str, namespace: Option<&str>) -> Self {
        let mut writer = Self { out: String::new(), open: Vec::new(), unfit: None };
        match namespace {
            Some(namespace) => writer.start(root, &[("xmlns", namespace)]),
            None => writer.start(root, &[]),
        }
        writer
    }

    /// Writes an element that contains what `content` writes.
    pub fn element(&mut self, name: &'static str, content: impl FnOnce(&mut Self)) -> &mut Self {
        self.element_with(name, &[], content)
    }

    /// Writes an element with attributes that contains what `content` writes.
    pub fn element_with(
        &mut self,
        name: &'static str,
        attributes: &[(&'static str, &str)],
        content: impl FnOnce(&mut Self),
    ) -> &mut Self {
        self.start(name, attributes);
        content(self);
        self.end();
        self
    }

    /// Writes an element that contains this text, escaped.
    pub fn text(&mut self, name: &'static str, text: impl fmt::Display) -> &mut Self {
        self.element(name, |xml| xml.push(text))
    }

    /// Writes an element that contains this text; writes nothing if it is `None`.
    pub fn text_if(&mut self, name: &'static str, text: Option<impl fmt::Display>) -> &mut Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// Returns the document. A character that XML 1.0 does not allow is an error of kind
    /// [`Caller`](crate::Kind::InvalidInput), which names the element and the character.
    pub fn finish(mut self) -> Result<Bytes, Error> {
        self.end();
        if let Some((path, char)) = self.unfit {
            return Err(Error::invalid_input(format!(
                "the text of {path} has the character U+{:04X}, which is not allowed in XML",
                u32::from(char)
            )));
        }
        Ok(self.out.into())
    }

    fn start(&mut self, name: &'static str, attributes: &[(&'static str, &str)]) {
        self.open.push(name);
        self.out.push('<');
        self.out.push_str(name);
        for &(attribute, value) in attributes {
            self.out.push(' ');
            self.out.push_str(attribute);
            self.out.push_str("=\"");
            self.push(value);
            self.out.push('"');
        }
        self.out.push('>');
    }

    fn end(&mut self) {
        if let Some(name) = self.open.pop() {
            self.out.push_str("</");
            self.out.push_str(name);
            self.out.push('>');
        }
    }

    fn push(&mut self, text: impl fmt::Display) {
        let unfit = {
            let mut escape = Escape { out: &mut self.out, unfit: None };
            write!(escape, "{text}").expect("a string takes all that is written to it");
            escape.unfit
        };
        if let (None, Some(char)) = (&self.unfit, unfit) {
            self.unfit = Some((self.open.join("/"), char));
        }
    }
}

impl fmt::Debug for Writer {
    /// Shows only the path of the innermost open element: a document may contain secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({})", self.open.join("/"))
    }
}

/// Whether XML 1.0 allows all characters of this text.
pub(crate) fn can_hold(text: &str) -> bool {
    !text.chars().any(is_unfit)
}

fn is_unfit(char: char) -> bool {
    match char {
        '\t' | '\n' | '\r' => false,
        _ => matches!(char, '\0'..' ' | '\u{FFFE}' | '\u{FFFF}'),
    }
}

/// Escapes what is written to it.
struct Escape<'a> {
    out: &'a mut String,
    /// The first character that XML does not allow.
    unfit: Option<char>,
}

impl fmt::Write for Escape<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            match char {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                // A reader would convert these to a line feed or a space.
                '\r' => self.out.push_str("&#13;"),
                '\n' => self.out.push_str("&#10;"),
                '\t' => self.out.push('\t'),
                _ if is_unfit(char) => self.unfit = self.unfit.or(Some(char)),
                _ => self.out.push(char),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Document, S3_NAMESPACE};

    // XML 1.0, section 2.11: only as references do line ends survive a reader.
    #[test]
    fn keys_are_escaped() {
        let mut xml = Writer::new("Delete", None);
        xml.element("Object", |xml| {
            xml.text("Key", "a<b>&\"c'\r\n\td é").text_if("VersionId", None::<&str>);
        });
        assert_eq!(
            xml.finish().unwrap(),
            "<Delete><Object><Key>a&lt;b&gt;&amp;&quot;c'&#13;&#10;\td é</Key></Object></Delete>"
        );
    }

    #[test]
    fn attributes_and_namespaces() {
        let mut xml = Writer::new("Grant", Some(S3_NAMESPACE));
        let attributes = [("xmlns:xsi", "urn:x"), ("xsi:type", "Canonical\"User\"")];
        xml.element_with("Grantee", &attributes, |xml| {
            xml.text("ID", 7);
        });
        let bytes = xml.finish().unwrap();
        let document = Document::parse(&bytes).unwrap();
        let grant = document.root_named("Grant").unwrap();
        assert_eq!(grant.attribute("xmlns").as_deref(), None);
        let grantee = grant.child("Grantee").unwrap();
        assert_eq!(grantee.attribute("type").as_deref(), Some("Canonical\"User\""));
        assert_eq!(grantee.text_of("ID"), Some("7"));
    }

    // The production Char of XML 1.0.
    #[test]
    fn what_xml_cannot_hold_names_its_element() {
        for char in ['\0', '\u{1}', '\u{B}', '\u{1F}', '\u{FFFE}', '\u{FFFF}'] {
            let mut xml = Writer::new("Delete", None);
            xml.element("Object", |xml| {
                xml.text("Key", format_args!("a{char}\u{2}"));
            });
            xml.text("Quiet", "\u{2}");
            let error = xml.finish().unwrap_err();
            assert_eq!(error.kind(), crate::Kind::InvalidInput);
            let expected = format!("Delete/Object/Key has the character U+{:04X}", u32::from(char));
            assert!(error.to_string().contains(&expected), "{error}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(48))]

        #[test]
        fn what_is_written_is_read(texts: Vec<String>) {
            let mut xml = Writer::new("Delete", Some(S3_NAMESPACE));
            for text in &texts {
                xml.element("Object", |xml| {
                    xml.text("Key", text);
                });
            }
            let fits = |char| {
                matches!(
                    char,
                    '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..
                )
            };
            let all_fit = texts.iter().all(|text| text.chars().all(fits));
            let written = xml.finish();
            proptest::prop_assert_eq!(written.is_ok(), all_fit);
            if let Ok(bytes) = written {
                let document = Document::parse(&bytes).unwrap();
                let delete = document.root_named("Delete").unwrap();
                let read: Vec<_> =
                    delete.children("Object").map(|object| object.text_of("Key").unwrap()).collect();
                proptest::prop_assert_eq!(read, texts);
            }
        }
    }
}
