//! How operations parse responses: the documents of the S3 API reference, and those of real
//! servers.

use apus_core::checksum::{Algorithm, Declared, Type, Value};
use apus_core::contract::{Operation, Service as _};
use apus_core::credentials::Credentials;
use apus_core::http::Reply;
use apus_core::machine::{Auth, Call};
use apus_core::retry::{Idempotency, RetryDecision};
use apus_core::s3::*;
use apus_core::secret::Secret;
use apus_core::sign::Keys;
use apus_core::{Error, Kind};
use http::StatusCode;
use proptest::prelude::*;

use crate::support::{Answer, Sim};

fn service() -> Service {
    let endpoint = BaseUrl::parse("http://localhost:8000").unwrap();
    Service::new(Config::new(EndpointConfig::custom(endpoint, "us-east-1"))).unwrap()
}

fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let (head, ()) = response.body(()).unwrap().into_parts();
    Reply::new(head, body.to_owned().into())
}

fn parse<O: Operation<Service = Service>>(operation: &O, body: &str) -> Result<O::Output, Error> {
    operation.parse(&service(), &reply(200, &[], body))
}

// Answers of Ceph 16.2, Ceph 20, s3s-fs and moto, in this order.
#[test]
fn complete_is_answered_with_all_kinds_of_tags() {
    let answer = |etag: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?> <CompleteMultipartUploadResult \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Location>localhost/cap/mp\
             </Location><Bucket>cap</Bucket><Key>mp</Key><ETag>{etag}</ETag>\
             </CompleteMultipartUploadResult>"
        )
    };
    let complete = CompleteMultipartUpload::default();
    assert!(parse(&complete, &answer("")).unwrap().stored.etag.is_empty());
    let tag = "9e19a2a32c6bded4f4c3829cd10195f0-2";
    for written in [format!("&quot;{tag}&quot;"), format!("\"{tag}\""), tag.to_owned()] {
        let output = parse(&complete, &answer(&written)).unwrap();
        assert_eq!(output.stored.etag.opaque(), tag);
        assert_eq!(output.location.as_deref(), Some("localhost/cap/mp"));
    }
}

// "CompleteMultipartUpload", S3 API reference: white space while it works, an error after the 200.
#[test]
fn a_success_may_be_an_error() {
    let body = "\n \n <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\n \
                <Code>InternalError</Code>\n \
                <Message>We encountered an internal error. Please try again.</Message>\n \
                <RequestId>656c76696e6727732072657175657374</RequestId>\n \
                <HostId>Uuag1LuByRx9e6j5Onimru9pO4ZVKnJ2Qz7/C1NPcfTWAtRPfTaOFg==</HostId>\n</Error>";
    let all = [
        parse(&CompleteMultipartUpload::default(), body).unwrap_err(),
        parse(&CopyObject::default(), body).unwrap_err(),
        parse(&UploadPartCopy::default(), body).unwrap_err(),
        parse(&DeleteObjects::new("b", ["k"]), body).unwrap_err(),
        parse(&PutObject::new("b", "k", ""), body).unwrap_err(),
        parse(&GetBucketPolicy::new("b"), body).unwrap_err(),
    ];
    for error in all {
        assert_eq!((error.kind(), error.code()), (Kind::Refused, Some("InternalError")));
        assert_eq!(error.request_id(), Some("656c76696e6727732072657175657374"));
        assert_eq!(service().judge(&error, Idempotency::Idempotent), RetryDecision::Transient);
    }
    // White space alone is what a connection leaves that died while the server worked.
    let error = parse(&CompleteMultipartUpload::default(), "\n \n ").unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidResponse);
    assert_eq!(service().judge(&error, Idempotency::Idempotent), RetryDecision::Transient);
}

