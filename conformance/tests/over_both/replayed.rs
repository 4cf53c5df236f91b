//! The operations that the embedded server does not have: each gets a response of the S3 API
//! reference, and then a refusal.

use apus_conformance::server::{Reply, Request, Scripted};
use apus_core::checksum::{Algorithm, Type};
use apus_core::contract::Operation;
use apus_core::now::Timestamp;
use apus_core::s3::*;
use http::Method;
use sha2::{Digest, Sha256};

use crate::client::{Setup, Via};

both! {
    versioning,
    lifecycle,
    bucket_tagging,
    cors,
    policy,
    object_tagging,
    attributes,
    retention,
    legal_hold,
    versions_are_listed,
    uploads_are_listed,
    what_is_not_modelled,
}

/// Calls the operation twice: the first time it is answered, the second time it is refused. `sent`
/// is the request line that is expected, `body` what its document says.
#[track_caller]
fn replay<O>(
    via: Via,
    operation: O,
    (sent, body): (&str, &str),
    answer: Reply,
    (status, code): (u16, &str),
) -> O::Output
where
    O: Operation<Service = Service> + Clone,
    O::Output: std::fmt::Debug,
{
    let refusal = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>No.\
         </Message><Resource>/bucket</Resource><RequestId>4442587FB7D0A2F9</RequestId></Error>"
    );
    let server = Scripted::replay(vec![answer, Reply::xml(status, refusal)]).unwrap();
    let client = Setup::of(&server).client(via);
    let output = client.call(operation.clone()).unwrap();
    let refused = client.call(operation).unwrap_err();
    assert_eq!(refused.operation(), Some(O::NAME));
    assert_eq!(refused.status().map(|status| status.as_u16()), Some(status));
    assert_eq!((refused.code(), refused.server_message()), (Some(code), Some("No.")));
    assert_eq!((refused.request_id(), refused.attempts()), (Some("4442587FB7D0A2F9"), 1));

    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(format!("{} {}", request.method, request.target), sent);
        is_signed(&request);
        assert!(request.complete);
        let text = std::str::from_utf8(&request.body).unwrap();
        assert_eq!(members(text), members(body));
        if !body.is_empty() {
            // "This header is required": one of the two, in the reference of each of them.
            let checksum = request.headers.iter().any(|(name, _)| {
                name.starts_with("x-amz-checksum-") || name.eq_ignore_ascii_case("content-md5")
            });
            assert!(checksum, "{:?}", request.headers);
        }
    }
    output
}

/// There is a signature, and it covers the body that was sent.
#[track_caller]
fn is_signed(request: &Request) {
    let authorization = request.header("authorization").unwrap();
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
    assert!(authorization.contains("/us-east-1/s3/aws4_request"));
    let hash: String =
        Sha256::digest(&request.body).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(request.header("x-amz-content-sha256"), Some(hash.as_str()));
    assert!(request.header("x-amz-date").is_some());
}

/// The pieces of a document, sorted: the reference gives most elements no order among each other.
fn members(document: &str) -> Vec<&str> {
    let mut members: Vec<_> = document.split("><").collect();
    members.sort_unstable();
    members
}

fn document(name: &str, content: &str) -> String {
    format!("<{name} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{content}</{name}>")
}

fn xml(name: &str, content: &str) -> Reply {
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    Reply::xml(200, format!("{declaration}{}", document(name, content)))
}

fn tags() -> Tags {
    [("Project", "Project One & a half"), ("User", "jsmith")].into_iter().collect()
}

const TAGS: &str = "<TagSet><Tag><Key>Project</Key><Value>Project One &amp; a half</Value></Tag>\
                    <Tag><Key>User</Key><Value>jsmith</Value></Tag></TagSet>";

fn versioning(via: Via) {
    let status = "<Status>Enabled</Status>";
    let name = "VersioningConfiguration";
    let get = ("GET /bucket?versioning", "");
    let no = (404, "NoSuchBucket");
    let found = replay(via, GetBucketVersioning::new("bucket"), get, xml(name, status), no);
    assert!(found.is_enabled());
    let never = replay(via, GetBucketVersioning::new("bucket"), get, xml(name, ""), no);
    assert_eq!((never.is_enabled(), never.status), (false, None));
    let put = PutBucketVersioning::new("bucket", BucketVersioning::enabled());
    let sent = document(name, status);
    replay(via, put, ("PUT /bucket?versioning", &sent), Reply::new(200), (403, "AccessDenied"));
}

