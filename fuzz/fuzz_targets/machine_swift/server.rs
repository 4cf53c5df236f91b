//! What Swift and Keystone say, and what must not be left on them.

use std::collections::BTreeSet;
use std::fmt::Debug;

use apus_core::checksum::Algorithm;
use apus_core::error::{Error, Leftover};
use apus_core::http::{Body, Completion, Draft};
use apus_core::now::Timestamp;
use apus_core::swift::{Manifest, slo_etag};
use http::Method;

use crate::answer::{LONGEST, Reply, ZEROS, asked};
use crate::world::SECRET;
use crate::{Kind, Setup};

/// What is known of the segments and the trust on the servers.
#[derive(Debug)]
pub(crate) struct Remains {
    /// Segments that were stored for certain, as `container/object`.
    segments: BTreeSet<String>,
    /// Some of them were removed.
    removed: bool,
    trust: bool,
    kept: bool,
}

impl Remains {
    /// Nothing yet.
    pub(crate) fn new(kept: bool) -> Self {
        Self { segments: BTreeSet::new(), removed: false, trust: false, kept }
    }

    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }

    pub(crate) fn launched(&mut self, _: &Draft) {}

    /// `well`: it was answered as is right, and whole.
    pub(crate) fn ended(&mut self, done: &Completion, well: bool) {
        let gone = done
            .outcome()
            .is_ok_and(|reply| reply.status().is_success() || reply.status().as_u16() == 404);
        let name = name(done.draft());
        match done.draft().operation {
            "PutObject" if well && name != OBJECT => {
                self.segments.insert(name);
            }
            "DeleteObject" if gone => self.removed |= self.segments.remove(&name),
            "CreateTrust" => self.trust |= well,
            "DeleteTrust" if gone => self.trust = false,
            _ => {}
        }
    }

    /// Nothing is left that the result does not tell, and nothing is gone that it needs.
    pub(crate) fn check<T: Debug>(&self, result: &Result<T, Error>) {
        let told = format!("{result:?}").contains(&format!("left behind: trust {TRUST}"));
        match result {
            Ok(_) => {
                assert!(!self.removed, "a segment of the object is gone");
                assert!(!self.trust || told, "law 3: a trust is left behind");
            }
            Err(error) => {
                let told = |other: &str| {
                    error.leftovers().iter().any(|left| match left {
                        Leftover::Object { bucket, key } => format!("{bucket}/{key}") == other,
                        Leftover::Trust { id } => id == other,
                        _ => false,
                    })
                };
                assert!(!self.trust || told(TRUST), "law 3: a trust is left behind");
                let loose = self.segments.iter().find(|segment| !self.kept && !told(segment));
                assert_eq!(loose, None, "law 3: a segment is left behind");
            }
        }
    }
}

/// `container/object` of a request to the account.
fn name(draft: &Draft) -> String {
    let path = draft.head.uri.path();
    path.strip_prefix(ACCOUNT).unwrap_or(path).trim_start_matches('/').to_owned()
}