// "CopyObject", S3 API reference; the tag without quotes is Ceph's.
#[test]
fn a_copy_tells_what_it_made() {
    let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><CopyObjectResult \
                xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LastModified>\
                2009-10-28T22:32:00</LastModified><ETag>2776a4b67727b8bf977efa24eeb98d60</ETag>\
                <ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME>\
                <ChecksumType>FULL_OBJECT</ChecksumType></CopyObjectResult>";
    let headers = [
        ("x-amz-copy-source-version-id", "3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY"),
        ("x-amz-version-id", "QUpfdndhfd8438MNFDN93jdnJFkdmqnh893"),
    ];
    let output = CopyObject::default().parse(&service(), &reply(200, &headers, body)).unwrap();
    assert_eq!(output.stored.etag, ETag::from("\"2776a4b67727b8bf977efa24eeb98d60\""));
    assert_eq!(output.last_modified.unwrap().unix(), 1_256_769_120);
    assert_eq!(
        output.stored.checksum(Algorithm::Crc64Nvme),
        Some(Value::from_base64(Algorithm::Crc64Nvme, "rosUhgp5mIg=").unwrap())
    );
    assert_eq!(output.stored.checksum_type, Some(Type::FullObject));
    assert_eq!(output.stored.version_id.as_deref(), Some("QUpfdndhfd8438MNFDN93jdnJFkdmqnh893"));
    assert_eq!(output.source_version_id.as_deref(), Some("3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY"));
}

// "DeleteObjects", S3 API reference: samples 1 and 3.
#[test]
fn deleting_many_says_what_became_of_each() {
    let delete = DeleteObjects::new("bucket", ["sample1.txt", "sample2.txt"]);
    let output = parse(
        &delete,
        r#"<?xml version="1.0" encoding="UTF-8"?>
        <DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
          <Deleted><Key>sample1.txt</Key></Deleted>
          <Deleted>
            <Key>SampleDocument.txt</Key>
            <DeleteMarker>true</DeleteMarker>
            <DeleteMarkerVersionId>NeQt5xeFTfgPJD8B4CGWnkSLtluMr11s</DeleteMarkerVersionId>
          </Deleted>
          <Error>
            <Key>sample2.txt</Key>
            <Code>AccessDenied</Code>
            <Message>Access Denied</Message>
          </Error>
        </DeleteResult>"#,
    )
    .unwrap();
    assert_eq!(output.deleted[0].key, "sample1.txt");
    assert_eq!(output.deleted[1].delete_marker, Some(true));
    assert_eq!(
        output.deleted[1].delete_marker_version_id.as_deref(),
        Some("NeQt5xeFTfgPJD8B4CGWnkSLtluMr11s")
    );
    assert_eq!(output.errors[0].key, "sample2.txt");
    assert_eq!(output.errors[0].code.as_deref(), Some("AccessDenied"));
}

// "GetObjectAttributes", S3 API reference.
#[test]
fn an_object_that_was_not_deleted_is_an_error_with_its_code_and_key() {
    let answer = "<DeleteResult><Error><Key>a</Key><VersionId>v1</VersionId><Code>AccessDenied</Code>\
                  <Message>Access Denied</Message></Error></DeleteResult>";
    let delete = DeleteObjects { objects: vec!["a".into()], ..DeleteObjects::default() };
    let output = parse(&delete, answer).unwrap();
    let [failed] = <[DeleteError; 1]>::try_from(output.errors).unwrap();
    let error = Error::from(failed.clone());
    assert_eq!((error.kind(), error.code()), (Kind::Refused, Some("AccessDenied")));
    assert!(error.is_denied() && !error.outcome_unknown());
    let said = "DeleteObjects: the server did not delete object a, version v1: AccessDenied: \
                Access Denied";
    assert_eq!(error.to_string(), said);
    let mut lost = failed;
    lost.outcome_unknown = true;
    assert!(Error::from(lost).outcome_unknown());
}

#[test]
fn the_answer_to_a_part_is_what_complete_lists_of_it() {
    let headers =
        [("etag", "\"5d41402abc4b2a76b9719d911017c592\""), ("x-amz-checksum-crc32", "NhCmhg==")];
    let part = UploadPart::new("bucket", "key", "id", 3, "hello");
    let stored = part.parse(&service(), &reply(200, &headers, "")).unwrap();
    let listed = stored.completed(3);
    assert_eq!(listed.part_number, 3);
    assert_eq!(listed.etag.as_str(), "\"5d41402abc4b2a76b9719d911017c592\"");
    assert_eq!(listed.checksums, [Value::from_base64(Algorithm::Crc32, "NhCmhg==").unwrap()]);
}

