//! The S3 model against responses of real servers, and its faults.
//!
//! ETags and checksums here are those of Ceph 20.2.4 and Garage 2.5.0 for the same bytes.

use apus_conformance::server::{
    ChecksumType, CompleteEtag, Cut, Ending, Fault, Manners, Operation, Plan, Reply, Request,
    S3Model,
};

#[test]
fn a_put_object_is_given_back() {
    let mut s3 = S3Model::new().with_bucket("b");
    let put = request("PUT", "/b/a%2F..%2F%2B+k?x-id=PutObject")
        .with_body(body())
        .with_header("x-amz-meta-a", "1")
        .with_header("Content-Encoding", "aws-chunked,gzip")
        .with_header("x-amz-checksum-crc32c", "kmBqxw==");
    let reply = s3.handle(&put);
    assert_eq!((reply.status, reply.find_header("etag")), (200, Some(ETAG)));
    assert_eq!(reply.find_header("x-amz-checksum-crc32c"), Some("kmBqxw=="));
    assert_eq!(s3.keys("b"), ["a/../++k"]);

    let get = request("GET", "/b/a/../%2b%2bk").with_header("x-amz-checksum-mode", "ENABLED");
    let reply = s3.handle(&get);
    assert_eq!((reply.status, &reply.body[..]), (200, &body()[..]));
    assert_eq!(reply.find_header("content-encoding"), Some("gzip"));
    assert_eq!(reply.find_header("x-amz-meta-a"), Some("1"));
    assert_eq!(reply.find_header("x-amz-checksum-crc32c"), Some("kmBqxw=="));
    assert_eq!(reply.find_header("x-amz-checksum-type"), Some("FULL_OBJECT"));

    let head = s3.handle(&request("HEAD", "/b/a/../++k"));
    assert_eq!((head.body.len(), head.find_header("content-length")), (0, Some("2200")));
    assert_eq!(head.find_header("x-amz-checksum-crc32c"), None);
}

#[test]
fn an_object_without_a_checksum_gets_crc64nvme() {
    let mut s3 = S3Model::new().with_object("b", "k", body());
    let head = s3.handle(&request("HEAD", "/b/k").with_header("x-amz-checksum-mode", "ENABLED"));
    assert_eq!(head.find_header("x-amz-checksum-crc64nvme"), Some("WsD+5RhWlQM="));
}

#[test]
fn digests_are_verified() {
    let mut s3 = S3Model::new().with_bucket("b");
    let mut put = |name: &str, value: &str| {
        let put = request("PUT", "/b/k").with_body(body()).with_header(name, value);
        let reply = s3.handle(&put);
        (reply.status, code(&reply))
    };
    let bad = (400, "BadDigest".to_owned());
    assert_eq!(put("x-amz-checksum-crc32", "S/rSWA==").0, 200);
    assert_eq!(put("x-amz-checksum-crc32", "S/rSWQ=="), bad);
    assert_eq!(put("x-amz-checksum-sha1", "kqKmJt/2bJ6/S8gJnC1cDbJdRDU=").0, 200);
    let sha256 = "3plrKLJHtgmeeG83p4KyOGTBNQ4AUi7O2cGOInbWPTk=";
    assert_eq!(put("x-amz-checksum-sha256", sha256).0, 200);
    assert_eq!(put("x-amz-checksum-crc32", "no").1, "InvalidRequest");
    assert_eq!(put("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="), bad);
    assert_eq!(put("content-md5", "2776a4b67727b8bf977efa24eeb98d60").1, "InvalidDigest");
    let other = "0".repeat(64);
    assert_eq!(put("x-amz-content-sha256", &other).1, "XAmzContentSHA256Mismatch");
    let right = "de996b28b247b6099e786f37a782b23864c1350e00522eced9c18e2276d63d39";
    assert_eq!(put("x-amz-content-sha256", right).0, 200);
}

