//! Backs a directory up to S3, restores it with four workers, and deletes the backup.
//!
//! `cargo run --example backup` runs against a server in memory.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use apus_blocking::s3::{self, DeleteMany, Download, ListObjectsV2, Object, Upload};
use apus_blocking::{Client, Hashers, Keys, create_parents};
use apus_core::checksum::Algorithm;
use apus_core::key_path::KeyPaths;
use apus_testing::server::{FaultyS3, S3Model};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Uploads the files below `directory` that differ from what is stored.
fn backup(client: &Client<s3::Service>, bucket: &str, prefix: &str, directory: &Path) -> Result {
    let list = ListObjectsV2::new(bucket).prefix(prefix);
    let stored: Vec<Object> = client.items(list).collect::<std::result::Result<_, _>>()?;
    for path in files(directory)? {
        let key = format!("{prefix}{}", path.strip_prefix(directory)?.display());
        let object = stored.iter().find(|object| object.key == key);
        if object.is_some_and(|object| is_same(&path, object).unwrap_or(false)) {
            continue;
        }
        let done = client.run(Upload::new(bucket, &key)).body(File::open(&path)?).send()?;
        println!("{key}: {} bytes", done.size);
    }
    Ok(())
}

fn files(directory: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

/// Whether the file has the object's size and, if its ETag is an MD5, the same bytes.
fn is_same(path: &Path, object: &Object) -> Result<bool> {
    if object.size != Some(fs::metadata(path)?.len()) {
        return Ok(false);
    }
    let Some(md5) = object.etag.as_ref().and_then(|etag| etag.md5()) else { return Ok(true) };
    let mut hashers = Hashers::new([Algorithm::Md5])?;
    io::copy(&mut File::open(path)?, &mut hashers)?;
    Ok(hashers.finish().value(Algorithm::Md5).is_some_and(|value| value.bytes() == md5))
}

/// Downloads every object of the prefix to a file below `directory`, four at once.
fn restore(client: &Client<s3::Service>, bucket: &str, prefix: &str, directory: &Path) -> Result {
    let objects = Mutex::new(client.items(ListObjectsV2::new(bucket).prefix(prefix)));
    let paths = Mutex::new(KeyPaths::new(prefix));
    let next = || objects.lock().expect("no worker panics").next();
    let work = || -> Result {
        while let Some(object) = next() {
            let key = object?.key;
            let path = paths.lock().expect("no worker panics").path(&key)?;
            let path = create_parents(directory, path)?;
            client.run(Download::new(bucket, key)).to_path(path)?.send()?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })
}

fn main() -> Result {
    let server = FaultyS3::start(S3Model::new().with_bucket("bucket"))?;
    let service = s3::Service::custom(&server.endpoint(), "us-east-1")?;
    let client = Client::new(service, Keys::new("ACCESS_KEY", "SECRET_KEY"))?;

    let root = std::env::temp_dir().join(format!("apus-backup-{}", std::process::id()));
    let (from, to) = (root.join("from"), root.join("to"));
    fs::create_dir_all(from.join("deep"))?;
    fs::create_dir_all(&to)?;
    fs::write(from.join("small.txt"), "hello")?;
    fs::write(from.join("deep/large.img"), vec![7; 20 << 20])?;

    backup(&client, "bucket", "backup/", &from)?;
    fs::write(from.join("small.txt"), "hullo")?;
    backup(&client, "bucket", "backup/", &from)?;
    restore(&client, "bucket", "backup/", &to)?;
    assert_eq!(fs::read(to.join("small.txt"))?, b"hullo");
    assert_eq!(fs::metadata(to.join("deep/large.img"))?.len(), 20 << 20);
    let gone = client.run(DeleteMany::prefix("bucket", "backup/")).send()?;
    println!("{} objects deleted", gone.deleted);
    fs::remove_dir_all(root)?;
    Ok(())
}
