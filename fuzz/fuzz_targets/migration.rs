//! What is stored in place of a location has no credentials, is in the backend that it names, and is
//! not changed a second time.
#![no_main]

use apus_core::store::S3Places;
use apus_core::store::config::{Configuration, OsloConfig};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, Option<&str>)| {
    let (url, store) = input;
    let config = OsloConfig::parse([("glance-api.conf", CONFIG)]).unwrap();
    let places = S3Places::of(&Configuration::of_oslo(&config).unwrap()).unwrap();
    for places in [places.clone(), places.with_foreign_hosts()] {
        let Ok(access) = places.access(url, store) else { continue };
        let Some(migration) = access.migration else { continue };
        assert_eq!(migration.was.expose(), url);
        assert_eq!(access.backend.as_deref(), Some(&*migration.store));
        let again = places.access(&migration.url, Some(&migration.store)).unwrap();
        assert!(again.migration.is_none() && again.credentials.is_none());
        assert_eq!(again.location, access.location);
    }
});

const CONFIG: &str = "
[DEFAULT]
enabled_backends = cold:s3, cold2:s3, fast:s3, twin:s3
[backend_defaults]
s3_store_secret_key = S
s3_store_access_key = K
[cold]
s3_store_host = http://h
s3_store_bucket = b
[cold2]
s3_store_host = http://h
s3_store_bucket = b2
[fast]
s3_store_host = https://h:1/gw
s3_store_bucket = b
[twin]
s3_store_host = http://h
s3_store_bucket = b2
s3_store_access_key = T
";
