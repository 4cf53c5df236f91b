"""s3-request: every operation, its members, checksum modes, addressing, and keys that are odd."""

import base64
import hashlib

from botocore.httpchecksum import _CHECKSUM_CLS

from client import MODEL, Tweaks, body_of, plain_headers, send
from common import (
    ACCESS_KEY, CUSTOM_ENDPOINTS, ODD_KEYS, REGIONS, SECRET_KEY, SESSION_TOKEN, VERSION, bytes_of,
    case, repeat, time_of)

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
    ListObjectsV2 ListObjects ListObjectVersions
    CreateMultipartUpload UploadPart UploadPartCopy CompleteMultipartUpload AbortMultipartUpload
    ListParts ListMultipartUploads
""".split()
UPLOADS = ["PutObject", "UploadPart"]
DIGESTED = [name for name in OPERATIONS
            if MODEL.operation_model(name).http_checksum.get("requestChecksumRequired")]
ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "XXHASH64", "XXHASH3",
              "XXHASH128"]
MODES = [(False, "when_required"), (False, "when_supported"), (False, "always"),
         (True, "when_required"), (True, "when_supported"), (True, "always")]

SOURCE = (
    f"{VERSION}, client calls stopped before they are sent. Where a case has bytes, https and a "
    "checksum in a header (checksum_placement auto or header), botocore is told to use its header "
    "placement, which by itself it keeps for http; likewise its trailer placement over http. A "
    "stream's ContentLength is not told to botocore, which finds it out (told, it would sign it).")
SPECIFIED = (
    f"What apus specifies and no oracle knows, with {VERSION} for all else, checksums and "
    "signature included: `never` sends no flexible checksum, and Content-MD5 where S3 insists on a "
    "digest; checksum_placement content-md5 sends Content-MD5 where a checksum would go; "
    "sdk_checksum_algorithm_header false leaves x-amz-sdk-checksum-algorithm out; "
    "aws_chunked_content_encoding false leaves aws-chunked out of Content-Encoding")

# Members that no client of objects needs: event holds, directory buckets, annotations. The MD5 of
# a customer's key is computed from the key.
EXCLUDED = {
    "ObjectLockEventHold", "ObjectLockEventHoldDurationDays", "ObjectLockEventHoldDurationYears",
    "BucketNamespace", "WriteOffsetBytes", "AnnotationDirective", "SSECustomerKeyMD5",
    "CopySourceSSECustomerKeyMD5", "ContentLength"}


def suites(dice_of, count):
    yield "s3-request", SOURCE, recorded(dice_of("s3-request"), count)
    yield "s3-request.specified", SPECIFIED, specified(dice_of("s3-request.specified"), count)


def recorded(dice, count):
    yield from key_cases(dice)
    for operation in OPERATIONS:
        yield from member_cases(dice, operation)
        for i in range(count or 8):
            yield request_case(f"{operation}/random-{i}", dice, operation)
    for operation in UPLOADS:
        yield from upload_cases(dice, operation, count or 60)
    for operation in DIGESTED:
        yield from digested_cases(dice, operation)
    for i in range(count or 40):
        operation = dice.choice(OPERATIONS)
        config = anonymous(dice)
        yield request_case(f"{operation}/anonymous-{i}", dice, operation, config=config)


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
                    yield upload_case(f"{operation}/mode-{number}", dice, operation, scheme, mode,
                                      body, algorithm, dice.choice(["header", "trailer"]))
                    number += 1
    for algorithm in ALGORITHMS:
        for placement in ["header", "trailer"]:
            yield upload_case(f"{operation}/{algorithm}-{placement}", dice, operation, "https",
                              (True, "when_supported"), "bytes", algorithm, placement)
    for algorithm in [*ALGORITHMS, "MD5"]:
        for scheme in ["http", "https"]:
            yield own_checksum_case(f"{operation}/own-{algorithm}-{scheme}", dice, operation,
                                    scheme, algorithm)
    for i in range(count):
        yield upload_case(
            f"{operation}/upload-{i}", dice, operation, dice.choice(["http", "https"]),
            dice.choice(MODES), dice.choice(["bytes", "bytes", "empty", "stream"]),
            dice.choice([None, None, *ALGORITHMS]), dice.choice(["header", "trailer"]),
            unsummed(dice, operation))


def upload_case(name, dice, operation, scheme, mode, kind, algorithm, placement, groups=()):
    """The config asks us for what botocore does with this upload."""
    config = plain_config(dice, scheme) | {
        "enable_data_integrity_protection": mode[0], "request_checksum_calculation": mode[1]}
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


def own_checksum_case(name, dice, operation, scheme, algorithm):
    """The caller gives the value: it goes as it is, beside nothing of ours."""
    config = plain_config(dice, scheme) | dict(zip(
        ["enable_data_integrity_protection", "request_checksum_calculation"], dice.choice(MODES)))
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
                "request_checksum_calculation": mode[1]}
            params = {}
            if dice.chance(0.5):
                algorithm = dice.choice(ALGORITHMS)
                if dice.chance(0.5):
                    config["checksum_algorithm"] = algorithm
                else:
                    params["ChecksumAlgorithm"] = algorithm
            yield request_case(f"{operation}/mode-{i}-{scheme}", dice, operation, params, config,
                               unsummed(dice, operation))


def specified(dice, count):
    for operation in [*DIGESTED, *UPLOADS, "GetObject", "HeadObject", "CreateMultipartUpload",
                      "CopyObject", "CompleteMultipartUpload"]:
        for scheme in ["http", "https"]:
            config = plain_config(dice, scheme) | {
                "enable_data_integrity_protection": True, "request_checksum_calculation": "never",
                "response_checksum_validation": "never"}
            yield specified_case(f"{operation}/never-{scheme}", dice, config, operation,
                                 Tweaks(content_md5=True))
    for operation in [*DIGESTED, *UPLOADS]:
        for scheme in ["http", "https"]:
            on = plain_config(dice, scheme) | {
                "enable_data_integrity_protection": True,
                "request_checksum_calculation": "when_supported"}
            yield specified_case(f"{operation}/content-md5-{scheme}", dice,
                                 on | {"checksum_placement": "content-md5"}, operation,
                                 Tweaks(content_md5=True))
            yield specified_case(f"{operation}/no-algorithm-header-{scheme}", dice,
                                 on | {"sdk_checksum_algorithm_header": False}, operation,
                                 Tweaks(placement="header", no_algorithm_header=True))
    for operation in UPLOADS:
        for i in range(count or 5):
            config = plain_config(dice, "https") | {
                "enable_data_integrity_protection": True,
                "request_checksum_calculation": "when_supported",
                "checksum_placement": "trailer", "aws_chunked_content_encoding": False}
            yield specified_case(f"{operation}/no-content-encoding-{i}", dice, config, operation,
                                 Tweaks(placement="trailer", no_content_encoding=True))


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
    expect = {"method": request.method, "url": request.url, "headers": headers,
              "body": bytes_of(body_of(request))}
    if authorization:
        expect["authorization"] = authorization
    given = {"config": config, "operation": operation, "params": params, "time": time}
    return case(name, given, expect)


def client_part(config):
    """The settings that botocore's client has too; the rest are of the call."""
    return {key: value for key, value in config.items() if key not in {
        "checksum_algorithm", "checksum_placement", "aws_chunked_content_encoding",
        "sdk_checksum_algorithm_header", "chunk_size"}}


