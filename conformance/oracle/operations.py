"""s3-request: every operation, its members, checksum modes, addressing, and keys that are odd."""

import base64
import hashlib

from client import MODEL, Tweaks, body_of, plain_headers, send
from common import (
    ACCESS_KEY,
    CUSTOM_ENDPOINTS,
    ODD_KEYS,
    REGIONS,
    SECRET_KEY,
    SESSION_TOKEN,
    VERSION,
    bytes_of,
    case,
    repeat,
    time_of,
    whole,
)
from members import ALGORITHMS, checksum, groups_of, optional, required, some, unsummed

OPERATIONS = """
    ListBuckets HeadBucket CreateBucket DeleteBucket GetBucketLocation
    GetBucketVersioning PutBucketVersioning
    GetBucketLifecycleConfiguration PutBucketLifecycleConfiguration DeleteBucketLifecycle
    GetBucketTagging PutBucketTagging DeleteBucketTagging
    GetBucketCors PutBucketCors DeleteBucketCors
    GetBucketPolicy PutBucketPolicy DeleteBucketPolicy
    HeadObject GetObject PutObject CopyObject DeleteObject DeleteObjects
    GetObjectTagging PutObjectTagging DeleteObjectTagging GetObjectAttributes
    GetObjectRetention PutObjectRetention GetObjectLegalHold PutObjectLegalHold
    PutObjectAnnotation GetObjectAnnotation DeleteObjectAnnotation ListObjectAnnotations
    RenameObject
    ListObjectsV2 ListObjects ListObjectVersions
    CreateMultipartUpload UploadPart UploadPartCopy CompleteMultipartUpload AbortMultipartUpload
    ListParts ListMultipartUploads
""".split()
UPLOADS = ["PutObject", "UploadPart"]
DIGESTED = [
    name
    for name in OPERATIONS
    if MODEL.operation_model(name).http_checksum.get("requestChecksumRequired")
]
MODES = [
    (False, "when_required"),
    (False, "when_supported"),
    (False, "always"),
    (True, "when_required"),
    (True, "when_supported"),
    (True, "always"),
]

SOURCE = (
    f"{VERSION}, client calls stopped before they are sent. Where a case has bytes, https and a "
    "checksum in a header (checksum_placement auto or header), botocore is told to use its header "
    "placement, which by itself it keeps for http; likewise its trailer placement over http. A "
    "stream's ContentLength is not told to botocore, which finds it out (told, it would sign it)."
)
SPECIFIED = (
    f"What apus specifies and no oracle knows, with {VERSION} for all else, checksums and "
    "signature included: `never` sends no flexible checksum, and Content-MD5 where S3 insists on a "
    "digest; checksum_placement content-md5 sends Content-MD5 where a checksum would go; "
    "sdk_checksum_algorithm_header false leaves x-amz-sdk-checksum-algorithm out; "
    "aws_chunked_content_encoding false leaves aws-chunked out of Content-Encoding"
)


def suites(dice_of, count):
    yield "s3-request", SOURCE, recorded(dice_of("s3-request"), count)
    yield "s3-request.specified", SPECIFIED, specified(dice_of("s3-request.specified"), count)


def recorded(dice, count):
    yield from key_cases(dice)
    for operation in OPERATIONS:
        yield from member_cases(dice, operation)
        for i in range(count or len(MODES)):
            config = any_config(dice, MODES[i % len(MODES)])
            yield request_case(f"{operation}/random-{i}", dice, operation, config=config)
    for operation in UPLOADS:
        yield from upload_cases(dice, operation, count or 36)
    for operation in DIGESTED:
        yield from digested_cases(dice, operation)
    for i in range(count or 40):
        operation = dice.choice(OPERATIONS)
        config = anonymous(dice)
        yield request_case(f"{operation}/anonymous-{i}", dice, operation, config=config)
    for operation in UPLOADS:
        yield anonymous_trailer_case(f"{operation}/anonymous-trailer", dice, operation)


