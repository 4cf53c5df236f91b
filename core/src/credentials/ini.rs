//! The format of the AWS files: that of Python's `configparser`, with one level of nesting.
//!
//! ```text
//!  [profile dev]              a section, once in a file
//!  region = eu-central-1      name and value; names ignore case, and are unique in a section
//!  s3 =                       a value of several lines, each indented …
//!    addressing_style = path  … is a map if the first of them is empty
//!  # a comment                `#` or `;`, on a line of its own
//! ```
//!
//! The options of `[DEFAULT]` are the defaults of every section of the file.
//!
//! `configparser` refuses a file with any invalid line. Here the line makes its section unusable, and
//! the others are read: only an invalid line of `[DEFAULT]`, which belongs to all, is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use crate::error::Error;

/// An error in one of the AWS files, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsConfigError {
    /// The file's name, as given by the caller.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, without values that may be secrets.
    pub problem: String,
}

/// One file.
#[derive(Clone, Debug, Default)]
pub(super) struct Ini {
    pub(super) name: String,
    pub(super) sections: Vec<Section>,
    pub(super) defaults: Options,
    /// The first problem of each section that has any, in the order of the file.
    pub(super) problems: Vec<AwsConfigError>,
}

/// A section, under its name in the file.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) options: Options,
    /// Why the section can't be used.
    pub(super) problem: Option<AwsConfigError>,
}

pub(super) type Options = BTreeMap<String, Written>;

/// A value, which may be a secret, and its first line.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) value: Value,
    pub(super) line: usize,
}

#[derive(Clone)]
pub(super) enum Value {
    Text(String),
    Nested(BTreeMap<String, String>),
}

impl Written {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Nested(_) => None,
        }
    }

    pub(super) fn nested(&self, name: &str) -> Option<&str> {
        match &self.value {
            Value::Text(_) => None,
            Value::Nested(map) => map.get(name).map(String::as_str),
        }
    }
}

impl Ini {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// The file is too long, or a line of `[DEFAULT]` is invalid.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, AwsConfigError> {
        let mut reader = Reader {
            ini: Self { name: name.to_owned(), ..Self::default() },
            seen: BTreeSet::new(),
            place: Within::Nowhere,
            open: None,
            indent: 0,
        };
        if text.len() > LONGEST {
            return Err(reader.wrong(1, "the file is longer than 4 MiB"));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // Python's text files end lines at `\n`, `\r\n` and `\r` only.
        let lines =
            text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'));
        for (at, line) in lines.enumerate() {
            reader.line(line, at + 1)?;
        }
        let closed = reader.close();
        reader.or_broken(closed)?;
        Ok(reader.ini)
    }

    /// Creates an error about this line.
    pub(super) fn wrong(&self, line: usize, problem: impl Into<String>) -> AwsConfigError {
        AwsConfigError { file: self.name.clone(), line, problem: problem.into() }
    }
}

struct Reader {
    ini: Ini,
    /// The names of the sections so far.
    seen: BTreeSet<String>,
    place: Within,
    open: Option<Open>,
    /// The indentation of the first line of the current value.
    indent: usize,
}

/// The section that the options of the current line belong to.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    Nowhere,
    Defaults,
    Section,
}

/// An option that may continue in the next line.
struct Open {
    name: String,
    lines: Vec<String>,
    line: usize,
}

impl Reader {
    fn line(&mut self, line: &str, number: usize) -> Result<(), AwsConfigError> {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            if let Some(open) = &mut self.open {
                open.lines.push(String::new());
            }
            return Ok(());
        }
        if trimmed.starts_with(['#', ';']) {
            return Ok(());
        }
        let indent = line.chars().take_while(|char| char.is_whitespace()).count();
        if let Some(open) = &mut self.open
            && indent > self.indent
        {
            open.lines.push(trimmed.to_owned());
            return Ok(());
        }
        self.indent = indent;
        let closed = self.close();
        self.or_broken(closed)?;
        if let Some(rest) = trimmed.strip_prefix('[')
            && let Some((name, _)) = rest.rsplit_once(']')
            && !name.is_empty()
        {
            self.section(name, number);
            return Ok(());
        }
        let read = self.option(trimmed, number);
        self.or_broken(read)
    }

    fn option(&mut self, trimmed: &str, number: usize) -> Result<(), AwsConfigError> {
        if self.place == Within::Nowhere {
            return Err(self.wrong(number, "the line is outside of any section"));
        }
        let Some((name, value)) = trimmed.split_once(['=', ':']) else {
            return Err(self.wrong(number, "the line has neither `=` nor `:`"));
        };
        let name = name.trim_end().to_lowercase();
        if name.is_empty() {
            return Err(self.wrong(number, "the option name before `=` is missing"));
        }
        if self.options().contains_key(&name) {
            return Err(self.wrong(number, format!("option `{name}` is set twice in its section")));
        }
        let lines = vec![value.trim().to_owned()];
        self.open = Some(Open { name, lines, line: number });
        Ok(())
    }

    fn section(&mut self, name: &str, line: usize) {
        if name == "DEFAULT" {
            self.place = Within::Defaults;
            return;
        }
        let problem = (!self.seen.insert(name.to_owned()))
            .then(|| self.wrong(line, format!("section [{name}] is defined twice")));
        self.ini.problems.extend(problem.clone());
        let (name, options) = (name.to_owned(), Options::new());
        self.ini.sections.push(Section { name, line, options, problem });
        self.place = Within::Section;
    }

    /// Records a problem of the section that is being read, unless it is that of all sections.
    fn or_broken(&mut self, read: Result<(), AwsConfigError>) -> Result<(), AwsConfigError> {
        let Err(problem) = read else { return Ok(()) };
        let section = match self.place {
            Within::Defaults => return Err(problem),
            Within::Nowhere => None,
            Within::Section => self.ini.sections.last_mut(),
        };
        let known = match section {
            Some(section) => section.problem.replace(problem.clone()).map(|first| {
                section.problem = Some(first);
            }),
            None => (!self.ini.problems.is_empty()).then_some(()),
        };
        if known.is_none() {
            self.ini.problems.push(problem);
        }
        Ok(())
    }

    /// Stores the open option.
    fn close(&mut self) -> Result<(), AwsConfigError> {
        let Some(Open { name, lines, line }) = self.open.take() else { return Ok(()) };
        let text = lines.join("\n").trim_end().to_owned();
        let value = match text.strip_prefix('\n') {
            None => Value::Text(text),
            Some(inner) => Value::Nested(self.nested(inner, line)?),
        };
        self.options().insert(name, Written { value, line });
        Ok(())
    }

    fn nested(&self, text: &str, line: usize) -> Result<BTreeMap<String, String>, AwsConfigError> {
        let mut map = BTreeMap::new();
        for inner in text.split('\n').map(str::trim).filter(|inner| !inner.is_empty()) {
            let Some((name, value)) = inner.split_once('=') else {
                let what = "a line of the nested value that begins here is not `name = value`";
                return Err(self.wrong(line, what));
            };
            map.insert(name.trim().to_owned(), value.trim().to_owned());
        }
        Ok(map)
    }

    fn options(&mut self) -> &mut Options {
        match self.ini.sections.last_mut() {
            Some(section) if self.place == Within::Section => &mut section.options,
            _ => &mut self.ini.defaults,
        }
    }

    fn wrong(&self, line: usize, problem: impl Into<String>) -> AwsConfigError {
        self.ini.wrong(line, problem)
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Written(line {})", self.line)
    }
}

