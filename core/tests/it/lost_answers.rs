//! Calls whose response was lost. If the call is proven to be carried out, it succeeds; if it is
//! proven not to be, it fails with the refusal; if nothing proves either, the outcome is unknown.

use std::time::Duration;

use apus_core::checksum::Algorithm;
use apus_core::contract::{OnFailure, Operation};
use apus_core::error::ExchangeErrorKind;
use apus_core::http::Body;
use apus_core::machine::{Call, S3Copy, S3Upload, ServerCopyOptions, UploadOptions, UploadSource};
use apus_core::quirks::Provider;
use apus_core::s3::{
    AbortMultipartUpload, Conditions, Config, CopyObject, CopySource, CreateBucket,
    CreateMultipartUpload, DeleteBucket, DeleteObject, DeleteObjects, HeadObject, ObjectIdentifier,
    Properties, PutBucketTagging, PutObject, Raw, Service, UploadPart,
};
use apus_core::{Error, Kind};
use http::Method;

use crate::support::{Answer, Run, Sim, service};

/// Calls it at a server that heeds conditions and gives these answers, one after the other.
fn call<O: Operation<Service = Service>>(operation: O, answers: &[Answer]) -> Run<Call<O>> {
    call_at(operation, heeds, answers)
}

fn heeds(config: &mut Config) {
    config.quirks.conditional_put = true;
    config.quirks.conditional_complete = true;
    config.quirks.conditional_delete = true;
}

fn call_at<O: Operation<Service = Service>>(
    operation: O,
    set: impl FnOnce(&mut Config),
    answers: &[Answer],
) -> Run<Call<O>> {
    let mut answers = answers.iter().cloned();
    Sim::new(Call::new(operation, service(set), 1))
        .source(BYTES)
        .run(|head, _| answers.next().unwrap_or_else(|| panic!("too much is asked: {head:?}")))
}

fn aws(config: &mut Config) {
    config.quirks = Provider::Aws.quirks();
}

fn lost() -> Answer {
    Answer::lost(ExchangeErrorKind::Closed)
}

/// What a HEAD shows of an object.
fn shown(size: usize, etag: &str) -> Answer {
    Answer::new(200).header("content-length", size).header("etag", etag)
}

fn absent() -> PutObject {
    PutObject { conditions: Conditions::absent(), ..PutObject::new("bucket", "key", BYTES) }
}

/// Checks that the outcome is unknown, and that the error says where to look.
#[track_caller]
fn unknown(error: &Error, look_at: &str) {
    assert!(error.outcome_unknown(), "{error}");
    assert!(error.look_at().is_some_and(|told| told.contains(look_at)), "{error}");
    assert!(error.to_string().contains("the outcome is unknown: look at"), "{error}");
}

/// It says that it was not carried out.
#[track_caller]
fn refused(error: &Error, code: &str) {
    assert!(!error.outcome_unknown(), "{error}");
    assert_eq!((error.kind(), error.code()), (Kind::Refused, Some(code)), "{error}");
}

#[test]
fn a_conditional_put_whose_answer_was_lost_is_known_by_its_tag() {
    for lost in
        [lost(), Answer::lost(ExchangeErrorKind::Timeout), Answer::error(500, "InternalError")]
    {
        let again = Answer::error(412, "PreconditionFailed");
        let run = call(absent(), &[lost, again, shown(5, HELLO)]);
        assert_eq!(run.result.unwrap().etag.opaque(), HELLO);
        assert_eq!(run.requests, ["PUT /bucket/key", "PUT /bucket/key", "HEAD /bucket/key"]);
        assert!(run.pump.machine().is_recovered());
    }
    let matched = Conditions::matches("\"before\"".into());
    let put = PutObject { conditions: matched, ..PutObject::new("bucket", "key", BYTES) };
    let again = Answer::error(412, "PreconditionFailed");
    call(put, &[lost(), again, shown(5, HELLO)]).result.unwrap();
}

