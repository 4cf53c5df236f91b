//! Multipart uploads that two processes know of, one of which completes it while the other fails:
//! the other finds the object, or says that there may be one.

use std::time::Duration;

use apus_core::checksum::Algorithm;
use apus_core::contract::{Machine, OnFailure, Step};
use apus_core::error::{ExchangeErrorKind, Leftover};
use apus_core::http::{Draft, Exchange};
use apus_core::machine::{
    Checkpoint, CheckpointChange, PartLimits, S3Upload, UploadOptions, UploadSource, Uploaded,
};
use apus_core::quirks::Provider;
use apus_core::s3::Conditions;
use apus_core::{Error, Kind, Now};
use http::request;

use crate::support::{Answer, Sim, object, service};

/// The parts of the object, in bytes.
const PARTS: [usize; 3] = [8, 8, 3];
const LENGTH: usize = 19;
const NOW: Now = Now { tick: Duration::ZERO, unix: Duration::ZERO };
/// A tag of another object of three parts.
const OTHER: &str = "9b2cf535f27731c974343645a3985328-3";

fn options(on_failure: OnFailure) -> UploadOptions {
    UploadOptions {
        threshold: 0,
        part_size: 8,
        concurrency: 1,
        limits: PartLimits { parts: 10, smallest: 1, ..PartLimits::default() },
        on_failure,
        ..UploadOptions::default()
    }
}

fn tag(number: usize) -> String {
    let at = 8 * (number - 1);
    let part = object(LENGTH).slice(at..at + PARTS[number - 1]);
    Algorithm::Md5.digest(&part).unwrap().hex()
}

/// The tag of the object of the three parts, as the User Guide says that it is made.
fn ours() -> String {
    let digests: Vec<u8> = (1..=3)
        .flat_map(|number| {
            let at = 8 * (number - 1);
            let part = object(LENGTH).slice(at..at + PARTS[number - 1]);
            Algorithm::Md5.digest(&part).unwrap().bytes().to_vec()
        })
        .collect();
    format!("{}-3", Algorithm::Md5.digest(&digests).unwrap().hex())
}

fn shown(tag: &str) -> Answer {
    Answer::new(200).header("content-length", LENGTH).header("etag", format!("\"{tag}\""))
}

fn listed(parts: usize) -> Answer {
    let part = |number: usize| {
        let (tag, size) = (tag(number), PARTS[number - 1]);
        format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag><Size>{size}</Size></Part>"
        )
    };
    let parts: String = (1..=parts).map(part).collect();
    let text = format!("<ListPartsResult><UploadId>id</UploadId>{parts}</ListPartsResult>");
    Answer::new(200).body(text)
}

fn gone() -> Answer {
    Answer::error(404, "NoSuchUpload")
}

fn created() -> Answer {
    Answer::new(200).body(
        "<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>",
    )
}

fn stored(body: &[u8]) -> Answer {
    let tag = Algorithm::Md5.digest(body).unwrap().hex();
    Answer::new(200).header("etag", format!("\"{tag}\""))
}

/// The checkpoint of a process that stored one part.
fn checkpoint() -> Checkpoint {
    let source = UploadSource::Seekable(LENGTH as u64);
    let keep = options(OnFailure::Keep);
    let machine = S3Upload::new("bucket", "key", source, keep, service(|_| {}), 1).unwrap();
    let run = Sim::new(machine)
        .source(object(LENGTH))
        .cancel_at(Duration::from_millis(15), OnFailure::Keep)
        .run(|head, body| match head.method.as_str() {
            "POST" => created(),
            _ => stored(body),
        });
    run.pump.machine().checkpoint().unwrap()
}

