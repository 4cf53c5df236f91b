//! The end of a multipart upload if the response to its completion is lost, or a part arrives late:
//! the object is proven to exist, proven not to exist, or named in the error.

use std::time::Duration;

use apus_core::checksum::{Algorithm, Composite, RequestChecksumCalculation};
use apus_core::contract::OnFailure;
use apus_core::error::{ExchangeErrorKind, Leftover};
use apus_core::machine::{
    PartLimits, S3Copy, S3Upload, ServerCopyOptions, UploadOptions, UploadSource, Uploaded,
};
use apus_core::quirks::Provider;
use apus_core::s3::{Conditions, Config, CopyObject, CopySource};
use apus_core::{Error, Kind};
use http::request;

use crate::support::{Answer, Run, Sim, object, service};

/// A server that has an upload or not, and what there is in its place.
struct Server {
    /// What it says to Complete, one after the other; the last for ever.
    complete: Vec<Answer>,
    /// Whether the upload is there.
    open: bool,
    /// An object in the same place.
    there: Answer,
    /// After how many looks at the missing upload a part is stored late.
    late_after: Option<usize>,
    /// How often it is.
    comes_back: usize,
    looks: usize,
}

impl Server {
    fn new(complete: &[Answer], there: Answer) -> Self {
        Self {
            complete: complete.to_vec(),
            open: true,
            there,
            late_after: None,
            comes_back: 0,
            looks: 0,
        }
    }

    fn answer(&mut self, head: &request::Parts, body: &[u8]) -> Answer {
        let query = head.uri.query().unwrap_or_default();
        match head.method.as_str() {
            "HEAD" => self.there.clone(),
            "POST" if query == "uploads" => {
                self.open = true;
                let id = "<UploadId>id</UploadId>";
                let root = "InitiateMultipartUploadResult";
                Answer::new(200).body(format!("<{root}>{id}</{root}>"))
            }
            "POST" if self.complete.len() > 1 => self.complete.remove(0),
            "POST" => self.complete[0].clone(),
            "PUT" => {
                let tag = Algorithm::Md5.digest(body).unwrap().hex();
                Answer::new(200).header("etag", format!("\"{tag}\""))
            }
            "DELETE" if self.open => {
                self.open = false;
                Answer::new(204)
            }
            "GET" => {
                if !self.open {
                    self.looks += 1;
                    let late = self.late_after.is_some_and(|after| self.looks > after);
                    self.open = late && self.comes_back > 0;
                    self.comes_back -= usize::from(self.open);
                }
                match self.open {
                    // A part that came late is alone.
                    true if self.looks > 0 => Answer::new(200).body(listed(1)),
                    true => Answer::new(200).body(listed(3)),
                    false => Answer::error(404, "NoSuchUpload"),
                }
            }
            _ => Answer::error(404, "NoSuchUpload"),
        }
    }
}

fn options() -> UploadOptions {
    UploadOptions {
        threshold: 0,
        part_size: 8,
        limits: PartLimits { parts: 10, smallest: 1, ..PartLimits::default() },
        ..UploadOptions::default()
    }
}

fn upload(set: impl FnOnce(&mut Config), options: UploadOptions) -> S3Upload {
    let source = UploadSource::Seekable(LENGTH as u64);
    S3Upload::new("bucket", "key", source, options, service(set), 1).unwrap()
}

fn run(server: &mut Server, set: impl FnOnce(&mut Config)) -> Run<S3Upload> {
    Sim::new(upload(set, options()))
        .source(object(LENGTH))
        .run(|head, body| server.answer(head, body))
}

fn listed(parts: usize) -> String {
    let part = |number| format!("<Part><PartNumber>{number}</PartNumber></Part>");
    let parts: String = (1..=parts).map(part).collect();
    format!("<ListPartsResult><UploadId>id</UploadId>{parts}</ListPartsResult>")
}

fn aws(config: &mut Config) {
    config.quirks = Provider::Aws.quirks();
}

fn lost() -> Answer {
    Answer::lost(ExchangeErrorKind::Closed)
}