#[test]
fn a_condition_that_did_not_hold_is_the_refusal() {
    // At once: nothing was lost, and nothing is looked at.
    let at_once = call(absent(), &[Answer::error(412, "PreconditionFailed")]);
    refused(&at_once.result.unwrap_err(), "PreconditionFailed");
    // Somebody else's object, while which is there a late attempt is refused as well.
    for there in [shown(5, NOTHING), shown(6, HELLO)] {
        let answers = [lost(), Answer::error(412, "PreconditionFailed"), there];
        let error = call(absent(), &answers).result.unwrap_err();
        refused(&error, "PreconditionFailed");
        assert_eq!(error.attempts(), 2);
    }
    // The object that was to be replaced, on a server whose tags are no MD5s.
    let matched = Conditions::matches("\"before\"".into());
    let put = PutObject { conditions: matched, ..PutObject::new("bucket", "key", BYTES) };
    let failed = Answer::error(500, "InternalError");
    let answers = [failed, Answer::error(403, "AccessDenied"), shown(5, "\"before\"")];
    refused(&call(put, &answers).result.unwrap_err(), "AccessDenied");
}

#[test]
fn what_no_tag_and_no_checksum_proves_is_unknown() {
    for there in [shown(5, "opaque"), Answer::new(403), Answer::new(200)] {
        let answers = [lost(), Answer::error(412, "PreconditionFailed"), there];
        let error = call(absent(), &answers).result.unwrap_err();
        unknown(&error, "bucket/key");
        assert!(error.is_precondition_failed());
    }
}

#[test]
fn a_checksum_that_the_server_computed_proves_it_where_tags_are_no_md5s() {
    // Amazon computes CRC64NVME of every object, and SSE-KMS has tags of its own.
    let keyed = |bytes: &[u8]| {
        shown(5, NOTHING)
            .header("x-amz-server-side-encryption", "aws:kms")
            .header("x-amz-checksum-type", "FULL_OBJECT")
            .header("x-amz-checksum-crc64nvme", Algorithm::Crc64Nvme.digest(bytes).unwrap())
    };
    let refusal = Answer::error(412, "PreconditionFailed");
    call_at(absent(), aws, &[lost(), refusal.clone(), keyed(BYTES)]).result.unwrap();
    let error = call_at(absent(), aws, &[lost(), refusal, keyed(b"HELLO")]).result.unwrap_err();
    refused(&error, "PreconditionFailed");
}

#[test]
fn the_look_asks_for_the_checksum_and_shows_the_key_that_it_takes() {
    let key = apus_core::s3::CustomerKey::new(&[7; 32]);
    let mut put = absent();
    put.properties.encryption.customer_key = Some(key);
    let mut asked = Vec::new();
    let run = Sim::new(Call::new(put, service(|_| {}), 1)).run(|head, _| {
        if head.method != "HEAD" {
            return if asked.is_empty() {
                lost()
            } else {
                Answer::error(412, "PreconditionFailed")
            };
        }
        asked.push(head.headers.clone());
        shown(5, HELLO).header("x-amz-server-side-encryption-customer-algorithm", "AES256")
    });
    run.result.ok();
    let asked = asked.pop().expect("a HEAD was sent");
    assert_eq!(asked["x-amz-checksum-mode"], "ENABLED");
    assert!(asked.contains_key("x-amz-server-side-encryption-customer-key-md5"));
}

#[test]
fn an_early_refusal_of_the_repetition_does_not_forget_what_was_computed() {
    // A checksum in a trailer is known when all of the body was sent, and the 412 comes before that.
    let mut put = absent();
    put.checksum.algorithm = Some(Algorithm::Crc32);
    put.checksum.overrides.placement = Some(apus_core::checksum::Placement::Trailer);
    let there =
        shown(5, "opaque").header("x-amz-checksum-crc32", Algorithm::Crc32.digest(BYTES).unwrap());
    call(put, &[lost(), Answer::error(412, "PreconditionFailed"), there]).result.unwrap();
}