def key_cases(dice):
    for i, key in enumerate(ODD_KEYS):
        for operation, addressing in [("GetObject", "path"), ("HeadObject", "virtual")]:
            config = plain_config(dice) | {"addressing": addressing}
            yield request_case(f"{operation}/key-{i}", dice, operation, {"Key": key}, config, [])


def member_cases(dice, operation):
    """Nothing optional, then every optional member alone."""
    yield request_case(f"{operation}/bare", dice, operation, groups=[])
    for group in groups_of(operation):
        yield request_case(f"{operation}/{group}", dice, operation, groups=[group])


def upload_cases(dice, operation, count):
    """Modes, schemes, bodies, algorithms and placements of an upload."""
    number = 0
    for scheme in ["http", "https"]:
        for mode in MODES:
            for body in ["bytes", "empty", "stream"]:
                for algorithm in [None, dice.choice(ALGORITHMS)]:
                    yield upload_case(
                        f"{operation}/mode-{number}",
                        dice,
                        operation,
                        scheme,
                        mode,
                        body,
                        algorithm,
                        dice.choice(["header", "trailer"]),
                    )
                    number += 1
    for algorithm in ALGORITHMS:
        for placement in ["header", "trailer"]:
            yield upload_case(
                f"{operation}/{algorithm}-{placement}",
                dice,
                operation,
                "https",
                (True, "when_supported"),
                "bytes",
                algorithm,
                placement,
            )
    for algorithm in [*ALGORITHMS, "MD5"]:
        for scheme in ["http", "https"]:
            yield own_checksum_case(
                f"{operation}/own-{algorithm}-{scheme}", dice, operation, scheme, algorithm
            )
    for i in range(count):
        yield upload_case(
            f"{operation}/upload-{i}",
            dice,
            operation,
            dice.choice(["http", "https"]),
            dice.choice(MODES),
            dice.choice(["bytes", "bytes", "empty", "stream"]),
            dice.choice([None, None, *ALGORITHMS]),
            dice.choice(["header", "trailer"]),
            unsummed(dice, operation),
        )


def upload_case(name, dice, operation, scheme, mode, kind, algorithm, placement, groups=()):
    """The config asks us for what botocore does with this upload."""
    config = plain_config(dice, scheme) | {
        "enable_data_integrity_protection": mode[0],
        "request_checksum_calculation": mode[1],
    }
    body, data = upload_body(dice, kind)
    params = required(dice, operation) | some(dice, operation, groups) | {"Body": body}
    if kind == "stream":
        params |= {"Body": {"stream": body}, "ContentLength": len(data)}
    if algorithm:
        # As a member of the call, or as the client's setting where the mode makes it count.
        if supported(mode) and dice.chance(0.4):
            config["checksum_algorithm"] = algorithm
        else:
            params["ChecksumAlgorithm"] = algorithm
    if dice.chance(0.15):
        params["ContentMD5"] = base64.b64encode(hashlib.md5(data).digest()).decode()
    tweaks = Tweaks(chunk_size=1 << 20)
    if not algorithm and not supported(mode):
        if kind == "stream" and not ("ContentMD5" in params and scheme == "https"):
            config["payload"] = "unsigned"
        elif kind == "bytes":
            maybe(dice, config, "payload", ["signed", "unsigned"])
    elif kind == "stream" or (placement == "trailer" and scheme == "https"):
        tweaks.placement = config["checksum_placement"] = "trailer"
        config["aws_chunked_content_encoding"] = True
        if scheme == "http":
            config["payload"] = "unsigned"
        if dice.chance(0.3):
            tweaks.chunk_size = config["chunk_size"] = dice.choice([8192, 65536])
    else:
        tweaks.placement = "header"
        maybe(dice, config, "checksum_placement", ["header"])
        if kind == "bytes":
            maybe(dice, config, "payload", ["signed", "unsigned"])
    if kind == "empty" and tweaks.placement != "trailer":
        config["payload"] = "signed"
    return make(name, dice, config, operation, params, tweaks)


