//! Responses of S3 with one field damaged: the rest is read nevertheless.

use std::fs;
use std::ops::Range;
use std::path::Path;

use apus_conformance::run::s3_output;
use serde_json::{Value, json};

/// Takes each recorded success, and damages each of its elements and headers in turn. A response
/// whose damaged field is not required is read, and all that is not read from it stays as it was.
#[test]
fn a_damaged_field_costs_nothing_but_itself() {
    let mut failures = Vec::new();
    let mut damages = 0;
    for case in recorded() {
        let name = case["name"].as_str().unwrap();
        let input = &case["input"];
        if case["expect"]["outcome"] != "ok" {
            continue;
        }
        let whole = s3_output(input.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        for (field, how, input) in damaged(input) {
            damages += 1;
            match s3_output(input) {
                Err(error) => failures.push(format!("{name}: {field} {how}: {error}")),
                Ok(output) => {
                    // What is read from it may differ, in one place.
                    let differing = differences(&whole, &output, String::new());
                    if differing.len() > 1 {
                        failures.push(format!("{name}: {field} {how}: {differing:?} differ"));
                    }
                }
            }
        }
    }
    assert!(damages > 20_000, "{damages}");
    let most = failures.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} of {damages}:\n{most}", failures.len());
}

/// A document is known by its members, not by the name of its root: moto 5.2 sends
/// `CompleteMultipartUploadResponse`, `ListPartsResponse` and others.
#[test]
fn a_document_is_judged_by_its_members() {
    let mut renamed = 0;
    for case in recorded() {
        let name = case["name"].as_str().unwrap();
        let input = &case["input"];
        let body = input["body"]["utf8"].as_str().unwrap_or_default();
        if !name.ends_with("/full") {
            continue;
        }
        let leaves = leaves(body);
        let Some(leaf) = leaves.first() else { continue };
        let root = leaf.path.split('/').next().unwrap();
        let whole = s3_output(input.clone()).unwrap();
        let read = |body: String| {
            let mut input = input.clone();
            input["body"]["utf8"] = body.into();
            s3_output(input)
        };
        let other = body.replace(&format!("<{root}"), "<SomeOtherName");
        let other = other.replace(&format!("</{root}>"), "</SomeOtherName>");
        assert_eq!(read(other), Ok(whole), "{name}");
        renamed += 1;
        for foreign in [
            "<Foreign><Member>1</Member></Foreign>",
            "<Error><Code>AccessDenied</Code></Error>",
            "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>",
            "<Response><Errors><Error><Code>AccessDenied</Code></Error></Errors></Response>",
        ] {
            let error = read(foreign.to_owned()).unwrap_err();
            assert!(!foreign.contains("Code") || error.contains("AccessDenied"), "{name}: {error}");
        }
    }
    assert!(renamed > 15, "{renamed}");
}

fn recorded() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let files = ["s3-response.json", "s3-response.specified.json"];
    let cases = files.iter().flat_map(|name| {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        file["cases"].as_array().unwrap().clone()
    });
    // The bodies of these are no documents of S3's.
    cases
        .filter(|case| {
            !["GetBucketPolicy", "GetObject", "GetObjectAnnotation"]
                .iter()
                .any(|it| case["input"]["operation"] == *it)
        })
        .collect()
}

/// Returns the inputs with one damage each, with the field and the damage.
fn damaged(input: &Value) -> Vec<(String, &'static str, Value)> {
    let mut all = Vec::new();
    let huge = "9".repeat(10_000);
    let texts = [
        ("of another type", "none of it"),
        ("negative", "-1"),
        ("as an HTTP date", "Tue, 03 Mar 2026 10:00:00 GMT"),
        ("as a number", "1772532000.5"),
        ("empty", ""),
        ("huge", huge.as_str()),
        ("with control characters", "\u{1}&#x2;\u{7f}"),
    ];
    if let Some(body) = input["body"]["utf8"].as_str() {
        for Leaf { path, element, text } in leaves(body) {
            if is_required(&path) {
                continue;
            }
            let field = path.rsplit('/').next().unwrap_or_default();
            let mut put = |how, range: Range<usize>, by: &str| {
                let mut body = body.to_owned();
                body.replace_range(range, by);
                let mut input = input.clone();
                input["body"]["utf8"] = body.into();
                all.push((field.to_owned(), how, input));
            };
            for (how, by) in texts {
                put(how, text.clone(), by);
            }
            put("missing", element.clone(), "");
            let twice = format!("{0}{0}", &body[element.clone()]);
            put("twice", element, &twice);
        }
    }
    for (at, header) in input["headers"].as_array().into_iter().flatten().enumerate() {
        let name = header[0].as_str().unwrap().to_lowercase();
        if FRAMING.contains(&name.as_str()) || name.starts_with("x-amz-checksum-") {
            continue;
        }
        let mut put = |how, headers: &mut dyn FnMut(&mut Vec<Value>)| {
            let mut input = input.clone();
            headers(input["headers"].as_array_mut().unwrap());
            all.push((name.clone(), how, input));
        };
        for (how, by) in texts.iter().take(6) {
            put(how, &mut |headers| headers[at][1] = json!(by));
        }
        put("in another alphabet", &mut |headers| headers[at][1] = json!("Größe\tβ"));
        put("missing", &mut |headers| drop(headers.remove(at)));
        put("twice", &mut |headers| headers.push(headers[at].clone()));
    }
    all
}