fn lifecycle(via: Via) {
    let rule = "<Rule><ID>Archive and then delete rule</ID><Filter><Prefix>projectdocs/</Prefix>\
                </Filter><Status>Enabled</Status><Transition><Days>30</Days><StorageClass>\
                STANDARD_IA</StorageClass></Transition><Expiration><Days>3650</Days></Expiration>\
                </Rule>";
    let name = "LifecycleConfiguration";
    let get = GetBucketLifecycleConfiguration::new("bucket");
    let sent = ("GET /bucket?lifecycle", "");
    let no = (404, "NoSuchLifecycleConfiguration");
    let found = replay(via, get, sent, xml(name, rule), no);
    let [read] = &found.rules[..] else { panic!("{found:?}") };
    assert_eq!(read.id.as_deref(), Some("Archive and then delete rule"));
    assert_eq!(read.filter, Some(LifecycleFilter::prefix("projectdocs/")));
    assert_eq!(read.expiration, Some(LifecycleExpiration::days(3650)));
    assert_eq!(read.transitions[0].days, Some(30));
    assert_eq!(read.transitions[0].storage_class.as_deref(), Some("STANDARD_IA"));

    let mut rule = LifecycleRule::enabled(LifecycleFilter::prefix("logs/"));
    rule.abort_incomplete_multipart_upload_days = Some(7);
    let put = PutBucketLifecycleConfiguration::new("bucket", vec![rule]);
    let rule = "<Rule><Filter><Prefix>logs/</Prefix></Filter><Status>Enabled</Status>\
                <AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>\
                </AbortIncompleteMultipartUpload></Rule>";
    let sent = document(name, rule);
    replay(via, put, ("PUT /bucket?lifecycle", &sent), Reply::new(200), (400, "MalformedXML"));
    let delete = ("DELETE /bucket?lifecycle", "");
    let operation = DeleteBucketLifecycle::new("bucket");
    replay(via, operation, delete, Reply::new(204), (404, "NoSuchBucket"));
}

fn bucket_tagging(via: Via) {
    let get = ("GET /bucket?tagging", "");
    let no = (404, "NoSuchTagSet");
    let found = replay(via, GetBucketTagging::new("bucket"), get, xml("Tagging", TAGS), no);
    assert_eq!(found, tags());
    let sent = document("Tagging", TAGS);
    let put = PutBucketTagging::new("bucket", tags());
    replay(via, put, ("PUT /bucket?tagging", &sent), Reply::new(204), (400, "InvalidTag"));
    let delete = ("DELETE /bucket?tagging", "");
    let operation = DeleteBucketTagging::new("bucket");
    replay(via, operation, delete, Reply::new(204), (403, "AccessDenied"));
}

fn cors(via: Via) {
    let rule = "<CORSRule><AllowedOrigin>http://www.example.com</AllowedOrigin><AllowedMethod>GET\
                </AllowedMethod><MaxAgeSeconds>3000</MaxAgeSeconds><ExposeHeader>\
                x-amz-server-side-encryption</ExposeHeader></CORSRule>";
    let get = ("GET /bucket?cors", "");
    let no = (404, "NoSuchCORSConfiguration");
    let found = replay(via, GetBucketCors::new("bucket"), get, xml("CORSConfiguration", rule), no);
    let expected = CorsRule {
        allowed_origins: vec!["http://www.example.com".into()],
        allowed_methods: vec!["GET".into()],
        expose_headers: vec!["x-amz-server-side-encryption".into()],
        max_age_seconds: Some(3000),
        ..CorsRule::default()
    };
    assert_eq!(found, [expected]);
    let rule = CorsRule {
        allowed_origins: vec!["*".into()],
        allowed_methods: vec!["GET".into()],
        ..CorsRule::default()
    };
    let put = PutBucketCors::new("bucket", vec![rule]);
    let rule = "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
                </CORSRule>";
    let sent = document("CORSConfiguration", rule);
    replay(via, put, ("PUT /bucket?cors", &sent), Reply::new(200), (400, "MalformedXML"));
    let delete = ("DELETE /bucket?cors", "");
    replay(via, DeleteBucketCors::new("bucket"), delete, Reply::new(204), (404, "NoSuchBucket"));
}

fn policy(via: Via) {
    let text = r#"{"Version":"2008-10-17","Id":"aaaa-bbbb-cccc-dddd","Statement":[]}"#;
    let get = ("GET /bucket?policy", "");
    let answer = Reply::new(200).header("Content-Type", "application/json").body(text);
    let no = (404, "NoSuchBucketPolicy");
    let found = replay(via, GetBucketPolicy::new("bucket"), get, answer, no);
    assert_eq!(found, text);
    let put = PutBucketPolicy::new("bucket", text);
    replay(via, put, ("PUT /bucket?policy", text), Reply::new(204), (400, "MalformedPolicy"));
    let delete = ("DELETE /bucket?policy", "");
    replay(via, DeleteBucketPolicy::new("bucket"), delete, Reply::new(204), (403, "AccessDenied"));
}

