"""The members of S3's operations: which there are, which go together, and values for them."""

import base64
import hashlib
from urllib.parse import quote

from botocore.httpchecksum import _CHECKSUM_CLS

from client import MODEL
from common import REGIONS, time_of

ALGORITHMS = [
    "CRC32",
    "CRC32C",
    "CRC64NVME",
    "SHA1",
    "SHA256",
    "SHA512",
    "XXHASH64",
    "XXHASH3",
    "XXHASH128",
]

# Members that no client of objects needs: directory buckets. The MD5 of a customer's key is
# computed from the key.
EXCLUDED = {
    "BucketNamespace",
    "WriteOffsetBytes",
    "SSECustomerKeyMD5",
    "CopySourceSSECustomerKeyMD5",
    "ContentLength",
}


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
    if operation == "RenameObject":
        # Without one, botocore makes a random one.
        params["ClientToken"] = value(dice, operation, "ClientToken")
    return params


# Documents that the model calls optional, and S3 does not.
PAYLOADS = {
    "PutBucketLifecycleConfiguration": "LifecycleConfiguration",
    "CompleteMultipartUpload": "MultipartUpload",
    "PutObjectRetention": "Retention",
    "PutObjectLegalHold": "LegalHold",
}

# Members that go together: what one case of a group sets.
GROUPS = {
    "Grants": lambda dice: {
        "GrantFullControl": 'id="79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"',
        "GrantRead": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"',
        "GrantReadACP": 'id="1111", id="2222"',
        "GrantWrite": 'id="3333"',
        "GrantWriteACP": 'emailAddress="someone@example.com"',
    },
    "SSE": lambda dice: {"ServerSideEncryption": "AES256"},
    "SSEKMS": lambda dice: {
        "ServerSideEncryption": dice.choice(["aws:kms", "aws:kms:dsse"]),
        "SSEKMSKeyId": "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "SSEKMSEncryptionContext": base64.b64encode(b'{"a":"b"}').decode(),
        "BucketKeyEnabled": dice.chance(0.5),
    },
    "SSEC": lambda dice: {
        "SSECustomerAlgorithm": "AES256",
        "SSECustomerKey": {"base64": base64.b64encode(dice.randbytes(32)).decode()},
    },
    "CopySourceSSEC": lambda dice: {
        "CopySourceSSECustomerAlgorithm": "AES256",
        "CopySourceSSECustomerKey": {"base64": base64.b64encode(dice.randbytes(32)).decode()},
    },
    "ObjectLock": lambda dice: {
        "ObjectLockMode": dice.choice(["GOVERNANCE", "COMPLIANCE"]),
        "ObjectLockRetainUntilDate": time_of(dice.moment()),
    },
    "EventHoldDays": lambda dice: {
        "ObjectLockEventHold": "ON",
        "ObjectLockEventHoldDurationDays": dice.randint(1, 36500),
    },
    "EventHoldYears": lambda dice: {
        "ObjectLockEventHold": "ON",
        "ObjectLockEventHoldDurationYears": dice.randint(1, 100),
    },
    "ReplaceMetadata": lambda dice: {"MetadataDirective": "REPLACE", "Metadata": metadata(dice)},
    "ReplaceTagging": lambda dice: {"TaggingDirective": "REPLACE", "Tagging": tagging(dice)},
    "Versions": lambda dice: {"KeyMarker": dice.key(), "VersionIdMarker": dice.word()},
    "Uploads": lambda dice: {"KeyMarker": dice.key(), "UploadIdMarker": dice.word()},
    **{
        f"Checksum{name}": lambda dice, name=name: {
            f"Checksum{name}": checksum(name, dice.randbytes(9))
        }
        for name in [*ALGORITHMS, "MD5"]
    },
}
# A member that only makes sense within its group, and operations where that is so.
GROUP_OF = {
    "GrantFullControl": "Grants",
    "GrantRead": "Grants",
    "GrantReadACP": "Grants",
    "GrantWrite": "Grants",
    "GrantWriteACP": "Grants",
    "ServerSideEncryption": "SSE",
    "SSEKMSKeyId": "SSEKMS",
    "SSEKMSEncryptionContext": "SSEKMS",
    "BucketKeyEnabled": "SSEKMS",
    "SSECustomerAlgorithm": "SSEC",
    "SSECustomerKey": "SSEC",
    "CopySourceSSECustomerAlgorithm": "CopySourceSSEC",
    "CopySourceSSECustomerKey": "CopySourceSSEC",
    "ObjectLockMode": "ObjectLock",
    "ObjectLockRetainUntilDate": "ObjectLock",
    "ObjectLockEventHoldDurationDays": "EventHoldDays",
    "ObjectLockEventHoldDurationYears": "EventHoldYears",
    "VersionIdMarker": "Versions",
    "UploadIdMarker": "Uploads",
}
# At most one of each of these goes with a call.
EXCLUSIVE = [
    {"ACL", "Grants"},
    {"ObjectLockEventHold", "EventHoldDays", "EventHoldYears"},
    {"DestinationIfMatch", "DestinationIfNoneMatch"},
    {"DestinationIfModifiedSince", "DestinationIfUnmodifiedSince"},
    {"SourceIfMatch", "SourceIfNoneMatch"},
    {"SourceIfModifiedSince", "SourceIfUnmodifiedSince"},
    {"SSE", "SSEKMS", "SSEC"},
    {"Range", "PartNumber"},
    {"IfMatch", "IfNoneMatch"},
    {"IfModifiedSince", "IfUnmodifiedSince"},
    {"CopySourceIfMatch", "CopySourceIfNoneMatch"},
    {"CopySourceIfModifiedSince", "CopySourceIfUnmodifiedSince"},
    {"ContinuationToken", "StartAfter"},
    {f"Checksum{name}" for name in [*ALGORITHMS, "MD5", "Algorithm"]},
]


