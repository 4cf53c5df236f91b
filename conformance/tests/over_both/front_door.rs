//! The calls that a program begins with, as it writes them.

#![allow(clippy::while_let_on_iterator, reason = "a stream of the async transport has no `for`")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use apus_conformance::server::{
    EmbeddedOpenStack, Ending, Fault, FaultyS3, OpenStackModel, Operation, Plan, S3Model,
};
use apus_core::api::s3::{
    self, CopySource, CreateBucket, CreateMultipartUpload, DeleteMany, Download, GetObject,
    HeadObject, ListObjectsV2, PutObject, ServerCopy, Upload,
};
use apus_core::api::swift::{self, GetContainer, HeadContainer, PutContainer};
use apus_core::checksum::{Algorithm, Declared, Type};
use apus_core::keystone::{Domain, Scope, Session, User};
use apus_core::retry::RetryPolicy;
use apus_core::sign::Keys;
use apus_core::{Error, Kind, Secret};
use tokio::io::AsyncReadExt;
use tokio::runtime::Builder;

use crate::client::{Via, pattern};

both! {
    a_client_takes_two_lines_and_each_verb_one,
    the_head_comes_before_the_bytes,
    a_download_without_an_object_does_not_open,
    another_object_in_the_place_of_the_opened_one_is_an_error,
    an_opened_download_is_resumed,
    all_items_of_a_list_are_listed,
    a_list_with_common_prefixes_has_pages_and_no_items,
    a_prefix_is_deleted,
    an_upload_without_a_source_is_an_error,
    pieces_in_memory_are_one_source,
    parts_are_uploaded_by_the_caller_in_any_order,
    an_upload_that_the_caller_drops_is_aborted,
    an_upload_that_cannot_be_aborted_is_named,
    a_path_is_written_completely_or_not_at_all,
    a_prefix_of_swift_objects_is_deleted_with_their_segments,
    a_temporary_url_of_swift_is_presigned,
}

fn server(model: S3Model) -> FaultyS3 {
    FaultyS3::start(model).unwrap()
}

/// Runs the same calls over either transport: `$client` is a client of `$server`, and `wait!` waits
/// for what a call returns.
macro_rules! over {
    ($via:expr, $server:expr, |$client:ident, $transport:ident, $wait:ident| $calls:block) => {{
        let service = s3::Service::custom(&$server.endpoint(), "us-east-1").unwrap();
        let keys = Keys::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let policy = RetryPolicy { base: Duration::from_millis(2), ..RetryPolicy::default() };
        match $via {
            Via::Blocking => {
                use apus_blocking as $transport;
                #[allow(unused_macros)]
                macro_rules! $wait {
                    ($call:expr) => {
                        $call
                    };
                }
                let $client = $transport::Client::builder(service, keys)
                    .retry_policy(policy)
                    .build()
                    .unwrap();
                $calls
            }
            Via::Async => {
                use apus_async as $transport;
                #[allow(unused_macros)]
                macro_rules! $wait {
                    ($call:expr) => {
                        $call.await
                    };
                }
                let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
                runtime.unwrap().block_on(async {
                    let $client = $transport::Client::builder(service, keys)
                        .retry_policy(policy)
                        .build()
                        .unwrap();
                    $calls
                })
            }
        }
    }};
}

