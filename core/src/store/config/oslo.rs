//! The INI dialect of oslo.config: `glance-api.conf` and similar files.
//!
//! ```text
//!  [group]                  a section; sections of one name are merged
//!  name = value             or `name: value`; quotes around the whole value are removed
//!      more                 an indented line continues the value
//!  name = second            the last value is used; all of them for an option of several values
//!  path = $base/images      $name, ${name} and ${group.name} insert other options; $$ and \$ are $
//!  # comment                and `;`, at the start of a line only
//! ```
//!
//! As in oslo.config, group names except `DEFAULT` are case-insensitive, option names are not.
//! oslo.config stops at the first wrong line; this parser reports all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::python;
use crate::error::Error;

/// Parsed configuration files: each option by group and name.
#[derive(Clone, Debug, Default)]
pub struct OsloConfig {
    groups: BTreeMap<String, BTreeMap<String, Vec<OsloValue>>>,
}

/// A value and its place. The value may be a secret: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct OsloValue {
    /// The value: lines are joined by line feeds, `$name` is not substituted.
    pub text: String,
    /// The name of the file, or of the environment variable.
    pub file: String,
    /// The first line of the value, counted from 1.
    pub line: usize,
}

/// A line that cannot be parsed, or a value that cannot be substituted. It does not contain the
/// value, except the names of options in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OsloError {
    /// The problem.
    pub problem: OsloProblem,
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
}

/// The problem with a line or a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OsloProblem {
    /// The file begins with a byte order mark.
    ByteOrderMark,
    /// The line has neither `=` nor `:`.
    NoAssignment,
    /// There is no name before the `=`.
    NoName,
    /// The line is indented, but there is no value to continue.
    Continuation,
    /// A section name without `]` at its end.
    NoBracket,
    /// An empty section name: `[]`.
    NoSection,
    /// An option before the first section.
    OutsideSection,
    /// The value refers to an option that does not exist.
    Unknown(String),
    /// The value refers to itself through this option, or references are nested too deeply.
    Circle(String),
    /// The substituted value is longer than 64 KiB.
    TooLong,
}

impl OsloConfig {
    /// Parses files: pairs of name and text. A later file overrides an earlier one.
    ///
    /// # Errors
    ///
    /// All lines that cannot be parsed.
    pub fn parse<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<OsloError>> {
        let (config, errors) = Self::read(files);
        if errors.is_empty() { Ok(config) } else { Err(errors) }
    }

    /// Parses what can be parsed, and returns the errors beside it: one wrong line does not hide
    /// what is wrong with the values of others.
    pub fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> (Self, Vec<OsloError>) {
        let mut config = Self::default();
        let mut errors = Vec::new();
        for (file, text) in files {
            let (config, errors) = (&mut config, &mut errors);
            Reader { config, errors, file, group: Group::None }.read(text);
        }
        (config, errors)
    }

