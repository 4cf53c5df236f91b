//! The last request of an upload to Swift, whose response was lost: what proves that the object is
//! the uploaded one, what proves that it is not, and the error if nothing proves either.

use std::time::Duration;

use apus_core::Error;
use apus_core::checksum::Algorithm;
use apus_core::contract::Operation;
use apus_core::machine::{
    Auth, Call, LargeObject, SwiftUpload, SwiftUploadOptions, SwiftUploaded, UploadSource,
};
use apus_core::swift::{
    BodyCheck, BulkDelete, CopyObject, DeleteContainer, DeleteObject, DeleteSlo, ObjectSegment,
    PostAccount, PostContainer, PostObject, Prefix, Properties, PutContainer, PutDlo, PutObject,
    PutSlo, Segment, Service,
};

use crate::support::swift::Tokens as SimTokens;
use crate::support::{Answer, Sim};
use crate::swift_store::{Fault, Tokens, World, object, pump, service};

/// An upload that must not replace anything, whose PUT is done and not answered; the look at the object
/// before the PUT is repeated meets this fault.
fn look(length: usize, fault: Option<Fault>) -> (World, Result<SwiftUploaded, Error>) {
    look_after(Fault::AnswerLost, length, fault)
}

/// The same, of a PUT that meets another fault.
fn look_after(
    first: Fault,
    length: usize,
    fault: Option<Fault>,
) -> (World, Result<SwiftUploaded, Error>) {
    let put = World::new(object(length)).fault("PUT c/o", 1, first);
    // It is looked at before the upload, and in segments before the manifest too.
    let nth = if length > 2000 { 3 } else { 2 };
    let mut world = match fault {
        Some(fault) => put.fault_from("HEAD c/o", nth, fault),
        None => put,
    };
    let options = SwiftUploadOptions {
        threshold: 2000,
        segment_size: 1000,
        memory: 20_000,
        id: Some("id".into()),
        large_object: Some(LargeObject::Static),
        if_absent: true,
        ..SwiftUploadOptions::default()
    };
    let source = UploadSource::Seekable(length as u64);
    let machine = SwiftUpload::new("c", "o", source, options, service(), 7).unwrap();
    let result = world.run(machine);
    assert!(world.count("HEAD c/o") >= nth as usize, "{:?}", world.log);
    (world, result)
}

#[test]
fn tag_and_length_together_prove_it() {
    for length in [1000, 10_000] {
        let (world, result) = look(length, None);
        assert!(result.unwrap().recovered);
        assert!(world.store.read("c", "o").unwrap() == world.source);
    }
}

/// Where the server ignores the condition, another PUT would replace the other object, and the first
/// one may have been replaced by it.
#[track_caller]
fn is_not_repeated(world: &World, error: &Error) {
    assert_eq!(world.count("PUT c/o"), 1, "{:?}", world.log);
    assert!(error.outcome_unknown(), "{error}");
    assert_eq!(error.leftovers().len(), world.store.names("c_segments").len());
}

#[test]
fn another_length_is_another_object_whatever_its_tag() {
    for length in [1000, 10_000] {
        let (world, result) = look(length, Some(Fault::OtherSize));
        is_not_repeated(&world, &result.unwrap_err());
    }
}

#[test]
fn another_tag_is_another_object_whatever_its_length() {
    for length in [1000, 10_000] {
        let (world, result) = look(length, Some(Fault::OtherTag));
        is_not_repeated(&world, &result.unwrap_err());
    }
}

#[test]
fn where_nothing_proves_it_that_is_said_and_nothing_is_removed() {
    for fault in [Fault::NoTag, Fault::Refuse(403), Fault::Lost] {
        for length in [1000, 10_000] {
            let (world, result) = look(length, Some(fault));
            let error = result.unwrap_err();
            assert!(error.outcome_unknown(), "{error}");
            assert!(error.look_at().unwrap().ends_with("c/o"), "{error}");
            assert_eq!(world.count("DELETE"), 0);
            let segments = world.store.names("c_segments").len();
            assert_eq!(error.leftovers().len(), segments, "{error}");
            // It is there indeed, and whole.
            assert!(world.store.read("c", "o").unwrap() == world.source);
        }
    }
}