#[test]
fn an_upload_sends_a_checksum_with_a_conditional_create() {
    // The server keeps what it is sent, and its tags are no MD5s.
    let upload = |conditions| {
        let options = UploadOptions { conditions, ..UploadOptions::default() };
        let source = UploadSource::Seekable(5);
        S3Upload::new("bucket", "key", source, options, service(heeds), 1).unwrap()
    };
    let mut kept = None;
    let mut puts = 0;
    let run = Sim::new(upload(Conditions::absent())).source(BYTES).run(|head, _| {
        if head.method == "HEAD" {
            let there = shown(5, "opaque");
            return match &kept {
                Some(sum) => there.header("x-amz-checksum-crc32", sum),
                None => there,
            };
        }
        puts += 1;
        let sum = head.headers.get("x-amz-checksum-crc32");
        kept = sum.map(|sum| sum.to_str().unwrap().to_owned());
        if puts == 1 { lost() } else { Answer::error(412, "PreconditionFailed") }
    });
    assert!(run.result.unwrap().recovered);
    // What is unconditional is sent as the policy says.
    Sim::new(upload(Conditions::default())).source(BYTES).run(|head, _| {
        assert!(!head.headers.contains_key("x-amz-checksum-crc32"));
        Answer::new(200)
    });
}

#[test]
fn an_older_object_of_the_same_bytes_with_other_metadata_proves_nothing() {
    let mut put = PutObject::new("bucket", "key", BYTES);
    put.properties = Properties::content_type("text/plain");
    put.checksum.digests = vec![Algorithm::Md5];
    let denied = Answer::error(403, "AccessDenied");
    let error = call(put.clone(), &[lost(), denied.clone(), shown(5, HELLO)]).result.unwrap_err();
    unknown(&error, "bucket/key");
    let ours = shown(5, HELLO).header("content-type", "text/plain");
    call(put, &[lost(), denied, ours]).result.unwrap();
}

#[test]
fn what_was_never_answered_may_be_carried_out_yet() {
    // The repetition was refused for another reason than that it is there, and the first may be on its
    // way.
    for code in ["PreconditionFailed", "AccessDenied"] {
        let answers = [lost(), Answer::error(403, code), Answer::new(404)];
        unknown(&call(absent(), &answers).result.unwrap_err(), "bucket/key");
        // A gateway did not wait for it either.
        let answers = [Answer::new(504), Answer::error(403, code), Answer::new(404)];
        unknown(&call(absent(), &answers).result.unwrap_err(), "bucket/key");
        // An attempt with a response is complete.
        let failed = Answer::error(503, "");
        let answers = [failed, Answer::error(403, code), Answer::new(404)];
        refused(&call(absent(), &answers).result.unwrap_err(), code);
    }
    // The object does not exist, but the last request may still be carried out.
    let mut answers = vec![lost(); 5];
    answers.push(Answer::new(404));
    let run = call(absent(), &answers);
    unknown(&run.result.unwrap_err(), "bucket/key");
    // Nothing can be looked at.
    let error = call(absent(), &vec![lost(); 10]).result.unwrap_err();
    unknown(&error, "bucket/key");
    assert_eq!((error.kind(), error.attempts()), (Kind::Transport, 5));
}

#[test]
fn what_surely_did_nothing_is_not_in_doubt() {
    for cause in [ExchangeErrorKind::Connect, ExchangeErrorKind::Resolve, ExchangeErrorKind::Tls] {
        let error = call(absent(), &vec![Answer::lost(cause); 5]).result.unwrap_err();
        assert!(!error.outcome_unknown(), "{error}");
    }
    for refusal in [Answer::error(503, "SlowDown"), Answer::error(501, "NotImplemented")] {
        let error = call(absent(), &vec![refusal; 5]).result.unwrap_err();
        assert!(!error.outcome_unknown(), "{error}");
    }
    // Nor is what changes nothing.
    let error = call(HeadObject::new("bucket", "key"), &vec![lost(); 5]).result.unwrap_err();
    assert!(!error.outcome_unknown(), "{error}");
}