fn shown(size: usize, etag: &str) -> Answer {
    Answer::new(200).header("content-length", size).header("etag", format!("\"{etag}\""))
}

/// The tag of the object of three parts, as the User Guide says that it is made.
fn ours() -> String {
    let parts = object(LENGTH);
    let md5s = parts.chunks(8).map(|part| Algorithm::Md5.digest(part).unwrap());
    Composite::of(md5s).unwrap().etag()
}

fn refusals() -> [Answer; 3] {
    [
        Answer::error(403, "AccessDenied"),
        Answer::error(400, "InvalidPart"),
        Answer::error(404, "NoSuchUpload"),
    ]
}

#[track_caller]
fn removed(run: &Run<S3Upload>, server: &Server) {
    assert!(!server.open, "the upload is left: {:?}", run.requests);
    assert!(run.requests.iter().any(|asked| asked.starts_with("DELETE")), "{:?}", run.requests);
    let error = run.result.as_ref().unwrap_err();
    assert!(error.leftovers().is_empty(), "{error}");
}

#[test]
fn an_older_object_of_the_same_length_is_not_taken_for_ours() {
    // A well-formed tag of three parts, and no word of anything that proves whose it is.
    for refusal in refusals() {
        let mut server = Server::new(&[lost(), refusal.clone()], shown(LENGTH, OTHER));
        let run = run(&mut server, aws);
        removed(&run, &server);
        let error = run.result.unwrap_err();
        assert_eq!(error.code(), Some(code(&refusal)), "{error}");
        // An upload that is gone, though nobody aborted it, may have been completed: the object there
        // may have replaced ours.
        let is_gone = error.code() == Some("NoSuchUpload");
        assert_eq!(error.outcome_unknown(), is_gone, "{error}");
    }
}

#[test]
fn an_object_of_another_client_may_have_replaced_the_one_whose_completion_was_lost() {
    let gone = || Answer::error(404, "NoSuchUpload");
    let mut replaces = options();
    replaces.conditions = Conditions::matches(OTHER.into());
    for (options, there, unknown) in [
        (options(), shown(LENGTH, OTHER), true),
        (options(), shown(LENGTH + 1, OTHER), true),
        // Nobody's, and the one that was to be replaced.
        (options(), Answer::new(404), false),
        (replaces.clone(), shown(LENGTH, OTHER), false),
        (replaces, shown(LENGTH + 1, "another"), true),
    ] {
        let mut server = Server::new(&[lost(), gone()], there);
        let run = Sim::new(upload(aws, options)).source(object(LENGTH)).run(|head, body| {
            if head.method == "POST" && head.uri.query() != Some("uploads") {
                server.open = false;
            }
            server.answer(head, body)
        });
        let error = run.result.unwrap_err();
        assert_eq!(error.code(), Some("NoSuchUpload"), "{error}");
        assert_eq!(error.outcome_unknown(), unknown, "{error}");
    }
}

#[test]
fn what_can_not_be_told_is_said_and_the_upload_is_removed() {
    // Opaque tags, and a server of which it is not known whether its tags are MD5s.
    for tag in ["opaque", OTHER] {
        let gone = Answer::error(404, "NoSuchUpload");
        let mut server = Server::new(&[lost(), gone], shown(LENGTH, tag));
        let run = run(&mut server, |_| {});
        removed(&run, &server);
        let error = run.result.unwrap_err();
        assert!(error.outcome_unknown(), "{error}");
        assert!(error.look_at().unwrap().contains("bucket/key"), "{error}");
    }
    // An upload that had parts after it was to be completed was not completed.
    let denied = Answer::error(403, "AccessDenied");
    for (first, unknown) in [(Answer::error(500, "InternalError"), false), (lost(), true)] {
        // Unless the request that was never answered got there between the looks.
        let mut server = Server::new(&[first, denied.clone()], shown(LENGTH, "opaque"));
        let run = run(&mut server, |_| {});
        removed(&run, &server);
        assert_eq!(run.result.unwrap_err().outcome_unknown(), unknown);
    }
}

