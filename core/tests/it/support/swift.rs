//! A small Swift with a few containers, for downloads and deletions.
//!
//! It responds as Swift 2.38: MD5s without quotes, tags of large objects in quotes; 409 if the
//! first segment of a range is missing, a body that ends early if a later one is. For a dynamic
//! large object of more segments than a page it reports to HEAD that the object is empty, ignores
//! ranges beyond the page, sends no length, and ends in good order where a segment is missing.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use apus_core::checksum::Algorithm;
use apus_core::contract::{AuthOutcome, Authenticator, Lease, LeaseGeneration, LeaseRequest};
use apus_core::escape;
use apus_core::http::{Completion, Draft, Exchange};
use apus_core::machine::Auth;
use apus_core::swift::{Config, Service};
use apus_core::{Error, Now};
use bytes::Bytes;
use http::request;
use serde_json::{Value, json};

use super::Answer;

/// What the server has, and how it behaves.
#[derive(Clone, Default)]
pub(crate) struct Store {
    objects: BTreeMap<(String, String), Stored>,
    /// Entries of a page of a listing.
    pub(crate) page: usize,
    /// Objects of one bulk delete; `None`: there is no such thing.
    pub(crate) bulk: Option<usize>,
    /// Whether it knows `?multipart-manifest=delete`.
    pub(crate) deletes_slo: bool,
    /// It is Ceph's gateway (release 18), which compares `If-Match` with the manifest's own tag and
    /// does not show manifests.
    pub(crate) gateway: bool,
    /// Objects that can't be deleted, and the status that says so.
    pub(crate) stuck: BTreeMap<String, u16>,
}

#[derive(Clone)]
enum Stored {
    Plain(Bytes),
    Static(Vec<Segment>),
    Dynamic(String),
}

