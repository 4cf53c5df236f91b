//! The source of a copy on the server.

use std::cell::RefCell;

use apus_core::machine::{PartLimits, S3Copy, ServerCopyOptions};
use apus_core::s3::{CopyObject, CopySource};

use crate::support::{Answer, Sim, service};

/// The `x-amz-copy-source-if-match` of all requests that copy.
fn pins(options: ServerCopyOptions) -> Vec<Option<String>> {
    let copy = CopyObject::new("bucket", "key", CopySource::new("bucket", "source"));
    let copy = S3Copy::new(copy, options, service(|_| {}), 1);
    let pins = RefCell::new(Vec::new());
    let run = Sim::new(copy).run(|head, _| {
        if head.headers.contains_key("x-amz-copy-source") {
            let pin = head.headers.get("x-amz-copy-source-if-match");
            pins.borrow_mut().push(pin.map(|pin| pin.to_str().unwrap().to_owned()));
        }
        let query = head.uri.query().unwrap_or_default();
        match head.method.as_str() {
            "HEAD" => Answer::new(200).header("content-length", 20).header("etag", "\"seen\""),
            "POST" if query.starts_with("uploads") => Answer::new(200).body(
                "<InitiateMultipartUploadResult><UploadId>u</UploadId>\
                 </InitiateMultipartUploadResult>",
            ),
            "POST" => Answer::new(200).body(
                "<CompleteMultipartUploadResult><ETag>t</ETag></CompleteMultipartUploadResult>",
            ),
            _ if query.contains("partNumber") => {
                Answer::new(200).body("<CopyPartResult><ETag>t</ETag></CopyPartResult>")
            }
            _ => Answer::new(200).body("<CopyObjectResult><ETag>t</ETag></CopyObjectResult>"),
        }
    });
    run.result.unwrap();
    pins.into_inner()
}

#[test]
fn it_is_of_the_object_that_was_looked_at_or_of_none() {
    let seen = Some("\"seen\"".to_owned());
    assert_eq!(pins(ServerCopyOptions::default()), std::slice::from_ref(&seen));
    let limits = PartLimits { smallest: 1, ..PartLimits::default() };
    let parts =
        ServerCopyOptions { threshold: 8, part_size: 8, limits, ..ServerCopyOptions::default() };
    assert_eq!(pins(parts), [seen.clone(), seen.clone(), seen]);
}
