//! Any endpoint and bucket resolve to a sound URI or to an error; a key never leaves its bucket.
#![no_main]

use apus_core::contract::Operation;
use apus_core::s3::{Addressing, BaseUrl, Config, EndpointConfig, HeadObject, Service};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    endpoint: Option<&'a str>,
    region: &'a str,
    bucket: &'a str,
    key: &'a str,
    flags: [bool; 8],
}

fuzz_target!(|input: Input<'_>| {
    let [path, virtual_host, fips, dualstack, accelerate, arn_region, global, no_points] =
        input.flags;
    let endpoint = match input.endpoint.map(BaseUrl::parse).transpose() {
        Ok(endpoint) => endpoint,
        Err(_) => return,
    };
    let config = EndpointConfig {
        endpoint,
        region: input.region.into(),
        addressing: match (path, virtual_host) {
            (true, _) => Addressing::Path,
            (_, true) => Addressing::Virtual,
            _ => Addressing::Auto,
        },
        use_fips: fips,
        use_dualstack: dualstack,
        accelerate,
        use_arn_region: arn_region,
        use_global_endpoint: global,
        disable_access_points: no_points,
        ..EndpointConfig::default()
    };
    let Ok(service) = Service::new(Config::new(config)) else { return };
    let operation = HeadObject::new(input.bucket, input.key);
    let Ok(draft) = operation.draft(&service) else { return };
    // What is sent is what was meant: the end of the path is the key, escaped once.
    let path = draft.head.uri.path();
    let escaped = apus_core::escape::path(input.key);
    assert!(path.ends_with(&escaped), "{path} does not end with {escaped}");
    assert!(draft.head.uri.query().is_none());
});
