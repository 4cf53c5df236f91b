//! The checksum options of a `glance-api.conf`, and the headers that they send.
//!
//! ```text
//!  text ─▶ OsloConfig ─▶ Configuration ─▶ S3Options ─▶ Config ─▶ a client ─▶ Scripted: every header
//! ```
//!
//! The expectations follow "S3 Store Boto3 Checksum Behavior Configuration" and Amazon's
//! documentation. Every header counts: one that is not in the tables is a failure, except those
//! that do not concern checksums ([`ELSEWHERE`]).

mod expected;

use std::fmt::Write;
use std::sync::Arc;

use apus_conformance::server::{Reply, Request, Scripted};
use apus_core::checksum::{Algorithm, NotValidatedReason, Validation};
use apus_core::machine::{PartLimits, S3Upload, UploadOptions};
use apus_core::s3::{ChecksumOptions, DeleteObjects, GetObject, HeadObject, PutObject};
use apus_core::store::config::{Backend, Configuration, OsloConfig, S3Options};
use sha2::{Digest, Sha256};

use self::expected::{
    ALGORITHMS, Bytes, DELETE, Document, Read, SHA256_OF_HELLO, TABLE, complete, create,
    delete_objects, get_object, put_object, upload_parts,
};
use crate::client::{Client, Kind, Origin, Setup, Via};

both! {
    every_setting_over_http,
    every_setting_over_https,
    what_a_call_asks_for,
    booleans_and_words_of_ours_are_read_in_any_case,
    every_algorithm_in_every_place,
    what_a_provider_is_known_to_need,
    backends_have_their_own_settings,
}

fn every_setting_over_http(via: Via) {
    every_setting(via, false);
}

fn every_setting_over_https(via: Via) {
    every_setting(via, true);
}

fn every_setting(via: Via, tls: bool) {
    let server = server(tls);
    for (protection, request, response, bytes, document, read) in TABLE {
        let set = settings(protection, request, response);
        let what = format!("{protection}, {request}, {response}, tls {tls}");
        let client = client(via, &server, &set);
        let before = server.requests().len();

        client.call(PutObject::new("bucket", "key", "hello")).unwrap();
        upload(&client);
        client.call(DeleteObjects::new("bucket", ["key"])).unwrap();
        let got = client.call(GetObject::new("bucket", "key")).unwrap();
        client.call(HeadObject::new("bucket", "key")).unwrap();

        let sent = server.requests().split_off(before);
        let [put, created, first, second, completed, deleted, got_by, head_by] = &sent[..] else {
            panic!("{what}: {} requests", sent.len());
        };
        assert_headers(put, put_object(bytes, tls), &what);
        assert_headers(created, create(bytes), &what);
        assert_headers(first, upload_parts(bytes, tls)[0], &what);
        assert_headers(second, upload_parts(bytes, tls)[1], &what);
        assert_complete(completed, bytes, &what);
        assert_eq!(deleted.body, DELETE, "{what}");
        assert_headers(deleted, delete_objects(document), &what);
        assert_headers(got_by, get_object(read), &what);
        assert_headers(head_by, get_object(Read::Bare), &what);
        let verdict = match read {
            Read::Bare => Validation::NotValidated(NotValidatedReason::NotAsked),
            Read::Checked => Validation::Validated(Algorithm::Crc32),
        };
        assert_eq!(got.validation, verdict, "{what}");
    }
}