#[test]
fn a_completion_whose_answer_was_lost_is_known_by_its_tag_or_checksum() {
    let gone = Answer::error(404, "NoSuchUpload");
    let mut server = Server::new(&[lost(), gone.clone()], shown(LENGTH, &ours()));
    let done = run(&mut server, |_| {}).result.unwrap();
    assert!(done.recovered && done.size == LENGTH as u64);
    // SSE-KMS, and the checksum of the whole that the parts' come to.
    let whole = Algorithm::Crc32.digest(&object(LENGTH)).unwrap();
    let keyed = |value: &str| {
        shown(LENGTH, OTHER)
            .header("x-amz-server-side-encryption", "aws:kms")
            .header("x-amz-checksum-type", "FULL_OBJECT")
            .header("x-amz-checksum-crc32", value)
    };
    let summed = |config: &mut Config| {
        aws(config);
        config.checksum.enable_data_integrity_protection = true;
        config.checksum.request = RequestChecksumCalculation::WhenSupported;
    };
    let mut server = Server::new(&[lost(), gone.clone()], keyed(&whole.base64()));
    assert!(run(&mut server, summed).result.unwrap().recovered);
    let mut server = Server::new(&[lost(), gone], keyed("AAAAAA=="));
    // Another object, which may have replaced ours.
    let error = run(&mut server, summed).result.unwrap_err();
    assert!(error.outcome_unknown() && error.code() == Some("NoSuchUpload"), "{error}");
}

#[test]
fn a_completion_that_is_carried_out_after_it_was_given_up_is_found() {
    // Never answered, and the upload is still there when it is looked at; aborting it comes too late.
    let mut looks = 0;
    let mut server = Server::new(&[lost()], shown(LENGTH, &ours()));
    let run = Sim::new(upload(|_| {}, options())).source(object(LENGTH)).run(|head, body| {
        if head.method == "HEAD" {
            looks += 1;
        }
        server.answer(head, body)
    });
    assert!(run.result.unwrap().recovered);
    assert_eq!(looks, 1, "after the upload is gone, for before it had parts");
}

#[test]
fn the_checksum_of_the_whole_is_compared_after_complete() {
    let summed = |config: &mut Config| {
        config.checksum.enable_data_integrity_protection = true;
        config.checksum.request = RequestChecksumCalculation::WhenSupported;
    };
    let complete = |sum: &str| {
        let root = "CompleteMultipartUploadResult";
        Answer::new(200).body(format!("<{root}><ETag>t</ETag>{sum}</{root}>"))
    };
    let with = |sum: &str, set: &dyn Fn(&mut Config)| {
        run(&mut Server::new(&[complete(sum)], Answer::new(404)), set).result
    };
    let error = with("<ChecksumCRC32>AAAAAA==</ChecksumCRC32>", &summed).unwrap_err();
    assert_eq!(error.kind(), Kind::Integrity, "{error}");
    assert_eq!(error.operation(), Some("CompleteMultipartUpload"));
    // It is in its place, and is not what was sent.
    assert_eq!(error.leftovers(), [object_named()]);
    let error = with("<ChecksumCRC32>AAAAAA==-3</ChecksumCRC32>", &summed).unwrap_err();
    assert_eq!(error.kind(), Kind::Integrity, "{error}");
    // So is one of a single request.
    let whole = UploadOptions { threshold: 100, verify_etag: true, ..options() };
    let other = Answer::new(200).header("etag", "d41d8cd98f00b204e9800998ecf8427e");
    let run = Sim::new(upload(aws, whole)).source(object(LENGTH)).run(|_, _| other.clone());
    let error = run.result.unwrap_err();
    assert_eq!((error.kind(), error.leftovers()), (Kind::Integrity, &[object_named()][..]));
    let whole = Algorithm::Crc32.digest(&object(LENGTH)).unwrap();
    with(&format!("<ChecksumCRC32>{whole}</ChecksumCRC32>"), &summed).unwrap();
}

