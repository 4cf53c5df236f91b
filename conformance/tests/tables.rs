//! `PARITY.md` and `DEFECTS.md` name existing tests, and have all rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[test]
fn every_defect_has_a_test_that_would_show_it() {
    let document = read("conformance/DEFECTS.md");
    let (theirs, _) = document.split_once(OURS).expect("a part for the faults of ours");
    let rows: BTreeMap<&str, Vec<&str>> =
        rows(theirs).into_iter().map(|row| (row[0], row)).collect();
    let expected: BTreeSet<String> = (1..=21)
        .map(|number| format!("S{number}"))
        .chain((1..=18).map(|number| format!("W{number}")))
        .collect();
    let found: BTreeSet<String> = rows.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, expected);
    let mut wrong = Vec::new();
    for (name, row) in rows {
        if row.len() != 3 || row[1].is_empty() || row[2].is_empty() {
            wrong.push(format!("{name} is not filled"));
        } else if tests(row[2]).is_empty() {
            wrong.push(format!("{name} names no test"));
        }
    }
    wrong.extend(missing(theirs));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_fault_of_ours_names_its_fix_and_the_tests_that_fail_without_it() {
    let document = read("conformance/DEFECTS.md");
    let (_, ours) = document.split_once(OURS).expect("a part for the faults of ours");
    let rows = rows(ours);
    let found: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    let distinct: BTreeSet<&str> = found.iter().copied().collect();
    let mut wrong = Vec::new();
    if distinct.len() != found.len() {
        wrong.push("a row is there twice".to_owned());
    }
    let numbered = [('T', 1..=19), ('L', 1..=12), ('G', 1..=3)];
    for (letter, numbers) in numbered {
        let missing = numbers.map(|number| format!("{letter}{number}"));
        let missing = missing.filter(|name| !distinct.contains(&**name));
        wrong.extend(missing.map(|name| format!("{name} is missing")));
    }
    for row in &rows {
        if row.len() != 4 || row.iter().any(|cell| cell.is_empty()) {
            wrong.push(format!("{} is not filled", row[0]));
        } else if tests(row[3]).is_empty() {
            wrong.push(format!("{} names no test", row[0]));
        }
    }
    wrong.extend(missing(ours));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_of_theirs_has_a_test_or_a_reason() {
    let document = read("conformance/PARITY.md");
    let mut wrong = missing(&document);
    for section in document.split("\n## ").skip(1) {
        let (title, rest) = section.split_once('\n').unwrap();
        let stated = rest.trim_start().split(' ').next().and_then(|count| count.parse().ok());
        let stated: usize = stated.unwrap_or_else(|| panic!("{title} says no number of cases"));
        let mut cases = Vec::new();
        for row in rows(section) {
            let [theirs, checks, ours] = row[..] else {
                panic!("a row of {title} has {} columns", row.len());
            };
            cases.extend(code(theirs));
            let has_reason =
                ours.strip_prefix("not applicable: ").is_some_and(|reason| reason.len() > 10);
            if checks.is_empty() || !has_reason && tests(ours).is_empty() {
                wrong.push(format!("{title}: {theirs} is not filled"));
            }
        }
        let distinct: BTreeSet<&str> = cases.iter().copied().collect();
        if (cases.len(), distinct.len()) != (stated, stated) {
            wrong.push(format!("{title} has {stated} cases and names {}", cases.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_that_architecture_names_exists() {
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if !path.is_dir() {
                files.push(path.to_string_lossy().into_owned());
            } else if !path.ends_with("target") && !path.ends_with(".git") {
                folders.push(path);
            }
        }
    }
    let text = read("ARCHITECTURE.md");
    let named = code(&text).into_iter().filter(|code| code.ends_with(".rs"));
    let named = named.filter(|name| !name.contains(['{', '*', ' ']));
    let gone: Vec<_> = named
        .filter(|name| !files.iter().any(|file| file.ends_with(&format!("/{name}"))))
        .collect();
    assert!(gone.is_empty(), "there is no {gone:?}");
}

/// The tests in a document, `file::name` each, that there are not.
fn missing(document: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, name) in tests(document) {
        let Ok(text) = std::fs::read_to_string(root().join(file)) else {
            wrong.push(format!("there is no {file}"));
            continue;
        };
        if !text.contains(&format!("fn {name}(")) {
            wrong.push(format!("{file} has no {name}"));
        }
    }
    wrong
}

fn tests(text: &str) -> Vec<(&str, &str)> {
    let named = code(text).into_iter().filter_map(|code| code.split_once("::"));
    named.filter(|(file, _)| file.ends_with(".rs")).collect()
}

/// Returns the text between single backticks.
fn code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The cells of all rows of tables but their heads.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    let head = |at: usize| lines.get(at + 1).is_some_and(|next| next.starts_with("| ---"));
    let rows = lines
        .iter()
        .enumerate()
        .filter(|(at, line)| line.starts_with("| ") && !line.starts_with("| ---") && !head(*at));
    rows.map(|(_, line)| {
        let cells = line.trim().trim_start_matches('|').trim_end_matches('|').split('|');
        cells.map(str::trim).collect()
    })
    .collect()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// The head of the part of `DEFECTS.md` about faults of our own.
const OURS: &str = "\n## Ours";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