#[test]
fn aws_chunked_frames_come_off_and_trailers_are_verified() {
    let put = |crc: &str, length: &str| {
        let mut framed = b"898\r\n".to_vec();
        framed.extend(body());
        framed.extend(format!("\r\n0\r\nx-amz-checksum-crc32:{crc}\r\n\r\n").bytes());
        request("PUT", "/b/k")
            .with_body(framed)
            .with_header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .with_header("x-amz-decoded-content-length", length)
            .with_header("x-amz-trailer", "x-amz-checksum-crc32")
    };
    let mut s3 = S3Model::new().with_bucket("b");
    assert_eq!(code(&s3.handle(&put("S/rSWQ==", "2200"))), "BadDigest");
    assert_eq!(code(&s3.handle(&put("S/rSWA==", "2199"))), "IncompleteBody");
    assert_eq!(s3.handle(&put("S/rSWA==", "2200")).find_header("etag"), Some(ETAG));

    let mut ceph = S3Model::new().with_bucket("b").with_manners(Manners::ceph16());
    let put = put("S/rSWA==", "2200");
    assert_eq!(code(&ceph.handle(&put)), "XAmzContentSHA256Mismatch");
    let chunked = put.with_header("Transfer-Encoding", "chunked");
    let reply = ceph.handle(&chunked);
    assert_eq!((reply.status, code(&reply)), (411, "MissingContentLength".to_owned()));
}

#[test]
fn ranges_and_conditions_are_kept() {
    let mut s3 = S3Model::new().with_object("b", "k", body());
    let mut get = |name: &str, value: &str| {
        let reply = s3.handle(&request("GET", "/b/k").with_header(name, value));
        let range = reply.find_header("content-range").map(str::to_owned);
        let body = if reply.status < 300 { reply.body.to_vec() } else { Vec::new() };
        (reply.status, body, range)
    };
    let got = |status, body: &str, range: &str| {
        (status, body.as_bytes().to_vec(), Some(range.to_owned()))
    };
    assert_eq!(get("Range", "bytes=0-4"), got(206, "hello", "bytes 0-4/2200"));
    assert_eq!(get("Range", "bytes=-5"), got(206, "rage\n", "bytes 2195-2199/2200"));
    assert_eq!(get("Range", "bytes=2195-9999"), got(206, "rage\n", "bytes 2195-2199/2200"));
    assert_eq!(get("Range", "bytes=999999-"), got(416, "", "bytes */2200"));
    assert_eq!(get("If-None-Match", ETAG).0, 304);
    assert_eq!(get("If-Match", "\"other\"").0, 412);
    assert_eq!(get("If-Match", ETAG).0, 200);

    let mut put = |key: &str, name: &str, value: &str| {
        s3.handle(&request("PUT", key).with_header(name, value)).status
    };
    assert_eq!(put("/b/k", "If-None-Match", "*"), 412);
    assert_eq!(put("/b/new", "If-None-Match", "*"), 200);
    assert_eq!(put("/b/k", "If-Match", "\"other\""), 412);
    assert_eq!(put("/b/nothing", "If-Match", "*"), 404);
}

#[test]
fn a_multipart_upload_becomes_what_real_servers_make_of_it() {
    let cases = [
        (None, "2tD53w==", None),
        (Some("FULL_OBJECT"), "2tD53w==", Some(ChecksumType::FullObject)),
        (Some("COMPOSITE"), "bxM2dA==-2", Some(ChecksumType::Composite)),
    ];
    for (covers, value, kept) in cases {
        let mut s3 = S3Model::new().with_bucket("b");
        let mut create = request("POST", "/b/k?uploads");
        if let Some(covers) = covers {
            create = create
                .with_header("x-amz-checksum-algorithm", "CRC32")
                .with_header("x-amz-checksum-type", covers);
        }
        let upload = Upload::create(&mut s3, create);
        let first = upload.part(&mut s3, 1, &first_part(), "yAawDQ==");
        let second = upload.part(&mut s3, 2, &body(), "S/rSWA==");
        assert_eq!(second.find_header("etag"), Some(ETAG));
        assert_eq!(s3.open_uploads()[0].parts.len(), 2);

        let reply = upload.complete(&mut s3, &[(1, &first), (2, &second)]);
        assert_eq!(reply.status, 200);
        let object = s3.object("b", "k").unwrap();
        assert_eq!(object.etag, "9e19a2a32c6bded4f4c3829cd10195f0-2");
        let sum = object.checksum.as_ref().unwrap();
        match kept {
            Some(kept) => assert_eq!((sum.value.as_str(), sum.covers), (value, kept)),
            None => assert_eq!(sum.algorithm, "CRC64NVME"),
        }
        assert!(s3.open_uploads().is_empty());

        let head = s3.handle(&request("HEAD", "/b/k?partNumber=1"));
        assert_eq!(head.find_header("content-length"), Some("5242880"));
        assert_eq!(head.find_header("x-amz-mp-parts-count"), Some("2"));
    }
}

