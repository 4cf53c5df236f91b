//! The requests of operations that go beyond what boto3 1.44.5 sent to real servers, and what
//! operations refuse.

use apus_core::Kind;
use apus_core::checksum::{Algorithm, Declared, Need, RequestChecksumCalculation, Type, Value};
use apus_core::contract::Operation;
use apus_core::http::{Body, Draft, Payload};
use apus_core::retry::Idempotency;
use apus_core::s3::*;
use http::{HeaderValue, Method};

fn config(region: &str) -> Config {
    let endpoint = BaseUrl::parse("http://localhost:46041").unwrap();
    Config::new(EndpointConfig::custom(endpoint, region))
}

fn draft<O: Operation<Service = Service>>(operation: &O) -> Box<Draft> {
    operation.draft(&Service::new(config("us-east-1")).unwrap()).unwrap()
}

/// The draft for Amazon, where the capture was made with the SDK's defaults.
fn amazons_draft<O: Operation<Service = Service>>(operation: &O) -> Box<Draft> {
    let config = config("us-east-1").of_provider(apus_core::quirks::Provider::Aws);
    operation.draft(&Service::new(config).unwrap()).unwrap()
}

fn refusal<O: Operation<Service = Service>>(operation: &O) -> String {
    let error = operation.draft(&Service::new(config("us-east-1")).unwrap()).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidInput);
    error.to_string()
}

fn text(draft: &Draft) -> &str {
    match &draft.body {
        Body::Bytes(bytes) => std::str::from_utf8(bytes).unwrap(),
        Body::Empty => "",
        Body::Source { .. } => panic!("the body is not in memory"),
    }
}

fn header<'a>(draft: &'a Draft, name: &str) -> Option<&'a str> {
    draft.head.headers.get(name).map(|value| value.to_str().unwrap())
}

// As captured: the document, its CRC32 and that it has no Content-Type.
#[test]
fn delete_objects() {
    let operation = DeleteObjects::new("cap-24163", ["copy", "none"]);
    let draft = amazons_draft(&operation);
    assert_eq!((draft.head.method.clone(), draft.target()), (Method::POST, "/cap-24163?delete"));
    assert_eq!(
        text(&draft),
        "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>copy</Key></Object>\
         <Object><Key>none</Key></Object></Delete>"
    );
    assert_eq!(header(&draft, "x-amz-sdk-checksum-algorithm"), Some("CRC32"));
    assert_eq!(header(&draft, "content-type"), None);
    assert_eq!(draft.payload, Payload::Hashed);
    let stamp = &draft.checksums()[0];
    assert_eq!(stamp.name, "x-amz-checksum-crc32");
    let value = stamp.algorithm.digest(text(&draft).as_bytes()).unwrap();
    assert_eq!(value.base64(), "naijAQ==");
}

#[test]
fn delete_objects_keeps_the_limit() {
    let keys = |count: usize| (0..count).map(|number| number.to_string());
    assert!(refusal(&DeleteObjects::new("b", keys(1001))).contains("has 1001 objects"));
    assert!(refusal(&DeleteObjects::new("b", keys(0))).contains("has 0 objects"));
    draft(&DeleteObjects::new("b", keys(1000)));
    let told = refusal(&DeleteObjects::new("b", ["a\u{1}"]));
    assert!(told.contains("Delete/Object/Key") && told.contains("U+0001"), "{told}");
}

// A server that knows no flexible checksum is told none, and gets the MD5 that S3 insists on.
#[test]
fn never_sends_content_md5_where_a_digest_is_demanded() {
    let mut config = config("us-east-1");
    config.checksum.enable_data_integrity_protection = true;
    config.checksum.request = RequestChecksumCalculation::Never;
    let service = Service::new(config).unwrap();
    let mut operation = PutBucketVersioning::new("gsmp7vjywi2", BucketVersioning::enabled());
    operation.checksum.values = vec![Value::new(Algorithm::Crc32, &[0; 4]).unwrap()];
    let draft = operation.draft(&service).unwrap();
    assert_eq!(draft.head.headers.len(), 1, "only the host: {:?}", draft.head.headers);
    let stamp = &draft.checksums()[0];
    assert_eq!((stamp.name.as_str(), stamp.algorithm), ("content-md5", Algorithm::Md5));
    // As botocore computes it for this document.
    let value = stamp.algorithm.digest(text(&draft).as_bytes()).unwrap();
    assert_eq!(value.base64(), "QQFYoy/mRYV9PGZUfFi0Bw==");
}