#[test]
fn an_object_that_is_not_there_was_not_stored() {
    for length in [1000, 10_000] {
        // Answered, so that nothing is under way any more.
        let (world, result) = look_after(Fault::Answer(500), length, Some(Fault::Refuse(404)));
        let error = result.unwrap_err();
        assert!(!error.outcome_unknown() && error.leftovers().is_empty(), "{error}");
        assert_eq!(world.store.names("c_segments"), [""; 0]);
    }
}

/// A request that was never answered may be carried out yet, and the manifest then needs its segments.
#[test]
fn an_object_that_is_not_there_may_be_stored_by_a_request_that_was_never_answered() {
    for length in [1000, 10_000] {
        let (world, result) = look(length, Some(Fault::Refuse(404)));
        let error = result.unwrap_err();
        assert!(error.outcome_unknown(), "{error}");
        assert_eq!(error.leftovers().len(), world.store.names("c_segments").len());
        assert!(world.store.read("c", "o").unwrap() == world.source);
    }
}

/// Calls it at a server that has two segments, carries it out, does not answer, and refuses the repetition.
/// The look afterwards meets this fault.
fn called<O>(operation: O, looked: Option<Fault>) -> Result<bool, Error>
where
    O: Operation<Service = Service>,
{
    called_at(operation, looked, 2)
}

/// The same, of an operation that is sent so often.
fn called_at<O>(operation: O, looked: Option<Fault>, sent: usize) -> Result<bool, Error>
where
    O: Operation<Service = Service>,
{
    let mut world = World::new(object(10)).fault("PUT c/o", 1, Fault::AnswerLost);
    world = world.fault_from("PUT c/o", 2, Fault::Refuse(403));
    if let Some(fault) = looked {
        world = world.fault_from("HEAD c/o", 1, fault);
    }
    for (at, length) in SEGMENTS.into_iter().enumerate() {
        world.store.put("c_segments", &format!("o/{at}"), object(length));
    }
    let mut pump = pump(Call::new(operation, service(), 1), Auth::new(Tokens::default()));
    let result = world.drive(&mut pump);
    assert_eq!(world.count("PUT c/o"), sent, "{:?}", world.log);
    result.map(|_| pump.machine().is_recovered())
}

fn slo() -> PutSlo {
    let segments = SEGMENTS.into_iter().enumerate().map(|(at, length)| {
        let md5 = Algorithm::Md5.digest(&object(length)).unwrap().hex();
        let (name, size) = (format!("o/{at}"), length as u64);
        Segment::Object(ObjectSegment::stored("c_segments", name, md5.into(), size))
    });
    PutSlo::new("c", "o", segments.collect())
}

fn dlo() -> PutDlo {
    PutDlo::new("c", "o", Prefix::new("c_segments", "o/"))
}

#[track_caller]
fn unknown(result: Result<bool, Error>) {
    let error = result.unwrap_err();
    assert!(error.outcome_unknown(), "{error}");
    assert!(error.look_at().is_some_and(|look_at| look_at.contains("c/o")), "{error}");
}

#[test]
fn what_a_call_put_is_known_by_a_look_at_it() {
    let put = PutObject::new("c", "o", object(10));
    assert!(called(put.clone(), None).unwrap());
    assert!(called(slo(), None).unwrap());
    assert!(called(dlo(), None).unwrap());
    for fault in [Fault::Refuse(403), Fault::Lost] {
        unknown(called(put.clone(), Some(fault)));
        unknown(called(slo(), Some(fault)));
        unknown(called(dlo(), Some(fault)));
    }
    // Of equal length, and without a tag.
    unknown(called(put.clone(), Some(Fault::NoTag)));
    unknown(called(slo(), Some(Fault::NoTag)));
    // Another object, and the request that was never answered may be carried out yet.
    for fault in [Fault::OtherTag, Fault::OtherSize, Fault::Refuse(404)] {
        unknown(called(put.clone(), Some(fault)));
        unknown(called(slo(), Some(fault)));
    }
    // The MD5 is computed of what may have to be known again.
    let unchecked = PutObject { check: BodyCheck::Never, if_absent: true, ..put.clone() };
    assert!(called_at(unchecked, None, 1).unwrap());
    let unchecked = PutObject { check: BodyCheck::Never, ..put };
    unknown(called(unchecked, None));
}

/// The three PUTs that must not replace anything.
fn create_only() -> (PutObject, PutSlo, PutDlo) {
    let mut put = PutObject::new("c", "o", object(10));
    let (mut slo, mut dlo) = (slo(), dlo());
    (put.if_absent, slo.if_absent, dlo.if_absent) = (true, true, true);
    slo.heartbeat = false;
    (put, slo, dlo)
}

