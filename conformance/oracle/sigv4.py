"""sigv4-header, sigv4-query and sigv4-chunked: what is signed, and the signature.

The first two run botocore's signers, told the payload's hash. No Python package signs chunks, so
the third is written here from AWS's pages "Signature Calculations for the Authorization Header:
Transferring Payload in Multiple Chunks" and "Including trailing headers", whose published examples
it must give (`published_chunks`).
"""

import hashlib
import hmac
from urllib.parse import quote

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import normalize_url_path

from common import (
    ACCESS_KEY,
    ODD_CHARACTERS,
    ODD_KEYS,
    REGIONS,
    SECRET_KEY,
    SESSION_TOKEN,
    VERSION,
    bytes_of,
    case,
    parse_time,
    repeat,
    stop_clock,
    time_of,
)

EMPTY = hashlib.sha256(b"").hexdigest()
PAYLOADS = [
    EMPTY,
    "UNSIGNED-PAYLOAD",
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
]
HOSTS = [
    "s3.amazonaws.com",
    "examplebucket.s3.amazonaws.com",
    "s3.eu-west-1.amazonaws.com",
    "S3.Example.COM",
    "s3.example.com:9000",
    "s3.example.com:443",
    "s3.example.com:80",
    "127.0.0.1:9000",
    "[::1]:9000",
    "[2001:DB8::1]",
    "[2001:db8::1]:8443",
    "localhost",
    "my.dotted.bucket.s3.example.com",
    "s3.cn-north-1.amazonaws.com.cn",
]
# Sent, but never signed.
UNSIGNED_HEADERS = [
    ["User-Agent", "apus/1"],
    ["Connection", "keep-alive"],
    ["Expect", "100-continue"],
    ["Transfer-Encoding", "chunked"],
    ["TE", "trailers"],
    ["Upgrade", "h2c"],
    ["X-Amzn-Trace-Id", "Root=1-63441c4a"],
    ["traceparent", "00-0af7651916cd43dd-b7ad6b71-01"],
    ["Keep-Alive", "timeout=5"],
    ["Proxy-Authorization", "Basic eDp5"],
    ["Trailer", "x-a"],
]
HEADER_SOURCE = (
    f"{VERSION}: S3SigV4Auth; SigV4Auth where normalize_path and double_encode are both true; "
    "where only one of them is, S3SigV4Auth with that half of SigV4Auth's rule"
)
QUERY_SOURCE = f"{VERSION}: S3SigV4QueryAuth; SigV4QueryAuth where normalize_path and double_encode"
CHUNKED_SOURCE = (
    "AWS's published examples (named so); the others by the oracle's own Python, written from the "
    "same pages of AWS's documentation, with botocore's seed signature"
)


def suites(dice_of, count):
    yield "sigv4-header", HEADER_SOURCE, header_cases(dice_of("sigv4-header"), count or 260)
    yield "sigv4-query", QUERY_SOURCE, query_cases(dice_of("sigv4-query"), count or 220)
    yield "sigv4-chunked", CHUNKED_SOURCE, chunked_cases(dice_of("sigv4-chunked"), count or 60)


def header_cases(dice, count):
    cases = []
    for i, key in enumerate(ODD_KEYS):
        given = request(dice, url="https://s3.example.com/bucket/" + quote(key, safe="/~"))
        cases.append(header_case(f"key-{i}", given))
    for i, payload in enumerate(PAYLOADS):
        cases.append(header_case(f"payload-{i}", request(dice, payload_hash=payload)))
    for i, header in enumerate(UNSIGNED_HEADERS):
        given = request(dice, headers=[header, ["X-Amz-Meta-Kept", "yes"]])
        cases.append(header_case(f"unsigned-header-{i}", given))
    for i in range(count):
        given = request(dice)
        if dice.chance(0.35):
            generic(dice, given)
        cases.append(header_case(f"random-{i}", given))
    return cases


def query_cases(dice, count):
    cases = []
    for i, key in enumerate(ODD_KEYS):
        given = request(dice, url="https://s3.example.com/bucket/" + quote(key, safe="/~"))
        cases.append(query_case(f"key-{i}", dice, given))
    for i in range(count):
        given = request(dice, unique_query=True)
        if dice.chance(0.25):
            given |= {
                "normalize_path": True,
                "double_encode": True,
                "sign_payload_header": False,
                "payload_hash": EMPTY,
                "service": dice.choice(["execute-api", "iam"]),
            }
        cases.append(query_case(f"random-{i}", dice, given))
    return cases


