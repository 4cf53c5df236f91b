//! The command line on real servers, with a real `glance-api.conf`.

use std::fs;
use std::process::Command;

use apus_conformance::program::APUS;
use serde_json::{Value, json};

use crate::site::{S3, Site};
use crate::stores::pattern;

#[test]
fn objects_go_from_backend_to_backend_and_come_back() {
    let Some(site) = Site::live() else { return };
    let (file, back) = (site.file("image"), site.file("back"));
    let bytes = pattern(12_000_001);
    fs::write(&file, &bytes).unwrap();
    for from in site.backends() {
        let id = format!("from-{from}");
        let put = ["--backend", from, "--json", "put", file.to_str().unwrap(), "--id", &id];
        let url = told(&run(&site, &put).0, "url");
        for to in site.backends().into_iter().filter(|to| *to != from) {
            let name = format!("{id}-to-{to}");
            let copied = run(&site, &["--json", "copy", &url, "--to", to, "--id", &name]);
            let copy = told(&copied.0, "url");
            run(&site, &["get", &copy, "--output", back.to_str().unwrap()]);
            assert!(fs::read(&back).unwrap() == bytes, "{from} to {to}: other bytes came back");
            run(&site, &["rm", &copy]);
        }
        run(&site, &["rm", &url]);
        let (_, error, code) = attempt(&site, &["stat", &url]);
        assert_eq!(code, 3, "{error}");
    }
}

#[test]
fn old_rows_are_migrated_in_a_stream() {
    let Some(site) = Site::live() else { return };
    let S3 { url, access_key, secret_key, .. } = &site.s3;
    let (_, host) = url.split_once("://").unwrap();
    let (file, out) = (site.file("rows.jsonl"), site.file("migrated.jsonl"));
    let row = json!({
        "id": "1",
        "url": format!("s3+https://{access_key}:{secret_key}@{host}/{}/an/old one", site.name),
        "metadata": {},
    });
    fs::write(&file, format!("{row}\n")).unwrap();
    let (file, out) = (file.to_str().unwrap(), out.to_str().unwrap());
    run(&site, &["locations", "migrate", file, "--write", out]);
    let migrated: Value = serde_json::from_str(&fs::read_to_string(out).unwrap()).unwrap();
    let clean = format!("s3+https://{host}/{}/an/old one", site.name);
    assert_eq!(migrated["url"], Value::from(clean));
    assert_eq!(migrated["metadata"]["store"], Value::from("fast"));
}

#[test]
fn the_doctor_finds_the_servers_well() {
    let Some(site) = Site::live() else { return };
    for backend in site.backends() {
        let (out, error, code) = attempt(&site, &["--backend", backend, "--json", "doctor"]);
        assert_eq!(code, 0, "{out}{error}");
    }
}

/// Returns standard output and standard error of a run that has to succeed.
#[track_caller]
pub(crate) fn run(site: &Site, arguments: &[&str]) -> (String, String) {
    let (out, error, code) = attempt(site, arguments);
    assert_eq!(code, 0, "{arguments:?}: {error}");
    (out, error)
}

#[track_caller]
pub(crate) fn attempt(site: &Site, arguments: &[&str]) -> (String, String, i32) {
    let output = command(site, arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, error) = (text(output.stdout), text(output.stderr));
    for secret in site.secrets() {
        assert!(!format!("{out}{error}").contains(&secret), "{arguments:?} tells a secret");
    }
    (out, error, output.status.code().unwrap())
}

/// The program with the site's configuration, and a state folder of its own.
pub(crate) fn command(site: &Site, arguments: &[&str]) -> Command {
    let mut command = Command::new(&*APUS);
    command.arg("--config").arg(site.configuration()).args(arguments);
    command.env_clear().env("XDG_STATE_HOME", site.file("state"));
    command
}

fn told(out: &str, name: &str) -> String {
    let value: Value = serde_json::from_str(out.trim()).unwrap();
    value[name].as_str().unwrap().to_owned()
}