/// The server may ignore the condition: a repetition might replace what another client wrote
/// meanwhile.
#[test]
fn where_the_condition_may_be_ignored_a_look_comes_before_the_repetition() {
    let at = |answers: &[Answer]| call_at(absent(), |_| {}, answers);
    let run = at(&[lost(), shown(5, HELLO)]);
    assert_eq!(run.result.unwrap().etag.opaque(), HELLO);
    assert_eq!(run.requests, ["PUT /bucket/key", "HEAD /bucket/key"]);
    // It is not there: it is sent again.
    let run = at(&[Answer::new(500), Answer::new(404), Answer::new(200)]);
    run.result.unwrap();
    assert_eq!(run.requests, ["PUT /bucket/key", "HEAD /bucket/key", "PUT /bucket/key"]);
    // The first attempt may have been applied meanwhile, although the second surely was not.
    let failed = Answer::error(503, "SlowDown");
    let run = at(&[lost(), Answer::new(404), failed.clone(), Answer::new(404), Answer::new(200)]);
    run.result.unwrap();
    assert_eq!(run.requests[1..4], ["HEAD /bucket/key", "PUT /bucket/key", "HEAD /bucket/key"]);
    let run = at(&[lost(), Answer::new(404), failed, shown(5, NOTHING)]);
    unknown(&run.result.unwrap_err(), "bucket/key");
    // Somebody else's, which may have replaced ours: it is left as it is.
    for there in [shown(5, NOTHING), shown(6, HELLO), shown(5, "opaque"), Answer::new(403)] {
        for failed in [lost(), Answer::error(500, "InternalError")] {
            let run = at(&[failed, there.clone()]);
            unknown(&run.result.unwrap_err(), "bucket/key");
            assert_eq!(run.requests.len(), 2);
        }
    }
    // What surely did nothing is sent again at once.
    at(&[Answer::error(503, "SlowDown"), Answer::new(200)]).result.unwrap();
    let mut source = CopySource::new("bucket", "source");
    source.conditions.if_match = Some(HELLO.into());
    let copy =
        CopyObject { conditions: Conditions::absent(), ..CopyObject::new("bucket", "key", source) };
    call_at(copy.clone(), |_| {}, &[lost(), shown(5, HELLO)]).result.unwrap();
    let run = call_at(copy, |_| {}, &[lost(), shown(5, NOTHING)]);
    unknown(&run.result.unwrap_err(), "bucket/key");
    // Without a condition nothing is replaced that was not to be.
    let put = PutObject::new("bucket", "key", BYTES);
    let run = call_at(put, |_| {}, &[lost(), Answer::new(200)]);
    assert_eq!(run.requests, ["PUT /bucket/key", "PUT /bucket/key"]);
}

#[test]
fn an_upload_that_may_replace_nothing_looks_first_where_the_condition_may_be_ignored() {
    let upload = |set: fn(&mut Config), there: Answer| {
        let conditions = Conditions::absent();
        let options = UploadOptions { conditions, ..UploadOptions::default() };
        let source = UploadSource::Seekable(5);
        let upload = S3Upload::new("bucket", "key", source, options, service(set), 1).unwrap();
        Sim::new(upload).source(BYTES).run(|head, _| match head.method.as_str() {
            "HEAD" => there.clone(),
            _ => Answer::new(200).header("etag", HELLO),
        })
    };
    let run = upload(|_| {}, shown(5, HELLO));
    refused(&run.result.unwrap_err(), "PreconditionFailed");
    assert_eq!(run.requests, ["HEAD /bucket/key"]);
    // Who may not look leaves it to the server.
    for there in [Answer::new(404), Answer::new(403)] {
        let run = upload(|_| {}, there);
        assert_eq!(run.result.unwrap().size, 5);
        assert_eq!(run.requests, ["HEAD /bucket/key", "PUT /bucket/key"]);
    }
    // Who is busy has refused nothing.
    for there in [lost(), Answer::new(429), Answer::new(408)] {
        let run = upload(|_| {}, there);
        assert!(run.result.is_err() && run.requests.iter().all(|asked| asked.starts_with("HEAD")));
    }
    assert_eq!(upload(heeds, shown(5, HELLO)).requests, ["PUT /bucket/key"]);
}

