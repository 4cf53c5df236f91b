//! Lists all objects of a prefix, and the folders of a bucket.
//!
//! `cargo run --example async_list` runs against a server in memory.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use apus_async::s3::{self, ListObjectsV2};
use apus_async::{Client, Keys};
use apus_testing::server::{FaultyS3, S3Model};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = S3Model::new().with_bucket("bucket");
    let model = (0..2_500)
        .fold(model, |model, at| model.with_object("bucket", &format!("logs/{at:05}"), "a line"));
    let server = FaultyS3::start(model)?;
    let service = s3::Service::custom(&server.endpoint(), "us-east-1")?;
    let client = Client::new(service, Keys::new("ACCESS_KEY", "SECRET_KEY"))?;

    // Three requests, each when the items of the one before are used up.
    let mut bytes = 0;
    let mut objects = client.items(ListObjectsV2::new("bucket").prefix("logs/"));
    while let Some(object) = objects.next().await {
        bytes += object?.size.unwrap_or_default();
    }
    println!("{bytes} bytes");

    // A delimiter gives common prefixes: these are in the pages.
    let folders = ListObjectsV2 { delimiter: Some("/".into()), ..ListObjectsV2::new("bucket") };
    let mut pages = client.pages(folders);
    while let Some(page) = pages.next().await {
        println!("{:?}", page?.common_prefixes);
    }
    Ok(())
}
