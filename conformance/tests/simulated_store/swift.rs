//! Images in Swift, in a store for one tenant.

use std::collections::BTreeMap;
use std::time::Duration;

use apus_conformance::server::{Ending, Fault, OpenStackOperation as Operation, Plan};
use apus_core::http::ByteRange;
use apus_core::machine::UploadSource;
use apus_core::store::{Get, StoreErrorKind, StoredImage, Stores};

use crate::cloud::{MB, sim, single, tenants, user};
use crate::shop::{ID, add, asterisks, image, run};

/// 5 KiB of asterisks, by hashlib.
const MD5: &str = "c2e5db72bd7fd153f53ede5da5a06de3";
const SHA256: &str = "caa938e97d93065e6d5e609e8d22592c8d8d64b8117f576684bce52e8227bbcb";

fn seekable(length: usize) -> UploadSource {
    UploadSource::Seekable(length as u64)
}

fn row(url: &str) -> StoredImage {
    StoredImage::new(url, Some("cold"))
}

#[test]
fn a_small_image_goes_in_one_request_and_its_row_has_no_credentials() {
    for source in [seekable(5120), UploadSource::Stream(None)] {
        let mut sim = sim(Plan::new(), asterisks(5120));
        let added = add(&mut sim, &single(""), None, &image(source)).unwrap();
        assert_eq!(added.url, format!("swift+config://ref1/images/{ID}"));
        assert_eq!((added.size, &*added.md5, &*added.multihash), (5120, MD5, SHA256));
        assert_eq!(added.metadata, BTreeMap::from([("store".into(), "cold".into())]));
        assert_eq!(sim.model.cloud.count(Operation::PutObject), 1);
        assert_eq!(sim.model.cloud.names_of("demo", "images"), [ID]);
        assert!(sim.model.cloud.content_of("demo", "images", ID).unwrap() == sim.source);
    }
}

#[test]
fn the_default_reference_says_whose_account_it_is_and_stands_in_the_location() {
    // The address of the second has no version in it.
    let mut sim = sim(Plan::new(), asterisks(5120));
    let stores = single("default_swift_reference = ref2\n");
    let added = add(&mut sim, &stores, None, &image(seekable(5120))).unwrap();
    assert_eq!(added.url, format!("swift+config://ref2/images/{ID}"));
    assert_eq!(sim.model.cloud.names_of("alt", "images"), [ID]);
    assert!(sim.model.cloud.names_of("demo", "images").is_empty());
}

#[test]
fn an_application_credential_reads_what_it_wrote() {
    let stores = single("default_swift_reference = ref3\n");
    let mut sim = sim(Plan::new(), asterisks(5120));
    let added = add(&mut sim, &stores, None, &image(seekable(5120))).unwrap();
    assert_eq!(added.url, format!("swift+config://ref3/images/{ID}"));
    let size = stores.size(&row(&added.url), 1).unwrap().outcome;
    assert_eq!(run(&mut sim, size).unwrap(), 5120);
    let delete = stores.delete(&row(&added.url), 1).unwrap().outcome;
    run(&mut sim, delete).unwrap();
    assert!(sim.model.cloud.names_of("demo", "images").is_empty());
}

#[test]
fn a_large_image_goes_in_segments_and_goes_with_them() {
    for kind in ["static", "dynamic"] {
        let stores = single(&format!("swift_store_large_object_kind = {kind}\n"));
        for source in [seekable(2 * MB + 77), UploadSource::Stream(None)] {
            let mut sim = sim(Plan::new(), asterisks(2 * MB + 77));
            let added = add(&mut sim, &stores, None, &image(source)).unwrap();
            assert_eq!(added.size, 2 * MB as u64 + 77);
            let cloud = &sim.model.cloud;
            assert!(cloud.content_of("demo", "images", ID).unwrap() == sim.source);
            let sizes: Vec<u64> = cloud
                .names_of("demo", "images")
                .iter()
                .filter(|name| **name != ID)
                .map(|name| cloud.object_of("demo", "images", name).unwrap().size())
                .collect();
            assert_eq!(sizes, [MB as u64, MB as u64, 77], "the last is as long as it is");
            let row = row(&added.url);
            let size = stores.size(&row, 1).unwrap().outcome;
            assert_eq!(run(&mut sim, size).unwrap(), 2 * MB as u64 + 77);
            let delete = stores.delete(&row, 1).unwrap().outcome;
            run(&mut sim, delete).unwrap();
            assert!(sim.model.cloud.names_of("demo", "images").is_empty(), "{kind}");
        }
    }
}

