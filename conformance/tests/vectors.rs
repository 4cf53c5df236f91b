//! The recorded vectors, and the strictness of their runner.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use apus_conformance::run::{Report, Selection, run};
use serde_json::{Value, json};

#[test]
fn all_recorded_vectors_pass() {
    let report = run(&[vectors()], &Selection::default());
    assert!(report.is_success(), "{report}");
    assert!(report.passed() >= 3_000, "{report}");
    assert_eq!(report.skipped(), 0);
}

/// Whatever is changed in an expectation, the case fails.
#[test]
fn every_part_of_an_expectation_counts() {
    for file in fs::read_dir(vectors()).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let mut file: Value = serde_json::from_str(&text).unwrap();
        let suite = file["suite"].as_str().unwrap().to_owned();
        let cases = file["cases"].as_array().unwrap().clone();
        let mut corrupted = Vec::new();
        for case in cases.iter().step_by(cases.len() / 12) {
            for leaf in leaves(&case["expect"], "") {
                // Of a refusal only that it is one.
                let is_word = ["/error", "/refused"].contains(&leaf.as_str());
                if is_word && REFUSALS.contains(&suite.as_str()) {
                    continue;
                }
                let mut case = case.clone();
                corrupt(case["expect"].pointer_mut(&leaf).unwrap());
                case["name"] = format!("{}{leaf}", case["name"]).into();
                corrupted.push(case);
            }
        }
        let all = corrupted.len();
        file["cases"] = corrupted.into();
        let passed = names(&file, &run_document(&file));
        assert!(all > 10 && passed.is_empty(), "{suite}: {passed:?} of {all} pass");
    }
}

/// The suites that say of a refusal why it is one, in words that ours need not say.
const REFUSALS: [&str; 10] = [
    "aws-config",
    "clouds-yaml",
    "enabled-backends",
    "keystone-catalog",
    "location-s3",
    "location-swift",
    "migration",
    "oslo-config",
    "s3-endpoint",
    "swift-references",
];

#[test]
fn what_is_unknown_is_a_failure() {
    assert!(run_document(&checksum(HELLO)).is_success());
    for (at, what) in [
        ("", "unknown field `more`"),
        ("/cases/0", "unknown field `more`"),
        ("/cases/0/input", "\"more\" is unknown"),
        ("/cases/0/input/data", "unknown field `more`"),
        ("/cases/0/expect", "\"more\" is unknown"),
    ] {
        let mut file = checksum(HELLO);
        file.pointer_mut(at).unwrap()["more"] = json!(1);
        let report = run_document(&file);
        assert_eq!((report.passed(), report.failed()), (0, 1), "{at}: {report}");
        assert!(report.to_string().contains(what), "{at}: {report}");
    }
    let mut file = checksum(HELLO);
    file["suite"] = "s4-request".into();
    let report = run_document(&file);
    assert_eq!((report.passed(), report.failed()), (0, 1));
    assert!(report.to_string().contains("there is no suite \"s4-request\""));
}

#[test]
fn a_member_that_no_operation_takes_is_a_failure() {
    let request = |params: Value| {
        json!({
            "suite": "s3-request", "source": "by hand", "cases": [{
                "name": "get",
                "input": {
                    "config": {
                        "endpoint": "http://127.0.0.1:9000", "region": "us-east-1",
                        "access_key": null, "secret_key": null, "session_token": null
                    },
                    "operation": "GetObject", "params": params, "time": "20150830T123600Z"
                },
                "expect": {
                    "method": "GET", "url": "http://127.0.0.1:9000/b/k", "headers": [],
                    "body": { "utf8": "" }
                }
            }]
        })
    };
    let report = run_document(&request(json!({ "Bucket": "b", "Key": "k" })));
    assert!(report.is_success(), "{report}");
    let report = run_document(&request(json!({ "Bucket": "b", "Key": "k", "Color": "red" })));
    assert!(report.to_string().contains("member Color is unknown"), "{report}");
    let report = run_document(&request(json!({ "Bucket": "b" })));
    assert!(report.to_string().contains("member Key: it is missing"), "{report}");
}

#[test]
fn a_case_is_skipped_only_where_it_says_why() {
    let mut file = checksum("AAAAAA==");
    file["cases"][0]["skip"] = "for a test".into();
    let report = run_document(&file);
    assert_eq!((report.passed(), report.failed(), report.skipped()), (0, 0, 1));
    file["cases"][0]["skip"] = true.into();
    assert_eq!(run_document(&file).failed(), 1);
}

