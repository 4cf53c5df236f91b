//! Any text is a date or none; what is written is read back.
#![no_main]

use apus_core::now::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let dates =
        [Timestamp::parse_http(text), Timestamp::parse_iso8601(text), Timestamp::parse_amz(text)];
    for date in dates.into_iter().flatten() {
        assert_eq!(Timestamp::parse_iso8601(&date.iso8601()), Some(date));
        assert_eq!(Timestamp::parse_http(&date.http_date()), Some(date));
    }
});
