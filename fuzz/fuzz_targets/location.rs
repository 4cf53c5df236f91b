//! Any text is a location or an error; what is printed is read back as it was, without credentials.
#![no_main]

use apus_core::location::{S3Location, S3Place, SwiftLocation, SwiftPlace};
use apus_core::s3::BaseUrl;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let url = |text| BaseUrl::parse(text).unwrap();
    let buckets = [S3Place::new(&url("http://a"), "b"), S3Place::new(&url("https://a:1/c"), "b")];
    if let Ok((location, _)) = S3Location::parse(text, &buckets) {
        let (again, keys) = S3Location::parse(&location.to_string(), &buckets).unwrap();
        assert_eq!(again, location);
        assert!(keys.is_none());
        assert!(buckets.iter().filter(|bucket| bucket.holds(&location)).count() <= 1);
    }
    let accounts = [
        SwiftPlace::reference("r", &url("http://a/v3")),
        SwiftPlace::storage(&url("https://a/v1/AUTH_b")),
    ];
    if let Ok((location, _)) = SwiftLocation::parse(text, &accounts) {
        let (again, credentials) = SwiftLocation::parse(&location.to_string(), &accounts).unwrap();
        assert_eq!(again.to_string(), location.to_string());
        assert_eq!(again.object(), location.object());
        assert!(credentials.is_none());
    }
});