#[test]
fn a_copy_that_may_replace_nothing_looks_first_where_the_condition_may_be_ignored() {
    let copy = |there: Answer| {
        let copy = CopyObject {
            conditions: Conditions::absent(),
            ..CopyObject::new("bucket", "key", CopySource::new("bucket", "source"))
        };
        let copy = S3Copy::new(copy, ServerCopyOptions::default(), service(|_| {}), 1);
        let body = "<CopyObjectResult><ETag>tag</ETag></CopyObjectResult>";
        Sim::new(copy).run(|head, _| match (head.method.as_str(), head.uri.path()) {
            ("HEAD", "/bucket/source") => shown(5, HELLO),
            ("HEAD", _) => there.clone(),
            _ => Answer::new(200).body(body),
        })
    };
    let run = copy(shown(5, HELLO));
    refused(&run.result.unwrap_err(), "PreconditionFailed");
    assert_eq!(run.requests, ["HEAD /bucket/source", "HEAD /bucket/key"]);
    let run = copy(Answer::new(404));
    run.result.unwrap();
    assert_eq!(run.requests, ["HEAD /bucket/source", "HEAD /bucket/key", "PUT /bucket/key"]);
}

#[test]
fn a_call_that_is_cancelled_after_a_lost_answer_says_so_and_sends_nothing() {
    let put = Call::new(
        absent(),
        service(|config| {
            heeds(config);
            config.retry_policy.base = HOUR;
        }),
        1,
    );
    let run = Sim::new(put).cancel_at(Duration::from_secs(1), OnFailure::Abort).run(|_, _| lost());
    let error = run.result.unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    unknown(&error, "bucket/key");
    assert_eq!(run.requests.len(), 1);
}

#[test]
fn an_operation_of_class_once_is_sent_once_when_it_may_have_been_carried_out() {
    let doubtful = [
        lost(),
        Answer::lost(ExchangeErrorKind::Timeout),
        Answer::lost(ExchangeErrorKind::Cut),
        Answer::error(500, "InternalError"),
        Answer::new(502),
        Answer::new(504),
        Answer::new(200).body("half of it").cut(3),
    ];
    for answer in doubtful {
        let raw = Raw::new(Method::POST).bucket("bucket").key("key");
        let run = call(raw, std::slice::from_ref(&answer));
        let error = run.result.unwrap_err();
        assert_eq!(run.requests.len(), 1, "{answer:?}");
        unknown(&error, "bucket");
    }
    // What surely did nothing is repeated.
    for answer in [Answer::lost(ExchangeErrorKind::Connect), Answer::error(503, "SlowDown")] {
        let raw = Raw::new(Method::POST).bucket("bucket").key("key");
        call(raw, &[answer, Answer::new(200)]).result.unwrap();
    }
}