#[test]
fn attributes_and_parts() {
    let ask = GetObjectAttributes::new("bucket", "key");
    let output = parse(
        &ask,
        "<GetObjectAttributesResponse><ETag>b33e0b7a0d0c4b7b9e6a9e0d7c4c8f0e-2</ETag>\
         <Checksum><ChecksumSHA256>uWYjwSRWOGKh4rQ5VgQqfZFeUmZPP8eZFyVHwZ5KOaQ=-2</ChecksumSHA256>\
         <ChecksumType>COMPOSITE</ChecksumType></Checksum>\
         <ObjectParts><PartsCount>2</PartsCount><PartNumberMarker>0</PartNumberMarker>\
         <NextPartNumberMarker>1</NextPartNumberMarker><MaxParts>1</MaxParts>\
         <IsTruncated>true</IsTruncated><Part><PartNumber>1</PartNumber><Size>8388608</Size>\
         <ChecksumSHA256>uWYjwSRWOGKh4rQ5VgQqfZFeUmZPP8eZFyVHwZ5KOaQ=</ChecksumSHA256></Part>\
         </ObjectParts><StorageClass>STANDARD</StorageClass><ObjectSize>8390808</ObjectSize>\
         </GetObjectAttributesResponse>",
    )
    .unwrap();
    assert_eq!((output.size, output.checksum_type), (Some(8_390_808), Some(Type::Composite)));
    assert!(
        matches!(output.checksums[0], Declared::Composite(composite) if composite.parts() == 2)
    );
    let parts = output.parts.as_ref().unwrap();
    assert_eq!((parts.total_parts_count, parts.parts[0].size), (Some(2), Some(8 << 20)));
    assert_eq!(ask.next(&output).unwrap().unwrap().part_number_marker, Some(1));
}

// "GetBucketLifecycleConfiguration" and "PutBucketLifecycleConfiguration", S3 API reference.
#[test]
fn a_server_without_attributes_answers_with_the_object() {
    // Ceph 16.2, which takes the request for GetObject.
    let reply = reply(200, &[("etag", "\"0cc1\""), ("accept-ranges", "bytes")], "<html/>");
    let operation = GetObjectAttributes::new("bucket", "key");
    let error = operation.parse(&service(), &reply).unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.hint().unwrap().contains("HeadObject"), "{error}");
    assert_eq!(service().judge(&error, Idempotency::Read), RetryDecision::Final);
}

#[test]
fn lifecycle_rules() {
    let output = parse(
        &GetBucketLifecycleConfiguration::new("bucket"),
        r#"<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
          <Rule>
            <ID>Archive and then delete rule</ID>
            <Filter><Prefix>projectdocs/</Prefix></Filter>
            <Status>Enabled</Status>
            <Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition>
            <Transition><Days>365</Days><StorageClass>GLACIER</StorageClass></Transition>
            <Expiration><Days>3650</Days></Expiration>
          </Rule>
          <Rule>
            <ID>two conditions</ID>
            <Filter><And><Prefix>myprefix</Prefix>
              <Tag><Key>mytagkey1</Key><Value>mytagvalue1</Value></Tag>
              <ObjectSizeGreaterThan>500</ObjectSizeGreaterThan></And></Filter>
            <Status>Disabled</Status>
            <NoncurrentVersionExpiration><NoncurrentDays>100</NoncurrentDays>
            </NoncurrentVersionExpiration>
            <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>
            </AbortIncompleteMultipartUpload>
          </Rule>
        </LifecycleConfiguration>"#,
    )
    .unwrap();
    let [first, second] = output.rules.as_slice() else { panic!("{:?}", output.rules) };
    assert_eq!(first.filter, Some(LifecycleFilter::prefix("projectdocs/")));
    assert_eq!(first.expiration, Some(LifecycleExpiration::days(3650)));
    assert_eq!(first.transitions[1].storage_class.as_deref(), Some("GLACIER"));
    let filter = second.filter.as_ref().unwrap();
    assert_eq!(filter.tags, Tags::from_iter([("mytagkey1", "mytagvalue1")]));
    assert_eq!(filter.object_size_greater_than, Some(500));
    assert_eq!(second.noncurrent_version_expiration.unwrap().noncurrent_days, Some(100));
    assert_eq!(second.abort_incomplete_multipart_upload_days, Some(7));
}