#[test]
fn a_completion_is_examined() {
    let mut s3 = S3Model::new().with_bucket("b");
    let upload = Upload::create(&mut s3, request("POST", "/b/k?uploads"));
    let small = upload.part(&mut s3, 1, &body(), "S/rSWA==");
    let last = upload.part(&mut s3, 2, &body(), "S/rSWA==");
    let other = Reply::new(200).header("ETag", "\"0\"");
    let mut refused = |parts: &[(u32, &Reply)]| code(&upload.complete(&mut s3, parts));
    assert_eq!(refused(&[]), "MalformedXML");
    assert_eq!(refused(&[(1, &small), (2, &last)]), "EntityTooSmall");
    assert_eq!(refused(&[(2, &last), (1, &small)]), "InvalidPartOrder");
    assert_eq!(refused(&[(1, &other)]), "InvalidPart");
    assert_eq!(refused(&[(3, &last)]), "InvalidPart");

    let abort = request("DELETE", &format!("/b/k?uploadId={}", upload.0));
    assert_eq!(s3.handle(&abort).status, 204);
    assert_eq!(code(&s3.handle(&abort)), "NoSuchUpload");
    let late = upload.part(&mut s3, 1, &body(), "S/rSWA==");
    assert_eq!((late.status, code(&late)), (404, "NoSuchUpload".to_owned()));
}

#[test]
fn a_completion_may_come_twice_on_ceph() {
    let manners = Manners { complete_etag: CompleteEtag::Unquoted, ..Manners::ceph16() };
    let mut s3 = S3Model::new().with_bucket("b").with_manners(manners);
    let upload = Upload::create(&mut s3, request("POST", "/b/k?uploads"));
    let part = upload.part(&mut s3, 1, &body(), "S/rSWA==");
    for _ in 0..2 {
        let reply = upload.complete(&mut s3, &[(1, &part)]);
        assert_eq!(reply.status, 200);
        assert!(text(&reply).contains("<ETag>40f6143bc0ae6ca7717a337c4eba40bf-1</ETag>"));
    }
}

#[test]
fn objects_and_parts_are_copied() {
    let mut s3 = S3Model::new().with_object("b", "a b", body());
    let copy = request("PUT", "/b/copy").with_header("x-amz-copy-source", "b/a%20b");
    assert!(text(&s3.handle(&copy)).contains("&quot;2776a4b67727b8bf977efa24eeb98d60&quot;"));
    assert_eq!(s3.object("b", "copy").unwrap().body, body());
    let changed = copy.with_header("x-amz-copy-source-if-match", "\"other\"");
    assert_eq!(s3.handle(&changed).status, 412);

    let upload = Upload::create(&mut s3, request("POST", "/b/k?uploads"));
    let mut part = |range| {
        let target = format!("/b/k?partNumber=1&uploadId={}", upload.0);
        let copy = request("PUT", &target).with_header("x-amz-copy-source", "/b/a%20b");
        s3.handle(&copy.with_header("x-amz-copy-source-range", range))
    };
    // MD5 of `hello`.
    assert!(text(&part("bytes=0-4")).contains("5d41402abc4b2a76b9719d911017c592"));
    assert_eq!(code(&part("bytes=0-2200")), "InvalidArgument");
}

