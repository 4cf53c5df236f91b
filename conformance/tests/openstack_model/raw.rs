//! A client that sends requests unchanged and returns responses unchanged.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body was as long as announced.
    pub(crate) whole: bool,
}

impl Answer {
    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = move |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.headers.iter().filter(named).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// The same, whose status must be this one.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?} {}", self.headers, self.text());
        self
    }
}

/// A connection.
pub(crate) struct Wire {
    input: BufReader<TcpStream>,
}

impl Wire {
    /// To the host and port of a URL.
    pub(crate) fn to(url: &str) -> Self {
        let (host, _) = split(url);
        let stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { input: BufReader::new(stream) }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.input.get_mut().write_all(bytes).unwrap();
    }

    /// Sends a head; `headers` are lines.
    pub(crate) fn head(&mut self, method: &str, url: &str, headers: &[(&str, &str)]) {
        let (host, target) = split(url);
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.send(head.as_bytes());
    }

    /// Sends no more.
    pub(crate) fn finish(&mut self) {
        self.input.get_mut().shutdown(Shutdown::Write).unwrap();
    }

    /// Reads the next response with its body.
    pub(crate) fn answer(&mut self, method: &str) -> Answer {
        let mut line = String::new();
        self.input.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no answer but {line:?}"));
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.input.read_line(&mut line).unwrap();
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new(), whole: true };
        if method == "HEAD" || matches!(status, 100..=199 | 204 | 304) {
            return answer;
        }
        if answer.header("transfer-encoding").is_some() {
            answer.whole = self.chunks(&mut answer.body);
            return answer;
        }
        let length: u64 = answer.header("content-length").map_or(0, |text| text.parse().unwrap());
        _ = self.input.by_ref().take(length).read_to_end(&mut answer.body);
        answer.whole = answer.body.len() as u64 == length;
        answer
    }

    /// Whether the other side has ended the connection.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.input.get_mut().set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        matches!(self.input.fill_buf(), Ok([]))
            || matches!(self.input.fill_buf(), Err(error)
                if error.kind() == std::io::ErrorKind::ConnectionReset)
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let mut line = String::new();
            if self.input.read_line(&mut line).is_err() {
                return false;
            }
            let Ok(size) = u64::from_str_radix(line.trim(), 16) else { return false };
            if size == 0 {
                return true;
            }
            _ = self.input.by_ref().take(size).read_to_end(body);
            _ = self.input.read_line(&mut String::new());
        }
    }
}

/// One request on a connection of its own. A body gives it a `Content-Length`.
#[track_caller]
pub(crate) fn exchange(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
) -> Answer {
    let mut wire = Wire::to(url);
    let length = body.map(|body| body.len().to_string());
    let mut all = headers.to_vec();
    all.push(("Connection", "close"));
    if let Some(length) = &length {
        all.push(("Content-Length", length));
    }
    wire.head(method, url, &all);
    wire.send(body.unwrap_or_default());
    wire.answer(method)
}

/// Host and port, and the rest.
fn split(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://").expect("plain http");
    let at = rest.find('/').unwrap_or(rest.len());
    let (host, target) = rest.split_at(at);
    (host, if target.is_empty() { "/" } else { target })
}
