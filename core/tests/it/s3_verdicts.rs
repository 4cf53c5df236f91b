//! Whether refusals that ask to repeat later are repeated: by status, whatever the code, and by
//! code, whatever the status ("Error responses", Amazon S3 API reference; RFC 6585, section 4).

use apus_core::Error;
use apus_core::contract::Service as _;
use apus_core::retry::{Idempotency, RetryDecision};
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
        for idempotency in [Idempotency::Read, Idempotency::Idempotent, Idempotency::Once] {
            assert_eq!(
                service.judge(&error, idempotency),
                RetryDecision::Throttled,
                "{status} {code:?}"
            );
        }
    }
}
