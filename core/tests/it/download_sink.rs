//! A sink that fails: only bytes that the sink took count as downloaded, whatever the server sent.

use std::task::Waker;
use std::time::Duration;

use apus_core::credentials::Credentials;
use apus_core::error::{ExchangeError, ExchangeErrorKind};
use apus_core::machine::{Auth, DownloadOptions, Pump, S3Download, Turn};
use apus_core::s3::GetObject;
use apus_core::sign::Keys;
use apus_core::{Kind, Now};

use crate::support::service;

/// The sink fails when it is given the last byte, or before: with and without a length, by one GET
/// and by ranges.
#[test]
fn a_sink_that_fails_at_any_byte_fails_the_download() {
    for (pushed, length, concurrency) in
        [(5, Some(5), 1), (5, None, 1), (3, Some(5), 1), (5, Some(5), 4), (0, Some(0), 1)]
    {
        let options = DownloadOptions { concurrency, range_size: 5, ..DownloadOptions::default() };
        let get = GetObject::new("bucket", "key");
        let download = S3Download::new(get, service(|_| {}), options, 1);
        let auth = Auth::new(Credentials::new(Keys::new("AKID", "secret")));
        let mut pump = Pump::new(download, [auth], Waker::noop().clone());
        let Turn::Launch(mut exchange) = pump.turn(NOON) else { panic!("nothing is sent") };
        exchange.request().unwrap();
        let mut head = http::Response::builder().header("etag", "\"v1\"");
        if let Some(length) = length {
            head = head.header("content-length", length);
        }
        if concurrency > 1 {
            head = head.status(206).header("content-range", "bytes 0-4/5");
        }
        let mut receiving = exchange.respond(head.body(()).unwrap().into_parts().0);
        receiving.push(&b"bytes"[..pushed]).unwrap();
        let full = ExchangeError::new(ExchangeErrorKind::Sink, "no space left on device");
        pump.complete(NOON, receiving.finish(Some(full)));
        let Turn::Done(Err(error)) = pump.turn(NOON) else {
            panic!(
                "{pushed} of {length:?} bytes, {concurrency} at once: it goes on, or was a success"
            )
        };
        assert_eq!(error.kind(), Kind::InvalidInput);
        assert_eq!(error.exchange_error().map(ExchangeError::kind), Some(ExchangeErrorKind::Sink));
    }
}

const NOON: Now = Now { tick: Duration::from_secs(5), unix: Duration::from_secs(1_440_938_160) };
