//! Examples of AWS and signatures of botocore, compared with ours. Each case names its source.

use std::sync::Arc;

use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use super::{Keys, Payload, Rule, Signing};
use crate::now::Timestamp;

/// The keys and region of the examples in the Amazon S3 API reference.
pub(super) fn s3(time: &str) -> Signing {
    let keys = Keys::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    signing(keys, time, "us-east-1", "s3", Rule::S3)
}

pub(super) fn signing(keys: Keys, time: &str, region: &str, service: &str, rule: Rule) -> Signing {
    let at = Timestamp::parse_amz(time).unwrap();
    Signing::new(&Arc::new(keys), at, region, service, rule).unwrap()
}

pub(super) fn headers(list: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Amazon S3 API reference, "Signature Calculations for the Authorization Header: Transferring
/// Payload in a Single Chunk", its four examples.
#[test]
fn the_examples_of_the_s3_reference() {
    let host = ("host", "examplebucket.s3.amazonaws.com");
    let put = [
        host,
        ("date", "Fri, 24 May 2013 00:00:00 GMT"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ];
    let get = [host, ("range", "bytes=0-9")];
    let body = Payload::Hash(sha256("Welcome to Amazon S3."));
    let none = Payload::Empty;
    for (method, target, list, payload, expected) in [
        (
            Method::GET,
            "/test.txt",
            &get[..],
            none,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            Method::PUT,
            "/test%24file.text",
            &put,
            body,
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            Method::GET,
            "/?lifecycle",
            &[host],
            none,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            Method::GET,
            "/?max-keys=2&prefix=J",
            &[host],
            none,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let signing = s3("20130524T000000Z");
        let mut headers = headers(list);
        let signature = signing.sign(&method, target, &mut headers, &payload).unwrap();
        assert_eq!(signature.as_str(), expected, "{target}");
    }
}

#[test]
fn the_first_example_in_full() {
    let signing = s3("20130524T000000Z");
    let mut headers =
        headers(&[("Host", "examplebucket.s3.amazonaws.com"), ("Range", "bytes=0-9")]);
    signing.sign(&Method::GET, "/test.txt", &mut headers, &Payload::Empty).unwrap();
    let canonical = signing.canonical_request(&Method::GET, "/test.txt", &headers, &Payload::Empty);
    assert_eq!(
        canonical,
        "GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\nrange:bytes=0-9\n\
         x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\
         x-amz-date:20130524T000000Z\n\nhost;range;x-amz-content-sha256;x-amz-date\n\
         e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(
        signing.string_to_sign(&Method::GET, "/test.txt", &headers, &Payload::Empty),
        "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n\
         7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972"
    );
    assert_eq!(
        headers["authorization"],
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
         SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
         Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    );
    assert!(headers["authorization"].is_sensitive());
}

/// The same reference, "Including Trailing Headers": the head of its example.
#[test]
fn the_head_of_a_streamed_upload() {
    let mut headers = headers(&[
        ("host", "s3.amazonaws.com"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("x-amz-trailer", "x-amz-checksum-crc32c"),
    ]);
    let seed = s3("20130524T000000Z")
        .sign(
            &Method::PUT,
            "/examplebucket/chunkObject.txt",
            &mut headers,
            &Payload::StreamingSignedTrailer,
        )
        .unwrap();
    assert_eq!(seed.as_str(), "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
}

/// The same reference, "Transferring Payload in Multiple Chunks": the head of its example, which
/// signs its length.
#[test]
fn the_head_of_an_upload_in_chunks() {
    let mut headers = headers(&[
        ("host", "s3.amazonaws.com"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("content-length", "66824"),
    ]);
    let target = "/examplebucket/chunkObject.txt";
    let seed = s3("20130524T000000Z")
        .sign(&Method::PUT, target, &mut headers, &Payload::StreamingSigned)
        .unwrap();
    assert_eq!(seed.as_str(), "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
}

/// Signatures made by botocore 1.44.5.
#[test]
fn botocore_signs_the_same() {
    let hash = Payload::Hash(sha256("hello"));
    let v5 = [
        ("host", "s3.example.com"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
        ("x-amz-decoded-content-length", "5"),
        ("x-amz-sdk-checksum-algorithm", "CRC32"),
    ];
    let host = [("host", "s3.example.com")];
    for (method, target, list, payload, region, expected) in [
        (
            Method::GET,
            "/bkt/a%20b/%C3%A9%2B~%3D%26/..//x",
            &host[..],
            Payload::Empty,
            "us-east-1",
            "200fb877b6f8d5ae10bed92081c0baf414088cd1adb57666aec295f587322666",
        ),
        (
            Method::POST,
            "/key?uploads",
            &[("host", "bkt.s3.us-east-1.amazonaws.com")],
            Payload::Empty,
            "us-east-1",
            "775e15d2d6f1ad4296137b987dc7843b4e25c8a75d4a83886a539083cee1dbea",
        ),
        (
            Method::PUT,
            "/bkt/key?uploadId=a%2Fb%2Bc&partNumber=10",
            &[("host", "s3.example.com:9000"), ("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")],
            Payload::Unsigned,
            "us-east-1",
            "6d1d55cb89e0e3bf5ec566aed7291755fcae1ab4938cf252899f95f2369bb7ea",
        ),
        (
            Method::PUT,
            "/bkt/key",
            &[("host", "s3.example.com"), ("x-amz-meta-a", "  two   spaces ")],
            hash,
            "us-east-1",
            "564a3ca38bbd1fccbeafdabc1cb2f94a9e33bbac9317b52ed4dd19db9e0995fa",
        ),
        (
            Method::PUT,
            "/bkt/key",
            &v5,
            Payload::StreamingUnsignedTrailer,
            "us-east-1",
            "6826b73aaa976140f49c09bd74d22be7ca297f7405c59e3073561953a4f3aea6",
        ),
        (
            Method::GET,
            "/bkt/key",
            &[
                ("host", "s3.cn-north-1.amazonaws.com.cn"),
                ("range", "bytes=5-"),
                ("if-match", "\"e\""),
            ],
            Payload::Empty,
            "cn-north-1",
            "83955dfa61b5c9ba2ba2f1f76e35625d154adf6fb03a3e808c613d5d5046d9e0",
        ),
        (
            Method::GET,
            "/bkt?list-type=2&prefix=&encoding-type=url",
            &host,
            Payload::Empty,
            "us-east-1",
            "3a28e6df26156c70f716361320d0506d1ebe172694986d2b6324a7e54b5ec14c",
        ),
    ] {
        let keys = Keys::new("AKIDEXAMPLE", SECRET);
        let signing = signing(keys, "20260102T030405Z", region, "s3", Rule::S3);
        let mut headers = headers(list);
        let signature = signing.sign(&method, target, &mut headers, &payload).unwrap();
        assert_eq!(signature.as_str(), expected, "{target}");
    }
}

#[test]
fn botocore_signs_a_token_the_same() {
    let mut keys = Keys::new("AKIDEXAMPLE", SECRET);
    keys.session_token = Some("TOKEN".into());
    let signing = signing(keys, "20260102T030405Z", "us-east-1", "s3", Rule::S3);
    let mut headers = headers(&[("host", "[2001:db8::1]:8080")]);
    let target = "/bkt/key?versionId=1";
    // Twice: the second signature replaces the first.
    for _ in 0..2 {
        let signature =
            signing.sign(&Method::DELETE, target, &mut headers, &Payload::Empty).unwrap();
        assert_eq!(
            signature.as_str(),
            "1944e2f6677548015a0abeacae8cf03fe12d429f5c4bbc1bf00b729a17bbfb12"
        );
    }
    assert!(headers["x-amz-security-token"].is_sensitive());
}

/// AWS's own test suite for Signature Version 4.
#[test]
fn the_test_suite_of_aws() {
    let as_given = Rule { normalize_path: false, ..Rule::GENERIC };
    for (name, rule, request, more, expected) in SUITE {
        let rule = if *rule { Rule::GENERIC } else { as_given };
        let (method, target) = request.split_once(' ').unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let keys = Keys::new("AKIDEXAMPLE", SECRET);
        let signing = signing(keys, "20150830T123600Z", "us-east-1", "service", rule);
        let mut headers = headers(more);
        headers.insert("host", HeaderValue::from_static("example.amazonaws.com"));
        let signature = signing.sign(&method, target, &mut headers, &Payload::Empty).unwrap();
        assert_eq!(signature.as_str(), *expected, "{name}");
        assert!(!headers.contains_key("x-amz-content-sha256"));
    }
}

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Name, whether the path is normalised, request, headers beyond `host`, signature.
#[expect(clippy::type_complexity, reason = "a table, read once")]
const SUITE: &[(&str, bool, &str, &[(&str, &str)], &str)] = &[
    (
        "get-header-key-duplicate",
        true,
        "GET /",
        &[("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")],
        "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ),
    (
        "get-header-value-order",
        true,
        "GET /",
        &[
            ("My-Header1", "value4"),
            ("My-Header1", "value1"),
            ("My-Header1", "value3"),
            ("My-Header1", "value2"),
        ],
        "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
    ),
    (
        "get-header-value-trim",
        true,
        "GET /",
        &[("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")],
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    (
        "get-relative-normalized",
        true,
        "GET /example/..",
        &[],
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    (
        "get-relative-relative-normalized",
        true,
        "GET /example1/example2/../..",
        &[],
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    (
        "get-relative-relative-unnormalized",
        false,
        "GET /example1/example2/../..",
        &[],
        "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b",
    ),
    (
        "get-relative-unnormalized",
        false,
        "GET /example/..",
        &[],
        "eca7ead57bb5aa5c8e28007acd4ff04e1ff9a0ff3b237ec1554a184887ff9282",
    ),
    (
        "get-slash-dot-slash-normalized",
        true,
        "GET /./",
        &[],
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    (
        "get-slash-dot-slash-unnormalized",
        false,
        "GET /./",
        &[],
        "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145",
    ),
    (
        "get-slash-normalized",
        true,
        "GET //",
        &[],
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    (
        "get-slash-pointless-dot-normalized",
        true,
        "GET /./example",
        &[],
        "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5",
    ),
    (
        "get-slash-pointless-dot-unnormalized",
        false,
        "GET /./example",
        &[],
        "beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff",
    ),
    (
        "get-slash-unnormalized",
        false,
        "GET //",
        &[],
        "c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e",
    ),
    (
        "get-slashes-normalized",
        true,
        "GET //example//",
        &[],
        "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
    ),
    (
        "get-slashes-unnormalized",
        false,
        "GET //example//",
        &[],
        "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5",
    ),
    (
        "get-space-normalized",
        true,
        "GET /example space/",
        &[],
        "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
    ),
    (
        "get-space-unnormalized",
        false,
        "GET /example space/",
        &[],
        "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
    ),
    (
        "get-unreserved",
        true,
        "GET /-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        &[],
        "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    ),
    (
        "get-utf8",
        true,
        "GET /ሴ",
        &[],
        "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
    ),
    (
        "get-vanilla",
        true,
        "GET /",
        &[],
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ),
    (
        "get-vanilla-empty-query-key",
        true,
        "GET /?Param1=value1",
        &[],
        "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    ),
    (
        "get-vanilla-query-order-encoded",
        true,
        "GET /?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
        &[],
        "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    ),
    (
        "get-vanilla-query-order-key-case",
        true,
        "GET /?Param2=value2&Param1=value1",
        &[],
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    (
        "get-vanilla-query-unreserved",
        true,
        "GET /?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        &[],
        "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
    ),
    (
        "get-vanilla-utf8-query",
        true,
        "GET /?%E1%88%B4=bar",
        &[],
        "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
    ),
    (
        "post-header-key-case",
        true,
        "POST /",
        &[],
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    (
        "post-header-key-sort",
        true,
        "POST /",
        &[("My-Header1", "value1")],
        "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
    ),
    (
        "post-header-value-case",
        true,
        "POST /",
        &[("My-Header1", "VALUE1")],
        "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
    ),
    (
        "post-vanilla",
        true,
        "POST /",
        &[],
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    ),
    (
        "post-vanilla-empty-query-value",
        true,
        "POST /?Param1=value1",
        &[],
        "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
    ),
    (
        "post-vanilla-query",
        true,
        "POST /?Param1=value1",
        &[],
        "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
    ),
];
