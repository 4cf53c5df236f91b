//! `apus uploads`: what is listed, aborted and expired, and what is left alone.

use std::sync::{Arc, Mutex};

use apus_conformance::server::{
    EmbeddedOpenStack, FaultyS3, OpenStackModel, Operation, Reply, Request, S3Model, Scripted,
};

use crate::program::Program;

/// Begins an upload of one part, as another client.
fn begin(model: &mut S3Model, key: &str) -> String {
    let reply = model.handle(&Request::new("POST", format!("/images/{key}?uploads=")));
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    let id = text.split("<UploadId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let part = Request::new("PUT", format!("/images/{key}?partNumber=1&uploadId={id}"));
    assert_eq!(model.handle(&part.with_body("some bytes")).status, 200);
    id
}

#[test]
fn old_uploads_are_aborted_and_young_ones_are_left() {
    let mut model = S3Model::new().with_bucket("images");
    model.set_now(1_700_000_000);
    let old: Vec<String> = (0..30).map(|at| begin(&mut model, &format!("old/{at}"))).collect();
    let server = FaultyS3::start(model).unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    let young = {
        // The server's clock is the machine's from its first request on.
        program.run(&["ls"]).ends(0);
        begin(&mut server.model(), "young")
    };
    let listed = program.json(&["uploads", "ls"]);
    assert_eq!(listed.len(), 31);
    assert_eq!(listed[0]["initiated"], "2023-11-14T22:13:20Z");
    assert_eq!(program.json(&["uploads", "ls", "--older-than", "1h"]).len(), 30);
    assert_eq!(program.json(&["uploads", "ls", "fast:you"])[0]["upload_id"], young);

    let dry = program.run(&["uploads", "abort"]).ends(0);
    dry.prints(&old[7]).says("30 uploads would be aborted; --yes").says("1 younger uploads");
    assert_eq!(server.model().open_uploads().len(), 31);

    let before = server.model().count(Operation::ListParts);
    let ran = program.run(&["uploads", "abort", "--yes"]).ends(0).says("30 uploads aborted");
    ran.prints(&format!("aborted {} of old/7", old[7]));
    assert_eq!(server.model().open_uploads().len(), 1);
    assert_eq!(server.model().count(Operation::ListParts) - before, 30, "each is proven");
    program.run(&["uploads", "abort", "none", "--older-than", "0", "--yes"]).ends(0);
    assert_eq!(server.model().open_uploads().len(), 1);
    program.run(&["uploads", "abort", "--older-than", "0", "--yes"]).ends(0).prints(&young);
    assert!(server.model().open_uploads().is_empty());
    program.run(&["uploads", "abort", "--older-than", "soon"]).ends(2);
}

// LeoFS and lakeFS document that they have no ListMultipartUploads; s3proxy responded so (issue 152).
#[test]
fn a_server_that_lists_no_uploads_is_named_with_what_helps() {
    let server = Scripted::start(|_: &Request| {
        let body = "<Error><Code>NotImplemented</Code><Message>A header you provided implies \
                    functionality that is not implemented</Message></Error>";
        Reply::new(501).body(body)
    })
    .unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    for command in [&["uploads", "ls"][..], &["uploads", "abort", "--yes"]] {
        let ran = program.run(command).ends(1);
        ran.says("does not list multipart uploads").says("`apus uploads expire`");
    }
}

#[test]
fn an_upload_that_stays_is_an_error() {
    let mut model = S3Model::new().with_bucket("images");
    begin(&mut model, "stays");
    // An acknowledged abort that does nothing.
    let server = Scripted::start(move |request: &Request| match request.method.as_str() {
        "DELETE" => Reply::new(204),
        _ => model.handle(request),
    })
    .unwrap();
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    let ran = program.run(&["uploads", "abort", "--older-than", "0", "--yes"]).ends(9);
    ran.says("stays: ").says("still lists it").says("1 of 1 uploads were not aborted");
}

#[test]
fn uploads_are_of_s3() {
    let model = OpenStackModel::new().with_container("glance", "images");
    let cloud = EmbeddedOpenStack::start(model).unwrap();
    let program = Program::new().with_swift("cold", &cloud, "images");
    program.run(&["uploads", "ls"]).ends(2).says("apus orphans");
}

/// A bucket whose lifecycle rules are a document, behind the model.
fn with_rules(rules: Option<&str>) -> (Scripted, Arc<Mutex<Option<String>>>) {
    let stored = Arc::new(Mutex::new(rules.map(str::to_owned)));
    let rules = Arc::clone(&stored);
    let mut model = S3Model::new().with_bucket("images");
    let server = Scripted::start(move |request: &Request| {
        if !request.query().contains("lifecycle") {
            return model.handle(request);
        }
        let mut rules = rules.lock().unwrap();
        if request.method == "PUT" {
            *rules = Some(String::from_utf8_lossy(&request.body).into_owned());
            return Reply::new(200);
        }
        match &*rules {
            Some(rules) => Reply::xml(200, rules.clone()),
            // "GetBucketLifecycleConfiguration", S3 API reference.
            None => Reply::xml(
                404,
                "<Error><Code>NoSuchLifecycleConfiguration</Code><Message>none</Message></Error>",
            ),
        }
    });
    (server.unwrap(), stored)
}

#[test]
fn a_rule_is_added_once_and_the_others_are_kept() {
    let (server, stored) = with_rules(None);
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    let rules = || stored.lock().unwrap().clone().unwrap_or_default();
    program.run(&["uploads", "expire", "--days", "7", "-n"]).ends(0).prints("would abort");
    assert_eq!(rules(), "");
    program.run(&["uploads", "expire", "--days", "7"]).ends(0).prints("0 other rules were kept");
    assert!(rules().contains("<DaysAfterInitiation>7</DaysAfterInitiation>"), "{}", rules());
    let before = rules();
    program.run(&["uploads", "expire", "--days", "7"]).ends(0).prints("already");
    assert_eq!(rules(), before);
    program.run(&["uploads", "expire", "--days", "3"]).ends(0);
    assert_eq!(rules().matches("<Rule>").count(), 1);
    assert!(rules().contains("<DaysAfterInitiation>3</DaysAfterInitiation>"), "{}", rules());
    program.run(&["uploads", "expire", "--days", "0"]).ends(2);

    // Rules of others, one of which has the form before `Filter`.
    let (server, stored) = with_rules(Some(
        "<LifecycleConfiguration><Rule><ID>logs</ID><Prefix>logs/</Prefix><Status>Enabled</Status>\
         <Expiration><Days>30</Days></Expiration></Rule><Rule><ID>tmp</ID><Filter><And><Prefix>tmp/\
         </Prefix><Tag><Key>a</Key><Value>b</Value></Tag></And></Filter><Status>Disabled</Status>\
         <NoncurrentVersionExpiration><NoncurrentDays>5</NoncurrentDays>\
         </NoncurrentVersionExpiration></Rule></LifecycleConfiguration>",
    ));
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    program.run(&["uploads", "expire", "--days", "7"]).ends(0).prints("2 other rules were kept");
    let rules = stored.lock().unwrap().clone().unwrap();
    for kept in [
        "<ID>logs</ID>",
        "<Prefix>logs/</Prefix>",
        "<Days>30</Days>",
        "<Key>a</Key><Value>b</Value>",
        "<Status>Disabled</Status>",
        "<NoncurrentDays>5</NoncurrentDays>",
        "<DaysAfterInitiation>7</DaysAfterInitiation>",
    ] {
        assert!(rules.contains(kept), "{kept} is not in {rules}");
    }
}

#[test]
fn rules_with_unknown_elements_are_not_rewritten() {
    let rules = "<LifecycleConfiguration><Rule><ID>new</ID><Filter><Prefix>a</Prefix></Filter>\
                 <Status>Enabled</Status><Freeze><Kelvin>0</Kelvin></Freeze></Rule>\
                 </LifecycleConfiguration>";
    let (server, stored) = with_rules(Some(rules));
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    let ran = program.run(&["uploads", "expire", "--days", "7"]).ends(1);
    ran.says("Freeze, Kelvin").says("nothing was changed");
    assert_eq!(stored.lock().unwrap().as_deref(), Some(rules));
}

#[test]
fn the_doctor_recommends_the_rule() {
    let (server, _) = with_rules(None);
    let program = Program::new().with_endpoint("fast", &server.endpoint(), "images");
    program.run(&["doctor"]).prints("apus -b fast uploads expire --days 7");
    program.run(&["uploads", "expire", "--days", "7"]).ends(0);
    let ran = program.run(&["doctor"]);
    assert!(ran.out.contains("after 7 days") && !ran.out.contains("expire --days"), "{ran:?}");
}
