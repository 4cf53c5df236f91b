//! The removal of one multipart upload, checked by a list of its parts.

use apus_core::Error;
use apus_core::error::Leftover;
use apus_core::machine::S3AbortUpload;
use apus_core::s3::AbortMultipartUpload;

use crate::support::{Answer, Run, Sim, service};

/// Removes the upload `u0` from a server with these responses.
fn removed(mut answer: impl FnMut(&str, &str) -> Answer) -> Run<S3AbortUpload> {
    let abort = AbortMultipartUpload::new("bucket", "key", "u0");
    let machine = S3AbortUpload::new(abort, None, service(|_| {}), 1);
    Sim::new(machine).run(move |head, _| {
        let target = head.uri.path_and_query().unwrap().as_str();
        answer(head.method.as_str(), target)
    })
}

fn list(parts: &str) -> Answer {
    let document =
        format!("<ListPartsResult><IsTruncated>false</IsTruncated>{parts}</ListPartsResult>");
    Answer::new(200).body(document)
}

const PART: &str = "<Part><PartNumber>1</PartNumber><ETag>t</ETag><Size>8</Size></Part>";

#[track_caller]
fn is_named(error: &Error) {
    let (bucket, key, upload_id) = ("bucket".into(), "key".into(), "u0".into());
    assert_eq!(error.leftovers(), [Leftover::MultipartUpload { bucket, key, upload_id }]);
}

fn aborts(run: &Run<S3AbortUpload>) -> usize {
    run.requests.iter().filter(|one| one.starts_with("DELETE")).count()
}

#[test]
fn an_upload_that_is_not_found_any_more_is_removed() {
    let run = removed(|method, _| match method {
        "DELETE" => Answer::new(204),
        _ => Answer::error(404, "NoSuchUpload"),
    });
    run.result.unwrap();
    assert_eq!(run.requests.len(), 2);
}

#[test]
fn an_abort_that_cannot_be_checked_is_no_success() {
    let run = removed(|method, _| match method {
        "DELETE" => Answer::new(204),
        _ => Answer::error(500, "InternalError"),
    });
    is_named(&run.result.unwrap_err());
}

// Without permission to list, an acknowledged abort is all that can be known.
#[test]
fn an_abort_counts_where_the_client_may_not_list() {
    let run = removed(|method, _| match method {
        "DELETE" => Answer::new(204),
        _ => Answer::error(403, "AccessDenied"),
    });
    run.result.unwrap();
}

#[test]
fn an_upload_that_stays_listed_is_named_after_three_aborts() {
    let run = removed(|method, _| match method {
        "DELETE" => Answer::new(204),
        _ => list(PART),
    });
    assert_eq!(aborts(&run), 3);
    is_named(&run.result.unwrap_err());
}

// s3s-fs 0.14 lists any upload, without parts, and answers 403 to a second abort.
#[test]
fn an_upload_that_is_listed_as_any_would_be_is_removed() {
    let mut aborted = false;
    let run = removed(|method, _| match method {
        "DELETE" if !std::mem::replace(&mut aborted, true) => Answer::new(204),
        "DELETE" => Answer::error(403, "AccessDenied"),
        _ => list(""),
    });
    run.result.unwrap();
    assert!(run.requests.last().unwrap().contains("uploadId=u1"), "{:?}", run.requests);
}

#[test]
fn an_upload_that_only_this_list_shows_is_named() {
    let mut aborted = false;
    let run = removed(|method, target| match method {
        "DELETE" if !std::mem::replace(&mut aborted, true) => Answer::new(204),
        "DELETE" => Answer::error(403, "AccessDenied"),
        _ if target.contains("uploadId=u0") => list(""),
        _ => Answer::error(404, "NoSuchUpload"),
    });
    is_named(&run.result.unwrap_err());
}

#[test]
fn a_refused_abort_names_the_upload() {
    let run = removed(|_, _| Answer::error(403, "AccessDenied"));
    is_named(&run.result.unwrap_err());
}