def plain_config(dice, scheme=None):
    scheme = scheme or dice.choice(["http", "https"])
    config = {
        "endpoint": dice.choice(CUSTOM_ENDPOINTS[:5]).format(scheme=scheme),
        "region": dice.choice(REGIONS[:6]), "addressing": "path",
        "access_key": ACCESS_KEY, "secret_key": SECRET_KEY,
        "session_token": SESSION_TOKEN if dice.chance(0.15) else None}
    if scheme == "https" and dice.chance(0.3):
        config |= {"endpoint": None, "addressing": dice.choice(["auto", "virtual", "path"])}
    return config


def any_config(dice):
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
        dice.choice(MODES))
    config["response_checksum_validation"] = dice.choice(["when_required", "when_supported", "always"])
    return config


def anonymous(dice):
    return any_config(dice) | {"access_key": None, "secret_key": None, "session_token": None}


def supported(mode):
    return mode[0] and mode[1] != "when_required"


def maybe(dice, config, name, values):
    if dice.chance(0.4):
        config[name] = dice.choice(values)


def checksum(algorithm, data):
    if algorithm == "MD5":
        return base64.b64encode(hashlib.md5(data).digest()).decode()
    return _CHECKSUM_CLS[algorithm.lower()]().handle(data)


def upload_body(dice, kind):
    if kind == "empty":
        return {"utf8": ""}, b""
    if dice.chance(0.03):
        return repeat(dice.choice(["apus", "0123456789"]), dice.randint(8000, 17000))
    data = dice.choice([b"hello", b"hello world", dice.blob(1, 60)])
    return bytes_of(data), data


