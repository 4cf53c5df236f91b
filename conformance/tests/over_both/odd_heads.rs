//! Responses that are no HTTP/1.1, or nearly none: whatever a client makes of one, it has all bytes of
//! the object, or an error.

use std::sync::{Arc, Mutex};

use apus_core::Error;
use apus_core::checksum::Algorithm;
use apus_core::machine::{DownloadOptions, S3Download};
use apus_core::s3::{GetObject, ListObjectsV2, PutObject};

use crate::client::{Client, Setup, Target, Via, pattern};
use crate::ends::SwiftClient;
use crate::peer::Peer;

both! {
    an_odd_response_is_an_error_or_all_of_the_object,
}

/// A response that is right, before it is made an odd one.
struct Part {
    status: &'static str,
    fields: String,
    body: Vec<u8>,
}

impl Part {
    /// The response to a request with this head, of a server with one object, and a list of it.
    fn of(head: &str, object: &[u8]) -> Self {
        let line = head.lines().next().unwrap_or_default();
        let tag = tag(if line.starts_with("PUT") { b"hello" } else { object });
        let range = head.lines().find_map(|line| line.strip_prefix("range: bytes="));
        if line.starts_with("PUT") {
            return Self { status: "200 OK", fields: tag, body: Vec::new() };
        }
        if line.contains("list-type") {
            let body = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>key</Key>\
                        <Size>3000</Size></Contents></ListBucketResult>";
            return Self { status: "200 OK", fields: String::new(), body: body.into() };
        }
        let Some(range) = range else {
            return Self { status: "200 OK", fields: tag, body: object.to_vec() };
        };
        let (first, last) = range.trim().split_once('-').unwrap();
        let first: usize = first.parse().unwrap();
        let end = last.parse().map_or(object.len(), |last: usize| last + 1).min(object.len());
        let total = object.len();
        if first >= end {
            let fields = format!("Content-Range: bytes */{total}\r\n");
            return Self { status: "416 Range Not Satisfiable", fields, body: Vec::new() };
        }
        let fields = format!("{tag}Content-Range: bytes {first}-{}/{total}\r\n", end - 1);
        Self { status: "206 Partial Content", fields, body: object[first..end].to_vec() }
    }

    fn line(&self) -> String {
        format!("HTTP/1.1 {}\r\n", self.status)
    }

    /// With this line before the fields, these fields after them, and this as the body.
    fn all(&self, line: &str, more: &str, body: &[u8]) -> Vec<u8> {
        [line.as_bytes(), self.fields.as_bytes(), more.as_bytes(), b"\r\n", body].concat()
    }

    /// Whose length is told by these fields.
    fn told(&self, more: &str) -> Vec<u8> {
        let length = self.body.len().to_string();
        self.all(&self.line(), &more.replace("LENGTH", &length), &self.body)
    }

    /// In one chunk, with this in place of the line of its length, and this after its bytes.
    fn chunk(&self, line: &str, end: &str) -> Vec<u8> {
        let size = format!("{:x}", self.body.len());
        let (line, body) = (line.replace("SIZE", &size), &self.body);
        // An empty body has the last chunk alone.
        let chunk = match body.is_empty() {
            true => [end.strip_prefix("\r\n").unwrap_or(end).as_bytes()].concat(),
            false => [line.as_bytes(), body, end.as_bytes()].concat(),
        };
        self.all(&self.line(), "Transfer-Encoding: chunked\r\n", &chunk)
    }
}

/// What has to come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// It is right HTTP.
    Read,
    /// Nothing may be made of it.
    Refused,
    /// Nothing may be made of its body, where it has one.
    Garbled,
    /// Either of the two.
    Open,
}

use Expected::{Garbled, Open, Read, Refused};