// Nor is it asked to make one, unless this one call says so.
#[test]
fn never_announces_no_checksum() {
    let mut config = config("us-east-1");
    config.checksum.enable_data_integrity_protection = true;
    config.checksum.request = RequestChecksumCalculation::Never;
    let service = Service::new(config).unwrap();
    let mut create = CreateMultipartUpload::new("b", "k");
    create.checksum_algorithm = Some(Algorithm::Crc32);
    create.checksum_type = Some(Type::FullObject);
    let mut copy = CopyObject::new("b", "k", CopySource::new("a", "k"));
    copy.checksum_algorithm = Some(Algorithm::Sha256);
    let announced = |draft: &Draft| {
        let names = draft.head.headers.keys().map(|name| name.as_str().to_owned());
        names.filter(|name| name.starts_with("x-amz-checksum")).collect::<Vec<_>>()
    };
    for quiet in [create.draft(&service).unwrap(), copy.draft(&service).unwrap()] {
        assert_eq!(announced(&quiet), [""; 0]);
    }
    create.overrides.request = Some(RequestChecksumCalculation::WhenRequired);
    for (loud, many) in
        [(create.draft(&service).unwrap(), 2), (draft(&create), 2), (draft(&copy), 1)]
    {
        assert_eq!(announced(&loud).len(), many);
    }
}

// As captured from Ceph 20, where the checksums follow the tag.
#[test]
fn complete_multipart_upload() {
    let part = |number, etag: &str, crc32: &str| CompletedPart {
        checksums: vec![Value::from_base64(Algorithm::Crc32, crc32).unwrap()],
        ..CompletedPart::new(number, etag)
    };
    let mut operation = CompleteMultipartUpload::new(
        "cap-24163",
        "mp",
        "2~a/b",
        vec![
            part(1, "\"f15d530ddbf82cca331d036586dc6109\"", "3guZhA=="),
            part(2, "\"2776a4b67727b8bf977efa24eeb98d60\"", "S/rSWA=="),
        ],
    );
    operation.checksum = Some(Declared::parse(Algorithm::Crc32, "2tD53w==").unwrap());
    operation.checksum_type = Some(Type::FullObject);
    operation.object_size = Some(5_245_080);
    operation.if_none_match = Some("*".into());
    let draft = draft(&operation);
    assert_eq!(draft.target(), "/cap-24163/mp?uploadId=2~a%2Fb");
    assert_eq!(header(&draft, "x-amz-checksum-crc32"), Some("2tD53w=="));
    assert_eq!(header(&draft, "x-amz-checksum-type"), Some("FULL_OBJECT"));
    assert_eq!(header(&draft, "x-amz-mp-object-size"), Some("5245080"));
    assert_eq!(header(&draft, "if-none-match"), Some("*"));
    // The operation has no place for a checksum of its own body.
    assert!(draft.checksums().is_empty());
    assert!(text(&draft).contains("<ChecksumCRC32>3guZhA==</ChecksumCRC32></Part>"));
}

#[test]
fn parts_are_numbered_as_s3_numbers_them() {
    for number in [0, 10_001] {
        let told = refusal(&UploadPart::new("b", "k", "u", number, ""));
        assert!(told.contains("invalid part number"), "{told}");
    }
    let draft = draft(&UploadPart::new("b", "k", "u", 10_000, "x"));
    assert_eq!(draft.target(), "/b/k?partNumber=10000&uploadId=u");
}

// `DELETE /b/k?uploadId=` is the removal of the object to a server that takes empty for none.
#[test]
fn empty_ids_are_refused() {
    assert!(refusal(&AbortMultipartUpload::new("b", "k", "")).contains("upload id is empty"));
    assert!(refusal(&UploadPart::new("b", "k", "", 1, "")).contains("upload id is empty"));
    let mut delete = DeleteObject::new("b", "k");
    delete.version_id = Some(String::new());
    assert!(refusal(&delete).contains("version id is empty"));
    assert!(refusal(&DeleteObjects::new("b", ["k", ""])).contains("empty key"));
}

#[test]
fn one_time_codes_are_secret() {
    let mut delete = DeleteObject::new("b", "k");
    delete.mfa = Some("arn:aws:iam::111122223333:mfa/user 123456".into());
    let draft = draft(&delete);
    assert_eq!(header(&draft, "x-amz-mfa"), Some("arn:aws:iam::111122223333:mfa/user 123456"));
    assert!(!format!("{delete:?}{draft:?}").contains("123456"));
}

// "CreateBucket", S3 API reference: us-east-1 is never written.
#[test]
fn create_bucket_writes_the_region() {
    let of = |region: &str, given: Option<&str>| {
        let service = Service::new(config(region)).unwrap();
        let mut operation = CreateBucket::new("bucket");
        operation.location_constraint = given.map(str::to_owned);
        let draft = operation.draft(&service).unwrap();
        text(&draft).to_owned()
    };
    assert_eq!(of("us-east-1", None), "");
    assert_eq!(of("", None), "");
    assert_eq!(of("eu-west-1", Some("")), "");
    assert_eq!(
        of("eu-west-1", None),
        "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"
    );
    assert!(of("us-east-1", Some("default:placement")).contains(">default:placement<"));
}

