//! The manual's pages and the completions.

use std::fs;
use std::process::Command;

use apus_conformance::program::APUS;
use apus_conformance::server::{EmbeddedS3, Options};

use crate::program::Program;

#[test]
fn the_manual_has_a_page_for_each_command_and_none_of_the_help() {
    let program = Program::new();
    let mut man = Command::new(&*APUS);
    man.args(["man", "pages"]);
    program.finish(man, b"").ends(0);
    let pages = fs::read_dir(program.path("pages")).unwrap();
    let pages: Vec<String> =
        pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    for page in ["apus.1", "apus-get.1", "apus-config-check.1", "apus-locations-migrate.1"] {
        assert!(pages.iter().any(|known| known == page), "{page} is not in {pages:?}");
    }
    assert!(!pages.iter().any(|page| page.contains("help") || page.contains("complete.")));
    let get = fs::read_to_string(program.path("pages/apus-get.1")).unwrap();
    for part in
        [".SH \"EXIT STATUS\"", "\\fB11\\fR", ".SH \"FILES\"", "apus\\-part", "\\-\\-expect"]
    {
        assert!(get.contains(part), "{part}");
    }
}

#[test]
fn completions_know_backends_and_names() {
    let server = EmbeddedS3::start(Options::new().bucket("images")).unwrap();
    let program =
        Program::new().with_s3("fast", &server, "images").with_s3("far", &server, "images");
    for id in ["debian-13", "debian-12", "fedora", "two\nlines"] {
        program.run_with(&["-q", "put", "-", "--id", id], b"x").ends(0);
    }
    assert_eq!(program.run(&["complete", "backends", "fa"]).ends(0).out, "far\nfast\n");
    assert_eq!(program.run(&["complete", "names", "deb"]).ends(0).out, "debian-12\ndebian-13\n");
    assert_eq!(program.run(&["complete", "names", "far:f"]).ends(0).out, "far:fedora\n");
    assert_eq!(program.run(&["complete", "names", "two"]).ends(0).out, "");
    // The options are those of the words of the line so far.
    let config = program.path("glance-api.conf").display().to_string();
    for words in [
        &["apus", "-c", &config, "-b", "far", "get", "f"][..],
        &["apus", "get", &format!("--config={config}"), "-o", "x"],
        &["apus", "stat", "f", "-c", &config, "-b"],
    ] {
        let mut command = Command::new(&*APUS);
        command.args(["complete", "names", "f", "--"]).args(words).env_remove("APUS_CONFIG");
        assert_eq!(program.finish(command, b"").ends(0).out, "fedora\n", "{words:?}");
    }
    // A shell does not wait for a server that is down.
    let down = Program::new().with_endpoint("down", "http://127.0.0.1:1", "images");
    let begun = std::time::Instant::now();
    down.run(&["complete", "names", "f"]).ends(7);
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
}