// Seen on Swift 2.38 whose container servers were not told of new objects: the page of the listing
// that the upload waits for is requested by the innermost of six machines.
#[test]
fn a_large_image_waits_for_a_listing_that_lags_or_says_that_it_does() {
    for (lag, is_stored) in [(20, true), (3600, false)] {
        for is_tenants in [false, true] {
            let mut sim = sim(Plan::new(), asterisks(2 * MB + 77));
            sim.model.cloud.set_listing_lag(Duration::from_secs(lag));
            let dynamic = "swift_store_large_object_kind = dynamic\n";
            let (stores, container) = match is_tenants {
                false => (single(dynamic), "images".to_owned()),
                true => {
                    let demo = user(&mut sim, "demo");
                    (tenants(dynamic).for_tenant(demo), format!("images_{ID}"))
                }
            };
            let added = add(&mut sim, &stores, None, &image(seekable(2 * MB + 77)));
            match added {
                Ok(added) => assert_eq!(added.size, 2 * MB as u64 + 77),
                Err(error) => {
                    assert!(!is_stored, "{error}");
                    let told = error.to_string();
                    assert!(told.contains("lags behind") && told.contains(&container), "{told}");
                    continue;
                }
            }
            assert!(is_stored);
            let names = sim.model.cloud.names_of("demo", &container);
            assert_eq!(names.len(), 4, "{names:?}");
        }
    }
}

#[test]
fn more_or_fewer_bytes_than_announced_are_told_and_leave_nothing() {
    for (has, announced) in [(5120, 5020), (5120, 5220), (3 * MB, 3 * MB - 9), (2 * MB + 9, 3 * MB)]
    {
        let mut sim = sim(Plan::new(), asterisks(has));
        let (image, source) = image(UploadSource::Stream(None));
        let image = (image.with_size(announced as u64), source);
        let error = add(&mut sim, &single(""), None, &image).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::InvalidSize, "{error}");
        assert!(sim.model.cloud.names_of("demo", "images").is_empty(), "{has} for {announced}");
    }
}

#[test]
fn an_image_that_is_there_is_a_duplicate() {
    for length in [5120, 2 * MB] {
        let mut sim = sim(Plan::new(), asterisks(length));
        let stores = single("");
        add(&mut sim, &stores, None, &image(seekable(length))).unwrap();
        let before: Vec<String> =
            sim.model.cloud.names_of("demo", "images").into_iter().map(Into::into).collect();
        let error = add(&mut sim, &stores, None, &image(seekable(length))).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Duplicate, "{error}");
        assert_eq!(sim.model.cloud.names_of("demo", "images"), before);
    }
}

#[test]
fn no_room_is_told_as_that() {
    let plan = Plan::new().always(Operation::PutObject, Fault::Refuse(413, ""));
    let mut sim = sim(plan, asterisks(5120));
    let error = add(&mut sim, &single(""), None, &image(seekable(5120))).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::StorageFull, "{error}");
}

#[test]
fn a_container_that_is_not_there_is_told_or_made() {
    for (more, container) in [
        ("swift_store_container = new\n", "new"),
        ("swift_store_container = new\nswift_store_multiple_containers_seed = 2\n", "new_fd"),
    ] {
        let mut sim = sim(Plan::new(), asterisks(5120));
        let error = add(&mut sim, &single(more), None, &image(seekable(5120))).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::BadStoreConfiguration, "{error}");
        assert_eq!(sim.model.cloud.count(Operation::PutObject), 0, "no byte is sent");
        let more = format!("{more}swift_store_create_container_on_put = true\n");
        let added = add(&mut sim, &single(&more), None, &image(seekable(5120))).unwrap();
        assert_eq!(added.url, format!("swift+config://ref1/{container}/{ID}"));
        assert_eq!(sim.model.cloud.names_of("demo", container), [ID]);
    }
}

