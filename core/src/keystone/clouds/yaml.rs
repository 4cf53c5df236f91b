//! YAML as these files use it: mappings, lists and texts, in bounded memory.
//!
//! Every scalar is kept as text. PyYAML makes numbers, dates and truth values of what has no
//! quotes, so that its users send a password `0123` as 83 and `1.10` as 1.1; here the code that
//! uses a value decides its type.

use std::collections::BTreeMap;
use std::fmt;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::error::CloudsError;
use crate::secret::Secret;

/// A value. Any text may be a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Null,
    Text(Secret),
    List(Vec<Node>),
    Map(Mapping),
}

/// A mapping whose keys are texts.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Mapping(pub(super) BTreeMap<String, Node>);

/// Prints no key: where a mapping is written in place of a secret, a key may be the secret.
impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

impl Mapping {
    /// Reads the only document of a text; an empty one is an empty mapping.
    pub(super) fn parse(file: &str, text: &str) -> Result<Self, CloudsError> {
        if text.len() > LONGEST {
            let problem =
                format!("the file has {} bytes, more than the limit of {LONGEST}", text.len());
            return Err(CloudsError::of_file(file, None, problem));
        }
        let mut reader = Reader { room: ROOM, ..Reader::default() };
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| {
                let line = error.marker().line();
                CloudsError::of_file(file, Some(line), format!("not valid YAML: {}", error.info()))
            })?;
            let line = Some(span.start.line());
            reader.take(event).map_err(|problem| CloudsError::of_file(file, line, problem))?;
        }
        match reader.root {
            Some(Node::Map(mapping)) => Ok(mapping),
            None | Some(Node::Null) => Ok(Self::default()),
            Some(_) => Err(CloudsError::of_file(file, None, "expected a mapping")),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.0.get(key)
    }

    /// Returns whether there is no value of this name: none, null or an empty text.
    pub(super) fn is_empty(&self, key: &str) -> bool {
        match self.get(key) {
            None | Some(Node::Null) => true,
            Some(Node::Text(text)) => text.is_empty(),
            Some(_) => false,
        }
    }

    /// Inserts the values of another mapping, merging mappings into mappings.
    pub(super) fn merge(&mut self, other: Self) {
        for (key, theirs) in other.0 {
            match (self.0.get_mut(&key), theirs) {
                (Some(Node::Map(ours)), Node::Map(theirs)) => ours.merge(theirs),
                (_, theirs) => drop(self.0.insert(key, theirs)),
            }
        }
    }

    /// Replaces `-` in names by `_`. If that makes two names equal, the one written with `_` is
    /// kept.
    pub(super) fn with_underscores(self) -> Self {
        let mut out = Self::default();
        for (key, node) in self.0 {
            let node = match node {
                Node::Map(inner) => Node::Map(inner.with_underscores()),
                node => node,
            };
            // `-` sorts before `_`, so the value of the name written with `_` comes last.
            out.0.insert(key.replace('-', "_"), node);
        }
        out
    }
}

impl Node {
    /// Returns how many bytes of memory a copy takes.
    fn size(&self) -> usize {
        match self {
            Self::Null => NODE,
            Self::Text(text) => NODE + text.expose().len(),
            Self::List(nodes) => NODE + nodes.iter().map(Self::size).sum::<usize>(),
            Self::Map(Mapping(map)) => {
                let entries = map.iter().map(|(key, node)| ENTRY + key.len() + node.size());
                MAPPING + entries.sum::<usize>()
            }
        }
    }
}

/// Builds a tree from events. Nothing is nested deeper than [`DEEPEST`], and what aliases refer to
/// is counted before it is copied.
#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    root: Option<Node>,
    documents: usize,
    room: usize,
}

/// A collection whose end has not been read.
enum Open {
    List { anchor: usize, nodes: Vec<Node> },
    Map { anchor: usize, own: Mapping, merged: Vec<Mapping>, key: Option<Key> },
}

enum Key {
    Name(String),
    /// `<<`: the entries of the mapping that follows are added, unless this mapping has its own.
    Merge,
}