#[test]
fn resuming_takes_no_part_of_another_size_or_tag() {
    let mut listed = String::new();
    let mut sent = Vec::new();
    for (size, taken) in [(8, true), (7, false), (9, false), (0, false)] {
        // The first run is cancelled, and leaves what its checkpoint tells.
        let mut server = Server::new(&[lost()], Answer::new(404));
        let keeps = UploadOptions { on_failure: OnFailure::Keep, concurrency: 1, ..options() };
        let first = Sim::new(upload(|_| {}, keeps.clone()))
            .source(object(LENGTH))
            .cancel_at(Duration::from_millis(25), OnFailure::Keep)
            .run(|head, body| server.answer(head, body));
        assert!(first.result.is_err_and(|error| error.is_cancelled()));
        let checkpoint = first.pump.machine().checkpoint().unwrap();
        let tag = Algorithm::Md5.digest(&object(8)).unwrap().hex();
        listed.clear();
        listed.push_str(&format!(
            "<ListPartsResult><UploadId>id</UploadId><Part><PartNumber>1</PartNumber>\
             <ETag>{tag}</ETag><Size>{size}</Size></Part></ListPartsResult>"
        ));
        sent.clear();
        let source = UploadSource::Seekable(LENGTH as u64);
        let resumed = S3Upload::resume(checkpoint, source, keeps, service(|_| {}), 2).unwrap();
        let done = Sim::new(resumed).source(object(LENGTH)).run(|head, body| {
            let query = head.uri.query().unwrap_or_default();
            match head.method.as_str() {
                "GET" => Answer::new(200).body(listed.clone()),
                "POST" => Answer::new(200).body(
                    "<CompleteMultipartUploadResult><ETag>t</ETag></CompleteMultipartUploadResult>",
                ),
                _ => {
                    sent.push(query.to_owned());
                    server.answer(head, body)
                }
            }
        });
        assert_eq!(done.result.unwrap().size, LENGTH as u64);
        let first = sent.iter().any(|query| query.contains("partNumber=1"));
        assert_eq!(first, !taken, "a part of {size} bytes: {sent:?}");
        assert_eq!(sent.len(), if taken { 2 } else { 3 }, "{sent:?}");
    }
}

#[test]
fn a_checkpoint_of_all_parts_tells_what_came_of_an_upload_that_is_gone() {
    let resumed = |there: Answer, parts: usize| {
        let mut server = Server::new(&[lost()], there);
        let keeps = UploadOptions { on_failure: OnFailure::Keep, concurrency: 1, ..options() };
        // It ends before its completion is answered, as a process does that dies.
        let mut asked = 0;
        let first = Sim::new(upload(|_| {}, keeps.clone()))
            .source(object(LENGTH))
            .cancel_at(Duration::from_millis(5 + 10 * parts as u64), OnFailure::Keep)
            .run(|head, body| {
                asked += usize::from(head.method == "PUT");
                server.answer(head, body)
            });
        let checkpoint = first.pump.machine().checkpoint().unwrap();
        assert_eq!((asked, checkpoint.parts.len()), (parts, parts));
        server.open = false;
        let source = UploadSource::Seekable(LENGTH as u64);
        let again = S3Upload::resume(checkpoint, source, keeps, service(aws), 2).unwrap();
        Sim::new(again).source(object(LENGTH)).run(|head, body| server.answer(head, body)).result
    };
    assert!(resumed(shown(LENGTH, &ours()), 3).unwrap().recovered);
    for (there, parts, unknown) in [
        (shown(LENGTH, OTHER), 3, true),
        (Answer::new(404), 3, false),
        (shown(LENGTH, "opaque"), 3, true),
        (shown(LENGTH, &ours()), 1, true),
    ] {
        let error = resumed(there, parts).unwrap_err();
        assert_eq!(error.code(), Some("NoSuchUpload"), "{error}");
        assert_eq!(error.outcome_unknown(), unknown, "{error}");
    }
}

