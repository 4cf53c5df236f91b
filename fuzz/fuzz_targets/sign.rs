//! Any target and header is signed or refused, and equal input gives an equal signature.
#![no_main]

use std::sync::Arc;

use apus_core::now::Timestamp;
use apus_core::sign::{Keys, Payload, Rule, Signing};
use arbitrary::Arbitrary;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    target: &'a str,
    headers: Vec<(&'a str, &'a [u8])>,
    access_key: &'a str,
    secret: &'a str,
    token: Option<&'a str>,
    region: &'a str,
    at: i64,
    generic: bool,
}

fuzz_target!(|input: Input<'_>| {
    let mut keys = Keys::new(input.access_key, input.secret);
    keys.session_token = input.token.map(Into::into);
    let rule = if input.generic { Rule::GENERIC } else { Rule::S3 };
    let at = Timestamp::from_unix(input.at);
    let Ok(signing) = Signing::new(&Arc::new(keys), at, input.region, "s3", rule) else { return };
    let mut headers = HeaderMap::new();
    for (name, value) in &input.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    let sign = |headers: &HeaderMap| {
        let mut headers = headers.clone();
        signing.sign(&Method::GET, input.target, &mut headers, &Payload::Unsigned).ok()
    };
    assert!(sign(&headers) == sign(&headers));
});
