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

/// In the shell itself, where there is one.
#[test]
fn completions_know_backends_names_and_algorithms() {
    let server = EmbeddedS3::start(Options::new().bucket("images")).unwrap();
    let program =
        Program::new().with_s3("fast", &server, "images").with_s3("far", &server, "images");
    for id in ["debian-13", "debian-12", "fedora"] {
        program.run_with(&["-q", "put", "-", "--id", id], b"x").ends(0);
    }
    assert_eq!(program.run(&["complete", "backends", "fa"]).ends(0).out, "far\nfast\n");
    assert_eq!(program.run(&["complete", "names", "deb"]).ends(0).out, "debian-12\ndebian-13\n");
    let mut script = Command::new(&*APUS);
    script.args(["completions", "bash"]);
    let script = program.finish(script, b"").ends(0).out;
    program.write("apus.bash", script.as_bytes());
    let complete = |words: &[&str]| -> Option<String> {
        let last = words.len() - 1;
        let text = format!(
            "PATH={}:$PATH\nAPUS_CONFIG={}\nexport PATH APUS_CONFIG\n. ./apus.bash\n\
             COMP_WORDS=({})\nCOMP_CWORD={last}\n_apus_more apus \"{}\" \"{}\"\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
            APUS.parent().unwrap().display(),
            program.path("glance-api.conf").display(),
            words.join(" "),
            words[last],
            words[last - 1]
        );
        program.write("try.bash", text.as_bytes());
        let output =
            Command::new("bash").arg("try.bash").current_dir(program.path("")).output().ok()?;
        Some(String::from_utf8(output.stdout).unwrap())
    };
    let Some(names) = complete(&["apus", "get", "deb"]) else { return };
    assert_eq!(names, "debian-12\ndebian-13\n");
    assert_eq!(complete(&["apus", "copy", "x", "--to", "f"]).unwrap(), "far\nfast\n");
    assert_eq!(complete(&["apus", "-b", "fas"]).unwrap(), "fast\n");
    assert!(complete(&["apus", "put", "x", "--hash", "SHA5"]).unwrap().contains("SHA512"));
    assert!(complete(&["apus", "get", "--exp"]).unwrap().contains("--expect"));
}
