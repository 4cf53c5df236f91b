//! Both transports have the same types, methods and defaults, apart from what this table says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Methods that one transport has alone, and why.
const ALONE: [(&str, &str, &str, &str); 8] = [
    ("async", "Source", "chunks", "a stream of pieces is a type of async programs"),
    ("async", "Source", "http_body", "an `http_body::Body` is polled"),
    ("async", "Items", "next", "`Iterator::next` in the blocking transport"),
    ("async", "PageStream", "next", "`Iterator::next` in the blocking transport"),
    ("async", "PageStream", "read_ahead", "`PageIter` in the blocking transport"),
    ("blocking", "PageIter", "read_ahead", "`PageStream` in the async transport"),
    ("async", "PageStream", "try_collect", "`PageIter` in the blocking transport"),
    ("blocking", "PageIter", "try_collect", "`PageStream` in the async transport"),
];

/// The public methods of each type of a transport, as its sources declare them.
fn methods(transport: &str) -> BTreeMap<String, BTreeSet<String>> {
    let sources =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../transport-{transport}/src"));
    let mut methods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in fs::read_dir(sources).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let mut of = None;
        for line in text.lines() {
            if let Some(header) = line.strip_prefix("impl") {
                of = own_type(header);
            }
            let declared = line.strip_prefix("    pub ").and_then(|rest| {
                let rest = rest.strip_prefix("async ").unwrap_or(rest);
                rest.strip_prefix("fn ")
            });
            if let (Some(of), Some(declared)) = (&of, declared) {
                let name = declared.split(['(', '<']).next().unwrap();
                methods.entry(of.clone()).or_default().insert(name.to_owned());
            }
        }
    }
    methods
}

/// The type of an `impl` block; `None` if it is the block of a trait.
fn own_type(header: &str) -> Option<String> {
    let mut depth = 0;
    let generics = header.find(|char| {
        depth += i32::from(char == '<') - i32::from(char == '>');
        depth == 0
    })?;
    let rest = header[generics..].trim_start_matches('>').trim_start();
    if rest.contains(" for ") {
        return None;
    }
    let name: String = rest.chars().take_while(|char| char.is_alphanumeric()).collect();
    (!name.is_empty()).then_some(name)
}

#[test]
fn both_have_the_same_methods() {
    let (blocking, hyper) = (methods("blocking"), methods("async"));
    for known in ["Client", "ClientBuilder", "Run", "Source", "Sink", "Stores", "TransportConfig"] {
        assert!(blocking[known].len() > 4, "{known} is not read as it should be");
    }
    let names = blocking.keys().chain(hyper.keys()).collect::<BTreeSet<_>>();
    let none = BTreeSet::new();
    let mut alone = BTreeSet::new();
    for name in names {
        let of = |all: &BTreeMap<String, BTreeSet<String>>| all.get(name).unwrap_or(&none).clone();
        let (left, right) = (of(&blocking), of(&hyper));
        alone.extend(left.difference(&right).map(|one| ("blocking", name.clone(), one.clone())));
        alone.extend(right.difference(&left).map(|one| ("async", name.clone(), one.clone())));
    }
    let listed = ALONE.map(|(transport, of, method, _)| (transport, of.into(), method.into()));
    assert_eq!(alone, BTreeSet::from(listed));
}

#[test]
fn both_have_the_same_defaults() {
    let fields = |debug: String| -> BTreeMap<String, String> {
        let lines =
            debug.lines().filter(|line| line.starts_with("    ") && !line.starts_with("     "));
        let fields = lines.filter_map(|line| line.trim().trim_end_matches(',').split_once(": "));
        fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let mut blocking = fields(format!("{:#?}", apus_blocking::TransportConfig::new()));
    let mut hyper = fields(format!("{:#?}", apus_async::TransportConfig::new()));
    // ureq reads no response before the body is sent, so that only `100 Continue` spares the body of
    // a request that is refused. hyper reads it at once.
    let waits = [&mut blocking, &mut hyper].map(|config| config.remove("expect_continue_above"));
    assert_eq!(waits, [Some("Some(".to_owned()), Some("None".to_owned())]);
    for config in [&mut blocking, &mut hyper] {
        config.remove("tls");
        assert_eq!(config["in_memory_part_limit"], "67108864");
    }
    assert_eq!(blocking, hyper);
}

/// The code of a crate's examples and of its doc comments.
fn shown(transport: &str) -> String {
    let at = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../transport-{transport}"));
    let mut code = String::new();
    for file in fs::read_dir(at.join("examples")).unwrap() {
        code += &fs::read_to_string(file.unwrap().path()).unwrap();
    }
    for file in fs::read_dir(at.join("src")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let mut inside = false;
        for line in text.lines() {
            let line = line.trim_start();
            match line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) {
                Some(line) if line.trim_start().starts_with("```") => inside = !inside,
                Some(line) if inside => code = code + line + "\n",
                Some(_) => {}
                None => inside = false,
            }
        }
    }
    code
}

/// Whether a text has a word after one of these characters.
fn has_word(text: &str, word: &str, after: &[char]) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let next = text[at + word.len()..].chars().next();
        text[..at].ends_with(after) && !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[test]
fn every_public_method_and_type_is_shown_in_an_example() {
    for transport in ["blocking", "async"] {
        let code = shown(transport);
        let unshown = methods(transport)
            .into_iter()
            .flat_map(|(of, names)| names.into_iter().map(move |name| format!("{of}::{name}")))
            .filter(|path| {
                let (_, name) = path.split_once("::").unwrap();
                !has_word(&code, name, &['.', ':'])
            })
            .collect::<Vec<_>>();
        assert!(unshown.is_empty(), "{transport}: no example has {unshown:?}");
    }
}

/// The files of a folder and of the folders in it.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = entries.map(|path| match path.is_dir() {
        true => files(&path),
        false => vec![fs::read_to_string(&path).unwrap()],
    });
    texts.flatten().collect()
}

/// Members that need no example: they say where, or are the same everywhere.
const PLAIN: [&str; 12] = [
    "bucket",
    "key",
    "container",
    "object",
    "version_id",
    "common",
    "upload_id",
    "checksum",
    "expected_bucket_owner",
    "customer_key",
    "conditions",
    "newest",
];

#[test]
fn every_operation_with_members_of_its_own_has_an_example() {
    let mut operations = 0;
    for room in ["s3", "swift"] {
        let room = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../core/src/{room}"));
        for text in files(&room) {
            let names = text.lines().filter_map(|line| line.strip_prefix("impl Operation for "));
            for name in names.map(|rest| rest.trim_end_matches(" {")) {
                let Some((docs, rest)) = text.split_once(&format!("pub struct {name} ")) else {
                    continue;
                };
                operations += 1;
                let docs = docs.rsplit("\n\n").next().unwrap();
                let members = rest.lines().take_while(|line| !matches!(line.trim(), "}" | "new()"));
                let own = members
                    .filter_map(|line| line.trim_start().strip_prefix("pub "))
                    .filter_map(|member| member.split_once(':'))
                    .filter(|(member, _)| !PLAIN.contains(member))
                    .count();
                assert!(own == 0 || docs.contains("```"), "{name} has no example");
            }
        }
    }
    assert!(operations > 50, "{operations}");
}
