//! Uploads text, a file in parts, and a stream of unknown length.
//!
//! `cargo run --example upload` runs against a server in memory.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::fs::{self, File};
use std::io::{Read as _, repeat};

use apus_blocking::s3::{self, PutObject, Upload};
use apus_blocking::{Client, Keys, Source};
use apus_testing::server::{FaultyS3, S3Model};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = FaultyS3::start(S3Model::new().with_bucket("bucket"))?;
    let service = s3::Service::custom(&server.endpoint(), "us-east-1")?;
    let client = Client::new(service, Keys::new("ACCESS_KEY", "SECRET_KEY"))?;

    client.call(PutObject::new("bucket", "hello.txt", "hello"))?;

    let path = std::env::temp_dir().join("apus-upload-blocking");
    fs::write(&path, vec![7; 20 << 20])?;
    let upload = Upload::new("bucket", "disk.img").content_type("application/octet-stream");
    let done = client.run(upload).body(File::open(&path)?).send()?;
    println!("{} bytes in {} parts, ETag {}", done.size, done.parts, done.etag);
    fs::remove_file(&path)?;

    let done = client
        .run(Upload::new("bucket", "stream"))
        .body(Source::stream(repeat(1).take(12 << 20)))
        .send()?;
    println!("{} bytes of a stream", done.size);
    Ok(())
}