/// A segment of a static large object.
#[derive(Clone)]
pub(crate) struct Segment {
    pub(crate) container: String,
    pub(crate) object: String,
    pub(crate) hash: String,
    pub(crate) bytes: u64,
    pub(crate) range: Option<(u64, u64)>,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self { page: 10_000, bulk: Some(10_000), deletes_slo: true, ..Self::default() }
    }

    /// With pages of so many entries.
    pub(crate) fn paged(self, page: usize) -> Self {
        Self { page, ..self }
    }

    pub(crate) fn put(&mut self, object: &str, bytes: impl Into<Bytes>) {
        self.objects.insert(named(object), Stored::Plain(bytes.into()));
    }

    /// `bytes` as a static large object, in segments `s/<object>/<number>` of these lengths.
    pub(crate) fn put_slo(&mut self, object: &str, bytes: &Bytes, lengths: &[usize]) {
        let mut segments = Vec::new();
        for (name, part) in self.put_parts(object, bytes, lengths) {
            segments.push(self.segment(&name, part));
        }
        self.put_manifest(object, segments);
    }

    pub(crate) fn put_manifest(&mut self, object: &str, segments: Vec<Segment>) {
        self.objects.insert(named(object), Stored::Static(segments));
    }

    /// A segment that is this object, of which the manifest has the tag and the length.
    pub(crate) fn segment(&self, object: &str, bytes: u64) -> Segment {
        let (container, name) = named(object);
        let (hash, _) = self.tag(&container, &name);
        Segment { container, object: name, hash, bytes, range: None }
    }

    /// The same as a dynamic one.
    pub(crate) fn put_unsized_dlo(&mut self, object: &str, bytes: &Bytes, lengths: &[usize]) {
        self.put_parts(object, bytes, lengths);
        let prefix = format!("{}/", object.replace('/', "-"));
        let header = format!("s/{}", escape::path(&prefix));
        self.put_pointer(object, &header);
    }

    /// The same, whose prefix tells the length, as swiftclient's does.
    pub(crate) fn put_dlo(&mut self, object: &str, bytes: &Bytes, lengths: &[usize]) {
        let longest = lengths.iter().max().copied().unwrap_or(1).max(1);
        let (_, name) = object.split_once('/').unwrap();
        let prefix = format!("s/{name}/1767322800.123456/{}/{longest}/", bytes.len());
        self.put_under(&prefix, bytes, lengths);
        self.put_pointer(object, &escape::path(&prefix));
    }

    pub(crate) fn put_pointer(&mut self, object: &str, header: &str) {
        self.objects.insert(named(object), Stored::Dynamic(header.to_owned()));
    }

    fn put_parts(&mut self, object: &str, bytes: &Bytes, lengths: &[usize]) -> Vec<(String, u64)> {
        self.put_under(&format!("s/{}/", object.replace('/', "-")), bytes, lengths)
    }

    /// `bytes` in segments of these lengths, whose names begin so.
    pub(crate) fn put_under(
        &mut self,
        prefix: &str,
        bytes: &Bytes,
        lengths: &[usize],
    ) -> Vec<(String, u64)> {
        let mut at = 0;
        let mut parts = Vec::new();
        for (number, length) in lengths.iter().enumerate() {
            let name = format!("{prefix}{number:08}");
            self.put(&name, bytes.slice(at..at + length));
            parts.push((name, *length as u64));
            at += length;
        }
        assert_eq!(at, bytes.len(), "the segments are the object");
        parts
    }

    pub(crate) fn remove(&mut self, object: &str) {
        self.objects.remove(&named(object)).expect("it was there");
    }

    /// What is there, as `container/object`.
    pub(crate) fn names(&self) -> Vec<String> {
        self.objects.keys().map(|(container, object)| format!("{container}/{object}")).collect()
    }

    /// The answer to a request.
    pub(crate) fn answer(&mut self, head: &request::Parts, body: &[u8]) -> Answer {
        let path = head.uri.path().strip_prefix("/v1/AUTH_a").unwrap_or(head.uri.path());
        let path = escape::decode(path).unwrap().into_owned();
        let query: BTreeMap<String, String> = head
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (name.to_owned(), escape::decode(value).unwrap().into_owned()))
            .collect();
        let mode = query.get("multipart-manifest").map_or("", String::as_str);
        let names = path.trim_start_matches('/').split_once('/');
        match (head.method.as_str(), names) {
            ("GET", None) if path == "/info" => self.info(),
            ("GET", None) => self.list(path.trim_matches('/'), &query),
            ("POST", None) if query.contains_key("bulk-delete") => self.delete_many(body),
            ("GET" | "HEAD", Some((container, object))) => {
                self.read(head, container, object, mode == "get")
            }
            ("DELETE", Some((container, object))) if mode == "delete" => {
                self.delete_slo(container, object)
            }
            ("DELETE", Some((container, object))) => Answer::new(self.delete(container, object)),
            _ => panic!("nobody asks for {} {path}", head.method),
        }
    }

    fn info(&self) -> Answer {
        let mut info = json!({"swift": {"version": "2.38.3"}, "slo": {}});
        if let Some(most) = self.bulk {
            info["bulk_delete"] = json!({"max_deletes_per_request": most});
        }
        Answer::new(200).body(info.to_string())
    }

    fn list(&self, container: &str, query: &BTreeMap<String, String>) -> Answer {
        let text = |name: &str| query.get(name).map_or("", String::as_str);
        let entries = self.listed(container, text("prefix"));
        let after = entries.into_iter().filter(|(name, ..)| name.as_str() > text("marker"));
        let entry = |(name, hash, bytes): (String, String, u64)| json!({"name": name, "hash": hash, "bytes": bytes});
        let page: Vec<Value> = after.take(self.page).map(entry).collect();
        Answer::new(200).body(Value::from(page).to_string())
    }

    fn listed(&self, container: &str, prefix: &str) -> Vec<(String, String, u64)> {
        let here = self
            .objects
            .iter()
            .filter(|((at, name), _)| at == container && name.starts_with(prefix));
        here.map(|((_, name), stored)| match stored {
            Stored::Plain(bytes) => (name.clone(), md5(bytes), bytes.len() as u64),
            _ => (name.clone(), md5(b""), 0),
        })
        .collect()
    }

    fn read(&self, head: &request::Parts, container: &str, object: &str, manifest: bool) -> Answer {
        let text = |name| head.headers.get(name).map(|value| value.to_str().unwrap());
        let name = (container.to_owned(), object.to_owned());
        let Some(stored) = self.objects.get(&name) else { return Answer::new(404) };
        let is_large = !matches!(stored, Stored::Plain(_));
        if manifest && self.gateway {
            return Answer::new(200).body("");
        }
        if let (Stored::Static(segments), true) = (stored, manifest) {
            let document =
                Value::from(segments.iter().map(|one| self.entry(one)).collect::<Vec<_>>());
            let answer = Answer::new(200).header("x-static-large-object", "True");
            return answer.body(document.to_string());
        }
        let (tag, kind) = self.tag(container, object);
        let quoted = if kind == "plain" { tag.clone() } else { format!("\"{tag}\"") };
        let other = |wanted: &str| self.gateway && is_large || wanted.trim_matches('"') != tag;
        if text("if-match").is_some_and(other) {
            return Answer::new(412);
        }
        let parts = self.parts(stored, DEPTH);
        let paged = matches!(stored, Stored::Dynamic(_)) && parts.len() >= self.page;
        let length: u64 = parts.iter().map(|part| part.1).sum();
        let first_page: u64 = parts.iter().take(self.page).map(|part| part.1).sum();
        let mut answer = match stored {
            Stored::Plain(_) => Answer::new(200),
            Stored::Static(_) => Answer::new(200).header("x-static-large-object", "True"),
            Stored::Dynamic(header) => Answer::new(200).header("x-object-manifest", header),
        };
        answer = answer.header("x-trans-id", "tx1");
        answer = answer.header("etag", if paged { md5(b"") } else { quoted });
        let range = text("range").map(|range| {
            let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
            let end = last.parse().map_or(u64::MAX, |last: u64| last + 1);
            first.parse::<u64>().unwrap()..end
        });
        let range = range.filter(|range| !paged || range.end <= first_page);
        if head.method == "HEAD" {
            return answer.header("content-length", if paged { 0 } else { length });
        }
        let Some(range) = range else {
            let (body, cut) = match self.bytes(&parts, 0..length) {
                Ok(read) => read,
                Err(status) => return Answer::new(status),
            };
            return match cut {
                // In chunks, whose end can't be told from that of the object.
                _ if paged => Answer { body, ..answer },
                Some(at) => answer.header("content-length", length).broken(body, at),
                None => answer.body(body),
            };
        };
        let total = if paged { first_page } else { length };
        if range.start >= total {
            return Answer::new(416).header("content-range", format!("bytes */{total}"));
        }
        let range = range.start..range.end.min(total);
        let told = format!("bytes {}-{}/{total}", range.start, range.end - 1);
        answer.status = 206;
        answer = answer.header("content-range", told);
        match self.bytes(&parts, range.clone()) {
            Ok((body, None)) => answer.body(body),
            Ok((body, Some(at))) => {
                answer.header("content-length", range.end - range.start).broken(body, at)
            }
            Err(status) => Answer::new(status),
        }
    }

    fn entry(&self, segment: &Segment) -> Value {
        let Segment { container, object, hash, bytes, range } = segment;
        let mut entry =
            json!({"name": format!("/{container}/{object}"), "hash": hash, "bytes": bytes});
        if let Some((first, last)) = range {
            entry["range"] = json!(format!("{first}-{last}"));
        }
        let name = (container.clone(), object.clone());
        if let Some(Stored::Static(_)) = self.objects.get(&name) {
            entry["sub_slo"] = json!(true);
        }
        entry
    }

    /// The tag of an object, without quotes, and what kind of object it is.
    fn tag(&self, container: &str, object: &str) -> (String, &'static str) {
        match &self.objects[&(container.to_owned(), object.to_owned())] {
            Stored::Plain(bytes) => (md5(bytes), "plain"),
            Stored::Static(segments) => {
                let tags: String = segments
                    .iter()
                    .map(|segment| match segment.range {
                        Some((first, last)) => format!("{}:{first}-{last};", segment.hash),
                        None => segment.hash.clone(),
                    })
                    .collect();
                (md5(tags.as_bytes()), "static")
            }
            Stored::Dynamic(header) => {
                let (container, prefix) = pointer(header);
                let tags: String =
                    self.listed(&container, &prefix).into_iter().map(|entry| entry.1).collect();
                (md5(tags.as_bytes()), "dynamic")
            }
        }
    }

    /// Returns the parts of an object: their bytes, or `None` if the part is missing or has
    /// changed, and their expected length.
    fn parts(&self, stored: &Stored, depth: usize) -> Vec<(Option<Bytes>, u64)> {
        match stored {
            Stored::Plain(bytes) => vec![(Some(bytes.clone()), bytes.len() as u64)],
            Stored::Static(segments) => segments
                .iter()
                .map(|segment| {
                    let name = (segment.container.clone(), segment.object.clone());
                    let bytes = match self.objects.get(&name) {
                        Some(Stored::Plain(bytes)) => {
                            Some(bytes.clone()).filter(|bytes| md5(bytes) == segment.hash)
                        }
                        Some(_) if depth == 0 => None,
                        Some(inner) => {
                            let inner = self.parts(inner, depth - 1);
                            inner
                                .into_iter()
                                .map(|part| part.0)
                                .collect::<Option<Vec<_>>>()
                                .map(|parts| parts.concat().into())
                        }
                        None => None,
                    };
                    match segment.range {
                        Some((first, last)) => (
                            bytes.map(|bytes| bytes.slice(first as usize..=last as usize)),
                            last - first + 1,
                        ),
                        None => (bytes, segment.bytes),
                    }
                })
                .collect(),
            Stored::Dynamic(header) => {
                let (container, prefix) = pointer(header);
                let names = self.listed(&container, &prefix);
                let part = |(name, _, length): (String, String, u64)| {
                    let lost = self.stuck.get(&format!("{container}/{name}")) == Some(&LOST);
                    match &self.objects[&(container.clone(), name)] {
                        Stored::Plain(bytes) if !lost => (Some(bytes.clone()), length),
                        _ => (None, length),
                    }
                };
                names.into_iter().map(part).collect()
            }
        }
    }

    /// A range of parts, and after how many bytes it breaks off.
    fn bytes(
        &self,
        parts: &[(Option<Bytes>, u64)],
        range: Range<u64>,
    ) -> Result<(Bytes, Option<usize>), u16> {
        let mut body = Vec::new();
        let mut start = 0;
        let mut first = true;
        for (bytes, length) in parts {
            let end = start + length;
            let these = range.start.max(start)..range.end.min(end);
            if these.start < these.end {
                let Some(bytes) = bytes else {
                    return if first {
                        Err(409)
                    } else {
                        Ok((body.clone().into(), Some(body.len())))
                    };
                };
                first = false;
                let (from, to) = ((these.start - start) as usize, (these.end - start) as usize);
                body.extend_from_slice(&bytes[from..to]);
            }
            start = end;
        }
        Ok((body.into(), None))
    }

    fn delete(&mut self, container: &str, object: &str) -> u16 {
        if let Some(status) = self.stuck.get(&format!("{container}/{object}")) {
            return *status;
        }
        match self.objects.remove(&(container.to_owned(), object.to_owned())) {
            Some(_) => 204,
            None => 404,
        }
    }

    fn delete_slo(&mut self, container: &str, object: &str) -> Answer {
        if !self.deletes_slo {
            return Answer::new(405);
        }
        let mut names = Vec::new();
        let mut inner = vec![(container.to_owned(), object.to_owned())];
        while let Some(name) = inner.pop() {
            if let Some(Stored::Static(segments)) = self.objects.get(&name) {
                for segment in segments.clone() {
                    let name = (segment.container, segment.object);
                    match self.objects.get(&name) {
                        Some(Stored::Static(_)) => inner.push(name),
                        _ => names.push(name),
                    }
                }
            }
            names.push(name);
        }
        self.delete_all(names)
    }

    fn delete_many(&mut self, body: &[u8]) -> Answer {
        let lines = std::str::from_utf8(body).unwrap().lines();
        let names: Vec<_> = lines
            .map(|line| escape::decode(line).unwrap().trim_start_matches('/').to_owned())
            .map(|line| named(&line))
            .collect();
        match self.bulk {
            None => Answer::new(400),
            Some(most) if names.len() > most => report(0, 0, &[], "413 Request Entity Too Large"),
            Some(_) => self.delete_all(names),
        }
    }

    fn delete_all(&mut self, names: Vec<(String, String)>) -> Answer {
        let (mut deleted, mut missing, mut failed) = (0, 0, Vec::new());
        for (container, object) in names {
            match self.delete(&container, &object) {
                204 => deleted += 1,
                404 => missing += 1,
                status => {
                    let path = format!("/{container}/{}", escape::path(&object));
                    failed.push((path, format!("{status} Told So")));
                }
            }
        }
        let status = if failed.is_empty() { "200 OK" } else { "400 Bad Request" };
        report(deleted, missing, &failed, status)
    }
}

