//! The canonical request: one text for all forms of the same request.
//!
//! ```text
//! PUT                                         method
//! /test%24file.text                           path
//! partNumber=2&uploadId=x                     query, sorted
//! host:examplebucket.s3.amazonaws.com         headers, sorted, lower case, trimmed
//! x-amz-date:20130524T000000Z
//!
//! host;x-amz-date                             their names
//! e3b0c442…                                   payload
//! ```
//!
//! It is written in pieces into a [`Sink`]: for a signature, directly into the hash.

use std::borrow::Cow;

use http::HeaderMap;
use sha2::digest::Update;

use crate::escape;

/// The rule by which a service canonicalizes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whether `.`, `..` and repeated slashes are resolved in the path before it is signed.
    pub normalize_path: bool,
    /// Whether the path, which is escaped as it is sent, is escaped once more before it is signed.
    pub double_encode: bool,
    /// Whether the header `x-amz-content-sha256` is added and signed.
    pub sign_payload_header: bool,
}

impl Rule {
    /// Amazon S3 and compatible servers: the path is signed as it is, and the payload is signed.
    pub const S3: Self =
        Self { normalize_path: false, double_encode: false, sign_payload_header: true };

    /// Every other service (STS, IAM).
    pub const GENERIC: Self =
        Self { normalize_path: true, double_encode: true, sign_payload_header: false };
}

/// Takes text in pieces.
pub(super) trait Sink {
    fn write(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Collects short pieces for a hash or an HMAC, which process long ones much faster. The buffer is
/// the caller's, so that it is not moved.
pub(super) struct Buffered<'a, D> {
    inner: D,
    buffer: &'a mut [u8],
    used: usize,
}

impl<'a, D: Update> Buffered<'a, D> {
    pub(super) fn new(inner: D, buffer: &'a mut [u8]) -> Self {
        Self { inner, buffer, used: 0 }
    }

    /// Returns the hash or HMAC, after all pieces.
    pub(super) fn finish(mut self) -> D {
        self.inner.update(&self.buffer[..self.used]);
        self.inner
    }

    /// Separate, so that the writes that fit, which are almost all, are inlined.
    #[cold]
    fn write_full(&mut self, mut bytes: &[u8]) {
        while let Some((now, later)) = bytes.split_at_checked(self.buffer.len() - self.used) {
            self.buffer[self.used..].copy_from_slice(now);
            self.inner.update(self.buffer);
            self.used = 0;
            bytes = later;
        }
        self.buffer[self.used..self.used + bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
    }
}

impl<D: Update> Sink for Buffered<'_, D> {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) {
        match self.buffer[self.used..].get_mut(..bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.used += bytes.len();
            }
            None => self.write_full(bytes),
        }
    }
}

/// Writes the canonical request. `target` is path and query as they are sent.
pub(super) fn request(
    out: &mut impl Sink,
    rule: Rule,
    method: &http::Method,
    target: &str,
    headers: &SignedHeaders<'_>,
    payload: &[u8],
) {
    let (raw_path, raw_query) = split_once(target, b'?').unwrap_or((target, ""));
    out.write(method.as_str().as_bytes());
    out.write(b"\n");
    out.write(path(rule, raw_path).as_bytes());
    out.write(b"\n");
    query(out, raw_query);
    out.write(b"\n");
    headers.write(out);
    out.write(b"\n");
    headers.write_names(out);
    out.write(b"\n");
    out.write(payload);
}

/// Writes the string to sign: the date and the scope of the request that has this hash.
pub(super) fn string_to_sign(out: &mut impl Sink, date: &[u8], scope: &str, hash: &[u8; 64]) {
    out.write(b"AWS4-HMAC-SHA256\n");
    out.write(date);
    out.write(b"\n");
    out.write(scope.as_bytes());
    out.write(b"\n");
    out.write(hash);
}

fn path(rule: Rule, path: &str) -> Cow<'_, str> {
    let path = if path.is_empty() { "/" } else { path };
    let path = if rule.normalize_path { normalized(path) } else { path.into() };
    if rule.double_encode { escape::path(&path).into() } else { path }
}

/// Removes empty and `.` segments, and each `..` with the segment before it.
fn normalized(path: &str) -> Cow<'_, str> {
    let mut kept = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    let first = if path.starts_with('/') { "/" } else { "" };
    let last = if path.ends_with('/') && !kept.is_empty() { "/" } else { "" };
    [first, &kept.join("/"), last].concat().into()
}