// "GetBucketLocation", S3 API reference: empty is us-east-1, `EU` is eu-west-1; Ceph's word.
#[test]
fn locations() {
    let of = |body| parse(&GetBucketLocation::new("b"), body).unwrap().region().to_owned();
    let empty = r#"<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>"#;
    assert_eq!(of(empty), "us-east-1");
    assert_eq!(of("<LocationConstraint>EU</LocationConstraint>"), "eu-west-1");
    assert_eq!(of("<LocationConstraint>default</LocationConstraint>"), "default");
}

#[test]
fn small_documents() {
    let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert!(parse(&GetBucketVersioning::new("b"), versioning).unwrap().is_enabled());
    let never = r#"<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>"#;
    let none = parse(&GetBucketVersioning::new("b"), never).unwrap();
    assert_eq!(none, BucketVersioning::default());
    // moto 5.2.5, of a bucket whose versioning was never set.
    let bare = r#"<GetBucketVersioningResponse xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>"#;
    let none = parse(&GetBucketVersioning::new("b"), bare).unwrap();
    assert_eq!(none, BucketVersioning::default());
    parse(&GetBucketVersioning::new("b"), "<ListBucketResult/>").unwrap_err();

    let tags = "<Tagging><TagSet><Tag><Key>tag1</Key><Value/></Tag></TagSet></Tagging>";
    assert_eq!(parse(&GetBucketTagging::new("b"), tags).unwrap(), Tags::from_iter([("tag1", "")]));

    let hold = "<LegalHold><Status>ON</Status></LegalHold>";
    assert_eq!(parse(&GetObjectLegalHold::new("b", "k"), hold).unwrap().as_deref(), Some("ON"));

    let begun = "<InitiateMultipartUploadResult><Bucket>cap</Bucket><Key>mp</Key><UploadId>\
                 2~-FqjD5Q</UploadId></InitiateMultipartUploadResult>";
    let upload = parse(&CreateMultipartUpload::new("cap", "mp"), begun).unwrap();
    assert_eq!(upload.upload_id, "2~-FqjD5Q");
    let nameless = "<InitiateMultipartUploadResult><UploadId/></InitiateMultipartUploadResult>";
    let error = parse(&CreateMultipartUpload::new("cap", "mp"), nameless).unwrap_err();
    assert!(error.to_string().contains("InitiateMultipartUploadResult/UploadId"), "{error}");
}

/// s3rver 3.7.1 responds so to GetBucketVersioning: it ignores `versioning`.
#[test]
fn the_list_of_a_bucket_is_no_response_to_another_operation() {
    let list = "<ListBucketResult><IsTruncated>false</IsTruncated><MaxKeys>1000</MaxKeys>\
                <Name>b</Name><Prefix/><Contents><Key>k</Key><Size>1</Size></Contents>\
                </ListBucketResult>";
    let errors = [
        parse(&GetBucketVersioning::new("b"), list).err(),
        parse(&GetBucketLocation::new("b"), list).err(),
        parse(&GetBucketLifecycleConfiguration::new("b"), list).err(),
        parse(&GetBucketCors::new("b"), list).err(),
        parse(&GetBucketTagging::new("b"), list).err(),
        parse(&GetBucketPolicy::new("b"), list).err(),
        parse(&ListMultipartUploads::new("b"), list).err(),
        parse(&ListObjectVersions::new("b"), list).err(),
    ];
    for (number, error) in errors.into_iter().enumerate() {
        let error = error.unwrap_or_else(|| panic!("{number} was accepted"));
        assert_eq!(error.kind(), Kind::Refused, "{error}");
        assert_eq!(error.hint(), Some("the server does not support this operation"));
    }
    let empty =
        "<ListBucketResult><IsTruncated>false</IsTruncated><Name>b</Name></ListBucketResult>";
    parse(&ListMultipartUploads::new("b"), empty).unwrap_err();

    // "Listing objects", XML API reference of Google: versions are under the same root.
    let versions = "<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated>\
                    <Version><Key>k</Key><VersionId>1</VersionId></Version></ListBucketResult>";
    let versions = parse(&ListObjectVersions::new("b"), versions).unwrap().versions;
    assert_eq!(versions[0].version_id.as_deref(), Some("1"));
    assert!(parse(&ListObjectVersions::new("b"), empty).unwrap().versions.is_empty());
}

