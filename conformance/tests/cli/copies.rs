//! `stat` and `copy` of many objects.

use std::time::{Duration, Instant};

use apus_conformance::server::{
    EmbeddedOpenStack, Fault, FaultyS3, OpenStackModel, Operation, Plan, S3Model,
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
