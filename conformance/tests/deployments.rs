//! The configurations that deployment tools write are read without errors.
//!
//! `conformance/deployments.json` has facts of their templates: the options of backends and of
//! references, and the form of each value. `REFERENCES` is the path of the second file. `warned` are
//! the options that apus warns of, since nothing reads them.

use std::collections::BTreeMap;

use apus_core::store::Stores;
use apus_core::store::config::{Backend, Configuration, Reference};
use serde::Deserialize;

#[derive(Deserialize)]
struct Deployment {
    tool: String,
    release: String,
    #[serde(rename = "read")]
    _read: String,
    options: Vec<[String; 3]>,
    references: Vec<[String; 3]>,
    default: String,
    backends: Vec<String>,
    warned: Vec<String>,
}

#[test]
fn what_deployment_tools_write_is_read() {
    let deployments: Vec<Deployment> =
        serde_json::from_str(include_str!("../deployments.json")).unwrap();
    assert!(deployments.len() > 6);
    for deployment in deployments {
        let name = format!("{} {}", deployment.tool, deployment.release);
        let text = file(&deployment.options);
        let found = Configuration::parse([("glance-api.conf", text.as_str())]);
        let found = found.unwrap_or_else(|errors| panic!("{name}: {errors}"));
        let mut warned: Vec<String> = found
            .warnings
            .iter()
            .map(|it| format!("{}.{}", it.section, it.option.as_deref().unwrap_or_default()))
            .collect();
        warned.sort_unstable();
        assert_eq!(warned, deployment.warned, "{name}: {:?}", found.warnings);
        assert!(found.unstartable.is_empty(), "{name}: {:?}", found.unstartable);
        let ids: Vec<&String> = found.backends.keys().collect();
        assert_eq!(ids, deployment.backends.iter().collect::<Vec<_>>(), "{name}");
        assert_eq!(found.default.as_deref(), Some(&*deployment.default), "{name}");

        let references = file(&deployment.references);
        let read = Reference::read_file("REFERENCES", &references);
        let read = read.unwrap_or_else(|errors| panic!("{name}: {errors}"));
        for backend in found.backends.values() {
            let Backend::Swift(options) = backend else { continue };
            if options.swift_store_config_file.is_some() {
                let default = &options.default_swift_reference;
                assert!(read.references.contains_key(default), "{name}: {default}");
            }
        }
        let files = BTreeMap::from([("REFERENCES".to_owned(), read.references)]);
        let stores = Stores::new(&found, &files).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(stores.default_backend().unwrap().id(), deployment.default, "{name}");
    }
}

/// Writes the options, each section once, in the order of the table.
fn file(options: &[[String; 3]]) -> String {
    let mut text = String::new();
    let mut open = "";
    for [section, name, value] in options {
        if open != section {
            text += &format!("[{section}]\n");
            open = section;
        }
        text += &format!("{name} = {value}\n");
    }
    text
}
