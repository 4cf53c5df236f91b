//! The exit codes of the table in the help, and what an error names: backend, server, bucket or
//! container, key, and the option that helps.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use apus_conformance::program::APUS;
use apus_conformance::server::{
    EmbeddedOpenStack, EmbeddedS3, Ending, Fault, FaultyS3, OpenStackModel, OpenStackOperation,
    Operation, Options, Plan, Reply, Request, S3Model, Scripted, ScriptedProxy,
};
use serde_json::Value;

use crate::program::{Program, Ran};

/// A backend in S3 at this URL.
fn s3_at(endpoint: &str, more: &str) -> Program {
    let options = format!(
        "s3_store_host = {endpoint}\ns3_store_access_key = AK\ns3_store_secret_key = a/secret\n\
         s3_store_bucket = images\ns3_store_retries = 0\n{more}"
    );
    Program::new().with_backend("fast", "s3", &options).with_secret("a/secret")
}

/// A backend in Swift whose Keystone is at this URL.
fn swift_at(keystone: &str) -> Program {
    let options = format!(
        "swift_store_auth_address = {keystone}\nswift_store_user = service:glance\n\
         swift_store_key = a/secret\nswift_store_container = images\nswift_store_retries = 1\n"
    );
    Program::new().with_backend("cold", "swift", &options).with_secret("a/secret")
}

fn error_of(ran: &Ran) -> Value {
    let documents: Vec<Value> =
        ran.err.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    documents.last().unwrap()["error"].clone()
}

#[test]
fn an_unreachable_keystone_is_no_refusal_and_is_tried_as_often_by_every_command() {
    let program = swift_at("http://127.0.0.1:1/v3");
    program.write("image", b"bytes");
    for command in [
        &["ls"][..],
        &["stat", "x"],
        &["get", "x"],
        &["rm", "x"],
        &["put", "image", "--id", "x"],
        &["tempurl", "x"],
    ] {
        let ran = program.run(command).ends(7);
        ran.says("backend cold at http://127.0.0.1:1/v3, container images")
            .says("after 2 attempts");
    }
    let ran = program.run(&["--json", "stat", "x"]).ends(7);
    let error = error_of(&ran);
    assert_eq!((&error["backend"], &error["object"]), (&"cold".into(), &"x".into()));
    assert_eq!(
        (&error["server"], &error["container"]),
        (&"http://127.0.0.1:1/v3".into(), &"images".into())
    );
}

#[test]
fn every_command_names_backend_and_server_of_an_error() {
    let program = s3_at("http://127.0.0.1:1", "");
    program.write("image", b"bytes");
    std::fs::create_dir(program.path("dir")).unwrap();
    program.write("dir/file", b"1");
    let keystone = "swift_store_auth_address = http://127.0.0.1:1/v3\n\
                    swift_store_user = service:glance\nswift_store_key = a/secret\n\
                    swift_store_container = images\nswift_store_retries = 0\n";
    let program = program.with_backend("cold", "swift", keystone);
    let mut silent = Vec::new();
    for backend in ["fast", "cold"] {
        for command in [
            &["put", "image"][..],
            &["put", "image", "--resume"],
            &["put", "image", "--replace"],
            &["put", "image", "--hash", "none"],
            &["put", "-R", "dir"],
            &["get", "x"],
            &["get", "x", "-o", "out", "--resume"],
            &["get", "-R", "x", "-o", "out"],
            &["cat", "x"],
            &["ls"],
            &["ls", "--buckets"],
            &["du"],
            &["mb"],
            &["rb", "images"],
            &["stat", "x"],
            &["stat", "-R", "x"],
            &["rm", "x"],
            &["rm", "-n", "x"],
            &["rm", "-R", "x"],
            &["rm", "-R", "-n", "x"],
            &["copy", "x", "--to", "fast", "--id", "y"],
            &["copy", "-R", "x", "--to", "fast"],
            &["tempurl", "x"],
            &["uploads", "ls"],
            &["uploads", "abort"],
            &["uploads", "expire", "--days", "7"],
            &["orphans"],
        ] {
            let ran = program.run(&[&["-b", backend], command].concat());
            // Uploads are of S3, and orphans and temporary URLs of Swift.
            if ran.code != 2 {
                let server = format!("backend {backend} at http://127.0.0.1:1");
                if !ran.err.contains(&server) || !matches!(ran.code, 7 | 9) {
                    silent.push(format!("{command:?}: {ran:?}"));
                }
            }
        }
        assert!(silent.is_empty(), "{}", silent.join("\n"));
        let prefix = format!("{backend}:x/");
        for command in [&["sync", "dir", &prefix][..], &["sync", &prefix, "out"]] {
            program.run(command).ends(7).says(&format!("backend {backend} at http://127.0.0.1:1"));
        }
        let ran = program.run_with(&["-b", backend, "rm", "-"], b"x\n").ends(7);
        ran.says(&format!("backend {backend} at http://127.0.0.1:1"));
    }
}