/// Ceph's gateway ignores `If-None-Match`, so that a repetition would replace the other object.
#[test]
fn a_repetition_replaces_nothing_that_was_stored_meanwhile_even_where_conditions_do_not_count() {
    fn once<O: Operation<Service = Service>>(operation: O, first: Fault, is_ceph: bool) {
        let mut world = World::new(object(10)).fault("PUT c/o", 1, first);
        world.store.is_ceph = is_ceph;
        for (at, length) in SEGMENTS.into_iter().enumerate() {
            world.store.put("c_segments", &format!("o/{at}"), object(length));
        }
        world.store.put("c", "o", "somebody else's");
        let error = world.run(Call::new(operation, service(), 1)).map(drop).unwrap_err();
        assert!(error.outcome_unknown(), "{error}");
        assert_eq!(world.store.read("c", "o").unwrap(), "somebody else's", "{:?}", world.log);
        assert_eq!(world.count("PUT c/o"), 1, "{:?}", world.log);
    }
    for is_ceph in [true, false] {
        for first in [Fault::Lost, Fault::Refuse(500), Fault::Refuse(502)] {
            let (put, slo, dlo) = create_only();
            once(put, first, is_ceph);
            once(slo, first, is_ceph);
            once(dlo, first, is_ceph);
        }
    }
}

/// What is not there is sent again, however often that takes, and each time after a look of its own.
#[test]
fn a_repetition_follows_its_look_without_a_delay() {
    fn looked<O: Operation<Service = Service>>(operation: O) {
        // Nothing of the second is carried out, but the first may be.
        let mut world = World::new(object(10)).fault("PUT c/o", 1, Fault::Lost).fault(
            "PUT c/o",
            2,
            Fault::Refuse(503),
        );
        for (at, length) in SEGMENTS.into_iter().enumerate() {
            world.store.put("c_segments", &format!("o/{at}"), object(length));
        }
        world.run(Call::new(operation, service(), 1)).map(drop).unwrap();
        let methods: Vec<&str> = world.log.iter().map(|line| &line[..3]).collect();
        assert_eq!(methods, ["PUT", "HEA", "PUT", "HEA", "PUT"]);
        let delay = |at: usize| world.sent_at[at + 1] - world.sent_at[at];
        // A response takes 40 ms at most in this test.
        let response = Duration::from_millis(40);
        assert!(delay(1) <= response && delay(3) <= response, "{:?}", world.sent_at);
        assert!(delay(0) > response && delay(2) > response, "{:?}", world.sent_at);
    }
    let (put, slo, dlo) = create_only();
    looked(put);
    looked(slo);
    looked(dlo);
}

#[test]
fn an_older_object_of_the_same_bytes_with_other_properties_proves_nothing() {
    let mut put = PutObject::new("c", "o", object(10));
    put.properties = Properties::content_type("text/plain");
    put.properties.metadata.insert("colour".into(), "red".into());
    assert!(called(put.clone(), None).unwrap());
    // It was there before, and the PUT was lost on its way.
    let mut world = World::new(object(10)).fault("PUT c/o", 1, Fault::Lost);
    world = world.fault_from("PUT c/o", 2, Fault::Refuse(403));
    world.store.put("c", "o", object(10));
    let error = world.run(Call::new(put, service(), 1)).unwrap_err();
    assert!(error.outcome_unknown(), "{error}");
}

/// Equal segments of another client have the same tag, but its manifest names other segments.
#[test]
fn a_large_object_of_somebody_elses_equal_segments_is_not_ours() {
    for is_ceph in [false, true] {
        let mut world = World::new(object(10)).fault("PUT c/o", 1, Fault::Lost);
        world = world.fault_from("PUT c/o", 2, Fault::Refuse(403));
        world.store.is_ceph = is_ceph;
        let (mut theirs, mut ours) = (slo(), slo());
        for (at, length) in SEGMENTS.into_iter().enumerate() {
            world.store.put("c_segments", &format!("o/{at}"), object(length));
            world.store.put("c_segments", &format!("theirs/{at}"), object(length));
        }
        for (at, segment) in theirs.segments.iter_mut().enumerate() {
            let Segment::Object(one) = segment else { panic!() };
            one.object = format!("theirs/{at}");
        }
        (theirs.heartbeat, ours.heartbeat) = (false, false);
        let mut elsewhere = World::new(object(10));
        elsewhere.store = world.store.clone();
        elsewhere.run(Call::new(theirs, service(), 1)).unwrap();
        world.store = elsewhere.store;
        let result = world.run(Call::new(ours, service(), 1));
        // Ceph does not show its manifests: equal segments can't be told apart.
        assert_eq!(result.is_ok(), is_ceph, "{:?}", world.log);
        assert!(
            result.is_ok_and(|_| true) || world.log.iter().any(|asked| asked.ends_with("=get"))
        );
    }
}