// Keys with characters that XML can't hold are only listed when they are percent-encoded.
// Ceph 16.2 refuses a signed frame of no bytes: 400 XAmzContentSHA256Mismatch.
#[test]
fn no_bytes_are_not_framed() {
    let mut config = config("us-east-1");
    config.payload = PayloadSigning::Chunked;
    let service = Service::new(config).unwrap();
    let framed = PutObject::new("bucket", "key", "x").draft(&service).unwrap();
    assert!(framed.framing.is_some());
    for body in [Body::Empty, Body::Bytes(Default::default())] {
        let draft = PutObject::from_body("bucket", "key", body).draft(&service).unwrap();
        assert_eq!((draft.framing, draft.payload), (None, Payload::Hashed));
    }
}

#[test]
fn lists_ask_for_encoded_keys() {
    let list = ListObjectsV2::new("cap-2413c").prefix("b é");
    assert_eq!(draft(&list).target(), "/cap-2413c?list-type=2&prefix=b%20%C3%A9&encoding-type=url");
    let raw = ListObjects { raw_keys: true, ..ListObjects::new("cap-2413c") };
    assert_eq!(draft(&raw).target(), "/cap-2413c");
}

#[test]
fn a_bucket_by_path_and_the_root_by_a_slash() {
    assert_eq!(draft(&GetBucketLocation::new("b")).target(), "/b?location");
    assert_eq!(draft(&ListBuckets::new()).target(), "/");
    assert_eq!(draft(&DeleteBucket::new("b")).target(), "/b");
}

#[test]
fn an_empty_range_is_not_copied() {
    let mut copy = UploadPartCopy::new("b", "k", "u", 1, CopySource::new("s", "k"));
    copy.source_range = Some(0..5 << 20);
    assert_eq!(header(&draft(&copy), "x-amz-copy-source-range"), Some("bytes=0-5242879"));
    copy.source_range = Some(7..7);
    assert!(refusal(&copy).contains("empty"));
}

// "PutBucketAcl", S3 API reference, which is not modelled.
#[test]
fn raw_does_what_is_not_modelled() {
    let mut acl = Raw::new(Method::PUT).bucket("bucket");
    acl.query.push(("acl".to_owned(), None));
    acl.query.push(("x y".to_owned(), Some("a/b".to_owned())));
    acl.headers.insert("x-amz-acl", HeaderValue::from_static("private"));
    acl.body = Body::Bytes("<AccessControlPolicy/>".into());
    acl.need = Need::Required;
    let draft = draft(&acl);
    assert_eq!(draft.target(), "/bucket?acl&x%20y=a%2Fb");
    assert_eq!(header(&draft, "x-amz-acl"), Some("private"));
    assert_eq!(draft.checksums()[0].name, "content-md5");
    assert_eq!(acl.idempotency(), Idempotency::Idempotent);
    assert_eq!(Raw::new(Method::HEAD).idempotency(), Idempotency::Read);
    assert_eq!(Raw::new(Method::POST).idempotency(), Idempotency::Once);

    for name in ["authorization", "host", "content-length", "x-amz-content-sha256"] {
        let mut forged = Raw::new(Method::GET);
        forged.headers.insert(name, HeaderValue::from_static("a"));
        assert!(refusal(&forged).contains(name));
    }
    assert!(refusal(&Raw::new(Method::GET).key("k")).contains("requires a bucket"));
    acl.headers.insert("x-secret", HeaderValue::from_static("hidden-value"));
    assert!(!format!("{acl:?}").contains("hidden-value"));
}

// Google Cloud Storage, "Transcoding of gzip-compressed files": such an object comes as it is stored
// to who takes gzip. The header is not signed, for gateways change it.
#[test]
fn a_store_that_decompresses_is_told_that_gzip_is_taken() {
    let coding = |provider, operation: &dyn Fn(&Service) -> Box<Draft>| {
        let config = config("us-east-1").of_provider(provider);
        let draft = operation(&Service::new(config).unwrap());
        header(&draft, "accept-encoding").map(str::to_owned)
    };
    let get = |service: &Service| GetObject::new("b", "k").draft(service).unwrap();
    let head = |service: &Service| HeadObject::new("b", "k").draft(service).unwrap();
    let list = |service: &Service| ListObjectsV2::new("b").draft(service).unwrap();
    use apus_core::quirks::Provider::{Aws, Gcs};
    assert_eq!(coding(Gcs, &get).as_deref(), Some("gzip"));
    assert_eq!(coding(Gcs, &head).as_deref(), Some("gzip"));
    assert_eq!(coding(Gcs, &list), None);
    assert_eq!(coding(Aws, &get), None);
}
