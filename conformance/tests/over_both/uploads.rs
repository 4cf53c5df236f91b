//! Uploads from every kind of source, with checksums of every kind.

use std::sync::Arc;

use apus_conformance::server::{FaultyS3, Manners, Plan, Request, S3Model};
use apus_core::Error;
use apus_core::checksum::{Algorithm, Hashers, Placement, RequestChecksumCalculation};
use apus_core::machine::{PartLimits, S3Upload, UploadOptions, Uploaded};
use apus_core::s3::{Properties, Service};
use bytes::Bytes;

use crate::client::{Client, Kind, Origin, Setup, Via, Wire, pattern};

both! {
    every_kind_of_source_becomes_the_object,
    checksums_travel_as_the_mode_says,
    a_tap_tells_digests_of_the_whole,
    sources_keep_their_promise,
}

/// A server whose smallest part is 1 KiB.
pub(crate) fn server(tls: bool, plan: Plan) -> FaultyS3 {
    let model = S3Model::new()
        .with_manners(Manners::aws().with_min_part_size(1 << 10))
        .with_bucket("bucket")
        .with_plan(plan);
    if tls { FaultyS3::start_tls(model) } else { FaultyS3::start(model) }.unwrap()
}

/// Small parts, so that some hundred KiB are many.
pub(crate) fn options() -> UploadOptions {
    UploadOptions {
        threshold: 64 << 10,
        part_size: 32 << 10,
        limits: PartLimits { smallest: 1 << 10, ..PartLimits::default() },
        ..UploadOptions::default()
    }
}

pub(crate) fn machine(origin: &Origin, options: UploadOptions, service: &Arc<Service>) -> S3Upload {
    let source = origin.upload_source();
    S3Upload::new("bucket", "key", source, options, Arc::clone(service), 7).unwrap()
}

pub(crate) fn upload(
    client: &Client,
    origin: Origin,
    options: UploadOptions,
) -> Result<Uploaded, Error> {
    client.run(machine(&origin, options, &client.service), origin)
}

/// The object is these bytes, and no upload is open.
#[track_caller]
pub(crate) fn stored(server: &FaultyS3, bytes: &Bytes) {
    let model = server.model();
    let object = model.object("bucket", "key").expect("the object is there");
    assert!(object.body == bytes, "the object is what was sent");
    assert!(model.open_uploads().is_empty(), "no upload is left open");
}

fn every_kind_of_source_becomes_the_object(via: Via) {
    for tls in [false, true] {
        let server = server(tls, Plan::new());
        let client = Setup::of(&server).client(via);
        for kind in Kind::ALL {
            for (length, parts) in
                [(0, 0), (1, 0), (64 << 10, 0), ((64 << 10) + 1, 3), (300_000, 10)]
            {
                let bytes = pattern(length);
                let mut options = options();
                options.properties = Properties::content_type("image/x-pattern");
                let done = upload(&client, Origin::new(kind, bytes.clone()), options).unwrap();
                let what = format!("{length} bytes from {kind:?}, tls {tls}");
                assert_eq!((done.size, done.parts), (length as u64, parts), "{what}");
                stored(&server, &bytes);
                let model = server.model();
                let object = model.object("bucket", "key").unwrap();
                assert_eq!(done.etag.opaque(), object.etag, "{what}");
                let content_type = object.headers.iter().find(|(name, _)| name == "content-type");
                assert_eq!(content_type.map(|(_, value)| value.as_str()), Some("image/x-pattern"));
            }
        }
        let requests = server.server().requests();
        for request in requests.iter().filter(|request| request.method == "PUT") {
            assert!(request.header("content-length").is_some(), "{:?}", request.headers);
            assert!(request.raw_body.is_none(), "HTTP's own chunks: {:?}", request.headers);
        }
    }
}