/// Nothing shows whose segments they are where the manifest may not be read, or is gone meanwhile.
#[test]
fn a_manifest_that_is_refused_proves_nothing() {
    for refusal in [401, 403, 404] {
        let mut world = World::new(object(10)).fault("PUT c/o", 1, Fault::AnswerLost);
        world = world.fault_from("PUT c/o", 2, Fault::Refuse(403));
        world = world.fault_from("GET c/o", 1, Fault::Refuse(refusal));
        for (at, length) in SEGMENTS.into_iter().enumerate() {
            world.store.put("c_segments", &format!("o/{at}"), object(length));
        }
        let ours = PutSlo { heartbeat: false, ..slo() };
        let error = world.run(Call::new(ours, service(), 1)).map(drop).unwrap_err();
        assert!(error.outcome_unknown(), "{refusal}: {error} {:?}", world.log);
    }
}

/// The status says all there is: a page that is cut off takes nothing from it.
#[test]
fn a_cut_body_takes_nothing_from_what_the_status_said() {
    fn cut<O: Operation<Service = Service>>(operation: O, status: u16, answers: usize) -> Error {
        let mut asked = 0;
        let run =
            Sim::with_auth(Call::new(operation, service(), 1), SimTokens::auth()).run(|_, _| {
                asked += 1;
                Answer::new(status).body("<html><h1>Accepted</h1><p>The request</p></html>").cut(9)
            });
        assert_eq!(asked, answers, "{status}");
        match run.result {
            Ok(_) => Error::invalid_input("it succeeded"),
            Err(error) => error,
        }
    }
    let done = |error: Error| assert_eq!(error.message(), "it succeeded", "{error}");
    done(cut(PutObject::new("c", "o", object(10)), 201, 1));
    done(cut(PostObject::new("c", "o", Properties::content_type("text/plain")), 202, 1));
    done(cut(DeleteObject::new("c", "o"), 200, 1));
    done(cut(CopyObject::new("c", "o", "c", "p"), 201, 1));
    done(cut(dlo(), 201, 1));
    done(cut(PutContainer::new("c"), 202, 1));
    done(cut(PostContainer::new("c"), 204, 1));
    done(cut(DeleteContainer::new("c"), 200, 1));
    done(cut(PostAccount::new(), 200, 1));
    // What the body would have said is not known, and it is not asked for again.
    for error in
        [cut(BulkDelete::objects("c", ["a", "b"]), 200, 1), cut(DeleteSlo::new("c", "o"), 200, 1)]
    {
        assert!(error.outcome_unknown(), "{error}");
    }
}