/// A call that names an algorithm or asks for a check has its way in every mode but `never`; off,
/// the mode is `when_required` whatever is written.
fn what_a_call_asks_for(via: Via) {
    #[rustfmt::skip]
    let table = [
        ("false", "when_required",  Bytes::Crc32, Document::Crc32, Read::Checked),
        ("false", "when_supported", Bytes::Crc32, Document::Crc32, Read::Checked),
        ("false", "always",         Bytes::Crc32, Document::Crc32, Read::Checked),
        ("false", "never",          Bytes::Crc32, Document::Crc32, Read::Checked),
        ("true",  "when_required",  Bytes::Crc32, Document::Crc32, Read::Checked),
        ("true",  "when_supported", Bytes::Crc32, Document::Crc32, Read::Checked),
        ("true",  "always",         Bytes::Crc32, Document::Crc32, Read::Checked),
        ("true",  "never",          Bytes::Bare,  Document::Md5,   Read::Bare),
    ];
    let server = server(false);
    for (protection, mode, bytes, document, read) in table {
        let what = format!("{protection}, {mode}, asked");
        let client = client(via, &server, &settings(protection, mode, mode));
        let before = server.requests().len();

        let checksum = ChecksumOptions::algorithm(Algorithm::Crc32);
        let mut put = PutObject::new("bucket", "key", "hello");
        put.checksum.clone_from(&checksum);
        client.call(put).unwrap();
        let delete = DeleteObjects { checksum, ..DeleteObjects::new("bucket", ["key"]) };
        client.call(delete).unwrap();
        let get = GetObject { checksum_mode: true, ..GetObject::new("bucket", "key") };
        client.call(get).unwrap();
        let head = HeadObject { checksum_mode: true, ..HeadObject::new("bucket", "key") };
        client.call(head).unwrap();

        let sent = server.requests().split_off(before);
        assert_headers(&sent[0], put_object(bytes, false), &what);
        assert_headers(&sent[1], delete_objects(document), &what);
        assert_headers(&sent[2], get_object(read), &what);
        assert_headers(&sent[3], get_object(read), &what);
    }
}

fn booleans_and_words_of_ours_are_read_in_any_case(via: Via) {
    let server = server(false);
    for (protection, request, response, bytes, document, read) in [
        ("True", "ALWAYS", "Always", Bytes::Crc32, Document::Crc32, Read::Checked),
        ("1", "when_supported", "when_supported", Bytes::Crc32, Document::Crc32, Read::Checked),
        ("yes", "when_required", "when_required", Bytes::Bare, Document::Md5, Read::Bare),
        ("on", "Never", "NEVER", Bytes::Bare, Document::Md5, Read::Bare),
        ("FALSE", "always", "always", Bytes::Bare, Document::Md5, Read::Bare),
    ] {
        let what = format!("{protection}, {request}, {response}");
        let client = client(via, &server, &settings(protection, request, response));
        let before = server.requests().len();
        client.call(PutObject::new("bucket", "key", "hello")).unwrap();
        client.call(DeleteObjects::new("bucket", ["key"])).unwrap();
        client.call(GetObject::new("bucket", "key")).unwrap();
        let sent = server.requests().split_off(before);
        assert_headers(&sent[0], put_object(bytes, false), &what);
        assert_headers(&sent[1], delete_objects(document), &what);
        assert_headers(&sent[2], get_object(read), &what);
    }
}