def groups_of(operation):
    """What may be added to this operation's required members, in the model's order."""
    shape = MODEL.operation_model(operation).input_shape
    skipped = (
        EXCLUDED
        | set(shape.required_members)
        | {"Body", "CreateBucketConfiguration", PAYLOADS.get(operation)}
    )
    if operation == "ListMultipartUploads":
        skipped |= {"EncodingType"}
    if operation == "RenameObject":
        skipped |= {"ClientToken"}
    found = []
    for member in shape.members:
        if member in skipped or (operation == "CopyObject" and member in ["Metadata", "Tagging"]):
            continue
        group = GROUP_OF.get(member, member)
        if operation == "CopyObject":
            group = {
                "MetadataDirective": "ReplaceMetadata",
                "TaggingDirective": "ReplaceTagging",
            }.get(group, group)
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
    return [
        name
        for name in optional(dice, operation)
        if not name.startswith("Checksum") and name != "ContentMD5"
    ]


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
        "boolean": lambda: dice.chance(0.5),
        "integer": lambda: dice.randint(1, 1000),
        "long": lambda: dice.randint(0, 1 << 40),
        "timestamp": lambda: time_of(dice.moment()),
        "string": lambda: dice.printable(),
    }[shape.type_name]()


# Of places other than S3's own buckets; and MD5, which botocore does not compute.
ODD_ENUMS = {
    "MD5",
    "aws:fsx",
    "aws:backup",
    "FSX_OPENZFS",
    "FSX_ONTAP",
    "SNOW",
    "OUTPOSTS",
    "EXPRESS_ONEZONE",
    "AWS_BACKUP_WARM",
    "AWS_BACKUP_LOW_COST_WARM",
}

