//! Backs a directory up to Swift, large files in segments, restores it with four workers, and deletes
//! the backup.
//!
//! `cargo run --example async_swift_backup` runs against a Keystone and a Swift in memory.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;

use apus_async::swift::{self, DeleteMany, Download, Entry, GetContainer, Upload};
use apus_async::{Client, KeyPaths, create_parents, keystone};
use apus_testing::server::{EmbeddedOpenStack, OpenStackModel};
use tokio::task::JoinSet;
use walkdir::WalkDir;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const PREFIX: &str = "today/";
/// In bytes. The ETag of an object in segments depends on their size.
const SEGMENT_SIZE: u64 = 8 << 20;

/// Uploads the files below `directory` that differ from what is stored.
async fn backup(client: &Client<swift::Service>, container: &str, directory: &Path) -> Result {
    let listed = client.items(GetContainer::new(container).prefix(PREFIX)).try_collect().await?;
    let stored: HashMap<_, _> = listed.iter().map(|entry| (entry.name(), entry)).collect();
    for file in WalkDir::new(directory) {
        let file = file?;
        if !file.file_type().is_file() {
            continue;
        }
        let name = file.path().strip_prefix(directory)?.to_str().ok_or("a name is not UTF-8")?;
        let (key, size) = (format!("{PREFIX}{name}"), file.metadata()?.len());
        if let Some(Entry::Object(object)) = stored.get(key.as_str())
            && object.bytes == Some(size)
            && object.is_of(File::open(file.path())?, SEGMENT_SIZE)?
        {
            continue;
        }
        let upload = Upload::new(container, &key).segment_size(SEGMENT_SIZE);
        client.run(upload).body(File::open(file.path())?).send().await?;
        println!("{key}: {size} bytes");
    }
    Ok(())
}

/// Downloads every object of the prefix to a file below `directory`, four at once.
async fn restore(client: &Client<swift::Service>, container: &str, directory: &Path) -> Result {
    let mut paths = KeyPaths::new(PREFIX);
    let mut objects = client.items(GetContainer::new(container).prefix(PREFIX));
    let mut running = JoinSet::new();
    while let Some(object) = objects.next().await {
        let key = object?.name().to_owned();
        let path = create_parents(directory, paths.path(&key)?)?;
        while running.len() >= 4 {
            running.join_next().await.transpose()?.transpose()?;
        }
        running.spawn(client.run(Download::new(container, key)).to_path(path)?.send());
    }
    running.join_all().await.into_iter().try_for_each(|done| done.map(drop).map_err(Into::into))
}

#[tokio::main]
async fn main() -> Result {
    let server = EmbeddedOpenStack::start(OpenStackModel::new())?;
    let user = keystone::User::named("demo", keystone::Domain::default_id());
    let scope = keystone::Scope::project_named("demo", keystone::Domain::default_id());
    let session = keystone::Session::password(&server.auth_url(), user, "demo-secret", scope)?;
    let client = Client::new(swift::Service::default(), session)?;
    client.call(swift::PutContainer::new("backups")).await?;

    let root = std::env::temp_dir().join(format!("apus-async-swift-backup-{}", std::process::id()));
    let (from, to) = (root.join("from"), root.join("to"));
    fs::create_dir_all(from.join("deep"))?;
    fs::create_dir_all(&to)?;
    fs::write(from.join("small.txt"), "hello")?;
    fs::write(from.join("deep/large.img"), vec![7; 40 << 20])?;

    backup(&client, "backups", &from).await?;
    println!("one file changes");
    fs::write(from.join("small.txt"), "hullo")?;
    backup(&client, "backups", &from).await?;
    restore(&client, "backups", &to).await?;
    assert_eq!(fs::read(to.join("small.txt"))?, b"hullo");
    assert_eq!(fs::metadata(to.join("deep/large.img"))?.len(), 40 << 20);
    let gone = client.run(DeleteMany::prefix("backups", PREFIX)).send().await?;
    println!("{} objects deleted", gone.deleted);
    fs::remove_dir_all(root)?;
    Ok(())
}