fn object_tagging(via: Via) {
    let line = |method| format!("{method} /bucket/a%20key?tagging");
    let answer = xml("Tagging", TAGS).header("x-amz-version-id", "v1");
    let get = GetObjectTagging::new("bucket", "a key");
    let found = replay(via, get, (&line("GET"), ""), answer, (404, "NoSuchKey"));
    assert_eq!((found.tags, found.version_id.as_deref()), (tags(), Some("v1")));
    let put = PutObjectTagging::new("bucket", "a key", tags());
    let sent = document("Tagging", TAGS);
    let answer = Reply::new(200).header("x-amz-version-id", "v2");
    let version = replay(via, put, (&line("PUT"), &sent), answer, (400, "InvalidTag"));
    assert_eq!(version.as_deref(), Some("v2"));
    let delete = DeleteObjectTagging::new("bucket", "a key");
    replay(via, delete, (&line("DELETE"), ""), Reply::new(204), (404, "NoSuchKey"));
}

fn attributes(via: Via) {
    let content = "<ETag>6805f2cfc46c0f04559748bb039d69ae-2</ETag><Checksum><ChecksumSHA256>\
                   aI8EoktCdotjU8Bq46DrPCxQCGuGcPIhJ51noWs6hvk=-2</ChecksumSHA256><ChecksumType>\
                   COMPOSITE</ChecksumType></Checksum><ObjectParts><PartsCount>2</PartsCount>\
                   <PartNumberMarker>0</PartNumberMarker><NextPartNumberMarker>1\
                   </NextPartNumberMarker><MaxParts>1</MaxParts><IsTruncated>true</IsTruncated>\
                   <Part><PartNumber>1</PartNumber><Size>5242880</Size></Part></ObjectParts>\
                   <StorageClass>STANDARD</StorageClass><ObjectSize>5242890</ObjectSize>";
    let answer = xml("GetObjectAttributesOutput", content)
        .header("Last-Modified", "Wed, 12 Oct 2009 17:50:00 GMT");
    let mut get = GetObjectAttributes::new("bucket", "key");
    get.max_parts = Some(1);
    let sent = ("GET /bucket/key?attributes", "");
    let found = replay(via, get.clone(), sent, answer, (405, "MethodNotAllowed"));
    assert_eq!(found.etag.as_ref().unwrap().opaque(), "6805f2cfc46c0f04559748bb039d69ae-2");
    assert_eq!((found.size, found.storage_class.as_deref()), (Some(5_242_890), Some("STANDARD")));
    assert_eq!(found.checksums[0].algorithm(), Algorithm::Sha256);
    assert_eq!(found.checksums[0].checksum_type(), Type::Composite);
    let parts = found.parts.as_ref().unwrap();
    assert_eq!((parts.total_parts_count, parts.parts[0].size), (Some(2), Some(5 << 20)));
    assert_eq!(get.next(&found).unwrap().unwrap().part_number_marker, Some(1));
}

fn retention(via: Via) {
    let until = "<Mode>GOVERNANCE</Mode><RetainUntilDate>2030-01-02T03:04:05Z</RetainUntilDate>";
    let expected = Retention {
        mode: Some("GOVERNANCE".into()),
        retain_until: Timestamp::parse_iso8601("2030-01-02T03:04:05Z"),
        ..Retention::default()
    };
    let get = GetObjectRetention::new("bucket", "key");
    let no = (404, "NoSuchObjectLockConfiguration");
    let sent = ("GET /bucket/key?retention", "");
    assert_eq!(replay(via, get, sent, xml("Retention", until), no), expected);
    let put = PutObjectRetention::new("bucket", "key", expected);
    let sent = document("Retention", until);
    let no = (400, "InvalidRequest");
    replay(via, put, ("PUT /bucket/key?retention", &sent), Reply::new(200), no);
}

fn legal_hold(via: Via) {
    let status = "<Status>ON</Status>";
    let get = GetObjectLegalHold::new("bucket", "key");
    let sent = ("GET /bucket/key?legal-hold", "");
    let no = (404, "NoSuchObjectLockConfiguration");
    let found = replay(via, get, sent, xml("LegalHold", status), no);
    assert_eq!(found.as_deref(), Some("ON"));
    let put = PutObjectLegalHold::new("bucket", "key", true);
    let sent = document("LegalHold", status);
    let no = (400, "InvalidRequest");
    replay(via, put, ("PUT /bucket/key?legal-hold", &sent), Reply::new(200), no);
}

