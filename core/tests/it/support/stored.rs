//! A server with one object, and downloads of it.
//!
//! It behaves as RFC 9110 (sections 13 to 15) and the S3 API reference say.

use apus_core::Error;
use apus_core::checksum::Algorithm;
use apus_core::machine::{DownloadOptions, S3Download};
use apus_core::s3::{Config, GetObject};
use bytes::Bytes;
use http::request;

use super::{Answer, Run, Sim, object, service};

/// An object as a server keeps it.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) bytes: Bytes,
    pub(crate) etag: Option<&'static str>,
    pub(crate) checksum: Option<(Algorithm, String)>,
    /// Whether `If-Match` is obeyed.
    pub(crate) conditional: bool,
    /// Whether `Range` is.
    pub(crate) ranges: bool,
}

impl Stored {
    pub(crate) fn new(length: usize) -> Self {
        let bytes = object(length);
        Self { bytes, etag: Some("\"v1\""), checksum: None, conditional: true, ranges: true }
    }

    pub(crate) fn with(self, algorithm: Algorithm) -> Self {
        let value = algorithm.digest(&self.bytes).unwrap().base64();
        Self { checksum: Some((algorithm, value)), ..self }
    }

    pub(crate) fn answer(&self, head: &request::Parts) -> Answer {
        let text = |name| head.headers.get(name).map(|value| value.to_str().unwrap());
        let mut answer = Answer::new(200);
        if let Some(etag) = self.etag {
            answer = answer.header("etag", etag);
        }
        let wanted = text("if-match").filter(|_| self.conditional);
        if wanted.is_some() && wanted != self.etag {
            return Answer::error(412, "PreconditionFailed");
        }
        let length = self.bytes.len();
        let range = text("range").filter(|_| self.ranges).map(|range| {
            let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
            let start = first.parse().unwrap();
            start..last.parse().map_or(length, |last: usize| last + 1).min(length)
        });
        if let Some((algorithm, value)) = &self.checksum {
            answer = answer.header(algorithm.header().as_str(), value);
        }
        match range {
            None if head.method == "HEAD" => answer.header("content-length", length),
            None => answer.body(self.bytes.clone()),
            // Without Content-Range, as Ceph answers.
            Some(range) if range.start >= length => Answer::error(416, "InvalidRange"),
            Some(range) => {
                let told = format!("bytes {}-{}/{length}", range.start, range.end - 1);
                answer.status = 206;
                answer.header("content-range", told).body(self.bytes.slice(range))
            }
        }
    }
}

pub(crate) fn download(options: DownloadOptions) -> S3Download {
    get(options, |_| {}, |_| {})
}

pub(crate) fn get(
    options: DownloadOptions,
    set: impl FnOnce(&mut GetObject),
    config: impl FnOnce(&mut Config),
) -> S3Download {
    let mut get = GetObject::new("bucket", "key");
    set(&mut get);
    S3Download::new(get, service(config), options, 7)
}

pub(crate) fn wide(concurrency: usize, range_size: u64) -> DownloadOptions {
    DownloadOptions { concurrency, range_size, ..DownloadOptions::default() }
}

pub(crate) fn checked(get: &mut GetObject) {
    get.checksum_mode = true;
}

pub(crate) fn serve(machine: S3Download, stored: &Stored) -> Run<S3Download> {
    Sim::new(machine).run(|head, _| stored.answer(head))
}

/// Cut after these many bytes, one request after the other, then served.
pub(crate) fn cutting(machine: S3Download, stored: &Stored, cuts: &[usize]) -> Run<S3Download> {
    let mut cuts = cuts.iter();
    Sim::new(machine).run(|head, _| match cuts.next() {
        Some(after) => stored.answer(head).cut(*after),
        None => stored.answer(head),
    })
}

pub(crate) fn failure(run: Run<S3Download>) -> Error {
    run.result.expect_err("should fail")
}