    /// Overrides options by environment variables named `OS_GROUP__OPTION`, as oslo.config does.
    ///
    /// Other variables are ignored. The caller reads the environment.
    #[must_use]
    pub fn with_environment<'a>(
        mut self,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        for (variable, text) in variables {
            let name = variable.strip_prefix("OS_").and_then(|name| name.split_once("__"));
            let Some((group, option)) = name.filter(|_| !variable.contains(is_lower)) else {
                continue;
            };
            let group = normal(group);
            let value = OsloValue { text: text.to_owned(), file: variable.to_owned(), line: 1 };
            self.groups.entry(group).or_default().insert(option.to_lowercase(), vec![value]);
        }
        self
    }

    /// Returns the names of all groups, in lower case except `DEFAULT`.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    /// Returns whether there is a section with this name.
    pub fn has_group(&self, group: &str) -> bool {
        self.groups.contains_key(&normal(group))
    }

    /// Returns the options that are set in a group.
    pub fn options(&self, group: &str) -> impl Iterator<Item = (&str, &OsloValue)> {
        let options = self.groups.get(&normal(group));
        options.into_iter().flatten().filter_map(|(name, values)| {
            let value = values.last()?;
            Some((name.as_str(), value))
        })
    }

    /// Returns the value of an option as written: the last one.
    pub fn raw(&self, group: &str, name: &str) -> Option<&OsloValue> {
        self.all(group, name).last()
    }

    /// Returns all values of an option that may have several.
    pub fn all(&self, group: &str, name: &str) -> &[OsloValue] {
        let options = self.groups.get(group).or_else(|| self.groups.get(&normal(group)));
        options.and_then(|options| options.get(name)).map_or(&[], Vec::as_slice)
    }

    /// Returns the value of an option, with references to other options substituted.
    ///
    /// `default` returns the default of an option (group, name) that is not set: empty if the
    /// option has no default, `None` if there is no such option.
    ///
    /// # Errors
    ///
    /// The value refers to an option that does not exist, or to itself; it becomes longer than
    /// 64 KiB.
    pub fn value(
        &self,
        group: &str,
        name: &str,
        default: &dyn Fn(&str, &str) -> Option<String>,
    ) -> Result<Option<String>, OsloError> {
        self.raw(group, name).map(|value| self.substitute(group, value, default)).transpose()
    }

    /// Substitutes the references in `value`, which was written in `group`.
    ///
    /// # Errors
    ///
    /// Those of [`value`](Self::value).
    pub fn substitute(
        &self,
        group: &str,
        value: &OsloValue,
        default: &dyn Fn(&str, &str) -> Option<String>,
    ) -> Result<String, OsloError> {
        let mut substitution =
            Substitution { config: self, default, out: String::new(), open: BTreeSet::new() };
        substitution.put(group, &value.text).map_err(|problem| OsloError {
            problem,
            file: value.file.clone(),
            line: value.line,
        })?;
        Ok(substitution.out)
    }
}

struct Reader<'a> {
    config: &'a mut OsloConfig,
    errors: &'a mut Vec<OsloError>,
    file: &'a str,
    group: Group,
}

/// The section of a line.
enum Group {
    None,
    Named(String),
    /// Its header can't be read: its options are dropped.
    Unknown,
}

impl Reader<'_> {
    fn read(&mut self, text: &str) {
        let mut open: Option<(String, OsloValue)> = None;
        let rest = text.strip_prefix('\u{feff}');
        if rest.is_some() {
            self.wrong(OsloProblem::ByteOrderMark, 1);
        }
        for (at, line) in python::lines(rest.unwrap_or(text)).enumerate() {
            let number = at + 1;
            let line = python::trim_end(line);
            if line.is_empty() {
                self.close(&mut open);
            } else if line.starts_with([' ', '\t']) {
                match &mut open {
                    Some((_, value)) => {
                        value.text.push('\n');
                        value.text.push_str(python::trim_start(line));
                    }
                    None => self.wrong(OsloProblem::Continuation, number),
                }
            } else {
                self.close(&mut open);
                if let Some(rest) = line.strip_prefix('[') {
                    self.section(rest, number);
                } else if !line.starts_with(['#', ';']) {
                    open = self.assignment(line, number);
                }
            }
        }
        self.close(&mut open);
    }

    fn section(&mut self, rest: &str, line: usize) {
        self.group = Group::Unknown;
        match rest.strip_suffix(']') {
            None => self.wrong(OsloProblem::NoBracket, line),
            Some("") => self.wrong(OsloProblem::NoSection, line),
            Some(name) => {
                let name = normal(name);
                self.config.groups.entry(name.clone()).or_default();
                self.group = Group::Named(name);
            }
        }
    }

    fn assignment(&mut self, line: &str, number: usize) -> Option<(String, OsloValue)> {
        let Some((name, value)) = line.split_once(['=', ':']) else {
            self.wrong(OsloProblem::NoAssignment, number);
            return None;
        };
        let name = python::trim(name);
        if name.is_empty() {
            self.wrong(OsloProblem::NoName, number);
            return None;
        }
        let text = unquoted(python::trim(value)).to_owned();
        let file = self.file.to_owned();
        Some((name.to_owned(), OsloValue { text, file, line: number }))
    }

    fn close(&mut self, open: &mut Option<(String, OsloValue)>) {
        let Some((name, value)) = open.take() else { return };
        match &self.group {
            Group::None => self.wrong(OsloProblem::OutsideSection, value.line),
            Group::Unknown => {}
            Group::Named(group) => {
                let options = self.config.groups.entry(group.clone()).or_default();
                options.entry(name).or_default().push(value);
            }
        }
    }

    fn wrong(&mut self, problem: OsloProblem, line: usize) {
        self.errors.push(OsloError { problem, file: self.file.to_owned(), line });
    }
}

