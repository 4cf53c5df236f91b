//! The verbs of an image service, in each backend.

use apus_core::http::ByteRange;
use apus_core::store::{Get, StoreErrorKind};
use md5::{Digest as _, Md5};
use sha2::Sha512;

use crate::site::Site;
use crate::stores::{From, Stores, Via, pattern, row};

everywhere! {
    images_are_stored_read_and_removed,
    an_image_is_not_replaced,
    an_image_of_another_size_is_not_kept,
}

/// In one request, and in several parts or segments.
const SIZES: [usize; 3] = [0, 70_000, 12_000_001];

fn images_are_stored_read_and_removed(site: &Site, via: Via) {
    let stores = Stores::open(site, via);
    for backend in site.backends() {
        let prefix = stores.core().backend(backend).unwrap().prefix().unwrap();
        for (from, size) in
            [From::Memory, From::Stream].iter().flat_map(|from| SIZES.map(|size| (*from, size)))
        {
            let bytes = pattern(size);
            let id = format!("{backend}-{from:?}-{size}");
            let known = (from == From::Memory).then_some(size as u64);
            let added = stores.add(backend, &id, known, from, &bytes).unwrap();

            assert_eq!(added.size, size as u64, "{id}");
            assert_eq!(added.md5, hex(&Md5::digest(&bytes)), "{id}");
            assert_eq!(added.multihash, hex(&Sha512::digest(&bytes)), "{id}");
            assert_eq!(added.metadata.get("store").map(String::as_str), Some(backend));
            assert_eq!(added.url, format!("{prefix}{id}"));

            let row = row(&added);
            let (got, whole) = stores.get(&row, &Get::default()).unwrap();
            assert_eq!((got.outcome.bytes, got.migration), (size as u64, None), "{id}");
            assert!(whole == bytes, "{id}: other bytes came back");
            assert_eq!(stores.size(&row).unwrap().outcome, size as u64, "{id}");
            assert!(stores.exists(&row).unwrap().outcome, "{id}");
            if size > 100 {
                let range = ByteRange::Last(100);
                let (_, end) =
                    stores.get(&row, &Get { range: Some(range), ..Get::default() }).unwrap();
                assert!(end == bytes[size - 100..], "{id}: another end came back");
            }

            stores.delete(&row).unwrap();
            assert!(!stores.exists(&row).unwrap().outcome, "{id}");
            let gone = [
                stores.get(&row, &Get::default()).unwrap_err(),
                stores.size(&row).unwrap_err(),
                stores.delete(&row).unwrap_err(),
            ];
            for error in gone {
                assert_eq!(error.kind(), StoreErrorKind::NotFound, "{id}: {error}");
            }
        }
    }
}

fn an_image_is_not_replaced(site: &Site, via: Via) {
    let stores = Stores::open(site, via);
    for backend in site.backends() {
        for size in SIZES {
            let id = format!("{backend}-twice-{size}");
            let bytes = pattern(size);
            let added = stores.add(backend, &id, None, From::Memory, &bytes).unwrap();
            for from in [From::Memory, From::Stream] {
                let again = stores.add(backend, &id, None, from, &pattern(100)).unwrap_err();
                assert_eq!(again.kind(), StoreErrorKind::Duplicate, "{id}: {again}");
                let large = stores.add(backend, &id, None, from, &pattern(8 << 20)).unwrap_err();
                assert_eq!(large.kind(), StoreErrorKind::Duplicate, "{id}: {large}");
            }
            let (_, whole) = stores.get(&row(&added), &Get::default()).unwrap();
            assert!(whole == bytes, "{id}: it was changed");
            stores.delete(&row(&added)).unwrap();
        }
    }
}

fn an_image_of_another_size_is_not_kept(site: &Site, via: Via) {
    let stores = Stores::open(site, via);
    for backend in site.backends() {
        for (has, announced) in [(70_000, 69_999), (70_000, 70_001), (12_000_001, 12_000_000)] {
            let id = format!("{backend}-other-{announced}");
            for from in [From::Memory, From::Stream] {
                let error = stores
                    .add(backend, &id, Some(announced), from, &pattern(has))
                    .expect_err("it has another size");
                assert_eq!(error.kind(), StoreErrorKind::InvalidSize, "{id}: {error}");
                // Nothing is there that would be in the way of another attempt.
                let bytes = pattern(announced as usize);
                let added = stores.add(backend, &id, Some(announced), from, &bytes).unwrap();
                stores.delete(&row(&added)).unwrap();
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
