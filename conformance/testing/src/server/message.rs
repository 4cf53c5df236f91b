//! Requests, and responses with their faults, as plain data.

use std::time::Duration;

use bytes::Bytes;

/// A request as it was received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// Method, as sent.
    pub method: String,
    /// Request target, as sent: path and query in origin form.
    pub target: String,
    /// Header names and values in their order and case. Bytes that are no UTF-8 are replaced;
    /// [`raw_head`](Self::raw_head) has them.
    pub headers: Vec<(String, String)>,
    /// Request line and headers, byte for byte, with the empty line; empty without a socket.
    pub raw_head: Bytes,
    /// The body without HTTP's chunks; it still has `aws-chunked` frames.
    pub body: Bytes,
    /// The body as it was framed, if it came with `Transfer-Encoding: chunked`.
    pub raw_body: Option<Bytes>,
    /// Whether the whole body was read.
    pub complete: bool,
    /// Number of the connection, from 1.
    pub connection: usize,
    /// Number of the request on its connection, from 1.
    pub sequence: usize,
}

impl Request {
    /// Creates a whole request that came over no socket.
    pub fn new(method: impl Into<String>, target: impl Into<String>) -> Self {
        Self { method: method.into(), target: target.into(), complete: true, ..Self::default() }
    }

    /// Creates a whole request that came over no socket, from the head and body of an exchange.
    pub fn from_parts(parts: &http::request::Parts, body: Bytes) -> Self {
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut request = Self::new(parts.method.as_str(), target);
        for (name, value) in &parts.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            request.headers.push((name.as_str().to_owned(), value.into_owned()));
        }
        if let (Some(authority), None) = (parts.uri.authority(), request.header("host")) {
            request.headers.push(("host".to_owned(), authority.to_string()));
        }
        request.body = body;
        request
    }

    /// Adds a header.
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Returns the first value of a header; the name's case does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// Whether the client waits for `100 Continue` (RFC 9110, section 10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }

    /// Returns the target's path, still escaped.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// Returns the target's query, still escaped; empty without a query.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}

/// A response and its faults.
///
/// `Content-Length` is the body's, unless [`headers`](Self::headers) has one, which is then sent as
/// it is, right or wrong. The body is not sent in response to HEAD, nor with 204 and 304.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Header names and values, in the order in which they are sent.
    pub headers: Vec<(String, String)>,
    /// Body, before any transfer coding.
    pub body: Bytes,
    /// How the end of the body is indicated.
    pub framing: Framing,
    /// What is done with the request's body before the response.
    pub intake: BodyReading,
    /// Time to wait before the head.
    pub delay: Duration,
    /// Limits the rate of the body.
    pub pace: Option<Pace>,
    /// Ends the connection early.
    pub cut: Option<Cut>,
    /// Ends the connection after the whole response, without announcing it.
    pub then_close: bool,
}

impl Reply {
    /// Creates a response without a body.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            framing: Framing::Length,
            intake: BodyReading::Whole,
            delay: Duration::ZERO,
            pace: None,
            cut: None,
            then_close: false,
        }
    }

    /// Creates a response with an XML document as its body.
    pub fn xml(status: u16, document: impl Into<Bytes>) -> Self {
        Self::new(status).header("Content-Type", "application/xml").body(document)
    }

    /// Ends the connection without a response, after the whole request was read.
    pub fn none(ending: Ending) -> Self {
        Self::new(200).cut(Cut::Head(ending))
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Replaces all values of a header by this one.
    pub fn replace_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.header(name, value)
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets how the end of the body is indicated.
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// Sets what is done with the request's body before the response.
    pub fn intake(mut self, intake: BodyReading) -> Self {
        self.intake = intake;
        self
    }

    /// Waits before the head.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sends the body `bytes` at a time, with a pause of `every` before each.
    pub fn pace(mut self, bytes: usize, every: Duration) -> Self {
        self.pace = Some(Pace { bytes, every });
        self
    }

    /// Ends the connection early.
    pub fn cut(mut self, cut: Cut) -> Self {
        self.cut = Some(cut);
        self
    }

    /// Ends the connection after the whole response, without announcing it.
    pub fn then_close(mut self) -> Self {
        self.then_close = true;
        self
    }

    /// Returns the first value of a header; the name's case does not matter.
    pub fn find_header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// Returns the head as a client gets it; names and values that are no valid header are left
    /// out.
    pub fn parts(&self) -> http::response::Parts {
        let (mut parts, ()) = http::Response::new(()).into_parts();
        parts.status = http::StatusCode::from_u16(self.status).unwrap_or_default();
        for (name, value) in self.wire_headers() {
            let name = http::HeaderName::from_bytes(name.as_bytes());
            let value = http::HeaderValue::from_bytes(value.as_bytes());
            if let (Ok(name), Ok(value)) = (name, value) {
                parts.headers.append(name, value);
            }
        }
        parts
    }

    /// Returns the headers with the one that indicates the end of the body.
    pub(super) fn wire_headers(&self) -> Vec<(String, String)> {
        let mut headers = self.headers.clone();
        let bodiless = matches!(self.status, 100..=199 | 204 | 304);
        match self.framing {
            Framing::Length if bodiless || self.find_header("content-length").is_some() => {}
            Framing::Length => {
                headers.push(("Content-Length".to_owned(), self.body.len().to_string()));
            }
            Framing::Chunked(_) => {
                headers.push(("Transfer-Encoding".to_owned(), "chunked".to_owned()));
            }
            Framing::Close => headers.push(("Connection".to_owned(), "close".to_owned())),
        }
        headers
    }
}

/// How a response indicates where its body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By `Content-Length`.
    Length,
    /// By `Transfer-Encoding: chunked`, in chunks of at most this many bytes.
    Chunked(usize),
    /// By closing the connection.
    Close,
}

/// What is done with a request's body before the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyReading {
    /// The body is read, after `100 Continue` where the client waits for that.
    Whole,
    /// The body is read, but `100 Continue` is never sent.
    Unasked,
    /// The response comes first; then the body is read and the connection kept. The record of the
    /// request has its body only then.
    Drain,
    /// The response comes first; the body is never read, and the connection stays open.
    Ignore,
    /// The response comes first; the body is never read, and the connection ends.
    Refuse(Ending),
    /// This many bytes of the body (as framed) are read, then the connection ends without a
    /// response.
    Part(usize, Ending),
}

/// Where a response is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Before its first byte.
    Head(Ending),
    /// After this many bytes of the head.
    Within(usize, Ending),
    /// After the head and this many bytes of the body (as framed).
    Body(usize, Ending),
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Properly (FIN; over TLS after `close_notify`). What the client still sends is read and
    /// dropped for a while, so that the client can read the response.
    Close,
    /// At once (FIN; over TLS without `close_notify`).
    Drop,
    /// By a TCP reset.
    Reset,
    /// Not at all: it stays open, and nothing more is sent until the server stops.
    Hang,
}

/// The rate at which a body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Bytes sent at a time; zero counts as one.
    pub bytes: usize,
    /// The pause before each.
    pub every: Duration,
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
}

/// Decodes percent-encoding; in a query a plus sign is a space. Returns `None` for what is no
/// UTF-8.
pub(super) fn decode(text: &str, query: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                bytes.push((high * 16 + low) as u8);
            }
            b'+' if query => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}
