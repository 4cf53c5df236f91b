//! Keys as paths: which keys have one, and that it never leaves the directory.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use apus_core::key_path::{KeyPathError, KeyPaths};
use proptest::prelude::*;

fn path(key: &str) -> Result<String, String> {
    paths(&mut KeyPaths::new(""), key)
}

fn paths(paths: &mut KeyPaths, key: &str) -> Result<String, String> {
    paths.path(key).map(|path| path.as_str().to_owned()).map_err(|error| error.to_string())
}

#[test]
fn a_harmless_key_is_its_path() {
    for key in ["a", "a/b", "a b/c.d", ".hidden", "...", "..a/b..", "-rf", "~", "ä/日本", "a'b"]
    {
        assert_eq!(path(key).as_deref(), Ok(key));
    }
}

#[test]
fn the_prefix_is_removed_as_text() {
    let mut of = KeyPaths::new("backup/2024");
    assert_eq!(paths(&mut of, "backup/2024-01/a").as_deref(), Ok("-01/a"));
    assert_eq!(of.path("backup/2024/a"), Err(KeyPathError::Absolute));
    assert_eq!(of.path("backup/2024"), Err(KeyPathError::Empty));
    let outside = KeyPathError::OutsidePrefix { prefix: "backup/2024".into() };
    assert_eq!(of.path("backup/2023/a"), Err(outside));
    assert_eq!(KeyPaths::new("a/").path("a/"), Err(KeyPathError::Directory));
}

#[test]
fn a_key_that_leads_elsewhere_has_no_path() {
    for key in ["../a", "a/../../b", "a/..", "..", ".", "./a", "a/./b", "../", "a/../"] {
        let error = KeyPaths::new("").path(key).unwrap_err();
        assert!(matches!(error, KeyPathError::Dots { .. }), "{key}: {error}");
    }
    for key in ["/etc/passwd", "/", "//a", "///"] {
        assert_eq!(KeyPaths::new("").path(key), Err(KeyPathError::Absolute), "{key}");
    }
    for key in ["a//b", "a//", "a/b//c"] {
        assert_eq!(KeyPaths::new("").path(key), Err(KeyPathError::EmptyName), "{key}");
    }
    assert_eq!(KeyPaths::new("").path(""), Err(KeyPathError::Empty));
}

#[test]
fn a_key_with_a_slash_at_the_end_is_a_directory_and_takes_no_name() {
    let mut of = KeyPaths::new("");
    assert_eq!(of.path("a/"), Err(KeyPathError::Directory));
    assert!(of.path("a").is_ok());
}

#[test]
fn control_characters_are_refused_and_not_printed() {
    for (key, code) in
        [("a\0b", "U+0000"), ("a/\n", "U+000A"), ("\x7f", "U+007F"), ("\u{85}", "U+0085")]
    {
        let error = path(key).unwrap_err();
        assert!(error.contains(code) && !error.contains(char::is_control), "{error:?}");
    }
}

#[test]
fn lengths_are_those_of_file_systems_in_bytes() {
    assert!(path(&"a".repeat(255)).is_ok());
    assert_eq!(
        KeyPaths::new("").path(&"a".repeat(256)),
        Err(KeyPathError::NameTooLong { bytes: 256 })
    );
    assert_eq!(
        KeyPaths::new("").path(&"é".repeat(128)),
        Err(KeyPathError::NameTooLong { bytes: 256 })
    );
    assert!(path(&("a/".repeat(2047) + "b")).is_ok());
    let long = "a/".repeat(2048) + "b";
    assert_eq!(KeyPaths::new("").path(&long), Err(KeyPathError::PathTooLong { bytes: 4097 }));
}

#[test]
fn a_file_and_a_directory_of_the_same_name_are_one_too_many() {
    let mut of = KeyPaths::new("");
    assert!(of.path("a").is_ok());
    assert_eq!(of.path("a/b"), Err(KeyPathError::IsFile { path: "a".into() }));
    assert!(of.path("c/d/e").is_ok());
    assert_eq!(of.path("c/d"), Err(KeyPathError::IsDirectory { path: "c/d".into() }));
    assert_eq!(of.path("c/d/e/f"), Err(KeyPathError::IsFile { path: "c/d/e".into() }));
    assert!(of.path("c/d/f").is_ok(), "what was refused took no name");
    assert!(of.path("a").is_ok(), "the same key again");
}

#[test]
fn names_that_differ_by_case_or_normalisation_are_refused() {
    let pairs = [
        ("Readme", "README"),
        ("Ä", "ä"),
        ("\u{e9}", "e\u{301}"),
        ("\u{c9}", "e\u{301}"),
        // Two marks in either order.
        ("q\u{307}\u{323}", "q\u{323}\u{307}"),
        // Hangul, syllable and letters; Kelvin and ångström signs; a compatibility ideograph.
        ("\u{ac00}", "\u{1100}\u{1161}"),
        ("\u{212a}", "k"),
        ("\u{212b}", "\u{e5}"),
        ("\u{f900}", "\u{8c48}"),
        ("straße", "STRASSE"),
        ("STRA\u{1e9e}E", "straße"),
        ("ΟΔΟΣ", "οδος"),
        ("\u{1e9b}\u{323}", "\u{1e69}"),
        // What git calls the HFS+ form of `.git`.
        (".git", ".g\u{200c}it"),
    ];
    for (one, two) in pairs {
        for (one, two) in [(one, two), (two, one)] {
            for (first, second, path, other) in [
                (format!("d/{one}"), format!("d/{two}"), format!("d/{two}"), format!("d/{one}")),
                (format!("{one}/a"), format!("{two}/b"), two.to_owned(), one.to_owned()),
                (format!("{one}/a"), two.to_owned(), two.to_owned(), one.to_owned()),
            ] {
                let mut of = KeyPaths::new("");
                assert!(of.path(&first).is_ok());
                assert_eq!(of.path(&second), Err(KeyPathError::SameName { path, other }));
                let mut of = KeyPaths::new("").exact_names(true);
                assert!(of.path(&first).is_ok() && of.path(&second).is_ok(), "{first} {second}");
            }
        }
    }
}

