//! Calls whose response is lost, at a server that applies them: a proven success, the refusal, or
//! an error that says that the outcome is unknown.

use apus_conformance::server::{Ending, Fault, FaultyS3, Operation, Plan, S3Model};
use apus_core::Error;
use apus_core::s3::*;

use crate::client::{Client, Setup, Via};

both! {
    a_conditional_put_is_known_by_what_was_sent,
    a_completion_of_the_caller_s_own_is_known_by_its_parts,
    a_completion_that_is_cut_off_is_not_sent_again,
    what_was_removed_or_made_by_the_lost_attempt_is_no_failure,
    what_can_not_be_proven_is_said,
}

const BUCKET: &str = "bucket";

/// A server that is known to heed conditions.
fn serve(via: Via, plan: Plan) -> (FaultyS3, Client) {
    serve_known(via, plan, true)
}

fn serve_known(via: Via, plan: Plan, heeds: bool) -> (FaultyS3, Client) {
    let model = S3Model::new().with_bucket(BUCKET).with_object(BUCKET, "there", "0123456789");
    let server = FaultyS3::start(model.with_plan(plan)).unwrap();
    let setup = Setup::of(&server).with(|config| config.quirks.conditional_put = heeds);
    let client = setup.client(via);
    (server, client)
}

fn lost(operation: Operation) -> Plan {
    Plan::new().on(operation, 1, Fault::AnswerLost(Ending::Reset))
}

fn absent(key: &str) -> PutObject {
    PutObject { conditions: Conditions::absent(), ..PutObject::new(BUCKET, key, "hello") }
}

/// An upload of two parts, and what completes it.
fn parts(client: &Client) -> CompleteMultipartUpload {
    let begun = client.call(CreateMultipartUpload::new(BUCKET, "key")).unwrap();
    let part = |number, bytes: Vec<u8>| {
        let part = UploadPart::new(BUCKET, "key", &begun.upload_id, number, bytes);
        CompletedPart::new(number, client.call(part).unwrap().etag)
    };
    let parts = vec![part(1, vec![1; 5 << 20]), part(2, vec![2; 10])];
    CompleteMultipartUpload::new(BUCKET, "key", &begun.upload_id, parts)
}

#[track_caller]
fn unknown(error: &Error) {
    assert!(error.outcome_unknown() && error.look_at().is_some(), "{error}");
}

fn a_conditional_put_is_known_by_what_was_sent(via: Via) {
    // Where the server may ignore the condition, it is looked at before it is sent again, and once more
    // after the body was hashed for the comparison.
    for (heeds, puts, heads) in [(true, 2, 1), (false, 1, 2)] {
        let (server, client) = serve_known(via, lost(Operation::PutObject), heeds);
        let stored = client.call(absent("key")).unwrap();
        // The MD5 of `hello`, from RFC 1321's algorithm as hashlib has it.
        assert_eq!(stored.etag.opaque(), "5d41402abc4b2a76b9719d911017c592");
        let model = server.model();
        assert_eq!(model.object(BUCKET, "key").unwrap().body, "hello");
        let asked = (model.count(Operation::PutObject), model.count(Operation::HeadObject));
        assert_eq!(asked, (puts, heads));
    }
    // Somebody else's.
    let (_server, client) =
        serve(via, Plan::new().on(Operation::PutObject, 1, Fault::Lost(Ending::Reset)));
    let error = client.call(absent("there")).unwrap_err();
    assert!(error.is_precondition_failed() && !error.outcome_unknown(), "{error}");
}

fn a_completion_of_the_caller_s_own_is_known_by_its_parts(via: Via) {
    let gone = Fault::NoSuchUpload;
    let plan = lost(Operation::CompleteMultipartUpload);
    let plan = plan.from(Operation::CompleteMultipartUpload, 2, gone);
    let (server, client) = serve(via, plan);
    let done = client.call(parts(&client)).unwrap();
    let model = server.model();
    assert_eq!(done.stored.etag.opaque(), model.object(BUCKET, "key").unwrap().etag);
    assert_eq!(model.count(Operation::HeadObject), 1);
}

fn a_completion_that_is_cut_off_is_not_sent_again(via: Via) {
    let cut = Fault::CutBody(10, Ending::Reset);
    let plan = Plan::new().on(Operation::CompleteMultipartUpload, 1, cut);
    let (server, client) = serve(via, plan);
    client.call(parts(&client)).unwrap();
    assert_eq!(server.model().count(Operation::CompleteMultipartUpload), 1);
}

fn what_was_removed_or_made_by_the_lost_attempt_is_no_failure(via: Via) {
    let plan = lost(Operation::AbortMultipartUpload).on(
        Operation::CreateBucket,
        1,
        Fault::AnswerLost(Ending::Close),
    );
    let plan = plan.on(Operation::DeleteBucket, 1, Fault::AnswerLost(Ending::Close));
    let plan = plan.on(Operation::DeleteObject, 1, Fault::AnswerLost(Ending::Close));
    let plan = plan.on(Operation::CopyObject, 1, Fault::AnswerLost(Ending::Reset));
    let (server, client) = serve(via, plan);
    let begun = client.call(CreateMultipartUpload::new(BUCKET, "key")).unwrap();
    client.call(AbortMultipartUpload::new(BUCKET, "key", begun.upload_id)).unwrap();
    client.call(CreateBucket::new("another")).unwrap();
    client.call(DeleteBucket::new("another")).unwrap();
    let mut source = CopySource::new(BUCKET, "there");
    source.conditions.if_match =
        Some(server.model().object(BUCKET, "there").unwrap().etag.clone().into());
    let copy =
        CopyObject { conditions: Conditions::absent(), ..CopyObject::new(BUCKET, "copy", source) };
    client.call(copy).unwrap();
    assert_eq!(server.model().object(BUCKET, "copy").unwrap().body, "0123456789");
    client.call(DeleteObject::new(BUCKET, "there")).unwrap();
    assert!(server.model().object(BUCKET, "there").is_none());
}

fn what_can_not_be_proven_is_said(via: Via) {
    let denied = Fault::Refuse(403, "AccessDenied");
    let plan = lost(Operation::PutObject).always(Operation::HeadObject, denied.clone());
    let (_server, client) = serve(via, plan);
    let error = client.call(absent("key")).unwrap_err();
    assert!(error.is_precondition_failed(), "{error}");
    unknown(&error);
    // No response, and no object at the time of the look.
    let plan = Plan::new().always(Operation::PutObject, Fault::Lost(Ending::Reset));
    let (_server, client) = serve(via, plan);
    unknown(&client.call(absent("key")).unwrap_err());
    let plan =
        lost(Operation::CreateMultipartUpload).from(Operation::CreateMultipartUpload, 2, denied);
    let (_server, client) = serve(via, plan);
    unknown(&client.call(CreateMultipartUpload::new(BUCKET, "key")).unwrap_err());
}