#[test]
fn an_image_is_read_whole_or_in_a_range_and_so_is_an_empty_one() {
    let stores = single("");
    for length in [5120, 0] {
        let mut sim = sim(Plan::new(), asterisks(length));
        let added = add(&mut sim, &stores, None, &image(seekable(length))).unwrap();
        let row = row(&added.url);
        let get = stores.get(&row, &Get::default(), 1).unwrap();
        assert!(get.migration.is_none());
        let got = run(&mut sim, get.outcome).unwrap();
        assert_eq!((got.size, got.bytes), (Some(length as u64), length as u64));
        assert!(sim.sink == sim.source);
        let size = stores.size(&row, 1).unwrap().outcome;
        assert_eq!(run(&mut sim, size).unwrap(), length as u64);
        if length > 0 {
            sim.sink.clear();
            let from = Get { range: Some(ByteRange::From(100)), ..Get::default() };
            let get = stores.get(&row, &from, 1).unwrap().outcome;
            assert_eq!(run(&mut sim, get).unwrap().bytes, length as u64 - 100);
        }
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let stores = single("");
    let row = row(&format!("swift+config://ref1/images/{ID}"));
    let mut sim = sim(Plan::new(), asterisks(0));
    let get = stores.get(&row, &Get::default(), 1).unwrap().outcome;
    assert_eq!(run(&mut sim, get).unwrap_err().kind(), StoreErrorKind::NotFound);
    let size = stores.size(&row, 1).unwrap().outcome;
    assert_eq!(run(&mut sim, size).unwrap_err().kind(), StoreErrorKind::NotFound);
    let delete = stores.delete(&row, 1).unwrap().outcome;
    assert_eq!(run(&mut sim, delete).unwrap_err().kind(), StoreErrorKind::NotFound);
    let exists = stores.exists(&row, 1).unwrap().outcome;
    assert!(!run(&mut sim, exists).unwrap());
}

#[test]
fn a_download_that_breaks_off_is_gone_on_with_as_often_as_configured_and_never_ends_short() {
    for (retries, is_whole) in [(0, false), (1, false), (2, true)] {
        let stores = single(&format!("swift_store_retry_get_count = {retries}\n"));
        let mut sim = sim(Plan::new(), asterisks(5120));
        let added = add(&mut sim, &stores, None, &image(seekable(5120))).unwrap();
        let cut = Fault::CutBody(1000, Ending::Reset);
        let plan = Plan::new().on(Operation::GetObject, 1, cut.clone());
        sim.model.cloud.set_plan(plan.on(Operation::GetObject, 2, cut));
        let get = stores.get(&row(&added.url), &Get::default(), 1).unwrap().outcome;
        match run(&mut sim, get) {
            Ok(got) => assert_eq!((is_whole, got.bytes), (true, 5120)),
            Err(error) => {
                assert!(!is_whole, "{error}");
                assert_eq!(error.kind(), StoreErrorKind::BackendUnavailable);
            }
        }
        assert_eq!(sim.sink == sim.source, is_whole, "{retries}");
    }
}

#[test]
fn an_old_row_is_used_with_its_own_credentials_and_becomes_one_of_the_reference() {
    let stores = single("");
    for auth in ["keystone.test:5000", "keystone.test:5000/v3"] {
        let mut sim = sim(Plan::new(), asterisks(5120));
        add(&mut sim, &stores, None, &image(seekable(5120))).unwrap();
        let old = format!("swift+http://demo%3Ademo:demo-secret@{auth}/images/{ID}");
        let old = StoredImage::new(old, None);
        let get = stores.get(&old, &Get::default(), 1).unwrap();
        let migration = get.migration.unwrap();
        assert_eq!(migration.url, format!("swift+config://ref1/images/{ID}"));
        assert_eq!(migration.store, "cold");
        assert_eq!(run(&mut sim, get.outcome).unwrap().bytes, 5120);
        let size = stores.size(&old, 1).unwrap().outcome;
        assert_eq!(run(&mut sim, size).unwrap(), 5120);
        let delete = stores.delete(&old, 1).unwrap().outcome;
        run(&mut sim, delete).unwrap();
        assert!(sim.model.cloud.names_of("demo", "images").is_empty());
    }
}

/// (logins, seconds that the token has yet to live)
fn logins(stores: &Stores, left: u64) -> usize {
    let mut sim = sim(Plan::new(), asterisks(5120));
    sim.model.cloud.set_token_life(Duration::from_secs(1000));
    let added = add(&mut sim, stores, None, &image(seekable(5120))).unwrap();
    let begun = Duration::from_secs(1_440_936_000);
    let passes = begun + Duration::from_secs(1000 - left);
    let now = sim.now;
    sim.now = now.after(passes.saturating_sub(now.unix));
    let get = stores.get(&row(&added.url), &Get::default(), 1).unwrap().outcome;
    run(&mut sim, get).unwrap();
    sim.model.cloud.logins().len()
}

#[test]
fn one_token_does_for_all_and_is_renewed_within_the_configured_interval() {
    assert_eq!(logins(&single(""), 500), 1);
    // A minute, where nothing is configured.
    assert_eq!(logins(&single(""), 65), 1);
    assert_eq!(logins(&single(""), 55), 2);
    let own = "swift_store_expire_soon_interval = 72\n";
    assert_eq!(logins(&single(own), 65), 2);
    assert_eq!(logins(&single(own), 80), 1);
}
