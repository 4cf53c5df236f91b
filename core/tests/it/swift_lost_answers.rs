//! The last request of an upload to Swift, whose answer was lost: what proves that the object is ours, what
//! proves that it is not, and what is said where nothing does.

use apus_core::Error;
use apus_core::machine::{
    Call, LargeObject, SwiftUpload, SwiftUploadOptions, SwiftUploaded, UploadSource,
};
use apus_core::swift::{BulkDelete, DeleteObject};

use crate::support::swift::Tokens as SimTokens;
use crate::support::{Answer, Sim};
use crate::swift_store::{Fault, World, object, service};

/// An upload that must not replace anything, whose PUT is done and not answered, and refused the second
/// time; the look at the object afterwards meets this fault.
fn look(length: usize, fault: Option<Fault>) -> (World, Result<SwiftUploaded, Error>) {
    let put = World::new(object(length)).fault("PUT c/o", 1, Fault::AnswerLost);
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

#[test]
fn another_length_is_another_object_whatever_its_tag() {
    for length in [1000, 10_000] {
        let (_, result) = look(length, Some(Fault::OtherSize));
        let error = result.unwrap_err();
        assert!(error.is_precondition_failed() && !error.outcome_unknown(), "{error}");
    }
}

#[test]
fn another_tag_is_another_object_whatever_its_length() {
    for length in [1000, 10_000] {
        let (_, result) = look(length, Some(Fault::OtherTag));
        let error = result.unwrap_err();
        assert!(error.is_precondition_failed() && !error.outcome_unknown(), "{error}");
    }
}

#[test]
fn where_nothing_proves_it_that_is_said_and_nothing_is_removed() {
    for fault in [Fault::NoTag, Fault::Refuse(403), Fault::Lost] {
        for length in [1000, 10_000] {
            let (world, result) = look(length, Some(fault));
            let error = result.unwrap_err();
            assert!(error.is_precondition_failed() && error.outcome_unknown(), "{error}");
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
        let (_, result) = look(length, Some(Fault::Refuse(404)));
        assert!(!result.unwrap_err().outcome_unknown());
    }
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
        assert_eq!(error.kind(), apus_core::Kind::Broken, "{error}");
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
        let world = Sim::under(Call::new(delete, service(), 1), SimTokens::party());
        let run = world.run(|_, _| {
            asked += 1;
            Answer::new(200).body(body)
        });
        (run.result.err().map(|error| error.kind()), asked)
    };
    for body in ["", "{}", "<html>", "[]"] {
        assert_eq!(calls(body), (Some(apus_core::Kind::Broken), 1), "{body}");
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
