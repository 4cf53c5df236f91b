//! The dialect of Python's `configparser`, in which the file of references is written.
//!
//! ```text
//!  [section]                header; text after the last `]` of the line is ignored
//!  name = value             or `name: value`; names are case-insensitive
//!    more                   a line indented deeper than the name continues the value
//!
//!    more                   after empty lines too; a comment does not end the value
//!  # comment                and `;`, however far it is indented
//!  path = %(name)s/x        inserts another option of the section or of [DEFAULT]; %% is %
//! ```
//!
//! An option of `[DEFAULT]` is in every section. A section or an option that is there twice is an
//! error. The parser of Python stops at the first error; this one reports all of them.

use std::collections::BTreeMap;
use std::fmt;

use super::python;

/// A parsed file.
#[derive(Default)]
pub(super) struct Ini {
    defaults: Options,
    sections: BTreeMap<String, Options>,
}

type Options = BTreeMap<String, IniValue>;

/// A value as it is written, and its first line.
pub(super) struct IniValue {
    text: String,
    pub(super) line: usize,
}

/// What is wrong with a line or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IniProblem {
    /// The file begins with a byte order mark.
    ByteOrderMark,
    /// Text before the first section.
    OutsideSection,
    /// A line with neither `=` nor `:`.
    NoAssignment,
    /// Nothing before the `=`.
    NoName,
    /// The section is there already.
    SectionTwice,
    /// The option is in its section already.
    OptionTwice,
    /// A `%` that is followed by neither `%` nor `(name)s`.
    Percent,
    /// `%(name)s`, where there is no such option.
    Unknown,
    /// Options that refer to each other more than ten deep.
    TooDeep,
    /// The value becomes longer than 64 KiB.
    TooLong,
    /// A quotation mark at one end of the value only.
    Quote,
}

impl Ini {
    /// Parses a text.
    ///
    /// # Errors
    ///
    /// All lines that cannot be parsed, with their numbers.
    pub(super) fn parse(text: &str) -> Result<Self, Vec<(usize, IniProblem)>> {
        let mut reader = Reader::default();
        let rest = text.strip_prefix('\u{feff}');
        if rest.is_some() {
            reader.errors.push((1, IniProblem::ByteOrderMark));
        }
        for (at, line) in python::lines(rest.unwrap_or(text)).enumerate() {
            reader.line(line, at + 1);
        }
        if !reader.errors.is_empty() {
            return Err(reader.errors);
        }
        let mut ini = reader.ini;
        for options in ini.sections.values_mut().chain([&mut ini.defaults]) {
            for value in options.values_mut() {
                value.text.truncate(python::trim_end(&value.text).len());
            }
        }
        Ok(ini)
    }

    /// Returns the names of the sections, without `DEFAULT`.
    pub(super) fn sections(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str)
    }

    /// Returns an option of a section or of `[DEFAULT]`, as it is written.
    pub(super) fn written(&self, section: &str, option: &str) -> Option<&IniValue> {
        let own = self.sections.get(section).and_then(|options| options.get(option));
        own.or_else(|| self.defaults.get(option))
    }

    /// Returns the value of an option: others are inserted, quotes around it are removed.
    ///
    /// # Errors
    ///
    /// The value can't be read.
    pub(super) fn value(&self, section: &str, option: &str) -> Result<Option<String>, IniProblem> {
        let Some(written) = self.written(section, option) else { return Ok(None) };
        unquoted(&written.text)?;
        let mut text = String::new();
        self.insert(section, &written.text, 1, &mut text)?;
        unquoted(&text).map(|text| Some(text.to_owned()))
    }

    fn insert(
        &self,
        section: &str,
        mut rest: &str,
        depth: usize,
        out: &mut String,
    ) -> Result<(), IniProblem> {
        if depth > DEEPEST {
            return Err(IniProblem::TooDeep);
        }
        while let Some(at) = rest.find('%') {
            out.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            if let Some(tail) = after.strip_prefix('%') {
                out.push('%');
                rest = tail;
            } else {
                let (name, tail) = reference(after).ok_or(IniProblem::Percent)?;
                let value = self.written(section, &name.to_lowercase());
                let value = value.ok_or(IniProblem::Unknown)?;
                if value.text.contains('%') {
                    self.insert(section, &value.text, depth + 1, out)?;
                } else {
                    out.push_str(&value.text);
                }
                rest = tail;
            }
            if out.len() > LONGEST {
                return Err(IniProblem::TooLong);
            }
        }
        out.push_str(rest);
        if out.len() > LONGEST { Err(IniProblem::TooLong) } else { Ok(()) }
    }
}

