//! Any document is a manifest or an error, and what is read of one is what is written again of it.
#![no_main]

use apus_core::contract::Operation;
use apus_core::http::Body;
use apus_core::swift::{
    Acl, Config, Manifest, ObjectSegment, Prefix, PutSlo, Segment, Service, slo_etag,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        header(text);
    }
    let Ok(segments) = Manifest::segments(bytes) else { return };
    let _ = slo_etag(&segments);
    for segment in &segments {
        let _ = segment.length();
    }
    let service = Service::new(Config::default()).expect("a service");
    let put = PutSlo::new("c", "o", segments.clone());
    // Names that can be read may be too long to be sent, and data empty.
    let Ok(draft) = put.draft(&service) else { return };
    let Body::Bytes(document) = draft.body else { panic!("a manifest is in memory") };
    let again = Manifest::segments(&document).expect("what was written can be read");
    let sent: Vec<Segment> = segments.into_iter().map(as_sent).collect();
    assert_eq!(again, sent);
});

/// Without what only servers tell.
fn as_sent(segment: Segment) -> Segment {
    let Segment::Object(object) = segment else { return segment };
    let mut sent = ObjectSegment::new(object.container, object.object);
    sent.etag = object.etag;
    sent.size = object.size;
    sent.range = object.range;
    Segment::Object(sent)
}

/// Headers that say who may do what, and where segments are.
fn header(text: &str) {
    if let Some(prefix) = Prefix::parse(text) {
        assert_eq!(Prefix::parse(&prefix.header()), Some(prefix));
    }
    if let Ok(acl) = text.parse::<Acl>() {
        let again: Acl = acl.to_string().parse().expect("what was written can be read");
        assert_eq!(again.to_string(), acl.to_string());
    }
}