def anonymous_trailer_case(name, dice, operation):
    """Nothing is signed, yet S3 has to be told of the framing by x-amz-content-sha256."""
    config = plain_config(dice, "https") | {
        "enable_data_integrity_protection": True,
        "request_checksum_calculation": "when_supported",
        "checksum_placement": "trailer",
        "aws_chunked_content_encoding": True,
        "access_key": None,
        "secret_key": None,
        "session_token": None,
    }
    params = required(dice, operation) | {"Body": upload_body(dice, "bytes")[0]}
    return make(name, dice, config, operation, params, Tweaks(placement="trailer"))


def own_checksum_case(name, dice, operation, scheme, algorithm):
    """The caller gives the value: it goes as it is, beside nothing of ours."""
    config = plain_config(dice, scheme) | dict(
        zip(
            ["enable_data_integrity_protection", "request_checksum_calculation"], dice.choice(MODES)
        )
    )
    if scheme == "https":
        config["payload"] = dice.choice(["signed", "unsigned"])
    body, data = upload_body(dice, "bytes")
    params = required(dice, operation) | {"Body": body}
    params[f"Checksum{algorithm}"] = checksum(algorithm, data)
    if dice.chance(0.4):
        params["ChecksumAlgorithm"] = algorithm
    else:
        config["sdk_checksum_algorithm_header"] = False
    return make(name, dice, config, operation, params)


def digested_cases(dice, operation):
    """Operations whose body S3 insists on having digested."""
    for i, mode in enumerate(MODES):
        for scheme in ["http", "https"]:
            config = plain_config(dice, scheme) | {
                "enable_data_integrity_protection": mode[0],
                "request_checksum_calculation": mode[1],
            }
            params = {}
            if dice.chance(0.5):
                algorithm = dice.choice(ALGORITHMS)
                if dice.chance(0.5):
                    config["checksum_algorithm"] = algorithm
                else:
                    params["ChecksumAlgorithm"] = algorithm
            yield request_case(
                f"{operation}/mode-{i}-{scheme}",
                dice,
                operation,
                params,
                config,
                unsummed(dice, operation),
            )


def specified(dice, count):
    for operation in [
        *DIGESTED,
        *UPLOADS,
        "GetObject",
        "HeadObject",
        "CreateMultipartUpload",
        "CopyObject",
        "CompleteMultipartUpload",
    ]:
        for scheme in ["http", "https"]:
            config = plain_config(dice, scheme) | {
                "enable_data_integrity_protection": True,
                "request_checksum_calculation": "never",
                "response_checksum_validation": "never",
            }
            yield specified_case(
                f"{operation}/never-{scheme}", dice, config, operation, Tweaks(content_md5=True)
            )
    for operation in [*DIGESTED, *UPLOADS]:
        for scheme in ["http", "https"]:
            on = plain_config(dice, scheme) | {
                "enable_data_integrity_protection": True,
                "request_checksum_calculation": "when_supported",
            }
            yield specified_case(
                f"{operation}/content-md5-{scheme}",
                dice,
                on | {"checksum_placement": "content-md5"},
                operation,
                Tweaks(content_md5=True),
            )
            yield specified_case(
                f"{operation}/no-algorithm-header-{scheme}",
                dice,
                on | {"sdk_checksum_algorithm_header": False},
                operation,
                Tweaks(placement="header", no_algorithm_header=True),
            )
    for operation in UPLOADS:
        for i in range(count or 5):
            config = plain_config(dice, "https") | {
                "enable_data_integrity_protection": True,
                "request_checksum_calculation": "when_supported",
                "checksum_placement": "trailer",
                "aws_chunked_content_encoding": False,
            }
            yield specified_case(
                f"{operation}/no-content-encoding-{i}",
                dice,
                config,
                operation,
                Tweaks(placement="trailer", no_content_encoding=True),
            )


def specified_case(name, dice, config, operation, tweaks):
    params = required(dice, operation)
    if operation in UPLOADS:
        params["Body"] = upload_body(dice, "bytes")[0]
    return make(name, dice, config, operation, params, tweaks)


