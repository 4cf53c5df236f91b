//! Rows that a real old Glance wrote are migrated by `apus`, and read, changed and deleted by a real
//! new one; images of `apus` are read by it, and its images by `apus`.
//!
//! ```text
//! conformance/live/glance install && conformance/live/glance up
//! eval "$(conformance/live/glance env)"
//! cargo test -p apus-conformance --test live_glance
//! ```
//!
//! ```text
//!  old Glance ──▶ rows with keys ──▶ apus locations migrate ──▶ UPDATE ──▶ new Glance, other keys
//! ```
//!
//! Without those settings it prints that it was not run. It upgrades: before another run, `up` again.

#![expect(clippy::print_stderr, reason = "what was not run is for people")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use apus_conformance::program::APUS;
use md5::Md5;
use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};
use tempfile::TempDir;

#[test]
fn what_an_old_glance_stored_is_served_by_a_new_one() {
    let Ok(script) = std::env::var("APUS_LIVE_GLANCE") else {
        eprintln!("not run, APUS_LIVE_GLANCE is not set: conformance/live/glance starts servers");
        return;
    };
    let single = Glance::of("SINGLE", &[None]);
    let stores = ["slash", "plus", "percent", "colon", "at", "query", "hash"];
    let multi = Glance::of("MULTI", &stores.map(Some));
    let sites = [&single, &multi];

    let before: Vec<Vec<Image>> = sites.iter().map(|site| site.filled()).collect();
    for (site, images) in sites.iter().zip(&before) {
        let keys = site.stores.len() * IMAGES;
        assert_eq!(site.keys_in_locations(), keys, "the old one writes keys into all locations");
        site.unmodified(images);
    }
    // One site by statements, the other by a program that compares the old values.
    let foreign = multi.with_a_foreign_row(&before[1]);
    multi.migrate(9, &["--sql", "sqlite"], |database, file| {
        database.execute_batch(&fs::read_to_string(file).unwrap()).unwrap();
    });
    single.migrate(0, &["--was"], |database, file| {
        for line in fs::read_to_string(file).unwrap().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let set =
                "UPDATE image_locations SET value = ?, meta_data = ? WHERE id = ? AND value = ?";
            let [url, metadata, was] = ["value", "meta_data", "was"].map(|name| row[name].as_str());
            let replaced = database.execute(set, (url, metadata, row["id"].as_i64(), was));
            assert_eq!(replaced, Ok(1), "{line}");
        }
    });
    assert_eq!([single.keys_in_locations(), multi.keys_in_locations()], [0, 1]);
    for (site, images) in sites.iter().zip(&before) {
        // A still-running old one can't use a migrated row.
        assert_eq!(site.request("GET", &images[0].file(), &[]).0, 500);
    }

    let upgraded = Command::new(script).arg("upgrade").status().unwrap();
    assert!(upgraded.success());
    for (site, images) in sites.iter().zip(&before) {
        for image in images.iter().filter(|image| image.id != foreign) {
            site.serves(image);
        }
        site.unmodified(images.iter().filter(|image| image.id != foreign));
        assert_eq!(site.keys_in_locations(), usize::from(site.stores.len() > 1));
        let first = images.iter().find(|image| image.id != foreign).unwrap();
        site.deletes(first);
        site.exchanges_images();
    }
    // What apus refuses, the new one strips, and looks for the object where it is not.
    assert_ne!(multi.request("GET", &format!("/v2/images/{foreign}/file"), &[]).0, 200);
    assert_eq!(multi.keys_in_locations(), 0);
}

/// One site of `conformance/live/glance`.
struct Glance {
    url: String,
    files: PathBuf,
    /// The names of its stores; `None` is that of a single one.
    stores: Vec<Option<&'static str>>,
    folder: TempDir,
}

/// An image that was stored.
struct Image {
    id: String,
    bytes: Vec<u8>,
}

impl Image {
    fn file(&self) -> String {
        format!("/v2/images/{}/file", self.id)
    }
}

