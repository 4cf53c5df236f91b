//! `swift-manifest`.

use apus_core::contract::Operation;
use apus_core::http::{Body, Draft};
use apus_core::now::Timestamp;
use apus_core::swift::{Config, Manifest, Prefix, PutDlo, PutSlo, Segment, Service, slo_etag};
use serde::Deserialize;
use serde_json::Value;

use super::operation::segment;
use crate::run::compare::{Check, Header};
use crate::run::value::Fields;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    kind: Kind,
    segments: Vec<Fields>,
    container: Option<String>,
    prefix: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Slo,
    Dlo,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    json: Option<Value>,
    headers: Option<Vec<Header>>,
    etag: String,
    size: u64,
    stored: Option<Value>,
}

pub(in crate::run) fn manifest(
    input: Fields,
    expect: Fields,
    check: &mut Check,
) -> Result<(), String> {
    let (input, expected): (Input, Expected) = (input.rest()?, expect.rest()?);
    let service = Service::new(Config::default()).map_err(|error| error.to_string())?;
    let segments = input.segments.into_iter().map(segment).collect::<Result<Vec<_>, _>>()?;
    match (input.kind, input.container, input.prefix) {
        (Kind::Slo, None, None) => slo(&service, segments, expected, check),
        (Kind::Dlo, Some(container), Some(prefix)) => {
            dlo(&service, segments, Prefix::new(container, prefix), expected, check)
        }
        _ => return Err("a container and a prefix belong to a dlo, and to no slo".into()),
    }
    Ok(())
}

/// Compares the manifest that is sent, the resulting large object, and the manifest on the server.
fn slo(service: &Service, segments: Vec<Segment>, expected: Expected, check: &mut Check) {
    let mut put = PutSlo::new("c", "manifest", segments.clone());
    put.heartbeat = false;
    match put.draft(service) {
        Ok(draft) => {
            let body = match &draft.body {
                Body::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
                _ => Value::Null,
            };
            if let Some(expected) = expected.json.filter(|expected| *expected != body) {
                check.differs("json", expected, body);
            }
        }
        Err(error) => check.differs("json", "a manifest", error),
    }
    // The object's ETag and size can't be computed from unknown members of a segment.
    if segments.iter().all(is_known) {
        check.same("etag", &expected.etag, &slo_etag(&segments).unwrap_or_default());
        let size = segments.iter().map(Segment::length).sum::<Option<u64>>();
        same_size(check, "size", expected.size, size);
    }
    let Some(stored) = expected.stored else { return };
    match Manifest::segments(stored.to_string().as_bytes()) {
        Ok(read) => {
            let manifest = |check: &mut Check, etag: Option<String>, size| {
                check.same("etag of stored", &expected.etag, &etag.unwrap_or_default());
                same_size(check, "size of stored", expected.size, size);
            };
            manifest(check, slo_etag(&read), read.iter().map(Segment::length).sum());
            let names = |segments: &[Segment]| segments.iter().map(name).collect::<Vec<_>>();
            if names(&segments) != names(&read) {
                check.differs("stored", names(&segments).join(" "), names(&read).join(" "));
            }
            for (sent, read) in segments.iter().zip(&read) {
                told(check, sent, read);
            }
        }
        Err(error) => check.differs("stored", "segments", error),
    }
}

/// Returns what the server adds to a segment: all of the recorder's segments have one type and one
/// time.
fn told(check: &mut Check, sent: &Segment, read: &Segment) {
    let (Segment::Object(sent), Segment::Object(read)) = (sent, read) else { return };
    if let Some(size) = sent.size {
        same_size(check, "bytes of stored", size, read.size);
    }
    let content_type = read.content_type.as_deref().unwrap_or_default();
    check.same("content_type of stored", "application/octet-stream", content_type);
    let written = read.last_modified.map(Timestamp::iso8601).unwrap_or_default();
    check.same("last_modified of stored", "2026-01-02T03:04:05Z", &written);
}

/// Compares the header that is sent, and the object of these segments when they are sorted.
fn dlo(
    service: &Service,
    segments: Vec<Segment>,
    prefix: Prefix,
    expected: Expected,
    check: &mut Check,
) {
    let put = PutDlo::new("c2", "manifest", prefix.clone());
    match put.draft(service) {
        Ok(draft) => check.headers(&expected.headers.unwrap_or_default(), &headers(&draft)),
        Err(error) => check.differs("headers", "a pointer", error),
    }
    let mut within: Vec<Segment> = segments
        .into_iter()
        .filter(|segment| match segment {
            Segment::Object(object) => {
                object.container == prefix.container && object.object.starts_with(&prefix.prefix)
            }
            Segment::Data(_) => false,
        })
        .collect();
    within.sort_by_key(name);
    // Whole segments are described alike for both kinds.
    check.same("etag", &expected.etag, &slo_etag(&within).unwrap_or_default());
    same_size(check, "size", expected.size, within.iter().map(Segment::length).sum());
}

fn same_size(check: &mut Check, what: &str, expected: u64, got: Option<u64>) {
    if got != Some(expected) {
        check.differs(what, expected, got.map_or("unknown".to_owned(), |size| size.to_string()));
    }
}

fn headers(draft: &Draft) -> Vec<Header> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = draft.head.headers.iter();
    headers.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}

fn is_known(segment: &Segment) -> bool {
    match segment {
        Segment::Object(object) => object.etag.is_some() && object.size.is_some(),
        Segment::Data(_) => true,
    }
}

fn name(segment: &Segment) -> String {
    match segment {
        Segment::Object(object) => format!("/{}/{}", object.container, object.object),
        Segment::Data(_) => "data".into(),
    }
}