#[test]
fn what_failed_before_the_request_is_repeated_and_leaves_no_doubt() {
    use apus_core::error::ExchangeError;

    for cause in
        [ExchangeErrorKind::Timeout, ExchangeErrorKind::Closed, ExchangeErrorKind::Cancelled]
    {
        for before in [true, false] {
            let raw = Raw::new(Method::POST).bucket("bucket").key("key");
            let auth =
                apus_core::machine::Auth::new(apus_core::credentials::Credentials::anonymous());
            let waker = std::task::Waker::noop().clone();
            let call = Call::new(raw, service(|_| {}), 1);
            let mut pump = apus_core::machine::Pump::new(call, vec![auth], waker);
            let now = apus_core::Now::new(HOUR, HOUR);
            let apus_core::machine::Turn::Launch(exchange) = pump.turn(now) else { panic!() };
            let failure = ExchangeError::new(cause, "");
            let failure = if before { failure.before_request() } else { failure };
            pump.complete(now, exchange.fail(failure));
            match pump.turn(now) {
                // A moment later it is sent again.
                apus_core::machine::Turn::Park(Some(_)) => {
                    assert!(before && cause != ExchangeErrorKind::Cancelled, "{cause:?} {before}");
                }
                apus_core::machine::Turn::Done(result) => {
                    let error = result.unwrap_err();
                    assert_eq!(error.outcome_unknown(), !before, "{cause:?}: {error}");
                    assert!(!before || cause == ExchangeErrorKind::Cancelled, "{cause:?}: {error}");
                }
                _ => panic!("{cause:?} {before}"),
            }
        }
    }
}

#[test]
fn a_half_sent_body_that_can_be_read_once_is_not_sent_again() {
    let once = |sent: u64| {
        let body = Body::Source { range: 0..5, rewindable: false };
        let mut put = PutObject::from_body("bucket", "key", body);
        put.checksum.overrides.placement = Some(apus_core::checksum::Placement::Trailer);
        let config = |config: &mut Config| {
            config.payload = apus_core::s3::PayloadSigning::Unsigned;
        };
        // The simulator sends all of a body, so the exchange is driven by hand.
        let call = Call::new(put, service(config), 1);
        let auth = apus_core::machine::Auth::new(apus_core::credentials::Credentials::anonymous());
        let waker = std::task::Waker::noop().clone();
        let mut pump = apus_core::machine::Pump::new(call, vec![auth], waker);
        let now = apus_core::Now::new(HOUR, HOUR);
        let apus_core::machine::Turn::Launch(mut exchange) = pump.turn(now) else { panic!() };
        exchange.request().unwrap();
        let mut encoder = exchange.encoder().unwrap();
        if sent > 0 {
            encoder.frame(&BYTES[..sent as usize]).unwrap();
        }
        let failure = apus_core::error::ExchangeError::new(ExchangeErrorKind::Closed, "");
        pump.complete(now, exchange.fail(failure));
        match pump.turn(now) {
            apus_core::machine::Turn::Done(result) => Some(result.unwrap_err()),
            apus_core::machine::Turn::Park(Some(_)) => None,
            turn => panic!("{turn:?}"),
        }
    };
    let error = once(3).expect("it is not repeated");
    assert_eq!((error.kind(), error.attempts()), (Kind::Transport, 1));
    assert!(error.hint().is_some_and(|hint| hint.contains("read only once")), "{error}");
    // The server has not got all of it.
    assert!(!error.outcome_unknown(), "{error}");
    assert!(once(0).is_none(), "nothing of it had left: it is repeated");
}

#[test]
fn what_is_gone_after_a_lost_answer_was_removed() {
    let gone = Answer::error(404, "NoSuchKey");
    call(DeleteObject::new("bucket", "key"), &[lost(), gone.clone()]).result.unwrap();
    let gone_upload = Answer::error(404, "NoSuchUpload");
    let abort = || AbortMultipartUpload::new("bucket", "key", "id");
    call(abort(), &[lost(), gone_upload.clone()]).result.unwrap();
    let gone_bucket = Answer::error(404, "NoSuchBucket");
    call(DeleteBucket::new("bucket"), &[lost(), gone_bucket.clone()]).result.unwrap();
    // Without a lost answer it is a refusal.
    refused(&call(abort(), &[gone_upload]).result.unwrap_err(), "NoSuchUpload");
    let delete = DeleteBucket::new("bucket");
    refused(&call(delete, &[gone_bucket]).result.unwrap_err(), "NoSuchBucket");
    refused(&call(DeleteObject::new("bucket", "key"), &[gone]).result.unwrap_err(), "NoSuchKey");
}

