//! HTTP/1.1 on a blocking connection: reads requests byte for byte, writes responses as given.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use rustls::{ServerConnection, StreamOwned};
use socket2::SockRef;

use super::message::{Framing, Reply, Request};

/// A connection, plain or TLS.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    /// Closes it properly. What the client still sends is read and dropped first, for a while.
    /// Otherwise the kernel would respond to it with a reset, which discards what the client has
    /// not read yet.
    pub(super) fn close(mut self) {
        if let Self::Tls(tls) = &mut self {
            tls.conn.send_close_notify();
            _ = tls.flush();
        }
        let tcp = self.tcp();
        _ = tcp.shutdown(Shutdown::Write);
        _ = tcp.set_read_timeout(Some(LINGER));
        _ = io::copy(&mut tcp.take(LINGER_BYTES), &mut io::sink());
    }

    /// Ends it by a TCP reset; no other copy of the socket may exist.
    pub(super) fn reset(self) {
        _ = SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO));
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => &tls.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

/// Reads a request up to the empty line; returns `None` when the client closed the connection.
pub(super) fn read_head(input: &mut BufReader<Stream>) -> io::Result<Option<Request>> {
    let mut raw = Vec::new();
    loop {
        let start = raw.len();
        let room = (MAX_HEAD - start) as u64;
        input.by_ref().take(room).read_until(b'\n', &mut raw)?;
        match &raw[start..] {
            [] if start == 0 => return Ok(None),
            b"\r\n" if start > 0 => break,
            line if line.ends_with(b"\r\n") => {}
            _ => return Err(invalid("a head that is cut short, too long, or without CR LF")),
        }
    }
    let text = String::from_utf8_lossy(&raw);
    let mut lines = text.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1"), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(invalid("a request line that is not HTTP/1.1's"));
    };
    let headers = lines
        .take_while(|line| !line.is_empty())
        .map(|line| {
            let (name, value) = line.split_once(':').ok_or_else(|| invalid("no colon"))?;
            Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
        })
        .collect::<io::Result<_>>()?;
    Ok(Some(Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        raw_head: Bytes::from(raw.clone()),
        ..Request::default()
    }))
}

/// Reads the body into `request`, at most `limit` bytes of it as framed. Bytes before an error or
/// the end of the connection are kept; `complete` states whether that is all.
pub(super) fn read_body(
    input: &mut BufReader<Stream>,
    request: &mut Request,
    limit: Option<usize>,
) -> io::Result<()> {
    let limit = limit.map_or(u64::MAX, |limit| limit as u64);
    let chunked = request
        .header("transfer-encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    if chunked {
        let (mut raw, mut body) = (Vec::new(), Vec::new());
        let outcome = read_chunks(&mut input.by_ref().take(limit), &mut raw, &mut body);
        request.complete = outcome.is_ok();
        (request.raw_body, request.body) = (Some(raw.into()), body.into());
        // The caller asked for the cut at the limit.
        return if limit == u64::MAX { outcome } else { Ok(()) };
    }
    let length = match request.header("content-length") {
        None => 0,
        Some(length) => length.parse().map_err(|_| invalid("an invalid Content-Length"))?,
    };
    let mut body = Vec::new();
    let outcome = input.by_ref().take(length.min(limit)).read_to_end(&mut body);
    request.complete = body.len() as u64 == length;
    request.body = body.into();
    outcome.map(|_| ())
}

/// Reads chunks (RFC 9112, section 7.1); the trailer section stays in `raw` only.
fn read_chunks(input: &mut impl BufRead, raw: &mut Vec<u8>, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let line = read_line(input, raw)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| invalid("a chunk's size"))?;
        if size == 0 {
            while !read_line(input, raw)?.is_empty() {}
            return Ok(());
        }
        let start = raw.len();
        let read = input.by_ref().take(size).read_to_end(raw)?;
        body.extend_from_slice(&raw[start..]);
        if (read as u64) < size || !read_line(input, raw)?.is_empty() {
            return Err(invalid("a chunk that does not end where it said"));
        }
    }
}

fn read_line(input: &mut impl BufRead, raw: &mut Vec<u8>) -> io::Result<String> {
    let start = raw.len();
    input.by_ref().take(MAX_HEAD as u64).read_until(b'\n', raw)?;
    let line = raw[start..].strip_suffix(b"\r\n").ok_or_else(|| invalid("a line without CR LF"))?;
    Ok(String::from_utf8_lossy(line).into_owned())
}

/// Status line and headers.
pub(super) fn head_bytes(reply: &Reply) -> Vec<u8> {
    let status = http::StatusCode::from_u16(reply.status).ok();
    let reason = status.and_then(|status| status.canonical_reason()).unwrap_or("Unknown");
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", reply.status);
    for (name, value) in reply.wire_headers() {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// The body as framed.
pub(super) fn body_bytes(reply: &Reply, method: &str) -> Bytes {
    if method == "HEAD" || matches!(reply.status, 204 | 304) {
        return Bytes::new();
    }
    let Framing::Chunked(size) = reply.framing else { return reply.body.clone() };
    let mut framed = Vec::with_capacity(reply.body.len() + 64);
    for chunk in reply.body.chunks(size.max(1)) {
        framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
    }
    framed.extend_from_slice(b"0\r\n\r\n");
    framed.into()
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A head longer than this is not read.
const MAX_HEAD: usize = 256 * 1024;
/// How long a closing connection is still read from.
const LINGER: Duration = Duration::from_millis(200);
const LINGER_BYTES: u64 = 256 * 1024 * 1024;
