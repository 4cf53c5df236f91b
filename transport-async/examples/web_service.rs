//! A web service that stores what it is sent and returns it: `PUT /name` and `GET /name`, with ranges
//! and conditional requests. Every download is one GET, a client that goes away cancels its transfer,
//! and the progress of every transfer is printed.
//!
//! `cargo run --example web_service` runs against a server in memory, sends itself one request of
//! each kind, and ends. With the argument `serve` it serves until it is stopped.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows what it does")]

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use apus_async::http::{Method, Request, Response, StatusCode, header};
use apus_async::s3::{self, Download, Downloaded, Upload};
use apus_async::{
    ByteRange, Bytes, Client, Conditions, ETag, Event, Keys, Now, Observer, Reader, Source,
};
use apus_testing::server::{FaultyS3, S3Model};
use futures_core::Stream;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The body of a response: the bytes of a download, or a text.
enum Payload {
    Object(Box<Reader<Downloaded>>),
    Text(Option<Bytes>),
}

impl Body for Payload {
    type Data = Bytes;
    type Error = apus_async::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, apus_async::Error>>> {
        match &mut *self {
            // A download that fails half-way ends the connection, so that nobody takes it for whole.
            Self::Object(reader) => Pin::new(reader)
                .poll_next(cx)
                .map(|piece| piece.map(|piece| piece.map(Frame::data))),
            Self::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
        }
    }
}

/// Prints how many bytes of one transfer have passed.
struct Progress {
    name: String,
    bytes: AtomicU64,
}

impl Progress {
    fn of(name: &str) -> Arc<Self> {
        Arc::new(Self { name: name.to_owned(), bytes: AtomicU64::new(0) })
    }
}

impl Observer for Progress {
    fn event(&self, _: Now, event: &Event<'_>) {
        if let Event::Sent { bytes } | Event::Received { bytes } = event {
            let passed = self.bytes.fetch_add(*bytes, Ordering::Relaxed) + bytes;
            println!("{}: {passed} bytes", self.name);
        }
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Payload> {
    let mut response = Response::new(Payload::Text(Some(text.into())));
    *response.status_mut() = status;
    response
}

fn failed(error: &apus_async::Error) -> Response<Payload> {
    let status = match error.status() {
        Some(status) if status.is_client_error() || status == StatusCode::NOT_MODIFIED => status,
        _ => StatusCode::BAD_GATEWAY,
    };
    text(status, error.to_string())
}

async fn handle(
    client: Client<s3::Service>,
    request: Request<Incoming>,
) -> Result<Response<Payload>> {
    let key = request.uri().path().trim_start_matches('/').to_owned();
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    match *request.method() {
        Method::PUT => {
            let source = Source::http_body(request.into_body());
            let progress = Progress::of(&key);
            let upload = client.run(Upload::new("bucket", key)).with_observer(progress);
            // Dropped with the request, this is cancelled and leaves nothing on the server.
            let upload = upload.body(source).send().await;
            Ok(upload.map_or_else(
                |error| failed(&error),
                |done| text(StatusCode::CREATED, format!("{} bytes\n", done.size)),
            ))
        }
        Method::GET => {
            let progress = Progress::of(&key);
            let mut download = Download::new("bucket", key).conditions(Conditions {
                if_none_match: header("if-none-match").map(ETag::from),
                ..Conditions::default()
            });
            let range = header("range").and_then(ByteRange::parse);
            if let Some(range) = range.clone() {
                download = download.range(range);
            }
            let (head, reader) = match client.run(download).with_observer(progress).open().await {
                Ok(opened) => opened,
                Err(error) => return Ok(failed(&error)),
            };
            let mut response = Response::builder();
            if let Some(etag) = &head.etag {
                response = response.header(header::ETAG, etag.as_str());
            }
            if let Some(size) = head.size {
                let span = match range.map(|range| range.resolve(size)) {
                    Some(Some(span)) => {
                        let value = format!("bytes {}-{}/{size}", span.start, span.end - 1);
                        let status = StatusCode::PARTIAL_CONTENT;
                        response = response.status(status).header(header::CONTENT_RANGE, value);
                        span
                    }
                    _ => 0..size,
                };
                response = response.header(header::CONTENT_LENGTH, span.end - span.start);
            }
            Ok(response.body(Payload::Object(Box::new(reader)))?)
        }
        _ => Ok(text(StatusCode::METHOD_NOT_ALLOWED, "GET or PUT\n")),
    }
}

async fn serve(listener: TcpListener, client: Client<s3::Service>) -> Result {
    loop {
        let (stream, _) = listener.accept().await?;
        let client = client.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| handle(client.clone(), request));
            if let Err(error) =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
            {
                eprintln!("{error}");
            }
        });
    }
}

#[tokio::main]
async fn main() -> Result {
    let server = FaultyS3::start(S3Model::new().with_bucket("bucket"))?;
    let service = s3::Service::custom(&server.endpoint(), "us-east-1")?;
    let client = Client::new(service, Keys::new("ACCESS_KEY", "SECRET_KEY"))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("http://{address}");
    let serving = tokio::spawn(serve(listener, client));
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return serving.await?;
    }
    for request in [
        "PUT /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\nRange: bytes=1-3\r\n\r\n",
        "GET /none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        let line = |at| response.lines().nth(at).unwrap_or_default();
        println!("{} … {}", line(0), response.lines().last().unwrap_or_default());
    }
    Ok(())
}