struct Substitution<'a> {
    config: &'a OsloConfig,
    default: &'a dyn Fn(&str, &str) -> Option<String>,
    out: String,
    /// The options whose values are being substituted.
    open: BTreeSet<(String, String)>,
}

impl Substitution<'_> {
    fn put(&mut self, group: &str, text: &str) -> Result<(), OsloProblem> {
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            self.out.push_str(before.strip_suffix('\\').unwrap_or(before));
            if before.ends_with('\\') {
                self.out.push('$');
                rest = &from[1..];
                continue;
            }
            let (token, name) = token(from);
            match name {
                Some(name) => self.put_option(group, name)?,
                // `$$`, or a `$` without a name.
                None => self.out.push('$'),
            }
            rest = &from[token.len()..];
            self.bounded()?;
        }
        self.out.push_str(rest);
        self.bounded()
    }

    /// Inserts an option of the same group, of the named group, or of `DEFAULT`.
    fn put_option(&mut self, group: &str, name: &str) -> Result<(), OsloProblem> {
        let (of, option) = name.split_once('.').unwrap_or((group, name));
        for (group, option) in [(of, option), ("DEFAULT", name)] {
            let key = (normal(group), option.to_owned());
            let written = self.config.raw(group, option).map(|value| value.text.clone());
            let value = written.or_else(|| (self.default)(group, option));
            let Some(value) = value else { continue };
            if self.open.len() >= DEEPEST || !self.open.insert(key.clone()) {
                return Err(OsloProblem::Circle(name.to_owned()));
            }
            self.put(group, &value)?;
            self.open.remove(&key);
            return Ok(());
        }
        Err(OsloProblem::Unknown(name.to_owned()))
    }

    fn bounded(&self) -> Result<(), OsloProblem> {
        if self.out.len() > LONGEST { Err(OsloProblem::TooLong) } else { Ok(()) }
    }
}

/// Returns the reference at the start of `text`, which begins with `$`, and the name in it.
fn token(text: &str) -> (&str, Option<&str>) {
    let rest = text.get(1..).unwrap_or_default();
    if rest.starts_with('$') {
        return (&text[..2], None);
    }
    if let Some(inner) = rest.strip_prefix('{') {
        let name = name(inner);
        return match inner.get(name.len()..) {
            Some(tail) if !name.is_empty() && tail.starts_with('}') => {
                (&text[..name.len() + 3], Some(name))
            }
            _ => (&text[..1], None),
        };
    }
    match name(rest) {
        "" => (&text[..1], None),
        name => (&text[..=name.len()], Some(name)),
    }
}

/// Returns the name at the start of `text`: a letter or `_`, then letters, `_`, digits and full
/// stops.
fn name(text: &str) -> &str {
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let belongs = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.');
    let end = text.find(|char| !belongs(char)).unwrap_or(text.len());
    if starts { &text[..end] } else { "" }
}

/// Removes the pair of quotes around a value.
fn unquoted(value: &str) -> &str {
    let quoted = |quote: char| {
        let inner = value.strip_prefix(quote)?;
        if inner.is_empty() { Some("") } else { inner.strip_suffix(quote) }
    };
    quoted('"').or_else(|| quoted('\'')).unwrap_or(value)
}

