//! What a machine reports, at any time, as what it would leave on the server.

use std::sync::Arc;
use std::time::Duration;

use apus_core::Now;
use apus_core::contract::{Machine, OnFailure, Step};
use apus_core::error::{ExchangeError, Leftover};
use apus_core::http::{Draft, Exchange};
use apus_core::machine::{
    LargeObject, S3Upload, SwiftUpload, SwiftUploadOptions, UploadOptions, UploadSource,
};
use apus_core::swift;

use crate::support::service;

/// The drafts that the machine sends until it waits.
#[expect(clippy::vec_box, reason = "drafts travel in their boxes")]
fn sent<M: Machine>(machine: &mut M) -> Vec<Box<Draft>> {
    let mut drafts = Vec::new();
    while let Step::Send(draft) = machine.poll(NOON) {
        drafts.push(draft);
    }
    drafts
}

fn answer<M: Machine>(machine: &mut M, draft: Box<Draft>, status: u16, body: &str) {
    let exchange = Exchange::open(draft, NOON, 0);
    let head = http::Response::builder().status(status).header("content-length", body.len());
    let mut receiving = exchange.respond(head.body(()).unwrap().into_parts().0);
    if !body.is_empty() {
        receiving.push(body.as_bytes()).unwrap();
    }
    machine.complete(NOON, receiving.finish(None));
}

#[test]
fn an_upload_names_itself_from_its_creation_until_it_is_gone() {
    let named = |id: &str| {
        let (bucket, key, upload_id) = ("bucket".into(), "key".into(), id.into());
        vec![Leftover::MultipartUpload { bucket, key, upload_id }]
    };
    let upload = || {
        let options = UploadOptions { threshold: 1, concurrency: 1, ..UploadOptions::default() };
        let source = UploadSource::Seekable(20 << 20);
        S3Upload::new("bucket", "key", source, options, service(|_| {}), 1).unwrap()
    };
    let xml =
        "<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>";
    let mut kept = upload();
    let mut upload = upload();
    assert_eq!(upload.leftovers(), []);
    let create = sent(&mut upload).pop().unwrap();
    // The server may have made it by now.
    assert_eq!(upload.leftovers(), named(""));
    assert!(upload.leftovers()[0].to_string().contains("(id unknown)"));
    answer(&mut upload, create, 200, xml);
    let part = sent(&mut upload).pop().unwrap();
    assert_eq!(upload.leftovers(), named("id"));
    upload.cancel(NOON, OnFailure::Abort);
    upload.complete(NOON, Exchange::open(part, NOON, 0).fail(ExchangeError::cancelled()));
    let abort = sent(&mut upload).pop().unwrap();
    assert_eq!((abort.operation, upload.leftovers()), ("AbortMultipartUpload", named("id")));

    // What is to be kept is not left behind.
    let create = sent(&mut kept).pop().unwrap();
    answer(&mut kept, create, 200, xml);
    kept.cancel(NOON, OnFailure::Keep);
    assert_eq!(kept.leftovers(), []);
}

#[test]
fn an_upload_in_segments_names_those_that_were_sent() {
    let options = SwiftUploadOptions {
        threshold: 1,
        segment_size: 1 << 20,
        concurrency: 2,
        large_object: Some(LargeObject::Dynamic),
        ..SwiftUploadOptions::default()
    };
    let source = UploadSource::Seekable(4 << 20);
    let service = Arc::new(swift::Service::new(swift::Config::default()).unwrap());
    let mut upload = SwiftUpload::new("images", "disk", source, options, service, 1).unwrap();
    let mut segments: Vec<String> = Vec::new();
    for _ in 0..10 {
        for draft in sent(&mut upload) {
            let is_segment = draft.operation == "PutObject";
            if is_segment {
                segments.push(draft.head.uri.path().to_owned());
            } else {
                answer(&mut upload, draft, 204, "");
            }
        }
        if !segments.is_empty() {
            break;
        }
    }
    assert_eq!(segments.len(), 2);
    let left = upload.leftovers();
    assert_eq!(left.len(), 2, "{left:?}");
    for one in left {
        let Leftover::Object { bucket, key } = one else { panic!("{one:?}") };
        let path = format!("/{bucket}/{key}");
        assert!(segments.iter().any(|segment| segment.ends_with(&path)), "{path}: {segments:?}");
    }
}

const NOON: Now = Now { tick: Duration::from_secs(5), unix: Duration::from_secs(1_440_938_160) };
