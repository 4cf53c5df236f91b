"""s3-response: canned answers, good and bad, as botocore's client takes them.

Good answers are made from botocore's model of the output: random values, written as S3 writes them
(`answer`), read back by botocore's parser. The rest are written by hand, as servers were seen to.
"""

import datetime
import io
import time
from xml.sax.saxutils import escape

import botocore.retries.quota
import botocore.utils
from botocore.awsrequest import AWSResponse
from botocore.compat import unquote_str
from botocore.exceptions import BotoCoreError, ClientError, FlexibleChecksumError
from botocore.parsers import ResponseParserError

from answers import CHECKED, ENCODED, answer
from client import client, to_botocore
from common import (
    ACCESS_KEY,
    SECRET_KEY,
    VERSION,
    bytes_of,
    case,
    parse_time,
    stop_clock,
    time_of,
    whole,
)
from documents import COMPLETE, ERROR, ERRORS, ODD, WITH_BODY
from members import ALGORITHMS, checksum, required
from operations import OPERATIONS, upload_body

# Retries are counted, not waited for, never run out, and never go to another region.
time.sleep = lambda seconds: None
botocore.retries.quota.RetryQuota.acquire = lambda self, amount: True
botocore.utils.S3RegionRedirectorv2.redirect_from_error = lambda self, **arguments: None

SOURCE = (
    f"{VERSION}: its client, answered without a network. `retryable` is whether its standard retry "
    "mode sends again. Empty lists and maps are left out of `output`"
)
SPECIFIED = (
    "What apus specifies where botocore has no opinion or another: `kind`; `never` skips; keys of "
    "ListMultipartUploads and the Prefix of ListObjects are decoded too; aws-chunked is not a "
    "content encoding of an object; white space may come before an XML document; a copy without a "
    "document and members without which nothing works are a broken answer"
)
MOMENT = "20260102T030405Z"

LISTS = ["ListObjects", "ListObjectsV2", "ListObjectVersions"]


def suites(dice_of, count):
    yield "s3-response", SOURCE, recorded(dice_of("s3-response"), count)
    yield "s3-response.specified", SPECIFIED, specified(dice_of("s3-response.specified"))


def recorded(dice, count):
    for operation in OPERATIONS:
        yield good(f"{operation}/full", dice, operation, 1)
        yield good(f"{operation}/bare", dice, operation, 0)
        for i in range(count or 5):
            yield good(f"{operation}/random-{i}", dice, operation, 0.5)
    for operation in LISTS:
        for i in range(count or 10):
            yield good(f"{operation}/encoded-{i}", dice, operation, 0.7, encoded=True)
    yield from checksum_cases(dice)
    yield from odd_documents(dice)
    yield from errors(dice)


def good(name, dice, operation, density, encoded=False):
    status, headers, body = answer(dice, operation, density, encoded)
    return response_case(name, dice, operation, status, headers, body)


# -- Checksums ----------------------------------------------------------------------------------


def checksum_cases(dice):
    """GetObject with right, wrong and composite values, asked for and not."""
    for algorithm in ALGORITHMS:
        for kind in ["right", "wrong", "composite"]:
            for mode in ["when_supported", "always", "when_required"]:
                if mode == "always" and dice.chance(0.6):
                    continue
                data = dice.blob(0, 50)
                value = checksum(algorithm, data + (b"" if kind != "wrong" else b"!"))
                headers = [
                    [
                        f"x-amz-checksum-{algorithm}".lower(),
                        value + ("-3" if kind == "composite" else ""),
                    ],
                    ["x-amz-checksum-type", "COMPOSITE" if kind == "composite" else "FULL_OBJECT"],
                    ["Content-Length", str(len(data))],
                    ["ETag", '"0cc175b9c0f1b6a831c399e269772661"'],
                ]
                yield response_case(
                    f"GetObject/{algorithm}-{kind}-{mode}",
                    dice,
                    "GetObject",
                    200,
                    headers,
                    data,
                    mode,
                )
    yield from annotation_checksum_cases(dice)
    data = b"hello world"
    both = [
        [f"x-amz-checksum-{name}".lower(), checksum(name, data)] for name in ["CRC32", "SHA256"]
    ]
    yield response_case(
        "GetObject/two-checksums", dice, "GetObject", 200, both, data, "when_supported"
    )
    yield response_case(
        "GetObject/composite-beside-right",
        dice,
        "GetObject",
        200,
        [["x-amz-checksum-crc32c", checksum("CRC32C", data) + "-2"], both[0]],
        data,
        "when_supported",
    )
    yield response_case(
        "GetObject/none-though-asked", dice, "GetObject", 200, [], data, "when_supported"
    )
    yield response_case(
        "GetObject/integrity-off",
        dice,
        "GetObject",
        200,
        [["x-amz-checksum-crc32", "AAAAAA=="]],
        data,
        "when_supported",
        enabled=False,
    )
    yield response_case(
        "GetObject/range",
        dice,
        "GetObject",
        206,
        [["Content-Range", "bytes 0-10/2000"], ["Content-Length", "11"]],
        data,
        "when_supported",
    )