fn checksums_travel_as_the_mode_says(via: Via) {
    use Placement::{ContentMd5, Header, Trailer};
    use RequestChecksumCalculation::{Never, WhenRequired, WhenSupported};

    let modes = [WhenRequired, WhenSupported, Never];
    let placements = [Header, Trailer, ContentMd5];
    for (mode, placement, tls) in modes
        .into_iter()
        .flat_map(|mode| placements.map(|placement| (mode, placement)))
        .flat_map(|(mode, placement)| [false, true].map(|tls| (mode, placement, tls)))
    {
        let server = server(tls, Plan::new());
        let setup = Setup::of(&server).with(|config| {
            config.checksum.enable_data_integrity_protection = true;
            config.checksum.request = mode;
            config.checksum.placement = placement;
            config.checksum.algorithm = Algorithm::Crc64Nvme;
        });
        let client = setup.client(via);
        let expected = (mode == WhenSupported).then_some(placement);
        for kind in Kind::ALL {
            for length in [1, 100_000] {
                let what = format!("{mode:?}, {placement:?}, {kind:?}, tls {tls}, {length} bytes");
                let before = server.server().requests().len();
                let bytes = pattern(length);
                let sent = upload(&client, Origin::new(kind, bytes.clone()), options());
                sent.unwrap_or_else(|error| panic!("{what}: {error}"));
                stored(&server, &bytes);
                let requests = server.server().requests().split_off(before);
                let bodies: Vec<_> = requests.iter().filter(|one| one.method == "PUT").collect();
                assert_eq!(bodies.len(), if length == 1 { 1 } else { 4 }, "{what}");
                for request in bodies {
                    let found = travelled(request);
                    assert_eq!(found, expected, "{what}: {:?}", request.headers);
                }
            }
        }
    }
}

/// Where the checksum of a request is.
fn travelled(request: &Request) -> Option<Placement> {
    let found = [
        ("x-amz-checksum-crc64nvme", Placement::Header),
        ("x-amz-trailer", Placement::Trailer),
        ("content-md5", Placement::ContentMd5),
    ];
    let mut found = found.into_iter().filter(|(name, _)| request.header(name).is_some());
    let first = found.next().map(|(_, placement)| placement);
    assert!(found.next().is_none(), "one checksum: {:?}", request.headers);
    let framed = request.header("x-amz-decoded-content-length").is_some();
    assert_eq!(framed, first == Some(Placement::Trailer), "{:?}", request.headers);
    first
}

fn a_tap_tells_digests_of_the_whole(via: Via) {
    let server = server(false, Plan::new());
    let client = Setup::of(&server).client(via);
    let bytes = pattern(200_000);
    let wanted = [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512];
    for kind in Kind::ALL {
        let origin = Origin::new(kind, bytes.clone());
        let upload = machine(&origin, options(), &client.service);
        let hashers = Hashers::new(wanted).unwrap();
        let digests = match &client.wire {
            Wire::Blocking(client) => {
                let source = origin.blocking().tap(hashers);
                client.run(upload).body(&source).send().unwrap();
                source.digests()
            }
            Wire::Async(client, runtime) => {
                let source = origin.hyper().tap(hashers);
                runtime.block_on(client.run(upload).body(&source).send()).unwrap();
                source.digests()
            }
        };
        let digests = digests.expect("the source was read to its end");
        for algorithm in wanted {
            let expected = algorithm.digest(&bytes).unwrap();
            assert_eq!(digests.value(algorithm), Some(&expected), "{kind:?} {algorithm}");
        }
    }
}

/// A reader that is shorter than announced is an error, and nothing is left.
fn sources_keep_their_promise(via: Via) {
    use apus_core::machine::UploadSource::{Seekable, Stream};

    let server = server(false, Plan::new());
    let client = Setup::of(&server).client(via);
    let short = pattern(100_000);
    for (kind, source) in [(Kind::Bytes, Seekable(100_001)), (Kind::Stream, Stream(Some(100_001)))]
    {
        let service = Arc::clone(&client.service);
        let upload = S3Upload::new("bucket", "key", source, options(), service, 7).unwrap();
        let error = client.run(upload, Origin::new(kind, short.clone())).unwrap_err();
        assert_eq!(error.kind(), apus_core::Kind::InvalidInput, "{kind:?}: {error}");
        assert!(error.leftovers().is_empty());
        let model = server.model();
        assert!(model.object("bucket", "key").is_none() && model.open_uploads().is_empty());
    }
}
