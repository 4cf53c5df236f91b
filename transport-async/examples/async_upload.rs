//! Uploads text, a file in parts, and a stream of unknown length.
//!
//! `cargo run --example async_upload` runs against a server in memory.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::fs::{self, File};

use apus_async::s3::{self, PutObject, Upload};
use apus_async::{Client, Keys, Source};
use apus_testing::server::{FaultyS3, S3Model};
use tokio::io::AsyncReadExt as _;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = FaultyS3::start(S3Model::new().with_bucket("bucket"))?;
    let service = s3::Service::custom(&server.endpoint(), "us-east-1")?;
    let client = Client::new(service, Keys::new("ACCESS_KEY", "SECRET_KEY"))?;

    client.call(PutObject::new("bucket", "hello.txt", "hello")).await?;

    let path = std::env::temp_dir().join("apus-upload-async");
    fs::write(&path, vec![7; 20 << 20])?;
    let upload = Upload::new("bucket", "disk.img").content_type("application/octet-stream");
    let done = client.run(upload).body(File::open(&path)?).send().await?;
    println!("{} bytes in {} parts, ETag {}", done.size, done.parts, done.etag);
    fs::remove_file(&path)?;

    let done = client
        .run(Upload::new("bucket", "stream"))
        .body(Source::stream(tokio::io::repeat(1).take(12 << 20)))
        .send()
        .await?;
    println!("{} bytes of a stream", done.size);
    Ok(())
}