fn is_lower(char: char) -> bool {
    char.is_ascii_lowercase()
}

fn normal(group: &str) -> String {
    if group == "DEFAULT" { group.to_owned() } else { group.to_lowercase() }
}

impl fmt::Debug for OsloValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OsloValue({}:{})", self.file, self.line)
    }
}

impl OsloProblem {
    /// Returns the message without the name, which is part of a value that may be a secret.
    pub(super) fn without_names(&self) -> String {
        match self {
            Self::Unknown(_) => {
                "the value refers to an option that does not exist; write `$$` for a dollar sign"
                    .to_owned()
            }
            Self::Circle(_) => "the value refers to itself".to_owned(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for OsloProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByteOrderMark => "the file begins with a byte order mark: remove it",
            Self::NoAssignment => "the line has neither `=` nor `:`",
            Self::NoName => "the option name before `=` is missing",
            Self::Continuation => "the line is indented, but no option precedes it",
            Self::NoBracket => "the section does not end with `]`",
            Self::NoSection => "the section has no name",
            Self::OutsideSection => "an option precedes the first section",
            Self::TooLong => "the expanded value exceeds 64 KiB",
            Self::Unknown(name) => {
                return write!(
                    f,
                    "the value refers to option `{name}`, which no file sets and whose default is not \
                     known; write `$$` for a dollar sign"
                );
            }
            Self::Circle(name) => return write!(f, "the value refers to itself through `{name}`"),
        })
    }
}

impl fmt::Display for OsloError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.problem)
    }
}

impl std::error::Error for OsloError {}

impl From<OsloError> for Error {
    fn from(error: OsloError) -> Self {
        Self::invalid_input(error.to_string())
    }
}