/// Cancels an upload while the server has all of a part and has not answered.
fn cancelled(
    late_after: Option<usize>,
    comes_back: usize,
) -> (Result<Uploaded, Error>, Vec<String>, Server, Duration) {
    let mut server = Server::new(&[lost()], Answer::new(404));
    (server.late_after, server.comes_back) = (late_after, comes_back);
    let one = UploadOptions { concurrency: 1, ..options() };
    let run = Sim::new(upload(|_| {}, one))
        .source(object(LENGTH))
        .cancel_at(Duration::from_millis(15), OnFailure::Abort)
        .run(|head, body| match head.method.as_str() {
            // The part that is in flight when it is cancelled is broken off.
            "PUT" => Answer::lost(ExchangeErrorKind::Cancelled),
            _ => server.answer(head, body),
        });
    (run.result, run.requests, server, run.elapsed)
}

#[test]
fn a_part_that_lands_after_the_abort_is_removed_too() {
    for late_after in [1, 2] {
        let (result, requests, server, _) = cancelled(Some(late_after), 1);
        let error = result.unwrap_err();
        assert!(error.is_cancelled(), "{error}");
        assert!(!server.open, "the part that came late is removed: {requests:?}");
        assert_eq!(requests.iter().filter(|asked| asked.starts_with("DELETE")).count(), 2);
        assert!(error.leftovers().is_empty(), "all that was in flight came and went: {error}");
    }
}

#[test]
fn an_upload_that_comes_back_again_and_again_is_named() {
    let (result, requests, server, _) = cancelled(Some(1), usize::MAX);
    let error = result.unwrap_err();
    assert!(server.open);
    let [Leftover::MultipartUpload { upload_id, .. }] = error.leftovers() else {
        panic!("{error}: {requests:?}")
    };
    assert_eq!(upload_id, "id");
    assert_eq!(requests.iter().filter(|asked| asked.starts_with("DELETE")).count(), 3);
}

#[test]
fn a_part_that_may_land_yet_is_looked_for_a_bounded_number_of_times() {
    let (result, requests, _, elapsed) = cancelled(None, 0);
    let error = result.unwrap_err();
    assert!(!error.outcome_unknown(), "there is no object: {error}");
    assert!(error.leftovers().is_empty(), "{error}");
    let looks = requests.iter().filter(|asked| asked.starts_with("GET")).count();
    assert_eq!(looks, 3, "{requests:?}");
    assert!(elapsed < Duration::from_secs(3), "{elapsed:?}");
}

/// The abort is acknowledged, a part that the server has whole is stored after it, and no look at the
/// upload is answered.
#[test]
fn an_upload_that_a_part_may_bring_back_is_named_where_no_look_shows_that_it_is_gone() {
    let failing = [lost(), Answer::error(503, "SlowDown"), Answer::error(403, "AccessDenied")];
    for look in failing {
        for first in [Answer::error(404, "NoSuchUpload"), look.clone()] {
            let (mut server, mut looks) = (Server::new(&[lost()], Answer::new(404)), 0);
            let one = UploadOptions { concurrency: 1, ..options() };
            let run = Sim::new(upload(|_| {}, one))
                .source(object(LENGTH))
                .cancel_at(Duration::from_millis(15), OnFailure::Abort)
                .run(|head, body| match head.method.as_str() {
                    "PUT" => Answer::lost(ExchangeErrorKind::Cancelled),
                    "GET" => {
                        looks += 1;
                        if looks == 1 { first.clone() } else { look.clone() }
                    }
                    _ => server.answer(head, body),
                });
            let error = run.result.unwrap_err();
            assert!(error.is_cancelled() && !server.open, "{error}: {:?}", run.requests);
            let [Leftover::MultipartUpload { upload_id, .. }] = error.leftovers() else {
                panic!("{look:?}: {error}: {:?}", run.requests)
            };
            assert_eq!(upload_id, "id");
        }
    }
}

/// Nothing can bring the upload back, and who may abort it need not be allowed to look at it.
#[test]
fn an_upload_without_a_part_in_doubt_is_gone_once_its_abort_is_acknowledged() {
    let mut server = Server::new(&[Answer::error(403, "AccessDenied")], Answer::new(404));
    let run =
        Sim::new(upload(|_| {}, options())).source(object(LENGTH)).run(|head, body| {
            match head.method.as_str() {
                "GET" => Answer::error(403, "AccessDenied"),
                _ => server.answer(head, body),
            }
        });
    removed(&run, &server);
}

