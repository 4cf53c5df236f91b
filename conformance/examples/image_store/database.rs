//! The image service's table of locations, in a SQLite file with old rows: their credentials are
//! removed when the rows are used.
//!
//! ```text
//!  row ──▶ get, size ──▶ migration ──▶ UPDATE … WHERE value = … AND meta_data = …
//!                                          ├─ 1 row:  Replaced
//!                                          └─ 0 rows: Raced, another process was first
//! ```

use std::collections::HashSet;
use std::error::Error;
use std::fs;

use apus_blocking::{Sink, Stores};
use apus_core::secret::Secret;
use apus_core::store::{Applied, Get, LocationTable, Migration, StoreErrorKind, StoredImage};
use rusqlite::{Connection, params};
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::image::{self, Image};
use crate::service::{self, COLD, FAST, Service};

type Verdict = Result<String, Box<dyn Error>>;

/// Uses every row of a database. Returns how many rows of the printed table failed, and of how
/// many.
pub(super) fn run(service: &Service, image: &Image) -> Result<(usize, usize), Box<dyn Error>> {
    let directory = tempfile::Builder::new().prefix("apus-database-").tempdir()?;
    let scene = Scene { service, stores: service.open()?, image, directory };
    scene.table()?.0.execute_batch(SCHEMA)?;
    println!("{}", scene.directory.path().join(FILE).display());
    let rows = [
        ("old, in S3", "get", scene.migrates(FAST, "{}")),
        ("old, in Swift", "get", scene.migrates(COLD, r#"{"imported":"2019-04-01"}"#)),
        ("old, two readers", "size", scene.races()),
        ("as add wrote it", "get", scene.stays()),
        ("purged long ago", "", scene.forgets()),
        ("new, user rotated", "get", scene.rotates()),
    ];
    println!("{:<18} {:<5} verdict", "row", "verb");
    for (row, verb, verdict) in &rows {
        match verdict {
            Ok(verdict) => println!("{row:<18} {verb:<5} {verdict}"),
            Err(error) => println!("{row:<18} {verb:<5} FAILED: {error}"),
        }
    }
    Ok((rows.iter().filter(|(.., verdict)| verdict.is_err()).count(), rows.len()))
}

struct Scene<'a> {
    service: &'a Service,
    stores: Stores,
    image: &'a Image,
    /// A directory with the database alone.
    directory: TempDir,
}

impl Scene<'_> {
    /// Uses and replaces a row with credentials: no byte of the file shows them any more.
    fn migrates(&self, backend: &str, metadata: &str) -> Verdict {
        let mut table = self.table()?;
        let id = format!("old-in-{backend}");
        let added = service::add(&self.stores, backend, &id, self.image)?;
        table.insert(&id, &self.old_location(&added.url, &id)?, metadata)?;
        let old = table.location(&id)?;
        let secrets = self.secrets_in_file()?;

        let migration = self.read(&self.stores, &old)?.ok_or("there is nothing to migrate")?;
        ensure(migration.apply(&mut table, &old)? == Applied::Replaced, "it was not replaced")?;

        let new = table.location(&id)?;
        let mut wanted = old.meta_data.clone();
        wanted.insert("store".to_owned(), backend.into());
        ensure(new.value.expose() == added.url, "another location is there than add wrote")?;
        ensure(new.meta_data == wanted, "other metadata are there than before and store")?;
        ensure(self.read(&self.stores, &new)?.is_none(), "it is to be replaced once more")?;
        ensure(secrets > 0, "the file had no secrets to begin with")?;
        ensure(self.secrets_in_file()? == 0, "secrets are left in the file")?;
        Ok(format!(
            "same bytes, replaced by {} {}, same bytes; {secrets} pieces of secrets in the file, then 0",
            added.url, new.text
        ))
    }

    /// Two processes use a row at the same time: one replaces it, and the other does not change it.
    fn races(&self) -> Verdict {
        let (mut one, mut other) = (self.table()?, self.table()?);
        let added = service::add(&self.stores, FAST, "raced", self.image)?;
        one.insert("raced", &self.old_location(&added.url, "raced")?, "{}")?;
        let (mine, theirs) = (one.location("raced")?, other.location("raced")?);
        let nothing = "there is nothing to migrate";
        let first = self.stores.size(&mine.stored())?.migration.ok_or(nothing)?;
        let second = self.stores.size(&theirs.stored())?.migration.ok_or(nothing)?;

        ensure(first.apply(&mut one, &mine)? == Applied::Replaced, "the first did not replace it")?;
        let stands = one.location("raced")?;
        ensure(second.apply(&mut other, &theirs)? == Applied::Raced, "the second replaced it too")?;
        let now = other.location("raced")?;
        ensure(now == stands, "who lost the race has changed the row")?;
        ensure(self.read(&self.stores, &now)?.is_none(), "it is to be replaced once more")?;
        Ok("replaced by the first; the second lost the race and changed nothing".to_owned())
    }

    /// A row without credentials.
    fn stays(&self) -> Verdict {
        let table = self.table()?;
        let added = service::add(&self.stores, COLD, "new", self.image)?;
        table.insert("new", &added.url, &serde_json::to_string(&added.metadata)?)?;
        let migration = self.read(&self.stores, &table.location("new")?)?;
        ensure(migration.is_none(), "it is to be replaced")?;
        Ok("same bytes, nothing to replace".to_owned())
    }

    /// Data deleted without `secure_delete` stays in the free space of the file until `VACUUM`.
    fn forgets(&self) -> Verdict {
        let table = self.table()?;
        table.0.execute_batch("PRAGMA secure_delete = OFF")?;
        table.insert("purged", &self.old_location("s3+http://host/bucket/key", "")?, "{}")?;
        table.0.execute("DELETE FROM image_locations WHERE image_id = 'purged'", [])?;
        let secrets = self.secrets_in_file()?;
        ensure(secrets > 0, "a deletion alone should have left them in the file")?;
        table.0.execute_batch("VACUUM")?;
        ensure(self.secrets_in_file()? == 0, "secrets are left in the file")?;
        Ok(format!("{secrets} pieces of secrets in the file, after VACUUM 0"))
    }

    /// The user whose password was in the rows has no rights any more, and the configuration names
    /// another one: a row without credentials still works.
    fn rotates(&self) -> Verdict {
        let table = self.table()?;
        let new = table.location("old-in-cold")?;
        self.service.cloud.model().strip("demo");
        self.service.go_by("reader")?;
        let rotated = self.service.open()?;
        ensure(self.read(&rotated, &new)?.is_none(), "it is to be replaced")?;
        let old = StoredImage::new(self.old_location(new.value.expose(), "old-in-cold")?, None);
        match rotated.size(&old) {
            Err(error) if error.kind() == StoreErrorKind::Forbidden => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Err("the old user is still let in".into()),
        }
        Ok("same bytes as another user, nothing to replace; the old row would be refused"
            .to_owned())
    }

    /// Reads and compares the image of a row; returns the migration of the row.
    fn read(
        &self,
        stores: &Stores,
        location: &Location,
    ) -> Result<Option<Migration>, Box<dyn Error>> {
        let copy = image::copy()?;
        let got = stores.get(&location.stored(), &Get::default(), Sink::file(copy.try_clone()?))?;
        ensure(self.image.is_same(copy)?, "what came back is not what was stored")?;
        Ok(got.migration)
    }

    fn table(&self) -> rusqlite::Result<Table> {
        let table = Table(Connection::open(self.directory.path().join(FILE))?);
        // Replaced data is overwritten.
        table.0.execute_batch("PRAGMA secure_delete = ON")?;
        Ok(table)
    }

    /// Returns the location in the old form, with credentials.
    fn old_location(&self, url: &str, object: &str) -> Result<String, Box<dyn Error>> {
        let Service { s3, cloud, .. } = self.service;
        if let Some((scheme @ ("s3" | "s3+http"), rest)) = url.split_once("://") {
            return Ok(format!("{scheme}://{}:{}@{rest}", s3.access_key(), s3.secret_key()));
        }
        let auth_url = cloud.auth_url();
        let (_, address) = auth_url.split_once("://").ok_or("Keystone is nowhere")?;
        let user = cloud.model().user("demo").clone();
        let (project, name, password) = (user.project, user.name, user.password);
        Ok(format!("swift+http://{project}%3A{name}:{password}@{address}/images/{object}"))
    }

    /// Counts the pieces of a secret in the files of the database, so that the rest of a half
    /// overwritten secret counts.
    fn secrets_in_file(&self) -> Result<usize, Box<dyn Error>> {
        let Service { s3, cloud, .. } = self.service;
        let password = cloud.model().user("demo").password.clone();
        let secrets = [s3.access_key(), s3.secret_key(), &password];
        let pieces: HashSet<&[u8]> =
            secrets.iter().flat_map(|secret| secret.as_bytes().windows(PIECE)).collect();
        let mut count = 0;
        for entry in fs::read_dir(self.directory.path())? {
            let bytes = fs::read(entry?.path())?;
            count += bytes.windows(PIECE).filter(|window| pieces.contains(window)).count();
        }
        Ok(count)
    }
}

