//! The verbs on S3.

use std::fs;
use std::process::Command;

use apus_conformance::program::APUS;
use apus_conformance::server::{EmbeddedS3, Options};

use crate::program::Program;

fn server(tls: bool) -> EmbeddedS3 {
    EmbeddedS3::start(Options::new().tls(tls).bucket("images")).unwrap()
}

#[test]
fn an_image_goes_in_and_out() {
    let server = server(true);
    let program = Program::new().with_s3("fast", &server, "images");
    let image: Vec<u8> = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
    let path = program.write("debian.img", &image);
    let path = path.to_str().unwrap();

    let put = &program.json(&["put", path, "--id", "0e0b3f0c"])[0];
    let url = put["url"].as_str().unwrap().to_owned();
    let place = server.endpoint().replace("https://", "s3+https://");
    assert_eq!(url, format!("{place}/images/0e0b3f0c"));
    assert_eq!((&put["size"], &put["metadata"]["store"]), (&300_000.into(), &"fast".into()));
    assert_eq!(put["md5"].as_str().unwrap().len(), 32);
    assert_eq!(put["os_hash_value"].as_str().unwrap().len(), 128);

    program.run(&["put", path, "--id", "0e0b3f0c"]).ends(4).says("already exists");
    program.run(&["put", path, "--id", "short", "--size", "5"]).ends(8).says("300000");

    program.run(&["get", &url, "-o", "copy.img"]).ends(0);
    assert_eq!(fs::read(program.path("copy.img")).unwrap(), image);
    assert!(!program.path("copy.img.part").exists());
    let some = program.run(&["get", "0e0b3f0c", "--range", "0-2"]).ends(0);
    assert_eq!(some.out.as_bytes(), &image[..3]);

    let stat = &program.json(&["stat", &url])[0];
    assert_eq!((&stat["size"], &stat["backend"]), (&300_000.into(), &"fast".into()));
    let list = program.json(&["ls"]);
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!((&list[0]["name"], &list[0]["size"]), (&"0e0b3f0c".into(), &300_000.into()));
    assert!(program.json(&["ls", "x"]).is_empty());

    program.run(&["rm", &url]).ends(0);
    program.run(&["stat", &url]).ends(3);
    program.run(&["get", &url, "-o", "gone.img"]).ends(3).says("not found");
    assert!(!program.path("gone.img").exists() && !program.path("gone.img.part").exists());
    program.run(&["rm", &url, "no-such"]).ends(9);
}

#[test]
fn standard_input_and_output_are_files_too() {
    let server = server(false);
    let program = Program::new().with_s3("fast", &server, "images");
    program.run_with(&["put", "-"], b"piped").ends(2).says("--id");
    program.run_with(&["put", "-", "--id", "piped"], b"piped bytes").ends(0);
    assert_eq!(program.run(&["-q", "get", "piped"]).ends(0).out, "piped bytes");
}

#[test]
fn a_copy_is_compared() {
    let (first, second) = (server(false), server(true));
    let program =
        Program::new().with_s3("fast", &first, "images").with_s3("cold", &second, "images");
    let image = vec![7_u8; 200_000];
    let path = program.write("i.img", &image);
    program.run(&["put", path.to_str().unwrap(), "--id", "a/b"]).ends(0);
    let copy = &program.json(&["copy", "a/b", "--to", "cold", "--read-again"])[0];
    assert_eq!(copy["metadata"]["store"], "cold");
    let url = copy["url"].as_str().unwrap();
    assert!(url.starts_with("s3+https://") && url.ends_with("/images/a/b"), "{url}");
    program.run(&["get", url, "-o", "back.img"]).ends(0);
    assert_eq!(fs::read(program.path("back.img")).unwrap(), image);
    program.run(&["copy", "a/b", "--to", "cold"]).ends(4);
    program.run(&["copy", "none", "--to", "cold"]).ends(3);
    program.run(&["copy", "a/b", "--to", "nowhere"]).ends(2).says("fast");
}

#[test]
fn a_presigned_url_is_one() {
    let server = server(false);
    let program = Program::new().with_s3("fast", &server, "images");
    program.run_with(&["put", "-", "--id", "x"], b"12345").ends(0);
    let told = &program.json(&["presign", "x", "--expires", "15m"])[0];
    let url = told["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{}/images/x?", server.endpoint())), "{url}");
    assert!(url.contains("X-Amz-Expires=900"), "{url}");
    program.run(&["tempurl", "x"]).ends(2).says("presign");
    program.run(&["presign", "x", "--expires", "8d"]).ends(2).says("604800");
}