#[test]
fn different_names_are_kept_apart() {
    let mut of = KeyPaths::new("");
    for name in
        ["sınır", "sinir", "Mädchen", "Mödchen", "日本", "中国", "か", "が", "e", "é", "fl", "f"]
    {
        assert_eq!(paths(&mut of, name).as_deref(), Ok(name));
    }
}

#[test]
fn all_letters_are_the_same_name_in_both_cases() {
    for char in '\u{80}'..=char::MAX {
        let (lower, upper) = (char.to_lowercase().to_string(), char.to_uppercase().to_string());
        for other in [lower, upper].iter().filter(|other| **other != char.to_string()) {
            let mut of = KeyPaths::new("");
            if char == 'ı' || of.path(&char.to_string()).is_err() {
                continue;
            }
            assert!(matches!(of.path(other), Err(KeyPathError::SameName { .. })), "{char} {other}");
        }
    }
}

#[test]
fn names_that_are_not_files_on_windows() {
    let refused = [
        "a:b",
        "C:",
        "a\\b",
        "..\\a",
        "a?",
        "a*",
        "a|b",
        "a<b",
        "a>b",
        "\"a\"",
        "a.",
        "a ",
        "NUL",
        "nul.txt",
        "Com1",
        "LPT9.a.b",
        "COM²",
        "CON .txt",
        "aux",
        "CONIN$",
        "PROGRA~1",
        "LETTER~1.DOC",
    ];
    for name in refused {
        for key in [name.to_owned(), format!("a/{name}"), format!("{name}/a")] {
            let error = KeyPaths::new("").windows(true).path(&key).unwrap_err();
            assert!(matches!(error, KeyPathError::Windows { .. }), "{key}: {error}");
            assert_eq!(KeyPaths::new("").windows(false).path(&key).is_ok(), cfg!(not(windows)));
        }
    }
    for name in
        ["COM", "COM10", "nula", "con-1", "a.nul", "a~b", "~1 and more.txt", "letter~1.html"]
    {
        assert!(KeyPaths::new("").windows(true).path(name).is_ok(), "{name}");
    }
}

#[test]
fn keys_beyond_the_memory_limit_are_refused() {
    let mut of = KeyPaths::new("").memory(2 * (192 + 2));
    assert!(of.path("a").is_ok() && of.path("b").is_ok());
    assert_eq!(of.path("c"), Err(KeyPathError::Memory { bytes: 388 }));
    assert!(of.path("a").is_ok(), "a known key takes none");
}

#[test]
fn errors_say_what_is_wrong() {
    let mut of = KeyPaths::new("p/").windows(true);
    assert!(of.path("p/Dir/x").is_ok());
    let told = [
        ("q", "the key does not begin with the prefix `p/`"),
        ("p/../x", "the name `..` refers to another directory"),
        (
            "p/a:b",
            "the name `a:b` is not possible on Windows: it has one of the characters <>:\"|?*\\",
        ),
        (
            "p/dir/y",
            "`dir` and `Dir` of another key are the same name on file systems that ignore case \
            or Unicode normalisation",
        ),
        ("p/Dir", "`Dir` is a directory of another key"),
        ("p/Dir/x/y", "the directory `Dir/x` is the file of another key"),
    ];
    for (key, message) in told {
        assert_eq!(of.path(key).unwrap_err().to_string(), message);
    }
}

proptest! {
    #[test]
    fn the_joined_path_stays_below_the_directory(
        keys in prop::collection::vec("([a.A/\\\\:é\u{301}\u{0}e]|\\.\\./|\\PC){0,12}", 1..20),
        windows: bool,
        exact: bool,
    ) {
        let target = Path::new("/srv/target");
        let mut of = KeyPaths::new("").windows(windows).exact_names(exact);
        for key in &keys {
            let Ok(path) = of.path(key) else { continue };
            let joined = target.join(&path);
            prop_assert_eq!(path.as_str(), key);
            prop_assert!(Path::new(path.as_str()).components().all(|one| matches!(one, Component::Normal(_))));
            let below = joined.strip_prefix(target).unwrap().components();
            prop_assert!(below.eq(path.components().map(|one| Component::Normal(one.as_ref()))));
        }
    }

    /// Compared with a model: every pair of accepted keys.
    #[test]
    fn no_two_keys_share_a_file(keys in prop::collection::vec("[aAb/]{1,5}", 1..30)) {
        let mut of = KeyPaths::new("");
        let mut accepted = BTreeMap::<String, &str>::new();
        for key in &keys {
            if of.path(key).is_err() {
                continue;
            }
            for (folded, other) in &accepted {
                let lower = key.to_lowercase();
                prop_assert!(*folded != lower || other == key, "{other} {key}");
                prop_assert!(!folded.starts_with(&format!("{lower}/")), "{other} {key}");
                prop_assert!(!lower.starts_with(&format!("{folded}/")), "{other} {key}");
            }
            accepted.insert(key.to_lowercase(), key);
        }
    }
}