#[test]
fn lists_come_in_pages() {
    let mut s3 = S3Model::new();
    for key in ["a", "dir/1", "dir/2", "dir2/1", "z z"] {
        s3 = s3.with_object("b", key, "");
    }
    let mut all = Vec::new();
    let mut token = String::new();
    loop {
        let target = format!(
            "/b?list-type=2&delimiter=/&max-keys=1&encoding-type=url&continuation-token={token}"
        );
        let page = text(&s3.handle(&request("GET", &target)));
        all.extend(elements(&page, "Key"));
        all.extend(elements(&page, "CommonPrefixes"));
        match &elements(&page, "NextContinuationToken")[..] {
            [next] => token = next.replace('=', "%3D"),
            _ => break,
        }
    }
    assert_eq!(all, ["a", "<Prefix>dir/</Prefix>", "<Prefix>dir2/</Prefix>", "z+z"]);

    let first = text(&s3.handle(&request("GET", "/b?max-keys=2&prefix=d")));
    assert_eq!(elements(&first, "Key"), ["dir/1", "dir/2"]);
    let second = text(&s3.handle(&request("GET", "/b?max-keys=2&prefix=d&marker=dir/2")));
    assert_eq!(elements(&second, "Key"), ["dir2/1"]);
    assert_eq!(elements(&second, "IsTruncated"), ["false"]);
}

#[test]
fn uploads_and_parts_are_listed() {
    let mut s3 = S3Model::new().with_bucket("b");
    let upload = Upload::create(&mut s3, request("POST", "/b/k?uploads"));
    Upload::create(&mut s3, request("POST", "/b/l?uploads"));
    for number in 1..=3 {
        upload.part(&mut s3, number, &body(), "S/rSWA==");
    }
    let target = format!("/b/k?uploadId={}&max-parts=2", upload.0);
    let page = text(&s3.handle(&request("GET", &target)));
    assert_eq!(elements(&page, "PartNumber"), ["1", "2"]);
    assert_eq!(elements(&page, "ChecksumCRC32"), ["S/rSWA=="; 2]);
    assert_eq!(elements(&page, "NextPartNumberMarker"), ["2"]);
    let target = format!("{target}&part-number-marker=2");
    let page = text(&s3.handle(&request("GET", &target)));
    assert_eq!(
        (elements(&page, "PartNumber"), elements(&page, "IsTruncated")),
        (vec!["3".into()], vec!["false".into()])
    );

    let page = text(&s3.handle(&request("GET", "/b?uploads&max-uploads=1")));
    assert_eq!(
        (elements(&page, "Key"), elements(&page, "IsTruncated")),
        (vec!["k".into()], vec!["true".into()])
    );
    let next = format!("/b?uploads&key-marker=k&upload-id-marker={}", upload.0);
    assert_eq!(elements(&text(&s3.handle(&request("GET", &next))), "Key"), ["l"]);
}

#[test]
fn many_objects_are_deleted_when_the_request_is_digested() {
    let mut s3 = S3Model::new().with_object("b", "a&b", "").with_object("b", "c", "");
    let document =
        "<Delete><Object><Key>a&amp;b</Key></Object><Object><Key>x</Key></Object></Delete>";
    let delete = request("POST", "/b?delete").with_body(document);
    assert_eq!(code(&s3.handle(&delete)), "InvalidRequest");
    let md5 = "AQ6H3gSpCBcPHJ2DVvYz+A==";
    let reply = s3.handle(&delete.clone().with_header("Content-MD5", md5));
    assert_eq!(code(&reply), "BadDigest");
    let reply = s3.handle(&delete.with_header("Content-MD5", DELETE_MD5));
    assert_eq!(elements(&text(&reply), "Key"), ["a&amp;b", "x"]);
    assert_eq!(s3.keys("b"), ["c"]);
}