/// A leaf of a document: the names of its elements from the root, and where it is.
struct Leaf {
    path: String,
    element: Range<usize>,
    text: Range<usize>,
}

/// Finds the elements that contain no others. The recorded documents have no CDATA and no `>` in
/// attributes.
fn leaves(body: &str) -> Vec<Leaf> {
    let mut open: Vec<(String, usize, usize, bool)> = Vec::new();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = body[at..].find('<').map(|found| at + found) {
        let end = start + body[start..].find('>').unwrap() + 1;
        let tag = &body[start + 1..end - 1];
        at = end;
        if tag.starts_with(['?', '!']) {
            continue;
        }
        if tag.starts_with('/') {
            let names: Vec<&str> = open.iter().map(|(name, ..)| name.as_str()).collect();
            let path = names.join("/");
            let (_, begin, text, is_leaf) = open.pop().unwrap();
            if is_leaf && !open.is_empty() {
                found.push(Leaf { path, element: begin..end, text: text..start });
            }
        } else if !tag.ends_with('/') {
            if let Some((.., is_leaf)) = open.last_mut() {
                *is_leaf = false;
            }
            let name = tag.split_ascii_whitespace().next().unwrap_or_default();
            let name = name.rsplit(':').next().unwrap_or_default();
            open.push((name.to_owned(), start, end, true));
        } else if let Some((.., is_leaf)) = open.last_mut() {
            *is_leaf = false;
        }
    }
    found
}

/// Returns whether the element of this path is required, or decides what others mean.
fn is_required(path: &str) -> bool {
    let path = path.split_once('/').map_or("", |(_, path)| path);
    REQUIRED.iter().any(|required| match required.strip_prefix('…') {
        Some(end) => path.ends_with(end),
        None => path == *required,
    })
}

/// The names of the members that differ.
fn differences(one: &Value, other: &Value, at: String) -> Vec<String> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let none = Value::Null;
            let names = one.keys().chain(other.keys().filter(|name| !one.contains_key(*name)));
            names
                .flat_map(|name| {
                    let (one, other) = (one.get(name), other.get(name));
                    let at = format!("{at}/{name}");
                    differences(one.unwrap_or(&none), other.unwrap_or(&none), at)
                })
                .collect()
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let pairs = one.iter().zip(other).enumerate();
            pairs
                .flat_map(|(n, (one, other))| differences(one, other, format!("{at}/{n}")))
                .collect()
        }
        _ if one == other => Vec::new(),
        _ => vec![at],
    }
}

/// Headers that say how the response itself is to be read.
const FRAMING: [&str; 5] =
    ["content-length", "transfer-encoding", "content-range", "content-encoding", "connection"];

/// Members without which an entry or a document says nothing, by their path below the root.
const REQUIRED: &[&str] = &[
    // How keys are encoded, and whether a list goes on.
    "EncodingType",
    "IsTruncated",
    "ObjectParts/IsTruncated",
    // What an entry is about.
    "Contents/Key",
    "Version/Key",
    "DeleteMarker/Key",
    "Upload/Key",
    "Upload/UploadId",
    "Part/PartNumber",
    "ObjectParts/Part/PartNumber",
    "Buckets/Bucket/Name",
    "UploadId",
    "Annotations/AnnotationEntry/AnnotationName",
    "…Tag/Key",
    // When a lifecycle rule removes which objects: a rule that lost one would remove others once it
    // is put back.
    "…/Days",
    "…/NoncurrentDays",
    "…/Date",
    "…/NewerNoncurrentVersions",
    "…/DaysAfterInitiation",
    "…/ExpiredObjectDeleteMarker",
    "…/ObjectSizeGreaterThan",
    "…/ObjectSizeLessThan",
];