#[test]
fn a_bucket_or_container_that_does_not_exist_is_not_found() {
    let server = FaultyS3::start(S3Model::new()).unwrap();
    let program = s3_at(&server.endpoint(), "");
    program.write("image", b"bytes");
    for command in [&["ls"][..], &["stat", "x"], &["get", "x"], &["put", "image"]] {
        program.run(command).ends(3).says("backend fast at http://").says("bucket images");
    }
    program.run(&["put", "image"]).says("key image").says("s3_store_create_bucket_on_put");

    let cloud = EmbeddedOpenStack::start(OpenStackModel::new()).unwrap();
    let program = Program::new().with_swift("cold", &cloud, "nowhere");
    let conf = std::fs::read_to_string(program.path("glance-api.conf")).unwrap();
    let conf = conf.replace("create_container_on_put = true", "create_container_on_put = false");
    program.write("glance-api.conf", conf.as_bytes());
    program.write("image", b"bytes");
    for command in [&["ls"][..], &["stat", "x"], &["put", "image"]] {
        program.run(command).ends(3).says("backend cold at http://").says("container nowhere");
    }
}

#[test]
fn a_configuration_without_a_backend_is_a_wrong_one() {
    let program = Program::new();
    std::fs::create_dir(program.path("none.d")).unwrap();
    program.write("none.conf", b"[DEFAULT]\n");
    for config in ["none.d", "none.conf"] {
        let mut command = Command::new(&*APUS);
        command.args(["-c", config, "ls"]);
        program.finish(command, b"").ends(6).says("has no backend in S3 or Swift");
    }
}

#[test]
fn a_proxy_that_refuses_the_password_has_the_code_of_a_refusal() {
    let server = EmbeddedS3::start(Options::new().tls(false).bucket("images")).unwrap();
    let proxy = ScriptedProxy::start(Some(("u", "p")), false).unwrap();
    let (host, port) =
        proxy.url().rsplit_once(':').map(|(h, p)| (h.to_owned(), p.to_owned())).unwrap();
    let host = host.trim_start_matches("http://");
    let more = format!(
        "s3_store_enable_proxy = true\ns3_store_proxy_host = {host}\ns3_store_proxy_port = {port}\n"
    );
    let program = s3_at(&server.endpoint(), &more);
    program.run(&["stat", "x"]).ends(5).says("407").says("s3_store_proxy_user");
    program.run(&["get", "x"]).ends(5).says("key x").says("s3_store_proxy_password");
}

#[test]
fn a_certificate_and_a_scheme_that_are_wrong_name_the_option() {
    let tls = EmbeddedS3::start(Options::new().tls(true).bucket("images")).unwrap();
    let plain = EmbeddedS3::start(Options::new().tls(false).bucket("images")).unwrap();
    let untrusted = s3_at(&tls.endpoint(), "");
    untrusted.run(&["stat", "x"]).ends(7).says("UnknownIssuer").says("set s3_store_cacert");
    let no_tls = s3_at(&plain.endpoint().replace("http://", "https://"), "");
    no_tls.run(&["stat", "x"]).ends(7).says("set the endpoint to `http://HOST` (`s3_store_host`)");
    let strict = Scripted::start_tls(|_: &Request| Reply::new(200)).unwrap();
    let in_clear = s3_at(&strict.endpoint().replace("https://", "http://"), "");
    in_clear
        .run(&["stat", "x"])
        .ends(7)
        .says("set the endpoint to `https://HOST` (`s3_store_host`)");
}

