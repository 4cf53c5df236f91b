//! Backs a directory up to S3, restores it with four workers, and deletes the backup.
//!
//! `cargo run --example backup` runs against a server in memory.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use apus_blocking::s3::{self, DeleteMany, Download, ListObjectsV2, Upload};
use apus_blocking::{Client, KeyPaths, Keys, create_parents};
use apus_testing::server::{FaultyS3, S3Model};
use walkdir::WalkDir;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const PREFIX: &str = "today/";
/// In bytes. The ETag of an object in parts depends on their size.
const PART_SIZE: u64 = 8 << 20;

/// Uploads the files below `directory` that differ from what is stored.
fn backup(client: &Client<s3::Service>, bucket: &str, directory: &Path) -> Result {
    let listed = client.items(ListObjectsV2::new(bucket).prefix(PREFIX)).try_collect()?;
    let stored: HashMap<_, _> = listed.iter().map(|object| (object.key.as_str(), object)).collect();
    for file in WalkDir::new(directory) {
        let file = file?;
        if !file.file_type().is_file() {
            continue;
        }
        let name = file.path().strip_prefix(directory)?.to_str().ok_or("a name is not UTF-8")?;
        let (key, size) = (format!("{PREFIX}{name}"), file.metadata()?.len());
        if let Some(object) = stored.get(key.as_str())
            && object.size == Some(size)
            && object.is_of(File::open(file.path())?, PART_SIZE)?
        {
            continue;
        }
        let upload = Upload::new(bucket, &key).part_size(PART_SIZE);
        client.run(upload).body(File::open(file.path())?).send()?;
        println!("{key}: {size} bytes");
    }
    Ok(())
}

/// Downloads every object of the prefix to a file below `directory`, four at once.
fn restore(client: &Client<s3::Service>, bucket: &str, directory: &Path) -> Result {
    let (mut paths, mut plan) = (KeyPaths::new(PREFIX), Vec::new());
    for object in client.items(ListObjectsV2::new(bucket).prefix(PREFIX)) {
        let key = object?.key;
        plan.push((create_parents(directory, paths.path(&key)?)?, key));
    }
    let plan = Mutex::new(plan.into_iter());
    let next = || plan.lock().ok()?.next();
    let worker = || -> Result {
        while let Some((path, key)) = next() {
            client.run(Download::new(bucket, key)).to_path(path)?.send()?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers = [(); 4].map(|()| scope.spawn(worker));
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })
}

fn main() -> Result {
    let server = FaultyS3::start(S3Model::new().with_bucket("backups"))?;
    let service = s3::Service::custom(&server.endpoint(), "us-east-1")?;
    let client = Client::new(service, Keys::new("ACCESS_KEY", "SECRET_KEY"))?;

    let root = std::env::temp_dir().join(format!("apus-backup-{}", std::process::id()));
    let (from, to) = (root.join("from"), root.join("to"));
    fs::create_dir_all(from.join("deep"))?;
    fs::create_dir_all(&to)?;
    fs::write(from.join("small.txt"), "hello")?;
    fs::write(from.join("deep/large.img"), vec![7; 20 << 20])?;

    backup(&client, "backups", &from)?;
    println!("one file changes");
    fs::write(from.join("small.txt"), "hullo")?;
    backup(&client, "backups", &from)?;
    restore(&client, "backups", &to)?;
    assert_eq!(fs::read(to.join("small.txt"))?, b"hullo");
    assert_eq!(fs::metadata(to.join("deep/large.img"))?.len(), 20 << 20);
    let gone = client.run(DeleteMany::prefix("backups", PREFIX)).send()?;
    println!("{} objects deleted", gone.deleted);
    fs::remove_dir_all(root)?;
    Ok(())
}