def annotation_checksum_cases(dice):
    """An annotation is validated as an object is."""
    for kind in ["right", "wrong"]:
        for mode in ["when_supported", "when_required"]:
            data = "an annotation: é".encode()
            value = checksum("CRC64NVME", data + (b"" if kind == "right" else b"!"))
            headers = [["x-amz-checksum-crc64nvme", value], ["ETag", '"a"']]
            name = f"GetObjectAnnotation/{kind}-{mode}"
            yield response_case(name, dice, "GetObjectAnnotation", 200, headers, data, mode)


# -- By hand ---


def odd_documents(dice):
    for name, operation, body in ODD:
        yield response_case(f"{operation}/{name}", dice, operation, 200, [], body.encode())
    for operation in ["PutObject", "UploadPart"]:
        yield response_case(f"{operation}/empty-body", dice, operation, 200, [["ETag", '"a"']], b"")
    yield response_case(
        "GetObject/bad-expires",
        dice,
        "GetObject",
        200,
        [["Expires", "not a date"], ["ETag", "unquoted"]],
        b"x",
    )
    yield response_case(
        "HeadObject/bare",
        dice,
        "HeadObject",
        200,
        [["Content-Length", "0"], ["Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT"]],
        b"",
    ) | {"name": "HeadObject/zero"}