/// moto 5.2.5 responds so to GetObjectRetention: it ignores `retention`.
#[test]
fn an_object_is_no_response_to_an_operation_on_its_subresource() {
    for body in ["x", "", "<svg/>"] {
        let object = reply(200, &[("etag", "\"9dd4e461268c8034f5c8564e155c67a6\"")], body);
        let errors = [
            GetObjectRetention::new("b", "k").parse(&service(), &object).err(),
            GetObjectLegalHold::new("b", "k").parse(&service(), &object).err(),
            GetObjectTagging::new("b", "k").parse(&service(), &object).err(),
            ListParts::new("b", "k", "id").parse(&service(), &object).err(),
        ];
        for (number, error) in errors.into_iter().enumerate() {
            let error = error.unwrap_or_else(|| panic!("{number} was accepted"));
            assert_eq!(error.kind(), Kind::Refused, "{error}");
            assert!(error.to_string().contains("returned the object itself"), "{error}");
        }
        // A document that was cut short is not one.
        let cut = reply(200, &[], "<Retention><Mode>");
        let error = GetObjectRetention::new("b", "k").parse(&service(), &cut).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidResponse);
    }
}

// A message whose text is not escaped, and one that was cut off: both are refusals with a code, in a
// response of 200 too, which an operation without a document in its response would take for done.
#[test]
fn an_error_document_that_is_not_well_formed_is_an_error() {
    for body in [
        "<Error><Code>InternalError</Code><Message>a & b</Message></Error>",
        "<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code><Message>&nbsp;</Message></Error>",
        "<Error><Code>InternalError</Code><Message>a<br>b</Message></Error>",
        "<s3:Error><Code> InternalError </Code></Error>",
        "<Error><Code>InternalError</Code><Mess",
        "<Error><Code>InternalError</Code></Error>\0",
        "<error><code> InternalError\n</code></error>",
        "<Errors><Error><Code>InternalError</Code></Error></Errors>",
    ] {
        for error in [
            parse(&PutObject::new("b", "k", ""), body).unwrap_err(),
            parse(&UploadPart::new("b", "k", "u", 1, ""), body).unwrap_err(),
            parse(&CompleteMultipartUpload::default(), body).unwrap_err(),
            parse(&CopyObject::default(), body).unwrap_err(),
            parse(&DeleteObjects::new("b", ["k"]), body).unwrap_err(),
            GetObject::new("b", "k").parse(&service(), &reply(500, &[], body)).unwrap_err(),
        ] {
            let found = (error.kind(), error.code());
            assert_eq!(found, (Kind::Refused, Some("InternalError")), "{body}: {error}");
        }
    }
    // Without a code, nothing says whether it was carried out.
    let error = parse(&PutObject::new("b", "k", ""), "<Error><Code>Interna").unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::InvalidResponse, None));
    // What is no error document is the server's own matter.
    for body in ["{\"Code\":\"x\"}", "<Errors2><Code>x</Code>", "ok"] {
        assert!(parse(&PutObject::new("b", "k", ""), body).is_ok(), "{body}");
    }
}