fn a_client_takes_two_lines_and_each_verb_one(via: Via) {
    let server = server(S3Model::new().with_bucket("bucket"));
    let large = pattern(9 << 20);
    over!(via, server, |client, transport, wait| {
        wait!(client.call(CreateBucket::new("second"))).unwrap();
        wait!(client.call(PutObject::new("bucket", "small", "hello"))).unwrap();
        let body = wait!(client.call(GetObject::new("bucket", "small"))).unwrap().body;
        assert_eq!(body, "hello");
        let upload =
            Upload::new("bucket", "large").content_type("text/plain").metadata("os", "debian");
        let done = wait!(client.run(upload).body(large.clone()).send()).unwrap();
        assert_eq!(done.size, large.len() as u64);
        let head = wait!(client.call(HeadObject::new("bucket", "large"))).unwrap();
        assert_eq!(head.content_type.as_deref(), Some("text/plain"));
        assert_eq!(head.metadata.get("os").map(String::as_str), Some("debian"));
        let sink = transport::Sink::memory();
        wait!(client.run(Download::new("bucket", "large").concurrency(2)).write_to(&sink).send())
            .unwrap();
        assert!(sink.take() == large);
        let sink = transport::Sink::memory();
        wait!(client.run(Download::new("bucket", "large").range(10..20)).write_to(&sink).send())
            .unwrap();
        assert_eq!(sink.take(), large[10..20]);
        let copy = ServerCopy::new(("bucket", "large"), ("second", "copy"));
        wait!(client.run(copy).send()).unwrap();
        let done = wait!(client.run(DeleteMany::new("bucket", ["small", "large"])).send()).unwrap();
        assert_eq!((done.deleted, done.errors.len()), (2, 0));
        let get = GetObject::new("second", "copy");
        let url = wait!(client.presign(get, Duration::from_secs(60))).unwrap();
        assert!(url.url.contains("X-Amz-Signature="));
    });
    assert_eq!(server.model().keys("second"), ["copy"]);
    assert!(server.model().keys("bucket").is_empty());
}

fn the_head_comes_before_the_bytes(via: Via) {
    let bytes = pattern(4 << 20);
    let model = S3Model::new().with_bucket("bucket").with_object("bucket", "key", bytes.clone());
    let pause = Fault::Trickle(64 << 10, Duration::from_millis(5));
    let server = server(model.with_plan(Plan::new().on(Operation::GetObject, 1, pause)));
    for concurrency in [1, 3] {
        over!(via, server, |client, transport, wait| {
            let _ = transport::TransportConfig::new();
            let download = Download::new("bucket", "key").concurrency(concurrency);
            let (head, reader) = wait!(client.run(download).open()).unwrap();
            assert_eq!(head.size, Some(bytes.len() as u64));
            // Most of the body can't have been sent yet: nobody has read it.
            assert_eq!(server.model().count(Operation::HeadObject), 0);
            let mut reader = reader;
            let mut read = Vec::new();
            wait!(reader.read_to_end(&mut read)).unwrap();
            assert!(read == bytes);
            assert_eq!(wait!(reader.finish()).unwrap().bytes, bytes.len() as u64);
        });
    }
}

fn a_download_without_an_object_does_not_open(via: Via) {
    let server = server(S3Model::new().with_bucket("bucket"));
    let error = over!(via, server, |client, transport, wait| {
        let _ = transport::TransportConfig::new();
        wait!(client.run(Download::new("bucket", "none")).open()).map(|_| ()).unwrap_err()
    });
    assert!(error.is_not_found(), "{error}");
}

/// Replaces the object while a download of it is open.
fn replace(server: &FaultyS3, bytes: bytes::Bytes) {
    let mut model = server.model();
    *model = std::mem::take(&mut *model).with_object("bucket", "key", bytes);
}

fn another_object_in_the_place_of_the_opened_one_is_an_error(via: Via) {
    let bytes = pattern(200_000);
    let model = S3Model::new().with_bucket("bucket").with_object("bucket", "key", bytes.clone());
    // The head comes, and no byte; the object is replaced before the server lets the rest be read.
    let cut = Fault::CutBody(0, Ending::Close);
    let plan = Plan::new().on(Operation::GetObject, 1, cut).on(
        Operation::GetObject,
        2,
        Fault::SlowDown(Some(1)),
    );
    let server = server(model.with_plan(plan));
    let error: Error = over!(via, server, |client, transport, wait| {
        let _ = transport::TransportConfig::new();
        let (head, reader) = wait!(client.run(Download::new("bucket", "key")).open()).unwrap();
        assert_eq!(head.size, Some(200_000));
        replace(&server, pattern(199_000));
        wait!(reader.finish()).map(|_| ()).unwrap_err()
    });
    assert_eq!(error.kind(), apus_core::Kind::Integrity, "{error}");
}

