//! Uploads to Swift in segments, with a token from Keystone, and deletes the object with its segments.
//!
//! `cargo run --example async_swift` runs against a Keystone and a Swift in memory.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use apus_async::keystone::{Domain, Scope, Session, User};
use apus_async::swift::{Delete, Download, GetContainer, PutContainer, Upload};
use apus_async::{Client, Sink, swift};
use apus_testing::server::{EmbeddedOpenStack, OpenStackModel};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = EmbeddedOpenStack::start(OpenStackModel::new())?;
    let user = User::named("demo", Domain::default_id());
    let scope = Scope::project_named("demo", Domain::default_id());
    let session = Session::password(&server.auth_url(), user, "demo-secret", scope)?;
    let client = Client::new(swift::Service::default(), session)?;

    client.call(PutContainer::new("images")).await?;
    let upload = Upload::new("images", "disk.img").threshold(1 << 20).segment_size(1 << 20);
    let done = client.run(upload).body(vec![7; 5 << 20]).send().await?;
    println!("{} bytes in {} segments", done.size, done.segments);

    let sink = Sink::memory();
    let read = client.run(Download::new("images", "disk.img")).write_to(&sink).send().await?;
    println!("{} bytes, {}", read.bytes, read.validation);

    let mut entries = client.items(GetContainer::new("images"));
    while let Some(entry) = entries.next().await {
        println!("{}", entry?.name());
    }

    let gone = client.run(Delete::new("images", "disk.img")).send().await?;
    println!("{} objects deleted", gone.deleted);
    Ok(())
}
