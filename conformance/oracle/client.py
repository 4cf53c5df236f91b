"""An S3 client of botocore that never sends: set up by a case's `config`, its time stopped.

`send` gives the request as it would go out. What a case asks beyond botocore's own options
(a checksum in a header over https, Content-MD5 instead of a checksum, ...) is in `Tweaks`,
applied by botocore's events between serialisation and checksumming; the code that computes and
signs is botocore's in every case.
"""

import base64
import dataclasses
import functools
import hashlib
import json

import botocore.auth
import botocore.config
import botocore.httpchecksum
import botocore.session
from botocore import UNSIGNED

from common import parse_time, stop_clock

# With awscrt installed (here for its checksums) botocore would sign with it, and by its clock.
botocore.auth.AUTH_TYPE_MAPS |= {
    "s3v4": botocore.auth.S3SigV4Auth,
    "s3v4-query": botocore.auth.S3SigV4QueryAuth,
}

SESSION = botocore.session.Session()
MODEL = SESSION.get_service_model("s3")


@dataclasses.dataclass
class Tweaks:
    """What botocore is made to do that it has no option for."""

    placement: str | None = None  # header, trailer: where a computed checksum goes
    content_md5: bool = False  # no checksum; Content-MD5 where there would be one
    no_algorithm_header: bool = False  # no x-amz-sdk-checksum-algorithm
    no_content_encoding: bool = False  # no aws-chunked in Content-Encoding
    chunk_size: int = 1 << 20


class Captured(BaseException):
    """Carries the request out of botocore, past its handlers of errors."""


def client(config, **more):
    """The client that a case's `config` describes; kept, since making one is slow."""
    enabled = config.get("enable_data_integrity_protection", False)

    def mode(name):
        value = config.get(name, "when_required") if enabled else "when_required"
        return {"always": "when_supported", "never": "when_required"}.get(value, value)

    s3 = {
        "addressing_style": config.get("addressing", "auto"),
        "payload_signing_enabled": {"signed": True, "unsigned": False}.get(config.get("payload")),
        "use_accelerate_endpoint": config.get("accelerate", False),
        "us_east_1_regional_endpoint": "regional",
    } | more.pop("s3", {})
    return _client(
        json.dumps(
            {
                "region_name": config["region"],
                "endpoint_url": config.get("endpoint"),
                "aws_access_key_id": config.get("access_key"),
                "aws_secret_access_key": config.get("secret_key"),
                "aws_session_token": config.get("session_token"),
                "config": {
                    "s3": {name: value for name, value in s3.items() if value is not None},
                    "use_fips_endpoint": config.get("use_fips", False),
                    "use_dualstack_endpoint": config.get("use_dualstack", False),
                    "request_checksum_calculation": mode("request_checksum_calculation"),
                    "response_checksum_validation": mode("response_checksum_validation"),
                }
                | more,
            },
            sort_keys=True,
        )
    )


@functools.cache
def _client(settings):
    settings = json.loads(settings)
    signer = "s3v4" if settings["aws_access_key_id"] else UNSIGNED
    settings["config"] = botocore.config.Config(signature_version=signer, **settings["config"])
    return SESSION.create_client("s3", **settings)


def send(config, operation, params, time, tweaks=None, **more):
    """The request of this call: method, URL, headers and the whole body."""
    tweaks = tweaks or Tweaks()
    made = client(config, **more)
    events = made.meta.events

    def before_call(params, model, **_):
        tweak(params, model, tweaks)

    def before_sign(request, **_):
        if tweaks.no_content_encoding and request.headers["Content-Encoding"] == "aws-chunked":
            del request.headers["Content-Encoding"]

    def before_send(request, **_):
        raise Captured(request)

    events.register_last("before-call.s3", before_call)
    events.register_last("before-sign.s3", before_sign)
    events.register_first("before-send.s3", before_send)
    botocore.httpchecksum.AwsChunkedWrapper._DEFAULT_CHUNK_SIZE = tweaks.chunk_size
    stop_clock(parse_time(time))
    try:
        made._make_api_call(operation, to_botocore(operation, params))
    except Captured as captured:
        request = captured.args[0]
    finally:
        events.unregister("before-call.s3", before_call)
        events.unregister("before-sign.s3", before_sign)
        events.unregister("before-send.s3", before_send)
    return request


def tweak(request, model, tweaks):
    """Changes what botocore decided on the checksum, before it computes it."""
    checksum = request["context"].get("checksum", {})
    algorithm = checksum.get("request_algorithm")
    if algorithm and tweaks.content_md5:
        del checksum["request_algorithm"]
        request["headers"].pop("x-amz-sdk-checksum-algorithm", None)
        request["headers"]["Content-MD5"] = content_md5(request["body"])
    elif algorithm and tweaks.placement:
        algorithm["in"] = tweaks.placement
    if tweaks.no_algorithm_header:
        checksum.pop("request_algorithm_header", None)
        request["headers"].pop("x-amz-sdk-checksum-algorithm", None)


def content_md5(body):
    data = body if isinstance(body, bytes) else body.read()
    if data is not body:
        body.seek(0)
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def shape_of(operation):
    return MODEL.operation_model(operation).input_shape


def to_botocore(operation, params):
    """Params as a vector writes them, as botocore takes them."""
    converted = _convert(shape_of(operation), params)
    if operation in ["GetObjectAttributes", "ListParts"] and "SSECustomerKey" in converted:
        # Of these two botocore forgets to encode the customer's key.
        key = converted["SSECustomerKey"]
        converted["SSECustomerKey"] = base64.b64encode(key).decode()
        converted["SSECustomerKeyMD5"] = content_md5(key)
    return converted


def _convert(shape, value):
    if isinstance(value, dict) and "stream" in value:
        return bytes_from(value["stream"])
    if isinstance(value, dict) and set(value) in (
        {"utf8"},
        {"base64"},
        {"zeros"},
        {"repeat", "len"},
    ):
        return bytes_from(value)
    if shape.type_name == "structure":
        return {name: _convert(shape.members[name], member) for name, member in value.items()}
    if shape.type_name == "list":
        return [_convert(shape.member, member) for member in value]
    return parse_time(value) if shape.type_name == "timestamp" else value


def bytes_from(value):
    """Returns the bytes that a vector's value describes."""
    if "utf8" in value:
        return value["utf8"].encode()
    if "base64" in value:
        return base64.b64decode(value["base64"])
    if "zeros" in value:
        return bytes(value["zeros"])
    unit = value["repeat"].encode()
    return (unit * (value["len"] // len(unit) + 1))[: value["len"]]


# Headers that say nothing of S3, and the signature, which a vector tells apart.
LEFT_OUT = ("user-agent", "amz-sdk-", "expect", "authorization")


def plain_headers(request):
    """The headers in a vector's form, sorted, and the authorization or None."""
    found = {
        name: value.decode() if isinstance(value, bytes) else value
        for name, value in request.headers.items()
    }
    authorization = next((v for n, v in found.items() if n.lower() == "authorization"), None)
    kept = [[n, v] for n, v in found.items() if not n.lower().startswith(LEFT_OUT)]
    return sorted(kept, key=lambda pair: pair[0].lower()), authorization


def body_of(request):
    body = request.body
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return body if isinstance(body, (bytes, bytearray)) else body.read()
