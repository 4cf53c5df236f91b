//! Makes a URL that needs no keys, and uses it.
//!
//! `cargo run --example presign` runs against a server in memory.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use apus_blocking::s3::{self, GetObject};
use apus_blocking::{Client, Keys};
use apus_testing::server::{FaultyS3, S3Model};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = S3Model::new().with_bucket("bucket");
    let server = FaultyS3::start(model.with_object("bucket", "hello.txt", "hello"))?;
    let service = s3::Service::custom(&server.endpoint(), "us-east-1")?;
    let client = Client::new(service, Keys::new("ACCESS_KEY", "SECRET_KEY"))?;

    let get = GetObject::new("bucket", "hello.txt");
    let signed = client.presign(get, Duration::from_secs(3600))?;
    println!("{}", signed.url);

    // Any HTTP client can use it.
    let path = signed.url.strip_prefix(&server.endpoint()).ok_or("another server")?;
    let mut stream = TcpStream::connect(server.address())?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        server.address()
    )?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    println!("{}", response.lines().last().unwrap_or_default());
    Ok(())
}
