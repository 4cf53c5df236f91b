//! `stat` and `copy` of many objects.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use apus_conformance::server::{
    EmbeddedOpenStack, Fault, FaultyS3, OpenStackModel, Operation, Plan, Request, S3Model, Scripted,
};

use crate::program::Program;

fn full(bucket: &str) -> S3Model {
    let model = S3Model::new().with_bucket(bucket).with_object(bucket, "top", "1");
    (0..40).fold(model, |model, at| {
        model.with_object(bucket, &format!("a/{at:02}"), vec![at as u8; 1000 + at])
    })
}

#[test]
fn many_objects_are_shown() {
    let server = FaultyS3::start(full("images")).unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    let told = program.json(&["stat", "-R", "fast:a/"]);
    assert_eq!(told.len(), 40);
    let sum: u64 = told.iter().map(|one| one["size"].as_u64().unwrap()).sum();
    assert_eq!(sum, (0..40_u64).map(|at| 1000 + at).sum::<u64>());
    assert_eq!(server.model().count(Operation::HeadObject), 40);
    let ran = program.run_with(&["stat", "-"], b"top\nnone\na/07\n").ends(9);
    ran.says("none: ").says("1 of 3 objects failed").prints("1007");
    program.run(&["stat", "none"]).ends(3);

    let model = OpenStackModel::new().with_container("glance", "images");
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    for at in 0..20 {
        let body = vec![1; at].into();
        cloud.model().put_foreign("glance", "images", &format!("a/{at}"), body);
    }
    let program = Program::new().with_swift("cold", &cloud, "images");
    assert_eq!(program.json(&["stat", "-R", "a/"]).len(), 20);
    assert_eq!(cloud.model().logins().len(), 1);
}

#[test]
fn a_prefix_is_copied_through_the_client_or_by_the_server() {
    let (server, cold) = (
        FaultyS3::start(full("images")).unwrap(),
        FaultyS3::start(S3Model::new().with_bucket("archive").with_bucket("third")).unwrap(),
    );
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images").with_endpoint(
        "cold",
        &cold.endpoint(),
        "archive",
    );
    let dry = program.run(&["copy", "-R", "a/", "--to", "cold", "--id", "b/", "-n"]).ends(0);
    dry.prints("would copy fast:a/07 to cold:b/07");
    assert!(cold.model().keys("archive").is_empty());

    program.run(&["copy", "-R", "a/", "--to", "cold", "--id", "b/"]).ends(0);
    let keys: Vec<String> = (0..40).map(|at| format!("b/{at:02}")).collect();
    assert_eq!(cold.model().keys("archive"), keys);
    assert_eq!(cold.model().object("archive", "b/07").unwrap().body, vec![7; 1007]);
    // Nothing is replaced.
    program.run(&["copy", "-R", "a/0", "--to", "cold", "--id", "b/0"]).ends(9).says("10 of 10");

    // Between buckets of one server, no bytes pass the client.
    let gets = cold.model().count(Operation::GetObject);
    let to = ["--to", "cold", "--to-bucket", "third"];
    program.run(&[&["copy", "-R", "cold:b/"], &to[..]].concat()).ends(0);
    assert_eq!(cold.model().keys("third"), keys);
    assert_eq!(cold.model().count(Operation::GetObject), gets);
    assert_eq!(cold.model().count(Operation::CopyObject), 40);
    assert_eq!(cold.model().object("third", "b/07").unwrap().body, vec![7; 1007]);

    let one = &program.json(&[&["copy", "top"], &to[..]].concat())[0];
    assert!(one["url"].as_str().unwrap().ends_with("/third/top"), "{one}");
    assert_eq!(one["metadata"], serde_json::json!({}));
    program.run_with(&["copy", "-", "--to", "cold"], b"top\nnone\n").ends(9).says("none: ");
    assert_eq!(cold.model().object("archive", "top").unwrap().body, "1");
    program.run(&["copy", "a/00", "a/01", "--to", "cold", "--id", "x"]).ends(2).says("--id");
}