def request_case(name, dice, operation, params=None, config=None, groups=None):
    groups = optional(dice, operation) if groups is None else groups
    config = config or any_config(dice)
    given = required(dice, operation, config) | some(dice, operation, groups) | (params or {})
    if operation in UPLOADS:
        given["Body"] = upload_body(dice, "bytes")[0]
    if any(name.startswith("Checksum") and name[8:] in [*ALGORITHMS, "MD5"] for name in given):
        config = config | {"sdk_checksum_algorithm_header": False, "payload": "signed"}
        given.pop("ChecksumAlgorithm", None)
    return make(name, dice, config, operation, given, Tweaks(placement="header"))


def make(name, dice, config, operation, params, tweaks=None):
    """Runs botocore and records what it would send."""
    time = time_of(dice.moment())
    told = {key: value for key, value in params.items() if key != "ContentLength"}
    if "checksum_algorithm" in config:
        told["ChecksumAlgorithm"] = config["checksum_algorithm"]
    request = send(client_part(config), operation, told, time, tweaks)
    headers, authorization = plain_headers(request)
    expect = {
        "method": request.method,
        "url": request.url,
        "headers": headers,
        "body": body_sent(params, body_of(request)),
    }
    if authorization:
        expect["authorization"] = authorization
    given = {"config": whole(config), "operation": operation, "params": params, "time": time}
    return case(name, given, expect)


def body_sent(params, body):
    """The body as a vector writes it: a large one that goes out as it was given, as it was given."""
    given = params.get("Body", {})
    given = given.get("stream", given)
    if "repeat" in given and repeat(given["repeat"], given["len"])[1] == body:
        return given
    return bytes_of(body)


def client_part(config):
    """The settings that botocore's client has too; the rest are of the call."""
    return {
        key: value
        for key, value in config.items()
        if key
        not in {
            "checksum_algorithm",
            "checksum_placement",
            "aws_chunked_content_encoding",
            "sdk_checksum_algorithm_header",
            "chunk_size",
        }
    }


def plain_config(dice, scheme=None):
    scheme = scheme or dice.choice(["http", "https"])
    config = {
        "endpoint": dice.choice(CUSTOM_ENDPOINTS[1:5]).format(scheme=scheme),
        "region": dice.choice(["us-east-1", "eu-central-1"]),
        "addressing": "path",
        "access_key": ACCESS_KEY,
        "secret_key": SECRET_KEY,
        "session_token": SESSION_TOKEN if dice.chance(0.15) else None,
    }
    if scheme == "https" and dice.chance(0.3):
        config |= {"endpoint": None, "addressing": dice.choice(["auto", "virtual", "path"])}
    return config


def any_config(dice, mode=None):
    scheme = dice.choice(["http", "https"])
    config = plain_config(dice, scheme)
    if config["endpoint"]:
        config["addressing"] = dice.choice(["auto", "path", "virtual"])
        index = len(CUSTOM_ENDPOINTS) if config["addressing"] != "virtual" else 3
        config["endpoint"] = dice.choice(CUSTOM_ENDPOINTS[:index]).format(scheme=scheme)
    else:
        config["region"] = dice.choice(REGIONS)
        if dice.chance(0.3):
            config["use_dualstack"] = True
        if dice.chance(0.2) and config["region"].startswith("us-"):
            config["use_fips"] = True
    config["enable_data_integrity_protection"], config["request_checksum_calculation"] = (
        mode or dice.choice(MODES)
    )
    config["response_checksum_validation"] = dice.choice(
        ["when_required", "when_supported", "always"]
    )
    return config


def anonymous(dice):
    return any_config(dice) | {"access_key": None, "secret_key": None, "session_token": None}


def supported(mode):
    return mode[0] and mode[1] != "when_required"


def maybe(dice, config, name, values):
    if dice.chance(0.4):
        config[name] = dice.choice(values)


def upload_body(dice, kind):
    if kind == "empty":
        return {"utf8": ""}, b""
    if dice.chance(0.03):
        return repeat(dice.choice(["apus", "0123456789"]), dice.randint(8000, 17000))
    data = dice.choice([b"hello", b"hello world", dice.blob(1, 60)])
    return bytes_of(data), data