def chunked_cases(dice, count):
    cases = published_chunks()
    for i in range(count):
        chunks = [dice.blob(1, 40) for _ in range(dice.randint(0, 4))]
        if i < 2:
            chunks = [b"s" * 8192, b"w" * dice.randint(1, 100)]
        trailer = dice.choice(
            [
                None,
                [["x-amz-checksum-crc32", "NhCmhg=="]],
                [["x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="]],
            ]
        )
        headers = [["x-amz-decoded-content-length", str(sum(map(len, chunks)))]]
        if trailer:
            headers.append(["x-amz-trailer", trailer[0][0]])
        if dice.chance(0.5):
            headers.append(["Content-Encoding", dice.choice(["aws-chunked", "gzip,aws-chunked"])])
        given = request(dice, headers=headers, payload_hash=PAYLOADS[4 if trailer else 3])
        given["method"] = "PUT"
        cases.append(chunked_case(f"random-{i}", given, chunks, trailer))
    return cases


def request(dice, **fixed):
    """A request to sign, odd in every place."""
    unique = fixed.pop("unique_query", False)
    given = {
        "method": dice.choice(["GET", "PUT", "POST", "DELETE", "HEAD"]),
        "url": url(dice, unique),
        "headers": headers(dice),
        "payload_hash": dice.choice([*PAYLOADS, hashlib.sha256(dice.blob(1, 9)).hexdigest()]),
        "access_key": ACCESS_KEY,
        "secret_key": dice.choice([SECRET_KEY, dice.secret()]),
        "session_token": dice.choice([None, None, SESSION_TOKEN]),
        "region": dice.choice(REGIONS + ["default", "garage"]),
        "service": dice.choice(["s3", "s3", "s3", "s3-object-lambda", "s3-outposts"]),
        "time": time_of(dice.moment()),
    }
    return given | fixed


def generic(dice, given):
    """The rule of services other than S3, whole or by halves."""
    given["normalize_path"], given["double_encode"] = dice.choice(
        [(True, True), (True, True), (True, False), (False, True)]
    )
    given["sign_payload_header"] = dice.chance(0.3)
    given["service"] = dice.choice(["iam", "execute-api", "sts", "sqs", "es"])


def url(dice, unique):
    path = "/" + quote(dice.key(), safe="/~")
    if dice.chance(0.5):
        path = "/" + quote(dice.bucket()) + path
    pairs = []
    for _ in range(dice.randint(0, 5)):
        name = dice.choice(
            [
                "prefix",
                "a",
                "a-",
                "a.b",
                "A",
                "uploads",
                "partNumber",
                "X-Amz-Meta",
                "versionId",
                dice.text(ODD_CHARACTERS, 1, 6),
            ]
        )
        if unique and name in dict(pairs):
            continue
        pairs.append(
            (name, dice.choice(["", "", "1", "10", "2", dice.text(ODD_CHARACTERS, 1, 10)]))
        )
    query = "&".join(
        quote(name, safe="-_.~")
        + ("=" + quote(value, safe="-_.~") if value or dice.chance(0.5) else "")
        for name, value in pairs
    )
    scheme = dice.choice(["http", "https"])
    return f"{scheme}://{dice.choice(HOSTS)}{path}" + ("?" + query if query else "")


def headers(dice):
    result = []
    for name, value in [
        ("Range", "bytes=0-9"),
        ("If-Match", '"etag"'),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("X-Amz-Meta-Spaces", "  two   spaces  inside "),
        ("x-amz-acl", "private"),
        ("Content-MD5", dice.md5()),
        ("X-Amz-Storage-Class", "STANDARD_IA"),
        ("x-amz-meta-" + dice.word(), dice.printable()),
        ("x-amz-meta-empty", ""),
        ("Cache-Control", "no-cache,  max-age=0"),
        ("x-amz-tagging", "a=b&c=d%20e"),
    ]:
        if dice.chance(0.2):
            result.append([name, value])
    if dice.chance(0.1):
        result += [["X-Amz-Meta-Twice", "one"], ["x-amz-meta-twice", " two  three"]]
    if dice.chance(0.2):
        result.append(dice.choice(UNSIGNED_HEADERS))
    dice.shuffle(result)
    return result


def aws_request(given):
    made = AWSRequest(method=given["method"], url=given["url"])
    for name, value in given["headers"]:
        made.headers[name] = value
    made.context["timestamp"] = given["time"]
    return made


def signer_of(given, s3_class, generic_class, **more):
    """botocore's signer for these rules, told the payload's hash instead of reading a body."""
    normalize, double = given.get("normalize_path", False), given.get("double_encode", False)

    class Signer(generic_class if normalize and double else s3_class):
        def payload(self, _request):
            return given["payload_hash"]

        def _modify_request_before_signing(self, request):
            super()._modify_request_before_signing(request)
            if "query" not in more:
                del request.headers["X-Amz-Content-SHA256"]
                if given.get("sign_payload_header", True):
                    request.headers["X-Amz-Content-SHA256"] = given["payload_hash"]

        def _normalize_url_path(self, path):
            if normalize == double:
                return super()._normalize_url_path(path)
            return normalize_url_path(path) if normalize else quote(path, safe="/~")

    credentials = Credentials(given["access_key"], given["secret_key"], given["session_token"])
    stop_clock(parse_time(given["time"]))
    return Signer(credentials, given["service"], given["region"], *more.values())


