//! `apus orphans`: which segments are removed, and which never.

use apus_conformance::server::{
    EmbeddedOpenStack, Fault, OpenStackModel, OpenStackOperation, Plan,
};

use crate::program::Program;

const ID: &str = "0e0b3f0c-4f11-4f22-8000-0123456789ab";

/// An account with two large objects of one container, one in each kind.
fn cloud(program: Program) -> (EmbeddedOpenStack, Program) {
    let model = OpenStackModel::new()
        .with_container("glance", "images")
        .with_container("glance", "images_segments")
        .with_container("glance", "others")
        .with_container("glance", "others_segments");
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    let program = program.with_swift("cold", &cloud, "images");
    let conf = program.path("glance-api.conf");
    let text = std::fs::read_to_string(&conf).unwrap();
    let small = "swift_store_large_object_size = 1\nswift_store_large_object_chunk_size = 1\n";
    let image = program.write("image", &vec![7; 2_500_000]);
    for (kind, id) in [("static", "slo"), ("dynamic", "dlo")] {
        let kind = format!("swift_store_large_object_kind = {kind}\n");
        std::fs::write(&conf, format!("{text}{small}{kind}")).unwrap();
        program.run(&["put", image.to_str().unwrap(), "--id", id]).ends(0);
    }
    (cloud, program)
}

fn put(cloud: &EmbeddedOpenStack, container: &str, names: &[String]) {
    for name in names {
        cloud.model().put_foreign("glance", container, name, vec![1; 10].into());
    }
}

fn orphans() -> [String; 4] {
    [
        format!("{ID}-00001"),
        format!("{ID}-00002"),
        "gone/00000000deadbeef/30/10/00000001".to_owned(),
        "gone/1700000000.123456/30/10/00000000".to_owned(),
    ]
}

#[test]
fn segments_that_no_manifest_names_are_removed() {
    let (cloud, program) = cloud(Program::new());
    put(&cloud, "images", &orphans()[..3]);
    put(&cloud, "images_segments", &orphans()[3..]);
    let kept = ["backup-00001", "a/b/c", "a/1/2/3/4", "plain"].map(str::to_owned);
    put(&cloud, "images", &kept);
    // Those of another container belong to another backend.
    put(&cloud, "others_segments", &orphans());
    let before = cloud.model().names_of("glance", "images").len();

    let requests = cloud.model().count(OpenStackOperation::HeadObject);
    program.run(&["orphans"]).ends(0).says("no segments that are old enough");
    assert_eq!(cloud.model().count(OpenStackOperation::HeadObject), requests);
    let dry = program.run(&["orphans", "--older-than", "0"]).ends(0);
    dry.says("4 segments of 3 uploads")
        .says("--yes")
        .prints("images_segments/gone/1700000000.123456/");
    assert_eq!(cloud.model().names_of("glance", "images").len(), before);
    let some = program.run(&["orphans", "gone", "--older-than", "0"]).ends(0);
    some.says("2 segments of 2 uploads");

    let ran = program.run(&["orphans", "--older-than", "0", "--yes"]).ends(0);
    ran.prints(&format!("removed 2 segments of images/{ID}-")).says("removed");
    let model = cloud.model();
    let left = model.names_of("glance", "images");
    assert_eq!(left.len(), before - 3);
    assert!(kept.iter().all(|name| left.contains(&&**name)), "{left:?}");
    assert!(model.names_of("glance", "images_segments").is_empty());
    assert_eq!(model.names_of("glance", "others_segments").len(), 4);
    drop(model);
    for id in ["slo", "dlo"] {
        assert_eq!(program.run(&["-q", "get", id]).ends(0).out.len(), 2_500_000);
    }
}

/// The objects of an account are requested only if there is something to remove: a listing shows
/// static large objects since Swift 2.18, and no dynamic ones.
#[test]
fn a_healthy_account_takes_a_request_for_each_large_object() {
    let (cloud, program) = cloud(Program::new());
    let plain: Vec<String> = (0..300).map(|number| format!("plain-{number}")).collect();
    put(&cloud, "others", &plain);
    let heads = || cloud.model().count(OpenStackOperation::HeadObject);
    let before = heads();
    program.run(&["orphans", "--older-than", "0", "--yes"]).ends(0).says("no segments without");
    assert_eq!(heads() - before, 2, "one for each large object");
    // One upload that nothing names: its own object first, then all that may be a manifest.
    put(&cloud, "images", &orphans()[2..3]);
    let before = heads();
    program.run(&["orphans", "--older-than", "0"]).ends(0).says("1 segments of 1 uploads");
    let asked = heads() - before;
    assert!((300..=310).contains(&asked), "{asked}");
}

