//! `apus rm` of many objects: how many requests it takes, and what it says.

use std::sync::{Arc, Mutex};

use apus_conformance::server::{
    EmbeddedOpenStack, Fault, FaultyS3, OpenStackModel, Operation, Plan, Reply, Request, S3Model,
    Scripted,
};

use crate::program::Program;

fn full(bucket: &str, count: usize) -> S3Model {
    let model = S3Model::new().with_bucket(bucket).with_object(bucket, "kept", "1");
    (0..count).fold(model, |model, at| model.with_object(bucket, &format!("old/{at:05}"), "1"))
}

#[test]
fn two_thousand_objects_take_a_few_requests() {
    let server = FaultyS3::start(full("images", 2000)).unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");

    let dry = program.run(&["rm", "-r", "old/", "--dry-run"]).ends(0);
    assert_eq!(dry.out.lines().filter(|line| line.starts_with("would remove old/")).count(), 2000);
    dry.prints("2000 objects would be removed");
    assert_eq!(server.model().keys("images").len(), 2001);

    let before = server.model().requests();
    program.run(&["rm", "-r", "old/"]).ends(0).prints("removed 2000 objects");
    assert_eq!(server.model().keys("images"), ["kept"]);
    assert_eq!(server.model().count(Operation::DeleteObjects), 2);
    let requests = server.model().requests() - before;
    assert!(requests <= 6, "{requests} requests");

    let again = &program.json(&["rm", "-r", "old/"])[0];
    assert_eq!((&again["removed"], &again["failed"]), (&0.into(), &0.into()));
}

#[test]
fn names_come_from_standard_input() {
    let server = FaultyS3::start(full("images", 2000)).unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    let names: String = (0..1500).map(|at| format!("old/{at:05}\n")).collect();
    let location = format!("{}/images/old/01999\n", server.endpoint().replace("http://", "s3://"));
    let before = server.model().requests();
    let input = names + &location;
    program.run_with(&["rm", "-"], input.as_bytes()).ends(0).prints("removed 1501 objects");
    let requests = server.model().requests() - before;
    assert!(requests <= 3, "{requests} requests");
    assert_eq!(server.model().keys("images").len(), 2001 - 1501);
    // A name with a line's end in it.
    let dry = program.run_with(&["rm", "-0", "-n", "-"], b"old/01600\0old/01601\0");
    dry.ends(0).prints("would remove old/01601");
    program.run_with(&["rm", "-0", "-"], b"old/01600\0old/01601").ends(0);
    assert_eq!(server.model().keys("images").len(), 2001 - 1503);
    program.run_with(&["rm", "-", "a"], b"").ends(2);
}

/// As the arguments of a command line, each line counts by itself.
#[test]
fn a_line_that_names_no_object_is_named_and_the_others_are_removed() {
    let server = FaultyS3::start(full("images", 8)).unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    let input =
        b"old/00000\ns3://nowhere/images/x\n\na\xffb\nfast:\nx://AK:hunter2@h/k\nold/00001\n";
    let wrong = ["s3://nowhere/images/x: ", "line 4 of standard input is not UTF-8", "fast:: "];
    for command in [&["rm", "-n", "-"][..], &["rm", "-"]] {
        let ran = program.run_with(command, input).ends(9).says("4 objects were not removed");
        let ran = wrong.iter().fold(ran, |ran, text| ran.says(text));
        ran.prints("2 objects");
    }
    assert_eq!(server.model().keys("images").len(), 7);
    let input = &input[..input.len() - 1];
    let ran = program.run_with(&["rm", "-0", "-"], b"old/00002\0b\xff\0old/00003\0").ends(9);
    ran.says("name 2 of standard input is not UTF-8").prints("removed 2 objects");
    for command in [&["stat", "-"][..], &["copy", "-", "--to", "fast", "--to-bucket", "images"]] {
        let ran = program.run_with(command, input).ends(9);
        wrong.iter().fold(ran, |ran, text| ran.says(text)).says("of 6 objects failed");
    }
    // One name alone is named too.
    program.run_with(&["rm", "-n", "-"], b"none\n").ends(9).says("none: the object does not exist");
    program.run_with(&["stat", "-"], b"\xff").ends(9).says("line 1 of standard input");
}

#[test]
fn an_empty_prefix_needs_all() {
    let server = FaultyS3::start(full("images", 3)).unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    for arguments in [&["rm", "-r", "fast:"][..], &["rm", "-r", ""]] {
        program.run(arguments).ends(2).says("--all");
    }
    program.run(&["rm"]).ends(2);
    program.run(&["rm", "--all"]).ends(2);
    assert_eq!(server.model().keys("images").len(), 4);
    program.run(&["rm", "-r", "--all"]).ends(0).prints("removed 4 objects");
    assert!(server.model().keys("images").is_empty());
}

#[test]
fn what_is_not_removed_is_named() {
    let server = FaultyS3::start(full("images", 3)).unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    let ran = program.run(&["rm", "old/00001", "none", "old/00002", "none too"]).ends(9);
    ran.says("none: ").says("none too: ").says("2 of 4").prints("removed old/00001");
    let ran = program.run(&["rm", "-n", "old/00000", "none"]).ends(9);
    ran.prints("would remove old/00000").says("none: the object does not exist");
    assert_eq!(server.model().keys("images"), ["kept", "old/00000"]);
}

