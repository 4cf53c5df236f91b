//! Copies on the server, against a scripted server.

use std::time::Duration;

use apus_core::contract::OnFailure;
use apus_core::machine::{S3Copy, ServerCopyOptions};
use apus_core::s3::{CopyObject, CopySource};

use crate::support::{Answer, Sim, service};

#[test]
fn a_copy_that_is_cancelled_while_it_looks_at_the_object_begins_nothing() {
    let copy = CopyObject::new("bucket", "key", CopySource::new("bucket", "source"));
    let copy = S3Copy::new(copy, ServerCopyOptions::default(), service(|_| {}), 1);
    let second = Duration::from_secs(1);
    let run = Sim::new(copy).cancel_at(second / 2, OnFailure::Abort).run(|_, _| {
        let found = Answer::new(200).header("content-length", 5).header("etag", "\"tag\"");
        found.after(second)
    });
    assert!(run.result.is_err_and(|error| error.is_cancelled()));
    assert_eq!(run.requests, ["HEAD /bucket/source"]);
}
