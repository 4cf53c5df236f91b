//! Locations of an image service, old ones and new ones.

use apus_conformance::server::Plan;
use apus_conformance::sim::Sim;
use apus_core::store::{Applied, Get, LocationTable, Migration, StoreErrorKind, StoredImage};

use crate::shop::{ID, ONE, TWO, asterisks, run, server, stores};

/// The image service's table, with its two columns.
struct Table(Vec<(String, Option<String>)>);

impl Table {
    fn row(&self, at: usize) -> StoredImage {
        StoredImage::new(self.0[at].0.as_str(), self.0[at].1.as_deref())
    }
}

impl LocationTable for Table {
    type Row = usize;
    type Error = std::convert::Infallible;

    fn compare_and_swap(&mut self, at: &usize, migration: &Migration) -> Result<bool, Self::Error> {
        let was = (migration.was.expose().to_owned(), migration.was_store.clone());
        let same = self.0[*at] == was;
        if same {
            self.0[*at] = (migration.url.clone(), Some(migration.store.clone()));
        }
        Ok(same)
    }
}

fn old(key: &str, id: &str) -> String {
    format!("s3://{key}:old/secret@s3.test:9000/images/{id}")
}

fn clean(id: &str) -> String {
    format!("s3://s3.test:9000/images/{id}")
}

#[test]
fn every_verb_brings_the_same_migration_along() {
    for (text, name) in [(TWO, "fast"), (ONE, "s3")] {
        let stores = stores(text);
        let row = StoredImage::new(old("AKIDOLD", ID), None);
        let migrations = [
            stores.get(&row, &Get::default(), 1).unwrap().migration,
            stores.size(&row, 1).unwrap().migration,
            stores.exists(&row, 1).unwrap().migration,
            stores.delete(&row, 1).unwrap().migration,
            stores.access(&row).unwrap().migration,
        ];
        for migration in &migrations {
            let migration = migration.as_ref().unwrap();
            assert_eq!((&*migration.url, &*migration.store), (&*clean(ID), name));
            assert_eq!(Some(migration), migrations[0].as_ref());
        }
    }
}

#[test]
fn an_old_row_is_read_with_its_own_keys_once_and_then_with_those_of_the_backend() {
    let stores = stores(TWO);
    let mut server = server(Plan::new());
    server.model = server.model.with_object("images", ID, "content");
    let mut sim = Sim::new(server, asterisks(0), 1);
    let mut table = Table(vec![(old("AKIDOLD", ID), None)]);
    for key in ["AKIDOLD", "AKIDFAST"] {
        let access = stores.get(&table.row(0), &Get::default(), 1).unwrap();
        run(&mut sim, access.outcome).unwrap();
        assert_eq!(sim.model.keys.pop().as_deref(), Some(key));
        if let Some(migration) = access.migration {
            assert_eq!(migration.apply(&mut table, &0), Ok(Applied::Replaced));
        }
        sim.sink.clear();
    }
    assert_eq!(table.0, [(clean(ID), Some("fast".to_owned()))]);
    assert!(stores.access(&table.row(0)).unwrap().migration.is_none());
}

#[test]
fn with_one_store_its_name_is_set_and_a_clean_row_is_left_alone() {
    let stores = stores(ONE);
    let migration =
        |url: &str, store| stores.access(&StoredImage::new(url, store)).unwrap().migration;
    let changed = migration(&old("AKIDOLD", ID), None).unwrap();
    assert_eq!(
        (changed.url, changed.store, changed.credentials_found),
        (clean(ID), "s3".into(), true)
    );
    let named = migration(&clean(ID), None).unwrap();
    assert_eq!((named.url, named.store, named.credentials_found), (clean(ID), "s3".into(), false));
    assert_eq!(migration(&clean(ID), Some("s3")), None);
}

#[test]
fn rows_of_other_kinds_are_not_touched() {
    for text in [ONE, TWO] {
        for url in ["rbd://pool/images/image-id", "cinder://volume", "file:///var/lib/glance/1"] {
            let error = stores(text).access(&StoredImage::new(url, None)).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::BadStoreUri, "{url}");
        }
    }
}

#[test]
fn all_rows_of_an_image_are_migrated_each_by_itself() {
    let stores = stores(TWO);
    let rows = vec![
        (old("K1", "image-1"), None),
        ("rbd://pool/images/image-id".to_owned(), None),
        (old("K2", "image-2"), Some("gone".to_owned())),
    ];
    let mut table = Table(rows);
    for at in 0..3 {
        if let Ok(access) = stores.access(&table.row(at))
            && let Some(migration) = access.migration
        {
            assert_eq!(migration.apply(&mut table, &at), Ok(Applied::Replaced));
        }
    }
    let fast = Some("fast".to_owned());
    assert_eq!(
        table.0,
        [
            (clean("image-1"), fast.clone()),
            ("rbd://pool/images/image-id".to_owned(), None),
            (clean("image-2"), fast),
        ]
    );
}

#[test]
fn who_may_not_write_reads_all_the_same_and_a_lost_race_is_no_error() {
    let stores = stores(TWO);
    let mut server = server(Plan::new());
    server.model = server.model.with_object("images", ID, "content");
    let mut sim = Sim::new(server, asterisks(0), 1);
    let mut table = Table(vec![(old("AKIDOLD", ID), None)]);
    let access = stores.get(&table.row(0), &Get::default(), 1).unwrap();
    // The reader leaves the migration to other processes, one of which has migrated the row meanwhile.
    assert_eq!(run(&mut sim, access.outcome).unwrap().bytes, 7);
    table.0[0].1 = Some("theirs".to_owned());
    assert_eq!(access.migration.unwrap().apply(&mut table, &0), Ok(Applied::Raced));
    assert_eq!(table.0[0].1.as_deref(), Some("theirs"));
}

#[test]
fn keys_are_rotated_by_configuration_alone() {
    let mut server = server(Plan::new());
    server.model = server.model.with_object("images", ID, "content");
    let mut sim = Sim::new(server, asterisks(0), 1);
    let row = StoredImage::new(clean(ID), Some("fast"));
    for key in ["AKIDFAST", "AKIDNEW"] {
        let stores = stores(&TWO.replace("AKIDFAST", key));
        let access = stores.size(&row, 1).unwrap();
        assert!(access.migration.is_none());
        assert_eq!(run(&mut sim, access.outcome).unwrap(), 7);
        assert_eq!(sim.model.keys.pop().as_deref(), Some(key));
    }
}

#[test]
fn configured_keys_do_not_travel_to_the_host_of_a_row() {
    for text in [ONE, TWO] {
        for store in [None, Some("fast"), Some("s3")] {
            let row = StoredImage::new(format!("s3://evil.test/images/{ID}"), store);
            let error = stores(text).get(&row, &Get::default(), 1).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::BadStoreUri);
            let row = StoredImage::new(format!("s3://AKIDOLD:hush@evil.test/images/{ID}"), store);
            let error = stores(text).get(&row, &Get::default(), 1).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::BadStoreUri);
            assert!(!format!("{error} {error:?}").contains("hush"));
        }
    }
}