/// The image service's database.
struct Table(Connection);

/// A row, as it was read.
#[derive(PartialEq)]
struct Location {
    id: i64,
    value: Secret,
    /// The text of `meta_data`, and its contents.
    text: String,
    meta_data: Map<String, Value>,
}

impl Table {
    fn insert(&self, image_id: &str, value: &str, meta_data: &str) -> rusqlite::Result<usize> {
        let insert = "INSERT INTO image_locations \
                      (image_id, value, meta_data, status, deleted, created_at) \
                      VALUES (?1, ?2, ?3, 'active', 0, CURRENT_TIMESTAMP)";
        self.0.execute(insert, [image_id, value, meta_data])
    }

    fn location(&self, image_id: &str) -> Result<Location, Box<dyn Error>> {
        let select = "SELECT id, value, meta_data FROM image_locations \
                      WHERE image_id = ?1 AND status = 'active' AND deleted = 0";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let (id, value, text): (_, String, String) = self.0.query_row(select, [image_id], read)?;
        Ok(Location { id, value: value.into(), meta_data: serde_json::from_str(&text)?, text })
    }
}

impl Location {
    fn stored(&self) -> StoredImage {
        let store = self.meta_data.get("store").and_then(Value::as_str);
        StoredImage::new(self.value.clone(), store)
    }
}