/// Writes the pairs of the query, escaped as they are, sorted by name and value, each with a `=`.
fn query(out: &mut impl Sink, query: &str) {
    if query.is_empty() {
        return;
    }
    let mut pairs = Short::<(&str, &str), 8>::new();
    let mut rest = Some(query);
    while let Some(query) = rest {
        let (pair, more) = split_once(query, b'&').map_or((query, None), |(a, b)| (a, Some(b)));
        pairs.push(split_once(pair, b'=').unwrap_or((pair, "")));
        rest = more;
    }
    let pairs = pairs.as_mut_slice();
    pairs.sort_unstable();
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            out.write(b"&");
        }
        out.write(name.as_bytes());
        out.write(b"=");
        out.write(value.as_bytes());
    }
}

/// Splits at the first occurrence of this ASCII byte. For short texts it is several times as fast
/// as `str::split_once`, which is made for long ones.
fn split_once(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|have| have == byte)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// The headers that a signature covers, sorted by name.
pub(super) struct SignedHeaders<'a>(Short<(&'a str, &'a [u8]), 12>);

impl<'a> SignedHeaders<'a> {
    /// Takes all headers for which `unsigned` is false, and `more`. Inlined, so that the list is made
    /// where it is used.
    #[inline(always)]
    pub(super) fn new(
        headers: &'a HeaderMap,
        unsigned: fn(&str) -> bool,
        more: Option<(&'a str, &'a [u8])>,
    ) -> Self {
        let mut signed = Self(Short::new());
        signed.fill(headers, unsigned, more);
        signed
    }

    fn fill(
        &mut self,
        headers: &'a HeaderMap,
        unsigned: fn(&str) -> bool,
        more: Option<(&'a str, &'a [u8])>,
    ) {
        let list = &mut self.0;
        for (name, value) in headers {
            let name = name.as_str();
            if !unsigned(name) {
                list.push((name, value.as_bytes()));
            }
        }
        if let Some(more) = more {
            list.push(more);
        }
        // Stable, because the values of one name keep their order.
        list.as_mut_slice().sort_by_key(|(name, _)| *name);
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.as_slice().iter().any(|(have, _)| *have == name)
    }

    fn write(&self, out: &mut impl Sink) {
        let mut last = "";
        for (name, value) in self.0.as_slice() {
            if *name == last {
                out.write(b",");
            } else {
                if !last.is_empty() {
                    out.write(b"\n");
                }
                out.write(name.as_bytes());
                out.write(b":");
                last = name;
            }
            write_trimmed(out, value);
        }
        out.write(b"\n");
    }

    /// Writes, for example, `host;x-amz-date`.
    pub(super) fn write_names(&self, out: &mut impl Sink) {
        let mut last = "";
        for (name, _) in self.0.as_slice() {
            if *name != last {
                if !last.is_empty() {
                    out.write(b";");
                }
                out.write(name.as_bytes());
                last = name;
            }
        }
    }

    /// Returns an upper bound of the bytes that [`write_names`](Self::write_names) writes.
    pub(super) fn names_len(&self) -> usize {
        self.0.as_slice().iter().map(|(name, _)| name.len() + 1).sum()
    }
}

/// Writes a value without surrounding white space, and with one space for each run inside.
fn write_trimmed(out: &mut impl Sink, value: &[u8]) {
    // Most values have none. Without an early exit, the compiler vectorizes the loop.
    let blanks = value.iter().fold(0, |blanks, byte| blanks | u8::from(*byte <= b' '));
    if blanks == 0 {
        return out.write(value);
    }
    let words = value.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    for (at, word) in words.enumerate() {
        if at > 0 {
            out.write(b" ");
        }
        out.write(word);
    }
}

/// Returns whether a header must not be signed: proxies and HTTP stacks add, change or consume it
/// in transit, or it traces a request or counts its attempts.
pub(super) fn changes_on_the_way(name: &str) -> bool {
    matches!(
        name,
        "accept-encoding"
            | "amz-sdk-invocation-id"
            | "amz-sdk-request"
            | "authorization"
            | "baggage"
            | "connection"
            | "expect"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "traceparent"
            | "tracestate"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "user-agent"
            | "x-amzn-trace-id"
    )
}

/// A list that needs no allocation while it is short.
struct Short<T, const N: usize> {
    few: [T; N],
    used: usize,
    many: Vec<T>,
}

impl<T: Copy + Default, const N: usize> Short<T, N> {
    fn new() -> Self {
        Self { few: [T::default(); N], used: 0, many: Vec::new() }
    }

    fn push(&mut self, item: T) {
        match self.few.get_mut(self.used) {
            Some(place) => {
                *place = item;
                self.used += 1;
            }
            None => {
                if self.many.is_empty() {
                    self.many.extend_from_slice(&self.few);
                }
                self.many.push(item);
            }
        }
    }

    fn as_slice(&self) -> &[T] {
        if self.many.is_empty() { &self.few[..self.used] } else { &self.many }
    }

    fn as_mut_slice(&mut self) -> &mut [T] {
        if self.many.is_empty() { &mut self.few[..self.used] } else { &mut self.many }
    }
}