fn every_algorithm_in_every_place(via: Via) {
    for tls in [false, true] {
        let server = server(tls);
        for ((algorithm, digest), placement) in ALGORITHMS
            .into_iter()
            .flat_map(|pair| ["auto", "header", "trailer", "content-md5"].map(|at| (pair, at)))
        {
            let set = format!(
                "{}s3_store_checksum_algorithm = {algorithm}\n\
                 s3_store_checksum_placement = {placement}\n",
                settings("true", "when_supported", "when_required")
            );
            let what = format!("{algorithm} as {placement}, tls {tls}");
            let client = client(via, &server, &set);
            let before = server.requests().len();
            client.call(PutObject::new("bucket", "key", "hello")).unwrap();
            let sent = server.requests().split_off(before);

            let name = format!("x-amz-checksum-{}", algorithm.to_lowercase());
            let sha256 = if tls { "UNSIGNED-PAYLOAD" } else { SHA256_OF_HELLO };
            let (body, headers) = match placement {
                "trailer" => {
                    let (body, payload) = if tls {
                        (
                            format!("5\r\nhello\r\n0\r\n{name}:{digest}\r\n\r\n"),
                            "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                        )
                    } else {
                        (
                            format!(
                                "5;chunk-signature=SIGNATURE\r\nhello\r\n\
                                 0;chunk-signature=SIGNATURE\r\n{name}:{digest}\r\n\
                                 x-amz-trailer-signature:SIGNATURE\r\n\r\n"
                            ),
                            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
                        )
                    };
                    let length = body.replace("SIGNATURE", &"0".repeat(64)).len();
                    let headers = format!(
                        "content-length: {length}
                         x-amz-content-sha256: {payload}
                         x-amz-decoded-content-length: 5
                         x-amz-sdk-checksum-algorithm: {algorithm}
                         x-amz-trailer: {name}"
                    );
                    (body, headers)
                }
                "content-md5" => (
                    "hello".to_owned(),
                    format!(
                        "content-length: 5
                         content-md5: XUFAKrxLKna5cZ2REBfFkg==
                         x-amz-content-sha256: {sha256}"
                    ),
                ),
                _ => (
                    "hello".to_owned(),
                    format!(
                        "content-length: 5
                         {name}: {digest}
                         x-amz-content-sha256: {sha256}
                         x-amz-sdk-checksum-algorithm: {algorithm}"
                    ),
                ),
            };
            assert_headers(&sent[0], &headers, &what);
            assert_eq!(without_signatures(&sent[0].body), body, "{what}");
        }
    }
}

/// What a provider's name in the configuration changes about it.
fn what_a_provider_is_known_to_need(via: Via) {
    let server = server(true);
    for (provider, placement, expected) in [
        // Amazon's documentation demands the coding of a framed body; elsewhere some store the
        // word.
        (
            "aws",
            "trailer",
            "content-encoding: aws-chunked
             content-length: 46
             x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER
             x-amz-decoded-content-length: 5
             x-amz-sdk-checksum-algorithm: CRC32
             x-amz-trailer: x-amz-checksum-crc32",
        ),
        ("ceph", "auto", put_object(Bytes::Crc32, true)),
        // Refuse the request for `x-amz-sdk-checksum-algorithm`.
        (
            "b2",
            "auto",
            "content-length: 5
             x-amz-checksum-crc32: NhCmhg==
             x-amz-content-sha256: UNSIGNED-PAYLOAD",
        ),
        (
            "r2",
            "auto",
            "content-length: 5
             x-amz-checksum-crc32: NhCmhg==
             x-amz-content-sha256: UNSIGNED-PAYLOAD",
        ),
        // Know no checksum but Content-MD5.
        (
            "gcs",
            "auto",
            "content-length: 5
             content-md5: XUFAKrxLKna5cZ2REBfFkg==
             x-amz-content-sha256: UNSIGNED-PAYLOAD",
        ),
    ] {
        let set = format!(
            "{}s3_store_checksum_placement = {placement}\ns3_store_provider = {provider}\n",
            settings("true", "always", "always")
        );
        let client = client(via, &server, &set);
        let before = server.requests().len();
        client.call(PutObject::new("bucket", "key", "hello")).unwrap();
        let sent = server.requests().split_off(before);
        assert_headers(&sent[0], expected, provider);
    }
}

/// One configuration, three backends, in turns: nothing of one shows in another.
fn backends_have_their_own_settings(via: Via) {
    let servers = [server(false), server(false), server(false)];
    let backend = |id: &str, server: &Scripted, set: &str| {
        format!("[{id}]\ns3_store_host = {}\n{set}", server.endpoint())
    };
    let text = format!(
        "[DEFAULT]\n\
         enabled_backends = ceph:s3, aws:s3, old:s3\n\
         [glance_store]\n\
         default_backend = ceph\n\
         # Of all stores, or of none: it is not where a backend's options are.\n\
         s3_store_enable_data_integrity_protection = true\n\
         s3_store_request_checksum_calculation = never\n\
         [backend_defaults]\n\
         s3_store_access_key = AKIDEXAMPLE\n\
         s3_store_secret_key = wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n\
         s3_store_bucket = bucket\n\
         s3_store_response_checksum_validation = always\n\
         {}{}{}",
        backend("ceph", &servers[0], ""),
        backend(
            "aws",
            &servers[1],
            "s3_store_enable_data_integrity_protection = true\n\
             s3_store_request_checksum_calculation = always\n\
             s3_store_checksum_algorithm = CRC64NVME\n"
        ),
        backend("old", &servers[2], &settings("true", "never", "never")),
    );
    let configuration = read(&text);
    let clients = ["ceph", "aws", "old"].map(|id| {
        let Backend::S3(options) = &configuration.backends[id] else { panic!("{id}") };
        of_options(via, &servers[0], options)
    });
    for _ in 0..2 {
        for client in &clients {
            client.call(PutObject::new("bucket", "key", "hello")).unwrap();
            client.call(DeleteObjects::new("bucket", ["key"])).unwrap();
            client.call(GetObject::new("bucket", "key")).unwrap();
        }
    }
    let by_aws = "content-length: 5
                  x-amz-checksum-crc64nvme: M3eFcAZSQlc=
                  x-amz-content-sha256: \
                  2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
                  x-amz-sdk-checksum-algorithm: CRC64NVME";
    // CRC64NVME of the document of DeleteObjects.
    let deleted_by_aws = "content-length: 96
                          x-amz-checksum-crc64nvme: /tcZiKkFeOU=
                          x-amz-content-sha256: \
                          56d2d13f9418b4dfa5d2975b599c67d532c87ed23a8aaeb229cb9eb59e823cb8
                          x-amz-sdk-checksum-algorithm: CRC64NVME";
    let expected = [
        // Not switched on: `always` of the defaults does not count.
        [put_object(Bytes::Bare, false), delete_objects(Document::Md5), get_object(Read::Bare)],
        [by_aws, deleted_by_aws, get_object(Read::Checked)],
        [put_object(Bytes::Bare, false), delete_objects(Document::Md5), get_object(Read::Bare)],
    ];
    for (server, expected) in servers.iter().zip(expected) {
        let sent = server.requests();
        assert_eq!(sent.len(), 6);
        for (request, headers) in sent.iter().zip(expected.iter().cycle()) {
            assert_headers(request, headers, &server.endpoint());
        }
    }
}

/// The three options as they stand in a file.
fn settings(protection: &str, request: &str, response: &str) -> String {
    format!(
        "s3_store_enable_data_integrity_protection = {protection}\n\
         s3_store_request_checksum_calculation = {request}\n\
         s3_store_response_checksum_validation = {response}\n"
    )
}

/// A client of the one backend of a `glance-api.conf` that has these options too.
fn client(via: Via, server: &Scripted, set: &str) -> Client {
    let text = format!(
        "[DEFAULT]\n\
         enabled_backends = fast:s3\n\
         [glance_store]\n\
         default_backend = fast\n\
         [fast]\n\
         s3_store_host = {}\n\
         s3_store_access_key = AKIDEXAMPLE\n\
         s3_store_secret_key = wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n\
         s3_store_bucket = bucket\n\
         s3_store_bucket_url_format = path\n\
         {set}",
        server.endpoint()
    );
    let configuration = read(&text);
    let Backend::S3(options) = &configuration.backends["fast"] else { panic!("{text}") };
    of_options(via, server, options)
}

fn read(text: &str) -> Configuration {
    let oslo = OsloConfig::parse([("glance-api.conf", text)]).unwrap();
    let configuration = Configuration::of_oslo(&oslo).unwrap();
    // Options that stand where no backend's are read are told of.
    let mut told = configuration.warnings.iter();
    assert!(told.all(|told| told.section == "glance_store"), "{:?}", configuration.warnings);
    configuration
}

/// The server only lends its certificate: where requests go is the options' affair.
fn of_options(via: Via, server: &Scripted, options: &S3Options) -> Client {
    let mut setup = Setup::of(server);
    setup.config = options.config().unwrap();
    setup.keys = vec![options.keys().unwrap()];
    setup.client(via)
}

/// A server that responds to each operation with a success, and returns a checksum where requested.
fn server(tls: bool) -> Scripted {
    let script = |request: &Request| match (request.method.as_str(), request.query()) {
        ("PUT", _) => Reply::new(200).header("ETag", ETAG),
        ("POST", "uploads" | "uploads=") => Reply::xml(
            200,
            "<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>key</Key>\
             <UploadId>id</UploadId></InitiateMultipartUploadResult>",
        ),
        ("POST", "delete" | "delete=") => Reply::xml(200, "<DeleteResult/>"),
        ("POST", _) => Reply::xml(
            200,
            "<CompleteMultipartUploadResult><Bucket>bucket</Bucket><Key>key</Key>\
             <ETag>\"e-2\"</ETag></CompleteMultipartUploadResult>",
        ),
        _ => {
            let reply = Reply::new(200).header("ETag", ETAG).body("hello");
            match request.header("x-amz-checksum-mode") {
                Some("ENABLED") => reply
                    .header("x-amz-checksum-crc32", "NhCmhg==")
                    .header("x-amz-checksum-type", "FULL_OBJECT"),
                _ => reply,
            }
        }
    };
    if tls { Scripted::start_tls(script) } else { Scripted::start(script) }.unwrap()
}

/// Uploads `hello world` in two parts, one after the other.
fn upload(client: &Client) {
    let options = UploadOptions {
        threshold: 1,
        part_size: 6,
        concurrency: 1,
        limits: PartLimits { smallest: 1, ..PartLimits::default() },
        ..UploadOptions::default()
    };
    let origin = Origin::new(Kind::Bytes, "hello world");
    let service = Arc::clone(&client.service);
    let upload =
        S3Upload::new("bucket", "key", origin.upload_source(), options, service, 7).unwrap();
    assert_eq!(client.run(upload, origin).unwrap().parts, 2);
}

/// Every header of the request but those of [`ELSEWHERE`], sorted, against lines of a table.
fn assert_headers(request: &Request, expected: &str, what: &str) {
    let expected: Vec<&str> = expected.lines().map(str::trim).collect();
    let what = format!("{what}: {} {}", request.method, request.target);
    assert_eq!(headers(request), expected, "{what}");
    let authorization = request.header("authorization").unwrap_or_default();
    let signed = authorization.split("SignedHeaders=").nth(1).unwrap_or_default();
    let signed: Vec<&str> = signed.split([';', ',']).collect();
    for (name, _) in expected.iter().filter_map(|line| line.split_once(": ")) {
        let is_signed = !["content-length", "expect"].contains(&name);
        assert!(signed.contains(&name) || !is_signed, "{what}: {name} is not signed");
    }
}

fn assert_complete(request: &Request, bytes: Bytes, what: &str) {
    let (expected, checksums) = complete(bytes);
    let sha256 = Sha256::digest(&request.body).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    });
    let length = request.body.len().to_string();
    let headers: Vec<String> = headers(request)
        .into_iter()
        .map(|line| line.replace(&sha256, "of the document").replace(&length, "of the document"))
        .collect();
    let expected: Vec<&str> = expected.lines().map(str::trim).collect();
    assert_eq!(headers, expected, "{what}: {:?}", request.headers);
    let body = String::from_utf8(request.body.to_vec()).unwrap();
    let told: Vec<&str> = body.split('<').filter(|it| it.starts_with("Checksum")).collect();
    assert_eq!(told, checksums, "{what}: {body}");
}

fn headers(request: &Request) -> Vec<String> {
    let mut lines: Vec<String> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_lowercase(), value))
        .filter(|(name, _)| !ELSEWHERE.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    lines.sort();
    lines
}

fn without_signatures(body: &[u8]) -> String {
    let mut text = String::from_utf8(body.to_vec()).unwrap();
    for mark in ["chunk-signature=", "trailer-signature:"] {
        let pieces: Vec<String> = text.split(mark).map(str::to_owned).collect();
        let (first, rest) = pieces.split_first().unwrap();
        text = rest.iter().fold(first.clone(), |text, piece| {
            let (signature, after) = piece.split_at(64);
            assert!(signature.bytes().all(|byte| byte.is_ascii_hexdigit()), "{piece}");
            format!("{text}{mark}SIGNATURE{after}")
        });
    }
    text
}

/// Headers that checksums have nothing to do with: where, when and by whom, and the transport's
/// own.
const ELSEWHERE: [&str; 6] =
    ["host", "x-amz-date", "authorization", "user-agent", "accept", "accept-encoding"];

/// The MD5 of `hello`, as S3 tags it.
const ETAG: &str = "\"5d41402abc4b2a76b9719d911017c592\"";
