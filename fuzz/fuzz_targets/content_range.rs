//! A `Content-Range` that is taken makes sense, and says what its text says.
#![no_main]

use apus_core::http::ContentRange;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Some(parsed) = ContentRange::parse(text) else { return };
    let total = parsed.total.map_or("*".to_owned(), |total| total.to_string());
    let canonical = match &parsed.range {
        Some(range) => {
            assert!(range.start < range.end);
            assert!(parsed.total.is_none_or(|total| range.end <= total));
            format!("bytes {}-{}/{total}", range.start, range.end - 1)
        }
        None => {
            assert!(parsed.total.is_some());
            format!("bytes */{total}")
        }
    };
    assert_eq!(ContentRange::parse(&canonical), Some(parsed));
});
