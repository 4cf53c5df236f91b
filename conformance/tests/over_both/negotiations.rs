//! What a server refused once is left out of all later requests. The core decides; both transports
//! send what it decides. Expectations are in `expectations`, DeleteObjects in `jobs`.

use apus_conformance::server::{FaultyS3, Manners, Operation, S3Model};
use apus_core::checksum::RequestChecksumCalculation;
use apus_core::s3::{Conditions, PutObject};

use crate::client::{Client, Kind, Origin, Setup, Via, pattern};
use crate::uploads;

both! {
    a_refused_condition_is_looked_for_instead_from_then_on,
    a_refused_checksum_is_replaced_by_md5_from_then_on,
    a_refused_name_of_an_algorithm_is_left_out_from_then_on,
}

/// A server that refuses headers of these names.
fn refusing(headers: &[&'static str]) -> FaultyS3 {
    let mut manners = Manners::aws().with_min_part_size(1 << 10);
    manners.refused_headers = headers.to_vec();
    FaultyS3::start(S3Model::new().with_manners(manners).with_bucket("bucket")).unwrap()
}

fn client(server: &FaultyS3, via: Via) -> Client {
    let mut setup = Setup::of(server);
    setup.config.checksum.enable_data_integrity_protection = true;
    setup.config.checksum.request = RequestChecksumCalculation::WhenSupported;
    setup.client(via)
}

fn a_refused_condition_is_looked_for_instead_from_then_on(via: Via) {
    for length in [1000, 200_000] {
        let server = refusing(&["if-none-match"]);
        let client = client(&server, via);
        let mut options = uploads::options();
        options.conditions = Conditions::absent();
        let bytes = pattern(length);
        let upload =
            |bytes| uploads::upload(&client, Origin::new(Kind::Bytes, bytes), options.clone());
        upload(bytes.clone()).unwrap();
        uploads::stored(&server, &bytes);
        // A second one is refused by the look alone: nothing of it is sent.
        let written = |server: &FaultyS3| {
            let model = server.model();
            model.count(Operation::PutObject) + model.count(Operation::CompleteMultipartUpload)
        };
        let before = written(&server);
        let error = upload(pattern(length)).unwrap_err();
        assert!(error.is_precondition_failed(), "{error}");
        assert_eq!((before, written(&server)), (2, 2));
        uploads::stored(&server, &bytes);
    }
}

fn a_refused_checksum_is_replaced_by_md5_from_then_on(via: Via) {
    let server = refusing(&["x-amz-checksum-crc32"]);
    let client = client(&server, via);
    let sent = |server: &FaultyS3, operation| server.model().count(operation);
    for attempts in [2, 3, 4] {
        client.call(PutObject::new("bucket", "key", "a")).unwrap();
        assert_eq!(sent(&server, Operation::PutObject), attempts);
    }
    // Seven parts, each sent once.
    let bytes = pattern(200_000);
    let origin = Origin::new(Kind::Bytes, bytes.clone());
    uploads::upload(&client, origin, uploads::options()).unwrap();
    uploads::stored(&server, &bytes);
    assert_eq!(sent(&server, Operation::UploadPart), 7);
}

fn a_refused_name_of_an_algorithm_is_left_out_from_then_on(via: Via) {
    let server = refusing(&["x-amz-sdk-checksum-algorithm"]);
    let client = client(&server, via);
    for attempts in [2, 3, 4] {
        client.call(PutObject::new("bucket", "key", "a")).unwrap();
        assert_eq!(server.model().count(Operation::PutObject), attempts);
    }
}