#[test]
fn parts_that_were_answered_are_not_waited_for() {
    let mut server = Server::new(&[Answer::error(403, "AccessDenied")], Answer::new(404));
    let run = run(&mut server, |_| {});
    removed(&run, &server);
    assert!(run.requests.iter().filter(|asked| asked.starts_with("GET")).count() == 1);
    assert!(!run.result.unwrap_err().outcome_unknown());
}

#[test]
fn a_copied_part_may_land_late_as_well() {
    let copy = CopyObject::new("bucket", "key", CopySource::new("bucket", "source"));
    let options = ServerCopyOptions {
        threshold: 1,
        part_size: 8,
        concurrency: 1,
        limits: PartLimits { parts: 10, smallest: 1, ..PartLimits::default() },
        on_failure: OnFailure::Abort,
    };
    let mut server = Server::new(&[lost()], shown(LENGTH, "source"));
    let run = Sim::new(S3Copy::new(copy, options, service(|_| {}), 1))
        .cancel_at(Duration::from_millis(35), OnFailure::Abort)
        .run(|head, body| match head.method.as_str() {
            "GET" if head.uri.query() == Some("tagging") => Answer::error(501, "NotImplemented"),
            "PUT" => Answer::lost(ExchangeErrorKind::Cancelled),
            _ => server.answer(head, body),
        });
    let error = run.result.unwrap_err();
    assert!(error.is_cancelled() && !server.open, "{error}");
    assert_eq!(server.looks, 3, "{:?}", run.requests);
}

/// An attempt at a part was never answered, the next one was, and the upload is aborted for another reason.
#[test]
fn an_attempt_at_a_part_that_may_land_yet_is_named_though_the_part_was_stored() {
    let mut server = Server::new(&[Answer::error(403, "AccessDenied")], Answer::new(404));
    let mut puts = 0;
    let run = Sim::new(upload(|_| {}, options())).source(object(LENGTH)).run(|head, body| {
        puts += usize::from(head.method == "PUT");
        if head.method == "PUT" && puts == 1 { lost() } else { server.answer(head, body) }
    });
    let error = run.result.unwrap_err();
    let [Leftover::Perhaps { look_at }] = error.leftovers() else { panic!("{error}") };
    assert!(look_at.contains("multipart upload id of bucket/key"), "{look_at}");
    assert!(!server.open, "{:?}", run.requests);
}

/// The server may store the attempt that was never answered after it has made the object.
#[test]
fn an_attempt_at_a_part_that_may_land_after_the_object_was_made_is_named() {
    let made = "<CompleteMultipartUploadResult><ETag>t</ETag></CompleteMultipartUploadResult>";
    let mut server = Server::new(&[Answer::new(200).body(made)], Answer::new(404));
    let mut puts = 0;
    let run = Sim::new(upload(|_| {}, options())).source(object(LENGTH)).run(|head, body| {
        puts += usize::from(head.method == "PUT");
        if head.method == "PUT" && puts == 1 { lost() } else { server.answer(head, body) }
    });
    let done = run.result.unwrap();
    let [Leftover::Perhaps { look_at }] = &done.leftovers[..] else { panic!("{done:?}") };
    assert!(look_at.contains("multipart upload id of bucket/key"), "{look_at}");
}

/// The object was made, its response is a 500, and a late part has brought the upload back.
#[test]
fn a_late_part_alone_is_no_proof_that_an_upload_was_not_completed() {
    let invalid = Answer::error(400, "InvalidPart");
    for (there, known) in [(shown(LENGTH, &ours()), true), (shown(LENGTH, "opaque"), false)] {
        let failed = Answer::error(500, "InternalError");
        let mut server = Server::new(&[failed, invalid.clone()], there);
        let mut puts = 0;
        let run = Sim::new(upload(aws, options())).source(object(LENGTH)).run(|head, body| {
            puts += usize::from(head.method == "PUT");
            match head.method.as_str() {
                "PUT" if puts == 1 => lost(),
                "GET" if server.open => Answer::new(200).body(listed(1)),
                _ => server.answer(head, body),
            }
        });
        match known {
            true => {
                let done = run.result.unwrap();
                assert!(done.recovered && done.leftovers.len() == 1, "{done:?}");
            }
            false => assert!(run.result.unwrap_err().outcome_unknown(), "{:?}", run.requests),
        }
    }
}