/// What nginx answers a plain request on a port for TLS.
#[test]
fn a_server_that_says_that_it_expects_tls_is_understood() {
    let page =
        "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head>";
    let answer = move || Reply::new(400).header("Content-Type", "text/html").body(page);
    let server = Scripted::replay(vec![answer(), answer()]).unwrap();
    let program = s3_at(&server.endpoint(), "");
    program.run(&["ls"]).says("set the endpoint to `https://HOST` (`s3_store_host`)");
}

#[test]
fn a_server_without_keystone_is_a_wrong_configuration() {
    let refusals = (0..8).map(|_| Reply::new(405)).collect();
    let server = Scripted::replay(refusals).unwrap();
    let program = swift_at(&format!("{}/auth/v1.0", server.endpoint()));
    program.run(&["ls"]).ends(6).says("405").says("v1password");
    program.run(&["get", "x"]).ends(6).says("v1password").says("object x");
}

#[test]
fn every_line_is_one_json_document_usage_errors_and_remarks_included() {
    let server = EmbeddedS3::start(Options::new().tls(false).bucket("images")).unwrap();
    let program = Program::new().with_s3("fast", &server, "images");
    program.write("image", b"bytes");
    program.write("rows", b"{\"id\": 1, \"url\": \"s3://h.example/b/k\", \"metadata\": {}}\n");
    for (command, code) in [
        (&["put", "image"][..], 0),
        (&["-v", "ls"], 0),
        (&["get", "image", "-o", "copy"], 0),
        (&["presign", "image"], 0),
        (&["rm", "image", "none"], 9),
        (&["locations", "migrate", "rows"], 9),
        (&["config", "check"], 0),
        (&["lss"], 2),
        (&["get"], 2),
        (&["get", "x", "--range", "a"], 2),
        (&["presign", "x", "--expires", "8d"], 2),
        (&[], 2),
        (&["-b", "none", "ls"], 2),
        (&["-c", "none.conf", "ls"], 6),
    ] {
        let ran = program.run(&[&["--json"], command].concat()).ends(code);
        for line in ran.out.lines().chain(ran.err.lines()) {
            assert!(serde_json::from_str::<Value>(line).is_ok(), "{line:?} of {command:?}");
        }
        if !matches!(code, 0 | 9) {
            assert_eq!(error_of(&ran)["code"], code, "{command:?}");
        }
    }
    program.run(&["put", "image"]).ends(0);
    let ran = program.run(&["--json", "get", "image"]).ends(0);
    assert_eq!(ran.out, "bytes");
    let told: Value = serde_json::from_str(ran.err.trim()).unwrap();
    assert_eq!(told["bytes"], 5);
}

#[test]
fn arguments_that_are_not_utf_8_are_usage_errors() {
    let odd = OsStr::from_bytes(b"s3://\xff@h/b/k");
    for before in [&["get"][..], &["--config", "none.conf", "-b"], &["rm"], &[]] {
        let mut command = Command::new(&*APUS);
        command.args(before).arg(odd);
        let ran = Program::new().finish(command, b"").ends(2);
        assert!(!ran.err.contains("panicked"), "{ran:?}");
    }
    let server = EmbeddedS3::start(Options::new().tls(false).bucket("images")).unwrap();
    let program = Program::new().with_s3("fast", &server, "images");
    let file = program.path("").join(OsStr::from_bytes(b"\xffimage"));
    std::fs::write(&file, b"bytes").unwrap();
    let put = |id: &[&str]| {
        let mut command = Command::new(&*APUS);
        command.arg("--config").arg(program.path("glance-api.conf"));
        command.arg("put").arg(&file).args(id);
        program.finish(command, b"")
    };
    put(&[]).ends(2).says("--id");
    put(&["--id", "x"]).ends(0);
}