#[test]
fn nothing_is_removed_where_a_manifest_can_not_be_read() {
    let (cloud, program) = cloud(Program::new());
    put(&cloud, "images", &orphans());
    let before = cloud.model().names_of("glance", "images").len();
    // The listing shows the static one, whose manifest is read without a HEAD.
    for (operation, unread) in
        [(OpenStackOperation::GetManifest, "slo"), (OpenStackOperation::HeadObject, "dlo")]
    {
        let plan = Plan::new().always(operation, Fault::Refuse(403, "Forbidden"));
        cloud.model().set_plan(plan);
        let ran = program.run(&["orphans", "--older-than", "0", "--yes"]).ends(9);
        ran.says("nothing was removed").says(&format!("images/{unread}: "));
        assert_eq!(cloud.model().names_of("glance", "images").len(), before);
    }
}

/// Another client removes a container after the account was listed.
#[test]
fn a_container_that_was_removed_meanwhile_is_passed_over() {
    let (cloud, program) = cloud(Program::new());
    put(&cloud, "images", &orphans());
    let listings = || cloud.model().count(OpenStackOperation::GetContainer);
    let before = listings();
    program.run(&["orphans", "--older-than", "0"]).ends(0).says("4 segments of 3 uploads");
    // The last container of the account is empty, and so the last one that is listed.
    let one_run = listings() - before;
    let last = listings() + one_run;
    let refusal = Fault::Refuse(404, "Not Found");
    let plan = Plan::new().on(OpenStackOperation::GetContainer, last, refusal.clone());
    cloud.model().set_plan(plan);
    let ran = program.run(&["orphans", "--older-than", "0"]).ends(3);
    ran.says("container others_segments");
    let last = listings() + one_run;
    let plan = Plan::new()
        .on(OpenStackOperation::GetContainer, last, refusal.clone())
        .always(OpenStackOperation::HeadContainer, refusal);
    cloud.model().set_plan(plan);
    program.run(&["orphans", "--older-than", "0"]).ends(0).says("4 segments of 3 uploads");
    assert_eq!(listings(), last);
}

#[test]
fn a_manifest_in_another_container_keeps_its_segments() {
    let (cloud, program) = cloud(Program::new());
    let named = orphans();
    put(&cloud, "images", &named);
    // The manifest of a large object that another client made of these.
    let storage = cloud.storage_url_of("glance");
    let token = cloud.model().live_tokens()[0].id.clone();
    let path = storage.split_once("/v1/").unwrap().1.to_owned();
    let manifest =
        format!(r#"[{{"path": "/images/{}"}}, {{"path": "/images/{}"}}]"#, named[0], named[2]);
    let mut model = cloud.model();
    let request = apus_conformance::server::Request::new(
        "PUT",
        format!("/v1/{path}/others/made?multipart-manifest=put"),
    );
    let length = manifest.len().to_string();
    let request = request.with_header("content-length", length).with_body(manifest);
    let request = request.with_header("x-auth-token", &token);
    let made = model.handle(&request);
    assert_eq!(made.status, 201, "{made:?}");
    // And one whose manifest is named like a segment.
    let inner = format!(r#"[{{"path": "/images/{}"}}]"#, named[1]);
    let request = apus_conformance::server::Request::new(
        "PUT",
        format!("/v1/{path}/images/inner/00000000deadbeef/20/10/00000001?multipart-manifest=put"),
    );
    let length = inner.len().to_string();
    let request = request.with_header("content-length", length).with_body(inner);
    let request = request.with_header("x-auth-token", &token);
    let made = model.handle(&request);
    assert_eq!(made.status, 201, "{made:?}");
    drop(model);
    let ran = program.run(&["orphans", "--older-than", "0", "--yes"]).ends(0);
    ran.says("1 segments of 1 uploads").prints("gone/1700000000.123456/");
    let model = cloud.model();
    let left = model.names_of("glance", "images");
    assert!(named[..3].iter().all(|name| left.contains(&&**name)), "{left:?}");
}

#[test]
fn orphans_are_of_swift() {
    let server = apus_conformance::server::EmbeddedS3::start(
        apus_conformance::server::Options::new().bucket("images"),
    )
    .unwrap();
    let program = Program::new().with_s3("fast", &server, "images");
    program.run(&["orphans"]).ends(2).says("apus uploads");
}