impl Answer {
    /// This body, whose connection dies after as many bytes.
    fn broken(self, body: Bytes, after: usize) -> Self {
        Self { body, ..self.cut(after) }
    }
}

/// An authority whose tokens are numbered, and which gets the next number when one is refused.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    generation: u64,
}

impl Tokens {
    pub(crate) fn auth() -> Auth {
        Auth::new(Self::default())
    }
}

impl Authenticator for Tokens {
    fn lease(&mut self, _: Now, _: &mut LeaseRequest<'_>) -> Lease {
        Lease::Granted(LeaseGeneration { generation: self.generation })
    }

    fn seal(
        &mut self,
        grant: LeaseGeneration,
        mut draft: Box<Draft>,
        now: Now,
    ) -> Result<Exchange, Error> {
        let name = http::HeaderName::from_static("x-auth-token");
        draft.header(name, &grant.generation.to_string())?;
        Ok(Exchange::open(draft, now, grant.generation))
    }

    fn judge(&mut self, _: Now, done: &Completion) -> AuthOutcome {
        if done.outcome().is_ok_and(|reply| reply.status() == 401) {
            self.generation = self.generation.max(done.generation() + 1);
            return AuthOutcome::Refused;
        }
        AuthOutcome::Accepted
    }

    fn renewed(&mut self, _: Now, _: Completion) {}
}

pub(crate) fn service() -> Arc<Service> {
    Arc::new(Service::new(Config::at("http://127.0.0.1:8080/v1/AUTH_a")).unwrap())
}

pub(crate) fn md5(bytes: &[u8]) -> String {
    Algorithm::Md5.digest(bytes).unwrap().hex()
}

/// How deep large objects may be in each other.
const DEPTH: usize = 10;
/// In [`Store::stuck`]: listed, and not there.
pub(crate) const LOST: u16 = 404;

fn named(path: &str) -> (String, String) {
    let (container, object) = path.split_once('/').unwrap();
    (container.to_owned(), object.to_owned())
}

fn pointer(header: &str) -> (String, String) {
    named(&escape::decode(header).unwrap())
}

fn report(deleted: u64, missing: u64, failed: &[(String, String)], status: &str) -> Answer {
    let document = json!({
        "Number Deleted": deleted, "Number Not Found": missing, "Errors": failed,
        "Response Status": status, "Response Body": "",
    });
    Answer::new(200).body(format!("   \r\n\r\n{document}"))
}