#[test]
fn an_upload_whose_id_nobody_knows_is_named_where_the_upload_succeeds_too() {
    let complete = "<CompleteMultipartUploadResult><ETag>t</ETag></CompleteMultipartUploadResult>";
    let mut server = Server::new(&[Answer::new(200).body(complete)], Answer::new(404));
    let mut creations = 0;
    let run = Sim::new(upload(|_| {}, options())).source(object(LENGTH)).run(|head, body| {
        let creates = head.uri.query() == Some("uploads");
        creations += usize::from(creates);
        if creates && creations == 1 { lost() } else { server.answer(head, body) }
    });
    let done = run.result.unwrap();
    let [Leftover::Perhaps { look_at }] = &done.leftovers[..] else { panic!("{done:?}") };
    assert!(look_at.contains("bucket/key without parts"), "{look_at}");
}

/// Between the start of the upload and its completion in another process, another client stored an
/// object.
#[test]
fn an_upload_that_may_replace_nothing_looks_again_before_its_completion() {
    let absent = |set: fn(&mut Config), resumes: bool, appears: bool| {
        let keeps = UploadOptions {
            on_failure: OnFailure::Keep,
            concurrency: 1,
            conditions: Conditions::absent(),
            ..options()
        };
        let complete =
            "<CompleteMultipartUploadResult><ETag>t</ETag></CompleteMultipartUploadResult>";
        let mut server = Server::new(&[Answer::new(200).body(complete)], Answer::new(404));
        let mut machine = upload(set, keeps.clone());
        if resumes {
            let first = Sim::new(machine)
                .source(object(LENGTH))
                .cancel_at(Duration::from_millis(35), OnFailure::Keep)
                .run(|head, body| server.answer(head, body));
            let checkpoint = first.pump.machine().checkpoint().unwrap();
            let source = UploadSource::Seekable(LENGTH as u64);
            machine = S3Upload::resume(checkpoint, source, keeps, service(set), 2).unwrap();
        }
        let run = Sim::new(machine).source(object(LENGTH)).run(|head, body| {
            if head.method == "PUT" && appears {
                server.there = shown(LENGTH, OTHER);
            }
            server.answer(head, body)
        });
        let completed =
            run.requests.iter().any(|asked| asked.starts_with("POST /bucket/key?uploadId"));
        (run.result, completed)
    };
    for resumes in [true, false] {
        let (result, completed) = absent(|_| {}, resumes, true);
        assert!(result.unwrap_err().is_precondition_failed() && !completed, "{resumes}");
        let (result, completed) = absent(|_| {}, resumes, false);
        assert!(result.is_ok() && completed, "{resumes}");
        // A server that heeds it is not asked.
        let (result, _) = absent(aws, resumes, true);
        assert!(result.is_ok(), "{resumes}");
    }
}

#[test]
fn an_upload_whose_id_nobody_knows_is_named_where_the_upload_fails() {
    let mut creations = 0;
    let mut server = Server::new(&[Answer::error(403, "AccessDenied")], Answer::new(404));
    let once = Sim::new(upload(|_| {}, options())).source(object(LENGTH)).run(|head, body| {
        creations += usize::from(head.uri.query() == Some("uploads"));
        if creations == 1 && head.method == "POST" { lost() } else { server.answer(head, body) }
    });
    let error = once.result.unwrap_err();
    let [Leftover::Perhaps { look_at }] = error.leftovers() else { panic!("{error}") };
    assert!(look_at.contains("bucket/key without parts"), "{look_at}");
    // None of the creations was answered.
    let never = Sim::new(upload(|_| {}, options())).source(object(LENGTH)).run(|_, _| lost());
    let error = never.result.unwrap_err();
    assert!(error.outcome_unknown(), "{error}");
    assert!(error.look_at().unwrap().contains("the multipart uploads of bucket/key"), "{error}");
}