/// squid closes the connection of a request that is longer than its limit, and says nothing.
#[test]
fn an_upload_that_a_proxy_cuts_off_names_the_option_that_sends_parts() {
    for ending in [Ending::Drop, Ending::Reset] {
        let plan = Plan::new().always(Operation::PutObject, Fault::Lost(ending));
        let server = FaultyS3::start(S3Model::new().with_bucket("images").with_plan(plan)).unwrap();
        let program = s3_at(&server.endpoint(), "");
        for (length, is_hinted) in [(20 << 20, true), (1000, false)] {
            let image = program.write("image", &vec![7; length]);
            let ran = program.run(&["put", image.to_str().unwrap(), "--id", "x"]).ends(7);
            assert!(ran.err.contains("backend fast"), "{}", ran.err);
            let option = ran.err.contains("a proxy may limit") && ran.err.contains(PARTS);
            assert_eq!(option, is_hinted, "{ending:?} {length}: {}", ran.err);
        }
    }
}

const PARTS: &str = "s3_store_large_object_size";

/// Sends a program that reads from a pipe two signals after it has begun something; returns its
/// exit code and what it said.
fn signalled_twice(program: &Program, has_begun: impl Fn() -> bool) -> (Option<i32>, String) {
    let mut child = Command::new(&*APUS)
        .arg("--config")
        .arg(program.path("glance-api.conf"))
        .args(["put", "-", "--id", "slow"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The pipe stays open, so that the program waits for more.
    let mut stdin = child.stdin.take().unwrap();
    let feeder = thread::spawn(move || {
        let _ = stdin.write_all(&vec![7; 21 << 20]);
        stdin
    });
    let begun = Instant::now();
    while !has_begun() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing has begun");
        thread::sleep(Duration::from_millis(50));
    }
    let stdin = feeder.join().unwrap();
    thread::sleep(Duration::from_millis(500));
    for _ in 0..2 {
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        thread::sleep(Duration::from_millis(500));
    }
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_second_signal_names_what_is_left() {
    let server = FaultyS3::start(S3Model::new().with_bucket("images")).unwrap();
    let program = s3_at(
        &server.endpoint(),
        "s3_store_large_object_size = 1\ns3_store_large_object_chunk_size = 5\n",
    );
    let (code, said) = signalled_twice(&program, || !server.model().open_uploads().is_empty());
    assert_eq!(code, Some(130), "{said}");
    let id = server.model().open_uploads()[0].id.clone();
    assert!(said.contains(&format!("left behind: multipart upload {id} of images/slow")), "{said}");
}

/// Deletions are slow here, so that the second signal comes while the segments are removed.
#[test]
fn a_second_signal_names_the_segments_that_are_left_in_swift() {
    let slow = Fault::Delay(Duration::from_secs(3));
    let plan = Plan::new()
        .always(OpenStackOperation::DeleteObject, slow.clone())
        .always(OpenStackOperation::BulkDelete, slow);
    let model = OpenStackModel::new().with_container("glance", "images").with_plan(plan);
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    let program = Program::new().with_swift("cold", &cloud, "images");
    let conf = program.path("glance-api.conf");
    let text = std::fs::read_to_string(&conf).unwrap();
    let small = "swift_store_large_object_size = 1\nswift_store_large_object_chunk_size = 4\n";
    std::fs::write(&conf, format!("{text}{small}")).unwrap();
    let stored = || cloud.model().names_of("glance", "images").len();
    let (code, said) = signalled_twice(&program, || stored() >= 4);
    assert_eq!(code, Some(130), "{said}");
    let model = cloud.model();
    let left = model.names_of("glance", "images");
    assert!(!left.is_empty(), "{said}");
    for name in left {
        assert!(said.contains("left behind: ") && said.contains(name), "{name}: {said}");
    }
}