/// What becomes of a resumed upload that finds so many parts, and the requests that it sends.
/// Nobody else lists the upload: another process ends it then.
fn resumed(
    on_failure: OnFailure,
    cancelled: bool,
    parts: usize,
    mut server: impl FnMut(&request::Parts, &[u8]) -> Answer,
) -> (Result<Uploaded, Error>, Vec<String>, bool) {
    let source = UploadSource::Seekable(LENGTH as u64);
    let service = service(|config| config.quirks = Provider::Aws.quirks());
    let machine = S3Upload::resume(checkpoint(), source, options(on_failure), service, 2).unwrap();
    let mut sim = Sim::new(machine).source(object(LENGTH));
    if cancelled {
        sim = sim.cancel_at(Duration::from_millis(15), on_failure);
    }
    let mut lists = 0;
    let run = sim.run(|head, body| {
        lists += usize::from(head.method == "GET");
        match head.method.as_str() {
            "GET" if lists == 1 => listed(parts),
            "GET" => gone(),
            _ => server(head, body),
        }
    });
    let checkpoint = run.pump.machine().checkpoint().is_some();
    (run.result, run.requests, checkpoint)
}

/// The other process completes the upload after its parts were listed.
#[test]
fn a_completion_by_the_process_before_is_found_when_nothing_is_there_to_abort() {
    for on_failure in [OnFailure::Abort, OnFailure::Keep] {
        let run = |there: &Answer| {
            resumed(on_failure, false, 3, |head, _| match head.method.as_str() {
                "HEAD" => there.clone(),
                _ => gone(),
            })
        };
        let (result, requests, checkpoint) = run(&shown(&ours()));
        let done = result.unwrap_or_else(|error| panic!("{error}: {requests:?}"));
        assert!(done.recovered && done.size == LENGTH as u64 && done.parts == 3);
        assert!(!checkpoint);
        for (there, unknown) in [
            // It may have replaced ours.
            (shown(OTHER), true),
            (Answer::new(404), false),
            (shown("opaque"), true),
            (Answer::error(403, "AccessDenied"), true),
            (Answer::lost(ExchangeErrorKind::Closed), true),
        ] {
            let (result, requests, _) = run(&there);
            let error = result.unwrap_err();
            assert_eq!(error.code(), Some("NoSuchUpload"), "{error}");
            assert_eq!(error.outcome_unknown(), unknown, "{there:?}: {error}: {requests:?}");
            if unknown {
                assert!(error.look_at().unwrap().contains("bucket/key"), "{error}");
            }
        }
    }
}

/// The same, where this process is cancelled before it completes the upload itself.
#[test]
fn a_cancelled_upload_that_the_process_before_has_completed_is_a_success() {
    let run = |there: Answer| {
        resumed(OnFailure::Abort, true, 3, move |head, _| match head.method.as_str() {
            "HEAD" => there.clone(),
            _ => gone(),
        })
    };
    let (result, requests, _) = run(shown(&ours()));
    assert!(result.unwrap_or_else(|error| panic!("{error}: {requests:?}")).recovered);
    let (result, ..) = run(Answer::new(404));
    let error = result.unwrap_err();
    assert!(error.is_cancelled() && !error.outcome_unknown(), "{error}");
}

/// The process before may have had parts in flight, which the server may store after the abort.
#[test]
fn a_resumed_upload_that_can_not_be_listed_after_its_abort_is_named() {
    let run = |listing: Answer| {
        let source = UploadSource::Seekable(LENGTH as u64);
        let abort = options(OnFailure::Abort);
        let machine = S3Upload::resume(checkpoint(), source, abort, service(|_| {}), 2).unwrap();
        let mut lists = 0;
        let run = Sim::new(machine).source(object(LENGTH)).run(|head, _| {
            lists += usize::from(head.method == "GET");
            match head.method.as_str() {
                "GET" if lists == 1 => listed(1),
                "GET" => listing.clone(),
                "PUT" => Answer::error(403, "AccessDenied"),
                _ => Answer::new(204),
            }
        });
        run.result.unwrap_err()
    };
    assert_eq!(run(gone()).leftovers(), []);
    for listing in [
        Answer::new(429),
        Answer::new(302),
        Answer::error(503, "SlowDown"),
        Answer::lost(ExchangeErrorKind::Closed),
    ] {
        let error = run(listing.clone());
        let [Leftover::MultipartUpload { upload_id, .. }] = error.leftovers() else {
            panic!("{listing:?}: {error}")
        };
        assert_eq!(upload_id, "id");
    }
}