/// A bucket with versioning: S3's documents ("GetBucketVersioning", "ListObjectVersions", S3 API
/// reference), and the model for the rest.
#[test]
fn on_a_bucket_with_versions_it_says_what_is_removed() {
    let removed = Arc::new(Mutex::new(Vec::<String>::new()));
    let seen = Arc::clone(&removed);
    let mut model = full("images", 2);
    let server = Scripted::start(move |request: &Request| {
        let query = request.query();
        if query.contains("versioning") {
            return Reply::xml(
                200,
                "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
            );
        }
        if query.contains("versions") {
            return Reply::xml(
                200,
                "<ListVersionsResult><Name>images</Name><Prefix>old/</Prefix><IsTruncated>false\
                 </IsTruncated><Version><Key>old/1</Key><VersionId>v1</VersionId><IsLatest>false\
                 </IsLatest><Size>1</Size></Version><DeleteMarker><Key>old/1</Key><VersionId>v2\
                 </VersionId><IsLatest>true</IsLatest></DeleteMarker></ListVersionsResult>",
            );
        }
        if query.contains("delete") {
            seen.lock().unwrap().push(String::from_utf8_lossy(&request.body).into_owned());
        }
        model.handle(request)
    })
    .unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    let marked = program.run(&["rm", "-r", "old/"]).ends(0);
    marked.says("a delete marker hides each object").says("--versions");
    assert!(!removed.lock().unwrap()[0].contains("VersionId"));
    let dry = program.run(&["rm", "-r", "old/", "--versions", "-n"]).ends(0);
    dry.prints("would remove old/1 version v1").prints("would remove old/1 version v2");
    program.run(&["rm", "-r", "old/", "--versions"]).ends(0).says("permanently");
    let sent = removed.lock().unwrap().clone();
    assert_eq!(sent.len(), 2);
    for version in ["<VersionId>v1</VersionId>", "<VersionId>v2</VersionId>"] {
        assert!(sent[1].contains(version), "{sent:?}");
    }
    program.run(&["rm", "old/1", "--versions"]).ends(2);
}

#[test]
fn objects_in_swift_lose_their_segments_too() {
    let model = OpenStackModel::new()
        .with_container("glance", "images_0e")
        .with_container("glance", "images_4f")
        .with_container("glance", "images_segments");
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    let program = Program::new().with_swift("cold", &cloud, "images");
    let conf = program.path("glance-api.conf");
    let text = std::fs::read_to_string(&conf).unwrap();
    let seeded = "swift_store_multiple_containers_seed = 2\n\
                  swift_store_large_object_size = 1\nswift_store_large_object_chunk_size = 1\n";
    std::fs::write(&conf, text + seeded).unwrap();
    let image = program.write("image", &vec![7; 2_500_000]);
    for id in ["0e0b3f0c", "4f11", "4f22"] {
        program.run(&["put", image.to_str().unwrap(), "--id", id]).ends(0);
    }
    assert!(cloud.model().names_of("glance", "images_4f").len() > 4);
    program.run(&["rm", "-r", "4f1", "-n"]).ends(0).prints("would remove 4f11");
    program.run(&["rm", "-r", "4f1"]).ends(0);
    {
        let model = cloud.model();
        let left: Vec<&str> = model.names_of("glance", "images_4f");
        assert!(left.len() > 2 && left.iter().all(|name| name.starts_with("4f22")), "{left:?}");
    }
    program
        .run_with(&["rm", "-"], b"4f22\n0e0b3f0c\nnone")
        .ends(0)
        .prints("removed 8 objects and segments, 1 did not exist");
    for container in ["images_0e", "images_4f"] {
        assert!(cloud.model().names_of("glance", container).is_empty());
    }
    program.run(&["rm", "-r", "--all", "--versions"]).ends(2).says("S3");
}

#[test]
fn a_removal_counts_what_it_removes_also_if_it_ends_early() {
    let server = FaultyS3::start(full("images", 3)).unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    let dry = program.run_with(&["rm", "-n", "-"], b"old/00001\nnone\n").ends(9);
    dry.prints("1 objects would be removed").says("none: the object does not exist");
    // Names are read 10,000 at a time.
    let mut names = String::from("old/00001\n");
    for at in 0..9_999 {
        names += &format!("none/{at}\n");
    }
    let input = [names.as_bytes(), b"\xff\n"].concat();
    let refuse = Plan::new().on(Operation::DeleteObjects, 11, Fault::Refuse(403, "AccessDenied"));
    server.model().set_plan(refuse);
    let input = [&input[..], b"old/00002\n"].concat();
    let ran = program.run_with(&["rm", "-"], &input).ends(5).says("UTF-8");
    ran.prints("removed 10000 objects");
    assert_eq!(server.model().keys("images"), ["kept", "old/00000", "old/00002"]);
}
