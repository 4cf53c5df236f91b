"""s3-presign and s3-post-policy: botocore's presigned URLs and forms, by Signature Version 4."""

import botocore.signers

from client import client, to_botocore
from common import (
    ACCESS_KEY,
    CUSTOM_ENDPOINTS,
    ODD_KEYS,
    REGIONS,
    SECRET_KEY,
    SESSION_TOKEN,
    VERSION,
    case,
    parse_time,
    stop_clock,
    time_of,
    whole,
)
from members import ALGORITHMS, optional, required, some
from operations import client_part

# Where the client's addressing is auto, botocore presigns for the global endpoint of long ago.
botocore.signers._should_use_global_endpoint = lambda client: False

OPERATIONS = {
    "GetObject": "get_object",
    "PutObject": "put_object",
    "HeadObject": "head_object",
    "DeleteObject": "delete_object",
    "UploadPart": "upload_part",
    "ListObjectsV2": "list_objects_v2",
    "CreateMultipartUpload": "create_multipart_upload",
    "HeadBucket": "head_bucket",
    "AbortMultipartUpload": "abort_multipart_upload",
    "ListParts": "list_parts",
}
EXPIRES = [1, 60, 900, 3600, 86400, 604800]

SOURCE = f"{VERSION}, generate_presigned_url with s3v4, regional endpoints"
POST_SOURCE = (
    f"{VERSION}, generate_presigned_post with s3v4, virtual addressing. The policy is "
    "Python's JSON (a space after each comma and colon, ASCII only)"
)


def suites(dice_of, count):
    yield "s3-presign", SOURCE, presign_cases(dice_of("s3-presign"), count or 220)
    yield "s3-post-policy", POST_SOURCE, post_cases(dice_of("s3-post-policy"), count or 110)


def presign_cases(dice, count):
    for i, key in enumerate(ODD_KEYS):
        yield presign_case(f"key-{i}", dice, "GetObject", {"Key": key})
    for i in range(count):
        yield presign_case(f"random-{i}", dice, dice.choice(list(OPERATIONS)), {}, i % 4 > 0)


def presign_case(name, dice, operation, fixed, more=False):
    config = some_config(dice)
    params = required(dice, operation) | fixed
    if more:
        # What botocore would only do to a request that it sends itself is left out: the digest of
        # a body, and the encoding of a customer's key in ListParts.
        groups = [
            group
            for group in optional(dice, operation)
            if group not in ["ChecksumAlgorithm", "ContentMD5", "ChecksumMode", "ChecksumType"]
        ]
        params |= some(dice, operation, groups)
    if any(f"Checksum{algorithm}" in params for algorithm in [*ALGORITHMS, "MD5"]):
        # Beside a checksum of its caller's own, botocore does not name the algorithm.
        config = config | {"sdk_checksum_algorithm_header": False}
    expires, time = dice.choice(EXPIRES), time_of(dice.moment())
    made = client(client_part(config))
    seen = []

    def before_sign(request, **_):
        seen.append(request)

    stop_clock(parse_time(time))
    made.meta.events.register("before-sign.s3", before_sign)
    url = made.generate_presigned_url(
        OPERATIONS[operation], Params=to_botocore(operation, params), ExpiresIn=expires
    )
    made.meta.events.unregister("before-sign.s3", before_sign)
    headers = sorted([name, value] for name, value in seen[0].headers.items())
    given = {
        "config": whole(config),
        "operation": operation,
        "params": params,
        "time": time,
        "expires": expires,
    }
    return case(name, given, {"method": seen[0].method, "url": url, "headers": headers})


def some_config(dice):
    config = {
        "region": dice.choice(REGIONS),
        "access_key": ACCESS_KEY,
        "secret_key": SECRET_KEY,
        "session_token": SESSION_TOKEN if dice.chance(0.3) else None,
        "addressing": dice.choice(["auto", "path", "virtual"]),
    }
    if dice.chance(0.5):
        if dice.chance(0.2):
            config["use_dualstack"] = True
        return config | {"endpoint": None}
    index = 3 if config["addressing"] == "virtual" else len(CUSTOM_ENDPOINTS)
    scheme = dice.choice(["http", "https"])
    return config | {"endpoint": dice.choice(CUSTOM_ENDPOINTS[:index]).format(scheme=scheme)}


def post_cases(dice, count):
    for i, key in enumerate(["key", "${filename}", "user/eric/${filename}", *ODD_KEYS[:20]]):
        yield post_case(f"key-{i}", dice, key, [], {})
    for i in range(count):
        conditions, fields = [], {}
        for name, value in [
            ("acl", "public-read"),
            ("Content-Type", "image/jpeg"),
            ("success_action_status", "201"),
            ("success_action_redirect", "https://example.com/done?a=b&c"),
            ("x-amz-meta-uuid", "14365123651274"),
            ("x-amz-meta-odd", 'é "quoted" \\ <&>'),
            ("x-amz-server-side-encryption", "AES256"),
            ("Cache-Control", "no-cache"),
            ("x-amz-storage-class", "STANDARD_IA"),
            ("tagging", "<Tagging/>"),
        ]:
            if dice.chance(0.3):
                fields[name] = value
                conditions.append({name: value} if dice.chance(0.5) else ["eq", f"${name}", value])
        if dice.chance(0.4):
            conditions.append(
                ["content-length-range", dice.randint(0, 9), dice.randint(10, 5 << 30)]
            )
        if dice.chance(0.4):
            conditions.append(["starts-with", "$x-amz-meta-tag", dice.choice(["", dice.word()])])
        yield post_case(
            f"random-{i}", dice, dice.choice([dice.key(), "a/${filename}"]), conditions, fields
        )


def post_case(name, dice, key, conditions, fields):
    given = {
        "bucket": dice.bucket(),
        "key": key,
        "conditions": conditions,
        "fields": fields,
        "expires": dice.choice(EXPIRES),
        "time": time_of(dice.moment()),
        "access_key": ACCESS_KEY,
        "secret_key": dice.choice([SECRET_KEY, dice.secret()]),
        "session_token": SESSION_TOKEN if dice.chance(0.3) else None,
        "region": dice.choice(REGIONS),
    }
    made = client(
        {key: given[key] for key in ["access_key", "secret_key", "session_token", "region"]}
        | {"addressing": "virtual"}
    )
    stop_clock(parse_time(given["time"]))
    form = made.generate_presigned_post(
        given["bucket"],
        given["key"],
        Fields=dict(fields),
        Conditions=list(conditions),
        ExpiresIn=given["expires"],
    )
    return case(name, given, {"url": form["url"], "fields": form["fields"]})