/// The maximum length of a substituted value in bytes.
const LONGEST: usize = 64 << 10;
/// The maximum depth of options that refer to each other.
const DEEPEST: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<OsloConfig, Vec<OsloError>> {
        OsloConfig::parse([("glance-api.conf", text)])
    }

    /// Returns option `a` of group `g`, where `base` of `DEFAULT` has a default.
    fn value(text: &str) -> Result<Option<String>, OsloProblem> {
        let config = read(text).map_err(|errors| errors[0].problem.clone())?;
        let default = |group: &str, name: &str| {
            (group == "DEFAULT" && name == "base").then(|| "dflt".to_owned())
        };
        config.value("g", "a", &default).map_err(|error| error.problem)
    }

    /// oslo.config 10.7 reads these texts so.
    #[test]
    fn values_are_read_as_oslo_config_reads_them() {
        for (text, expect) in [
            ("[g]\na = 1\n", "1"),
            ("[g]\na: 1=2\n", "1=2"),
            ("[g]\na = 'x'\n", "x"),
            ("[g]\na = '\n", ""),
            ("[g]\na = \"x'\n", "\"x'"),
            ("[g]\na='x' 'y'\n", "x' 'y"),
            ("[g]\na = x\n  y\n", "x\ny"),
            ("[g]\na =\n x\n", "\nx"),
            ("[g]\na = $base/x ${base}y $$z \\$w $ $1\n", "dflt/x dflty $z $w $ $1"),
            ("[G]\na=1\n[g]\nb=2\na=3\n", "3"),
            ("[g]\na = 1 # c\n", "1 # c"),
            ("[g]\na =\n", ""),
            ("[g]\na=x\r\nb=y\r\n", "x"),
            ("[g]\na=x\u{b}y\n", "x\u{b}y"),
            ("[g]\na=${g.b}\nb=\"q\"\n", "q"),
            ("[g]\na=${b\nb=q\n", "${b"),
            ("[g] \na=\u{a0}x\u{a0}\n", "x"),
            ("[g]\na=x\u{2028}y\n", "x\u{2028}y"),
        ] {
            assert_eq!(value(text), Ok(Some(expect.to_owned())), "{text}");
        }
        assert_eq!(value("[g]\nA = 5\n"), Ok(None));
        assert_eq!(value("[ g ]\na = 5\n"), Ok(None));
    }

    /// oslo.config 10.7 raises for these texts.
    #[test]
    fn what_it_refuses_is_refused_by_file_and_line() {
        let at = |line, problem| OsloError { problem, file: "glance-api.conf".into(), line };
        for (text, line, problem) in [
            ("[g]\na = x\n\n  z\n", 4, OsloProblem::Continuation),
            ("[g]\na = x\n# c\n  y\n", 4, OsloProblem::Continuation),
            ("a=1\n", 1, OsloProblem::OutsideSection),
            ("[g\na=1\n", 1, OsloProblem::NoBracket),
            ("[]\n", 1, OsloProblem::NoSection),
            ("[g]\nnonsense\n", 2, OsloProblem::NoAssignment),
            ("[g]\n= 1\n", 2, OsloProblem::NoName),
        ] {
            assert_eq!(read(text).unwrap_err()[0], at(line, problem), "{text}");
        }
        assert_eq!(value("[g]\na = $nope\n"), Err(OsloProblem::Unknown("nope".into())));
        assert_eq!(value("[g]\na = ${b.c}\n"), Err(OsloProblem::Unknown("b.c".into())));
        assert_eq!(value("[g]\na=$b.\nb=q\n"), Err(OsloProblem::Unknown("b.".into())));
        assert_eq!(value("[g]\na=$b\nb=$a\n"), Err(OsloProblem::Circle("b".into())));
    }

    #[test]
    fn all_wrong_lines_are_told_and_no_value_is() {
        let errors = read("secret=1\n[g]\nhunter2\nb = 1\n[h\n").unwrap_err();
        assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), [1, 3, 5]);
        assert_eq!(errors[1].to_string(), "glance-api.conf:3: the line has neither `=` nor `:`");
        assert!(!format!("{errors:?}").contains("hunter2"));
        let config = read("[g]\npassword = hunter2\n").unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn later_files_and_lines_count_and_several_values_are_kept() {
        let files = [("a", "[g]\nx = 1\ny = 1\ny = 2\n"), ("b", "[G]\nx = 3\n[h]\n")];
        let config = OsloConfig::parse(files).unwrap();
        let value = config.raw("g", "x").unwrap();
        assert_eq!((&*value.text, &*value.file, value.line), ("3", "b", 2));
        assert_eq!(config.all("g", "y").len(), 2);
        assert!(config.has_group("H") && !config.has_group("i"));
        assert_eq!(config.groups().collect::<Vec<_>>(), ["g", "h"]);
        assert_eq!(config.options("g").map(|(name, _)| name).collect::<Vec<_>>(), ["x", "y"]);
    }

    /// oslo.config 10.7 reads these variables so.
    #[test]
    fn variables_count_before_files() {
        let variables = [("OS_G__A", "$b-$$"), ("OS_H__A", "x"), ("OS_g__b", "3"), ("OS_A", "4")];
        let config = read("[g]\na = 1\nb = 2\n").unwrap().with_environment(variables);
        let value = |group| config.value(group, "a", &|_, _| None).unwrap();
        assert_eq!((value("g").as_deref(), value("H").as_deref()), (Some("2-$"), Some("x")));
        assert_eq!(config.raw("g", "b").unwrap().text, "2");
    }

    #[test]
    fn a_value_that_doubles_itself_is_bounded() {
        let mut text = String::from("[g]\nz0 = xxxxxxxx\n");
        for at in 1..28 {
            let last = at - 1;
            text += &format!("z{at} = $z{last}$z{last}$z{last}$z{last}\n");
        }
        assert_eq!(value(&(text + "a = $z27\n")), Err(OsloProblem::TooLong));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([\\[\\]=:$\\\\{}.'\"ga \t\n\r]|\\PC){0,60}") {
            let _ = value(&text);
            let _ = value(&format!("[g]\na={text}"));
        }
    }
}