impl LocationTable for Table {
    type Row = Location;
    type Error = rusqlite::Error;

    /// Other metadata of the service are not changed.
    fn compare_and_swap(
        &mut self,
        row: &Location,
        migration: &Migration,
    ) -> rusqlite::Result<bool> {
        let mut meta_data = row.meta_data.clone();
        meta_data.insert("store".to_owned(), migration.store.as_str().into());
        let update = "UPDATE image_locations \
                      SET value = ?1, meta_data = ?2, updated_at = CURRENT_TIMESTAMP \
                      WHERE id = ?3 AND value = ?4 AND meta_data = ?5";
        let meta_data = Value::Object(meta_data).to_string();
        let was = migration.was.expose();
        let new = params![migration.url, meta_data, row.id, was, row.text];
        Ok(self.0.execute(update, new)? == 1)
    }
}

fn ensure(is_so: bool, or_else: &str) -> Result<(), Box<dyn Error>> {
    if is_so { Ok(()) } else { Err(or_else.into()) }
}

const FILE: &str = "glance.sqlite";
/// The length in bytes of a piece of a secret that occurs nowhere else.
const PIECE: usize = 8;

/// The table as the image service creates it.
const SCHEMA: &str = "
    CREATE TABLE image_locations (
        id INTEGER NOT NULL,
        image_id VARCHAR(36) NOT NULL,
        value TEXT NOT NULL,
        created_at DATETIME NOT NULL,
        updated_at DATETIME,
        deleted_at DATETIME,
        deleted BOOLEAN NOT NULL,
        meta_data TEXT,
        status VARCHAR(30) DEFAULT 'active' NOT NULL,
        PRIMARY KEY (id)
    )";