// API gateways refuse in JSON. MinIO's responses to HEAD (pull request 17283 of 2023) and those of
// Amazon's website endpoints have the code in a header.
#[test]
fn a_code_is_read_from_json_and_from_headers() {
    let get = |body: &str| {
        let json = [("content-type", "application/json")];
        GetObject::new("b", "k").parse(&service(), &reply(403, &json, body)).unwrap_err()
    };
    for (body, code, message) in [
        (r#"{"Code":"AccessDenied","Message":"no"}"#, Some("AccessDenied"), Some("no")),
        (r#"{"error":{"code":"AccessDenied","message":"no"}}"#, Some("AccessDenied"), Some("no")),
        (r#"{"__type":"x#AccessDenied","message":"no"}"#, Some("AccessDenied"), Some("no")),
        (r#"{"message":"Forbidden"}"#, None, Some("Forbidden")),
        (r#"{"code":403}"#, None, None),
    ] {
        let error = get(body);
        assert_eq!((error.code(), error.server_message()), (code, message), "{body}");
    }
    for name in ["x-minio-error-code", "x-amz-error-code"] {
        for (written, code) in [
            ("NoSuchBucket", Some("NoSuchBucket")),
            ("\"AccessDenied\"", Some("AccessDenied")),
            ("", None),
        ] {
            let head = reply(404, &[(name, written)], "");
            let error = HeadObject::new("b", "k").parse(&service(), &head).unwrap_err();
            assert_eq!(error.code(), code, "{name}: {written}");
        }
    }
    // The document counts before a header.
    let both = reply(404, &[("x-minio-error-code", "A")], "<Error><Code>B</Code></Error>");
    let error = GetObject::new("b", "k").parse(&service(), &both).unwrap_err();
    assert_eq!(error.code(), Some("B"));
}

#[test]
fn heads_without_a_body() {
    let headers = [("x-amz-bucket-region", "us-west-2"), ("x-amz-access-point-alias", "false")];
    let output = HeadBucket::new("b").parse(&service(), &reply(200, &headers, "")).unwrap();
    assert_eq!(output.region.as_deref(), Some("us-west-2"));
    assert_eq!(output.access_point_alias, Some(false));
    let error = HeadBucket::new("b").parse(&service(), &reply(301, &headers, "")).unwrap_err();
    assert_eq!(
        (error.status(), error.region()),
        (Some(StatusCode::MOVED_PERMANENTLY), Some("us-west-2"))
    );

    let headers = [("x-amz-version-id", "UIORUnfndfiufdisojhr398493jfdkjFJjkndnqUifhnw89493jJFJ")];
    let delete = DeleteObject::new("b", "k");
    let gone = delete.parse(&service(), &reply(204, &headers, "")).unwrap();
    assert_eq!(gone.delete_marker, None);
    assert_eq!(gone.version_id.as_deref(), Some(headers[0].1));
}

#[test]
fn raw_answers_are_handed_over_and_refusals_are_read() {
    let raw = Raw::new(http::Method::GET).bucket("b");
    let body = "<AccessControlPolicy/>";
    let output = raw.parse(&service(), &reply(200, &[("x-a", "b")], body)).unwrap();
    assert_eq!((output.status, &output.body[..]), (StatusCode::OK, body.as_bytes()));
    assert_eq!(output.headers["x-a"], "b");
    let refusal = "<Error><Code>NoSuchBucket</Code><Message></Message></Error>";
    let error = raw.parse(&service(), &reply(404, &[], refusal)).unwrap_err();
    assert!(error.is_not_found() && error.code() == Some("NoSuchBucket"));
}

/// Documents that have between them all elements that are read.
const DOCUMENTS: [&str; 8] = [
    "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><Contents>\
     <Key>a%20b</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified><ETag>\"f\"</ETag>\
     <Size>434234</Size><ChecksumAlgorithm>CRC32</ChecksumAlgorithm><Owner><ID>1</ID></Owner>\
     <RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress></RestoreStatus></Contents>\
     <CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes></ListBucketResult>",
    "<ListVersionsResult><Version><Key>a</Key><Size>1</Size></Version><DeleteMarker><Key>b</Key>\
     <IsLatest>true</IsLatest></DeleteMarker><NextKeyMarker>k</NextKeyMarker></ListVersionsResult>",
    "<ListPartsResult><Part><PartNumber>2</PartNumber><Size>5</Size><ChecksumCRC32>S/rSWA==\
     </ChecksumCRC32></Part><NextPartNumberMarker>3</NextPartNumberMarker></ListPartsResult>",
    "<ListMultipartUploadsResult><Upload><Key>a</Key><UploadId>u</UploadId><Initiated>\
     2010-11-10T20:48:33.000Z</Initiated></Upload></ListMultipartUploadsResult>",
    "<LifecycleConfiguration><Rule><Filter><And><Tag><Key>k</Key><Value>v</Value></Tag>\
     <ObjectSizeLessThan>1</ObjectSizeLessThan></And></Filter><Expiration><Date>\
     2030-01-01T00:00:00Z</Date></Expiration></Rule></LifecycleConfiguration>",
    "<DeleteResult><Deleted><Key>a</Key><DeleteMarker>true</DeleteMarker></Deleted><Error>\
     <Key>b</Key><Code>AccessDenied</Code></Error></DeleteResult>",
    "<CompleteMultipartUploadResult><ETag>&quot;a-2&quot;</ETag><ChecksumCRC32>S/rSWA==-2\
     </ChecksumCRC32></CompleteMultipartUploadResult>",
    "<GetObjectAttributesResponse><ObjectParts><PartsCount>2</PartsCount><Part><PartNumber>1\
     </PartNumber></Part></ObjectParts><ObjectSize>1</ObjectSize></GetObjectAttributesResponse>",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever becomes of a document on its way, reading it ends in a value or in an error.
    #[test]
    fn no_document_panics(
        document in prop::sample::select(&DOCUMENTS[..]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 0..6),
        status in prop::sample::select(&[200u16, 204, 301, 400, 503][..]),
    ) {
        let mut bytes = document.as_bytes().to_vec();
        for (at, byte, how) in damage {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at),
                2 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
        }
        let (mut head, ()) = http::Response::new(()).into_parts();
        head.status = StatusCode::from_u16(status).unwrap();
        let reply = Reply::new(head, bytes.into());
        let service = service();
        let v2 = ListObjectsV2::new("b");
        if let Ok(page) = v2.parse(&service, &reply) {
            let _ = v2.next(&page);
        }
        let v1 = ListObjects::new("b");
        if let Ok(page) = v1.parse(&service, &reply) {
            let _ = v1.next(&page);
        }
        let parts = ListParts::new("b", "k", "u");
        if let Ok(page) = parts.parse(&service, &reply) {
            let _ = parts.next(&page);
        }
        let _ = ListObjectVersions::new("b").parse(&service, &reply);
        let _ = ListMultipartUploads::new("b").parse(&service, &reply);
        let _ = GetBucketLifecycleConfiguration::new("b").parse(&service, &reply);
        let _ = DeleteObjects::new("b", ["k"]).parse(&service, &reply);
        let _ = CompleteMultipartUpload::default().parse(&service, &reply);
        let _ = GetObjectAttributes::new("b", "k").parse(&service, &reply);
    }
}

// "Checking object integrity", Amazon S3 User Guide: the checksum of an object that was uploaded in
// parts is computed from those of its parts, unless its type is FULL_OBJECT. Amazon appends the
// number of parts; others do not.
#[test]
fn a_checksum_over_parts_is_not_compared_with_bytes() {
    let sum = Algorithm::Crc32.digest(b"other bytes").unwrap().base64();
    let right = Algorithm::Crc32.digest(b"hello").unwrap().base64();
    let get = GetObject { checksum_mode: true, ..GetObject::new("bucket", "key") };
    let read = |status: u16, headers: &[(&str, &str)], sum: &str| {
        let mut all = vec![("x-amz-checksum-crc32", sum), ("content-length", "5")];
        all.extend(headers);
        get.parse(&service(), &reply(status, &all, "hello")).map(|output| output.validation)
    };
    let (parts, plain) = (("etag", "\"9e19a2a32c6bded4f4c3829cd10195f0-2\""), ("etag", "\"v1\""));
    let (composite, full) =
        (("x-amz-checksum-type", "COMPOSITE"), ("x-amz-checksum-type", "FULL_OBJECT"));
    let (all, some) = (("content-range", "bytes 0-4/5"), ("content-range", "bytes 0-4/10"));
    for (status, headers) in [
        (200, vec![parts]),
        (200, vec![plain, composite]),
        (206, vec![parts, all]),
        (206, vec![plain, all]),
        (206, vec![plain]),
        (206, vec![plain, composite, all]),
        (206, vec![plain, full, some]),
    ] {
        let validation = read(status, &headers, &sum);
        assert!(
            validation.as_ref().is_ok_and(|it| !it.is_validated()),
            "{headers:?}: {validation:?}"
        );
    }
    for (status, headers) in
        [(200, vec![plain]), (200, vec![parts, full]), (206, vec![parts, full, all])]
    {
        assert!(read(status, &headers, &right).unwrap().is_validated(), "{headers:?}");
        assert_eq!(read(status, &headers, &sum).unwrap_err().kind(), Kind::Integrity);
    }
}

// "RequestTimeTooSkewed", error responses of the S3 API reference: with the ServerTime. A gateway
// may leave out the Date.
#[test]
fn the_servers_time_is_read_from_its_refusal() {
    use apus_core::credentials::Credentials;
    use apus_core::machine::{Auth, Call};
    use apus_core::sign::Keys;

    use crate::support::{Answer, Sim, service};

    let call = Call::new(ListBuckets::new(), service(|_| {}), 1);
    let auth = Auth::new(Credentials::new(Keys::new("AKIAIOSFODNN7EXAMPLE", "secret")));
    let mut times = Vec::new();
    let run = Sim::with_auth(call, auth).run(|head, _| {
        times.push(head.headers["x-amz-date"].to_str().unwrap().to_owned());
        if times.len() > 1 {
            return Answer::new(200)
                .body("<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>");
        }
        Answer::new(403).body(
            "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request \
             time and the current time is too large.</Message><RequestTime>20150830T123600Z\
             </RequestTime><ServerTime>2015-08-30T14:36:00Z</ServerTime>\
             <MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds></Error>",
        )
    });
    run.result.unwrap();
    assert_eq!(times[1], "20150830T143600Z");
}

/// Performs the operation on a server that repeats the keys of the request, and asserts that the error
/// does not show them.
fn shows_no_secret<O: Operation<Service = Service>>(operation: O, status: u16) {
    let mut keys = Keys::new("AKIDEXAMPLE", "secret");
    keys.session_token = Some(Secret::new("FwoGZXIvYXdzEBYaD-session"));
    let auth = Auth::new(Credentials::new(keys));
    let call = Call::new(operation, crate::support::service(|_| {}), 1);
    let run = Sim::with_auth(call, auth).run(|head, _| {
        let header = |name| head.headers.get(name).map_or("", |it| it.to_str().unwrap());
        let said = [header("x-amz-security-token"), header("authorization")].join(" and ");
        Answer::new(status).body(format!(
            "<Error><Code>AccessDenied</Code><Message>no such thing: {said}</Message></Error>"
        ))
    });
    let Err(error) = run.result else { panic!("{} succeeded", O::NAME) };
    let shown = format!("{error} {error:?} {:?}", error.server_message());
    assert!(shown.contains("no such thing"), "{shown}");
    assert!(!shown.contains("FwoGZXIv") && !shown.contains("Signature="), "{shown}");
}

/// Gateways print the request that they refuse, and old releases of Keystone name the token that they
/// do not find.
#[test]
fn a_refusal_that_repeats_a_secret_of_the_request_does_not_show_it() {
    shows_no_secret(PutObject::new("bucket", "key", "hello"), 403);
}

/// CompleteMultipartUpload and CopyObject begin with 200, and report a later error in the body.
#[test]
fn an_error_in_a_success_that_repeats_a_secret_of_the_request_does_not_show_it() {
    shows_no_secret(CopyObject::new("bucket", "key", CopySource::new("bucket", "from")), 200);
    let parts = vec![CompletedPart::new(1, "etag")];
    shows_no_secret(CompleteMultipartUpload::new("bucket", "key", "id", parts), 200);
}
