//! Many objects removed, objects copied on the server, and a copy between two accounts.

use std::sync::Arc;

use apus_conformance::server::{Fault, FaultyS3, Operation, Plan, S3Model};
use apus_core::Error;
use apus_core::contract::{Machine, OnFailure, Step};
use apus_core::http::Completion;
use apus_core::machine::{Call, DeleteManyOptions, S3Copy, S3DeleteMany, ServerCopyOptions};
use apus_core::now::Now;
use apus_core::s3::*;
use apus_core::sign::Keys;

use crate::client::{Origin, Server, Setup, Via, pattern};
use crate::uploads;

both! {
    many_objects_are_removed,
    a_server_without_delete_objects_is_asked_one_by_one,
    objects_of_any_size_are_copied,
    a_copy_has_tags_and_annotations_of_its_source_whatever_its_size,
    one_machine_goes_under_two_accounts,
}

fn full(plan: Plan) -> FaultyS3 {
    let model = S3Model::new().with_bucket("bucket").with_plan(plan);
    let fill = |model: S3Model, number| model.with_object("bucket", &format!("ü {number}"), "x");
    FaultyS3::start((0..25).fold(model, fill)).unwrap()
}

fn delete(server: &FaultyS3, via: Via) -> apus_core::machine::DeletedMany {
    let client = Setup::of(server).client(via);
    let keys = (0..26).map(|number| ObjectIdentifier::new(format!("ü {number}")));
    let options = DeleteManyOptions { batch: 10, concurrency: 2, ..DeleteManyOptions::default() };
    let machine = S3DeleteMany::new("bucket", keys, Arc::clone(&client.service), options, 7);
    client.run(machine, Origin::none()).unwrap()
}

fn many_objects_are_removed(via: Via) {
    let plan = Plan::new().on(Operation::DeleteObjects, 2, Fault::SlowDown(None));
    let server = full(plan);
    let done = delete(&server, via);
    assert_eq!((done.deleted, done.errors), (26, vec![]));
    let model = server.model();
    assert!(model.keys("bucket").is_empty());
    assert_eq!(model.count(Operation::DeleteObjects), 4);
}

fn a_server_without_delete_objects_is_asked_one_by_one(via: Via) {
    let missing = Fault::Refuse(501, "NotImplemented");
    let server = full(Plan::new().always(Operation::DeleteObjects, missing));
    let done = delete(&server, via);
    assert_eq!((done.deleted, done.errors), (26, vec![]));
    let model = server.model();
    assert!(model.keys("bucket").is_empty());
    assert_eq!(model.count(Operation::DeleteObject), 26);
}

fn objects_of_any_size_are_copied(via: Via) {
    for (length, parts) in [(0, 0), (64 << 10, 0), (200_000, 7)] {
        let server = uploads::server(false, Plan::new());
        let client = Setup::of(&server).client(via);
        let bytes = pattern(length);
        let mut put = PutObject::new("bucket", "source é+", bytes.clone());
        put.properties = Properties::content_type("image/x-pattern");
        put.properties.metadata.insert("colour".into(), "grey".into());
        client.call(put).unwrap();

        let options = ServerCopyOptions {
            threshold: 64 << 10,
            part_size: 32 << 10,
            limits: uploads::options().limits,
            ..ServerCopyOptions::default()
        };
        let copy = CopyObject::new("bucket", "key", CopySource::new("bucket", "source é+"));
        let machine = S3Copy::new(copy, options, Arc::clone(&client.service), 7);
        let done = client.run(machine, Origin::none()).unwrap();
        assert_eq!((done.size, done.parts), (length as u64, parts));
        uploads::stored(&server, &bytes);
        assert_eq!(server.model().count(Operation::UploadPartCopy), u64::from(parts));
        let head = client.call(HeadObject::new("bucket", "key")).unwrap();
        assert_eq!(head.content_type.as_deref(), Some("image/x-pattern"));
        assert_eq!(head.metadata["colour"], "grey");
    }
}

