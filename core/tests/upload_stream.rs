//! Uploads from a stream, whose bytes come as far as the machine allows.

mod support;

use std::task::Waker;
use std::time::Duration;

use apus_core::contract::Leave;
use apus_core::credentials::Credentials;
use apus_core::http::{Completion, Exchange};
use apus_core::machine::{PartLimits, Party, Pump, Turn, Upload, UploadOptions, UploadSource};
use apus_core::{Error, Now};

use crate::support::service;

/// Uploads a stream without end to a server that takes everything.
fn endless(options: UploadOptions) -> Error {
    let source = UploadSource::Stream(None);
    let upload = Upload::new("bucket", "key", source, options, service(|_| {}), 1).unwrap();
    let party = Party::new(Credentials::anonymous());
    let mut pump = Pump::new(upload, vec![party], Waker::noop().clone());
    let now = Now::new(Duration::ZERO, Duration::ZERO);
    loop {
        match pump.turn(now) {
            Turn::Launch(exchange) => pump.complete(now, answer(exchange)),
            Turn::Done(result) => return result.unwrap_err(),
            Turn::Park(_) => {
                let intake = pump.intake().unwrap();
                assert!(intake.supplied() < intake.high(), "it waits for nothing");
                intake.supply(intake.high(), false);
            }
        }
    }
}

fn answer(exchange: Exchange) -> Completion {
    let body = match exchange.operation() {
        "CreateMultipartUpload" => {
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
        }
        _ => "",
    };
    let head = http::Response::builder().header("etag", "\"tag\"").body(()).unwrap();
    let mut receiving = exchange.respond(head.into_parts().0);
    receiving.push(body.as_bytes()).unwrap();
    receiving.finish(None)
}

fn options(part_size: u64, object: u64) -> UploadOptions {
    UploadOptions {
        threshold: 0,
        part_size,
        limits: PartLimits { parts: 4, smallest: 1, largest: 1 << 40, object },
        on_failure: Leave::Keep,
        ..UploadOptions::default()
    }
}

#[test]
fn a_stream_longer_than_the_largest_object_is_refused_in_the_middle_of_a_part() {
    let error = endless(options(8, 20));
    assert!(error.to_string().contains("longer than 20 bytes"), "{error}");
}

#[test]
fn a_part_that_no_object_holds_is_not_waited_for() {
    let error = endless(options(1 << 30, 20));
    assert!(error.to_string().contains("longer than 20 bytes"), "{error}");
}
