//! What a failed multipart upload leaves: nothing, or what its error names.

use apus_core::error::Leftover;
use apus_core::machine::{PartLimits, S3Upload, UploadOptions, UploadSource};

use crate::support::{Answer, Run, Sim, object, service};

/// An upload of three parts to a server that refuses all of them.
fn refused(mut answer: impl FnMut(&str) -> Option<Answer>) -> Run<S3Upload> {
    let limits = PartLimits { smallest: 1, ..PartLimits::default() };
    let options = UploadOptions { threshold: 0, part_size: 8, limits, ..UploadOptions::default() };
    let source = UploadSource::Seekable(24);
    let upload = S3Upload::new("bucket", "key", source, options, service(|_| {}), 1).unwrap();
    Sim::new(upload).source(object(24)).run(move |head, _| {
        let method = head.method.as_str();
        answer(method).unwrap_or_else(|| match method {
            "POST" => Answer::new(200).body(
                "<InitiateMultipartUploadResult><UploadId>u</UploadId>\
                 </InitiateMultipartUploadResult>",
            ),
            "PUT" => Answer::error(403, "AccessDenied"),
            "DELETE" => Answer::new(204),
            _ => Answer::error(404, "NoSuchUpload"),
        })
    })
}

#[test]
fn an_upload_of_which_no_part_was_stored_is_aborted_all_the_same() {
    let run = refused(|_| None);
    let error = run.result.unwrap_err();
    assert_eq!((error.operation(), error.code()), (Some("UploadPart"), Some("AccessDenied")));
    assert!(error.leftovers().is_empty(), "{error}");
    let aborts = run.requests.iter().filter(|one| *one == "DELETE /bucket/key?uploadId=u");
    assert_eq!(aborts.count(), 1, "{:?}", run.requests);
}

#[test]
fn an_upload_that_can_not_be_aborted_is_named_in_the_first_error() {
    let run = refused(|method| match method {
        "DELETE" => Some(Answer::error(403, "AccessDenied")),
        // Its parts are there to be seen.
        "GET" => Some(Answer::new(200).body(
            "<ListPartsResult><IsTruncated>false</IsTruncated>\
             <Part><PartNumber>1</PartNumber><ETag>t</ETag><Size>8</Size></Part></ListPartsResult>",
        )),
        _ => None,
    });
    let error = run.result.unwrap_err();
    assert_eq!(error.operation(), Some("UploadPart"));
    let named = Leftover::MultipartUpload {
        bucket: "bucket".into(),
        key: "key".into(),
        upload_id: "u".into(),
    };
    assert_eq!(error.leftovers(), [named]);
}