fn object_named() -> Leftover {
    Leftover::Object { bucket: "bucket".into(), key: "key".into() }
}

fn code(answer: &Answer) -> &str {
    let text = std::str::from_utf8(&answer.body).unwrap();
    let from = text.find("<Code>").unwrap() + "<Code>".len();
    &text[from..text.find("</Code>").unwrap()]
}

/// Bytes of the object: two parts of 8 and one of 3.
const LENGTH: usize = 19;
/// A tag of another object of three parts.
const OTHER: &str = "9b2cf535f27731c974343645a3985328-3";

/// The process that completed it ended before it could report that, or another client removed the
/// upload.
#[test]
fn an_upload_that_is_gone_when_it_is_gone_on_with_may_have_been_completed() {
    let keeps = UploadOptions { on_failure: OnFailure::Keep, concurrency: 1, ..options() };
    let mut server = Server::new(&[lost()], Answer::new(404));
    let first = Sim::new(upload(|_| {}, keeps.clone()))
        .source(object(LENGTH))
        .cancel_at(Duration::from_millis(25), OnFailure::Keep)
        .run(|head, body| server.answer(head, body));
    let checkpoint = first.pump.machine().checkpoint().unwrap();
    let source = UploadSource::Seekable(LENGTH as u64);
    let resumed = S3Upload::resume(checkpoint, source, keeps, service(|_| {}), 2).unwrap();
    let run =
        Sim::new(resumed).source(object(LENGTH)).run(|_, _| Answer::error(404, "NoSuchUpload"));
    let error = run.result.unwrap_err();
    assert!(error.outcome_unknown() && error.is_not_found(), "{error}");
    assert!(error.look_at().is_some_and(|look_at| look_at.contains("bucket/key")), "{error}");
}

/// The process that looks at the object last ends before it is answered.
#[test]
fn an_upload_whose_outcome_is_unknown_keeps_its_checkpoint() {
    let mut server = Server::new(&[lost()], lost());
    let first = run(&mut server, aws);
    assert!(first.result.unwrap_err().outcome_unknown());
    assert!(!server.open);
    let checkpoint = first.pump.machine().checkpoint().unwrap();
    server.there = shown(LENGTH, &ours());
    let source = UploadSource::Seekable(LENGTH as u64);
    let again = S3Upload::resume(checkpoint.clone(), source, options(), service(aws), 2).unwrap();
    assert_eq!(again.checkpoint(), Some(checkpoint), "before anything is sent");
    let run = Sim::new(again).source(object(LENGTH)).run(|head, body| server.answer(head, body));
    assert!(run.result.unwrap().recovered);
    assert_eq!(run.pump.machine().checkpoint(), None);
    // A look that is answered settles it.
    let known = self::run(&mut Server::new(&[lost()], Answer::new(404)), aws);
    assert!(!known.result.unwrap_err().outcome_unknown());
    assert_eq!(known.pump.machine().checkpoint(), None);
}

/// The checkpoint is older than the completion.
#[test]
fn a_resumed_upload_that_can_not_be_listed_may_have_been_completed() {
    let keeps = UploadOptions { on_failure: OnFailure::Keep, concurrency: 1, ..options() };
    let mut server = Server::new(&[lost()], Answer::new(404));
    let first = Sim::new(upload(|_| {}, keeps.clone()))
        .source(object(LENGTH))
        .cancel_at(Duration::from_millis(15), OnFailure::Keep)
        .run(|head, body| server.answer(head, body));
    let checkpoint = first.pump.machine().checkpoint().unwrap();
    assert_eq!(checkpoint.parts.len(), 1);
    let source = UploadSource::Seekable(LENGTH as u64);
    let resumed = S3Upload::resume(checkpoint, source, keeps, service(|_| {}), 2).unwrap();
    let run =
        Sim::new(resumed).source(object(LENGTH)).run(|_, _| Answer::error(403, "AccessDenied"));
    let error = run.result.unwrap_err();
    assert!(error.outcome_unknown(), "{error}");
    assert_eq!(run.requests.len(), 1, "{:?}", run.requests);
}
