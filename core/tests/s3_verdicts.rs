//! What is done about refusals that say "later": by status, whatever the code, and by code, whatever
//! the status ("Error responses", Amazon S3 API reference; RFC 6585, section 4).

mod support;

use apus_core::Error;
use apus_core::contract::{Class, Service as _, Verdict};
use http::StatusCode;

use crate::support::service;

#[test]
fn asked_too_much_means_slower() {
    let service = service(|_| {});
    for (status, code) in [
        (429, None),
        (429, Some("Whatever")),
        (503, Some("SlowDown")),
        (400, Some("ThrottlingException")),
        (403, Some("RequestLimitExceeded")),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let error = Error::refused(status, code.map(str::to_owned), None);
        for class in [Class::Read, Class::Idempotent, Class::Once] {
            assert_eq!(service.judge(&error, class), Verdict::Throttled, "{status} {code:?}");
        }
    }
}