/// The source takes a minute.
#[test]
fn a_copy_that_is_refused_reads_no_more_of_its_source() {
    let slow = Fault::Trickle(1 << 20, Duration::from_millis(300));
    let model = S3Model::new().with_bucket("images");
    let model = model.with_object("images", "large", vec![1; 200 << 20]);
    let from =
        FaultyS3::start(model.with_plan(Plan::new().always(Operation::GetObject, slow))).unwrap();
    let refused = Fault::Refuse(403, "AccessDenied");
    let plan = Plan::new()
        .always(Operation::CreateMultipartUpload, refused.clone())
        .always(Operation::PutObject, refused);
    let to = FaultyS3::start(S3Model::new().with_bucket("copies").with_plan(plan)).unwrap();
    let program = Program::new().with_endpoint("fast", &from.endpoint(), "images").with_backend(
        "other",
        "s3",
        &format!(
            "s3_store_host = {}\ns3_store_access_key = AK\ns3_store_secret_key = a/secret\n\
                 s3_store_bucket = copies\ns3_store_large_object_size = 6\n\
                 s3_store_large_object_chunk_size = 5\n",
            to.endpoint()
        ),
    );
    // The first run builds the program.
    program.run(&["--version"]).ends(0);
    let begun = Instant::now();
    program.run(&["copy", "fast:large", "--to", "other"]).ends(5).says("backend other");
    // To read the whole source takes a minute.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn a_copy_by_the_server_that_fails_names_its_source_or_itself() {
    let model = S3Model::new().with_bucket("images").with_bucket("copies");
    let model = model.with_object("images", "a/1", "1").with_object("copies", "a/1", "old");
    let server = FaultyS3::start(model).unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images").with_endpoint(
        "cold",
        &server.endpoint(),
        "copies",
    );
    let at = |backend: &str| format!("backend {backend} at {}", server.endpoint());
    for command in
        [&["copy", "-R", "a/", "--to", "cold"][..], &["copy", "a/1", "x", "--to", "cold"]]
    {
        let ran = program.run(command).ends(9);
        let place = format!("{}, bucket copies, key a/1: ", at("cold"));
        let ran = ran.says(&place).says("already exists");
        let place = format!("{}, bucket images, key x: ", at("fast"));
        assert_eq!(ran.err.contains(&place), command.contains(&"x"), "{ran:?}");
    }
    assert_eq!(server.model().object("copies", "a/1").unwrap().body, "old");
}

/// The backends `fast` and `cold` in S3, at servers of their own, and `swift`.
fn three() -> (FaultyS3, FaultyS3, EmbeddedOpenStack, Program) {
    let fast = S3Model::new().with_bucket("images").with_bucket("third");
    let (fast, cold) = (
        FaultyS3::start(fast).unwrap(),
        FaultyS3::start(S3Model::new().with_bucket("archive")).unwrap(),
    );
    let model = OpenStackModel::new().with_container("glance", "images");
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    let program = Program::new()
        .with_endpoint("fast", &fast.endpoint(), "images")
        .with_endpoint("cold", &cold.endpoint(), "archive")
        .with_swift("swift", &cloud, "images");
    (fast, cold, cloud, program)
}

#[test]
fn a_copy_has_the_properties_of_its_source() {
    let (_fast, _cold, _cloud, program) = three();
    program.write("file", b"1");
    let put =
        ["put", "file", "--id", "x", "--content-type", "text/x-own", "--metadata", "colour=red"];
    program.run(&put).ends(0);
    let properties = |name: &str| {
        let told = &program.json(&["stat", name])[0];
        (told["content_type"].clone(), told["metadata"]["colour"].clone())
    };
    let own = ("text/x-own".into(), "red".into());
    assert_eq!(properties("x"), own);
    for (from, to) in [("fast", "cold"), ("fast", "swift"), ("swift", "cold")] {
        let name = format!("from-{from}");
        program.run(&["copy", &format!("{from}:x"), "--to", to, "--id", &name]).ends(0);
        assert_eq!(properties(&format!("{to}:{name}")), own, "{from} to {to}");
        if to == "swift" {
            program.run(&["copy", "fast:x", "--to", to]).ends(0);
        }
    }
    program.run(&["copy", "fast:x", "--to", "fast", "--to-bucket", "third"]).ends(0);
    program.run(&["copy", "-R", "fast:x", "--to", "fast", "--id", "server"]).ends(0);
    assert_eq!(properties("fast:server"), own);
    // A value that S3 has no form for.
    let put = ["-b", "swift", "put", "file", "--id", "u", "--metadata", "colour=r\u{f6}t"];
    program.run(&put).ends(0);
    let copy = ["copy", "swift:u", "--to", "cold"];
    program.run(&copy).ends(0).says("not copied: metadata \"colour\", whose value is not ASCII");
}