VALUES = {
    "Bucket": lambda dice: dice.bucket(),
    "Key": lambda dice: dice.key(),
    "UploadId": lambda dice: dice.choice(
        ["VXBsb2FkIElE.a_b-c~", "2~abc/def+g=", dice.word(20, 40)]
    ),
    "PartNumber": lambda dice: dice.choice([1, 2, 10000, dice.randint(1, 10000)]),
    "VersionId": lambda dice: dice.choice(
        ["null", "3HL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY", dice.word()]
    ),
    "Range": lambda dice: dice.choice(["bytes=0-9", "bytes=5-", "bytes=-5", "bytes=0-0"]),
    "CopySourceRange": lambda dice: f"bytes=0-{dice.randint(1, 5 << 30)}",
    "CopySource": lambda dice: (
        {"Bucket": dice.bucket(), "Key": dice.key()}
        | ({"VersionId": VALUES["VersionId"](dice)} if dice.chance(0.4) else {})
    ),
    "IfMatch": lambda dice: f'"{dice.text("0123456789abcdef", 32, 32)}"',
    "IfNoneMatch": lambda dice: dice.choice(["*", f'"{dice.text("0123456789abcdef", 32, 32)}-7"']),
    "CopySourceIfMatch": lambda dice: f'"{dice.word()}"',
    "CopySourceIfNoneMatch": lambda dice: f'"{dice.word()}"',
    "Metadata": lambda dice: metadata(dice),
    "Tagging": lambda dice: tagging(dice),
    "ContentMD5": lambda dice: dice.md5(),
    "ContentType": lambda dice: dice.choice(
        ["text/plain", "application/octet-stream", "text/html; charset=utf-8"]
    ),
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
    "StartAfter": lambda dice: dice.key(),
    "Marker": lambda dice: dice.key(),
    "KeyMarker": lambda dice: dice.key(),
    "ContinuationToken": lambda dice: "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=",
    "BucketRegion": lambda dice: dice.choice(REGIONS),
    "MaxBuckets": lambda dice: dice.randint(1, 10000),
    "ResponseContentType": lambda dice: "application/x-apus; a=b",
    "ResponseContentDisposition": lambda dice: 'attachment; filename="é+ü.txt"',
    "Policy": lambda dice: policy(dice),
    "VersioningConfiguration": lambda dice: (
        {"Status": dice.choice(["Enabled", "Suspended"])}
        | ({"MFADelete": dice.choice(["Enabled", "Disabled"])} if dice.chance(0.3) else {})
    ),
    "CORSConfiguration": lambda dice: {
        "CORSRules": [cors(dice) for _ in range(dice.randint(1, 3))]
    },
    "Retention": lambda dice: (
        {
            "Mode": dice.choice(["GOVERNANCE", "COMPLIANCE"]),
            "RetainUntilDate": time_of(dice.moment()),
        }
        | dice.choice(EVENT_HOLDS)
    ),
    "AnnotationName": lambda dice: dice.choice(["note", "a b&c=d/e", "é+ü?", dice.word()]),
    "AnnotationPrefix": lambda dice: dice.choice(["", "no", "é/ +"]),
    "AnnotationPayload": lambda dice: {"utf8": dice.choice(["x", "é <&>\n", dice.printable()])},
    "ObjectIfMatch": lambda dice: f'"{dice.text("0123456789abcdef", 32, 32)}"',
    "RenameSource": lambda dice: f"/{dice.bucket()}/{quote(dice.key(), safe='/~')}",
    "DestinationIfMatch": lambda dice: f'"{dice.text("0123456789abcdef", 32, 32)}"',
    "DestinationIfNoneMatch": lambda dice: "*",
    "SourceIfMatch": lambda dice: f'"{dice.word()}"',
    "SourceIfNoneMatch": lambda dice: f'"{dice.word()}"',
    "ClientToken": lambda dice: dice.word(20, 64),
    "LifecycleConfiguration": lambda dice: {
        "Rules": [lifecycle_rule(dice) for _ in range(dice.randint(1, 3))]
    },
    "LegalHold": lambda dice: {"Status": dice.choice(["ON", "OFF"])},
    "Delete": lambda dice: deletion(dice),
    "MultipartUpload": lambda dice: {"Parts": parts(dice)},
    "ObjectAttributes": lambda dice: dice.sample(
        ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"], dice.randint(1, 5)
    ),
}