def header_case(name, given):
    signer, made = signer_of(given, S3SigV4Auth, SigV4Auth), aws_request(given)
    signer._modify_request_before_signing(made)
    canonical = signer.canonical_request(made)
    to_sign = signer.string_to_sign(made, canonical)
    signature = signer.signature(to_sign, made)
    signed_headers = signer.signed_headers(signer.headers_to_sign(made))
    signer._inject_signature_to_request(made, signature)
    return case(
        name,
        given,
        {
            "canonical_request": canonical,
            "string_to_sign": to_sign,
            "signed_headers": signed_headers,
            "signature": signature,
            "authorization": made.headers["Authorization"],
        },
    )


def query_case(name, dice, given):
    given["expires"] = dice.choice([1, 60, 900, 3600, 86400, 604800])
    if not given.get("normalize_path"):
        given["payload_hash"] = "UNSIGNED-PAYLOAD"
    made = aws_request(given)
    signer = signer_of(given, S3SigV4QueryAuth, SigV4QueryAuth, query=given["expires"])
    signer._modify_request_before_signing(made)
    canonical = signer.canonical_request(made)
    to_sign = signer.string_to_sign(made, canonical)
    signature = signer.signature(to_sign, made)
    signer._inject_signature_to_request(made, signature)
    return case(
        name,
        given,
        {
            "canonical_request": canonical,
            "string_to_sign": to_sign,
            "signature": signature,
            "url": made.url,
        },
    )


def chunked_case(name, given, chunks, trailer, recorded_chunks=None):
    """Signs every chunk, the empty last one too, each over the signature before it."""
    previous = header_case(name, given)["expect"]["signature"]
    scope = "/".join([given["time"][:8], given["region"], given["service"], "aws4_request"])
    key = ("AWS4" + given["secret_key"]).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")

    def sign(algorithm, *hashes):
        lines = [algorithm, given["time"], scope, previous, *hashes]
        return hmac.new(key, "\n".join(lines).encode(), "sha256").hexdigest()

    signatures, body = [], b""
    for chunk in [*chunks, b""]:
        previous = sign("AWS4-HMAC-SHA256-PAYLOAD", EMPTY, hashlib.sha256(chunk).hexdigest())
        signatures.append(previous)
        body += b"%x;chunk-signature=%s\r\n" % (len(chunk), previous.encode())
        body += chunk + b"\r\n" if chunk else b""
    expect = {"chunk_signatures": signatures}
    if trailer:
        lines = "".join(f"{name}:{value}\n" for name, value in trailer)
        previous = sign("AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(lines.encode()).hexdigest())
        expect["trailer_signature"] = previous
        body += lines.replace("\n", "\r\n").encode()
        body += b"x-amz-trailer-signature:%s\r\n" % previous.encode()
        given = given | {"trailer": trailer}
    expect["body"] = bytes_of(body + b"\r\n")
    given = given | {"chunks": recorded_chunks or [bytes_of(chunk) for chunk in chunks]}
    return case(name, given, expect)


def published_chunks():
    """The two examples that AWS prints, with the signatures that it prints."""
    large, small = repeat("a", 65536), repeat("a", 1024)
    given = {
        "method": "PUT",
        "url": "https://s3.amazonaws.com/examplebucket/chunkObject.txt",
        "access_key": ACCESS_KEY,
        "secret_key": SECRET_KEY,
        "session_token": None,
        "region": "us-east-1",
        "service": "s3",
        "time": "20130524T000000Z",
    }
    plain = given | {
        "payload_hash": PAYLOADS[3],
        "headers": [
            ["x-amz-storage-class", "REDUCED_REDUNDANCY"],
            ["Content-Encoding", "aws-chunked"],
            ["x-amz-decoded-content-length", "66560"],
            ["Content-Length", "66824"],
        ],
    }
    trailing = given | {
        "payload_hash": PAYLOADS[4],
        "headers": [
            ["x-amz-storage-class", "REDUCED_REDUNDANCY"],
            ["Content-Encoding", "aws-chunked"],
            ["x-amz-decoded-content-length", "66560"],
            ["x-amz-trailer", "x-amz-checksum-crc32c"],
        ],
    }
    chunks, recorded = [large[1], small[1]], [large[0], small[0]]
    first = chunked_case("aws-published-example", plain, chunks, None, recorded)
    assert first["expect"]["chunk_signatures"] == [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ]
    second = chunked_case(
        "aws-published-trailer-example",
        trailing,
        chunks,
        [["x-amz-checksum-crc32c", "sOO8/Q=="]],
        recorded,
    )
    assert second["expect"]["chunk_signatures"] == [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ]
    assert second["expect"]["trailer_signature"] == (
        "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
    )
    # Its body of 66 KB is that of the other, save for the signatures.
    del second["expect"]["body"]
    return [first, second]