#[test]
fn a_move_removes_its_source_once_the_copy_is_proved() {
    let (fast, cold, cloud, program) = three();
    program.write("file", b"12345");
    for name in ["a/1", "a/2", "b"] {
        program.run(&["put", "file", "--id", name, "--metadata", "colour=red"]).ends(0);
    }
    program.run(&["mv", "b", "--to", "cold", "-n"]).ends(0).prints("would move b to cold:b");
    assert_eq!(fast.model().keys("images"), ["a/1", "a/2", "b"]);
    // To another name, by the server: no byte passes the client.
    let ran = program.run(&["mv", "b", "--to", "fast", "--id", "c"]).ends(0);
    ran.prints("/images/c").says("removed b");
    assert_eq!(fast.model().keys("images"), ["a/1", "a/2", "c"]);
    assert_eq!(fast.model().count(Operation::GetObject), 0);
    // A prefix, to another server; then to Swift and back.
    program.run(&["mv", "-R", "a/", "--to", "cold", "--id", "z/"]).ends(0);
    assert_eq!(cold.model().keys("archive"), ["z/1", "z/2"]);
    assert_eq!(fast.model().keys("images"), ["c"]);
    program.run(&["mv", "cold:z/1", "--to", "swift", "--id", "s"]).ends(0);
    assert_eq!(cloud.model().names_of("glance", "images"), ["s"]);
    program.run(&["mv", "swift:s", "--to", "fast"]).ends(0);
    assert!(cloud.model().names_of("glance", "images").is_empty());
    assert_eq!(fast.model().object("images", "s").unwrap().body, "12345");
    assert_eq!(program.json(&["stat", "s"])[0]["metadata"]["colour"], "red");
    program.run_with(&["mv", "-", "--to", "cold"], b"s\nnone\n").ends(9).says("none");
    assert_eq!(cold.model().keys("archive"), ["s", "z/2"]);
    program.run(&["mv", "none", "--to", "cold"]).ends(3);
}

#[test]
fn a_move_that_can_not_be_completed_names_both() {
    let (fast, cold, _cloud, program) = three();
    program.write("file", b"12345");
    let ls = |server: &FaultyS3, bucket: &str| server.model().keys(bucket).len();
    program.run(&["put", "file", "--id", "a"]).ends(0);
    // Onto itself, and onto another object.
    program.run(&["mv", "a", "--to", "fast"]).ends(4);
    program.run(&["-b", "cold", "put", "file", "--id", "taken"]).ends(0);
    program.run(&["mv", "a", "--to", "cold", "--id", "taken"]).ends(4);
    assert_eq!((ls(&fast, "images"), ls(&cold, "archive")), (1, 1));
    // The source may not be removed.
    let refuse = Fault::Refuse(403, "AccessDenied");
    fast.model().set_plan(Plan::new().always(Operation::DeleteObject, refuse));
    for (to, id) in [("fast", "b"), ("cold", "b")] {
        let ran = program.run(&["mv", "a", "--to", to, "--id", id]).ends(9);
        ran.says("copied as s3://").says("/b, but a was not removed: ").says("bucket images");
    }
    fast.model().set_plan(Plan::new());
    // The copy can't be made.
    let refuse = Fault::Refuse(403, "AccessDenied");
    cold.model().set_plan(Plan::new().always(Operation::PutObject, refuse));
    program.run(&["mv", "a", "--to", "cold"]).ends(5);
    assert_eq!(fast.model().object("images", "a").unwrap().body, "12345");
}

/// The server says nothing that proves the copy: the bytes of both are compared.
#[test]
fn a_move_that_only_the_size_speaks_for_is_read() {
    let (model, wrong) = (S3Model::new().with_bucket("images"), Arc::new(Mutex::new(false)));
    let mut model = model.with_object("images", "a", "12345").with_object("images", "b", "12345");
    let is_wrong = Arc::clone(&wrong);
    let server = Scripted::start(move |request: &Request| {
        let is_copy = request.method == "GET" && request.path().ends_with("/moved");
        // The ETags that the model has are other ones.
        let mut request = request.clone();
        request.headers.retain(|(name, _)| !name.to_ascii_lowercase().ends_with("if-match"));
        let mut reply = model.handle(&request);
        reply.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("x-amz-checksum"));
        for header in &mut reply.headers {
            if header.0.eq_ignore_ascii_case("etag") {
                header.1 = format!("\"{:032x}-1\"", request.path().len());
            }
        }
        if is_copy && *is_wrong.lock().unwrap() {
            reply.body = "12346".into();
        }
        reply
    })
    .unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    *wrong.lock().unwrap() = true;
    let ran = program.run(&["mv", "a", "--to", "fast", "--id", "moved"]).ends(9);
    ran.says("a was not removed: the copy has other bytes");
    *wrong.lock().unwrap() = false;
    program.run(&["rm", "moved"]).ends(0);
    program.run(&["mv", "a", "--to", "fast", "--id", "moved"]).ends(0).says("removed a");
    program.run(&["stat", "a"]).ends(3);
}