# -- Members ------------------------------------------------------------------------------------


def required(dice, operation, config=None):
    """The members that S3 demands, of a random kind."""
    members = MODEL.operation_model(operation).input_shape.required_members
    params = {name: value(dice, operation, name) for name in members}
    if operation in PAYLOADS:
        params[PAYLOADS[operation]] = value(dice, operation, PAYLOADS[operation])
    if operation == "CreateBucket" and config and config["region"] != "us-east-1":
        params["CreateBucketConfiguration"] = {"LocationConstraint": config["region"]}
    if operation == "ListMultipartUploads":
        params["EncodingType"] = "url"
    return params


# Documents that the model calls optional, and S3 does not.
PAYLOADS = {
    "PutBucketLifecycleConfiguration": "LifecycleConfiguration",
    "CompleteMultipartUpload": "MultipartUpload",
    "PutObjectRetention": "Retention", "PutObjectLegalHold": "LegalHold",
}

# Members that go together: what one case of a group sets.
GROUPS = {
    "Grants": lambda dice: {
        "GrantFullControl": 'id="79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"',
        "GrantRead": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"',
        "GrantReadACP": 'id="1111", id="2222"', "GrantWrite": 'id="3333"',
        "GrantWriteACP": 'emailAddress="someone@example.com"'},
    "SSE": lambda dice: {"ServerSideEncryption": "AES256"},
    "SSEKMS": lambda dice: {
        "ServerSideEncryption": dice.choice(["aws:kms", "aws:kms:dsse"]),
        "SSEKMSKeyId": "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "SSEKMSEncryptionContext": base64.b64encode(b'{"a":"b"}').decode(),
        "BucketKeyEnabled": dice.chance(0.5)},
    "SSEC": lambda dice: {
        "SSECustomerAlgorithm": "AES256",
        "SSECustomerKey": {"base64": base64.b64encode(dice.randbytes(32)).decode()}},
    "CopySourceSSEC": lambda dice: {
        "CopySourceSSECustomerAlgorithm": "AES256",
        "CopySourceSSECustomerKey": {"base64": base64.b64encode(dice.randbytes(32)).decode()}},
    "ObjectLock": lambda dice: {
        "ObjectLockMode": dice.choice(["GOVERNANCE", "COMPLIANCE"]),
        "ObjectLockRetainUntilDate": time_of(dice.moment())},
    "ReplaceMetadata": lambda dice: {"MetadataDirective": "REPLACE", "Metadata": metadata(dice)},
    "ReplaceTagging": lambda dice: {"TaggingDirective": "REPLACE", "Tagging": tagging(dice)},
    "Versions": lambda dice: {"KeyMarker": dice.key(), "VersionIdMarker": dice.word()},
    "Uploads": lambda dice: {"KeyMarker": dice.key(), "UploadIdMarker": dice.word()},
    **{f"Checksum{name}": lambda dice, name=name: {
        f"Checksum{name}": checksum(name, dice.randbytes(9))} for name in [*ALGORITHMS, "MD5"]},
}
# A member that only makes sense within its group, and operations where that is so.
GROUP_OF = {
    "GrantFullControl": "Grants", "GrantRead": "Grants", "GrantReadACP": "Grants",
    "GrantWrite": "Grants", "GrantWriteACP": "Grants",
    "ServerSideEncryption": "SSE", "SSEKMSKeyId": "SSEKMS", "SSEKMSEncryptionContext": "SSEKMS",
    "BucketKeyEnabled": "SSEKMS", "SSECustomerAlgorithm": "SSEC", "SSECustomerKey": "SSEC",
    "CopySourceSSECustomerAlgorithm": "CopySourceSSEC", "CopySourceSSECustomerKey": "CopySourceSSEC",
    "ObjectLockMode": "ObjectLock", "ObjectLockRetainUntilDate": "ObjectLock",
    "VersionIdMarker": "Versions", "UploadIdMarker": "Uploads",
}
# At most one of each of these goes with a call.
EXCLUSIVE = [
    {"ACL", "Grants"}, {"SSE", "SSEKMS", "SSEC"}, {"Range", "PartNumber"},
    {"IfMatch", "IfNoneMatch"}, {"IfModifiedSince", "IfUnmodifiedSince"},
    {"CopySourceIfMatch", "CopySourceIfNoneMatch"},
    {"CopySourceIfModifiedSince", "CopySourceIfUnmodifiedSince"},
    {"ContinuationToken", "StartAfter"},
    {f"Checksum{name}" for name in [*ALGORITHMS, "MD5", "Algorithm"]},
]


