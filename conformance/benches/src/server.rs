//! The server of the races: it drops what it receives and serves bytes of its own, on persistent
//! connections. It runs as a process of its own, so that the CPU time of the measuring process is
//! the client's alone.
//!
//! ```text
//!  PUT              the body is dropped; an ETag, and the checksum that came is sent back
//!  POST ?uploads    an upload id
//!  POST ?uploadId   the upload is complete
//!  GET ?list-type   1,000 objects
//!  GET, HEAD        /bucket/small: 1 KiB; anything else: as many bytes as it was started with
//! ```

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::machine::{Side, pin};

/// A server in a process of its own. Dropping it ends the process.
pub struct Server {
    process: Child,
    /// `http://127.0.0.1:PORT`, or with https.
    pub url: String,
    /// Its certificate, over https.
    pub certificate: String,
}

impl Server {
    /// Starts one whose large object has `size` bytes. The program's `main` must have called
    /// [`serve_if_told`] first.
    ///
    /// # Panics
    ///
    /// The server does not start.
    pub fn start(scheme: &str, size: u64) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([SERVE, scheme, &size.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let url = format!("{scheme}://{}", lines.next().unwrap());
        let certificate = lines.take_while(|line| line != READY).map(|line| line + "\n").collect();
        Self { process, url, certificate }
    }

    /// `127.0.0.1:PORT`.
    pub fn authority(&self) -> &str {
        self.url.split("//").nth(1).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs the server for ever, if the command line says so.
///
/// # Panics
///
/// The server can't listen.
pub fn serve_if_told() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(SERVE) {
        return;
    }
    pin(Side::Server);
    let scheme = arguments.next().unwrap();
    let size = arguments.next().unwrap().parse().unwrap();
    let content = Arc::new(Content::new(size));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    let tls = (scheme == "https").then(|| {
        let (config, certificate) = tls();
        print!("{certificate}");
        config
    });
    println!("{READY}");
    for stream in listener.incoming() {
        let (stream, content, tls) = (stream.unwrap(), Arc::clone(&content), tls.clone());
        stream.set_nodelay(true).unwrap();
        // A connection ends with an error when the client hangs up.
        thread::spawn(move || match tls {
            None => converse(stream, &content),
            Some(config) => {
                let session = rustls::ServerConnection::new(config).unwrap();
                converse(rustls::StreamOwned::new(session, stream), &content)
            }
        });
    }
}

fn tls() -> (Arc<rustls::ServerConfig>, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (Arc::new(config), made.cert.pem())
}

/// The content that it serves: one mebibyte, repeated.
struct Content {
    size: u64,
    mebibyte: Vec<u8>,
    crc64nvme: String,
    listing: String,
}

impl Content {
    fn new(size: u64) -> Self {
        let mebibyte: Vec<u8> = (0..MEBIBYTE).map(|at| (at * 31 + at / 251) as u8).collect();
        let mut left = size;
        let mut hasher =
            apus_core::checksum::Hasher::new(apus_core::checksum::Algorithm::Crc64Nvme).unwrap();
        while left > 0 {
            let piece = left.min(MEBIBYTE);
            hasher.update(&mebibyte[..piece as usize]);
            left -= piece;
        }
        let objects = (0..1_000).map(|at| {
            format!(
                "<Contents><Key>tables/events/day={at:04}/part-{at:08}.parquet</Key>\
                 <LastModified>2026-11-21T12:00:00.000Z</LastModified>\
                 <ETag>&quot;9a0364b9e99bb480dd25e1f0284c8555&quot;</ETag>\
                 <Size>{at}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            )
        });
        let objects: String = objects.collect();
        let listing = format!(
            "<ListBucketResult><Name>bucket</Name><Prefix></Prefix><KeyCount>1000</KeyCount>\
             <MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>{objects}</ListBucketResult>"
        );
        Self { size, mebibyte, crc64nvme: hasher.finish().base64(), listing }
    }

    /// Writes these bytes of the content.
    fn write(&self, out: &mut impl Write, start: u64, end: u64) -> io::Result<()> {
        let mut at = start;
        while at < end {
            let within = at % MEBIBYTE;
            let until = MEBIBYTE.min(within + (end - at));
            out.write_all(&self.mebibyte[within as usize..until as usize])?;
            at += until - within;
        }
        Ok(())
    }
}

fn converse(mut stream: impl Read + Write, content: &Content) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    let mut filled = 0;
    loop {
        let end = loop {
            if let Some(at) = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            match stream.read(&mut buffer[filled..])? {
                0 => return Ok(()),
                read => filled += read,
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        if value(&head, "expect").is_some() {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let length: usize = value(&head, "content-length").map_or(0, |text| text.parse().unwrap());
        let had = length.min(filled - end);
        buffer.copy_within(end + had..filled, 0);
        filled -= end + had;
        let mut left = length - had;
        while left > 0 {
            let room = left.min(buffer.len());
            match stream.read(&mut buffer[..room])? {
                0 => return Ok(()),
                read => left -= read,
            }
        }
        answer(&mut stream, &head, content)?;
        stream.flush()?;
    }
}

fn answer(stream: &mut impl Write, head: &str, content: &Content) -> io::Result<()> {
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match method {
        "GET" if target.contains("list-type") => {
            let (listing, length) = (&content.listing, content.listing.len());
            write!(stream, "HTTP/1.1 200 OK\r\n{USUAL}content-length: {length}\r\n\r\n{listing}")
        }
        "GET" | "HEAD" => {
            let size = if target.contains("/small") { 1024 } else { content.size };
            let range = value(head, "range").and_then(|range| {
                let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
                Some((first.parse().ok()?, last.parse().map_or(size, |last: u64| last + 1)))
            });
            let (start, end) = range.map_or((0, size), |(start, end)| (start, end.min(size)));
            let mut out = match range {
                Some(_) => format!(
                    "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {start}-{}/{size}\r\n",
                    end - 1
                ),
                None => "HTTP/1.1 200 OK\r\n".to_owned(),
            };
            if value(head, "x-amz-checksum-mode").is_some() && size == content.size {
                out += &format!(
                    "x-amz-checksum-crc64nvme: {}\r\nx-amz-checksum-type: FULL_OBJECT\r\n",
                    content.crc64nvme
                );
            }
            out += &format!("{USUAL}{TAG}content-length: {}\r\n\r\n", end - start);
            let whole = method == "GET";
            if whole && end - start <= 1024 {
                // A short response in one piece.
                let mut bytes = out.into_bytes();
                content.write(&mut bytes, start, end)?;
                return stream.write_all(&bytes);
            }
            stream.write_all(out.as_bytes())?;
            if whole { content.write(stream, start, end) } else { Ok(()) }
        }
        "PUT" => {
            let mut out = format!("HTTP/1.1 200 OK\r\n{USUAL}{TAG}");
            if let Some(crc) = value(head, "x-amz-checksum-crc64nvme") {
                out += &format!("x-amz-checksum-crc64nvme: {crc}\r\n");
            }
            out += "content-length: 0\r\n\r\n";
            stream.write_all(out.as_bytes())
        }
        "POST" => {
            let body = if target.contains("uploads") {
                "<InitiateMultipartUploadResult><UploadId>one</UploadId>\
                 </InitiateMultipartUploadResult>"
            } else {
                "<CompleteMultipartUploadResult><ETag>\"abc-1\"</ETag>\
                 </CompleteMultipartUploadResult>"
            };
            let length = body.len();
            write!(stream, "HTTP/1.1 200 OK\r\n{USUAL}content-length: {length}\r\n\r\n{body}")
        }
        _ => write!(stream, "HTTP/1.1 204 No Content\r\n{USUAL}\r\n"),
    }
}

/// Returns the value of a header. Names are compared as the HTTP/1.1 clients here write them.
fn value<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (have, value) = line.split_once(':')?;
        have.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The headers of every response of S3.
const USUAL: &str = "x-amz-id-2: 8Kp0dZ1sJ3kq7qkqVQ4nO5H6b0s3W9wq0bq2o5Uo4s2b\r\n\
                     x-amz-request-id: 4442587FB7D0A2F9\r\n\
                     date: Sun, 22 Nov 2026 12:00:00 GMT\r\nserver: AmazonS3\r\n";
const TAG: &str = "last-modified: Sat, 21 Nov 2026 12:00:00 GMT\r\naccept-ranges: bytes\r\n\
                   etag: \"9a0364b9e99bb480dd25e1f0284c8555\"\r\n";
const MEBIBYTE: u64 = 1 << 20;
const SERVE: &str = "--serve";
const READY: &str = "ready";