#[test]
fn buckets_come_and_go() {
    let mut s3 = S3Model::new();
    let location = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>\
                    </CreateBucketConfiguration>";
    assert_eq!(s3.handle(&request("PUT", "/b").with_body(location)).status, 200);
    let head = s3.handle(&request("HEAD", "/b"));
    assert_eq!(head.find_header("x-amz-bucket-region"), Some("eu-west-1"));
    assert!(text(&s3.handle(&request("GET", "/b?location"))).contains(">eu-west-1<"));
    assert_eq!(elements(&text(&s3.handle(&request("GET", "/"))), "Name"), ["b"]);
    let virtual_host = request("PUT", "/k").with_header("Host", "b.localhost:9000");
    assert_eq!(s3.handle(&virtual_host).status, 200);
    assert_eq!(code(&s3.handle(&request("DELETE", "/b"))), "BucketNotEmpty");
    assert_eq!(s3.handle(&request("DELETE", "/b/k")).status, 204);
    assert_eq!(s3.handle(&request("DELETE", "/b")).status, 204);
    assert_eq!(code(&s3.handle(&request("GET", "/b"))), "NoSuchBucket");
    assert_eq!(s3.handle(&request("GET", "/b?tagging")).status, 501);
}

#[test]
fn region_and_clock_are_checked_where_asked_for() {
    let manners = Manners { check_region: true, check_clock: true, ..Manners::aws() };
    let mut s3 = S3Model::new().bucket_in("b", "eu-west-1").with_manners(manners);
    // 2013-05-24T00:00:00Z
    s3.set_now(1_369_353_600);
    let head = |region: &str, date: &str| {
        let scope =
            format!("Credential=AKIA/20130524/{region}/s3/aws4_request, SignedHeaders=host");
        request("HEAD", "/b")
            .with_header("Authorization", format!("AWS4-HMAC-SHA256 {scope}"))
            .with_header("x-amz-date", date)
    };
    let wrong = s3.handle(&head("us-east-1", "20130524T000000Z"));
    let region = wrong.find_header("x-amz-bucket-region");
    assert_eq!((wrong.status, region), (400, Some("eu-west-1")));
    let skewed = s3.handle(&head("eu-west-1", "20130524T001501Z"));
    let date = skewed.find_header("date");
    assert_eq!((skewed.status, date), (403, Some("Fri, 24 May 2013 00:00:00 GMT")));
    assert_eq!(s3.handle(&head("eu-west-1", "20130524T001500Z")).status, 200);
}

#[test]
fn faults_happen_when_the_plan_says() {
    let plan = Plan::new()
        .on(Operation::GetObject, 2, Fault::SlowDown(Some(3)))
        .on(Operation::GetObject, 3, Fault::Lost(Ending::Reset))
        .from(Operation::GetObject, 4, Fault::InternalError)
        .on_any(6, Fault::ErrorIn200("InternalError"))
        .always(Operation::PutObject, Fault::Redirect("eu-west-1"));
    let mut s3 = S3Model::new().with_object("b", "k", "hello").with_plan(plan);
    let get = request("GET", "/b/k");
    assert_eq!(s3.handle(&get).status, 200);
    let slow = s3.handle(&get);
    assert_eq!((slow.status, slow.find_header("retry-after")), (503, Some("3")));
    assert_eq!(s3.handle(&get).cut, Some(Cut::Head(Ending::Reset)));
    assert_eq!(code(&s3.handle(&get)), "InternalError");
    let put = s3.handle(&request("PUT", "/b/k").with_body("other"));
    assert_eq!((put.status, code(&put)), (301, "PermanentRedirect".to_owned()));
    assert_eq!(put.find_header("x-amz-bucket-region"), Some("eu-west-1"));
    let copy = request("PUT", "/b/copy").with_header("x-amz-copy-source", "b/k");
    let copied = s3.handle(&copy);
    assert_eq!((copied.status, code(&copied)), (200, "InternalError".to_owned()));
    assert_eq!(s3.keys("b"), ["k"]);
    assert_eq!(s3.object("b", "k").unwrap().body, "hello");
    assert_eq!((s3.count(Operation::GetObject), s3.requests()), (4, 6));
}