def groups_of(operation):
    """What may be added to this operation's required members, in the model's order."""
    shape = MODEL.operation_model(operation).input_shape
    skipped = EXCLUDED | set(shape.required_members) | {
        "Body", "CreateBucketConfiguration", PAYLOADS.get(operation)}
    if operation == "ListMultipartUploads":
        skipped |= {"EncodingType"}
    found = []
    for member in shape.members:
        if member in skipped or (operation == "CopyObject" and member in ["Metadata", "Tagging"]):
            continue
        group = GROUP_OF.get(member, member)
        if operation == "CopyObject":
            group = {"MetadataDirective": "ReplaceMetadata",
                     "TaggingDirective": "ReplaceTagging"}.get(group, group)
        if group not in found:
            found.append(group)
    return found


def optional(dice, operation):
    """Some of the groups, none excluding another."""
    chosen = [group for group in groups_of(operation) if dice.chance(0.25)]
    for exclusive in EXCLUSIVE:
        rivals = [group for group in chosen if group in exclusive]
        keep = dice.choice(rivals) if rivals else None
        chosen = [group for group in chosen if group not in exclusive or group == keep]
    return chosen


def unsummed(dice, operation):
    """The same, save what says how to digest the body."""
    return [name for name in optional(dice, operation)
            if not name.startswith("Checksum") and name != "ContentMD5"]


def some(dice, operation, groups):
    members = MODEL.operation_model(operation).input_shape.members
    params = {}
    for group in groups:
        made = GROUPS[group](dice) if group in GROUPS else {group: value(dice, operation, group)}
        params |= {name: item for name, item in made.items() if name in members}
    if operation == "CreateMultipartUpload" and "ChecksumType" in params:
        params["ChecksumAlgorithm"] = "CRC32C"
    return params


def value(dice, operation, name):
    """A value of this member: of its name where it needs one, else of its type."""
    shape = MODEL.operation_model(operation).input_shape.members[name]
    if name == "Tagging" and shape.type_name == "structure":
        return {"TagSet": tags(dice)}
    if name in VALUES:
        return VALUES[name](dice)
    if getattr(shape, "enum", None):
        return dice.choice([item for item in shape.enum if item not in ODD_ENUMS])
    if shape.type_name == "list":
        chosen = dice.sample(shape.member.enum, dice.randint(1, len(shape.member.enum)))
        return chosen
    return {
        "boolean": lambda: dice.chance(0.5), "integer": lambda: dice.randint(1, 1000),
        "long": lambda: dice.randint(0, 1 << 40), "timestamp": lambda: time_of(dice.moment()),
        "string": lambda: dice.printable(),
    }[shape.type_name]()