fn versions_are_listed(via: Via) {
    let content = "<Name>bucket</Name><Prefix>my</Prefix><KeyMarker/><VersionIdMarker/><MaxKeys>2\
        </MaxKeys><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextKeyMarker>\
        my+image%2B.jpg</NextKeyMarker><NextVersionIdMarker>QUpfdndhfd8438MNFDN93jdnJFkdmqnh893\
        </NextVersionIdMarker><Version><Key>my+image%2B.jpg</Key><VersionId>3/L4kqtJl40Nr8X8gdRQBpU\
        MLUo</VersionId><IsLatest>true</IsLatest><LastModified>2009-10-12T17:50:30.000Z\
        </LastModified><ETag>\"fba9dede5f27731c9771645a39863328\"</ETag><Size>434234</Size>\
        <StorageClass>STANDARD</StorageClass></Version><DeleteMarker><Key>my+image%2B.jpg</Key>\
        <VersionId>QUpfdndhfd8438MNFDN93jdnJFkdmqnh893</VersionId><IsLatest>false</IsLatest>\
        <LastModified>2009-11-12T17:50:30.000Z</LastModified></DeleteMarker>";
    let list = ListObjectVersions {
        prefix: Some("my".into()),
        max_keys: Some(2),
        ..ListObjectVersions::new("bucket")
    };
    let sent = ("GET /bucket?versions&prefix=my&max-keys=2&encoding-type=url", "");
    let answer = xml("ListVersionsResult", content);
    let page = replay(via, list.clone(), sent, answer, (404, "NoSuchBucket"));
    let [version] = &page.versions[..] else { panic!("{page:?}") };
    assert_eq!((version.object.key.as_str(), version.is_latest), ("my image+.jpg", Some(true)));
    assert_eq!(version.object.size, Some(434_234));
    assert_eq!(page.delete_markers[0].key, "my image+.jpg");
    let next = list.next(&page).unwrap().unwrap();
    assert_eq!(next.key_marker.as_deref(), Some("my image+.jpg"));
    assert_eq!(next.version_id_marker.as_deref(), Some("QUpfdndhfd8438MNFDN93jdnJFkdmqnh893"));
}

fn uploads_are_listed(via: Via) {
    let content = "<Bucket>bucket</Bucket><KeyMarker/><UploadIdMarker/><NextKeyMarker>my-movie.m2ts\
        </NextKeyMarker><NextUploadIdMarker>YW55IGlkZWEgd2h5IGVsdmluZydzIHVwbG9hZCBmYWlsZWQ\
        </NextUploadIdMarker><MaxUploads>1</MaxUploads><IsTruncated>true</IsTruncated><Upload><Key>\
        my-divisor</Key><UploadId>XMgbGlrZSBlbHZpbmcncyBub3QgaGF2aW5nIG11Y2ggbHVjaw</UploadId>\
        <StorageClass>STANDARD</StorageClass><Initiated>2010-11-10T20:48:33.000Z</Initiated>\
        </Upload>";
    let list = ListMultipartUploads { max_uploads: Some(1), ..ListMultipartUploads::new("bucket") };
    let sent = ("GET /bucket?uploads&max-uploads=1&encoding-type=url", "");
    let answer = xml("ListMultipartUploadsResult", content);
    let page = replay(via, list.clone(), sent, answer, (403, "AccessDenied"));
    assert_eq!(page.uploads[0].key, "my-divisor");
    assert_eq!(page.uploads[0].initiated, Timestamp::parse_iso8601("2010-11-10T20:48:33Z"));
    let next = list.next(&page).unwrap().unwrap();
    assert_eq!(next.key_marker.as_deref(), Some("my-movie.m2ts"));
}

fn what_is_not_modelled(via: Via) {
    let mut acl = Raw::new(Method::GET).bucket("bucket").key("a key");
    acl.query.push(("acl".into(), None));
    let answer = xml("AccessControlPolicy", "<Owner><ID>75aa57f09aa0c8ca</ID></Owner>");
    let sent = ("GET /bucket/a%20key?acl", "");
    let found = replay(via, acl, sent, answer, (404, "NoSuchKey"));
    assert!(std::str::from_utf8(&found.body).unwrap().contains("75aa57f09aa0c8ca"));
}