fn a_copy_has_tags_and_annotations_of_its_source_whatever_its_size(via: Via) {
    let server = uploads::server(false, Plan::new());
    let mut setup = Setup::of(&server);
    setup.config.quirks = apus_core::quirks::Provider::Aws.quirks();
    let client = setup.client(via);
    let mut put = PutObject::new("bucket", "source", pattern(100_000));
    put.properties.tagging = [("a", "b c"), ("é", "")].into_iter().collect();
    client.call(put).unwrap();
    for (name, text) in [("one", "a note"), ("a b&c", "é")] {
        client.call(PutObjectAnnotation::new("bucket", "source", name, text)).unwrap();
    }
    for (threshold, directive) in
        [(1 << 20, None), (1 << 10, None), (1 << 10, Some(AnnotationDirective::Exclude))]
    {
        let options = ServerCopyOptions {
            threshold,
            part_size: 32 << 10,
            limits: uploads::options().limits,
            ..ServerCopyOptions::default()
        };
        let mut copy = CopyObject::new("bucket", "key", CopySource::new("bucket", "source"));
        copy.annotation_directive = directive;
        let machine = S3Copy::new(copy, options, Arc::clone(&client.service), 7);
        let done = client.run(machine, Origin::none()).unwrap();
        assert_eq!((done.parts > 0, done.not_copied), (threshold == 1 << 10, vec![]));
        let tags = client.call(GetObjectTagging::new("bucket", "key")).unwrap().tags;
        assert_eq!(tags, [("a", "b c"), ("é", "")].into_iter().collect());
        let list = client.call(ListObjectAnnotations::new("bucket", "key")).unwrap();
        let names: Vec<_> = list.annotations.iter().map(|it| it.annotation_name.as_str()).collect();
        match directive {
            Some(_) => assert!(names.is_empty(), "{names:?}"),
            None => {
                assert_eq!(names, ["a b&c", "one"]);
                let got = client.call(GetObjectAnnotation::new("bucket", "key", "a b&c")).unwrap();
                assert_eq!(got.annotation_payload, "é");
            }
        }
    }
    client.call(DeleteObjectAnnotation::new("bucket", "source", "one")).unwrap();
    let gone = client.call(GetObjectAnnotation::new("bucket", "source", "one")).unwrap_err();
    assert_eq!(gone.code(), Some("NoSuchAnnotation"));
}

/// Reads an object under auth 0, and writes it under auth 1 to another server.
struct Across {
    there: Arc<Service>,
    state: State,
}

enum State {
    Reading(Box<Call<GetObject>>),
    Writing(Box<Call<PutObject>>),
}

impl Machine for Across {
    type Output = Stored;

    fn poll(&mut self, now: Now) -> Step<Stored> {
        let read = match &mut self.state {
            State::Reading(call) => match call.poll(now) {
                Step::Send(draft) => return Step::Send(draft),
                Step::Wait(wait) => return Step::Wait(wait),
                Step::Done(Err(error)) => return Step::Done(Err(error)),
                Step::Done(Ok(read)) => read,
            },
            State::Writing(call) => return call.poll(now),
        };
        let put = PutObject::new("theirs", "copy", read.body);
        let call = Call::new(put, Arc::clone(&self.there), 8).with_auth(1);
        self.state = State::Writing(Box::new(call));
        self.poll(now)
    }

    fn complete(&mut self, now: Now, done: Completion) {
        match &mut self.state {
            State::Reading(call) => call.complete(now, done),
            State::Writing(call) => call.complete(now, done),
        }
    }

    fn cancel(&mut self, now: Now, on_failure: OnFailure) {
        match &mut self.state {
            State::Reading(call) => call.cancel(now, on_failure),
            State::Writing(call) => call.cancel(now, on_failure),
        }
    }
}

fn one_machine_goes_under_two_accounts(via: Via) {
    let here = S3Model::new().with_bucket("ours").with_object("ours", "key", "across");
    let here = FaultyS3::start(here).unwrap();
    let plan = Plan::new().on(Operation::PutObject, 1, Fault::ClockSkewed(3600));
    let there = S3Model::new().with_bucket("theirs").with_plan(plan);
    let there = FaultyS3::start(there).unwrap();

    let mut setup = Setup::of(&here);
    setup.keys = vec![Keys::new("OURS", "our secret"), Keys::new("THEIRS", "their secret")];
    let client = setup.client(via);
    let url = BaseUrl::parse(&there.url()).unwrap();
    let config = Config::new(EndpointConfig::custom(url, "eu-west-3"));
    let across = Across {
        there: Arc::new(Service::new(config).unwrap()),
        state: State::Reading(Box::new(Call::new(
            GetObject::new("ours", "key"),
            Arc::clone(&client.service),
            7,
        ))),
    };
    let stored: Result<Stored, Error> = client.run(across, Origin::none());
    stored.unwrap();
    assert_eq!(there.model().object("theirs", "copy").unwrap().body, "across");

    let credential = |server: &FaultyS3, at: usize| {
        let requests = server.server().requests();
        requests[at].header("authorization").unwrap().to_owned()
    };
    assert!(credential(&here, 0).contains("Credential=OURS/"));
    assert!(credential(&here, 0).contains("/us-east-1/s3/"));
    // The first was refused for the second auth's clock, and went out again under that auth.
    for at in 0..2 {
        assert!(credential(&there, at).contains("Credential=THEIRS/"));
        assert!(credential(&there, at).contains("/eu-west-3/s3/"));
    }
    assert_eq!((here.server().requests().len(), there.server().requests().len()), (1, 2));
}