impl Reader {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err("the file has more than one YAML document".into());
                }
            }
            Event::SequenceStart(anchor, tag) => {
                known(tag.as_deref())?;
                self.begin(Open::List { anchor, nodes: Vec::new() })?;
            }
            Event::MappingStart(anchor, tag) => {
                known(tag.as_deref())?;
                let (own, merged) = (Mapping::default(), Vec::new());
                self.begin(Open::Map { anchor, own, merged, key: None })?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    let (anchor, node) = open.end();
                    self.put(anchor, node)?;
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.spend(ENTRY + NODE + text.len())?;
                let tag = known(tag.as_deref())?;
                let plain = style == ScalarStyle::Plain && tag != Some("str");
                if self.wants_key() && anchor == 0 {
                    let merges = plain && text == "<<";
                    return self.name(if merges { Key::Merge } else { Key::Name(text.into()) });
                }
                let null = plain && NULL.contains(&&*text) || tag == Some("null");
                let node = if null { Node::Null } else { Node::Text(Secret::new(text)) };
                self.put(anchor, node)?;
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor);
                let node = node.ok_or("an alias refers to a node that contains it")?;
                let (size, node) = (node.size(), node.clone());
                self.spend(size)?;
                self.put(0, node)?;
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn begin(&mut self, open: Open) -> Result<(), String> {
        self.spend(if matches!(open, Open::Map { .. }) { MAPPING } else { NODE })?;
        if self.open.len() == DEEPEST {
            return Err(format!("nodes are nested deeper than {DEEPEST} levels"));
        }
        self.open.push(open);
        Ok(())
    }

    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map { key: None, .. }))
    }

    fn name(&mut self, name: Key) -> Result<(), String> {
        if let Some(Open::Map { key, .. }) = self.open.last_mut() {
            *key = Some(name);
        }
        Ok(())
    }

    fn put(&mut self, anchor: usize, node: Node) -> Result<(), String> {
        if anchor != 0 {
            self.spend(node.size())?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { nodes, .. }) => nodes.push(node),
            Some(Open::Map { own, merged, key, .. }) => match (key.take(), node) {
                (None, Node::Text(name)) => *key = Some(Key::Name(name.expose().to_owned())),
                (None, _) => return Err("a key is not a string".into()),
                (Some(Key::Name(name)), node) => drop(own.0.insert(name, node)),
                (Some(Key::Merge), Node::Map(map)) => merged.push(map),
                (Some(Key::Merge), Node::List(nodes)) => {
                    // The first of a list has precedence over the later ones.
                    for node in nodes.into_iter().rev() {
                        let Node::Map(map) = node else { return Err(NO_MERGE.into()) };
                        merged.push(map);
                    }
                }
                (Some(Key::Merge), _) => return Err(NO_MERGE.into()),
            },
        }
        Ok(())
    }

    fn spend(&mut self, room: usize) -> Result<(), String> {
        let left = self.room.checked_sub(room);
        self.room = left.ok_or("the expanded aliases exceed the size limit")?;
        Ok(())
    }
}

impl Open {
    fn end(self) -> (usize, Node) {
        match self {
            Self::List { anchor, nodes } => (anchor, Node::List(nodes)),
            Self::Map { anchor, own, merged, .. } => {
                let mut all = Mapping::default();
                merged.into_iter().chain([own]).for_each(|map| all.0.extend(map.0));
                (anchor, Node::Map(all))
            }
        }
    }
}

/// Returns the suffix of a node's tag, which must be a YAML core tag.
fn known(tag: Option<&Tag>) -> Result<Option<&str>, String> {
    let Some(tag) = tag else { return Ok(None) };
    let all = ["str", "null", "int", "float", "bool", "timestamp", "map", "seq"];
    if tag.is_yaml_core_schema() && all.contains(&tag.suffix.as_str()) {
        return Ok(Some(&tag.suffix));
    }
    let is_plain = tag.handle.is_empty() && tag.suffix == "!";
    if is_plain { Ok(Some("str")) } else { Err("unsupported tag".into()) }
}

/// The spellings of null (YAML 1.1, "Null language-independent type").
const NULL: [&str; 5] = ["", "~", "null", "Null", "NULL"];

const NO_MERGE: &str = "the value of `<<` must be a mapping or a list of mappings";

/// The longest file, in bytes.
const LONGEST: usize = 1 << 20;

/// The deepest nesting of collections.
const DEEPEST: usize = 32;

/// The most memory for the values of a file with all aliases resolved, in bytes.
const ROOM: usize = 32 << 20;

/// Bytes that a value takes beside its text: the value itself, and an allocation.
const NODE: usize = 96;

/// Bytes that a mapping takes before its values: a node of a B-tree has room for eleven.
const MAPPING: usize = 1024;

