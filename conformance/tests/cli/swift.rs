//! The verbs on Swift, and copies between it and S3.

use std::fs;

use apus_conformance::server::{EmbeddedOpenStack, EmbeddedS3, OpenStackModel, Options};

use crate::program::Program;

fn cloud() -> EmbeddedOpenStack {
    EmbeddedOpenStack::start(OpenStackModel::new().with_container("glance", "images")).unwrap()
}

#[test]
fn an_image_goes_in_and_out() {
    let cloud = cloud();
    let program = Program::new().with_swift("cold", &cloud, "images");
    let image: Vec<u8> = (0..300_000_u32).map(|at| (at % 253) as u8).collect();
    let path = program.write("debian.img", &image);
    let path = path.to_str().unwrap();
    let put = &program.json(&["put", path, "--id", "0e0b3f0c"])[0];
    let url = put["url"].as_str().unwrap();
    assert_eq!(url, "swift+config://ref1/images/0e0b3f0c");
    assert_eq!(cloud.model().content_of("glance", "images", "0e0b3f0c").unwrap(), image);
    program.run(&["put", path, "--id", "0e0b3f0c"]).ends(4);
    program.run(&["get", url, "-o", "copy.img"]).ends(0);
    assert_eq!(fs::read(program.path("copy.img")).unwrap(), image);
    let stat = &program.json(&["stat", "0e0b3f0c"])[0];
    assert_eq!((&stat["size"], &stat["backend"]), (&300_000.into(), &"cold".into()));
    assert_eq!(program.json(&["ls", "0e"])[0]["name"], "0e0b3f0c");
    program.run(&["rm", url]).ends(0);
    program.run(&["stat", url]).ends(3);
    program.run(&["get", url]).ends(3);
    program.run(&["rm", url]).ends(3);
}

#[test]
fn a_temporary_url_is_one() {
    let cloud = cloud();
    let program = Program::new().with_swift("cold", &cloud, "images");
    program.run_with(&["put", "-", "--id", "x"], b"12345").ends(0);
    let key = program.write("key", b"the key\n");
    let key = key.to_str().unwrap();
    let told = &program.json(&["tempurl", "x", "--key-file", key, "--expires", "2h"])[0];
    let url = told["url"].as_str().unwrap();
    let storage = cloud.model().storage_url_of("glance");
    assert!(url.starts_with(&format!("{storage}/images/x?temp_url_sig=")), "{url}");
    // The account of this cloud has no key.
    program.run(&["tempurl", "x"]).ends(6).says("has a key").says("--key-file");
    program.run(&["presign", "x"]).ends(2).says("tempurl");
    for (wrong, why) in [("0", "15m"), ("soon", "15m"), ("18446744073709551615", "can't be valid")]
    {
        let ran = program.run(&["tempurl", "x", "--key-file", key, "--expires", wrong]).ends(2);
        assert!(ran.err.contains(why) && !ran.err.contains("panicked"), "{ran:?}");
    }
}

#[test]
fn images_are_copied_from_s3_to_swift_and_back() {
    let cloud = cloud();
    let server = EmbeddedS3::start(Options::new().bucket("images")).unwrap();
    let program =
        Program::new().with_s3("fast", &server, "images").with_swift("cold", &cloud, "images");
    let image = vec![9_u8; 400_000];
    let path = program.write("i.img", &image);
    program.run(&["put", path.to_str().unwrap(), "--id", "i"]).ends(0);
    let copy = &program.json(&["copy", "i", "--to", "cold", "--read-again"])[0];
    assert_eq!(copy["url"], "swift+config://ref1/images/i");
    assert_eq!(cloud.model().content_of("glance", "images", "i").unwrap(), image);
    let there = copy["url"].as_str().unwrap();
    let back = &program.json(&["copy", there, "--to", "fast", "--id", "again"])[0];
    assert_eq!((&back["md5"], &back["size"]), (&copy["md5"], &400_000.into()));
    program.run(&["copy", there, "--to", "fast", "--id", "again"]).ends(4);
}

#[test]
fn locations_in_swift_are_migrated() {
    let cloud = cloud();
    let program = Program::new().with_swift("cold", &cloud, "images").with_secret("hunter2");
    let (auth, password) = {
        let model = cloud.model();
        (cloud.auth_url(), model.user("glance").password.clone())
    };
    let place = auth.trim_start_matches("http://");
    let own = format!("swift+http://service%3Aglance:{password}@{place}/images/i");
    let foreign = "swift+https://service%3Aglance:hunter2@elsewhere.example/v3/images/i";
    let rows = format!("{{\"id\":1,\"url\":\"{own}\"}}\n{{\"id\":2,\"url\":\"{foreign}\"}}\n");
    let migrate = ["locations", "migrate", "--write", "out"];
    let ran = program.run_with(&migrate, rows.as_bytes()).ends(9);
    let clean = "\"url\":\"swift+config://ref1/images/i\",\"metadata\":{\"store\":\"cold\"}";
    assert_eq!(
        std::fs::read_to_string(program.path("out")).unwrap(),
        format!("{{\"id\":1,{clean}}}\n{{\"id\":2,\"url\":\"{foreign}\"}}\n")
    );
    ran.prints("\"line\":2").prints("elsewhere.example");
}

#[test]
fn images_in_the_containers_of_a_seed_are_listed_without_their_segments() {
    let model = OpenStackModel::new()
        .with_container("glance", "images_0e")
        .with_container("glance", "images_4f")
        .with_container("glance", "images_4f5")
        .with_container("glance", "images_segments");
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    let program = Program::new().with_swift("cold", &cloud, "images");
    let conf = program.path("glance-api.conf");
    let text = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, text + "swift_store_multiple_containers_seed = 2\n").unwrap();
    for id in ["0e0b3f0c", "4f11", "4f22"] {
        program.run_with(&["put", "-", "--id", id], b"12345").ends(0);
    }
    // As glance_store names them.
    for name in ["4f22-00001", "4f22-00002"] {
        let body = vec![1; 10].into();
        cloud.model().put_foreign("glance", "images_4f", name, body);
    }
    cloud.model().put_foreign("glance", "images_segments", "other", vec![1].into());
    let names = |arguments: &[&str]| -> Vec<String> {
        let listed = program.json(arguments);
        listed.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&["ls"]), ["0e0b3f0c", "4f11", "4f22"]);
    assert_eq!(names(&["ls", "4"]), ["4f11", "4f22"]);
    assert_eq!(names(&["ls", "4f2"]), ["4f22"]);
    assert!(names(&["ls", "77"]).is_empty());
}

/// glance_store 5.0 and newer use v3 whatever a reference says.
#[test]
fn a_reference_for_an_older_api_is_told_with_line_and_value() {
    let references = "[ref1]\nauth_address = https://keystone.example/v2.0\nuser = p:u\nkey = k\n\
                      auth_version = 2\n";
    let program = Program::new();
    let path = program.write("references.conf", references.as_bytes());
    let options = format!("swift_store_config_file = {}\n", path.display());
    let program = program.with_backend("old", "swift", &options);
    program
        .run(&["config", "check"])
        .ends(0)
        .prints("references.conf:5: [ref1] auth_version = \"2\": expected 3")
        .prints("references.conf:2: [ref1] auth_address = \"https://keystone.example/v2.0\": ");
}