#[test]
fn the_command_tells_by_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let good = written(folder.path(), "good.json", &checksum(HELLO));
    let bad = written(folder.path(), "bad.json", &checksum("AAAAAA=="));
    let good = good.to_str().unwrap();

    let (code, text) = outcome(command(&["run", good]));
    assert_eq!(code, 0);
    assert_eq!(text, "checksum: 1 passed, 0 failed\n1 passed, 0 failed, 0 skipped\n");

    let (code, text) = outcome(command(&["run", folder.path().to_str().unwrap()]));
    assert_eq!(code, 1);
    assert!(text.contains("FAILED checksum hello") && text.contains("expected: \"AAAAAA==\""));
    assert!(text.ends_with("checksum: 1 passed, 1 failed\n1 passed, 1 failed, 0 skipped\n"));

    let (code, text) = outcome(command(&["run", "--json", bad.to_str().unwrap()]));
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &report["failed"]), (1, &json!(1)));
    assert_eq!(report["suites"][0]["failures"][0]["differences"][0]["got"], json!("\"NhCmhg==\""));

    let (code, text) = outcome(command(&["run", good, "--suite", "sigv4-header"]));
    assert_eq!((code, text.as_str()), (0, "0 passed, 0 failed, 0 skipped\n"));

    for wrong in [
        &["run"][..],
        &["walk", good],
        &["run", good, "--suite", "s4-request"],
        &["run", good, "--fast"],
    ] {
        assert_eq!(outcome(command(wrong)).0, 2, "{wrong:?}");
    }
    let empty = tempfile::tempdir().unwrap();
    for nothing in [empty.path(), Path::new("/no/such/path")] {
        assert_eq!(outcome(command(&["run", nothing.to_str().unwrap()])).0, 1);
    }
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// A file with one case: the CRC32 of `hello`.
fn checksum(base64: &str) -> Value {
    json!({
        "suite": "checksum", "source": "by hand", "cases": [{
            "name": "hello",
            "input": { "algorithm": "CRC32", "data": { "utf8": "hello" } },
            "expect": { "base64": base64 }
        }]
    })
}

fn written(folder: &Path, name: &str, file: &Value) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, file.to_string()).unwrap();
    path
}

fn run_document(file: &Value) -> Report {
    let folder = tempfile::tempdir().unwrap();
    run(&[written(folder.path(), "vectors.json", file)], &Selection::default())
}

/// The names of the cases that did not fail.
fn names(file: &Value, report: &Report) -> Vec<String> {
    let report = report.json();
    let failures = report["suites"][0]["failures"].as_array().unwrap();
    let failed: Vec<&Value> = failures.iter().map(|failure| &failure["name"]).collect();
    let cases = file["cases"].as_array().unwrap().iter().map(|case| &case["name"]);
    cases.filter(|name| !failed.contains(name)).map(Value::to_string).collect()
}

/// The JSON pointers of all scalars.
fn leaves(value: &Value, at: &str) -> Vec<String> {
    match value {
        Value::Array(list) => {
            let items = list.iter().enumerate();
            items.flat_map(|(index, item)| leaves(item, &format!("{at}/{index}"))).collect()
        }
        Value::Object(members) => {
            let members = members.iter();
            members
                .flat_map(|(name, value)| {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    leaves(value, &format!("{at}/{name}"))
                })
                .collect()
        }
        Value::Null => Vec::new(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![at.to_owned()],
    }
}

/// Another value of the same kind; of a text one character in its first half,
/// where an authorization has no signature, which is not always compared.
fn corrupt(value: &mut Value) {
    match value {
        Value::Bool(flag) => *flag = !*flag,
        Value::Number(number) => *value = json!(number.as_u64().unwrap() + 1),
        Value::String(text) => {
            let at = text.chars().count() / 3;
            let other = |char| if char == 'x' { 'y' } else { 'x' };
            let mut chars: Vec<char> = text.chars().collect();
            match chars.get_mut(at) {
                Some(char) => *char = other(*char),
                None => chars.push('x'),
            }
            *text = chars.into_iter().collect();
        }
        Value::Null | Value::Array(_) | Value::Object(_) => {}
    }
}

fn command(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_apus-conformance")).args(arguments).output().unwrap()
}

fn outcome(output: Output) -> (i32, String) {
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

const HELLO: &str = "NhCmhg==";