# Of a retention: in most cases none.
EVENT_HOLDS = [
    {},
    {},
    {"EventHold": "OFF"},
    {"EventHold": "ON", "EventHoldDuration": {"Days": 36500}},
    {"EventHold": "ON", "EventHoldDuration": {"Years": 7}},
]


def metadata(dice):
    return {
        dice.choice(["a", "mixed-Case", "x_y", dice.word()]): dice.choice(["", dice.printable()])
        for _ in range(dice.randint(1, 3))
    }


def tagging(dice):
    return dice.choice(["a=b", "project=apus&stage=test", "a%20b=c%2Fd", "empty="])


def tags(dice):
    return [
        {"Key": dice.printable(), "Value": dice.choice(["", "a&b<c>\"'", dice.printable()])}
        for _ in range(dice.randint(1, 3))
    ]


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
            item |= {
                "ETag": VALUES["IfMatch"](dice),
                "LastModifiedTime": time_of(dice.moment()),
                "Size": dice.randint(0, 1 << 40),
            }
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
    return (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
        f'"Action":"s3:GetObject","Resource":"arn:aws:s3:::{dice.bucket()}/é*"}}]}}'
    )


def cors(dice):
    rule = {
        "AllowedMethods": dice.sample(["GET", "PUT", "POST", "DELETE", "HEAD"], 2),
        "AllowedOrigins": dice.choice([["*"], ["https://example.com", "http://*.example.org"]]),
    }
    for name, item in [
        ("ID", dice.printable()),
        ("AllowedHeaders", ["*"]),
        ("ExposeHeaders", ["ETag", "x-amz-version-id"]),
        ("MaxAgeSeconds", 3000),
    ]:
        if dice.chance(0.5):
            rule[name] = item
    return rule


def lifecycle_rule(dice):
    size = {"ObjectSizeGreaterThan": 500, "ObjectSizeLessThan": 64000}
    rule = {
        "ID": dice.printable(),
        "Status": dice.choice(["Enabled", "Disabled"]),
        "Filter": dice.choice(
            [
                {"Prefix": ""},
                {"Prefix": "logs/é&/"},
                {"Tag": tags(dice)[0]},
                {"ObjectSizeGreaterThan": 500},
                {"ObjectSizeLessThan": 64000},
                {"And": {"Prefix": "tax/", "Tags": tags(dice)} | size},
            ]
        ),
    }
    if dice.chance(0.1):
        del rule["Filter"]
        rule["Prefix"] = "old/"
    midnight = time_of(dice.moment())[:9] + "000000Z"
    for name, item in [
        (
            "Expiration",
            dice.choice([{"Days": 365}, {"Date": midnight}, {"ExpiredObjectDeleteMarker": True}]),
        ),
        (
            "Transitions",
            [
                {"Days": 30, "StorageClass": "STANDARD_IA"},
                {"Date": midnight, "StorageClass": "GLACIER"},
            ],
        ),
        ("NoncurrentVersionTransitions", [{"NoncurrentDays": 30, "StorageClass": "GLACIER_IR"}]),
        ("NoncurrentVersionExpiration", {"NoncurrentDays": 60, "NewerNoncurrentVersions": 3}),
        ("AbortIncompleteMultipartUpload", {"DaysAfterInitiation": 7}),
    ]:
        if dice.chance(0.4):
            rule[name] = item
    return rule


def checksum(algorithm, data):
    if algorithm == "MD5":
        return base64.b64encode(hashlib.md5(data).digest()).decode()
    return _CHECKSUM_CLS[algorithm.lower()]().handle(data)
