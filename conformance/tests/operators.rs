//! `OPERATORS.md` describes all options, and its examples have the described effect.

use std::collections::BTreeSet;
use std::path::Path;

use apus_conformance::operators;
use apus_core::checksum::{Placement, RequestChecksumCalculation, ResponseChecksumValidation};
use apus_core::store::config::{
    Backend, Configuration, Mode, OsloConfig, Plain, Reference, S3Options, SwiftOptions,
};

#[test]
fn the_reference_is_that_of_the_options() {
    let document = document();
    let updated = operators::updated(&document).expect("the reference has its marks");
    assert!(
        document == updated,
        "OPERATORS.md is not up to date: cargo run -p apus-conformance -- operators OPERATORS.md"
    );
    for spec in S3Options::specs().into_iter().chain(SwiftOptions::specs()) {
        assert!(document.contains(&format!("| `{}` | ", spec.name)), "{}", spec.name);
    }
}

#[test]
fn every_example_is_read_without_a_warning() {
    let document = document();
    let examples = examples(&document, "ini");
    let (stores, references): (Vec<&str>, Vec<&str>) =
        examples.iter().partition(|example| example.starts_with("# glance-api.conf\n"));
    assert!(stores.len() >= 5 && references.len() == 1, "{stores:?} {references:?}");
    for example in stores {
        let configuration = configuration(example);
        assert!(configuration.warnings.is_empty(), "{example}{:?}", configuration.warnings);
        assert!(!configuration.backends.is_empty(), "{example}");
        let default = configuration.default.expect("an example says where images go");
        assert!(configuration.backends.contains_key(&default), "{example}");
    }
    let references = Reference::read_all("glance-swift.conf", references[0]).unwrap();
    assert_eq!(references.keys().map(String::as_str).collect::<Vec<_>>(), ["ref1", "ref2"]);
    assert_eq!(references["ref1"].key.as_ref().unwrap().expose(), "pass word");
    assert!(references["ref2"].identity().unwrap().is_application_credential());
    for example in self::examples(&document, "json") {
        let plain: Plain = serde_json::from_str(example).unwrap();
        let configuration = Configuration::of_plain(&plain).unwrap();
        assert!(configuration.warnings.is_empty(), "{:?}", configuration.warnings);
        assert_eq!(s3(&configuration, "fast").s3_store_retries, 6);
    }
}

#[test]
fn the_examples_do_what_the_text_says() {
    let document = document();
    let example = |heading: &str| {
        let (_, rest) = document.split_once(&format!("\n## Example: {heading}\n")).unwrap();
        let section = rest.split("\n## ").next().unwrap();
        examples(section, "ini").into_iter().map(configuration).collect::<Vec<_>>()
    };
    let ceph = example("Ceph");
    let checksum = s3(&ceph[0], "ceph").config().unwrap().checksum;
    assert_eq!(checksum.request_mode(), RequestChecksumCalculation::WhenRequired);
    let checksum = s3(&ceph[1], "ceph").config().unwrap().checksum;
    assert_eq!(checksum.request_mode(), RequestChecksumCalculation::WhenSupported);
    assert_eq!(checksum.placement, Placement::ContentMd5);

    let aws = &example("AWS")[0];
    assert_eq!(s3(aws, "aws").region(), "eu-central-1");
    let checksum = s3(aws, "aws").config().unwrap().checksum;
    assert_eq!(checksum.response_mode(), ResponseChecksumValidation::WhenSupported);
    assert_eq!(checksum.algorithm.name(), "CRC64NVME");

    let mixed = &example("mixed backends")[0];
    assert_eq!(mixed.mode, Mode::Multi);
    let [fast, archive] = ["fast", "archive"].map(|id| s3(mixed, id).config().unwrap().checksum);
    assert_eq!(fast.request_mode(), RequestChecksumCalculation::WhenRequired);
    assert_eq!(archive.request_mode(), RequestChecksumCalculation::WhenSupported);
    assert_eq!(archive.response_mode(), ResponseChecksumValidation::WhenSupported);
    assert_eq!([s3(mixed, "fast"), s3(mixed, "archive")].map(|s3| s3.s3_store_retries), [6, 6]);
    assert_eq!(
        [s3(mixed, "fast"), s3(mixed, "archive")].map(|s3| s3.s3_store_enable_proxy),
        [false, true]
    );

    let Backend::Swift(tenants) = &example("Swift for many tenants")[0].backends["tenants"] else {
        panic!("it is in Swift");
    };
    assert!(tenants.swift_store_multi_tenant && tenants.swift_store_use_trusts);
    assert!(!tenants.own_reference().unwrap().identity().unwrap().is_application_credential());
}

#[test]
fn the_errors_that_are_shown_are_those_that_are_told() {
    let text = "[DEFAULT]\nenabled_backends = fast:s3\n[glance_store]\ndefault_backend = fast\n\n\
                [fast]\ns3_store_thread_pools = 0\ns3_store_bucket = b\ns3_store_host = ftp://x\n\
                s3_store_access_key = A\ns3_store_secret_key = S\n";
    let config = OsloConfig::parse([("glance-api.conf", text)]).unwrap();
    let errors = Configuration::of_oslo(&config).unwrap_err().to_string();
    let document = document();
    assert_eq!(examples(&document, "text")[0].trim_end(), errors);
}

#[test]
fn the_text_names_no_option_that_there_is_not() {
    let specs = S3Options::specs().into_iter().chain(SwiftOptions::specs());
    let known: BTreeSet<&str> = specs.map(|spec| spec.name).collect();
    let document = document();
    let is_name = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
    for word in document.split(|char| !is_name(char)) {
        let ours = ["s3_store_", "swift_store_"].iter().any(|ours| word.starts_with(ours));
        if ours && !word.ends_with("store_") {
            assert!(known.contains(word), "{word}");
        }
    }
}

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../OPERATORS.md");
    std::fs::read_to_string(path).unwrap()
}

/// The blocks in this language.
fn examples<'a>(document: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("\n```{language}\n");
    let mut found = Vec::new();
    for after in document.split(fence.as_str()).skip(1) {
        found.push(after.split_once("\n```\n").map_or(after, |(example, _)| example));
    }
    found
}

fn configuration(example: &str) -> Configuration {
    let config = OsloConfig::parse([("glance-api.conf", example)]);
    let config = config.unwrap_or_else(|errors| panic!("{errors:?}\n{example}"));
    Configuration::of_oslo(&config).unwrap_or_else(|errors| panic!("{errors}\n{example}"))
}

fn s3<'a>(configuration: &'a Configuration, id: &str) -> &'a S3Options {
    match &configuration.backends[id] {
        Backend::S3(options) => options,
        Backend::Swift(_) => panic!("{id} is in Swift"),
    }
}