# Of places other than S3's own buckets; and MD5, which botocore does not compute.
ODD_ENUMS = {"MD5", "aws:fsx", "aws:backup", "FSX_OPENZFS", "FSX_ONTAP", "SNOW", "OUTPOSTS",
             "EXPRESS_ONEZONE", "AWS_BACKUP_WARM", "AWS_BACKUP_LOW_COST_WARM"}

VALUES = {
    "Bucket": lambda dice: dice.bucket(),
    "Key": lambda dice: dice.key(),
    "UploadId": lambda dice: dice.choice(["VXBsb2FkIElE.a_b-c~", "2~abc/def+g=", dice.word(20, 40)]),
    "PartNumber": lambda dice: dice.choice([1, 2, 10000, dice.randint(1, 10000)]),
    "VersionId": lambda dice: dice.choice(["null", "3HL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY", dice.word()]),
    "Range": lambda dice: dice.choice(["bytes=0-9", "bytes=5-", "bytes=-5", "bytes=0-0"]),
    "CopySourceRange": lambda dice: f"bytes=0-{dice.randint(1, 5 << 30)}",
    "CopySource": lambda dice: {"Bucket": dice.bucket(), "Key": dice.key()} | (
        {"VersionId": VALUES["VersionId"](dice)} if dice.chance(0.4) else {}),
    "IfMatch": lambda dice: f'"{dice.text("0123456789abcdef", 32, 32)}"',
    "IfNoneMatch": lambda dice: dice.choice(["*", f'"{dice.text("0123456789abcdef", 32, 32)}-7"']),
    "CopySourceIfMatch": lambda dice: f'"{dice.word()}"',
    "CopySourceIfNoneMatch": lambda dice: f'"{dice.word()}"',
    "Metadata": lambda dice: metadata(dice),
    "Tagging": lambda dice: tagging(dice),
    "ContentMD5": lambda dice: dice.md5(),
    "ContentType": lambda dice: dice.choice(["text/plain", "application/octet-stream",
                                             "text/html; charset=utf-8"]),
    "ContentEncoding": lambda dice: dice.choice(["gzip", "identity", "br"]),
    "ContentLanguage": lambda dice: dice.choice(["en", "de-DE, en"]),
    "ContentDisposition": lambda dice: 'attachment; filename="a b.txt"',
    "CacheControl": lambda dice: "max-age=3600, must-revalidate",
    "WebsiteRedirectLocation": lambda dice: dice.choice(["/other", "https://example.com/a?b=c"]),
    "ExpectedBucketOwner": lambda dice: "111122223333",
    "ExpectedSourceBucketOwner": lambda dice: "444455556666",
    "MFA": lambda dice: "arn:aws:iam::111122223333:mfa/user 123456",
    "Prefix": lambda dice: dice.choice(["", dice.key()]),
    "Delimiter": lambda dice: dice.choice(["/", "&", "é", "//"]),
    "StartAfter": lambda dice: dice.key(), "Marker": lambda dice: dice.key(),
    "KeyMarker": lambda dice: dice.key(),
    "ContinuationToken": lambda dice: "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=",
    "BucketRegion": lambda dice: dice.choice(REGIONS),
    "MaxBuckets": lambda dice: dice.randint(1, 10000),
    "ResponseContentType": lambda dice: "application/x-apus; a=b",
    "ResponseContentDisposition": lambda dice: 'attachment; filename="é+ü.txt"',
    "Policy": lambda dice: policy(dice),
    "VersioningConfiguration": lambda dice: {"Status": dice.choice(["Enabled", "Suspended"])} | (
        {"MFADelete": dice.choice(["Enabled", "Disabled"])} if dice.chance(0.3) else {}),
    "CORSConfiguration": lambda dice: {"CORSRules": [cors(dice) for _ in range(dice.randint(1, 3))]},
    "Retention": lambda dice: {"Mode": dice.choice(["GOVERNANCE", "COMPLIANCE"]),
                               "RetainUntilDate": time_of(dice.moment())},
    "LifecycleConfiguration": lambda dice: {
        "Rules": [lifecycle_rule(dice) for _ in range(dice.randint(1, 3))]},
    "LegalHold": lambda dice: {"Status": dice.choice(["ON", "OFF"])},
    "Delete": lambda dice: deletion(dice),
    "MultipartUpload": lambda dice: {"Parts": parts(dice)},
    "ObjectAttributes": lambda dice: dice.sample(
        ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"], dice.randint(1, 5)),
}


def metadata(dice):
    return {dice.choice(["a", "mixed-Case", "x_y", dice.word()]): dice.choice(["", dice.printable()])
            for _ in range(dice.randint(1, 3))}


def tagging(dice):
    return dice.choice(["a=b", "project=apus&stage=test", "a%20b=c%2Fd", "empty="])


def tags(dice):
    return [{"Key": dice.printable(), "Value": dice.choice(["", "a&b<c>\"'", dice.printable()])}
            for _ in range(dice.randint(1, 3))]


def xml_key(dice):
    """Any key that XML 1.0 can hold."""
    return dice.key().replace("\x01", "")


def deletion(dice):
    objects = []
    for _ in range(dice.randint(1, 6)):
        item = {"Key": dice.choice(["a\rb", "a\nb", "<&>\"'", "]]>", xml_key(dice)])}
        if dice.chance(0.3):
            item["VersionId"] = VALUES["VersionId"](dice)
        if dice.chance(0.15):
            item |= {"ETag": VALUES["IfMatch"](dice), "LastModifiedTime": time_of(dice.moment()),
                     "Size": dice.randint(0, 1 << 40)}
        objects.append(item)
    return {"Objects": objects} | ({"Quiet": dice.chance(0.5)} if dice.chance(0.6) else {})


def parts(dice):
    """Completed parts, some with a checksum of one algorithm."""
    algorithm = dice.choice([None, None, *ALGORITHMS])
    result = []
    for number in range(1, dice.randint(2, 6)):
        part = {"ETag": VALUES["IfMatch"](dice), "PartNumber": number}
        if algorithm:
            part[f"Checksum{algorithm}"] = checksum(algorithm, dice.randbytes(9))
        result.append(part)
    return result


def policy(dice):
    return ('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
            f'"Action":"s3:GetObject","Resource":"arn:aws:s3:::{dice.bucket()}/é*"}}]}}')


def cors(dice):
    rule = {"AllowedMethods": dice.sample(["GET", "PUT", "POST", "DELETE", "HEAD"], 2),
            "AllowedOrigins": dice.choice([["*"], ["https://example.com", "http://*.example.org"]])}
    for name, item in [("ID", dice.printable()), ("AllowedHeaders", ["*"]),
                       ("ExposeHeaders", ["ETag", "x-amz-version-id"]), ("MaxAgeSeconds", 3000)]:
        if dice.chance(0.5):
            rule[name] = item
    return rule


def lifecycle_rule(dice):
    size = {"ObjectSizeGreaterThan": 500, "ObjectSizeLessThan": 64000}
    rule = {"ID": dice.printable(), "Status": dice.choice(["Enabled", "Disabled"]),
            "Filter": dice.choice([
                {"Prefix": ""}, {"Prefix": "logs/é&/"}, {"Tag": tags(dice)[0]},
                {"ObjectSizeGreaterThan": 500}, {"ObjectSizeLessThan": 64000},
                {"And": {"Prefix": "tax/", "Tags": tags(dice)} | size}])}
    if dice.chance(0.1):
        del rule["Filter"]
        rule["Prefix"] = "old/"
    midnight = time_of(dice.moment())[:9] + "000000Z"
    for name, item in [
        ("Expiration", dice.choice([{"Days": 365}, {"Date": midnight},
                                    {"ExpiredObjectDeleteMarker": True}])),
        ("Transitions", [{"Days": 30, "StorageClass": "STANDARD_IA"},
                         {"Date": midnight, "StorageClass": "GLACIER"}]),
        ("NoncurrentVersionTransitions", [{"NoncurrentDays": 30, "StorageClass": "GLACIER_IR"}]),
        ("NoncurrentVersionExpiration", {"NoncurrentDays": 60, "NewerNoncurrentVersions": 3}),
        ("AbortIncompleteMultipartUpload", {"DaysAfterInitiation": 7}),
    ]:
        if dice.chance(0.4):
            rule[name] = item
    return rule
