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

/// The answer of s3s-fs 0.14 to ListParts of any upload that it does not have.
fn listed_without_parts() -> Answer {
    Answer::new(200).body(
        "<ListPartsResult><Bucket>bucket</Bucket><Key>key</Key><UploadId>u</UploadId>\
         </ListPartsResult>",
    )
}

// Seen on s3s-fs 0.14: 200 for the parts of any upload, 403 for the abort of one that was aborted.
#[test]
fn an_upload_is_gone_where_any_upload_is_listed_without_parts() {
    for (second, aborts) in [(403, 2), (204, 3)] {
        let mut aborted = 0;
        let run = refused(|method| match method {
            "GET" => Some(listed_without_parts()),
            "DELETE" => {
                aborted += 1;
                (aborted > 1 && second == 403).then(|| Answer::error(403, "AccessDenied"))
            }
            _ => None,
        });
        let error = run.result.unwrap_err();
        assert!(error.leftovers().is_empty(), "{error}: {:?}", run.requests);
        assert_eq!(aborted, aborts, "{:?}", run.requests);
        assert_eq!(run.requests.last().unwrap(), "GET /bucket/key?uploadId=0");
    }
}

// Amazon lists no upload that does not exist: one that is listed is there, also without parts.
#[test]
fn an_upload_that_is_listed_without_parts_is_named_where_lists_mean_something() {
    let mut aborted = 0;
    let mut listed = 0;
    let run = refused(|method| match method {
        "DELETE" => {
            aborted += 1;
            (aborted > 1).then(|| Answer::error(403, "AccessDenied"))
        }
        "GET" => {
            listed += 1;
            (listed == 1).then(listed_without_parts)
        }
        _ => None,
    });
    assert_eq!(run.result.unwrap_err().leftovers().len(), 1, "{:?}", run.requests);
}

// A part that is listed after the abort is no empty list, and an abort that was never acknowledged
// has removed nothing.
#[test]
fn an_empty_list_proves_nothing_without_an_acknowledged_abort_before_it() {
    let never = refused(|method| match method {
        "DELETE" => Some(Answer::error(403, "AccessDenied")),
        "GET" => Some(listed_without_parts()),
        _ => None,
    });
    assert_eq!(never.result.unwrap_err().leftovers().len(), 1);
    let mut listed = 0;
    let back = refused(|method| match method {
        "GET" => {
            listed += 1;
            Some(match listed {
                1 => listed_without_parts(),
                _ => Answer::new(200).body(
                    "<ListPartsResult><UploadId>u</UploadId><Part><PartNumber>1</PartNumber>\
                     </Part></ListPartsResult>",
                ),
            })
        }
        _ => None,
    });
    assert_eq!(back.result.unwrap_err().leftovers().len(), 1, "{:?}", back.requests);
}