/// Bytes that a value in a mapping takes in addition: its name and its share of a node.
const ENTRY: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Mapping {
        Mapping::parse("clouds.yaml", text).unwrap()
    }

    fn problem(text: &str) -> String {
        Mapping::parse("clouds.yaml", text).unwrap_err().to_string()
    }

    fn text(map: &Mapping, key: &str) -> String {
        match map.get(key) {
            Some(Node::Text(text)) => text.expose().to_owned(),
            other => panic!("{key}: {other:?}"),
        }
    }

    #[test]
    fn values_are_as_they_were_written() {
        let map = parse(
            "a: 0123\nb: 1.10\nc: yes\nd: 2020-01-01\ne: 1_000\nf: 'null'\ng: 12:30:45\nh: !!str\n\
             i: |\n  two\n  lines\nj: \"\\u00fc\\t\"\n",
        );
        for (key, value) in [
            ("a", "0123"),
            ("b", "1.10"),
            ("c", "yes"),
            ("d", "2020-01-01"),
            ("e", "1_000"),
            ("f", "null"),
            ("g", "12:30:45"),
            ("h", ""),
            ("i", "two\nlines\n"),
            ("j", "ü\t"),
        ] {
            assert_eq!(text(&map, key), value, "{key}");
        }
        for null in ["~", "null", "Null", "NULL", "", "!!null x"] {
            assert_eq!(parse(&format!("a: {null}")).get("a"), Some(&Node::Null), "{null:?}");
        }
    }

    #[test]
    fn json_is_yaml() {
        let map =
            parse(r#"{"clouds": {"a": {"auth": {"password": "p\"\u00fc"}, "verify": false}}}"#);
        let Some(Node::Map(clouds)) = map.get("clouds") else { panic!() };
        let Some(Node::Map(cloud)) = clouds.get("a") else { panic!() };
        let Some(Node::Map(auth)) = cloud.get("auth") else { panic!() };
        assert_eq!(text(auth, "password"), "p\"ü");
        assert_eq!(text(cloud, "verify"), "false");
    }

    // The example of "Merge Key Language-Independent Type for YAML 1.1".
    #[test]
    fn merged_mappings_go_under_what_is_written() {
        let map = parse(
            "- &CENTER { x: 1, y: 2 }\n- &LEFT { x: 0, y: 2 }\n- &BIG { r: 10 }\n- &SMALL { r: 1 }"
                .lines()
                .map(|line| format!("  {line}\n"))
                .fold("base:\n".to_owned(), |all, line| all + &line)
                .as_str(),
        );
        assert!(map.get("base").is_some());
        let map = parse(
            "center: &CENTER { x: 1, y: 2 }\nleft: &LEFT { x: 0, y: 2 }\nbig: &BIG { r: 10 }\n\
             small: &SMALL { r: 1 }\n\
             one: { <<: *CENTER, r: 10, label: center/big }\n\
             two: { <<: [ *CENTER, *BIG ], label: center/big }\n\
             three: { <<: [ *BIG, *LEFT, *SMALL ], x: 1, label: center/big }\n\
             plain: { '<<': *BIG }\n",
        );
        for key in ["one", "two", "three"] {
            let Some(Node::Map(map)) = map.get(key) else { panic!("{key}") };
            let all = ["x", "y", "r", "label"].map(|key| text(map, key));
            assert_eq!(all, ["1", "2", "10", "center/big"], "{key}");
        }
        let Some(Node::Map(plain)) = map.get("plain") else { panic!() };
        assert!(plain.get("<<").is_some() && plain.get("r").is_none());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, said) in [
            ("a: 1\n---\nb: 2\n", "clouds.yaml:2: the file has more than one YAML document"),
            ("a:\n  ? [x]\n  : y\n", "clouds.yaml:2: a key is not a string"),
            ("a: !!python/object:os.system x\n", "clouds.yaml:1: unsupported tag"),
            ("a: !Ref x\n", "clouds.yaml:1: unsupported tag"),
            ("- a\n", "clouds.yaml: expected a mapping"),
            ("a: &x [*x]\n", "clouds.yaml:1: an alias refers to a node that contains it"),
            ("<<: 7\n", "clouds.yaml:1: the value of `<<` must be a mapping or a list of mappings"),
        ] {
            assert_eq!(problem(text), said, "{text:?}");
        }
        assert!(problem("a: b\n c: [\n").starts_with("clouds.yaml:"));
        assert_eq!(parse(""), Mapping::default());
        assert_eq!(parse("# nothing\n"), Mapping::default());
    }

    #[test]
    fn hostile_texts_are_refused_in_bounded_room() {
        for (mark, deep) in ["[", "{a: ", "- "].into_iter().zip([33, 200, 200_000]) {
            let text = format!("a:\n {}", mark.repeat(deep));
            let said = problem(&text);
            assert!(said.contains("32 levels") || said.contains("recursion"), "{said}");
        }
        let mut bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
        for at in 1..12 {
            let aliases = vec![format!("*a{}", at - 1); 9].join(", ");
            bomb += &format!("a{at}: &a{at} [{aliases}]\n");
        }
        assert!(problem(&bomb).contains("aliases"), "{}", problem(&bomb));
        let wide = format!("a: &a {}\nb: [{}]", "x".repeat(500_000), "*a, ".repeat(100_000));
        assert!(problem(&wide).contains("aliases"), "{}", problem(&wide));
        assert!(problem(&"a".repeat(LONGEST + 1)).contains("the limit of 1048576"));
    }
}
