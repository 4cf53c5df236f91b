//! Old locations: their credentials are used for one request, and removed after it.

use apus_core::store::{Get, StoredImage};

use crate::site::{S3, Site};
use crate::stores::{From, Stores, Via, pattern, row};

everywhere! {
    an_old_row_in_s3_is_migrated_by_every_verb,
    an_old_row_in_swift_is_migrated_by_every_verb,
    hosts_of_nobody_are_not_asked,
}

fn an_old_row_in_s3_is_migrated_by_every_verb(site: &Site, via: Via) {
    let stores = Stores::open(site, via);
    let bytes = pattern(70_000);
    let added = stores.add("fast", "old", None, From::Memory, &bytes).unwrap();
    let S3 { access_key, secret_key, .. } = &site.s3;
    let (scheme, rest) = added.url.split_once("://").unwrap();
    let old = StoredImage::new(format!("{scheme}://{access_key}:{secret_key}@{rest}"), None);
    migrates(&stores, &old, &added.url, "fast", &bytes);
}

fn an_old_row_in_swift_is_migrated_by_every_verb(site: &Site, via: Via) {
    let stores = Stores::open(site, via);
    let bytes = pattern(70_000);
    let added = stores.add("cold", "old", None, From::Memory, &bytes).unwrap();
    let (user, password) = (site.openstack("_USER"), site.openstack("_PASSWORD"));
    let project = site.openstack("_PROJECT");
    let (scheme, host) = site.openstack("").split_once("://").unwrap();
    let old = format!(
        "swift+{scheme}://{}:{}:{}@{host}/{}/old",
        escaped(project),
        escaped(user),
        escaped(password),
        site.name
    );
    migrates(&stores, &StoredImage::new(old, None), &added.url, "cold", &bytes);
}

/// Every verb says that this is to be stored in its place; the image is read both ways, and
/// removed.
fn migrates(stores: &Stores, old: &StoredImage, url: &str, store: &str, bytes: &[u8]) {
    let (got, whole) = stores.get(old, &Get::default()).unwrap();
    assert!(whole == bytes);
    let migration = got.migration.expect("it has credentials inside");
    assert_eq!((&*migration.url, &*migration.store), (url, store));
    assert!(migration.credentials_found);
    assert_eq!(migration.was.expose(), old.url.expose());
    assert_eq!(stores.size(old).unwrap().migration.as_ref(), Some(&migration));
    assert_eq!(stores.exists(old).unwrap().migration.as_ref(), Some(&migration));

    let new = StoredImage::new(migration.url.as_str(), Some(&migration.store));
    let (got, whole) = stores.get(&new, &Get::default()).unwrap();
    assert!(whole == bytes);
    assert_eq!(got.migration, None);
    assert_eq!(stores.delete(old).unwrap().migration, Some(migration));
    assert!(!stores.exists(&new).unwrap().outcome);
}

fn hosts_of_nobody_are_not_asked(site: &Site, via: Via) {
    let stores = Stores::open(site, via);
    let added = stores.add("fast", "mine", None, From::Memory, &pattern(100)).unwrap();
    for url in [
        "s3://nowhere.invalid/bucket/key".to_owned(),
        "s3://KEY:SECRETWORD@nowhere.invalid/bucket/key".to_owned(),
        "swift+http://p:u:SECRETWORD@nowhere.invalid/v3/container/object".to_owned(),
        "swift+config://unknown/container/object".to_owned(),
        "rbd://fsid/pool/image/snap".to_owned(),
    ] {
        let error = stores.size(&StoredImage::new(url.as_str(), Some("fast"))).unwrap_err();
        let told = format!("{error} {error:?} {:?}", error.protocol());
        assert!(!told.contains("SECRETWORD"), "{told}");
    }
    stores.delete(&row(&added)).unwrap();
}

/// With everything escaped that is no letter and no digit.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => (byte as char).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}