/// Writes one line: control characters are escaped.
impl fmt::Display for AwsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        self.problem.chars().try_for_each(|char| match char.is_control() {
            true => write!(f, "{}", char.escape_debug()),
            false => f.write_char(char),
        })
    }
}

impl std::error::Error for AwsConfigError {}

impl From<AwsConfigError> for Error {
    fn from(error: AwsConfigError) -> Self {
        Self::invalid_input(error.to_string())
    }
}

/// The largest size of a file in bytes.
const LONGEST: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_error_is_one_line() {
        let problem = "there is no [services a\nb]".to_owned();
        let error = AwsConfigError { file: "config".to_owned(), line: 3, problem };
        assert_eq!(error.to_string(), "config:3: there is no [services a\\nb]");
    }

    fn option(text: &str, name: &str) -> Option<String> {
        let ini = Ini::parse("config", text).unwrap();
        ini.sections[0].options.get(name)?.text().map(str::to_owned)
    }

    /// What Python 3.11's configparser makes of the same text.
    #[test]
    fn values_are_read_as_configparser_reads_them() {
        for (text, expect) in [
            ("[s]\na = 1\n", "1"),
            ("[s]\nA: 1=2\n", "1=2"),
            ("[s]\na = x # y\n", "x # y"),
            ("[s]\na = x\n  y\n\n  z\n", "x\ny\n\nz"),
            ("[s]\na = x\n# c\n  y\n", "x\ny"),
            ("  [s] junk\n  a=x\r\n  b=y\r\n", "x"),
            ("[s]\na =\nb = 2\n", ""),
            ("[s]\n  a = 1\n b = 2\n", "1"),
        ] {
            assert_eq!(option(text, "a").as_deref(), Some(expect), "{text:?}");
        }
    }

    #[test]
    fn a_value_that_begins_with_an_empty_line_is_a_map() {
        let ini = Ini::parse("config", "[s]\ns3 =\n  A = x=y\n  b =\n").unwrap();
        let s3 = &ini.sections[0].options["s3"];
        assert_eq!((s3.text(), s3.nested("A"), s3.nested("b")), (None, Some("x=y"), Some("")));
    }

    #[test]
    fn what_is_refused_is_refused_by_file_and_line_without_its_value() {
        for (text, expect) in [
            ("a = hunter2\n", "config:1: the line is outside of any section"),
            ("[s]\nhunter2\n", "config:2: the line has neither `=` nor `:`"),
            ("[s]\n= hunter2\n", "config:2: the option name before `=` is missing"),
            ("[s]\na=1\nA=2\n", "config:3: option `a` is set twice in its section"),
            ("[s]\n[t]\n[s]\n", "config:3: section [s] is defined twice"),
            (
                "[s]\na =\n  hunter2\n",
                "config:2: a line of the nested value that begins here is not `name = value`",
            ),
        ] {
            assert_eq!(Ini::parse("config", text).unwrap().problems[0].to_string(), expect);
        }
        for text in ["[DEFAULT]\nhunter2\n", "[DEFAULT]\na =\n  hunter2\n[s]\n"] {
            let error = Ini::parse("config", text).unwrap_err().to_string();
            assert!(error.starts_with("config:2: ") && !error.contains("hunter2"), "{error}");
        }
        let ini = Ini::parse("config", "[s]\nb = hunter2\n[DEFAULT]\nc = hunter2\n").unwrap();
        assert!(!format!("{ini:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([\\[\\]=:#sa \t\n\r]|\\PC){0,60}") {
            let _ = Ini::parse("config", &text);
            let _ = Ini::parse("config", &format!("[s]\na={text}"));
        }
    }
}