impl Glance {
    fn of(site: &str, stores: &[Option<&'static str>]) -> Self {
        let variable = |name: String| std::env::var(&name).expect(&name);
        Self {
            url: variable(format!("APUS_LIVE_GLANCE_{site}")),
            files: variable(format!("APUS_LIVE_GLANCE_{site}_FILES")).into(),
            stores: stores.to_vec(),
            folder: TempDir::new().unwrap(),
        }
    }

    /// Stores images in each store, and deletes one of each: its row stays.
    fn filled(&self) -> Vec<Image> {
        let mut images = Vec::new();
        for (at, store) in self.stores.iter().enumerate() {
            for number in 0..IMAGES {
                // The first is uploaded in parts.
                let length = if at + number == 0 { 7_000_000 } else { 1000 + at * 10 + number };
                // It stores the image and its location, which it can't read.
                let status = if unreadable(*store) { 400 } else { 204 };
                images.push(self.put(*store, bytes(length), status));
            }
            if !unreadable(*store) {
                let deleted = images.pop().unwrap();
                let path = format!("/v2/images/{}", deleted.id);
                assert_eq!(self.request("DELETE", &path, &[]).0, 204);
            }
        }
        images
    }

    fn put(&self, store: Option<&str>, bytes: Vec<u8>, expect: u16) -> Image {
        let id = self.create();
        let source = self.write("image", &bytes);
        let body = format!("@{}", source.display());
        let header = format!("X-Image-Meta-Store: {}", store.unwrap_or_default());
        let mut more = vec!["-H", "Content-Type: application/octet-stream", "--data-binary", &body];
        if store.is_some() {
            more.extend(["-H", &header]);
        }
        let image = Image { id, bytes };
        let (status, text) = self.request("PUT", &image.file(), &more);
        assert_eq!(status, expect, "{}", String::from_utf8_lossy(&text));
        image
    }

    fn create(&self) -> String {
        let new = json!({"name": "live", "disk_format": "raw", "container_format": "bare"});
        let new = new.to_string();
        let more = ["-H", "Content-Type: application/json", "--data-binary", &new];
        let (status, answer) = self.request("POST", "/v2/images", &more);
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&answer));
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        answer["id"].as_str().unwrap().to_owned()
    }

    /// It gives the bytes, and changes the image.
    fn serves(&self, image: &Image) {
        let (status, bytes) = self.request("GET", &image.file(), &[]);
        assert_eq!(status, 200, "{}: {}", image.id, String::from_utf8_lossy(&bytes));
        assert!(bytes == image.bytes, "{}", image.id);
        let (status, told) =
            self.patch(image, &json!({"op": "replace", "path": "/name", "value": "x"}));
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&told));
        let told: Value = serde_json::from_slice(&told).unwrap();
        assert_eq!(told["checksum"], hex(&Md5::digest(&image.bytes)));
        assert_eq!(told["os_hash_value"], hex(&Sha512::digest(&image.bytes)));
    }

    fn patch(&self, image: &Image, change: &Value) -> (u16, Vec<u8>) {
        let change = json!([change]).to_string();
        let kind = "Content-Type: application/openstack-images-v2.1-json-patch";
        let path = format!("/v2/images/{}", image.id);
        self.request("PATCH", &path, &["-H", kind, "--data-binary", &change])
    }

    /// It removes the image and its object.
    fn deletes(&self, image: &Image) {
        let (url, store) = self.location(&image.id);
        assert_eq!(self.apus(&["-b", &store, "stat", &url]).status.code(), Some(0));
        let path = format!("/v2/images/{}", image.id);
        assert_eq!(self.request("DELETE", &path, &[]).0, 204);
        assert_eq!(self.apus(&["-b", &store, "stat", &url]).status.code(), Some(3));
    }

    /// The objects of these images are what was stored, by `apus`.
    fn unmodified<'a>(&self, images: impl IntoIterator<Item = &'a Image>) {
        let out = self.folder.path().join("got");
        for image in images {
            let (url, store) = self.location(&image.id);
            let mut get = vec!["--json", "get", &url, "-o", out.to_str().unwrap()];
            if !store.is_empty() {
                get.extend(["-b", &store]);
            }
            let got = self.apus(&get);
            assert_eq!(got.status.code(), Some(0), "{got:?}");
            assert!(fs::read(&out).unwrap() == image.bytes, "{}", image.id);
        }
    }

    /// What `apus` stores is registered and served; what Glance stores has the digests of what
    /// `apus` reads.
    fn exchanges_images(&self) {
        for store in self.stores.iter().take(2) {
            let image = Image { id: self.create(), bytes: bytes(6_500_000) };
            let source = self.write("image", &image.bytes);
            let (id, path) = (image.id.as_str(), source.to_str().unwrap());
            let backend = store.unwrap_or("s3");
            let put = self.apus(&["--json", "-b", backend, "put", path, "--id", id]);
            assert!(put.status.success(), "{put:?}");
            let put: Value = serde_json::from_slice(&put.stdout).unwrap();
            let location = json!({
                "url": put["url"],
                "metadata": {"store": backend},
                "validation_data": {
                    "checksum": put["md5"],
                    "os_hash_algo": "sha512",
                    "os_hash_value": hex(&Sha512::digest(&image.bytes)),
                },
            });
            let (status, told) = self
                .patch(&image, &json!({"op": "add", "path": "/locations/-", "value": location}));
            assert_eq!(status, 200, "{}", String::from_utf8_lossy(&told));
            self.serves(&image);
            self.deletes(&image);
            let image = self.put(*store, bytes(6_200_000), 204);
            self.serves(&image);
            self.unmodified([&image]);
        }
    }

    /// Writes the rows, migrates them, and has the result put into the database.
    fn migrate(&self, code: i32, form: &[&str], apply: impl Fn(&Connection, &Path)) {
        let check = self.apus(&["locations", "check", &self.rows()]);
        assert_eq!(check.status.code(), Some(10), "{check:?}");
        let written = self.folder.path().join("written");
        let rows = self.rows();
        let migrate = ["locations", "migrate", &rows, "--verify", "--write"];
        let migrate = [&migrate[..], &[written.to_str().unwrap()], form].concat();
        let migrated = self.apus(&migrate);
        assert_eq!(migrated.status.code(), Some(code), "{migrated:?}");
        apply(&self.database(), &written);
        // A second migration changes nothing.
        let check = self.apus(&["--json", "locations", "check", &self.rows()]);
        let told = String::from_utf8_lossy(&check.stderr).into_owned()
            + &String::from_utf8_lossy(&check.stdout);
        assert!(told.contains("\"changed\":0"), "{check:?}");
    }

    /// Writes all rows to a file, as `sqlite3 -json` does, and returns its path.
    fn rows(&self) -> String {
        let select = "SELECT json_group_array(json_object('id', id, 'value', value, 'meta_data', \
                      meta_data, 'status', status, 'deleted', deleted)) FROM image_locations";
        let rows: String = self.database().query_row(select, (), |row| row.get(0)).unwrap();
        self.write("rows", rows.as_bytes()).to_str().unwrap().to_owned()
    }

    /// Moves an image to a server that no backend has; returns its id.
    fn with_a_foreign_row(&self, images: &[Image]) -> String {
        let id = images[1].id.clone();
        let (url, _) = self.location(&id);
        let at = std::env::var("APUS_LIVE_GLANCE_S3").unwrap().replace("http://", "@");
        let foreign = url.replace(&at, "@elsewhere.example").replace(&id, "elsewhere");
        assert_ne!(foreign, url);
        let set = "UPDATE image_locations SET value = ? WHERE image_id = ?";
        assert_eq!(self.database().execute(set, (&foreign, &id)), Ok(1));
        id
    }

    /// Returns the location of an image and its store, which may be empty.
    fn location(&self, id: &str) -> (String, String) {
        let select =
            "SELECT value, meta_data FROM image_locations WHERE image_id = ? AND deleted = 0";
        let row = self.database().query_row(select, [id], |row| Ok((row.get(0)?, row.get(1)?)));
        let (url, metadata): (String, String) = row.unwrap();
        let metadata: Value = serde_json::from_str(&metadata).unwrap();
        (url, metadata["store"].as_str().unwrap_or_default().to_owned())
    }

    /// Returns how many locations have keys, those of deleted images included.
    fn keys_in_locations(&self) -> usize {
        let select = "SELECT count(*) FROM image_locations WHERE value LIKE '%@%'";
        let count: i64 = self.database().query_row(select, (), |row| row.get(0)).unwrap();
        count.try_into().unwrap()
    }

    fn database(&self) -> Connection {
        Connection::open(self.files.join("database")).unwrap()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Runs the program with Glance's own configuration.
    fn apus(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&*APUS);
        command.arg("--config").arg(self.files.join("glance-api.conf")).args(arguments);
        command.current_dir(self.folder.path()).output().unwrap()
    }

    fn request(&self, method: &str, path: &str, more: &[&str]) -> (u16, Vec<u8>) {
        let answer = self.folder.path().join("answer");
        let _ = fs::remove_file(&answer);
        let mut command = Command::new("curl");
        command.args(["-sS", "--noproxy", "*", "-m", "120", "-w", "%{http_code}", "-X", method]);
        command.arg("-o").arg(&answer).args(more).arg(format!("{}{path}", self.url));
        let output = command.output().expect("curl starts");
        assert!(output.status.success(), "{method} {path}: {output:?}");
        let status = String::from_utf8(output.stdout).unwrap().parse().unwrap();
        (status, fs::read(&answer).unwrap_or_default())
    }
}

/// The old one can't read locations with an `@`, `?` or `#` in the secret, which it writes.
fn unreadable(store: Option<&str>) -> bool {
    store.is_some_and(|store| ["at", "query", "hash"].contains(&store))
}

/// How many images each store gets.
const IMAGES: usize = 2;

/// Bytes that differ from part to part.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(31) ^ (at >> 9)) as u8).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