def errors(dice):
    for i, (status, code, message, again) in enumerate(ERRORS):
        for operation in dice.sample(WITH_BODY, 3):
            extra = dice.choice(["", "<Resource>/b/k</Resource>", "<BucketName>b</BucketName>"])
            body = ERROR.format(code, escape(message), extra).encode()
            yield response_case(
                f"{operation}/{code}-{i}",
                dice,
                operation,
                status,
                [],
                body,
                retryable=again is not None,
            )
    for status in [400, 403, 404, 405, 412, 416, 500, 503, 304]:
        for operation in ["HeadObject", "HeadBucket"]:
            yield response_case(
                f"{operation}/status-{status}",
                dice,
                operation,
                status,
                [],
                b"",
                retryable=status != 400,
                message=False,
            )
    for status in [400, 403, 404, 409, 412, 500, 502, 503, 504]:
        yield response_case(
            f"GetObject/empty-{status}", dice, "GetObject", status, [], b"", message=False
        )
    page = b"<html><body><h1>503 Service Unavailable</h1></body></html>"
    for status in [500, 502, 503, 504]:
        yield response_case(
            f"PutObject/html-{status}", dice, "PutObject", status, [], page, message=False
        )
    yield response_case(
        "PutObject/html-403", dice, "PutObject", 403, [], page, code=False, message=False
    )
    for name, body in [
        ("cut", b'<?xml version="1.0"?><Error><Code>NoSuchKey</Co'),
        ("plain-text", b"NoSuchKey"),
        ("garbage", b"\x00\xff\xfe<>"),
    ]:
        yield response_case(
            f"GetObject/{name}-404", dice, "GetObject", 404, [], body, code=False, message=False
        )
    failed = ERROR.format("InternalError", "We encountered an internal error.", "").encode()
    slow = ERROR.format("SlowDown", "Reduce your request rate.", "").encode()
    for operation in [
        "CompleteMultipartUpload",
        "CopyObject",
        "UploadPartCopy",
        "DeleteObjects",
        "ListObjectsV2",
        "ListParts",
        "GetBucketTagging",
    ]:
        for name, body in [("internal", failed), ("slow", slow)]:
            yield response_case(f"{operation}/200-{name}", dice, operation, 200, [], body)
        for name, body in [("cut", b'<?xml version="1.0"?><R'), ("not-xml", b"oops")]:
            yield response_case(
                f"{operation}/200-{name}", dice, operation, 200, [], body, code=False, message=False
            )
    for operation, status, code, extra, headers in [
        (
            "GetObject",
            301,
            "PermanentRedirect",
            "<Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint>",
            [["x-amz-bucket-region", "eu-west-1"]],
        ),
        (
            "PutObject",
            307,
            "TemporaryRedirect",
            "<Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint>",
            [["Location", "https://b.s3.eu-west-1.amazonaws.com/k"]],
        ),
        ("ListObjectsV2", 400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>", []),
        ("CreateBucket", 400, "IllegalLocationConstraintException", "", []),
    ]:
        yield response_case(
            f"{operation}/{code}",
            dice,
            operation,
            status,
            headers,
            ERROR.format(code, "elsewhere", extra).encode(),
            retryable=False,
        )


def specified(dice):
    """What botocore cannot say; botocore still reads the answer where it can."""
    refused = [
        (404, "NoSuchKey", "GetObject"),
        (404, "NoSuchUpload", "UploadPart"),
        (412, "PreconditionFailed", "PutObject"),
        (409, "BucketNotEmpty", "DeleteBucket"),
        (411, "MissingContentLength", "PutObject"),
    ]
    for status, code, operation in refused:
        made = response_case(
            f"{operation}/kind-{code}",
            dice,
            operation,
            status,
            [],
            ERROR.format(code, "", "").encode(),
        )
        made["expect"]["error"]["kind"] = "refused"
        yield made
    for operation in ["ListObjectsV2", "CompleteMultipartUpload"]:
        made = response_case(
            f"{operation}/kind-broken",
            dice,
            operation,
            200,
            [],
            b"<Broken",
            code=False,
            message=False,
        )
        made["expect"]["error"]["kind"] = "broken"
        yield made
    for operation, name, body in [
        ("CopyObject", "empty-body", b""),
        ("UploadPartCopy", "empty-body", b""),
        ("CreateMultipartUpload", "no-upload-id", b"<InitiateMultipartUploadResult/>"),
        (
            "ListObjectVersions",
            "no-key",
            b"<ListVersionsResult><Version><VersionId>v</VersionId></Version></ListVersionsResult>",
        ),
    ]:
        made = response_case(f"{operation}/{name}", dice, operation, 200, [["ETag", '"a"']], body)
        made["expect"] = {"outcome": "error", "error": {"kind": "broken"}}
        yield made
    for algorithm in ["CRC32", "CRC64NVME", "SHA256"]:
        yield response_case(
            f"GetObject/never-{algorithm}",
            dice,
            "GetObject",
            200,
            [[f"x-amz-checksum-{algorithm}".lower(), checksum(algorithm, b"other")]],
            b"data",
            "never",
        )
    for sent, kept in [
        ("aws-chunked", None),
        ("aws-chunked,gzip", "gzip"),
        ("gzip,aws-chunked", "gzip"),
        ("gzip, aws-chunked", "gzip"),
    ]:
        made = response_case(
            f"GetObject/content-encoding-{sent}",
            dice,
            "GetObject",
            200,
            [["Content-Encoding", sent]],
            b"data",
        )
        del made["expect"]["output"]["ContentEncoding"]
        if kept:
            made["expect"]["output"]["ContentEncoding"] = kept
        yield made
    body = b'\n \n<?xml version="1.0"?>' + COMPLETE.format("", "x", "&quot;e&quot;").encode()
    made = response_case(
        "CompleteMultipartUpload/kept-alive",
        dice,
        "CompleteMultipartUpload",
        200,
        [],
        body.lstrip(),
    )
    made["input"]["body"] = bytes_of(body)
    yield made
    for i in range(4):
        _, headers, body = answer(dice, "ListMultipartUploads", 0.8, encoded=True)
        made = response_case(
            f"ListMultipartUploads/encoded-{i}", dice, "ListMultipartUploads", 200, headers, body
        )
        decode(made["expect"]["output"])
        yield made
    made = response_case(
        "ListObjects/encoded-prefix",
        dice,
        "ListObjects",
        200,
        [],
        b"<ListBucketResult><Prefix>a%2Bb+c</Prefix><EncodingType>url</EncodingType>"
        b"</ListBucketResult>",
    )
    decode(made["expect"]["output"])
    yield made


def decode(output):
    """Of a list that botocore does not decode: what S3's API reference says is encoded."""
    for name, value in output.items():
        if name in ENCODED:
            output[name] = unquote_str(value)
        for item in value if isinstance(value, list) else []:
            decode(item)


# -- The answer through botocore ------------------------------------------------------------------


class Raw(io.BytesIO):
    """What botocore reads a body from."""

    def stream(self):
        yield self.read()


def response_case(
    name,
    dice,
    operation,
    status,
    headers,
    body,
    mode="when_required",
    enabled=True,
    retryable=True,
    code=True,
    message=True,
):
    """`retryable`, `code` and `message` say what of an error is to be compared."""
    config = {
        "endpoint": "https://s3.example.com",
        "region": "us-east-1",
        "addressing": "path",
        "enable_data_integrity_protection": enabled,
        "response_checksum_validation": mode,
        "access_key": ACCESS_KEY,
        "secret_key": SECRET_KEY,
        "session_token": None,
    }
    given = {
        "operation": operation,
        "status": status,
        "headers": headers,
        "body": bytes_of(body),
        "config": whole(config),
    }
    outcome, sent = run(config, dice, operation, status, headers, body)
    expect = {"outcome": "ok"}
    if isinstance(outcome, ClientError):
        found = outcome.response["Error"]
        error = {}
        if code and found.get("Code"):
            error["code"] = found["Code"]
        if message and found.get("Message") is not None:
            error["message"] = found["Message"]
        if retryable:
            error["retryable"] = sent > 1
        expect = {"outcome": "error", "error": error}
    elif isinstance(outcome, FlexibleChecksumError):
        expect = {"outcome": "error", "error": {"kind": "integrity"}, "checksum": "mismatch"}
    elif isinstance(outcome, (BotoCoreError, ResponseParserError)):
        expect = {"outcome": "error", "error": {}}
    else:
        metadata = outcome.pop("ResponseMetadata")
        outcome.pop("ExpiresString", None)
        expect["output"] = plain(outcome)
        if operation in CHECKED:
            validated = "ChecksumAlgorithm" in metadata
            expect["checksum"] = "validated" if validated else "skipped"
    return case(name, given, expect)


def run(config, dice, operation, status, headers, body):
    """What botocore made of this answer, and how often it sent the request."""
    made = client(config, retries={"mode": "standard", "total_max_attempts": 2})
    sent = []

    def before_send(request, **_):
        sent.append(request)
        return AWSResponse(request.url, status, dict(headers), Raw(body))

    params = required(dice, operation, config)
    if operation in ["PutObject", "UploadPart"]:
        params["Body"] = upload_body(dice, "bytes")[0]
    stop_clock(parse_time(MOMENT))
    made.meta.events.register_first("before-send.s3", before_send)
    try:
        output = made._make_api_call(operation, to_botocore(operation, params))
        for name in ["Body", "AnnotationPayload"]:
            if name in output:
                output[name] = output[name].read()
        return output, len(sent)
    except (ClientError, BotoCoreError, ResponseParserError) as error:
        return error, len(sent)
    finally:
        made.meta.events.unregister("before-send.s3", before_send)


def plain(value):
    """An output as JSON: bytes and times in a vector's form, nothing that is not there."""
    if isinstance(value, dict):
        return {
            name: plain(item)
            for name, item in value.items()
            if item is not None and item not in ([], {})
        }
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        return time_of(value.astimezone(datetime.timezone.utc))
    return bytes_of(value) if isinstance(value, bytes) else value
