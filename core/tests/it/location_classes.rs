//! The backend of a location: a location over http never belongs to a backend over https, nor the
//! reverse, even if all else is equal.
#![cfg(feature = "store")]

use apus_core::location::{S3Location, S3Place};
use apus_core::s3::BaseUrl;

#[test]
fn plain_and_encrypted_are_two_places() {
    let place = |url: &str| S3Place::new(&BaseUrl::parse(url).unwrap(), "images");
    let (plain, encrypted) = (place("http://h:9000"), place("https://h:9000"));
    for (text, is_plain) in [
        ("s3://h:9000/images/k", true),
        ("s3+http://h:9000/images/k", true),
        ("s3+https://h:9000/images/k", false),
    ] {
        let (location, _) = S3Location::parse(text, &[]).unwrap();
        for (place, same) in [(&plain, is_plain), (&encrypted, !is_plain)] {
            assert_eq!(place.is_at(&location), same, "{text}");
            assert_eq!(place.holds(&location), same, "{text}");
        }
    }
}