/// The other process lives, and has stored the parts that this one has yet to send.
#[test]
fn an_upload_that_another_process_ended_may_have_become_an_object() {
    for (refusal, code) in [(gone(), "NoSuchUpload"), (Answer::error(403, "No"), "No")] {
        for (there, unknown) in [
            (shown(&ours()), true),
            (shown(OTHER), true),
            (Answer::new(404), false),
            (Answer::new(200).header("content-length", LENGTH + 1), true),
        ] {
            let (result, requests, _) =
                resumed(OnFailure::Abort, false, 1, |head, _| match head.method.as_str() {
                    "PUT" => refusal.clone(),
                    "HEAD" => there.clone(),
                    _ => gone(),
                });
            let error = result.unwrap_err();
            assert_eq!(error.code(), Some(code), "{error}: {requests:?}");
            assert_eq!(error.outcome_unknown(), unknown, "{there:?}: {error}: {requests:?}");
        }
    }
}

/// A part is refused for another reason before the response to the next one tells that the upload is
/// gone; what is there is kept for another process.
#[test]
fn an_upload_that_is_gone_is_looked_for_whatever_failed_first() {
    for (there, unknown) in
        [(shown(&ours()), true), (shown(OTHER), true), (Answer::new(404), false)]
    {
        let source = UploadSource::Seekable(LENGTH as u64);
        let options = UploadOptions { concurrency: 2, ..options(OnFailure::Keep) };
        let service = service(|config| config.quirks = Provider::Aws.quirks());
        let machine = S3Upload::resume(checkpoint(), source, options, service, 2).unwrap();
        let run = Sim::new(machine).source(object(LENGTH)).run(|head, _| {
            let query = head.uri.query().unwrap_or_default();
            match head.method.as_str() {
                "GET" => listed(1),
                "HEAD" => there.clone(),
                "PUT" if query.contains("partNumber=2") => Answer::error(403, "No"),
                _ => gone(),
            }
        });
        let error = run.result.unwrap_err();
        assert_eq!(error.code(), Some("No"), "{error}: {:?}", run.requests);
        assert_eq!(error.outcome_unknown(), unknown, "{there:?}: {error}: {:?}", run.requests);
    }
}

/// An upload that this process began, and another one has resumed.
#[test]
fn an_upload_that_another_process_resumed_and_completed_is_found() {
    let run = |there: Answer| {
        let source = UploadSource::Seekable(LENGTH as u64);
        let options = options(OnFailure::Abort);
        let service = service(|config| config.quirks = Provider::Aws.quirks());
        let machine = S3Upload::new("bucket", "key", source, options, service, 1).unwrap();
        Sim::new(machine)
            .source(object(LENGTH))
            .run(|head, body| match head.method.as_str() {
                "POST" if head.uri.query() == Some("uploads") => Answer::new(200).body(
                    "<InitiateMultipartUploadResult><UploadId>id</UploadId>\
                     </InitiateMultipartUploadResult>",
                ),
                "PUT" => stored(body),
                "HEAD" => there.clone(),
                _ => gone(),
            })
            .result
    };
    assert!(run(shown(&ours())).unwrap().recovered);
    let error = run(shown("opaque")).unwrap_err();
    assert!(error.outcome_unknown() && error.kind() == Kind::Refused, "{error}");
    assert!(!run(Answer::new(404)).unwrap_err().outcome_unknown());
}

/// The bytes of this source are others than those that the object was made of.
#[test]
fn an_object_of_other_bytes_is_no_success_of_this_upload() {
    let (result, requests, _) =
        resumed(OnFailure::Abort, false, 2, |head, _| match head.method.as_str() {
            "PUT" => Answer::new(200).header("etag", format!("\"{}\"", tag(1))),
            "HEAD" => shown(&ours()),
            _ => gone(),
        });
    let error = result.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchUpload"), "{error}: {requests:?}");
}