fn an_opened_download_is_resumed(via: Via) {
    let bytes = pattern(200_000);
    let model = S3Model::new().with_bucket("bucket").with_object("bucket", "key", bytes.clone());
    for sent in [0, 1, 100_000] {
        let cut = Fault::CutBody(sent, Ending::Close);
        let plan = Plan::new().on(Operation::GetObject, 1, cut);
        let server = server(model.clone().with_plan(plan));
        over!(via, server, |client, transport, wait| {
            let _ = transport::TransportConfig::new();
            let (head, mut reader) =
                wait!(client.run(Download::new("bucket", "key")).open()).unwrap();
            assert_eq!(head.size, Some(200_000));
            let mut read = Vec::new();
            wait!(reader.read_to_end(&mut read)).unwrap();
            assert!(read == bytes);
        });
        assert_eq!(server.model().count(Operation::GetObject), 2);
    }
}

fn listed(count: usize) -> S3Model {
    let model = S3Model::new().with_bucket("bucket");
    (0..count).fold(model, |model, at| model.with_object("bucket", &format!("logs/{at:04}"), "x"))
}

fn all_items_of_a_list_are_listed(via: Via) {
    let server = server(listed(25));
    over!(via, server, |client, transport, wait| {
        let _ = transport::TransportConfig::new();
        let list = ListObjectsV2 { max_keys: Some(10), ..ListObjectsV2::new("bucket") };
        let mut items = client.items(list.prefix("logs/"));
        let mut keys = Vec::new();
        while let Some(object) = wait!(items.next()) {
            keys.push(object.unwrap().key);
        }
        let expected: Vec<_> = (0..25).map(|at| format!("logs/{at:04}")).collect();
        assert_eq!(keys, expected);
    });
    assert_eq!(server.model().count(Operation::ListObjectsV2), 3);
}

fn a_list_with_common_prefixes_has_pages_and_no_items(via: Via) {
    let server = server(listed(3));
    over!(via, server, |client, transport, wait| {
        let _ = transport::TransportConfig::new();
        let list = ListObjectsV2 { delimiter: Some("/".into()), ..ListObjectsV2::new("bucket") };
        let mut items = client.items(list.clone());
        let error = wait!(items.next()).unwrap().unwrap_err();
        assert!(error.to_string().contains("list the pages"), "{error}");
        assert!(wait!(items.next()).is_none());
        let mut pages = client.pages(list);
        assert_eq!(wait!(pages.next()).unwrap().unwrap().common_prefixes, ["logs/"]);
        assert!(wait!(pages.next()).is_none());
    });
}

fn a_prefix_is_deleted(via: Via) {
    let server = server(listed(1_205).with_object("bucket", "other", "x"));
    over!(via, server, |client, transport, wait| {
        let _ = transport::TransportConfig::new();
        let done = wait!(client.run(DeleteMany::prefix("bucket", "logs/")).send()).unwrap();
        assert_eq!((done.deleted, done.errors.len()), (1_205, 0));
        let error = wait!(client.run(DeleteMany::prefix("bucket", "")).send()).unwrap_err();
        assert!(error.to_string().contains("`all`"), "{error}");
        assert_eq!(server.model().keys("bucket"), ["other"]);
        let done = wait!(client.run(DeleteMany::prefix("bucket", "").all()).send()).unwrap();
        assert_eq!(done.deleted, 1);
    });
    assert!(server.model().keys("bucket").is_empty());
}