/// "Object Storage API": 201 to PUT and COPY, 204 to DELETE and to POST of a container or account; 202
/// only to PUT of a container that exists and to POST of an object.
#[test]
fn a_status_that_does_not_say_that_it_was_done_is_not_believed() {
    // The responses to the operation, and to what is asked of it after that.
    fn told<O: Operation<Service = Service>>(operation: O, status: u16, head: &Answer) -> Told {
        let run =
            Sim::with_auth(Call::new(operation, service(), 1), SimTokens::auth()).run(|what, _| {
                match what.method.as_str() {
                    "HEAD" => head.clone(),
                    _ => Answer::new(status),
                }
            });
        let sent = run.requests.iter().filter(|request| !request.starts_with("HEAD")).count();
        match run.result {
            Ok(_) => Told::Done(sent),
            Err(error) if error.outcome_unknown() => Told::Unknown(sent),
            Err(error) => Told::Failed(error.kind(), sent),
        }
    }
    let (denied, gone) = (Answer::new(403), Answer::new(404));
    let md5 = Algorithm::Md5.digest(&object(10)).unwrap().hex();
    let ours = Answer::new(200).header("content-length", 10).header("etag", &md5);
    let put = || PutObject::new("c", "o", object(10));
    for status in [202, 203, 205, 206, 207] {
        assert_eq!(told(put(), status, &denied), Told::Unknown(1), "{status}");
        assert_eq!(told(put(), status, &ours), Told::Done(1), "{status}");
        // A look that has no object proves nothing.
        let odd = Answer::new(202).header("content-length", 10).header("etag", &md5);
        assert_eq!(told(put(), status, &odd), Told::Unknown(1), "{status}");
        assert_eq!(told(dlo(), status, &denied), Told::Unknown(1), "{status}");
        let copy = CopyObject::new("c", "o", "c", "p");
        assert_eq!(told(copy, status, &denied), Told::Unknown(1), "{status}");
        let delete = DeleteObject::new("c", "o");
        assert_eq!(told(delete, status, &denied), Told::Unknown(1), "{status}");
        assert_eq!(told(PostContainer::new("c"), status, &denied), Told::Unknown(1), "{status}");
        assert_eq!(told(DeleteContainer::new("c"), status, &denied), Told::Unknown(1), "{status}");
    }
    // What was accepted may be stored later; nothing else may.
    assert_eq!(told(put(), 202, &gone), Told::Unknown(1));
    assert_eq!(told(put(), 207, &gone), Told::Failed(apus_core::Kind::InvalidResponse, 1));
    for status in [200, 201, 204] {
        assert_eq!(told(put(), status, &denied), Told::Done(1), "{status}");
        assert_eq!(told(DeleteObject::new("c", "o"), status, &denied), Told::Done(1), "{status}");
    }
    let text = Properties::content_type("text/plain");
    assert_eq!(told(PostObject::new("c", "o", text), 202, &denied), Told::Done(1));
    assert_eq!(told(PutContainer::new("c"), 202, &denied), Told::Done(1));
}

/// What came of a call, and how often it was sent.
#[derive(Debug, PartialEq)]
enum Told {
    Done(usize),
    Unknown(usize),
    Failed(apus_core::Kind, usize),
}

#[test]
fn a_manifest_whose_answer_makes_no_sense_is_not_made_again() {
    for (says, if_absent) in [("{}", false), ("<html>", true), ("no report", false)] {
        let mut world = World::new(object(10_000)).fault_from("PUT c/o", 1, Fault::Says(says));
        let options = SwiftUploadOptions {
            threshold: 2000,
            segment_size: 1000,
            memory: 20_000,
            large_object: Some(LargeObject::Static),
            if_absent,
            ..SwiftUploadOptions::default()
        };
        let source = UploadSource::Seekable(10_000);
        let machine = SwiftUpload::new("c", "o", source, options, service(), 7).unwrap();
        let error = world.run(machine).unwrap_err();
        assert_eq!(error.kind(), apus_core::Kind::InvalidResponse, "{error}");
        assert_eq!(world.count("PUT c/o"), 1, "{says}");
        // It was looked at, and is not there.
        assert!(!error.outcome_unknown() && error.leftovers().is_empty());
        assert_eq!(world.store.names("c_segments"), [""; 0]);
    }
}

#[test]
fn deletions_whose_answer_makes_no_sense_are_not_asked_for_again() {
    let calls = |body: &'static str| {
        let mut asked = 0;
        let delete = BulkDelete::objects("c", ["a", "b"]);
        let world = Sim::with_auth(Call::new(delete, service(), 1), SimTokens::auth());
        let run = world.run(|_, _| {
            asked += 1;
            Answer::new(200).body(body)
        });
        (run.result.err().map(|error| error.kind()), asked)
    };
    for body in ["", "{}", "<html>", "[]"] {
        assert_eq!(calls(body), (Some(apus_core::Kind::InvalidResponse), 1), "{body}");
    }
}

#[test]
fn what_is_gone_after_a_lost_answer_was_removed() {
    for lost in [true, false] {
        let mut world = World::new(object(10));
        if lost {
            world = world.fault("DELETE c/o", 1, Fault::AnswerLost);
            world.store.put("c", "o", object(10));
        }
        let result = world.run(Call::new(DeleteObject::new("c", "o"), service(), 1));
        match lost {
            true => result.unwrap(),
            // Who was answered at once is told that there was nothing.
            false => assert!(result.unwrap_err().is_not_found()),
        }
        assert_eq!(world.count("DELETE c/o"), 1 + usize::from(lost));
    }
}

/// Bytes of the segments that are there.
const SEGMENTS: [usize; 2] = [10, 11];
