//! Any bytes are a document or an error, within the limits; what a document says can be walked.
#![no_main]

use apus_core::xml::{Document, Element, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { depth: 16, elements: 4096, ..Limits::default() };
    if let Ok(document) = Document::parse_within(bytes, &limits) {
        walk(document.root(), 0);
    }
});

fn walk(element: Element<'_>, depth: usize) {
    assert!(depth < 16, "deeper than the limit");
    let _ = (element.text(), element.path(), element.timestamp("LastModified"));
    for child in element.elements() {
        walk(child, depth + 1);
    }
}
