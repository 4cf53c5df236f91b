//! A write that must replace nothing is repeated only after another look, where the server ignores
//! the condition or refuses it: another client may store an object during the delay.

use std::time::Duration;

use apus_core::Error;
use apus_core::contract::OnFailure;
use apus_core::credentials::Credentials;
use apus_core::machine::{
    Auth, PartLimits, S3Copy, S3Upload, ServerCopyOptions, UploadOptions, UploadSource,
};
use apus_core::s3::{Conditions, CopyObject, CopySource};
use apus_core::sign::Keys;
use http::request;

use crate::support::{Answer, Sim, service};

/// A server that has an object from the first write on, which it refuses. Where it refuses the
/// condition, too, the write with it does not count.
struct Server {
    refuses_condition: bool,
    first: Answer,
    writes: u32,
}

impl Server {
    fn answer(&mut self, head: &request::Parts) -> Answer {
        let query = head.uri.query().unwrap_or_default();
        let is_source = head.uri.path().ends_with("/source");
        let writes = match head.method.as_str() {
            "PUT" => !query.contains("partNumber"),
            "POST" => query.contains("uploadId"),
            _ => false,
        };
        match head.method.as_str() {
            "HEAD" if is_source => Answer::new(200).header("content-length", 4).header("etag", "a"),
            "HEAD" if self.writes > 0 => {
                Answer::new(200).header("content-length", 9).header("etag", "\"theirs\"")
            }
            "HEAD" => Answer::new(404),
            _ if writes => {
                if self.refuses_condition && head.headers.contains_key("if-none-match") {
                    return Answer::error(501, "NotImplemented");
                }
                self.writes += 1;
                assert_eq!(self.writes, 1, "another's object is replaced");
                self.first.clone()
            }
            "PUT" => Answer::new(200).header("etag", "\"part\""),
            "POST" => Answer::new(200).body(
                "<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>",
            ),
            "GET" => Answer::new(200).body(
                "<ListPartsResult><Part><PartNumber>1</PartNumber><ETag>\"part\"</ETag>\
                 <Size>4</Size></Part></ListPartsResult>",
            ),
            _ => Answer::new(204),
        }
    }
}

fn first() -> [Answer; 3] {
    [
        Answer::error(503, "SlowDown"),
        Answer::error(429, "TooManyRequests"),
        Answer::error(500, "InternalError"),
    ]
}

/// Nothing was replaced, and the error says why; after a failure that leaves open whether the write
/// was applied, that its outcome is unknown.
fn refused(error: &Error, first: &Answer) {
    if first.status == 500 {
        assert!(error.outcome_unknown(), "{error}");
        return;
    }
    assert!(error.is_precondition_failed(), "{error}");
    assert!(!error.outcome_unknown(), "{error}");
}

#[test]
fn an_upload_to_s3_looks_again() {
    for refuses_condition in [false, true] {
        for threshold in [1, 1 << 20] {
            for first in first() {
                let options = UploadOptions {
                    threshold,
                    part_size: 4,
                    limits: PartLimits { smallest: 1, ..PartLimits::default() },
                    conditions: Conditions::absent(),
                    ..UploadOptions::default()
                };
                let source = UploadSource::Seekable(4);
                let service = service(|_| {});
                let upload = S3Upload::new("bucket", "key", source, options, service, 1).unwrap();
                let mut server = Server { refuses_condition, first: first.clone(), writes: 0 };
                let run = Sim::new(upload).source("abcd").run(|head, _| server.answer(head));
                assert_eq!(server.writes, 1, "{:?}", run.requests);
                refused(&run.result.unwrap_err(), &first);
            }
        }
    }
}

/// Signed for a time that the server does not accept, it is signed again after another look.
#[test]
fn a_write_that_is_signed_again_looks_again() {
    let upload = |service| {
        let options =
            UploadOptions { conditions: Conditions::absent(), ..UploadOptions::default() };
        S3Upload::new("bucket", "key", UploadSource::Seekable(4), options, service, 1).unwrap()
    };
    let skewed =
        Answer::error(403, "RequestTimeTooSkewed").header("date", "Sun, 30 Aug 2015 14:36:00 GMT");
    let auth = Auth::new(Credentials::new(Keys::new("AKIDEXAMPLE", "secret")));
    let mut server = Server { refuses_condition: false, first: skewed, writes: 0 };
    let run = Sim::with_auth(upload(service(|_| {})), auth)
        .source("abcd")
        .run(|head, _| server.answer(head));
    assert_eq!(server.writes, 1, "{:?}", run.requests);
    assert!(run.result.unwrap_err().is_precondition_failed());
}

#[test]
fn a_cancellation_before_the_look_is_told_as_one() {
    let options = UploadOptions { conditions: Conditions::absent(), ..UploadOptions::default() };
    let source = UploadSource::Seekable(4);
    let upload = S3Upload::new("bucket", "key", source, options, service(|_| {}), 1).unwrap();
    let first = Answer::error(503, "SlowDown").header("retry-after", 9);
    let mut server = Server { refuses_condition: false, first, writes: 0 };
    let run = Sim::new(upload)
        .source("abcd")
        .cancel_at(Duration::from_secs(2), OnFailure::Abort)
        .run(|head, _| server.answer(head));
    assert_eq!(server.writes, 1, "{:?}", run.requests);
    assert!(run.result.unwrap_err().is_cancelled());
}

#[test]
fn a_copy_in_s3_looks_again() {
    for first in first() {
        let copy = CopyObject {
            conditions: Conditions::absent(),
            ..CopyObject::new("bucket", "key", CopySource::new("bucket", "source"))
        };
        let copy = S3Copy::new(copy, ServerCopyOptions::default(), service(|_| {}), 1);
        let mut server = Server { refuses_condition: false, first: first.clone(), writes: 0 };
        let run = Sim::new(copy).run(|head, _| server.answer(head));
        assert_eq!(server.writes, 1, "{:?}", run.requests);
        refused(&run.result.unwrap_err(), &first);
    }
}

#[cfg(feature = "swift")]
#[test]
fn an_upload_to_swift_looks_again() {
    use apus_core::machine::{LargeObject, SwiftUpload, SwiftUploadOptions};

    use crate::swift_store::{Fault, World, object, service};

    for large_object in [LargeObject::Static, LargeObject::Dynamic] {
        for (length, looks) in [(1000, 1), (10_000, 2)] {
            for status in [429, 503] {
                // The looks before the write show nothing: the object comes after them.
                let mut world =
                    World::new(object(length)).fault("PUT c/o", 1, Fault::Refuse(status));
                for nth in 1..=looks {
                    world = world.fault("HEAD c/o", nth, Fault::Refuse(404));
                }
                world.store.is_ceph = true;
                world.store.put("c", "o", "somebody else's");
                let options = SwiftUploadOptions {
                    if_absent: true,
                    threshold: 2000,
                    segment_size: 2000,
                    large_object: Some(large_object),
                    ..SwiftUploadOptions::default()
                };
                let source = UploadSource::Seekable(length as u64);
                let upload = SwiftUpload::new("c", "o", source, options, service(), 1).unwrap();
                let error = world.run(upload).unwrap_err();
                // Swift may have applied what it answers with 503.
                assert_eq!(error.outcome_unknown(), status == 503, "{error}");
                assert_eq!(error.is_precondition_failed(), status == 429, "{error}");
                assert_eq!(world.count("PUT c/o"), 1, "{:?}", world.log);
                assert_eq!(world.store.read("c", "o").unwrap(), "somebody else's");
                let left = error.leftovers().len();
                assert_eq!(world.store.names("c_segments").len(), left);
            }
        }
    }
}