/// An upload of so many parts, whose changes are appended to a file after each part, and how many
/// bytes the file has then; and those of a file of whole checkpoints.
fn appended(parts: usize) -> (usize, usize) {
    let length = 8 * parts;
    let source = UploadSource::Seekable(length as u64);
    let limits = PartLimits { parts: 10_000, smallest: 1, ..PartLimits::default() };
    let options = UploadOptions { limits, ..options(OnFailure::Keep) };
    let machine = S3Upload::new("bucket", "key", source, options, service(|_| {}), 1).unwrap();
    let checkpoints = machine.checkpoints();
    let (mut position, mut file, mut appended, mut whole, mut looks) = (0, vec![], 0, 0, 0);
    let mut look = || {
        let news = checkpoints.since(position);
        assert!(news.changes.len() <= 2, "what is new, and nothing else");
        appended += news.changes.iter().map(|one| format!("{one:?}").len()).sum::<usize>();
        position = news.position;
        file.extend(news.changes);
        assert_eq!(checkpoints.since(position).changes, []);
        if looks % 16 == 0 {
            assert_eq!(Checkpoint::replay(file.clone()), checkpoints.latest());
        }
        looks += 1;
        whole += checkpoints.latest().map_or(0, |one| format!("{one:?}").len());
    };
    let run = Sim::new(machine).source(object(length)).run(|head, body| {
        look();
        match (head.method.as_str(), head.uri.query().unwrap_or_default()) {
            ("POST", "uploads" | "uploads=") => Answer::new(200).body(
                "<InitiateMultipartUploadResult><UploadId>id</UploadId>\
                 </InitiateMultipartUploadResult>",
            ),
            ("POST", _) => Answer::new(200).body(
                "<CompleteMultipartUploadResult><ETag>tag</ETag></CompleteMultipartUploadResult>",
            ),
            _ => stored(body),
        }
    });
    run.result.unwrap();
    look();
    assert_eq!(file.len(), parts + 2, "it began, the parts, it ended");
    assert_eq!(file.last(), Some(&CheckpointChange::Ended));
    assert_eq!(Checkpoint::replay(file), None);
    (appended, whole)
}

#[test]
fn a_checkpoint_that_is_stored_after_each_part_takes_as_many_bytes_as_it_has_parts() {
    let ((few, few_whole), (many, whole)) = (appended(64), appended(640));
    assert!(many < 11 * few, "{few} bytes of 64 parts, {many} of 640");
    assert!(whole > 80 * few_whole, "whole checkpoints are a square: {few_whole}, {whole}");
}

/// A view that was never looked at before an upload was resumed has all of it in one change.
#[test]
fn a_late_look_receives_the_whole_checkpoint_once() {
    let begun = checkpoint();
    let source = UploadSource::Seekable(LENGTH as u64);
    let options = options(OnFailure::Keep);
    let machine = S3Upload::resume(begun.clone(), source, options, service(|_| {}), 2).unwrap();
    let view = machine.checkpoints();
    let news = view.since(0);
    assert_eq!(news.changes, [CheckpointChange::Begun(Box::new(begun))]);
    assert_eq!(view.since(news.position).changes, []);
    // A position of another upload: nothing is new before it.
    assert_eq!(view.since(u64::MAX).changes, []);
}

/// An abort that was acknowledged was this process's own: nobody else can have completed the upload.
#[test]
fn an_upload_that_was_aborted_by_its_own_process_is_not_looked_for() {
    let source = UploadSource::Seekable(LENGTH as u64);
    let machine = options(OnFailure::Abort);
    let machine = S3Upload::new("bucket", "key", source, machine, service(|_| {}), 1).unwrap();
    let run = Sim::new(machine).source(object(LENGTH)).run(|head, _| match head.method.as_str() {
        "POST" => created(),
        "PUT" => Answer::error(403, "AccessDenied"),
        "DELETE" => Answer::new(204),
        "GET" => gone(),
        _ => shown(&ours()),
    });
    assert!(run.result.unwrap_err().is_denied());
    assert!(!run.requests.iter().any(|request| request.starts_with("HEAD")), "{:?}", run.requests);
}

