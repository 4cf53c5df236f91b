//! Containers, objects and manifests.

use std::collections::BTreeMap;

use apus_core::checksum::Algorithm;
use apus_core::escape;
use bytes::Bytes;
use http::{Response, request};
use serde_json::{Value, json};

/// What the server has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    pub(crate) containers: BTreeMap<String, BTreeMap<String, Object>>,
    /// The storage policy of containers that have another than the default.
    pub(crate) policies: BTreeMap<String, String>,
    /// `/info`, where it is told.
    pub(crate) info: Option<Value>,
    /// Whether it does as Ceph 16 does: conditions of a PUT do not count, and manifests are not shown.
    pub(crate) is_ceph: bool,
    /// Entries of a page of a listing.
    pub(crate) page: usize,
    /// Objects whose names end so are not listed before this time, as of a container that is updated late.
    pub(crate) unlisted: Option<(&'static str, u64)>,
    unix: u64,
}

/// An object, which may be a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    pub(crate) headers: BTreeMap<String, String>,
    /// Container, name, tag and size of the segments of a static large object.
    pub(crate) slo: Option<Vec<(String, String, String, u64)>>,
    /// Container and prefix of the segments of a dynamic one.
    pub(crate) dlo: Option<(String, String)>,
}

impl Store {
    /// With containers `c` and `c_segments`, and static large objects of 1,000 segments.
    pub(crate) fn new() -> Self {
        let containers = ["c", "c_segments"].map(|name| (name.to_owned(), BTreeMap::new()));
        let slo = json!({
            "max_manifest_segments": 1000, "max_manifest_size": 8 << 20, "min_segment_size": 1,
            "yield_frequency": 10
        });
        let swift = json!({"max_file_size": (5u64 << 30) + 2, "container_listing_limit": 10_000});
        Self {
            containers: containers.into(),
            policies: BTreeMap::new(),
            info: Some(json!({"swift": swift, "slo": slo})),
            is_ceph: false,
            page: 10_000,
            unlisted: None,
            unix: 0,
        }
    }

    fn is_listed(&self, name: &str) -> bool {
        self.unlisted.is_none_or(|(end, until)| self.unix >= until || !name.ends_with(end))
    }

    pub(crate) fn object(&self, container: &str, name: &str) -> Option<&Object> {
        self.containers.get(container)?.get(name)
    }