#[test]
fn faults_spoil_good_answers() {
    let spoilt = |fault| {
        let plan = Plan::new().always(Operation::GetObject, fault);
        let mut s3 = S3Model::new().with_object("b", "k", body()).with_plan(plan);
        s3.handle(
            &request("GET", "/b/k")
                .with_header("Range", "bytes=0-4")
                .with_header("x-amz-checksum-mode", "ENABLED"),
        )
    };
    let whole = spoilt(Fault::RangeIgnored);
    assert_eq!((whole.status, whole.body.len()), (200, 2200));
    let moved = spoilt(Fault::WrongContentRange);
    assert_eq!(moved.find_header("content-range"), Some("bytes 1-5/2200"));
    assert_eq!(spoilt(Fault::Corrupt).body, "helln");
    let cut = spoilt(Fault::CutBody(2, Ending::Close)).cut;
    assert_eq!(cut, Some(Cut::Body(2, Ending::Close)));

    let plan = Plan::new().always(Operation::HeadObject, Fault::WrongChecksum);
    let mut s3 = S3Model::new().with_object("b", "k", body()).with_plan(plan);
    let head = s3.handle(&request("HEAD", "/b/k").with_header("x-amz-checksum-mode", "ENABLED"));
    assert_eq!(head.find_header("x-amz-checksum-crc64nvme"), Some("AsD+5RhWlQM="));
    assert_eq!(head.find_header("x-amz-checksum-type"), Some("FULL_OBJECT"));
}

struct Upload(String);

impl Upload {
    fn create(s3: &mut S3Model, create: Request) -> Self {
        let reply = s3.handle(&create);
        assert_eq!(reply.status, 200, "{}", text(&reply));
        Self(elements(&text(&reply), "UploadId").remove(0))
    }

    fn part(&self, s3: &mut S3Model, number: u32, bytes: &[u8], crc32: &str) -> Reply {
        let target = format!("/b/k?partNumber={number}&uploadId={}", self.0);
        let put = request("PUT", &target).with_body(bytes.to_vec());
        s3.handle(&put.with_header("x-amz-checksum-crc32", crc32))
    }

    fn complete(&self, s3: &mut S3Model, parts: &[(u32, &Reply)]) -> Reply {
        let mut document = "<CompleteMultipartUpload>".to_owned();
        for (number, part) in parts {
            let etag = part.find_header("etag").unwrap();
            document
                .push_str(&format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>"));
            if let Some(sum) = part.find_header("x-amz-checksum-crc32") {
                document.push_str(&format!("<ChecksumCRC32>{sum}</ChecksumCRC32>"));
            }
            document.push_str("</Part>");
        }
        document.push_str("</CompleteMultipartUpload>");
        let target = format!("/b/k?uploadId={}", self.0);
        s3.handle(&request("POST", &target).with_body(document))
    }
}

fn request(method: &str, target: &str) -> Request {
    Request::new(method, target)
}

fn body() -> Vec<u8> {
    b"hello, object storage\n".repeat(100)
}

fn first_part() -> Vec<u8> {
    vec![b'p'; 5 << 20]
}

fn text(reply: &Reply) -> String {
    String::from_utf8(reply.body.to_vec()).unwrap()
}

fn code(reply: &Reply) -> String {
    elements(&text(reply), "Code").pop().unwrap_or_default()
}

/// What is within the elements of this name.
fn elements(document: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let pieces = document.split(&open).skip(1);
    pieces.map(|piece| piece.split(&close).next().unwrap_or_default().to_owned()).collect()
}

/// Of `body()`.
const ETAG: &str = "\"2776a4b67727b8bf977efa24eeb98d60\"";
/// Of the document that deletes two keys, by coreutils' md5sum.
const DELETE_MD5: &str = "vr/usqi9iK0JGNmZlcYzpw==";