#[test]
fn a_conditional_delete_whose_answer_was_lost_is_looked_after() {
    let delete =
        || DeleteObject { if_match: Some("tag".into()), ..DeleteObject::new("bucket", "key") };
    let again = Answer::error(412, "PreconditionFailed");
    call(delete(), &[lost(), again.clone(), Answer::new(404)]).result.unwrap();
    let failed = Answer::error(500, "InternalError");
    let still = call(delete(), &[failed, again.clone(), shown(5, "\"tag\"")]);
    refused(&still.result.unwrap_err(), "PreconditionFailed");
    let other = call(delete(), &[lost(), again.clone(), shown(5, "\"other\"")]);
    unknown(&other.result.unwrap_err(), "bucket/key");
    let any = DeleteObject { if_match: Some("*".into()), ..DeleteObject::new("bucket", "key") };
    call(any, &[lost(), again]).result.unwrap();
}

/// The server may ignore the condition: a repetition might delete what another client stored
/// meanwhile.
#[test]
fn where_a_conditional_delete_may_be_ignored_a_look_comes_before_its_repetition() {
    let at = |delete: DeleteObject, answers: &[Answer]| call_at(delete, |_| {}, answers);
    let plain = || DeleteObject::new("bucket", "key");
    let named = || DeleteObject { if_match: Some("tag".into()), ..plain() };
    let sized = || DeleteObject { if_match_size: Some(5), ..plain() };
    for failed in [lost(), Answer::error(500, "InternalError")] {
        // It is gone.
        let run = at(named(), &[failed.clone(), Answer::new(404)]);
        run.result.unwrap();
        assert_eq!(run.requests, ["DELETE /bucket/key", "HEAD /bucket/key"]);
        // The one that was named is there: it is deleted after all.
        for delete in [named(), sized()] {
            let there = shown(5, "\"tag\"");
            let run = at(delete, &[failed.clone(), there, Answer::new(204)]);
            run.result.unwrap();
            assert_eq!(run.requests.len(), 3);
        }
        // Another one is there, or nothing tells.
        for there in [shown(6, "\"other\""), Answer::new(403)] {
            for delete in [named(), sized()] {
                let run = at(delete, &[failed.clone(), there.clone()]);
                unknown(&run.result.unwrap_err(), "bucket/key");
                assert_eq!(run.requests.len(), 2);
            }
        }
    }
    // Many objects are not looked at.
    let object = ObjectIdentifier { etag: Some("tag".into()), ..ObjectIdentifier::new("key") };
    let many = DeleteObjects::new("bucket", [object]);
    let run = call_at(many.clone(), |_| {}, &[lost()]);
    unknown(&run.result.unwrap_err(), "objects in bucket");
    let done = Answer::new(200).body("<DeleteResult/>");
    // A server that heeds conditions is asked again.
    call(many, &[lost(), done]).result.unwrap();
    call(named(), &[lost(), Answer::new(204)]).result.unwrap();
    // So is each without conditions.
    at(plain(), &[lost(), Answer::new(204)]).result.unwrap();
}

#[test]
fn objects_that_a_lost_deletion_removed_are_no_errors() {
    let named = ObjectIdentifier { etag: Some("tag".into()), ..ObjectIdentifier::new("named") };
    let delete = DeleteObjects::new("bucket", ["gone".into(), named, "kept".into()]);
    let body = "<DeleteResult><Error><Key>gone</Key><Code>NoSuchKey</Code></Error><Error><Key>named\
                </Key><Code>PreconditionFailed</Code></Error><Error><Key>kept</Key><Code>AccessDenied\
                </Code></Error></DeleteResult>";
    let answer = Answer::new(200).body(body);
    let done = call(delete.clone(), &[lost(), answer.clone()]).result.unwrap();
    assert_eq!(done.deleted[0].key, "gone");
    let errors: Vec<_> =
        done.errors.iter().map(|error| (&*error.key, error.outcome_unknown)).collect();
    assert_eq!(errors, [("named", true), ("kept", false)]);
    let done = call(delete, &[answer]).result.unwrap();
    assert!(done.errors.len() == 3 && done.errors.iter().all(|error| !error.outcome_unknown));
}