#[test]
fn keys_come_from_where_a_backend_says() {
    let server = server(false);
    let program = Program::new().with_secret(server.secret_key()).with_backend(
        "fast",
        "s3",
        &format!(
            "s3_store_host = {}\ns3_store_bucket = images\n\
             s3_store_credential_source = profile\ns3_store_profile = images\n",
            server.endpoint()
        ),
    );
    let profile = format!(
        "[images]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        server.access_key(),
        server.secret_key()
    );
    let file = program.write("credentials", profile.as_bytes());
    let apus = |arguments: &[&str]| {
        let mut command = Command::new(&*APUS);
        command.arg("--config").arg(program.path("glance-api.conf")).args(arguments);
        command.env("AWS_SHARED_CREDENTIALS_FILE", &file);
        command.env("AWS_CONFIG_FILE", program.path("none"));
        command
    };
    program.finish(apus(&["put", "-", "--id", "x"]), b"by profile").ends(0);
    assert_eq!(program.finish(apus(&["-q", "get", "x"]), b"").ends(0).out, "by profile");
    program.finish(apus(&["ls"]), b"").ends(0).prints(" x");
    let signer = format!("X-Amz-Credential={}%2F", server.access_key());
    program.finish(apus(&["presign", "x"]), b"").ends(0).prints(&signer);
    // Another section of the file that can't be read costs nothing but a warning.
    fs::write(&file, format!("{profile}[others]\nnonsense\n")).unwrap();
    assert_eq!(program.finish(apus(&["-q", "get", "x"]), b"").ends(0).out, "by profile");
    let check = program.finish(apus(&["config", "check"]), b"").ends(0);
    check.prints("credentials:5: the line has neither");
    fs::write(&file, format!("{profile}nonsense\n")).unwrap();
    program.finish(apus(&["ls"]), b"").ends(6).says("credentials:4: the line has neither");
    fs::write(&file, "[others]\n").unwrap();
    program.finish(apus(&["ls"]), b"").ends(6).says("images");
}

#[test]
fn failures_have_codes_and_one_line() {
    let server = server(false);
    let program = Program::new().with_s3("fast", &server, "images").with_backend(
        "shut",
        "s3",
        "s3_store_host = http://127.0.0.1:1\ns3_store_access_key = AK\n\
         s3_store_secret_key = shut/secret\ns3_store_bucket = b\ns3_store_retries = 0\n",
    );
    let program = program.with_backend(
        "wrong",
        "s3",
        &format!(
            "s3_store_host = {}\ns3_store_access_key = NOBODY\n\
             s3_store_secret_key = wrong/secret\ns3_store_bucket = images\ns3_store_retries = 0\n",
            server.endpoint()
        ),
    );
    let program = program.with_secret("shut/secret").with_secret("wrong/secret");
    let ran = program.run(&["-b", "shut", "stat", "x"]).ends(7);
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    program.run(&["-b", "wrong", "stat", "x"]).ends(5);
    program.run(&["-b", "none", "stat", "x"]).ends(2).says("fast, shut, wrong");
    let ran = program.run(&["--json", "-b", "fast", "stat", "nothing"]).ends(3);
    let error: serde_json::Value = serde_json::from_str(ran.err.trim()).unwrap();
    assert_eq!(
        (&error["error"]["code"], &error["error"]["kind"]),
        (&3.into(), &"not_found".into())
    );
    assert_eq!(error["error"]["status"], 404);
}

#[test]
fn one_backend_by_its_url() {
    let server = server(false);
    let program = Program::new().with_secret(server.secret_key());
    let store = server.endpoint().replace("http://", "s3+http://") + "/images";
    let apus = |arguments: &[&str]| {
        let mut command = Command::new(&*APUS);
        command.args(arguments);
        command.env("AWS_ACCESS_KEY_ID", server.access_key());
        command.env("AWS_SECRET_ACCESS_KEY", server.secret_key());
        command
    };
    program
        .finish(apus(&["-s", &store, "-e", "put", "-", "--id", "x"]), b"by its url")
        .ends(0)
        .prints("/images/x");
    // Or in a profile, as the AWS SDKs find it.
    let profile = format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        server.access_key(),
        server.secret_key()
    );
    let profile = program.write("credentials", profile.as_bytes());
    let mut by_profile = Command::new(&*APUS);
    by_profile.args(["-s", &store, "-e", "-q", "get", "x"]);
    by_profile.env("AWS_SHARED_CREDENTIALS_FILE", profile);
    assert_eq!(program.finish(by_profile, b"").ends(0).out, "by its url");
    // The environment is read only if an option says so.
    program.finish(apus(&["-s", &store, "ls"]), b"").ends(6).says("s3_store_access_key");
    let secret = program.write("secret", server.secret_key().as_bytes());
    let key = format!(
        "s3_store_access_key=@{}",
        program.write("key", server.access_key().as_bytes()).display()
    );
    let secret = format!("s3_store_secret_key=@{}", secret.display());
    program
        .finish(apus(&["-s", &store, "-O", &key, "-O", &secret, "ls"]), b"")
        .ends(0)
        .prints(" x");
    let bare = format!("s3_store_secret_key={}", server.secret_key());
    program.finish(apus(&["-s", &store, "-O", &bare, "ls"]), b"").ends(2).says("@FILE");
    let with_keys = format!("s3+http://AK:{}@h/images", server.secret_key());
    program.finish(apus(&["-s", &with_keys, "ls"]), b"").ends(2).says("credentials");
    program.finish(apus(&[&with_keys]), b"").ends(2);
}