    pub(crate) fn names(&self, container: &str) -> Vec<String> {
        self.containers.get(container).into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn put(&mut self, container: &str, name: &str, bytes: impl Into<Bytes>) {
        let object = Object { bytes: bytes.into(), ..Object::default() };
        self.containers.entry(container.into()).or_default().insert(name.into(), object);
    }

    /// Returns the bytes of a GET; `None` if a segment is missing or has changed.
    pub(crate) fn read(&self, container: &str, name: &str) -> Option<Bytes> {
        let object = self.object(container, name)?;
        let mut whole = Vec::new();
        for (container, name, tag, size) in self.parts(object)? {
            let part = self.object(&container, &name)?;
            if md5(&part.bytes) != tag || part.bytes.len() as u64 != size {
                return None;
            }
            whole.extend_from_slice(&part.bytes);
        }
        if object.slo.is_none() && object.dlo.is_none() {
            whole.extend_from_slice(&object.bytes);
        }
        Some(whole.into())
    }

    fn parts(&self, object: &Object) -> Option<Vec<(String, String, String, u64)>> {
        if let Some((container, prefix)) = &object.dlo {
            let all = self.containers.get(container)?.iter();
            return Some(
                all.filter(|(name, _)| name.starts_with(prefix.as_str()) && self.is_listed(name))
                    .map(|(name, one)| {
                        let size = one.bytes.len() as u64;
                        (container.clone(), name.clone(), md5(&one.bytes), size)
                    })
                    .collect(),
            );
        }
        Some(object.slo.clone().unwrap_or_default())
    }

    pub(crate) fn answer(
        &mut self,
        unix: u64,
        head: &request::Parts,
        body: &Bytes,
    ) -> Response<Bytes> {
        self.unix = unix;
        let path = head.uri.path();
        let date = apus_core::now::Timestamp::from_unix(unix as i64).http_date();
        let mut answer = match path.strip_prefix("/v1/AUTH_test/") {
            None if path == "/info" => match &self.info {
                Some(info) => document(200, info),
                None => plain(404),
            },
            None => plain(412),
            Some(rest) => match rest.split_once('/') {
                None => self.container(head, &decode(rest)),
                Some((container, name)) => {
                    self.on_object(unix, head, body, &decode(container), &decode(name))
                }
            },
        };
        answer.headers_mut().insert("date", date.parse().unwrap());
        answer
    }

    fn container(&mut self, head: &request::Parts, container: &str) -> Response<Bytes> {
        let policy = header(head, "x-storage-policy");
        let has = self.policies.get(container).cloned().unwrap_or_else(|| "gold".to_owned());
        match (head.method.as_str(), self.containers.get(container)) {
            ("PUT", Some(_)) if policy.as_ref().is_some_and(|policy| *policy != has) => plain(409),
            ("PUT", Some(_)) => plain(202),
            ("PUT", None) => {
                self.containers.insert(container.to_owned(), BTreeMap::new());
                self.policies.extend(policy.map(|policy| (container.to_owned(), policy)));
                plain(201)
            }
            (_, None) => plain(404),
            ("HEAD", Some(_)) => Response::builder()
                .status(204)
                .header("x-storage-policy", has)
                .body(Bytes::new())
                .unwrap(),
            ("GET", Some(objects)) => {
                let (prefix, marker) = (query(head, "prefix"), query(head, "marker"));
                let (prefix, marker) = (prefix.unwrap_or_default(), marker.unwrap_or_default());
                let entries: Vec<Value> = objects
                    .iter()
                    .filter(|(name, _)| {
                        name.starts_with(&prefix) && **name > marker && self.is_listed(name)
                    })
                    .take(self.page)
                    .map(|(name, object)| {
                        let bytes = object.bytes.len();
                        json!({"name": name, "bytes": bytes, "hash": md5(&object.bytes)})
                    })
                    .collect();
                document(200, &Value::Array(entries))
            }
            _ => plain(405),
        }
    }

    fn on_object(
        &mut self,
        unix: u64,
        head: &request::Parts,
        body: &Bytes,
        container: &str,
        name: &str,
    ) -> Response<Bytes> {
        let manifest = query(head, "multipart-manifest");
        match head.method.as_str() {
            "PUT" if !self.containers.contains_key(container) => plain(404),
            "PUT" => {
                let absent = header(head, "if-none-match").is_some() && !self.is_ceph;
                if absent && self.object(container, name).is_some() {
                    return plain(412);
                }
                let expired = header(head, "x-delete-at").and_then(|at| at.parse::<u64>().ok());
                if expired.is_some_and(|at| at <= unix) {
                    return plain(400);
                }
                if manifest.as_deref() == Some("put") {
                    return self.put_slo(head, body, container, name);
                }
                let tag = md5(body);
                if header(head, "etag").is_some_and(|etag| etag.trim_matches('"') != tag) {
                    return plain(422);
                }
                let dlo = header(head, "x-object-manifest").map(|manifest| {
                    let (container, prefix) = manifest.split_once('/').unwrap();
                    (decode(container), decode(prefix))
                });
                if let Some((_, prefix)) = &dlo
                    && (prefix.starts_with('/') || prefix.contains('?'))
                {
                    return plain(400);
                }
                let object = Object { bytes: body.clone(), headers: kept(head), slo: None, dlo };
                self.insert(container, name, object);
                Response::builder().status(201).header("etag", tag).body(Bytes::new()).unwrap()
            }
            "DELETE" => match self.containers.get_mut(container).and_then(|all| all.remove(name)) {
                Some(_) => plain(204),
                None => plain(404),
            },
            "HEAD" | "GET" => {
                let Some(object) = self.object(container, name) else { return plain(404) };
                if manifest.is_some()
                    && let Some(slo) = &object.slo
                {
                    let entries = slo.iter().map(|(container, name, tag, size)| {
                        json!({"name": format!("/{container}/{name}"), "hash": tag, "bytes": size})
                    });
                    if self.is_ceph {
                        return plain(200);
                    }
                    let mut answer = document(200, &entries.collect());
                    answer.headers_mut().insert("x-static-large-object", "True".parse().unwrap());
                    return answer;
                }
                let parts = self.parts(object).unwrap_or_default();
                let is_large = object.slo.is_some() || object.dlo.is_some();
                let (tag, size) = match is_large {
                    true => (tag_of(&parts), parts.iter().map(|part| part.3).sum()),
                    false => (md5(&object.bytes), object.bytes.len() as u64),
                };
                // Of more segments than a page of a listing nothing is told.
                let (tag, size) = match object.dlo.is_some() && parts.len() >= self.page {
                    true => (md5(b""), 0),
                    false => (tag, size),
                };
                let mut builder = Response::builder().status(200);
                for (name, value) in &object.headers {
                    builder = builder.header(name, value);
                }
                if object.slo.is_some() {
                    builder = builder.header("x-static-large-object", "True");
                }
                if let Some((container, prefix)) = &object.dlo {
                    builder = builder.header(
                        "x-object-manifest",
                        format!("{}/{}", escape::query(container), escape::path(prefix)),
                    );
                }
                builder
                    .header("etag", tag)
                    .header("content-length", size)
                    .body(Bytes::new())
                    .unwrap()
            }
            _ => plain(405),
        }
    }

    fn put_slo(
        &mut self,
        head: &request::Parts,
        body: &Bytes,
        container: &str,
        name: &str,
    ) -> Response<Bytes> {
        let entries: Vec<Value> = serde_json::from_slice(body).unwrap();
        let most =
            self.info.as_ref().and_then(|info| info["slo"]["max_manifest_segments"].as_u64());
        let largest = self.info.as_ref().and_then(|info| info["slo"]["max_manifest_size"].as_u64());
        if entries.len() as u64 > most.unwrap_or(1000)
            || body.len() as u64 > largest.unwrap_or(8 << 20)
        {
            return plain(413);
        }
        let (mut slo, mut errors) = (Vec::new(), Vec::new());
        for entry in &entries {
            let path = entry["path"].as_str().unwrap();
            let (container, name) = path.trim_start_matches('/').split_once('/').unwrap();
            let Some(segment) = self.object(container, name) else {
                errors.push(json!([path, "404 Not Found"]));
                continue;
            };
            let (tag, size) = (md5(&segment.bytes), segment.bytes.len() as u64);
            if entry.get("etag").is_some_and(|etag| *etag != json!(tag)) {
                errors.push(json!([path, "Etag Mismatch"]));
            }
            if entry.get("size_bytes").is_some_and(|bytes| *bytes != json!(size)) {
                errors.push(json!([path, "Size Mismatch"]));
            }
            slo.push((container.to_owned(), name.to_owned(), tag, size));
        }
        let heartbeat = query(head, "heartbeat").is_some();
        let tag = tag_of(&slo);
        if !errors.is_empty() {
            let status = "400 Bad Request";
            let report = json!({"Response Status": status, "Response Body": "", "Errors": errors});
            return if heartbeat { beating(&report) } else { document(400, &report) };
        }
        let manifest = Bytes::from(serde_json::to_vec(&entries).unwrap());
        let object = Object { bytes: manifest, headers: kept(head), slo: Some(slo), dlo: None };
        self.insert(container, name, object);
        if heartbeat {
            return beating(&json!({
                "Response Status": "201 Created", "Response Body": "", "Etag": tag, "Errors": []
            }));
        }
        Response::builder().status(201).header("etag", tag).body(Bytes::new()).unwrap()
    }

    fn insert(&mut self, container: &str, name: &str, object: Object) {
        self.containers.get_mut(container).unwrap().insert(name.to_owned(), object);
    }
}

/// The tag of a large object of these segments.
fn tag_of(parts: &[(String, String, String, u64)]) -> String {
    let joined: String = parts.iter().map(|part| part.2.as_str()).collect();
    format!("\"{}\"", md5(joined.as_bytes()))
}

pub(crate) fn md5(bytes: &[u8]) -> String {
    Algorithm::Md5.digest(bytes).unwrap().hex()
}

/// An answer of this status.
pub(crate) fn plain(status: u16) -> Response<Bytes> {
    Response::builder().status(status).body(Bytes::new()).unwrap()
}

fn document(status: u16, document: &Value) -> Response<Bytes> {
    let body = Bytes::from(document.to_string());
    Response::builder().status(status).header("content-length", body.len()).body(body).unwrap()
}

/// Blanks, and how it came out.
fn beating(report: &Value) -> Response<Bytes> {
    let body = Bytes::from(format!("  \r\n\r\n{report}"));
    Response::builder().status(202).body(body).unwrap()
}

/// Headers that are stored with an object.
fn kept(head: &request::Parts) -> BTreeMap<String, String> {
    let names = ["content-type", "x-delete-at", "x-delete-after", "content-disposition"];
    let kept = head.headers.iter().filter(|(name, _)| {
        names.contains(&name.as_str()) || name.as_str().starts_with("x-object-meta-")
    });
    kept.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}

fn header(head: &request::Parts, name: &str) -> Option<String> {
    head.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
}

fn query(head: &request::Parts, name: &str) -> Option<String> {
    let pairs = head.uri.query()?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| decode(value))
}

fn decode(text: &str) -> String {
    escape::decode(text).unwrap().into_owned()
}