fn parts_are_uploaded_by_the_caller_in_any_order(via: Via) {
    let server = server(S3Model::new().with_bucket("bucket"));
    let (first, last) = (pattern(5 << 20), pattern(1 << 20));
    over!(via, server, |client, transport, wait| {
        let mut create = CreateMultipartUpload::new("bucket", "object");
        create.checksum_algorithm = Some(Algorithm::Crc32);
        create.checksum_type = Some(Type::FullObject);
        let upload = wait!(client.start(create)).unwrap();
        let missing = wait!(client.run(upload.complete()).send()).unwrap_err();
        assert_eq!(missing.kind(), Kind::InvalidInput);
        assert!(missing.message().contains("has no parts"), "{missing}");
        wait!(client.run(upload.part(7)).body(last.clone()).send()).unwrap();
        wait!(client.run(upload.part(2)).body("replaced").send()).unwrap();
        wait!(client.run(upload.part(2)).body(first.clone()).send()).unwrap();
        let numbers: Vec<u32> = upload.parts().iter().map(|part| part.part_number).collect();
        assert_eq!(numbers, [2, 7]);
        // The response is lost: the object is looked for.
        let lost =
            Plan::new().on(Operation::CompleteMultipartUpload, 1, Fault::Lost(Ending::Reset));
        server.model().set_plan(lost);
        let done = wait!(client.run(upload.complete().if_absent()).send()).unwrap();
        let whole = [first.as_ref(), last.as_ref()].concat();
        let crc = Algorithm::Crc32.digest(&whole).unwrap();
        assert!(done.stored.checksums.contains(&Declared::FullObject(crc)), "{done:?}");
        drop(upload);
        let got = transport::Sink::memory();
        wait!(client.run(Download::new("bucket", "object")).write_to(&got).send()).unwrap();
        assert!(got.take() == whole);
        assert!(wait!(client.shutdown(Duration::from_secs(5))).is_empty());

        let upload = wait!(client.start(CreateMultipartUpload::new("bucket", "second"))).unwrap();
        let copy = upload.copy_part(1, CopySource::new("bucket", "object")).range(0..(5 << 20));
        wait!(client.run(copy).send()).unwrap();
        wait!(client.run(upload.complete()).send()).unwrap();
        assert_eq!(
            wait!(client.call(HeadObject::new("bucket", "second"))).unwrap().size,
            Some(5 << 20)
        );

        let upload = wait!(client.start(CreateMultipartUpload::new("bucket", "third"))).unwrap();
        wait!(client.run(upload.part(1)).body("hello").send()).unwrap();
        wait!(client.run(upload.abort()).send()).unwrap();
    });
    assert_eq!(server.model().keys("bucket"), ["object", "second"]);
    assert!(server.model().open_uploads().is_empty());
}

fn an_upload_that_the_caller_drops_is_aborted(via: Via) {
    let server = server(S3Model::new().with_bucket("bucket"));
    over!(via, server, |client, transport, wait| {
        let upload = wait!(client.start(CreateMultipartUpload::new("bucket", "object"))).unwrap();
        wait!(client.run(upload.part(1)).body("hello").send()).unwrap();
        drop(upload);
        assert!(wait!(client.shutdown(Duration::from_secs(5))).is_empty());
        assert!(server.model().open_uploads().is_empty());

        // What the one attempt could not remove is reported.
        let upload = wait!(client.start(CreateMultipartUpload::new("bucket", "object"))).unwrap();
        let id = upload.upload_id().to_owned();
        let busy = Plan::new().always(Operation::AbortMultipartUpload, Fault::InternalError);
        server.model().set_plan(busy);
        drop(upload);
        let left = wait!(client.shutdown(Duration::from_secs(5)));
        assert!(left.len() == 1 && left[0].to_string().contains(&id), "{left:?}");
        assert_eq!(server.model().count(Operation::AbortMultipartUpload), 2);
    });
}

#[test]
fn an_upload_that_is_dropped_without_a_runtime_is_reported() {
    let server = server(S3Model::new().with_bucket("bucket"));
    let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
    let service = s3::Service::custom(&server.endpoint(), "us-east-1").unwrap();
    let client = apus_async::Client::new(service, Keys::new("AKID", "secret")).unwrap();
    let create = CreateMultipartUpload::new("bucket", "object");
    let upload = runtime().block_on(client.start(create)).unwrap();
    let id = upload.upload_id().to_owned();
    drop(upload);
    let left = runtime().block_on(client.shutdown(Duration::from_secs(5)));
    assert!(left.len() == 1 && left[0].to_string().contains(&id), "{left:?}");
}

#[test]
fn an_upload_whose_caller_goes_away_before_it_began_is_aborted() {
    let server = server(S3Model::new().with_bucket("bucket"));
    let slow = Fault::Delay(Duration::from_millis(200));
    server.model().set_plan(Plan::new().on(Operation::CreateMultipartUpload, 1, slow));
    let service = s3::Service::custom(&server.endpoint(), "us-east-1").unwrap();
    let client = apus_async::Client::new(service, Keys::new("AKID", "secret")).unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let start = client.start(CreateMultipartUpload::new("bucket", "object"));
        tokio::time::timeout(Duration::from_millis(50), start).await.unwrap_err();
        let left = client.shutdown(Duration::from_secs(10)).await;
        assert!(left.is_empty(), "{left:?}");
    });
    let model = server.model();
    assert_eq!(model.count(Operation::CreateMultipartUpload), 1);
    assert_eq!(model.count(Operation::AbortMultipartUpload), 1);
    assert!(model.open_uploads().is_empty());
}