/// Splits `(name)s` from what follows it.
fn reference(text: &str) -> Option<(&str, &str)> {
    let (name, tail) = text.strip_prefix('(')?.split_once(')')?;
    Some((name, tail.strip_prefix('s')?)).filter(|_| !name.is_empty())
}

/// Removes the quotes around a value.
fn unquoted(text: &str) -> Result<&str, IniProblem> {
    let Some(quote) = text.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        return Ok(text);
    };
    text[1..].strip_suffix(quote).ok_or(IniProblem::Quote)
}

#[derive(Default)]
struct Reader {
    ini: Ini,
    errors: Vec<(usize, IniProblem)>,
    section: Section,
    /// The option that following lines may continue.
    option: Option<String>,
    /// How far the line that began the option or the section is indented.
    indent: usize,
}

#[derive(Default)]
enum Section {
    #[default]
    None,
    Default,
    Named(String),
    /// A second one of the same name: it is read for errors, and its options are dropped.
    Dropped,
}

impl Reader {
    fn line(&mut self, line: &str, number: usize) {
        let text = python::trim(line);
        if text.starts_with(['#', ';']) {
            return;
        }
        if text.is_empty() {
            if let Some(value) = self.open() {
                value.text.push('\n');
            }
            return;
        }
        let indent = line.chars().count() - python::trim_start(line).chars().count();
        if self.option.is_some() && indent > self.indent {
            if let Some(value) = self.open() {
                value.text.push('\n');
                value.text.push_str(text);
            }
            return;
        }
        self.indent = indent;
        match text.strip_prefix('[').and_then(|rest| rest.rsplit_once(']')) {
            Some((name, _)) if !name.is_empty() => self.header(name, number),
            _ if matches!(self.section, Section::None) => {
                self.errors.push((number, IniProblem::OutsideSection));
            }
            _ => self.assignment(text, number),
        }
    }

    fn header(&mut self, name: &str, number: usize) {
        self.option = None;
        self.section = if name == "DEFAULT" {
            Section::Default
        } else if self.ini.sections.contains_key(name) {
            self.errors.push((number, IniProblem::SectionTwice));
            Section::Dropped
        } else {
            self.ini.sections.insert(name.to_owned(), Options::new());
            Section::Named(name.to_owned())
        };
    }

    fn assignment(&mut self, text: &str, number: usize) {
        let Some((name, value)) = text.split_once(['=', ':']) else {
            return self.errors.push((number, IniProblem::NoAssignment));
        };
        let name = python::trim_end(name).to_lowercase();
        if name.is_empty() {
            self.errors.push((number, IniProblem::NoName));
        }
        let value = IniValue { text: python::trim(value).to_owned(), line: number };
        self.option = Some(name.clone());
        if let Some(options) = self.options()
            && options.insert(name, value).is_some()
        {
            self.errors.push((number, IniProblem::OptionTwice));
        }
    }

    /// Returns the value that is being read.
    fn open(&mut self) -> Option<&mut IniValue> {
        let option = self.option.take()?;
        self.option = Some(option.clone());
        self.options()?.get_mut(&option)
    }

    fn options(&mut self) -> Option<&mut Options> {
        match &self.section {
            Section::None | Section::Dropped => None,
            Section::Default => Some(&mut self.ini.defaults),
            Section::Named(name) => self.ini.sections.get_mut(name),
        }
    }
}