type Make = fn(&Part) -> Vec<u8>;
type Case = (&'static str, Expected, Make);

const LENGTH: &str = "Content-Length: LENGTH\r\n";
const END: &str = "\r\n0\r\n\r\n";

const CASES: &[Case] = &[
    ("as usual", Read, |part| part.told(LENGTH)),
    ("in a chunk", Read, |part| part.chunk("SIZE\r\n", END)),
    ("no reason", Read, |part| part.all("HTTP/1.1 200\r\n", "Connection: close\r\n", &part.body)),
    ("after 103", Read, |part| {
        let early = "HTTP/1.1 103 Early Hints\r\nContent-Length: 7\r\n\r\n".repeat(20);
        [early.as_bytes(), &part.told(LENGTH)].concat()
    }),
    ("after 100 with a body", Refused, |part| {
        let early = b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello";
        [&early[..], &part.told(LENGTH)].concat()
    }),
    ("101", Refused, |part| {
        part.all(
            "HTTP/1.1 101 Switching Protocols\r\n",
            "Connection: upgrade\r\nUpgrade: h2c\r\n",
            b"",
        )
    }),
    ("101 and bytes", Refused, |part| {
        let line = "HTTP/1.1 101 Switching Protocols\r\n";
        part.all(line, &format!("Content-Length: {}\r\n", part.body.len()), &part.body)
    }),
    ("304 with a body", Refused, |part| {
        part.all("HTTP/1.1 304 Not Modified\r\n", "Content-Length: 5\r\n", b"hello")
    }),
    ("205", Refused, |part| {
        part.all("HTTP/1.1 205 Reset Content\r\n", "Content-Length: 0\r\n", b"")
    }),
    ("status 000", Refused, |part| {
        part.all("HTTP/1.1 000 OK\r\n", "Connection: close\r\n", &part.body)
    }),
    ("status 20", Refused, |part| {
        part.all("HTTP/1.1 20 OK\r\n", "Connection: close\r\n", &part.body)
    }),
    ("status 2000", Refused, |part| {
        part.all("HTTP/1.1 2000 OK\r\n", "Connection: close\r\n", &part.body)
    }),
    ("status 999", Refused, |part| {
        part.all("HTTP/1.1 999 OK\r\n", "Connection: close\r\n", &part.body)
    }),
    ("two blanks", Open, |part| {
        part.all("HTTP/1.1  200 OK\r\n", "Connection: close\r\n", &part.body)
    }),
    ("another protocol", Refused, |part| {
        part.all("ICY 200 OK\r\n", "Connection: close\r\n", &part.body)
    }),
    ("HTTP/2.0", Open, |part| part.all("HTTP/2.0 200 OK\r\n", "Connection: close\r\n", &part.body)),
    ("HTTP/0.9", Open, |part| part.body.clone()),
    ("HTTP/1.0", Open, |part| {
        let line = part.line().replace("1.1", "1.0");
        part.all(&line, &format!("Content-Length: {}\r\n", part.body.len()), &part.body)
    }),
    ("chunks in HTTP/1.0", Refused, |part| {
        let chunked = part.chunk("SIZE\r\n", END);
        [b"HTTP/1.0".as_slice(), &chunked[8..]].concat()
    }),
    ("an empty line first", Open, |part| [b"\r\n".as_slice(), &part.told(LENGTH)].concat()),
    ("line feeds alone", Open, |part| {
        let told = part.told(LENGTH);
        let end = told.len() - part.body.len();
        let head = String::from_utf8(told[..end].to_vec()).unwrap().replace("\r\n", "\n");
        [head.as_bytes(), &part.body].concat()
    }),
    ("the length twice", Open, |part| {
        part.told("Content-Length: LENGTH\r\nContent-Length: LENGTH\r\n")
    }),
    ("the length in a list", Open, |part| part.told("Content-Length: LENGTH, LENGTH\r\n")),
    ("two lengths", Refused, |part| part.told("Content-Length: LENGTH\r\nContent-Length: 7\r\n")),
    ("two lengths, turned round", Refused, |part| {
        part.told("Content-Length: 7\r\nContent-Length: LENGTH\r\n")
    }),
    ("an empty length too", Refused, |part| {
        part.told("Content-Length: LENGTH\r\nContent-Length:\r\n")
    }),
    ("a plus", Refused, |part| part.told("Content-Length: +LENGTH\r\n")),
    ("a minus", Refused, |part| part.told("Content-Length: -LENGTH\r\n")),
    ("hexadecimal", Refused, |part| part.told("Content-Length: 0xLENGTH\r\n")),
    ("beyond 64 bits", Refused, |part| part.told("Content-Length: 18446744073709551617\r\n")),
    ("zeros before the length", Open, |part| part.told("Content-Length: 000LENGTH\r\n")),
    ("a blank before the colon", Open, |part| part.told("Content-Length : LENGTH\r\n")),
    ("a length on two lines", Open, |part| part.told("Content-Length:\r\n LENGTH\r\n")),
    ("length and chunks", Refused, |part| {
        let chunked = String::from_utf8_lossy(&part.chunk("SIZE\r\n", END)).into_owned();
        let more = format!("Content-Length: {}\r\nTransfer-Encoding", part.body.len());
        match part.body.is_ascii() {
            true => chunked.replacen("Transfer-Encoding", &more, 1).into_bytes(),
            false => unreachable!("the object is ASCII"),
        }
    }),
    ("a blank before the colon of chunked", Refused, |part| {
        coded(part, "Transfer-Encoding : chunked\r\n")
    }),
    ("chunked on two lines", Open, |part| coded(part, "Transfer-Encoding:\r\n chunked\r\n")),
    ("chunked in other letters", Read, |part| coded(part, "tRANSFER-eNCODING: CHUNKED\r\n")),
    ("chunked twice", Refused, |part| {
        coded(part, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")
    }),
    ("chunked, chunked", Refused, |part| coded(part, "Transfer-Encoding: chunked, chunked\r\n")),
    ("gzip, chunked", Refused, |part| coded(part, "Transfer-Encoding: gzip, chunked\r\n")),
    ("chunked, identity", Refused, |part| coded(part, "Transfer-Encoding: chunked, identity\r\n")),
    ("xchunked", Refused, |part| coded(part, "Transfer-Encoding: xchunked\r\n")),
    ("a vertical tab before chunked", Refused, |part| {
        coded(part, "Transfer-Encoding: \u{b}chunked\r\n")
    }),
    ("zeros before the size", Open, |part| part.chunk("0000000SIZE\r\n", END)),
    ("17 digits", Open, |part| part.chunk("00000000000000SIZE\r\n", END)),
    ("a size beyond 64 bits", Garbled, |part| part.chunk("10000000000000SIZE\r\n", "\r\n")),
    ("a size that is negative", Garbled, |part| part.chunk("-SIZE\r\n", "\r\n")),
    ("a size with a blank before", Open, |part| part.chunk(" SIZE\r\n", END)),
    ("a size with a blank after", Open, |part| part.chunk("SIZE \r\n", END)),
    ("a size with an underscore", Garbled, |part| part.chunk("SI_ZE\r\n", "\r\n")),
    ("an extension", Read, |part| part.chunk("SIZE;a=\"b\"\r\n", END)),
    ("an extension with a line feed", Open, |part| part.chunk("SIZE;a=\nb\r\n", END)),
    ("a line feed after the size", Open, |part| part.chunk("SIZE\n", END)),
    ("a line feed after the chunk", Open, |part| part.chunk("SIZE\r\n", "\n0\r\n\r\n")),
    ("no end of the chunk", Open, |part| part.chunk("SIZE\r\n", "0\r\n\r\n")),
    ("no last line", Open, |part| part.chunk("SIZE\r\n", "\r\n0\r\n")),
    ("no last chunk", Open, |part| part.chunk("SIZE\r\n", "\r\n")),
    ("trailers", Read, |part| part.chunk("SIZE\r\n", "\r\n0\r\nx-a: b\r\nx-c: d\r\n\r\n")),
    ("trailers that delimit", Open, |part| {
        part.chunk("SIZE\r\n", "\r\n0\r\nContent-Length: 3\r\nTransfer-Encoding: gzip\r\n\r\n")
    }),
    ("a field without a colon", Open, |part| part.told("Content-Length LENGTH\r\nno colon\r\n")),
    ("NUL in a field", Open, |part| part.told("Content-Length: LENGTH\r\nx-a: b\0c\r\n")),
    ("a control byte in a field", Open, |part| {
        part.told("Content-Length: LENGTH\r\nx-a: b\u{1b}[2Jc\r\n")
    }),
    ("a carriage return in a field", Open, |part| {
        part.told("x-a: b\rContent-Length: 7\r\nContent-Length: LENGTH\r\n")
    }),
    ("NUL in the length", Refused, |part| part.told("Content-Length: LENGTH\0\r\n")),
    ("NUL in a name", Open, |part| part.told("Content-Length: LENGTH\r\nx\0a: b\r\n")),
    ("no name", Open, |part| part.told("Content-Length: LENGTH\r\n: b\r\n")),
    ("umlauts in a field", Read, |part| part.told("Content-Length: LENGTH\r\nx-a: ä\r\n")),
    ("umlauts in the length", Refused, |part| part.told("Content-Length: ä\r\n")),
];

/// In one chunk, whose coding is told by these fields.
fn coded(part: &Part, fields: &str) -> Vec<u8> {
    let chunked = String::from_utf8(part.chunk("SIZE\r\n", END)).unwrap();
    chunked.replacen("Transfer-Encoding: chunked\r\n", fields, 1).into_bytes()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Reader {
    Call,
    Download(usize),
    Listing,
    Put,
    Swift,
    SwiftDownload(usize),
}

const READERS: [Reader; 8] = [
    Reader::Call,
    Reader::Download(1),
    Reader::Download(4),
    Reader::Listing,
    Reader::Put,
    Reader::Swift,
    Reader::SwiftDownload(1),
    Reader::SwiftDownload(4),
];

fn read(s3: &Client, swift: &SwiftClient, reader: Reader, object: &[u8]) -> Result<bool, Error> {
    let options = |concurrency| DownloadOptions {
        range_size: 500,
        concurrency,
        ..DownloadOptions::default()
    };
    match reader {
        Reader::Call => {
            s3.call(GetObject::new("bucket", "key")).map(|output| output.body == object)
        }
        Reader::Download(concurrency) => {
            let get = GetObject::new("bucket", "key");
            let download = S3Download::new(get, Arc::clone(&s3.service), options(concurrency), 7);
            let (result, sink) = s3.run_into(download, Target::Memory);
            result.map(|_| sink == object)
        }
        Reader::Listing => {
            let list = s3.call(ListObjectsV2::new("bucket"));
            list.map(|output| output.contents.len() == 1 && output.contents[0].key == "key")
        }
        Reader::Put => {
            let put = PutObject::new("bucket", "put", "hello");
            s3.call(put).map(|stored| !stored.etag.is_empty())
        }
        Reader::Swift => swift.get().map(|body| body == object),
        Reader::SwiftDownload(concurrency) => {
            swift.download(options(concurrency)).map(|sink| sink == object)
        }
    }
}

fn an_odd_response_is_an_error_or_all_of_the_object(via: Via) {
    // Letters alone, so that nothing of it is an HTTP head or a chunk.
    let object: Vec<u8> = pattern(3000).iter().map(|byte| b'g' + byte % 20).collect();
    let odd: Arc<Mutex<Make>> = Arc::new(Mutex::new(CASES[0].2));
    let (shared, bytes) = (Arc::clone(&odd), object.clone());
    let peer = Peer::start(move |speech| {
        if speech.head.starts_with("HEAD /bucket/put ") {
            // Of the length that is sent, and no proof whose it is.
            return speech.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"opaque\"\r\n\r\n");
        }
        if speech.head.starts_with("HEAD") {
            let length = bytes.len();
            return speech.say(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{}\r\n",
                tag(&bytes)
            ));
        }
        let part = Part::of(&speech.head, &bytes);
        let answer = (shared.lock().unwrap())(&part);
        speech.say(answer)
    });
    for (name, result, make) in CASES {
        *odd.lock().unwrap() = *make;
        for reader in READERS {
            // Each with a budget of retries of its own.
            let s3 = Setup::of(&peer).with(|config| config.retry_policy.attempts = 2).client(via);
            let swift = SwiftClient::of(&peer, via);
            let what = format!("{name}, {reader:?}");
            match read(&s3, &swift, reader, &object) {
                Ok(right) => {
                    assert!(right, "{what}: wrong bytes");
                    assert_ne!(*result, Refused, "{what}");
                    assert!(*result != Garbled || reader == Reader::Put, "{what}");
                }
                Err(error) => {
                    assert_ne!(*result, Read, "{what}: {error}");
                    // A success that can't be read may have been carried out.
                    let refused = error.status().is_some_and(|status| !status.is_success());
                    let known = refused || reader != Reader::Put;
                    assert!(known || error.outcome_unknown(), "{what}: {error}");
                }
            }
        }
    }
}

fn tag(bytes: &[u8]) -> String {
    format!("ETag: \"{}\"\r\n", Algorithm::Md5.digest(bytes).unwrap().hex())
}
