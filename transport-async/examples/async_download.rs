//! Downloads an object to a file, a range of it, and its bytes after its size.
//!
//! `cargo run --example async_download` runs against a server in memory.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use apus_async::s3::{self, Download};
use apus_async::{Client, Keys, Sink};
use apus_testing::server::{FaultyS3, S3Model};
use tokio::io::AsyncReadExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = S3Model::new().with_bucket("bucket");
    let server = FaultyS3::start(model.with_object("bucket", "disk.img", vec![7; 20 << 20]))?;
    let service = s3::Service::custom(&server.endpoint(), "us-east-1")?;
    let client = Client::new(service, Keys::new("ACCESS_KEY", "SECRET_KEY"))?;

    // The file is written completely or not at all.
    let path = std::env::temp_dir().join("apus-download-async");
    let download = Download::new("bucket", "disk.img").concurrency(4);
    let done = client.run(download).to_path(&path)?.send().await?;
    println!("{} bytes, {}", done.bytes, done.validation);
    std::fs::remove_file(&path)?;

    let sink = Sink::memory();
    client.run(Download::new("bucket", "disk.img").range(10..20)).write_to(&sink).send().await?;
    println!("{:?}", sink.take());

    // The metadata comes before the first byte.
    let (head, mut reader) = client.run(Download::new("bucket", "disk.img")).open().await?;
    println!("{:?} bytes, ETag {:?}", head.size, head.etag);
    let mut first = [0; 16];
    reader.read_exact(&mut first).await?;
    Ok(())
}