fn an_upload_that_cannot_be_aborted_is_named(via: Via) {
    let server = server(S3Model::new().with_bucket("bucket"));
    over!(via, server, |client, transport, wait| {
        let upload = wait!(client.start(CreateMultipartUpload::new("bucket", "object"))).unwrap();
        let refused = Fault::Refuse(403, "AccessDenied");
        let plan = Plan::new().always(Operation::AbortMultipartUpload, refused);
        server.model().set_plan(plan);
        let error = wait!(client.run(upload.abort()).send()).unwrap_err();
        let left = error.leftovers();
        assert!(left.len() == 1 && left[0].to_string().contains(upload.upload_id()), "{error:?}");
        // The way out is open still.
        server.model().set_plan(Plan::new());
        wait!(client.run(upload.abort()).send()).unwrap();
    });
    assert!(server.model().open_uploads().is_empty());
}

fn pieces_in_memory_are_one_source(via: Via) {
    let server = server(S3Model::new().with_bucket("bucket"));
    let whole = pattern(13 << 20);
    // Pieces that are not the parts.
    let pieces = [0..1, 1..1, 1..7_000_000, 7_000_000..whole.len()];
    let pieces: Vec<bytes::Bytes> = pieces.into_iter().map(|range| whole.slice(range)).collect();
    over!(via, server, |client, transport, wait| {
        // The response to a part is lost: its bytes are sent again.
        let lost = Plan::new().on(Operation::UploadPart, 1, Fault::Lost(Ending::Reset));
        server.model().set_plan(lost);
        let upload = Upload::new("bucket", "parts").threshold(1 << 20).part_size(5 << 20);
        let done = wait!(client.run(upload).body(pieces.clone()).send()).unwrap();
        assert_eq!((done.parts, done.size), (3, whole.len() as u64));
        let upload = Upload::new("bucket", "one").threshold(64 << 20);
        wait!(client.run(upload).body(transport::Source::pieces(pieces)).send()).unwrap();
        for key in ["parts", "one"] {
            let sink = transport::Sink::memory();
            wait!(client.run(Download::new("bucket", key)).write_to(&sink).send()).unwrap();
            assert!(sink.take() == whole, "{key}");
        }
    });
}

fn an_upload_without_a_source_is_an_error(via: Via) {
    let server = server(S3Model::new().with_bucket("bucket"));
    let error = over!(via, server, |client, transport, wait| {
        let _ = transport::TransportConfig::new();
        wait!(client.run(Upload::new("bucket", "key")).send()).map(|_| ()).unwrap_err()
    });
    assert!(error.to_string().contains("no source was given"), "{error}");
    assert_eq!(server.model().requests(), 0);
}