/// The second abort finds nothing because the first one, which was acknowledged, removed the upload.
#[test]
fn a_second_abort_that_finds_nothing_is_no_sign_of_another_process() {
    let source = UploadSource::Seekable(LENGTH as u64);
    let service = service(|config| config.quirks = Provider::Aws.quirks());
    let abort = options(OnFailure::Abort);
    let machine = S3Upload::resume(checkpoint(), source, abort, service, 2).unwrap();
    let (mut lists, mut aborts) = (0, 0);
    let run = Sim::new(machine).source(object(LENGTH)).run(|head, _| match head.method.as_str() {
        "GET" => {
            lists += 1;
            if lists <= 2 { listed(1) } else { gone() }
        }
        "DELETE" => {
            aborts += 1;
            match aborts {
                1 => Answer::new(204),
                2 => Answer::lost(ExchangeErrorKind::Closed),
                _ => gone(),
            }
        }
        "PUT" => Answer::error(403, "AccessDenied"),
        _ => shown(&ours()),
    });
    let error = run.result.unwrap_err();
    assert!(error.is_denied() && aborts == 3, "{error}: {:?}", run.requests);
    assert!(!run.requests.iter().any(|request| request.starts_with("HEAD")), "{:?}", run.requests);
}

/// A machine, and the requests that it sends one after the other.
struct Steps(S3Upload);

impl Steps {
    fn next(&mut self) -> Box<Draft> {
        match self.0.poll(NOW) {
            Step::Send(draft) => draft,
            step => panic!("{step:?}"),
        }
    }

    fn answer(&mut self, draft: Box<Draft>, status: u16, body: &str) {
        let mut exchange = Exchange::open(draft, NOW, 0);
        exchange.sends_unseen();
        let head = http::Response::builder().status(status).header("etag", "\"x\"");
        let mut receiving = exchange.respond(head.body(()).unwrap().into_parts().0);
        if receiving.has_body() {
            receiving.push(body.as_bytes()).unwrap();
        }
        self.0.complete(NOW, receiving.finish(None));
    }
}

#[test]
fn what_an_upload_leaves_is_named_from_its_creation_on() {
    let source = UploadSource::Seekable(8);
    let options = UploadOptions {
        conditions: Conditions::absent(),
        // The server may ignore the condition: it is looked before the creation, and again.
        ..options(OnFailure::Abort)
    };
    let machine = S3Upload::new("bucket", "key", source, options, service(|_| {}), 1).unwrap();
    let mut steps = Steps(machine);
    let look = steps.next();
    assert_eq!(look.operation, "HeadObject");
    assert_eq!(steps.0.leftovers(), []);
    steps.answer(look, 404, "");
    let create = steps.next();
    let id =
        "<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>";
    steps.answer(create, 200, id);
    let part = steps.next();
    assert_eq!(part.operation, "UploadPart");
    steps.answer(part, 200, "");
    let look = steps.next();
    assert_eq!(look.operation, "HeadObject");
    let [Leftover::MultipartUpload { upload_id, .. }] = &steps.0.leftovers()[..] else {
        panic!("{:?}", steps.0.leftovers());
    };
    assert_eq!(upload_id, "id");
}

#[test]
fn a_resumed_upload_uses_the_authenticator_that_it_is_told() {
    let source = UploadSource::Seekable(LENGTH as u64);
    let abort = options(OnFailure::Abort);
    let machine = S3Upload::resume(checkpoint(), source, abort, service(|_| {}), 2).unwrap();
    let mut steps = Steps(machine.with_auth(3));
    let list = steps.next();
    assert_eq!((list.operation, list.auth), ("ListParts", 3));
    steps.answer(list, 200, "<ListPartsResult><UploadId>id</UploadId></ListPartsResult>");
    let part = steps.next();
    assert_eq!((part.operation, part.auth), ("UploadPart", 3));
}