#[test]
fn a_bucket_that_is_ours_after_a_lost_answer_was_made() {
    let owned = Answer::error(409, "BucketAlreadyOwnedByYou");
    call(CreateBucket::new("bucket"), &[lost(), owned.clone()]).result.unwrap();
    let at_once = call(CreateBucket::new("bucket"), std::slice::from_ref(&owned));
    refused(&at_once.result.unwrap_err(), "BucketAlreadyOwnedByYou");
    // One that was there before may not have what was asked for.
    let locked = CreateBucket { object_lock_enabled: Some(true), ..CreateBucket::new("bucket") };
    unknown(&call(locked, &[lost(), owned]).result.unwrap_err(), "bucket");
    // What `BucketAlreadyExists` means depends on the server.
    let exists = [lost(), Answer::error(409, "BucketAlreadyExists")];
    unknown(&call(CreateBucket::new("bucket"), &exists).result.unwrap_err(), "bucket");
    let error = call_at(CreateBucket::new("bucket"), aws, &exists).result.unwrap_err();
    refused(&error, "BucketAlreadyExists");
}

#[test]
fn a_copy_that_was_to_be_new_is_known_by_the_tag_of_its_source() {
    let mut source = CopySource::new("bucket", "source");
    source.conditions.if_match = Some(HELLO.into());
    let new = CopyObject {
        conditions: Conditions::absent(),
        ..CopyObject::new("bucket", "key", source.clone())
    };
    let again = Answer::error(412, "PreconditionFailed");
    let done = call(new.clone(), &[lost(), again.clone(), shown(5, HELLO)]).result.unwrap();
    assert_eq!(done.stored.etag.opaque(), HELLO);
    let error = call(new.clone(), &[lost(), again.clone(), shown(5, "opaque")]).result.unwrap_err();
    unknown(&error, "bucket/key");
    refused(
        &call(new, &[Answer::error(500, "InternalError"), again, Answer::new(404)])
            .result
            .unwrap_err(),
        "PreconditionFailed",
    );
    // An older copy of the same bytes, and the object itself, prove nothing.
    let denied = Answer::error(403, "AccessDenied");
    let over = CopyObject::new("bucket", "key", source.clone());
    unknown(&call(over, &[lost(), denied.clone()]).result.unwrap_err(), "bucket/key");
    let itself = CopyObject::new("bucket", "source", source);
    unknown(&call(itself, &[lost(), denied]).result.unwrap_err(), "bucket/source");
}

#[test]
fn what_can_not_be_looked_at_says_where_to_look() {
    let denied = || [lost(), Answer::error(403, "AccessDenied")];
    let part = UploadPart::new("bucket", "key", "id", 3, BYTES);
    unknown(&call(part, &denied()).result.unwrap_err(), "part 3 of the multipart upload id");
    let create = CreateMultipartUpload::new("bucket", "key");
    unknown(&call(create, &denied()).result.unwrap_err(), "the multipart uploads of bucket/key");
    let tags = PutBucketTagging { bucket: "bucket".into(), ..PutBucketTagging::default() };
    unknown(&call(tags, &denied()).result.unwrap_err(), "PutBucketTagging");
    let appended = PutObject { write_offset: Some(5), ..PutObject::new("bucket", "key", BYTES) };
    unknown(&call(appended, &denied()).result.unwrap_err(), "bucket/key");
}

const BYTES: &[u8] = b"hello";
/// The MD5s of `hello` and of nothing, from RFC 1321's algorithm as hashlib has it.
const HELLO: &str = "5d41402abc4b2a76b9719d911017c592";
const NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";
const HOUR: Duration = Duration::from_secs(3600);