fn a_path_is_written_completely_or_not_at_all(via: Via) {
    let bytes = pattern(100_000);
    let model = S3Model::new().with_bucket("bucket").with_object("bucket", "key", bytes.clone());
    let plan = Plan::new().from(Operation::GetObject, 2, Fault::Refuse(403, "AccessDenied"));
    let server = server(model.with_plan(plan));
    let folder = tempfile::tempdir().unwrap();
    let path = Arc::new(folder.path().join("copy.img"));
    over!(via, server, |client, transport, wait| {
        let _ = transport::TransportConfig::new();
        let download = || Download::new("bucket", "key");
        wait!(client.run(download()).to_path(&*path).unwrap().send()).unwrap();
        assert!(std::fs::read(&*path).unwrap() == bytes);
        let other = path.with_extension("other");
        let error = wait!(client.run(download()).to_path(&other).unwrap().send()).unwrap_err();
        assert!(error.is_denied(), "{error}");
    });
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Runs the same calls over either transport, at a Swift with Keystone.
macro_rules! over_swift {
    ($via:expr, $server:expr, |$client:ident, $wait:ident| $calls:block) => {{
        let user = User::named("demo", Domain::default_id());
        let scope = Scope::project_named("demo", Domain::default_id());
        let session = Session::password(&$server.auth_url(), user, "demo-secret", scope).unwrap();
        let service = swift::Service::default();
        match $via {
            Via::Blocking => {
                macro_rules! $wait {
                    ($call:expr) => {
                        $call
                    };
                }
                let $client = apus_blocking::Client::new(service, session).unwrap();
                $calls
            }
            Via::Async => {
                macro_rules! $wait {
                    ($call:expr) => {
                        $call.await
                    };
                }
                let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
                runtime.unwrap().block_on(async {
                    let $client = apus_async::Client::new(service, session).unwrap();
                    $calls
                })
            }
        }
    }};
}

fn a_prefix_of_swift_objects_is_deleted_with_their_segments(via: Via) {
    let server = EmbeddedOpenStack::start(OpenStackModel::new()).unwrap();
    over_swift!(via, server, |client, wait| {
        wait!(client.call(PutContainer::new("images"))).unwrap();
        for (name, length) in [("logs/a", 10), ("logs/large", 3 << 20), ("other", 10)] {
            let upload = swift::Upload::new("images", name);
            let upload = upload.threshold(1 << 20).segment_size(1 << 20);
            wait!(client.run(upload).body(pattern(length)).send()).unwrap();
        }
        let error = wait!(client.run(swift::DeleteMany::prefix("images", "")).send());
        assert!(error.unwrap_err().to_string().contains("`all`"));
        let delete = swift::DeleteMany::prefix("images", "logs/");
        let done = wait!(client.run(delete).send()).unwrap();
        assert_eq!((done.deleted, done.missing, done.errors.len()), (5, 0, 0));
        let delete = swift::DeleteMany::new("images", ["other", "none"]);
        let done = wait!(client.run(delete).send()).unwrap();
        assert_eq!((done.deleted, done.missing, done.errors.len()), (1, 1, 0));
        for container in ["images", "images_segments"] {
            let head = wait!(client.call(HeadContainer::new(container))).unwrap();
            assert_eq!(head.object_count, Some(0), "{container}");
        }
    });
}

/// Sends a request without a token, and returns the status and the body of its response.
fn visit(method: &str, url: &str, body: &str) -> (u16, String) {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap());
    let mut stream = TcpStream::connect(host).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn a_temporary_url_of_swift_is_presigned(via: Via) {
    let server = EmbeddedOpenStack::start(OpenStackModel::new()).unwrap();
    let hour = Duration::from_secs(3600);
    over_swift!(via, server, |client, wait| {
        wait!(client.call(PutContainer::new("images"))).unwrap();
        let name = "a name/with ü?";
        wait!(client.call(swift::PutObject::new("images", name, "hello"))).unwrap();
        let url = wait!(client.presign(named(name), hour)).unwrap().url;
        assert_eq!(visit("GET", &url, ""), (200, "hello".to_owned()));
        assert_eq!(visit("PUT", &url, "other").0, 401);
        let (path, query) = url.split_once('?').unwrap();
        let other = path.replace("a%20name", "b%20name");
        assert_eq!(visit("GET", &format!("{other}?{query}"), "").0, 401);
        let put = swift::PutObject::new("images", "new", "");
        let url = wait!(client.presign(put, hour)).unwrap().url;
        assert_eq!(visit("PUT", &url, "new").0, 201);
        let get = swift::GetObject::new("images", "new");
        assert_eq!(wait!(client.call(get)).unwrap().body, "new");
        // The container's own key is preferred.
        let mut settings = swift::PostContainer::new("images");
        settings.settings.temp_url_keys = [Some(Secret::new("of the container")), None];
        wait!(client.call(settings)).unwrap();
        let own = wait!(client.presign(named(name), hour)).unwrap().url;
        assert_eq!(visit("GET", &own, ""), (200, "hello".to_owned()));
        // No time at all, and more than there is.
        for expires in [Duration::ZERO, Duration::MAX] {
            let error = wait!(client.presign(named(name), expires)).unwrap_err();
            assert_eq!(error.kind(), Kind::InvalidInput, "{error}");
        }
        // A temporary URL can't express these.
        let list = wait!(client.presign(GetContainer::new("images"), hour)).unwrap_err();
        assert!(list.to_string().contains("is for an object"), "{list}");
    });
}

fn named(name: &str) -> swift::GetObject {
    swift::GetObject::new("images", name)
}
