//! Copies an object on the server, and deletes by prefix.
//!
//! `cargo run --example copy` runs against a server in memory.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use apus_blocking::s3::{self, CreateBucket, DeleteMany, ServerCopy};
use apus_blocking::{Client, Keys};
use apus_testing::server::{FaultyS3, S3Model};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = S3Model::new().with_bucket("images");
    let server = FaultyS3::start(model.with_object("images", "debian", vec![7; 1 << 20]))?;
    let service = s3::Service::custom(&server.endpoint(), "us-east-1")?;
    let client = Client::new(service, Keys::new("ACCESS_KEY", "SECRET_KEY"))?;

    client.call(CreateBucket::new("backup"))?;
    for day in 1..=3 {
        let copy = ServerCopy::new(("images", "debian"), ("backup", format!("2026-12-0{day}")));
        let done = client.run(copy).send()?;
        println!("{} bytes copied", done.size);
    }

    let done = client.run(DeleteMany::prefix("backup", "2026-12-")).send()?;
    println!("{} deleted", done.deleted);
    for error in done.errors {
        eprintln!("{}: {}", error.key, error.message.unwrap_or_default());
    }
    Ok(())
}