/// The document of an error.
pub(crate) fn refusal(status: u16, title: &str) -> String {
    format!(r#"{{"error": {{"code": {status}, "title": "{title}", "message": "{title}"}}}}"#)
}

/// What is right for the operation, but for the twist's bits.
pub(crate) fn good(draft: &Draft, setup: &Setup, twist: u8, unix: u64) -> Reply {
    let bit = |n: u8| twist & (1 << n) != 0;
    let mut reply = Reply::new(200);
    match draft.operation {
        "DiscoverVersions" => {
            reply = Reply::new(300);
            let href =
                if bit(0) { "http://elsewhere:5000/v3/" } else { "http://keystone:5000/v3/" };
            reply.body(format!(
                r#"{{"versions": {{"values": [{{"id": "v3.14", "status": "stable",
                "links": [{{"rel": "self", "href": "{href}"}}]}}]}}}}"#
            ));
        }
        "Authenticate" if draft.head.method == Method::GET => {
            reply.header("x-storage-url", STORAGE);
            reply.header("x-auth-token", format!("{SECRET}-{twist}"));
            if !bit(0) {
                reply.header("x-auth-token-expires", LIVES[usize::from(twist >> 1) % LIVES.len()]);
            }
        }
        "Authenticate" => {
            reply = Reply::new(201);
            dated(&mut reply, twist, unix);
            reply.header("x-subject-token", format!("{SECRET}-{twist}"));
            let by_trust = matches!(&draft.body, Body::Bytes(bytes)
                if bytes.windows(8).any(|word| word == b"OS-TRUST"));
            reply.body(token(by_trust && !bit(6), twist, unix));
        }
        "ValidateToken" => {
            dated(&mut reply, twist, unix);
            reply.body(token(bit(6), twist, unix));
        }
        "CreateTrust" => {
            reply = Reply::new(201);
            reply.body(format!(r#"{{"trust": {{"id": "{TRUST}", "roles": []}}}}"#));
        }
        "ShowTrust" => reply.body(format!(r#"{{"trust": {{"id": "{TRUST}"}}}}"#)),
        "ListTrusts" => reply.body(r#"{"trusts": []}"#),
        "DeleteTrust" | "DeleteObject" | "HeadContainer" => reply = Reply::new(204),
        "PutContainer" => reply = Reply::new(if bit(0) { 202 } else { 201 }),
        "GetInfo" => info(&mut reply, setup, twist),
        "GetContainer" => listing(&mut reply, draft, setup, twist),
        "HeadObject" => {
            head(&mut reply, draft, setup, twist);
            if !bit(0) {
                reply.header("content-length", setup.object.get());
            }
        }
        "GetManifest" => {
            head(&mut reply, draft, setup, twist);
            let document = manifest(setup, twist);
            reply.body(document);
        }
        "GetObject" => object(&mut reply, draft, setup, twist),
        "PutObject" => {
            reply = Reply::new(201);
            let length = draft.body.len().min(LONGEST) as usize;
            if !bit(0) {
                reply.header("etag", md5(&ZEROS[..if bit(7) { 1 } else { length }]));
            }
        }
        "PutDlo" => reply = Reply::new(201),
        "PutSlo" => {
            let tag = match &draft.body {
                Body::Bytes(bytes) => Manifest::segments(bytes).ok().and_then(|all| slo_etag(&all)),
                _ => None,
            };
            let tag = tag.filter(|_| !bit(7)).unwrap_or_else(|| md5(b"other"));
            if draft.head.uri.query().is_some_and(|query| query.contains("heartbeat")) && !bit(0) {
                reply = Reply::new(202);
                let status = if bit(1) { "400 Bad Request" } else { "201 Created" };
                reply.body(format!(r#"  {{"Response Status": "{status}", "Etag": "{tag}"}}"#));
            } else {
                reply = Reply::new(201);
                reply.header("etag", format!("\"{tag}\""));
            }
        }
        "DeleteSlo" | "BulkDelete" => report(&mut reply, draft, twist),
        _ => {}
    }
    reply
}

/// The server's clock, which may be another.
fn dated(reply: &mut Reply, twist: u8, unix: u64) {
    if twist & 1 == 0 {
        let ahead = if twist & 2 == 0 { 0 } else { 300 };
        let at = i64::try_from(unix).unwrap_or(0).saturating_add(ahead);
        reply.header("date", Timestamp::from_unix(at).http_date());
    }
}

fn token(by_trust: bool, twist: u8, unix: u64) -> String {
    let lives = LIVES[usize::from(twist >> 2) % LIVES.len()];
    let ends = i64::try_from(unix).unwrap_or(0).saturating_add(lives);
    let ends = Timestamp::from_unix(ends).iso8601();
    let trust = match by_trust {
        true => format!(r#""OS-TRUST:trust": {{"id": "{TRUST}"}},"#),
        false => String::new(),
    };
    let project = if twist & 0x80 == 0 { r#""project": {"id": "p"},"# } else { "" };
    format!(
        r#"{{"token": {{"expires_at": "{ends}", "user": {{"id": "u"}}, {project} {trust}
        "methods": ["password"], "roles": [{{"id": "r", "name": "member"}}],
        "catalog": [{{"type": "object-store", "endpoints": [
        {{"interface": "public", "region": "r", "url": "{STORAGE}"}}]}}]}}}}"#
    )
}

fn info(reply: &mut Reply, setup: &Setup, twist: u8) {
    let bit = |n: u8| twist & (1 << n) != 0;
    let slo = match (bit(0), bit(1)) {
        (true, _) => String::new(),
        (_, true) => r#", "slo": {"yield_frequency": 10}"#.to_owned(),
        _ => format!(
            r#", "slo": {{"min_segment_size": 1, "max_manifest_segments": {}}}"#,
            u32::from(setup.parts) + 1
        ),
    };
    let bulk = match bit(2) {
        true => format!(r#", "bulk_delete": {{"max_deletes_per_request": {}}}"#, twist >> 5),
        false => String::new(),
    };
    let most = if bit(3) { u64::from(twist >> 4) } else { 5 << 30 };
    reply.body(format!(r#"{{"swift": {{"max_file_size": {most}}}{slo}{bulk}}}"#));
}

/// The segments of the server's object, or of an upload.
fn listing(reply: &mut Reply, draft: &Draft, setup: &Setup, twist: u8) {
    let query = draft.head.uri.query().unwrap_or_default();
    let value =
        |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    if value("marker").is_some() && twist & 0x80 == 0 {
        return reply.body("[]");
    }
    let prefix = value("prefix").unwrap_or_default().replace("%2F", "/");
    let (count, size) = setup.segments();
    let entries = (1..=count.saturating_sub(u64::from(twist & 3))).map(|number| {
        let tag = md5(&ZEROS[..size.min(LONGEST) as usize]);
        format!(r#"{{"name": "{prefix}{number:08}", "hash": "{tag}", "bytes": {size}}}"#)
    });
    reply.body(format!("[{}]", entries.collect::<Vec<_>>().join(",")));
}

fn manifest(setup: &Setup, twist: u8) -> String {
    let (count, size) = setup.segments();
    let tag = md5(&ZEROS[..size.min(LONGEST) as usize]);
    let more = match twist & 0x60 {
        0x20 => r#", "sub_slo": true"#,
        0x40 => r#", "range": "1-2""#,
        _ => "",
    };
    let entries = (1..=count).map(|number| {
        format!(r#"{{"name": "/{SEGMENTS}{number:08}", "hash": "{tag}", "bytes": {size}{more}}}"#)
    });
    format!("[{}]", entries.collect::<Vec<_>>().join(","))
}

/// The headers of an object; those of a segment are a plain one's.
fn head(reply: &mut Reply, draft: &Draft, setup: &Setup, twist: u8) {
    let (count, size) = setup.segments();
    let zeros = |length: u64| md5(&ZEROS[..length.min(LONGEST) as usize]);
    let is_whole = name(draft) == OBJECT;
    let tags = zeros(size).repeat(usize::try_from(count).unwrap_or(0));
    let tag = match setup.kind {
        _ if !is_whole => zeros(size),
        Kind::Plain => zeros(setup.object.get()),
        Kind::Static => {
            reply.header("x-static-large-object", "True");
            format!("\"{}\"", md5(tags.as_bytes()))
        }
        Kind::Dynamic => {
            reply.header("x-object-manifest", SEGMENTS);
            format!("\"{}\"", md5(tags.as_bytes()))
        }
    };
    reply.header("etag", if twist & 0x10 == 0 { tag } else { md5(b"other") });
}

/// The bytes that were asked for; they are all zero.
fn object(reply: &mut Reply, draft: &Draft, setup: &Setup, twist: u8) {
    let bit = |n: u8| twist & (1 << n) != 0;
    let size = if name(draft) == OBJECT { setup.object.get() } else { setup.segments().1 };
    let range = draft.head.headers.get("range").and_then(|range| asked(range, size));
    let length = match range.filter(|_| !bit(1)) {
        Some(range) if range.is_empty() => {
            *reply = Reply::new(416);
            return reply.header("content-range", format!("bytes */{size}"));
        }
        Some(range) => {
            *reply = Reply::new(206);
            let (start, last) = (range.start, range.end - 1);
            reply.header("content-range", format!("bytes {start}-{last}/{size}"));
            range.end - range.start
        }
        None => size,
    };
    head(reply, draft, setup, twist);
    let Ok(length) = usize::try_from(length.min(LONGEST)) else { return };
    reply.body(&ZEROS[..length]);
    if bit(2) {
        reply.head.headers.remove("content-length");
    }
}

/// What came of a deletion of several.
fn report(reply: &mut Reply, draft: &Draft, twist: u8) {
    let errors = match twist & 3 {
        0 => String::new(),
        1 => format!(r#"["/{SEGMENTS}00000001", "409 Conflict"]"#),
        2 => format!(r#"["/{SEGMENTS}00000001", "401 Unauthorized"]"#),
        _ => format!(r#"["{}", "503 Service Unavailable"]"#, draft.head.uri.path()),
    };
    let status = ["200 OK", "400 Bad Request", "401 Unauthorized", "413 Request Entity Too Large"]
        [usize::from(twist >> 2) & 3];
    reply.body(format!(
        r#"   {{"Number Deleted": 1, "Number Not Found": 0, "Errors": [{errors}],
        "Response Status": "{status}", "Response Body": ""}}"#
    ));
}

fn md5(bytes: &[u8]) -> String {
    Algorithm::Md5.digest(bytes).expect("it is built in").hex()
}

/// Where the account is.
pub(crate) const STORAGE: &str = "http://swift:8080/v1/AUTH_p";
const ACCOUNT: &str = "/v1/AUTH_p";
/// The object that all is about.
const OBJECT: &str = "c/o";
/// Where the segments of the server's object are.
const SEGMENTS: &str = "c_segments/o/";
/// The only trust.
const TRUST: &str = "t1";

/// How long a token lives, in seconds.
const LIVES: [i64; 4] = [86_400, 30, 1, -30];

/// What carries a part of the source.
pub(crate) const PART: &str = "PutObject";

/// What begins something new, and is not for cleaning up.
pub(crate) const BEGINNINGS: [&str; 6] =
    ["PutObject", "PutSlo", "PutDlo", "PutContainer", "GetObject", "CreateTrust"];

pub(crate) const REFUSALS: [(u16, &str); 20] = [
    (404, "Not Found"),
    (401, "Unauthorized"),
    (403, "Forbidden"),
    (503, "Service Unavailable"),
    (500, "Internal Server Error"),
    (409, "Conflict"),
    (412, "Precondition Failed"),
    (422, "Unprocessable Entity"),
    (498, "Ratelimit"),
    (429, "Too Many Requests"),
    (408, "Request Timeout"),
    (413, "Request Entity Too Large"),
    (411, "Length Required"),
    (416, "Requested Range Not Satisfiable"),
    (499, "Client Disconnect"),
    (507, "Insufficient Storage"),
    (502, "Bad Gateway"),
    (405, "Method Not Allowed"),
    (400, "Bad Request"),
    (304, "Not Modified"),
];

pub(crate) const HEADERS: [&str; 12] = [
    "content-length",
    "content-range",
    "etag",
    "retry-after",
    "x-static-large-object",
    "x-object-manifest",
    "date",
    "x-subject-token",
    "x-auth-token",
    "x-storage-url",
    "x-delete-at",
    "www-authenticate",
];

pub(crate) const WORDS: [&str; 8] = [
    "",
    "bytes 0-0/1",
    "\"9e107d9d372bb6826bd81d3542a419d6\"",
    "True",
    "c_segments/o/",
    "c_segments/",
    STORAGE,
    "Keystone uri='http://keystone:5000'",
];