impl fmt::Display for IniProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByteOrderMark => "the file begins with a byte order mark: remove it",
            Self::OutsideSection => "the line precedes the first section",
            Self::NoAssignment => "the line has neither `=` nor `:`",
            Self::NoName => "the option name before `=` is missing",
            Self::SectionTwice => "the section is in the file already",
            Self::OptionTwice => "the option is in the section already",
            Self::Percent => "the value has a `%` that is not doubled: write `%%`",
            Self::Unknown => {
                "the value refers to an option that does not exist; write `%%` for a percent sign"
            }
            Self::TooDeep => {
                "the value refers to itself, or options refer to each other too deeply"
            }
            Self::TooLong => "the expanded value exceeds 64 KiB",
            Self::Quote => "the value has an unmatched quote",
        })
    }
}

/// The maximum length of a value in bytes.
const LONGEST: usize = 64 << 10;
/// The maximum depth of options that refer to each other.
const DEEPEST: usize = 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(text: &str) -> Result<Option<String>, IniProblem> {
        let ini = Ini::parse(text).map_err(|errors| errors[0].1)?;
        ini.value("g", "a")
    }

    // Python 3.11's configparser with the quotes of glance_store 5.7 reads these texts so.
    #[test]
    fn values_are_read_as_configparser_reads_them() {
        for (text, expect) in [
            ("[g]\na = 1\n", "1"),
            ("[g]\nA : 'x'\n", "x"),
            ("[g] ; c\na = 1 # c\n", "1 # c"),
            ("[DEFAULT]\na = d\n[g]\n", "d"),
            ("[g]\na = 1\n  # c\n  2\n\n  3\n\n", "1\n2\n\n3"),
            ("  [g]\n  a = 1\n   2\n  b = 3\n", "1\n2"),
            ("[g]\na = x%(b)s%%\nb = \"y\"\n", "x\"y\"%"),
            ("[g]\na = '%(B)s'\n[DEFAULT]\nb = y\n", "y"),
            ("[g]\na =\n", ""),
            ("[g]\r\na = 1\rb = 2\r\n", "1"),
            ("[g]x]y\n[g]\na=1\n", "1"),
        ] {
            assert_eq!(value(text), Ok(Some(expect.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn what_it_refuses_is_refused() {
        for (text, problem) in [
            ("a = 1\n[g]\n", IniProblem::OutsideSection),
            ("\u{feff}[g]\na = 1\n", IniProblem::ByteOrderMark),
            ("[g]\na\n", IniProblem::NoAssignment),
            ("[g]\n= 1\n", IniProblem::NoName),
            ("[]\n", IniProblem::OutsideSection),
            ("[g]\na=1\n[g]\n", IniProblem::SectionTwice),
            ("[g]\na=1\nA=2\n", IniProblem::OptionTwice),
            ("[DEFAULT]\na=1\n[g]\n[DEFAULT]\na=2\n", IniProblem::OptionTwice),
            ("[g]\na = 5%\n", IniProblem::Percent),
            ("[g]\na = %(b)\n", IniProblem::Percent),
            ("[g]\na = %(b)s\n", IniProblem::Unknown),
            ("[g]\na = %(a)s\n", IniProblem::TooDeep),
            ("[g]\na = \"x'\n", IniProblem::Quote),
            ("[g]\na = '\n", IniProblem::Quote),
        ] {
            assert_eq!(value(text), Err(problem), "{text:?}");
        }
    }

    #[test]
    fn a_value_that_doubles_itself_is_bounded() {
        let mut text = String::from("[g]\nz0 = xxxxxxxx%%\n");
        for at in 1..9 {
            let last = format!("%(z{})s", at - 1);
            text += &format!("z{at} = {}\n", last.repeat(8));
        }
        assert_eq!(value(&(text + "a = %(z8)s\n")), Err(IniProblem::TooLong));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([\\[\\]=:%()s{}'\"#;ga \t\n\r]|\\PC){0,60}") {
            let _ = value(&text);
            let _ = value(&format!("[g]\na={text}"));
        }
    }
}
